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
func (m *Members) Join(ctx context.Context, ref Ref, agent Account) (res MemberResult, err error) {
	err = m.move(ctx, ref, func() error {
		res, err = m.Rooms.Join(ctx, ref.GroupID(), agent)
		return err
	})
	return res, err
}

// Leave takes an agent out of a room; one who is not in it has left, and so has
// everybody from a room that is gone.
func (m *Members) Leave(ctx context.Context, ref Ref, userID string) error {
	return m.move(ctx, ref, func() error { return unlessGone(m.Rooms.Leave(ctx, ref.GroupID(), userID)) })
}

// lookedAt is how soon after its hint was queued Sync may have looked at the room:
// a message takes longer than that from the queue to a function.
const lookedAt = 5 * time.Millisecond

// move queues the ticket beside the call, so that a process that dies has said
// so, and again after a call that was answered so much later than the queue that
// Sync may have had its word before it.
func (m *Members) move(ctx context.Context, ref Ref, call func() error) error {
	hint := Hint{Ref: ref}
	first := &stamped{Queue: m.Queue, now: m.Now}
	queued := sync.OnceFunc(sendHint(ctx, first, m.Meter, hint))
	defer queued()
	err := call()
	answered := m.Now()
	queued()
	if answered.Sub(first.sent) >= lookedAt && ctx.Err() == nil {
		sendHint(ctx, m.Queue, m.Meter, hint)()
	}
	return memberProblem(err)
}

// stamped is a queue that remembers when it took a hint.
type stamped struct {
	Queue
	now  Clock
	sent time.Time
}

func (q *stamped) Send(ctx context.Context, hint Hint) error {
	err := q.Queue.Send(ctx, hint)
	q.sent = q.now()
	return err
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
