package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/caseroom/caseroom/shared/api"
)

// document is docs/openapi.yaml.
var document *openapi

type openapi struct{ *openapi3.T }

func loadDocument() (*openapi, error) {
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(root, "docs", "openapi.yaml"))
	if err != nil {
		return nil, fmt.Errorf("docs/openapi.yaml: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("docs/openapi.yaml: %w", err)
	}
	// A problem of ours may be declared application/problem+json.
	openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/calendar", openapi3filter.FileBodyDecoder)
	return &openapi{doc}, nil
}

// route is the operation of a request; nil if the document has none.
func (d *openapi) route(method, path string) *routers.Route {
	path, _, _ = strings.Cut(path, "?")
	item := d.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil
	}
	return &routers.Route{Spec: d.T, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)}
}

// checkAnswer validates an answer against the document: status, content type,
// headers and body. Requests that the document does not know are the gateway's.
func (d *openapi) checkAnswer(method, path string, a answer) error {
	route := d.route(method, path)
	if route == nil {
		return nil
	}
	req, err := http.NewRequest(method, "http://127.0.0.1:3000"+path, nil)
	if err != nil {
		return nil // no client of the document could send it
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

// operation is one of the document's.
type operation struct {
	method, path string
	*openapi3.Operation
}

func (o operation) String() string { return o.method + " " + o.path }

func (d *openapi) operations() []operation {
	var list []operation
	for path, item := range d.Paths.Map() {
		for method, op := range item.Operations() {
			list = append(list, operation{method, path, op})
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.String(), b.String()) })
	return list
}

// schemes are the ways in which an operation may be authenticated, "" for none.
func (o operation) schemes(tb testing.TB) []string {
	tb.Helper()
	if o.Security == nil {
		tb.Fatalf("%s says nothing about security", o)
	}
	var list []string
	for _, alternative := range *o.Security {
		list = append(list, strings.Join(slices.Sorted(maps.Keys(alternative)), "+"))
	}
	return list
}

// The template's routes, the document's operations and the handlers' routes are
// the same, and so are the routes that IAM guards.
func TestRoutes(t *testing.T) {
	t.Parallel()
	var deployed, documented, handled, signed, documentedSigned []string
	for _, f := range newStack(t).host.Stack().Functions {
		for _, route := range f.Routes {
			deployed = append(deployed, route.Key())
			if route.IAM {
				signed = append(signed, route.Key())
			}
		}
	}
	for _, op := range document.operations() {
		documented = append(documented, op.String())
		if slices.Equal(op.schemes(t), []string{"iam"}) {
			documentedSigned = append(documentedSigned, op.String())
		}
	}
	members := &api.Members{}
	for _, routes := range []api.Routes{
		(&api.CreateTicket{}).Routes(), members.JoinRoutes(), members.LeaveRoutes(), members.DeleteRoutes(),
		(&api.ChatJWT{}).Routes(), (&api.UserSig{}).Routes(), (&api.ZendeskApp{}).Routes(), (&api.Visitor{}).Routes(),
		(&api.ZendeskEvent{}).Routes(), (&api.SalesforceEvent{}).Routes(), (&api.ChatEvent{}).Routes(),
		(&api.CalendarConnect{}).Routes(), (&api.CalendarFeed{}).Routes(),
	} {
		handled = slices.AppendSeq(handled, maps.Keys(routes))
	}
	for _, list := range [][]string{deployed, documented, handled, signed, documentedSigned} {
		slices.Sort(list)
	}
	if diff := cmp.Diff(deployed, documented); diff != "" {
		t.Errorf("docs/openapi.yaml (-template +document):\n%s", diff)
	}
	if diff := cmp.Diff(deployed, handled); diff != "" {
		t.Errorf("handlers (-template +handlers):\n%s", diff)
	}
	if diff := cmp.Diff(signed, documentedSigned); diff != "" {
		t.Errorf("IAM (-template +document):\n%s", diff)
	}
}

// Every documented example goes through the running gateway with each documented
// credential, and gets the documented 200.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for _, op := range document.operations() {
		for _, scheme := range op.schemes(t) {
			sent := 0
			for name, example := range op.bodies(t) {
				for _, query := range op.queries() {
					// At /usersig Salesforce names its user and nobody else does.
					if op.path == "/usersig" && (scheme == "deskKey") != (name == "agent") {
						continue
					}
					s.example(t, op, scheme, example, query)
					sent++
				}
			}
			if sent == 0 {
				t.Errorf("%s has no example for %s", op, scheme)
			}
		}
	}
}

// bodies are the operation's examples of a body by name.
func (o operation) bodies(tb testing.TB) map[string]body {
	tb.Helper()
	list := map[string]body{}
	if o.RequestBody == nil || !o.RequestBody.Value.Required {
		list[""] = body{}
	}
	if o.RequestBody != nil {
		for media, content := range o.RequestBody.Value.Content {
			for name, example := range content.Examples {
				list[name] = body{media, example.Value.Value}
			}
		}
	}
	return list
}

type body struct {
	media string
	value any
}

// queries are the operation's query strings: each parameter's examples and the
// values it may have, and none where it may be left out.
func (o operation) queries() []string {
	list := []string{""}
	for _, p := range o.Parameters {
		if p.Value.In != "query" {
			continue
		}
		if p.Value.Required {
			list = nil
		}
		for _, example := range p.Value.Examples {
			list = append(list, p.Value.Name+"="+url.QueryEscape(fmt.Sprint(example.Value.Value)))
		}
		for _, value := range p.Value.Schema.Value.Enum {
			list = append(list, p.Value.Name+"="+url.QueryEscape(fmt.Sprint(value)))
		}
	}
	return list
}

// example sends one, with the ids in it replaced by ones that exist.
func (s *stack) example(t *testing.T, op operation, scheme string, b body, query string) {
	t.Helper()
	r := request{method: op.method, path: op.path}
	if query != "" {
		r.path += "?" + query
	}
	z, c := s.joinables()[0], s.joinables()[1]
	c.agent = "005Hs00000AbCdEIAV" // the example's own will do
	desk := z
	if strings.Contains(op.path, "/salesforce/") || op.path == "/usersig" {
		desk = c
	}
	if fields, ok := b.value.(map[string]any); ok {
		fields = maps.Clone(fields)
		if _, ok := fields["groupId"]; ok {
			fields["groupId"] = desk.room
		}
		if _, ok := fields["token"]; ok {
			fields["token"] = s.appToken(s.zendeskAgent(), nil)
		}
		if _, ok := fields["cases"]; ok {
			fields["cases"] = []string{c.room, c.room[:15]}
		}
		if b.media == "application/json" {
			r.body = string(must(json.Marshal(fields)))
		} else {
			form := url.Values{}
			for name, value := range fields {
				form.Set(name, fmt.Sprint(value))
			}
			r.body = form.Encode()
		}
		r = r.with("Content-Type", b.media)
	}
	for _, p := range op.Parameters {
		if p.Value.In == "header" && p.Value.Name == "Idempotency-Key" {
			if len(p.Value.Examples) == 0 {
				t.Errorf("%s: Idempotency-Key has no example", op)
			}
			for _, example := range p.Value.Examples {
				r.key = fmt.Sprint(example.Value.Value)
			}
		}
	}
	switch op.String() {
	case "GET /calendar/feed", "HEAD /calendar/feed":
		r.path = s.feedPath()
		if query, _, _ := strings.Cut(query, "="); query == "format" {
			r.path += "&format=vtodo"
		}
	case "GET /calendar/callback":
		r = s.consent(s.agentSession(s.zendeskAgent()), "alex@caseroom.example")
	}
	credentials := s.credentials()
	switch scheme {
	case "":
	case "loginToken":
		r.as = credentials.login
	case "loginCookie":
		r.cookie = credentials.login
		if r.body == "" && op.method == http.MethodPost {
			return // TestLoginCookie: a cookie's POST must be JSON
		}
	case "guestToken":
		r.as = credentials.guest
	case "agentSession":
		r.as = credentials.agent
	case "deskKey":
		r.as = desk.key
	case "iam":
		r = r.signedBy(principal)
	case "zisBearer":
		r.as = s.fix.Zendesk.EventsBearer
	case "zendeskSignature+zendeskTimestamp":
		for name, values := range s.proved(r.body, s.fix.Zendesk.WebhookSecret, time.Now()).header {
			r = r.with(name, values[0])
		}
	case "chatSignature+chatTime":
		r.path += "&" + s.chatProof(s.fix.Tencent.WebhookToken, time.Now())
	default:
		t.Fatalf("%s: unknown security scheme %q", op, scheme)
	}
	if r.key != "" && scheme == "" {
		r.key = uuid.NewString() // the example's would be one guest for all
	}
	if err := document.checkRequest(r, scheme); err != nil {
		t.Errorf("%s with %s: the example is not what the document says: %v", op, scheme, err)
	}
	if a := s.do(r); a.status != http.StatusOK {
		t.Errorf("with %s: %s %s", scheme, r.body, a)
	}
}

// checkRequest validates a request against the document, its credential
// included.
func (d *openapi) checkRequest(r request, scheme string) error {
	route := d.route(r.method, r.path)
	req, err := http.NewRequest(r.method, "http://127.0.0.1:3000"+r.path, strings.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header = r.header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	return openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request: req, Route: route,
		Options: &openapi3filter.Options{
			MultiError: true,
			AuthenticationFunc: func(_ context.Context, in *openapi3filter.AuthenticationInput) error {
				if !slices.Contains(strings.Split(scheme, "+"), in.SecuritySchemeName) {
					return errors.New("another scheme")
				}
				return nil
			},
		},
	})
}

// The examples of the document's answers are what its schemas say, and there is
// one for every documented body.
func TestDocumentedAnswers(t *testing.T) {
	t.Parallel()
	for _, op := range document.operations() {
		for status, response := range op.Responses.Map() {
			for media, content := range response.Value.Content {
				if len(content.Examples) == 0 && media != "text/html" {
					t.Errorf("%s: %s as %s has no example", op, status, media)
				}
				for name, example := range content.Examples {
					raw := must(json.Marshal(example.Value.Value))
					a := answer{header: http.Header{"Content-Type": {media}}, body: raw}
					if _, err := fmt.Sscan(status, &a.status); err != nil {
						t.Fatal(err)
					}
					if response.Value.Headers["Retry-After"] != nil {
						a.header.Set("Retry-After", "2")
					}
					_ = json.Unmarshal(raw, &a.fields)
					if err := document.checkAnswer(op.method, op.path, a); err != nil {
						t.Errorf("%s: example %s of %s: %v", op, name, status, err)
					}
					if media != "application/problem+json" {
						continue
					}
					a.request = request{method: op.method, path: op.path}
					if err := a.asProblem(slices.Collect(maps.Keys(statuses))...); err != nil {
						t.Errorf("example %s: %v", name, err)
					}
				}
			}
		}
	}
}

// The checks of this package find what is wrong.
func TestDocumentRefuses(t *testing.T) {
	t.Parallel()
	jsonType := http.Header{"Content-Type": {"application/json"}}
	problemType := http.Header{"Content-Type": {"application/problem+json"}}
	good := `"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":"","GroupId":"g","ticketId":"1","userId":"a","userSig":"s","sdkAppId":1,"idempotencyKey":"k"`
	const when = `,"expiresAt":"2026-11-03T10:00:00Z"`
	for name, c := range map[string]struct {
		answer answer
		wrong  bool
	}{
		"as documented":        {answer{status: 200, header: jsonType, body: []byte(`{` + good + when + `}`)}, false},
		"a missing field":      {answer{status: 200, header: jsonType, body: []byte(`{` + good + `}`)}, true},
		"a number for an id":   {answer{status: 200, header: jsonType, body: []byte(`{` + strings.Replace(good, `"1"`, `1`, 1) + when + `}`)}, true},
		"an error in a 200":    {answer{status: 200, header: jsonType, body: []byte(`{` + strings.Replace(good, `:0`, `:10021`, 1) + when + `}`)}, true},
		"no time":              {answer{status: 200, header: jsonType, body: []byte(`{` + good + `,"expiresAt":"tomorrow"}`)}, true},
		"another content type": {answer{status: 200, header: http.Header{"Content-Type": {"text/plain"}}, body: []byte(`{}`)}, true},
		"no such status":       {answer{status: 418, header: problemType, body: []byte(`{}`)}, true},
		"an empty problem":     {answer{status: 400, header: problemType, body: []byte(`{}`)}, true},
		"a code of its own": {answer{status: 400, header: problemType, body: []byte(
			`{"type":"about:blank","title":"t","status":400,"detail":"d","code":"odd","requestId":"r"}`)}, true},
		"not JSON": {answer{status: 200, header: jsonType, body: []byte(`<html>`)}, true},
	} {
		if err := document.checkAnswer("POST", "/createticket", c.answer); (err != nil) != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range []request{
		{method: "POST", path: "/createticket", body: `{}`},
		{method: "POST", path: "/createticket", body: `{"caseInfo":{"subject":"x"}}`},
		{method: "POST", path: "/createticket", body: `{"userId":true,"caseInfo":{"subject":"x","desc":"y"}}`},
		{method: "GET", path: "/visitor"},
		{method: "GET", path: "/generate/token?for=nobody"},
	} {
		if err := document.checkRequest(r.with("Content-Type", "application/json"), "loginToken"); err == nil {
			t.Errorf("%s %s %s passes for a documented request", r.method, r.path, r.body)
		}
	}
}
