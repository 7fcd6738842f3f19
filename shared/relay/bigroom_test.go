package relay_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

// bigRoom is a room of many messages in a slow chat, and a ticket and an archive
// that take its transcript. Only what filing asks is there.
type bigRoom struct {
	relay.SyncRooms
	relay.TicketDesk
	last, lost uint64 // the newest message, and the newest of those that are lost
	hole       [2]uint64
	call       time.Duration
	final      bool // the ticket takes nothing

	mu      sync.Mutex
	reads   int
	ticket  []string          // bodies of notes
	archive map[string]string // bodies by key
	names   map[string]string // part names by key
}

func (b *bigRoom) History(ctx context.Context, _ string, from uint64) ([]relay.Message, error) {
	b.mu.Lock()
	b.reads++
	b.mu.Unlock()
	select {
	case <-time.After(b.call):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if from == 0 || from > b.last {
		from = b.last
	}
	var page []relay.Message
	for seq := from; seq > 0 && from-seq < 20; seq-- {
		lost := seq <= b.lost || (seq >= b.hole[0] && seq <= b.hole[1])
		page = append(page, relay.Message{Seq: seq, From: "carol", Time: time.Unix(int64(seq), 0), Text: fmt.Sprintf("message %d", seq), Lost: lost})
	}
	return page, nil
}

func (b *bigRoom) Name() relay.DeskName  { return relay.Zendesk }
func (b *bigRoom) MaxPart() int          { return 60_000 }
func (b *bigRoom) PartSize(s string) int { return len(s) }

func (b *bigRoom) Parts(context.Context, string, string, time.Time) ([]string, time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.final {
		return nil, time.Time{}, relay.ErrCannotTake
	}
	var names []string
	for _, body := range b.ticket {
		names = append(names, relay.PartName(body))
	}
	return names, time.Unix(1, 0), nil
}

func (b *bigRoom) File(_ context.Context, _ string, part relay.Part, stamp time.Time) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ticket = append(b.ticket, part.Body)
	return stamp, nil
}

func (b *bigRoom) Find(_ context.Context, key string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.names[key], nil
}

func (b *bigRoom) Put(_ context.Context, key string, part relay.Part) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.archive == nil {
		b.archive, b.names = map[string]string{}, map[string]string{}
	}
	b.archive[key], b.names[key] = part.Body, part.Name
	return part.Name, nil
}

// file files the room in tries of 25 s, each of which knows nothing of the one
// before, and returns how many it took and all that was filed.
func (b *bigRoom) file(t *testing.T, most int) (tries int, filed string) {
	t.Helper()
	for tries = 1; tries <= most; tries++ {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		transcripts := &relay.Transcripts{Rooms: b, Archive: b, Meter: &upstreamtest.Counts{}}
		to, err := transcripts.File(ctx, relay.Filing{
			Desk: b, Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "7"}, Created: 1, From: 1, Customer: "carol", ArchiveOnly: b.final,
		})
		cancel()
		if err == nil {
			if to != b.last {
				t.Fatalf("filed to %d, want %d", to, b.last)
			}
			bodies := b.ticket
			for _, key := range slices.Sorted(maps.Keys(b.archive)) {
				bodies = append(bodies, b.archive[key])
			}
			return tries, strings.Join(bodies, "\n")
		}
	}
	t.Fatalf("not filed after %d tries", most)
	return tries, ""
}

// wantOnce checks that every message that the chat keeps is filed once.
func (b *bigRoom) wantOnce(t *testing.T, filed string) {
	t.Helper()
	times := map[string]int{}
	for _, m := range filedMessage.FindAllStringSubmatch(filed, -1) {
		times[m[1]]++
	}
	for seq := uint64(1); seq <= b.last; seq++ {
		want := 1
		if seq <= b.lost || (seq >= b.hole[0] && seq <= b.hole[1]) {
			want = 0
		}
		if n := times[fmt.Sprint(seq)]; n != want {
			t.Fatalf("message %d is filed %d times, want %d", seq, n, want)
		}
	}
}

var filedMessage = regexp.MustCompile(`: message ([0-9]+)\n`)

// A room that takes longer to read than one try has time is filed in the end.
func TestTranscriptOfABigRoom(t *testing.T) {
	t.Parallel()
	for _, final := range []bool{false, true} {
		for _, call := range []time.Duration{50 * time.Millisecond, 120 * time.Millisecond, 2 * time.Second} {
			t.Run(fmt.Sprintf("final=%v,%v", final, call), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := &bigRoom{last: 12_000, call: call, final: final}
					most := 3 + int(12_000/20*call/(12*time.Second))
					tries, filed := b.file(t, most)
					t.Logf("%d tries, %d reads", tries, b.reads)
					b.wantOnce(t, filed)
				})
			})
		}
	}
}

// What the chat has forgotten is stepped over, not read page by page.
func TestTranscriptBehindAForgottenHead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bigRoom{last: 12_100, lost: 12_000, call: 100 * time.Millisecond}
		_, filed := b.file(t, 1)
		b.wantOnce(t, filed)
		if want := "[messages 1 to 12000 are not kept by the chat]"; !strings.Contains(filed, want) {
			t.Errorf("want %q in %.300s", want, filed)
		}
		if b.reads > 60 {
			t.Errorf("%d reads", b.reads)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := &bigRoom{last: 500, lost: 500, call: time.Millisecond}
		b.file(t, 1)
	})
	// Deleted messages leave a gap, too, behind which older ones are kept.
	synctest.Test(t, func(t *testing.T) {
		b := &bigRoom{last: 500, hole: [2]uint64{101, 340}, call: time.Millisecond}
		_, filed := b.file(t, 1)
		b.wantOnce(t, filed)
	})
}
