package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/caseroom/caseroom/shared/relay"
)

// Sweeper is relay's Sweep.
type Sweeper interface {
	Start(dryRun bool) []relay.SweepPage
	Run(ctx context.Context, page relay.SweepPage) (relay.SweepReport, error)
}

// Pages works off a FIFO queue of the Sweep's pages, one group per list: each
// page is a message, and sends the one behind it.
type Pages struct {
	Mailbox
	Sweep Sweeper
}

// pageMessage is a page in a queue, or, without a list, the beginning of a sweep.
//
//	{"sweep":"2026-11-02T03:00:00Z"}
//	{"sweep":"2026-11-02T03:00:00Z","list":"rooms","cursor":"9223372036854775808"}
type pageMessage struct {
	Sweep  time.Time `json:"sweep"` // when it began; tells one day's pages from another's
	List   string    `json:"list,omitempty"`
	Cursor string    `json:"cursor,omitempty"`
}

var errPage = errors.New("worker: the body is no page of a sweep")

func decodePage(body string) (pageMessage, error) {
	var m pageMessage
	lists := []string{"", relay.AllRooms, string(relay.Zendesk), string(relay.Salesforce)}
	if json.Unmarshal([]byte(body), &m) != nil || m.Sweep.IsZero() || !slices.Contains(lists, m.List) || (m.List == "" && m.Cursor != "") {
		return pageMessage{}, errPage
	}
	return m, nil
}

// Lambda handles a batch, as the runtime calls it.
func (w *Pages) Lambda(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	return w.each(ctx, e, w.page)
}

func (w *Pages) page(ctx context.Context, m events.SQSMessage) error {
	at, err := decodePage(m.Body)
	if err != nil {
		return &deadError{err}
	}
	if at.List == "" {
		for _, p := range w.Sweep.Start(false) {
			if err := w.sendNext(ctx, m, p.List, pageMessage{Sweep: at.Sweep, List: p.List}); err != nil {
				return err
			}
		}
		return nil
	}
	report, err := w.Sweep.Run(ctx, relay.SweepPage{List: at.List, Cursor: at.Cursor})
	slog.InfoContext(ctx, "swept", "list", at.List, "rooms", report.Rooms, "tickets", report.Tickets, "foreign", report.Foreign,
		"queued", report.Queued, "filed", report.Filed, "dissolved", report.Dissolved, "failed", report.Failed,
		"last", err == nil && report.Next == nil, "err", err)
	if err != nil {
		w.Meter.Count(ctx, "SweepPageFailed", 1, "list", at.List)
		return err
	}
	if report.Next == nil {
		return nil
	}
	return w.sendNext(ctx, m, report.Next.List, pageMessage{Sweep: at.Sweep, List: report.Next.List, Cursor: report.Next.Cursor})
}
