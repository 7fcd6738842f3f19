package zendesk

import (
	"context"
	"net/http"
)

// The functions never make these calls: assigning, solving and deleting are the
// agents' business.

// AssignTicket gives a ticket to an agent, and to a group that the agent is in.
//
//	PUT /api/v2/tickets/1 {"ticket":{"assignee_id":2}}
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket.
func (c *Client) AssignTicket(ctx context.Context, id, agentID int64) error {
	return c.setTicket(ctx, id, map[string]any{"assignee_id": agentID})
}

// SetStatus sets a ticket's status: open, pending, hold, solved or closed. A
// closed ticket stays closed.
//
//	PUT /api/v2/tickets/1 {"ticket":{"status":"solved"}}
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket.
func (c *Client) SetStatus(ctx context.Context, id int64, status string) error {
	return c.setTicket(ctx, id, map[string]any{"status": status})
}

func (c *Client) setTicket(ctx context.Context, id int64, fields map[string]any) error {
	return c.write(ctx, "tickets_update", http.MethodPut, ticketPath(id), nil, map[string]any{"ticket": fields}, nil)
}

// DeleteTicket deletes a ticket; it can be restored for thirty days. One that is
// gone counts as deleted. The user must be an admin, or an agent who may delete.
//
//	DELETE /api/v2/tickets/1
//	204
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#delete-ticket.
func (c *Client) DeleteTicket(ctx context.Context, id int64) error {
	return c.remove(ctx, "tickets_delete", ticketPath(id), nil)
}
