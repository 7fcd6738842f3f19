package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// hints is a queue that tests read.
type hints struct {
	list []relay.Hint
	err  error
}

func (q *hints) SendAll(_ context.Context, list ...relay.Hint) error {
	if q.err != nil {
		return q.err
	}
	q.list = append(q.list, list...)
	return nil
}

// take returns the hints as items of Sync and empties the queue.
func (q *hints) take() []relay.SyncItem {
	var items []relay.SyncItem
	for _, h := range q.list {
		items = append(items, relay.NewSyncItem([]relay.Hint{h}, false, time.Time{}))
	}
	q.list = nil
	return items
}

func (b *bed) reconciler() (*relay.Reconcile, *hints) {
	q := &hints{}
	return &relay.Reconcile{
		Desks: map[relay.DeskName]relay.ChangeDesk{relay.Zendesk: b.zd, relay.Salesforce: b.sf}, Rooms: b.rooms,
		Queue: q, Table: b.sync.Table, Meter: b.meter, Now: b.clock.Now,
	}, q
}

// reconcile runs the window that a schedule would ask for now.
func (b *bed) reconcile(desk relay.DeskName) (relay.ReconcileReport, *hints) {
	b.Helper()
	r, q := b.reconciler()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	report, err := r.Run(ctx, relay.Scheduled(desk, b.clock.Now()))
	if err != nil {
		b.Fatalf("reconcile: %v", err)
	}
	return report, q
}

// repair runs what was queued through Sync, which must work.
func (b *bed) repair(q *hints) {
	b.Helper()
	for some := range slices.Chunk(q.take(), 10) {
		for i, err := range b.run(some...) {
			if err != nil {
				b.Fatalf("sync of %v: %v", some[i], err)
			}
		}
	}
}

// quiet checks that neither ring finds anything to do.
func (b *bed) quiet(desk relay.DeskName) {
	b.Helper()
	b.clock.Add(2 * time.Minute)
	r, q := b.reconciler()
	r.Each = func(f relay.Found) { b.Errorf("reconcile still finds %+v", f) }
	if _, err := r.Run(context.Background(), relay.Scheduled(desk, b.clock.Now())); err != nil || len(q.list) > 0 {
		b.Errorf("reconcile: %v, queued %v", err, q.list)
	}
}

// changes are the ways in which a ticket's life goes on, each with what its room
// is like when it has got there.
var changes = []struct {
	name   string
	change func(b *bed, ref relay.Ref)
	want   func(b *bed, ref relay.Ref)
	// silent: nobody's notification brings it, so it is no repair.
	silent bool
}{
	{"assigned", func(b *bed, ref relay.Ref) { b.assign(ref, 0) }, func(b *bed, ref relay.Ref) {
		_, agent := b.agent(ref.Desk, 0)
		b.wantMembers(ref, "carol", agent)
	}, false},
	{"ended", func(b *bed, ref relay.Ref) { b.end(ref) }, func(b *bed, ref relay.Ref) {
		b.wantMuted(ref, true)
		b.wantMembers(ref, "carol")
	}, false},
	{"reopened", func(b *bed, ref relay.Ref) {
		b.end(ref)
		b.converge(ref)
		b.clock.Add(30 * time.Minute)
		b.reopen(ref)
	}, func(b *bed, ref relay.Ref) { b.wantMuted(ref, false) }, false},
	{"deleted", func(b *bed, ref relay.Ref) { b.remove(ref) }, func(b *bed, ref relay.Ref) {
		b.wantMuted(ref, true)
		mark, _ := relay.ParseMark(b.group(ref).Introduction)
		if mark.Deleted.IsZero() {
			b.Errorf("the mark %+v knows of no deletion", mark)
		}
	}, true},
	{"undeleted", func(b *bed, ref relay.Ref) {
		b.remove(ref)
		b.converge(ref, "deleted")
		b.clock.Add(30 * time.Minute)
		b.undelete(ref)
	}, func(b *bed, ref relay.Ref) {
		b.wantMuted(ref, false)
		if mark, _ := relay.ParseMark(b.group(ref).Introduction); !mark.Deleted.IsZero() {
			b.Errorf("the mark %+v still knows of a deletion", mark)
		}
	}, false},
	{"room vanished", func(b *bed, ref relay.Ref) {
		b.ok(b.rooms.Destroy(context.Background(), ref.GroupID()))
		b.assign(ref, 0)
	}, func(b *bed, ref relay.Ref) {
		_, agent := b.agent(ref.Desk, 0)
		b.wantMembers(ref, "carol", agent)
	}, false},
}

func TestReconcileRepairsWhatNobodyTold(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
				ref, other := b.open(desk, "carol", "Printer"), b.open(desk, "dave", "Lamp")
				b.converge(ref)
				b.converge(other)
				b.clock.Add(time.Hour)
				c.change(b, ref)
				b.clock.Add(5 * time.Minute)
				report, q := b.reconcile(desk)
				if report.Differing != 1 || report.Queued != 1 || len(q.list) != 1 || q.list[0].Ticket != ref.Ticket {
					t.Fatalf("%+v, queued %+v", report, q.list)
				}
				silent := c.silent && desk == relay.Zendesk
				if want := map[bool]int{false: 1, true: 0}[silent]; report.Repaired != want || b.meter.Of("Repaired") != want {
					t.Errorf("repaired %d, counted %d, want %d", report.Repaired, b.meter.Of("Repaired"), want)
				}
				b.repair(q)
				c.want(b, ref)
				b.quiet(desk)
			})
		})
	}
}

// TestReconcileYoungChange is of a change whose notification may be under way.
func TestReconcileYoungChange(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.assign(ref, 0)
		b.clock.Add(2 * time.Minute)
		report, q := b.reconcile(desk)
		if report.Queued != 1 || report.Repaired != 0 || len(q.list) != 1 {
			t.Errorf("%+v", report)
		}
	})
}

func TestReconcileDryRun(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.clock.Add(10 * time.Minute)
	r, q := b.reconciler()
	var found []relay.Found
	r.Each = func(f relay.Found) { found = append(found, f) }
	pages := 0
	r.Progress = func(relay.ReconcileReport) { pages++ }
	w := relay.Scheduled(relay.Zendesk, b.clock.Now())
	w.DryRun = true
	report, err := r.Run(context.Background(), w)
	if err != nil || report.Differing != 1 || report.Repaired != 1 || report.Queued != 0 || len(q.list) != 0 || b.meter.Of("Repaired") != 0 || pages != 1 {
		t.Errorf("%+v, %v, queued %v after %d pages", report, err, q.list, pages)
	}
	if len(found) != 1 || found[0].Ref != ref || !slices.Contains(found[0].Why, relay.NotAnnounced) {
		t.Errorf("found %+v", found)
	}
}

// TestReconcileCalls leaves agents to the join and leave routes.
func TestReconcileCalls(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		b.sync.Table.Calls = true
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.clock.Add(time.Hour)
		b.assign(ref, 0)
		b.clock.Add(5 * time.Minute)
		if report, _ := b.reconcile(desk); report.Ours != 1 || report.Differing != 0 {
			t.Errorf("%+v", report)
		}
	})
}

// TestReconcileWindows looks at a day in windows that overlap, and at a window
// in several pages.
func TestReconcileWindows(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		b.box.Zendesk().SetLimits(sandbox.ZendeskLimits{}) // the clock stands still
		begin := b.clock.Now()
		const tickets = 24
		var refs []relay.Ref
		for i := range tickets {
			refs = append(refs, b.open(desk, "carol"+strconv.Itoa(i), "Printer"))
			b.clock.Add(7 * time.Minute)
		}
		b.clock.Add(30 * time.Minute)
		queued := map[string]int{}
		r, q := b.reconciler()
		for at := begin.Add(5 * time.Minute); at.Before(b.clock.Now()); at = at.Add(5 * time.Minute) {
			if _, err := r.Run(context.Background(), relay.Scheduled(desk, at)); err != nil {
				t.Fatal(err)
			}
			for _, it := range q.take() {
				queued[it.Ticket]++
			}
		}
		for _, ref := range refs {
			if n := queued[ref.Ticket]; n < 3 || n > 5 {
				t.Errorf("%s was queued by %d windows of twenty minutes, one every five", ref.Ticket, n)
			}
		}

		// What changed behind a window is another one's.
		b.clock.Add(time.Minute)
		report, err := r.Run(context.Background(), relay.Window{Desk: desk, From: begin.Add(-time.Minute), Until: begin.Add(20 * time.Minute)})
		if err != nil || report.Ours != 3 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// pagedFeed has pages of tickets that nobody has rooms for.
type pagedFeed struct {
	relay.ChangeDesk
	pages int
	size  int
	fail  int // the page that fails, once
	asked []string
}

func (f *pagedFeed) Changes(_ context.Context, from, _ time.Time, cursor string) (relay.Changes, error) {
	f.asked = append(f.asked, cursor)
	n, _ := strconv.Atoi(cursor)
	if f.fail > 0 && n == f.fail {
		f.fail = 0
		return relay.Changes{}, errors.New("the desk is down")
	}
	var page relay.Changes
	for i := range f.size {
		page.Listed++
		page.Tickets = append(page.Tickets, relay.Change{At: from, Ticket: relay.Ticket{
			ID: strconv.Itoa(n*f.size + i + 1), Ours: true, Customer: relay.Account{UserID: "carol"},
		}})
	}
	if n+1 < f.pages {
		page.Next = strconv.Itoa(n + 1)
	}
	return page, nil
}

// emptyChat has no rooms, and remembers the most that were asked for at once.
type emptyChat struct{ most int }

func (c *emptyChat) Read(_ context.Context, _ string, ids ...string) (map[string]relay.Room, error) {
	c.most = max(c.most, len(ids))
	return map[string]relay.Room{}, nil
}

func (*emptyChat) FitName(name, _ string) string { return name }

func TestReconcilePages(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	feed := &pagedFeed{ChangeDesk: b.zd, pages: 400, size: 100, fail: 250}
	chat, q := &emptyChat{}, &hints{}
	r := &relay.Reconcile{
		Desks: map[relay.DeskName]relay.ChangeDesk{relay.Zendesk: feed}, Rooms: chat, Queue: q, Meter: b.meter, Now: b.clock.Now,
	}
	w := relay.Window{Desk: relay.Zendesk, From: b.clock.Now().Add(-time.Hour), Until: b.clock.Now()}
	report, err := r.Run(context.Background(), w)
	if err == nil || relay.Permanent(err) || report.Next != "250" || report.Queued != 25000 {
		t.Fatalf("%+v, %v", report, err)
	}
	w.Cursor = report.Next
	report, err = r.Run(context.Background(), w)
	if err != nil || report.Next != "" || report.Queued != 15000 || len(q.list) != 40000 {
		t.Errorf("%+v, %v, %d hints", report, err, len(q.list))
	}
	if chat.most != 100 {
		t.Errorf("%d rooms at once", chat.most)
	}

	// Little time is enough for a page, and the rest is told.
	feed.asked = nil
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	w.Cursor = "7"
	if report, err = r.Run(ctx, w); err != nil || report.Next != "8" || len(feed.asked) != 1 {
		t.Errorf("%+v, %v, asked for %v", report, err, feed.asked)
	}
}

func TestReconcileRepeatedRows(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	ticket := relay.Ticket{ID: ref.Ticket, Ours: true, Customer: relay.Account{UserID: "carol"}}
	now := b.clock.Now()
	feed := &fixedFeed{ChangeDesk: b.zd, pages: []relay.Changes{
		{Tickets: []relay.Change{{Ticket: ticket, At: now}, {Ticket: ticket, At: now.Add(time.Second)}}, Next: "1"},
		{Tickets: []relay.Change{{Ticket: ticket, At: now.Add(time.Minute)}}},
	}}
	r, q := b.reconciler()
	r.Desks[relay.Zendesk] = feed
	report, err := r.Run(context.Background(), relay.Window{Desk: relay.Zendesk, From: now, Until: now.Add(time.Hour)})
	if err != nil || report.Queued != 1 || len(q.list) != 1 {
		t.Errorf("%+v, %v, queued %v", report, err, q.list)
	}
}

type fixedFeed struct {
	relay.ChangeDesk
	pages []relay.Changes
}

func (f *fixedFeed) Changes(_ context.Context, _, _ time.Time, cursor string) (relay.Changes, error) {
	n, _ := strconv.Atoi(cursor)
	return f.pages[n], nil
}

// TestReconcileErased is of a ticket deleted for good before anybody looked.
func TestReconcileErased(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	now := b.clock.Now()
	b.ok(b.box.Zendesk().Delete(b.number(ref)))
	b.ok(b.box.Zendesk().PermanentlyDelete(b.number(ref)))
	erased := func(id string) relay.Change {
		return relay.Change{Ticket: relay.Ticket{ID: id, Deleted: true}, At: now, Erased: true}
	}
	r, q := b.reconciler()
	r.Desks[relay.Zendesk] = &fixedFeed{ChangeDesk: b.zd, pages: []relay.Changes{{Tickets: []relay.Change{erased(ref.Ticket), erased("77")}}}}
	report, err := r.Run(context.Background(), relay.Window{Desk: relay.Zendesk, From: now, Until: now.Add(time.Hour)})
	if err != nil || report.Queued != 1 || report.Ours != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	b.repair(q)
	b.wantMuted(ref, true)
}

func TestReconcileRefusals(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	b.open(relay.Zendesk, "carol", "Printer")
	b.clock.Add(10 * time.Minute)
	now := b.clock.Now()
	b.box.Zendesk().SetLimits(sandbox.ZendeskLimits{}) // the clock stands still
	r, q := b.reconciler()
	for name, w := range map[string]relay.Window{
		"no desk":      {Desk: "jira", From: now.Add(-time.Hour), Until: now},
		"ends first":   {Desk: relay.Zendesk, From: now, Until: now},
		"no beginning": {Desk: relay.Zendesk, Until: now},
	} {
		if _, err := r.Run(context.Background(), w); !relay.Permanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A user who is no admin may become one.
	b.ok(b.box.Zendesk().SetRole(b.box.Fixtures().Zendesk.OwnUserID, "agent"))
	w := relay.Scheduled(relay.Zendesk, now)
	if _, err := r.Run(context.Background(), w); err == nil || relay.Permanent(err) {
		t.Errorf("no admin: %v", err)
	}
	b.ok(b.box.Zendesk().SetRole(b.box.Fixtures().Zendesk.OwnUserID, "admin"))
	q.err = errors.New("no queue")
	if report, err := r.Run(context.Background(), w); err == nil || report.Queued != 0 || b.meter.Of("Repaired") != 0 {
		t.Errorf("no queue: %+v, %v", report, err)
	}
	q.err = nil
	if report, err := r.Run(context.Background(), w); err != nil || report.Queued != 1 {
		t.Errorf("at last: %+v, %v", report, err)
	}
	// A cursor that a desk has forgotten begins again.
	w.Cursor = "bm9uc2Vuc2U="
	if report, err := r.Run(context.Background(), w); err != nil || report.Listed != 1 {
		t.Errorf("lost cursor: %+v, %v", report, err)
	}
}

// A page of routed work comes in the same order every time.
func TestOmniChannelOrder(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	b.sf.Omni = true
	org := b.box.Salesforce()
	var want []string
	for n := range 12 {
		want = append(want, b.open(relay.Salesforce, "carol", fmt.Sprint(n)).Ticket)
	}
	slices.Sort(want)
	b.clock.Add(time.Hour)
	from := b.clock.Now()
	for _, id := range want {
		_, err := org.AddAgentWork(id, b.box.Fixtures().Salesforce.AgentIDs[0])
		b.ok(err)
	}
	page, err := b.sf.Changes(context.Background(), from, from.Add(time.Minute), "")
	b.ok(err)
	var got []string
	for _, c := range page.Tickets {
		got = append(got, c.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Of work on cases that are not ours nothing is asked but whose they are: an org
// may route thousands, and every query counts against its limit of the day.
func TestReconcileOthersWork(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	b.sf.Omni = true
	org := b.box.Salesforce()
	id, err := org.CreateCase("theirs", "")
	b.ok(err)
	b.clock.Add(time.Hour)
	b.quiet(relay.Salesforce)
	work, err := org.AddAgentWork(id, b.box.Fixtures().Salesforce.AgentIDs[0])
	b.ok(err)
	b.ok(org.SetAgentWork(work, "Declined"))
	b.clock.Add(5 * time.Minute)
	b.box.ResetCalls()
	report, _ := b.reconcile(relay.Salesforce)
	if want := []string{"salesforce query_all", "salesforce query", "salesforce query_all"}; report.Queued != 0 || !slices.Equal(b.ops(), want) {
		t.Errorf("%+v after %v", report, b.ops())
	}
}

// Work in Omni-Channel ends without a change of its case, and nobody hears of it.
func TestReconcileOmniChannel(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	b.sf.Omni = true
	ref := b.open(relay.Salesforce, "carol", "Printer")
	org, agents := b.box.Salesforce(), b.box.Fixtures().Salesforce.AgentIDs
	work, err := org.AddAgentWork(ref.Ticket, agents[0])
	b.ok(err)
	b.ok(org.SetAgentWork(work, "Opened"))
	b.ok(org.SetOwner(ref.Ticket, agents[1]))
	b.converge(ref)
	b.wantMembers(ref, "carol", "sf_"+agents[0], "sf_"+agents[1])
	b.clock.Add(time.Hour)
	b.quiet(relay.Salesforce)
	b.ok(org.SetAgentWork(work, "Closed"))
	b.clock.Add(5 * time.Minute)
	report, q := b.reconcile(relay.Salesforce)
	if report.Listed != 1 || report.Queued != 1 || report.Repaired != 1 {
		t.Errorf("%+v", report)
	}
	b.repair(q)
	b.wantMembers(ref, "carol", "sf_"+agents[1])
	b.quiet(relay.Salesforce)
}
