package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

const canary = "s3cr3t-canary"

func newClient(t *testing.T, base string, timeout time.Duration) *upstream.Client {
	t.Helper()
	c, err := upstream.New(upstream.Options{Vendor: "zendesk", BaseURL: base, Timeout: timeout, Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hangUp answers nothing until the client gives up, which a server sees only
// once it has read the body.
var hangUp = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
})

func TestDoKeepsThePrefixAndTheAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/prefix/v1/a%23b" || r.URL.Query().Get("q") != "1 2" {
			t.Errorf("got %s?%s", r.URL.EscapedPath(), r.URL.RawQuery)
		}
		if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Own") != "yes" {
			t.Errorf("headers %v", r.Header)
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
		_, _ = w.Write([]byte("slow down"))
	}))
	defer srv.Close()
	c := newClient(t, srv.URL+"/prefix/", 0)
	res, err := c.Do(t.Context(), upstream.Call{
		Op: "x", Method: "POST", Path: "/v1/" + url.PathEscape("a#b"), Query: url.Values{"q": {"1 2"}},
		Header: http.Header{"X-Own": {"yes"}}, JSON: map[string]string{"a": "<b>"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if res.Status != 429 || string(res.Body) != "slow down" || res.RetryAfter != 7*time.Second {
		t.Errorf("got %d %q %v", res.Status, res.Body, res.RetryAfter)
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-5": 0, "soon": 0, " 7 ": 7 * time.Second, "86401": 24 * time.Hour,
		"9223372037": 24 * time.Hour, "99999999999999999999": 0, "Wed, 21 Oct 2015 07:28:00 GMT": 0,
		time.Now().Add(90 * 24 * time.Hour).UTC().Format(http.TimeFormat): 24 * time.Hour,
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		res, err := newClient(t, srv.URL, 0).Do(t.Context(), upstream.Call{Op: "x", Method: "GET", Path: "/"})
		srv.Close()
		if err != nil || res.RetryAfter != want {
			t.Errorf("%q: %v, %v; want %v", value, res, err, want)
		}
	}
}

func TestTransportFailuresAreClassifiedAndSilent(t *testing.T) {
	hang := httptest.NewServer(hangUp)
	defer hang.Close()
	reset := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}))
	defer reset.Close()
	short := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("{"))
	}))
	defer short.Close()
	huge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 5<<20))
	}))
	defer huge.Close()
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	defer stranger.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()

	for name, tc := range map[string]struct {
		base    string
		timeout time.Duration
		want    upstream.Class
	}{
		"time-out":       {hang.URL, 20 * time.Millisecond, upstream.Unknown},
		"reset":          {reset.URL, 0, upstream.Unknown},
		"cut body":       {short.URL, 0, upstream.Unknown},
		"body too large": {huge.URL, 0, upstream.Unknown},
		"no connection":  {closed.URL, 0, upstream.Unavailable},
		"certificate":    {stranger.URL, 0, upstream.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, tc.base, tc.timeout)
			_, err := c.Do(t.Context(), upstream.Call{
				Op: "create", Method: "POST", Path: "/v4/x", Query: url.Values{"usersig": {canary}},
				Header: http.Header{"Authorization": {"Bearer " + canary}}, Body: []byte(canary),
			})
			var e *upstream.Error
			if !errors.As(err, &e) || e.Class != tc.want {
				t.Fatalf("got %v, want class %s", err, tc.want)
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%#v", err), fmt.Sprintf("%+v", e.Err)} {
				if strings.Contains(text, canary) || strings.Contains(text, "usersig") {
					t.Errorf("the error leaks: %s", text)
				}
			}
		})
	}
}

func TestTheCallersDeadlineWins(t *testing.T) {
	srv := httptest.NewServer(hangUp)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := newClient(t, srv.URL, time.Hour).Do(ctx, upstream.Call{Op: "x", Method: "GET", Path: "/"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("credentials went elsewhere") }))
	defer elsewhere.Close()
	srv := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	res, err := newClient(t, srv.URL, 0).Do(t.Context(), upstream.Call{Op: "x", Method: "GET", Path: "/"})
	if err != nil || res.Status != http.StatusTemporaryRedirect {
		t.Errorf("got %v, %v", res, err)
	}
}

func TestParseBaseURL(t *testing.T) {
	for _, tc := range []struct {
		raw   string
		local bool
		ok    bool
	}{
		{"https://acme.zendesk.com", false, true},
		{"https://acme.zendesk.com/prefix/", false, true},
		{"http://127.0.0.1:3100/zendesk", false, true},
		{"http://[::1]:3100", false, true},
		{"http://localhost:3100", false, true},
		{"http://acme.zendesk.com", false, false},
		{"http://host.docker.internal:3100", false, false},
		{"http://host.docker.internal:3100", true, true},
		{"http://127.0.0.1.evil.example", true, false},
		{"http://localhost.evil.example", true, false},
		{"https://user:pass@acme.zendesk.com", false, false},
		{"https://acme.zendesk.com?x=1", false, false},
		{"https://acme.zendesk.com#x", false, false},
		{"ftp://acme.zendesk.com", false, false},
		{"acme.zendesk.com", false, false},
		{"https://", false, false},
		{"https://:443", false, false},
		{"", false, false},
	} {
		if u, err := upstream.ParseBaseURL(tc.raw, tc.local); (err == nil) != tc.ok {
			t.Errorf("ParseBaseURL(%q, %t) = %v, %v", tc.raw, tc.local, u, err)
		} else if err != nil && strings.Contains(err.Error(), "pass") {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
}

func FuzzParseBaseURL(f *testing.F) {
	for _, s := range []string{"https://a.example/x", "http://127.0.0.1:1", "http://[::1%25lo]/", "https://a@b", "//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := upstream.ParseBaseURL(raw, false)
		if err != nil {
			return
		}
		ip := net.ParseIP(u.Hostname())
		plainLocal := u.Scheme == "http" && (u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback()))
		if u.Scheme != "https" && !plainLocal {
			t.Errorf("accepted %q", raw)
		}
	})
}

func TestNewRefusesNonsense(t *testing.T) {
	for _, o := range []upstream.Options{
		{BaseURL: "https://a.example"},
		{Vendor: "x", BaseURL: "http://a.example"},
		{Vendor: "x", BaseURL: "https://a.example", Timeout: -1},
	} {
		if _, err := upstream.New(o); err == nil {
			t.Errorf("New(%+v) succeeded", o)
		}
	}
}

func TestTokenSource(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	fetched := 0
	src := upstream.NewTokenSource(func(context.Context) (upstream.Token, error) {
		mu.Lock()
		defer mu.Unlock()
		fetched++
		return upstream.Token{Value: fmt.Sprintf("t%d", fetched), Expires: now.Add(30 * time.Minute)}, nil
	}, time.Minute, func() time.Time { mu.Lock(); defer mu.Unlock(); return now })

	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if tok, err := src.Token(t.Context()); err != nil || tok.Value != "t1" {
				t.Errorf("got %v, %v", tok, err)
			}
		})
	}
	wg.Wait()
	if fetched != 1 {
		t.Fatalf("50 callers fetched %d tokens", fetched)
	}
	mu.Lock()
	now = now.Add(29*time.Minute + time.Second) // less than a minute to live
	mu.Unlock()
	if tok, _ := src.Token(t.Context()); tok.Value != "t2" {
		t.Errorf("not renewed early: %s", tok.Value)
	}
	for range 20 { // many calls were refused with the same token
		wg.Go(func() { _, _ = src.Renew(t.Context(), upstream.Token{Value: "t2"}) })
	}
	wg.Wait()
	if fetched != 3 {
		t.Errorf("a refused token was fetched %d times, want once", fetched-2)
	}
}

func TestTokensOfCredentials(t *testing.T) {
	var fetched []string
	tokens := upstream.NewTokens(func(_ context.Context, secret string) (upstream.Token, error) {
		fetched = append(fetched, secret)
		return upstream.Token{Value: "token of " + secret}, nil
	}, time.Minute, time.Now)
	for _, secret := range []string{"a", "a", "b", "b", "a"} {
		if got, err := tokens.Of(secret).Token(t.Context()); err != nil || got.Value != "token of "+secret {
			t.Errorf("%s: %v, %v", secret, got.Value, err)
		}
	}
	if want := []string{"a", "b", "a"}; !slices.Equal(fetched, want) {
		t.Errorf("fetched for %v, want %v", fetched, want)
	}
}

func TestTokenSourceWaitersObeyTheirOwnContext(t *testing.T) {
	release := make(chan struct{})
	src := upstream.NewTokenSource(func(context.Context) (upstream.Token, error) {
		<-release
		return upstream.Token{Value: "t"}, nil
	}, 0, time.Now)
	done := make(chan struct{})
	go func() { defer close(done); _, _ = src.Token(context.WithoutCancel(t.Context())) }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	// Whoever comes second may be the one that fetches; either way a caller
	// with a deadline is not kept past it by another's fetch.
	go func() { <-ctx.Done(); close(release) }()
	_, err := src.Token(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	<-done
}

func TestRetry(t *testing.T) {
	fail := func(class upstream.Class, after time.Duration) error {
		return &upstream.Error{Vendor: "x", Op: "y", Class: class, RetryAfter: after}
	}
	for name, tc := range map[string]struct {
		errs []error
		want int // calls
		ok   bool
	}{
		"first try":               {nil, 1, true},
		"unavailable, then fine":  {[]error{fail(upstream.Unavailable, 0)}, 2, true},
		"unknown, then fine":      {[]error{fail(upstream.Unknown, 0)}, 2, true},
		"refused":                 {[]error{fail(upstream.Refused, 0)}, 1, false},
		"not an upstream error":   {[]error{errors.New("bug")}, 1, false},
		"three failures":          {[]error{fail(upstream.Unavailable, 0), fail(upstream.Unavailable, 0), fail(upstream.Unavailable, 0)}, 3, false},
		"wait beyond the context": {[]error{fail(upstream.RateLimited, time.Hour)}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			calls := 0
			_, err := upstream.Retry(ctx, func(context.Context) (int, error) {
				calls++
				if calls <= len(tc.errs) {
					return 0, tc.errs[calls-1]
				}
				return calls, nil
			})
			if (err == nil) != tc.ok || calls != tc.want {
				t.Errorf("%d calls, %v; want %d, ok %t", calls, err, tc.want, tc.ok)
			}
			if err != nil && len(tc.errs) > 0 && !errors.Is(err, tc.errs[len(tc.errs)-1]) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}
