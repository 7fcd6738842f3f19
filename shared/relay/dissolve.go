package relay

import (
	"context"

	"github.com/caseroom/caseroom/shared/problem"
)

// Dissolve makes a room go: it files what was said in it, on the same path as
// Sync, and destroys it.
type Dissolve struct {
	Desks       map[DeskName]TicketDesk
	Rooms       SyncRooms
	Transcripts *Transcripts
}

// Run files a room's transcript and dissolves the room; one that is gone is
// dissolved. It sends no hint: Sync would make the room of an open ticket again.
//
// Errors: *problem.Error, NotFound for a desk that is not configured, Conflict
// for another stack's room and Unavailable for a transcript that nothing takes;
// and upstream errors.
func (d *Dissolve) Run(ctx context.Context, ref Ref) error {
	if err := d.file(ctx, ref); err != nil {
		return err
	}
	return d.Rooms.Destroy(ctx, ref.GroupID())
}

// file mutes the room, so that nothing is said after the last message that is
// filed, and files its transcript. A squat holds nothing of ours; a room of
// another stack is not ours to dissolve. A transcript that neither the ticket
// nor the archive takes keeps the room from going.
//
// It writes nothing but the mute: the mark is Sync's, which may be at work on
// the same room. If the ticket is open, Sync lets its people write again. So
// the room is looked at once more at the end: it must be the same room, still
// muted, with nothing in it that is not filed.
func (d *Dissolve) file(ctx context.Context, ref Ref) error {
	desk, ok := d.Desks[ref.Desk]
	if !ok {
		return problem.New(problem.NotFound, "There is no such desk.")
	}
	group := ref.GroupID()
	var tickets map[string]Ticket
	wait := async(ctx, func() (err error) {
		tickets, err = desk.Tickets(ctx, ref.Ticket)
		return err
	})
	room, err := d.read(ctx, desk, group)
	deskErr := wait()
	if err != nil {
		return err
	}
	switch room.Whose {
	case NoRoom, SquattedRoom:
		return nil
	case ForeignRoom:
		return problem.Wrap(ErrForeignRoom, problem.Conflict, "Another installation that shares this chat app holds this room.")
	}
	if deskErr != nil {
		return deskErr
	}
	if !room.Muted {
		on := true
		if err := d.Rooms.Change(ctx, group, RoomChange{Mute: &on}); err != nil {
			return unlessGone(err)
		}
	}
	t, seen := tickets[ref.Ticket]
	filed, err := d.Transcripts.File(ctx, Filing{
		Desk: desk, Ref: ref, Created: room.Created, From: room.Mark.Filed + 1, Customer: t.Customer.UserID,
		ArchiveOnly: !seen || t.Deleted || t.Final, Stamp: t.Stamp,
	})
	if err != nil {
		return unlessGone(err)
	}
	last, err := d.read(ctx, desk, group)
	switch {
	case err != nil:
		return err
	case last.Whose == NoRoom:
		return nil
	case last.Whose != OurRoom || last.Created != room.Created || !last.Muted:
		return problem.New(problem.Unavailable, "The room changed while its transcript was filed.")
	case last.LastSeq <= filed:
		return nil
	}
	// Of what the chat does not keep, nothing more can be filed.
	newest, err := d.Rooms.History(ctx, group, 0)
	switch {
	case err != nil:
		return unlessGone(err)
	case len(newest) == 0 || newest[0].Seq <= filed:
		return nil
	case d.Transcripts.Archive == nil:
		return problem.New(problem.Unavailable, "The room's transcript could not be filed: the ticket takes no notes and there is no archive. The room stays.")
	}
	return problem.New(problem.Unavailable, "Something was said while the room's transcript was filed.")
}

func (d *Dissolve) read(ctx context.Context, desk TicketDesk, group string) (Room, error) {
	rooms, err := d.Rooms.Read(ctx, DeskHash(desk.Host()), group)
	if err != nil {
		return Room{}, err
	}
	return rooms[group], rooms[group].Err
}
