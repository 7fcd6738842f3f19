package tencentim

import "context"

// AccountExists reports whether an account is imported into the app. It changes
// nothing, so it may be repeated.
//
//	{"CheckItem":[{"UserID":"dana"}]}
//	{"ResultItem":[{"UserID":"dana","ResultCode":0,"AccountStatus":"Imported"}]}
//
// See https://trtc.io/document/34956.
func (c *Client) AccountExists(ctx context.Context, userID string) (bool, error) {
	const command = "account_check"
	in := struct{ CheckItem []Account }{[]Account{{UserID: userID}}}
	out, err := repeat[struct {
		ResultItem []struct {
			UserID        string
			AccountStatus string
		}
	}](ctx, c, loginService, command, in)
	if err != nil {
		return false, err
	}
	if len(out.ResultItem) != 1 || out.ResultItem[0].UserID != userID {
		return false, incomplete(command)
	}
	return out.ResultItem[0].AccountStatus == "Imported", nil
}
