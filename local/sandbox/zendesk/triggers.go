package zendesk

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// viaAPI is Zendesk's id of the channel by which an integration changes
// tickets; 0 is the agent interface's.
const viaAPI = 5

// update is one saving of a ticket, as conditions look at it.
type update struct {
	before  *Ticket // nil on create
	after   *ticketRecord
	actor   *user    // nil: the system
	comment *Comment // nil: none was added
	via     int
}

// fire runs the active triggers over one creation or update of a ticket, in
// their order. Of actions only notification_webhook and notification_user have an
// effect here.
// Deletions, restorations and purges run no triggers.
//
// See https://developer.zendesk.com/documentation/ticketing/reference-guides/conditions-reference/.
func (z *account) fire(before *Ticket, t *ticketRecord, actor int64) {
	if len(z.triggers) == 0 || t.deleted() {
		return
	}
	u := update{before: before, after: t, actor: z.users[actor], via: z.via}
	if n := len(t.Comments); n > 0 && (before == nil || n > len(before.Comments)) {
		u.comment = &t.Comments[n-1]
	}
	triggers := sorted(z.triggers)
	slices.SortStableFunc(triggers, func(a, b *triggerRecord) int { return cmp.Compare(a.position(), b.position()) })
	for _, trigger := range triggers {
		if trigger.active() && trigger.matches(u) {
			z.act(trigger, u)
		}
	}
}

func (t *triggerRecord) active() bool {
	return (&object{fields: t.fields}).flag("active", true)
}

func (t *triggerRecord) position() int64 {
	if p := (&object{fields: t.fields}).id("position"); p != 0 {
		return p
	}
	return t.id
}

type condition struct {
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Value    any    `json:"value"`
}

func (t *triggerRecord) matches(u update) bool {
	var conditions struct{ All, Any []condition }
	if json.Unmarshal(t.fields["conditions"], &conditions) != nil || len(conditions.All)+len(conditions.Any) == 0 {
		return false
	}
	for _, c := range conditions.All {
		if !c.holds(u) {
			return false
		}
	}
	return len(conditions.Any) == 0 || slices.ContainsFunc(conditions.Any, func(c condition) bool { return c.holds(u) })
}

// text is a condition's value: a string, a number or a boolean.
func (c condition) text() string {
	switch v := c.Value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// holds decides one condition. A field or operator that it does not know never
// holds; "tags" is such a field of Zendesk's own.
func (c condition) holds(u update) bool {
	before := Ticket{}
	if u.before != nil {
		before = *u.before
	}
	after := u.after.Ticket
	id := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	is := func(v string) bool {
		return (c.Operator == "is" && v == c.text()) || (c.Operator == "is_not" && v != c.text())
	}
	switch c.Field {
	case "status":
		return c.compare(before.Status, after.Status, statuses)
	case "priority":
		return c.compare(before.Priority, after.Priority, priorities)
	case "type":
		return c.compare(before.Type, after.Type, nil)
	case "assignee_id":
		return c.person(u).compare(id(before.AssigneeID), id(after.AssigneeID), nil)
	case "requester_id":
		return c.person(u).compare(id(before.RequesterID), id(after.RequesterID), nil)
	case "group_id":
		return c.compare(id(before.GroupID), id(after.GroupID), nil)
	case "current_tags":
		listed := slices.ContainsFunc(strings.Fields(strings.ToLower(c.text())), func(tag string) bool {
			return slices.Contains(after.Tags, tag)
		})
		return (c.Operator == "includes" && listed) || (c.Operator == "not_includes" && !listed)
	case "update_type":
		if u.before == nil {
			return is("Create")
		}
		return is("Change")
	case "current_via_id":
		return is(strconv.Itoa(u.via))
	case "role":
		role := "end_user"
		if u.actor == nil || u.actor.staff() {
			role = "agent"
		}
		return is(role)
	case "comment_is_public":
		if u.comment == nil {
			return false
		}
		switch c.text() {
		case "not_relevant":
			return true
		case "requester_can_see_comment", "true":
			return u.comment.Public
		case "false":
			return !u.comment.Public
		}
	}
	return false
}

// person replaces "current_user" and the ticket's own people by their ids.
func (c condition) person(u update) condition {
	switch c.text() {
	case "current_user":
		c.Value = "0" // nobody's
		if u.actor != nil {
			c.Value = strconv.FormatInt(u.actor.ID, 10)
		}
	case "requester_id":
		c.Value = strconv.FormatInt(u.after.RequesterID, 10)
	case "assignee_id":
		c.Value = strconv.FormatInt(u.after.AssigneeID, 10)
	}
	return c
}

func (c condition) compare(before, after string, order []string) bool {
	v := c.text()
	rank := func(s string) int { return slices.Index(order, s) }
	switch c.Operator {
	case "is":
		return after == v
	case "is_not":
		return after != v
	case "less_than":
		return rank(v) >= 0 && rank(after) < rank(v)
	case "greater_than":
		return rank(v) >= 0 && rank(after) > rank(v)
	case "changed":
		return before != after
	case "not_changed":
		return before == after
	case "value":
		return before != after && after == v
	case "value_previous":
		return before != after && before == v
	case "not_value":
		return before == after || after != v
	case "not_value_previous":
		return before == after || before != v
	}
	return false
}

// act sends what the trigger's webhook and mail actions say.
func (z *account) act(trigger *triggerRecord, u update) {
	var actions []action
	_ = json.Unmarshal(trigger.fields["actions"], &actions) // checked when it came in
	for _, a := range actions {
		pair, _ := a.Value.([]any)
		if a.Field == "notification_user" && len(pair) == 3 {
			z.mail((&object{fields: trigger.fields}).str("title"), asString(pair[0]), u.after)
			continue
		}
		if a.Field != "notification_webhook" || len(pair) != 2 {
			continue
		}
		h := z.webhooks[asString(pair[0])]
		if h == nil || !h.active() || !slices.Contains(h.subscriptions(), conditional) {
			continue
		}
		z.invoke(h, u.after.ID, "trigger "+strconv.FormatInt(trigger.id, 10), []byte(z.fill(asString(pair[1]), u)))
	}
}

var placeholder = regexp.MustCompile(`\{\{\s*([a-z_.]+)\s*\}\}`)

// fill replaces placeholders by what they stand for, as it is: nothing is
// escaped. Those it does not know become nothing.
func (z *account) fill(template string, u update) string {
	t := u.after
	id := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	return placeholder.ReplaceAllStringFunc(template, func(m string) string {
		switch placeholder.FindStringSubmatch(m)[1] {
		case "ticket.id":
			return id(t.ID)
		case "ticket.title":
			return t.Subject
		case "ticket.status":
			return strings.ToUpper(t.Status[:1]) + t.Status[1:]
		case "ticket.external_id":
			return t.ExternalID
		case "ticket.assignee.id":
			return id(t.AssigneeID)
		case "ticket.requester.id":
			return id(t.RequesterID)
		case "ticket.latest_public_comment":
			for _, c := range slices.Backward(t.Comments) {
				if c.Public {
					return c.Body
				}
			}
		case "current_user.id":
			if u.actor != nil {
				return id(u.actor.ID)
			}
		case "current_user.name":
			if u.actor != nil {
				return u.actor.Name
			}
		}
		return ""
	})
}
