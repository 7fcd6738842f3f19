package zendesk

import (
	"context"
	"net/http"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// TicketUpdate is what to change on a ticket; empty fields stay as they are.
type TicketUpdate struct {
	Note   string   // an internal comment, plain text
	Status string   // such as solved
	Tags   []string // replace the ticket's
	// Stamp is the updated_at of the read that the update rests on. Zendesk
	// refuses the update with 409 when the ticket has moved on since.
	Stamp time.Time
}

// UpdateTicket updates a ticket safely and returns its new stamp.
//
//	PUT /api/v2/tickets/1 {"ticket":{"comment":{"html_body","public":false},"safe_update":true,"updated_stamp":"…"}}
//	200 {"ticket":{"updated_at"}}
//	409 when the stamp is not the ticket's any more, 422 when the ticket is closed
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket
// and https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#protecting-against-ticket-update-collisions.
func (c *Client) UpdateTicket(ctx context.Context, id int64, u TicketUpdate) (time.Time, error) {
	type comment struct {
		HTML   string `json:"html_body"`
		Public bool   `json:"public"`
	}
	type ticket struct {
		Comment      *comment `json:"comment,omitempty"`
		Status       string   `json:"status,omitempty"`
		Tags         []string `json:"tags,omitempty"`
		UpdatedStamp string   `json:"updated_stamp"`
		SafeUpdate   bool     `json:"safe_update"`
	}
	body := ticket{Status: u.Status, Tags: u.Tags, UpdatedStamp: u.Stamp.UTC().Format(time.RFC3339), SafeUpdate: true}
	if u.Note != "" {
		body.Comment = &comment{HTML: commentHTML(u.Note)}
	}
	row, err := c.ticket(ctx, id, upstream.Call{
		Op: "tickets_update", Method: http.MethodPut, Path: ticketPath(id), JSON: map[string]ticket{"ticket": body},
	})
	return row.UpdatedAt, err
}
