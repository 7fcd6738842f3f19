package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
)

// Each function's event.json goes through its bootstrap and gets a documented
// 200, as it does by sam local invoke against make run.
func TestStoredEvents(t *testing.T) {
	t.Parallel()
	local := func(set *settings) {
		// What make run uses.
		set.sandbox.Seed = 1
		set.parameters["LoginAudience"] = "caseroom-local"
	}
	s := newStack(t, local)
	dana := s.loginToken("dana", map[string]any{"aud": "caseroom-local", "email": "dana@customer.example"})
	for range 2 {
		s.createTicket("/zendesk/createticket", dana) // as make run does at its start
	}
	check := map[string]func(*testing.T, *stack, answer){
		"createticket": func(t *testing.T, s *stack, a answer) {
			if a.text("userId") != "dana" || !slices.Equal(members(s.room(a.text("GroupId"))), []string{"dana"}) {
				t.Error(a)
			}
			s.same(a, s.invoke("CreateTicketFunction", storedEvent(t, "createticket")))
		},
		"joingroup": func(t *testing.T, s *stack, a answer) {
			if a.fields["MemberList"] == nil {
				t.Error(a)
			}
		},
		"leavegroup": func(t *testing.T, s *stack, _ answer) {
			if got := members(s.room("ZENDESK#1001")); !slices.Equal(got, []string{"dana"}) {
				t.Errorf("members %v", got)
			}
		},
		"deletegroup": func(t *testing.T, s *stack, _ answer) {
			if _, ok := s.box.Group("ZENDESK#1002"); ok {
				t.Error("the room is still there")
			}
		},
		"chatjwt": func(_ *testing.T, s *stack, a answer) { s.verified(a.text("token"), s.fix.Zendesk.ChatSharedSecret) },
		"usersig": func(t *testing.T, _ *stack, a answer) {
			if a.text("userId") != "dana" || a.text("userSig") == "" {
				t.Error(a)
			}
		},
		"visitor": func(t *testing.T, _ *stack, a answer) {
			if a.text("imUserId") != "dana" {
				t.Error(a)
			}
		},
		"zendeskevent": func(t *testing.T, s *stack, a answer) {
			if hints := s.hints(); a.fields["queued"] != 1.0 || hints[len(hints)-1].Group != "zendesk:1001" {
				t.Error(a)
			}
		},
		"salesforceevent": func(t *testing.T, s *stack, a answer) {
			if hints := s.hints(); a.fields["queued"] != 1.0 || !strings.HasPrefix(hints[len(hints)-1].Group, "salesforce:") {
				t.Error(a)
			}
		},
		"chatevent": func(t *testing.T, s *stack, a answer) {
			if hints := s.hints(); a.text("ActionStatus") != "OK" || hints[len(hints)-1].Group != "zendesk:1001" {
				t.Error(a)
			}
		},
		"calendarconnect": func(t *testing.T, _ *stack, a answer) {
			if a.text("state") != "none" || a.text("feedUrl") == "" {
				t.Error(a)
			}
		},
		"calendarfeed": func(t *testing.T, _ *stack, a answer) {
			if !strings.HasPrefix(string(a.body), "BEGIN:VCALENDAR\r\n") {
				t.Error(a)
			}
		},
		"zendeskapp": func(t *testing.T, _ *stack, a answer) {
			if !strings.Contains(string(a.body), "caseroom-session") {
				t.Error(a)
			}
		},
	}
	// In the template's order a join comes before its leave.
	for _, f := range s.host.Stack().Functions {
		event := storedEvent(t, f.Label())
		if len(f.Routes) == 0 {
			on := s
			if f.Label() == "forward" {
				on = newStack(t, local) // it waits for a calm queue, and nobody works ours off
			}
			on.invokeQueued(f.LogicalID, event)
			continue
		}
		if check[f.Label()] == nil {
			t.Errorf("%s is not checked here", f.Label())
			continue
		}
		if f.Label() == "chatevent" {
			// The chat's signature lives a minute.
			query := storedQuery.FindString(event)
			fresh := "CallbackCommand=Group.CallbackAfterMemberExit&OptPlatform=Web&" + s.chatProof(s.fix.Tencent.WebhookToken, time.Now())
			if a := s.invoke(f.LogicalID, event); a.status != http.StatusUnauthorized {
				t.Errorf("with an old signature: %s", a)
			}
			event = strings.Replace(event, query, `"rawQueryString": "`+fresh+`"`, 1)
		}
		request := eventRequest(t, f, event)
		stacks := []*stack{s}
		if f.Label() == "zendeskapp" {
			// The token is signed for the hosts at which make run's Zendesk is.
			stacks = []*stack{
				newStack(t, local, parameter("ZendeskBaseUrl", "http://127.0.0.1:3100/zendesk")),
				newStack(t, local, func(set *settings) {
					set.environment = map[string]string{"AWS_SAM_LOCAL": "true", "ZENDESK_BASE_URL": "http://host.docker.internal:3100/zendesk"}
				}),
			}
		}
		for _, s := range stacks {
			a := s.invoke(f.LogicalID, event)
			a.request = request
			if a.status != http.StatusOK {
				t.Errorf("%s: %s", f.Label(), a)
				continue
			}
			if err := document.checkAnswer(request.method, request.path, a); err != nil {
				t.Errorf("%s: %v", f.Label(), err)
			}
			check[f.Label()](t, s, a)
		}
	}
}

// invokeQueued sends a function that reads a queue its event: no message of it
// may fail.
func (s *stack) invokeQueued(function, event string) {
	s.tb.Helper()
	out, err := s.host.Invoke(context.Background(), function, []byte(event))
	if err != nil {
		s.tb.Errorf("%s: %v", function, err)
		return
	}
	var res struct {
		BatchItemFailures []any `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out, &res); err != nil || len(res.BatchItemFailures) > 0 {
		s.tb.Errorf("%s answers %s", function, out)
	}
}

var storedQuery = regexp.MustCompile(`"rawQueryString": "[^"]*"`)

func storedEvent(tb testing.TB, function string) string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(root, "functions", function, "event.json"))
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// eventRequest is the HTTP request of an event. It must be of one of the
// function's routes and be what the document says.
func eventRequest(t *testing.T, f lambdahost.Function, event string) request {
	t.Helper()
	var e struct {
		RouteKey, RawPath, RawQueryString, Body string
		Headers                                 map[string]string
		IsBase64Encoded                         bool
		RequestContext                          struct {
			RouteKey string
			HTTP     struct{ Method, Path string }
		}
	}
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatal(err)
	}
	route := e.RequestContext.HTTP.Method + " " + e.RawPath
	if e.RouteKey != route || e.RequestContext.RouteKey != route || e.RequestContext.HTTP.Path != e.RawPath {
		t.Errorf("%s: the event names several routes", f.Label())
	}
	if !slices.ContainsFunc(f.Routes, func(r lambdahost.Route) bool { return r.Key() == route }) {
		t.Errorf("%s has no route %s", f.Label(), route)
	}
	r := request{method: e.RequestContext.HTTP.Method, path: e.RawPath, body: e.Body, header: http.Header{}}
	if e.RawQueryString != "" {
		r.path += "?" + e.RawQueryString
	}
	if e.IsBase64Encoded {
		raw, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			t.Error(err)
		}
		r.body = string(raw)
	}
	for name, value := range e.Headers {
		r.header.Set(name, value)
	}
	scheme, ok := map[string]string{
		"createticket": "loginToken", "usersig": "loginToken", "chatjwt": "loginCookie", "zendeskapp": "", "zendeskevent": "zisBearer",
		"calendarconnect": "agentSession", "calendarfeed": "", "chatevent": "chatSignature+chatTime",
	}[f.Label()]
	if !ok {
		scheme = "deskKey"
	}
	if err := document.checkRequest(r, scheme); err != nil {
		t.Errorf("%s: %v", f.Label(), err)
	}
	return r
}
