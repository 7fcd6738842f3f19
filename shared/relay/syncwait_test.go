package relay_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// files reports whether a call files a part of a transcript.
func files(r *http.Request) bool {
	return (r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/api/v2/tickets/")) ||
		(r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/Caseroom_Transcript__c/"))
}

// refused lets a vendor answer the first n of these calls with "too fast".
func refused(n int, these func(*http.Request) bool) func(*http.Request) int {
	var mu sync.Mutex
	return func(r *http.Request) int {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 && these(r) {
			n--
			return tooFast
		}
		return noCut
	}
}

// invoke syncs tickets in an invocation that has the time to wait out a limit,
// and returns the waits. meanwhile, if set, happens in each of them.
func (b *bed) invoke(meanwhile func(), items ...relay.SyncItem) (errs []error, waits []time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	var mu sync.Mutex
	patient := &relay.Sync{
		Desks: b.sync.Desks, Rooms: b.sync.Rooms, Transcripts: b.sync.Transcripts, Meter: b.meter, Now: b.clock.Now,
		Files: &b.files, Table: relay.Table{Archive: true},
		Wait: func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, d)
			b.clock.Add(d)
			if meanwhile != nil {
				meanwhile()
			}
			return ctx.Err()
		},
	}
	b.clock.Add(3 * time.Second)
	errs = b.workWith(ctx, patient, items)
	return errs, waits
}

// ended is a ticket that has ended, with a conversation to file.
func (b *bed) ended(desk relay.DeskName) relay.Ref {
	b.Helper()
	ref := b.open(desk, "carol", "Printer")
	b.assign(ref, 0)
	b.converge(ref)
	b.say("carol", ref, "it burns")
	b.end(ref)
	b.box.ResetCalls()
	return ref
}

// What a limit kept from being done is done after it, with what was read.
func TestSyncWaitsOutALimit(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.ended(desk)
		b.setCut(refused(1, files))
		errs, waits := b.invoke(nil, item(ref))
		if errs[0] != nil || len(waits) != 1 || waits[0] != time.Minute {
			t.Fatalf("errors %v, waited %v", errs, waits)
		}
		b.wantMembers(ref, "carol")
		b.wantMuted(ref, true)
		b.wantSaid(ref, "has joined", "solved")
		b.filedOnce(ref)
		reads := map[string]int{}
		for _, op := range b.ops() {
			reads[op]++
		}
		// Sync, File and Sync again read the ticket once each. Salesforce has no states:
		// whether somebody else filed, only a look tells.
		again := map[relay.DeskName]map[string]int{
			relay.Zendesk:    {"tencent group_msg_get_simple": 1, "zendesk tickets_comments": 1, "zendesk tickets_show": 0, "zendesk tickets_show_many": 3},
			relay.Salesforce: {"tencent group_msg_get_simple": 1},
		}
		for op, want := range again[desk] {
			if reads[op] != want {
				t.Errorf("%s: %d times, want %d: %v", op, reads[op], want, reads)
			}
		}
	})
}

// Somebody else files the transcript, or brings the ticket to where it was,
// while a limit is waited out.
func TestSyncMeanwhile(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.ended(desk)
		b.setCut(refused(1, files))
		errs, waits := b.invoke(func() { b.converge(ref) }, item(ref))
		if errs[0] != nil || len(waits) != 1 {
			t.Fatalf("errors %v, waited %v", errs, waits)
		}
		b.wantSaid(ref, "has joined", "solved")
		b.filedOnce(ref)

		b.reopen(ref)
		b.converge(ref)
		b.say("carol", ref, "still burns")
		b.end(ref)
		b.setCut(refused(1, files))
		errs, _ = b.invoke(func() {
			b.reopen(ref)
			b.converge(ref)
			b.say("carol", ref, "and smokes")
		}, item(ref))
		if errs[0] != nil {
			t.Fatal(errs)
		}
		b.converge(ref) // the reopening's own message
		b.wantMuted(ref, false)
		b.end(ref)
		b.converge(ref)
		b.wantMuted(ref, true)
		b.filedOnce(ref)
	})
}

// A process dies anywhere before, in and after a wait.
func TestSyncCutAroundAWait(t *testing.T) {
	t.Parallel()
	for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
		for _, how := range []int{cutBefore, cutAfter} {
			t.Run(fmt.Sprintf("%s/%d", desk, how), func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					b := newBed(t, sandbox.TencentPlan{})
					ref := b.ended(desk)
					limit := refused(1, files)
					item := item(ref)
					var mu sync.Mutex
					calls := 0
					b.setCut(func(r *http.Request) int {
						mu.Lock()
						defer mu.Unlock()
						if calls++; calls == n {
							return how
						}
						if calls > n {
							return cutBefore
						}
						return limit(r)
					})
					errs, _ := b.invoke(nil, item)
					b.setCut(nil)
					b.clock.Add(10 * time.Minute)
					item.Redelivered = errs[0] != nil
					if err := b.run(item)[0]; err != nil {
						t.Fatalf("cut at call %d: %v", n, err)
					}
					b.wantMembers(ref, "carol")
					b.wantMuted(ref, true)
					b.wantSaid(ref, "has joined", "solved")
					b.filedOnce(ref)
					if t.Failed() {
						t.Fatalf("cut at call %d", n)
					}
					if errs[0] == nil {
						if n < 8 {
							t.Fatalf("only %d calls were made", n-1)
						}
						return
					}
				}
			})
		}
	}
}

// The chat lets an agent in only after a while: nobody is told anything else
// meanwhile.
func TestSyncWaitsBeforeItSpeaks(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.setCut(refused(3, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "add_group_member") }))
		errs, waits := b.invoke(nil, item(ref))
		if errs[0] != nil || len(waits) == 0 {
			t.Fatalf("errors %v, waited %v", errs, waits)
		}
		b.wantSaid(ref, "has joined")
	})
}

// A batch that has no time to wait is given back at once.
func TestSyncNoTimeToWait(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.ended(desk)
		b.setCut(refused(1, files))
		if err := b.run(item(ref))[0]; err == nil || relay.Permanent(err) {
			t.Errorf("got %v", err)
		}
		b.setCut(nil)
		if err := b.run(relay.SyncItem{Hint: relay.Hint{Ref: ref}, Redelivered: true})[0]; err != nil {
			t.Error(err)
		}
		b.filedOnce(ref)
	})
}

// spent is a desk whose calls of the day are used up.
type spent struct{ relay.TicketDesk }

func (spent) Parts(context.Context, string, string, time.Time) ([]string, time.Time, error) {
	return nil, time.Time{}, &upstream.Error{Vendor: "salesforce", Op: "query", Status: 403, Code: "REQUEST_LIMIT_EXCEEDED", Class: upstream.RateLimited, Quota: true}
}

// No wait inside an invocation brings back a day's calls, and every try is one.
func TestQuotaIsNotWaitedOut(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.ended(relay.Salesforce)
	b.sync.Desks[relay.Salesforce] = spent{b.sf}
	errs, waits := b.invoke(nil, item(ref))
	if upstream.ClassOf(errs[0]) != upstream.RateLimited || len(waits) != 0 {
		t.Errorf("%v after waits %v", errs[0], waits)
	}
}
