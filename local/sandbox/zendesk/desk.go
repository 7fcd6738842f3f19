package zendesk

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Fixture is the Zendesk account: its API credentials, its chat secrets
// and the people its stand-in starts with.
type Fixture struct {
	ClientID, ClientSecret string // OAuth client credentials
	Email, APIToken        string // legacy API token
	WebhookSecret          string
	EventsBearer           string
	ChatSharedSecret       string
	MessagingKeyID         string
	MessagingSecret        string
	ZopimToken             string
	// AdminSession is the browser session of the API account's user, who is an
	// admin: the value of the cookie _zendesk_session.
	AdminSession string
	OwnUserID    int64    // the API account
	AgentIDs     [2]int64 // two agents
}

// State is what the Zendesk stand-in holds, for /state.
type State struct {
	Tickets []Ticket `json:"tickets"`
	Users   []Person `json:"users"`
	// How the account is set up. It holds no signing secret and no token.
	Webhooks          []WebhookState         `json:"webhooks"`
	Triggers          []TriggerState         `json:"triggers"`
	TriggerCategories []TriggerCategoryState `json:"trigger_categories"`
	ZIS               []IntegrationState     `json:"zis"`
	Outbox            []Mail                 `json:"outbox"` // what triggers have mailed
}

// WebhookState is a webhook of the stand-in's account.
type WebhookState struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	Description   string   `json:"description,omitempty"`
	Endpoint      string   `json:"endpoint"`
	Status        string   `json:"status"`
	Subscriptions []string `json:"subscriptions"`
}

// TriggerState is a trigger of the stand-in's account.
type TriggerState struct {
	ID         int64           `json:"id"`
	Title      string          `json:"title"`
	Active     bool            `json:"active"`
	Category   string          `json:"category_id"`
	Conditions json.RawMessage `json:"conditions"`
	Actions    json.RawMessage `json:"actions"`
}

// TriggerCategoryState is a trigger category of the stand-in's account.
type TriggerCategoryState struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Person is a user of the stand-in's account.
type Person struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Email      string `json:"email,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Role       string `json:"role"`
	Suspended  bool   `json:"suspended,omitempty"`
}

// State returns a copy of what the account holds; the engine is locked.
func (d Desk) State() State {
	z := d.z
	st := State{
		Tickets: []Ticket{}, Users: []Person{}, Webhooks: []WebhookState{},
		Triggers: []TriggerState{}, TriggerCategories: []TriggerCategoryState{}, ZIS: z.integrationStates(), Outbox: append([]Mail{}, z.outbox...),
	}
	for _, id := range slices.Sorted(maps.Keys(z.webhooks)) {
		h := z.webhooks[id]
		st.Webhooks = append(st.Webhooks, WebhookState{
			id, h.str("name"), h.str("description"), h.str("endpoint"), h.str("status"), h.subscriptions(),
		})
	}
	for _, t := range sorted(z.triggers) {
		o := &object{fields: t.fields}
		category := o.str("category_id")
		if category == "" {
			category = firstCategory
		}
		st.Triggers = append(st.Triggers, TriggerState{
			t.id, o.str("title"), t.active(), category, t.fields["conditions"], t.fields["actions"],
		})
	}
	for _, c := range sorted(z.categories) {
		st.TriggerCategories = append(st.TriggerCategories, TriggerCategoryState{c.id, c.name})
	}
	for _, t := range sorted(z.tickets) {
		st.Tickets = append(st.Tickets, t.snapshot())
	}
	for _, u := range sorted(z.users) {
		st.Users = append(st.Users, Person{u.ID, u.Name, u.Email, u.ExternalID, u.Role, u.Suspended})
	}
	return st
}

// seed puts the fixture's people and credentials in place.
func (z *account) seed() {
	f := z.fix
	now := z.Now()
	person := func(id int64, name, email, role string) {
		u := &user{ID: id, Name: name, Role: role, Verified: true, CreatedAt: now, UpdatedAt: now}
		z.users[id] = u
		z.setKeys(u, email, "")
	}
	person(f.OwnUserID, "caseroom", strings.ToLower(f.Email), "admin")
	person(f.AgentIDs[0], "Alex Agent", "alex@caseroom.example", "agent")
	person(f.AgentIDs[1], "Billie Agent", "billie@caseroom.example", "agent")
	z.serviceUser = f.OwnUserID
	z.apiTokens[strings.ToLower(f.Email)] = f.APIToken
	z.clients[f.ClientID] = &client{
		id: f.ClientID, secret: f.ClientSecret, owner: f.OwnUserID, lifetime: tokenLife,
	}
}

// handle registers an operation under /zendesk. Every path but those that end
// in an id also answers with the ".json" suffix of older clients.
func (z *account) handle(method, path, op string, h http.HandlerFunc) {
	register := func(path string) {
		z.Mount(strings.TrimSpace(method+" /zendesk"+path), z.Operation("zendesk", op, func(w http.ResponseWriter, r *http.Request) {
			z.Lock()
			z.origin = z.BaseURL(r) + "/zendesk"
			z.Unlock()
			h(w, r)
		}))
	}
	register(path)
	if path != "/" && !strings.HasSuffix(path, "}") && strings.HasPrefix(path, "/api/") {
		register(path + ".json")
	}
}

func (z *account) url(path string) string { return z.origin + path }

// Desk is the account from the inside: what agents, admins and the
// system do. Every method that changes a ticket moves its updated_at to the
// engine's clock.
type Desk struct{ z *account }

// Tickets returns all tickets by id, deleted ones included.
func (d Desk) Tickets() []Ticket {
	d.z.Lock()
	defer d.z.Unlock()
	return d.State().Tickets
}

// Ticket returns one ticket.
func (d Desk) Ticket(id int64) (Ticket, error) {
	d.z.Lock()
	defer d.z.Unlock()
	t := d.z.tickets[id]
	if t == nil {
		return Ticket{}, engine.ErrNoRecord
	}
	return t.snapshot(), nil
}

// Users returns all users by id.
func (d Desk) Users() []Person {
	d.z.Lock()
	defer d.z.Unlock()
	return d.State().Users
}

// OnChange calls f for every change, in order. f runs under the engine's lock:
// it must hand the event on and return.
func (d Desk) OnChange(f func(Event)) {
	d.z.Lock()
	defer d.z.Unlock()
	d.z.onChange = f
}

// SetLimits replaces the rate limits.
func (d Desk) SetLimits(l Limits) {
	d.z.Lock()
	defer d.z.Unlock()
	d.z.limits = l
	d.z.windows = map[string]*engine.Window{}
}

// RevokeTokens makes every OAuth token invalid, as deleting them does.
func (d Desk) RevokeTokens() {
	d.z.Lock()
	defer d.z.Unlock()
	clear(d.z.tokens)
}

// RotateSecret replaces the OAuth client's secret. Tokens already minted live on.
func (d Desk) RotateSecret(secret string) {
	d.z.Lock()
	defer d.z.Unlock()
	for _, c := range d.z.clients {
		c.secret = secret
	}
}

// EndAPITokens removes all API tokens, as Zendesk does on 30 April 2027.
func (d Desk) EndAPITokens() {
	d.z.Lock()
	defer d.z.Unlock()
	clear(d.z.apiTokens)
}

// SetRole changes a user's role: "end-user", "agent" or "admin".
func (d Desk) SetRole(user int64, role string) error {
	d.z.Lock()
	defer d.z.Unlock()
	u := d.z.users[user]
	if u == nil {
		return engine.ErrNoRecord
	}
	u.Role = role
	return nil
}

// Restrict limits what an agent may see and do. seen is "" for all tickets, or
// "assigned"; a light agent's comments are internal.
func (d Desk) Restrict(user int64, seen string, light bool) error {
	d.z.Lock()
	defer d.z.Unlock()
	u := d.z.users[user]
	if u == nil {
		return engine.ErrNoRecord
	}
	u.restriction, u.light = seen, light
	return nil
}

// AddAgent adds an agent to the account.
func (d Desk) AddAgent(name, email string) (id int64) {
	d.z.Lock()
	defer d.z.Unlock()
	return d.z.addUser(name, email, "", "agent").ID
}

// HoldCreates keeps ticket creations in progress until release is called: the
// window in which the same Idempotency-Key answers 409.
func (d Desk) HoldCreates() (release func()) {
	d.z.Lock()
	defer d.z.Unlock()
	hold := make(chan struct{})
	d.z.hold = hold
	return func() {
		d.z.Lock()
		defer d.z.Unlock()
		if d.z.hold == hold {
			d.z.hold = nil
			close(hold)
		}
	}
}

// Create makes a ticket as an agent would in the agent interface.
func (d Desk) Create(subject, body string, requester int64, tags ...string) (int64, error) {
	z := d.z
	z.Lock()
	defer z.Unlock()
	if z.users[requester] == nil {
		return 0, engine.ErrNoRecord
	}
	z.nextTicket++
	z.nextID += 2
	now := z.Now().UTC()
	t := &ticketRecord{Ticket: Ticket{
		ID: z.nextTicket, Subject: subject, Status: "new", RequesterID: requester, SubmitterID: requester,
		Tags: normalTags(tags), CreatedAt: now,
		Comments: []Comment{{ID: z.nextID - 1, auditID: z.nextID, AuthorID: requester, Body: body, Public: true, CreatedAt: now}},
	}}
	z.tickets[t.ID] = t
	z.touch(t)
	z.emit("created", t, requester, nil, nil)
	return t.ID, nil
}

// change runs f on a live ticket that may still be changed.
func (d Desk) change(ticket, actor int64, f func(t *ticketRecord) error) error {
	z := d.z
	z.Lock()
	defer z.Unlock()
	t := z.tickets[ticket]
	if t == nil || t.deleted() {
		return fmt.Errorf("ticket %d: %w", ticket, engine.ErrNoRecord)
	}
	if t.Status == "closed" {
		return fmt.Errorf("sandbox: ticket %d is closed", ticket)
	}
	before := t.snapshot()
	if err := f(t); err != nil {
		return err
	}
	z.touch(t)
	z.emitChanges(t, before, actor)
	return nil
}

// Assign gives the ticket to an agent, who opens it if it is new; 0 unassigns it.
func (d Desk) Assign(ticket, agent int64) error {
	return d.change(ticket, agent, func(t *ticketRecord) error {
		if u := d.z.users[agent]; agent != 0 && (u == nil || !u.staff()) {
			return fmt.Errorf("agent %d: %w", agent, engine.ErrNoRecord)
		}
		t.AssigneeID = agent
		if agent != 0 && t.Status == "new" {
			t.Status = "open"
		}
		return nil
	})
}

// SetStatus sets new, open, pending, hold, solved or closed.
func (d Desk) SetStatus(ticket int64, status string) error {
	if !slices.Contains(statuses, status) {
		return fmt.Errorf("sandbox: no status %q", status)
	}
	return d.change(ticket, 0, func(t *ticketRecord) error {
		t.Status = status
		return nil
	})
}

// Solve solves the ticket.
func (d Desk) Solve(ticket int64) error { return d.SetStatus(ticket, "solved") }

// Reopen opens a solved ticket again.
func (d Desk) Reopen(ticket int64) error { return d.SetStatus(ticket, "open") }

// Close closes the ticket for good.
func (d Desk) Close(ticket int64) error { return d.SetStatus(ticket, "closed") }

// Tag replaces the ticket's tags.
func (d Desk) Tag(ticket int64, tags ...string) error {
	return d.change(ticket, 0, func(t *ticketRecord) error {
		t.Tags = normalTags(tags)
		return nil
	})
}

// Comment adds a comment.
func (d Desk) Comment(ticket, author int64, body string, public bool) error {
	return d.change(ticket, author, func(t *ticketRecord) error {
		if d.z.users[author] == nil {
			return fmt.Errorf("author %d: %w", author, engine.ErrNoRecord)
		}
		d.z.addComment(t, author, Comment{AuthorID: author, Body: body, Public: public})
		return nil
	})
}

// Delete soft-deletes the ticket.
func (d Desk) Delete(ticket int64) error {
	return d.withLive(ticket, func(t *ticketRecord) { d.z.softDelete(t, d.z.serviceUser) })
}

// MarkSpam deletes the ticket as spam and suspends its requester.
func (d Desk) MarkSpam(ticket int64) error {
	return d.withLive(ticket, func(t *ticketRecord) { d.z.spam(t, d.z.serviceUser) })
}

func (d Desk) withLive(ticket int64, f func(*ticketRecord)) error {
	d.z.Lock()
	defer d.z.Unlock()
	t := d.z.tickets[ticket]
	if t == nil || t.deleted() {
		return fmt.Errorf("ticket %d: %w", ticket, engine.ErrNoRecord)
	}
	f(t)
	return nil
}

// Undelete restores a soft-deleted ticket.
func (d Desk) Undelete(ticket int64) error {
	d.z.Lock()
	defer d.z.Unlock()
	t := d.z.tickets[ticket]
	if t == nil || !t.deleted() || t.purged {
		return fmt.Errorf("deleted ticket %d: %w", ticket, engine.ErrNoRecord)
	}
	d.z.undelete(t, d.z.serviceUser)
	return nil
}

// PermanentlyDelete scrubs a soft-deleted ticket. Its row stays in the
// incremental export.
func (d Desk) PermanentlyDelete(ticket int64) error {
	z := d.z
	z.Lock()
	defer z.Unlock()
	t := z.tickets[ticket]
	if t == nil || !t.deleted() || t.purged {
		return fmt.Errorf("deleted ticket %d: %w", ticket, engine.ErrNoRecord)
	}
	t.purged, t.Subject, t.Comments = true, "SCRUBBED", nil
	z.touch(t)
	z.emit("permanently_deleted", t, z.serviceUser, nil, nil)
	return nil
}

// Hide takes the ticket out of what caseroom's own user may see, as a role's or a
// group's restrictions do, or puts it back. Its own agents see it all the while.
func (d Desk) Hide(ticket int64, hidden bool) error {
	return d.withLive(ticket, func(t *ticketRecord) { t.hidden = hidden })
}

// Merge closes the sources into target.
func (d Desk) Merge(target int64, sources ...int64) error {
	z := d.z
	z.Lock()
	defer z.Unlock()
	return z.merge(target, sources, z.serviceUser, "", "", false, false)
}

func (z *account) softDelete(t *ticketRecord, actor int64) {
	t.beforeDelete, t.Status = t.Status, "deleted"
	z.touch(t)
	z.emit("soft_deleted", t, actor, nil, nil)
}

func (z *account) undelete(t *ticketRecord, actor int64) {
	t.Status = t.beforeDelete
	z.touch(t)
	z.emit("undeleted", t, actor, nil, nil)
}

func (z *account) spam(t *ticketRecord, actor int64) {
	if u := z.users[t.RequesterID]; u != nil && !u.staff() {
		u.Suspended = true
	}
	z.emit("marked_as_spam", t, actor, nil, nil)
	z.softDelete(t, actor)
}

func (z *account) merge(target int64, sources []int64, actor int64, targetText, sourceText string, targetPublic, sourcePublic bool) error {
	into := z.tickets[target]
	if into == nil || into.deleted() || into.Status == "closed" {
		return fmt.Errorf("ticket %d: %w", target, engine.ErrNoRecord)
	}
	for _, id := range sources {
		t := z.tickets[id]
		if t == nil || t.deleted() || t.Status == "closed" || id == target {
			return fmt.Errorf("ticket %d: %w", id, engine.ErrNoRecord)
		}
	}
	for _, id := range sources {
		t := z.tickets[id]
		before := t.snapshot()
		text := sourceText
		if text == "" {
			text = "This request was closed and merged into request #" + strconv.FormatInt(target, 10)
		}
		t.Status, t.MergedInto = "closed", target
		t.Tags = normalTags(append(slices.Clone(t.Tags), "closed_by_merge"))
		z.touch(t)
		z.addComment(t, actor, Comment{AuthorID: actor, Body: text, Public: sourcePublic, merge: target})
		z.emit("merged", t, actor, nil, target)
		z.emitChanges(t, before, actor)
		text = targetText
		if text == "" {
			text = "Request #" + strconv.FormatInt(id, 10) + " was closed and merged into this request."
		}
		before = into.snapshot()
		z.touch(into)
		z.addComment(into, actor, Comment{AuthorID: actor, Body: text, Public: targetPublic, merge: id})
		z.emitChanges(into, before, actor)
	}
	return nil
}

// deleteTicket is DELETE /api/v2/tickets/{id}.
func (z *account) deleteTicket(w http.ResponseWriter, r *http.Request, c caller) {
	if t, ok := z.live(w, r); ok {
		z.softDelete(t, c.user.ID)
		w.WriteHeader(http.StatusNoContent)
	}
}

// spamTicket is PUT /api/v2/tickets/{id}/mark_as_spam.
func (z *account) spamTicket(w http.ResponseWriter, r *http.Request, c caller) {
	if t, ok := z.live(w, r); ok {
		z.spam(t, c.user.ID)
		write(w, http.StatusOK, map[string]any{})
	}
}

// mergeTickets is POST /api/v2/tickets/{id}/merge, done at once here though
// the answer is a background job's.
func (z *account) mergeTickets(w http.ResponseWriter, r *http.Request, c caller) {
	o, _, err := readBody(w, r)
	if err != nil {
		return
	}
	t, ok := z.live(w, r)
	if !ok {
		return
	}
	ids := o.ids("ids")
	targetText, sourceText := o.str("target_comment"), o.str("source_comment")
	targetPublic, sourcePublic := o.flag("target_comment_is_public", false), o.flag("source_comment_is_public", false)
	if !o.ok(w) {
		return
	}
	if len(ids) == 0 {
		failTitled(w, http.StatusBadRequest, "Invalid attribute", "Parameter ids is required")
		return
	}
	if z.merge(t.ID, ids, c.user.ID, targetText, sourceText, targetPublic, sourcePublic) != nil {
		invalidRecord{"base": {{"Merge: a ticket can not be merged", "InvalidValue"}}}.write(w)
		return
	}
	job := z.ID(16)
	write(w, http.StatusOK, map[string]any{"job_status": map[string]any{
		"id": job, "url": z.url("/api/v2/job_statuses/" + job + ".json"), "status": "queued",
		"total": len(ids), "progress": nil, "message": nil, "results": nil,
	}})
}

// listDeleted is GET /api/v2/deleted_tickets: what can still be restored.
func (z *account) listDeleted(w http.ResponseWriter, r *http.Request, _ caller) {
	list := slices.DeleteFunc(sorted(z.tickets), func(t *ticketRecord) bool { return !t.deleted() || t.purged })
	page(w, r, "deleted_tickets", list, z.url("/api/v2/deleted_tickets.json"),
		func(t *ticketRecord) int64 { return t.ID }, func(t *ticketRecord) any {
			return map[string]any{
				"id": t.ID, "subject": t.Subject, "previous_state": t.beforeDelete, "deleted_at": timeText(t.UpdatedAt),
				"actor": map[string]any{"id": z.serviceUser, "name": z.users[z.serviceUser].Name},
			}
		})
}

// restoreTicket is PUT /api/v2/deleted_tickets/{id}/restore.
func (z *account) restoreTicket(w http.ResponseWriter, r *http.Request, c caller) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	t := z.tickets[id]
	if t == nil || !t.deleted() || t.purged {
		fail(w, http.StatusNotFound, "RecordNotFound", "Not found")
		return
	}
	z.undelete(t, c.user.ID)
	write(w, http.StatusOK, map[string]any{})
}
