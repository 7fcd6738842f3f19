package zendesk

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/caseroom/caseroom/shared/upstream"
)

// TicketsByExternalID returns the ids of the tickets that carry an external
// id, the oldest first. Zendesk does not keep external ids unique. Unlike a
// search this listing has no index behind it that lags.
//
//	GET /api/v2/tickets?external_id=…
//	200 {"tickets":[{"id","external_id"}]}
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets.
func (c *Client) TicketsByExternalID(ctx context.Context, externalID string) (ids []string, err error) {
	const op = "tickets_list"
	var answer struct {
		Tickets *[]struct {
			ID         int64  `json:"id"`
			ExternalID string `json:"external_id"`
		} `json:"tickets"`
	}
	res, err := c.call(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: "/api/v2/tickets",
		Query: url.Values{"external_id": {externalID}},
	}, &answer)
	if err != nil {
		return nil, err
	}
	if answer.Tickets == nil {
		return nil, c.http.Senseless(op, res)
	}
	var found []int64
	for _, t := range *answer.Tickets {
		// A parameter that an API does not know is ignored, and the answer is
		// then the account's first page of tickets: trust the rows, not the filter.
		if t.ID > 0 && t.ExternalID == externalID {
			found = append(found, t.ID)
		}
	}
	slices.Sort(found)
	for _, id := range found {
		ids = append(ids, strconv.FormatInt(id, 10))
	}
	return ids, nil
}
