// Package cronofy is the stand-in for one application at Cronofy and the
// calendars of the people who may connect to it, under /cronofy.
package cronofy

import (
	"cmp"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the vendor knows every zone, whatever this machine knows
	"unicode/utf8"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// application is one application at Cronofy and the calendar accounts of the people
// who may connect to it. It is guarded by the engine's lock.
type application struct {
	*engine.Engine
	fix      Fixture
	accounts map[string]*account // by e-mail address
	codes    map[string]*consentCode
	grants   map[string]*consent // by refresh token
	tokens   map[string]*token   // by access token

	lifetime time.Duration
	rotate   bool
	limits   Limits
	windows  map[time.Duration]*engine.Window
}

// Fixture is the Cronofy application.
type Fixture struct {
	ClientID, ClientSecret string
	// StateSecret is not Cronofy's: the stack signs with it what comes back.
	StateSecret string
}

// Limits are the requests of the application, over all accounts, that
// are let through; 0 is no limit. Cronofy's own are 50 and 500.
//
// See https://docs.cronofy.com/developers/faqs/rate-limits/.
type Limits struct{ PerSecond, PerMinute int }

type account struct {
	id, email, name, zone string
	profile, provider     string
	locked                bool // the profile cannot be written to
	calendars             []*calendar
}

type calendar struct {
	id, name                   string
	primary, readonly, deleted bool
	events                     map[string]*Event
}

// Event is an event in a calendar.
type Event struct {
	ID          string    `json:"event_id"`
	CalendarID  string    `json:"calendar_id"`
	Summary     string    `json:"summary"`
	Description string    `json:"description,omitempty"`
	Start       time.Time `json:"start"` // UTC
	End         time.Time `json:"end"`
	Zone        string    `json:"tzid,omitempty"`
	URL         string    `json:"url,omitempty"`
	Free        bool      `json:"free,omitempty"`      // transparency transparent
	Reminders   []int     `json:"reminders,omitempty"` // minutes
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
}

// consent is what an account allowed the application.
type consent struct {
	account *account
	scopes  []string
	revoked bool
}

type token struct {
	grant   *consent
	expires time.Time
}

type consentCode struct {
	grant    *consent
	redirect string
	expires  time.Time
}

// Times and limits of Cronofy's that are not documented as numbers, except the
// token's.
const (
	tokenLife  = time.Hour
	codeLife   = 5 * time.Minute
	pageSize   = 100
	prefix     = "/cronofy"
	maxSummary = 1024
	maxText    = 4096
)

var knownScopes = []string{
	"read_account", "list_calendars", "read_events", "create_event", "delete_event", "read_free_busy", "create_calendar", "event_reminders",
}

// New mounts the API under /cronofy and returns the application's inside.
func New(e *engine.Engine, fix Fixture) App {
	c := &application{
		Engine: e, fix: fix, accounts: map[string]*account{}, codes: map[string]*consentCode{},
		grants: map[string]*consent{}, tokens: map[string]*token{},
		lifetime: tokenLife, limits: Limits{50, 500}, windows: map[time.Duration]*engine.Window{},
	}
	c.account("alex@caseroom.example", "Alex Agent", "Europe/Berlin", "google")
	c.account("billie@caseroom.example", "Billie Agent", "America/New_York", "exchange")
	route := func(pattern, op string, h http.HandlerFunc) {
		method, path, _ := strings.Cut(pattern, " ")
		e.Mount(method+" "+prefix+path, e.Operation("cronofy", op, h))
	}
	route("GET /oauth/authorize", "authorize", c.locking(c.authorize))
	route("POST /oauth/authorize", "authorize", c.locking(c.consent))
	route("POST /oauth/token", "token", c.locking(c.token))
	route("POST /oauth/token/revoke", "token_revoke", c.locking(c.revoke))
	route("GET /v1/userinfo", "userinfo", c.api("", c.userinfo))
	route("GET /v1/account", "account", c.api("", c.userinfo))
	route("GET /v1/calendars", "calendars_list", c.api("list_calendars", c.listCalendars))
	route("GET /v1/events", "events_read", c.api("", c.readEvents))
	route("GET /v1/events/pages/{cursor}", "events_read", c.api("", c.readEvents))
	route("POST /v1/calendars/{id}/events", "event_upsert", c.api("create_event", c.upsertEvent))
	route("DELETE /v1/calendars/{id}/events", "event_delete", c.api("delete_event", c.deleteEvent))
	e.Mount(prefix+"/", e.Operation("cronofy", "unknown", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
	}))
	e.CodeErrors("cronofy", c.codeError)
	return App{c}
}

func (c *application) account(email, name, zone, provider string) *account {
	n := fmt.Sprintf("%08d", len(c.accounts)+1)
	a := &account{
		id: "acc_" + n, email: email, name: name, zone: zone, profile: "pro_" + n, provider: provider,
		calendars: []*calendar{
			{id: "cal_" + n + "_holidays", name: "Holidays", readonly: true},
			{id: "cal_" + n + "_home", name: "Home"},
			{id: "cal_" + n + "_work", name: "Work", primary: true},
		},
	}
	for _, cal := range a.calendars {
		cal.events = map[string]*Event{}
	}
	c.accounts[email] = a
	return a
}

func (c *application) locking(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.Lock()
		defer c.Unlock()
		h(w, r)
	}
}

// codeError renders a forced error by its status or by OAuth's word.
func (c *application) codeError(w http.ResponseWriter, code string) {
	if status, err := strconv.Atoi(code); err == nil && status >= 400 && status <= 599 {
		if status == http.StatusUnprocessableEntity {
			invalid(w, "start", "errors.outside_range", "is outside of the allowed range")
			return
		}
		w.WriteHeader(status)
		return
	}
	oauthError(w, code, "forced by a fault")
}

func oauthError(w http.ResponseWriter, code, description string) {
	engine.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// invalid answers 422 as Cronofy does.
func invalid(w http.ResponseWriter, field, key, description string) {
	engine.WriteJSON(w, http.StatusUnprocessableEntity, map[string]any{
		"errors": map[string]any{field: []map[string]string{{"key": key, "description": description}}},
	})
}

// asked is an authorization request that made sense.
type asked struct {
	Redirect, State string
	Scopes          []string
	Scope           string
	People          []*account
}

// request checks an authorization request. What it cannot trust to a redirect,
// it answers itself.
func (c *application) request(w http.ResponseWriter, q url.Values) (asked, bool) {
	refuse := func(why string) (asked, bool) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, why+"\n")
		return asked{}, false
	}
	redirect, err := url.Parse(q.Get("redirect_uri"))
	local := err == nil && (redirect.Hostname() == "127.0.0.1" || redirect.Hostname() == "localhost")
	switch {
	case q.Get("client_id") != c.fix.ClientID:
		return refuse("This client_id is not known in this data centre.")
	case err != nil || redirect.Host == "" || redirect.Fragment != "" || (redirect.Scheme != "https" && !local):
		return refuse("This redirect_uri is not valid.")
	case q.Get("response_type") != "code":
		return refuse("The response_type must be code.")
	}
	scopes := strings.Fields(q.Get("scope"))
	for _, scope := range scopes {
		if !slices.Contains(knownScopes, scope) {
			return refuse("There is no scope " + strconv.Quote(scope) + ".")
		}
	}
	if len(scopes) == 0 {
		return refuse("The scope is missing.")
	}
	a := asked{Redirect: redirect.String(), State: q.Get("state"), Scopes: scopes, Scope: q.Get("scope")}
	for _, email := range slices.Sorted(maps.Keys(c.accounts)) {
		a.People = append(a.People, c.accounts[email])
	}
	return a, true
}

var consentPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Connect your calendar</title></head><body>
<h1>Connect your calendar</h1><p>caseroom asks for: {{.Scope}}</p>
{{range .People}}<form method="post"><input type="hidden" name="account" value="{{.Email}}">
<button name="answer" value="allow">Connect {{.Email}}</button></form>
{{end}}<form method="post"><button name="answer" value="deny">Cancel</button></form>
</body></html>
`))

// Email is for the page.
func (a *account) Email() string { return a.email }

// authorize is the page on which a person chooses an account, without any
// signing in. The form posts to the page's own URL.
//
// See https://docs.cronofy.com/developers/api/authorization/request-authorization/.
func (c *application) authorize(w http.ResponseWriter, r *http.Request) {
	asked, ok := c.request(w, r.URL.Query())
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = consentPage.Execute(w, asked)
}

// consent is what the page's buttons do.
func (c *application) consent(w http.ResponseWriter, r *http.Request) {
	asked, ok := c.request(w, r.URL.Query())
	if !ok || r.ParseForm() != nil {
		return
	}
	back, _ := url.Parse(asked.Redirect) // parsed before
	q := back.Query()
	if asked.State != "" {
		q.Set("state", asked.State)
	}
	a := c.accounts[r.PostForm.Get("account")]
	if r.PostForm.Get("answer") != "allow" || a == nil {
		q.Set("error", "access_denied")
	} else {
		q.Set("code", c.code(a, asked.Redirect, asked.Scopes))
	}
	back.RawQuery = q.Encode()
	w.Header().Set("Location", back.String())
	w.WriteHeader(http.StatusFound)
}

func (c *application) code(a *account, redirect string, scopes []string) string {
	code := c.ID(16)
	c.codes[code] = &consentCode{
		grant: &consent{account: a, scopes: scopes}, redirect: redirect, expires: c.Now().Add(codeLife),
	}
	return code
}

// fields reads a token request, JSON or a form.
func (c *application) fields(w http.ResponseWriter, r *http.Request) (map[string]string, bool) {
	body, _ := io.ReadAll(r.Body)
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	fields := map[string]string{}
	switch media {
	case "application/json":
		if engine.Decode(body, &fields) != nil {
			oauthError(w, "invalid_request", "the body is not a JSON object of strings")
			return nil, false
		}
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			oauthError(w, "invalid_request", "the body is no form")
			return nil, false
		}
		for name := range form {
			fields[name] = form.Get(name)
		}
	default:
		oauthError(w, "invalid_request", "the content type is neither JSON nor a form")
		return nil, false
	}
	want := c.fix
	if fields["client_id"] != want.ClientID || !hmac.Equal([]byte(fields["client_secret"]), []byte(want.ClientSecret)) {
		oauthError(w, "invalid_client", "client authentication failed")
		return nil, false
	}
	return fields, true
}

// token exchanges a code, once, and refreshes.
//
// See https://docs.cronofy.com/developers/api/authorization/request-token/
// and https://docs.cronofy.com/developers/api/authorization/refresh-token/.
func (c *application) token(w http.ResponseWriter, r *http.Request) {
	in, ok := c.fields(w, r)
	if !ok {
		return
	}
	engine.Note(r, "grant_type", in["grant_type"])
	switch in["grant_type"] {
	case "authorization_code":
		code := c.codes[in["code"]]
		delete(c.codes, in["code"])
		switch {
		case code == nil:
			oauthError(w, "invalid_grant", "unknown_or_used")
		case !c.Now().Before(code.expires):
			oauthError(w, "invalid_grant", "expired")
		case in["redirect_uri"] != code.redirect:
			oauthError(w, "invalid_grant", "redirect_uri_mismatch")
		default:
			engine.Note(r, "account", code.grant.account.id)
			c.issue(w, code.grant, "", true)
		}
	case "refresh_token":
		grant := c.grants[in["refresh_token"]]
		if grant == nil || grant.revoked {
			oauthError(w, "invalid_grant", "unknown_or_revoked")
			return
		}
		engine.Note(r, "account", grant.account.id)
		c.issue(w, grant, in["refresh_token"], false)
	default:
		oauthError(w, "unsupported_grant_type", "the grant type is not supported")
	}
}

func (c *application) issue(w http.ResponseWriter, grant *consent, refresh string, first bool) {
	if c.rotate && refresh != "" {
		delete(c.grants, refresh)
		refresh = ""
	}
	if refresh == "" {
		refresh = c.ID(16)
		c.grants[refresh] = grant
	}
	access := c.ID(16)
	c.tokens[access] = &token{grant, c.Now().Add(c.lifetime)}
	out := map[string]any{
		"token_type": "bearer", "access_token": access, "expires_in": int(c.lifetime / time.Second),
		"refresh_token": refresh, "scope": strings.Join(grant.scopes, " "),
	}
	if first {
		a := grant.account
		out["account_id"], out["sub"] = a.id, a.id
		out["linking_profile"] = map[string]string{"provider_name": a.provider, "profile_id": a.profile, "profile_name": a.email}
	}
	engine.WriteJSON(w, http.StatusOK, out)
}

// revoke ends an authorization by either of its tokens; one that is not known
// is no error.
//
// See https://docs.cronofy.com/developers/api/authorization/revoke/.
func (c *application) revoke(w http.ResponseWriter, r *http.Request) {
	in, ok := c.fields(w, r)
	if !ok {
		return
	}
	if g := c.grants[in["token"]]; g != nil {
		g.revoked = true
	}
	if t := c.tokens[in["token"]]; t != nil {
		t.grant.revoked = true
	}
	w.WriteHeader(http.StatusAccepted)
}

type handler func(w http.ResponseWriter, r *http.Request, a *account)

// api runs h for a live access token that has the scope, within the limits.
//
// See https://docs.cronofy.com/developers/api/error-codes/.
func (c *application) api(scope string, h handler) http.HandlerFunc {
	return c.locking(func(w http.ResponseWriter, r *http.Request) {
		if !c.admit() {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		t := c.tokens[value]
		if !strings.EqualFold(scheme, "Bearer") || t == nil || t.grant.revoked || !c.Now().Before(t.expires) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		engine.Note(r, "account", t.grant.account.id)
		if scope != "" && !slices.Contains(t.grant.scopes, scope) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		h(w, r, t.grant.account)
	})
}

func (c *application) admit() bool {
	now, ok := c.Now(), true
	for per, limit := range map[time.Duration]int{time.Second: c.limits.PerSecond, time.Minute: c.limits.PerMinute} {
		win := c.windows[per]
		if win == nil || now.Sub(win.Start) >= per {
			win = &engine.Window{Start: now}
			c.windows[per] = win
		}
		win.Count++
		ok = ok && (limit == 0 || win.Count <= limit)
	}
	return ok
}

func (c *application) userinfo(w http.ResponseWriter, _ *http.Request, a *account) {
	engine.WriteJSON(w, http.StatusOK, map[string]any{
		"sub": a.id, "account_id": a.id, "email": a.email, "name": a.name, "zoneinfo": a.zone, "default_tzid": a.zone,
	})
}

func (c *application) listCalendars(w http.ResponseWriter, _ *http.Request, a *account) {
	list := []any{}
	for _, cal := range a.calendars {
		list = append(list, map[string]any{
			"provider_name": a.provider, "profile_id": a.profile, "profile_name": a.email,
			"calendar_id": cal.id, "calendar_name": cal.name, "calendar_readonly": cal.readonly, "calendar_deleted": cal.deleted,
			"calendar_primary": cal.primary, "calendar_integrated_conferencing_available": false,
			"calendar_attachments_available": false, "permission_level": "sandbox",
		})
	}
	engine.WriteJSON(w, http.StatusOK, map[string]any{"sub": a.id, "calendars": list})
}

// calendar returns the calendar of the path, answering 404 for one that the
// account does not have, and 423 while its profile is locked.
func (c *application) calendar(w http.ResponseWriter, r *http.Request, a *account) *calendar {
	for _, cal := range a.calendars {
		if cal.id != r.PathValue("id") || cal.deleted {
			continue
		}
		if a.locked {
			w.WriteHeader(http.StatusLocked)
			return nil
		}
		return cal
	}
	w.WriteHeader(http.StatusNotFound)
	return nil
}

// parseTime reads a time with an offset, or {"time","tzid"}.
func parseTime(raw json.RawMessage) (time.Time, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return time.Parse(time.RFC3339, text)
	}
	var pair struct{ Time, Tzid string }
	if err := json.Unmarshal(raw, &pair); err != nil {
		return time.Time{}, err
	}
	if _, err := time.LoadLocation(pair.Tzid); err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, pair.Time)
}

// upsertEvent creates the event of an id or updates it. It answers 202 before
// the calendar's own provider has it; here the two are one.
//
// See https://docs.cronofy.com/developers/api/events/upsert-event/.
func (c *application) upsertEvent(w http.ResponseWriter, r *http.Request, a *account) {
	body, _ := io.ReadAll(r.Body)
	var in struct {
		ID           string `json:"event_id"`
		Summary      *string
		Description  string
		Start, End   json.RawMessage
		Tzid         string
		URL          string
		Transparency string
		Reminders    []struct{ Minutes int }
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" || engine.Decode(body, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	cal := c.calendar(w, r, a)
	if cal == nil {
		return
	}
	engine.Note(r, "event", in.ID)
	start, startErr := parseTime(in.Start)
	end, endErr := parseTime(in.End)
	zone := in.Tzid
	var link error
	if in.URL != "" {
		var u *url.URL
		if u, link = url.Parse(in.URL); link == nil && !u.IsAbs() {
			link = errors.New("not absolute")
		}
	}
	_, zoneErr := time.LoadLocation(zone)
	switch {
	case in.ID == "":
		invalid(w, "event_id", "errors.required", "event_id must be specified")
	case in.Summary == nil:
		invalid(w, "summary", "errors.required", "summary must be specified")
	case utf8.RuneCountInString(*in.Summary) > maxSummary:
		invalid(w, "summary", "errors.length.exceeds_maximum", "summary is too long")
	case utf8.RuneCountInString(in.Description) > maxText:
		invalid(w, "description", "errors.length.exceeds_maximum", "description is too long")
	case startErr != nil:
		invalid(w, "start", "errors.invalid", "start is not a time")
	case endErr != nil:
		invalid(w, "end", "errors.invalid", "end is not a time")
	case end.Before(start):
		invalid(w, "end", "errors.end_before_start", "end is before start")
	case zoneErr != nil:
		invalid(w, "tzid", "errors.invalid", "tzid is not a time zone")
	case link != nil:
		invalid(w, "url", "errors.invalid", "url is not a URL")
	case in.Transparency != "" && in.Transparency != "opaque" && in.Transparency != "transparent":
		invalid(w, "transparency", "errors.invalid", "transparency is opaque or transparent")
	case cal.readonly:
		w.WriteHeader(http.StatusForbidden)
	default:
		now := c.Now().UTC()
		e := &Event{
			ID: in.ID, CalendarID: cal.id, Summary: *in.Summary, Description: in.Description,
			Start: start.UTC(), End: end.UTC(), Zone: zone, URL: in.URL, Free: in.Transparency == "transparent", Created: now, Updated: now,
		}
		for _, rem := range in.Reminders {
			e.Reminders = append(e.Reminders, rem.Minutes)
		}
		if old := cal.events[in.ID]; old != nil {
			e.Created = old.Created
		}
		cal.events[in.ID] = e
		w.WriteHeader(http.StatusAccepted)
	}
}

// deleteEvent takes an event out, by the application's own id, in a body; one
// that is not there is no error.
//
// See https://docs.cronofy.com/developers/api/events/delete-event/.
func (c *application) deleteEvent(w http.ResponseWriter, r *http.Request, a *account) {
	body, _ := io.ReadAll(r.Body)
	var in struct {
		ID  string `json:"event_id"`
		UID string `json:"event_uid"`
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" || engine.Decode(body, &in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	cal := c.calendar(w, r, a)
	if cal == nil {
		return
	}
	engine.Note(r, "event", in.ID)
	if in.ID == "" || in.UID != "" {
		invalid(w, "event_id", "errors.required", "either event_id or event_uid must be specified")
		return
	}
	delete(cal.events, in.ID)
	w.WriteHeader(http.StatusAccepted)
}

// readEvents lists the application's own events, all of them where no range is
// given, page by page. Others' events are none of the stand-in's business.
//
// See https://docs.cronofy.com/developers/api/events/read-events/.
func (c *application) readEvents(w http.ResponseWriter, r *http.Request, a *account) {
	q := r.URL.Query()
	start := 0
	if cursor := r.PathValue("cursor"); cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		query, at, _ := strings.Cut(string(raw), "#")
		n, numErr := strconv.Atoi(at)
		if err != nil || numErr != nil || n < 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		q, _ = url.ParseQuery(query)
		start = n
	}
	if _, err := time.LoadLocation(q.Get("tzid")); err != nil || q.Get("tzid") == "" {
		invalid(w, "tzid", "errors.required", "tzid must be specified")
		return
	}
	if q.Get("only_managed") != "true" {
		w.WriteHeader(http.StatusForbidden) // reading what is not ours takes read_events
		return
	}
	bound := func(name string) (time.Time, bool) {
		if q.Get(name) == "" {
			return time.Time{}, true
		}
		t, err := time.Parse(time.DateOnly, q.Get(name))
		return t, err == nil
	}
	from, ok1 := bound("from")
	to, ok2 := bound("to")
	if !ok1 || !ok2 {
		invalid(w, "from", "errors.invalid", "from and to are dates")
		return
	}
	var list []*Event
	for _, cal := range a.calendars {
		for _, e := range cal.events {
			if !cal.deleted && (from.IsZero() || !e.End.Before(from)) && (to.IsZero() || e.Start.Before(to)) {
				list = append(list, e)
			}
		}
	}
	slices.SortFunc(list, func(a, b *Event) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	total := max(1, (len(list)+pageSize-1)/pageSize)
	page := list[min(start, len(list)):min(start+pageSize, len(list))]
	pages := map[string]any{"current": start/pageSize + 1, "total": total}
	if next := start + pageSize; next < len(list) {
		cursor := base64.RawURLEncoding.EncodeToString([]byte(q.Encode() + "#" + strconv.Itoa(next)))
		pages["next_page"] = c.BaseURL(r) + prefix + "/v1/events/pages/" + cursor
	}
	events := []any{}
	for _, e := range page {
		events = append(events, map[string]any{
			"calendar_id": e.CalendarID, "event_uid": "evt_external_" + e.ID, "event_id": e.ID, "summary": e.Summary,
			"description": e.Description, "start": e.Start.Format(time.RFC3339), "end": e.End.Format(time.RFC3339),
			"deleted": false, "created": e.Created.Format(time.RFC3339), "updated": e.Updated.Format(time.RFC3339),
			"url": engine.OrNull(e.URL), "options": map[string]bool{"delete": true, "update": true},
		})
	}
	engine.WriteJSON(w, http.StatusOK, map[string]any{"pages": pages, "events": events})
}

// State is what the calendars hold, by e-mail address, for /state.
type State struct {
	Accounts []Person `json:"accounts"`
}

// Person is an account at Cronofy and the events that the application
// put into its calendars.
type Person struct {
	Email     string  `json:"email"`
	Zone      string  `json:"zone"`
	Connected bool    `json:"connected"` // it allowed the application something, and still does
	Events    []Event `json:"events"`
}

// State returns a copy of what Cronofy holds; the engine is locked.
func (x App) State() State {
	c := x.c
	st := State{Accounts: []Person{}}
	for _, email := range slices.Sorted(maps.Keys(c.accounts)) {
		a := c.accounts[email]
		p := Person{Email: a.email, Zone: a.zone, Events: c.events(a)}
		for _, g := range c.grants {
			p.Connected = p.Connected || (g.account == a && !g.revoked)
		}
		st.Accounts = append(st.Accounts, p)
	}
	return st
}

func (c *application) events(a *account) []Event {
	list := []Event{}
	for _, cal := range a.calendars {
		for _, id := range slices.Sorted(maps.Keys(cal.events)) {
			list = append(list, *cal.events[id])
		}
	}
	return list
}

// App is the application from the inside: what its people and their
// admins do.
type App struct{ c *application }

func (a App) with(email string, f func(*account)) error {
	a.c.Lock()
	defer a.c.Unlock()
	account := a.c.accounts[email]
	if account == nil {
		return fmt.Errorf("account %s: %w", email, engine.ErrNoRecord)
	}
	f(account)
	return nil
}

// Allow is a person's consent, without the page: it returns a code for redirect.
func (a App) Allow(email, redirect string, scopes ...string) (code string, err error) {
	err = a.with(email, func(p *account) { code = a.c.code(p, redirect, scopes) })
	return code, err
}

// Withdraw is a person taking every consent back.
func (a App) Withdraw(email string) error {
	return a.with(email, func(p *account) {
		for _, g := range a.c.grants {
			g.revoked = g.revoked || g.account == p
		}
		for _, t := range a.c.tokens {
			t.grant.revoked = t.grant.revoked || t.grant.account == p
		}
	})
}

// Lock makes a person's profile one that cannot be written to, or ends that.
func (a App) Lock(email string, locked bool) error {
	return a.with(email, func(p *account) { p.locked = locked })
}

// DeleteCalendar deletes a person's calendar by its name, with its events.
func (a App) DeleteCalendar(email, name string) error {
	return a.with(email, func(p *account) {
		for _, cal := range p.calendars {
			if cal.name == name {
				cal.deleted = true
				clear(cal.events)
			}
		}
	})
}

// Events returns the application's events in a person's calendars, by id.
func (a App) Events(email string) (list []Event, err error) {
	err = a.with(email, func(p *account) { list = a.c.events(p) })
	return list, err
}

// PutEvent and RemoveEvent are changes behind the application's back.
func (a App) PutEvent(email string, e Event) error {
	return a.with(email, func(p *account) {
		cal := p.calendars[len(p.calendars)-1]
		e.CalendarID = cal.id
		cal.events[e.ID] = &e
	})
}

// RemoveEvent deletes an event as its owner does.
func (a App) RemoveEvent(email, id string) error {
	return a.with(email, func(p *account) {
		for _, cal := range p.calendars {
			delete(cal.events, id)
		}
	})
}

// EndTokens makes every access token one that is not recognised any more.
func (a App) EndTokens() {
	a.c.Lock()
	defer a.c.Unlock()
	clear(a.c.tokens)
}

// Rotate makes each refresh token good for one refresh.
func (a App) Rotate(on bool) {
	a.c.Lock()
	defer a.c.Unlock()
	a.c.rotate = on
}

// SetLimits replaces the rate limits.
func (a App) SetLimits(l Limits) {
	a.c.Lock()
	defer a.c.Unlock()
	a.c.limits, a.c.windows = l, map[time.Duration]*engine.Window{}
}

// Clicks registers what a person does in their calendar account.
func (a App) Clicks(mux *http.ServeMux) {
	engine.Click(mux, "cronofy/withdraw", func(in struct {
		Account string `json:"account"`
	}) (any, error) {
		return engine.Done(a.Withdraw(in.Account))
	})
}
