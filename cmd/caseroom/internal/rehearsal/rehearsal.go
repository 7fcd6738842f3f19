// Package rehearsal lets Sync run without changing anything. Everything that
// Sync reads is read; what it would write is noted instead, and from then on
// looks as if it had been written. So what is told is what Sync does, not what
// somebody thought it does.
package rehearsal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
)

// Step is something that Sync would do to a room or its ticket.
type Step struct {
	// Action is make, destroy, join, remove, mute, unmute, rename, mark, notice,
	// file, archive, list or retire.
	Action string `json:"action"`
	User   string `json:"user,omitempty"`   // of join and remove
	Detail string `json:"detail,omitempty"` // the name, text, mark or part
}

// String says the step in words.
func (s Step) String() string {
	switch s.Action {
	case "make":
		return "make the room"
	case "destroy":
		return "destroy the group that has the room's id"
	case "join":
		return "add " + s.User
	case "remove":
		return "remove " + s.User
	case "mute":
		return "lock the room"
	case "unmute":
		return "open the room"
	case "rename":
		return "name the room " + strconv.Quote(s.Detail)
	case "mark":
		return "write the mark " + s.Detail
	case "notice":
		return "tell the room: " + s.Detail
	case "file":
		return "file " + s.Detail + " on the ticket"
	case "archive":
		return "file " + s.Detail + " in the archive"
	case "list":
		return "give the ticket its tag back"
	case "retire":
		return s.Detail
	}
	return s.Action
}

// Script is what the rehearsed Syncs would do, by group id.
type Script struct {
	Now func() time.Time

	mu    sync.Mutex
	steps map[string][]Step
	made  map[string]relay.Room // rooms as they would be
}

// Steps returns what would be done to a room, nil for one that is right.
func (s *Script) Steps(groupID string) []Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.steps[groupID]
}

func (s *Script) note(groupID string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.steps == nil {
		s.steps = map[string][]Step{}
	}
	s.steps[groupID] = append(s.steps[groupID], steps...)
}

// room returns a room as it would be, if anything would have changed in it.
func (s *Script) room(groupID string) (relay.Room, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.made[groupID]
	return r, ok
}

func (s *Script) make(groupID string, r relay.Room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		s.made = map[string]relay.Room{}
	}
	s.made[groupID] = r
}

// Meter counts nothing: nothing happens.
type Meter struct{}

// Count does nothing.
func (Meter) Count(context.Context, string, int, ...string) {}

// Time notes nothing.
func (Meter) Time(context.Context, string, time.Duration, ...string) {}

// Rooms are rooms that are read and not changed.
type Rooms struct {
	relay.SyncRooms
	Script *Script
}

var _ relay.SyncRooms = Rooms{}

// Read reads the rooms; those that would have been made are there.
func (r Rooms) Read(ctx context.Context, desk string, groupIDs ...string) (map[string]relay.Room, error) {
	rooms, err := r.SyncRooms.Read(ctx, desk, groupIDs...)
	if err != nil {
		return nil, err
	}
	for _, id := range groupIDs {
		if made, ok := r.Script.room(id); ok {
			rooms[id] = made
		}
	}
	return rooms, nil
}

// History reads the messages; a room that is not there yet has none.
func (r Rooms) History(ctx context.Context, groupID string, from uint64) ([]relay.Message, error) {
	if _, ok := r.Script.room(groupID); ok {
		return nil, nil
	}
	return r.SyncRooms.History(ctx, groupID, from)
}

// Import notes nothing: an account that is imported again is what it was.
func (Rooms) Import(context.Context, ...relay.Account) error { return nil }

// Ensure notes the making of a room, unless another group has its id.
func (r Rooms) Ensure(ctx context.Context, n relay.NewRoom) (relay.Whose, error) {
	rooms, err := r.Read(ctx, n.Mark.Desk, n.GroupID)
	if err != nil {
		return relay.NoRoom, err
	}
	if whose := rooms[n.GroupID].Whose; whose != relay.NoRoom {
		return whose, rooms[n.GroupID].Err
	}
	r.Script.note(n.GroupID, Step{Action: "make", Detail: r.FitName(n.Name, n.Neutral)}, Step{Action: "join", User: n.Customer})
	r.Script.make(n.GroupID, relay.Room{
		Whose: relay.OurRoom, Mark: n.Mark, Name: r.FitName(n.Name, n.Neutral), Shut: true,
		Created: r.Script.Now().Unix(), Members: []string{n.Customer},
	})
	return relay.OurRoom, nil
}

// Join notes that somebody would be added.
func (r Rooms) Join(_ context.Context, groupID string, a relay.Account) (relay.MemberResult, error) {
	r.Script.note(groupID, Step{Action: "join", User: a.UserID, Detail: a.Nick})
	return relay.MemberResult{UserID: a.UserID, Result: 1}, nil
}

// Leave notes that somebody would be removed.
func (r Rooms) Leave(_ context.Context, groupID, userID string) error {
	r.Script.note(groupID, Step{Action: "remove", User: userID})
	return nil
}

// Remove notes who would be removed.
func (r Rooms) Remove(ctx context.Context, groupID string, userIDs ...string) error {
	for _, id := range userIDs {
		_ = r.Leave(ctx, groupID, id)
	}
	return nil
}

// Destroy notes that the group would go.
func (r Rooms) Destroy(_ context.Context, groupID string) error {
	r.Script.note(groupID, Step{Action: "destroy"})
	r.Script.make(groupID, relay.Room{})
	return nil
}

// Change notes what would be written.
func (r Rooms) Change(_ context.Context, groupID string, c relay.RoomChange) error {
	if c.Mute != nil && *c.Mute {
		r.Script.note(groupID, Step{Action: "mute"})
	}
	if c.Mute != nil && !*c.Mute {
		r.Script.note(groupID, Step{Action: "unmute"})
	}
	if c.Name != "" {
		r.Script.note(groupID, Step{Action: "rename", Detail: c.Name})
	}
	if c.Mark.Desk != "" {
		r.Script.note(groupID, Step{Action: "mark", Detail: c.Mark.String()})
	}
	return nil
}

// Say notes a notice. It gets no sequence number: nobody has seen it.
func (r Rooms) Say(_ context.Context, groupID string, n relay.Notice) (uint64, error) {
	r.Script.note(groupID, Step{Action: "notice", Detail: n.Text})
	return 0, nil
}

// Desk is a desk that is read and not changed.
type Desk struct {
	relay.TicketDesk
	Script *Script
	// Older returns the oldest ticket of the request that made t, t's own id if
	// that is it; nil knows of no repeated requests.
	Older func(ctx context.Context, t relay.Ticket) (string, error)
}

var _ relay.TicketDesk = Desk{}

// Unique notes that a ticket that repeats a request would be solved.
func (d Desk) Unique(ctx context.Context, t relay.Ticket) (newer bool, err error) {
	if d.Older == nil {
		return false, nil
	}
	oldest, err := d.Older(ctx, t)
	if err != nil || oldest == "" || oldest == t.ID {
		return false, err
	}
	d.Script.note(relay.Ref{Desk: d.Name(), Ticket: t.ID}.GroupID(),
		Step{Action: "retire", Detail: "solve the ticket: it repeats the request of " + oldest})
	return true, nil
}

// List notes that a ticket would get its tag back.
func (d Desk) List(_ context.Context, t relay.Ticket) error {
	d.Script.note(relay.Ref{Desk: d.Name(), Ticket: t.ID}.GroupID(), Step{Action: "list"})
	return nil
}

// File notes which messages would be filed.
func (d Desk) File(_ context.Context, ticketID string, part relay.Part, stamp time.Time) (time.Time, error) {
	d.Script.note(relay.Ref{Desk: d.Name(), Ticket: ticketID}.GroupID(), Step{Action: "file", Detail: messages(part)})
	return stamp, nil
}

// Archive is an archive that is read and not written.
type Archive struct {
	relay.Archive
	Script *Script
}

var _ relay.Archive = Archive{}

// Put notes which messages would be archived.
func (a Archive) Put(_ context.Context, _ string, part relay.Part) (string, error) {
	group, _, _ := strings.Cut(part.Name, "@")
	a.Script.note(group, Step{Action: "archive", Detail: messages(part)})
	return part.Name, nil
}

// messages says which messages a part holds: its name ends in their numbers.
func messages(part relay.Part) string {
	_, span, _ := strings.Cut(part.Name, ":")
	return fmt.Sprintf("messages %s (%d bytes)", span, len(part.Body))
}
