package zendesk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/caseroom/caseroom/shared/upstream"
)

var errNotEndUser = errors.New("the user with this external id is not an end user")

// CreateUser makes an end user with an external id and returns its id. No mail is
// sent. It may be repeated: external ids are unique.
//
//	POST /api/v2/users {"user":{"name","external_id","skip_verify_email":true}}
//	201 {"user":{"id","role"}}
//	422 {"error":"RecordInvalid","details":{"external_id":[{"error":"DuplicateValue"}]}}
//
// create_or_update, which the whole account may call once a second, would be the
// wrong door: most customers are there already.
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#create-user.
func (c *Client) CreateUser(ctx context.Context, externalID, name string) (id int64, err error) {
	const op = "users_create"
	type user struct {
		Name            string `json:"name"`
		ExternalID      string `json:"external_id"`
		SkipVerifyEmail bool   `json:"skip_verify_email"`
	}
	res, err := c.do(ctx, upstream.Call{
		Op: op, Method: http.MethodPost, Path: "/api/v2/users", Repeatable: true,
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
		User Person `json:"user"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.User.ID <= 0 || answer.User.Role == "" {
		return 0, c.http.Senseless(op, res)
	}
	return c.endUser(op, res, answer.User)
}

// UserByExternalID returns the id of the end user who has an external id, 0 if
// nobody has. Zendesk compares without regard to case, so the id must not depend
// on case. An agent who carries it is an error: nobody's ticket is opened as theirs.
//
//	GET /api/v2/users?external_id=caseroom:ann
//	200 {"users":[{"id","external_id","role"}]}
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#list-users.
func (c *Client) UserByExternalID(ctx context.Context, externalID string) (id int64, err error) {
	const op = "users_list"
	var answer struct {
		Users *[]struct {
			Person
			ExternalID string `json:"external_id"`
		} `json:"users"`
	}
	res, err := c.call(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: "/api/v2/users", Query: url.Values{"external_id": {externalID}},
	}, &answer)
	if err != nil {
		return 0, err
	}
	if answer.Users == nil {
		return 0, c.http.Senseless(op, res)
	}
	for _, u := range *answer.Users {
		if strings.EqualFold(u.ExternalID, externalID) && u.ID > 0 {
			return c.endUser(op, res, u.Person)
		}
	}
	return 0, nil
}

func (c *Client) endUser(op string, res *upstream.Response, p Person) (int64, error) {
	if p.Role == "end-user" {
		return p.ID, nil
	}
	e := c.http.Failed(op, res, upstream.Refused, "")
	e.Err = errNotEndUser
	return 0, e
}
