package relay

import (
	"context"
	"errors"

	"github.com/caseroom/caseroom/shared/problem"
)

// Members carries out what a desk says about one agent and one room, one
// upstream call deep. The desk stays the truth: joins and leaves also queue the
// ticket, and Sync has the last word.
type Members struct {
	Rooms Rooms
	Queue Queue
	Meter Meter
}

// Join puts an agent into a room. It returns a NotFound problem when there is
// no such room and an Upstream problem when the chat refused the agent.
func (m *Members) Join(ctx context.Context, ref RoomRef, agent Account) (MemberResult, error) {
	defer m.hint(ctx, ref)()
	res, err := m.Rooms.Join(ctx, ref.GroupID(), agent)
	return res, memberProblem(err)
}

// Leave takes an agent out of a room; one who is not in it has left.
func (m *Members) Leave(ctx context.Context, ref RoomRef, userID string) error {
	defer m.hint(ctx, ref)()
	return memberProblem(m.Rooms.Leave(ctx, ref.GroupID(), userID))
}

// hint queues the ticket beside the call and returns what waits for it.
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
