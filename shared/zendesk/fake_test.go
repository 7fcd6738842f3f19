package zendesk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

const (
	clientID     = "caseroom_app"
	clientSecret = "client-secret-8c1f"
	apiToken     = "api-token-77ab"
	prefix       = "/zd" // an absolute path by mistake misses the server
)

// call is one request the account received.
type call struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// account is a Zendesk account of one test: it answers only what the test
// told it to, and remembers what it was asked.
type account struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	calls  []call
	routes map[string]http.HandlerFunc
	minted int
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := newDirectAccount(t)
	s := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(s.Close)
	a.url = s.URL + prefix
	return a
}

// newDirectAccount is an account without a network, for tests in which time is
// simulated: its clients' transport is direct.
func newDirectAccount(t *testing.T) *account {
	a := &account{t: t, url: "https://acme.zendesk.com" + prefix, routes: map[string]http.HandlerFunc{}}
	a.on("POST /oauth/tokens", a.mint)
	return a
}

func (a *account) direct(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	a.serve(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (a *account) on(route string, h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.routes[route] = h
}

func (a *account) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path, ok := strings.CutPrefix(r.URL.Path, prefix)
	a.mu.Lock()
	a.calls = append(a.calls, call{r.Method, path, r.URL.RawQuery, string(body), r.Header.Clone()})
	h := a.routes[r.Method+" "+path]
	a.mu.Unlock()
	if !ok || h == nil {
		a.t.Errorf("unexpected %s %s", r.Method, r.URL.Path)
		http.NotFound(w, r)
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	h(w, r)
}

// mint is POST /oauth/tokens as Zendesk does it, for the one client there is.
func (a *account) mint(w http.ResponseWriter, r *http.Request) {
	var in map[string]string
	if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&in) != nil {
		reply(400, `{"error":"invalid_request","error_description":"…"}`)(w, r)
		return
	}
	if in["grant_type"] != "client_credentials" || in["client_id"] != clientID || in["client_secret"] != clientSecret {
		reply(401, `{"error":"invalid_client","error_description":"secret `+in["client_secret"]+` is wrong"}`)(w, r)
		return
	}
	a.mu.Lock()
	a.minted++
	n := a.minted
	a.mu.Unlock()
	reply(200, fmt.Sprintf(`{"access_token":"tok-%d","token_type":"bearer","scope":%q,"expires_in":1800}`, n, in["scope"]))(w, r)
}

func (a *account) to(path string) []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []call
	for _, c := range a.calls {
		if c.Path == path {
			found = append(found, c)
		}
	}
	return found
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// inTurn answers with each handler once and with the last one from then on.
func inTurn(hs ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := hs[min(n, len(hs)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}
}

// drop closes the connection without an answer.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers when the caller has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func oauth(context.Context) (zendesk.Credentials, error) {
	return zendesk.Credentials{ClientID: clientID, ClientSecret: clientSecret}, nil
}

func legacy(context.Context) (zendesk.Credentials, error) {
	return zendesk.Credentials{Email: "bot@example.com", APIToken: apiToken}, nil
}

func (a *account) client(change ...func(*zendesk.Options)) *zendesk.Client {
	a.t.Helper()
	o := zendesk.Options{BaseURL: a.url, Credentials: oauth, Transport: &http.Transport{}}
	for _, c := range change {
		c(&o)
	}
	c, err := zendesk.New(o)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// mustError returns err as an upstream error and fails the test when it is
// none, or when its text holds something secret.
func mustError(t *testing.T, err error) *upstream.Error {
	t.Helper()
	var e *upstream.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an upstream error", err)
	}
	mustNotLeak(t, fmt.Sprintf("%v %+v %#v %v", err, e, *e, e.Err))
	return e
}

func mustNotLeak(t *testing.T, s string) {
	t.Helper()
	for _, secret := range []string{clientSecret, apiToken, "tok-", "127.0.0.1", "Ym90QGV4YW1wbGUuY29t", chatToken} {
		if strings.Contains(s, secret) {
			t.Errorf("%q holds %q", s, secret)
		}
	}
}

func noWait(context.Context, time.Duration) error { return nil }
