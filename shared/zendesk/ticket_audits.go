package zendesk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/caseroom/caseroom/shared/upstream"
)

// maxAuditPages bounds how far back a ticket's history is read: 5,000 changes.
const maxAuditPages = 50

// Assignees returns everybody to whom the ticket was ever assigned, as its
// audits say.
//
//	GET /api/v2/tickets/1/audits?page[size]=100
//	200 {"audits":[{"events":[{"type":"Create|Change","field_name":"assignee_id","value":"…","previous_value":"…"}]}],
//	     "meta":{"has_more","after_cursor"}}
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/#list-audits-for-a-ticket.
func (c *Client) Assignees(ctx context.Context, ticket int64) ([]int64, error) {
	const op = "tickets_audits"
	query := url.Values{"page[size]": {"100"}}
	var people []int64
	for range maxAuditPages {
		res, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
			return c.call(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: ticketPath(ticket) + "/audits", Query: query}, nil)
		})
		if err != nil {
			return nil, err
		}
		var answer struct {
			cursor
			Audits *[]struct {
				Events []struct {
					Field    string          `json:"field_name"`
					Value    json.RawMessage `json:"value"`
					Previous json.RawMessage `json:"previous_value"`
				} `json:"events"`
			} `json:"audits"`
		}
		if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Audits == nil {
			return nil, c.http.Senseless(op, res)
		}
		for _, audit := range *answer.Audits {
			for _, e := range audit.Events {
				if e.Field != "assignee_id" {
					continue
				}
				for _, raw := range []json.RawMessage{e.Value, e.Previous} {
					id, err := strconv.ParseInt(ticketID(value(raw)), 10, 64)
					if err == nil && !slices.Contains(people, id) {
						people = append(people, id)
					}
				}
			}
		}
		if answer.next() == "" {
			return people, nil
		}
		query.Set("page[after]", answer.next())
	}
	return people, nil
}
