package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/aws"
	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// testClock starts at the process's time, because Tencent's library signs by
// that, and moves only when it is told to.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func newTestClock() *testClock { return &testClock{t: time.Now()} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func serve(t *testing.T, o Options) (*Sandbox, string) {
	t.Helper()
	s := New(o)
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	return s, srv.URL
}

// client makes a connection per request: a dropped one must not be retried by
// the transport on its own.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func request(t *testing.T, method, url, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestFaults(t *testing.T) {
	create := `{"Type":"Public","Name":"n","GroupId":"ZENDESK#1"}`
	tests := []struct {
		name    string
		fault   Fault
		dropped bool
		made    bool // the group exists afterwards
		status  int
		check   func(t *testing.T, res *http.Response, body string)
	}{
		{name: "reset before", fault: Fault{Kind: FaultResetBefore}, dropped: true},
		{name: "reset after", fault: Fault{Kind: FaultResetAfter}, dropped: true, made: true},
		{name: "timeout", fault: Fault{Kind: FaultTimeout, Delay: time.Millisecond}, dropped: true},
		{
			name: "status", fault: Fault{Kind: FaultStatus, Status: 429, RetryAfter: "7", Body: `{"a":1}`}, status: 429,
			check: func(t *testing.T, res *http.Response, body string) {
				if res.Header.Get("Retry-After") != "7" || body != `{"a":1}` {
					t.Errorf("got Retry-After %q, body %q", res.Header.Get("Retry-After"), body)
				}
			},
		},
		{name: "status by default", fault: Fault{Kind: FaultStatus}, status: 500},
		{
			name: "html", fault: Fault{Kind: FaultHTML}, status: 200,
			check: func(t *testing.T, res *http.Response, body string) {
				if res.Header.Get("Content-Type") != "text/html" || !strings.Contains(body, "<html>") {
					t.Errorf("got %q %q", res.Header.Get("Content-Type"), body)
				}
			},
		},
		{
			name: "null", fault: Fault{Kind: FaultNull}, status: 200,
			check: func(t *testing.T, _ *http.Response, body string) {
				if body != "null" {
					t.Errorf("got %q", body)
				}
			},
		},
		{
			name: "truncate", fault: Fault{Kind: FaultTruncate}, status: 200, made: true,
			check: func(t *testing.T, _ *http.Response, body string) {
				if body == "" || json.Valid([]byte(body)) {
					t.Errorf("got %q, want half of a JSON object", body)
				}
			},
		},
		{
			name: "code", fault: Fault{Kind: FaultCode, Code: "10021"}, status: 200,
			check: func(t *testing.T, _ *http.Response, body string) {
				var v struct {
					ActionStatus string
					ErrorCode    int
				}
				if err := json.Unmarshal([]byte(body), &v); err != nil || v.ErrorCode != 10021 || v.ActionStatus != "FAIL" {
					t.Errorf("got %s", body)
				}
			},
		},
		{name: "slow", fault: Fault{Kind: FaultSlow, Delay: time.Millisecond}, status: 200, made: true},
		{name: "another vendor's", fault: Fault{Kind: FaultResetBefore, Vendor: "zendesk"}, status: 200, made: true},
		{name: "another operation's", fault: Fault{Kind: FaultResetBefore, Op: "destroy_group"}, status: 200, made: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, url := serve(t, Options{})
			tt.fault.Times = 1
			if err := s.AddFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), "POST", imURL(t, s, url, "create_group"), strings.NewReader(create))
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if (err != nil) != tt.dropped {
				t.Fatalf("error %v, want one: %v", err, tt.dropped)
			}
			if _, ok := s.Group("ZENDESK#1"); ok != tt.made {
				t.Errorf("group made: %v, want %v", ok, tt.made)
			}
			calls := s.Calls()
			if len(calls) != 1 || calls[0].Status != tt.status || calls[0].Op != "create_group" {
				t.Errorf("calls: %+v", calls)
			}
			if err != nil {
				return
			}
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tt.status {
				t.Fatalf("status %d, error %v", res.StatusCode, err)
			}
			if tt.check != nil {
				tt.check(t, res, string(body))
			}
		})
	}
}

func TestFaultTimesAndOrder(t *testing.T) {
	s, url := serve(t, Options{})
	for _, f := range []Fault{
		{Vendor: "tencent", Kind: FaultStatus, Status: 503, Times: 2},
		{Vendor: "tencent", Op: "create_group", Kind: FaultCode, Code: "60007"},
	} {
		if err := s.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for range 3 {
		res, _ := request(t, "POST", imURL(t, s, url, "create_group"), `{}`)
		got = append(got, res.StatusCode)
	}
	if got[0] != 503 || got[1] != 503 || got[2] != 200 {
		t.Errorf("got %v", got)
	}
	if left := s.Faults(); len(left) != 1 || left[0].Code != "60007" {
		t.Errorf("left: %+v", left)
	}
	s.ClearFaults()
	if len(s.Faults()) != 0 {
		t.Error("faults remain after ClearFaults")
	}
}

// A vendor that hangs lets go as soon as the client does, and has done nothing.
func TestTimeoutEndsWithTheClient(t *testing.T) {
	s, url := serve(t, Options{})
	if err := s.AddFault(Fault{Kind: FaultTimeout}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", imURL(t, s, url, "create_group"), strings.NewReader(`{"Type":"Public","Name":"n"}`))
	if err != nil {
		t.Fatal(err)
	}
	go func() { // the client gives up once the call has arrived
		for len(s.Calls()) == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if len(s.Groups()) != 0 {
		t.Error("a call that timed out did something")
	}
	if c := s.Calls(); len(c) != 1 || c[0].Fault != FaultTimeout || c[0].Status != 0 {
		t.Errorf("calls: %+v", c)
	}
}

// A dropped connection is a reset: the client reads neither bytes nor an orderly
// end.
func TestResetIsNotAnAnswer(t *testing.T) {
	s, url := serve(t, Options{})
	if err := s.AddFault(Fault{Kind: FaultResetBefore}); err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST /tencent/v4/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if len(b) != 0 || err == nil {
		t.Errorf("read %q, error %v: want a reset", b, err)
	}
}

func TestControlRoutes(t *testing.T) {
	s, url := serve(t, Options{Queues: []aws.QueueConfig{{Name: "q.fifo", FIFO: true}}})
	tests := []struct {
		name, method, path, body string
		status                   int
	}{
		{"state", "GET", "/state", "", 200},
		{"no calls yet", "GET", "/calls?since=0", "", 200},
		{"since is no number", "GET", "/calls?since=yesterday", "", 400},
		{"a fault", "POST", "/faults", `{"vendor":"tencent","kind":"null","times":1}`, 201},
		{"faults", "GET", "/faults", "", 200},
		{"unknown kind", "POST", "/faults", `{"kind":"explode"}`, 400},
		{"unknown vendor", "POST", "/faults", `{"vendor":"acme","kind":"null"}`, 400},
		{"unknown field", "POST", "/faults", `{"kind":"null","tims":1}`, 400},
		{"negative times", "POST", "/faults", `{"kind":"null","times":-1}`, 400},
		{"status out of range", "POST", "/faults", `{"kind":"status","status":99}`, 400},
		{"code without a code", "POST", "/faults", `{"kind":"code"}`, 400},
		{"slow without a delay", "POST", "/faults", `{"kind":"slow"}`, 400},
		{"no JSON", "POST", "/faults", `{`, 400},
		{"two values", "POST", "/faults", `{"kind":"null"} {}`, 400},
		{"clear", "DELETE", "/faults", "", 204},
		{"forget calls", "DELETE", "/calls", "", 204},
		{"wrong method", "PUT", "/state", "", 405},
	}
	for _, tt := range tests {
		res, body := request(t, tt.method, url+tt.path, tt.body)
		if res.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d: %s", tt.name, res.StatusCode, tt.status, body)
		}
		if tt.status == 400 {
			var v struct{ Error string }
			if err := json.Unmarshal([]byte(body), &v); err != nil || v.Error == "" {
				t.Errorf("%s: no message in %q", tt.name, body)
			}
		}
	}
	if len(s.Faults()) != 0 || len(s.Calls()) != 0 {
		t.Errorf("faults %v, calls %v", s.Faults(), s.Calls())
	}
	_, body := request(t, "GET", url+"/state", "")
	var st State
	if err := json.Unmarshal([]byte(body), &st); err != nil {
		t.Fatal(err)
	}
	if len(st.AWS.Queues) != 1 || st.AWS.Queues[0].Name != "q.fifo" {
		t.Errorf("queues: %+v", st.AWS.Queues)
	}
	f := s.Fixtures()
	for _, secret := range []string{f.Tencent.SecretKey, f.AWS.SecretAccessKey, f.LoginHS256, f.DeskKeyZendesk} {
		if strings.Contains(body, secret) {
			t.Error("/state shows a secret")
		}
	}
}

func TestCallLog(t *testing.T) {
	s, url := serve(t, Options{})
	for range 3 {
		im(t, s, url, "destroy_group", `{"GroupId":"ZENDESK#9"}`)
	}
	_, body := request(t, "GET", url+"/calls?since=2", "")
	var calls []Call
	if err := json.Unmarshal([]byte(body), &calls); err != nil {
		t.Fatal(err)
	}
	if len(calls) != 1 || calls[0].Seq != 3 || calls[0].Detail["group"] != "ZENDESK#9" || calls[0].Detail["code"] != "10010" {
		t.Errorf("got %+v", calls)
	}
	if bytes.Contains([]byte(body), []byte("usersig")) {
		t.Error("the log shows a query")
	}
	s.ResetCalls()
	im(t, s, url, "destroy_group", `{"GroupId":"ZENDESK#9"}`)
	if c := s.Calls(); len(c) != 1 || c[0].Seq != 4 {
		t.Errorf("after ResetCalls: %+v", c)
	}
}

// Latency holds up vendor calls, not AWS and not the control routes.
func TestLatency(t *testing.T) {
	s, url := serve(t, Options{Latency: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", imURL(t, s, url, "create_group"), strings.NewReader(`{"Type":"Public","Name":"n"}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err == nil {
		_ = res.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) || len(s.Groups()) != 0 {
		t.Errorf("error %v, groups %v", err, s.Groups())
	}
	if res, _ := request(t, "POST", url+"/aws/", ""); res.StatusCode == 200 {
		t.Error("an unsigned request was served")
	}
	if res, _ := request(t, "GET", url+"/state", ""); res.StatusCode != 200 {
		t.Errorf("/state: %d", res.StatusCode)
	}
}

func TestRequestTooLarge(t *testing.T) {
	s, url := serve(t, Options{})
	res, _ := request(t, "POST", imURL(t, s, url, "create_group"), strings.Repeat("x", engine.MaxRequest+1))
	if res.StatusCode != 413 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestFixturesAreOfTheSeed(t *testing.T) {
	a, b, c := New(Options{Seed: 7}).Fixtures(), New(Options{Seed: 7}).Fixtures(), New(Options{Seed: 8}).Fixtures()
	if a.Tencent != b.Tencent || a.Zendesk != b.Zendesk || a.Salesforce != b.Salesforce || a.LoginHS256 != b.LoginHS256 {
		t.Error("the same seed gives other fixtures")
	}
	if a.Tencent.SecretKey == c.Tencent.SecretKey {
		t.Error("another seed gives the same key")
	}
	if a.Tencent.SDKAppID != 1400000000 || len(a.Tencent.SecretKey) != 64 || a.Tencent.AdminUserID != "administrator" {
		t.Errorf("%+v", a.Tencent)
	}
	for id, raw := range a.Secrets {
		var v map[string]any
		if err := json.Unmarshal(raw, &v); err != nil || len(v) == 0 {
			t.Errorf("%s is not a JSON object with keys", id)
		}
	}
	if len(a.Secrets) != 12 {
		t.Errorf("%d secrets", len(a.Secrets))
	}
}

func FuzzRequests(f *testing.F) {
	f.Add("POST", "/tencent/v4/group_open_http_svc/create_group", `{"Type":"Public","Name":"n","MemberList":[{"Member_Account":1}]}`, "")
	f.Add("POST", "/tencent/v4/group_open_http_svc/send_group_msg", `{"GroupId":"g","MsgBody":[{"MsgContent":null}]}`, "")
	f.Add("POST", "/aws/", `{"QueueUrl":"http://x/000000000000/q.fifo","MessageBody":"b"}`, "AmazonSQS.SendMessage")
	f.Add("POST", "/aws/", `{"SecretId":"caseroom/tencent"}`, "secretsmanager.GetSecretValue")
	f.Add("PUT", "/aws/b/k%23", "x", "")
	f.Add("POST", "/faults", `{"kind":"code","code":"1"}`, "")
	f.Add("GET", "/calls?since=1", "", "")
	f.Fuzz(func(t *testing.T, method, target, body, amz string) {
		if !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "/zendesk") || strings.HasPrefix(target, "/salesforce") {
			return
		}
		req, err := http.NewRequest(method, "http://sandbox"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("X-Amz-Target", amz)
		rec := httptest.NewRecorder()
		New(Options{Queues: []aws.QueueConfig{{Name: "q.fifo", FIFO: true}}}).Handler().ServeHTTP(rec, req)
		if rec.Code < 200 || rec.Code > 599 {
			t.Errorf("status %d", rec.Code)
		}
	})
}
