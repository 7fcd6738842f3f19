package lifecycle

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/tests/world"
)

const root = "../.."

var trace = flag.Bool("calls", false, "log every call")

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// source is where a history gets its decisions from: rapid's T, or a test that
// has taken them all.
type source interface {
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

// history is one run of a world: what happened at the desks and in the rooms,
// what is on its way, and the processes that work on it.
//
// Everything in it is done by one goroutine, but for the processes: those stop
// at every call they make, and go on when the history says so. So the order of
// all calls is the history's, and a history repeats itself exactly.
type history struct {
	source
	w *world.World

	lives    []*life
	made     int            // tickets and messages that were ever asked for
	moment   atomic.Int64   // how many things have happened
	inactive bool           // Salesforce's second agent has left the company
	turned   time.Time      // when they last left or came back
	console  *world.Process // somebody with the admin's rights

	trying map[*world.Process]*try // the desks' calls to the routes that move people
	asked  int                     // of those calls, how many are under way

	workers  []*slot     // of sync
	others   []*slot     // the other queues'
	filed    []time.Time // when filing wrote to Zendesk's tickets
	lastTick time.Time
	lastDay  time.Time
	down     map[string]world.Fate // vendors that are out of order
	outages  int
	drain    bool          // nothing but what is in the queues happens any more
	wake     chan struct{} // a process stopped at a call, or has done its work

	mu       sync.Mutex // guards what the goroutines of processes and customers touch
	waiting  []*held
	news     []notice
	acked    []ack
	changes  []time.Time // the desks', for what looks at their change feeds
	creating int         // customers who still ask
	answered []answer    // of those who have stopped, and nobody has looked
	replies  []reply     // to desks' calls, at which nobody has looked
}

// slot is a place for a process of a function.
type slot struct {
	function string
	queue    string
	p        *world.Process
	h        world.Handler
	busy     bool
}

// held is a call that waits for its fate.
type held struct {
	world.Call
	fate chan world.Fate
}

// notice is a notification on its way.
type notice struct {
	relay.Hint
	n int64
}

// ack is a ticket whose messages of a batch were worked off.
type ack struct {
	relay.Hint
	began int64 // the moment in which the work began
}

// answer is what came of a customer's asking for a ticket.
type answer struct {
	*life
	promised bool
}

// begin begins a history inside a bubble. The caller ends it.
func begin(src source, o world.Options) *history {
	time.Sleep(time.Until(time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)))
	h := &history{source: src, down: map[string]world.Fate{}, wake: make(chan struct{}, 1), trying: map[*world.Process]*try{}}
	o.Root, o.Gate = root, h.gate
	w, err := world.New(o)
	if err != nil {
		src.Fatalf("%v", err)
	}
	h.w = w
	h.console = w.Start("console")
	h.lastTick, h.lastDay = time.Now(), time.Now()
	h.others = []*slot{
		{function: "forward", queue: "-bulk.fifo"},
		{function: "file", queue: "-file.fifo"},
		{function: "file", queue: "-file.fifo"},
		{function: "reconcile", queue: "-reconcile.fifo"},
		{function: "sweep", queue: "-sweep.fifo"},
	}
	w.Box.Zendesk().OnChange(h.zendeskSays)
	w.Box.Salesforce().OnChange(h.salesforceSays)
	return h
}

// end kills what still runs, so that the bubble can end.
func (h *history) end() {
	h.w.Close()
	synctest.Wait()
}

// zendeskSays turns a change into the notification that a subscription to the
// ticket events makes of it.
func (h *history) zendeskSays(e sandbox.ZendeskEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, time.Now())
	hint := relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: fmt.Sprint(e.Ticket.ID)}}
	switch e.Type {
	case "agent_assignment_changed", "undeleted", "comment_added":
	case "status_changed":
		hint.Bulk = e.Ticket.Status == "solved" || e.Ticket.Status == "closed"
	case "soft_deleted", "permanently_deleted", "marked_as_spam":
		hint.Deleted, hint.Bulk = true, true
	case "merged":
		hint.Into, hint.Bulk = fmt.Sprint(e.Current), true
	default:
		return
	}
	if !strings.HasPrefix(e.Ticket.ExternalID, "caseroom:") {
		return
	}
	h.announce(hint)
}

// salesforceSays does what the org's triggers do, that of the directory for
// Omni-Channel among them: it posts the case of work that is accepted, or no
// longer is.
func (h *history) salesforceSays(e sandbox.SalesforceEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Object == "AgentWork" {
		h.changes = append(h.changes, time.Now())
		opened := (e.After["Status"] == "Opened") != (e.Before["Status"] == "Opened")
		// Only what this goroutine does changes work, so it may look at tickets.
		for _, l := range h.lives {
			if opened && !l.foreign && l.id == e.After["WorkItemId"] {
				h.announce(relay.Hint{Ref: relay.Ref{Desk: relay.Salesforce, Ticket: l.id}})
			}
		}
	}
	if e.Object != "Case" {
		return
	}
	h.changes = append(h.changes, time.Now())
	if e.After["Caseroom_Key__c"] == nil {
		return
	}
	h.announce(relay.Hint{Ref: relay.Ref{Desk: relay.Salesforce, Ticket: e.ID}})
}

func (h *history) announce(hint relay.Hint) {
	h.news = append(h.news, notice{hint, h.moment.Add(1)})
}

// gate holds a call until its fate is known.
func (h *history) gate(ctx context.Context, c world.Call) world.Fate {
	if c.Process == h.console {
		return world.Pass
	}
	x := &held{Call: c, fate: make(chan world.Fate, 1)}
	h.mu.Lock()
	if fate, down := h.down[c.Vendor]; down {
		h.mu.Unlock()
		return fate
	}
	h.waiting = append(h.waiting, x)
	h.mu.Unlock()
	h.rouse()
	select {
	case f := <-x.fate:
		return f
	case <-ctx.Done():
	case <-c.Process.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = slices.DeleteFunc(h.waiting, func(y *held) bool { return y == x })
	return world.Lost
}

// rouse ends a doze.
func (h *history) rouse() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// doze lets time pass until a process does something.
func (h *history) doze(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-h.wake:
	case <-t.C:
	}
}

// calls returns the calls that wait, in an order that does not depend on which
// goroutine was first.
func (h *history) calls() []*held {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.SortStableFunc(h.waiting, func(a, b *held) int {
		return cmp.Or(cmp.Compare(a.Process.Number, b.Process.Number), cmp.Compare(a.Vendor, b.Vendor),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Body, b.Body))
	})
	return slices.Clone(h.waiting)
}

// release lets a call meet its fate, and waits for what comes of it.
func (h *history) release(x *held, f world.Fate) {
	h.mu.Lock()
	h.waiting = slices.DeleteFunc(h.waiting, func(y *held) bool { return y == x })
	h.mu.Unlock()
	if f != world.Pass || *trace {
		h.Logf("%s: %s %s %s %.120s meets %d", time.Now().Format("02T15:04:05"), x.Process.Name, x.Vendor, x.Path, x.Body, f)
	}
	if f != world.Lost && f != world.KillBefore && x.Process.Name == "file" && x.Vendor == "zendesk" && x.Method == "PUT" {
		h.filed = append(h.filed, time.Now())
	}
	x.fate <- f
	synctest.Wait()
	if f == world.KillBefore || f == world.KillAfter {
		h.moment.Add(1)
	}
	h.done(x, f)
	h.settle()
	if strings.HasSuffix(x.Path, "add_group_member") || strings.HasSuffix(x.Path, "create_group") {
		h.trespassers()
	}
}

// dispatch gives batches to idle processes. It reports whether there was one.
func (h *history) dispatch() bool {
	any := false
	queues := h.w.Box.Queues()
	for _, s := range slices.Concat(h.workers, h.others) {
		if h.busy(s) {
			continue
		}
		queue := h.w.Queue(s.queue)
		i := slices.IndexFunc(queues, func(q sandbox.QueueState) bool { return q.Name == queue.Name })
		if !receivable(queues[i]) {
			continue
		}
		b, err := h.w.Receive(context.Background(), queue)
		if err != nil {
			h.Fatalf("receive: %v", err)
		}
		if b == nil {
			continue
		}
		any = true
		queues = h.w.Box.Queues()
		if s.p == nil || s.p.Dead() {
			s.p = h.w.Start(s.function)
			if s.h, err = h.function(s.p, s.function); err != nil {
				h.Fatalf("%s: %v", s.function, err)
			}
		}
		h.mu.Lock()
		s.busy = true
		h.mu.Unlock()
		began := h.moment.Load()
		if *trace {
			h.Logf("%s: %s gets %v", time.Now().Format("02T15:04:05"), s.function, b.Hints())
		}
		go func() {
			defer h.rouse()
			done, err := s.p.Invoke(s.h, b)
			h.mu.Lock()
			defer h.mu.Unlock()
			s.busy = false
			if err != nil || s.function != "sync" {
				return
			}
			left := map[string]int{} // of a ticket that failed, all but one of a kind are done with
			for _, hint := range b.Hints() {
				left[hint.Ticket]++
			}
			for _, hint := range done.Hints() {
				if left[hint.Ticket]--; left[hint.Ticket] == 0 {
					h.acked = append(h.acked, ack{hint, began})
				}
			}
		}()
	}
	return any
}

// receivable reports whether a queue gives a message now: one that may be seen,
// of a group of which none is with a process or waits for another try.
func receivable(q sandbox.QueueState) bool {
	hidden := map[string]bool{}
	for _, m := range q.Messages {
		hidden[m.Group] = hidden[m.Group] || m.Visible.After(time.Now())
	}
	return slices.ContainsFunc(q.Messages, func(m sandbox.MessageState) bool { return !hidden[m.Group] })
}

func (h *history) busy(s *slot) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.busy
}

func (h *history) function(p *world.Process, name string) (world.Handler, error) {
	switch name {
	case "sync":
		return p.Sync()
	case "file":
		return p.File()
	case "forward":
		return p.Forward()
	case "reconcile":
		return p.Reconcile()
	case "sweep":
		return p.Sweep()
	default:
		return nil, fmt.Errorf("no function %s", name)
	}
}

// settle looks at what was worked off: a ticket to which nothing happened since
// the work on it began has the room that the table says.
func (h *history) settle() {
	h.hear()
	h.mu.Lock()
	acked := h.acked
	h.acked = nil
	h.mu.Unlock()
	for _, a := range acked {
		if *trace {
			h.Logf("%s: done %v", time.Now().Format("02T15:04:05"), a.Hint)
		}
		for _, l := range h.lives {
			if l.desk != a.Desk || l.id != a.Ticket || l.changed > a.began || l.creating {
				continue
			}
			if l.desk == relay.Salesforce && time.Since(h.turned) < 7*time.Minute {
				continue // who is an active user is remembered for five minutes
			}
			if bad := h.unfit(l); len(bad) > 0 {
				h.Fatalf("%s %s was worked off, and: %s", l.desk, l.id, strings.Join(bad, "; "))
			}
			l.settled = true
		}
	}
}

// trespassers: nobody comes back into a room that was right since nothing
// happened to it.
func (h *history) trespassers() {
	for _, l := range h.lives {
		if !l.settled {
			continue
		}
		if bad := h.strangers(l); len(bad) > 0 {
			h.Fatalf("%s %s was right, and then %v came in", l.desk, l.id, bad)
		}
	}
}

// pump lets time pass, and everything that happens by itself happen.
func (h *history) pump(d time.Duration) {
	end := time.Now().Add(d)
	for {
		if list := h.calls(); len(list) > 0 {
			h.release(list[0], world.Pass)
			continue
		}
		h.settle()
		h.schedules()
		if h.dispatch() {
			continue
		}
		if !time.Now().Before(end) {
			return
		}
		h.doze(min(h.quiet(), time.Until(end)))
	}
}

// idle lets everything happen that happens by itself until nothing does, at
// most for so long.
func (h *history) idle(limit time.Duration) {
	h.drain = true
	defer func() { h.drain = false }()
	end := time.Now().Add(limit)
	for time.Now().Before(end) {
		h.pump(time.Second)
		if h.resting() {
			return
		}
		h.doze(min(h.quiet(), time.Until(end)))
	}
	for _, q := range h.w.Box.Queues() {
		for _, m := range q.Messages {
			h.Errorf("still in %s after %v, received %d times: %s", q.Name, limit, m.Count, m.Body)
		}
	}
	h.Fatalf("work goes on after %v", limit)
}

// resting reports whether nothing is under way and the queues are empty.
func (h *history) resting() bool {
	h.mu.Lock()
	busy := h.creating > 0 || h.asked > 0
	h.mu.Unlock()
	for _, s := range slices.Concat(h.workers, h.others) {
		busy = busy || h.busy(s)
	}
	for _, q := range h.w.Box.Queues() {
		if !strings.Contains(q.Name, "dead") {
			busy = busy || len(q.Messages) > 0
		}
	}
	return !busy
}

// quiet is how long nothing can happen by itself.
func (h *history) quiet() time.Duration {
	d := 24 * time.Hour
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.w.Box.Queues() {
		if strings.Contains(q.Name, "dead") {
			continue
		}
		for _, m := range q.Messages {
			if m.Visible.After(time.Now()) { // else it waits for a process, or behind its group's first
				d = min(d, time.Until(m.Visible))
			}
		}
	}
	if !h.drain {
		d = min(d, time.Until(h.nextTick()), time.Until(h.lastDay.Add(24*time.Hour)))
	}
	return max(d, time.Millisecond)
}

// nextTick is when reconcile's schedule next finds anything: its other windows
// are empty, and left out for that.
func (h *history) nextTick() time.Time {
	next := time.Now().Add(365 * 24 * time.Hour)
	for _, c := range h.changes {
		at := c.Add(relayWindowUntil).Truncate(5 * time.Minute).Add(5 * time.Minute)
		for ; !at.After(c.Add(relayWindowFrom)); at = at.Add(5 * time.Minute) {
			if at.After(h.lastTick) && at.Before(next) {
				next = at
			}
		}
	}
	return next
}

// The window of a tick at t is from t-21m to t-1m.
const (
	relayWindowFrom  = 21 * time.Minute
	relayWindowUntil = time.Minute
)

// schedules fires what is due.
func (h *history) schedules() {
	if h.drain {
		return
	}
	h.mu.Lock()
	next := h.nextTick()
	h.mu.Unlock()
	if now := time.Now(); !next.After(now) {
		h.lastTick = next
		h.mu.Lock()
		h.changes = slices.DeleteFunc(h.changes, func(c time.Time) bool { return c.Add(relayWindowFrom + 5*time.Minute).Before(h.lastTick) })
		h.mu.Unlock()
		h.tick(next)
	}
	if now := time.Now(); !h.lastDay.Add(24 * time.Hour).After(now) {
		h.lastDay = h.lastDay.Add(24 * time.Hour)
		h.sweep()
	}
}

// tick is reconcile's schedule.
func (h *history) tick(at time.Time) {
	for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
		if err := h.w.Tick(context.Background(), desk, at); err != nil {
			h.Fatalf("tick: %v", err)
		}
	}
}

// sweep is sweep's schedule.
func (h *history) sweep() {
	if err := h.w.Daily(context.Background(), time.Now()); err != nil {
		h.Fatalf("sweep: %v", err)
	}
}

// workers returns idle places for processes of sync.
func places(n int) (list []*slot) {
	for range n {
		list = append(list, &slot{function: "sync", queue: "-sync.fifo"})
	}
	return list
}

var _ source = (*rapid.T)(nil)
