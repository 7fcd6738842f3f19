package relay_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// toFile ends a ticket with a conversation and lets Sync ask for its transcript.
func (b *bed) toFile(desk relay.DeskName) (ref relay.Ref, items []relay.SyncItem) {
	b.Helper()
	ref = b.ended(desk)
	b.ok(errors.Join(b.sync.Run(context.Background(), []relay.SyncItem{item(ref)})...))
	if items = b.files.take(); len(items) != 1 || items[0].Ref != ref {
		b.Fatalf("Sync asked to file %+v", items)
	}
	b.file.Desks, b.file.Rooms, b.file.Transcripts, b.file.Table = b.sync.Desks, b.sync.Rooms, b.sync.Transcripts, b.sync.Table
	return ref, items
}

// A solved ticket's agents leave at once; its transcript, and the mark that says so,
// follow when they follow.
func TestAgentsLeaveBeforeTheTranscript(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref, items := b.toFile(desk)
		b.wantMembers(ref, "carol")
		b.wantMuted(ref, true)
		if n := len(b.filed(ref)); n != 0 {
			t.Fatalf("Sync filed %d transcripts", n)
		}
		before := b.group(ref).Introduction
		b.ok(errors.Join(b.file.Run(context.Background(), items)...))
		b.filedOnce(ref)
		if after := b.group(ref).Introduction; after != before {
			t.Errorf("File changed the mark from %s to %s", before, after)
		}
		told := b.told.take()
		g := b.group(ref)
		want := relay.Filed{Created: g.Created.Unix(), Seq: g.Messages[len(g.Messages)-1].Seq}
		if len(told) != 1 || told[0].Ref != ref || told[0].Filed != want {
			t.Fatalf("told %+v, want %+v", told, want)
		}
		b.ok(errors.Join(b.sync.Run(context.Background(), told)...))
		if mark, err := relay.ParseMark(b.group(ref).Introduction); err != nil || mark.Filed != want.Seq {
			t.Errorf("mark %+v, %v", mark, err)
		}
		if again := b.files.take(); len(again) != 0 {
			t.Errorf("Sync asked again: %+v", again)
		}
		// An old word about another room of the id, or about less, changes nothing.
		for _, f := range []relay.Filed{{Created: want.Created - 1, Seq: want.Seq + 5}, {Created: want.Created, Seq: 1}} {
			b.ok(errors.Join(b.sync.Run(context.Background(), []relay.SyncItem{{Hint: relay.Hint{Ref: ref, Filed: f}}})...))
			if mark, err := relay.ParseMark(b.group(ref).Introduction); err != nil || mark.Filed != want.Seq {
				t.Errorf("after %+v: mark %+v, %v", f, mark, err)
			}
		}
	})
}

// What was opened again has nothing to file yet.
func TestFileOfAReopenedTicket(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref, items := b.toFile(desk)
		b.reopen(ref)
		b.ok(errors.Join(b.file.Run(context.Background(), items)...))
		if n := len(b.filed(ref)); n != 0 || len(b.told.take()) != 0 {
			t.Errorf("%d transcripts are filed", n)
		}
		b.converge(ref)
		b.say("carol", ref, "still burns")
		b.end(ref)
		b.converge(ref)
		b.filedOnce(ref)
	})
}

// notes is a desk that only takes notes of when it was written to.
type notes struct {
	relay.TicketDesk
	mu    sync.Mutex
	times []time.Time
}

func (n *notes) File(ctx context.Context, ticketID string, part relay.Part, stamp time.Time) (time.Time, error) {
	n.mu.Lock()
	n.times = append(n.times, time.Now())
	n.mu.Unlock()
	return n.TicketDesk.File(ctx, ticketID, part, stamp)
}

// TestPace counts what runs that follow each other, in two processes at once, write
// in any minute.
func TestPace(t *testing.T) {
	for _, perMinute := range []int{10, 50, 600} {
		synctest.Test(t, func(t *testing.T) {
			const processes = 2
			paced := &notes{TicketDesk: silentDesk{}}
			var all sync.WaitGroup
			for range processes {
				all.Go(func() {
					for range 4 { // invocations, each of which knows nothing of the one before
						desk := relay.Paced(paced, relay.Pace(perMinute, processes))
						var batch sync.WaitGroup
						for range 10 {
							batch.Go(func() {
								if _, err := desk.File(context.Background(), "1", relay.Part{}, time.Time{}); err != nil {
									t.Error(err)
								}
							})
						}
						batch.Wait()
					}
				})
			}
			all.Wait()
			if len(paced.times) != 80 {
				t.Fatalf("%d parts", len(paced.times))
			}
			for i, from := range paced.times {
				n := 0
				for _, at := range paced.times[i:] {
					if at.Sub(from) < time.Minute {
						n++
					}
				}
				if n > perMinute {
					t.Fatalf("%d writes within a minute, and the budget is %d", n, perMinute)
				}
			}
		})
	}
}

// silentDesk takes every part.
type silentDesk struct{ relay.TicketDesk }

func (silentDesk) File(context.Context, string, relay.Part, time.Time) (time.Time, error) {
	return time.Time{}, nil
}

// A ticket that its desk does not show is looked for a day, and then left to the
// sweep, which asks again.
func TestFileOfAHiddenTicket(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref, items := b.toFile(relay.Zendesk)
	b.ok(b.box.Zendesk().Hide(b.number(ref), true))
	for since, want := range map[time.Duration]error{time.Hour: relay.ErrUnreadable, 25 * time.Hour: nil} {
		items[0].Since = b.clock.Now().Add(-since)
		if err := b.file.Run(context.Background(), items)[0]; !errors.Is(err, want) {
			t.Errorf("after %v: %v, want %v", since, err, want)
		}
	}
}
