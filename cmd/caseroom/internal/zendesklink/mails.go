package zendesklink

import (
	"context"
	"slices"
	"strings"

	"github.com/caseroom/caseroom/shared/zendesk"
)

// Mails are the titles of active triggers that would mail somebody because of what
// caseroom does, in the account's order.
type Mails struct {
	Created []string // when it opens a ticket for a customer
	Noted   []string // when it files a transcript, once for each note
}

// Mails looks through the account's triggers. One that leaves our tag alone is
// none of them; a condition that is not understood may hold.
func (l *Link) Mails(ctx context.Context) (m Mails, err error) {
	triggers, err := l.Account.Triggers(ctx)
	for _, t := range triggers {
		if !t.Active || !slices.ContainsFunc(t.Actions, mails) {
			continue
		}
		if (doing{create: true}).mayStart(t.Conditions) {
			m.Created = append(m.Created, t.Title)
		}
		if (doing{}).mayStart(t.Conditions) {
			m.Noted = append(m.Noted, t.Title)
		}
	}
	return m, err
}

func mails(a zendesk.Action) bool {
	return a.Field == "notification_user" || a.Field == "notification_group"
}

// doing is what caseroom does to a ticket: it opens it with a public comment, or
// adds an internal note and leaves the rest.
type doing struct{ create bool }

func (d doing) mayStart(c zendesk.Conditions) bool {
	for _, one := range c.All {
		if d.excludes(one) {
			return false
		}
	}
	return len(c.Any) == 0 || slices.ContainsFunc(c.Any, func(one zendesk.Condition) bool { return !d.excludes(one) })
}

// viaAPI is Zendesk's id of the channel of API calls.
const viaAPI = "5"

// excludes reports whether a condition certainly does not hold.
func (d doing) excludes(c zendesk.Condition) bool {
	value, _ := c.Value.(string)
	isNot := func(own string) bool {
		return (c.Operator == "is" && value != own) || (c.Operator == "is_not" && value == own)
	}
	switch c.Field {
	case "update_type":
		return isNot(map[bool]string{true: "Create", false: "Change"}[d.create])
	case "role":
		return isNot("agent")
	case "current_via_id":
		return isNot(viaAPI)
	case "current_tags":
		return c.Operator == "not_includes" && slices.Contains(strings.Fields(strings.ToLower(value)), Tag)
	case "comment_is_public":
		if d.create {
			return value == "false"
		}
		return value == "true" || value == "requester_can_see_comment"
	case "status", "assignee_id", "group_id", "priority", "type":
		// A note changes none of them, and a new ticket has had nothing else before.
		return !d.create && slices.Contains([]string{"changed", "value", "value_previous"}, c.Operator)
	}
	return false
}
