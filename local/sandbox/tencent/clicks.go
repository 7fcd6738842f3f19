package tencent

import (
	"fmt"
	"net/http"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Clicks registers what somebody does in the app's console, or with a UserSig and
// bad intent.
func (a App) Clicks(mux *http.ServeMux) {
	type user struct {
		UserID string `json:"userId"`
	}
	type seat struct {
		GroupID string `json:"groupId"`
		UserID  string `json:"userId"`
	}
	type room struct {
		GroupID string `json:"groupId"`
	}
	engine.Look(mux, "tencent/groups", a.Groups)
	t := a.t
	in := func(groupID string, f func(g *group) *refusal) error {
		t.Lock()
		defer t.Unlock()
		g := t.groups[groupID]
		if g == nil {
			return fmt.Errorf("group %q: %w", groupID, engine.ErrNoRecord)
		}
		return clientError(f(g))
	}
	engine.Click(mux, "tencent/kick", func(u user) (any, error) {
		t.Lock()
		defer t.Unlock()
		acc := t.accounts[u.UserID]
		if acc == nil {
			return nil, fmt.Errorf("account %q: %w", u.UserID, engine.ErrNoRecord)
		}
		acc.kicked = t.Now().UTC()
		t.chat.end(u.UserID, event{Type: "kicked", Reason: "restApi"})
		return nil, nil
	})
	engine.Click(mux, "tencent/expire", func(u user) (any, error) {
		t.Lock()
		defer t.Unlock()
		for _, x := range t.chat.of(u.UserID) {
			x.expires = t.Now()
			x.lapse(t.Now())
		}
		return nil, nil
	})
	engine.Click(mux, "tencent/add", func(m seat) (any, error) {
		return engine.Done(in(m.GroupID, func(g *group) *refusal {
			if t.accounts[m.UserID] == nil {
				if e := t.importOne(m.UserID, m.UserID, ""); e != nil {
					return e
				}
			}
			if g.member(m.UserID) != nil {
				return refuse(10013, "already a member")
			}
			if e := t.mayJoin(m.UserID); e != nil {
				return e
			}
			t.join(g, m.UserID, "Member", false)
			t.tellNewMembers(consoleActor, g, "Invited", m.UserID)
			return nil
		}))
	})
	engine.Click(mux, "tencent/remove", func(m seat) (any, error) {
		return engine.Done(in(m.GroupID, func(g *group) *refusal {
			if g.member(m.UserID) != nil {
				t.part(g, m.UserID, false)
				t.tellExits(consoleActor, g, "Kicked", m.UserID)
			}
			return nil
		}))
	})
	engine.Click(mux, "tencent/quit", func(m seat) (any, error) { return engine.Done(a.QuitAs(m.UserID, m.GroupID)) })
	engine.Click(mux, "tencent/squat", func(m seat) (any, error) {
		return engine.Done(a.CreateGroupAs(m.UserID, ClientGroup{GroupID: m.GroupID, Type: "Public", Name: "Squat", ApplyJoinOption: "FreeAccess"}))
	})
	engine.Click(mux, "tencent/destroy", func(m room) (any, error) {
		return engine.Done(in(m.GroupID, func(g *group) *refusal {
			t.destroy(consoleActor, g)
			return nil
		}))
	})
	engine.Click(mux, "tencent/mute", func(m struct {
		GroupID string `json:"groupId"`
		Muted   bool   `json:"muted"`
	}) (any, error) {
		return engine.Done(in(m.GroupID, func(g *group) *refusal {
			t.setMuted(g, m.Muted)
			return nil
		}))
	})
}
