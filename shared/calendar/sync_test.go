package calendar_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

var due = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Every line of the table of states, each from a ticket that is in Alex's
// calendar: who has it afterwards.
func TestTable(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(b *bed, id int64) error
		hint   string
		alex   bool
		billie bool
	}{
		"nothing":         {func(*bed, int64) error { return nil }, "", true, false},
		"pending":         {func(b *bed, id int64) error { return b.box.Zendesk().SetStatus(id, "pending") }, "", true, false},
		"on hold":         {func(b *bed, id int64) error { return b.box.Zendesk().SetStatus(id, "hold") }, "", true, false},
		"no task":         {func(b *bed, id int64) error { return b.box.Zendesk().SetType(id, "question", time.Time{}) }, "", false, false},
		"no type":         {func(b *bed, id int64) error { return b.box.Zendesk().SetType(id, "", time.Time{}) }, "", false, false},
		"no due date":     {func(b *bed, id int64) error { return b.box.Zendesk().SetType(id, "task", time.Time{}) }, "", false, false},
		"solved":          {func(b *bed, id int64) error { return b.box.Zendesk().Solve(id) }, "", false, false},
		"closed":          {func(b *bed, id int64) error { return b.box.Zendesk().Close(id) }, "", false, false},
		"deleted":         {func(b *bed, id int64) error { return b.box.Zendesk().Delete(id) }, "deleted", false, false},
		"deleted, unsaid": {func(b *bed, id int64) error { return b.box.Zendesk().Delete(id) }, "", false, false},
		"spam":            {func(b *bed, id int64) error { return b.box.Zendesk().MarkSpam(id) }, "deleted", false, false},
		"gone for good": {func(b *bed, id int64) error {
			return errors.Join(b.box.Zendesk().Delete(id), b.box.Zendesk().PermanentlyDelete(id))
		}, "", false, false},
		"reassigned": {func(b *bed, id int64) error { return b.box.Zendesk().Assign(id, b.agentID(1)) }, "", false, true},
		"reassigned and back": {func(b *bed, id int64) error {
			return errors.Join(b.box.Zendesk().Assign(id, b.agentID(1)), b.box.Zendesk().Assign(id, b.agentID(0)))
		}, "", true, false},
		"reassigned and solved": {func(b *bed, id int64) error {
			return errors.Join(b.box.Zendesk().Assign(id, b.agentID(1)), b.box.Zendesk().Solve(id))
		}, "", false, false},
		"to nobody": {func(b *bed, id int64) error { return b.box.Zendesk().Assign(id, 0) }, "", false, false},
		"reopened": {func(b *bed, id int64) error {
			return errors.Join(b.box.Zendesk().Solve(id), b.box.Zendesk().Reopen(id))
		}, "", true, false},
		"undeleted": {func(b *bed, id int64) error {
			return errors.Join(b.box.Zendesk().Delete(id), b.box.Zendesk().Undelete(id))
		}, "deleted", true, false},
		"merged into another": {func(b *bed, id int64) error {
			into, err := b.box.Zendesk().Create("survivor", "x", b.agentID(0))
			return errors.Join(err, b.box.Zendesk().Merge(into, id))
		}, "merged:1002", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.connect(0)
			b.connect(1)
			id := b.task(0, "Call back", due)
			b.drain()
			b.must(hintOf(id))
			b.want(0, id)
			b.want(1)
			b.ok(tt.change(b, id))
			h, err := calendar.DecodeHint(fmt.Sprintf(`{"v":1,"desk":"zendesk","ticket":"%d","hint":%q}`, id, tt.hint))
			b.ok(err)
			for range 2 { // once more changes nothing
				b.must(h)
				for n, has := range []bool{tt.alex, tt.billie} {
					if has {
						b.want(n, id)
					} else {
						b.want(n)
					}
				}
			}
		})
	}
}

func TestEventInCalendar(t *testing.T) {
	b := newBed(t)
	b.connect(0)
	id := b.task(0, "Call \x00 Dana\nback, it's “urgent”", due)
	b.must(hintOf(id))
	b.want(0, id)
	for _, e := range b.events(0) {
		want := "#" + strconv.FormatInt(id, 10) + " Call Dana back, it's “urgent”"
		link := b.server.URL + "/zendesk/agent/tickets/" + strconv.FormatInt(id, 10)
		if e.Summary != want || e.Description != link || e.URL != link || e.Zone != "Europe/Berlin" || !e.Free || !slices.Equal(e.Reminders, []int{15}) {
			t.Errorf("%+v", e)
		}
		if got := e.Start.Format(time.RFC3339); got != "2026-11-20T07:00:00Z" || e.End.Sub(e.Start) != 10*time.Minute {
			t.Errorf("from %s to %s", e.Start, e.End)
		}
		if !strings.HasSuffix(e.CalendarID, "_work") {
			t.Errorf("in %s, which is not the primary calendar", e.CalendarID)
		}
	}
	b.sync.Settings.Subjects, b.sync.Settings.Reminder = false, -1
	b.must(hintOf(id))
	for _, e := range b.events(0) {
		if e.Summary != "#"+strconv.FormatInt(id, 10) || e.Reminders != nil {
			t.Errorf("without subjects and reminders: %+v", e)
		}
	}
}

// A first connection brings all open tasks, and nobody else's.
func TestFirstConnection(t *testing.T) {
	b := newBed(t)
	var mine []int64
	for i := range 250 {
		id := b.task(i%2, "task "+strconv.Itoa(i), due.AddDate(0, 0, i))
		switch {
		case i%10 == 0:
			b.ok(b.box.Zendesk().Solve(id))
		case i%2 == 0:
			mine = append(mine, id)
		}
	}
	b.connect(0)
	b.drain()
	b.want(0, mine...)
	b.want(1)
	if calls := b.meter.Of("CalendarRepairs"); calls != len(mine) {
		t.Errorf("%d repairs of %d tasks", calls, len(mine))
	}
	b.box.ResetCalls()
	b.must(calendar.Hint{Agent: calendar.Everybody})
	b.drain()
	for _, c := range b.box.Calls() {
		if c.Vendor == "cronofy" && c.Op != "events_read" {
			t.Errorf("a look at what is right made %s", c.Op)
		}
	}
}

// What somebody does in a calendar by hand, a sweep undoes; others' events and
// other stacks' stay.
func TestSweep(t *testing.T) {
	b := newBed(t)
	b.connect(0)
	here, gone := b.task(0, "here", due), b.task(0, "gone", due)
	b.must(hintOf(here), hintOf(gone))
	key := func(id int64) string { return b.sync.Settings.EventID(strconv.FormatInt(id, 10)) }
	b.ok(b.box.Cronofy().RemoveEvent(people[0], key(gone)))
	moved := b.events(0)[key(here)]
	moved.Start = moved.Start.Add(time.Hour)
	b.ok(b.box.Cronofy().PutEvent(people[0], moved))
	b.ok(b.box.Cronofy().PutEvent(people[0], sandbox.CronofyEvent{ID: key(99999), Summary: "of no ticket", Start: due, End: due}))
	other := calendar.Settings{Host: "other.zendesk.com"}.EventID("1001")
	b.ok(b.box.Cronofy().PutEvent(people[0], sandbox.CronofyEvent{ID: other, Summary: "another stack's", Start: due, End: due}))
	b.must(calendar.Hint{Agent: calendar.Everybody})
	b.drain()
	if _, ok := b.events(0)[other]; !ok {
		t.Error("another stack's event is gone")
	}
	b.ok(b.box.Cronofy().RemoveEvent(people[0], other))
	b.want(0, here, gone)
	if e := b.events(0)[key(here)]; e.Start.Hour() != 7 {
		t.Errorf("still moved: %+v", e)
	}
}

// A renamed desk's events are replaced by the daily comparison, once.
func TestRenamedDesk(t *testing.T) {
	b := newBed(t)
	b.connect(0)
	here := b.task(0, "here", due)
	old := calendar.Settings{Host: "before.zendesk.com"}.EventID(strconv.FormatInt(here, 10))
	b.ok(b.box.Cronofy().PutEvent(people[0], sandbox.CronofyEvent{ID: old, Summary: "#1", Start: due, End: due}))
	b.sync.Settings.Former = []string{"before.zendesk.com"}
	b.must(calendar.Hint{Agent: calendar.Everybody})
	b.drain()
	b.want(0, here)
	if _, there := b.events(0)[old]; there {
		t.Error("the former host's event is still there")
	}
}

func TestDisconnect(t *testing.T) {
	b := newBed(t)
	ctx := context.Background()
	b.connect(0)
	past, next := b.task(0, "past", due.AddDate(0, -2, 0)), b.task(0, "next", due)
	b.must(hintOf(past), hintOf(next))
	b.drain()
	b.want(0, past, next)
	there, err := calendar.Leave(ctx, b.records, b.agent(0), b.clock.Now())
	if err != nil || !there {
		t.Fatal(there, err)
	}
	b.must(hintOf(b.task(0, "late", due))) // nothing more comes in
	b.must(calendar.Hint{Agent: b.agent(0), Disconnect: true})
	b.want(0, past)
	if r, err := b.records.Load(ctx, b.agent(0)); err != nil || r != (calendar.Record{}) {
		t.Errorf("a record is left: %v %v", r.State, err)
	}
	for _, p := range b.box.State().Cronofy.Accounts {
		if p.Email == people[0] && p.Connected {
			t.Error("the consent lives on")
		}
	}
	// Twice is as good, and a new connection is not ended by an old message.
	b.must(calendar.Hint{Agent: b.agent(0), Disconnect: true})
	b.connect(0)
	b.must(calendar.Hint{Agent: b.agent(0), Disconnect: true})
	b.drain()
	if r, err := b.records.Load(ctx, b.agent(0)); err != nil || r.State != calendar.Connected {
		t.Errorf("%v %v", r.State, err)
	}
}

// A message to disconnect that was lost is made up for by the sweep.
func TestSweepFinishesLeaving(t *testing.T) {
	b := newBed(t)
	b.connect(0)
	b.must(hintOf(b.task(0, "next", due)))
	if _, err := calendar.Leave(context.Background(), b.records, b.agent(0), b.clock.Now()); err != nil {
		t.Fatal(err)
	}
	b.queue.take()
	b.must(calendar.Hint{Agent: calendar.Everybody})
	b.drain()
	b.want(0)
	if r, err := b.records.Load(context.Background(), b.agent(0)); err != nil || r.State != calendar.None {
		t.Errorf("%v %v", r.State, err)
	}
}

// Two agents connected one account: an event is in it as long as either is its
// owner, whoever had the ticket before.
func TestSharedAccount(t *testing.T) {
	b := newBed(t)
	b.connect(0)
	code, err := b.box.Cronofy().Allow(people[0], redirect, strings.Fields(cronofy.Scope)...)
	b.ok(err)
	_, err = b.calendars.Connect(context.Background(), b.agent(1), code, redirect)
	b.ok(err)
	id := b.task(0, "x", due)
	b.must(hintOf(id))
	b.want(0, id)
	for _, owner := range []int{1, 0, 1} {
		b.assign(id, owner)
		b.must(hintOf(id))
		b.want(0, id)
		b.must(calendar.Hint{Agent: calendar.Everybody})
		b.drain()
		b.want(0, id)
	}
	b.ok(b.box.Zendesk().Solve(id))
	b.must(hintOf(id))
	b.want(0)
}

func TestNoConnection(t *testing.T) {
	b := newBed(t)
	b.must(hintOf(b.task(0, "nobody's calendar", due)), calendar.Hint{Agent: calendar.Everybody})
	if b.meter.Of("CalendarSkipped") != 1 {
		t.Error("not counted")
	}
	for _, c := range b.box.Calls() {
		if c.Vendor == "cronofy" {
			t.Errorf("called %s", c.Op)
		}
	}
}

// What calendars say no to is not tried again, and does not keep the rest.
func TestRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		fault  sandbox.Fault
		class  upstream.Class // "" for done
		quota  bool
		metric string
	}{
		"out of range":   {sandbox.Fault{Op: "event_upsert", Code: "422"}, "", false, "CalendarRefused"},
		"scope missing":  {sandbox.Fault{Op: "event_upsert", Code: "403"}, "", false, "CalendarSkipped"},
		"plan":           {sandbox.Fault{Op: "event_upsert", Code: "402"}, upstream.Refused, true, ""},
		"profile locked": {sandbox.Fault{Op: "event_upsert", Code: "423"}, upstream.Unavailable, false, ""},
		"too fast":       {sandbox.Fault{Op: "event_upsert", Code: "429"}, upstream.RateLimited, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.connect(0)
			b.queue.take()
			tt.fault.Vendor, tt.fault.Kind = "cronofy", sandbox.FaultCode
			b.ok(b.box.AddFault(tt.fault))
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			id := b.task(0, "x", due)
			err := b.run(ctx, hintOf(id))[0]
			var up *upstream.Error
			if errors.As(err, &up) != (tt.class != "") || (up != nil && (up.Class != tt.class || up.Quota != tt.quota)) {
				t.Errorf("got %v", err)
			}
			if up != nil && relay.Permanent(err) {
				t.Error("would be dead at once")
			}
			if tt.metric != "" && b.meter.Of(tt.metric) != 1 {
				t.Errorf("%s is not counted", tt.metric)
			}
			b.box.ClearFaults()
			b.must(hintOf(id))
			b.want(0, id)
		})
	}
}

// After one agent's calendar says "too fast", the rest of the batch waits.
func TestRateLimitStopsTheBatch(t *testing.T) {
	b := newBed(t)
	b.connect(0)
	b.queue.take()
	b.box.Cronofy().SetLimits(sandbox.CronofyLimits{PerMinute: 5})
	var hints []calendar.Hint
	var ids []int64
	for range 30 {
		ids = append(ids, b.task(0, "x", due))
		hints = append(hints, hintOf(ids[len(ids)-1]))
	}
	b.box.ResetCalls()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	limited := 0
	for _, err := range b.run(ctx, hints...) {
		if upstream.ClassOf(err) == upstream.RateLimited && err != nil {
			limited++
		}
	}
	calls := 0
	for _, c := range b.box.Calls() {
		if c.Vendor == "cronofy" {
			calls++
		}
	}
	if limited < 20 || calls > 12 {
		t.Errorf("%d of 30 were told to wait, after %d calls", limited, calls)
	}
	b.box.Cronofy().SetLimits(sandbox.CronofyLimits{})
	b.must(hints...)
	b.want(0, ids...)
}

func TestDeskFailures(t *testing.T) {
	for _, op := range []string{"tickets_show_many", "users_show_many", "tickets_audits"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.connect(0)
			b.queue.take()
			id := b.task(0, "x", due)
			b.ok(b.box.AddFault(sandbox.Fault{Vendor: "zendesk", Op: op, Kind: sandbox.FaultStatus, Status: 503, RetryAfter: "60"}))
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := b.run(ctx, hintOf(id))[0]; upstream.ClassOf(err) != upstream.Unavailable {
				t.Errorf("got %v", err)
			}
			b.want(0)
			b.box.ClearFaults()
			b.must(hintOf(id))
			b.want(0, id)
		})
	}
}

// Five hundred tasks are created, moved, reassigned, solved and reopened in a
// random order; of the events some are lost, some come twice and all are
// shuffled, and a few are worked on in between. One reconcile later both
// calendars hold exactly what they should.
func TestFiveHundredTasks(t *testing.T) {
	b := newBed(t)
	rng := rand.New(rand.NewPCG(7, 11))
	b.connect(0)
	b.connect(1)
	b.drain()
	start := b.clock.Now()
	b.clock.Add(time.Minute)
	var ids []int64
	var pending []calendar.Hint
	told := func(id int64) {
		switch rng.IntN(4) {
		case 0: // lost
		case 1:
			pending = append(pending, hintOf(id), hintOf(id))
		default:
			pending = append(pending, hintOf(id))
		}
	}
	for i := range 500 {
		ids = append(ids, b.task(rng.IntN(3)-1, "task "+strconv.Itoa(i), due.Add(time.Duration(rng.IntN(2000))*time.Hour)))
		told(ids[i])
	}
	for range 1500 {
		id := ids[rng.IntN(len(ids))]
		z := b.box.Zendesk()
		switch rng.IntN(4) {
		case 0:
			b.assign(id, rng.IntN(3)-1)
		case 1:
			b.ok(z.SetType(id, "task", due.Add(time.Duration(rng.IntN(2000))*time.Hour)))
		case 2:
			b.ok(z.Solve(id))
		case 3:
			b.ok(z.Reopen(id))
		}
		told(id)
		if rng.IntN(100) == 0 {
			rng.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
			n := min(10, len(pending))
			b.must(pending[:n]...)
			pending = pending[n:]
		}
	}
	b.reconcile(start)
	b.drain()
	b.wantAll(ids)
}

// wantAll checks both calendars against what the desk holds.
func (b *bed) wantAll(ids []int64) {
	b.Helper()
	for n, zone := range []string{"Europe/Berlin", "America/New_York"} {
		if r, err := b.records.Load(context.Background(), b.agent(n)); err != nil || r.State != calendar.Connected {
			if !b.lossy {
				b.Errorf("%s: %s %v", people[n], r.State, err)
			}
			continue
		}
		var mine []int64
		events := b.events(n)
		loc, err := time.LoadLocation(zone)
		b.ok(err)
		for _, id := range ids {
			t, err := b.box.Zendesk().Ticket(id)
			b.ok(err)
			if t.AssigneeID != b.agentID(n) || t.Type != "task" || t.DueAt.IsZero() || !slices.Contains([]string{"new", "open", "pending", "hold"}, t.Status) {
				continue
			}
			mine = append(mine, id)
			e := events[b.sync.Settings.EventID(strconv.FormatInt(id, 10))]
			y, m, d := t.DueAt.In(loc).Date()
			if want := time.Date(y, m, d, 8, 0, 0, 0, loc); !e.Start.Equal(want) {
				b.Errorf("ticket %d, due %s: at %s, want %s", id, t.DueAt, e.Start, want)
			}
		}
		b.want(n, mine...)
	}
}

// A process that dies at any call leaves nothing that the next try does not mend.
func TestCutAtEveryCall(t *testing.T) {
	for _, how := range []fate{cutBefore, cutAfter} {
		for at := int32(1); at <= 9; at++ {
			b := startBed(t)
			b.connect(0)
			b.connect(1)
			b.drain()
			id := b.task(0, "x", due)
			b.must(hintOf(id))
			b.assign(id, 1)
			b.killed(at, how, hintOf(id))
			b.must(hintOf(id))
			b.want(0)
			b.want(1, id)
			b.close()
		}
	}
}

// killed works on hints in a process that dies at a call, and forgets what it
// held. It returns what was not done.
func (b *bed) killed(at int32, how fate, hints ...calendar.Hint) (left []calendar.Hint) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var n atomic.Int32
	b.setCut(func(r *http.Request) fate {
		if strings.Contains(r.URL.Path, "/zendesk/oauth/") {
			return served
		}
		switch c := n.Add(1); {
		case c < at:
			return served
		case c == at:
			defer cancel()
			return how
		}
		return cutBefore
	})
	errs := b.run(ctx, hints...)
	b.setCut(nil)
	b.build()
	for i, h := range dedupe(hints) {
		if errs[i] != nil {
			left = append(left, h)
		}
	}
	return left
}

// dedupe keeps the first hint of each ticket, as run does.
func dedupe(hints []calendar.Hint) (list []calendar.Hint) {
	for _, h := range hints {
		if !slices.ContainsFunc(list, func(o calendar.Hint) bool { return o.Group() == h.Group() }) {
			list = append(list, h)
		}
	}
	return list
}
