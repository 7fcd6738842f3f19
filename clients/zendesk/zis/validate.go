package zis

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Problem is a fault of a bundle.
type Problem struct {
	// At is where, such as "resources.tell_flow.properties.definition.States.Tell".
	At   string `json:"at"`
	What string `json:"what"`
	// Warning is true of what ZIS takes and what is hardly meant.
	Warning bool `json:"warning,omitempty"`
}

func (p Problem) String() string {
	kind := "error"
	if p.Warning {
		kind = "warning"
	}
	if p.At == "" {
		return kind + ": " + p.What
	}
	return kind + ": " + p.At + ": " + p.What
}

// Faulty reports whether there is an error among the problems.
func Faulty(list []Problem) bool {
	return slices.ContainsFunc(list, func(p Problem) bool { return !p.Warning })
}

// MaxBundle bounds what is read as a bundle.
const MaxBundle = 4 << 20

// Validate checks a bundle against the anatomy that ZIS documents: its names
// and ARNs, the types of its resources, actions' definitions, flows' states and
// where they lead, parameters and what they are used for, and job specs. The
// problems come in the order of the file's names.
func Validate(text []byte) []Problem {
	c := &checker{actions: map[string]actionUse{}, flows: map[string]bool{}, usedFlows: map[string]bool{}}
	c.bundle(text)
	slices.SortStableFunc(c.problems, func(a, b Problem) int { return cmp.Compare(a.At, b.At) })
	return c.problems
}

type checker struct {
	problems    []Problem
	integration string // as the first ARN says
	actions     map[string]actionUse
	flows       map[string]bool
	usedFlows   map[string]bool
}

// actionUse is an action and what it takes.
type actionUse struct {
	at         string
	parameters []string // that its definition uses
	used       bool
}

func (c *checker) fail(at, format string, args ...any) {
	c.problems = append(c.problems, Problem{At: at, What: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(at, format string, args ...any) {
	c.problems = append(c.problems, Problem{At: at, What: fmt.Sprintf(format, args...), Warning: true})
}

var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	arnPattern  = regexp.MustCompile(`^zis:([a-z0-9_-]{1,64}):(action|flow|job_spec):([A-Za-z0-9][A-Za-z0-9_-]{0,63})$`)
	pathPattern = regexp.MustCompile(`^\$(\.[A-Za-z0-9_-]+(\[[0-9]+\])*)*$`)
	usePattern  = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
)

func (c *checker) bundle(text []byte) {
	if err := duplicates(text); err != nil {
		c.fail("", "%s", err)
		return
	}
	var b struct {
		Name        *string                    `json:"name"`
		Description *string                    `json:"description"`
		Version     *string                    `json:"zis_template_version"`
		Resources   map[string]json.RawMessage `json:"resources"`
	}
	if err := json.Unmarshal(text, &b); err != nil {
		c.fail("", "not a bundle: name, description and zis_template_version are texts, resources is an object")
		return
	}
	switch {
	case b.Name == nil || *b.Name == "":
		c.fail("name", "is missing")
	case len(*b.Name) > 50:
		c.warn("name", "is longer than 50 characters")
	}
	switch {
	case b.Description == nil:
		c.warn("description", "is missing")
	case len(*b.Description) > 100:
		c.warn("description", "is longer than 100 characters")
	}
	if b.Version == nil || *b.Version != TemplateVersion {
		c.fail("zis_template_version", "must be %q", TemplateVersion)
	}
	if len(b.Resources) == 0 {
		c.fail("resources", "is missing or empty")
		return
	}
	type resource struct {
		at, kind   string
		properties properties
	}
	var list []resource
	names := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(b.Resources)) {
		at := "resources." + key
		var r struct {
			Type       string      `json:"type"`
			Properties *properties `json:"properties"`
		}
		if err := json.Unmarshal(b.Resources[key], &r); err != nil {
			c.fail(at, "must be an object with a type and properties, whose names are texts")
			continue
		}
		switch r.Type {
		case "ZIS::Action::Http", "ZIS::Flow", "ZIS::JobSpec":
		case "":
			c.fail(at, "type is missing")
			continue
		default:
			c.fail(at, "type %q is not one of ZIS::Action::Http, ZIS::Flow and ZIS::JobSpec", r.Type)
			continue
		}
		if r.Properties == nil {
			c.fail(at, "properties are missing")
			continue
		}
		name := r.Properties.Name
		if !namePattern.MatchString(name) {
			c.fail(at+".properties.name", "must have 1 to 64 letters, digits, - and _")
		} else if other, twice := names[r.Type+" "+name]; twice {
			c.fail(at+".properties.name", "%q is the name of %s too", name, other)
		}
		names[r.Type+" "+name] = key
		list = append(list, resource{at + ".properties", r.Type, *r.Properties})
	}
	specs := 0
	for _, r := range list {
		switch r.kind {
		case "ZIS::Action::Http":
			c.actions[r.properties.Name] = actionUse{at: r.at, parameters: c.action(r.at+".definition", r.properties.Definition)}
		case "ZIS::Flow":
			c.flows[r.properties.Name] = true
		}
	}
	for _, r := range list {
		switch r.kind {
		case "ZIS::Flow":
			c.flow(r.at+".definition", r.properties.Definition)
		case "ZIS::JobSpec":
			specs++
			c.jobSpec(r.at, r.properties)
		}
	}
	if len(c.flows) == 0 || specs == 0 {
		c.warn("resources", "a bundle without a flow and a job spec does nothing")
	}
	for name, a := range c.actions {
		if !a.used {
			c.warn(a.at, "no state uses the action %q", name)
		}
	}
	for _, r := range list {
		if r.kind == "ZIS::Flow" && !c.usedFlows[r.properties.Name] {
			c.warn(r.at, "no job spec starts the flow %q", r.properties.Name)
		}
	}
}

type properties struct {
	Name        string          `json:"name"`
	Definition  json.RawMessage `json:"definition"`
	EventSource string          `json:"event_source"`
	EventType   string          `json:"event_type"`
	FlowName    string          `json:"flow_name"`
}

// arn checks a reference and returns the name in it. All references of a bundle
// must be of one integration.
func (c *checker) arn(at, text, kind string) (name string, ok bool) {
	m := arnPattern.FindStringSubmatch(text)
	if m == nil || m[2] != kind {
		c.fail(at, "%q must be like zis:<integration>:%s:<name>", text, kind)
		return "", false
	}
	if c.integration == "" {
		c.integration = m[1]
	}
	if m[1] != c.integration {
		c.fail(at, "is of the integration %q, others are of %q", m[1], c.integration)
		return "", false
	}
	return m[3], true
}

// action checks an HTTP action and returns the parameters that it uses.
func (c *checker) action(at string, raw json.RawMessage) []string {
	var d struct {
		Method         string            `json:"method"`
		URL            *string           `json:"url"`
		Path           *string           `json:"path"`
		Headers        []json.RawMessage `json:"headers"`
		RequestBody    any               `json:"requestBody"`
		RequestBodyRef *string           `json:"requestBody.$"`
		ConnectionName *string           `json:"connectionName"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &d) != nil || string(bytes.TrimSpace(raw)) == "null" {
		c.fail(at, "must be an object: method, url or path, headers, requestBody, connectionName")
		return nil
	}
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, d.Method) {
		c.fail(at+".method", "must be GET, POST, PUT, PATCH or DELETE")
	}
	switch {
	case (d.URL == nil) == (d.Path == nil):
		c.fail(at, "needs url, for another host, or path, for the account's own; one of them")
	case d.URL != nil:
		u, err := url.Parse(usePattern.ReplaceAllString(*d.URL, "x"))
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			c.fail(at+".url", "must be an absolute URL")
		} else if u.Scheme == "http" {
			c.warn(at+".url", "is http: the connection's credential would go in the clear")
		}
	default:
		if !strings.HasPrefix(*d.Path, "/") {
			c.fail(at+".path", "must begin with /")
		}
		if d.ConnectionName == nil {
			c.fail(at, "a path does not sign in by itself: it needs a connectionName")
		}
	}
	if d.ConnectionName != nil && *d.ConnectionName == "" {
		c.fail(at+".connectionName", "is empty")
	}
	for i, h := range d.Headers {
		var header struct {
			Key   *string `json:"key"`
			Value *string `json:"value"`
		}
		if json.Unmarshal(h, &header) != nil || header.Key == nil || *header.Key == "" || header.Value == nil {
			c.fail(fmt.Sprintf("%s.headers[%d]", at, i), `must be {"key":…,"value":…}`)
		} else if strings.EqualFold(*header.Key, "Authorization") && d.ConnectionName == nil {
			c.warn(fmt.Sprintf("%s.headers[%d]", at, i), "a credential belongs into a connection, not into the bundle")
		}
	}
	if d.RequestBody != nil && d.RequestBodyRef != nil {
		c.fail(at, "has both requestBody and requestBody.$")
	}
	c.body(at+".requestBody", d.RequestBody)
	if bytes.Contains(raw, []byte("$.connections.")) {
		c.fail(at, "$.connections.… is withdrawn: name the connection with connectionName")
	}
	var parameters []string
	use := func(path string) {
		rest, ok := strings.CutPrefix(path, "$.")
		if !ok || !pathPattern.MatchString(path) {
			c.fail(at, "%q must be a path such as $.name", path)
			return
		}
		name, _, _ := strings.Cut(rest, ".")
		name, _, _ = strings.Cut(name, "[")
		if !slices.Contains(parameters, name) {
			parameters = append(parameters, name)
		}
	}
	for _, m := range usePattern.FindAllStringSubmatch(string(raw), -1) {
		use(m[1])
	}
	if d.RequestBodyRef != nil {
		use(*d.RequestBodyRef)
	}
	return parameters
}

// body refuses keys that end in ".$": ZIS does not replace them inside a
// request's body.
func (c *checker) body(at string, v any) {
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if strings.HasSuffix(k, ".$") {
				c.fail(at+"."+k, `is sent as it is: use "{{$.name}}", or requestBody.$ for the whole body`)
			}
			c.body(at+"."+k, x[k])
		}
	case []any:
		for i, e := range x {
			c.body(fmt.Sprintf("%s[%d]", at, i), e)
		}
	}
}

type machine struct {
	StartAt string                     `json:"StartAt"`
	States  map[string]json.RawMessage `json:"States"`
}

type state struct {
	Type       string
	Next       *string
	End        *bool
	ActionName *string
	Parameters map[string]any
	ResultPath *string
	Catch      []struct {
		ErrorEquals []string
		ResultPath  *string
		Next        string
	}
	Choices     []map[string]any
	Default     *string
	Seconds     *float64
	SecondsPath *string
	ItemsPath   *string
	Iterator    *machine
}

func (c *checker) flow(at string, raw json.RawMessage) {
	var m machine
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		c.fail(at, "must be an object: StartAt and States")
		return
	}
	c.machine(at, m)
}

func (c *checker) machine(at string, m machine) {
	if len(m.States) == 0 {
		c.fail(at+".States", "is missing or empty")
		return
	}
	if _, ok := m.States[m.StartAt]; !ok {
		c.fail(at+".StartAt", "names no state: %q", m.StartAt)
	}
	leads := map[string][]string{}
	ends := map[string]bool{}
	broken := false
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		here := at + ".States." + name
		var s state
		if err := json.Unmarshal(m.States[name], &s); err != nil {
			c.fail(here, "has a field of the wrong type: %s", fieldOf(err))
			broken = true
			continue
		}
		for where, to := range c.state(here, s) {
			if _, ok := m.States[to]; !ok {
				c.fail(here+"."+where, "names no state: %q", to)
				broken = true
				continue
			}
			leads[name] = append(leads[name], to)
		}
		ends[name] = s.Type == "Succeed" || s.Type == "Fail" || (s.End != nil && *s.End)
	}
	if broken {
		return
	}
	reached := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if !reached[name] {
			reached[name] = true
			for _, to := range leads[name] {
				visit(to)
			}
		}
	}
	visit(m.StartAt)
	// Backwards from the ends: what never gets to one goes round for ever.
	finite := maps.Clone(ends)
	for changed := true; changed; {
		changed = false
		for name, list := range leads {
			if !finite[name] && slices.ContainsFunc(list, func(to string) bool { return finite[to] }) {
				finite[name], changed = true, true
			}
		}
	}
	for name := range m.States {
		switch here := at + ".States." + name; {
		case !reached[name]:
			c.fail(here, "nothing leads to it")
		case !finite[name]:
			c.fail(here, "leads to no end")
		}
	}
}

// fieldOf names the field of a decoding error, never its value.
func fieldOf(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return wrong.Field
	}
	return "not an object"
}

// state checks one state and returns where it leads, by the field that says so.
func (c *checker) state(at string, s state) map[string]string {
	leads := map[string]string{}
	next := func() {
		end := s.End != nil && *s.End
		switch {
		case (s.Next != nil) == end:
			c.fail(at, `needs "Next", or "End": true; one of them`)
		case s.Next != nil:
			leads["Next"] = *s.Next
		}
	}
	path := func(name string, p *string) {
		if p != nil && !pathPattern.MatchString(*p) {
			c.fail(at+"."+name, "%q must be a path such as $.name", *p)
		}
	}
	path("ResultPath", s.ResultPath)
	if len(s.Catch) > 0 && s.Type != "Action" && s.Type != "Map" {
		c.fail(at+".Catch", "only an Action or a Map can fail")
	}
	for i, k := range s.Catch {
		here := fmt.Sprintf("Catch[%d]", i)
		if !slices.Equal(k.ErrorEquals, []string{"States.ALL"}) {
			c.fail(at+"."+here+".ErrorEquals", `must be ["States.ALL"]: ZIS tells no errors apart`)
		}
		path(here+".ResultPath", k.ResultPath)
		leads[here+".Next"] = k.Next
	}
	switch s.Type {
	case "Action":
		next()
		c.call(at, s)
	case "Choice":
		if s.Next != nil || s.End != nil {
			c.fail(at, "a Choice leads on by Choices and Default alone")
		}
		if len(s.Choices) == 0 {
			c.fail(at+".Choices", "is missing or empty")
		}
		for i, choice := range s.Choices {
			here := fmt.Sprintf("Choices[%d]", i)
			c.choice(at+"."+here, choice)
			to, ok := choice["Next"].(string)
			if !ok {
				c.fail(at+"."+here, "needs Next")
				continue
			}
			leads[here+".Next"] = to
		}
		if s.Default == nil {
			c.warn(at, "without Default the flow fails when no choice holds")
		} else {
			leads["Default"] = *s.Default
		}
	case "Map":
		next()
		if s.ItemsPath == nil {
			c.fail(at+".ItemsPath", "is missing")
		}
		path("ItemsPath", s.ItemsPath)
		if s.Iterator == nil {
			c.fail(at+".Iterator", "is missing")
		} else {
			c.machine(at+".Iterator", *s.Iterator)
		}
	case "Pass":
		next()
	case "Wait":
		next()
		if (s.Seconds == nil) == (s.SecondsPath == nil) {
			c.fail(at, "needs Seconds, or SecondsPath; one of them")
		}
		if s.Seconds != nil && *s.Seconds <= 0 {
			c.fail(at+".Seconds", "must be more than 0")
		}
		path("SecondsPath", s.SecondsPath)
	case "Succeed", "Fail":
		if s.Next != nil {
			c.fail(at, "%s ends the flow: it has no Next", s.Type)
		}
	case "":
		c.fail(at+".Type", "is missing")
	default:
		c.fail(at+".Type", "%q is not one of Action, Choice, Map, Pass, Wait, Succeed and Fail", s.Type)
	}
	return leads
}

// call checks an Action state against the action that it names.
func (c *checker) call(at string, s state) {
	if s.ActionName == nil {
		c.fail(at+".ActionName", "is missing")
		return
	}
	given := map[string]bool{}
	for k, v := range s.Parameters {
		name, isPath := strings.CutSuffix(k, ".$")
		given[name] = true
		if text, ok := v.(string); isPath && (!ok || !pathPattern.MatchString(text)) {
			c.fail(at+".Parameters."+k, "must be a path such as $.input.ticket_event.ticket.id")
		} else if !isPath && ok && strings.HasPrefix(text, "$.") {
			c.warn(at+".Parameters."+k, "is sent as the text %q: a path's name ends in .$", text)
		}
	}
	if strings.HasPrefix(*s.ActionName, "zis:common:") {
		return
	}
	name, ok := c.arn(at+".ActionName", *s.ActionName, "action")
	if !ok {
		return
	}
	a, ok := c.actions[name]
	if !ok {
		c.fail(at+".ActionName", "the bundle has no action %q", name)
		return
	}
	a.used = true
	c.actions[name] = a
	for _, p := range a.parameters {
		if !given[p] {
			c.fail(at+".Parameters", "the action %q uses $.%s, which is not given", name, p)
		}
	}
}

// Comparisons are those that a rule of a Choice may make.
var Comparisons = []string{
	"StringEquals", "NumericEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "NumericLessThan", "NumericLessThanEquals",
	"BooleanEquals", "StringGreaterThan", "StringGreaterThanEquals", "StringLessThan", "StringLessThanEquals", "IsPresent", "IsNull",
}

// choice checks one rule, whose And, Or and Not hold rules without a Next.
func (c *checker) choice(at string, rule map[string]any) {
	tests := 0
	for _, k := range slices.Sorted(maps.Keys(rule)) {
		switch k {
		case "Variable", "Next":
		case "And", "Or":
			tests++
			list, _ := rule[k].([]any)
			if len(list) == 0 {
				c.fail(at+"."+k, "must list rules")
			}
			for i, e := range list {
				inner, ok := e.(map[string]any)
				if !ok {
					c.fail(fmt.Sprintf("%s.%s[%d]", at, k, i), "must be a rule")
					continue
				}
				c.choice(fmt.Sprintf("%s.%s[%d]", at, k, i), inner)
			}
		case "Not":
			tests++
			inner, ok := rule[k].(map[string]any)
			if !ok {
				c.fail(at+".Not", "must be a rule")
				continue
			}
			c.choice(at+".Not", inner)
		default:
			tests++
			if !slices.Contains(Comparisons, k) {
				c.fail(at+"."+k, "is no comparison that ZIS knows")
				continue
			}
			if v, ok := rule["Variable"].(string); !ok || !pathPattern.MatchString(v) {
				c.fail(at+".Variable", "must be a path such as $.input.ticket_event.ticket.status")
			}
		}
	}
	if tests != 1 {
		c.fail(at, "must hold one comparison, not %d", tests)
	}
}

// supportEvents are the ticket events of the source "support".
var supportEvents = func() map[string]bool {
	events := map[string]bool{}
	for _, name := range []string{
		"TicketCreated", "AgentAssignmentChanged", "GroupAssignmentChanged", "StatusChanged", "CommentAdded",
		"CommentMadePrivate", "CommentRedacted", "CustomFieldChanged", "TagsChanged", "PriorityChanged", "RequesterChanged",
		"OrganizationChanged", "ExternalIdChanged", "DescriptionChanged", "SubjectChanged", "BrandChanged", "TicketFormChanged",
		"ProblemLinkChanged", "CcsChanged", "FollowersChanged", "AttachmentLinkedToComment", "AttachmentRedactedFromComment",
	} {
		events["ticket."+name] = true
	}
	return events
}()

func (c *checker) jobSpec(at string, p properties) {
	if p.EventSource == "" {
		c.fail(at+".event_source", `is missing: "support", or the source_system of an inbound webhook`)
	}
	switch {
	case p.EventType == "":
		c.fail(at+".event_type", "is missing")
	case p.EventSource == "support" && !supportEvents[p.EventType]:
		c.warn(at+".event_type", "%q is none of the ticket events that are known here", p.EventType)
	}
	if name, ok := c.arn(at+".flow_name", p.FlowName, "flow"); ok {
		if !c.flows[name] {
			c.fail(at+".flow_name", "the bundle has no flow %q", name)
		}
		c.usedFlows[name] = true
	}
}

// duplicates reports a text that is not one JSON object, or that has a key
// twice: of two, a reader keeps one and says nothing.
func duplicates(text []byte) error {
	if len(text) > MaxBundle {
		return fmt.Errorf("is larger than %d bytes", MaxBundle)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	type level struct {
		object bool
		keys   map[string]bool
		value  bool // the next token is a value
	}
	var stack []level
	for first := true; ; first = false {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) && !first && len(stack) == 0 {
			return nil
		}
		if err != nil {
			return errors.New("is not JSON")
		}
		if d, ok := t.(json.Delim); first && (!ok || d != '{') || (!first && len(stack) == 0) {
			return errors.New("is not one JSON object")
		}
		top := len(stack) - 1
		if top >= 0 && stack[top].object && !stack[top].value {
			if key, ok := t.(string); ok {
				if stack[top].keys[key] {
					return fmt.Errorf("has the key %q twice in one object", key)
				}
				stack[top].keys[key], stack[top].value = true, true
				continue
			}
		}
		if top >= 0 {
			stack[top].value = false
		}
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{object: true, keys: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
	}
}
