// Package lifecycle runs random histories of tickets at both desks and of their
// rooms against everything that works behind caseroom's queues, in simulated
// time, and compares what comes of them with the design's table of states.
//
//	go test ./tests/lifecycle                                 a minute of it
//	go test ./tests/lifecycle -timeout 0 -args -soak 30m      make soak DURATION=30m
//	go test ./tests/lifecycle -run TestLifecycle -args -calls with every call in the log of a failure
//
// A failure is shrunk, and its decisions are kept in testdata/rapid, which later
// runs try first. What was found so far is told in found_test.go.
package lifecycle

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caseroom/caseroom/tests/world"
)

var soak = flag.Duration("soak", 0, "try histories, longer ones too, for so long")

// live is one random history and what must be true at its end.
func live(rt *rapid.T) {
	o := world.Options{
		Seed:       1,
		Calls:      rapid.IntRange(0, 3).Draw(rt, "calls decide") == 3,
		SolvedOpen: rapid.IntRange(0, 4).Draw(rt, "solved stays open") == 4,
		Omni:       rapid.Bool().Draw(rt, "Omni-Channel"),
	}
	rapid.SyncTest(rt, func(rt *rapid.T) {
		h := begin(rt, o)
		defer h.end()
		h.workers = places(rapid.IntRange(1, 3).Draw(rt, "workers"))
		rt.Repeat(h.noise())
		h.calm()
		if rapid.IntRange(0, 3).Draw(rt, "and so the days go by") == 3 {
			h.pump(40 * 24 * time.Hour)
			h.idle(26 * time.Hour)
			h.checkTable()
			h.checkDissolved()
		}
	})
}

// calm stops the noise, lets one reconcile and one sweep pass, and looks.
func (h *history) calm() {
	for h.newsCount() > 0 {
		h.takeNews(0)
	}
	h.pump(30 * time.Minute) // the customers, and what has begun
	h.tick(time.Now())
	h.sweep()
	// A day is how long a ticket that nobody shows, and that has no room, is
	// looked for.
	h.idle(26 * time.Hour)
	h.checkTable()
	h.checkQuiet()
	h.checkBudget()
}

// budget is the template's DeskWritesPerMinute.
const budget = 50

// checkBudget counts what filing wrote to Zendesk's tickets in any minute, by
// however many processes, and however often they died.
func (h *history) checkBudget() {
	for i, from := range h.filed {
		n := 0
		for _, at := range h.filed[i:] {
			if at.Sub(from) < time.Minute {
				n++
			}
		}
		if n > budget {
			h.Errorf("filing made %d updates within the minute from %v", n, from)
		}
	}
}

// checks is about a minute's work with the race detector.
const checks = "60"

func set(t *testing.T, name, value string) {
	t.Helper()
	if f := flag.Lookup(name); f.Value.String() == f.DefValue {
		if err := f.Value.Set(value); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLifecycle(t *testing.T) {
	set(t, "rapid.checks", checks)
	rapid.Check(t, live)
}

// TestSoak goes on for as long as it was asked to, half of the time with
// histories of three times the length.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("for as long as -soak says")
	}
	began, rounds := time.Now(), 0
	for time.Since(began) < *soak && !t.Failed() {
		rounds++
		if err := flag.Set("rapid.steps", []string{"30", "90"}[rounds%2]); err != nil {
			t.Fatal(err)
		}
		if err := flag.Set("rapid.checks", []string{"150", "50"}[rounds%2]); err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprintf("round %d", rounds), func(t *testing.T) { rapid.Check(t, live) })
		fmt.Fprintf(os.Stderr, "%8s  %d rounds\n", time.Since(began).Round(time.Second), rounds)
	}
}
