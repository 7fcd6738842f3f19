package zendesk

import (
	"context"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/upstream"
)

// ShowUsers reads up to 100 users in one call. Users that do not exist are
// missing from the answer.
//
//	GET /api/v2/users/show_many?ids=1,2
//	200 {"users":[{"id","name","locale","role"}]}
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#show-many-users.
func (c *Client) ShowUsers(ctx context.Context, ids []int64) (map[int64]Person, error) {
	const op = "users_show_many"
	var answer struct {
		Users *[]Person `json:"users"`
	}
	res, err := c.call(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: "/api/v2/users/show_many", Query: url.Values{"ids": {join(ids)}},
	}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.Users == nil {
		return nil, c.http.Senseless(op, res)
	}
	people := map[int64]Person{}
	for _, p := range *answer.Users {
		people[p.ID] = p
	}
	return people, nil
}
