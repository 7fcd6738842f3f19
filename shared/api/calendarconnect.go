package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
)

// CalendarConnect answers what an agent does about their calendar: GET
// /calendar, /calendar/connect, /calendar/callback and /calendar/disconnect, and
// POST /calendar/feed.
//
// An agent's proof is the session of the panel. It does not leave the panel: the
// browser window in which the agent consents has a token of its own that lives
// for minutes, and a cookie, without which what Cronofy sends back is worth
// nothing.
type CalendarConnect struct {
	// On is whether there are calendars; without them the routes are not there.
	On      bool
	Auth    *Authenticator
	Tokens  calendar.Tokens
	Records calendar.Records
	Feeds   calendar.Feeds
	// Authorize returns where an agent consents, to be sent back to redirect.
	Authorize func(ctx context.Context, redirect, state string) (string, error)
	// Connect turns the code that came back into a connection.
	Connect func(ctx context.Context, agent, code, redirect string) (calendar.Record, error)
	Queue   CalendarQueue
	Meter   relay.Meter
	Now     func() time.Time
	NewID   func() string // 128 random bits in hex
}

// Routes returns the function's routes.
func (h *CalendarConnect) Routes() Routes {
	return Routes{
		"GET /calendar":            h.agent(h.status),
		"GET /calendar/connect":    h.connect,
		"GET /calendar/callback":   h.callback,
		"GET /calendar/disconnect": h.agent(h.disconnect),
		"POST /calendar/feed":      h.agent(h.newFeed),
	}
}

// agent runs f for the agent whose session the request carries.
func (h *CalendarConnect) agent(f func(r *Request, agent string) (any, error)) Handler {
	return func(r *Request) (any, error) {
		if !h.On {
			return nil, errNoRoute
		}
		caller, err := h.Auth.Authenticate(r)
		if err != nil {
			return nil, err
		}
		if caller.Kind != ZendeskAgent {
			return nil, problem.New(problem.Unauthorized, "This route needs an agent's session. Open the panel in Zendesk.")
		}
		return f(r, caller.Agent)
	}
}

type calendarAnswer struct {
	State    string     `json:"state"`
	Since    *time.Time `json:"since,omitempty"`
	Account  string     `json:"account,omitempty"`
	Calendar string     `json:"calendar,omitempty"`
	FeedURL  string     `json:"feedUrl"`
}

func (h *CalendarConnect) status(r *Request, agent string) (any, error) {
	rec, err := h.Records.Load(r.Context(), agent)
	if err != nil {
		return nil, err
	}
	generation, err := h.Feeds.Generation(r.Context(), agent)
	if err != nil {
		return nil, err
	}
	feed, err := h.feedURL(r, agent, generation)
	if err != nil {
		return nil, err
	}
	a := calendarAnswer{State: string(rec.State), Account: rec.Profile, Calendar: rec.CalendarName, FeedURL: feed}
	if rec.State == calendar.None {
		a.State = "none"
	} else {
		a.Since = &rec.Since
	}
	return a, nil
}

func (h *CalendarConnect) feedURL(r *Request, agent string, generation int) (string, error) {
	token, err := h.Tokens.Feed(r.Context(), agent, generation)
	if err != nil {
		return "", err
	}
	return publicURL(r, "/calendar/feed") + "?" + url.Values{"token": {token}}.Encode(), nil
}

// newFeed takes the old address of the agent's feed back.
func (h *CalendarConnect) newFeed(r *Request, agent string) (any, error) {
	generation, err := calendar.NewFeed(r.Context(), h.Feeds, agent)
	if err != nil {
		return nil, err
	}
	feed, err := h.feedURL(r, agent, generation)
	return map[string]string{"feedUrl": feed}, err
}

type connectAnswer struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// connect gives the panel an address to open in a window, and sends that window
// on to Cronofy.
func (h *CalendarConnect) connect(r *Request) (any, error) {
	if !h.On {
		return nil, errNoRoute
	}
	if q := r.URL.Query(); q.Has("start") {
		r.browser = true
		return h.begin(r, q.Get("start"))
	}
	return h.agent(func(r *Request, agent string) (any, error) {
		rec, err := h.Records.Load(r.Context(), agent)
		if err != nil {
			return nil, err
		}
		token, err := h.Tokens.Start(r.Context(), calendar.Asked{Agent: agent, Mark: rec.Mark()})
		if err != nil {
			return nil, err
		}
		return connectAnswer{
			URL:       publicURL(r, "/calendar/connect") + "?" + url.Values{"start": {token}}.Encode(),
			ExpiresAt: h.Now().Add(calendar.StartTTL).UTC().Truncate(time.Second),
		}, nil
	})(r)
}

// cookieName names what binds a consent to the browser that asked for it.
const cookieName = "caseroom_calendar"

func (h *CalendarConnect) begin(r *Request, start string) (any, error) {
	asked, err := h.Tokens.Started(r.Context(), start)
	if err == nil {
		err = h.open(r, asked)
	}
	if err != nil {
		return nil, stale(err)
	}
	nonce := h.NewID()
	state, err := h.Tokens.State(r.Context(), asked, nonce)
	if err != nil {
		return nil, err
	}
	target, err := h.Authorize(r.Context(), publicURL(r, "/calendar/callback"), state)
	if err != nil {
		return nil, err
	}
	return Document{Status: http.StatusFound, Header: http.Header{
		"Location":        {target},
		"Set-Cookie":      {keep(r, nonce, int(calendar.StateTTL/time.Second))},
		"Referrer-Policy": {"no-referrer"}, // the address holds a token
	}}, nil
}

// open reports with ErrToken a wish to connect that is over: it was granted, or
// the agent has left since. A link that has done its work does nothing more.
func (h *CalendarConnect) open(r *Request, a calendar.Asked) error {
	rec, err := h.Records.Load(r.Context(), a.Agent)
	if err == nil && rec.Overtakes(a.Mark) {
		return calendar.ErrToken
	}
	return err
}

// keep is a Set-Cookie. Cronofy's redirect is a navigation, which Lax lets it
// come along with.
func keep(r *Request, nonce string, seconds int) string {
	c := http.Cookie{ // #nosec G124 -- on this machine, over http, some browsers take no Secure cookie
		Name: cookieName, Value: nonce, Path: r.Base + "/calendar", MaxAge: seconds,
		HttpOnly: true, Secure: !local(r), SameSite: http.SameSiteLaxMode,
	}
	return c.String()
}

// stale is what a person is told of a token that is refused.
func stale(err error) error {
	if errors.Is(err, calendar.ErrToken) {
		return problem.Wrap(err, problem.Unauthorized, "This link is used or too old, or belongs to another browser. Open the panel in Zendesk and connect from there.")
	}
	return err
}

// callback is where Cronofy sends the browser back to.
func (h *CalendarConnect) callback(r *Request) (any, error) {
	if !h.On {
		return nil, errNoRoute
	}
	q := r.URL.Query()
	if !q.Has("state") {
		return nil, problem.New(problem.Invalid, "This is where Cronofy sends people back to, with a state.")
	}
	r.browser = true
	nonce := ""
	if c, err := r.Cookie(cookieName); err == nil {
		nonce = c.Value
	}
	asked, err := h.Tokens.Consented(r.Context(), q.Get("state"), nonce)
	if err != nil {
		return nil, stale(err)
	}
	agent := asked.Agent
	if q.Get("code") == "" {
		return h.done(r, sentence("Not connected", "No calendar was connected. You can close this window."))
	}
	if err := h.open(r, asked); err != nil {
		return nil, stale(err)
	}
	rec, err := h.Connect(r.Context(), agent, q.Get("code"), publicURL(r, "/calendar/callback"))
	switch {
	case errors.Is(err, calendar.ErrConsent):
		return nil, problem.Wrap(err, problem.Invalid, "This consent is used or too old. Open the panel in Zendesk and connect again.")
	case errors.Is(err, calendar.ErrNoCalendar):
		return nil, problem.Wrap(err, problem.Unprocessable, "This account has no calendar that can be written to. Connect another one.")
	case errors.Is(err, calendar.ErrOtherAccount):
		return nil, problem.Wrap(err, problem.Conflict, "Another account is connected, or its events are still being removed. Disconnect it in the panel, wait a minute and connect again.")
	case err != nil:
		return nil, err
	}
	said := "Your open tasks with a due date appear in it within a few minutes."
	if err := h.Queue.Send(r.Context(), calendar.Hint{Agent: agent}); err != nil {
		h.Meter.Count(r.Context(), "QueueSendFailed", 1, "desk", string(calendar.Agents))
		said = "Your open tasks with a due date appear in it within a day."
	}
	return h.done(r, sentence("Connected", "The calendar "+rec.CalendarName+" of "+rec.Profile+" shows the tasks of Zendesk agent "+agent+" from now on. "+said+
		" If that is not you, close this window and withdraw the consent in your calendar's settings. You can close this window."))
}

// done shows a page and lets the browser forget.
func (h *CalendarConnect) done(r *Request, p Page) (any, error) {
	return Document{Type: "text/html; charset=utf-8", Body: p.HTML, Header: http.Header{
		"Content-Security-Policy": {p.CSP}, "Referrer-Policy": {"no-referrer"}, "Set-Cookie": {keep(r, "", -1)},
	}}, nil
}

// disconnect marks the connection and leaves the rest to the worker. Asked
// again, it queues again.
func (h *CalendarConnect) disconnect(r *Request, agent string) (any, error) {
	there, err := calendar.Leave(r.Context(), h.Records, agent, h.Now())
	if err != nil {
		return nil, err
	}
	if !there {
		return map[string]string{"state": "none"}, nil
	}
	if err := h.Queue.Send(r.Context(), calendar.Hint{Agent: agent, Disconnect: true}); err != nil {
		h.Meter.Count(r.Context(), "QueueSendFailed", 1, "desk", string(calendar.Agents))
		return nil, problem.Wrap(err, problem.Unavailable, "Disconnecting could not be queued. Send the same request again.")
	}
	return map[string]string{"state": string(calendar.Leaving)}, nil
}

// publicURL is where callers reach a route: domain and base are the gateway's
// word, not the caller's.
func publicURL(r *Request, path string) string {
	scheme := "https"
	if local(r) {
		scheme = "http"
	}
	u := url.URL{Scheme: scheme, Host: r.URL.Host, Path: r.Base + path}
	return u.String()
}

// local reports whether the gateway is one on this machine.
func local(r *Request) bool {
	host := r.URL.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
