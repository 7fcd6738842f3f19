package zendesk

import (
	"context"
	"encoding/json"
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
	res, err := c.do(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: "/api/v2/users/show_many", Query: url.Values{"ids": {join(ids)}},
	})
	if err != nil {
		return nil, err
	}
	if !succeeded(res) {
		return nil, failed(c.http, op, res)
	}
	var answer struct {
		Users *[]Person `json:"users"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Users == nil {
		return nil, senseless(c.http, op, res)
	}
	people := map[int64]Person{}
	for _, p := range *answer.Users {
		people[p.ID] = p
	}
	return people, nil
}
