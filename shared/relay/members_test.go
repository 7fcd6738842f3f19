package relay_test

import (
	"context"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

// late is a chat in whose calls something else happens first.
type late struct {
	relay.Rooms
	first func()
}

func (l late) Join(ctx context.Context, group string, who relay.Account) (relay.MemberResult, error) {
	l.first()
	return l.Rooms.Join(ctx, group, who)
}

func (l late) Leave(ctx context.Context, group, userID string) error {
	l.first()
	return l.Rooms.Leave(ctx, group, userID)
}

// hinted is a queue as far as a send goes.
type hinted chan relay.Hint

func (q hinted) Send(_ context.Context, h relay.Hint) error {
	q <- h
	return nil
}

// Sync has the last word also when it worked off a call's hint before the call
// reached the room.
func TestSlowMembers(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		_, right := b.agent(desk, 0)
		_, wrong := b.agent(desk, 1)
		b.assign(ref, 0)
		b.converge(ref)

		queue, asked := make(hinted, 9), make(chan struct{}, 9) // for the time
		now := func() time.Time {
			defer func() { asked <- struct{}{} }()
			return b.clock.Now()
		}
		work := func() {
			h := <-queue
			<-asked // the first hint was queued before Sync takes its time
			b.converge(relay.Ref{Desk: h.Desk, Ticket: h.Ticket})
		}
		again := func() {
			if len(queue) == 0 {
				t.Fatal("not queued again")
			}
			work()
		}
		m := &relay.Members{Rooms: late{b.rooms, work}, Queue: queue, Meter: b.meter, Now: now}
		_, err := m.Join(t.Context(), ref, relay.Account{UserID: wrong})
		b.ok(err)
		b.wantMembers(ref, "carol", right, wrong)
		again()
		b.wantMembers(ref, "carol", right)

		b.ok(m.Leave(t.Context(), ref, right))
		b.wantMembers(ref, "carol")
		again()
		b.wantMembers(ref, "carol", right)

		m.Rooms = late{b.rooms, func() {
			<-asked
			b.clock.Add(4 * time.Millisecond)
		}}
		b.ok(m.Leave(t.Context(), ref, right))
		if len(queue) != 1 {
			t.Errorf("a quick call was queued %d times", len(queue))
		}
	})
}

// A room that is gone has no agent in it.
func TestLeaveOfARoomThatIsGone(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	m := &relay.Members{Rooms: b.rooms, Queue: noQueue{}, Meter: b.meter, Now: b.clock.Now}
	if err := m.Leave(t.Context(), relay.Ref{Desk: relay.Zendesk, Ticket: "4711"}, "zd_1"); err != nil {
		t.Error(err)
	}
	if _, err := m.Join(t.Context(), relay.Ref{Desk: relay.Zendesk, Ticket: "4711"}, relay.Account{UserID: "zd_1"}); err == nil {
		t.Error("joined a room that is gone")
	}
}

// buggy is a chat whose calls panic.
type buggy struct{ relay.Rooms }

func (buggy) Leave(context.Context, string, string) error { panic("a bug") }

// slowQueue tells when it has taken a hint.
type slowQueue chan struct{}

func (q slowQueue) Send(context.Context, relay.Hint) error {
	time.Sleep(10 * time.Millisecond)
	close(q)
	return nil
}

// Nothing goes on behind a call that met a bug.
func TestPanickingMembers(t *testing.T) {
	t.Parallel()
	q := make(slowQueue)
	m := &relay.Members{Rooms: buggy{}, Queue: q, Meter: &upstreamtest.Counts{}, Now: time.Now}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
		select {
		case <-q:
		default:
			t.Error("the hint is still being sent")
		}
	}()
	_ = m.Leave(t.Context(), relay.Ref{Desk: relay.Zendesk, Ticket: "1"}, "zd_1")
}
