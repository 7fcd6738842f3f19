package sandbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/clients/zendesk/zis"
)

// zisPeer is whom a flow calls. It answers each path with the JSON given for it,
// and 500 where there is none.
type zisPeer struct {
	mu   sync.Mutex
	url  string
	seen []string // "path body"
}

func newZISPeer(t *testing.T, answers map[string]string) *zisPeer {
	t.Helper()
	p := &zisPeer{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		p.mu.Lock()
		p.seen = append(p.seen, r.URL.Path+" "+string(body))
		p.mu.Unlock()
		answer, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(500)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

func (p *zisPeer) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// zisInstalls uploads a bundle of one flow, lets TicketCreated start it, and gives
// it connections to the peer and to the account itself.
func (d *desk) zisInstalls(peer *zisPeer, states map[string]any) {
	d.t.Helper()
	action := func(name string, definition map[string]any) map[string]any {
		return map[string]any{"type": "ZIS::Action::Http", "properties": map[string]any{"name": name, "definition": definition}}
	}
	bundle := map[string]any{
		"name": "b", "description": "", "zis_template_version": zis.TemplateVersion,
		"resources": map[string]any{
			"ask": action("ask", map[string]any{"method": "GET", "url": peer.url + "/ask", "connectionName": "peer"}),
			"tell": action("tell", map[string]any{
				"method": "POST", "url": peer.url + "/tell", "connectionName": "peer",
				"requestBody": map[string]any{"text": "it is {{$.what}}"},
			}),
			"whole": action("whole", map[string]any{"method": "POST", "url": peer.url + "/whole", "connectionName": "peer", "requestBody.$": "$.all"}),
			"fail":  action("fail", map[string]any{"method": "POST", "url": peer.url + "/fail", "connectionName": "peer"}),
			"tag": action("tag", map[string]any{
				"method": "PUT", "path": "/api/v2/tickets/{{$.id}}/tags", "connectionName": "zendesk",
				"headers":     []map[string]string{{"key": "Content-Type", "value": "application/json"}},
				"requestBody": map[string]any{"tags": []string{"seen"}},
			}),
			"flow": map[string]any{"type": "ZIS::Flow", "properties": map[string]any{"name": "f", "definition": map[string]any{"StartAt": "Start", "States": states}}},
			"spec": map[string]any{"type": "ZIS::JobSpec", "properties": map[string]any{
				"name": "j", "event_source": "support", "event_type": "ticket.TicketCreated", "flow_name": "zis:i:flow:f",
			}},
		},
	}
	session := "Cookie: _zendesk_session=" + d.Fixtures().Zendesk.AdminSession
	const services = "/zendesk/api/services/zis"
	token := strings.TrimPrefix(d.zendeskToken("read write"), "Authorization: Bearer ")
	d.want(d.send("POST", services+"/registry/i", `{"description":""}`, session), 200)
	d.want(d.send("POST", services+"/registry/i/bundles", mustJSON(d.t, bundle), session), 200)
	for name, secret := range map[string]string{"peer": "t", "zendesk": token} {
		d.want(d.send("POST", services+"/integrations/i/connections/bearer_token",
			fmt.Sprintf(`{"name":%q,"token":%q,"allowed_domain":"127.0.0.1"}`, name, secret), session), 201)
	}
	d.want(d.send("POST", services+"/registry/job_specs/install?job_spec_name=zis:i:job_spec:j", "", session), 200)
}

func (d *desk) zisTicket(tags ...string) int64 {
	d.t.Helper()
	id, err := d.Zendesk().Create("Hello", "First", d.Fixtures().Zendesk.OwnUserID, tags...)
	if err != nil {
		d.t.Fatal(err)
	}
	d.flush()
	return id
}

type zisStates = map[string]any

func zisActs(action, next string, more zisStates) zisStates {
	s := zisStates{"Type": "Action", "ActionName": "zis:i:action:" + action, "Next": next}
	for k, v := range more {
		s[k] = v
	}
	return s
}

// TestZISFlowStates runs a flow with every kind of state: what validate knows is
// run.
func TestZISFlowStates(t *testing.T) {
	t.Parallel()
	peer := newZISPeer(t, map[string]string{"/ask": `{"list":[{"n":"one \"1\""},{"n":"two"}],"pause":0.001}`, "/tell": `{"ok":true}`, "/whole": ""})
	d := newDesk(t)
	d.zisInstalls(peer, zisStates{
		"Start": zisActs("ask", "Pause", zisStates{"ResultPath": "$.answer"}),
		"Pause": zisStates{"Type": "Wait", "SecondsPath": "$.answer.pause", "Next": "Each"},
		"Each": zisStates{"Type": "Map", "ItemsPath": "$.answer.list", "ResultPath": "$.told.all", "Next": "Note", "Iterator": zisStates{
			"StartAt": "Tell", "States": zisStates{
				"Tell": zisStates{"Type": "Action", "ActionName": "zis:i:action:tell", "Parameters": zisStates{"what.$": "$.n"}, "ResultPath": "$.said", "End": true},
			},
		}},
		"Note":  zisStates{"Type": "Pass", "Result": zisStates{"first": true}, "ResultPath": "$.note", "Next": "Which"},
		"Which": zisStates{"Type": "Choice", "Choices": []any{zisStates{"Variable": "$.input.ticket_event.ticket.tags[1]", "StringEquals": "b", "Next": "Tag"}}, "Default": "No"},
		"Tag":   zisActs("tag", "Whole", zisStates{"Parameters": zisStates{"id.$": "$.input.ticket_event.ticket.id"}}),
		"Whole": zisActs("whole", "Yes", zisStates{"Parameters": zisStates{"all.$": "$.told"}}),
		"Yes":   zisStates{"Type": "Succeed", "Message": "done"},
		"No":    zisStates{"Type": "Fail", "Error": "x", "Cause": "y"},
	})
	ticket := d.zisTicket("a", "b")
	want := []string{
		"/ask ",
		`/tell {"text":"it is one \"1\""}`,
		`/tell {"text":"it is two"}`,
		`/whole {"all":[{"n":"one \"1\"","said":{"ok":true}},{"n":"two","said":{"ok":true}}]}`,
	}
	if diff := cmp.Diff(want, peer.took()); diff != "" {
		t.Errorf("the flow sent (-want +got):\n%s", diff)
	}
	got, err := d.Zendesk().Ticket(ticket)
	if err != nil || !slices.Contains(got.Tags, "seen") {
		t.Errorf("its own account was not called: %v, %v", got.Tags, err)
	}
}

// TestZISMapFails: an item that fails ends the others and the state, which may
// catch that; and a path that leads nowhere is such a failure.
func TestZISMapFails(t *testing.T) {
	t.Parallel()
	for name, action := range map[string]zisStates{
		"refused": {"Type": "Action", "ActionName": "zis:i:action:fail", "End": true},
		"nowhere": {"Type": "Action", "ActionName": "zis:i:action:tell", "Parameters": zisStates{"what.$": "$.input"}, "End": true},
	} {
		peer := newZISPeer(t, map[string]string{"/ask": `{"list":[{"n":1},{"n":2}]}`, "/tell": "{}"})
		d := newDesk(t)
		d.zisInstalls(peer, zisStates{
			"Start": zisActs("ask", "Each", zisStates{"ResultPath": "$.answer"}),
			"Each": zisStates{
				"Type": "Map", "ItemsPath": "$.answer.list", "Next": "Yes", "Iterator": zisStates{"StartAt": "Do", "States": zisStates{"Do": action}},
				"Catch": []any{zisStates{"ErrorEquals": []string{"States.ALL"}, "ResultPath": "$.error", "Next": "Caught"}},
			},
			"Caught": zisActs("tell", "Yes", zisStates{"Parameters": zisStates{"what": "caught"}}),
			"Yes":    zisStates{"Type": "Succeed"},
		})
		d.zisTicket()
		want := []string{"/ask ", "/fail ", `/tell {"text":"it is caught"}`}
		if name == "nowhere" {
			want = slices.Delete(want, 1, 2)
		}
		if diff := cmp.Diff(want, peer.took()); diff != "" {
			t.Errorf("%s: the flow sent (-want +got):\n%s", name, diff)
		}
	}
}

// TestZISChoices runs each comparison that validate knows.
func TestZISChoices(t *testing.T) {
	t.Parallel()
	const variable = `"Variable":"$.input.ticket_event.ticket.`
	rules := []struct {
		rule string
		want bool
	}{
		{`{` + variable + `subject","StringEquals":"Hello"}`, true},
		{`{` + variable + `subject","StringEquals":"hello"}`, false},
		{`{` + variable + `subject","StringGreaterThan":"Hell"}`, true},
		{`{` + variable + `subject","StringGreaterThanEquals":"Hello"}`, true},
		{`{` + variable + `subject","StringLessThan":"Hello"}`, false},
		{`{` + variable + `subject","StringLessThanEquals":"Hello"}`, true},
		{`{` + variable + `subject","NumericEquals":1}`, false},
		{`{` + variable + `requester_id","NumericEquals":1}`, false},
		{`{` + variable + `requester_id","NumericGreaterThan":1}`, true},
		{`{` + variable + `requester_id","NumericGreaterThanEquals":1}`, true},
		{`{` + variable + `requester_id","NumericLessThan":1}`, false},
		{`{` + variable + `requester_id","NumericLessThanEquals":1}`, false},
		{`{` + variable + `requester_id","StringEquals":"1"}`, false},
		{`{"Variable":"$.flag","BooleanEquals":true}`, true},
		{`{"Variable":"$.flag","BooleanEquals":false}`, false},
		{`{` + variable + `assignee_id","IsNull":true}`, true},
		{`{` + variable + `subject","IsNull":true}`, false},
		{`{` + variable + `assignee_id","IsPresent":true}`, true},
		{`{` + variable + `nothing","IsPresent":true}`, false},
		{`{` + variable + `nothing","IsPresent":false}`, true},
		{`{"And":[{"Variable":"$.flag","BooleanEquals":true},{"Variable":"$.none","IsPresent":true}]}`, false},
		{`{"Or":[{"Variable":"$.flag","BooleanEquals":false},{"Variable":"$.flag","IsPresent":true}]}`, true},
		{`{"Not":{"Variable":"$.flag","BooleanEquals":true}}`, false},
	}
	states := zisStates{
		"Start": zisStates{"Type": "Pass", "Result": true, "ResultPath": "$.flag", "Next": "Rule0"},
		"End":   zisStates{"Type": "Succeed"},
	}
	states[fmt.Sprintf("Rule%d", len(rules))] = zisActs("tell", "End", zisStates{"Parameters": zisStates{"what": "right"}})
	for i, r := range rules {
		var rule zisStates
		if err := json.Unmarshal([]byte(r.rule), &rule); err != nil {
			t.Fatal(err)
		}
		wrong := fmt.Sprintf("Wrong%d", i)
		states[wrong] = zisActs("tell", "End", zisStates{"Parameters": zisStates{"what": r.rule}})
		right := fmt.Sprintf("Rule%d", i+1)
		if !r.want {
			right, wrong = wrong, right
		}
		rule["Next"] = right
		states[fmt.Sprintf("Rule%d", i)] = zisStates{"Type": "Choice", "Choices": []any{rule}, "Default": wrong}
	}
	for _, known := range zis.Comparisons {
		if !slices.ContainsFunc(rules, func(r struct {
			rule string
			want bool
		}) bool {
			return strings.Contains(r.rule, `"`+known+`"`)
		}) {
			t.Errorf("validate knows %s, and nothing here tries it", known)
		}
	}
	peer := newZISPeer(t, map[string]string{"/tell": "{}"})
	d := newDesk(t)
	d.zisInstalls(peer, states)
	d.zisTicket()
	if diff := cmp.Diff([]string{`/tell {"text":"it is right"}`}, peer.took()); diff != "" {
		t.Errorf("a rule is wrong (-want +got):\n%s", diff)
	}
}

// TestZISUploadRefuses: a bundle that validate refuses is refused, and so is one
// that would not be run as Zendesk runs it.
func TestZISUploadRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	session := "Cookie: _zendesk_session=" + d.Fixtures().Zendesk.AdminSession
	const services = "/zendesk/api/services/zis/registry/caseroom_acme"
	d.want(d.send("POST", services, `{"description":""}`, session), 200)
	b, err := zis.New("caseroom_acme", "https://abc.example.com/zendesk/events")
	if err != nil {
		t.Fatal(err)
	}
	good := string(b.JSON)
	for _, c := range []struct {
		name, old, with string
		want            int
		says            string
	}{
		{"", "", "", 200, ""},
		{"not JSON", good, "{", 400, "not JSON"},
		{"nowhere", `"Next": "Told"`, `"Next": "Tald"`, 400, "names no state"},
		{"no error of ZIS's", `"States.ALL"`, `"States.Timeout"`, 400, "ErrorEquals"},
		{"another integration", "zis:caseroom_acme:", "zis:caseroom_acne:", 400, "of the integration caseroom_acne"},
		{"an action that is not run here", `"zis:caseroom_acme:action:tell_caseroom"`, `"zis:common:transform:Jq"`, 501, "does not"},
	} {
		text := strings.ReplaceAll(good, c.old, c.with)
		if c.name == "" {
			text = good
		}
		if got := d.send("POST", services+"/bundles", text, session); got.status != c.want || !strings.Contains(string(got.raw), c.says) {
			t.Errorf("%s: %d, want %d with %q: %s", c.name, got.status, c.want, c.says, got.raw)
		}
	}
}
