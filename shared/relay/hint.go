package relay

import (
	"context"
	"log/slog"
	"slices"
)

// Queue takes the hint that a ticket changed.
type Queue interface {
	Send(ctx context.Context, hint Hint) error
}

// HintQueue takes many hints at once.
type HintQueue interface {
	SendAll(ctx context.Context, hints ...Hint) error
}

// Hint says that a ticket may have changed. It is never the truth: whoever
// receives it reads the ticket again.
type Hint struct {
	Desk   DeskName `json:"desk"`
	Ticket string   `json:"ticket"`
	Hint   string   `json:"hint"` // "", "deleted", "merged:<ticket id>" or HintFile
}

// HintFile asks for the transcript so far: the chat is about to forget some of it.
const HintFile = "file"

// hintOf is what a row says that Sync's own read may not show any more.
func hintOf(t Ticket, erased bool) string {
	switch {
	case t.Merged && t.Into != "":
		return "merged:" + t.Into
	case (t.Deleted && !t.Merged) || erased:
		return "deleted"
	default:
		return ""
	}
}

// sendHint queues a hint beside the caller's work and returns what waits for it.
// A failure delays nothing but the greeting: reconcile finds the ticket in the
// desk's change feed.
func sendHint(ctx context.Context, q Queue, m Meter, h Hint) (wait func()) {
	sent := beside(ctx, func() error { return q.Send(ctx, h) })
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
