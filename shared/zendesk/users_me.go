package zendesk

import (
	"context"
	"net/http"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Me returns the id of the user whose credentials these are; see [Client.Self].
func (c *Client) Me(ctx context.Context) (int64, error) {
	p, err := c.Self(ctx)
	return p.ID, err
}

// Self returns the user whose credentials these are. Zendesk answers an
// anonymous caller with 200 and a user without an id; that is an error here.
//
//	GET /api/v2/users/me
//	200 {"user":{"id","role","ticket_restriction":null,"only_private_comments":false}}
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#show-the-currently-authenticated-user.
func (c *Client) Self(ctx context.Context) (Person, error) {
	const op = "users_me"
	var answer struct {
		User *struct {
			ID   *int64 `json:"id"`
			Name string `json:"name"`
			Role string `json:"role"`

			Restriction string `json:"ticket_restriction"`
			NotesOnly   bool   `json:"only_private_comments"`
		} `json:"user"`
	}
	res, err := c.call(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: "/api/v2/users/me"}, &answer)
	if err != nil {
		return Person{}, err
	}
	if answer.User == nil {
		return Person{}, c.http.Senseless(op, res)
	}
	if answer.User.ID == nil || *answer.User.ID <= 0 {
		e := c.http.Failed(op, res, upstream.Refused, "")
		e.Credentials = true
		return Person{}, e
	}
	return Person{
		ID: *answer.User.ID, Name: answer.User.Name, Role: answer.User.Role,
		Restriction: answer.User.Restriction, NotesOnly: answer.User.NotesOnly,
	}, nil
}
