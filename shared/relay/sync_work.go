package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
)

// work is one ticket's Sync.
type work struct {
	*Sync
	desk   TicketDesk
	item   SyncItem
	ref    RoomRef
	ticket Ticket
	seen   bool // the desk showed the ticket
	room   Room

	said   uint64 // sequence number of a notice sent just now, 0 if none
	change *RoomChange
}

// run decides which row of the table the ticket is in.
func (w *work) run(ctx context.Context) error {
	if w.room.Whose == ForeignRoom && (!w.seen || w.ticket.Ours) {
		return ErrForeignRoom
	}
	switch {
	case !w.seen && !slices.Contains(w.item.Hints, "deleted"):
		return w.unreadable(ctx)
	case !w.seen || (w.ticket.Deleted && !w.ticket.Merged):
		// One sign of a deletion is there, the row's or the signed event's. The
		// ticket read alone must agree before a room is closed over it.
		if w.seen && !w.ticket.Ours {
			return nil
		}
		gone, err := w.desk.Gone(ctx, w.ref.TicketID)
		if err != nil {
			return err
		}
		if !gone {
			return w.unreadable(ctx)
		}
		return w.deleted(ctx)
	case !w.ticket.Ours:
		return nil
	}
	if w.ticket.Status == Closed && slices.ContainsFunc(w.item.Hints, func(h string) bool { return strings.HasPrefix(h, "merged:") }) {
		w.ticket.Merged = true
	}
	if w.starting() && w.ticket.Status == Open {
		newer, err := w.desk.Unique(ctx, w.ticket)
		if err != nil {
			return err
		}
		if newer {
			w.Meter.Count(ctx, "DuplicateSolved", 1, "desk", string(w.ref.Desk))
			w.ticket.Status = Solved
		}
	}
	if w.locks() {
		return w.lock(ctx)
	}
	return w.open(ctx)
}

// starting reports whether this is the room's first Sync.
func (w *work) starting() bool { return w.room.Whose != OurRoom || w.room.Mark.Announced == 0 }

// locks reports whether the ticket's room is one to read only.
func (w *work) locks() bool {
	switch w.ticket.Status {
	case Closed:
		return true
	case Solved:
		return !w.SolvedOpen
	default:
		return false
	}
}

// unreadable leaves everything as it is, to be looked at again. A day of it
// means that a permission or an address is wrong.
func (w *work) unreadable(ctx context.Context) error {
	w.Meter.Count(ctx, "TicketHidden", 1, "desk", string(w.ref.Desk))
	if !w.item.Since.IsZero() && w.Now().Sub(w.item.Since) > 24*time.Hour {
		w.Meter.Count(ctx, "TicketUnreadable", 1, "desk", string(w.ref.Desk))
	}
	return ErrUnreadable
}

// own makes the room exist and be ours. It may take a squat away.
func (w *work) own(ctx context.Context) error {
	if w.room.Whose == OurRoom {
		return nil
	}
	if err := w.importAll(ctx, w.ticket.Customer); err != nil {
		return err
	}
	squatted, err := w.Rooms.Ensure(ctx, NewRoom{
		GroupID: w.ref.GroupID(), Name: w.ticket.Subject, Neutral: w.ref.NeutralName(),
		Mark: Mark{Desk: DeskHash(w.desk.Host())}.String(), Customer: w.ticket.Customer.UserID,
	})
	if squatted {
		w.squatted(ctx)
	}
	if err != nil {
		return err
	}
	// The room may be another process's, made a moment ago, and the part names of
	// its transcript need its time: what counts is what the chat says.
	rooms, err := w.Rooms.Read(ctx, DeskHash(w.desk.Host()), w.ref.GroupID())
	if err != nil {
		return err
	}
	if w.room = rooms[w.ref.GroupID()]; w.room.Whose != OurRoom {
		return ErrNoRoom
	}
	return nil
}

func (w *work) squatted(ctx context.Context) {
	w.Meter.Count(ctx, "RoomSquatted", 1, "desk", string(w.ref.Desk))
	slog.WarnContext(ctx, "room squatted", "desk", w.ref.Desk, "ticket", w.ref.TicketID)
}

// open makes the room writable and its members exactly the customer and the
// ticket's agents.
func (w *work) open(ctx context.Context) error {
	if err := w.own(ctx); err != nil {
		return err
	}
	if w.room.Muted || !w.room.Mark.Locked.IsZero() {
		// At once: whoever has to write should not wait for what follows.
		w.mute(false)
		w.room.Mark.Locked = time.Time{}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	agents, err := w.agents()
	if err != nil {
		return err
	}
	wanted := []Account{w.ticket.Customer}
	if !w.Calls {
		wanted = append(wanted, agents...)
	}
	joinErr := w.join(ctx, wanted)

	present := w.present(agents)
	switch {
	case w.ticket.Status == Solved:
		err = w.announce(ctx, endedOpen)
	case len(present) > 0:
		err = w.announce(ctx, joined(present))
	default:
		err = w.announce(ctx, waiting)
	}
	if err != nil {
		return errors.Join(err, w.flush(ctx))
	}
	if w.ticket.Status == Solved {
		if err := w.file(ctx, false); err != nil {
			return errors.Join(err, w.flush(ctx))
		}
	}
	w.repair()
	if err := w.flush(ctx); err != nil {
		return err
	}
	// Whoever has no right to be here leaves, also when somebody who has could
	// not be added.
	if err := w.leave(ctx, wanted); err != nil {
		return err
	}
	return joinErr
}

// lock ends the room's conversation: nobody may write, the transcript is filed
// to the last message, and only then do the agents leave. A room that is gone
// was dissolved after its time and stays gone.
func (w *work) lock(ctx context.Context) error {
	if w.room.Whose == NoRoom {
		return nil
	}
	if err := w.own(ctx); err != nil {
		return err
	}
	if err := w.silence(ctx); err != nil {
		return err
	}
	customer := w.ticket.Customer
	joinErr := w.join(ctx, []Account{customer})
	n, err := w.farewell(ctx)
	if err == nil {
		err = w.announce(ctx, n)
	}
	if err == nil {
		err = w.file(ctx, w.ticket.Final || w.ticket.Deleted)
	}
	w.repair()
	if flushErr := w.flush(ctx); err != nil || flushErr != nil {
		return errors.Join(err, flushErr)
	}
	if err := w.leave(ctx, []Account{customer}); err != nil {
		return err
	}
	return joinErr
}

// deleted locks the room of a ticket that is gone. Nothing is known of it but
// what the room's own mark says, so nobody is added and only agents leave.
func (w *work) deleted(ctx context.Context) error {
	switch w.room.Whose {
	case NoRoom:
		return nil
	case SquattedRoom:
		w.squatted(ctx)
		return w.Rooms.Destroy(ctx, w.ref.GroupID())
	}
	if err := w.silence(ctx); err != nil {
		return err
	}
	err := w.announce(ctx, gone)
	if err == nil {
		err = w.file(ctx, true)
	}
	if flushErr := w.flush(ctx); err != nil || flushErr != nil {
		return errors.Join(err, flushErr)
	}
	var out []string
	for _, id := range w.room.Members {
		if w.isAgent(id) && !w.Calls {
			out = append(out, id)
		}
	}
	return w.remove(ctx, out)
}

// silence mutes the room and remembers since when. Nothing else may be said
// before the transcript is read to its end.
func (w *work) silence(ctx context.Context) error {
	if w.room.Muted && !w.room.Mark.Locked.IsZero() {
		return nil
	}
	w.mute(true)
	if w.room.Mark.Locked.IsZero() {
		w.room.Mark.Locked = w.Now().UTC().Truncate(time.Second)
	}
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

// repair renames a room whose name is neither its ticket's nor the neutral one,
// which it has where moderation minds the subject, and shuts invitations.
func (w *work) repair() {
	name := w.Rooms.FitName(w.ticket.Subject, w.ref.NeutralName())
	if w.room.Name != name && w.room.Name != w.Rooms.FitName(w.ref.NeutralName(), "") {
		w.touch().Name = name
	}
	if !w.room.InvitesOff {
		w.touch()
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
	w.room.InvitesOff = true
	return nil
}

// agents returns the accounts of the ticket's agents.
func (w *work) agents() ([]Account, error) {
	var list []Account
	for _, a := range w.ticket.Agents {
		id, err := w.agentID(a.ID)
		if err != nil {
			return nil, fmt.Errorf("relay: %w: the desk names an agent whose id is none", errPermanent)
		}
		list = append(list, Account{UserID: id, Nick: a.Name})
	}
	return list, nil
}

func (w *work) agentID(deskID string) (string, error) {
	var id identity.Identity
	var err error
	if w.ref.Desk == Zendesk {
		id, err = w.Rules.ZendeskAgent(deskID)
	} else {
		id, err = w.Rules.SalesforceAgent(deskID)
	}
	return id.ID(), err
}

// isAgent reports whether a member has the form of one of the desk's agents,
// prefixed or bare. No customer's id has either.
func (w *work) isAgent(userID string) bool {
	_, err := w.agentID(userID)
	return err == nil && userID != w.ticket.Customer.UserID
}

// present returns the agents who are in the room, the ticket's first.
func (w *work) present(assigned []Account) []Account {
	var list []Account
	for _, a := range assigned {
		if slices.Contains(w.room.Members, a.UserID) {
			list = append(list, a)
		}
	}
	if !w.Calls {
		return list
	}
	for _, id := range w.room.Members {
		known := slices.ContainsFunc(list, func(a Account) bool { return a.UserID == id })
		if !known && w.isAgent(id) {
			list = append(list, Account{UserID: id})
		}
	}
	return list
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
	var missing []Account
	for _, a := range wanted {
		if !slices.Contains(w.room.Members, a.UserID) {
			missing = append(missing, a)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := w.importAll(ctx, missing...); err != nil {
		return err
	}
	var failed error
	for _, a := range missing {
		if _, err := w.Rooms.Join(ctx, w.ref.GroupID(), a); err != nil {
			w.imported.forget(a.UserID)
			failed = err
			continue
		}
		w.room.Members = append(w.room.Members, a.UserID)
	}
	return failed
}

// leave takes everybody out who is not wanted. Where calls decide about agents,
// agents are nobody to take out.
func (w *work) leave(ctx context.Context, wanted []Account) error {
	var out []string
	for _, id := range w.room.Members {
		keep := slices.ContainsFunc(wanted, func(a Account) bool { return a.UserID == id })
		if !keep && !(w.Calls && w.isAgent(id)) {
			out = append(out, id)
		}
	}
	return w.remove(ctx, out)
}

func (w *work) remove(ctx context.Context, userIDs []string) error {
	if len(userIDs) == 0 {
		return nil
	}
	return w.Rooms.Remove(ctx, w.ref.GroupID(), userIDs...)
}

// file files what has been said since the last time.
func (w *work) file(ctx context.Context, archiveOnly bool) error {
	upTo := max(w.room.LastSeq, w.said)
	if w.room.Mark.Filed >= upTo && w.said == 0 {
		return nil
	}
	filed, err := w.Transcripts.File(ctx, Filing{
		Desk: w.desk, Ref: w.ref, Created: w.room.Created, From: w.room.Mark.Filed + 1,
		ArchiveOnly: archiveOnly, Customer: w.ticket.Customer.UserID,
	})
	if filed > w.room.Mark.Filed {
		w.room.Mark.Filed = filed
		w.touch()
	}
	return err
}

// farewell chooses the notice of a ticket that has ended. A merged one's
// customer is pointed to the survivor only if that is theirs too.
func (w *work) farewell(ctx context.Context) (announcement, error) {
	if !w.ticket.Merged {
		return ended, nil
	}
	if said := mergedInto("any"); w.room.Mark.Said == said.hash() {
		return said, nil // no need to look where
	}
	into := w.ticket.Into
	for _, h := range w.item.Hints {
		if id, ok := strings.CutPrefix(h, "merged:"); ok && into == "" {
			into = id
		}
	}
	if into == "" {
		var err error
		if into, err = w.desk.Survivor(ctx, w.ref.TicketID); err != nil {
			return announcement{}, err
		}
	}
	if into == "" || into == w.ref.TicketID {
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
