package zendesk

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Clicks registers what agents do.
func (d Desk) Clicks(mux *http.ServeMux) {
	type one struct {
		Ticket int64 `json:"ticket"`
	}
	engine.Look(mux, "zendesk/agents", func() []Person {
		return slices.DeleteFunc(d.Users(), func(u Person) bool {
			return u.Role == "end-user" || u.ID == d.z.fix.OwnUserID
		})
	})
	engine.Look(mux, "zendesk/tickets", d.Tickets)
	engine.Click(mux, "zendesk/create", func(in struct {
		Subject   string   `json:"subject"`
		Comment   string   `json:"comment"`
		Requester int64    `json:"requester"`
		Tags      []string `json:"tags"`
	}) (any, error) {
		if in.Subject == "" {
			return nil, errors.New("subject is empty")
		}
		if in.Requester == 0 {
			in.Requester = d.z.fix.AgentIDs[0]
		}
		id, err := d.Create(in.Subject, in.Comment, in.Requester, in.Tags...)
		return map[string]int64{"ticket": id}, err
	})
	engine.Click(mux, "zendesk/assign", func(in struct {
		Ticket int64 `json:"ticket"`
		Agent  int64 `json:"agent"` // 0: nobody
	}) (any, error) {
		return engine.Done(d.Assign(in.Ticket, in.Agent))
	})
	engine.Click(mux, "zendesk/status", func(in struct {
		Ticket int64  `json:"ticket"`
		Status string `json:"status"`
	}) (any, error) {
		return engine.Done(d.SetStatus(in.Ticket, in.Status))
	})
	engine.Click(mux, "zendesk/type", func(in struct {
		Ticket int64     `json:"ticket"`
		Type   string    `json:"type"`
		Due    time.Time `json:"due"` // a task's
	}) (any, error) {
		return engine.Done(d.SetType(in.Ticket, in.Type, in.Due))
	})
	engine.Click(mux, "zendesk/comment", func(in struct {
		Ticket int64  `json:"ticket"`
		Author int64  `json:"author"`
		Body   string `json:"body"`
		Public bool   `json:"public"`
	}) (any, error) {
		if in.Body == "" {
			return nil, errors.New("body is empty")
		}
		return engine.Done(d.Comment(in.Ticket, in.Author, in.Body, in.Public))
	})
	engine.Click(mux, "zendesk/tag", func(in struct {
		Ticket int64    `json:"ticket"`
		Tags   []string `json:"tags"`
	}) (any, error) {
		return engine.Done(d.Tag(in.Ticket, in.Tags...))
	})
	engine.Click(mux, "zendesk/request", func(in struct {
		Agent int64  `json:"agent"`
		Path  string `json:"path"` // such as /api/v2/macros/active.json
	}) (any, error) {
		status, body, err := d.Request(in.Agent, in.Path)
		return map[string]any{"status": status, "body": body}, err
	})
	engine.Click(mux, "zendesk/delete", func(in one) (any, error) { return engine.Done(d.Delete(in.Ticket)) })
	engine.Click(mux, "zendesk/spam", func(in one) (any, error) { return engine.Done(d.MarkSpam(in.Ticket)) })
	engine.Click(mux, "zendesk/undelete", func(in one) (any, error) { return engine.Done(d.Undelete(in.Ticket)) })
	engine.Click(mux, "zendesk/purge", func(in one) (any, error) { return engine.Done(d.PermanentlyDelete(in.Ticket)) })
	engine.Click(mux, "zendesk/hide", func(in struct {
		Ticket int64 `json:"ticket"`
		Hidden bool  `json:"hidden"`
	}) (any, error) {
		return engine.Done(d.Hide(in.Ticket, in.Hidden))
	})
	engine.Click(mux, "zendesk/standard-triggers", func(in struct {
		On     bool   `json:"on"`
		ButFor string `json:"butFor"` // a tag whose tickets they leave alone
	}) (any, error) {
		d.SetStandardTriggers(in.On, in.ButFor)
		return nil, nil
	})
	engine.Click(mux, "zendesk/restrict", func(in struct {
		User  int64  `json:"user"` // 0: caseroom's own
		Seen  string `json:"seen"`
		Light bool   `json:"light"`
	}) (any, error) {
		if in.User == 0 {
			in.User = d.z.fix.OwnUserID
		}
		return engine.Done(d.Restrict(in.User, in.Seen, in.Light))
	})
	engine.Click(mux, "zendesk/limits", func(in struct {
		Trial bool `json:"trial"`
	}) (any, error) {
		d.SetLimits(map[bool]Limits{false: ProductionLimits, true: TrialLimits}[in.Trial])
		return nil, nil
	})
	engine.Click(mux, "zendesk/merge", func(in struct {
		Ticket  int64   `json:"ticket"` // the one that stays
		Sources []int64 `json:"sources"`
	}) (any, error) {
		if len(in.Sources) == 0 {
			return nil, errors.New("sources is empty")
		}
		return engine.Done(d.Merge(in.Ticket, in.Sources...))
	})
}
