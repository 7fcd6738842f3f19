package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
)

// deskClock is a clock that tests move by hand.
type deskClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *deskClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *deskClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// desk is a sandbox on a listener.
type desk struct {
	*sandbox.Sandbox
	t     *testing.T
	url   string
	clock *deskClock
	wire  http.RoundTripper
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	clock := &deskClock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	s := sandbox.New(sandbox.Options{Seed: 7, Now: clock.Now})
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	t.Cleanup(s.Close)
	return &desk{s, t, srv.URL, clock, http.DefaultTransport}
}

// newDirectDesk is a desk that calls and is called without a network, for tests
// in which time is simulated. What it notifies is at listenerHost.
func newDirectDesk(t *testing.T, l *listener) *desk {
	t.Helper()
	const host = "sandbox.example"
	wire := direct{listenerHost: l}
	clock := &deskClock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	s := sandbox.New(sandbox.Options{Seed: 7, Now: clock.Now, Notify: wire})
	wire[host] = s.Handler()
	t.Cleanup(s.Close)
	return &desk{s, t, "http://" + host, clock, wire}
}

// direct hands requests to the handlers of their hosts.
type direct map[string]http.Handler

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1"
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d[r.URL.Host].ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

type deskAnswer struct {
	status int
	header http.Header
	raw    []byte
	body   any // decoded JSON, if it is
}

// at walks into the decoded JSON: "ticket.id", "0.errorCode".
func (a deskAnswer) at(path string) any {
	v := a.body
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			i := int(key[0] - '0')
			if len(key) != 1 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (a deskAnswer) text(path string) string {
	switch v := a.at(path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// send makes one request; headers are "Name: value".
func (d *desk) send(method, path, body string, headers ...string) deskAnswer {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		if k, v, ok := strings.Cut(h, ": "); k == "Host" {
			req.Host = v
		} else if ok {
			req.Header.Set(k, v)
		}
	}
	res, err := (&http.Client{Transport: d.wire}).Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	a := deskAnswer{status: res.StatusCode, header: res.Header, raw: raw}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&a.body) // SOAP and empty answers are not JSON
	return a
}

func (d *desk) form(path string, values map[string]string, headers ...string) deskAnswer {
	d.t.Helper()
	form := url.Values{}
	for k, v := range values {
		form.Set(k, v)
	}
	return d.send("POST", path, form.Encode(), append([]string{"Content-Type: application/x-www-form-urlencoded"}, headers...)...)
}

func (d *desk) want(a deskAnswer, status int) deskAnswer {
	d.t.Helper()
	if a.status != status {
		d.t.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	return a
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
