package relay_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/sandbox"
)

// life is a ticket as the table of states sees it: what its desk says, and
// nothing of how Sync works.
type life struct {
	ref      relay.RoomRef
	customer string
	agent    int    // -1: nobody
	status   string // open, solved, closed
	merged   bool
	deleted  bool
	erased   bool // was ever deleted
	hints    []string
	// redelivered: a try was cut off and none has succeeded since.
	redelivered bool
	// vanished: the room went away by somebody's hand and was not made again;
	// squatted: somebody's own group is in its place.
	vanished, squatted bool
	// unsure: a try was cut off while it made the room again. Whether the room of
	// a ticket that is over since is there then, the table does not say.
	unsure bool
}

// synced is what a Sync that went through does to a room that was not there.
func (l *life) synced() {
	if l.squatted {
		l.squatted, l.vanished = false, l.deleted
	}
	if l.status == "open" && !l.deleted {
		l.vanished, l.unsure = false, false
	}
	l.redelivered = false
}

func (l *life) alive() bool { return !l.deleted && !l.merged && l.status != "closed" }

type model struct {
	*bed
	lives []*life
	n     int
}

// pick returns a ticket for which ok holds.
func (m *model) pick(t *rapid.T, ok func(*life) bool) *life {
	var list []*life
	for _, l := range m.lives {
		if ok(l) {
			list = append(list, l)
		}
	}
	if len(list) == 0 {
		t.Skip("no such ticket")
	}
	return rapid.SampledFrom(list).Draw(t, "ticket")
}

func any1(*life) bool { return true }

// hint makes a message about the ticket, with what a signed event would say.
func (l *life) hint() relay.SyncItem {
	return relay.SyncItem{Desk: l.ref.Desk, Ticket: l.ref.TicketID, Hints: l.hints, Redelivered: l.redelivered}
}

func (m *model) actions() map[string]func(*rapid.T) {
	ctx := context.Background()
	return map[string]func(*rapid.T){
		"create": func(t *rapid.T) {
			if len(m.lives) >= 5 {
				t.Skip("enough tickets")
			}
			m.n++
			l := &life{agent: -1, status: "open", customer: rapid.SampledFrom([]string{"carol", "dave"}).Draw(t, "customer")}
			desk := rapid.SampledFrom([]relay.DeskName{relay.Zendesk, relay.Salesforce}).Draw(t, "desk")
			l.ref = m.open(desk, l.customer, fmt.Sprintf("Request %d", m.n))
			m.lives = append(m.lives, l)
		},
		"assign": func(t *rapid.T) {
			l := m.pick(t, (*life).alive)
			l.agent = rapid.IntRange(-1, 1).Draw(t, "agent")
			m.assign(l.ref, l.agent)
		},
		"end": func(t *rapid.T) {
			l := m.pick(t, func(l *life) bool { return l.alive() && l.status == "open" })
			m.end(l.ref)
			l.status = "solved"
			if l.ref.Desk == relay.Salesforce {
				l.status = "closed"
			}
		},
		"reopen": func(t *rapid.T) {
			l := m.pick(t, func(l *life) bool {
				return !l.deleted && !l.merged && (l.status == "solved" || l.status == "closed" && l.ref.Desk == relay.Salesforce)
			})
			m.reopen(l.ref)
			l.status = "open"
		},
		"close": func(t *rapid.T) {
			l := m.pick(t, func(l *life) bool { return l.alive() && l.ref.Desk == relay.Zendesk })
			m.ok(m.box.Zendesk().Close(m.number(l.ref)))
			l.status = "closed"
		},
		"delete": func(t *rapid.T) {
			l := m.pick(t, func(l *life) bool { return !l.deleted && !l.merged })
			m.remove(l.ref)
			l.deleted, l.erased, l.hints = true, true, []string{"deleted"}
		},
		"undelete": func(t *rapid.T) {
			l := m.pick(t, func(l *life) bool { return l.deleted })
			m.undelete(l.ref)
			l.deleted = false // the hint goes on saying that it is
		},
		"merge": func(t *rapid.T) {
			loser := m.pick(t, (*life).alive)
			winner := m.pick(t, func(l *life) bool { return l.alive() && l != loser && l.ref.Desk == loser.ref.Desk })
			if loser.ref.Desk == relay.Zendesk {
				m.ok(m.box.Zendesk().Merge(m.number(winner.ref), m.number(loser.ref)))
				loser.hints = append(loser.hints, "merged:"+winner.ref.TicketID)
			} else {
				m.ok(m.box.Salesforce().Merge(winner.ref.TicketID, loser.ref.TicketID))
			}
			loser.merged, loser.status = true, "closed"
		},
		"talk": func(t *rapid.T) {
			l := m.pick(t, any1)
			_, agent := m.bed.agent(l.ref.Desk, max(l.agent, 0))
			who := rapid.SampledFrom([]string{l.customer, agent}).Draw(t, "who")
			for range rapid.IntRange(1, 25).Draw(t, "messages") {
				m.n++
				_ = m.box.SendAs(who, l.ref.GroupID(), fmt.Sprintf("message %d\nof %s", m.n, who)) // who is not in may not
			}
		},
		"leave": func(t *rapid.T) {
			l := m.pick(t, any1)
			_, agent := m.bed.agent(l.ref.Desk, max(l.agent, 0))
			_ = m.box.QuitAs(rapid.SampledFrom([]string{l.customer, agent}).Draw(t, "who"), l.ref.GroupID())
		},
		"intrude": func(t *rapid.T) {
			l := m.pick(t, func(l *life) bool { return !l.deleted })
			m.ok(m.rooms.Import(ctx, relay.Account{UserID: "mallory"}))
			_, _ = m.rooms.Join(ctx, l.ref.GroupID(), relay.Account{UserID: "mallory"})
		},
		"vanish": func(t *rapid.T) {
			l := m.pick(t, any1)
			m.ok(m.rooms.Destroy(ctx, l.ref.GroupID()))
			l.vanished, l.squatted = true, false
			if rapid.Bool().Draw(t, "squatted") {
				m.ok(m.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: l.ref.GroupID(), Type: "Public", Name: "mine"}))
				l.vanished, l.squatted = false, true
			}
		},
		"pass time": func(t *rapid.T) {
			m.clock.add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "seconds")) * time.Second)
		},
		"sync": func(t *rapid.T) {
			l := m.pick(t, any1)
			m.attempt(t, l)
		},
		"sync again": func(t *rapid.T) {
			l := m.pick(t, any1)
			m.attempt(t, l)
		},
		"": func(*rapid.T) {},
	}
}

// attempt syncs a ticket in a process that may die at any call, with a vendor
// that may say "too fast".
func (m *model) attempt(t *rapid.T, l *life) {
	item := l.hint()
	fate := rapid.IntRange(0, 5).Draw(t, "fate")
	switch fate {
	case 0, 1:
		if m.killed(rapid.IntRange(1, 14).Draw(t, "call"), []int{cutBefore, cutAfter}[fate], item) {
			l.redelivered, l.unsure = true, l.unsure || l.squatted || l.vanished
			return
		}
		l.synced()
		return
	case 2:
		at := int32(rapid.IntRange(1, 8).Draw(t, "call"))
		var n atomic.Int32
		m.setCut(func(r *http.Request) int {
			if n.Add(1) == at && !strings.Contains(r.URL.Path, "/aws/") {
				return tooFast
			}
			return noCut
		})
		defer m.setCut(nil)
		fallthrough
	default:
		if m.run(item)[0] != nil {
			l.redelivered, l.unsure = true, l.unsure || l.squatted || l.vanished
			return
		}
	}
	l.synced()
}

// check says what the table says, once the noise has stopped and every ticket
// was synced.
func (m *model) check(t *rapid.T) {
	m.setCut(nil)
	for _, l := range m.lives {
		if err := m.run(l.hint())[0]; err != nil {
			t.Fatalf("%s: %v", l.ref.GroupID(), err)
		}
		l.synced()
	}
	for _, l := range m.lives {
		_, there := m.box.Group(l.ref.GroupID())
		if l.vanished && !l.unsure {
			if there {
				t.Errorf("%s: a room that is gone came back for a ticket that is over", l.ref.GroupID())
			}
			continue
		}
		if !there {
			if l.unsure {
				continue
			}
			t.Fatalf("%s: there is no room", l.ref.GroupID())
		}
		g := m.group(l.ref)
		if g.Owner != "" || g.ApplyJoinOption != "DisableApply" || g.InviteJoinOption != "DisableInvite" {
			t.Errorf("%s is not ours: %+v", l.ref.GroupID(), g)
		}
		over := l.deleted || l.merged || l.status != "open"
		m.wantMuted(l.ref, over)
		want := []string{l.customer}
		if !over && l.agent >= 0 {
			_, id := m.bed.agent(l.ref.Desk, l.agent)
			want = append(want, id)
		}
		if l.deleted {
			for _, id := range m.members(l.ref) {
				if strings.HasPrefix(id, "zd_") || strings.HasPrefix(id, "sf_") {
					t.Errorf("%s: agent %s is in a deleted ticket's room", l.ref.GroupID(), id)
				}
			}
		} else {
			m.wantMembers(l.ref, want...)
		}
		said := m.said(l.ref)
		for i := 1; i < len(said); i++ {
			if said[i] == said[i-1] {
				t.Errorf("%s: said twice: %q", l.ref.GroupID(), said[i])
			}
		}
		if !l.deleted && len(said) == 0 {
			t.Errorf("%s: nobody was greeted", l.ref.GroupID())
		}
		m.checkFiled(t, l, over)
	}
	// A Sync of a room that is right writes nothing.
	for _, l := range m.lives {
		m.box.ResetCalls()
		if err := m.run(l.hint())[0]; err != nil {
			t.Fatalf("%s: %v", l.ref.GroupID(), err)
		}
		for _, op := range m.ops() {
			if !slices.Contains([]string{
				"zendesk tickets_show_many", "zendesk tickets_show", "salesforce query_all", "salesforce query",
				"salesforce sobject_get", "tencent get_group_info", "zendesk tickets_comments", "salesforce sobject_show",
			}, op) {
				t.Errorf("%s: a second Sync made %q of %v", l.ref.GroupID(), op, m.ops())
			}
		}
	}
}

// checkFiled: every message of a room whose ticket is over stands in one
// transcript, and no message of any room in two. A note whose outcome nobody
// heard of may be hidden with a deleted ticket; its messages are archived, and
// stand twice if the ticket comes back.
func (m *model) checkFiled(t *rapid.T, l *life, over bool) {
	g := m.group(l.ref)
	in := map[uint64]int{}
	for _, body := range append(m.filed(l.ref), m.archived(l.ref)...) {
		p := partName.FindStringSubmatch(body)
		if p == nil || p[2] != fmt.Sprint(g.Created.Unix()) {
			continue
		}
		var from, to uint64
		_, _ = fmt.Sscan(p[3], &from)
		_, _ = fmt.Sscan(p[4], &to)
		for s := from; s <= to; s++ {
			in[s]++
		}
		for _, msg := range g.Messages {
			shown := strings.Contains(body, strings.ReplaceAll(msg.Text, "\n", "\n    "))
			if inside := from <= msg.Seq && msg.Seq <= to; inside && !shown {
				t.Errorf("%s: message %d is not in %s", l.ref.GroupID(), msg.Seq, p[0])
			}
		}
	}
	for _, msg := range g.Messages {
		if n := in[msg.Seq]; (over && n == 0) || (n > 1 && !l.erased) {
			t.Errorf("%s: message %d %q is filed %d times", l.ref.GroupID(), msg.Seq, msg.Text, n)
		}
	}
}

// Random lives of tickets, desks and rooms under random cuts: when the noise
// stops and each ticket is synced once, every room is what the table says.
func TestSyncProperty(t *testing.T) {
	quiet := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	defer slog.SetDefault(quiet)
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("100"); err != nil { // seconds; -rapid.checks=… for more
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := startBed(t, sandbox.TencentPlan{History: 1000 * time.Hour})
		defer b.close()
		m := &model{bed: b}
		t.Repeat(m.actions())
		m.check(t)
	})
}
