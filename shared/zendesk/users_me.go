package zendesk

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Me returns the id of the user whose credentials these are. Zendesk answers an
// anonymous caller with 200 and a user without an id; that is an error here.
//
//	GET /api/v2/users/me
//	200 {"user":{"id","role"}}
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#show-the-currently-authenticated-user.
func (c *Client) Me(ctx context.Context) (int64, error) {
	const op = "users_me"
	res, err := c.do(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: "/api/v2/users/me"})
	if err != nil {
		return 0, err
	}
	if !succeeded(res) {
		return 0, failed(c.http, op, res)
	}
	var answer struct {
		User *struct {
			ID *int64 `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.User == nil {
		return 0, senseless(c.http, op, res)
	}
	if answer.User.ID == nil || *answer.User.ID <= 0 {
		e := c.http.Failed(op, res, upstream.Refused, "")
		e.Credentials = true
		return 0, e
	}
	return *answer.User.ID, nil
}
