package cronofy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

// memory keeps records, as connections does in Secrets Manager.
type memory struct {
	mu      sync.Mutex
	records map[string]calendar.Record
	saves   int

	loadErr, saveErr error
	saved            bool // in spite of saveErr
}

func (m *memory) Load(_ context.Context, agent string) (calendar.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[agent], m.loadErr
}

func (m *memory) Save(_ context.Context, agent string, r calendar.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saves++
	if m.saveErr == nil || m.saved {
		m.records[agent] = r
	}
	return m.saveErr
}

func (m *memory) Delete(_ context.Context, agent string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, agent)
	return nil
}

func (m *memory) List(context.Context) (agents []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for a := range m.records {
		agents = append(agents, a)
	}
	return agents, nil
}

const (
	alex     = "alex@caseroom.example"
	agent    = "900000101"
	redirect = "https://api.example/calendar/callback"
)

type bed struct {
	*testing.T
	box     *sandbox.Sandbox
	url     string
	records *memory
	client  *cronofy.Client
	cals    *cronofy.Calendars
}

func newBed(t *testing.T) *bed {
	t.Helper()
	box := sandbox.New(sandbox.Options{Seed: 1})
	box.Cronofy().SetLimits(sandbox.CronofyLimits{})
	server := httptest.NewServer(box.Handler())
	t.Cleanup(server.Close)
	b := &bed{T: t, box: box, url: server.URL + "/cronofy", records: &memory{records: map[string]calendar.Record{}}}
	b.client = b.newClient(b.secret())
	b.cals = b.process()
	return b
}

func (b *bed) secret() cronofy.Secret {
	f := b.box.Fixtures().Cronofy
	return cronofy.Secret{ClientID: f.ClientID, ClientSecret: f.ClientSecret, Secret: calendar.Secret{StateSecret: f.StateSecret}}
}

func (b *bed) newClient(s cronofy.Secret) *cronofy.Client {
	b.Helper()
	c, err := cronofy.New(cronofy.Options{BaseURL: b.url, Secret: func(context.Context) (cronofy.Secret, error) { return s, nil }})
	b.ok(err)
	return c
}

// process is one process's view of the same connections.
func (b *bed) process() *cronofy.Calendars {
	return &cronofy.Calendars{
		Client: b.client, Records: b.records, Meter: &upstreamtest.Counts{}, Now: time.Now,
		Wait: func(ctx context.Context, _ time.Duration) error { return upstream.Sleep(ctx, 20*time.Millisecond) },
	}
}

func (b *bed) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bed) code() string {
	b.Helper()
	code, err := b.box.Cronofy().Allow(alex, redirect, strings.Fields(cronofy.Scope)...)
	b.ok(err)
	return code
}

func (b *bed) connect() calendar.Record {
	b.Helper()
	r, err := b.cals.Connect(b.Context(), agent, b.code(), redirect)
	b.ok(err)
	return r
}

func event(id string) calendar.Event {
	start := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	return calendar.Event{ID: id, Summary: "#" + id, Start: start, End: start.Add(10 * time.Minute), Zone: "Europe/Berlin", URL: "https://example.zendesk.com/x"}
}

func put(ctx context.Context, cals *cronofy.Calendars, id string) error {
	cal, err := cals.Of(ctx, agent)
	if err != nil {
		return err
	}
	return cal.Put(ctx, event(id))
}

func TestAuthorizeURL(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.cronofy.com":          "https://app.cronofy.com/oauth/authorize",
		"https://api-de.cronofy.com":       "https://app-de.cronofy.com/oauth/authorize",
		"https://api.cronofy.com/":         "https://app.cronofy.com/oauth/authorize",
		"http://127.0.0.1:3100/cronofy":    "http://127.0.0.1:3100/cronofy/oauth/authorize",
		"https://apiary.example.com/proxy": "https://apiary.example.com/proxy/oauth/authorize",
	} {
		c, err := cronofy.New(cronofy.Options{BaseURL: base, Secret: func(context.Context) (cronofy.Secret, error) {
			return cronofy.Secret{ClientID: "id&x"}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := c.AuthorizeURL(t.Context(), redirect, "st=ate")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(raw)
		q := u.Query()
		if err != nil || u.Scheme+"://"+u.Host+u.Path != want || q.Get("client_id") != "id&x" || q.Get("redirect_uri") != redirect ||
			q.Get("state") != "st=ate" || q.Get("response_type") != "code" || q.Get("scope") != cronofy.Scope {
			t.Errorf("%s: %s", base, raw)
		}
	}
}

func TestCheck(t *testing.T) {
	b := newBed(t)
	b.ok(b.client.Check(t.Context()))
	wrong := b.secret()
	wrong.ClientSecret += "x"
	err := b.newClient(wrong).Check(t.Context())
	if !errors.Is(err, cronofy.ErrClient) || !upstream.CredentialsRefused(err) {
		t.Errorf("got %v", err)
	}
	// A secret that was replaced is read again.
	c, err := cronofy.New(cronofy.Options{
		BaseURL: b.url, Secret: func(context.Context) (cronofy.Secret, error) { return wrong, nil },
		Reread: func(context.Context) (cronofy.Secret, error) { return b.secret(), nil },
	})
	b.ok(err)
	b.ok(c.Check(t.Context()))
	b.ok(b.box.AddFault(sandbox.Fault{Vendor: "cronofy", Op: "token", Kind: sandbox.FaultStatus, Status: 503}))
	if err := b.client.Check(t.Context()); upstream.ClassOf(err) != upstream.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestConnect(t *testing.T) {
	b := newBed(t)
	code := b.code()
	r, err := b.cals.Connect(t.Context(), agent, code, redirect)
	b.ok(err)
	if r.State != calendar.Connected || r.Profile != alex || r.CalendarName != "Work" || r.Refresh == "" {
		t.Errorf("%s %s %s", r.State, r.Profile, r.CalendarName)
	}
	for name, code := range map[string]string{"used": code, "unknown": "x"} {
		if _, err := b.cals.Connect(t.Context(), agent, code, redirect); !errors.Is(err, calendar.ErrConsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.cals.Connect(t.Context(), agent, b.code(), redirect+"x"); !errors.Is(err, calendar.ErrConsent) {
		t.Errorf("another redirect: %v", err)
	}
	other, err := b.box.Cronofy().Allow("billie@caseroom.example", redirect, strings.Fields(cronofy.Scope)...)
	b.ok(err)
	if _, err := b.cals.Connect(t.Context(), agent, other, redirect); !errors.Is(err, calendar.ErrOtherAccount) {
		t.Errorf("another account: %v", err)
	}
	b.connect() // again, with the same
}

// A consent that leads nowhere is given back.
func TestConnectWithoutCalendar(t *testing.T) {
	b := newBed(t)
	for _, name := range []string{"Home", "Work"} {
		b.ok(b.box.Cronofy().DeleteCalendar(alex, name))
	}
	if _, err := b.cals.Connect(t.Context(), agent, b.code(), redirect); !errors.Is(err, calendar.ErrNoCalendar) {
		t.Errorf("got %v", err)
	}
	for _, p := range b.box.State().Cronofy.Accounts {
		if p.Connected {
			t.Errorf("%s is still connected", p.Email)
		}
	}
	if len(b.records.records) != 0 {
		t.Error("kept")
	}
}

// Whether a connection was kept is looked up when nobody says it, and a consent
// is given back only when it certainly was not.
func TestConnectAndTheSaveIsUnknown(t *testing.T) {
	unknown := &upstream.Error{Vendor: "secretsmanager", Op: "PutSecretValue", Class: upstream.Unknown}
	refused := &upstream.Error{Vendor: "secretsmanager", Op: "PutSecretValue", Class: upstream.Refused}
	for name, tt := range map[string]struct {
		save     error
		saved    bool
		connects bool
		consent  bool
	}{
		"it was kept":     {unknown, true, true, true},
		"it was not kept": {unknown, false, false, false},
		"it was refused":  {refused, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.records.saveErr, b.records.saved = tt.save, tt.saved
			_, err := b.cals.Connect(t.Context(), agent, b.code(), redirect)
			if (err == nil) != tt.connects {
				t.Errorf("got %v", err)
			}
			if got := b.consents(); got != tt.consent {
				t.Errorf("the consent lives: %v", got)
			}
			if kept := b.records.records[agent].State == calendar.Connected; kept != tt.connects {
				t.Errorf("kept: %v", kept)
			}
		})
	}
	t.Run("and it cannot be looked up", func(t *testing.T) {
		b := newBed(t)
		b.records.saveErr, b.records.saved = unknown, true
		r := b.records
		b.cals.Records = lateFailure{r, func() bool { return r.saves > 0 }}
		if _, err := b.cals.Connect(t.Context(), agent, b.code(), redirect); upstream.ClassOf(err) != upstream.Unknown {
			t.Errorf("got %v", err)
		}
		if !b.consents() {
			t.Error("a consent that may be kept was given back")
		}
	})
}

// lateFailure fails to load from some point on.
type lateFailure struct {
	*memory
	now func() bool
}

func (l lateFailure) Load(ctx context.Context, agent string) (calendar.Record, error) {
	if l.now() {
		return calendar.Record{}, &upstream.Error{Vendor: "secretsmanager", Op: "GetSecretValue", Class: upstream.Unavailable}
	}
	return l.memory.Load(ctx, agent)
}

// consents reports whether Alex's consent lives at Cronofy.
func (b *bed) consents() bool {
	for _, p := range b.box.State().Cronofy.Accounts {
		if p.Email == alex {
			return p.Connected
		}
	}
	return false
}

// Tokens that could not be kept are not asked for twice: with refresh tokens that
// are good once that would be the end of the consent.
func TestTokensOutliveAFailedSave(t *testing.T) {
	b := newBed(t)
	b.box.Cronofy().Rotate(true)
	b.connect()
	b.box.Cronofy().EndTokens()
	b.box.ResetCalls()
	b.records.saveErr = &upstream.Error{Vendor: "secretsmanager", Op: "PutSecretValue", Class: upstream.Refused, Credentials: true}
	for range 2 {
		if err := put(t.Context(), b.cals, "1"); upstream.ClassOf(err) != upstream.Refused {
			t.Fatalf("got %v", err)
		}
	}
	b.records.saveErr = nil
	b.ok(put(t.Context(), b.cals, "1"))
	refreshes := 0
	for _, c := range b.box.Calls() {
		if c.Op == "token" {
			refreshes++
		}
	}
	if r := b.records.records[agent]; refreshes != 1 || r.State != calendar.Connected {
		t.Errorf("%d refreshes, then %s", refreshes, r.State)
	}
	// Those that were kept are forgotten, and the next refresh is one.
	b.box.Cronofy().EndTokens()
	b.ok(put(t.Context(), b.cals, "2"))
}

// A page of somebody's in between is no word of Cronofy's about an event.
func TestWritesWantAnAnswerOfCronofy(t *testing.T) {
	for op, do := range map[string]func(*bed, calendar.Record) error{
		"event_upsert": func(b *bed, r calendar.Record) error {
			at := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
			return b.client.Upsert(b.Context(), r.Access, r.CalendarID, cronofy.Event{ID: "1", Summary: "x", Start: at, End: at, Zone: "Etc/UTC"})
		},
		"event_delete": func(b *bed, r calendar.Record) error {
			return b.client.Delete(b.Context(), r.Access, r.CalendarID, "1")
		},
		"token_revoke": func(b *bed, r calendar.Record) error { return b.client.Revoke(b.Context(), r.Refresh) },
	} {
		t.Run(op, func(t *testing.T) {
			b := newBed(t)
			r := b.connect()
			for _, kind := range []string{sandbox.FaultHTML, sandbox.FaultNull} {
				b.ok(b.box.AddFault(sandbox.Fault{Vendor: "cronofy", Op: op, Kind: kind}))
				if err := do(b, r); upstream.ClassOf(err) != upstream.Unknown || err == nil {
					t.Errorf("%s: %v", kind, err)
				}
				b.box.ClearFaults()
			}
			b.ok(do(b, r))
		})
	}
}

// Of many calls in two processes that meet an access token which has run out,
// with refresh tokens that are good once, none fails and no consent is lost.
func TestRefreshInTwoProcesses(t *testing.T) {
	b := newBed(t)
	b.box.Cronofy().Rotate(true)
	b.connect()
	b.box.Cronofy().EndTokens()
	b.box.ResetCalls()
	processes := []*cronofy.Calendars{b.process(), b.process()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	errs := make([]error, 20)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = put(ctx, processes[i%2], strconv.Itoa(i)) })
	}
	wg.Wait()
	b.ok(errors.Join(errs...))
	refreshes := 0
	for _, c := range b.box.Calls() {
		if c.Op == "token" {
			refreshes++
		}
	}
	if r := b.records.records[agent]; r.State != calendar.Connected || refreshes > 2*3 {
		t.Errorf("%s after %d refreshes", r.State, refreshes)
	}
	events, err := b.box.Cronofy().Events(alex)
	b.ok(err)
	if len(events) != 20 {
		t.Errorf("%d events", len(events))
	}
}

func TestRevoked(t *testing.T) {
	b := newBed(t)
	b.connect()
	b.ok(b.box.Cronofy().Withdraw(alex))
	if err := put(t.Context(), b.cals, "1"); !errors.Is(err, calendar.ErrNotConnected) {
		t.Errorf("got %v", err)
	}
	r := b.records.records[agent]
	if r.State != calendar.Revoked || r.Access+r.Refresh != "" || r.Profile != alex {
		t.Errorf("%s %s", r.State, r.Profile)
	}
	b.box.ResetCalls()
	if err := put(t.Context(), b.cals, "1"); !errors.Is(err, calendar.ErrNotConnected) || len(b.box.Calls()) != 0 {
		t.Errorf("%v, %d calls", err, len(b.box.Calls()))
	}
	if r := b.connect(); r.State != calendar.Connected {
		t.Error(r.State)
	}
}

// A refresh that fails for now revokes nothing.
func TestRefreshFailsForNow(t *testing.T) {
	b := newBed(t)
	b.connect()
	b.box.Cronofy().EndTokens()
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.FaultStatus, Status: 503}, {Kind: sandbox.FaultHTML}, {Kind: sandbox.FaultCode, Code: "invalid_client"}, {Kind: sandbox.FaultResetBefore},
	} {
		f.Vendor, f.Op, f.Times = "cronofy", "token", 1
		b.ok(b.box.AddFault(f))
		if err := put(t.Context(), b.cals, "1"); err == nil || errors.Is(err, calendar.ErrNotConnected) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	b.ok(put(t.Context(), b.cals, "1"))
}

// A calendar that is gone is replaced, once and for all.
func TestCalendarGone(t *testing.T) {
	b := newBed(t)
	b.connect()
	b.ok(b.box.Cronofy().DeleteCalendar(alex, "Work"))
	b.ok(put(t.Context(), b.cals, "1"))
	if r := b.records.records[agent]; r.CalendarName != "Home" {
		t.Error(r.CalendarName)
	}
	b.ok(b.box.Cronofy().DeleteCalendar(alex, "Home"))
	if err := put(t.Context(), b.cals, "1"); !errors.Is(err, calendar.ErrNotConnected) {
		t.Errorf("got %v", err)
	}
	cal, err := b.cals.Of(t.Context(), agent)
	b.ok(err)
	b.ok(cal.Remove(t.Context(), calendar.Entry{ID: "1"}))
}

func TestEventsPageByPage(t *testing.T) {
	b := newBed(t)
	b.connect()
	for i := range 250 {
		b.ok(b.box.Cronofy().PutEvent(alex, sandbox.CronofyEvent{ID: "e" + strconv.Itoa(i), Start: time.Now(), End: time.Now()}))
	}
	cal, err := b.cals.Of(t.Context(), agent)
	b.ok(err)
	list, err := cal.Events(t.Context(), time.Time{})
	b.ok(err)
	seen := map[string]bool{}
	for _, e := range list {
		seen[e.ID] = true
	}
	if len(list) != 250 || len(seen) != 250 {
		t.Errorf("%d events, %d of them different", len(list), len(seen))
	}
}

// The token of a person goes to no host but the data centre.
func TestForeignPage(t *testing.T) {
	stolen := false
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen = true }))
	t.Cleanup(thief.Close)
	for _, next := range []string{thief.URL + "/v1/events/pages/x", "//" + thief.Listener.Addr().String() + "/v1/events/pages/x", "/v1/calendars", "%zz"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"events": []any{}, "pages": map[string]string{"next_page": next}})
		}))
		c, err := cronofy.New(cronofy.Options{BaseURL: server.URL, Secret: func(context.Context) (cronofy.Secret, error) { return cronofy.Secret{}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Events(t.Context(), "token", time.Time{}); err == nil || stolen {
			t.Errorf("%s: %v", next, err)
		}
		server.Close()
	}
}

func TestNothingPrintsTokens(t *testing.T) {
	const canary = "canary-7f3d"
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	for _, v := range []any{
		cronofy.Secret{ClientSecret: canary, Secret: calendar.Secret{StateSecret: canary}}, calendar.Secret{StateSecret: canary},
		cronofy.Tokens{Access: canary, Refresh: canary}, calendar.Record{Access: canary, Refresh: canary},
	} {
		logger.Info("x", "v", v)
		if text := fmt.Sprintf("%v %+v %#v %s", v, v, v, v) + log.String(); strings.Contains(text, canary) {
			t.Errorf("%T: %s", v, text)
		}
	}
	b := newBed(t)
	b.connect()
	access := b.records.records[agent].Access
	for _, kind := range []string{sandbox.FaultHTML, sandbox.FaultResetAfter} {
		b.ok(b.box.AddFault(sandbox.Fault{Vendor: "cronofy", Op: "event_upsert", Kind: kind, Status: 500, Body: access}))
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := put(ctx, b.cals, "1")
		cancel()
		if err == nil || strings.Contains(err.Error(), access) || strings.Contains(err.Error(), "http") {
			t.Errorf("%s: %v", kind, err)
		}
		b.box.ClearFaults()
	}
}

func TestSecret(t *testing.T) {
	good := cronofy.Secret{ClientID: "a", ClientSecret: "b", Secret: calendar.Secret{StateSecret: strings.Repeat("k", 32)}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	var decoded cronofy.Secret
	if err := json.Unmarshal([]byte(`{"clientId":"a","clientSecret":"b","stateSecret":"`+strings.Repeat("k", 32)+`"}`), &decoded); err != nil || decoded != good {
		t.Errorf("%v", err)
	}
	for _, s := range []cronofy.Secret{{}, {ClientID: "a", Secret: good.Secret}, {ClientID: "a", ClientSecret: "b"}, {ClientID: "a", ClientSecret: "b", Secret: calendar.Secret{StateSecret: "short"}}} {
		if s.Validate() == nil {
			t.Error("accepted")
		}
	}
}
