package zendesk

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
)

// ErrEvent means that a notification names no ticket, or is no JSON object.
var ErrEvent = errors.New("zendesk: the notification names no ticket")

// deletions are the event types after which a ticket is gone.
var deletions = map[string]bool{"soft_deleted": true, "permanently_deleted": true, "marked_as_spam": true}

// DecodeEvent reads what Zendesk says about a changed ticket, in one of two
// forms:
//
//	{"type":"zen:event-type:ticket.…","subject":"zen:ticket:123","detail":{"id":"123","external_id":…},"event":{…}}
//	{"ticketId":"123"}
//
// The first is an event subscription's, the second what we have triggers and
// ZIS flows send; ids are strings or integers. ours is false when an event is
// about something else than a ticket, or about a ticket whose external id is
// not ours. A notification that carries no external id may be about any ticket
// and counts as ours. Ticket events of types we do not know are read like all
// others.
//
// See https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/.
func DecodeEvent(body []byte) (hint relay.Hint, ours bool, err error) {
	e, named, err := decodeNotification(body)
	if err != nil {
		return relay.Hint{}, false, err
	}
	hint.Ref = relay.Ref{Desk: relay.Zendesk, Ticket: named}
	if named != "" {
		return hint, true, nil
	}
	kind, _ := value(e.Type).(string)
	if after, isEvent := strings.CutPrefix(kind, "zen:event-type:"); isEvent {
		var isTicket bool
		if kind, isTicket = strings.CutPrefix(after, "ticket."); !isTicket {
			return relay.Hint{}, false, nil
		}
	}
	subject, _ := value(e.Subject).(string)
	about, isTicket := strings.CutPrefix(subject, "zen:ticket:")
	if subject != "" && !isTicket {
		return relay.Hint{}, false, nil
	}
	var detail map[string]json.RawMessage
	if isObject(e.Detail) && json.Unmarshal(e.Detail, &detail) != nil {
		return relay.Hint{}, false, ErrEvent
	}
	if raw, sent := detail["external_id"]; sent {
		text, _ := value(raw).(string)
		if _, _, ok := ParseExternalID(text); !ok {
			return relay.Hint{}, false, nil
		}
	}
	if hint.Ticket = ticketID(value(detail["id"])); hint.Ticket == "" {
		hint.Ticket = ticketID(about)
	}
	switch {
	case hint.Ticket == "":
		return relay.Hint{}, false, ErrEvent
	case deletions[kind]:
		hint.Deleted, hint.Bulk = true, true
	case kind == "merged":
		hint.Into, hint.Bulk = survivor(value(e.Event), hint.Ticket), true
	case kind == "status_changed":
		hint.Bulk = ends(value(e.Event))
	}
	return hint, true, nil
}

// ends reports whether a change of status ended the ticket: then nobody waits for
// an agent.
func ends(event any) bool {
	fields, _ := event.(map[string]any)
	current, _ := fields["current"].(string)
	return strings.EqualFold(current, "solved") || strings.EqualFold(current, "closed")
}

// notification is either form. Every field is decoded by itself: one of another
// type than expected must not cost us the ticket.
type notification struct {
	Type     json.RawMessage `json:"type"`
	Subject  json.RawMessage `json:"subject"`
	Detail   json.RawMessage `json:"detail"`
	Event    json.RawMessage `json:"event"`
	TicketID json.RawMessage `json:"ticketId"`
}

// decodeNotification reads a notification and, of the second form, its ticket; of
// the first that is "".
func decodeNotification(body []byte) (n notification, ticket string, err error) {
	if !isObject(body) || json.Unmarshal(body, &n) != nil {
		return n, "", ErrEvent
	}
	if len(n.TicketID) == 0 || isObject(n.Detail) {
		return n, "", nil
	}
	if ticket = ticketID(value(n.TicketID)); ticket == "" {
		return n, "", ErrEvent
	}
	return n, ticket, nil
}

func isObject(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && raw[0] == '{'
}

// value decodes any JSON, numbers as they are written; nil for none.
func value(raw json.RawMessage) (v any) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// ticketID reads an id that is a string, an integer or an object with an id;
// "" for anything else.
func ticketID(v any) string {
	var s string
	switch x := v.(type) {
	case string:
		s = x
	case json.Number:
		s = x.String()
	case map[string]any:
		if _, nested := x["id"].(map[string]any); !nested {
			return ticketID(x["id"])
		}
	}
	if !identity.IsZendeskID(s) {
		return ""
	}
	return s
}

// survivor finds the ticket that self was merged into. Zendesk documents the
// event but not its fields, so a field is taken by what its name says; where
// several disagree, or none says anything, there is no survivor. It is a hint:
// whoever gets it reads the ticket.
func survivor(event any, self string) string {
	fields, _ := event.(map[string]any)
	found := map[string]bool{}
	collect(fields, 0, func(id string) {
		if id != self {
			found[id] = true
		}
	})
	if len(found) == 0 {
		if id := ticketID(fields["current"]); id != "" && id != self {
			return id
		}
	}
	if len(found) != 1 {
		return ""
	}
	for id := range found {
		return id
	}
	return ""
}

// collect calls add for every id in a field named like the target of a merge.
func collect(fields map[string]any, depth int, add func(string)) {
	if depth > 3 {
		return
	}
	for name, v := range fields {
		name = strings.ToLower(strings.ReplaceAll(name, "_", ""))
		switch {
		case containsAny(name, "source", "from", "loser", "previous", "comment", "meta"):
		case containsAny(name, "target", "into", "survivor", "winner", "destination"):
			if id := ticketID(v); id != "" {
				add(id)
				continue
			}
			// {"target":{"ticket_id":…}}
			if inner, ok := v.(map[string]any); ok {
				if id := ticketID(inner["ticket_id"]); id != "" {
					add(id)
				}
			}
		default:
			if inner, ok := v.(map[string]any); ok {
				collect(inner, depth+1, add)
			}
		}
	}
}

func containsAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
