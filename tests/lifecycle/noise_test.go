package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/tests/world"
)

// touch notes that something happens to a ticket or its room.
func (h *history) touch(l *life) {
	l.changed, l.settled = h.moment.Add(1), false
}

func (h *history) ok(err error) {
	if err != nil {
		h.Fatalf("%v", err)
	}
}

// hear takes note of the customers who have stopped asking, and of what desks
// were answered.
func (h *history) hear() {
	synctest.Wait() // who stops in this instant has stopped
	h.mu.Lock()
	answered, replies := h.answered, h.replies
	h.answered, h.replies = nil, nil
	h.mu.Unlock()
	slices.SortFunc(replies, func(a, b reply) int { return cmp.Compare(a.p.Number, b.p.Number) })
	for _, r := range replies {
		h.reply(r)
	}
	for _, a := range answered {
		h.touch(a.life)
		a.creating, a.life.promised = false, a.promised
	}
}

// find gives the tickets that have come to be their ids, and counts them.
func (h *history) find() {
	h.hear()
	ids := map[string][]string{}
	for _, t := range h.w.Box.Zendesk().Tickets() {
		ids[t.Subject] = append(ids[t.Subject], fmt.Sprint(t.ID))
	}
	for _, c := range h.w.Box.Salesforce().Cases() {
		ids[c.Subject] = append(ids[c.Subject], c.ID)
	}
	for _, l := range h.lives {
		found := ids[l.subject]
		if len(found) > 1 {
			h.Fatalf("%q was created %d times", l.subject, len(found))
		}
		if l.id == "" && len(found) == 1 {
			l.id = found[0]
		}
	}
}

// pick returns a ticket for which ok holds.
func (h *history) pick(t *rapid.T, ok func(*life) bool) *life {
	h.find()
	var list []*life
	for _, l := range h.lives {
		if l.id != "" && ok(l) {
			list = append(list, l)
		}
	}
	if len(list) == 0 {
		t.Skip("no such ticket")
	}
	l := rapid.SampledFrom(list).Draw(t, "ticket")
	h.touch(l)
	return l
}

func ours(l *life) bool     { return !l.foreign }
func alive(l *life) bool    { return !l.deleted && l.into == nil && l.status != "closed" }
func (l *life) num() int64  { n, _ := strconv.ParseInt(l.id, 10, 64); return n }
func (l *life) isZD() bool  { return l.desk == relay.Zendesk }
func (l *life) there() bool { return !l.deleted && l.into == nil }

// ends notes whether there is a room that a ticket that is over now leaves behind.
func (h *history) ends(l *life, before bool) {
	if !h.over(l) {
		return
	}
	g, there := h.w.Box.Group(l.group())
	_, err := relay.ParseMark(g.Introduction)
	if !before && !g.MuteAllMember { // else nobody has noticed that it was open
		l.overSince = time.Now()
	}
	l.roomAtEnd, l.vanished = there && err == nil && g.Owner == "", false
}

// change lets an agent or an admin change a ticket.
func (h *history) change(l *life, do func()) {
	before := h.over(l)
	do()
	h.ends(l, before)
}

// create lets a customer ask for a ticket, again and again with the same key
// until it is there, or until they lose patience.
func (h *history) create(desk relay.DeskName, customer string, tries int) *life {
	h.made++
	l := &life{desk: desk, customer: customer, subject: fmt.Sprintf("Request %d", h.made), agent: nobody, status: "open", creating: true}
	h.lives = append(h.lives, l)
	key := fmt.Sprintf("cr1_%010d_%022d", time.Now().Unix(), h.made)
	h.mu.Lock()
	h.creating++
	h.mu.Unlock()
	// Here, so that their numbers do not depend on which customer asks again first.
	processes := h.processes("createticket", tries)
	go func() {
		promised := false
		for i, p := range processes {
			if i > 0 {
				time.Sleep(time.Duration(20+i*40) * time.Second)
			}
			if promised = h.ask(p, l, key); promised {
				break
			}
		}
		defer h.rouse()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.creating--
		h.answered = append(h.answered, answer{l, promised})
	}()
	return l
}

func (h *history) processes(function string, n int) (list []*world.Process) {
	for range n {
		list = append(list, h.w.Start(function))
	}
	return list
}

func (h *history) ask(p *world.Process, l *life, key string) bool {
	op, desks, err := p.CreateTicket()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	_, err = op.Run(ctx, desks[l.desk], relay.NewTicket{
		UserID: l.customer, Subject: l.subject, Desc: "help",
		Name: strings.ToUpper(l.customer), Email: l.customer + "@example.com", Key: key,
	})
	p.Kill()
	return err == nil && ctx.Err() != context.DeadlineExceeded
}

// agentID is the desk's id of an assignee.
func (h *history) agentID(desk relay.DeskName, agent int) (zd int64, sf string) {
	switch agent {
	case nobody:
		return 0, h.w.Box.Salesforce().Queue()
	case ourselves:
		return h.w.Fix.Zendesk.OwnUserID, h.w.Fix.Salesforce.OwnUserID
	default:
		return h.w.Fix.Zendesk.AgentIDs[agent], h.w.Fix.Salesforce.AgentIDs[agent]
	}
}

func (h *history) assign(l *life, agent int) {
	h.touch(l)
	zd, sf := h.agentID(l.desk, agent)
	h.change(l, func() {
		if l.isZD() {
			h.ok(h.w.Box.Zendesk().Assign(l.num(), zd))
		} else {
			h.ok(h.w.Box.Salesforce().SetOwner(l.id, sf))
		}
		l.agent = agent
	})
}

func (h *history) solve(l *life) {
	h.touch(l)
	h.change(l, func() {
		if l.isZD() {
			h.ok(h.w.Box.Zendesk().Solve(l.num()))
			l.status = "solved"
		} else {
			h.ok(h.w.Box.Salesforce().Close(l.id))
			l.status = "closed"
		}
	})
}

func (h *history) reopen(l *life) {
	h.touch(l)
	h.change(l, func() {
		if l.isZD() {
			h.ok(h.w.Box.Zendesk().Reopen(l.num()))
		} else {
			h.ok(h.w.Box.Salesforce().Reopen(l.id))
		}
		l.status = "open"
	})
}

func (h *history) close(l *life) {
	h.touch(l)
	h.change(l, func() {
		h.ok(h.w.Box.Zendesk().Close(l.num()))
		l.status = "closed"
	})
}

func (h *history) remove(l *life, spam bool) {
	h.touch(l)
	h.change(l, func() {
		switch {
		case l.isZD() && spam:
			h.ok(h.w.Box.Zendesk().MarkSpam(l.num()))
		case l.isZD():
			h.ok(h.w.Box.Zendesk().Delete(l.num()))
		default:
			h.ok(h.w.Box.Salesforce().Delete(l.id))
		}
		l.deleted, l.erased, l.deletedSince = true, true, time.Now()
	})
}

func (h *history) undelete(l *life) {
	h.touch(l)
	h.change(l, func() {
		if l.isZD() {
			h.ok(h.w.Box.Zendesk().Undelete(l.num()))
		} else {
			h.ok(h.w.Box.Salesforce().Undelete(l.id))
		}
		l.deleted = false
	})
}

func (h *history) merge(loser, winner *life) {
	h.touch(loser)
	h.touch(winner)
	h.change(loser, func() {
		if loser.isZD() {
			h.ok(h.w.Box.Zendesk().Merge(winner.num(), loser.num()))
		} else {
			h.ok(h.w.Box.Salesforce().Merge(winner.id, loser.id))
		}
		loser.into, loser.status = winner, "closed"
		loser.pointed = true
	})
}

// talk says something in a room, if the chat lets them.
func (h *history) talk(l *life, who string) {
	h.touch(l)
	h.made++
	token := fmt.Sprintf("«m%d»", h.made)
	if h.w.Box.SendAs(who, l.group(), token+" says\n"+who) == nil {
		// In somebody's own group under the ticket's id it is not our room's.
		g, _ := h.w.Box.Group(l.group())
		l.said = append(l.said, saying{n: h.made, token: token, at: time.Now(), lost: g.Owner != ""})
	}
}

// vanish takes a ticket's room away, and may put somebody's own in its place.
func (h *history) vanish(l *life, squat bool) {
	h.touch(l)
	time.Sleep(time.Second) // a room's second is part of the names of its transcripts
	rooms, err := h.console.Rooms()
	h.ok(err)
	h.ok(rooms.Destroy(context.Background(), l.group()))
	l.vanished, l.in = true, nil
	for i := range l.said {
		l.said[i].lost = l.said[i].lost || !l.said[i].dissolved
	}
	if squat {
		h.squat(l.group())
	}
	time.Sleep(time.Second)
}

func (h *history) squat(group string) {
	_ = h.w.Box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: group, Type: "Public", Name: "mine", ApplyJoinOption: "FreeAccess"})
}

// console changes a room as somebody does who has the console's rights.
func (h *history) tamper(l *life, c tencentim.GroupChange) {
	h.touch(l)
	rooms, err := h.console.Rooms()
	h.ok(err)
	_ = rooms.Client.ModifyGroup(context.Background(), l.group(), c) // there may be none
}

func (h *history) intrude(l *life, who string) {
	h.touch(l)
	rooms, err := h.console.Rooms()
	h.ok(err)
	h.ok(rooms.Import(context.Background(), relay.Account{UserID: who}))
	_, _ = rooms.Join(context.Background(), l.group(), relay.Account{UserID: who})
	h.moved(l, who)
}

// quit lets a member leave by the chat's own door.
func (h *history) quit(l *life, who string) {
	h.touch(l)
	_ = h.w.Box.QuitAs(who, l.group()) // who is not in it cannot
	h.moved(l, who)
}

// deliver hands a notification to the queue.
func (h *history) deliver(n notice, times int) {
	h.find()
	for _, l := range h.lives {
		if l.desk == n.Desk && l.id == n.Ticket {
			h.touch(l)
		}
	}
	for i := range times {
		h.ok(h.w.Notify(context.Background(), n.Hint, fmt.Sprintf("n%d-%d-%d", n.n, i, h.moment.Load())))
	}
}

func (h *history) takeNews(i int) notice {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.news[i]
	h.news = slices.Delete(h.news, i, i+1)
	return n
}

func (h *history) newsCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.news)
}

// deliverAll lets every notification arrive in its order.
func (h *history) deliverAll() {
	for h.newsCount() > 0 {
		h.deliver(h.takeNews(0), 1)
	}
}

var badFates = []world.Fate{
	world.KillBefore, world.KillAfter, world.KillBefore, world.KillAfter, world.KillAfter,
	world.Lost, world.Swallowed, world.Swallowed, world.TooFast, world.Unavailable, world.Hang, world.DoneHang,
}

// work lets the processes make some calls, in any order, one of which meets a
// bad fate.
func (h *history) work(t *rapid.T) {
	steps := rapid.IntRange(1, 40).Draw(t, "calls")
	bad := -1
	var fate world.Fate
	if rapid.IntRange(0, 3).Draw(t, "well") > 0 {
		bad = rapid.IntRange(0, min(steps-1, 15)).Draw(t, "at")
		fate = rapid.SampledFrom(badFates).Draw(t, "fate")
	}
	idle := 0
	for i := 0; i < steps && idle < 3; {
		list := h.calls()
		if len(list) == 0 {
			h.settle()
			h.schedules()
			if !h.dispatch() {
				idle++
				h.doze(time.Second)
			}
			continue
		}
		x := list[0]
		if len(list) > 1 {
			x = list[rapid.IntRange(0, len(list)-1).Draw(t, "next")]
		}
		f := world.Pass
		if i == bad {
			f = fate
		}
		h.release(x, f)
		i++
	}
}

// noise is what may happen.
func (h *history) noise() map[string]func(*rapid.T) {
	people := func(t *rapid.T, l *life) string {
		zd, sf := h.agentID(l.desk, rapid.IntRange(0, 1).Draw(t, "which"))
		agent := "sf_" + sf
		if l.isZD() {
			agent = fmt.Sprintf("zd_%d", zd)
		}
		return rapid.SampledFrom([]string{l.customer, agent, "mallory"}).Draw(t, "who")
	}
	return map[string]func(*rapid.T){
		"create": func(t *rapid.T) {
			if len(h.lives) >= 6 {
				t.Skip("enough tickets")
			}
			desk := rapid.SampledFrom([]relay.DeskName{relay.Zendesk, relay.Salesforce}).Draw(t, "desk")
			customer := rapid.SampledFrom([]string{"carol", "dave"}).Draw(t, "customer")
			h.create(desk, customer, rapid.IntRange(1, 4).Draw(t, "patience"))
		},
		"create, no hurry": func(t *rapid.T) {
			if len(h.lives) >= 6 {
				t.Skip("enough tickets")
			}
			desk := rapid.SampledFrom([]relay.DeskName{relay.Zendesk, relay.Salesforce}).Draw(t, "desk")
			h.create(desk, rapid.SampledFrom([]string{"carol", "dave"}).Draw(t, "customer"), 3)
			h.pump(2 * time.Second)
		},
		"create by an agent": func(t *rapid.T) {
			if len(h.lives) >= 6 {
				t.Skip("enough tickets")
			}
			h.made++
			l := &life{subject: fmt.Sprintf("Request %d", h.made), customer: "erin", foreign: true, agent: nobody, status: "open"}
			if rapid.Bool().Draw(t, "Zendesk") {
				l.desk = relay.Zendesk
				id, err := h.w.Box.Zendesk().Create(l.subject, "help", h.w.Fix.Zendesk.AgentIDs[0])
				h.ok(err)
				l.id = fmt.Sprint(id)
			} else {
				l.desk = relay.Salesforce
				id, err := h.w.Box.Salesforce().CreateCase(l.subject, "")
				h.ok(err)
				l.id = id
			}
			h.lives = append(h.lives, l)
			if _, there := h.w.Box.Group(l.group()); there || rapid.Bool().Draw(t, "with a group") {
				h.squat(l.group())
				l.squatter = true
			}
		},
		"assign": func(t *rapid.T) {
			h.assign(h.pick(t, alive), rapid.IntRange(ourselves, 1).Draw(t, "agent"))
		},
		"solve": func(t *rapid.T) {
			h.solve(h.pick(t, func(l *life) bool { return alive(l) && l.status == "open" }))
		},
		"reopen": func(t *rapid.T) {
			h.reopen(h.pick(t, func(l *life) bool {
				return l.there() && (l.status == "solved" || l.status == "closed" && !l.isZD())
			}))
		},
		"close": func(t *rapid.T) {
			h.close(h.pick(t, func(l *life) bool { return alive(l) && l.isZD() }))
		},
		"delete": func(t *rapid.T) {
			// Salesforce forgets the key of a case in the recycle bin: a customer who is
			// still asking for one would get another.
			h.remove(h.pick(t, func(l *life) bool { return l.there() && !l.creating }), rapid.Bool().Draw(t, "spam"))
		},
		"undelete": func(t *rapid.T) {
			h.undelete(h.pick(t, func(l *life) bool { return l.deleted && !l.purged }))
		},
		"purge": func(t *rapid.T) {
			l := h.pick(t, func(l *life) bool { return l.deleted && !l.purged && l.isZD() && ours(l) })
			h.ok(h.w.Box.Zendesk().PermanentlyDelete(l.num()))
			l.purged = true
		},
		"merge": func(t *rapid.T) {
			loser := h.pick(t, func(l *life) bool { return alive(l) && !l.creating })
			winner := h.pick(t, func(l *life) bool { return alive(l) && l != loser && l.desk == loser.desk })
			h.merge(loser, winner)
		},
		"the second agent leaves or comes back": func(t *rapid.T) {
			h.inactive, h.turned = !h.inactive, time.Now()
			h.ok(h.w.Box.Salesforce().SetActive(h.w.Fix.Salesforce.AgentIDs[1], !h.inactive))
			for _, l := range h.lives {
				h.touch(l)
			}
		},
		"talk": func(t *rapid.T) {
			l := h.pick(t, ours)
			who := people(t, l)
			for range rapid.IntRange(1, 25).Draw(t, "messages") {
				h.talk(l, who)
			}
		},
		"leave": func(t *rapid.T) {
			l := h.pick(t, ours)
			h.quit(l, people(t, l))
		},
		"intrude": func(t *rapid.T) {
			l := h.pick(t, ours)
			h.intrude(l, people(t, l))
		},
		"tamper": func(t *rapid.T) {
			h.tamper(h.pick(t, ours), rapid.SampledFrom([]tencentim.GroupChange{
				{Name: "hacked", InviteJoinOption: "FreeAccess"}, {MuteAllMember: "On"}, {MuteAllMember: "Off"},
			}).Draw(t, "change"))
		},
		"a desk's call": func(t *rapid.T) {
			l := h.pick(t, func(*life) bool { return true })
			function := rapid.SampledFrom([]string{"joingroup", "joingroup", "leavegroup", "deletegroup"}).Draw(t, "function")
			h.call(l, function, rapid.IntRange(0, 1).Draw(t, "agent"), rapid.IntRange(1, 2).Draw(t, "tries"))
			if rapid.Bool().Draw(t, "no hurry") {
				h.pump(2 * time.Second)
			}
		},
		"Omni-Channel": func(t *rapid.T) {
			l := h.pick(t, func(l *life) bool { return alive(l) && ours(l) && !l.isZD() })
			step := "Assigned"
			var offer *offer
			if n := len(l.work); n > 0 {
				offer = l.work[rapid.IntRange(0, n-1).Draw(t, "offer")]
				step = rapid.SampledFrom(map[string][]string{
					"Assigned": {"Opened", "Opened", "Opened", "Declined", "DeclinedOnPushTimeout", "Assigned"},
					"Opened":   {"Closed", "Transferred", "Assigned"},
				}[offer.status]).Draw(t, "step")
			}
			if step == "Assigned" {
				h.offer(l, rapid.IntRange(0, 1).Draw(t, "agent"))
			} else {
				h.step(l, offer, step)
			}
		},
		"vanish": func(t *rapid.T) {
			h.vanish(h.pick(t, ours), rapid.Bool().Draw(t, "squatted"))
		},
		"squat early": func(t *rapid.T) {
			next := int64(1001)
			for _, x := range h.w.Box.Zendesk().Tickets() {
				next = max(next, x.ID+1)
			}
			h.squat(fmt.Sprintf("ZENDESK#%d", next))
		},
		"news": func(t *rapid.T) { h.deliverAll() },
		"old news": func(t *rapid.T) {
			n := h.newsCount()
			if n == 0 {
				t.Skip("no news")
			}
			x := h.takeNews(rapid.IntRange(0, n-1).Draw(t, "which"))
			h.deliver(x, rapid.IntRange(0, 14).Draw(t, "times"))
		},
		"no news": func(t *rapid.T) {
			for h.newsCount() > 0 {
				h.takeNews(0)
			}
		},
		"work":  h.work,
		"work ": h.work,
		"work  ": func(t *rapid.T) {
			h.deliverAll()
			h.work(t)
		},
		"kill an idle process": func(t *rapid.T) {
			if s := h.workers[rapid.IntRange(0, len(h.workers)-1).Draw(t, "which")]; s.p != nil {
				s.p.Kill()
			}
		},
		"a while": func(t *rapid.T) {
			h.pump(time.Duration(rapid.IntRange(1, 3600).Draw(t, "seconds")) * time.Second)
		},
		"days": func(t *rapid.T) {
			h.pump(time.Duration(rapid.IntRange(1, 60).Draw(t, "hours")) * time.Hour)
		},
		"outage": func(t *rapid.T) {
			vendor := rapid.SampledFrom([]string{"zendesk", "salesforce", "tencent", "aws"}).Draw(t, "vendor")
			h.out(vendor, rapid.SampledFrom([]world.Fate{world.Unavailable, world.Lost, world.Hang}).Draw(t, "how"))
			h.pump(time.Duration(rapid.IntRange(1, 1500).Draw(t, "minutes")) * time.Minute)
			h.back(vendor)
		},
		"": func(*rapid.T) { time.Sleep(time.Second) },
	}
}

// out puts a vendor out of order until back.
func (h *history) out(vendor string, how world.Fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outages++
	h.down[vendor] = how
}

func (h *history) back(vendor string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.down, vendor)
}
