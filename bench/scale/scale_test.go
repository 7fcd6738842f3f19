// Package scale measures Sync when very many tickets change at once: how many
// calls a ticket costs, and how near the work comes to what the vendors' rate
// limits allow.
//
//	go test ./bench/scale                                    a few hundred tickets
//	go test ./bench/scale -v -args -tickets 10000 -write     make bench-scale
//
// Time is simulated. The real worker with the real clients works off the
// sandbox's queue, in as many processes as the template allows, against the
// sandbox's vendors with their documented limits; all of it runs in a bubble of
// testing/synctest, whose clock moves when everybody waits. What the limits
// allow in two hours so takes a minute. The work itself costs no time in there:
// what is measured are waits, for answers and for limits.
package scale

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/tests/world"
)

const root = "../.."

var (
	tickets = flag.Int("tickets", 300, "how many tickets change at once")
	write   = flag.Bool("write", false, "put the table into docs/performance.md and the queues' depths into -depths")
	only    = flag.String("only", "", "measure the scenarios whose names hold this")
	depths  = flag.String("depths", "", "write the depths of the queues over time to this CSV file")
)

// The vendors' documented limits.
const (
	// https://developer.zendesk.com/api-reference/introduction/rate-limits/,
	// on the plan Enterprise.
	zendeskPerMinute = 700
	updatesPerMinute = 100
	// https://trtc.io/document/34620, of each command.
	tencentPerSecond = 200
	// latency of every vendor's call.
	latency = 50 * time.Millisecond
	// concurrency is the template's SyncConcurrency; behind the other two queues it
	// allows aside processes each.
	concurrency = 10
	aside       = 2
	// filedPerMinute is the template's DeskWritesPerMinute, and forwardedPerSecond what
	// forward passes on.
	filedPerMinute     = 50
	forwardedPerSecond = 20
	// While tickets are solved, every so often another one is created and assigned,
	// and its agent is to be in the room soon.
	liveEvery = 20 * time.Second
	liveSoon  = 5 * time.Second
	// agentsOfDesk share the tickets: an account may be in 500 rooms.
	agentsOfDesk = 50
)

// scenario is one kind of change.
type scenario struct {
	name   string
	desk   relay.DeskName
	change func(b *bench, id string, n int) error
	// reads is the target for reads per ticket, 0 for none.
	reads float64
	// bulk: nobody waits for it, and the tickets end.
	bulk bool
}

func scenarios() []scenario {
	return []scenario{
		{"Zendesk, reassigned", relay.Zendesk, (*bench).assign, 0.25, false},
		{"Zendesk, solved", relay.Zendesk, func(b *bench, id string, _ int) error { return b.w.Box.Zendesk().Solve(number(id)) }, 0, true},
		{"Salesforce, reassigned", relay.Salesforce, (*bench).assign, 0.25, false},
		{"Salesforce, closed", relay.Salesforce, func(b *bench, id string, _ int) error { return b.w.Box.Salesforce().Close(id) }, 0, true},
	}
}

// result is what a scenario came to.
type result struct {
	scenario
	tickets int
	took    time.Duration
	calls   map[string]int // by vendor and operation, answered
	refused map[string]int // by vendor
	dead    int
	depth   []sample
	live    []time.Duration // how long agents of other tickets waited to be in
	filed   int             // the most that filing wrote to Zendesk's tickets in any minute
}

type sample struct {
	at         time.Duration
	live, bulk int // messages in the live queue, and in those behind it
}

// bench is a world with tickets in it.
type bench struct {
	w      *world.World
	desk   relay.DeskName
	ids    []string
	agents []string

	mu       sync.Mutex
	counting bool
	calls    map[string]int
	refused  map[string]int
	hints    []relay.Hint
	live     bool        // hints go out at once
	writes   []time.Time // filing's, at Zendesk
	others   []time.Duration
	sent     atomic.Int64
	sending  sync.WaitGroup
}

func number(id string) int64 { n, _ := strconv.ParseInt(id, 10, 64); return n }

func (b *bench) assign(id string, n int) error {
	agent := b.agents[(n+b.shift())%len(b.agents)]
	if b.desk == relay.Zendesk {
		return b.w.Box.Zendesk().Assign(number(id), number(agent))
	}
	return b.w.Box.Salesforce().SetOwner(id, agent)
}

// shift gives every ticket another agent once the counting begins.
func (b *bench) shift() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counting {
		return 1
	}
	return 0
}

// answered counts a call.
func (b *bench) answered(c world.Call, refused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.counting:
	case refused:
		b.refused[c.Vendor]++
	default:
		op := operation(c)
		b.calls[op]++
		if c.Process.Name == "file" && strings.HasPrefix(op, "zendesk PUT tickets/{id}") {
			b.writes = append(b.writes, time.Now())
		}
	}
}

// most is the most of these times that lie within a minute.
func most(times []time.Time) (n int) {
	first := 0
	for i, at := range times {
		for at.Sub(times[first]) >= time.Minute {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// operation names a call so that calls of one limit have one name.
func operation(c world.Call) string {
	path, query, _ := strings.Cut(c.Path, "?")
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if number(p) > 0 {
			parts[i] = "{id}"
		}
	}
	switch c.Vendor {
	case "tencent":
		return "tencent " + parts[len(parts)-1]
	case "aws":
		if _, op, ok := strings.Cut(c.Path, "x-id="); ok {
			return "aws " + op
		}
		return "aws " + c.Path
	case "salesforce":
		if strings.Contains(path, "/query") {
			_, from, _ := strings.Cut(query, "FROM+")
			object, _, _ := strings.Cut(from, "+")
			return "salesforce GET query " + object
		}
		if i := slices.Index(parts, "Caseroom_Transcript__c"); i >= 0 {
			return "salesforce " + c.Method + " Caseroom_Transcript__c"
		}
	}
	return c.Vendor + " " + c.Method + " " + strings.Join(parts[min(len(parts)-1, 2):], "/")
}

// upstream reports whether an operation is a vendor's, and reads.
func kind(op string) (upstream, reads bool) {
	switch {
	case strings.HasPrefix(op, "aws "), strings.Contains(op, "oauth"):
		return false, false
	case strings.HasPrefix(op, "tencent "):
		name := strings.TrimPrefix(op, "tencent ")
		return true, strings.HasPrefix(name, "get_") || strings.HasPrefix(name, "group_msg_get")
	default:
		return true, strings.Contains(op, " GET ")
	}
}

func (r *result) perTicket() (reads, writes float64) {
	for op, n := range r.calls {
		switch up, read := kind(op); {
		case read:
			reads += float64(n)
		case up:
			writes += float64(n)
		}
	}
	return reads / float64(r.tickets), writes / float64(r.tickets)
}

// floor is the shortest time in which the limits allow these calls.
func floor(s scenario, calls map[string]int, scale, tickets float64) (d time.Duration, why string) {
	need := map[string]float64{} // seconds, by limit
	if s.bulk {
		need[fmt.Sprintf("the %d a second that are passed on", forwardedPerSecond)] = tickets / forwardedPerSecond
	}
	for op, n := range calls {
		count := float64(n) * scale
		switch {
		case strings.HasSuffix(op, " users/me"), strings.HasSuffix(op, " tokens"): // once in a process, however many tickets
		case strings.HasPrefix(op, "zendesk "):
			need[fmt.Sprintf("Zendesk's %d calls a minute", zendeskPerMinute)] += count / zendeskPerMinute * 60
			if strings.HasPrefix(op, "zendesk PUT tickets/{id}") {
				need[fmt.Sprintf("our %d of Zendesk's %d updates a minute", filedPerMinute, updatesPerMinute)] += count / filedPerMinute * 60
			}
		case strings.HasPrefix(op, "tencent "):
			need["Tencent's "+strconv.Itoa(tencentPerSecond)+" a second of "+strings.TrimPrefix(op, "tencent ")] += count / tencentPerSecond
		}
	}
	for name, s := range need {
		if t := time.Duration(s * float64(time.Second)); t > d || (t == d && name < why) {
			d, why = t, name
		}
	}
	return d, why
}

// simulate runs a scenario, with the vendors' limits or without any.
func simulate(t *testing.T, s scenario, n int, limited bool) (res result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)))
		b := &bench{desk: s.desk, calls: map[string]int{}, refused: map[string]int{}}
		w, err := world.New(world.Options{
			Root: root, Seed: 1, Latency: latency, Answered: b.answered,
			// Half of the agents' rooms are left while the other half is entered.
			Plan: sandbox.TencentPlan{GroupsPerUser: max(500, 3*n/agentsOfDesk)},
		})
		check(t, err)
		defer w.Close()
		b.w = w
		b.prepare(t, n)
		if limited {
			w.Box.Zendesk().SetLimits(sandbox.ZendeskLimits{
				Account: zendeskPerMinute, Updates: updatesPerMinute, UpdateTicket: 30, Incremental: 10,
			})
			w.Box.SetTencentRate(tencentPerSecond)
		}
		time.Sleep(2 * time.Minute)
		b.mu.Lock()
		b.counting, b.hints = true, nil
		b.mu.Unlock()
		ctx, done := context.WithCancel(context.Background())
		defer done()
		began := time.Now()
		for i, id := range b.ids {
			check(t, s.change(b, id, i))
		}
		hints := b.hints
		for i := range hints {
			hints[i].Bulk = s.bulk
		}
		check(t, w.NotifyAll(context.Background(), hints, b.newID))
		var live sync.WaitGroup
		if s.bulk && limited {
			live.Go(func() { b.others, err = b.serveOthers(ctx) })
		}
		res = result{scenario: s, tickets: n, depth: b.work(t, began)}
		res.took = time.Since(began)
		done()
		live.Wait()
		check(t, err)
		b.mu.Lock()
		b.counting = false
		res.calls, res.refused, res.live, res.filed = b.calls, b.refused, b.others, most(b.writes)
		b.mu.Unlock()
		b.sending.Wait()
		for _, queue := range []string{"-sync-dead.fifo", "-bulk-dead.fifo", "-file-dead.fifo"} {
			dead, _, err := w.Depth(context.Background(), w.Queue(queue))
			check(t, err)
			res.dead += dead
		}
		b.verify(t, s)
	})
	return res
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) newID() string { return fmt.Sprintf("scale-%d", b.sent.Add(1)) }

// prepare makes tickets with agents and conversations, and rooms that are right.
func (b *bench) prepare(t *testing.T, n int) {
	t.Helper()
	for i := range agentsOfDesk {
		name := fmt.Sprintf("Agent %d", i)
		if b.desk == relay.Zendesk {
			b.agents = append(b.agents, fmt.Sprint(b.w.Box.Zendesk().AddAgent(name, fmt.Sprintf("agent%d@caseroom.example", i))))
		} else {
			b.agents = append(b.agents, b.w.Box.Salesforce().AddUser(name, "Standard", true))
		}
	}
	p := b.w.Start("createticket")
	op, desks, err := p.CreateTicket()
	check(t, err)
	ids := make([]string, n)
	var all sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			customer := fmt.Sprintf("customer-%d", i)
			ref, err := op.Run(p.Context(), desks[b.desk], relay.NewTicket{
				UserID: customer, Subject: fmt.Sprintf("Request %d", i), Desc: "help",
				Name: customer, Email: customer + "@example.com", Key: customer,
			})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = ref.Ticket
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	b.ids = ids
	b.w.Box.Zendesk().OnChange(func(e sandbox.ZendeskEvent) {
		if e.Type == "agent_assignment_changed" || e.Type == "status_changed" {
			b.changed(relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: fmt.Sprint(e.Ticket.ID)}})
		}
	})
	b.w.Box.Salesforce().OnChange(func(e sandbox.SalesforceEvent) {
		if e.Object == "Case" {
			b.changed(relay.Hint{Ref: relay.Ref{Desk: relay.Salesforce, Ticket: e.ID}})
		}
	})
	for i, id := range ids {
		check(t, b.assign(id, i))
	}
	b.work(t, time.Now())
	for i, id := range ids {
		group := relay.Ref{Desk: b.desk, Ticket: id}.GroupID()
		agent := map[relay.DeskName]string{relay.Zendesk: "zd_", relay.Salesforce: "sf_"}[b.desk] + b.agents[i%len(b.agents)]
		customer := fmt.Sprintf("customer-%d", i)
		for k, who := range []string{customer, agent, customer} {
			check(t, b.w.Box.SendAs(who, group, fmt.Sprintf("message %d of ticket %d", k, i)))
		}
	}
}

func (b *bench) changed(h relay.Hint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.live {
		b.sending.Go(func() { _ = b.w.Notify(context.Background(), h, b.newID()) })
		return
	}
	b.hints = append(b.hints, h)
}

// serveOthers creates and assigns a ticket every so often, and returns how long each
// agent waited to be in the room.
func (b *bench) serveOthers(ctx context.Context) (waits []time.Duration, err error) {
	b.mu.Lock()
	b.live = true
	b.mu.Unlock()
	p := b.w.Start("createticket")
	op, desks, err := p.CreateTicket()
	if err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		customer := fmt.Sprintf("other-%d", i)
		ref, err := op.Run(p.Context(), desks[b.desk], relay.NewTicket{
			UserID: customer, Subject: "Another request", Desc: "help",
			Name: customer, Email: customer + "@example.com", Key: customer,
		})
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := b.assign(ref.Ticket, i); err != nil {
			return nil, err
		}
		for in := false; !in; {
			if g, there := b.w.Box.Group(ref.GroupID()); there && len(g.Members) == 2 {
				in = true
			} else if time.Sleep(50 * time.Millisecond); time.Since(began) > time.Hour {
				return nil, fmt.Errorf("%s has waited an hour for its agent", ref.Ticket)
			}
		}
		waits = append(waits, time.Since(began))
		select {
		case <-ctx.Done():
			return waits, nil
		case <-time.After(time.Until(began.Add(liveEvery))):
		}
	}
}

// The queue is looked at every five seconds, and towards the end more often: a
// few seconds are a tenth of the time that the fastest limits allow.
const (
	lookEvery = 5 * time.Second
	lookClose = 250 * time.Millisecond
	closeBy   = 2000 // messages
)

// work lets the processes that the template allows work off the queue, and
// returns its depth over time.
func (b *bench) work(t *testing.T, began time.Time) (depth []sample) {
	t.Helper()
	ctx, done := context.WithCancel(context.Background())
	defer done()
	var all sync.WaitGroup
	serve := func(function string, queue lambdahost.Queue, of func(*world.Process) (world.Handler, error)) {
		all.Go(func() {
			p := b.w.Start(function)
			h, err := of(p)
			if err != nil {
				t.Error(err)
				return
			}
			for ctx.Err() == nil {
				batch, err := b.w.Receive(context.Background(), queue)
				if err != nil {
					t.Error(err)
					return
				}
				if batch == nil {
					time.Sleep(time.Second)
					continue
				}
				if _, err := p.Invoke(h, batch); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	queues := []lambdahost.Queue{b.w.Queue("-sync.fifo"), b.w.Queue("-bulk.fifo"), b.w.Queue("-file.fifo")}
	for range concurrency {
		serve("sync", queues[0], (*world.Process).Sync)
	}
	for range aside {
		serve("forward", queues[1], (*world.Process).Forward)
		serve("file", queues[2], (*world.Process).File)
	}
	for !t.Failed() {
		left, live := 0, 0
		for i, queue := range queues {
			visible, hidden, err := b.w.Depth(context.Background(), queue)
			check(t, err)
			if left += visible + hidden; i == 0 {
				live = left
			}
		}
		if n := len(depth); left == 0 || n == 0 || time.Since(began)-depth[n-1].at >= lookEvery {
			depth = append(depth, sample{time.Since(began), live, left - live})
			if len(depth)%240 == 0 {
				fmt.Fprintf(os.Stderr, "    %s simulated, %d messages left\n", time.Since(began).Round(time.Minute), left)
			}
		}
		if left == 0 {
			break
		}
		if time.Since(began) > 48*time.Hour {
			t.Fatalf("%d messages are left after two days", left)
		}
		if left > closeBy {
			time.Sleep(lookEvery)
		} else {
			time.Sleep(lookClose)
		}
	}
	done()
	all.Wait()
	return depth
}

// verify looks at what the work came to: every room has its one new agent, or
// is locked and filed.
func (b *bench) verify(t *testing.T, s scenario) {
	t.Helper()
	over := !strings.Contains(s.name, "reassigned")
	state := b.w.Box.State()
	filed := map[string]int{}
	for _, ticket := range state.Zendesk.Tickets {
		for _, c := range ticket.Comments {
			if strings.HasPrefix(c.Body, "Chat transcript ") {
				filed[fmt.Sprint(ticket.ID)]++
			}
		}
	}
	for _, row := range state.Salesforce.Transcripts {
		filed[fmt.Sprint(row["Caseroom_Case__c"])]++
	}
	rooms := map[string]sandbox.TencentGroup{}
	for _, g := range state.Tencent.Groups {
		rooms[g.GroupID] = g
	}
	wrong := 0
	for _, id := range b.ids {
		g := rooms[relay.Ref{Desk: b.desk, Ticket: id}.GroupID()]
		switch {
		case over && (!g.MuteAllMember || len(g.Members) != 1 || filed[id] != 1),
			!over && (g.MuteAllMember || len(g.Members) != 2 || filed[id] != 0):
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d rooms are not what their tickets say", s.name, wrong, len(b.ids))
	}
}

func TestScale(t *testing.T) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	began := time.Now()
	var rows []string
	var csv strings.Builder
	csv.WriteString("scenario,seconds,messages\n")
	for _, s := range scenarios() {
		if !strings.Contains(s.name, *only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%6.1f s  %s\n", time.Since(began).Seconds(), s.name)
		probe := simulate(t, s, min(*tickets, 500), false)
		r := simulate(t, s, *tickets, true)
		if t.Failed() {
			return
		}
		least, why := floor(s, probe.calls, float64(r.tickets)/float64(probe.tickets), float64(r.tickets))
		reads, writes := probe.perTicket()
		spent, _ := r.perTicket()
		// What a process reads at its start counts for less the more there is to do.
		if start := float64(concurrency+agentsOfDesk) / float64(r.tickets); s.reads > 0 && spent > s.reads+start {
			t.Errorf("%s: %.2f reads per ticket, want at most %.2f: %v", s.name, spent, s.reads, listed(r.calls))
		}
		if r.dead > 0 {
			t.Errorf("%s: %d dead letters", s.name, r.dead)
		}
		if r.filed > filedPerMinute {
			t.Errorf("%s: filing made %d updates within a minute, and has %d", s.name, r.filed, filedPerMinute)
		}
		live := "–"
		if s.bulk {
			p95 := percentile(r.live, 95)
			live = fmt.Sprintf("%.1f s, %.1f s of %d", percentile(r.live, 50).Seconds(), p95.Seconds(), len(r.live))
			if p95 > liveSoon {
				t.Errorf("%s: agents of other tickets waited %v at the 95th percentile, want at most %v", s.name, p95, liveSoon)
			}
		}
		refusals := 0
		for _, n := range r.refused {
			refusals += n
		}
		rows = append(rows, fmt.Sprintf("| %s | %.2f | %.2f | %.2f | %d | %s | %s, %s | %.2f | %s | %d |", s.name, reads, spent, writes,
			refusals, clock(r.took), clock(least), why, float64(r.took)/float64(max(least, 1)), live, r.dead))
		name := strings.ReplaceAll(s.name, ",", "")
		for _, d := range r.depth {
			if s.bulk {
				fmt.Fprintf(&csv, "%s: bulk,%.0f,%d\n", name, d.at.Seconds(), d.bulk)
			}
		}
		for _, d := range r.depth {
			fmt.Fprintf(&csv, "%s: live,%.0f,%d\n", name, d.at.Seconds(), d.live)
		}
		t.Logf("%s, without limits: %v", s.name, listed(probe.calls))
		t.Logf("%s, with limits: %v, refused %v", s.name, listed(r.calls), r.refused)
	}
	text := "| changed at once | reads per ticket | with limits | writes per ticket | calls refused | time | the limits' floor | ratio | others' agents in: median, p95 | dead letters |\n" +
		"|---|---|---|---|---|---|---|---|---|---|\n" + strings.Join(rows, "\n") + "\n\n" +
		fmt.Sprintf("%d tickets each, %s, %s/%s; simulated time, %s of real time.\n", *tickets, time.Now().Format("2 January 2006"),
			runtime.Version(), runtime.GOARCH, time.Since(began).Round(time.Second))
	fmt.Fprint(os.Stderr, text)
	if *depths != "" {
		check(t, os.WriteFile(*depths, []byte(csv.String()), 0o644))
	}
	if *write {
		check(t, intoDocument(filepath.Join(root, "docs", "performance.md"), text))
	}
}

// percentile returns the wait that p of a hundred do not exceed.
func percentile(waits []time.Duration, p int) time.Duration {
	if len(waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func listed(calls map[string]int) string {
	var list []string
	for op, n := range calls {
		list = append(list, fmt.Sprintf("%s: %d", op, n))
	}
	slices.SortFunc(list, cmp.Compare[string])
	return strings.Join(list, ", ")
}

// clock prints a duration as minutes and seconds.
func clock(d time.Duration) string {
	d = d.Round(time.Second)
	return fmt.Sprintf("%d:%02d min", int(d.Minutes()), int(d.Seconds())%60)
}

// intoDocument replaces what stands between the markers of a document.
func intoDocument(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	const begin, end = "<!-- scale: begin -->\n", "<!-- scale: end -->\n"
	before, rest, ok := strings.Cut(string(old), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no markers to put the table between", path)
	}
	return os.WriteFile(path, []byte(before+begin+text+end+after), 0o644)
}
