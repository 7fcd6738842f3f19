package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// ChangeDesk is a ticketing system as [Reconcile] needs it.
type ChangeDesk interface {
	Name() DeskName
	// Host is the configured host, port included; a room's mark names it.
	Host() string
	// Changes returns one page of what changed in a window, deletions among it.
	// cursor is "" for the first page, then the last page's Next. A ticket may
	// come twice.
	Changes(ctx context.Context, from, until time.Time, cursor string) (Changes, error)
}

// Changes is one page of a desk's feed of changes.
type Changes struct {
	Listed  int      // tickets on the page, anybody's
	Tickets []Change // those of ours among them
	Tasks   []string // tickets of type task, anybody's: what calendars show
	Next    string   // cursor of the next page, "" at the end
}

// Change is a ticket as the feed shows it.
type Change struct {
	Ticket
	At time.Time // of its last change
	// Erased: all that is left of it is that it was deleted. Whether it was ours
	// only its room can say.
	Erased bool
}

// RoomReader reads rooms as [SyncRooms] does.
type RoomReader interface {
	Read(ctx context.Context, desk string, groupIDs ...string) (map[string]Room, error)
}

// Reconcile is the ring behind the notifications: it lists what changed at a
// desk, compares it with the rooms in bulk and queues what differs. It holds one
// page at a time, however many tickets there are.
type Reconcile struct {
	Desks map[DeskName]ChangeDesk
	Rooms RoomReader
	Queue HintQueue
	// Calendars takes what may have to change in agents' calendars; nil where
	// there are none.
	Calendars TaskQueue
	Table     Table
	Meter     Meter
	Now       Clock
	// Each, if set, is told of every difference.
	Each func(Found)
	// Progress, if set, is told the report after every page.
	Progress func(ReconcileReport)
}

// The bounds of a window that a schedule asks for, before its time. Windows are
// every five minutes and overlap, for a change may become visible late; a desk
// does not show the last minute.
const (
	WindowFrom  = 21 * time.Minute
	WindowUntil = time.Minute
)

// Window is a time of one desk to look at.
type Window struct {
	Desk        DeskName
	From, Until time.Time
	// Cursor goes on where an earlier run ended; "" begins.
	Cursor string
	// DryRun looks, reports and queues nothing.
	DryRun bool
}

// Scheduled returns the window of a schedule's time.
func Scheduled(desk DeskName, at time.Time) Window {
	return Window{Desk: desk, From: at.Add(-WindowFrom), Until: at.Add(-WindowUntil)}
}

// ReconcileReport is what a run found and did.
type ReconcileReport struct {
	Listed    int // tickets that changed, anybody's
	Ours      int
	Differing int // tickets whose rooms are not what they say
	Queued    int
	// Repaired counts those that differ although a notification should have
	// brought the change more than three minutes ago.
	Repaired int
	// Next is the cursor to go on with when the time ran out, "" when the whole
	// window was seen.
	Next string
}

// Found is a ticket whose room differs.
type Found struct {
	Hint    // what is queued
	Why     []Difference
	Changed time.Time // zero if unknown
}

// notified is how long a change may take to reach its room by the notification.
const notified = 3 * time.Minute

// pageTime is what a page is given at least: with less left, a run ends with a
// cursor.
const pageTime = 20 * time.Second

// Run looks at a window. An error that no other try mends says so by
// [Permanent]; a desk that refuses its feed may think otherwise tomorrow. What
// is queued by an earlier page stays queued when a later one fails; the error
// then comes beside the report so far, whose Next is the cursor of the page that
// failed.
func (r *Reconcile) Run(ctx context.Context, w Window) (ReconcileReport, error) {
	var report ReconcileReport
	desk, ok := r.Desks[w.Desk]
	switch {
	case !ok:
		return report, fmt.Errorf("relay: %w: desk %s is not configured", errPermanent, w.Desk)
	case w.From.IsZero() || !w.From.Before(w.Until):
		return report, fmt.Errorf("relay: %w: the window ends before it begins", errPermanent)
	}
	queued := seenBefore{}
	for cursor := w.Cursor; ; {
		report.Next = cursor
		page, err := upstream.Retry(ctx, func(ctx context.Context) (Changes, error) {
			return desk.Changes(ctx, w.From, w.Until, cursor)
		})
		if errors.Is(err, ErrCursor) && cursor != "" && cursor == w.Cursor {
			w.Cursor, cursor = "", "" // from the beginning, once
			continue
		}
		if err == nil {
			err = r.page(ctx, desk, w, page, queued, &report)
		}
		if err != nil {
			return report, &batchError{err}
		}
		cursor, report.Next = page.Next, page.Next
		if r.Progress != nil {
			r.Progress(report)
		}
		if cursor == "" || short(ctx) {
			return report, nil
		}
	}
}

// short reports whether there is no time for another page.
func short(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < pageTime
}

// tasks queues every task on a page. What a calendar shows of it is not looked
// up: that would take more calls than to write what is there already.
func (r *Reconcile) tasks(ctx context.Context, w Window, page Changes) error {
	if r.Calendars == nil || len(page.Tasks) == 0 || w.DryRun {
		return nil
	}
	return r.Calendars.SendTasks(ctx, slices.Compact(slices.Sorted(slices.Values(page.Tasks)))...)
}

func (r *Reconcile) page(ctx context.Context, desk ChangeDesk, w Window, page Changes, queued seenBefore, report *ReconcileReport) error {
	report.Listed += page.Listed
	if err := r.tasks(ctx, w, page); err != nil {
		return err
	}
	byID := map[string]Change{}
	var groups []string
	for _, c := range page.Tickets {
		if old, ok := byID[c.ID]; ok {
			if c.At.After(old.At) {
				byID[c.ID] = c
			}
			continue
		}
		byID[c.ID] = c
		groups = append(groups, Ref{w.Desk, c.ID}.GroupID())
	}
	if len(groups) == 0 {
		return nil
	}
	rooms, err := r.Rooms.Read(ctx, DeskHash(desk.Host()), groups...)
	if err != nil {
		return err
	}
	t := r.Table
	var hints []Hint
	var late int
	for _, group := range groups {
		ref, err := ParseGroupID(group)
		if err != nil {
			continue // a desk's id that names no room
		}
		c, room := byID[ref.Ticket], rooms[group]
		if !c.Erased {
			report.Ours++
		}
		if room.Err != nil {
			unread(ctx, r.Meter, ref, room.Err)
		}
		f := Found{Hint: hintOf(ref, c.Ticket, c.Erased), Why: t.changed(ref, c, room), Changed: c.At}
		if len(f.Why) == 0 || queued.add(ref.Ticket) {
			continue
		}
		report.Differing++
		if r.Now().Sub(c.At) > notified && slices.ContainsFunc(f.Why, notifies(w.Desk, c)) {
			late++
		}
		if r.Each != nil {
			r.Each(f)
		}
		hints = append(hints, f.Hint)
	}
	report.Repaired += late
	if w.DryRun {
		return nil
	}
	if err := sendAll(ctx, r.Queue, hints); err != nil {
		return err
	}
	report.Queued += len(hints)
	r.Meter.Count(ctx, "Reconciled", len(hints), "desk", string(w.Desk))
	r.Meter.Count(ctx, "Repaired", late, "desk", string(w.Desk))
	if late > 0 {
		slog.WarnContext(ctx, "changes came without their notification", "desk", w.Desk, "tickets", late)
	}
	return nil
}

// changed is Compare for a row of the feed. A room that could not be read may
// be anything.
func (t Table) changed(ref Ref, c Change, room Room) []Difference {
	switch {
	case room.Err != nil:
		return []Difference{RoomUnread}
	case c.Erased && room.Whose != OurRoom:
		return nil // it may have been anybody's, and so may the group
	case c.Erased:
		return t.CompareHidden(ref, room, true)
	default:
		return t.Compare(ref.Desk, c.Ticket, room)
	}
}

// unread reports a room that a bulk read could not make out.
func unread(ctx context.Context, m Meter, ref Ref, err error) {
	m.Count(ctx, "RoomUnread", 1, "desk", string(ref.Desk))
	slog.WarnContext(ctx, "room not read", "desk", ref.Desk, "ticket", ref.Ticket, "err", err)
}

// notifies reports whether the desk's notifications, however they are set up,
// bring a change that makes this difference: Zendesk's triggers know of no
// deletion and no merge, and nobody tells of a member who was kicked.
func notifies(desk DeskName, c Change) func(Difference) bool {
	silent := desk == Zendesk && (c.Deleted || c.Erased || c.Merged)
	return func(d Difference) bool {
		switch d {
		case NoSuchRoom, NotLocked, NotOpened, AgentMissing, AgentExtra, NotAnnounced:
			return !silent
		default:
			return false
		}
	}
}

// seenBefore remembers some ids, so that a ticket that a feed repeats is queued
// once. It forgets all of them when they become many: a ticket may be queued
// twice.
type seenBefore map[string]bool

const maxSeen = 20000

func (s seenBefore) add(id string) (before bool) {
	if s[id] {
		return true
	}
	if len(s) >= maxSeen {
		clear(s)
	}
	s[id] = true
	return false
}
