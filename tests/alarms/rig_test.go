// Package alarms shows every alarm of monitoring.yaml ring and clear. The real
// operations and workers run on the sandbox in simulated time. Their logs are read
// as CloudWatch reads them, and each alarm is evaluated by its own properties.
package alarms

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/telemetry"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/tests/world"
)

const root = "../.."

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// rig is a stack in simulated time, with the parts of AWS that feed CloudWatch.
type rig struct {
	*testing.T
	w   *world.World
	cw  *cloudwatch
	all map[string]alarm

	running sync.WaitGroup

	mu     sync.Mutex
	down   map[string]world.Fate // by vendor, or vendor and path
	off    map[string]bool       // queues whose event source is switched off
	silent bool                  // the desks notify nobody
	hints  int
}

// polled is how often a quiet queue is looked at. Lambda does it all the time.
const polled = 30 * time.Second

// begin starts a stack inside a bubble. The caller ends it.
func begin(t *testing.T, o world.Options) *rig {
	time.Sleep(time.Until(time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)))
	r := &rig{T: t, cw: &cloudwatch{}, down: map[string]world.Fate{}, off: map[string]bool{}}
	o.Root, o.Seed, o.Calendars = root, 1, true
	o.Gate = func(_ context.Context, c world.Call) world.Fate {
		r.mu.Lock()
		defer r.mu.Unlock()
		for what, fate := range r.down {
			if vendor, path, _ := strings.Cut(what, " "); c.Vendor == vendor && strings.Contains(c.Path, path) {
				return fate
			}
		}
		return world.Pass
	}
	o.MeterOf = func(function string) relay.Meter {
		return &telemetry.Meter{Out: r.cw, Now: time.Now, Function: function, Stack: "caseroom"}
	}
	w, err := world.New(o)
	r.ok(err)
	r.w = w
	r.all = load(t, map[string]string{"StackName": w.Stack.Name})
	w.Box.Zendesk().OnChange(func(e sandbox.ZendeskEvent) {
		switch e.Type {
		case "agent_assignment_changed", "status_changed", "soft_deleted":
			if strings.HasPrefix(e.Ticket.ExternalID, "caseroom:") {
				r.notify(relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: fmt.Sprint(e.Ticket.ID)}, Deleted: e.Type == "soft_deleted"})
			}
		}
	})
	r.running.Go(func() { r.serve("sync", "-sync.fifo", (*world.Process).Sync) })
	r.running.Go(func() { r.serve("forward", "-bulk.fifo", (*world.Process).Forward) })
	r.running.Go(func() { r.serve("file", "-file.fifo", (*world.Process).File) })
	r.running.Go(func() { r.serve("reconcile", "-reconcile.fifo", (*world.Process).Reconcile) })
	r.running.Go(func() { r.serve("sweep", "-sweep.fifo", (*world.Process).Sweep) })
	r.running.Go(func() { r.serve("calendarsync", "-calendar.fifo", (*world.Process).CalendarSync) })
	r.running.Go(r.watch)
	r.running.Go(r.schedule)
	return r
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%v", err)
	}
}

// end stops what still runs, so that the bubble can end.
func (r *rig) end() {
	r.w.Close()
	r.running.Wait()
	synctest.Wait()
	for _, line := range r.cw.broken {
		r.Errorf("CloudWatch drops %s", line)
	}
}

// notify is a desk's notification, unless it is switched off.
func (r *rig) notify(h relay.Hint) {
	r.mu.Lock()
	r.hints++
	id, silent := fmt.Sprintf("n%d", r.hints), r.silent
	r.mu.Unlock()
	if !silent {
		r.running.Go(func() { r.ok(r.w.Notify(context.Background(), h, id)) })
	}
}

// serve is a function's event source: it takes batches as they come, and starts
// another process where one has died.
func (r *rig) serve(function, queue string, of func(*world.Process) (world.Handler, error)) {
	var p *world.Process
	var h world.Handler
	q := r.w.Queue(queue)
	for !r.w.Closed() {
		r.mu.Lock()
		off := r.off[q.Name]
		r.mu.Unlock()
		if off {
			time.Sleep(polled)
			continue
		}
		batch, err := r.w.Receive(context.Background(), q)
		if err != nil || batch == nil {
			time.Sleep(polled)
			continue
		}
		r.sqs(q.Name, "NumberOfMessagesReceived", float64(batch.Len()))
		if p == nil || p.Dead() {
			p = r.w.Start(function)
			if h, err = of(p); err != nil {
				r.Errorf("%s: %v", function, err)
				return
			}
		}
		if _, err := p.Invoke(h, batch); err != nil && !r.w.Closed() {
			r.lambda("Errors", function)
		}
	}
}

// lambda is what Lambda says of a function.
func (r *rig) lambda(metric, function string) {
	for _, f := range r.w.Stack.Functions {
		if f.Label() == function {
			r.cw.put(sample{"AWS/Lambda", metric, map[string]string{"FunctionName": f.LogicalID}, time.Now(), 1})
			return
		}
	}
	r.Errorf("no function %s", function)
}

func (r *rig) sqs(queue, metric string, value float64) {
	r.cw.put(sample{"AWS/SQS", metric, map[string]string{"QueueName": queue}, time.Now(), value})
}

// watch is what SQS says every minute.
func (r *rig) watch() {
	for !r.w.Closed() {
		for _, q := range r.w.Box.Queues() {
			r.sqs(q.Name, "ApproximateNumberOfMessagesVisible", float64(q.Visible))
		}
		time.Sleep(time.Minute)
	}
}

// schedule is the scheduler: windows every five minutes.
func (r *rig) schedule() {
	for !r.w.Closed() {
		for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
			if err := r.w.Tick(context.Background(), desk, time.Now()); err != nil && !r.w.Closed() {
				r.Errorf("%v", err)
			}
		}
		time.Sleep(5 * time.Minute)
	}
}

// break and mend what calls of a vendor, or one of them, come to.
func (r *rig) out(what string, how world.Fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down[what] = how
}

func (r *rig) back() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.down)
}

func (r *rig) hush(silent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = silent
}

// source switches a queue's event source on or off.
func (r *rig) source(queue string, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off[r.w.Queue(queue).Name] = !on
}

// create makes a ticket with its room.
func (r *rig) create(customer string) relay.Ref {
	r.Helper()
	p := r.w.Start("createticket")
	defer p.Kill()
	op, desks, err := p.CreateTicket()
	r.ok(err)
	r.mu.Lock()
	r.hints++
	key := fmt.Sprintf("cr1_%010d_%022d", time.Now().Unix(), r.hints)
	r.mu.Unlock()
	ref, err := op.Run(context.Background(), desks[relay.Zendesk], relay.NewTicket{
		UserID: customer, Subject: "Printer", Desc: "help", Name: customer, Email: customer + "@example.com", Key: key,
	})
	r.ok(err)
	time.Sleep(time.Minute)
	return ref
}

func (r *rig) rooms() tencentim.Rooms {
	r.Helper()
	rooms, err := r.w.Start("console").Rooms()
	r.ok(err)
	return rooms
}

func (r *rig) assign(ref relay.Ref, agent int) {
	r.Helper()
	r.ok(r.w.Box.Zendesk().Assign(number(ref), r.w.Fix.Zendesk.AgentIDs[agent]))
}

func number(ref relay.Ref) (n int64) {
	_, _ = fmt.Sscan(ref.Ticket, &n)
	return n
}

func (r *rig) fault(f sandbox.Fault) {
	r.Helper()
	r.ok(r.w.Box.AddFault(f))
}

// empty takes what is in a queue, as somebody does who has read it.
func (r *rig) empty(queue string) {
	r.Helper()
	for {
		batch, err := r.w.Receive(context.Background(), r.w.Queue(queue))
		r.ok(err)
		if batch == nil {
			return
		}
		done := func(context.Context, events.SQSEvent) (events.SQSEventResponse, error) {
			return events.SQSEventResponse{}, nil
		}
		_, err = r.w.Start("sync").Invoke(done, batch)
		r.ok(err)
	}
}

// wait lets time pass until an alarm rings, or does not.
func (r *rig) wait(name string, rings bool, within time.Duration) {
	r.Helper()
	a, ok := r.all[name]
	if !ok {
		r.Fatalf("there is no alarm %s", name)
	}
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(time.Minute) {
		if a.rings(r.cw, time.Now()) == rings {
			return
		}
	}
	r.Fatalf("%s: rings %t after %v", name, !rings, within)
}

// ringing are the alarms that ring now.
func (r *rig) ringing() (list []string) {
	for name, a := range r.all {
		if a.rings(r.cw, time.Now()) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}
