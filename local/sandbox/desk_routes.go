package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// deskRoutes registers what people do at the vendors, as clicks: the agents of
// both desks, with their calendars, and whoever has the chat's console open. The vendors' own checks
// apply. See docs/sandbox.md.
func (s *Sandbox) deskRoutes() {
	mux := http.NewServeMux()
	s.mux.Handle("/desk/", fromLoopback(mux))
	s.zendeskClicks(mux)
	s.salesforceClicks(mux)
	s.tencentClicks(mux)
	s.cronofyClicks(mux)
	s.setupClicks(mux)
}

// click registers one action. Its body is exactly one JSON object of type In; an
// error is answered as 404 when a record is missing, else as 400.
func click[In any](mux *http.ServeMux, path string, do func(In) (any, error)) {
	mux.HandleFunc("POST /desk/"+path, func(w http.ResponseWriter, r *http.Request) {
		var in In
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = decodeStrict(body, &in)
		}
		if err != nil {
			badControl(w, fmt.Sprintf("the body must be one JSON object: %v", err))
			return
		}
		out, err := do(in)
		var refused *TencentError
		switch {
		case err == nil && out == nil:
			w.WriteHeader(http.StatusNoContent)
		case err == nil:
			writeJSON(w, http.StatusOK, out)
		case errors.Is(err, ErrNoRecord):
			writeJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		case errors.As(err, &refused):
			writeJSON(w, http.StatusBadRequest, map[string]any{"error": refused.Info, "code": refused.Code})
		default:
			badControl(w, err.Error())
		}
	})
}

// look registers a list.
func look[Out any](mux *http.ServeMux, path string, list func() Out) {
	mux.HandleFunc("GET /desk/"+path, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, list())
	})
}

// done makes an action's error what click wants.
func done(err error) (any, error) { return nil, err }

func (s *Sandbox) zendeskClicks(mux *http.ServeMux) {
	desk := s.Zendesk()
	type one struct {
		Ticket int64 `json:"ticket"`
	}
	look(mux, "zendesk/agents", func() []ZendeskPerson {
		return slices.DeleteFunc(desk.Users(), func(u ZendeskPerson) bool {
			return u.Role == "end-user" || u.ID == s.fix.Zendesk.OwnUserID
		})
	})
	look(mux, "zendesk/tickets", desk.Tickets)
	click(mux, "zendesk/create", func(in struct {
		Subject   string   `json:"subject"`
		Comment   string   `json:"comment"`
		Requester int64    `json:"requester"`
		Tags      []string `json:"tags"`
	}) (any, error) {
		if in.Subject == "" {
			return nil, errors.New("subject is empty")
		}
		if in.Requester == 0 {
			in.Requester = s.fix.Zendesk.AgentIDs[0]
		}
		id, err := desk.Create(in.Subject, in.Comment, in.Requester, in.Tags...)
		return map[string]int64{"ticket": id}, err
	})
	click(mux, "zendesk/assign", func(in struct {
		Ticket int64 `json:"ticket"`
		Agent  int64 `json:"agent"` // 0: nobody
	}) (any, error) {
		return done(desk.Assign(in.Ticket, in.Agent))
	})
	click(mux, "zendesk/status", func(in struct {
		Ticket int64  `json:"ticket"`
		Status string `json:"status"`
	}) (any, error) {
		return done(desk.SetStatus(in.Ticket, in.Status))
	})
	click(mux, "zendesk/type", func(in struct {
		Ticket int64     `json:"ticket"`
		Type   string    `json:"type"`
		Due    time.Time `json:"due"` // a task's
	}) (any, error) {
		return done(desk.SetType(in.Ticket, in.Type, in.Due))
	})
	click(mux, "zendesk/comment", func(in struct {
		Ticket int64  `json:"ticket"`
		Author int64  `json:"author"`
		Body   string `json:"body"`
		Public bool   `json:"public"`
	}) (any, error) {
		if in.Body == "" {
			return nil, errors.New("body is empty")
		}
		return done(desk.Comment(in.Ticket, in.Author, in.Body, in.Public))
	})
	click(mux, "zendesk/tag", func(in struct {
		Ticket int64    `json:"ticket"`
		Tags   []string `json:"tags"`
	}) (any, error) {
		return done(desk.Tag(in.Ticket, in.Tags...))
	})
	click(mux, "zendesk/delete", func(in one) (any, error) { return done(desk.Delete(in.Ticket)) })
	click(mux, "zendesk/spam", func(in one) (any, error) { return done(desk.MarkSpam(in.Ticket)) })
	click(mux, "zendesk/undelete", func(in one) (any, error) { return done(desk.Undelete(in.Ticket)) })
	click(mux, "zendesk/purge", func(in one) (any, error) { return done(desk.PermanentlyDelete(in.Ticket)) })
	click(mux, "zendesk/hide", func(in struct {
		Ticket int64 `json:"ticket"`
		Hidden bool  `json:"hidden"`
	}) (any, error) {
		return done(desk.Hide(in.Ticket, in.Hidden))
	})
	click(mux, "zendesk/merge", func(in struct {
		Ticket  int64   `json:"ticket"` // the one that stays
		Sources []int64 `json:"sources"`
	}) (any, error) {
		if len(in.Sources) == 0 {
			return nil, errors.New("sources is empty")
		}
		return done(desk.Merge(in.Ticket, in.Sources...))
	})
}

func (s *Sandbox) salesforceClicks(mux *http.ServeMux) {
	org := s.Salesforce()
	type one struct {
		Case string `json:"case"`
	}
	type named struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	list := func(object string, but string) func() []named {
		return func() []named {
			out := []named{}
			org.with(func(f *salesforce) {
				for _, row := range f.list(f.objects[object]) {
					if row.id() != but && !row.deleted() {
						out = append(out, named{row.id(), row.text("Name")})
					}
				}
			})
			return out
		}
	}
	look(mux, "salesforce/agents", list("user", s.fix.Salesforce.OwnUserID))
	look(mux, "salesforce/queues", list("group", ""))
	look(mux, "salesforce/cases", org.Cases)
	click(mux, "salesforce/create", func(in struct {
		Subject string `json:"subject"`
		Owner   string `json:"owner"` // empty: the default queue
	}) (any, error) {
		if in.Subject == "" {
			return nil, errors.New("subject is empty")
		}
		id, err := org.CreateCase(in.Subject, in.Owner)
		return map[string]string{"case": id}, err
	})
	click(mux, "salesforce/owner", func(in struct {
		Case  string `json:"case"`
		Owner string `json:"owner"`
	}) (any, error) {
		return done(org.SetOwner(in.Case, in.Owner))
	})
	click(mux, "salesforce/queue", func(in one) (any, error) { return done(org.SetOwner(in.Case, org.Queue())) })
	click(mux, "salesforce/status", func(in struct {
		Case   string `json:"case"`
		Status string `json:"status"`
	}) (any, error) {
		if in.Status == "" {
			return nil, errors.New("status is empty")
		}
		return done(org.SetStatus(in.Case, in.Status))
	})
	click(mux, "salesforce/comment", func(in struct {
		Case string `json:"case"`
		Body string `json:"body"`
	}) (any, error) {
		if in.Body == "" {
			return nil, errors.New("body is empty")
		}
		return done(org.Comment(in.Case, in.Body))
	})
	click(mux, "salesforce/close", func(in one) (any, error) { return done(org.Close(in.Case)) })
	click(mux, "salesforce/reopen", func(in one) (any, error) { return done(org.Reopen(in.Case)) })
	click(mux, "salesforce/delete", func(in one) (any, error) { return done(org.Delete(in.Case)) })
	click(mux, "salesforce/undelete", func(in one) (any, error) { return done(org.Undelete(in.Case)) })
	click(mux, "salesforce/hide", func(in struct {
		Case   string `json:"case"`
		Hidden bool   `json:"hidden"`
	}) (any, error) {
		return done(org.Hide(in.Case, in.Hidden))
	})
	click(mux, "salesforce/merge", func(in struct {
		Case  string `json:"case"` // the one that stays
		Loser string `json:"loser"`
	}) (any, error) {
		return done(org.Merge(in.Case, in.Loser))
	})
	click(mux, "salesforce/agentwork", func(in struct {
		Case string `json:"case"`
		User string `json:"user"`
	}) (any, error) {
		id, err := org.AddAgentWork(in.Case, in.User)
		return map[string]string{"agentWork": id}, err
	})
	click(mux, "salesforce/agentwork/status", func(in struct {
		AgentWork string `json:"agentWork"`
		Status    string `json:"status"`
	}) (any, error) {
		if in.Status == "" {
			return nil, errors.New("status is empty")
		}
		return done(org.SetAgentWork(in.AgentWork, in.Status))
	})
	click(mux, "salesforce/active", func(in struct {
		User   string `json:"user"`
		Active bool   `json:"active"`
	}) (any, error) {
		return done(org.SetActive(in.User, in.Active))
	})
}

// Comment adds a comment to the case.
func (o SalesforceOrg) Comment(caseID, body string) error {
	return o.liveCase(caseID, func(f *salesforce, row *sfRow) error {
		f.add(f.objects["casecomment"], map[string]any{"ParentId": row.id(), "CommentBody": body})
		return nil
	})
}

// cronofyClicks are what a person does in their calendar account.
func (s *Sandbox) cronofyClicks(mux *http.ServeMux) {
	click(mux, "cronofy/withdraw", func(in struct {
		Account string `json:"account"`
	}) (any, error) {
		return done(s.Cronofy().Withdraw(in.Account))
	})
}

// tencentClicks are what somebody does in the app's console, or with a UserSig
// and bad intent.
func (s *Sandbox) tencentClicks(mux *http.ServeMux) {
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
	look(mux, "tencent/groups", s.Groups)
	t := s.tencent
	in := func(groupID string, f func(g *imGroup) *imError) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		g := t.groups[groupID]
		if g == nil {
			return fmt.Errorf("group %q: %w", groupID, ErrNoRecord)
		}
		return clientError(f(g))
	}
	click(mux, "tencent/kick", func(u user) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		acc := t.accounts[u.UserID]
		if acc == nil {
			return nil, fmt.Errorf("account %q: %w", u.UserID, ErrNoRecord)
		}
		acc.kicked = s.now().UTC()
		t.chat.end(u.UserID, chatEvent{Type: "kicked", Reason: "restApi"})
		return nil, nil
	})
	click(mux, "tencent/expire", func(u user) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, x := range t.chat.of(u.UserID) {
			x.expires = s.now()
			x.lapse(s.now())
		}
		return nil, nil
	})
	click(mux, "tencent/add", func(m seat) (any, error) {
		return done(in(m.GroupID, func(g *imGroup) *imError {
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
			return nil
		}))
	})
	click(mux, "tencent/remove", func(m seat) (any, error) {
		return done(in(m.GroupID, func(g *imGroup) *imError {
			t.part(g, m.UserID, false)
			return nil
		}))
	})
	click(mux, "tencent/quit", func(m seat) (any, error) { return done(s.QuitAs(m.UserID, m.GroupID)) })
	click(mux, "tencent/squat", func(m seat) (any, error) {
		return done(s.CreateGroupAs(m.UserID, ClientGroup{GroupID: m.GroupID, Type: "Public", Name: "Squat", ApplyJoinOption: "FreeAccess"}))
	})
	click(mux, "tencent/destroy", func(m room) (any, error) {
		return done(in(m.GroupID, func(g *imGroup) *imError {
			t.destroy(g)
			return nil
		}))
	})
	click(mux, "tencent/mute", func(m struct {
		GroupID string `json:"groupId"`
		Muted   bool   `json:"muted"`
	}) (any, error) {
		return done(in(m.GroupID, func(g *imGroup) *imError {
			t.setMuted(g, m.Muted)
			return nil
		}))
	})
}
