package zendesk

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// flowAction is the definition of a ZIS::Action::Http.
type flowAction struct {
	Method  string `json:"method"`
	URL     string `json:"url"`
	Path    string `json:"path"`
	Headers []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"headers"`
	RequestBody    any    `json:"requestBody"`
	RequestBodyRef string `json:"requestBody.$"`
	ConnectionName string `json:"connectionName"`
}

// flow is the definition of a ZIS::Flow, and of a Map's iterator.
type flow struct {
	StartAt string               `json:"StartAt"`
	States  map[string]flowState `json:"States"`
}

type flowState struct {
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
	Choices     []map[string]any
	Default     string
	Seconds     float64
	SecondsPath string
	Result      any
	ItemsPath   string
	Iterator    *flow
}

// actions are the names that the flow's Action states give.
func (f flow) actions() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(f.States)) {
			s := f.States[name]
			if s.Type == "Action" && !yield(name, s.ActionName) {
				return
			}
			if s.Iterator == nil {
				continue
			}
			for inner, action := range s.Iterator.actions() {
				if !yield(inner, action) {
					return
				}
			}
		}
	}
}

// flowEvents are ZIS's names of the ticket events that happen here.
var flowEvents = map[string]string{
	"created": "TicketCreated", "agent_assignment_changed": "AgentAssignmentChanged",
	"group_assignment_changed": "GroupAssignmentChanged", "status_changed": "StatusChanged",
	"comment_added": "CommentAdded", "requester_changed": "RequesterChanged",
	"external_id_changed": "ExternalIdChanged", "tags_changed": "TagsChanged",
}

// runFlows starts the flows of the installed job specs of an event. Deletions,
// merges and restorations are no events of ZIS's.
func (z *account) runFlows(e Event) {
	event := flowEvents[e.Type]
	if event == "" {
		return
	}
	for _, i := range sortedIntegrations(z.zis) {
		for _, s := range i.sortedSpecs() {
			if !s.installed || s.source != "support" || s.event != "ticket."+event {
				continue
			}
			m := resourceARN.FindStringSubmatch(s.flow)
			f, ok := s.bundle.flows[m[3]]
			if !ok {
				continue
			}
			run := &flowRun{z: z, integration: i, bundle: s.bundle, flow: f, event: event, ticket: e.Ticket.ID, steps: new(int), data: map[string]any{
				"account_id": z.accountID, "integration_key": i.name,
				"input": map[string]any{
					"account_id": z.accountID,
					"ticket_event": map[string]any{
						"type": "ticket." + event, "current": idValue(e.Current), "previous": idValue(e.Previous),
						"ticket": map[string]any{
							"id": e.Ticket.ID, "status": e.Ticket.Status, "external_id": engine.OrNull(e.Ticket.ExternalID),
							"subject": e.Ticket.Subject, "tags": listOf(e.Ticket.Tags),
							"assignee_id": engine.OrNull(e.Ticket.AssigneeID), "group_id": engine.OrNull(e.Ticket.GroupID), "requester_id": e.Ticket.RequesterID,
						},
					},
				},
			}}
			run.enter(f.StartAt, 0)
		}
	}
}

func listOf(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}

func sortedIntegrations(m map[string]*integration) (list []*integration) {
	for _, i := range m {
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b *integration) int { return strings.Compare(a.name, b.name) })
	return list
}

func (i *integration) sortedSpecs() (list []*jobSpec) {
	for _, s := range i.specs {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *jobSpec) int { return strings.Compare(a.name, b.name) })
	return list
}

// flowRun is one run of a flow, or of a Map's iterator over one item; the engine's lock guards
// it.
//
// See https://developer.zendesk.com/documentation/integration-services/developer-guide/flow-state-limitations/.
type flowRun struct {
	z           *account
	integration *integration
	bundle      *bundle
	flow        flow
	event       string
	ticket      int64
	data        map[string]any
	steps       *int
	// ended is told, once, how it went; nil for a flow. wait is what was left of
	// Wait states.
	ended func(ok bool, wait time.Duration)
}

// maxSteps ends a flow that would go round for ever.
const maxSteps = 1000

func (r *flowRun) end(ok bool, wait time.Duration) {
	if r.ended != nil {
		r.ended(ok, wait)
	}
}

// enter runs the flow from a state on until it ends or has to wait for an
// action's answer. wait is what Wait states added up to.
func (r *flowRun) enter(name string, wait time.Duration) {
	for name != "" {
		s := r.flow.States[name]
		if *r.steps++; *r.steps > maxSteps {
			r.end(false, wait)
			return
		}
		switch s.Type {
		case "Wait":
			seconds := s.Seconds
			if s.SecondsPath != "" {
				v, _ := r.at(s.SecondsPath)
				seconds, _ = numberOf(v)
			}
			wait += time.Duration(max(seconds, 0) * float64(time.Second))
		case "Pass":
			if s.Result != nil {
				r.keep(s.ResultPath, s.Result)
			}
		case "Choice":
			if name = r.choose(s); name == "" {
				r.end(false, wait)
				return
			}
			continue
		case "Action":
			r.act(s, wait)
			return
		case "Map":
			r.each(s, wait)
			return
		default:
			r.end(s.Type == "Succeed", wait)
			return
		}
		name = s.Next
	}
	r.end(true, wait)
}

// each runs a Map state's iterator over the items, one after another. An item is
// all that its run sees, and the first that fails fails the state.
func (r *flowRun) each(s flowState, wait time.Duration) {
	v, _ := r.at(s.ItemsPath)
	items, ok := v.([]any)
	if !ok || s.Iterator == nil {
		r.caught(s, wait)
		return
	}
	results := []any{}
	var next func(wait time.Duration)
	next = func(wait time.Duration) {
		if len(results) == len(items) {
			r.keep(s.ResultPath, results)
			r.enter(s.Next, wait)
			return
		}
		item, ok := items[len(results)].(map[string]any)
		if !ok {
			r.caught(s, wait)
			return
		}
		run := *r
		run.flow, run.data = *s.Iterator, maps.Clone(item)
		run.ended = func(ok bool, wait time.Duration) {
			if !ok {
				r.caught(s, wait)
				return
			}
			results = append(results, run.data)
			next(wait)
		}
		run.enter(run.flow.StartAt, wait)
	}
	next(wait)
}

// caught goes on after a state has failed.
func (r *flowRun) caught(s flowState, wait time.Duration) {
	for _, c := range s.Catch {
		if slices.Contains(c.ErrorEquals, "States.ALL") {
			failure := map[string]any{"Error": "failed"}
			if c.ResultPath == "" || c.ResultPath == "$" {
				r.data = failure
			} else {
				r.keep(c.ResultPath, failure)
			}
			r.enter(c.Next, wait)
			return
		}
	}
	r.end(false, wait)
}

func (r *flowRun) choose(s flowState) string {
	for _, c := range s.Choices {
		if r.holds(c) {
			next, _ := c["Next"].(string)
			return next
		}
	}
	return s.Default
}

// holds reports whether a Choice's rule is true.
func (r *flowRun) holds(rule map[string]any) bool {
	inner := func(v any) bool {
		m, ok := v.(map[string]any)
		return ok && r.holds(m)
	}
	path, _ := rule["Variable"].(string)
	is, present := r.at(path)
	for op, want := range rule {
		switch op {
		case "Variable", "Next":
			continue
		case "And", "Or":
			list, _ := want.([]any)
			if op == "Or" {
				return slices.ContainsFunc(list, inner)
			}
			return !slices.ContainsFunc(list, func(v any) bool { return !inner(v) })
		case "Not":
			return !inner(want)
		case "IsPresent":
			return present == want
		case "IsNull":
			return (present && is == nil) == want
		case "BooleanEquals":
			b, ok := is.(bool)
			return ok && b == want
		}
		if kind, ok := strings.CutPrefix(op, "String"); ok {
			a, aOK := is.(string)
			b, bOK := want.(string)
			return aOK && bOK && compareValues(kind, strings.Compare(a, b))
		}
		if kind, ok := strings.CutPrefix(op, "Numeric"); ok {
			a, aOK := numberOf(is)
			b, bOK := numberOf(want)
			return aOK && bOK && compareValues(kind, cmp.Compare(a, b))
		}
	}
	return false
}

// compareValues tells whether what a comparison asks for holds of its result.
func compareValues(kind string, c int) bool {
	switch kind {
	case "Equals":
		return c == 0
	case "GreaterThan":
		return c > 0
	case "GreaterThanEquals":
		return c >= 0
	case "LessThan":
		return c < 0
	case "LessThanEquals":
		return c <= 0
	}
	return false
}

func numberOf(v any) (float64, bool) {
	switch x := v.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	}
	return 0, false
}

// at returns the value at a path such as $.input.ticket_event.ticket.id.
func (r *flowRun) at(path string) (any, bool) { return valueAt(r.data, path) }

var pathStep = regexp.MustCompile(`^([^\[\]]+)((?:\[[0-9]+\])*)$`)

func valueAt(data map[string]any, path string) (any, bool) {
	if path == "$" {
		return data, true
	}
	rest, ok := strings.CutPrefix(path, "$.")
	if !ok {
		return nil, false
	}
	var v any = data
	for part := range strings.SplitSeq(rest, ".") {
		step := pathStep.FindStringSubmatch(part)
		m, ok := v.(map[string]any)
		if !ok || step == nil {
			return nil, false
		}
		if v, ok = m[step[1]]; !ok {
			return nil, false
		}
		for index := range strings.SplitSeq(strings.Trim(step[2], "[]"), "][") {
			if index == "" {
				continue
			}
			list, _ := v.([]any)
			n, err := strconv.Atoi(index)
			if err != nil || n >= len(list) {
				return nil, false
			}
			v = list[n]
		}
	}
	return v, true
}

// keep puts a state's output at a path, $.name or deeper. Without a path nothing
// is kept.
func (r *flowRun) keep(path string, v any) {
	rest, ok := strings.CutPrefix(path, "$.")
	if !ok {
		return
	}
	steps := strings.Split(rest, ".")
	in := r.data
	for _, name := range steps[:len(steps)-1] {
		// What is there may be the event's, which other runs have too.
		there, _ := in[name].(map[string]any)
		copied := maps.Clone(there)
		if copied == nil {
			copied = map[string]any{}
		}
		in[name] = copied
		in = copied
	}
	in[steps[len(steps)-1]] = v
}

var template = regexp.MustCompile(`\{\{\s*(\$(?:\.[A-Za-z0-9_-]+(?:\[[0-9]+\])*)+)\s*\}\}`)

// fillText replaces {{$.x}} in text by the action's parameters.
func fillText(text string, parameters map[string]any) string {
	return template.ReplaceAllStringFunc(text, func(m string) string {
		switch v, _ := valueAt(parameters, template.FindStringSubmatch(m)[1]); x := v.(type) {
		case string:
			return x
		case int64:
			return strconv.FormatInt(x, 10)
		case float64:
			return strconv.FormatFloat(x, 'f', -1, 64)
		case bool:
			return strconv.FormatBool(x)
		}
		return ""
	})
}

// fillBody does the same in every text of a body.
func fillBody(v any, parameters map[string]any) any {
	switch x := v.(type) {
	case string:
		return fillText(x, parameters)
	case []any:
		list := make([]any, len(x))
		for i, e := range x {
			list[i] = fillBody(e, parameters)
		}
		return list
	case map[string]any:
		filled := make(map[string]any, len(x))
		for k, e := range x {
			filled[k] = fillBody(e, parameters)
		}
		return filled
	}
	return v
}

// act sends what the state's action says and goes on with the answer.
func (r *flowRun) act(s flowState, wait time.Duration) {
	z := r.z
	lost := func(why string) {
		z.Log("zendesk", "zis_flow", map[string]string{"integration": r.integration.name, "event": r.event, "lost": why})
	}
	a := r.bundle.actions[resourceARN.FindStringSubmatch(s.ActionName)[3]]
	parameters := map[string]any{}
	for k, v := range s.Parameters {
		name, isPath := strings.CutSuffix(k, ".$")
		if isPath {
			path, _ := v.(string)
			var there bool
			if v, there = r.at(path); !there {
				r.caught(s, wait) // a path that leads nowhere is a runtime error
				return
			}
		}
		parameters[name] = v
	}
	address := a.URL
	if a.Path != "" {
		address = r.bundle.own + a.Path
	}
	target, err := url.Parse(fillText(address, parameters))
	connection := r.integration.connections[a.ConnectionName]
	// A flow whose connection is missing does not run, and a credential goes to
	// no other host than its own.
	if err != nil || target.Host == "" || (a.ConnectionName != "" && (connection == nil || !connection.allows(target))) {
		lost("no connection")
		return
	}
	content := fillBody(a.RequestBody, parameters)
	if a.RequestBodyRef != "" {
		content, _ = valueAt(parameters, a.RequestBodyRef)
	}
	var body []byte
	if content != nil {
		if body, err = json.Marshal(content); err != nil {
			lost("no body")
			return
		}
	}
	x := &engine.Notice{
		Vendor: "zendesk", Op: "zis_flow", Timeout: hookTimeout,
		Detail: map[string]string{"integration": r.integration.name, "event": r.event, "ticket": strconv.FormatInt(r.ticket, 10)},
		Build: func(ctx context.Context) *http.Request {
			req, err := http.NewRequestWithContext(ctx, a.Method, target.String(), bytes.NewReader(body))
			if err != nil {
				return nil
			}
			for _, h := range a.Headers {
				req.Header.Set(h.Key, fillText(h.Value, parameters))
			}
			if connection != nil {
				connection.header(req.Header)
			}
			return req
		},
		Again: func(_ int, o engine.Outcome) (time.Duration, bool) {
			if !o.OK() {
				r.caught(s, 0)
				return 0, false
			}
			var answer any
			_ = json.Unmarshal(o.Body, &answer)
			r.keep(s.ResultPath, answer)
			r.enter(s.Next, 0)
			return 0, false
		},
	}
	if wait > 0 {
		z.NotifyIn(x, wait)
	} else {
		z.Notify(x)
	}
}
