package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// zisAction is the definition of a ZIS::Action::Http.
type zisAction struct {
	Method  string `json:"method"`
	URL     string `json:"url"`
	Path    string `json:"path"`
	Headers []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"headers"`
	RequestBody    json.RawMessage `json:"requestBody"`
	ConnectionName string          `json:"connectionName"`
}

// zisFlow is the definition of a ZIS::Flow.
type zisFlow struct {
	StartAt string              `json:"StartAt"`
	States  map[string]zisState `json:"States"`
}

type zisState struct {
	Type       string
	Next       string
	End        bool
	ActionName string
	Parameters map[string]any
	ResultPath string
	Catch      []struct {
		ErrorEquals []string
		ResultPath  string
		Next        string
	}
	Choices []map[string]any
	Default string
	Seconds int
	Result  any
}

// check returns what is wrong with a flow, "" if nothing is.
func (f zisFlow) check() string {
	if _, ok := f.States[f.StartAt]; !ok {
		return "StartAt names no state"
	}
	for name, s := range f.States {
		targets := []string{s.Next, s.Default}
		for _, c := range s.Catch {
			targets = append(targets, c.Next)
		}
		for _, c := range s.Choices {
			next, _ := c["Next"].(string)
			targets = append(targets, next)
		}
		for _, t := range targets {
			if _, ok := f.States[t]; t != "" && !ok {
				return "state " + name + ": no state " + t
			}
		}
		switch s.Type {
		case "Action", "Pass", "Wait", "Map":
			if (s.Next == "") != s.End {
				return "state " + name + ": Next or End"
			}
		case "Choice", "Succeed", "Fail":
		default:
			return "state " + name + ": unknown type"
		}
	}
	return ""
}

// zisEvents are ZIS's names of the ticket events that happen here.
var zisEvents = map[string]string{
	"created": "TicketCreated", "agent_assignment_changed": "AgentAssignmentChanged",
	"group_assignment_changed": "GroupAssignmentChanged", "status_changed": "StatusChanged",
	"comment_added": "CommentAdded", "requester_changed": "RequesterChanged",
	"external_id_changed": "ExternalIdChanged", "tags_changed": "TagsChanged",
}

// runFlows starts the flows of the installed job specs of an event. Deletions,
// merges and restorations are no events of ZIS's.
func (z *zendesk) runFlows(e ZendeskEvent) {
	event := zisEvents[e.Type]
	if event == "" {
		return
	}
	for _, i := range zdIntegrations(z.zis) {
		for _, s := range i.sortedSpecs() {
			if !s.installed || s.source != "support" || s.event != "ticket."+event {
				continue
			}
			m := zisARN.FindStringSubmatch(s.flow)
			f, ok := s.bundle.flows[m[3]]
			if !ok {
				continue
			}
			run := &zisRun{z: z, integration: i, bundle: s.bundle, flow: f, event: event, ticket: e.Ticket.ID, data: map[string]any{
				"account_id": z.accountID, "integration_key": i.name,
				"input": map[string]any{
					"account_id": z.accountID,
					"ticket_event": map[string]any{
						"type": "ticket." + event, "current": idValue(e.Current), "previous": idValue(e.Previous),
						"ticket": map[string]any{
							"id": e.Ticket.ID, "status": e.Ticket.Status, "external_id": orNull(e.Ticket.ExternalID),
							"subject": e.Ticket.Subject, "tags": e.Ticket.Tags,
							"assignee_id": orNull(e.Ticket.AssigneeID), "group_id": orNull(e.Ticket.GroupID), "requester_id": e.Ticket.RequesterID,
						},
					},
				},
			}}
			run.enter(f.StartAt, 0)
		}
	}
}

func zdIntegrations(m map[string]*zisIntegration) (list []*zisIntegration) {
	for _, i := range m {
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b *zisIntegration) int { return strings.Compare(a.name, b.name) })
	return list
}

func (i *zisIntegration) sortedSpecs() (list []*zisSpec) {
	for _, s := range i.specs {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *zisSpec) int { return strings.Compare(a.name, b.name) })
	return list
}

// zisRun is one run of a flow; s.mu guards it.
type zisRun struct {
	z           *zendesk
	integration *zisIntegration
	bundle      *zisBundle
	flow        zisFlow
	event       string
	ticket      int64
	data        map[string]any
	steps       int
}

// zisMaxSteps ends a flow that would go round for ever.
const zisMaxSteps = 1000

// enter runs the flow from a state on until it ends or has to wait for an
// action's answer. wait is what Wait states added up to.
func (r *zisRun) enter(name string, wait time.Duration) {
	for name != "" {
		s := r.flow.States[name]
		if r.steps++; r.steps > zisMaxSteps {
			return
		}
		switch s.Type {
		case "Wait":
			wait += time.Duration(s.Seconds) * time.Second
		case "Pass":
			if s.Result != nil {
				r.keep(s.ResultPath, s.Result)
			}
		case "Choice":
			name = r.choose(s)
			continue
		case "Action":
			r.act(s, wait)
			return
		default: // Succeed, Fail, and Map, which nothing here needs
			return
		}
		name = s.Next
	}
}

func (r *zisRun) choose(s zisState) string {
	for _, c := range s.Choices {
		path, _ := c["Variable"].(string)
		v := r.at(path)
		for op, want := range c {
			if (op == "StringEquals" || op == "NumericEquals" || op == "BooleanEquals") && v == want {
				next, _ := c["Next"].(string)
				return next
			}
		}
	}
	return s.Default
}

// at returns the value at a path such as $.input.ticket_event.ticket.id.
func (r *zisRun) at(path string) any { return zisAt(r.data, path) }

func zisAt(data map[string]any, path string) any {
	rest, ok := strings.CutPrefix(path, "$.")
	if !ok {
		return nil
	}
	var v any = data
	for part := range strings.SplitSeq(rest, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

func (r *zisRun) keep(path string, v any) {
	if name, ok := strings.CutPrefix(path, "$."); ok && !strings.Contains(name, ".") {
		r.data[name] = v
	}
}

var zisTemplate = regexp.MustCompile(`\{\{\s*(\$\.[A-Za-z0-9_.]+)\s*\}\}`)

// fillZIS replaces {{$.x}} in text by the action's parameters.
func fillZIS(text string, parameters map[string]any) string {
	return zisTemplate.ReplaceAllStringFunc(text, func(m string) string {
		switch v := zisAt(parameters, zisTemplate.FindStringSubmatch(m)[1]).(type) {
		case string:
			return v
		case int64:
			return strconv.FormatInt(v, 10)
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return ""
	})
}

// act sends what the state's action says and goes on with the answer.
func (r *zisRun) act(s zisState, wait time.Duration) {
	z := r.z
	caught := func() {
		for _, c := range s.Catch {
			if slices.Contains(c.ErrorEquals, "States.ALL") {
				r.keep(c.ResultPath, map[string]any{"Error": "failed"})
				r.enter(c.Next, 0)
				return
			}
		}
	}
	if strings.HasPrefix(s.ActionName, "zis:common:") {
		r.enter(s.Next, wait)
		return
	}
	a := r.bundle.actions[zisARN.FindStringSubmatch(s.ActionName)[3]]
	parameters := map[string]any{}
	for k, v := range s.Parameters {
		if name, isPath := strings.CutSuffix(k, ".$"); isPath {
			path, _ := v.(string)
			parameters[name] = r.at(path)
		} else {
			parameters[k] = v
		}
	}
	target, err := url.Parse(fillZIS(a.URL, parameters))
	connection := r.integration.connections[a.ConnectionName]
	// A flow whose connection is missing does not run, and a credential goes to
	// no other host than its own.
	if err != nil || target.Host == "" || (a.ConnectionName != "" && (connection == nil || !connection.allows(target))) {
		z.s.logCall("zendesk", "zis_flow", map[string]string{"integration": r.integration.name, "event": r.event, "lost": "no connection"})
		return
	}
	body := fillZIS(string(a.RequestBody), parameters)
	x := &notice{
		vendor: "zendesk", op: "zis_flow", timeout: zendeskHookTimeout,
		detail: map[string]string{"integration": r.integration.name, "event": r.event, "ticket": strconv.FormatInt(r.ticket, 10)},
		build: func(ctx context.Context) *http.Request {
			req, err := http.NewRequestWithContext(ctx, a.Method, target.String(), strings.NewReader(body))
			if err != nil {
				return nil
			}
			for _, h := range a.Headers {
				req.Header.Set(h.Key, fillZIS(h.Value, parameters))
			}
			if connection != nil {
				connection.header(req.Header)
			}
			return req
		},
		again: func(_ int, o outcome) (time.Duration, bool) {
			if o.ok() {
				r.enter(s.Next, 0)
			} else {
				caught()
			}
			return 0, false
		},
	}
	if wait > 0 {
		z.s.notifier.postpone(x, wait)
	} else {
		z.s.notifier.notify(x)
	}
}
