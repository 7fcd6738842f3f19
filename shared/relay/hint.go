package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/caseroom/caseroom/shared/identity"
)

// Queue takes the hint that a ticket changed.
type Queue interface {
	Send(ctx context.Context, hint Hint) error
}

// ByClass queues what somebody waits for apart from what nobody does.
type ByClass struct{ Live, Bulk Queue }

// Send queues a hint where its class belongs.
func (q ByClass) Send(ctx context.Context, h Hint) error {
	if h.Bulk {
		return q.Bulk.Send(ctx, h)
	}
	return q.Live.Send(ctx, h)
}

// HintQueue takes many hints at once.
type HintQueue interface {
	SendAll(ctx context.Context, hints ...Hint) error
}

// TaskQueue takes the ids of tasks whose events in agents' calendars may have to
// change.
type TaskQueue interface {
	SendTasks(ctx context.Context, ids ...string) error
}

// Hint says that a ticket may have changed. It is never the truth: whoever
// receives it reads the ticket again. What it says beyond the ticket is one thing
// at most.
type Hint struct {
	Ref
	// Deleted: the desk said that the ticket is deleted.
	Deleted bool
	// Into is the ticket that this one was merged into, "" if it was not.
	Into string
	// File asks for the transcript so far: the chat is about to forget some of it.
	File bool
	// Chat: the chat said that something happened in a room of this id. Nobody has
	// said that there is such a ticket.
	Chat bool
	// Filed says how far a room's transcript is filed.
	Filed Filed
	// Bulk says that nobody waits for it: it goes to the queue of bulk hints. It is
	// no part of the message.
	Bulk bool
}

// Filed is how far the transcript of a room is filed.
type Filed struct {
	Created int64  // when the room was made, Unix seconds
	Seq     uint64 // the last message that is filed
}

// Body is the body of a queue's message:
//
//	{"v":1,"desk":"zendesk|salesforce","ticket":"…","hint":"deleted|merged:<ticket>|file|chat|filed:<room's time>:<message>|"}
//
// The calendars' queue has forms of its own; see shared/calendar.
type Body struct {
	V      int      `json:"v"`
	Desk   DeskName `json:"desk"`
	Ticket string   `json:"ticket"`
	Hint   string   `json:"hint"`
}

const (
	hintDeleted = "deleted"
	hintMerged  = "merged:"
	hintFile    = "file"
	hintChat    = "chat"
	hintFiled   = "filed:"
)

// The errors of a message that is no hint.
var (
	errBody    = errors.New("relay: the body is not one JSON object of ours")
	errVersion = errors.New("relay: the message has another version")
	errDesk    = errors.New("relay: no such desk")
	errTicket  = errors.New("relay: not the id of a ticket of this desk")
	// ErrHint means that a message says nothing that its queue understands.
	ErrHint = errors.New("relay: no such hint")
)

// Group is the hint's message group: messages of one ticket follow each other.
func (h Hint) Group() string { return string(h.Desk) + ":" + h.Ticket }

// Plain reports whether the hint says nothing beyond the ticket.
func (h Hint) Plain() bool { return h == Hint{Ref: h.Ref, Bulk: h.Bulk} }

// Hearsay reports whether there may be no such ticket: every other hint says more.
func (h Hint) Hearsay() bool { return h.Chat }

// Encode returns the hint's message. It refuses ids that are not in their normal
// form: a ticket id is part of the group, and two forms would be two groups.
func (h Hint) Encode() (string, error) {
	b := Body{Desk: h.Desk, Ticket: h.Ticket}
	said := 0
	if h.Deleted {
		b.Hint, said = hintDeleted, said+1
	}
	if h.Into != "" {
		b.Hint, said = hintMerged+h.Into, said+1
	}
	if h.File {
		b.Hint, said = hintFile, said+1
	}
	if h.Chat {
		b.Hint, said = hintChat, said+1
	}
	if h.Filed != (Filed{}) {
		b.Hint, said = fmt.Sprintf("%s%d:%d", hintFiled, h.Filed.Created, h.Filed.Seq), said+1
	}
	if said > 1 {
		return "", ErrHint
	}
	if _, err := b.Meaning(); err != nil {
		return "", err
	}
	return b.Encode()
}

// DecodeHint reads a body that [Hint.Encode] wrote. Keys that it does not know
// are ignored; anything else unexpected is an error, which holds nothing of the
// body.
func DecodeHint(body string) (Hint, error) {
	b, err := DecodeBody(body)
	if err != nil {
		return Hint{}, err
	}
	return b.Meaning()
}

// Encode returns the message's body, of the one version that there is.
func (b Body) Encode() (string, error) {
	b.V = 1
	text, err := json.Marshal(b)
	return string(text), err
}

// DecodeBody reads a body without asking what it means.
func DecodeBody(body string) (Body, error) {
	raw := bytes.TrimSpace([]byte(body))
	if len(raw) == 0 || raw[0] != '{' {
		return Body{}, errBody
	}
	var b Body
	if err := json.Unmarshal(raw, &b); err != nil {
		return Body{}, errBody
	}
	if b.V != 1 {
		return Body{}, errVersion
	}
	return b, nil
}

// Meaning is what a message of a desk's ticket says.
func (b Body) Meaning() (Hint, error) {
	h := Hint{Ref: Ref{b.Desk, b.Ticket}}
	if b.Desk != Zendesk && b.Desk != Salesforce {
		return Hint{}, errDesk
	}
	if !isTicket(b.Desk, b.Ticket) {
		return Hint{}, errTicket
	}
	into, merged := strings.CutPrefix(b.Hint, hintMerged)
	at, filed := strings.CutPrefix(b.Hint, hintFiled)
	switch {
	case b.Hint == "":
	case b.Hint == hintDeleted:
		h.Deleted = true
	case b.Hint == hintFile:
		h.File = true
	case b.Hint == hintChat:
		h.Chat = true
	case merged && isTicket(b.Desk, into):
		h.Into = into
	case filed:
		var ok bool
		if h.Filed, ok = parseFiled(at); !ok {
			return Hint{}, ErrHint
		}
	default:
		return Hint{}, ErrHint
	}
	return h, nil
}

func parseFiled(s string) (f Filed, ok bool) {
	created, seq, _ := strings.Cut(s, ":")
	var err, seqErr error
	f.Created, err = strconv.ParseInt(created, 10, 64)
	f.Seq, seqErr = strconv.ParseUint(seq, 10, 64)
	return f, err == nil && seqErr == nil && f.Created > 0 && f.Seq > 0
}

func isTicket(desk DeskName, id string) bool {
	if desk == Salesforce {
		full, err := identity.SalesforceID(id, "500")
		return err == nil && full == id
	}
	return identity.IsZendeskID(id)
}

// hintOf is what a row says that Sync's own read may not show any more.
func hintOf(ref Ref, t Ticket, erased bool) Hint {
	h := Hint{Ref: ref}
	switch {
	case t.Merged && t.Into != "":
		h.Into = t.Into
	case (t.Deleted && !t.Merged) || erased:
		h.Deleted = true
	}
	return h
}

// sendHint queues a hint beside the caller's work and returns what waits for it.
// A failure delays nothing but the greeting: reconcile finds the ticket in the
// desk's change feed.
func sendHint(ctx context.Context, q Queue, m Meter, h Hint) (wait func()) {
	sent := async(ctx, func() error { return q.Send(ctx, h) })
	return func() {
		if err := sent(); err != nil {
			m.Count(ctx, "QueueSendFailed", 1, "desk", string(h.Desk))
			slog.WarnContext(ctx, "queue send failed", "desk", h.Desk, "ticket", h.Ticket, "err", err)
		}
	}
}

// hintsAtOnce is how many hints one send takes.
const hintsAtOnce = 100

func sendAll(ctx context.Context, q HintQueue, hints []Hint) error {
	for some := range slices.Chunk(hints, hintsAtOnce) {
		if err := q.SendAll(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}
