package relay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

const (
	day           = 24 * time.Hour
	dissolveAfter = 7 * day
)

func (b *bed) sweeper() (*relay.Sweep, *hints) {
	q := &hints{}
	return &relay.Sweep{
		Desks: map[relay.DeskName]relay.SweepDesk{relay.Zendesk: b.zd, relay.Salesforce: b.sf}, Rooms: b.rooms,
		Queue: q, Table: b.sync.Table, Meter: b.meter, Now: b.clock.Now,
		DissolveAfter: dissolveAfter, HistoryDays: 7,
	}, q
}

// sweep runs all pages of all lists and returns what was done, added up.
func (b *bed) sweepWith(s *relay.Sweep, dryRun bool) relay.SweepReport {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var sum relay.SweepReport
	pages := s.Start(dryRun)
	for len(pages) > 0 {
		report, err := s.Run(ctx, pages[0])
		if err != nil {
			b.Fatalf("sweep of %+v: %v", pages[0], err)
		}
		pages = pages[1:]
		if report.Next != nil {
			pages = append(pages, *report.Next)
		}
		sum.Rooms += report.Rooms
		sum.Tickets += report.Tickets
		sum.Foreign += report.Foreign
		sum.Queued += report.Queued
		sum.Filed += report.Filed
		sum.Dissolved += report.Dissolved
		sum.Failed += report.Failed
	}
	return sum
}

func (b *bed) sweepAll() (relay.SweepReport, *hints) {
	b.Helper()
	s, q := b.sweeper()
	return b.sweepWith(s, false), q
}

func (b *bed) gone(ref relay.Ref) bool {
	_, ok := b.box.Group(ref.GroupID())
	return !ok
}

// TestSweepRepairs is of changes that neither a notification nor a window has
// brought.
func TestSweepRepairs(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
				ref, other := b.open(desk, "carol", "Printer"), b.open(desk, "dave", "Lamp")
				b.converge(ref)
				b.converge(other)
				c.change(b, ref)
				b.clock.Add(day)
				report, q := b.sweepAll()
				if report.Queued != 1 || len(q.list) != 1 || q.list[0].Ticket != ref.Ticket {
					t.Fatalf("%+v, queued %+v", report, q.list)
				}
				if c.name == "deleted" && desk == relay.Zendesk {
					return // Zendesk shows nothing of it from this side; see below
				}
				b.repair(q)
				c.want(b, ref)
				if report, q := b.sweepAll(); report.Queued != 0 || len(q.list) != 0 || report.Failed != 0 {
					t.Errorf("the next sweep: %+v, queued %+v", report, q.list)
				}
			})
		})
	}
}

// TestSweepHiddenTicket leaves a room alone whose ticket the desk just does not
// show: a permission may be wrong.
func TestSweepHiddenTicket(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.remove(ref)
	b.clock.Add(60 * day)
	s, q := b.sweeper()
	var why []relay.Difference
	s.Each = func(x relay.Swept) { why = append(why, x.Why...) }
	if report := b.sweepWith(s, false); report.Dissolved != 0 || report.Queued != 1 || !slices.Equal(why, []relay.Difference{relay.Hidden}) {
		t.Errorf("%+v, %v", report, why)
	}
	if err := b.run(q.take()...)[0]; !errors.Is(err, relay.ErrUnreadable) {
		t.Errorf("sync says %v", err)
	}
	b.wantMuted(ref, false)
}

func TestSweepDissolves(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref, open := b.open(desk, "carol", "Printer"), b.open(desk, "dave", "Lamp")
		b.converge(open)
		b.converge(ref)
		b.say("carol", ref, "it is broken")
		b.end(ref)
		b.converge(ref)

		b.clock.Add(dissolveAfter - time.Minute)
		if report, _ := b.sweepAll(); report.Dissolved != 0 || b.gone(ref) {
			t.Fatalf("too soon: %+v", report)
		}
		b.clock.Add(2 * time.Minute)
		s, _ := b.sweeper()
		var done []relay.Swept
		s.Each = func(x relay.Swept) {
			if x.Ref == ref {
				done = append(done, x)
			}
		}
		if report := b.sweepWith(s, true); report.Dissolved != 1 || b.gone(ref) || len(done) != 1 || done[0].Action != relay.SweepDissolved {
			t.Fatalf("a dry run: %+v, %+v", report, done)
		}
		report, q := b.sweepAll()
		if report.Dissolved != 1 || !b.gone(ref) || b.gone(open) || b.meter.Of("RoomDissolved") != 1 {
			t.Fatalf("%+v", report)
		}
		if got := b.filed(ref); len(got) != 1 || !strings.Contains(got[0], "it is broken") {
			t.Errorf("filed %q", got)
		}
		// The other room's first notice is about to leave the history.
		if want := []relay.Hint{{Ref: open, File: true}}; !slices.Equal(q.list, want) {
			t.Errorf("queued %+v, want %+v", q.list, want)
		}
		// It stays gone, until its ticket is opened again.
		b.converge(ref)
		if !b.gone(ref) {
			t.Error("a room that was dissolved came back")
		}
		b.reopen(ref)
		b.clock.Add(5 * time.Minute)
		_, q = b.reconcile(desk)
		b.repair(q)
		b.wantMembers(ref, "carol")
	})
}

// TestSweepUndeleteWindow keeps a deleted ticket's room as long as the ticket
// may come back, which counts from the deletion and not from the lock.
func TestSweepUndeleteWindow(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		window := map[relay.DeskName]time.Duration{relay.Zendesk: 30 * day, relay.Salesforce: 15 * day}[desk]
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.end(ref)
		b.converge(ref)
		b.clock.Add(6 * day)
		b.remove(ref)
		b.converge(ref, "deleted")
		b.clock.Add(window - time.Hour)
		if report, _ := b.sweepAll(); report.Dissolved != 0 || report.Queued != 0 || b.gone(ref) {
			t.Fatalf("too soon: %+v", report)
		}
		b.clock.Add(2 * time.Hour)
		if report, _ := b.sweepAll(); report.Dissolved != 1 || !b.gone(ref) {
			t.Errorf("too late: %+v", report)
		}
	})
}

// TestSweepUndeletedInTime is of a ticket that comes back while its room waits.
func TestSweepUndeletedInTime(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.say("carol", ref, "still here")
		b.remove(ref)
		b.converge(ref, "deleted")
		b.clock.Add(10 * day)
		b.undelete(ref)
		_, q := b.sweepAll()
		b.repair(q)
		b.wantMuted(ref, false)
		b.wantMembers(ref, "carol")
		b.clock.Add(60 * day)
		if report, _ := b.sweepAll(); report.Dissolved != 0 || b.gone(ref) {
			t.Errorf("%+v", report)
		}
	})
}

// TestSweepOnlyCompleteTranscripts keeps a room of which something is not filed
// yet, whatever its mark says.
func TestSweepOnlyCompleteTranscripts(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.end(ref)
		b.converge(ref)
		b.clock.Add(dissolveAfter + time.Hour)
		// An admin may write where everybody else is muted.
		_, err := b.rooms.Say(context.Background(), ref.GroupID(), relay.Notice{Text: "one more word", Random: 7})
		b.ok(err)
		report, q := b.sweepAll()
		if report.Dissolved != 0 || report.Queued != 1 || b.gone(ref) {
			t.Fatalf("%+v", report)
		}
		b.repair(q)
		if got := strings.Join(b.filed(ref), ""); !strings.Contains(got, "one more word") {
			t.Errorf("filed %q", got)
		}
		if report, _ = b.sweepAll(); report.Dissolved != 1 {
			t.Errorf("%+v", report)
		}
	})
}

// TestSweepRoomThatChanges is of a ticket that opens between the two reads.
func TestSweepRoomThatChanges(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.end(ref)
		b.converge(ref)
		b.clock.Add(dissolveAfter + time.Hour)
		s, _ := b.sweeper()
		s.Desks[desk] = &turningDesk{SweepDesk: s.Desks[desk], turn: func() { b.reopen(ref) }}
		if report := b.sweepWith(s, false); report.Dissolved != 0 || b.gone(ref) {
			t.Errorf("%+v", report)
		}
	})
}

// turningDesk changes behind its first read.
type turningDesk struct {
	relay.SweepDesk
	turn func()
}

func (d *turningDesk) Tickets(ctx context.Context, ids ...string) (map[string]relay.Ticket, error) {
	tickets, err := d.SweepDesk.Tickets(ctx, ids...)
	if d.turn != nil {
		d.turn()
		d.turn = nil
	}
	return tickets, err
}

// TestSweepFilesWhatAges files an open room's messages before the chat forgets
// them, and each once.
func TestSweepFilesWhatAges(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.say("carol", ref, "the first day")
		var all []string
		for n := range 12 {
			b.clock.Add(day)
			text := fmt.Sprintf("day %d", n+2)
			b.say("carol", ref, text)
			all = append(all, text)
			report, q := b.sweepAll()
			if report.Queued != 0 || report.Dissolved != 0 {
				t.Fatalf("day %d: %+v", n, report)
			}
			b.repair(q)
			b.wantMuted(ref, false)
		}
		b.end(ref)
		b.converge(ref)
		got := strings.Join(b.filed(ref), "\n")
		for _, text := range append(all, "the first day") {
			if strings.Count(got, ": "+text+"\n") != 1 {
				t.Errorf("%q stands %d times in\n%s", text, strings.Count(got, ": "+text+"\n"), got)
			}
		}
		if strings.Contains(got, "not kept") {
			t.Errorf("something was lost:\n%s", got)
		}
	})
}

// TestSweepFilesLongMessagesThatAge meets a page of the history that long
// messages cut short: the oldest message is not on it.
func TestSweepFilesLongMessagesThatAge(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{HistoryBytes: 8 << 10})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.say("carol", ref, "the first day")
	b.clock.Add(5*day + 13*time.Hour)
	for range 3 {
		b.say("carol", ref, strings.Repeat("x", 5000))
	}
	if report, _ := b.sweepAll(); report.Filed != 1 {
		t.Errorf("%+v", report)
	}
}

// TestSweepVanishedRoom brings back the room of an open ticket that has not
// changed in any window.
func TestSweepVanishedRoom(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref, ended := b.open(desk, "carol", "Printer"), b.open(desk, "dave", "Lamp")
		b.converge(ref)
		b.end(ended)
		b.converge(ended)
		b.clock.Add(3 * day)
		for _, r := range []relay.Ref{ref, ended} {
			b.ok(b.rooms.Destroy(context.Background(), r.GroupID()))
		}
		report, q := b.sweepAll()
		if report.Tickets != 1 || report.Queued != 1 {
			t.Errorf("%+v", report)
		}
		b.repair(q)
		b.wantMembers(ref, "carol")
		if !b.gone(ended) {
			t.Error("a ticket that has ended has a room again")
		}
	})
}

// TestSweepStrangers leaves alone what is not ours, and takes squats away from
// tickets that are.
func TestSweepStrangers(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ctx := context.Background()
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.ok(b.rooms.Destroy(ctx, ref.GroupID()))
	b.ok(b.rooms.Import(ctx, relay.Account{UserID: "mallory"}))
	squat := func(id string) {
		b.ok(b.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: id, Type: "Public", Name: "mine"}))
	}
	squat(ref.GroupID())
	squat("ZENDESK#424242") // of a ticket that is not there
	squat("party")
	foreign := relay.Ref{Desk: relay.Zendesk, Ticket: "5"}
	_, err := b.rooms.Ensure(ctx, relay.NewRoom{
		GroupID: foreign.GroupID(), Name: "theirs", Neutral: "theirs", Customer: "carol",
		Mark: relay.Mark{Desk: relay.DeskHash("other.zendesk.com"), Locked: b.clock.Now()},
	})
	b.ok(err)
	b.clock.Add(90 * day)

	report, q := b.sweepAll()
	if report.Foreign != 1 || report.Dissolved != 0 || report.Failed != 0 {
		t.Errorf("%+v", report)
	}
	for _, h := range q.list {
		if h.Ticket != ref.Ticket {
			t.Errorf("queued %+v", h)
		}
	}
	b.repair(&hints{list: q.list[:1]})
	b.wantMembers(ref, "carol")
	for _, id := range []string{"ZENDESK#424242", "party", foreign.GroupID()} {
		if _, ok := b.box.Group(id); !ok {
			t.Errorf("%s is gone", id)
		}
	}
}

// brokenChat cannot make out one room, and destroy none of another.
type brokenChat struct {
	relay.SweepRooms
	unread, stuck string
}

var errStuck = errors.New("it does not go")

func (c *brokenChat) Read(ctx context.Context, desk string, ids ...string) (map[string]relay.Room, error) {
	rooms, err := c.SweepRooms.Read(ctx, desk, ids...)
	if _, ok := rooms[c.unread]; ok {
		rooms[c.unread] = relay.Room{Err: errStuck}
	}
	return rooms, err
}

func (c *brokenChat) Destroy(ctx context.Context, id string) error {
	if id == c.stuck {
		return errStuck
	}
	return c.SweepRooms.Destroy(ctx, id)
}

func TestSweepOneBadRoom(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		var refs []relay.Ref
		for i := range 4 {
			refs = append(refs, b.open(desk, fmt.Sprintf("carol%d", i), "Printer"))
			b.converge(refs[i])
			b.end(refs[i])
			b.converge(refs[i])
		}
		b.clock.Add(dissolveAfter + time.Hour)
		s, _ := b.sweeper()
		s.Rooms = &brokenChat{b.rooms, refs[1].GroupID(), refs[2].GroupID()}
		report := b.sweepWith(s, false)
		if report.Dissolved != 2 || report.Failed != 2 || b.gone(refs[1]) || b.gone(refs[2]) || !b.gone(refs[0]) || !b.gone(refs[3]) {
			t.Errorf("%+v", report)
		}
		if b.meter.Of("SweepFailed") != 2 {
			t.Errorf("%d counted", b.meter.Of("SweepFailed"))
		}
	})
}

// TestSweepManyPages has more rooms and more open tickets than a page.
func TestSweepManyPages(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	chat := &manyRooms{n: 2345}
	desk := &manyTickets{n: 1234}
	q := &hints{}
	s := &relay.Sweep{
		Desks: map[relay.DeskName]relay.SweepDesk{relay.Zendesk: desk}, Rooms: chat, Queue: q, Meter: b.meter, Now: b.clock.Now,
		DissolveAfter: dissolveAfter, HistoryDays: 7,
	}
	report := b.sweepWith(s, false)
	if report.Tickets != 1234 || report.Queued != 1234 || len(q.list) != 1234 {
		t.Errorf("%+v, %d hints", report, len(q.list))
	}
	if chat.most > 500 || desk.most > 100 || chat.pages != 5 {
		t.Errorf("%d rooms and %d tickets at once, %d pages of rooms", chat.most, desk.most, chat.pages)
	}
}

// manyRooms lists rooms that nobody reads: each has gone since.
type manyRooms struct {
	emptyChat
	n, pages int
}

func (c *manyRooms) List(_ context.Context, cursor string, limit int) (ids []string, next string, err error) {
	c.pages++
	var from int
	_, _ = fmt.Sscan(cursor, &from)
	for i := from; i < min(from+limit, c.n); i++ {
		ids = append(ids, fmt.Sprintf("ZENDESK#%d", 900000+i))
	}
	if from+limit < c.n {
		next = fmt.Sprint(from + limit)
	}
	return ids, next, nil
}

func (c *manyRooms) History(context.Context, string, uint64) ([]relay.Message, error) {
	return nil, nil
}
func (c *manyRooms) Destroy(context.Context, string) error { return errStuck }

type manyTickets struct{ n, most int }

func (*manyTickets) Name() relay.DeskName                       { return relay.Zendesk }
func (*manyTickets) Host() string                               { return "acme.zendesk.com" }
func (*manyTickets) UndeleteWindow() time.Duration              { return 30 * day }
func (*manyTickets) Gone(context.Context, string) (bool, error) { return false, nil }

func (d *manyTickets) Tickets(_ context.Context, ids ...string) (map[string]relay.Ticket, error) {
	d.most = max(d.most, len(ids))
	return map[string]relay.Ticket{}, nil
}

func (d *manyTickets) OpenTickets(_ context.Context, _ bool, cursor string) (ids []string, next string, err error) {
	var from int
	_, _ = fmt.Sscan(cursor, &from)
	for i := from; i < min(from+100, d.n); i++ {
		ids = append(ids, fmt.Sprint(i+1))
	}
	if from+100 < d.n {
		next = fmt.Sprint(from + 100)
	}
	return ids, next, nil
}

func TestSweepRefusals(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	s, _ := b.sweeper()
	if _, err := s.Run(context.Background(), relay.SweepPage{List: "jira"}); !relay.Permanent(err) {
		t.Errorf("no such list: %v", err)
	}
	// A list that can't be gone on with is the next sweep's, and not in its way.
	b.ok(b.box.AddFault(sandbox.Fault{Vendor: "tencent", Op: "get_appid_group_list", Kind: sandbox.FaultCode, Code: "10004", Times: 1}))
	for _, page := range []relay.SweepPage{{List: "zendesk", Cursor: "bm9uc2Vuc2U"}, {List: relay.AllRooms, Cursor: "77"}, {List: relay.AllRooms, Cursor: "x"}} {
		report, err := s.Run(context.Background(), page)
		if err != nil || report.Next != nil || report.Failed != 1 {
			t.Errorf("%+v: %+v, %v", page, report, err)
		}
	}
}

// TestSweepOnePanic leaves the other rooms of a page to their sweep.
func TestSweepOnePanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &relay.Sweep{
			Desks: map[relay.DeskName]relay.SweepDesk{relay.Zendesk: &oldTickets{}}, Rooms: panickyChat{&farChat{}}, Queue: &hints{},
			Meter: &upstreamtest.Counts{}, Now: time.Now, DissolveAfter: dissolveAfter, HistoryDays: 7,
		}
		report, err := s.Run(t.Context(), relay.SweepPage{List: relay.AllRooms})
		if err != nil || report.Filed != 499 || report.Failed != 1 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

type panickyChat struct{ *farChat }

func (c panickyChat) History(ctx context.Context, id string, from uint64) ([]relay.Message, error) {
	if id == "ZENDESK#1007" {
		panic("a bug")
	}
	return c.farChat.History(ctx, id, from)
}

// TestSweepFarChat has a chat a quarter of a second away and a page full of rooms
// that have to be looked into, and one of rooms that have to go: each has to be
// done in what an invocation has time for, or it is begun again for ever.
func TestSweepFarChat(t *testing.T) {
	t.Parallel()
	for _, ended := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			chat := &farChat{ended: ended, locked: time.Now().Add(-20 * day)}
			s := &relay.Sweep{
				Desks: map[relay.DeskName]relay.SweepDesk{relay.Zendesk: &oldTickets{ended: ended}}, Rooms: chat, Queue: &hints{},
				Meter: &upstreamtest.Counts{}, Now: time.Now, DissolveAfter: dissolveAfter, HistoryDays: 7,
			}
			ctx, cancel := context.WithTimeout(t.Context(), 110*time.Second)
			defer cancel()
			report, err := s.Run(ctx, relay.SweepPage{List: relay.AllRooms})
			if err != nil || report.Rooms != 500 || (ended && (report.Dissolved != 500 || chat.destroyed != 500)) || (!ended && report.Filed != 500) {
				t.Errorf("ended %v: %+v, %v", ended, report, err)
			}
		})
	}
}

type farChat struct {
	ended     bool
	locked    time.Time
	mu        sync.Mutex
	destroyed int
}

func (c *farChat) far(ctx context.Context) error {
	select {
	case <-time.After(250 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *farChat) List(ctx context.Context, _ string, limit int) (ids []string, next string, err error) {
	for i := range limit {
		ids = append(ids, fmt.Sprintf("ZENDESK#%d", 1000+i))
	}
	return ids, "", c.far(ctx)
}

func (c *farChat) Read(ctx context.Context, desk string, groupIDs ...string) (map[string]relay.Room, error) {
	rooms := map[string]relay.Room{}
	for _, id := range groupIDs {
		room := relay.Room{
			Whose: relay.OurRoom, Name: "n", Shut: true, Created: c.locked.Unix(), LastSeq: 3,
			Members: []string{"carol"}, Mark: relay.Mark{Desk: desk, Announced: 1, Said: said("waiting")},
		}
		if c.ended {
			room.Muted, room.Mark.Locked, room.Mark.Filed, room.Mark.Said = true, c.locked, 3, said("ended")
		}
		rooms[id] = room
	}
	return rooms, c.far(ctx)
}

func (c *farChat) FitName(string, string) string { return "n" }

func (c *farChat) History(ctx context.Context, _ string, from uint64) ([]relay.Message, error) {
	old := time.Now().Add(-7 * day)
	return []relay.Message{{Seq: 3, Time: old}, {Seq: 2, Time: old}, {Seq: 1, Time: old}}, c.far(ctx)
}

func (c *farChat) Destroy(ctx context.Context, _ string) error {
	c.mu.Lock()
	c.destroyed++
	c.mu.Unlock()
	return c.far(ctx)
}

// said is what a mark says of a notice of that kind.
func said(kind string) string { return identity.HashID("", kind+"\n", 8) }

type oldTickets struct {
	manyTickets
	ended bool
}

func (d *oldTickets) Tickets(_ context.Context, ids ...string) (map[string]relay.Ticket, error) {
	tickets := map[string]relay.Ticket{}
	for _, id := range ids {
		t := relay.Ticket{ID: id, Ours: true, Customer: relay.Account{UserID: "carol"}}
		if d.ended {
			t.Status = relay.Closed
		}
		tickets[id] = t
	}
	return tickets, nil
}

// reopening reopens a ticket, as Sync does, while the sweep reads its room.
type reopening struct {
	relay.SweepRooms
	do func()
}

func (r *reopening) History(ctx context.Context, id string, from uint64) ([]relay.Message, error) {
	page, err := r.SweepRooms.History(ctx, id, from)
	if r.do != nil {
		r.do()
		r.do = nil
	}
	return page, err
}

func TestSweepRoomReopenedMeanwhile(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.end(ref)
		b.converge(ref)
		b.clock.Add(8 * day)
		s, _ := b.sweeper()
		s.Rooms = &reopening{s.Rooms, func() {
			b.reopen(ref)
			b.converge(ref)
			b.say("carol", ref, "it is broken again!")
		}}
		if report := b.sweepWith(s, false); report.Dissolved != 0 || b.gone(ref) {
			t.Errorf("%+v: a reopened room is destroyed", report)
		}
	})
}

// A locked room that is filed ends though its customer's account is gone.
func TestSweepRoomOfAVanishedCustomer(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.end(ref)
	b.converge(ref)
	b.ok(b.rooms.Remove(t.Context(), ref.GroupID(), "carol"))
	b.clock.Add(8 * day)
	if report, _ := b.sweepAll(); report.Dissolved != 1 || !b.gone(ref) {
		t.Errorf("%+v: the room stays", report)
	}
}
