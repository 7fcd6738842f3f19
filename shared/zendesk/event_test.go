package zendesk_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/zendesk"
)

const oursExternal = "caseroom:ada:abcdefghijklmnopqrstuvwxyz"

// eventBody is an event as a subscription delivers it; parts are replaced by
// pairs.
func eventBody(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(`{
		"account_id": 21474836, "id": "0e1c9f3a", "time": "2026-11-20T12:00:00.123456789Z", "zendesk_event_version": "2022-11-06",
		"type": "zen:event-type:ticket.status_changed", "subject": "zen:ticket:42",
		"detail": {"id": "42", "external_id": "` + oursExternal + `", "status": "OPEN", "assignee_id": null, "tags": ["caseroom"], "description": "für €"},
		"event": {"current": "OPEN", "previous": "NEW", "meta": {"sequence": {"id": "s", "position": 1}}}}`)
}

func TestDecodeEvent(t *testing.T) {
	const change, merged = "ticket.status_changed", "ticket.merged"
	const fields = `{"current": "OPEN", "previous": "NEW", "meta": {"sequence": {"id": "s", "position": 1}}}`
	const external = `"external_id": "` + oursExternal + `", `
	tests := []struct {
		name, body   string
		ticket, hint string // "" and "": not ours
	}{
		{"status", eventBody(), "42", ""},
		{"unknown type", eventBody(change, "ticket.levitated"), "42", ""},
		{"no type", eventBody(`"type": "zen:event-type:ticket.status_changed", `, ""), "42", ""},
		{"soft deleted", eventBody(change, "ticket.soft_deleted"), "42", "deleted"},
		{"permanently deleted", eventBody(change, "ticket.permanently_deleted"), "42", "deleted"},
		{"spam", eventBody(change, "ticket.marked_as_spam"), "42", "deleted"},
		{"undeleted", eventBody(change, "ticket.undeleted"), "42", ""},
		{"id as a number", eventBody(`"id": "42"`, `"id": 42`), "42", ""},
		{"id beyond a float", eventBody(`"id": "42"`, `"id": 9007199254740993`), "9007199254740993", ""},
		{"id null, subject", eventBody(`"id": "42"`, `"id": null`), "42", ""},
		{"id odd, subject", eventBody(`"id": "42"`, `"id": [1]`), "42", ""},
		{"id missing, subject", eventBody(`"id": "42", `, ""), "42", ""},
		{"id before subject", eventBody("zen:ticket:42", "zen:ticket:43"), "42", ""},
		{"no subject", eventBody(`"subject": "zen:ticket:42",`, ""), "42", ""},
		{"no detail", eventBody(`"detail"`, `"other"`), "42", ""},
		{"no external id told", eventBody(external, ""), "42", ""},
		{"event of another type", eventBody(fields, `"x"`), "42", ""},
		{"detail beside a ticketId", eventBody(`{
		"account_id"`, `{"ticketId": "7", "account_id"`), "42", ""},

		{"another's external id", eventBody(oursExternal, "crm-17"), "", ""},
		{"nearly our external id", eventBody(oursExternal, oursExternal+"2"), "", ""},
		{"no external id", eventBody(`"`+oursExternal+`"`, "null"), "", ""},
		{"external id a number", eventBody(`"`+oursExternal+`"`, "17"), "", ""},
		{"another's deletion", eventBody(oursExternal, "crm-17", change, "ticket.soft_deleted"), "", ""},
		{"a user's event", eventBody(change, "user.created", "zen:ticket:", "zen:user:"), "", ""},
		{"a user's subject", eventBody("zen:ticket:", "zen:user:"), "", ""},
		{"a messaging ticket's", eventBody(change, "messaging_ticket.created"), "", ""},

		{"merged", eventBody(change, merged, fields, `{"target_ticket_id": "77", "source_ticket_ids": ["42", "43"]}`), "42", "merged:77"},
		{"merged into", eventBody(change, merged, fields, `{"merged_into": 77}`), "42", "merged:77"},
		{"merged, an object", eventBody(change, merged, fields, `{"target": {"id": "77", "subject": "x"}}`), "42", "merged:77"},
		{"merged, an object's ticket_id", eventBody(change, merged, fields, `{"target": {"ticket_id": 77}}`), "42", "merged:77"},
		{"merged, deep", eventBody(change, merged, fields, `{"merge": {"intoTicketId": "77", "from": {"target": "9"}}}`), "42", "merged:77"},
		{"merged, told twice", eventBody(change, merged, fields, `{"target_id": "77", "survivor": {"id": 77}}`), "42", "merged:77"},
		{"merged, current", eventBody(change, merged, fields, `{"current": "77", "previous": null}`), "42", "merged:77"},
		{"merged, contradicting", eventBody(change, merged, fields, `{"target_id": "77", "winner_id": "78"}`), "42", ""},
		{"merged into itself", eventBody(change, merged, fields, `{"target_id": "42"}`), "42", ""},
		{"merged, who knows", eventBody(change, merged, fields, `{"ticket": "77"}`), "42", ""},
		{"merged, only sources", eventBody(change, merged, fields, `{"source_target": "77", "sources": ["1"]}`), "42", ""},
		{"merged, not an id", eventBody(change, merged, fields, `{"target_id": "seventy"}`), "42", ""},
		{"not merged", eventBody(fields, `{"target_id": "77"}`), "42", ""},

		{"trigger", `{"ticketId":"123"}`, "123", ""},
		{"trigger, number", ` {"ticketId": 123, "more": [1]} `, "123", ""},
		{"trigger with a type", `{"ticketId":"123","type":"trigger"}`, "123", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !json.Valid([]byte(tt.body)) {
				t.Fatalf("the test's own body: %s", tt.body)
			}
			hint, ours, err := zendesk.DecodeEvent([]byte(tt.body))
			var want relay.Hint
			if tt.ticket != "" {
				var werr error
				if want, werr = (relay.Body{Desk: relay.Zendesk, Ticket: tt.ticket, Hint: tt.hint}).Meaning(); werr != nil {
					t.Fatal(werr)
				}
			}
			want.Bulk = hint.Bulk // see TestDecodeEventClass
			if err != nil || ours != (tt.ticket != "") || hint != want {
				t.Errorf("got %+v, %t, %v", hint, ours, err)
			}
		})
	}
}

// TestDecodeEventClass keeps what nobody waits for out of the live queue.
func TestDecodeEventClass(t *testing.T) {
	event := func(kind, fields string) string {
		return `{"type":"zen:event-type:ticket.` + kind + `","subject":"zen:ticket:42","detail":{"id":"42"},"event":` + fields + `}`
	}
	for body, bulk := range map[string]bool{
		`{"ticketId":"42"}`:         false,
		event("created", `{}`):      false,
		event("status_changed", ""): false,
		event("status_changed", `{"current":"OPEN","previous":"SOLVED"}`):   false,
		event("status_changed", `{"current":"SOLVED","previous":"OPEN"}`):   true,
		event("status_changed", `{"current":"closed","previous":"solved"}`): true,
		event("agent_assignment_changed", `{"current":"7"}`):                false,
		event("undeleted", `{}`):             false,
		event("soft_deleted", `{}`):          true,
		event("marked_as_spam", `{}`):        true,
		event("permanently_deleted", `{}`):   true,
		event("merged", `{"into":"43"}`):     true,
		event("merged", `{"nobody":"says"}`): true,
	} {
		body = strings.Replace(body, `"event":}`, `"event":null}`, 1)
		if hint, ours, err := zendesk.DecodeEvent([]byte(body)); err != nil || !ours || hint.Bulk != bulk {
			t.Errorf("%s: %+v, %t, %v", body, hint, ours, err)
		}
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	for _, body := range []string{
		"", " ", "null", "[]", `"x"`, "{}", "{", `{"ticketId":"1"} x`, `{"ticketId":"1"}{}`,
		`{"ticketId":null}`, `{"ticketId":""}`, `{"ticketId":"0"}`, `{"ticketId":"01"}`, `{"ticketId":-1}`, `{"ticketId":1.0}`, `{"ticketId":1e3}`,
		`{"ticketId":"#1"}`, `{"ticketId":"1 "}`, `{"ticketId":"123456789012345678901"}`, `{"ticketId":"١"}`, `{"ticketId":["1"]}`,
		`{"ticketId":"{{ticket.id}}"}`,
		eventBody(`"id": "42"`, `"id": "x"`, "zen:ticket:42", "zen:ticket:x"),
		eventBody(`"id": "42"`, `"id": {"id": {"id": "42"}}`, `"subject": "zen:ticket:42",`, ""),
	} {
		if hint, ours, err := zendesk.DecodeEvent([]byte(body)); !errors.Is(err, zendesk.ErrEvent) || ours || hint != (relay.Hint{}) {
			t.Errorf("%s: got %+v, %t, %v", body, hint, ours, err)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add([]byte(eventBody()))
	f.Add([]byte(`{"ticketId":"123"}`))
	f.Add([]byte(`{"type":"zen:event-type:ticket.merged","subject":"zen:ticket:1","event":{"a":{"b":{"c":{"d":{"target":{"id":{"id":"2"}}}}}}}}`))
	f.Add([]byte(`{"type":"zen:event-type:ticket.merged","subject":"zen:ticket:1","event":{"into":"2","current":{"id":3}}}`))
	f.Add([]byte("{\"detail\":{\"id\":1,\"external_id\":\"caseroom:\xff\"}}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		hint, ours, err := zendesk.DecodeEvent(body)
		if !ours {
			if hint != (relay.Hint{}) {
				t.Errorf("%+v of a notification that is not ours", hint)
			}
			return
		}
		if body, encErr := hint.Encode(); err != nil || encErr != nil || hint.Desk != relay.Zendesk || hint.File || hint.Into == hint.Ticket {
			t.Errorf("%+v, %v, on the queue %s, %v", hint, err, body, encErr)
		}
		if _, err := relay.ParseGroupID("ZENDESK#" + hint.Ticket); err != nil {
			t.Errorf("ticket %q", hint.Ticket)
		}
		for range 3 {
			if again, _, _ := zendesk.DecodeEvent(body); again != hint {
				t.Errorf("%+v, then %+v", hint, again)
			}
		}
	})
}
