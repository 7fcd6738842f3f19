package lifecycle

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/tests/world"
)

// What random histories have found, told in order. Each began with a failure of
// TestLifecycle.
func TestFound(t *testing.T) {
	found := map[string]func(h *history){
		// Ten hints that a ticket changed stood before the one that it was deleted,
		// and a batch has ten.
		"a deletion behind many changes": func(h *history) {
			l := h.open(relay.Zendesk)
			h.out("tencent", world.Unavailable)
			for i := range 14 {
				h.ok(h.w.Notify(context.Background(), relay.Hint{Ref: relay.Ref{Desk: l.desk, Ticket: l.id}}, fmt.Sprintf("again-%d", i)))
			}
			h.remove(l, false)
			h.deliverAll()
			h.pump(time.Hour)
			h.back("tencent")
			h.changes = nil // the export's windows are worked off, or lost
			h.idle(3 * time.Hour)
			h.checkTable()
		},
		// The ticket was deleted before its room was made, and nobody heard of it.
		"a deletion that nobody heard of": func(h *history) {
			h.out("tencent", world.Lost)
			l := h.create(relay.Zendesk, "carol", 1)
			h.pump(20 * time.Minute)
			h.find()
			h.remove(l, false)
			for h.newsCount() > 0 {
				h.takeNews(0)
			}
			h.back("tencent")
			h.calm()
		},
		// A group of somebody's had the number of an agent's ticket; the deletion
		// of that ticket was taken for one of ours.
		"a stranger's group under a stranger's ticket": func(h *history) {
			id, err := h.w.Box.Zendesk().Create("An agent's", "help", h.w.Fix.Zendesk.AgentIDs[0])
			h.ok(err)
			l := &life{desk: relay.Zendesk, id: fmt.Sprint(id), subject: "An agent's", customer: "erin", foreign: true, squatter: true, agent: nobody, status: "open"}
			h.lives = append(h.lives, l)
			h.squat(l.group())
			h.remove(l, true)
			h.pump(time.Hour)
			h.calm()
		},
		// Solved and told so by a process that died at its next call, reopened,
		// solved again: the second time was told as the first.
		"a notice that was outdated before it was written down": func(h *history) {
			l := h.open(relay.Salesforce)
			h.solve(l)
			h.deliverAll()
			h.killAt("Caseroom_Transcript__c")
			h.reopen(l)
			h.pump(time.Hour)
			h.solve(l)
			h.deliverAll()
			h.calm()
		},
		// Deleted for a week, then back and solved within a second: its room's
		// time was up at once.
		"back and solved": func(h *history) {
			l := h.open(relay.Salesforce)
			h.remove(l, false)
			h.deliverAll()
			h.pump(8 * 24 * time.Hour)
			h.undelete(l)
			h.solve(l)
			h.deliverAll()
			h.calm()
			if _, there := h.w.Box.Group(l.group()); !there {
				h.Errorf("the customer cannot read what was said")
			}
		},
		// A desk called a room that was somebody's own, of a ticket that was no more:
		// nothing said that it was gone, and it was looked for until it was forgotten.
		"a call about a ticket that is no more": func(h *history) {
			l := h.open(relay.Zendesk)
			h.remove(l, true)
			h.ok(h.w.Box.Zendesk().PermanentlyDelete(l.num()))
			l.purged = true
			h.deliverAll()
			h.pump(time.Hour)
			h.vanish(l, true)
			h.call(l, "joingroup", 1, 1)
			h.pump(time.Hour)
			h.calm()
		},
		// A desk closed a case and called for its room to be dissolved. Both the call
		// and the work on the case saw no transcript yet and filed one; the second
		// held one notice more.
		"a transcript filed by two at once": func(h *history) {
			l := h.open(relay.Salesforce)
			h.talk(l, "carol")
			h.call(l, "deletegroup", 0, 1)
			h.runTo("deletegroup", "Caseroom_Transcript__c/")
			h.solve(l)
			h.deliverAll()
			h.runTo("sync, file", "Caseroom_Transcript__c/")
			h.pump(time.Hour)
			h.calm()
		},
	}
	for name, tell := range found {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := begin(t, world.Options{Seed: 1})
				defer h.end()
				h.workers = places(1)
				tell(h)
			})
		})
	}
}

// open opens a ticket and lets its room be made.
func (h *history) open(desk relay.DeskName) *life {
	l := h.create(desk, "carol", 1)
	h.pump(5 * time.Minute)
	h.find()
	if l.id == "" {
		h.Fatalf("there is no ticket")
	}
	return l
}

// runTo lets the processes of some functions, and no others, make their calls until
// one waits whose path holds a text.
func (h *history) runTo(functions, text string) {
	for range 200 {
		list := slices.DeleteFunc(h.calls(), func(x *held) bool { return !strings.Contains(functions, x.Process.Name) })
		switch {
		case len(list) == 0:
			if !h.dispatch() {
				h.doze(time.Second)
			}
		case strings.Contains(list[0].Path, text):
			return
		default:
			h.release(list[0], world.Pass)
		}
	}
	h.Fatalf("%s did not call %s", functions, text)
}

// killAt lets work go on until a process of sync makes a call whose path holds
// a text, and kills it there.
func (h *history) killAt(text string) {
	for range 200 {
		list := h.calls()
		if len(list) == 0 {
			if !h.dispatch() {
				h.doze(time.Second)
			}
			continue
		}
		if strings.Contains(list[0].Path, text) {
			h.release(list[0], world.KillBefore)
			return
		}
		h.release(list[0], world.Pass)
	}
	h.Fatalf("nobody called %s", text)
}
