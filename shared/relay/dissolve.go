package relay

import (
	"context"
	"errors"

	"github.com/caseroom/caseroom/shared/problem"
)

// Dissolve makes a room go: it files what was said in it, on the same path as
// Sync, and destroys it.
type Dissolve struct {
	Desks       map[DeskName]TicketDesk
	Rooms       SyncRooms
	Transcripts *Transcripts
	Now         Clock
}

// Run files a room's transcript and dissolves the room; one that is gone is
// dissolved. It sends no hint: Sync would make the room of an open ticket again.
//
// Errors: *problem.Error, NotFound for a desk that is not configured, Conflict
// for another stack's room and Unavailable for a transcript that nothing takes;
// and upstream errors.
func (d *Dissolve) Run(ctx context.Context, ref RoomRef) error {
	if err := d.file(ctx, ref); err != nil {
		return err
	}
	return d.Rooms.Destroy(ctx, ref.GroupID())
}

// file mutes the room, so that nothing is said after the last message that is
// filed, and files its transcript. A squat holds nothing of ours; a room of
// another stack is not ours to dissolve. A transcript that neither the ticket
// nor the archive takes keeps the room from going.
func (d *Dissolve) file(ctx context.Context, ref RoomRef) error {
	desk, ok := d.Desks[ref.Desk]
	if !ok {
		return problem.New(problem.NotFound, "There is no such desk.")
	}
	group := ref.GroupID()
	var tickets map[string]Ticket
	wait := beside(ctx, func() (err error) {
		tickets, err = desk.Tickets(ctx, ref.TicketID)
		return err
	})
	rooms, err := d.Rooms.Read(ctx, DeskHash(desk.Host()), group)
	deskErr := wait()
	if err != nil {
		return err
	}
	room := rooms[group]
	if room.Err != nil {
		return room.Err
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
		mark, on := room.Mark, true
		if mark.Locked.IsZero() {
			mark.Locked = d.Now().UTC()
		}
		if err := d.Rooms.Change(ctx, group, RoomChange{Mark: mark, Neutral: ref.NeutralName(), Mute: &on}); err != nil {
			return unlessGone(err)
		}
		room.Mark = mark
	}
	t, seen := tickets[ref.TicketID]
	filed, err := d.Transcripts.File(ctx, Filing{
		Desk: desk, Ref: ref, Created: room.Created, From: room.Mark.Filed + 1, Customer: t.Customer.UserID,
		ArchiveOnly: !seen || t.Deleted || t.Final, Stamp: t.Stamp,
	})
	if errors.Is(err, ErrNoRoom) {
		return nil
	}
	if err != nil {
		return err
	}
	if last, err := d.Rooms.History(ctx, group, 0); err != nil {
		return unlessGone(err)
	} else if len(last) > 0 && last[0].Seq > filed {
		return problem.New(problem.Unavailable, "The room's transcript could not be filed: the ticket takes no notes and there is no archive. The room stays.")
	}
	return nil
}

// unlessGone forgives a room for being gone already.
func unlessGone(err error) error {
	if errors.Is(err, ErrNoRoom) {
		return nil
	}
	return err
}
