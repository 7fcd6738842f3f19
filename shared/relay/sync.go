package relay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// TicketDesk is a ticketing system as Sync needs it.
type TicketDesk interface {
	Name() DeskName
	// Host is the configured host, port included; a room's mark names it.
	Host() string
	// Tickets reads tickets by id, in bulk. One that the desk does not show is
	// missing from the map.
	Tickets(ctx context.Context, ids ...string) (map[string]Ticket, error)
	// Gone reads one ticket alone and reports whether the desk says that it is
	// deleted or does not exist. A ticket that is merely forbidden is an error.
	Gone(ctx context.Context, id string) (bool, error)
	// Survivor returns the ticket that a merged one went into, "" if the desk
	// does not say.
	Survivor(ctx context.Context, id string) (string, error)
	// Unique settles several open tickets of one request: the oldest stays, every
	// newer one is tagged, noted and solved. It reports whether t is a newer one.
	Unique(ctx context.Context, t Ticket) (newer bool, err error)

	// List makes an unlisted ticket one that [SweepDesk.OpenTickets] finds.
	List(ctx context.Context, t Ticket) error

	// MaxPart is how many bytes one part of a transcript may have on a ticket.
	MaxPart() int
	// PartSize is how many of them a text takes, whose desk may have to escape it.
	// The sizes of its pieces add up to no less.
	PartSize(text string) int
	// Parts returns the names of the parts that are filed on a ticket under a
	// prefix, and a state of the ticket from before they were looked for: seen, a
	// [Ticket.Stamp], or, where that is zero, the state it has now.
	Parts(ctx context.Context, ticketID, prefix string, seen time.Time) (names []string, stamp time.Time, err error)
	// File puts a part on a ticket whose state is still stamp, and returns its
	// new state. A desk without states has zero stamps and looks at none. The
	// errors are [ErrMoved], [ErrCannotTake] and upstream errors; after those of
	// unknown outcome the caller asks Parts again.
	File(ctx context.Context, ticketID string, part Part, stamp time.Time) (time.Time, error)
}

// SyncRooms is the chat side as Sync needs it.
type SyncRooms interface {
	Rooms
	// FitName returns the name that a room gets: name as the chat takes it, or the
	// neutral one where nothing is left of it.
	FitName(name, neutral string) string
	// Change writes what the change names in one call.
	Change(ctx context.Context, groupID string, change RoomChange) error
	// Remove takes members out; removing a stranger succeeds.
	Remove(ctx context.Context, groupID string, userIDs ...string) error
	// Say sends a notice and returns its sequence number. The same notice within
	// minutes is sent once. ErrRefusedText: moderation minds its words.
	Say(ctx context.Context, groupID string, n Notice) (seq uint64, err error)
}

// Sync re-reads tickets and makes their rooms what [Table] says: whoever the desk
// assigns is in, everybody else but the customer is out, and when a ticket ends
// its room is locked and its transcript given to [File]. It holds no state and any
// number of Syncs of a ticket end in the same room. Nothing else writes marks.
type Sync struct {
	Desks map[DeskName]TicketDesk
	Rooms SyncRooms
	// Files takes the tickets whose transcripts are to be filed.
	Files Queue
	// Transcripts archives what a room of ours holds that has become a squat.
	Transcripts *Transcripts
	Table       Table
	Texts       Texts
	Meter       Meter
	Now         Clock
	// TicketTimeout bounds the work on one ticket, waits for limits not counted;
	// 25 s if zero.
	TicketTimeout time.Duration
	// Wait pauses until a vendor takes more; upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error

	imported nicks
	squats   Squats
}

// SyncItem is one ticket to look at.
type SyncItem struct {
	Hint // what the messages about it said, put together
	// Redelivered: an earlier try may have been cut off anywhere.
	Redelivered bool
	// Since is when the first message about the change was sent; zero if unknown.
	Since time.Time
}

// NewSyncItem puts together what messages about one ticket say. Of several
// survivors of a merge the first one counts.
func NewSyncItem(hints []Hint, redelivered bool, since time.Time) SyncItem {
	it := SyncItem{Redelivered: redelivered, Since: since}
	it.Chat = len(hints) > 0
	for _, h := range hints {
		it.Ref = h.Ref
		it.Chat = it.Chat && h.Chat
		it.Deleted = it.Deleted || h.Deleted
		it.File = it.File || h.File
		if h.Filed.Created > it.Filed.Created || (h.Filed.Created == it.Filed.Created && h.Filed.Seq > it.Filed.Seq) {
			it.Filed = h.Filed
		}
		if it.Into == "" {
			it.Into = h.Into
		}
	}
	return it
}

// parallel is how many tickets of a batch are worked on at once. Ten batches of
// five are about as fast as the chat's limits; more only meet them more often.
const parallel = 5

// Run brings the rooms of a batch of different tickets up to date and returns
// one error per item, nil where the room is right. Per desk it makes one read
// of the tickets and one of the rooms, and then only the writes that are needed.
//
// A ticket that meets a vendor's rate limit waits and goes on with what it has
// read, if the context leaves the time. When a second one meets a limit, those
// of the batch that have not begun wait too; where the context does not leave
// the time, they fail with the same error.
func (s *Sync) Run(ctx context.Context, items []SyncItem) []error {
	return s.each(ctx, items, func(ctx context.Context, w *work, gate *gate) error {
		return s.retryOnRateLimit(ctx, w, gate, w.run)
	})
}

// each reads the tickets and rooms of a batch and works on every one of them.
func (s *Sync) each(ctx context.Context, items []SyncItem, do func(context.Context, *work, *gate) error) []error {
	errs := make([]error, len(items))
	byDesk := map[DeskName][]int{}
	for i, it := range items {
		byDesk[it.Desk] = append(byDesk[it.Desk], i)
	}
	var all sync.WaitGroup
	for name, indexes := range byDesk {
		desk, ok := s.Desks[name]
		if !ok {
			for _, i := range indexes {
				errs[i] = fmt.Errorf("relay: %w: desk %s is not configured", errPermanent, name)
			}
			continue
		}
		all.Go(func() { s.eachOf(ctx, desk, items, indexes, errs, do) })
	}
	all.Wait()
	return errs
}

func (s *Sync) eachOf(ctx context.Context, desk TicketDesk, items []SyncItem, indexes []int, errs []error, do func(context.Context, *work, *gate) error) {
	tickets, rooms, err := s.read(ctx, desk, items, indexes)
	if err != nil {
		for _, i := range indexes {
			errs[i] = &batchError{err}
		}
		return
	}
	gate := gate{now: s.Now}
	slots := make(chan struct{}, parallel)
	var all sync.WaitGroup
	for _, i := range indexes {
		it := items[i]
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if errs[i] = s.pass(ctx, &gate); errs[i] != nil {
				return
			}
			w := &work{Sync: s, desk: desk, item: it, view: view{
				Table: s.Table, ref: it.Ref, room: rooms[it.GroupID()], gone: it.Deleted,
			}}
			w.ticket, w.seen = tickets[it.Ticket]
			errs[i] = do(ctx, w, &gate)
		})
	}
	all.Wait()
}

// read makes the two bulk reads, beside each other. A panic in one is [ErrPanic]
// for all of the batch, though one ticket or room has caused it.
func (s *Sync) read(ctx context.Context, desk TicketDesk, items []SyncItem, indexes []int) (map[string]Ticket, map[string]Room, error) {
	ids, groups := make([]string, len(indexes)), make([]string, len(indexes))
	for n, i := range indexes {
		ids[n] = items[i].Ticket
		groups[n] = items[i].GroupID()
	}
	var tickets map[string]Ticket
	var rooms map[string]Room
	wait := async(ctx, func() (err error) {
		tickets, err = upstream.Retry(ctx, func(ctx context.Context) (map[string]Ticket, error) {
			return desk.Tickets(ctx, ids...)
		})
		return err
	})
	err := Protect(ctx, func() (err error) {
		rooms, err = s.Rooms.Read(ctx, DeskHash(desk.Host()), groups...)
		return err
	})
	if deskErr := wait(); deskErr != nil {
		err = deskErr
	}
	return tickets, rooms, err
}

// retryOnRateLimit runs one ticket's work, and goes on with it after a vendor's limit.
// A refusal for being too fast is sure not to have done anything, and what the
// work has done and read by then it knows: only its view of the ticket is as old
// as the wait, which is less than an invocation. Whatever changes meanwhile has
// a message of its own behind this one.
func (s *Sync) retryOnRateLimit(ctx context.Context, w *work, gate *gate, do func(context.Context) error) error {
	for {
		err := s.attempt(ctx, w, do)
		if !limited(err) {
			return err
		}
		gate.note(w.ref.Ticket, err)
		if !s.wait(ctx, tooFast(err)) {
			return err
		}
	}
}

// afterWait is the time that has to be left behind a wait.
const afterWait = 10 * time.Second

// wait waits, if that leaves time to work.
func (s *Sync) wait(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	if !ok || time.Until(deadline) < d+afterWait {
		return false
	}
	sleep := s.Wait
	if sleep == nil {
		sleep = upstream.Sleep
	}
	return sleep(ctx, d) == nil
}

// pass waits until a batch's vendor takes more.
func (s *Sync) pass(ctx context.Context, gate *gate) error {
	if left := gate.left(); left > 0 && !s.wait(ctx, left) {
		return gate.closed()
	}
	return nil
}

// attempt runs one ticket's work under its own deadline, by Protect.
func (s *Sync) attempt(ctx context.Context, w *work, do func(context.Context) error) error {
	timeout := s.TicketTimeout
	if timeout == 0 {
		timeout = 25 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return Protect(ctx, func() error { return do(ctx) }, "desk", w.item.Desk, "ticket", w.item.Ticket)
}
