package calendar_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/connections"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// queue is the queue of calendars, in memory.
type queue struct {
	mu    sync.Mutex
	hints []calendar.Hint
}

func (q *queue) SendAll(_ context.Context, hints ...calendar.Hint) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hints = append(q.hints, hints...)
	return nil
}

func (q *queue) take() []calendar.Hint {
	q.mu.Lock()
	defer q.mu.Unlock()
	hints := q.hints
	q.hints = nil
	return hints
}

// bed is Sync on its real clients, with the sandbox for vendors.
type bed struct {
	fataler
	clock     *upstreamtest.Clock
	box       *sandbox.Sandbox
	server    *httptest.Server
	meter     *upstreamtest.Counts
	queue     *queue
	desk      zendesk.TaskDesk
	feed      *zendesk.SyncDesk
	client    *cronofy.Client
	records   connections.Secrets
	calendars *cronofy.Calendars
	sync      *calendar.Sync

	// lossy: a process that dies between a refresh and the saving of its answer
	// loses a refresh token that is good once, and with it the connection.
	lossy bool

	mu  sync.Mutex
	cut func(*http.Request) fate
}

// fate is what becomes of a call.
type fate int

const (
	served fate = iota
	cutBefore
	cutAfter // it is done, and nobody hears of it
)

const redirect = "https://api.example/calendar/callback"

// people are the agents of the tests: their accounts at Cronofy by Zendesk id.
var people = []string{"alex@caseroom.example", "billie@caseroom.example"}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := startBed(t)
	t.Cleanup(b.close)
	return b
}

func (b *bed) close() {
	b.server.Close()
	b.box.Close()
}

func startBed(t fataler) *bed {
	t.Helper()
	c := upstreamtest.NewClock(time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC))
	box := sandbox.New(sandbox.Options{Seed: 1, Now: c.Now})
	box.Cronofy().SetLimits(sandbox.CronofyLimits{})
	box.Zendesk().SetLimits(sandbox.ZendeskLimits{})
	b := &bed{fataler: t, clock: c, box: box, meter: &upstreamtest.Counts{}, queue: &queue{}}
	b.server = httptest.NewServer(http.HandlerFunc(b.serve))
	b.build()
	b.ok(box.Zendesk().SetTimeZone(b.agentID(0), "Europe/Berlin"))
	b.ok(box.Zendesk().SetTimeZone(b.agentID(1), "America/New_York"))
	return b
}

// build makes everything that a process holds.
func (b *bed) build() {
	fix, url := b.box.Fixtures(), b.server.URL
	zc, err := zendesk.New(zendesk.Options{BaseURL: url + "/zendesk", Now: b.clock.Now, Credentials: func(context.Context) (zendesk.Credentials, error) {
		return zendesk.Credentials{ClientID: fix.Zendesk.ClientID, ClientSecret: fix.Zendesk.ClientSecret}, nil
	}})
	b.ok(err)
	b.desk, b.feed = zendesk.TaskDesk{Client: zc}, &zendesk.SyncDesk{Client: zc, Now: b.clock.Now}
	b.client, err = cronofy.New(cronofy.Options{BaseURL: url + "/cronofy", Now: b.clock.Now, Secret: func(context.Context) (cronofy.Secret, error) {
		f := fix.Cronofy
		return cronofy.Secret{ClientID: f.ClientID, ClientSecret: f.ClientSecret, Secret: calendar.Secret{StateSecret: f.StateSecret}}, nil
	}})
	b.ok(err)
	b.records = connections.Secrets{Prefix: "caseroom/cronofy", API: secretsmanager.NewFromConfig(aws.Config{
		Region: fix.AWS.Region, BaseEndpoint: aws.String(url + "/aws"), HTTPClient: http.DefaultClient,
		Retryer: func() aws.Retryer { // the SDK learns the sandbox's clock from the first answer
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: fix.AWS.AccessKeyID, SecretAccessKey: fix.AWS.SecretAccessKey}, nil
		}),
	})}
	b.calendars = &cronofy.Calendars{Client: b.client, Records: b.records, Meter: b.meter, Now: b.clock.Now, Wait: b.clock.Wait}
	b.sync = &calendar.Sync{
		Desk: b.desk, Calendars: b.calendars, Queue: b.queue, Meter: b.meter, Now: b.clock.Now,
		Settings: calendar.Settings{Host: b.desk.Host(), Start: "08:00", Length: 10 * time.Minute, Reminder: 15, Subjects: true},
	}
}

// serve is the vendors' door. While a cut is set, it strikes at that call.
func (b *bed) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	b.mu.Lock()
	cut := b.cut
	b.mu.Unlock()
	if cut != nil {
		switch cut(r) {
		case cutBefore:
			panic(http.ErrAbortHandler)
		case cutAfter:
			b.box.Handler().ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
	}
	b.box.Handler().ServeHTTP(w, r)
}

func (b *bed) setCut(f func(*http.Request) fate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = f
}

func (b *bed) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%v", err)
	}
}

func (b *bed) agentID(n int) int64 { return b.box.Fixtures().Zendesk.AgentIDs[n] }

func (b *bed) agent(n int) string { return strconv.FormatInt(b.agentID(n), 10) }

// connect is an agent's consent, from Cronofy's page on.
func (b *bed) connect(n int) {
	b.Helper()
	code, err := b.box.Cronofy().Allow(people[n], redirect, strings.Fields(cronofy.Scope)...)
	b.ok(err)
	_, err = b.calendars.Connect(context.Background(), b.agent(n), code, redirect)
	b.ok(err)
	b.ok(b.queue.SendAll(context.Background(), calendar.Hint{Agent: b.agent(n)}))
}

// task makes a task of agent n, or of nobody for -1, that is due then.
func (b *bed) task(n int, subject string, due time.Time) int64 {
	b.Helper()
	id, err := b.box.Zendesk().Create(subject, "please", b.agentID(0))
	b.ok(err)
	b.ok(b.box.Zendesk().SetType(id, "task", due))
	b.assign(id, n)
	return id
}

func (b *bed) assign(id int64, n int) {
	b.Helper()
	var agent int64
	if n >= 0 {
		agent = b.agentID(n)
	}
	b.ok(b.box.Zendesk().Assign(id, agent))
}

func hintOf(id int64) calendar.Hint {
	return calendar.Hint{Task: strconv.FormatInt(id, 10)}
}

// run works on hints as the worker does, in one batch, and returns the errors.
func (b *bed) run(ctx context.Context, hints ...calendar.Hint) []error {
	var items []calendar.Hint
	for _, first := range dedupe(hints) {
		var said []calendar.Hint
		for _, h := range hints {
			if h.Group() == first.Group() {
				said = append(said, h)
			}
		}
		items = append(items, calendar.Together(said))
	}
	return b.sync.Run(ctx, items)
}

// must works on hints, which has to succeed.
func (b *bed) must(hints ...calendar.Hint) {
	b.Helper()
	for _, err := range b.run(context.Background(), hints...) {
		b.ok(err)
	}
}

// drain works on the queue until it is empty.
func (b *bed) drain() {
	b.Helper()
	for range 20 {
		hints := b.queue.take()
		if len(hints) == 0 {
			return
		}
		for batch := range slices.Chunk(hints, 10) {
			b.must(batch...)
		}
	}
	b.Fatalf("the queue never ends")
}

// events are what agent n has in the calendar, by id.
func (b *bed) events(n int) map[string]sandbox.CronofyEvent {
	b.Helper()
	list, err := b.box.Cronofy().Events(people[n])
	b.ok(err)
	byID := map[string]sandbox.CronofyEvent{}
	for _, e := range list {
		if _, twice := byID[e.ID]; twice {
			b.Errorf("%s has %s in two calendars", people[n], e.ID)
		}
		byID[e.ID] = e
	}
	return byID
}

// want checks that agent n's calendar holds exactly the events of these tickets.
func (b *bed) want(n int, tickets ...int64) {
	b.Helper()
	got := b.events(n)
	for _, id := range tickets {
		key := b.sync.Settings.EventID(strconv.FormatInt(id, 10))
		if _, ok := got[key]; !ok {
			b.Errorf("%s lacks %s", people[n], key)
		}
		delete(got, key)
	}
	for id := range got {
		b.Errorf("%s has %s too many", people[n], id)
	}
}

// noHints is the queue of rooms, for which nothing comes.
type noHints struct{}

func (noHints) SendAll(_ context.Context, hints ...relay.Hint) error {
	if len(hints) > 0 {
		return errors.New("a hint for the rooms")
	}
	return nil
}

// noRooms is a chat without any room: these tickets are nobody's request.
type noRooms struct{}

func (noRooms) Read(context.Context, string, ...string) (map[string]relay.Room, error) {
	return map[string]relay.Room{}, nil
}

func (noRooms) FitName(name, _ string) string { return name }

// reconcile queues what the desk's feed of changes shows since.
func (b *bed) reconcile(since time.Time) {
	b.Helper()
	b.clock.Add(2 * time.Minute) // the feed does not show the last one
	r := &relay.Reconcile{
		Desks: map[relay.DeskName]relay.ChangeDesk{relay.Zendesk: b.feed}, Rooms: noRooms{}, Queue: noHints{}, Calendars: calendar.Tasks{Queue: b.queue}, Meter: b.meter, Now: b.clock.Now,
	}
	report, err := r.Run(context.Background(), relay.Window{Desk: relay.Zendesk, From: since, Until: b.clock.Now()})
	b.ok(err)
	if report.Next != "" {
		b.Fatalf("the window was not seen to its end: %+v", report)
	}
}

func (b *bed) String() string { return fmt.Sprint(b.queue.hints) }
