package zendesk

import (
	"context"
	"net/url"
)

// Agents returns some of the account's agents, admins among them: one page.
//
//	GET /api/v2/users?role[]=agent&role[]=admin
//	200 {"users":[{"id","name","role"}]}
//
// See https://developer.zendesk.com/api-reference/ticketing/users/users/#list-users.
func (c *Client) Agents(ctx context.Context) ([]Person, error) {
	var answer struct {
		Users []Person `json:"users"`
	}
	err := c.read(ctx, "users_list", "/api/v2/users", url.Values{"role[]": {"agent", "admin"}}, &answer)
	return answer.Users, err
}
