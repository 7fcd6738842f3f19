package tencentim

import "context"

// Account is an account to import. Without a Nick the account keeps the one it has.
type Account struct {
	UserID string
	Nick   string `json:",omitempty"`
}

// ImportAccount makes an account known to the app. Importing one again changes
// at most its nickname, to the same, so it may be repeated.
// See https://trtc.io/document/34953.
func (c *Client) ImportAccount(ctx context.Context, a Account) error {
	_, err := repeat[nothing](ctx, c, loginService, "account_import", a)
	return err
}

// MaxImport is how many accounts one [Client.ImportAccounts] takes.
const MaxImport = 100

// ImportAccounts is ImportAccount for up to [MaxImport] accounts. It returns
// the ids of those that the vendor did not import, for reasons it does not give.
// See https://trtc.io/document/34954.
func (c *Client) ImportAccounts(ctx context.Context, accounts []Account) (failed []string, err error) {
	in := struct{ AccountList []Account }{accounts}
	out, err := repeat[struct{ FailAccounts []string }](ctx, c, loginService, "multiaccount_import", in)
	return out.FailAccounts, err
}
