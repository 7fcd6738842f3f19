package zendesk

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Mail is a message that the account has sent, and the trigger that made it.
type Mail struct {
	To     string    `json:"to"`
	Why    string    `json:"why"` // the trigger's title
	Ticket int64     `json:"ticket"`
	Time   time.Time `json:"time"`
}

// standard are triggers of a new account that can mail for tickets of caseroom.
// A recipient is a role on the ticket, or all agents.
//
// See https://support.zendesk.com/hc/en-us/articles/4408828984346.
var standard = []struct {
	title, to  string
	conditions []condition
}{
	{"Notify requester of new proactive ticket", "requester_id", []condition{
		{"update_type", "is", "Create"}, {"comment_is_public", "is", "true"}, {"role", "is", "agent"},
	}},
	{"Notify requester and CCs of received request", "requester_id", []condition{
		{"update_type", "is", "Create"}, {"role", "is", "end_user"},
	}},
	{"Notify requester and CCs of comment update", "requester_id", []condition{
		{"update_type", "is", "Change"}, {"comment_is_public", "is", "true"}, {"requester_id", "is_not", "current_user"},
	}},
	{"Notify assignee of comment update", "assignee_id", []condition{
		{"comment_is_public", "is", "not_relevant"}, {"assignee_id", "is_not", "current_user"},
		{"assignee_id", "is_not", "requester_id"}, {"assignee_id", "not_changed", nil}, {"status", "not_value_previous", "solved"},
	}},
	{"Notify assignee of assignment", "assignee_id", []condition{
		{"assignee_id", "changed", nil}, {"assignee_id", "is_not", "current_user"},
	}},
	{"Notify all agents of received request", "all_agents", []condition{{"update_type", "is", "Create"}}},
}

// SetStandardTriggers puts a new account's mailing triggers in place, or takes them
// away. butFor is a tag whose tickets they leave alone, "" for none.
func (d Desk) SetStandardTriggers(on bool, butFor string) {
	z := d.z
	z.Lock()
	defer z.Unlock()
	for _, s := range standard {
		for id, t := range z.triggers {
			if (&object{fields: t.fields}).str("title") == s.title {
				delete(z.triggers, id)
			}
		}
		if !on {
			continue
		}
		all := slices.Clone(s.conditions)
		if butFor != "" {
			all = append(all, condition{"current_tags", "not_includes", butFor})
		}
		fields := map[string]json.RawMessage{}
		for name, v := range map[string]any{
			"title": s.title, "active": true,
			"conditions": map[string]any{"all": all, "any": []condition{}},
			"actions":    []action{{"notification_user", []any{s.to, "[{{ticket.account}}] {{ticket.title}}", "{{ticket.comments_formatted}}"}}},
		} {
			fields[name], _ = json.Marshal(v) // texts and lists of them
		}
		z.nextID++
		z.triggers[z.nextID] = &triggerRecord{id: z.nextID, fields: fields}
	}
}

// Outbox returns the mails so far, oldest first.
func (d Desk) Outbox() []Mail {
	d.z.Lock()
	defer d.z.Unlock()
	return slices.Clone(d.z.outbox)
}

// mail sends a trigger's mail to whoever has an address.
func (z *account) mail(title, to string, t *ticketRecord) {
	var people []*user
	switch to {
	case "requester_id":
		people = append(people, z.users[t.RequesterID])
	case "assignee_id":
		people = append(people, z.users[t.AssigneeID])
	case "all_agents":
		for _, u := range sorted(z.users) {
			if u.staff() && u.restriction == "" {
				people = append(people, u)
			}
		}
	default:
		if id, err := strconv.ParseInt(to, 10, 64); err == nil {
			people = append(people, z.users[id])
		}
	}
	for _, u := range people {
		if u != nil && u.Email != "" && !u.Suspended {
			z.outbox = append(z.outbox, Mail{To: u.Email, Why: title, Ticket: t.ID, Time: z.Now().UTC()})
		}
	}
}
