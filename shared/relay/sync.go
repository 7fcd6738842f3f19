package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
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

	// MaxPart is how many bytes one part of a transcript may have on a ticket.
	MaxPart() int
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

// Status is where a ticket is in its life.
type Status int

// The statuses. Salesforce knows no Solved.
const (
	Open   Status = iota
	Solved        // may be reopened by anybody
	Closed        // Salesforce: may be reopened by an agent; Zendesk: never
)

// Ticket is a ticket as a desk shows it.
type Ticket struct {
	ID       string
	Ours     bool   // caseroom made it, by the fields that only caseroom writes
	Key      string // the hashed key that made it
	Customer Account
	Subject  string
	Status   Status
	Final    bool // it takes no notes any more: Zendesk's closed
	Merged   bool
	Into     string // the survivor, "" if the row does not say
	Deleted  bool   // the row itself says so
	Agents   []Agent
	Locale   string // the customer's, such as "ja" or "en-US"; "" if unknown
	// Stamp is the state that the row was read in, for [TicketDesk.File]; zero
	// where a desk has no states.
	Stamp time.Time
}

// Agent is a human who works on a ticket.
type Agent struct {
	ID   string // the desk's user id
	Name string
}

// SyncRooms is the chat side as Sync needs it.
type SyncRooms interface {
	Rooms
	// Read returns the rooms by group id, in bulk; desk is the hash that marks ours.
	Read(ctx context.Context, desk string, groupIDs ...string) (map[string]Room, error)
	// FitName returns the name a room of that subject has.
	FitName(name, neutral string) string
	// Change writes what the change names in one call.
	Change(ctx context.Context, groupID string, change RoomChange) error
	// Remove takes members out; removing a stranger succeeds.
	Remove(ctx context.Context, groupID string, userIDs ...string) error
	// Say sends a notice and returns its sequence number. The same notice within
	// minutes is sent once. ErrRefusedText: moderation minds its words.
	Say(ctx context.Context, groupID string, n Notice) (seq uint64, err error)
	// History returns some messages, newest first, none newer than the sequence
	// number from, or the newest for 0: at most twenty, fewer where they are long.
	History(ctx context.Context, groupID string, from uint64) ([]Message, error)
}

// Whose says whose group has a room's id.
type Whose int

// The owners of a group id.
const (
	NoRoom       Whose = iota // nobody's: there is no such group
	OurRoom                   // ours, with our mark and our desk
	ForeignRoom               // another stack's on the same app
	SquattedRoom              // anybody's
)

// Room is a room as the chat shows it. Unless it is ours only Whose is set.
type Room struct {
	// Err is why this room, unlike others of the same read, could not be made
	// out. Nothing else is set then.
	Err        error
	Whose      Whose
	Mark       Mark
	Name       string
	InvitesOff bool
	Muted      bool
	Created    int64  // Unix seconds
	LastSeq    uint64 // of the newest message, 0 before the first
	Members    []string
}

// RoomChange is written to a room in one call.
type RoomChange struct {
	Mark    Mark   // without a desk it is left as it is
	Name    string // "" leaves it
	Neutral string // when moderation refuses Name
	Mute    *bool  // nil leaves it
}

// Errors of Sync and of what it asks.
var (
	// ErrUnreadable means that a ticket cannot be seen and nothing else says that
	// it is gone: a permission or an address may be wrong. It is retried.
	ErrUnreadable = errors.New("relay: the desk does not show the ticket")
	// ErrRefusedText means that moderation refused a notice.
	ErrRefusedText = errors.New("relay: moderation refused the text")
	// ErrMoved means that a ticket changed since it was read.
	ErrMoved = errors.New("relay: the ticket changed meanwhile")
	// ErrCursor means that a list can no longer be gone on with where it was left.
	ErrCursor = errors.New("relay: the cursor is no longer known")
	// ErrCannotTake means that a ticket takes no part of a transcript any more.
	ErrCannotTake = errors.New("relay: the ticket takes no transcript")
)

// Sync re-reads tickets and makes their rooms what [Table] says: whoever the desk
// assigns is in, everybody else but the customer is out, and when a ticket ends
// its room is locked and its transcript filed. It holds no state and any number
// of Syncs of a ticket end in the same room.
type Sync struct {
	Desks       map[DeskName]TicketDesk
	Rooms       SyncRooms
	Transcripts *Transcripts
	Rules       identity.Rules // of agents' ids
	Texts       Texts
	Meter       Meter
	Now         Clock
	// Calls leaves agents to the join and leave routes (MEMBERSHIP=calls).
	Calls bool
	// SolvedOpen keeps solved tickets' rooms writable (SOLVED=open). A closed
	// ticket's room is locked in any case.
	SolvedOpen bool
	// TicketTimeout bounds the work on one ticket, waits for limits not counted;
	// 25 s if zero.
	TicketTimeout time.Duration
	// Wait pauses until a vendor takes more; upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error

	imported nicks
}

// SyncItem is one ticket to look at.
type SyncItem struct {
	Desk   DeskName
	Ticket string
	// Hints are what the messages said, such as "deleted" or "merged:<id>".
	Hints []string
	// Redelivered: an earlier try may have been cut off anywhere.
	Redelivered bool
	// Since is when the first message about the change was sent; zero if unknown.
	Since time.Time
}

// table is the table of states as this Sync follows it.
func (s *Sync) table() Table {
	return Table{
		Rules: s.Rules, Calls: s.Calls, SolvedOpen: s.SolvedOpen,
		Archive: s.Transcripts.Archive != nil, fit: s.Rooms.FitName,
	}
}

// parallel is how many tickets of a batch are worked on at once. Ten batches of
// five are about as fast as the chat's limits; more only meet them more often.
const parallel = 5

// Run brings the rooms of a batch of different tickets up to date and returns
// one error per item, nil where the room is right. Per desk it makes one read
// of the tickets and one of the rooms, and then only the writes that are needed.
//
// A ticket that meets a vendor's rate limit waits and goes on with what it has
// read, if the context leaves the time; those of its batch that have not begun
// wait with it. Where it does not, they fail with the same error.
func (s *Sync) Run(ctx context.Context, items []SyncItem) []error {
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
		all.Go(func() { s.runDesk(ctx, desk, items, indexes, errs) })
	}
	all.Wait()
	return errs
}

func (s *Sync) runDesk(ctx context.Context, desk TicketDesk, items []SyncItem, indexes []int, errs []error) {
	tickets, rooms, err := s.read(ctx, desk, items, indexes)
	if err != nil {
		for _, i := range indexes {
			errs[i] = &batchError{err}
		}
		return
	}
	var gate gate
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
			ref := RoomRef{it.Desk, it.Ticket}
			w := &work{Sync: s, desk: desk, item: it, view: view{
				Table: s.table(), ref: ref, room: rooms[ref.GroupID()], gone: slices.Contains(it.Hints, "deleted"),
			}}
			w.ticket, w.seen = tickets[it.Ticket]
			errs[i] = s.patiently(ctx, w, &gate)
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
		groups[n] = RoomRef{items[i].Desk, items[i].Ticket}.GroupID()
	}
	var tickets map[string]Ticket
	var rooms map[string]Room
	wait := beside(ctx, func() (err error) {
		tickets, err = upstream.Retry(ctx, func(ctx context.Context) (map[string]Ticket, error) {
			return desk.Tickets(ctx, ids...)
		})
		return err
	})
	err := protected(ctx, func() (err error) {
		rooms, err = s.Rooms.Read(ctx, DeskHash(desk.Host()), groups...)
		return err
	})
	if deskErr := wait(); deskErr != nil {
		err = deskErr
	}
	return tickets, rooms, err
}

// patiently runs one ticket's work, and goes on with it after a vendor's limit.
// A refusal for being too fast is sure not to have done anything, and what the
// work has done and read by then it knows: only its view of the ticket is as old
// as the wait, which is less than an invocation. Whatever changes meanwhile has
// a message of its own behind this one.
func (s *Sync) patiently(ctx context.Context, w *work, gate *gate) error {
	for {
		err := s.guarded(ctx, w)
		if !limited(err) {
			return err
		}
		gate.note(err)
		if !s.wait(ctx, tooFast(err)) {
			return err
		}
	}
}

// limited reports whether a vendor refused a call for being too fast: not for
// what its plan allows in a day, which no wait inside an invocation lifts.
func limited(err error) bool {
	var up *upstream.Error
	return errors.As(err, &up) && up.Class == upstream.RateLimited && !up.Quota
}

// tooFast is how long to wait after a vendor's limit. Some do not say.
func tooFast(err error) time.Duration {
	var up *upstream.Error
	if errors.As(err, &up) && up.RetryAfter > 0 {
		return up.RetryAfter
	}
	return time.Second
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

// guarded runs one ticket's work under its own deadline, protected.
func (s *Sync) guarded(ctx context.Context, w *work) error {
	timeout := s.TicketTimeout
	if timeout == 0 {
		timeout = 25 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return protected(ctx, func() error { return w.run(ctx) }, "desk", w.item.Desk, "ticket", w.item.Ticket)
}

// errPermanent marks errors that no retry mends.
var errPermanent = errors.New("permanent")

// batchError failed a read of several tickets, so it says nothing about one.
type batchError struct{ err error }

func (e *batchError) Error() string { return e.err.Error() }
func (e *batchError) Unwrap() error { return e.err }

// Permanent reports whether trying a ticket again would meet err again. Refused
// credentials, missing permissions, exhausted plans and everything unknown may
// pass; a vendor's refusal of what was asked for, and another stack's room, do
// not.
func Permanent(err error) bool {
	var batch *batchError
	var up *upstream.Error
	switch {
	case err == nil || errors.As(err, &batch):
		return false
	case errors.Is(err, errPermanent) || errors.Is(err, ErrForeignRoom):
		return true
	case errors.Is(err, ErrUnreadable) || errors.Is(err, ErrNoRoom) || errors.Is(err, ErrNotJoined) || errors.Is(err, ErrMoved):
		return false
	case !errors.As(err, &up):
		return false
	}
	return up.Class == upstream.Refused && !up.Credentials && !up.Quota && up.Status != 401 && up.Status != 403
}

// gate keeps the rest of a batch from a vendor that said "too fast".
type gate struct {
	mu    sync.Mutex
	until time.Time
	err   error
}

func (g *gate) note(err error) {
	if !limited(err) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(tooFast(err)); until.After(g.until) {
		g.until, g.err = until, err
	}
}

// closed returns what the vendor said, nil if it takes all.
func (g *gate) closed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// left is for how long the vendor takes nothing.
func (g *gate) left() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.until)
}

// nicks remembers which accounts this process has imported, by the names it
// gave them, so that an agent of a thousand tickets is imported once.
type nicks struct {
	mu    sync.Mutex
	known map[string]string
}

const maxNicks = 10000

// fresh returns the accounts that were not imported under their present names.
func (n *nicks) fresh(accounts []Account) []Account {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool {
		nick, ok := n.known[a.UserID]
		return ok && nick == a.Nick
	})
}

func (n *nicks) add(accounts []Account) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) > maxNicks {
		n.known = map[string]string{}
	}
	for _, a := range accounts {
		n.known[a.UserID] = a.Nick
	}
}

func (n *nicks) forget(userID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, userID)
}
