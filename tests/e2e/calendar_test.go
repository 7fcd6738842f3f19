package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// feedPath is the address of an agent's feed, made past the routes.
func (s *stack) feedPath() string {
	s.tb.Helper()
	tokens := calendar.Tokens{Now: time.Now, Secret: func(context.Context) (string, error) { return s.fix.Cronofy.StateSecret, nil }}
	token, err := tokens.Feed(context.Background(), s.zendeskAgent(), 0)
	s.must(err)
	s.vault.add("a feed's token", token)
	return "/calendar/feed?token=" + token
}

// path takes the gateway off an address of a route.
func (s *stack) path(address string) string {
	s.tb.Helper()
	path, ok := strings.CutPrefix(address, s.url)
	if !ok {
		s.tb.Fatalf("%s is not on this gateway", address)
	}
	return path
}

// consent goes with an agent's browser to Cronofy's page and back; the request
// is what the browser then sends.
func (s *stack) consent(session, account string) request {
	s.tb.Helper()
	return s.window(s.startLink(session))(account)
}

// startLink is the path that the panel opens.
func (s *stack) startLink(session string) string {
	s.tb.Helper()
	a := s.do(request{method: "GET", path: "/calendar/connect", as: session}).ok(s.tb)
	start := s.path(a.text("url"))
	s.vault.add("a start", start[strings.LastIndexByte(start, '=')+1:])
	return start
}

// window is a browser that opened a start link. What it returns answers on
// Cronofy's page, for an account or for none, and is the request that the
// browser then sends.
func (s *stack) window(start string) func(account string) request {
	s.tb.Helper()
	window := s.do(request{method: "GET", path: start})
	if window.status != http.StatusFound || window.header.Get("Referrer-Policy") != "no-referrer" {
		s.tb.Fatal(window)
	}
	page, err := url.Parse(window.header.Get("Location"))
	s.must(err)
	if page.Host != strings.TrimPrefix(s.boxURL, "http://") {
		s.tb.Errorf("the window goes to %s", page.Host)
	}
	s.vault.add("a state", page.Query().Get("state"))
	return func(account string) request { return s.answerAt(page, window, account) }
}

func (s *stack) answerAt(page *url.URL, window answer, account string) request {
	s.tb.Helper()
	form := url.Values{"account": {account}, "answer": {"allow"}}
	if account == "" {
		form = url.Values{"answer": {"deny"}}
	}
	res, err := s.client.PostForm(page.String(), form)
	s.must(err)
	_ = res.Body.Close()
	back, err := url.Parse(res.Header.Get("Location"))
	s.must(err)
	s.vault.add("a code", back.Query().Get("code"))
	cookie, err := http.ParseSetCookie(window.header.Get("Set-Cookie"))
	s.must(err)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || !strings.HasSuffix(s.url+"/calendar", cookie.Path) ||
		cookie.Path != strings.TrimSuffix(back.Path, "/callback") || cookie.MaxAge <= 0 {
		s.tb.Errorf("cookie %v", cookie)
	}
	s.vault.add("a nonce", cookie.Value)
	r := request{method: "GET", path: s.path(back.String())}
	return r.with("Cookie", cookie.Name+"="+cookie.Value)
}

// work lets the stack do what is queued until nothing is left.
func (s *stack) work() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.must(s.box.Flush(ctx))
	s.until(func() bool {
		for _, q := range s.box.State().AWS.Queues {
			if strings.Contains(q.Name, "-calendar.fifo") && q.Visible+q.InFlight > 0 {
				return false
			}
		}
		return true
	})
}

// dates are an account's events, as number and UTC time of the start.
func (s *stack) dates(account string) []string {
	s.tb.Helper()
	events, err := s.box.Cronofy().Events(account)
	s.must(err)
	list := []string{}
	for _, e := range events {
		list = append(list, strings.Fields(e.Summary)[0]+" "+e.Start.Format("2006-01-02T15:04Z"))
	}
	slices.Sort(list)
	return list
}

// An agent connects a calendar from the panel; tasks appear in it, move to a
// colleague's, and go; the agent leaves, and nothing of it is left.
func TestCalendar(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const alex, billie = "alex@caseroom.example", "billie@caseroom.example"
	agents := s.fix.Zendesk.AgentIDs
	session := s.agentSession(strconv.FormatInt(agents[0], 10))
	other := s.agentSession(strconv.FormatInt(agents[1], 10))
	z := s.box.Zendesk()
	s.must(z.SetTimeZone(agents[0], "Europe/Berlin"))
	s.must(z.SetTimeZone(agents[1], "America/New_York"))
	for _, types := range [][]string{nil, zendesk.TaskEvents} {
		_, err := z.Subscribe(s.url+"/zendesk/events", types...)
		s.must(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.host.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })

	task := func(due string) int64 {
		id, err := z.Create("Call "+canary, "please", agents[0], "x")
		s.must(err)
		at, err := time.Parse(time.RFC3339, due)
		s.must(err)
		s.must(z.Assign(id, agents[0]))
		s.must(z.SetType(id, "task", at))
		return id
	}
	n := func(id int64, at string) string { return fmt.Sprintf("#%d %s", id, at) }
	first := task("2026-10-24T12:00:00Z")
	s.work()
	if got := s.do(request{method: "GET", path: "/calendar", as: session}).ok(t); got.text("state") != "none" {
		t.Error(got)
	}

	// Denied, then allowed; a second use of the same answer is none.
	s.do(s.consent(session, "")).ok(t)
	back := s.consent(session, alex)
	stolen := back
	stolen.header = http.Header{}
	if a := s.do(stolen); a.status != http.StatusUnauthorized || !strings.Contains(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("without the cookie: %s", a)
	}
	a := s.do(back).ok(t)
	if !strings.Contains(string(a.body), "Connected") || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error(a)
	}
	if a := s.do(back); a.status != http.StatusUnauthorized || !strings.Contains(string(a.body), "used") {
		t.Errorf("the same answer again: %s", a)
	}
	s.do(s.consent(other, billie)).ok(t)
	if a := s.do(s.consent(other, alex)); a.status != http.StatusConflict {
		t.Errorf("another account beside: %s", a)
	}
	second := task("2026-10-25T12:00:00Z") // clocks go back in between
	s.work()
	want := func(account string, list ...string) {
		t.Helper()
		slices.Sort(list)
		if got := s.dates(account); !slices.Equal(got, list) {
			t.Errorf("%s: %v, want %v", account, got, list)
		}
	}
	want(alex, n(first, "2026-10-24T06:00Z"), n(second, "2026-10-25T07:00Z"))
	want(billie)
	status := s.do(request{method: "GET", path: "/calendar", as: session}).ok(t)
	if status.text("state") != "connected" || status.text("account") != alex || status.text("calendar") != "Work" {
		t.Error(status)
	}

	s.must(z.Assign(second, agents[1]))
	s.work()
	want(alex, n(first, "2026-10-24T06:00Z"))
	want(billie, n(second, "2026-10-25T12:00Z"))
	s.must(z.SetType(second, "task", time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)))
	s.must(z.Solve(first))
	s.work()
	want(alex)
	want(billie, n(second, "2026-11-02T13:00Z"))
	s.must(z.Reopen(first))
	s.must(z.Delete(second))
	s.work()
	want(alex, n(first, "2026-10-24T06:00Z"))
	want(billie)

	// Every other way in which a task leaves a calendar, and comes back.
	const at = "2026-11-20T07:00Z"
	when := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for what, step := range map[string]struct {
		leave, back func(id int64) error
	}{
		"no task":     {func(id int64) error { return z.SetType(id, "question", time.Time{}) }, func(id int64) error { return z.SetType(id, "task", when) }},
		"no due date": {func(id int64) error { return z.SetType(id, "task", time.Time{}) }, func(id int64) error { return z.SetType(id, "task", when) }},
		"nobody's":    {func(id int64) error { return z.Assign(id, 0) }, func(id int64) error { return z.Assign(id, agents[0]) }},
		"deleted":     {z.Delete, z.Undelete},
		"closed":      {z.Close, nil},
		"spam":        {z.MarkSpam, nil},
		"merged": {func(id int64) error {
			into, err := z.Create("survivor", "x", agents[0])
			if err != nil {
				return err
			}
			return z.Merge(into, id)
		}, nil},
	} {
		id := task(when.Format(time.RFC3339))
		s.work()
		want(alex, n(first, "2026-10-24T06:00Z"), n(id, at))
		s.must(step.leave(id))
		s.work()
		want(alex, n(first, "2026-10-24T06:00Z"))
		if step.back != nil {
			s.must(step.back(id))
			s.work()
			want(alex, n(first, "2026-10-24T06:00Z"), n(id, at))
			s.must(z.Solve(id))
			s.work()
		}
		if t.Failed() {
			t.Fatalf("after %s", what)
		}
	}

	// The feed, for who does not connect.
	feed := request{method: "GET", path: s.path(status.text("feedUrl"))}
	s.vault.add("a feed's token", feed.path[strings.IndexByte(feed.path, '=')+1:])
	cal := s.do(feed).ok(t)
	parsed, err := ical.NewDecoder(strings.NewReader(string(cal.body))).Decode()
	s.must(err)
	if events := parsed.Events(); len(events) != 1 || events[0].Props.Get(ical.PropSummary).Value != "#"+strconv.FormatInt(first, 10)+" Call "+canary {
		t.Errorf("feed: %s", cal.body)
	}
	tag := cal.header.Get("Etag")
	if a := s.do(feed.with("If-None-Match", "W/"+tag)); a.status != http.StatusNotModified || len(a.body) != 0 || a.header.Get("Etag") != tag {
		t.Errorf("not modified: %s", a)
	}
	look := feed
	look.method = "HEAD"
	if a := s.do(look).ok(t); len(a.body) != 0 || a.header.Get("Etag") != tag || a.header.Get("Content-Type") != cal.header.Get("Content-Type") {
		t.Errorf("HEAD: %s %v", a, a.header)
	}
	if a := s.do(look.with("If-None-Match", tag)); a.status != http.StatusNotModified {
		t.Errorf("HEAD, not modified: %s", a)
	}
	s.must(z.SetSubject(first, "Call again"))
	s.work()
	if a := s.do(feed.with("If-None-Match", tag)).ok(t); a.header.Get("Etag") == tag || a.header.Get("Cache-Control") != "private, max-age=900" {
		t.Errorf("modified: %v", a.header)
	}
	renewed := s.do(request{path: "/calendar/feed", as: session}).ok(t)
	s.do(feed).problem(t, "not_found")
	s.do(request{method: "GET", path: s.path(renewed.text("feedUrl"))}).ok(t)
	s.refused(t, request{method: "GET", path: feed.path + "x"}, "not_found")
	s.refused(t, request{method: "GET", path: "/calendar/feed"}, "not_found")

	// A consent that is taken back is told, and connecting again mends it.
	s.must(s.box.Cronofy().Withdraw(alex))
	s.must(z.SetType(first, "task", time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)))
	s.work()
	if a := s.do(request{method: "GET", path: "/calendar", as: session}).ok(t); a.text("state") != "revoked" {
		t.Error(a)
	}
	s.do(s.consent(session, alex)).ok(t)
	s.work()
	want(alex, n(first, "2026-11-03T07:00Z"))

	next := task(time.Now().AddDate(0, 1, 0).UTC().Format(time.RFC3339))
	s.work()
	if got := s.dates(alex); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if a := s.do(request{method: "GET", path: "/calendar/disconnect", as: session}).ok(t); a.text("state") != "leaving" {
		t.Error(a)
	}
	s.work()
	for _, date := range s.dates(alex) {
		if strings.HasPrefix(date, n(next, "")) {
			t.Errorf("still there: %s", date)
		}
	}
	if a := s.do(request{method: "GET", path: "/calendar", as: session}).ok(t); a.text("state") != "none" || a.text("feedUrl") != renewed.text("feedUrl") {
		t.Error(a)
	}
	s.do(request{method: "GET", path: "/calendar/disconnect", as: session}).ok(t)
}

// A start link that was used is void, and so is every page that it opened: in
// whose hands it is does not matter any more.
func TestCalendarLink(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	session := s.agentSession(s.zendeskAgent())
	is := func(state, account string) {
		t.Helper()
		if a := s.do(request{method: "GET", path: "/calendar", as: session}).ok(t); a.text("state") != state || a.text("account") != account {
			t.Errorf("the connection is %s", a)
		}
	}
	void := func(what string, r request) {
		t.Helper()
		before := len(s.calls())
		a := s.do(r)
		if a.status != http.StatusUnauthorized || a.header.Get("Location") != "" || !strings.Contains(string(a.body), "used or too old") {
			t.Errorf("%s: %s", what, a)
		}
		for _, c := range s.since(before) {
			if strings.HasPrefix(c, "cronofy token") {
				t.Errorf("%s: %s", what, c)
			}
		}
	}
	link := s.startLink(session)
	mine, thiefs := s.window(link), s.window(link)
	answered := mine(alexAccount)
	// One browser's answer is none of another's.
	crossed := answered
	crossed.header = thiefs(billieAccount).header
	void("another browser's cookie", crossed)
	s.do(answered).ok(t)
	is("connected", alexAccount)
	void("the link once more", request{method: "GET", path: link})
	void("a page that it opened", thiefs(billieAccount))
	is("connected", alexAccount)

	// A link from before the agent left is void while the agent leaves, a new one
	// is not.
	link = s.startLink(session)
	s.do(request{method: "GET", path: "/calendar/disconnect", as: session}).ok(t)
	void("a link from before", request{method: "GET", path: link})
	s.do(s.consent(session, alexAccount)).ok(t)
	is("connected", alexAccount)

	// What fails in the window, a person reads, and may reload.
	link = s.startLink(session)
	s.restart()
	s.must(s.box.AddFault(sandbox.Fault{Vendor: "aws", Op: "GetSecretValue", Kind: sandbox.FaultCode, Code: "AccessDeniedException"}))
	if a := s.do(request{method: "GET", path: link}); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(string(a.body), "That did not work") {
		t.Error(a)
	}
	s.box.ClearFaults()
	s.until(func() bool { return s.do(request{method: "GET", path: link}).status == http.StatusFound })

	// None of it leads elsewhere, whatever an address says.
	for _, path := range []string{
		"/calendar/connect?start=", "/calendar/connect?start=x&redirect_uri=https://evil.example", "/calendar/callback?state=x&code=y&redirect_uri=https://evil.example",
	} {
		void(path, request{method: "GET", path: path}.with("X-Forwarded-Host", "evil.example").with("Origin", "https://evil.example"))
	}
}

// Without CronofyBaseUrl there is nothing of calendars: no route, no function,
// no queue.
func TestNoCalendars(t *testing.T) {
	t.Parallel()
	s := newStack(t, parameter("CronofyBaseUrl", ""))
	session := s.agentSession(s.zendeskAgent())
	for _, path := range []string{"/calendar", "/calendar/connect", "/calendar/callback?state=x", "/calendar/disconnect", s.feedPath()} {
		if a := s.do(request{method: "GET", path: path, as: session}); a.status != http.StatusNotFound || a.text("message") != "Not Found" {
			t.Error(a)
		}
	}
	stack := s.host.Stack()
	for _, f := range stack.Functions {
		if strings.HasPrefix(f.Label(), "calendar") || (f.Env["CALENDAR_QUEUE_URL"]) != "" {
			t.Errorf("there is %s, with %q", f.Label(), f.Env["CALENDAR_QUEUE_URL"])
		}
	}
	for _, q := range stack.Queues {
		if strings.Contains(q.Name, "calendar") {
			t.Errorf("there is the queue %s", q.Name)
		}
	}
}
