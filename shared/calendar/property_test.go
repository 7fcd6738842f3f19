package calendar_test

import (
	"flag"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/calendar"
)

// world is two agents, their tasks, and what became of the events.
type world struct {
	*bed
	ids     []int64
	pending []calendar.Hint
	start   time.Time
	n       int
}

func (w *world) pick(t *rapid.T) int64 {
	if len(w.ids) == 0 {
		t.Skip("no ticket")
	}
	return rapid.SampledFrom(w.ids).Draw(t, "ticket")
}

// told loses, delivers or repeats an event.
func (w *world) told(t *rapid.T, h calendar.Hint) {
	for range rapid.IntRange(0, 2).Draw(t, "deliveries") {
		w.pending = append(w.pending, h)
	}
}

func (w *world) actions() map[string]func(*rapid.T) {
	z := w.box.Zendesk()
	change := func(f func(t *rapid.T, id int64) error) func(*rapid.T) {
		return func(t *rapid.T) {
			id := w.pick(t)
			if f(t, id) != nil {
				t.Skip("the ticket takes no such change")
			}
			w.told(t, hintOf(id))
		}
	}
	when := func(t *rapid.T) time.Time {
		return due.Add(time.Duration(rapid.IntRange(-500, 5000).Draw(t, "hours")) * time.Hour)
	}
	return map[string]func(*rapid.T){
		"create": func(t *rapid.T) {
			if len(w.ids) >= 8 {
				t.Skip("enough tickets")
			}
			w.n++
			id := w.task(rapid.IntRange(-1, 1).Draw(t, "agent"), "task "+strconv.Itoa(w.n), when(t))
			w.ids = append(w.ids, id)
			w.told(t, hintOf(id))
		},
		"assign": change(func(t *rapid.T, id int64) error {
			var agent int64
			if n := rapid.IntRange(-1, 1).Draw(t, "agent"); n >= 0 {
				agent = w.agentID(n)
			}
			return z.Assign(id, agent)
		}),
		"move":     change(func(t *rapid.T, id int64) error { return z.SetType(id, "task", when(t)) }),
		"undue":    change(func(_ *rapid.T, id int64) error { return z.SetType(id, "task", time.Time{}) }),
		"untask":   change(func(_ *rapid.T, id int64) error { return z.SetType(id, "incident", time.Time{}) }),
		"rename":   change(func(_ *rapid.T, id int64) error { w.n++; return z.SetSubject(id, "renamed "+strconv.Itoa(w.n)) }),
		"solve":    change(func(_ *rapid.T, id int64) error { return z.Solve(id) }),
		"reopen":   change(func(_ *rapid.T, id int64) error { return z.Reopen(id) }),
		"close":    change(func(_ *rapid.T, id int64) error { return z.Close(id) }),
		"delete":   change(func(_ *rapid.T, id int64) error { return z.Delete(id) }),
		"undelete": change(func(_ *rapid.T, id int64) error { return z.Undelete(id) }),
		"meddle": func(t *rapid.T) {
			n, id := rapid.IntRange(0, 1).Draw(t, "agent"), strconv.FormatInt(w.pick(t), 10)
			if rapid.Bool().Draw(t, "remove") {
				w.ok(w.box.Cronofy().RemoveEvent(people[n], w.sync.Settings.EventID(id)))
			} else {
				w.ok(w.box.Cronofy().PutEvent(people[n], sandbox.CronofyEvent{
					ID: w.sync.Settings.EventID(id), Summary: "mine", Start: when(t), End: when(t),
				}))
			}
		},
		"lose tokens":  func(*rapid.T) { w.box.Cronofy().EndTokens() },
		"pass time":    func(t *rapid.T) { w.clock.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "seconds")) * time.Second) },
		"restart":      func(*rapid.T) { w.build() },
		"work":         w.work,
		"work on more": w.work,
		"":             func(*rapid.T) {},
	}
}

// work takes some of what waits, in any order, in a process that may die.
func (w *world) work(t *rapid.T) {
	if len(w.pending) == 0 {
		t.Skip("nothing waits")
	}
	w.pending = rapid.Permutation(w.pending).Draw(t, "order")
	n := min(len(w.pending), rapid.IntRange(1, 10).Draw(t, "batch"))
	batch := w.pending[:n]
	w.pending = append([]calendar.Hint{}, w.pending[n:]...)
	if how := fate(rapid.IntRange(0, 5).Draw(t, "fate")); how == cutBefore || how == cutAfter {
		left := w.killed(int32(rapid.IntRange(1, 12).Draw(t, "call")), how, batch...)
		if rapid.Bool().Draw(t, "redelivered") {
			w.pending = append(w.pending, left...)
		}
		return
	}
	w.must(batch...)
}

// Random lives of tasks under lost, repeated and shuffled events, processes that
// die and calendars that are meddled with: after one reconcile and one sweep
// every calendar holds exactly its agent's open, due tasks.
func TestProperty(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("40"); err != nil { // seconds; -rapid.checks=… for more
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		w := &world{bed: startBed(t)}
		defer w.close()
		w.lossy = rapid.Bool().Draw(t, "rotate")
		w.box.Cronofy().Rotate(w.lossy)
		w.start = w.clock.Now()
		w.clock.Add(time.Minute)
		w.connect(0)
		w.connect(1)
		w.drain()
		t.Repeat(w.actions())

		w.reconcile(w.start)
		w.drain()
		w.must(calendar.Hint{Agent: calendar.Everybody})
		w.drain()
		w.wantAll(w.ids)
		w.box.ResetCalls()
		w.must(calendar.Hint{Agent: calendar.Everybody})
		w.drain()
		for _, c := range w.box.Calls() {
			if c.Op == "event_upsert" || c.Op == "event_delete" {
				t.Errorf("a second sweep made %s", c.Op)
			}
		}
	})
}
