package relay

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// work is one ticket's Sync: it makes the room what the view of it says.
type work struct {
	*Sync
	view
	desk TicketDesk
	item SyncItem

	said   uint64 // sequence number of a notice sent just now, 0 if none
	hushed bool   // until just now people could write: the room may hold more than was read
	change *RoomChange
}

// run does what the ticket's row of the table says.
func (w *work) run(ctx context.Context) error {
	if w.room.Err != nil {
		return w.room.Err
	}
	if w.room.Whose == DamagedRoom && w.row() != rowForeign && w.row() != rowUntouched {
		if err := w.restore(ctx); err != nil {
			return err
		}
	}
	switch w.row() {
	case rowForeign:
		return w.foreign(ctx)
	case rowUntouched:
		return nil
	case rowHidden:
		return w.unreadable(ctx)
	case rowDeleted:
		// One sign of a deletion is there: the row's, the signed event's, or the
		// mark's of an earlier time. The ticket read alone must agree before a room
		// is closed over it.
		gone, err := w.desk.Gone(ctx, w.ref.Ticket)
		if err != nil {
			return err
		}
		if !gone {
			return w.unreadable(ctx)
		}
		return w.deleted(ctx)
	}
	if w.ticket.Status == Closed && w.item.Into != "" {
		w.ticket.Merged = true
	}
	if w.row() == rowLocked {
		return w.lock(ctx)
	}
	first := w.starting() && w.ticket.Status == Open
	err := w.open(ctx)
	if first && w.duplicate(ctx) {
		w.ticket.Status = Solved
		return errors.Join(err, w.run(ctx))
	}
	if w.ticket.Unlisted && !limited(err) {
		w.list(ctx)
	}
	return err
}

// list gives an open ticket back what the sweep finds it by. It comes after the
// customer is served and fails alone.
func (w *work) list(ctx context.Context) {
	if err := w.desk.List(ctx, w.ticket); err != nil {
		slog.WarnContext(ctx, "ticket not listed", "desk", w.ref.Desk, "ticket", w.ref.Ticket, "err", err)
		return
	}
	w.ticket.Unlisted = false
	w.Meter.Count(ctx, "TicketListed", 1, "desk", string(w.ref.Desk))
}

// duplicate settles several tickets of one request and reports whether this is a
// newer one, which is then solved. It comes after the customer is served, and
// what the desk refuses of it is no reason to try the ticket again.
func (w *work) duplicate(ctx context.Context) bool {
	newer, err := w.desk.Unique(ctx, w.ticket)
	switch {
	case err != nil:
		w.Meter.Count(ctx, "DuplicateUnsolved", 1, "desk", string(w.ref.Desk))
		slog.WarnContext(ctx, "duplicate requests not settled", "desk", w.ref.Desk, "ticket", w.ref.Ticket, "err", err)
	case newer:
		w.Meter.Count(ctx, "DuplicateSolved", 1, "desk", string(w.ref.Desk))
	}
	return newer && err == nil
}

// starting reports whether this is the room's first Sync.
func (w *work) starting() bool { return w.room.Whose != OurRoom || w.room.Mark.Announced == 0 }

// unreadable leaves everything as it is, to be looked at again. A day of it
// means that a permission or an address is wrong. Where there is no room of ours
// either, nothing is lost by giving up then: an open ticket that comes into sight
// again is on the list of those that the sweep compares with the rooms.
//
// Any user of the chat can make a group under any id: what only the chat told of,
// and is no room of ours, was never a ticket.
func (w *work) unreadable(ctx context.Context) error {
	if w.item.Chat && w.room.Whose != OurRoom {
		return nil
	}
	w.Meter.Count(ctx, "TicketHidden", 1, "desk", string(w.ref.Desk))
	if !w.item.Since.IsZero() && w.Now().Sub(w.item.Since) > 24*time.Hour {
		w.Meter.Count(ctx, "TicketUnreadable", 1, "desk", string(w.ref.Desk))
		if w.room.Whose != OurRoom {
			return nil
		}
	}
	return ErrUnreadable
}

// own makes the room exist and be ours.
func (w *work) own(ctx context.Context) error {
	if w.room.Whose == OurRoom {
		return nil
	}
	if err := w.importAll(ctx, w.ticket.Customer); err != nil {
		return err
	}
	err := w.landlord().ensure(ctx, w.ref, NewRoom{
		GroupID: w.ref.GroupID(), Name: w.subjectName(w.ticket.Subject), Neutral: w.ref.NeutralName(),
		Mark: Mark{Desk: DeskHash(w.desk.Host())}, Customer: w.ticket.Customer.UserID,
	}, w.rescue)
	if err != nil {
		return err
	}
	// The room may be another process's, made a moment ago, and the part names of
	// its transcript need its time: what counts is what the chat says.
	rooms, err := w.Rooms.Read(ctx, DeskHash(w.desk.Host()), w.ref.GroupID())
	if err != nil {
		return err
	}
	w.room = rooms[w.ref.GroupID()]
	switch {
	case w.room.Err != nil:
		return w.room.Err
	case w.room.Whose.squat():
		w.squats.misread(w.Now())
		held(ctx, w.Meter, w.ref.Desk, "a room that was made just now reads as a squat")
		return ErrHeld
	case w.room.Whose != OurRoom:
		return ErrNoRoom
	}
	return nil
}

func (w *work) landlord() landlord { return landlord{w.Rooms, &w.squats, w.Meter, w.Now} }

// rescue archives what a room of ours holds that has become a squat. Its owner may
// go on writing: then there is another try.
func (w *work) rescue(ctx context.Context, room Room) (filed uint64, err error) {
	on := true
	if err := w.Rooms.Change(ctx, w.ref.GroupID(), RoomChange{Mute: &on}); err != nil {
		return 0, err
	}
	return w.Transcripts.File(ctx, Filing{
		Desk: w.desk, Ref: w.ref, Created: room.Created, From: 1, Customer: w.ticket.Customer.UserID,
		ArchiveOnly: w.Transcripts.Archive != nil || w.archiveOnly(), Stamp: w.ticket.Stamp,
	})
}

// foreign is what becomes of a ticket whose room is not ours to touch.
func (w *work) foreign(ctx context.Context) error {
	switch {
	case w.room.Whose == ForeignRoom && w.item.Chat:
		return nil
	case w.room.Whose == ForeignRoom:
		return ErrForeignRoom
	}
	w.markLost(ctx, false)
	return ErrUnclaimed
}

func (w *work) markLost(ctx context.Context, claimed bool) {
	w.Meter.Count(ctx, "RoomMarkLost", 1, "desk", string(w.ref.Desk))
	slog.ErrorContext(ctx, "a room's mark cannot be read", "desk", w.ref.Desk, "ticket", w.ref.Ticket, "written again", claimed)
}

// notesBack is how many pages of the history are looked at for the last notice.
const notesBack = 5

// restore makes a new mark for a room that only we can have made, and whose
// customer is in it. What it was told, its history says; what is filed, the names
// of the parts. The mark is written with what else changes, at the end at least.
func (w *work) restore(ctx context.Context) error {
	w.markLost(ctx, true)
	w.room.Mark = Mark{Desk: DeskHash(w.desk.Host())}
	if w.room.Muted {
		w.room.Mark.Locked = w.Now().UTC().Truncate(time.Second)
	}
	w.touch()
	from := uint64(0)
	for range notesBack {
		page, err := w.Rooms.History(ctx, w.ref.GroupID(), from)
		if err != nil {
			return err
		}
		w.note(page)
		if w.room.Mark.Announced > 0 || len(page) == 0 || page[len(page)-1].Seq <= 1 {
			break
		}
		from = page[len(page)-1].Seq - 1
	}
	w.room.Whose = OurRoom
	return nil
}

// open makes the room writable and its members exactly the customer and the
// ticket's agents.
func (w *work) open(ctx context.Context) error {
	if err := w.own(ctx); err != nil {
		return err
	}
	if !w.writable() {
		// At once: whoever has to write should not wait for what follows.
		w.mute(false)
		w.room.Mark.Locked, w.room.Mark.Deleted = time.Time{}, time.Time{}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	wanted, agents, err := w.wanted()
	if err != nil {
		return err
	}
	if w.starting() && len(agents) > 0 {
		// An agent's open panel reads the earlier messages once, at the join.
		w.touch()
		if err := w.flush(ctx); err != nil && !Permanent(err) {
			return err
		}
	}
	joinErr := w.join(ctx, wanted)
	if limited(joinErr) {
		// Nobody is told that an agent is awaited who is about to be let in.
		return errors.Join(joinErr, w.leave(ctx, wanted))
	}
	tellErr := w.announce(ctx, w.news(agents))
	if tellErr != nil && !Permanent(tellErr) {
		return errors.Join(tellErr, w.flush(ctx))
	}
	w.filed()
	var fileErr error
	if w.ticket.Status == Solved || w.item.File {
		fileErr = w.file(ctx)
	}
	w.repair()
	flushErr := w.flush(ctx)
	if flushErr != nil && !Permanent(flushErr) {
		return flushErr
	}
	// Whoever has no right to be here leaves, also when somebody who has could
	// not be added, and whatever the chat refuses for good.
	if err := w.leave(ctx, wanted); err != nil {
		return err
	}
	return firstRetryable(joinErr, tellErr, fileErr, flushErr)
}

// lock ends the room's conversation: nobody may write, the transcript is handed to
// be filed to the last message, and the agents leave. A room that is gone was
// dissolved after its time and stays gone.
func (w *work) lock(ctx context.Context) error {
	if w.room.Whose == NoRoom {
		return nil
	}
	if err := w.own(ctx); err != nil {
		return err
	}
	if err := w.silence(ctx, time.Time{}); err != nil {
		return err
	}
	wanted, _, err := w.wanted()
	if err != nil {
		return err
	}
	joinErr := w.join(ctx, wanted)
	n, tellErr := w.farewell(ctx)
	if tellErr == nil {
		tellErr = w.announce(ctx, n)
	}
	return w.finish(ctx, wanted, tellErr, joinErr)
}

// finish asks for the transcript, writes the room's changes, then removes members
// who should not be there. They stay if the notice or the writing failed in a way
// that a retry may fix. A notice that was refused permanently does not hold back
// the transcript.
func (w *work) finish(ctx context.Context, wanted []Account, tellErr, joinErr error) error {
	w.filed()
	var fileErr error
	if tellErr == nil || Permanent(tellErr) {
		fileErr = w.file(ctx)
	}
	if w.row() == rowLocked {
		w.repair()
	}
	flushErr := w.flush(ctx)
	if first := firstRetryable(tellErr, flushErr); first != nil && !Permanent(first) {
		return first
	}
	if err := w.leave(ctx, wanted); err != nil {
		return err
	}
	return firstRetryable(fileErr, joinErr, tellErr, flushErr)
}

// deleted locks the room of a ticket that is gone. Nothing is known of it but
// what the room's own mark says, so nobody is added and only agents leave.
func (w *work) deleted(ctx context.Context) error {
	switch w.room.Whose {
	case NoRoom:
		return nil
	case SquattedRoom, OtherGroup:
		return w.landlord().evict(ctx, w.ref, DeskHash(w.desk.Host()), w.rescue)
	}
	since := w.room.Mark.Deleted
	if since.IsZero() {
		since = w.Now().UTC().Truncate(time.Second)
	}
	if err := w.silence(ctx, since); err != nil {
		return err
	}
	tellErr := w.announce(ctx, gone)
	if w.room.Former {
		w.touch()
	}
	return w.finish(ctx, nil, tellErr, nil)
}

// silence mutes the room and remembers since when, and since when its ticket is
// deleted, if it is. Nothing else may be said before the transcript is read to
// its end.
func (w *work) silence(ctx context.Context, deleted time.Time) error {
	if w.silenced() && w.room.Mark.Deleted.Equal(deleted) {
		return nil
	}
	w.mute(true)
	w.hushed = !w.room.Muted
	if back := deleted.IsZero() && !w.room.Mark.Deleted.IsZero(); w.room.Mark.Locked.IsZero() || back {
		// A ticket that came back and has ended ends anew.
		w.room.Mark.Locked = w.Now().UTC().Truncate(time.Second)
	}
	w.room.Mark.Deleted = deleted
	return w.flush(ctx)
}

func (w *work) mute(on bool) { w.touch().Mute = &on }

// touch returns the change that the next flush writes.
func (w *work) touch() *RoomChange {
	if w.change == nil {
		w.change = &RoomChange{}
	}
	return w.change
}

// repair shuts a room, replaces a former host in its mark, and renames a room that
// is written anyway. A name alone costs no call: an upgrade that changes them would
// cause a storm.
func (w *work) repair() {
	if !w.room.Shut || w.room.Former {
		w.touch()
	}
	if w.change == nil {
		return
	}
	// Moderation may have refused the subject: the neutral name is right, too.
	neutral := w.Rooms.FitName("", w.ref.NeutralName())
	name := w.Rooms.FitName(w.subjectName(w.ticket.Subject), neutral)
	if w.room.Name != name && w.room.Name != neutral {
		w.change.Name = name
	}
}

// flush writes what has changed of the room, all in one call with the mark.
func (w *work) flush(ctx context.Context) error {
	if w.change == nil {
		return nil
	}
	change := *w.change
	change.Mark, change.Neutral = w.room.Mark, w.ref.NeutralName()
	if err := w.Rooms.Change(ctx, w.ref.GroupID(), change); err != nil {
		return err
	}
	w.change = nil
	if change.Mute != nil {
		w.room.Muted = *change.Mute
	}
	if change.Name != "" {
		w.room.Name = change.Name
	}
	w.room.Shut, w.room.Former = true, false
	return nil
}

// importAll makes accounts known to the chat under their present names.
func (w *work) importAll(ctx context.Context, accounts ...Account) error {
	fresh := w.imported.fresh(accounts)
	if len(fresh) == 0 {
		return nil
	}
	if err := w.Rooms.Import(ctx, fresh...); err != nil {
		return err
	}
	w.imported.add(fresh)
	return nil
}

// join adds who is missing. One who cannot be added does not keep the others out.
func (w *work) join(ctx context.Context, wanted []Account) error {
	missing := w.missing(wanted)
	if len(missing) == 0 {
		return nil
	}
	var failed error
	if err := w.importAll(ctx, missing...); err != nil {
		if limited(err) || len(missing) == 1 {
			return err
		}
		failed = err
	}
	for _, a := range missing {
		if failed != nil {
			// One account that is refused must not keep the others out.
			if err := w.importAll(ctx, a); err != nil {
				failed = err
				continue
			}
		}
		if _, err := w.Rooms.Join(ctx, w.ref.GroupID(), a); err != nil {
			w.imported.forget(a.UserID)
			failed = err
			continue
		}
		w.room.Members = append(w.room.Members, a.UserID)
	}
	return failed
}

// leave takes out who is not wanted.
func (w *work) leave(ctx context.Context, wanted []Account) error {
	out := w.surplus(wanted)
	if len(out) == 0 {
		return nil
	}
	if err := w.Rooms.Remove(ctx, w.ref.GroupID(), out...); err != nil {
		return err
	}
	w.room.Members = slices.DeleteFunc(w.room.Members, func(id string) bool { return slices.Contains(out, id) })
	return nil
}

// file has what was said since the last time filed. [File] looks at the room for
// itself: what Sync has read is all that may be missing.
func (w *work) file(ctx context.Context) error {
	if !w.unfiled() && w.said == 0 && !w.hushed {
		return nil
	}
	if err := w.Files.Send(ctx, Hint{Ref: w.ref, File: w.item.File}); err != nil {
		return err
	}
	w.said, w.hushed = 0, false
	return nil
}

// filed remembers how far the transcript is filed.
func (w *work) filed() {
	if f := w.item.Filed; f.Created == w.room.Created && f.Seq > w.room.Mark.Filed {
		w.room.Mark.Filed = f.Seq
		w.touch()
	}
}

// farewell chooses the notice of a ticket that has ended. A merged one's
// customer is pointed to the survivor only if that is theirs too.
func (w *work) farewell(ctx context.Context) (announcement, error) {
	if !w.ticket.Merged {
		return ended, nil
	}
	if said := mergedInto("any"); w.told(said) {
		return said, nil // no need to look where
	}
	if w.toldApart() && w.item.Into == "" {
		return apart, nil
	}
	into := cmp.Or(w.ticket.Into, w.item.Into)
	if into == "" {
		var err error
		if into, err = w.desk.Survivor(ctx, w.ref.Ticket); err != nil {
			return announcement{}, err
		}
	}
	if into == "" || into == w.ref.Ticket {
		return mergedInto(""), nil
	}
	survivors, err := w.desk.Tickets(ctx, into)
	if err != nil {
		return announcement{}, err
	}
	if s, ok := survivors[into]; !ok || !s.Ours || s.Customer.UserID != w.ticket.Customer.UserID {
		into = ""
	}
	return mergedInto(into), nil
}
