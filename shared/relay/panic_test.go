package relay_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// poisonedDesk and poisonedRooms meet a bug of ours when they read one ticket, or
// its room, together with whatever else is read.
type poisonedDesk struct {
	relay.TicketDesk
	id string
}

func (d poisonedDesk) Tickets(ctx context.Context, ids ...string) (map[string]relay.Ticket, error) {
	if slices.Contains(ids, d.id) {
		panic("a bug")
	}
	return d.TicketDesk.Tickets(ctx, ids...)
}

type poisonedRooms struct {
	relay.SyncRooms
	id string
}

func (r poisonedRooms) Read(ctx context.Context, desk string, groupIDs ...string) (map[string]relay.Room, error) {
	if slices.Contains(groupIDs, r.id) {
		panic("a bug")
	}
	return r.SyncRooms.Read(ctx, desk, groupIDs...)
}

func TestPanicInARead(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func(*bed, relay.Ref){
		"ticket": func(b *bed, ref relay.Ref) {
			b.sync.Desks[relay.Zendesk] = poisonedDesk{b.zd, ref.Ticket}
		},
		"room": func(b *bed, ref relay.Ref) { b.sync.Rooms = poisonedRooms{b.rooms, ref.GroupID()} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sandbox.TencentPlan{})
			refs := []relay.Ref{
				b.open(relay.Zendesk, "carol", "One"), b.open(relay.Zendesk, "carol", "Two"), b.open(relay.Zendesk, "dave", "Three"),
			}
			poison(b, refs[1])
			items := make([]relay.SyncItem, len(refs))
			for i, ref := range refs {
				items[i] = item(ref)
			}
			for i, err := range b.run(items...) {
				if !errors.Is(err, relay.ErrPanic) || relay.Permanent(err) {
					t.Errorf("%v in one batch: %v", refs[i], err)
				}
			}
			for i := range items {
				if err := b.run(items[i])[0]; errors.Is(err, relay.ErrPanic) != (i == 1) || (i != 1 && err != nil) {
					t.Errorf("%v alone: %v", refs[i], err)
				}
			}
		})
	}
}
