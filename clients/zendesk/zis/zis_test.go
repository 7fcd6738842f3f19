package zis_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/clients/zendesk/zis"
)

const endpoint = "https://abc123.execute-api.eu-central-1.amazonaws.com/zendesk/events"

func mustBundle(tb testing.TB) *zis.Bundle {
	tb.Helper()
	b, err := zis.New("caseroom_acme_0a1b2c3d", endpoint)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestOurBundleIsValid(t *testing.T) {
	t.Parallel()
	b := mustBundle(t)
	if list := zis.Validate(b.JSON); len(list) != 0 {
		t.Errorf("problems: %v", list)
	}
	again := mustBundle(t)
	if !bytes.Equal(b.JSON, again.JSON) || b.Flow != again.Flow {
		t.Error("the same bundle has other bytes")
	}
	other, err := zis.New("caseroom_acme_0a1b2c3d", strings.Replace(endpoint, "abc", "xyz", 1))
	if err != nil || other.Flow == b.Flow {
		t.Errorf("another endpoint has the same flow name, %v", err)
	}
	for _, e := range zis.Events {
		if !bytes.Contains(b.JSON, []byte(`"event_type": "`+e.Type+`"`)) {
			t.Errorf("no job spec of %s", e.Type)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"", endpoint}, {"Caseroom", endpoint}, {strings.Repeat("a", 65), endpoint}, {"a", ""}, {"a", "/zendesk/events"},
		{"a", "ftp://x"}, {"a", "https://u:p@x/"}, {"a", "https://x/?token=1"},
	} {
		if _, err := zis.New(c[0], c[1]); err == nil {
			t.Errorf("%q took %q", c[0], c[1])
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, host := range []string{"acme.zendesk.com", "ACME.zendesk.com", "127.0.0.1:3100", strings.Repeat("long", 30) + ".zendesk.com", ""} {
		name := zis.Name(host, endpoint)
		if !zis.ValidName(name) || seen[name] {
			t.Errorf("%q gives %q", host, name)
		}
		seen[name] = true
	}
	if zis.Name("acme.zendesk.com", "a") == zis.Name("acme.zendesk.com", "b") {
		t.Error("two stacks have one name")
	}
}

// A bundle of the shape that Zendesk's own samples have.
const sample = `{
  "name": "Ticket logger", "description": "A sample", "zis_template_version": "2019-10-14",
  "resources": {
    "tag": {"type": "ZIS::Action::Http", "properties": {"name": "add_tag", "definition": {
      "method": "PUT", "path": "/api/v2/tickets/{{$.id}}/tags.json", "connectionName": "zendesk",
      "headers": [{"key": "X-From", "value": "zis {{$.id}}"}], "requestBody": {"tags": ["seen"]}}}},
    "whole": {"type": "ZIS::Action::Http", "properties": {"name": "whole", "definition": {
      "method": "POST", "url": "https://{{$.host}}.example.com/in", "connectionName": "peer", "requestBody.$": "$.all"}}},
    "flow": {"type": "ZIS::Flow", "properties": {"name": "log", "definition": {"StartAt": "Ours", "States": {
      "Ours": {"Type": "Choice", "Choices": [{"Variable": "$.input.ticket_event.ticket.status", "StringEquals": "open", "Next": "Load"},
        {"And": [{"Variable": "$.account_id", "NumericGreaterThan": 1}, {"Not": {"Variable": "$.subdomain", "StringEquals": "x"}}], "Next": "Done"}], "Default": "Done"},
      "Load": {"Type": "Action", "ActionName": "zis:common:transform:Jq", "Parameters": {"expr": ".a", "data.$": "$.input"}, "ResultPath": "$.list", "Next": "Each"},
      "Each": {"Type": "Map", "ItemsPath": "$.list", "Iterator": {"StartAt": "Tag", "States": {
        "Tag": {"Type": "Action", "ActionName": "zis:my_integration:action:add_tag", "Parameters": {"id.$": "$.id"}, "End": true}}}, "Next": "Pause"},
      "Pause": {"Type": "Wait", "Seconds": 2, "Next": "Note"},
      "Note": {"Type": "Pass", "Next": "Post"},
      "Post": {"Type": "Action", "ActionName": "zis:my_integration:action:whole", "Parameters": {"all.$": "$.input", "host": "in"}, "Next": "Done",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Bad"}]},
      "Bad": {"Type": "Fail", "Error": "x", "Cause": "y"},
      "Done": {"Type": "Succeed"}}}}},
    "spec": {"type": "ZIS::JobSpec", "properties": {"name": "on_created", "event_source": "support", "event_type": "ticket.TicketCreated", "flow_name": "zis:my_integration:flow:log"}}
  }
}`

func TestSampleIsValid(t *testing.T) {
	t.Parallel()
	if list := zis.Validate([]byte(sample)); len(list) != 0 {
		t.Errorf("problems: %v", list)
	}
}

// broken are bundles with one fault each, made of the sample: what is replaced,
// by what, and a part of the problem that must be told.
var broken = []struct{ name, old, with, want string }{
	{"not JSON", `"resources": {`, `"resources": [`, "not JSON"},
	{"an array", sample, `[]`, "not one JSON object"},
	{"two values", sample, sample + `{}`, "not one JSON object"},
	{"nothing", sample, ``, "not JSON"},
	{"key twice", `"Seconds": 2`, `"Seconds": 2, "Seconds": 3`, `"Seconds" twice`},
	{"types at the top", `"name": "Ticket logger"`, `"name": 7`, "not a bundle"},
	{"no name", `"name": "Ticket logger", `, ``, "name: is missing"},
	{"template version", `2019-10-14`, `2021-01-01`, "zis_template_version"},
	{"no resources", sample, `{"name":"x","description":"","zis_template_version":"2019-10-14","resources":{}}`, "resources: is missing"},
	{"unknown type", `"ZIS::JobSpec"`, `"ZIS::Job"`, "ZIS::Job"},
	{"no type", `"type": "ZIS::JobSpec", `, ``, "type is missing"},
	{"no properties", `{"type": "ZIS::JobSpec", "properties"`, `{"type": "ZIS::JobSpec", "property"`, "properties are missing"},
	{"a resource's name", `"name": "log"`, `"name": "log it"`, "letters, digits"},
	{"two of one name", `"name": "whole"`, `"name": "add_tag"`, "is the name of"},
	{"method", `"PUT"`, `"FETCH"`, "method"},
	{"url and path", `"path": "/api`, `"url": "https://x.example", "path": "/api`, "one of them"},
	{"neither url nor path", `"url": "https://{{$.host}}.example.com/in", `, ``, "one of them"},
	{"relative url", `https://{{$.host}}.example.com/in`, `example.com/{{$.host}}`, "absolute URL"},
	{"path without connection", `"connectionName": "zendesk",`, ``, "does not sign in"},
	{"path without slash", `"/api/v2`, `"api/v2`, "begin with /"},
	{"header as a map", `[{"key": "X-From", "value": "zis {{$.id}}"}]`, `[{"X-From": "zis"}]`, "headers[0]"},
	{"a path inside the body", `{"tags": ["seen"]}`, `{"tags.$": "$.id"}`, "sent as it is"},
	{"withdrawn connection", `zis {{$.id}}`, `{{$.connections.zendesk.access_token}}`, "withdrawn"},
	{"malformed placeholder", `zis {{$.id}}`, `{{ticket.id}}`, "must be a path"},
	{"no definition", `"definition": {"StartAt": "Ours"`, `"define": {"StartAt": "Ours"`, "StartAt and States"},
	{"StartAt", `"StartAt": "Ours"`, `"StartAt": "Theirs"`, `"Theirs"`},
	{"Next nowhere", `"Seconds": 2, "Next": "Note"`, `"Seconds": 2, "Next": "Nowhere"`, `"Nowhere"`},
	{"Catch nowhere", `"ResultPath": "$.error", "Next": "Bad"`, `"ResultPath": "$.error", "Next": "Worse"`, "Catch[0].Next"},
	{"Catch of nothing", `["States.ALL"]`, `[]`, "ErrorEquals"},
	{"Catch of one error", `["States.ALL"]`, `["States.Timeout"]`, "ErrorEquals"},
	{"choice nowhere", `"StringEquals": "open", "Next": "Load"`, `"StringEquals": "open", "Next": "Lode"`, "Choices[0].Next"},
	{"unknown comparison", `"StringEquals": "open"`, `"StringMatches": "o*"`, "StringMatches"},
	{"two comparisons", `"StringEquals": "open"`, `"StringEquals": "open", "IsNull": false`, "one comparison"},
	{"no variable", `"Variable": "$.input.ticket_event.ticket.status"`, `"Variable": "status"`, "Variable"},
	{"state's type", `"Type": "Pass"`, `"Type": "Skip"`, "Skip"},
	{"state's field", `"Seconds": 2`, `"Seconds": "2"`, "wrong type"},
	{"Wait", `"Seconds": 2`, `"Seconds": -1`, "more than 0"},
	{"no wait", `"Seconds": 2`, `"Seconds": 0`, "more than 0"},
	{"two waits", `"Seconds": 2`, `"Seconds": 2, "SecondsPath": "$.pause"`, "one of them"},
	{"wait's path", `"Seconds": 2`, `"SecondsPath": "pause"`, "SecondsPath"},
	{"Next and End", `"Type": "Pass", "Next"`, `"Type": "Pass", "End": true, "Next"`, "one of them"},
	{"neither Next nor End", `"Parameters": {"id.$": "$.id"}, "End": true`, `"Parameters": {"id.$": "$.id"}`, "Iterator"},
	{"unreached", `"Type": "Wait", "Seconds": 2, "Next": "Note"`, `"Type": "Wait", "Seconds": 2, "Next": "Post"`, "nothing leads to it"},
	{"endless", `"Type": "Pass", "Next": "Post"}`, `"Type": "Pass", "Next": "Pause"}`, "leads to no end"},
	{"succeeds on", `{"Type": "Succeed"}`, `{"Type": "Succeed", "Next": "Bad"}`, "has no Next"},
	{"no iterator", `"Iterator"`, `"Processor"`, "Iterator"},
	{"no action name", `"ActionName": "zis:my_integration:action:whole", `, ``, "ActionName"},
	{"unknown action", `action:whole`, `action:half`, `no action "half"`},
	{"action of another kind", `zis:my_integration:action:whole`, `zis:my_integration:flow:log`, "zis:<integration>:action"},
	{"another integration", `zis:my_integration:flow:log`, `zis:your_integration:flow:log`, "your_integration"},
	{"parameter not given", `"Parameters": {"id.$": "$.id"}`, `"Parameters": {"ID.$": "$.id"}`, "uses $.id"},
	{"parameter's path", `"id.$": "$.id"`, `"id.$": "id"`, "must be a path"},
	{"ResultPath", `"ResultPath": "$.list"`, `"ResultPath": "list"`, "ResultPath"},
	{"unknown flow", `flow:log"`, `flow:blog"`, `no flow "blog"`},
	{"flow's ARN", `zis:my_integration:flow:log`, `log`, "zis:<integration>:flow"},
	{"no source", `"event_source": "support", `, ``, "event_source"},
	{"no event", `"event_type": "ticket.TicketCreated", `, ``, "event_type"},
}

func TestBroken(t *testing.T) {
	t.Parallel()
	for _, b := range broken {
		text := strings.Replace(sample, b.old, b.with, 1)
		if text == sample {
			t.Errorf("%s: nothing was broken", b.name)
		}
		list := zis.Validate([]byte(text))
		told := false
		for _, p := range list {
			told = told || (!p.Warning && strings.Contains(p.String(), b.want))
		}
		if !told || !zis.Faulty(list) {
			t.Errorf("%s: %v, want an error with %q", b.name, list, b.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][3]string{
		"event unknown":     {`ticket.TicketCreated`, `ticket.Created`, "none of the ticket events"},
		"http":              {`"https://{{`, `"http://{{`, "in the clear"},
		"no default":        {`, "Default": "Done"`, ``, "without Default"},
		"path as text":      {`"host": "in"`, `"host": "$.subdomain"`, "ends in .$"},
		"credential inside": {`"connectionName": "peer", `, `"headers": [{"key": "authorization", "value": "Basic eA=="}], `, "belongs into a connection"},
		"action unused":     {`zis:my_integration:action:whole", "Parameters": {"all.$": "$.input", "host": "in"}`, `zis:common:x", "Parameters": {}`, "no state uses"},
		"long name":         {`Ticket logger`, strings.Repeat("x", 51), "50 characters"},
	} {
		list := zis.Validate([]byte(strings.Replace(sample, c[0], c[1], 1)))
		if len(list) == 0 || zis.Faulty(list) || !strings.Contains(list[0].String(), c[2]) {
			t.Errorf("%s: %v, want a warning with %q", name, list, c[2])
		}
	}
}

// TestExample keeps the bundle that the docs and the app show as it is made.
func TestExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("bundle.example.json")
	if err != nil {
		t.Fatal(err)
	}
	if want := mustBundle(t).JSON; !bytes.Equal(text, want) {
		t.Errorf("clients/zendesk/zis/bundle.example.json is not what New makes:\n%s", want)
	}
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(mustBundle(f).JSON))
	for _, b := range broken {
		f.Add([]byte(strings.Replace(sample, b.old, b.with, 1)))
	}
	version := regexp.MustCompile(`2019-10-14`)
	f.Fuzz(func(t *testing.T, text []byte) {
		list := zis.Validate(text)
		if zis.Faulty(list) {
			return
		}
		// What passes is a bundle of that version, all of whose references hold.
		if !json.Valid(text) || !version.Match(text) {
			t.Errorf("passed: %s", text)
		}
	})
}
