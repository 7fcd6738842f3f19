package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

// canary is in every secret of these tests and must be nowhere else.
const canary = "canary-7f3a"

type credentials struct {
	SDKAppID  int    `json:"sdkAppId"`
	SecretKey string `json:"secretKey"`
}

func (c *credentials) Validate() error {
	if c.SecretKey == "" {
		return errors.New("secretKey is missing")
	}
	return nil
}

func secretText(key string) string {
	b, _ := json.Marshal(credentials{SDKAppID: 1400000000, SecretKey: key})
	return string(b)
}

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// fixture is a store on the real SDK client, against a server that speaks
// Secrets Manager's wire format.
type fixture struct {
	store *secrets.Store
	api   *wire
	clock *upstreamtest.Clock
	log   *syncBuffer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{api: newWire(t), clock: upstreamtest.NewClock(noon), log: &syncBuffer{}}
	f.store = secrets.New(f.api.client(t), f.clock.Now, func() float64 { return 0 }, slog.New(slog.NewJSONHandler(f.log, nil)))
	t.Cleanup(func() {
		if strings.Contains(f.log.String(), canary) {
			t.Errorf("the log tells a value: %s", f.log)
		}
	})
	return f
}

// wire answers GetSecretValue as AWS does.
type wire struct {
	url   string
	calls atomic.Int32
	mu    sync.Mutex
	reply func(w http.ResponseWriter, secretID string)
}

func newWire(t *testing.T) *wire {
	t.Helper()
	a := &wire{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		var in struct{ SecretId string }
		if r.Method != http.MethodPost || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" ||
			r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") ||
			json.NewDecoder(r.Body).Decode(&in) != nil || in.SecretId == "" {
			fail(w, http.StatusBadRequest, "InvalidParameterException")
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		a.mu.Lock()
		reply := a.reply
		a.mu.Unlock()
		reply(w, in.SecretId)
	}))
	t.Cleanup(s.Close)
	a.url = s.URL
	return a
}

func (a *wire) client(t *testing.T) *secretsmanager.Client {
	t.Helper()
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_ENDPOINT_URL", a.url)
	cfg, err := awsenv.Config()
	if err != nil {
		t.Fatal(err)
	}
	return secretsmanager.NewFromConfig(cfg)
}

func (a *wire) set(reply func(w http.ResponseWriter, secretID string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reply = reply
}

func text(value string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, id string) {
		answer(w, map[string]any{"ARN": "arn:" + id, "Name": id, "VersionId": "v1", "SecretString": value, "VersionStages": []string{"AWSCURRENT"}, "CreatedDate": 1523477145.713})
	}
}

func failing(status int, code string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) { fail(w, status, code) }
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "Message": "told in prose with " + canary})
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// wantUnavailable checks the error that a caller gets for want of a value.
func wantUnavailable(t *testing.T, err error, reason string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != problem.Unavailable {
		t.Fatalf("got %v, want a problem: unavailable", err)
	}
	if strings.Contains(p.Detail, "caseroom/") {
		t.Errorf("the detail names the secret: %q", p.Detail)
	}
	if !strings.Contains(err.Error(), "secret caseroom/tencent: "+reason) {
		t.Errorf("the cause does not say %q: %v", reason, err)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the error tells a value: %v", err)
	}
}

func (f *fixture) wantLogged(t *testing.T, reason string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(f.log.String()), "\n")
	var last struct{ Level, Secret, Reason string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatalf("log line %q: %v", lines[len(lines)-1], err)
	}
	if last.Level != "WARN" || last.Secret != "caseroom/tencent" || last.Reason != reason {
		t.Errorf("logged %+v, want a warning with the id and %q", last, reason)
	}
}

func TestLoadCachesForFiveMinutes(t *testing.T) {
	f := newFixture(t)
	f.api.set(text(secretText(canary)))
	src := secrets.For[credentials](f.store, "caseroom/tencent")
	if f.api.calls.Load() != 0 {
		t.Fatal("read before it was needed")
	}
	for range 3 {
		c, err := src.Load(t.Context())
		if err != nil || c.SDKAppID != 1400000000 || c.SecretKey != canary {
			t.Fatalf("got %d, %v", c.SDKAppID, err)
		}
	}
	f.clock.Add(5*time.Minute - time.Second)
	if _, err := src.Load(t.Context()); err != nil || f.api.calls.Load() != 1 {
		t.Errorf("%d calls (%v), want 1", f.api.calls.Load(), err)
	}
	f.api.set(text(secretText(canary + "2")))
	f.clock.Add(time.Second)
	if c, err := src.Load(t.Context()); err != nil || c.SecretKey != canary+"2" {
		t.Errorf("an aged value was not replaced: %v", err)
	}
	if secrets.For[credentials](f.store, "caseroom/tencent") != src {
		t.Error("the same secret has two sources")
	}
}

func TestJitterShortensTheCache(t *testing.T) {
	f := newFixture(t)
	f.api.set(text(secretText(canary)))
	store := secrets.New(f.api.client(t), f.clock.Now, func() float64 { return 0.5 }, slog.New(slog.DiscardHandler))
	src := secrets.For[credentials](store, "caseroom/tencent")
	for _, step := range []struct {
		after time.Duration
		calls int32
	}{{0, 1}, {4*time.Minute + 29*time.Second, 1}, {time.Second, 2}} {
		f.clock.Add(step.after)
		if _, err := src.Load(t.Context()); err != nil || f.api.calls.Load() != step.calls {
			t.Errorf("after %s: %d calls (%v), want %d", step.after, f.api.calls.Load(), err, step.calls)
		}
	}
}

func TestBinarySecret(t *testing.T) {
	f := newFixture(t)
	f.api.set(func(w http.ResponseWriter, _ string) {
		answer(w, map[string]any{"SecretBinary": []byte(secretText(canary))})
	})
	c, err := secrets.For[credentials](f.store, "caseroom/tencent").Load(t.Context())
	if err != nil || c.SecretKey != canary {
		t.Errorf("got %v", err)
	}
}

func TestFirstReadFails(t *testing.T) {
	tests := []struct {
		name   string
		reply  func(http.ResponseWriter, string)
		reason string
	}{
		{"no permission", failing(400, "AccessDeniedException"), "AccessDeniedException"},
		{"no secret", failing(400, "ResourceNotFoundException"), "ResourceNotFoundException"},
		{"throttled", failing(400, "ThrottlingException"), "ThrottlingException"},
		{"broken", failing(500, "InternalServiceError"), "InternalServiceError"},
		{"key gone", failing(400, "DecryptionFailure"), "DecryptionFailure"},
		{"odd code", failing(400, "Odd "+canary), "UnreadableAnswer"},
		{"HTML", func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, "<html>"+canary) }, "UnreadableAnswer"},
		{"truncated", func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, `{"SecretString":"`+canary) }, "UnreadableAnswer"},
		{"dropped", func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) }, "ConnectionFailed"},
		{"nothing", func(w http.ResponseWriter, _ string) { answer(w, map[string]any{}) }, "EmptySecret"},
		{"blank", text(" \n"), "EmptySecret"},
		{"not JSON", text(canary), "DecodeFailed"},
		{"JSON null", text("null"), "DecodeFailed"},
		{"JSON string", text(`"` + canary + `"`), "DecodeFailed"},
		{"cut", text(`{"sdkAppId":1,"secretKey":"` + canary), "DecodeFailed"},
		{"trailing bytes", text(secretText(canary) + " x"), "DecodeFailed"},
		{"two objects", text(secretText(canary) + secretText(canary)), "DecodeFailed"},
		{"wrong type", text(`{"sdkAppId":"` + canary + `","secretKey":"x"}`), "DecodeFailed: wrong type of sdkAppId"},
		{"number too large", text(`{"sdkAppId":77777777777777777777777,"secretKey":"` + canary + `"}`), "DecodeFailed: wrong type of sdkAppId"},
		{"refused by Validate", text(`{"sdkAppId":1,"other":"` + canary + `"}`), "ValidationFailed: secretKey is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.api.set(tt.reply)
			src := secrets.For[credentials](f.store, "caseroom/tencent")
			_, err := src.Load(t.Context())
			wantUnavailable(t, err, tt.reason)
			if strings.Contains(err.Error(), "7777777") {
				t.Errorf("the error tells a value: %v", err)
			}
			code, _, _ := strings.Cut(tt.reason, ":")
			f.wantLogged(t, code)

			calls := f.api.calls.Load()
			_, again := src.Load(t.Context())
			wantUnavailable(t, again, tt.reason)
			if f.api.calls.Load() != calls {
				t.Error("asked again at once")
			}
			if errors.Is(again, err) {
				t.Error("two callers share one error value")
			}
			f.clock.Add(time.Second)
			f.api.set(text(secretText(canary)))
			if c, err := src.Load(t.Context()); err != nil || c.SecretKey != canary {
				t.Errorf("not recovered after a second: %v", err)
			}
		})
	}
}

func TestBrokenUTF8IsRefused(t *testing.T) {
	f := newFixture(t)
	f.api.set(func(w http.ResponseWriter, _ string) {
		answer(w, map[string]any{"SecretBinary": []byte("{\"sdkAppId\":1,\"secretKey\":\"\xff" + canary + "\"}")})
	})
	_, err := secrets.For[credentials](f.store, "caseroom/tencent").Load(t.Context())
	wantUnavailable(t, err, "DecodeFailed")
}

func TestNoCredentialsIsAReason(t *testing.T) {
	f := newFixture(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err := secrets.For[credentials](f.store, "caseroom/tencent").Load(t.Context())
	wantUnavailable(t, err, "NoCredentials")
}

func TestLastGoodValueIsKept(t *testing.T) {
	for name, bad := range map[string]func(http.ResponseWriter, string){
		"AccessDeniedException": failing(400, "AccessDeniedException"),
		"DecodeFailed":          text("{"),
		"ValidationFailed":      text("{}"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.api.set(text(secretText(canary)))
			src := secrets.For[credentials](f.store, "caseroom/tencent")
			if _, err := src.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.api.set(bad)
			f.clock.Add(6 * time.Minute)
			for range 3 {
				if c, err := src.Load(t.Context()); err != nil || c.SecretKey != canary {
					t.Fatalf("the last good value is lost: %v", err)
				}
			}
			if n := f.api.calls.Load(); n != 2 {
				t.Errorf("%d calls, want 2: no hammering while a value serves", n)
			}
			f.wantLogged(t, name)
			f.api.set(text(secretText(canary + "2")))
			f.clock.Add(10 * time.Second)
			if c, err := src.Load(t.Context()); err != nil || c.SecretKey != canary+"2" {
				t.Errorf("not recovered: %v", err)
			}
		})
	}
}

func TestReloadAtMostOnceAMinute(t *testing.T) {
	f := newFixture(t)
	f.api.set(text(secretText(canary)))
	src := secrets.For[credentials](f.store, "caseroom/tencent")
	steps := []struct {
		do    func(context.Context) (credentials, error)
		after time.Duration
		calls int32
	}{
		{src.Load, 0, 1},
		{src.Reload, time.Second, 2},
		{src.Reload, time.Second, 2},
		{src.Load, 0, 2},
		{src.Reload, 57 * time.Second, 2},
		{src.Reload, 2 * time.Second, 3},
	}
	for i, step := range steps {
		f.clock.Add(step.after)
		if c, err := step.do(t.Context()); err != nil || c.SecretKey != canary {
			t.Fatalf("step %d: %v", i, err)
		}
		if n := f.api.calls.Load(); n != step.calls {
			t.Errorf("step %d: %d calls, want %d", i, n, step.calls)
		}
	}
}

func TestReloadSeesTheNewValueAndKeepsTheOldOnFailure(t *testing.T) {
	f := newFixture(t)
	f.api.set(text(secretText(canary)))
	src := secrets.For[credentials](f.store, "caseroom/tencent")
	if _, err := src.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.api.set(text(secretText(canary + "2")))
	if c, err := src.Reload(t.Context()); err != nil || c.SecretKey != canary+"2" {
		t.Errorf("the rotated value was not read: %v", err)
	}
	f.clock.Add(time.Minute)
	f.api.set(failing(400, "AccessDeniedException"))
	if c, err := src.Reload(t.Context()); err != nil || c.SecretKey != canary+"2" {
		t.Errorf("the last good value is lost: %v", err)
	}
	f.wantLogged(t, "AccessDeniedException")
}

// gate is an API whose calls wait until they are let through.
type gate struct {
	calls   atomic.Int32
	arrived chan struct{}
	open    chan struct{}
	answer  func() (*secretsmanager.GetSecretValueOutput, error)
}

func newGate(value string) *gate {
	return &gate{arrived: make(chan struct{}, 64), open: make(chan struct{}), answer: func() (*secretsmanager.GetSecretValueOutput, error) {
		return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
	}}
}

func (g *gate) GetSecretValue(ctx context.Context, _ *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	g.calls.Add(1)
	g.arrived <- struct{}{}
	select {
	case <-g.open:
		return g.answer()
	case <-ctx.Done():
		return nil, &smithy.CanceledError{Err: ctx.Err()}
	}
}

func (g *gate) source(c *upstreamtest.Clock) *secrets.Source[credentials] {
	if c == nil {
		c = upstreamtest.NewClock(noon)
	}
	store := secrets.New(g, c.Now, func() float64 { return 0 }, slog.New(slog.DiscardHandler))
	return secrets.For[credentials](store, "caseroom/tencent")
}

func TestManyCallersReadOnce(t *testing.T) {
	for name, do := range map[string]func(*secrets.Source[credentials], context.Context) (credentials, error){
		"Load":   (*secrets.Source[credentials]).Load,
		"Reload": (*secrets.Source[credentials]).Reload,
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(secretText(canary))
			src := g.source(nil)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					if c, err := do(src, t.Context()); err != nil || c.SecretKey != canary {
						t.Errorf("got %v", err)
					}
				})
			}
			<-g.arrived
			close(g.open)
			wg.Wait()
			if n := g.calls.Load(); n != 1 {
				t.Errorf("%d reads, want 1", n)
			}
		})
	}
}

func TestManyCallersFailOnce(t *testing.T) {
	g := newGate("")
	src := g.source(nil)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := src.Load(t.Context()); problem.CodeOf(err) != problem.Unavailable {
				t.Errorf("got %v", err)
			}
		})
	}
	<-g.arrived
	close(g.open)
	wg.Wait()
	if n := g.calls.Load(); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
}

func TestWaiterGivesUpWithItsOwnContext(t *testing.T) {
	g := newGate(secretText(canary))
	src := g.source(nil)
	leader := make(chan error, 1)
	go func() { _, err := src.Load(t.Context()); leader <- err }()
	<-g.arrived

	ctx, cancel := context.WithCancel(t.Context())
	waiter := make(chan error, 1)
	go func() { _, err := src.Load(ctx); waiter <- err }()
	cancel()
	err := <-waiter
	if problem.CodeOf(err) != problem.Timeout || !errors.Is(err, context.Canceled) {
		t.Errorf("waiter got %v", err)
	}
	close(g.open)
	if err := <-leader; err != nil {
		t.Errorf("leader got %v", err)
	}
}

func TestLeaderThatGivesUpIsNobodyElsesFailure(t *testing.T) {
	g := newGate(secretText(canary))
	src := g.source(nil)
	ctx, cancel := context.WithCancel(t.Context())
	leader := make(chan error, 1)
	go func() { _, err := src.Load(ctx); leader <- err }()
	<-g.arrived
	waiter := make(chan error, 1)
	go func() { _, err := src.Load(t.Context()); waiter <- err }()
	cancel()
	if err := <-leader; problem.CodeOf(err) != problem.Timeout {
		t.Errorf("leader got %v", err)
	}
	<-g.arrived
	close(g.open)
	if err := <-waiter; err != nil {
		t.Errorf("waiter got %v", err)
	}
}

func TestCancelledReloadDoesNotUseUpTheMinute(t *testing.T) {
	g := newGate(secretText(canary))
	src := g.source(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := src.Reload(ctx); problem.CodeOf(err) != problem.Timeout {
		t.Errorf("got %v", err)
	}
	close(g.open)
	before := g.calls.Load()
	if _, err := src.Reload(t.Context()); err != nil || g.calls.Load() != before+1 {
		t.Errorf("%d reads after a cancelled one (%v), want 1", g.calls.Load()-before, err)
	}
}

func TestAgedValueServesWhileSomebodyReads(t *testing.T) {
	c := upstreamtest.NewClock(noon)
	g := newGate(secretText(canary))
	src := g.source(c)
	first := make(chan struct{})
	go func() { <-g.arrived; g.open <- struct{}{}; close(first) }()
	if _, err := src.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-first
	c.Add(6 * time.Minute)
	reader := make(chan error, 1)
	go func() { _, err := src.Load(t.Context()); reader <- err }()
	<-g.arrived
	if v, err := src.Load(t.Context()); err != nil || v.SecretKey != canary {
		t.Errorf("got %v", err)
	}
	close(g.open)
	if err := <-reader; err != nil {
		t.Errorf("reader got %v", err)
	}
}

// A caller who has an aged value keeps half of its time to use it.
func TestRefreshTakesHalfOfTheTimeLeft(t *testing.T) {
	c := upstreamtest.NewClock(noon)
	api := &deadlines{}
	store := secrets.New(api, c.Now, func() float64 { return 0 }, slog.New(slog.DiscardHandler))
	src := secrets.For[credentials](store, "caseroom/tencent")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	for range 2 {
		if _, err := src.Load(ctx); err != nil {
			t.Fatal(err)
		}
		c.Add(6 * time.Minute)
	}
	own, _ := ctx.Deadline()
	if len(api.seen) != 2 || api.seen[0] != own || own.Sub(api.seen[1]) < time.Second {
		t.Errorf("reads ended at %v with the caller's end at %v", api.seen, own)
	}
}

// deadlines remembers when its calls had to end.
type deadlines struct{ seen []time.Time }

func (d *deadlines) GetSecretValue(ctx context.Context, _ *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	end, _ := ctx.Deadline()
	d.seen = append(d.seen, end)
	value := secretText(canary)
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

// A secret that hangs on its first read ends with the caller's deadline.
func TestHangingFirstRead(t *testing.T) {
	src := newGate(secretText(canary)).source(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := src.Load(ctx); problem.CodeOf(err) != problem.Timeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		secretText("k"), `{}`, `null`, `[]`, `""`, ``, `{"secretKey":1}`, `{"secretKey":"a"}x`, `{"sdkAppId":1e999,"secretKey":"b"}`, "\ufeff{}", `{"SECRETKEY":"c"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		api := fixed{raw}
		now := func() time.Time { return time.Unix(1790000000, 0) }
		store := secrets.New(api, now, func() float64 { return 0 }, slog.New(slog.DiscardHandler))
		c, err := secrets.For[credentials](store, "caseroom/tencent").Load(t.Context())
		var std credentials
		good := json.Unmarshal(raw, &std) == nil && std.SecretKey != ""
		if err == nil && (!good || c != std) {
			t.Errorf("accepted what is not one valid object: %q", raw)
		}
		if err != nil && problem.CodeOf(err) != problem.Unavailable {
			t.Errorf("got %v", err)
		}
		if err != nil && std.SecretKey != "" && len(std.SecretKey) > 12 && strings.Contains(err.Error(), std.SecretKey) {
			t.Errorf("the error tells the value: %v", err)
		}
	})
}

type fixed struct{ raw []byte }

func (f fixed) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretBinary: f.raw}, nil
}
