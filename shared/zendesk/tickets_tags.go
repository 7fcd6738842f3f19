package zendesk

import (
	"context"
	"net/http"
)

// AddTags adds tags to a ticket, which keeps those it has.
//
//	PUT /api/v2/tickets/1/tags {"tags":["caseroom"]}
//	200 {"tags":[…]}
//
// See https://developer.zendesk.com/api-reference/ticketing/ticket-management/tags/#add-tags.
func (c *Client) AddTags(ctx context.Context, id int64, tags ...string) error {
	return c.write(ctx, "tickets_tags", http.MethodPut, ticketPath(id)+"/tags", nil, map[string]any{"tags": tags}, nil)
}
