package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
	"github.com/caseroom/caseroom/shared/worker"
)

// ring is Reconcile and Sweep as the workers see them.
type ring struct {
	windows []relay.Window
	pages   []relay.SweepPage
	window  func(relay.Window) (relay.ReconcileReport, error)
	page    func(relay.SweepPage) (relay.SweepReport, error)
}

func (r *ring) reconcile() reconcile { return reconcile{r} }

type reconcile struct{ *ring }

func (r reconcile) Run(_ context.Context, w relay.Window) (relay.ReconcileReport, error) {
	r.windows = append(r.windows, w)
	return r.window(w)
}

type sweep struct{ *ring }

func (sweep) Start(bool) []relay.SweepPage {
	return []relay.SweepPage{{List: relay.AllRooms}, {List: "zendesk"}}
}

func (r sweep) Run(_ context.Context, p relay.SweepPage) (relay.SweepReport, error) {
	r.pages = append(r.pages, p)
	return r.page(p)
}

// fifo is the queue of either ring.
type fifo struct {
	hidden     map[string]int32
	sent, dead []*sqs.SendMessageInput
	broken     bool
}

func (q *fifo) ChangeMessageVisibility(_ context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	if q.hidden == nil {
		q.hidden = map[string]int32{}
	}
	q.hidden[*in.ReceiptHandle] = in.VisibilityTimeout
	return &sqs.ChangeMessageVisibilityOutput{}, nil
}

func (q *fifo) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	switch {
	case q.broken:
		return nil, errors.New("no queue")
	case *in.QueueUrl == "https://sqs/dead.fifo":
		q.dead = append(q.dead, in)
	default:
		q.sent = append(q.sent, in)
	}
	return &sqs.SendMessageOutput{}, nil
}

func (q *fifo) box(waits *[]time.Duration) worker.Mailbox {
	return worker.Mailbox{
		Queue: q, QueueURL: "https://sqs/queue.fifo", DeadLetterURL: "https://sqs/dead.fifo", Meter: &upstreamtest.Counts{}, Now: time.Now,
		Random: func() float64 { return 0 },
		Wait: func(_ context.Context, d time.Duration) error {
			*waits = append(*waits, d)
			return nil
		},
	}
}

func record(id, group, body string, receives int) events.SQSMessage {
	return events.SQSMessage{
		MessageId: id, ReceiptHandle: id, Body: body,
		Attributes: map[string]string{"ApproximateReceiveCount": fmt.Sprint(receives), "MessageGroupId": group},
	}
}

func handle(t *testing.T, f func(context.Context, events.SQSEvent) (events.SQSEventResponse, error), records ...events.SQSMessage) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := f(ctx, events.SQSEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, x := range res.BatchItemFailures {
		failed = append(failed, x.ItemIdentifier)
	}
	return failed
}

const scheduled = `{"desk":"zendesk","until":"2026-11-02T10:05:00Z"}`

func TestWindows(t *testing.T) {
	t.Parallel()
	down := &upstream.Error{Vendor: "zendesk", Op: "incremental_tickets_cursor", Class: upstream.RateLimited, Status: 429, RetryAfter: 40 * time.Second}
	for _, c := range []struct {
		name     string
		body     string
		receives int
		report   relay.ReconcileReport
		err      error
		panics   bool
		broken   bool
		again    bool
		dead     bool
		sent     string
		hidden   int32
	}{
		{name: "done", body: scheduled, receives: 1},
		{name: "unfinished", body: scheduled, receives: 1, report: relay.ReconcileReport{Next: "c2"}, sent: `"cursor":"c2"`},
		{name: "unfinished, no queue", body: scheduled, receives: 1, report: relay.ReconcileReport{Next: "c2"}, broken: true, again: true, hidden: 5},
		{name: "down", body: scheduled, receives: 3, err: down, again: true, hidden: 40},
		{name: "down on a later page", body: scheduled, receives: 3, report: relay.ReconcileReport{Next: "c2"}, err: down, sent: `"cursor":"c2"`},
		{name: "anything else", body: scheduled, receives: 3, err: errors.New("x"), again: true, hidden: 20},
		{name: "panic", body: scheduled, receives: 4, panics: true, again: true, hidden: 40},
		{name: "panic again", body: scheduled, receives: 5, panics: true, dead: true},
		{name: "no JSON", body: "x", receives: 1, dead: true},
		{name: "no JSON, no queue", body: "x", receives: 1, broken: true, again: true, hidden: 5},
		{name: "no time", body: `{"desk":"zendesk"}`, receives: 1, dead: true},
		{name: "no desk", body: `{"desk":"jira","until":"2026-11-02T10:05:00Z"}`, receives: 1, dead: true},
		{name: "backwards", body: `{"desk":"zendesk","from":"2026-11-02T10:06:00Z","until":"2026-11-02T10:05:00Z"}`, receives: 1, dead: true},
		{name: "a cursor of no window", body: `{"desk":"zendesk","until":"2026-11-02T10:05:00Z","cursor":"c"}`, receives: 1, dead: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, waits := &fifo{broken: c.broken}, []time.Duration{}
			r := &ring{window: func(relay.Window) (relay.ReconcileReport, error) {
				if c.panics {
					panic("a bug")
				}
				return c.report, c.err
			}}
			w := &worker.Windows{Mailbox: q.box(&waits), Reconcile: r.reconcile()}
			failed := handle(t, w.Lambda, record("m", "zendesk", c.body, c.receives))
			if (len(failed) > 0) != c.again || (len(q.dead) > 0) != c.dead || q.hidden["m"] != c.hidden {
				t.Errorf("failed %v, dead %v, hidden %v", failed, q.dead, q.hidden)
			}
			if c.sent == "" != (len(q.sent) == 0) || (c.sent != "" && !strings.Contains(*q.sent[0].MessageBody, c.sent)) {
				t.Errorf("sent %v", q.sent)
			}
			if limited := c.again && errors.Is(c.err, down); limited != (len(waits) > 0) {
				t.Errorf("waited %v", waits)
			}
		})
	}
}

// TestWindowGoesOn follows a window from its schedule over its pages.
func TestWindowGoesOn(t *testing.T) {
	t.Parallel()
	q, waits := &fifo{}, []time.Duration{}
	r := &ring{}
	r.window = func(w relay.Window) (relay.ReconcileReport, error) {
		return relay.ReconcileReport{Next: map[string]string{"": "c1", "c1": "c2"}[w.Cursor]}, nil
	}
	w := &worker.Windows{Mailbox: q.box(&waits), Reconcile: r.reconcile()}
	body := scheduled
	for n := 0; body != ""; n++ {
		sent := len(q.sent)
		if failed := handle(t, w.Lambda, record("m", "zendesk", body, 1)); len(failed) > 0 {
			t.Fatal(failed)
		}
		body = ""
		if len(q.sent) > sent {
			last := q.sent[len(q.sent)-1]
			if body = *last.MessageBody; *last.MessageGroupId != "zendesk" || len(*last.MessageDeduplicationId) != 64 {
				t.Errorf("sent %+v", last)
			}
		}
	}
	at := time.Date(2026, 11, 2, 10, 5, 0, 0, time.UTC)
	want := relay.Window{Desk: relay.Zendesk, From: at.Add(-21 * time.Minute), Until: at.Add(-time.Minute)}
	if len(r.windows) != 3 {
		t.Fatalf("ran %+v", r.windows)
	}
	for i, got := range r.windows {
		want.Cursor = []string{"", "c1", "c2"}[i]
		if got != want {
			t.Errorf("window %d is %+v, want %+v", i, got, want)
		}
	}
}

// TestWindowBegunAgain follows windows whose cursor the desk no longer knew: the
// run began again, and its time ended where an earlier one's had.
func TestWindowBegunAgain(t *testing.T) {
	t.Parallel()
	q, waits := &fifo{}, []time.Duration{}
	r := &ring{window: func(relay.Window) (relay.ReconcileReport, error) { return relay.ReconcileReport{Next: "c1"}, nil }}
	w := &worker.Windows{Mailbox: q.box(&waits), Reconcile: r.reconcile()}
	at := func(cursor string) string {
		return `{"desk":"zendesk","from":"2026-11-02T09:44:00Z","until":"2026-11-02T10:04:00Z","cursor":"` + cursor + `"}`
	}
	// Where this message says to go on there is still all to do.
	if failed := handle(t, w.Lambda, record("a", "zendesk", at("c1"), 1)); len(failed) != 1 || len(q.sent) != 0 {
		t.Fatalf("failed %v, sent %v: the rest of the window is lost", failed, q.sent)
	}
	// The queue drops what has the same id within five minutes: a message that is
	// delivered twice sends its successor once, and another message its own.
	for _, id := range []string{"b", "b", "c"} {
		if failed := handle(t, w.Lambda, record(id, "zendesk", at("c2"), 1)); len(failed) != 0 {
			t.Fatal(failed)
		}
	}
	ids := make([]string, len(q.sent))
	for i, m := range q.sent {
		ids[i] = *m.MessageDeduplicationId
	}
	if len(ids) != 3 || ids[0] != ids[1] || ids[0] == ids[2] {
		t.Errorf("deduplication ids %v", ids)
	}
}

// TestOneGroupWaits leaves the messages of a group behind one that failed, and
// gives them back at once.
func TestOneGroupWaits(t *testing.T) {
	t.Parallel()
	q, waits := &fifo{}, []time.Duration{}
	r := &ring{window: func(w relay.Window) (relay.ReconcileReport, error) {
		if w.Desk == relay.Zendesk {
			return relay.ReconcileReport{}, errors.New("down")
		}
		return relay.ReconcileReport{}, nil
	}}
	w := &worker.Windows{Mailbox: q.box(&waits), Reconcile: r.reconcile()}
	other := strings.Replace(scheduled, "zendesk", "salesforce", 1)
	failed := handle(t, w.Lambda, record("a", "zendesk", scheduled, 1), record("b", "salesforce", other, 1), record("c", "zendesk", scheduled, 1))
	if !slices.Equal(failed, []string{"a", "c"}) || len(r.windows) != 2 {
		t.Errorf("failed %v, ran %+v", failed, r.windows)
	}
	if wait, given := q.hidden["c"]; !given || wait != 0 || q.hidden["a"] == 0 {
		t.Errorf("hidden %v", q.hidden)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	const start = `{"sweep":"2026-11-02T03:00:00Z"}`
	q, waits := &fifo{}, []time.Duration{}
	r := &ring{}
	fail := errors.New("down")
	r.page = func(p relay.SweepPage) (relay.SweepReport, error) {
		if p.Cursor == "7" {
			err := fail
			fail = nil
			return relay.SweepReport{}, err
		}
		if p.List == relay.AllRooms && p.Cursor == "" {
			return relay.SweepReport{Next: &relay.SweepPage{List: p.List, Cursor: "7"}}, nil
		}
		return relay.SweepReport{}, nil
	}
	w := &worker.Pages{Mailbox: q.box(&waits), Sweep: sweep{r}}
	bodies := []string{start}
	groups := []string{"start"}
	for n := 0; len(bodies) > 0 && n < 20; n++ {
		sent := len(q.sent)
		failed := handle(t, w.Lambda, record("m", groups[0], bodies[0], 1))
		for _, m := range q.sent[sent:] {
			bodies, groups = append(bodies, *m.MessageBody), append(groups, *m.MessageGroupId)
		}
		if len(failed) == 0 {
			bodies, groups = bodies[1:], groups[1:]
		}
	}
	want := []relay.SweepPage{{List: "rooms"}, {List: "zendesk"}, {List: "rooms", Cursor: "7"}, {List: "rooms", Cursor: "7"}}
	if !slices.Equal(r.pages, want) || len(q.dead) > 0 {
		t.Errorf("ran %+v, dead %v", r.pages, q.dead)
	}
	for _, body := range []string{"", "{}", `{"sweep":"2026-11-02T03:00:00Z","list":"jira"}`, `{"sweep":"2026-11-02T03:00:00Z","cursor":"7"}`} {
		q.dead = nil
		if failed := handle(t, w.Lambda, record("m", "g", body, 1)); len(failed) > 0 || len(q.dead) != 1 {
			t.Errorf("%s: failed %v, dead %v", body, failed, q.dead)
		}
	}
}

func FuzzDecodeWindow(f *testing.F) {
	f.Add(scheduled)
	f.Add(`{"desk":"salesforce","from":"2026-11-02T09:44:00Z","until":"2026-11-02T10:04:00Z","cursor":"1|500"}`)
	f.Fuzz(func(t *testing.T, body string) {
		w, err := worker.DecodeWindow(body)
		if err == nil && (w.From.IsZero() || !w.From.Before(w.Until) || (w.Desk != relay.Zendesk && w.Desk != relay.Salesforce)) {
			t.Errorf("%q is the window %+v", body, w)
		}
	})
}
