package salesforce

import (
	"errors"
	"net/http"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Clicks registers what agents, owners of queues and an administrator do.
func (o Org) Clicks(mux *http.ServeMux) {
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
			o.with(func(f *org) {
				for _, row := range f.list(f.objects[object]) {
					if row.id() != but && !row.deleted() {
						out = append(out, named{row.id(), row.text("Name")})
					}
				}
			})
			return out
		}
	}
	engine.Look(mux, "salesforce/agents", list("user", o.f.fix.OwnUserID))
	engine.Look(mux, "salesforce/queues", list("group", ""))
	engine.Look(mux, "salesforce/cases", o.Cases)
	engine.Click(mux, "salesforce/create", func(in struct {
		Subject string `json:"subject"`
		Owner   string `json:"owner"` // empty: the default queue
	}) (any, error) {
		if in.Subject == "" {
			return nil, errors.New("subject is empty")
		}
		id, err := o.CreateCase(in.Subject, in.Owner)
		return map[string]string{"case": id}, err
	})
	engine.Click(mux, "salesforce/owner", func(in struct {
		Case  string `json:"case"`
		Owner string `json:"owner"`
	}) (any, error) {
		return engine.Done(o.SetOwner(in.Case, in.Owner))
	})
	engine.Click(mux, "salesforce/queue", func(in one) (any, error) { return engine.Done(o.SetOwner(in.Case, o.Queue())) })
	engine.Click(mux, "salesforce/status", func(in struct {
		Case   string `json:"case"`
		Status string `json:"status"`
	}) (any, error) {
		if in.Status == "" {
			return nil, errors.New("status is empty")
		}
		return engine.Done(o.SetStatus(in.Case, in.Status))
	})
	engine.Click(mux, "salesforce/comment", func(in struct {
		Case string `json:"case"`
		Body string `json:"body"`
	}) (any, error) {
		if in.Body == "" {
			return nil, errors.New("body is empty")
		}
		return engine.Done(o.Comment(in.Case, in.Body))
	})
	engine.Click(mux, "salesforce/close", func(in one) (any, error) { return engine.Done(o.Close(in.Case)) })
	engine.Click(mux, "salesforce/reopen", func(in one) (any, error) { return engine.Done(o.Reopen(in.Case)) })
	engine.Click(mux, "salesforce/delete", func(in one) (any, error) { return engine.Done(o.Delete(in.Case)) })
	engine.Click(mux, "salesforce/undelete", func(in one) (any, error) { return engine.Done(o.Undelete(in.Case)) })
	engine.Click(mux, "salesforce/hide", func(in struct {
		Case   string `json:"case"`
		Hidden bool   `json:"hidden"`
	}) (any, error) {
		return engine.Done(o.Hide(in.Case, in.Hidden))
	})
	engine.Click(mux, "salesforce/merge", func(in struct {
		Case  string `json:"case"` // the one that stays
		Loser string `json:"loser"`
	}) (any, error) {
		return engine.Done(o.Merge(in.Case, in.Loser))
	})
	engine.Click(mux, "salesforce/agentwork", func(in struct {
		Case string `json:"case"`
		User string `json:"user"`
	}) (any, error) {
		id, err := o.AddAgentWork(in.Case, in.User)
		return map[string]string{"agentWork": id}, err
	})
	engine.Click(mux, "salesforce/agentwork/status", func(in struct {
		AgentWork string `json:"agentWork"`
		Status    string `json:"status"`
	}) (any, error) {
		if in.Status == "" {
			return nil, errors.New("status is empty")
		}
		return engine.Done(o.SetAgentWork(in.AgentWork, in.Status))
	})
	engine.Click(mux, "salesforce/active", func(in struct {
		User   string `json:"user"`
		Active bool   `json:"active"`
	}) (any, error) {
		return engine.Done(o.SetActive(in.User, in.Active))
	})
	engine.Look(mux, "salesforce/setup", o.Setup)
	engine.Click(mux, "salesforce/setup", func(in Setup) (any, error) {
		o.SetSetup(in)
		return nil, nil
	})
}

// Comment adds a comment to the case.
func (o Org) Comment(caseID, body string) error {
	return o.liveCase(caseID, func(f *org, row *record) error {
		f.add(f.objects["casecomment"], map[string]any{"ParentId": row.id(), "CommentBody": body})
		return nil
	})
}
