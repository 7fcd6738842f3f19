package zendesk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
	"github.com/caseroom/caseroom/shared/zendesk"
)

const (
	key       = "abcdefghijklmnopqrstuvwxyz"
	ourID     = "caseroom:ann:" + key
	ticketsAt = "/api/v2/tickets"
	usersAt   = "/api/v2/users"
	tokensAt  = "/oauth/tokens"
)

// The endpoints, each with an answer that it takes for success.
var endpoints = []struct {
	name, route, path, ok string
	call                  func(context.Context, *zendesk.Client) error
}{
	{"tickets_create", "POST " + ticketsAt, ticketsAt, `{"ticket":{"id":35436}}`,
		func(ctx context.Context, c *zendesk.Client) error {
			_, err := c.CreateTicket(ctx, zendesk.Ticket{Subject: "s", Body: "b", ExternalID: ourID, RequesterID: 7, IdempotencyKey: key})
			return err
		}},
	{"tickets_list", "GET " + ticketsAt, ticketsAt, `{"tickets":[]}`,
		func(ctx context.Context, c *zendesk.Client) error {
			_, err := c.TicketsByExternalID(ctx, ourID)
			return err
		}},
	{"users_create", "POST " + usersAt, usersAt, `{"user":{"id":7,"role":"end-user"}}`,
		func(ctx context.Context, c *zendesk.Client) error {
			_, err := c.CreateUser(ctx, "caseroom:ann", "Ann")
			return err
		}},
	{"users_list", "GET " + usersAt, usersAt, `{"users":[]}`,
		func(ctx context.Context, c *zendesk.Client) error {
			_, err := c.UserByExternalID(ctx, "caseroom:ann")
			return err
		}},
}

func TestRequests(t *testing.T) {
	a := newAccount(t)
	a.On("POST "+ticketsAt, reply(201, `{"ticket":{"id":35436,"external_id":"x"},"audit":{}}`))
	a.On("GET "+ticketsAt, reply(200, `{"tickets":[{"id":9,"external_id":"`+ourID+`"},{"id":3,"external_id":"other"},{"id":8,"external_id":"`+ourID+`"}]}`))
	a.On("POST "+usersAt, reply(201, `{"user":{"id":4417,"role":"end-user"}}`))
	c, ctx := a.client(), t.Context()

	id, err := c.CreateTicket(ctx, zendesk.Ticket{
		Subject: "Ünïcode & <b>", Body: "first", ExternalID: ourID, Tags: []string{"caseroom"},
		Name: "Ann", Email: "ann@example.com", IdempotencyKey: key,
	})
	if err != nil || id != "35436" {
		t.Fatalf("CreateTicket: %q, %v", id, err)
	}
	ids, err := c.TicketsByExternalID(ctx, ourID)
	if err != nil || !cmp.Equal(ids, []string{"8", "9"}) {
		t.Errorf("TicketsByExternalID: %v, %v; want our rows alone, the oldest first", ids, err)
	}
	user, err := c.CreateUser(ctx, "caseroom:ann", "Ann")
	if err != nil || user != 4417 {
		t.Errorf("CreateUser: %d, %v", user, err)
	}
	a.On("GET "+usersAt, reply(200, `{"users":[{"id":1,"external_id":"other","role":"end-user"},{"id":4418,"external_id":"Caseroom:Ann","role":"end-user"}]}`))
	user, err = c.UserByExternalID(ctx, "caseroom:ann")
	if err != nil || user != 4418 {
		t.Errorf("UserByExternalID: %d, %v; want our row alone", user, err)
	}

	want := []struct{ method, path, query, body, idempotency string }{
		{"POST", tokensAt, "", `{"grant_type":"client_credentials","client_id":"` + clientID + `","client_secret":"` + clientSecret + `","scope":"read tickets:write users:write"}`, ""},
		{"POST", ticketsAt, "", `{"ticket":{"subject":"Ünïcode & <b>","comment":{"html_body":"<pre><code>first</code></pre>","public":true},"external_id":"` + ourID + `","tags":["caseroom"],"requester":{"name":"Ann","email":"ann@example.com"}}}`, key},
		{"GET", ticketsAt, "external_id=caseroom%3Aann%3A" + key, "", ""},
		{"POST", usersAt, "", `{"user":{"name":"Ann","external_id":"caseroom:ann","skip_verify_email":true}}`, ""},
		{"GET", usersAt, "external_id=caseroom%3Aann", "", ""},
	}
	if len(a.Calls()) != len(want) {
		t.Fatalf("%d calls, want %d", len(a.Calls()), len(want))
	}
	for i, w := range want {
		got := a.Calls()[i]
		if got.Method != w.method || got.Path != w.path || got.Query != w.query {
			t.Errorf("call %d: %s %s?%s, want %s %s?%s", i, got.Method, got.Path, got.Query, w.method, w.path, w.query)
		}
		if diff := cmp.Diff(asJSON(t, w.body), asJSON(t, got.Body)); diff != "" {
			t.Errorf("call %d: body (-want +got)\n%s", i, diff)
		}
		if g := got.Header.Get("Idempotency-Key"); g != w.idempotency {
			t.Errorf("call %d: Idempotency-Key %q, want %q", i, g, w.idempotency)
		}
		auth := "Bearer tok-1"
		if w.path == tokensAt {
			auth = ""
		}
		if g := got.Header.Get("Authorization"); g != auth {
			t.Errorf("call %d: Authorization %q, want %q", i, g, auth)
		}
	}
}

func asJSON(t *testing.T, s string) (v any) {
	t.Helper()
	if s == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return v
}

func TestLegacyTokenIsSentAsBasic(t *testing.T) {
	a := newAccount(t)
	a.On("GET "+ticketsAt, reply(200, `{"tickets":[]}`))
	c := a.client(func(o *zendesk.Options) { o.Credentials = legacy })
	if _, err := c.TicketsByExternalID(t.Context(), ourID); err != nil {
		t.Fatal(err)
	}
	r := http.Request{Header: a.To(ticketsAt)[0].Header}
	if user, pass, ok := r.BasicAuth(); !ok || user != "bot@example.com/token" || pass != apiToken {
		t.Errorf("basic auth %q %q", user, pass)
	}
	if n := len(a.To(tokensAt)); n != 0 {
		t.Errorf("%d token requests", n)
	}
}

func TestErrorClasses(t *testing.T) {
	prose := `"description":"Ann's card is 4111, see 127.0.0.1"`
	tests := []struct {
		name        string
		status      int
		body        string
		class       upstream.Class
		code        string
		credentials bool
	}{
		{"record invalid", 422, `{"error":"RecordInvalid",` + prose + `,"details":{"requester":[{"error":"BlankValue"}]}}`, upstream.Refused, "RecordInvalid", false},
		{"not found", 404, `{"error":"RecordNotFound",` + prose + `}`, upstream.Refused, "RecordNotFound", false},
		{"titled", 403, `{"error":{"title":"Forbidden","message":"You do not have access"}}`, upstream.Refused, "Forbidden", false},
		{"titled in words", 400, `{"error":{"title":"Invalid attribute","message":"no"}}`, upstream.Refused, "Invalidattribute", false},
		{"newer API", 403, `{"errors":[{"code":"TriggerCategoriesNotEnabled","title":"No","detail":"…","status":"403"}]}`, upstream.Refused, "TriggerCategoriesNotEnabled", false},
		{"newer API, title alone", 400, `{"errors":[{"title":"Bad request"}]}`, upstream.Refused, "Badrequest", false},
		{"sentence for a code", 400, `{"error":"Could not do it for ann@example.com"}`, upstream.Refused, "", false},
		{"credentials", 401, `{"error":"Couldn't authenticate you"}`, upstream.Refused, "", true},
		{"rate limit", 429, `{"error":"APIRateLimitExceeded",` + prose + `}`, upstream.RateLimited, "APIRateLimitExceeded", false},
		{"rate limit as text", 429, `Number of allowed API requests per minute exceeded`, upstream.RateLimited, "", false},
		{"server error", 500, `<html>tok-1</html>`, upstream.Unknown, "", false},
		{"bad gateway", 502, ``, upstream.Unknown, "", false},
		{"gateway time-out", 504, `null`, upstream.Unknown, "", false},
		{"unavailable", 503, `{"error":"unavailable","description":"…"}`, upstream.Unavailable, "unavailable", false},
		{"redirect", 302, ``, upstream.Unknown, "", false},
		{"an edge's 404", 404, `<html>404</html>`, upstream.Unknown, "", false},
		{"an edge's 403", 403, `{"message":"Forbidden"}`, upstream.Unknown, "", false},
		{"a cut refusal", 422, `{"error":"RecordInv`, upstream.Unknown, "", false},
		{"html for success", 200, `<!doctype html>tok-1`, upstream.Unknown, "", false},
		{"null for success", 200, `null`, upstream.Unknown, "", false},
		{"truncated", 201, `{"ticket":{"id":12`, upstream.Unknown, "", false},
		{"empty", 201, ``, upstream.Unknown, "", false},
		{"no id", 201, `{"ticket":{},"user":{"role":"end-user"}}`, upstream.Unknown, "", false},
		{"null inside", 200, `{"ticket":null,"tickets":null,"user":null}`, upstream.Unknown, "", false},
		{"wrong types", 200, `{"ticket":{"id":"x"},"tickets":{},"user":[]}`, upstream.Unknown, "", false},
		{"other error", 200, `{"error":"odd"}`, upstream.Unknown, "", false},
	}
	for _, ep := range endpoints {
		for _, tc := range tests {
			t.Run(ep.name+"/"+tc.name, func(t *testing.T) {
				a := newAccount(t)
				a.On(ep.route, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Retry-After", "17")
					reply(tc.status, tc.body)(w, r)
				})
				e := mustError(t, ep.call(t.Context(), a.client()))
				if e.Class != tc.class || e.Code != tc.code || e.Status != tc.status || e.Credentials != tc.credentials {
					t.Errorf("got %+v, want class %s, code %q, status %d, credentials %v", e, tc.class, tc.code, tc.status, tc.credentials)
				}
				if e.RetryAfter != 17*time.Second {
					t.Errorf("RetryAfter %v", e.RetryAfter)
				}
				if e.Op != ep.name || e.Vendor != "zendesk" {
					t.Errorf("named %s %s", e.Vendor, e.Op)
				}
			})
		}
		t.Run(ep.name+"/reset", func(t *testing.T) {
			a := newAccount(t)
			a.On(ep.route, drop)
			if e := mustError(t, ep.call(t.Context(), a.client())); e.Class != upstream.Unknown {
				t.Errorf("class %s", e.Class)
			}
		})
		t.Run(ep.name+"/time-out", func(t *testing.T) {
			a := newAccount(t)
			a.On(ep.route, hang)
			c := a.client(func(o *zendesk.Options) { o.Timeout, o.Credentials = 30*time.Millisecond, legacy })
			if e := mustError(t, ep.call(t.Context(), c)); e.Class != upstream.Unknown {
				t.Errorf("class %s", e.Class)
			}
		})
	}
}

func TestTokenIsCachedAndRenewedEarly(t *testing.T) {
	a, clk := newAccount(t), upstreamtest.NewClock(noon)
	a.On("GET "+ticketsAt, reply(200, `{"tickets":[]}`))
	c := a.client(func(o *zendesk.Options) { o.Now = clk.Now })
	for _, step := range []struct {
		after time.Duration
		mints int
	}{{0, 1}, {28 * time.Minute, 1}, {61 * time.Second, 2}, {time.Minute, 2}} {
		clk.Add(step.after)
		if _, err := c.TicketsByExternalID(t.Context(), ourID); err != nil {
			t.Fatal(err)
		}
		if n := len(a.To(tokensAt)); n != step.mints {
			t.Errorf("after another %v: %d tokens asked for, want %d", step.after, n, step.mints)
		}
	}
	calls := a.To(ticketsAt)
	if got := calls[len(calls)-1].Header.Get("Authorization"); got != "Bearer tok-2" {
		t.Errorf("the last call used %s", got)
	}
}

func TestTokenIsFetchedOnceByMany(t *testing.T) {
	a := newAccount(t)
	// The first token is refused, so all of them want a second one as well.
	a.On("GET "+ticketsAt, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer tok-1" {
			reply(401, `{"error":"invalid_token"}`)(w, r)
			return
		}
		reply(200, `{"tickets":[]}`)(w, r)
	})
	c := a.client()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := c.TicketsByExternalID(context.Background(), ourID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(a.To(tokensAt)); n != 2 {
		t.Errorf("%d tokens asked for, want 2", n)
	}
}

func TestUnauthorizedIsAnsweredOnce(t *testing.T) {
	rotated := func(context.Context) (zendesk.Credentials, error) {
		return zendesk.Credentials{Email: "bot@example.com", APIToken: apiToken + "2"}, nil
	}
	broken := func(context.Context) (zendesk.Credentials, error) {
		return zendesk.Credentials{}, errors.New("no secret")
	}
	refuse := reply(401, `{"error":"Couldn't authenticate you"}`)
	fine := reply(200, `{"tickets":[]}`)
	tests := []struct {
		name        string
		creds, next func(context.Context) (zendesk.Credentials, error)
		api         http.HandlerFunc
		auths       []string // Authorization of the calls, in order
		ok          bool
	}{
		{"oauth, token revoked", oauth, oauth, inTurn(refuse, fine), []string{"Bearer tok-1", "Bearer tok-2"}, true},
		{"oauth, refused for good", oauth, oauth, refuse, []string{"Bearer tok-1", "Bearer tok-2"}, false},
		{"legacy, secret rotated", legacy, rotated, inTurn(refuse, fine), []string{basic(apiToken), basic(apiToken + "2")}, true},
		{"legacy, refused for good", legacy, legacy, refuse, []string{basic(apiToken), basic(apiToken)}, false},
		{"legacy to oauth", legacy, oauth, inTurn(refuse, fine), []string{basic(apiToken), "Bearer tok-1"}, true},
		{"the secret is gone", oauth, broken, refuse, []string{"Bearer tok-1"}, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			a := newAccount(t)
			a.On("GET "+ticketsAt, tc.api)
			c := a.client(func(o *zendesk.Options) { o.Credentials, o.Reread = tc.creds, tc.next })
			_, err := c.TicketsByExternalID(t.Context(), ourID)
			if tc.ok != (err == nil) {
				t.Errorf("error %v", err)
			}
			if !tc.ok {
				if e := mustError(t, err); !e.Credentials || e.Class != upstream.Refused || e.Status != 401 {
					t.Errorf("got %+v", e)
				}
			}
			var auths []string
			for _, c := range a.To(ticketsAt) {
				auths = append(auths, c.Header.Get("Authorization"))
			}
			if diff := cmp.Diff(tc.auths, auths); diff != "" {
				t.Errorf("calls (-want +got)\n%s", diff)
			}
		})
	}
}

func basic(token string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("bot@example.com/token", token)
	return r.Header.Get("Authorization")
}

func TestTokenEndpointFailures(t *testing.T) {
	old := func(context.Context) (zendesk.Credentials, error) {
		return zendesk.Credentials{ClientID: clientID, ClientSecret: "rotated-away"}, nil
	}
	t.Run("secret rotated", func(t *testing.T) {
		a := newAccount(t)
		a.On("GET "+ticketsAt, reply(200, `{"tickets":[]}`))
		c := a.client(func(o *zendesk.Options) { o.Credentials, o.Reread = old, oauth })
		if _, err := c.TicketsByExternalID(t.Context(), ourID); err != nil {
			t.Fatal(err)
		}
		if n := len(a.To(tokensAt)); n != 2 {
			t.Errorf("%d token requests, want 2", n)
		}
	})
	t.Run("secret wrong", func(t *testing.T) {
		a := newAccount(t)
		c := a.client(func(o *zendesk.Options) { o.Credentials = old })
		_, err := c.TicketsByExternalID(t.Context(), ourID)
		if e := mustError(t, err); !e.Credentials || e.Code != "invalid_client" || e.Class != upstream.Refused {
			t.Errorf("got %+v", e)
		}
		if n := len(a.To(tokensAt)); n != 1 {
			t.Errorf("%d token requests, want 1", n)
		}
	})
	for name, tc := range map[string]struct {
		answer      http.HandlerFunc
		class       upstream.Class
		credentials bool
	}{
		"scope not allowed": {reply(400, `{"error":"invalid_scope","error_description":"…"}`), upstream.Refused, true},
		"rate limit":        {reply(429, ``), upstream.RateLimited, false},
		"server error":      {reply(500, ``), upstream.Unavailable, false},
		"html":              {reply(200, `<html>`), upstream.Unavailable, false},
		"null":              {reply(200, `null`), upstream.Unavailable, false},
		"no token":          {reply(200, `{"expires_in":1800}`), upstream.Unavailable, false},
		"unusable token":    {reply(200, `{"access_token":"a\r\nb"}`), upstream.Unavailable, false},
		"reset":             {drop, upstream.Unavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.On("POST "+tokensAt, tc.answer)
			// Create, not a read: a ticket that was never asked for is not looked up.
			_, err := zendesk.Desk{Client: a.client(), Wait: noWait}.Create(t.Context(), ann)
			if e := mustError(t, err); e.Class != tc.class || e.Credentials != tc.credentials {
				t.Errorf("got %+v, want class %s, credentials %v", e, tc.class, tc.credentials)
			}
			if n := len(a.To(ticketsAt)); n != 0 {
				t.Errorf("%d ticket calls without a token", n)
			}
		})
	}
}

func TestTokenWithoutExpiryIsKept(t *testing.T) {
	a, clk := newAccount(t), upstreamtest.NewClock(noon)
	a.On("POST "+tokensAt, reply(200, `{"access_token":"tok-old"}`))
	a.On("GET "+ticketsAt, reply(200, `{"tickets":[]}`))
	c := a.client(func(o *zendesk.Options) { o.Now = clk.Now })
	for range 3 {
		clk.Add(100 * time.Hour)
		if _, err := c.TicketsByExternalID(t.Context(), ourID); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.To(tokensAt)); n != 1 {
		t.Errorf("%d token requests", n)
	}
}

func TestCredentialsFailurePassesThrough(t *testing.T) {
	a := newAccount(t)
	want := errors.New("secrets: caseroom/zendesk is not readable")
	c := a.client(func(o *zendesk.Options) {
		o.Credentials = func(context.Context) (zendesk.Credentials, error) { return zendesk.Credentials{}, want }
	})
	if _, err := (zendesk.Desk{Client: c}).Create(t.Context(), ann); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	if len(a.Calls()) != 0 {
		t.Errorf("%d calls", len(a.Calls()))
	}
}

func TestCredentials(t *testing.T) {
	for _, tc := range []struct {
		json string
		ok   bool
	}{
		{`{"clientId":"a","clientSecret":"b"}`, true},
		{`{"email":"a","apiToken":"b"}`, true},
		{`{}`, false},
		{`{"clientId":"a","apiToken":"hush"}`, false},
		{`{"email":"hush"}`, false},
	} {
		var c zendesk.Credentials
		if err := json.Unmarshal([]byte(tc.json), &c); err != nil {
			t.Fatal(err)
		}
		err := c.Validate()
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.json, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%v tells a value", err)
		}
	}
	var log bytes.Buffer
	c := zendesk.Credentials{ClientID: clientID, ClientSecret: clientSecret, APIToken: apiToken}
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", c, "b", &c)
	fmt.Fprintf(&log, "%v %+v %#v %s", c, c, c, &c)
	upstreamtest.NoLeak(t, log.String(), secret...)
	if !strings.Contains(log.String(), "REDACTED") {
		t.Error(log.String())
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]zendesk.Options{
		"no credentials":   {BaseURL: "https://acme.zendesk.com"},
		"no base URL":      {Credentials: oauth},
		"plain http":       {BaseURL: "http://acme.zendesk.com", Credentials: oauth},
		"negative timeout": {BaseURL: "https://acme.zendesk.com", Credentials: oauth, Timeout: -1},
	} {
		if _, err := zendesk.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c, err := zendesk.New(zendesk.Options{BaseURL: "https://acme.zendesk.com:8443/x/", Credentials: oauth})
	if err != nil || c.Host() != "acme.zendesk.com:8443" {
		t.Errorf("%v, %v", c.Host(), err)
	}
}

func FuzzErrors(f *testing.F) {
	for _, s := range []string{
		`{"error":"RecordInvalid","description":"x","details":{"a":[{"error":"BlankValue"}]}}`,
		`{"error":{"title":"Invalid attribute","message":"m"}}`,
		`{"errors":[{"code":"C","title":"t"}]}`, `{"error":null,"errors":[]}`, `{"error":["a"]}`, `null`, `[`, ``,
		`{"ticket":{"id":1},"tickets":[{"id":1,"external_id":"` + ourID + `"}],"user":{"id":1,"role":"end-user"}}`,
	} {
		f.Add(422, s)
		f.Add(200, s)
	}
	code := regexp.MustCompile(`^[A-Za-z_]{0,48}$`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 401 {
			return
		}
		c, err := zendesk.New(zendesk.Options{
			BaseURL: "https://acme.zendesk.com", Credentials: legacy,
			Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(status, body), nil }),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, ep := range endpoints {
			err := ep.call(context.Background(), c)
			var e *upstream.Error
			switch {
			case err == nil && (status < 200 || status > 299):
				t.Errorf("%s: status %d is a success", ep.name, status)
			case err != nil && (!errors.As(err, &e) || e.Status != status || !code.MatchString(e.Code)):
				t.Errorf("%s: %v", ep.name, err)
			}
		}
	})
}
