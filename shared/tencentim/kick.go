package tencentim

import "context"

// Kick ends an account's logins: UserSigs that were signed before are refused.
// Whoever may have a new one can log in again. An account that does not exist
// has no logins. It may be repeated.
//
//	{"UserID":"dana"}
//
// See https://trtc.io/document/34957.
func (c *Client) Kick(ctx context.Context, userID string) error {
	_, err := repeat[nothing](ctx, c, loginService, "kick", Account{UserID: userID})
	if noAccount(err) {
		return nil
	}
	return err
}
