package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/problem"
)

// Members carries out what a desk says about one agent and one room, one
// upstream call deep. The desk stays the truth: joins and leaves also queue the
// ticket, and Sync has the last word.
type Members struct {
	Rooms Rooms
	Queue Queue
	Meter Meter
	Now   Clock
}

// Join puts an agent into a room. It returns a NotFound problem when there is
// no such room and an Upstream problem when the chat refused the agent.
func (m *Members) Join(ctx context.Context, ref RoomRef, agent Account) (res MemberResult, err error) {
	err = m.move(ctx, ref, func() error {
		res, err = m.Rooms.Join(ctx, ref.GroupID(), agent)
		return err
	})
	return res, err
}

// Leave takes an agent out of a room; one who is not in it has left.
func (m *Members) Leave(ctx context.Context, ref RoomRef, userID string) error {
	return m.move(ctx, ref, func() error { return m.Rooms.Leave(ctx, ref.GroupID(), userID) })
}

// lookedAt is how soon after a ticket was queued Sync may have looked at its
// room: a queue, a function's start and half a call to the chat take no less.
const lookedAt = 100 * time.Millisecond

// move queues the ticket beside the call, and again after a call so slow that
// Sync may have had its word before it.
func (m *Members) move(ctx context.Context, ref RoomRef, call func() error) error {
	began := m.Now()
	queued := sync.OnceFunc(m.hint(ctx, ref))
	defer queued()
	err := call()
	if m.Now().Sub(began) >= lookedAt && ctx.Err() == nil {
		queued()
		m.hint(ctx, ref)()
	}
	return memberProblem(err)
}

// hint queues the ticket and returns what waits for it.
func (m *Members) hint(ctx context.Context, ref RoomRef) (wait func()) {
	return sendHint(ctx, m.Queue, m.Meter, Hint{Desk: ref.Desk, Ticket: ref.TicketID})
}

func memberProblem(err error) error {
	switch {
	case errors.Is(err, ErrNoRoom):
		return problem.Wrap(err, problem.NotFound, "There is no such room.")
	case errors.Is(err, ErrNotJoined):
		return problem.Wrap(err, problem.Upstream, "The chat refused this member. The account may be in too many rooms, or the room may be full.")
	default:
		return err
	}
}
