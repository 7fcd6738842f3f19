package salesforce

import (
	"context"
	"errors"

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
	var answer struct{ DailyApiRequests *Quota }
	if err := c.read(ctx, op, c.data()+"/limits", &answer); err != nil {
		return Quota{}, err
	}
	if answer.DailyApiRequests == nil {
		return Quota{}, &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Unknown, Err: errors.New("no quota of API requests")}
	}
	return *answer.DailyApiRequests, nil
}
