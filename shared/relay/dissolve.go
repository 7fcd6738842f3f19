package relay

import (
	"context"
	"log/slog"

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
	if err := d.Rooms.Destroy(ctx, ref.GroupID()); err != nil {
		return err
	}
	logDissolved(ctx, ref)
	return nil
}

// logDissolved is the line by which one finds when a room went, and by the
// request's id who asked for it.
func logDissolved(ctx context.Context, ref Ref) {
	slog.InfoContext(ctx, "room dissolved", "desk", ref.Desk, "ticket", ref.Ticket)
}

// file mutes the room, so that nothing is said after the last message that is
// filed, and files its transcript. A squat holds nothing of ours, unless it was a
// room of ours; a room of another stack is not ours to dissolve. A transcript that
// neither the ticket nor the archive takes keeps the room from going.
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
	archive := false
	switch room.Whose {
	case NoRoom, OtherGroup:
		return nil
	case ForeignRoom:
		return problem.Wrap(ErrForeignRoom, problem.Conflict, "Another installation that shares this chat app holds this room.")
	case SquattedRoom:
		ours, err := wasOurs(ctx, d.Rooms, group)
		if err != nil {
			return unlessGone(err)
		}
		if !ours {
			return d.same(ctx, desk, group, room, room.LastSeq)
		}
		archive = d.Transcripts.Archive != nil
	}
	if deskErr != nil {
		return deskErr
	}
	t, seen := tickets[ref.Ticket]
	if v := (&view{ref: ref, ticket: t, seen: seen, room: room}); v.unclaimed() {
		return problem.Wrap(ErrUnclaimed, problem.Conflict, "The group that has this room's id cannot be told to be the room: its mark cannot be read, and the ticket's customer is not in it.")
	}
	if !room.Muted {
		on := true
		if err := d.Rooms.Change(ctx, group, RoomChange{Mute: &on}); err != nil {
			return unlessGone(err)
		}
	}
	filed, err := d.Transcripts.File(ctx, Filing{
		Desk: desk, Ref: ref, Created: room.Created, From: room.Mark.Filed + 1, Customer: t.Customer.UserID,
		ArchiveOnly: archive || !seen || t.Deleted || t.Final, Stamp: t.Stamp,
	})
	if err != nil {
		return unlessGone(err)
	}
	return d.same(ctx, desk, group, room, filed)
}

// same reads the room again right before its end. The room must be the one that was
// read, and hold no message after the last filed one. A room of ours must be muted.
func (d *Dissolve) same(ctx context.Context, desk TicketDesk, group string, room Room, filed uint64) error {
	last, err := d.read(ctx, desk, group)
	switch {
	case err != nil || last.Whose == NoRoom:
		return err
	case last.Whose != room.Whose || last.Created != room.Created || last.Whose != SquattedRoom && !last.Muted:
		return problem.New(problem.Unavailable, "The room changed while its transcript was filed.")
	}
	more, err := saidSince(ctx, d.Rooms, group, last, filed)
	switch {
	case err != nil || !more:
		return unlessGone(err)
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
