// Package erasure takes a person out of the chat: the rooms of their tickets,
// their places in other rooms, their profile and, where that is asked for, the
// account itself. Tickets and what is filed on them are the desk's to erase.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caseroom/caseroom/shared/relay"
)

// Chat is the app as an erasure needs it.
type Chat interface {
	AccountExists(ctx context.Context, userID string) (bool, error)
	GetJoinedGroups(ctx context.Context, userID string) ([]string, error)
	ClearProfile(ctx context.Context, userID string) (bool, error)
	Kick(ctx context.Context, userID string) error
	DeleteAccount(ctx context.Context, userID string) error
}

// Erasure knows where a person may be found.
type Erasure struct {
	Chat  Chat
	Rooms relay.SyncRooms
	Desks map[relay.DeskName]relay.TicketDesk
	// Dissolve files a room's transcript and dissolves the room.
	Dissolve func(ctx context.Context, ref relay.Ref) error
	// AgentID is the IM user id of a desk's user, "" for an id that is none.
	AgentID func(desk relay.DeskName, id string) string
}

// What becomes of a room.
const (
	Dissolve = "dissolve" // it is of a ticket of theirs that has ended
	Leave    = "leave"    // they are a guest in it
	Open     = "open"     // it is of a ticket of theirs that is open: Sync would make it again
	Assigned = "assigned" // an open ticket is theirs to work on: Sync would bring them back
	Unknown  = "unknown"  // the desk does not show the ticket and does not say that it is gone
	Foreign  = "foreign"  // no room of this installation
)

// Room is a room that the person is in.
type Room struct {
	Group  string         `json:"groupId"`
	Desk   relay.DeskName `json:"desk,omitempty"`
	Ticket string         `json:"ticket,omitempty"`
	Plan   string         `json:"plan"`
	Done   bool           `json:"done"`
	Error  string         `json:"error,omitempty"`
}

// Stays reports whether the room keeps the person until somebody acts.
func (r Room) Stays() bool {
	return r.Plan == Open || r.Plan == Assigned || r.Plan == Unknown || r.Error != ""
}

// Report is what was found and done.
type Report struct {
	User    string `json:"userId"`
	Account bool   `json:"accountExists"`
	Rooms   []Room `json:"rooms"`
	// Tickets may have transcripts of theirs on them.
	Tickets []string `json:"tickets"`
	Profile bool     `json:"profileCleared"`
	Deleted bool     `json:"accountDeleted"`
}

// maxRead is how many rooms are read at a time.
const maxRead = 50

// Look finds where a person is. It changes nothing.
func (e *Erasure) Look(ctx context.Context, userID string) (*Report, error) {
	r := &Report{User: userID, Rooms: []Room{}, Tickets: []string{}}
	var err error
	if r.Account, err = e.Chat.AccountExists(ctx, userID); err != nil || !r.Account {
		return r, err
	}
	groups, err := e.Chat.GetJoinedGroups(ctx, userID)
	if err != nil {
		return nil, err
	}
	byDesk := map[relay.DeskName][]string{}
	for _, id := range groups {
		if ref, err := relay.ParseGroupID(id); err == nil && e.Desks[ref.Desk] != nil {
			byDesk[ref.Desk] = append(byDesk[ref.Desk], id)
		} else {
			r.Rooms = append(r.Rooms, Room{Group: id, Plan: Foreign})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byDesk)) {
		for ids := range slices.Chunk(byDesk[name], maxRead) {
			if err := e.lookAt(ctx, r, e.Desks[name], ids); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

func (e *Erasure) lookAt(ctx context.Context, r *Report, desk relay.TicketDesk, groups []string) error {
	rooms, err := e.Rooms.Read(ctx, relay.DeskHash(desk.Host()), groups...)
	if err != nil {
		return err
	}
	var tickets []string
	for _, id := range groups {
		ref, _ := relay.ParseGroupID(id)
		tickets = append(tickets, ref.Ticket)
	}
	shown, err := desk.Tickets(ctx, tickets...)
	if err != nil {
		return err
	}
	for i, id := range groups {
		room := Room{Group: id, Desk: desk.Name(), Ticket: tickets[i]}
		t, seen := shown[room.Ticket]
		if err := rooms[id].Err; err != nil {
			room.Plan, room.Error = Unknown, err.Error()
			r.Rooms = append(r.Rooms, room)
			continue
		}
		if rooms[id].Whose != relay.OurRoom {
			r.Rooms = append(r.Rooms, Room{Group: id, Plan: Foreign})
			continue
		}
		if room.Plan, err = e.plan(ctx, desk, r.User, room.Ticket, t, seen); err != nil {
			return err
		}
		if room.Plan == Dissolve || room.Plan == Open {
			r.Tickets = append(r.Tickets, string(desk.Name())+":"+room.Ticket)
		}
		r.Rooms = append(r.Rooms, room)
	}
	return nil
}

func (e *Erasure) plan(ctx context.Context, desk relay.TicketDesk, userID, id string, t relay.Ticket, seen bool) (string, error) {
	agent := e.AgentID(desk.Name(), userID) != ""
	switch {
	case agent && seen && t.Status == relay.Open && !t.Deleted && slices.ContainsFunc(t.Agents, func(a relay.Agent) bool {
		return e.AgentID(desk.Name(), a.ID) == userID
	}):
		return Assigned, nil
	case agent, seen && t.Customer.UserID != userID:
		return Leave, nil
	case seen && t.Status == relay.Open && !t.Deleted:
		return Open, nil
	case seen:
		return Dissolve, nil
	}
	// Only the customer's own id is neither an agent's nor a stranger's, and a
	// ticket that the desk no longer has was somebody's.
	gone, err := desk.Gone(ctx, id)
	if err != nil {
		return "", err
	}
	if gone {
		return Dissolve, nil
	}
	return Unknown, nil
}

// Carry out what Look found; account also deletes the account. progress, which
// may be nil, is called after each room. A room that fails does not keep the
// others: its error stands in the report, and the account then stays, for
// without it nobody could find the rest.
func (e *Erasure) Carry(ctx context.Context, r *Report, account bool, progress func()) error {
	for i := range r.Rooms {
		room := &r.Rooms[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.carry(ctx, r.User, room); err != nil {
			room.Error = err.Error()
		}
		if progress != nil {
			progress()
		}
	}
	if !r.Account {
		return nil
	}
	cleared, err := e.Chat.ClearProfile(ctx, r.User)
	if err != nil {
		return fmt.Errorf("the profile: %w", err)
	}
	r.Profile = cleared
	if err := e.Chat.Kick(ctx, r.User); err != nil {
		return fmt.Errorf("ending the logins: %w", err)
	}
	if !account {
		return nil
	}
	if slices.ContainsFunc(r.Rooms, Room.Stays) {
		return errors.New("the account stays while rooms do: without it nobody could find them")
	}
	if err := e.Chat.DeleteAccount(ctx, r.User); err != nil {
		return fmt.Errorf("the account: %w (paid plans must allow account deletion in the console)", err)
	}
	r.Deleted = true
	return nil
}

func (e *Erasure) carry(ctx context.Context, userID string, room *Room) error {
	switch room.Plan {
	case Dissolve:
		if err := e.Dissolve(ctx, relay.Ref{Desk: room.Desk, Ticket: room.Ticket}); err != nil {
			return err
		}
		room.Done = true
	case Leave:
		if err := e.Rooms.Leave(ctx, room.Group, userID); err != nil && !errors.Is(err, relay.ErrNoRoom) {
			return err
		}
		room.Done = true
	}
	return nil
}
