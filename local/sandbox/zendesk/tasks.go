package zendesk

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// audit keeps a change of the assignee for the ticket's audits.
func (z *account) audit(t *ticketRecord, actor, before int64, created bool) {
	if before == t.AssigneeID {
		return
	}
	z.nextID++
	t.assignments = append(t.assignments, assignment{
		id: z.nextID, actor: actor, before: before, after: t.AssigneeID, created: created, at: z.Now().UTC(),
	})
}

// ticketAudit is one update of a ticket, or its creation.
type ticketAudit struct {
	id, author int64
	at         time.Time
	events     []any
}

// audits are the ticket's creation, as far as subject, status and first comment
// go, and what became of its assignee.
func (t *ticketRecord) audits() []ticketAudit {
	var list []ticketAudit
	if len(t.Comments) > 0 {
		first := t.Comments[0]
		list = append(list, ticketAudit{id: first.auditID, author: t.SubmitterID, at: t.CreatedAt, events: []any{
			map[string]any{"id": first.auditID + 1, "type": "Create", "field_name": "subject", "value": t.Subject},
			map[string]any{"id": first.auditID + 2, "type": "Create", "field_name": "requester_id", "value": idText(t.RequesterID)},
			map[string]any{"id": first.ID, "type": "Comment", "body": first.Body, "public": first.Public, "author_id": first.AuthorID},
		}})
	}
	for _, a := range t.assignments {
		event := map[string]any{"id": a.id + 1, "type": "Change", "field_name": "assignee_id", "value": idText(a.after), "previous_value": idText(a.before)}
		if a.created {
			event["type"] = "Create"
			delete(event, "previous_value")
			if len(list) > 0 {
				list[0].events = append(list[0].events, event)
				continue
			}
		}
		list = append(list, ticketAudit{id: a.id, author: a.actor, at: a.at, events: []any{event}})
	}
	return list
}

// listAudits is GET /api/v2/tickets/{id}/audits: of the creation and of the
// assignee's changes.
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/#list-audits-for-a-ticket.
func (z *account) listAudits(w http.ResponseWriter, r *http.Request, _ caller) {
	t, ok := z.live(w, r)
	if !ok {
		return
	}
	base := z.url("/api/v2/tickets/" + strconv.FormatInt(t.ID, 10) + "/audits.json")
	page(w, r, "audits", t.audits(), base, func(a ticketAudit) int64 { return a.id }, func(a ticketAudit) any {
		return map[string]any{
			"id": a.id, "ticket_id": t.ID, "created_at": timeText(a.at), "author_id": a.author, "metadata": map[string]any{},
			"via": map[string]any{"channel": "web"}, "events": a.events,
		}
	})
}

// SetType makes the ticket a task or something else; due is a task's, and zero
// for none.
func (d Desk) SetType(ticket int64, kind string, due time.Time) error {
	if kind != "" && !slices.Contains(ticketTypes, kind) {
		return fmt.Errorf("sandbox: no type %q", kind)
	}
	return d.change(ticket, 0, func(t *ticketRecord) error {
		t.Type, t.DueAt = kind, time.Time{}
		if kind == "task" && !due.IsZero() {
			t.DueAt = due.UTC().Truncate(time.Second)
		}
		return nil
	})
}

// SetSubject renames the ticket.
func (d Desk) SetSubject(ticket int64, subject string) error {
	return d.change(ticket, 0, func(t *ticketRecord) error {
		t.Subject = subject
		return nil
	})
}

// SetTimeZone sets a user's time zone by its IANA name.
func (d Desk) SetTimeZone(user int64, zone string) error {
	d.z.Lock()
	defer d.z.Unlock()
	u := d.z.users[user]
	if u == nil {
		return engine.ErrNoRecord
	}
	u.Zone = zone
	return nil
}
