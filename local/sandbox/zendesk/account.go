// Package zendesk is the stand-in for a Zendesk account: tickets, users, webhooks
// and triggers under /zendesk with the flows of ZIS, and the visitors of Zendesk
// Chat under /zendesk/api/v2/chat.
package zendesk

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// account is what the stand-in serves. The engine's lock guards all of it.
type account struct {
	*engine.Engine
	fix Fixture

	clients   map[string]*client
	tokens    map[string]*token
	apiTokens map[string]string // lower-case e-mail address to API token
	users     map[int64]*user
	// byEmail and byExternal find users by what is unique, in lower case.
	byEmail, byExternal map[string]*user
	tickets             map[int64]*ticketRecord
	webhooks            map[string]*webhookRecord
	triggers            map[int64]*triggerRecord
	categories          map[int64]*category
	noCategories        bool
	zis                 map[string]*integration
	keys                map[string]*idempotencyKey

	accountID   int64
	serviceUser int64
	nextID      int64 // users, comments, audits, triggers
	nextTicket  int64
	seq         int64 // order of changes inside one second

	limits    Limits
	searchLag time.Duration
	windows   map[string]*engine.Window
	hold      chan struct{} // closed when held creations may commit
	origin    string        // where the last caller reached the account
	via       int           // how the change under way is made: viaAPI, or 0 for the agent interface
	who       *user         // who makes the request under way; nil for the account's own doings
	outbox    []Mail

	onChange func(Event)
}

// Limits are the requests that the stand-in lets through per minute before it
// answers 429; 0 is no limit. The endpoints' own limits are on from the start, the
// account's, which the plan decides, is not.
//
// See https://developer.zendesk.com/api-reference/introduction/rate-limits/.
type Limits struct {
	Account      int // every authenticated request
	Incremental  int // incremental exports: 10 on every plan
	UpdateTicket int // updates of one ticket by one user, per ten minutes: 30
	Updates      int // updates of all tickets: 100 on every plan, 300 with the add-on
	SearchExport int // 100 on every plan
	// UserWrites is of create_or_update and Update User together, per second and for
	// the whole account: 1.
	UserWrites int
	UserWrite  int // of one user: 5 a minute
	List       int // List Tickets, on trial and sandbox accounts alone: 100
}

// ProductionLimits are the endpoints' own limits on a paid account, TrialLimits
// those of a trial or sandbox account where they differ.
var (
	ProductionLimits = Limits{
		Incremental: 10, UpdateTicket: 30, Updates: 100, SearchExport: 100, UserWrites: 1, UserWrite: 5,
	}
	TrialLimits = Limits{
		Incremental: 10, UpdateTicket: 30, Updates: 20, SearchExport: 100, UserWrites: 1, UserWrite: 5, List: 100,
	}
)

// Event is one change of a ticket, in the words of Zendesk's ticket
// events. Ticket is the row after the change.
type Event struct {
	Type     string // such as "status_changed"
	Ticket   Ticket
	Actor    int64 // the user who did it
	Previous any
	Current  any
	Comment  *Comment
	Time     time.Time
}

type client struct {
	id, secret string
	owner      int64
	public     bool
	lifetime   time.Duration
}

type token struct {
	client  string
	user    int64
	scopes  []string
	expires time.Time
}

type user struct {
	ID         int64
	Name       string
	Email      string
	ExternalID string
	Role       string // end-user, agent, admin
	Suspended  bool
	Verified   bool
	Zone       string // IANA; "" is UTC
	// restriction is which tickets an agent sees: "" all, "assigned" their own.
	restriction string
	light       bool // writes internal notes only
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

func (u *user) staff() bool { return u.Role == "agent" || u.Role == "admin" }

type idempotencyKey struct {
	fingerprint [sha256.Size]byte
	created     time.Time
	done        bool
	body        []byte
	location    string
}

// sessionCookie holds a signed-in person's session.
const sessionCookie = "_zendesk_session"

// Zendesk's documented times.
const (
	keyLife     = 2 * time.Hour
	tokenLife   = 30 * time.Minute
	tokenMin    = 300
	tokenMax    = 172800
	exportDelay = 60 * time.Second
	maxBody     = 8 << 20
	maxComment  = 65535
	maxComments = 5000
)

// New mounts the account's API under /zendesk and returns its inside.
func New(e *engine.Engine, fix Fixture) Desk {
	z := &account{
		Engine: e, fix: fix,
		clients: map[string]*client{}, tokens: map[string]*token{},
		apiTokens: map[string]string{}, users: map[int64]*user{},
		byEmail: map[string]*user{}, byExternal: map[string]*user{},
		tickets: map[int64]*ticketRecord{}, webhooks: map[string]*webhookRecord{},
		triggers: map[int64]*triggerRecord{}, categories: map[int64]*category{},
		zis: map[string]*integration{}, keys: map[string]*idempotencyKey{},
		windows:   map[string]*engine.Window{},
		accountID: 21474836,
		// Larger than 2^32, as ids of today's accounts are.
		nextID: 360_000_000_000, nextTicket: 1000,
		limits: ProductionLimits,
	}
	z.seed()
	z.register()
	e.CodeErrors("zendesk", z.codeError)
	return Desk{z}
}

// zafSDK is a stand-in for the script by which an app in Zendesk speaks with the
// agent workspace around it.
//
//go:embed zaf_sdk.js
var zafSDK []byte

func (z *account) register() {
	z.Mount("GET /zendesk/zaf_sdk.min.js", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(zafSDK)
	}))
	route := func(method, path, op string, h http.HandlerFunc) { z.handle(method, path, op, h) }
	route("POST", "/oauth/tokens", "oauth_tokens", z.mintToken)

	route("POST", "/api/v2/tickets", "tickets_create", z.auth("tickets:write", z.createTicket))
	route("GET", "/api/v2/tickets", "tickets_list", z.auth("tickets:read", z.listTickets))
	route("GET", "/api/v2/tickets/show_many", "tickets_show_many", z.auth("tickets:read", z.showMany))
	route("GET", "/api/v2/tickets/{id}", "tickets_show", z.auth("tickets:read", z.showTicket))
	route("PUT", "/api/v2/tickets/{id}", "tickets_update", z.auth("tickets:write", z.updateTicket))
	route("DELETE", "/api/v2/tickets/{id}", "tickets_delete", z.auth("tickets:write", z.deleteTicket))
	route("GET", "/api/v2/tickets/{id}/comments", "tickets_comments", z.auth("tickets:read", z.listComments))
	route("GET", "/api/v2/tickets/{id}/audits", "tickets_audits", z.auth("tickets:read", z.listAudits))
	route("GET", "/api/v2/tickets/{id}/tags", "tickets_tags", z.auth("tickets:read", z.ticketTags))
	route("PUT", "/api/v2/tickets/{id}/tags", "tickets_tags", z.auth("tickets:write", z.ticketTags))
	route("POST", "/api/v2/tickets/{id}/tags", "tickets_tags", z.auth("tickets:write", z.ticketTags))
	route("DELETE", "/api/v2/tickets/{id}/tags", "tickets_tags", z.auth("tickets:write", z.ticketTags))
	route("POST", "/api/v2/tickets/{id}/merge", "tickets_merge", z.auth("tickets:write", z.mergeTickets))
	route("PUT", "/api/v2/tickets/{id}/mark_as_spam", "tickets_mark_as_spam", z.auth("tickets:write", z.spamTicket))
	route("GET", "/api/v2/deleted_tickets", "deleted_tickets_list", z.auth("tickets:read", z.listDeleted))
	route("PUT", "/api/v2/deleted_tickets/{id}/restore", "deleted_tickets_restore", z.auth("tickets:write", z.restoreTicket))
	route("GET", "/api/v2/incremental/tickets/cursor", "incremental_tickets_cursor", z.auth("tickets:read", z.incrementalTickets))

	route("GET", "/api/v2/macros/active", "macros_active", z.auth("macros:read", z.activeMacros))
	route("GET", "/api/v2/tickets/{id}/macros/{macro}/apply", "macros_apply", z.auth("tickets:read", z.applyMacro))

	route("GET", "/api/v2/search/export", "search_export", z.auth("search:read", z.searchExport))

	route("POST", "/api/v2/users", "users_create", z.auth("users:write", z.createUser))
	route("POST", "/api/v2/users/create_or_update", "users_create_or_update", z.auth("users:write", z.createOrUpdateUser))
	route("GET", "/api/v2/users", "users_list", z.auth("users:read", z.listUsers))
	route("GET", "/api/v2/users/me", "users_me", z.me)
	route("GET", "/api/v2/users/show_many", "users_show_many", z.auth("users:read", z.showManyUsers))
	route("GET", "/api/v2/users/{id}", "users_show", z.auth("users:read", z.showUser))

	z.registerAdmin()
	z.registerZIS()
	z.handle("", "/", "unknown", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "InvalidEndpoint", "Not found")
	})
}

// write answers with JSON as Zendesk does.
func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// fail answers with the older error body: a code and a description.
func fail(w http.ResponseWriter, status int, code, description string) {
	write(w, status, map[string]any{"error": code, "description": description})
}

// failTitled answers with the second error body, whose error is an object.
func failTitled(w http.ResponseWriter, status int, title, message string) {
	write(w, status, map[string]any{"error": map[string]string{"title": title, "message": message}})
}

// failListed answers with the newer APIs' list of errors.
func failListed(w http.ResponseWriter, status int, code, detail string) {
	write(w, status, map[string]any{"errors": []map[string]any{{
		"code": code, "title": code, "detail": detail, "status": strconv.Itoa(status),
	}}})
}

func forbidden(w http.ResponseWriter) {
	failTitled(w, http.StatusForbidden, "Forbidden",
		"You do not have access to this page. Please contact the account owner of this help desk for further help.")
}

func invalidAttribute(w http.ResponseWriter, attribute, why string) {
	failTitled(w, http.StatusBadRequest, "Invalid attribute",
		fmt.Sprintf("You passed an invalid value for the %s attribute. %s", attribute, why))
}

// invalidRecord collects the details of a 422 RecordInvalid.
type invalidRecord map[string][]detail

type detail struct {
	Description string `json:"description"`
	Error       string `json:"error,omitempty"`
}

func (v invalidRecord) add(field, code, description string) {
	v[field] = append(v[field], detail{description, code})
}

func (v invalidRecord) write(w http.ResponseWriter) {
	write(w, http.StatusUnprocessableEntity, map[string]any{
		"error": "RecordInvalid", "description": "Record validation errors", "details": v,
	})
}

// codeError renders an injected fault in the vendor's own shape.
func (z *account) codeError(w http.ResponseWriter, code string) {
	switch code {
	case "invalid_client", "invalid_grant", "invalid_scope", "invalid_token", "unauthorized_client":
		oauthError(w, code)
	case "RecordInvalid":
		invalidRecord{"base": {{"Ticket: is invalid", "InvalidValue"}}}.write(w)
	case "RecordNotFound":
		fail(w, http.StatusNotFound, code, "Not found")
	case "IdempotentRequestError":
		fail(w, http.StatusBadRequest, code, keyReused)
	case "IdempotentRequestInProgress":
		fail(w, http.StatusConflict, code, keyBusy)
	case "UpdateConflict":
		fail(w, http.StatusConflict, code, stale)
	case "APIRateLimitExceeded":
		w.Header().Set("Retry-After", "30")
		fail(w, http.StatusTooManyRequests, code, rateText)
	case "Forbidden":
		forbidden(w)
	case "unavailable":
		fail(w, http.StatusServiceUnavailable, code, "Service unavailable")
	default:
		fail(w, http.StatusBadRequest, code, code)
	}
}

const (
	keyReused = "Same Idempotency-Key used with different request parameters"
	keyBusy   = "A request with the same Idempotency-Key is in progress"
	stale     = "Safe Update prevented the update due to outdated ticket data. Please get the latest ticket data and try again."
	rateText  = "Number of allowed API requests per minute exceeded"
)

// caller is whom a request is made as and what its token allows. API tokens
// have every scope of their user.
type caller struct {
	user   *user
	scopes []string
	all    bool
	by     credential
	client string // of an OAuth token
}

// credential is what a request proved itself by. Only ZIS makes a difference.
type credential string

const (
	byOAuth    credential = "oauth"
	byAPIToken credential = "api_token"
	bySession  credential = "session" // a person's browser, or an app in it
)

// allows reports whether the caller holds scope, as "read", "write" or
// "resource:access".
func (c caller) allows(scope string) bool {
	if c.all {
		return true
	}
	_, access, _ := strings.Cut(scope, ":")
	return slices.Contains(c.scopes, scope) || (access != "" && slices.Contains(c.scopes, access))
}

type handler func(w http.ResponseWriter, r *http.Request, c caller)

// auth runs h under the engine's lock for an agent or admin whose token has
// the scope.
func (z *account) auth(scope string, h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		z.Lock()
		defer z.Unlock()
		c, ok := z.authenticate(w, r)
		if !ok {
			return
		}
		if c.user == nil {
			write(w, http.StatusUnauthorized, map[string]string{"error": "Couldn't authenticate you"})
			return
		}
		if !z.admit(w, "account", z.limits.Account, time.Minute) {
			return
		}
		if !c.allows(scope) {
			_, access, _ := strings.Cut(scope, ":")
			fail(w, http.StatusForbidden, "Forbidden", "Missing the following required scopes: "+access)
			return
		}
		if !c.user.staff() {
			forbidden(w)
			return
		}
		z.via, z.who = viaAPI, c.user
		defer func() { z.via, z.who = 0, nil }()
		h(w, r, c)
	}
}

// authenticate returns the caller; a nil user is an anonymous request. On
// refused credentials it answers and returns false.
func (z *account) authenticate(w http.ResponseWriter, r *http.Request) (caller, bool) {
	if u, ok := r.Context().Value(session{}).(*user); ok {
		return caller{user: u, all: true, by: bySession}, true
	}
	header := r.Header.Get("Authorization")
	if cookie, err := r.Cookie(sessionCookie); header == "" && err == nil {
		if u := z.users[z.fix.OwnUserID]; hmac.Equal([]byte(cookie.Value), []byte(z.fix.AdminSession)) && !u.Suspended {
			return caller{user: u, all: true, by: bySession}, true
		}
	}
	if header == "" {
		return caller{}, true
	}
	scheme, rest, _ := strings.Cut(header, " ")
	switch strings.ToLower(scheme) {
	case "bearer":
		t := z.tokens[rest]
		if t == nil || !z.Now().Before(t.expires) || z.users[t.user].Suspended {
			oauthError(w, "invalid_token")
			return caller{}, false
		}
		return caller{user: z.users[t.user], scopes: t.scopes, by: byOAuth, client: t.client}, true
	case "basic":
		if u := z.basic(r); u != nil {
			return caller{user: u, all: true, by: byAPIToken}, true
		}
	}
	write(w, http.StatusUnauthorized, map[string]string{"error": "Couldn't authenticate you"})
	return caller{}, false
}

// basic accepts "{email}/token" with an API token. E-mail with a password is
// gone since January 2026.
func (z *account) basic(r *http.Request) *user {
	name, secret, ok := r.BasicAuth()
	email, isToken := strings.CutSuffix(name, "/token")
	if !ok || !isToken {
		return nil
	}
	want, ok := z.apiTokens[strings.ToLower(email)]
	if !ok || !hmac.Equal([]byte(want), []byte(secret)) {
		return nil
	}
	u := z.userByEmail(email)
	if u == nil || u.Suspended {
		return nil
	}
	return u
}

// admit counts a request against a limit and answers 429 when it is over.
func (z *account) admit(w http.ResponseWriter, name string, limit int, per time.Duration) bool {
	if limit <= 0 {
		return true
	}
	now := z.Now()
	win := z.windows[name]
	if win == nil || now.Sub(win.Start) >= per {
		win = &engine.Window{Start: now}
		z.windows[name] = win
	}
	win.Count++
	reset := int(win.Start.Add(per).Sub(now)/time.Second) + 1
	if name == "account" {
		w.Header().Set("X-Rate-Limit", strconv.Itoa(limit))
		w.Header().Set("X-Rate-Limit-Remaining", strconv.Itoa(max(0, limit-win.Count)))
		w.Header().Set("Ratelimit-Limit", strconv.Itoa(limit))
		w.Header().Set("Ratelimit-Remaining", strconv.Itoa(max(0, limit-win.Count)))
		w.Header().Set("Ratelimit-Reset", strconv.Itoa(reset))
	}
	if win.Count <= limit {
		return true
	}
	w.Header().Set("Retry-After", strconv.Itoa(reset))
	fail(w, http.StatusTooManyRequests, "APIRateLimitExceeded", rateText)
	return false
}

// object is a decoded JSON object whose fields are read with their type
// checked; the first wrong one is remembered.
type object struct {
	fields map[string]json.RawMessage
	bad    string // attribute
	why    string
}

// has reports whether the field was sent, even as null.
func (o *object) has(name string) bool {
	_, ok := o.fields[name]
	return ok
}

func (o *object) null(name string) bool {
	raw, ok := o.fields[name]
	return !ok || string(raw) == "null"
}

func (o *object) wrong(name, why string) {
	if o.bad == "" {
		o.bad, o.why = name, why
	}
}

func (o *object) str(name string) string {
	if o.null(name) {
		return ""
	}
	var v string
	if json.Unmarshal(o.fields[name], &v) == nil {
		return v
	}
	var n json.Number
	if json.Unmarshal(o.fields[name], &n) == nil {
		return n.String() // Zendesk turns numbers into text, external ids above all
	}
	o.wrong(name, "Must be a string")
	return ""
}

// id reads a numeric id, sent as a number or as digits.
func (o *object) id(name string) int64 {
	if o.null(name) {
		return 0
	}
	raw := strings.Trim(string(o.fields[name]), `"`)
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 0 {
		o.wrong(name, "Must be an integer")
		return 0
	}
	return n
}

func (o *object) flag(name string, def bool) bool {
	if o.null(name) {
		return def
	}
	switch strings.Trim(string(o.fields[name]), `"`) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}
	o.wrong(name, "Must be a boolean")
	return def
}

func (o *object) object(name string) (*object, bool) {
	if o.null(name) {
		return nil, false
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(o.fields[name], &m) != nil {
		o.wrong(name, "Must be an object")
		return nil, false
	}
	return &object{fields: m}, true
}

// ids reads a list of numeric ids.
func (o *object) ids(name string) []int64 {
	if o.null(name) {
		return nil
	}
	var list []int64
	if json.Unmarshal(o.fields[name], &list) != nil {
		o.wrong(name, "Must be a list of integers")
		return nil
	}
	return list
}

var tagSplit = regexp.MustCompile(`[\s,]+`)

// tags reads a list of tags or a string of them, normalised as Zendesk does:
// lower case, no blanks, no doubles, sorted.
func (o *object) tags(name string) []string {
	if o.null(name) {
		return []string{}
	}
	var list []string
	if json.Unmarshal(o.fields[name], &list) != nil {
		var one string
		if json.Unmarshal(o.fields[name], &one) != nil {
			o.wrong(name, "Must be a list of strings")
			return []string{}
		}
		list = []string{one}
	}
	return normalTags(list)
}

func normalTags(list []string) []string {
	out := []string{}
	for _, t := range list {
		for _, word := range tagSplit.Split(strings.ToLower(t), -1) {
			if word != "" {
				out = append(out, word)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ok answers 400 and returns false when a field had the wrong type.
func (o *object) ok(w http.ResponseWriter) bool {
	if o.bad == "" {
		return true
	}
	invalidAttribute(w, o.bad, o.why)
	return false
}

var errUnreadable = errors.New("unreadable")

// readBody reads a JSON request body, answering for itself when it cannot.
func readBody(w http.ResponseWriter, r *http.Request) (*object, []byte, error) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType", "Content-Type must be application/json")
		return nil, nil, errUnreadable
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Request body too large")
		return nil, nil, errUnreadable
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		write(w, http.StatusUnprocessableEntity, map[string]string{
			"error": "Unprocessable Entity", "message": "Server could not parse JSON",
		})
		return nil, nil, errUnreadable
	}
	return &object{fields: m}, raw, nil
}

// readWrapped reads a body of the form {"name": {…}}.
func readWrapped(w http.ResponseWriter, r *http.Request, name string) (*object, []byte, bool) {
	body, raw, err := readBody(w, r)
	if err != nil {
		return nil, nil, false
	}
	inner, ok := body.object(name)
	if !ok {
		failTitled(w, http.StatusBadRequest, "Invalid attribute", "Parameter "+name+" is required")
		return nil, nil, false
	}
	return inner, raw, true
}

// pathID reads the id of the path; a ".json" suffix is allowed.
func pathID(w http.ResponseWriter, r *http.Request) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSuffix(r.PathValue("id"), ".json"), 10, 64)
	if err != nil || n <= 0 {
		invalidAttribute(w, "id", "Invalid parameter: id must be an integer")
		return 0, false
	}
	return n, true
}

func idList(raw string) ([]int64, bool) {
	var ids []int64
	for part := range strings.SplitSeq(raw, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 64)
		if err != nil || n <= 0 {
			return nil, false
		}
		ids = append(ids, n)
	}
	return ids, true
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func sorted[T any](m map[int64]T) []T {
	ids := make([]int64, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = m[id]
	}
	return out
}

// page is one page of a list: offset pages by ?page=&per_page=, cursor pages
// by ?page[size]=&page[after]=.
func page[T any](w http.ResponseWriter, r *http.Request, name string, list []T, base string, id func(T) int64, view func(T) any) {
	q := r.URL.Query()
	body := map[string]any{}
	var page []T
	if q.Has("page[size]") || q.Has("page[after]") {
		size, ok := pageSize(w, cmp.Or(q.Get("page[size]"), "100"), "page[size]")
		if !ok {
			return
		}
		start := 0
		if after := q.Get("page[after]"); after != "" {
			last, err := cursorID(after)
			if err != nil {
				fail(w, http.StatusBadRequest, "InvalidPaginationParameter", "page[after] is invalid")
				return
			}
			if i := slices.IndexFunc(list, func(v T) bool { return id(v) == last }); i >= 0 {
				start = i + 1
			} else {
				start = len(list)
			}
		}
		page = list[start:min(len(list), start+size)]
		more := start+len(page) < len(list)
		meta := map[string]any{"has_more": more, "after_cursor": nil, "before_cursor": nil}
		links := map[string]any{"next": nil, "prev": nil}
		if len(page) > 0 {
			after := cursor(id(page[len(page)-1]))
			meta["after_cursor"] = after
			meta["before_cursor"] = cursor(id(page[0]))
			if more {
				next := r.URL.Query()
				next.Set("page[size]", strconv.Itoa(size))
				next.Set("page[after]", after)
				links["next"] = base + "?" + next.Encode()
			}
		}
		body["meta"], body["links"] = meta, links
	} else {
		size, ok := pageSize(w, cmp.Or(q.Get("per_page"), "100"), "per_page")
		if !ok {
			return
		}
		n, err := strconv.Atoi(cmp.Or(q.Get("page"), "1"))
		if err != nil || n < 1 || n > 1_000_000 {
			invalidAttribute(w, "page", "Must be a positive integer")
			return
		}
		start := min(len(list), (n-1)*size)
		page = list[start:min(len(list), start+size)]
		body["count"], body["next_page"], body["previous_page"] = len(list), nil, nil
		link := func(n int) string {
			next := r.URL.Query()
			next.Set("page", strconv.Itoa(n))
			return base + "?" + next.Encode()
		}
		if start+len(page) < len(list) {
			body["next_page"] = link(n + 1)
		}
		if n > 1 {
			body["previous_page"] = link(n - 1)
		}
	}
	rows := make([]any, 0, len(page))
	for _, v := range page {
		rows = append(rows, view(v))
	}
	body[name] = rows
	write(w, http.StatusOK, body)
}

func pageSize(w http.ResponseWriter, raw, name string) (int, bool) {
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 {
		invalidAttribute(w, name, "Must be a positive integer")
		return 0, false
	}
	return min(n, 100), true
}

func cursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("o:" + strconv.FormatInt(id, 10)))
}

func cursorID(s string) (int64, error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimPrefix(string(raw), "o:"), 10, 64)
}
