package lifecycle

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/tests/world"
)

// What desks do themselves: Omni-Channel's work, and calls to the routes
// joingroup, leavegroup and deletegroup.

// offer routes a case to an agent.
func (h *history) offer(l *life, agent int) {
	h.touch(l)
	id, err := h.w.Box.Salesforce().AddAgentWork(l.id, h.w.Fix.Salesforce.AgentIDs[agent])
	if agent == 1 && h.inactive {
		if err == nil {
			h.Fatalf("who has left the company gets work")
		}
		return
	}
	h.ok(err)
	l.work = append(l.work, &offer{id: id, status: "Assigned", agent: agent})
}

// step takes work to its next status. Whoever accepts it owns the case.
func (h *history) step(l *life, o *offer, status string) {
	h.touch(l)
	h.change(l, func() {
		h.ok(h.w.Box.Salesforce().SetAgentWork(o.id, status))
		o.status = status
		if status == "Opened" {
			l.agent = o.agent
		} else {
			l.work = slices.DeleteFunc(l.work, func(x *offer) bool { return x == o })
		}
	})
}

// try is one request of a desk to one of the routes.
type try struct {
	*life
	function, agent string
	looked          int  // what had been said when it last read the room
	did             bool // the chat did what was asked for, or there was nothing to do
	roomless        bool // the chat said that there is no room
}

// reply is what a desk was answered. The last one ends the call.
type reply struct {
	p      *world.Process
	status int
	answer string
	last   bool
}

// call lets a desk call a route, and call it again if there is no answer, or one
// that says to.
func (h *history) call(l *life, function string, agent, tries int) {
	h.touch(l)
	who := h.agent(l.desk, agent)
	path, body := "/"+function, fmt.Sprintf(`{"groupId":%q,"userId":%q}`, l.group(), who)
	if function == "deletegroup" {
		body = fmt.Sprintf(`{"groupId":%q}`, l.group())
	}
	if !l.isZD() {
		path = "/salesforce" + path
	}
	processes := h.processes(function, tries)
	for _, p := range processes {
		h.trying[p] = &try{life: l, function: function, agent: who}
	}
	h.mu.Lock()
	h.asked++
	h.mu.Unlock()
	go func() {
		defer h.rouse()
		for i, p := range processes {
			if i > 0 {
				time.Sleep(30 * time.Second)
			}
			r := reply{p: p}
			if f, err := p.Members(function); err == nil {
				r.status, r.answer = p.Post(f, l.desk, path, body)
			}
			p.Kill()
			r.last = i == len(processes)-1 || (r.status != 0 && r.status != http.StatusTooManyRequests && r.status < 500)
			h.mu.Lock()
			h.replies = append(h.replies, r)
			if r.last {
				h.asked--
			}
			h.mu.Unlock()
			if r.last {
				return
			}
		}
	}()
}

// reply looks at what a desk was answered.
func (h *history) reply(r reply) {
	t := h.trying[r.p]
	h.touch(t.life)
	switch r.status {
	case 0, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	case http.StatusOK:
		if !t.did {
			h.Fatalf("%s of %s was answered %s, and it is not so", t.function, t.life.id, r.answer)
		}
	case http.StatusNotFound:
		if !t.roomless || t.function == "leavegroup" {
			h.Fatalf("%s of %s was answered %s, and there is a room, or none is needed", t.function, t.life.id, r.answer)
		}
	default:
		h.Fatalf("%s of %s was answered %d %s", t.function, t.life.id, r.status, r.answer)
	}
}

// moved notes whether an agent is in a room now that somebody else than
// caseroom's own work has moved them.
func (h *history) moved(l *life, who string) (in bool) {
	g, there := h.w.Box.Group(l.group())
	in = there && slices.ContainsFunc(g.Members, is(who))
	if l.in == nil {
		l.in = map[string]bool{}
	}
	l.in[who] = in
	return in
}

// done takes note of what came of a call of a process that the chat has let
// pass: of what desks asked for, and of rooms that are gone.
func (h *history) done(x *held, f world.Fate) {
	op := x.Path[strings.LastIndex(x.Path, "/")+1:]
	switch f {
	case world.Pass, world.Swallowed, world.DoneHang, world.KillAfter:
	default:
		return
	}
	t := h.trying[x.Process]
	switch op {
	case "add_group_member", "delete_group_member":
		if t == nil {
			h.onlyCalls(x)
			return
		}
		h.touch(t.life)
		in := h.moved(t.life, t.agent)
		_, there := h.w.Box.Group(t.group())
		t.roomless = !there
		t.did = in == (t.function == "joingroup") // who left a room that is gone has left
	case "create_group":
		h.onlyCalls(x)
	case "modify_group_base_info":
		if t != nil {
			h.touch(t.life)
		}
	case "group_msg_get_simple", "get_group_info":
		if t != nil {
			t.looked = h.made
		}
	case "destroy_group":
		if t != nil {
			h.touch(t.life)
			t.did = true
		}
		for _, l := range h.lives {
			if strings.Contains(x.Body, `"`+l.group()+`"`) {
				h.destroyed(l, t)
			}
		}
		time.Sleep(time.Second) // a room's second is part of the names of its transcripts
	}
}

// destroyed notes that a room is gone. What its desk's call had read of it by
// then is filed; what was said behind its back nobody can have heard.
func (h *history) destroyed(l *life, t *try) {
	if _, there := h.w.Box.Group(l.group()); there {
		return
	}
	l.in = nil
	if t == nil {
		return
	}
	l.squatter, l.vanished = false, true
	for i := range l.said {
		s := &l.said[i]
		switch {
		case s.lost || s.dissolved:
		case s.n > t.looked:
			s.lost = true
		default:
			s.dissolved = true
		}
	}
}

// onlyCalls: where calls decide, no work of caseroom's own moves an agent.
func (h *history) onlyCalls(x *held) {
	if !h.w.Calls {
		return
	}
	for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
		for i := range 2 {
			if a := h.agent(desk, i); strings.Contains(x.Body, `"`+a+`"`) {
				h.Fatalf("calls decide, and %s moved %s: %s %s", x.Process.Name, a, x.Path, x.Body)
			}
		}
	}
}
