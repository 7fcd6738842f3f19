package calendar

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
)

// Hint says what may have to change in agents' calendars: a task's event, or an
// agent's whole calendar. One of Task and Agent is set.
type Hint struct {
	Task string // a Zendesk ticket id
	// Had are agents who may have the task's event, beside those whom the
	// ticket's history shows; ten at most.
	Had []string

	Agent string // a Zendesk user id, or Everybody
	// Disconnect ends the agent's connection.
	Disconnect bool
}

// Everybody stands for all agents who have a connection.
const Everybody = "all"

// Agents is the desk of messages about an agent's whole calendar.
const Agents relay.DeskName = "agent"

// The words of a message; see [relay.Body]:
//
//	{"v":1,"desk":"zendesk","ticket":"<task>","hint":"agents:<agent>,…|"}
//	{"v":1,"desk":"agent","ticket":"<agent>|all","hint":"disconnect|"}
const (
	hintAgents     = "agents:"
	hintDisconnect = "disconnect"
)

// maxHad bounds the agents that one hint names.
const maxHad = 10

// Group is the hint's message group: messages of one task or agent follow each
// other.
func (h Hint) Group() string {
	b := h.body()
	return string(b.Desk) + ":" + b.Ticket
}

// Plain reports whether the hint says nothing beyond the task or the agent.
func (h Hint) Plain() bool { return len(h.Had) == 0 && !h.Disconnect }

// Hearsay is false: who says that a task changed has seen it.
func (h Hint) Hearsay() bool { return false }

// Encode returns the hint's message.
func (h Hint) Encode() (string, error) {
	b := h.body()
	if (h.Task == "") == (h.Agent == "") {
		return "", relay.ErrHint
	}
	if _, err := meaning(b); err != nil {
		return "", err
	}
	return b.Encode()
}

func (h Hint) body() relay.Body {
	b := relay.Body{Desk: relay.Zendesk, Ticket: h.Task}
	if h.Agent != "" {
		b.Desk, b.Ticket = Agents, h.Agent
	}
	switch {
	case h.Disconnect:
		b.Hint = hintDisconnect
	case len(h.Had) > 0:
		b.Hint = hintAgents + strings.Join(h.Had, ",")
	}
	return b
}

// DecodeHint reads a body that [Hint.Encode] wrote. What a rooms' message says of
// a Zendesk ticket means no more here than that the ticket changed.
func DecodeHint(body string) (Hint, error) {
	b, err := relay.DecodeBody(body)
	if err != nil {
		return Hint{}, err
	}
	return meaning(b)
}

var errAgent = errors.New("calendar: not the id of an agent")

func meaning(b relay.Body) (Hint, error) {
	if b.Desk == Agents {
		h := Hint{Agent: b.Ticket, Disconnect: b.Hint == hintDisconnect}
		switch {
		case !identity.IsZendeskID(b.Ticket) && (b.Ticket != Everybody || h.Disconnect):
			return Hint{}, errAgent
		case b.Hint != "" && !h.Disconnect:
			return Hint{}, relay.ErrHint
		}
		return h, nil
	}
	var had []string
	if list, ok := strings.CutPrefix(b.Hint, hintAgents); ok {
		had = strings.Split(list, ",")
		if len(had) > maxHad || !all(had, identity.IsZendeskID) {
			return Hint{}, relay.ErrHint
		}
		b.Hint = ""
	}
	ticket, err := b.Meaning()
	switch {
	case err != nil:
		return Hint{}, err
	case ticket.Desk != relay.Zendesk:
		return Hint{}, relay.ErrHint
	}
	return Hint{Task: ticket.Ticket, Had: had}, nil
}

func all(list []string, is func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !is(s) })
}

// Together puts together what hints of one group say.
func Together(hints []Hint) Hint {
	var all Hint
	for _, h := range hints {
		all.Task, all.Agent = h.Task, h.Agent
		all.Had = append(all.Had, h.Had...)
		all.Disconnect = all.Disconnect || h.Disconnect
	}
	return all
}

// Queue takes hints in bulk; it is the queue that Sync works off.
type Queue interface {
	SendAll(ctx context.Context, hints ...Hint) error
}

// Tasks is the queue as reconcile knows it.
type Tasks struct{ Queue Queue }

// SendTasks queues tasks by their ids.
func (t Tasks) SendTasks(ctx context.Context, ids ...string) error {
	hints := make([]Hint, len(ids))
	for i, id := range ids {
		hints[i] = Hint{Task: id}
	}
	return t.Queue.SendAll(ctx, hints...)
}
