package relay

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Squats takes away what others have made under tickets' group ids. Nothing takes
// a destroyed group back, so it needs a positive sign: an owner or another type,
// which no room of ours ever had, and no word of ours in its history. Many of them
// at once, or a room of its own that reads as one, show a wrong belief about rooms:
// the process then destroys no more.
type Squats struct {
	mu    sync.Mutex
	taken []time.Time // when squats were destroyed lately
	until time.Time   // nothing is destroyed before
}

// The breaker's limits. A process destroys squatsAtOnce squats within squatsWithin,
// and none for squatsMisread after a room of its own read as a squat.
const (
	squatsAtOnce  = 5
	squatsWithin  = 10 * time.Minute
	squatsMisread = time.Hour
)

// mayTake counts a squat that is about to be destroyed, and reports whether it may be.
func (s *Squats) mayTake(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.taken) > 0 && now.Sub(s.taken[0]) >= squatsWithin {
		s.taken = s.taken[1:]
	}
	if now.Before(s.until) || len(s.taken) >= squatsAtOnce {
		return false
	}
	s.taken = append(s.taken, now)
	return true
}

// misread opens the breaker: a room made just now reads as a squat.
func (s *Squats) misread(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = now.Add(squatsMisread)
}

// landlord makes rooms where others may have made groups.
type landlord struct {
	rooms  Rooms
	squats *Squats
	meter  Meter
	now    Clock
}

// ensureTries bounds how often a room is tried to be made: a squatter may be quick.
const ensureTries = 4

// ensure makes a ticket's room, and takes a squat under its id away. A squat in
// which something of ours stands was a room of ours: rescue files what it holds
// first; nil leaves that to another, and the error is ErrHeld.
func (l landlord) ensure(ctx context.Context, ref Ref, room NewRoom, rescue rescue) error {
	for range ensureTries {
		whose, err := l.rooms.Ensure(ctx, room)
		switch {
		case err != nil:
			return err
		case whose == ForeignRoom:
			return ErrForeignRoom
		case !whose.squat():
			return nil
		}
		if err := l.evict(ctx, ref, room.Mark.Desk, rescue); err != nil {
			return err
		}
	}
	return ErrHeld
}

// rescue files what a room of ours holds that has become a squat, and returns the
// last message that is filed.
type rescue func(ctx context.Context, room Room) (filed uint64, err error)

// evict destroys the squat that has a ticket's group id, if one has it.
func (l landlord) evict(ctx context.Context, ref Ref, desk string, rescue rescue) error {
	group := ref.GroupID()
	room, err := l.read(ctx, desk, group)
	if err != nil || !room.Whose.squat() {
		return err
	}
	l.meter.Count(ctx, "RoomSquatted", 1, "desk", string(ref.Desk))
	slog.WarnContext(ctx, "room squatted", "desk", ref.Desk, "ticket", ref.Ticket)
	ours := false
	if room.Whose == SquattedRoom {
		if ours, err = wasOurs(ctx, l.rooms, group); err != nil {
			return unlessGone(err)
		}
	}
	looked := room.LastSeq
	if ours {
		slog.WarnContext(ctx, "the squat was a room of ours", "desk", ref.Desk, "ticket", ref.Ticket, "filed first", rescue != nil)
		if rescue == nil {
			return ErrHeld
		}
		if looked, err = rescue(ctx, room); err != nil {
			return unlessGone(err)
		}
	}
	// Another may have made the room meanwhile, or somebody may have written in it.
	now, err := l.read(ctx, desk, group)
	if err != nil || now.Whose == NoRoom {
		return err
	}
	if now.Whose != room.Whose || now.Created != room.Created {
		return ErrHeld
	}
	if more, err := saidSince(ctx, l.rooms, group, now, looked); err != nil || more {
		return cmp.Or(unlessGone(err), ErrHeld)
	}
	if !l.squats.mayTake(l.now()) {
		held(ctx, l.meter, ref.Desk, "many rooms at once look squatted")
		return ErrHeld
	}
	if err := l.rooms.Destroy(ctx, group); err != nil {
		return err
	}
	logDissolved(ctx, ref)
	return nil
}

func (l landlord) read(ctx context.Context, desk, group string) (Room, error) {
	rooms, err := l.rooms.Read(ctx, desk, group)
	if err != nil {
		return Room{}, err
	}
	return rooms[group], rooms[group].Err
}

// held reports that something is not destroyed that seemed to have to be.
func held(ctx context.Context, m Meter, desk DeskName, why string) {
	m.Count(ctx, "DestroyHeld", 1, "desk", string(desk))
	slog.ErrorContext(ctx, "nothing is destroyed", "desk", desk, "why", why)
}

// squatPages is how many pages of a squat's history are read for a word of ours.
const squatPages = 10

// wasOurs reports whether a squat may have been a room of ours: whether the admin,
// who writes in nothing else, has written in it. It was not only if the history
// shows that: one that is forgotten in part or long may hide a word of ours.
func wasOurs(ctx context.Context, rooms historian, groupID string) (bool, error) {
	from := uint64(0)
	for range squatPages {
		page, err := rooms.History(ctx, groupID, from)
		if err != nil {
			return false, err
		}
		if len(page) == 0 {
			return from > 0, nil
		}
		if slices.ContainsFunc(page, func(m Message) bool { return m.Ours || m.Lost }) {
			return true, nil
		}
		from = page[len(page)-1].Seq - 1
		if from == 0 {
			return false, nil
		}
	}
	return true, nil
}

// saidSince reports whether a room as it was just read holds a message behind seq
// that the chat still keeps.
func saidSince(ctx context.Context, rooms historian, groupID string, room Room, seq uint64) (bool, error) {
	if room.LastSeq <= seq {
		return false, nil
	}
	newest, err := rooms.History(ctx, groupID, 0)
	return len(newest) > 0 && newest[0].Seq > seq, err
}
