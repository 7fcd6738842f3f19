package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// SweepDesk is a ticketing system as [Sweep] needs it.
type SweepDesk interface {
	Name() DeskName
	// Host is the configured host, port included; a room's mark names it.
	Host() string
	// Tickets and Gone are those of [TicketDesk].
	Tickets(ctx context.Context, ids ...string) (map[string]Ticket, error)
	Gone(ctx context.Context, id string) (bool, error)
	// OpenTickets returns one page of the ids of our tickets that have not ended,
	// solved ones among them if asked for, and the cursor of the next page, "" at
	// the end. What an index has not seen yet may be missing.
	OpenTickets(ctx context.Context, solved bool, cursor string) (ids []string, next string, err error)
	// UndeleteWindow is how long a deleted ticket may come back.
	UndeleteWindow() time.Duration
}

// SweepRooms is the chat side as [Sweep] needs it.
type SweepRooms interface {
	RoomReader
	// List returns one page of the ids of all groups that may be rooms, those of
	// strangers among them, and the cursor of the next page, "" at the end. It
	// returns ErrCursor for one that the chat does not go on with.
	List(ctx context.Context, cursor string, limit int) (ids []string, next string, err error)
	// History and Destroy are those of [SyncRooms].
	History(ctx context.Context, groupID string, from uint64) ([]Message, error)
	Destroy(ctx context.Context, groupID string) error
}

// Sweep is the outermost ring: it looks at all rooms from their side, and at all
// open tickets from theirs, page by page. It queues what differs and what is
// about to age out of the chat's history, and destroys the rooms whose time has
// come. Its pages do not depend on each other and may be repeated.
type Sweep struct {
	Desks map[DeskName]SweepDesk
	Rooms SweepRooms
	Queue HintQueue
	Table Table
	Meter Meter
	Now   Clock
	// DissolveAfter is how long a locked room stays.
	DissolveAfter time.Duration
	// HistoryDays is how long the chat keeps messages.
	HistoryDays int
	// Each, if set, is told of every room or ticket that something is done about.
	Each func(Swept)
}

// AllRooms is the list of the chat's rooms. The other lists are the desks'.
const AllRooms = "rooms"

// SweepPage is one page of one list.
type SweepPage struct {
	// List is [AllRooms], or the name of a desk, whose open tickets it is then.
	List   string
	Cursor string // "" for the first page
	// DryRun looks and reports, queues and destroys nothing.
	DryRun bool
}

// SweepAction is what is done about a room.
type SweepAction string

// The actions.
const (
	SweepQueued    SweepAction = "queue"    // Sync has to look at it
	SweepFiled     SweepAction = "file"     // Sync has to file its transcript so far
	SweepDissolved SweepAction = "dissolve" // it is destroyed
	SweepFailed    SweepAction = "failed"   // it could not be looked at or destroyed
)

// Swept is a room that something is done about.
type Swept struct {
	Ref
	Action SweepAction
	Why    []Difference // of SweepQueued
	Err    error        // of SweepFailed
}

// SweepReport is what a page held and what was done about it.
type SweepReport struct {
	Rooms     int // rooms of ours on the page
	Tickets   int // open tickets on the page
	Foreign   int // rooms of other stacks, left alone
	Queued    int // of them differing
	Filed     int // of them queued for their history's sake
	Dissolved int
	Failed    int
	// Next is the page that follows, nil after the last.
	Next *SweepPage
}

// Start returns the first page of every list.
func (s *Sweep) Start(dryRun bool) []SweepPage {
	pages := []SweepPage{{List: AllRooms, DryRun: dryRun}}
	for _, desk := range []DeskName{Zendesk, Salesforce} {
		if _, ok := s.Desks[desk]; ok {
			pages = append(pages, SweepPage{List: string(desk), DryRun: dryRun})
		}
	}
	return pages
}

// sweepRooms is how many rooms a page has: ten reads of rooms and five of
// tickets.
const sweepRooms = 500

// Run works off one page. An error that no other try mends says so by
// [Permanent]. A room that cannot be read, or destroyed, is reported
// and left for the next day; what concerns the whole page is an error, and the
// page may then be run again.
func (s *Sweep) Run(ctx context.Context, page SweepPage) (SweepReport, error) {
	run := &sweeping{Sweep: s, page: page, table: s.Table}
	var next string
	var err error
	switch desk := s.Desks[DeskName(page.List)]; {
	case page.List == AllRooms:
		next, err = run.rooms(ctx)
	case desk == nil:
		return run.report, fmt.Errorf("relay: %w: no list %q", errPermanent, page.List)
	default:
		next, err = run.tickets(ctx, desk)
	}
	if err != nil {
		return run.report, &batchError{err}
	}
	if next != "" {
		run.report.Next = &SweepPage{List: page.List, Cursor: next, DryRun: page.DryRun}
	}
	return run.report, nil
}

// sweeping is the work on one page.
type sweeping struct {
	*Sweep
	page   SweepPage
	table  Table
	report SweepReport
	hints  []Hint
}

func (w *sweeping) rooms(ctx context.Context) (next string, err error) {
	type page struct {
		ids  []string
		next string
	}
	list, err := upstream.Retry(ctx, func(ctx context.Context) (page, error) {
		ids, next, err := w.Rooms.List(ctx, w.page.Cursor, sweepRooms)
		return page{ids, next}, err
	})
	if errors.Is(err, ErrCursor) {
		w.cursorLost(ctx, err)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	byDesk := map[DeskName][]Ref{}
	for _, id := range list.ids {
		ref, err := ParseGroupID(id)
		if err == nil && ref.GroupID() == id && w.Desks[ref.Desk] != nil {
			byDesk[ref.Desk] = append(byDesk[ref.Desk], ref)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byDesk)) {
		if err := w.deskRooms(ctx, w.Desks[name], byDesk[name]); err != nil {
			return "", err
		}
	}
	return list.next, w.send(ctx)
}

// deskRooms looks at a page's rooms of one desk.
func (w *sweeping) deskRooms(ctx context.Context, desk SweepDesk, refs []Ref) error {
	views, err := w.read(ctx, desk, refs)
	if err != nil {
		return err
	}
	var due []Ref
	var right []*view
	ours, odd := 0, 0
	for _, v := range views {
		switch {
		case v.room.Whose == ForeignRoom:
			w.report.Foreign++
			if v.row() == rowForeign && v.seen {
				odd++
			}
			continue
		case v.unclaimed():
			w.report.Foreign++
			odd++
			w.Meter.Count(ctx, "RoomMarkLost", 1, "desk", string(v.ref.Desk))
			slog.ErrorContext(ctx, "a room's mark cannot be read", "desk", v.ref.Desk, "ticket", v.ref.Ticket, "written again", false)
			continue
		case v.room.Whose == OurRoom:
			w.report.Rooms++
			ours++
		default:
			odd++
		}
		why := v.differences()
		if w.due(desk, v, why) {
			due = append(due, v.ref)
			continue
		}
		if len(why) > 0 {
			w.queue(ctx, v, why)
			continue
		}
		right = append(right, v)
	}
	ageing := make([]bool, len(right))
	errs := forEachLimited(ctx, w.Now, right, func(i int, v *view) (err error) {
		ageing[i], err = w.ageing(ctx, v)
		return err
	})
	for i, v := range right {
		if errs[i] != nil {
			if err := w.failed(ctx, v.ref, errs[i]); err != nil {
				return err
			}
		}
		if ageing[i] {
			w.report.Filed++
			w.tell(Swept{Ref: v.ref, Action: SweepFiled})
			w.hints = append(w.hints, Hint{Ref: v.ref, File: true})
		}
	}
	if odd >= oddAtLeast && odd*oddShare >= odd+ours {
		// What is believed about rooms may be wrong, and nothing takes one back.
		held(ctx, w.Meter, desk.Name(), "many rooms at once are gone, squatted, foreign or without their marks")
		return nil
	}
	return w.dissolve(ctx, desk, due)
}

// The breaker: of a page that has so many odd rooms, and one in so many at least,
// nothing is destroyed. A listed room is odd if it is gone when it is read, squatted,
// without a mark, or another stack's for a ticket of ours.
const (
	oddAtLeast = 5
	oddShare   = 5
)

// sweepAtOnce is how many rooms of a page are worked on at once: a page of calls
// one after another to a chat that is far away outlasts an invocation.
const sweepAtOnce = 8

// forEachLimited works on views side by side and returns one error each. Those that
// have not begun when a vendor says "too fast" to two fail with the same error.
func forEachLimited(ctx context.Context, now Clock, views []*view, do func(i int, v *view) error) []error {
	errs := make([]error, len(views))
	gate := gate{now: now}
	slots := make(chan struct{}, sweepAtOnce)
	var all sync.WaitGroup
	for i, v := range views {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if errs[i] = gate.closed(); errs[i] == nil {
				errs[i] = Protect(ctx, func() error { return do(i, v) }, "desk", v.ref.Desk, "ticket", v.ref.Ticket)
				gate.note(v.ref.Ticket, errs[i])
			}
		})
	}
	all.Wait()
	return errs
}

// ticketsAtOnce is how many tickets are read together.
const ticketsAtOnce = 100

// read puts rooms and their tickets beside each other.
func (w *sweeping) read(ctx context.Context, desk SweepDesk, refs []Ref) ([]*view, error) {
	groups := make([]string, len(refs))
	for i, ref := range refs {
		groups[i] = ref.GroupID()
	}
	rooms, err := w.Rooms.Read(ctx, DeskHash(desk.Host()), groups...)
	if err != nil {
		return nil, err
	}
	var views []*view
	for i, ref := range refs {
		room := rooms[groups[i]]
		if room.Err != nil {
			unread(ctx, w.Meter, ref, room.Err)
			if err := w.failed(ctx, ref, room.Err); err != nil {
				return nil, err
			}
			continue
		}
		if room.Whose != NoRoom {
			views = append(views, &view{Table: w.table, ref: ref, room: room})
		}
	}
	for some := range slices.Chunk(views, ticketsAtOnce) {
		ids := make([]string, len(some))
		for i, v := range some {
			ids[i] = v.ref.Ticket
		}
		tickets, err := upstream.Retry(ctx, func(ctx context.Context) (map[string]Ticket, error) {
			return desk.Tickets(ctx, ids...)
		})
		if err != nil {
			return nil, err
		}
		for _, v := range some {
			v.ticket, v.seen = tickets[v.ref.Ticket]
		}
	}
	return views, nil
}

// queue hands a room to Sync. A ticket that a desk does not show is counted as
// Sync counts it.
func (w *sweeping) queue(ctx context.Context, v *view, why []Difference) {
	w.report.Queued++
	w.tell(Swept{Ref: v.ref, Action: SweepQueued, Why: why})
	w.hints = append(w.hints, hintOf(v.ref, v.ticket, v.row() == rowDeleted && !v.seen))
}

func (w *sweeping) tell(s Swept) {
	if w.Each != nil {
		w.Each(s)
	}
}

// failed reports a room that is left for the next day, unless err says that the
// others would fare no better now.
func (w *sweeping) failed(ctx context.Context, ref Ref, err error) error {
	var up *upstream.Error
	if errors.As(err, &up) && (up.Class == upstream.RateLimited || up.Class == upstream.Unavailable || up.Credentials) || ctx.Err() != nil {
		return err
	}
	w.report.Failed++
	w.tell(Swept{Ref: ref, Action: SweepFailed, Err: err})
	w.Meter.Count(ctx, "SweepFailed", 1, "desk", string(ref.Desk))
	slog.WarnContext(ctx, "room not swept", "desk", ref.Desk, "ticket", ref.Ticket, "err", err)
	return nil
}

func (w *sweeping) send(ctx context.Context) error {
	if w.page.DryRun {
		return nil
	}
	if err := sendAll(ctx, w.Queue, w.hints); err != nil {
		return err
	}
	w.Meter.Count(ctx, "SweepQueued", len(w.hints), "list", w.page.List)
	return nil
}

// ageSlack is how long before its end the chat's history is filed: what would
// not be there any more when the sweep after the next one comes.
const ageSlack = 36 * time.Hour

// ageing reports whether an open room's oldest message that is not filed is
// about to leave the chat's history.
func (w *sweeping) ageing(ctx context.Context, v *view) (bool, error) {
	horizon := w.Now().Add(-max(0, time.Duration(w.HistoryDays)*24*time.Hour-ageSlack))
	if w.HistoryDays == 0 || v.row() != rowOpen || v.room.Whose != OurRoom || !v.unfiled() || time.Unix(v.room.Created, 0).After(horizon) {
		return false, nil
	}
	first := v.room.Mark.Filed + 1
	end := min(first+pageSize-1, v.room.LastSeq)
	page, err := history(ctx, w.Rooms, v.ref.GroupID(), first, end)
	if errors.Is(err, ErrNoRoom) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(page) > 0 {
		return !page[len(page)-1].Time.After(horizon), nil
	}
	// Those are gone already. What is behind them may be next.
	return end < v.room.LastSeq, nil
}

// due reports whether a room's time has come, as far as a bulk read shows: it is
// right, and has been for DissolveAfter; a deleted ticket's also until the
// ticket can come back no more. That its transcript is complete is looked at
// when it is destroyed: what the chat does not keep, nobody can file.
func (w *sweeping) due(desk SweepDesk, v *view, why []Difference) bool {
	row := v.row()
	if v.room.Whose != OurRoom || (row != rowLocked && row != rowDeleted) || !v.silenced() {
		return false
	}
	if slices.ContainsFunc(why, keepsOpen) {
		return false
	}
	end := v.room.Mark.Locked.Add(w.DissolveAfter)
	switch {
	case row == rowDeleted:
		if last := v.room.Mark.Deleted.Add(desk.UndeleteWindow()); last.After(end) {
			end = last
		}
	case v.ticket.Deleted: // by a merge, at a time that nobody wrote down
		end = end.Add(desk.UndeleteWindow())
	}
	return !w.Now().Before(end)
}

// dissolveAtOnce is how many rooms and tickets are read again together before
// they are destroyed: one call of the chat.
const dissolveAtOnce = 50

// keepsOpen reports whether a difference says that a room may still be wanted. A
// customer without an account does not: such a room would otherwise never end.
func keepsOpen(d Difference) bool {
	switch d {
	case NotFiled, MergeUnknown, CustomerMissing, StrangerExtra, AgentExtra, InvitesOpen, FormerHost:
		return false
	}
	return true
}

// dissolve destroys rooms whose time has come, after one more read of them and
// their tickets.
func (w *sweeping) dissolve(ctx context.Context, desk SweepDesk, refs []Ref) error {
	// In pieces: what is destroyed last was read as shortly before as the first.
	for some := range slices.Chunk(refs, dissolveAtOnce) {
		if err := w.dissolveSome(ctx, desk, some); err != nil {
			return err
		}
	}
	return nil
}

func (w *sweeping) dissolveSome(ctx context.Context, desk SweepDesk, refs []Ref) error {
	views, err := w.read(ctx, desk, refs)
	if err != nil {
		return err
	}
	ends := make([]ending, len(views))
	errs := forEachLimited(ctx, w.Now, views, func(i int, v *view) (err error) {
		ends[i], err = w.destroy(ctx, desk, v)
		return err
	})
	var stop error
	for i, v := range views {
		switch {
		case errs[i] != nil:
			stop = errors.Join(stop, w.failed(ctx, v.ref, errs[i]))
		case ends[i] == unfiledYet:
			w.queue(ctx, v, []Difference{NotFiled})
		case ends[i] == dissolved:
			w.report.Dissolved++
			w.tell(Swept{Ref: v.ref, Action: SweepDissolved})
		}
	}
	return stop
}

// ending is what became of a room whose time has come.
type ending int

const (
	staysYet   ending = iota // it changed just now, and is looked at again
	unfiledYet               // Sync has to file what was said last
	dissolved
)

func (w *sweeping) destroy(ctx context.Context, desk SweepDesk, v *view) (ending, error) {
	why := v.differences()
	if !w.due(desk, v, why) {
		return staysYet, nil
	}
	if v.row() == rowDeleted {
		gone, err := desk.Gone(ctx, v.ref.Ticket)
		if err != nil || !gone {
			return staysYet, err
		}
	}
	newest, err := w.Rooms.History(ctx, v.ref.GroupID(), 0)
	if errors.Is(err, ErrNoRoom) {
		return staysYet, nil
	}
	if err != nil {
		return staysYet, err
	}
	if len(newest) > 0 && newest[0].Seq > v.room.Mark.Filed {
		return unfiledYet, nil
	}
	if w.page.DryRun {
		return dissolved, nil
	}
	// Nothing takes a destroyed room back: it must still be what was read.
	rooms, err := w.Rooms.Read(ctx, DeskHash(desk.Host()), v.ref.GroupID())
	if err != nil {
		return staysYet, err
	}
	switch now := rooms[v.ref.GroupID()]; {
	case now.Err != nil:
		return staysYet, now.Err
	case now.Whose != OurRoom || now.Created != v.room.Created || !now.Muted || now.Mark != v.room.Mark || now.LastSeq != v.room.LastSeq:
		return staysYet, nil
	}
	if err := w.Rooms.Destroy(ctx, v.ref.GroupID()); err != nil {
		return staysYet, err
	}
	w.Meter.Count(ctx, "RoomDissolved", 1, "desk", string(v.ref.Desk))
	logDissolved(ctx, v.ref)
	return dissolved, nil
}

// cursorLost reports a page that waited too long. The rest of its list is the
// next sweep's, which another try of this page would keep waiting.
func (w *sweeping) cursorLost(ctx context.Context, err error) {
	w.Meter.Count(ctx, "SweepFailed", 1, "list", w.page.List)
	slog.WarnContext(ctx, "list not gone on with", "list", w.page.List, "err", err)
	w.report.Failed++
}

// tickets looks at a page of a desk's open tickets for rooms that are gone.
func (w *sweeping) tickets(ctx context.Context, desk SweepDesk) (next string, err error) {
	name := desk.Name()
	type page struct {
		ids  []string
		next string
	}
	list, err := upstream.Retry(ctx, func(ctx context.Context) (page, error) {
		ids, next, err := desk.OpenTickets(ctx, w.table.SolvedOpen, w.page.Cursor)
		return page{ids, next}, err
	})
	if errors.Is(err, ErrCursor) {
		w.cursorLost(ctx, err)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var groups []string
	for _, id := range list.ids {
		groups = append(groups, Ref{name, id}.GroupID())
	}
	w.report.Tickets = len(groups)
	if len(groups) == 0 {
		return list.next, nil
	}
	rooms, err := w.Rooms.Read(ctx, DeskHash(desk.Host()), groups...)
	if err != nil {
		return "", err
	}
	for _, group := range groups {
		ref, err := ParseGroupID(group)
		if err != nil {
			continue
		}
		// Whatever else differs, the rooms' own pages show. The list may be of
		// some minutes ago, so Sync has to look at the ticket in any case.
		switch v := (&view{Table: w.table, ref: ref, room: rooms[group]}); {
		case v.room.Err != nil:
		case v.room.Whose == NoRoom:
			w.queue(ctx, v, []Difference{NoSuchRoom})
		case v.room.Whose.squat():
			w.queue(ctx, v, []Difference{Squat})
		}
	}
	return list.next, w.send(ctx)
}
