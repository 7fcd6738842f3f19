package salesforce

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Quota is what the org's edition allows in 24 hours and what is left of it.
type Quota struct{ Max, Remaining int }

// APIRequests returns the org's quota of API requests, everybody's together.
//
//	GET /services/data/v68.0/limits
//	200 {"DailyApiRequests":{"Max":100000,"Remaining":99998},…}
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_limits.htm.
func (c *Client) APIRequests(ctx context.Context) (Quota, error) {
	const op = "limits"
	res, err := c.do(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: c.data() + "/limits"})
	if err != nil {
		return Quota{}, err
	}
	if !succeeded(res) {
		return Quota{}, failed(c.http, op, res)
	}
	var answer struct{ DailyApiRequests *Quota }
	if json.Unmarshal(res.Body, &answer) != nil || answer.DailyApiRequests == nil {
		return Quota{}, senseless(c.http, op, res)
	}
	return *answer.DailyApiRequests, nil
}
