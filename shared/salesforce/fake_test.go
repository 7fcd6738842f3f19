package salesforce_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/upstream"
)

const (
	clientID     = "3MVG9.consumer"
	clientSecret = "client-secret-8c1f"
	username     = `bot<&">@example.com`
	password     = `p&ss<word>"'`
	security     = "AbCd12"
	loginAt      = "/my"   // My Domain's prefix on the test server
	instanceAt   = "/inst" // the instance's
	tokenPath    = loginAt + "/services/oauth2/token"
	soapPath     = loginAt + "/services/Soap/u/64.0"
	casesPath    = instanceAt + "/services/data/v68.0/sobjects/Case"
	key          = "abcdefghijklmnopqrstuvwxyz"
	casePath     = casesPath + "/Caseroom_Key__c/" + key
	caseID       = "500000000000001AAA"
)

// call is one request the org received.
type call struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// org is a Salesforce org of one test: it answers only what the test told it
// to, and remembers what it was asked. Login and instance are two prefixes of
// one server, so that a call to the wrong one is noticed.
type org struct {
	t        *testing.T
	host     string // http://127.0.0.1:port
	instance string // what token answers name

	mu     sync.Mutex
	calls  []call
	routes map[string]http.HandlerFunc
	minted int
}

func newOrg(t *testing.T) *org {
	t.Helper()
	o := newDirectOrg(t)
	s := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(s.Close)
	o.host, o.instance = s.URL, s.URL+instanceAt
	return o
}

// newDirectOrg is an org without a network, for tests in which time is
// simulated: its clients' transport is direct.
func newDirectOrg(t *testing.T) *org {
	const host = "https://acme.my.salesforce.com"
	o := &org{t: t, host: host, instance: host + instanceAt, routes: map[string]http.HandlerFunc{}}
	o.on("POST "+tokenPath, o.mint)
	return o
}

func (o *org) direct(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	o.serve(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (o *org) on(route string, h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.routes[route] = h
}

func (o *org) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	o.calls = append(o.calls, call{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header.Clone()})
	h := o.routes[r.Method+" "+r.URL.Path]
	o.mu.Unlock()
	if h == nil {
		o.t.Errorf("unexpected %s %s", r.Method, r.URL.Path)
		http.NotFound(w, r)
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	h(w, r)
}

// mint is the token endpoint for the one client there is.
func (o *org) mint(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" ||
		r.PostForm.Get("client_id") != clientID || r.PostForm.Get("client_secret") != clientSecret {
		reply(400, `{"error":"invalid_client","error_description":"invalid client credentials `+clientSecret+`"}`)(w, r)
		return
	}
	o.grant(w, r)
}

func (o *org) grant(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.minted++
	n := o.minted
	o.mu.Unlock()
	reply(200, fmt.Sprintf(`{"access_token":"00D!tok-%d","signature":"s","scope":"api","instance_url":%q,"id":"https://login.salesforce.com/id/00D/005","token_type":"Bearer","issued_at":"1793000000000"}`, n, o.instance))(w, r)
}

func (o *org) to(path string) []call {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []call
	for _, c := range o.calls {
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

// restError is an answer in REST's error shape.
func restError(status int, code string) http.HandlerFunc {
	return reply(status, `[{"message":"about ann@example.com and 00D!tok-1","errorCode":"`+code+`","fields":[]}]`)
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

var created = reply(201, `{"id":"`+caseID+`","success":true,"errors":[]}`)

type source = func(context.Context) (salesforce.Credentials, error)

func fixed(c salesforce.Credentials) source {
	return func(context.Context) (salesforce.Credentials, error) { return c, nil }
}

var (
	byClient = salesforce.Credentials{ClientID: clientID, ClientSecret: clientSecret}
	bySOAP   = salesforce.Credentials{Username: username, Password: password, SecurityToken: security}
)

var privateKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func privatePEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(privateKey())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (o *org) client(change ...func(*salesforce.Options)) *salesforce.Client {
	o.t.Helper()
	opts := salesforce.Options{
		BaseURL: o.host + loginAt, Credentials: fixed(byClient), Transport: &http.Transport{},
		KeyField: "Caseroom_Key__c", UserField: "Caseroom_User__c",
	}
	for _, c := range change {
		c(&opts)
	}
	c, err := salesforce.New(opts)
	if err != nil {
		o.t.Fatal(err)
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
	for _, secret := range []string{clientSecret, password, security, username, "tok-", "127.0.0.1", "ann@", "PRIVATE KEY", "eyJ", url.QueryEscape(password)} {
		if strings.Contains(s, secret) {
			t.Errorf("%q holds %q", s, secret)
		}
	}
}

func noWait(context.Context, time.Duration) error { return nil }

// roundTrip is a transport made of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}
