package relay_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// killed syncs a ticket in a process that dies at its n-th call to a vendor,
// before or after the vendor did what was asked. It reports whether there was
// an n-th call.
func (b *bed) killed(n int, how int, item relay.SyncItem) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var calls atomic.Int32
	var died atomic.Bool
	b.setCut(func(*http.Request) int {
		if int(calls.Add(1)) < n {
			return noCut
		}
		if died.Swap(true) {
			return cutBefore // nothing is sent by the dead
		}
		cancel()
		return how
	})
	b.clock.Add(3 * time.Second)
	_ = b.work(ctx, []relay.SyncItem{item})
	b.setCut(nil)
	return died.Load()
}

var partName = regexp.MustCompile(`^Chat transcript (\S+)@(\d+):(\d+)-(\d+)`)

// filedOnce checks that every message of the room stands in exactly one
// transcript, on the ticket or in the archive.
func (b *bed) filedOnce(ref relay.Ref) {
	b.Helper()
	g := b.group(ref)
	in := map[uint64]int{}
	bodies := append(b.filed(ref), b.archived(ref)...)
	for _, body := range bodies {
		m := partName.FindStringSubmatch(body)
		if m == nil || m[1] != ref.GroupID() || m[2] != strconv.FormatInt(g.Created.Unix(), 10) {
			continue // of a room that had the id before
		}
		from, _ := strconv.ParseUint(m[3], 10, 64)
		to, _ := strconv.ParseUint(m[4], 10, 64)
		for seq := from; seq <= to; seq++ {
			in[seq]++
		}
	}
	for _, m := range g.Messages {
		if in[m.Seq] != 1 {
			b.Errorf("%s: message %d %q is filed %d times", ref.GroupID(), m.Seq, m.Text, in[m.Seq])
		}
		if len(m.Text) < 1000 && !strings.Contains(strings.Join(bodies, "\n"), strings.ReplaceAll(m.Text, "\n", "\n    ")) {
			b.Errorf("%s: %q is in no transcript", ref.GroupID(), m.Text)
		}
	}
}

// Each step of a ticket's life is cut off at each of its calls; the next try,
// which knows no more than that it is one, must end as if nothing had happened.
func TestSyncCutAnywhere(t *testing.T) {
	t.Parallel()
	type step struct {
		name  string
		do    func(b *bed, ref relay.Ref)
		hints []string
		want  func(b *bed, ref relay.Ref, agents []string)
	}
	steps := []step{
		{"greet", func(*bed, relay.Ref) {}, nil, func(b *bed, ref relay.Ref, _ []string) {
			b.wantMembers(ref, "carol")
			b.wantSaid(ref, "will join")
		}},
		{"assign", func(b *bed, ref relay.Ref) { b.assign(ref, 0) }, nil, func(b *bed, ref relay.Ref, agents []string) {
			b.wantMembers(ref, "carol", agents[0])
			b.wantSaid(ref, "will join", "Alex")
		}},
		{"reassign", func(b *bed, ref relay.Ref) { b.say("carol", ref, "one"); b.assign(ref, 1) }, nil, func(b *bed, ref relay.Ref, agents []string) {
			b.wantMembers(ref, "carol", agents[1])
			b.wantSaid(ref, "will join", "Alex", "Billie")
		}},
		{"end", func(b *bed, ref relay.Ref) { b.end(ref) }, nil, func(b *bed, ref relay.Ref, _ []string) {
			b.wantMembers(ref, "carol")
			b.wantMuted(ref, true)
			b.wantSaid(ref, "will join", "Alex", "Billie", "solved")
			b.filedOnce(ref)
		}},
		{"reopen", func(b *bed, ref relay.Ref) { b.reopen(ref) }, nil, func(b *bed, ref relay.Ref, agents []string) {
			b.wantMembers(ref, "carol", agents[1])
			b.wantMuted(ref, false)
		}},
		{"delete", func(b *bed, ref relay.Ref) { b.say("carol", ref, "two"); b.remove(ref) }, []string{"deleted"}, func(b *bed, ref relay.Ref, _ []string) {
			b.wantMembers(ref, "carol")
			b.wantMuted(ref, true)
			b.filedOnce(ref)
		}},
	}
	bothDesksParallel := []relay.DeskName{relay.Zendesk, relay.Salesforce}
	for _, desk := range bothDesksParallel {
		for at, cut := range steps {
			for _, how := range []int{cutBefore, cutAfter} {
				t.Run(fmt.Sprintf("%s/%s/%d", desk, cut.name, how), func(t *testing.T) {
					t.Parallel()
					for n := 1; ; n++ {
						b := newBed(t, sandbox.TencentPlan{})
						ref := b.open(desk, "carol", "Printer")
						_, first := b.agent(desk, 0)
						_, second := b.agent(desk, 1)
						for _, s := range steps[:at] {
							s.do(b, ref)
							b.converge(ref, s.hints...)
						}
						cut.do(b, ref)
						item := item(ref, cut.hints...)
						there := b.killed(n, how, item)
						b.clock.Add(10 * time.Minute) // the vendor has forgotten what it was told
						item.Redelivered = there
						if err := b.run(item)[0]; err != nil {
							t.Fatalf("cut at call %d: %v", n, err)
						}
						cut.want(b, ref, []string{first, second})
						if t.Failed() {
							t.Fatalf("cut at call %d", n)
						}
						if !there {
							if n < 3 {
								t.Fatalf("only %d calls were made", n-1)
							}
							return
						}
					}
				})
			}
		}
	}
}

// A vendor that fails each call in each of its ways once is no reason for
// anything but another try.
func TestSyncFaults(t *testing.T) {
	t.Parallel()
	faults := []sandbox.Fault{
		{Kind: sandbox.FaultResetBefore}, {Kind: sandbox.FaultResetAfter}, {Kind: sandbox.FaultStatus, Status: 500},
		{Kind: sandbox.FaultStatus, Status: 503}, {Kind: sandbox.FaultStatus, Status: 429, RetryAfter: "60"},
		{Kind: sandbox.FaultHTML}, {Kind: sandbox.FaultNull}, {Kind: sandbox.FaultTruncate},
	}
	for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
		for _, f := range faults {
			t.Run(fmt.Sprintf("%s/%s%d", desk, f.Kind, f.Status), func(t *testing.T) {
				t.Parallel()
				// Which operations there are, a first pass without faults says.
				pass := func(op string) (ops []string) {
					b := newBed(t, sandbox.TencentPlan{})
					ref := b.open(desk, "carol", "Printer")
					b.assign(ref, 0)
					b.converge(ref)
					b.say("carol", ref, "hello")
					b.end(ref)
					b.box.ResetCalls()
					if op != "" {
						v, o, _ := strings.Cut(op, " ")
						f.Vendor, f.Op, f.Times = v, o, 1
						b.ok(b.box.AddFault(f))
					}
					item := item(ref)
					for try := range 8 {
						err := b.run(item)[0]
						if err == nil {
							break
						}
						if relay.Permanent(err) {
							t.Errorf("%s: %v is permanent", op, err)
						}
						if try == 7 {
							t.Errorf("%s: %v", op, err)
						}
						item.Redelivered = true
						b.clock.Add(10 * time.Minute)
					}
					b.wantMuted(ref, true)
					b.wantMembers(ref, "carol")
					b.wantSaid(ref, "has joined", "solved")
					b.filedOnce(ref)
					if t.Failed() {
						t.Fatalf("op %q", op)
					}
					ops = b.ops()
					slices.Sort(ops)
					return slices.Compact(ops)
				}
				for _, op := range pass("") {
					if strings.HasPrefix(op, "aws ") && f.Kind != sandbox.FaultStatus && f.Kind != sandbox.FaultResetAfter {
						continue // the SDK reads what it likes into a strange answer to a GET
					}
					pass(op)
				}
			})
		}
	}
}

// A notice that was sent by a try that died before it could write so down is
// known to the next try, though the ticket has turned back since.
func TestSyncOutdatedNotice(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.end(ref)
		item := item(ref)
		b.killed(5, cutBefore, item)
		b.wantSaid(ref, "will join", "solved")
		if mark, _ := relay.ParseMark(b.group(ref).Introduction); mark.Announced != 1 {
			t.Fatalf("the mark knows of it: %v", mark)
		}
		b.reopen(ref)
		b.clock.Add(10 * time.Minute) // the vendor has forgotten what it was told
		item.Redelivered = true
		if err := b.run(item)[0]; err != nil {
			t.Fatal(err)
		}
		b.wantSaid(ref, "will join", "solved", "will join")
		b.end(ref)
		b.converge(ref)
		b.wantSaid(ref, "will join", "solved", "will join", "solved")
	})
}
