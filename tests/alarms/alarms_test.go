package alarms

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/tests/world"
)

// story is how an alarm comes to ring, and to clear.
type story struct {
	name    string
	options world.Options
	cause   func(r *rig)
	within  time.Duration // it rings; an hour if zero
	mend    func(r *rig)
	cleared time.Duration // an hour if zero
}

var stories = []story{
	{
		name: "SyncAgeAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.out("tencent", world.Unavailable)
			r.assign(ref, 0)
		},
		mend: (*rig).back,
	},
	{
		name:  "ReconcileAgeAlarm",
		cause: func(r *rig) { r.out("zendesk", world.Hang) },
		mend:  (*rig).back,
	},
	{
		name: "SweepAgeAlarm",
		cause: func(r *rig) {
			r.out("tencent", world.Unavailable)
			r.ok(r.w.Daily(context.Background(), time.Now()))
		},
		within: 7 * time.Hour,
		mend:   (*rig).back,
	},
	{
		name: "CalendarAgeAlarm",
		cause: func(r *rig) {
			r.out("zendesk", world.Unavailable)
			r.task()
		},
		within: 90 * time.Minute,
		mend:   (*rig).back,
	},
	{
		name: "SyncStalledAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.source("-sync.fifo", false)
			r.assign(ref, 0)
		},
		mend: func(r *rig) { r.source("-sync.fifo", true) },
	},
	{
		name: "BulkAgeAlarm", // the live queue is never calm: nobody takes what is in it
		cause: func(r *rig) {
			r.source("-sync.fifo", false)
			for n := range 10 {
				r.ok(r.w.Send(context.Background(), "-sync.fifo", fmt.Sprint(n), `{"v":1,"desk":"zendesk","ticket":"1","hint":""}`))
			}
			r.ok(r.w.Send(context.Background(), "-bulk.fifo", "zendesk:1", `{"v":1,"desk":"zendesk","ticket":"1","hint":""}`))
		},
		within: 7 * time.Hour,
		mend:   func(r *rig) { r.source("-sync.fifo", true) },
	},
	{
		name: "BulkStalledAlarm",
		cause: func(r *rig) {
			r.source("-bulk.fifo", false)
			r.ok(r.w.Send(context.Background(), "-bulk.fifo", "zendesk:1", `{"v":1,"desk":"zendesk","ticket":"1","hint":""}`))
		},
		mend: func(r *rig) { r.source("-bulk.fifo", true) },
	},
	{
		name: "FileAgeAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.assign(ref, 0)
			time.Sleep(time.Minute)
			r.out("zendesk /comments", world.Unavailable)
			r.ok(r.w.Box.Zendesk().Solve(number(ref)))
		},
		within: 26 * time.Hour,
		mend:   (*rig).back,
	},
	{
		name: "FileStalledAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.source("-file.fifo", false)
			r.ok(r.w.Box.Zendesk().Solve(number(ref)))
		},
		mend: func(r *rig) { r.source("-file.fifo", true) },
	},
	{
		name:  "ReconcileStalledAlarm",
		cause: func(r *rig) { r.source("-reconcile.fifo", false) },
		mend:  func(r *rig) { r.source("-reconcile.fifo", true) },
	},
	{
		name: "SweepStalledAlarm",
		cause: func(r *rig) {
			r.source("-sweep.fifo", false)
			r.ok(r.w.Daily(context.Background(), time.Now()))
		},
		mend: func(r *rig) { r.source("-sweep.fifo", true) },
	},
	{
		name: "CalendarStalledAlarm",
		cause: func(r *rig) {
			r.source("-calendar.fifo", false)
			r.task()
		},
		within: 3 * time.Hour,
		mend:   func(r *rig) { r.source("-calendar.fifo", true) },
	},
	{
		name: "SyncDeadLettersAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.ok(r.w.Box.SetIntroduction(ref.GroupID(), relay.Mark{Desk: relay.DeskHash("other.zendesk.com")}.String()))
			r.assign(ref, 0)
		},
		mend: func(r *rig) { r.empty("-sync-dead.fifo") },
	},
	{
		name:  "BulkDeadLettersAlarm",
		cause: func(r *rig) { r.ok(r.w.Send(context.Background(), "-bulk.fifo", "zendesk:1", "junk")) },
		mend:  func(r *rig) { r.empty("-bulk-dead.fifo") },
	},
	{
		name:  "FileDeadLettersAlarm",
		cause: func(r *rig) { r.ok(r.w.Send(context.Background(), "-file.fifo", "zendesk:1", "junk")) },
		mend:  func(r *rig) { r.empty("-file-dead.fifo") },
	},
	{
		name:  "ReconcileDeadLettersAlarm",
		cause: func(r *rig) { r.ok(r.w.Send(context.Background(), "-reconcile.fifo", "zendesk", "junk")) },
		mend:  func(r *rig) { r.empty("-reconcile-dead.fifo") },
	},
	{
		name:  "SweepDeadLettersAlarm",
		cause: func(r *rig) { r.ok(r.w.Send(context.Background(), "-sweep.fifo", "rooms", "junk")) },
		mend:  func(r *rig) { r.empty("-sweep-dead.fifo") },
	},
	{
		name:  "CalendarDeadLettersAlarm",
		cause: func(r *rig) { r.ok(r.w.Send(context.Background(), "-calendar.fifo", "zendesk:1", "junk")) },
		mend:  func(r *rig) { r.empty("-calendar-dead.fifo") },
	},
	{
		name:  "ScheduleDeadLettersAlarm", // the scheduler's own act
		cause: func(r *rig) { r.ok(r.w.Send(context.Background(), "-schedule-dead", "", "{}")) },
		mend:  func(r *rig) { r.empty("-schedule-dead") },
	},
	{
		name: "ApiServerErrorsAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.out("tencent", world.Unavailable)
			for range 10 {
				r.running.Go(func() { r.join(ref) })
			}
		},
		mend: (*rig).back,
	},
	{
		name: "RoomSquattedAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.squat(ref)
			r.assign(ref, 0)
		},
	},
	{
		name: "RoomMarkLostAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.ok(r.w.Box.SetIntroduction(ref.GroupID(), "Support chat"))
			r.assign(ref, 0)
		},
	},
	{
		name: "DestroyHeldAlarm",
		cause: func(r *rig) {
			for i := range 6 {
				ref := r.create(fmt.Sprintf("dana%d", i))
				r.squat(ref)
				r.assign(ref, 0)
			}
		},
	},
	{
		name: "MemberRefusedAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.fault(sandbox.Fault{Vendor: "tencent", Op: "add_group_member", Kind: "status", Status: 200, Body: fmt.Sprintf(
				`{"ActionStatus":"OK","ErrorCode":0,"MemberList":[{"Member_Account":"zd_%d","Result":0}]}`, r.w.Fix.Zendesk.AgentIDs[0])})
			r.assign(ref, 0)
		},
		mend: func(r *rig) { r.w.Box.ClearFaults() },
	},
	{
		name: "QueueSendFailedAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.out("aws", world.Unavailable)
			r.join(ref)
		},
		mend: (*rig).back,
	},
	{
		name: "TicketUnreadableAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.assign(ref, 0)
			time.Sleep(time.Minute)
			r.ok(r.w.Box.Zendesk().Hide(number(ref), true))
			r.notify(relay.Hint{Ref: ref})
		},
		within: 25 * time.Hour,
		mend: func(r *rig) {
			for _, t := range r.w.Box.Zendesk().Tickets() {
				r.ok(r.w.Box.Zendesk().Hide(t.ID, false))
			}
		},
	},
	{
		name: "TicketsHiddenAlarm",
		cause: func(r *rig) {
			for i := range 40 {
				ref := r.create(fmt.Sprintf("dana%d", i))
				r.ok(r.w.Box.Zendesk().Hide(number(ref), true))
				r.notify(relay.Hint{Ref: ref})
			}
		},
		mend: func(r *rig) {
			for _, t := range r.w.Box.Zendesk().Tickets() {
				r.ok(r.w.Box.Zendesk().Hide(t.ID, false))
			}
		},
	},
	{
		name:    "TranscriptUnfiledAlarm",
		options: world.Options{NoArchive: true},
		cause: func(r *rig) {
			ref := r.create("dana")
			r.ok(r.w.Box.SendAs("dana", ref.GroupID(), "hello"))
			r.ok(r.w.Box.Zendesk().Delete(number(ref)))
		},
	},
	{
		name: "QuotaExceededAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.fault(sandbox.Fault{Vendor: "tencent", Op: "get_group_info", Kind: "code", Code: "60028"})
			r.assign(ref, 0)
		},
		mend: func(r *rig) { r.w.Box.ClearFaults() },
	},
	{
		name: "CredentialsRefusedAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.fault(sandbox.Fault{Vendor: "tencent", Op: "get_group_info", Kind: "code", Code: "60010"})
			r.assign(ref, 0)
		},
		mend: func(r *rig) { r.w.Box.ClearFaults() },
	},
	{
		name: "CallersRefusedAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.w.Fix.DeskKeyZendesk = "guessed"
			for range 100 {
				r.running.Go(func() { r.join(ref) })
			}
		},
	},
	{
		name: "RepairedAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.hush(true)
			for i := range 6 {
				r.assign(ref, i%2)
				time.Sleep(5 * time.Minute)
			}
		},
		mend: func(r *rig) { r.hush(false) },
	},
	{
		name: "RoomsNotSweptAlarm",
		cause: func(r *rig) {
			ref := r.create("dana")
			r.fault(sandbox.Fault{Vendor: "tencent", Op: "get_group_info", Kind: "status", Status: 200, Body: fmt.Sprintf(
				`{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":%q,"ErrorCode":10007,"ErrorInfo":"no right"}]}`, ref.GroupID())})
			r.ok(r.w.Daily(context.Background(), time.Now()))
		},
		mend: func(r *rig) {
			r.w.Box.ClearFaults()
			r.ok(r.w.Daily(context.Background(), time.Now()))
		},
	},
}

// Every alarm rings when what it is for happens, and clears when it is mended.
func TestAlarms(t *testing.T) {
	told := map[string]bool{}
	for _, s := range stories {
		told[s.name] = true
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := begin(t, s.options)
				defer r.end()
				time.Sleep(10 * time.Minute)
				if list := r.ringing(); len(list) > 0 {
					t.Fatalf("%v ring before anything has happened", list)
				}
				s.cause(r)
				r.wait(s.name, true, orHour(s.within))
				if s.mend != nil {
					s.mend(r)
				}
				r.wait(s.name, false, orHour(s.cleared))
			})
		})
	}
	// Those of functions are Lambda's own word, the same of each.
	t.Run("functions", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := begin(t, world.Options{})
			defer r.end()
			for _, f := range r.w.Stack.Functions {
				for _, metric := range []string{"Errors", "Throttles"} {
					name := strings.TrimSuffix(f.LogicalID, "Function") + metric + "Alarm"
					told[name] = true
					r.lambda(metric, f.Label())
					r.wait(name, true, 10*time.Minute)
					r.wait(name, false, 20*time.Minute)
				}
			}
			for name := range r.all {
				if !told[name] {
					t.Errorf("nothing shows that %s rings", name)
				}
			}
		})
	})
}

func orHour(d time.Duration) time.Duration {
	if d == 0 {
		return time.Hour
	}
	return d
}

// What waits for a person rings its own alarm, and hides no outage: the age of
// what waits for a vendor rings beside it, and clears.
func TestAPersonsWorkHidesNoOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, world.Options{})
		defer r.end()
		hidden, other := r.create("dana"), r.create("erin")
		r.ok(r.w.Box.Zendesk().Hide(number(hidden), true))
		r.notify(relay.Hint{Ref: hidden})
		for range 26 {
			time.Sleep(time.Hour)
			for _, name := range r.ringing() {
				if name != "TicketUnreadableAlarm" {
					t.Fatalf("%s rings", name)
				}
			}
		}
		r.out("tencent", world.Unavailable)
		r.assign(other, 0)
		r.wait("SyncAgeAlarm", true, time.Hour)
		r.back()
		r.wait("SyncAgeAlarm", false, time.Hour)
		r.wait("TicketUnreadableAlarm", true, time.Hour)
	})
}

// squat puts somebody else's group in a room's place.
func (r *rig) squat(ref relay.Ref) {
	r.Helper()
	r.ok(r.rooms().Destroy(context.Background(), ref.GroupID()))
	r.ok(r.w.Box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: ref.GroupID(), Type: tencentim.TypePublic, Name: "Mine"}))
}

// task queues a task whose calendars have to be looked at.
func (r *rig) task() {
	r.Helper()
	r.ok(r.w.Send(context.Background(), "-calendar.fifo", "zendesk:1", `{"v":1,"desk":"zendesk","ticket":"1","hint":""}`))
}

// join calls /joingroup, as the gateway counts it.
func (r *rig) join(ref relay.Ref) {
	r.Helper()
	p := r.w.Start("joingroup")
	defer p.Kill()
	f, err := p.Members("joingroup")
	r.ok(err)
	status, _ := p.Post(f, relay.Zendesk, "/joingroup", fmt.Sprintf(`{"groupId":%q,"userId":"zd_%d"}`, ref.GroupID(), r.w.Fix.Zendesk.AgentIDs[0]))
	if status == 0 || status >= 500 {
		r.cw.put(sample{"AWS/ApiGateway", "5xx", map[string]string{"ApiId": "HttpApi"}, time.Now(), 1})
	}
}
