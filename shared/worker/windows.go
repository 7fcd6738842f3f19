package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/caseroom/caseroom/shared/relay"
)

// Reconciler is relay's Reconcile.
type Reconciler interface {
	Run(ctx context.Context, w relay.Window) (relay.ReconcileReport, error)
}

// Windows works off a FIFO queue of windows, one group per desk, so that the
// windows of a desk run one after another and one that fails waits for its turn.
type Windows struct {
	Mailbox
	Reconcile Reconciler
}

// windowMessage is a window in a queue. A schedule sends the desk and its own
// time; a window that is gone on with says where.
//
//	{"desk":"zendesk","until":"2026-11-02T10:05:00Z"}
//	{"desk":"zendesk","from":"2026-11-02T09:44:00Z","until":"2026-11-02T10:04:00Z","cursor":"…"}
type windowMessage struct {
	Desk   relay.DeskName `json:"desk"`
	From   time.Time      `json:"from,omitzero"`
	Until  time.Time      `json:"until"`
	Cursor string         `json:"cursor,omitempty"`
}

var (
	errWindow     = errors.New("worker: the body is no window")
	errUnfinished = errors.New("worker: the time ended where the window was to go on")
)

// DecodeWindow reads a queue message's body.
func DecodeWindow(body string) (relay.Window, error) {
	var m windowMessage
	if json.Unmarshal([]byte(body), &m) != nil || m.Until.IsZero() {
		return relay.Window{}, errWindow
	}
	switch {
	case m.Desk != relay.Zendesk && m.Desk != relay.Salesforce:
		return relay.Window{}, errWindow
	case m.From.IsZero() && m.Cursor == "":
		return relay.Scheduled(m.Desk, m.Until), nil
	case m.From.IsZero() || !m.From.Before(m.Until):
		return relay.Window{}, errWindow
	}
	return relay.Window{Desk: m.Desk, From: m.From, Until: m.Until, Cursor: m.Cursor}, nil
}

// Lambda handles a batch, as the runtime calls it.
func (w *Windows) Lambda(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	return w.each(ctx, e, w.window)
}

func (w *Windows) window(ctx context.Context, m events.SQSMessage) error {
	window, err := DecodeWindow(m.Body)
	if err != nil {
		return &deadError{err}
	}
	report, err := w.Reconcile.Run(ctx, window)
	slog.InfoContext(ctx, "reconciled", "desk", window.Desk, "from", window.From, "until", window.Until,
		"listed", report.Listed, "ours", report.Ours, "differing", report.Differing, "queued", report.Queued,
		"repaired", report.Repaired, "unfinished", report.Next != "", "err", err)
	if err != nil {
		w.Meter.Count(ctx, "ReconcileFailed", 1, "desk", string(window.Desk))
	}
	switch {
	case report.Next == "":
		return err
	case err == nil && report.Next == window.Cursor:
		// Its cursor was lost, and from the beginning it came this far again.
		return errUnfinished
	case report.Next == window.Cursor || (err != nil && relay.Permanent(err)):
		return err
	}
	// What is done stays done: the rest is another message.
	return w.sendNext(ctx, m, string(window.Desk), windowMessage{window.Desk, window.From, window.Until, report.Next})
}
