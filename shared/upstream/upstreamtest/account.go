// Package upstreamtest is what the tests of vendors' clients, and of what stands
// on them, have in common: an account that answers as told, a clock, a meter,
// and a look for secrets in errors.
package upstreamtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Call is one request that an account received. Path is without the prefix.
type Call struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// Account is a vendor's account of one test: it answers only what the test told
// it to, and remembers what it was asked.
type Account struct {
	t      *testing.T
	prefix string // of every path; a request without it fails the test

	mu     sync.Mutex
	calls  []Call
	routes map[string]http.HandlerFunc
}

// NewAccount returns an account that answers nothing yet.
func NewAccount(t *testing.T, prefix string) *Account {
	return &Account{t: t, prefix: prefix, routes: map[string]http.HandlerFunc{}}
}

// Listen serves the account and returns its origin.
func (a *Account) Listen() string {
	s := httptest.NewServer(a)
	a.t.Cleanup(s.Close)
	return s.URL
}

// On answers a route, "POST /oauth/tokens", from now on.
func (a *Account) On(route string, h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.routes[route] = h
}

// Calls returns every request so far, and To those to one path.
func (a *Account) Calls() []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Call(nil), a.calls...)
}

// To returns the requests to path.
func (a *Account) To(path string) []Call {
	var found []Call
	for _, c := range a.Calls() {
		if c.Path == path {
			found = append(found, c)
		}
	}
	return found
}

func (a *Account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path, ok := strings.CutPrefix(r.URL.Path, a.prefix)
	a.mu.Lock()
	a.calls = append(a.calls, Call{r.Method, path, r.URL.RawQuery, string(body), r.Header.Clone()})
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

// RoundTrip makes the account a client's transport without a network, for tests
// in which time is simulated.
func (a *Account) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// RoundTrip is a transport made of a function.
type RoundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f RoundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Answer is a transport's answer.
func Answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// Reply answers with a status and JSON.
func Reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// InTurn answers with each handler once and with the last one from then on.
func InTurn(hs ...http.HandlerFunc) http.HandlerFunc {
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

// Drop closes the connection without an answer.
func Drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// Hang answers when the caller has gone.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
