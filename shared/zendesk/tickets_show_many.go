package zendesk

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// TicketRow is a ticket as caseroom reads it. Ids that Zendesk leaves empty are 0.
type TicketRow struct {
	ID          int64     `json:"id"`
	ExternalID  string    `json:"external_id"`
	Subject     string    `json:"subject"`
	Status      string    `json:"status"` // new, open, pending, hold, solved, closed, deleted
	Type        string    `json:"type"`   // problem, incident, question, task; "" for none
	DueAt       time.Time `json:"due_at"` // of a task; zero for none
	AssigneeID  int64     `json:"assignee_id"`
	RequesterID int64     `json:"requester_id"`
	Tags        []string  `json:"tags"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"` // whole seconds; the stamp of a safe update
	// Generated is when it last changed in any way, Unix seconds: system changes
	// move it and leave UpdatedAt.
	Generated int64 `json:"generated_timestamp"`
}

// Person is a user as caseroom reads one.
type Person struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"`
	Locale string `json:"locale"` // such as en-US
	Role   string `json:"role"`   // end-user, agent, admin
	Zone   string `json:"iana_time_zone"`
	// Restriction is which tickets an agent may see, "" for all. NotesOnly is a light
	// agent's, whose comments are internal. Only [Client.Self] reads them.
	Restriction string `json:"ticket_restriction"`
	NotesOnly   bool   `json:"only_private_comments"`
}

// maxMany is how many records one show_many takes.
const maxMany = 100

// ShowTickets reads up to 100 tickets in one call, and the people in them beside
// it. A ticket that is deleted, merged away for ever or not visible is missing
// from the answer without an error.
//
//	GET /api/v2/tickets/show_many?ids=1,2&include=users
//	200 {"tickets":[…],"users":[…]}
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#show-multiple-tickets
// and https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/side_loading/.
func (c *Client) ShowTickets(ctx context.Context, ids []int64) (map[int64]TicketRow, map[int64]Person, error) {
	const op = "tickets_show_many"
	var answer struct {
		Tickets *[]TicketRow `json:"tickets"`
		Users   []Person     `json:"users"`
	}
	res, err := c.call(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: "/api/v2/tickets/show_many",
		Query:   url.Values{"ids": {join(ids)}, "include": {"users"}},
		MaxBody: exportBody, // a row holds the ticket's whole description
	}, &answer)
	if err != nil {
		return nil, nil, err
	}
	if answer.Tickets == nil {
		return nil, nil, c.http.Senseless(op, res)
	}
	tickets, people := map[int64]TicketRow{}, map[int64]Person{}
	for _, t := range *answer.Tickets {
		tickets[t.ID] = t
	}
	for _, p := range answer.Users {
		people[p.ID] = p
	}
	return tickets, people, nil
}

// ShowTicket reads one ticket alone.
//
//	GET /api/v2/tickets/1
//	200 {"ticket":{…}}, 404 for a ticket that is deleted or never was
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#show-ticket.
func (c *Client) ShowTicket(ctx context.Context, id int64) (TicketRow, error) {
	return c.ticket(ctx, id, upstream.Call{Op: "tickets_show", Method: http.MethodGet, Path: ticketPath(id)})
}

// ticket makes a call that is answered with the ticket.
func (c *Client) ticket(ctx context.Context, id int64, call upstream.Call) (TicketRow, error) {
	var answer struct {
		Ticket TicketRow `json:"ticket"`
	}
	res, err := c.call(ctx, call, &answer)
	if err != nil {
		return TicketRow{}, err
	}
	if answer.Ticket.ID != id {
		return TicketRow{}, c.http.Senseless(call.Op, res)
	}
	return answer.Ticket, nil
}

func join(ids []int64) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(text, ",")
}
