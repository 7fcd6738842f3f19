package relay

import (
	"context"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// File puts transcripts on tickets. It has a queue of its own, so that however much
// there is to file, nobody waits for an agent; and a pace, for the desk's people
// share its limits. It keeps what it has done in the names of the parts alone:
// marks are Sync's, which hears from it how far a transcript is filed.
type File struct {
	Desks       map[DeskName]TicketDesk
	Rooms       SyncRooms
	Transcripts *Transcripts
	// Live is Sync's queue.
	Live  Queue
	Table Table
	Meter Meter
	Now   Clock
	// Pace is the least time between two parts that a run puts on a desk's tickets,
	// and before its first: runs that follow each other keep it too.
	Pace map[DeskName]time.Duration
	// TicketTimeout bounds the work on one ticket, waits for limits not counted;
	// 25 s if zero.
	TicketTimeout time.Duration
	// Wait pauses until a vendor takes more; upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error
}

// Run files what is to be filed of a batch of different tickets, and returns one
// error per item. A part that is filed stays filed, whatever comes after it.
func (f *File) Run(ctx context.Context, items []SyncItem) []error {
	paced := &Sync{
		Desks: map[DeskName]TicketDesk{}, Rooms: f.Rooms, Table: f.Table, Meter: f.Meter, Now: f.Now,
		TicketTimeout: f.TicketTimeout, Wait: f.Wait,
	}
	for name, desk := range f.Desks {
		if every := f.Pace[name]; every > 0 {
			desk = &pacedDesk{TicketDesk: desk, every: every, next: time.Now().Add(every)}
		}
		paced.Desks[name] = desk
	}
	return paced.each(ctx, items, func(ctx context.Context, w *work, gate *gate) error {
		t := &transcript{work: w, Transcripts: f.Transcripts}
		err := paced.retryOnRateLimit(ctx, w, gate, t.file)
		if t.filing == nil || t.filing.next-1 <= w.room.Mark.Filed {
			return err
		}
		told := f.Live.Send(ctx, Hint{Ref: w.ref, Filed: Filed{w.room.Created, t.filing.next - 1}})
		return firstRetryable(told, err)
	})
}

// transcript is the filing of one room's transcript.
type transcript struct {
	*work
	*Transcripts
	filing *filing // begun, and perhaps kept from going on by a limit; nil if none is
}

func (t *transcript) file(ctx context.Context) error {
	switch {
	case t.room.Err != nil:
		return t.room.Err
	case t.room.Whose != OurRoom:
		return nil // Sync asks again when it is
	}
	switch t.row() {
	case rowHidden:
		return t.hidden()
	case rowDeleted:
		if t.room.Mark.Deleted.IsZero() {
			return t.hidden() // Sync has not made sure of it
		}
	case rowOpen:
		if t.ticket.Status != Solved && !t.item.File {
			return nil // it was opened again
		}
	case rowLocked:
	default:
		return nil
	}
	if t.filing == nil {
		if !t.unfiled() {
			return nil
		}
		var err error
		if t.filing, err = t.begin(ctx, Filing{
			Desk: t.desk, Ref: t.ref, Created: t.room.Created, From: t.room.Mark.Filed + 1,
			ArchiveOnly: t.archiveOnly(), Customer: t.ticket.Customer.UserID, Stamp: t.ticket.Stamp,
		}); err != nil {
			return unlessGone(err)
		}
	}
	return unlessGone(t.filing.run(ctx))
}

// hidden waits a day for a ticket to be shown. The sweep asks again for what is
// not filed then.
func (t *transcript) hidden() error {
	if !t.item.Since.IsZero() && t.work.Now().Sub(t.item.Since) > 24*time.Hour {
		return nil
	}
	return ErrUnreadable
}

// pacedDesk takes parts no faster than every so often.
type pacedDesk struct {
	TicketDesk
	every time.Duration

	mu   sync.Mutex
	next time.Time // when the next part may be put on a ticket
}

func (d *pacedDesk) File(ctx context.Context, ticketID string, part Part, stamp time.Time) (time.Time, error) {
	if err := d.turn(ctx); err != nil {
		return time.Time{}, err
	}
	return d.TicketDesk.File(ctx, ticketID, part, stamp)
}

// turn waits for the next turn. Nobody takes one that comes too late for them.
func (d *pacedDesk) turn(ctx context.Context) error {
	d.mu.Lock()
	at := d.next
	if now := time.Now(); at.Before(now) {
		at = now
	}
	if deadline, ok := ctx.Deadline(); ok && at.After(deadline) {
		d.mu.Unlock()
		return context.DeadlineExceeded
	}
	d.next = at.Add(d.every)
	d.mu.Unlock()
	return upstream.Sleep(ctx, time.Until(at))
}

// spread makes a pace a little slower than its budget. Calls that begin at a pace
// may arrive closer to each other, and a minute would hold one too many.
const spread = 1.08

// Pace is the time between two of so many writes a minute, by one of several
// processes; zero writes are no limit.
func Pace(perMinute, processes int) time.Duration {
	if perMinute == 0 {
		return 0
	}
	return time.Duration(spread * float64(time.Minute) * float64(processes) / float64(perMinute))
}
