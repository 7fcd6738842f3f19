package relay

import (
	"fmt"
	"slices"

	"github.com/caseroom/caseroom/shared/identity"
)

// Table is the table of states that rooms follow, as this stack is configured.
// [Sync] makes a room what it says; [Reconcile] and [Sweep] ask it whether a
// room is that already.
type Table struct {
	Rules identity.Rules // of agents' ids
	// Calls leaves agents to the join and leave routes (MEMBERSHIP=calls).
	Calls bool
	// SolvedOpen keeps solved tickets' rooms writable (SOLVED=open). A closed
	// ticket's room is locked in any case.
	SolvedOpen bool
	// Archive: there is a place for what no ticket takes.
	Archive bool

	// SubjectNames names rooms by their tickets' subjects (ROOM_NAMES=subject).
	SubjectNames bool
}

// Difference is one way in which a room is not what its ticket says.
type Difference string

// The differences.
const (
	NoSuchRoom      Difference = "no_room"          // an open ticket has none
	Squat           Difference = "squat"            // somebody else's group has its id
	NotLocked       Difference = "not_locked"       // the ticket has ended
	NotOpened       Difference = "not_opened"       // the ticket is open (again)
	AgentMissing    Difference = "agent_missing"    // who works on it is not in
	AgentExtra      Difference = "agent_extra"      // who does not is in
	CustomerMissing Difference = "customer_missing" // kicked, or left
	StrangerExtra   Difference = "stranger_extra"   // in by the chat's own doors
	NotAnnounced    Difference = "not_announced"    // the room was not told of it
	NotFiled        Difference = "not_filed"        // the transcript is not complete
	InvitesOpen     Difference = "invites_open"     // or applications are
	MarkLost        Difference = "mark_lost"        // it cannot be read any more
	FormerHost      Difference = "former_host"      // the mark names one
	DeletionUnknown Difference = "deletion_unknown" // the mark does not know of it
	MergeUnknown    Difference = "merge_unknown"    // where to, only the desk can say
	Hidden          Difference = "hidden"           // the desk does not show the ticket
	RoomUnread      Difference = "room_unread"      // the chat's answer made no sense
)

// Compare returns the ways in which a room is not what its ticket says, nil for
// a room that is right and for one that is not ours to touch. It knows what a
// bulk read shows, so [MergeUnknown] and [Hidden] may turn out to be nothing.
func (t Table) Compare(desk DeskName, ticket Ticket, room Room) []Difference {
	v := view{Table: t, ref: Ref{desk, ticket.ID}, ticket: ticket, seen: true, room: room}
	return v.differences()
}

// CompareHidden is Compare for a ticket that the desk does not show. gone says
// that a second sign tells of its deletion.
func (t Table) CompareHidden(ref Ref, room Room, gone bool) []Difference {
	v := view{Table: t, ref: ref, room: room, gone: gone}
	return v.differences()
}

// row is where a ticket stands in the table of states.
type row int

const (
	rowUntouched row = iota // not ours
	rowForeign              // another stack's room has its id
	rowHidden               // the desk does not show it, and nothing else says it is gone
	rowDeleted              // one sign of a deletion is there
	rowOpen
	rowLocked
)

// view is a ticket and its room beside each other, as they were read. What it
// decides, it decides from that alone.
type view struct {
	Table
	ref    Ref
	ticket Ticket
	seen   bool // the desk showed the ticket
	// gone: something other than the desk's silence tells of its deletion. The
	// room's mark may tell of it too.
	gone bool
	room Room
}

func (v *view) row() row {
	switch {
	case (v.room.Whose == ForeignRoom || v.unclaimed()) && (!v.seen || v.ticket.Ours):
		return rowForeign
	case v.seen && !v.ticket.Ours:
		return rowUntouched
	case !v.seen && !v.gone && v.room.Mark.Deleted.IsZero():
		return rowHidden
	case !v.seen || (v.ticket.Deleted && !v.ticket.Merged):
		return rowDeleted
	case v.locks():
		return rowLocked
	default:
		return rowOpen
	}
}

// unclaimed reports whether the room's mark is lost and the ticket's customer is
// not in it to tell that it is ours.
func (v *view) unclaimed() bool {
	return v.room.Whose == DamagedRoom && (!v.seen || !slices.Contains(v.room.Members, v.ticket.Customer.UserID))
}

// locks reports whether the ticket's room is one to read only.
func (v *view) locks() bool {
	switch v.ticket.Status {
	case Closed:
		return true
	case Solved:
		return !v.SolvedOpen
	default:
		return false
	}
}

// silenced reports whether a room is locked and remembers since when.
func (v *view) silenced() bool { return v.room.Muted && !v.room.Mark.Locked.IsZero() }

// writable reports whether nothing of a lock or a deletion is left.
func (v *view) writable() bool {
	return !v.room.Muted && v.room.Mark.Locked.IsZero() && v.room.Mark.Deleted.IsZero()
}

// wanted returns who belongs into the room, the customer first, and the
// ticket's agents, who may not be wanted.
func (v *view) wanted() (in, agents []Account, err error) {
	in = []Account{v.ticket.Customer}
	if v.row() != rowOpen {
		return in, nil, nil
	}
	for _, a := range v.ticket.Agents {
		id, err := v.agentID(a.ID)
		if err != nil {
			return nil, nil, fmt.Errorf("relay: %w: the desk names an agent whose id is none", errPermanent)
		}
		agents = append(agents, Account{UserID: id, Nick: a.Name})
	}
	if !v.Calls {
		in = append(in, agents...)
	}
	return in, agents, nil
}

func (v *view) agentID(deskID string) (string, error) {
	var id identity.Identity
	var err error
	if v.ref.Desk == Zendesk {
		id, err = v.Rules.ZendeskAgent(deskID)
	} else {
		id, err = v.Rules.SalesforceAgent(deskID)
	}
	return id.ID(), err
}

// isAgent reports whether a member has the form of one of the desk's agents,
// prefixed or bare. No customer's id has either.
func (v *view) isAgent(userID string) bool {
	_, err := v.agentID(userID)
	return err == nil && userID != v.ticket.Customer.UserID
}

// missing returns who of the wanted is not in the room.
func (v *view) missing(wanted []Account) []Account {
	var list []Account
	for _, a := range wanted {
		if !slices.Contains(v.room.Members, a.UserID) {
			list = append(list, a)
		}
	}
	return list
}

// surplus returns who is in the room and not wanted. Where calls decide about
// agents, agents are nobody to take out. Of a ticket that is gone nothing is
// known but its room, so only agents have to go.
func (v *view) surplus(wanted []Account) []string {
	var out []string
	for _, id := range v.room.Members {
		keep := slices.ContainsFunc(wanted, func(a Account) bool { return a.UserID == id })
		switch agent := v.isAgent(id); {
		case keep || (v.Calls && agent) || (v.row() == rowDeleted && !agent):
		default:
			out = append(out, id)
		}
	}
	return out
}

// present returns the agents who are in the room, the ticket's first.
func (v *view) present(assigned []Account) []Account {
	var list []Account
	for _, a := range assigned {
		if slices.Contains(v.room.Members, a.UserID) {
			list = append(list, a)
		}
	}
	if !v.Calls {
		return list
	}
	for _, id := range v.room.Members {
		known := slices.ContainsFunc(list, func(a Account) bool { return a.UserID == id })
		if !known && v.isAgent(id) {
			list = append(list, Account{UserID: id})
		}
	}
	return list
}

// news is what an open ticket's room has to have been told.
func (v *view) news(agents []Account) announcement {
	if v.ticket.Status == Solved {
		return endedOpen
	}
	if present := v.present(agents); len(present) > 0 {
		return joined(present)
	}
	return waiting
}

// subjectName returns the name that a ticket's subject gives its room, "" for
// the neutral one.
func (t Table) subjectName(subject string) string {
	if !t.SubjectNames {
		return ""
	}
	return subject
}

// told reports whether the room's last notice was this announcement.
func (v *view) told(a announcement) bool {
	return v.room.Mark.Said == a.hash() || (a.hash() == gone.hash() && v.toldApart())
}

// toldApart reports whether the ticket's merge is known to be nothing to its
// customer.
func (v *view) toldApart() bool { return v.room.Mark.Said == apart.hash() }

// unfiled reports whether there are messages that are not known to be filed.
func (v *view) unfiled() bool { return v.room.Mark.Filed < v.room.LastSeq }

// archiveOnly reports whether the ticket takes nothing any more.
func (v *view) archiveOnly() bool { return !v.seen || v.ticket.Final || v.ticket.Deleted }

func (v *view) differences() []Difference {
	var list []Difference
	add := func(when bool, d Difference) {
		if when {
			list = append(list, d)
		}
	}
	row := v.row()
	switch row {
	case rowUntouched, rowForeign:
		return nil
	case rowHidden:
		add(v.room.Whose == OurRoom, Hidden)
		return list
	}
	switch v.room.Whose {
	case NoRoom:
		add(row == rowOpen, NoSuchRoom)
		return list
	case SquattedRoom, OtherGroup:
		return []Difference{Squat}
	case DamagedRoom:
		return []Difference{MarkLost}
	}
	in, agents, err := v.wanted()
	if err != nil {
		return []Difference{AgentMissing} // Sync says what is wrong with it
	}
	if row == rowDeleted {
		in = nil
	}
	file := row == rowLocked || row == rowDeleted || v.ticket.Status == Solved
	switch row {
	case rowOpen:
		add(!v.writable(), NotOpened)
		add(!v.told(v.news(agents)), NotAnnounced)
	case rowLocked:
		add(!v.silenced(), NotLocked)
		add(!v.room.Mark.Deleted.IsZero(), DeletionUnknown)
		switch {
		case v.ticket.Merged && v.told(gone):
			add(!v.toldApart(), MergeUnknown)
		case v.ticket.Merged:
			add(!v.told(mergedInto("any")), NotAnnounced)
		default:
			add(!v.told(ended), NotAnnounced)
		}
	case rowDeleted:
		add(!v.silenced(), NotLocked)
		add(v.room.Mark.Deleted.IsZero(), DeletionUnknown)
		add(!v.told(gone), NotAnnounced)
	}
	add(file && v.unfiled() && (v.Archive || !v.archiveOnly()), NotFiled)
	for _, a := range v.missing(in) {
		if a.UserID == v.ticket.Customer.UserID {
			add(true, CustomerMissing)
		} else {
			add(true, AgentMissing)
		}
	}
	for _, id := range v.surplus(in) {
		if v.isAgent(id) {
			add(true, AgentExtra)
		} else {
			add(true, StrangerExtra)
		}
	}
	add(row != rowDeleted && !v.room.Shut, InvitesOpen)
	add(v.room.Former, FormerHost)
	return slices.Compact(list)
}
