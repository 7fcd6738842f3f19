package zendesk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caseroom/caseroom/shared/upstream"
)

var errNotEndUser = errors.New("the user with this external id is not an end user")

// CreateOrUpdateUser makes an end user of an external id, or finds and renames
// the one that has it, and returns its id. No mail is sent. It may be repeated.
//
// Zendesk matches external ids without regard to case and stores the spelling
// sent last, so the id must not depend on case. It would as happily rename an
// agent who carries the id: a user who is not an end user is refused and never
// becomes a requester. The role is not sent, for that would demote the agent.
//
//	POST /api/v2/users/create_or_update {"user":{"name","external_id","skip_verify_email":true}}
//	200 or 201 {"user":{"id","role"}}
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#create-or-update-user.
func (c *Client) CreateOrUpdateUser(ctx context.Context, externalID, name string) (id int64, err error) {
	const op = "users_create_or_update"
	type user struct {
		Name            string `json:"name"`
		ExternalID      string `json:"external_id"`
		SkipVerifyEmail bool   `json:"skip_verify_email"`
	}
	res, err := c.do(ctx, upstream.Call{
		Op: op, Method: http.MethodPost, Path: "/api/v2/users/create_or_update", Repeatable: true,
		JSON: map[string]user{"user": {name, externalID, true}},
	})
	if err != nil {
		return 0, err
	}
	if !res.OK() {
		e := failed(c.http, op, res)
		if res.Status == http.StatusConflict {
			e.Class = upstream.Unavailable // the same user is being made by another request
		}
		return 0, e
	}
	var answer struct {
		User struct {
			ID   int64  `json:"id"`
			Role string `json:"role"`
		} `json:"user"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.User.ID <= 0 || answer.User.Role == "" {
		return 0, c.http.Senseless(op, res)
	}
	if answer.User.Role != "end-user" {
		e := c.http.Failed(op, res, upstream.Refused, "")
		e.Err = errNotEndUser
		return 0, e
	}
	return answer.User.ID, nil
}
