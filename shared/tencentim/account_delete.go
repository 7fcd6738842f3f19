package tencentim

import (
	"context"
	"net/http"

	"github.com/caseroom/caseroom/shared/upstream"
)

// DeleteAccount deletes an account with its data, relations and memberships, for
// good: paid plans refuse the id for three months afterwards with 70399. Their
// console has a switch that must allow it. An account that is gone stays gone,
// so it may be repeated.
//
//	{"DeleteItem":[{"UserID":"dana"}]}
//	{"ResultItem":[{"UserID":"dana","ResultCode":0,"ResultInfo":""}]}
//
// See https://trtc.io/document/34955.
func (c *Client) DeleteAccount(ctx context.Context, userID string) error {
	const command = "account_delete"
	in := struct{ DeleteItem []Account }{[]Account{{UserID: userID}}}
	out, err := repeat[struct {
		ResultItem []struct {
			UserID     string
			ResultCode int
		}
	}](ctx, c, loginService, command, in)
	if err != nil {
		return err
	}
	if len(out.ResultItem) != 1 || out.ResultItem[0].UserID != userID {
		return incomplete(command)
	}
	if code := out.ResultItem[0].ResultCode; code != 0 {
		err := c.failed(command, &upstream.Response{Status: http.StatusOK}, code)
		if !noAccount(err) {
			return err
		}
	}
	return nil
}
