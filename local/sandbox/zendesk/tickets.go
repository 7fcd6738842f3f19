package zendesk

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

type ticketRecord struct {
	Ticket
	generated time.Time // what the incremental export goes by
	seq       int64
	hidden    bool // from caseroom's own user, see ZendeskDesk.Hide
}

// Ticket is a ticket as the stand-in holds it. Status is lower case, or
// "deleted".
type Ticket struct {
	ID           int64           `json:"id"`
	ExternalID   string          `json:"external_id,omitempty"`
	Subject      string          `json:"subject"`
	Status       string          `json:"status"`
	Priority     string          `json:"priority,omitempty"`
	Type         string          `json:"type,omitempty"`
	DueAt        time.Time       `json:"due_at,omitzero"` // of a task
	RequesterID  int64           `json:"requester_id"`
	SubmitterID  int64           `json:"submitter_id"`
	AssigneeID   int64           `json:"assignee_id,omitempty"`
	GroupID      int64           `json:"group_id,omitempty"`
	Tags         []string        `json:"tags"`
	Comments     []Comment       `json:"comments"`
	CustomFields json.RawMessage `json:"custom_fields,omitempty"`
	FollowupOf   int64           `json:"followup_source_id,omitempty"`
	MergedInto   int64           `json:"merged_into,omitempty"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`

	beforeDelete string
	purged       bool
	assignments  []assignment
}

// assignment is one audit of the assignee; 0 is nobody.
type assignment struct {
	id, actor, before, after int64
	created                  bool // with the ticket
	at                       time.Time
}

// Comment is one comment of a ticket.
type Comment struct {
	ID        int64     `json:"id"`
	AuthorID  int64     `json:"author_id"`
	Body      string    `json:"body"`                // the text as rendered
	HTML      string    `json:"html_body,omitempty"` // "": as Body
	Public    bool      `json:"public"`
	CreatedAt time.Time `json:"created_at"`

	source     string // as it was sent over the API
	sourceHTML bool

	auditID int64
	merge   int64 // the ticket a merge comment points to
}

func (t *ticketRecord) deleted() bool { return t.Status == "deleted" }

// snapshot copies a ticket out of the lock's reach.
func (t *ticketRecord) snapshot() Ticket {
	v := t.Ticket
	v.Tags = slices.Clone(t.Tags)
	v.Comments = slices.Clone(t.Comments)
	v.CustomFields = slices.Clone(t.CustomFields)
	v.assignments = slices.Clone(t.assignments)
	return v
}

var (
	statuses    = []string{"new", "open", "pending", "hold", "solved", "closed"}
	priorities  = []string{"low", "normal", "high", "urgent"}
	ticketTypes = []string{"problem", "incident", "question", "task"}
)

func (z *account) viewTicket(t *ticketRecord) map[string]any {
	via := map[string]any{"channel": "api", "source": map[string]any{"from": map[string]any{}, "to": map[string]any{}, "rel": nil}}
	if t.FollowupOf != 0 {
		via["source"] = map[string]any{
			"from": map[string]any{"ticket_id": t.FollowupOf}, "to": map[string]any{}, "rel": "follow_up",
		}
	}
	custom := []any{}
	if len(t.CustomFields) > 0 {
		_ = json.Unmarshal(t.CustomFields, &custom) // checked when it came in
	}
	description := ""
	if len(t.Comments) > 0 {
		description = t.Comments[0].Body
	}
	return map[string]any{
		"id": t.ID, "url": z.url("/api/v2/tickets/" + strconv.FormatInt(t.ID, 10) + ".json"),
		"external_id": engine.OrNull(t.ExternalID), "via": via,
		"created_at": timeText(t.CreatedAt), "updated_at": timeText(t.UpdatedAt), "generated_timestamp": t.generated.Unix(),
		"type": engine.OrNull(t.Type), "due_at": dueAt(t), "subject": t.Subject, "raw_subject": t.Subject, "description": description,
		"priority": engine.OrNull(t.Priority), "status": t.Status, "recipient": nil,
		"requester_id": t.RequesterID, "submitter_id": t.SubmitterID,
		"assignee_id": engine.OrNull(t.AssigneeID), "organization_id": nil, "group_id": engine.OrNull(t.GroupID),
		"collaborator_ids": []int64{}, "follower_ids": []int64{}, "email_cc_ids": []int64{},
		"tags": t.Tags, "custom_fields": custom, "fields": custom, "brand_id": z.accountID, "is_public": true,
	}
}

func dueAt(t *ticketRecord) any {
	if t.DueAt.IsZero() {
		return nil
	}
	return timeText(t.DueAt)
}

// touch stamps a change by the engine's clock.
func (z *account) touch(t *ticketRecord) {
	t.UpdatedAt = z.Now().UTC()
	z.systemTouch(t)
}

// systemTouch stamps a change that only the incremental export shows.
func (z *account) systemTouch(t *ticketRecord) {
	z.seq++
	t.generated, t.seq = z.Now().UTC(), z.seq
}

func (z *account) emit(kind string, t *ticketRecord, actor int64, previous, current any) {
	if z.watched() {
		z.publish(Event{
			Type: kind, Ticket: t.snapshot(), Actor: actor, Previous: previous, Current: current, Time: z.Now(),
		})
	}
	if kind == "created" {
		z.audit(t, actor, 0, true)
		z.fire(nil, t, actor)
	}
}

func (z *account) addComment(t *ticketRecord, actor int64, c Comment) {
	z.nextID += 2
	c.ID, c.auditID, c.CreatedAt = z.nextID-1, z.nextID, z.Now().UTC()
	t.Comments = append(t.Comments, c)
	if z.watched() {
		z.publish(Event{Type: "comment_added", Ticket: t.snapshot(), Actor: actor, Comment: &c, Time: z.Now()})
	}
}

// createTicket is POST /api/v2/tickets with an optional Idempotency-Key, which
// the account keeps for two hours.
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket
// and https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency.
func (z *account) createTicket(w http.ResponseWriter, r *http.Request, c caller) {
	o, raw, ok := readWrapped(w, r, "ticket")
	if !ok {
		return
	}
	name := r.Header.Get("Idempotency-Key")
	if len(name) > 255 {
		invalidAttribute(w, "Idempotency-Key", "Must be at most 255 characters")
		return
	}
	var key *idempotencyKey
	if name != "" {
		if key, ok = z.claim(w, name, raw); !ok {
			return
		}
	}
	if z.hold != nil {
		z.waitForCommit(r)
	}
	t, ok := z.makeTicket(w, o, c)
	if !ok {
		if key != nil {
			delete(z.keys, name) // a refused request may be corrected and sent again
		}
		return
	}
	engine.Note(r, "ticket", strconv.FormatInt(t.ID, 10))
	view := z.viewTicket(t)
	var body bytes.Buffer
	_ = json.NewEncoder(&body).Encode(map[string]any{
		"ticket": view, "audit": z.viewAudit(t, c.user.ID),
	})
	if key != nil {
		key.done, key.body, key.location = true, body.Bytes(), view["url"].(string)
	}
	ticketCreated(w, view["url"].(string), body.Bytes())
}

func ticketCreated(w http.ResponseWriter, location string, body []byte) {
	w.Header().Set("Location", location)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body)
}

// claim looks an idempotency key up. It answers and returns false on a replay,
// on a key that came with another body, and while the first request runs.
func (z *account) claim(w http.ResponseWriter, name string, raw []byte) (*idempotencyKey, bool) {
	now := z.Now()
	if k := z.keys[name]; k != nil && k.done && now.Sub(k.created) >= keyLife {
		delete(z.keys, name)
	}
	var canonical any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&canonical) // it parsed before
	text, _ := json.Marshal(canonical)
	fingerprint := sha256.Sum256(text)
	known := z.keys[name]
	switch {
	case known == nil:
		w.Header().Set("X-Idempotency-Lookup", "miss")
		known = &idempotencyKey{fingerprint: fingerprint, created: now}
		z.keys[name] = known
		return known, true
	case known.fingerprint != fingerprint:
		fail(w, http.StatusBadRequest, "IdempotentRequestError", keyReused)
	case !known.done:
		fail(w, http.StatusConflict, "IdempotentRequestInProgress", keyBusy)
	default:
		w.Header().Set("X-Idempotency-Lookup", "hit")
		ticketCreated(w, known.location, known.body)
	}
	return nil, false
}

// waitForCommit lets other requests in while this one is in progress. A client
// that hangs up does not undo it.
func (z *account) waitForCommit(r *http.Request) {
	hold, who := z.hold, z.who
	z.via, z.who = 0, nil
	z.Unlock()
	select {
	case <-hold:
	case <-r.Context().Done():
	}
	z.Lock()
	z.via, z.who = viaAPI, who
}

func (z *account) makeTicket(w http.ResponseWriter, o *object, c caller) (*ticketRecord, bool) {
	now := z.Now().UTC()
	t := &ticketRecord{Ticket: Ticket{
		Status: "new", SubmitterID: c.user.ID, RequesterID: c.user.ID, CreatedAt: now, Tags: []string{},
	}}
	invalid := invalidRecord{}
	source := z.followUp(o, t, invalid)
	changes := z.readFields(o, t, invalid, true)
	comment, hasComment := z.readComment(o, c)
	if !hasComment {
		invalid.add("base", "BlankValue", "Description: cannot be blank")
	}
	var requester *user
	if ro, sent := o.object("requester"); sent {
		requester = z.readRequester(ro, invalid)
		if ro.bad != "" {
			o.wrong("requester", ro.why)
		}
	}
	if !o.ok(w) {
		return nil, false
	}
	if len(invalid) > 0 {
		invalid.write(w)
		return nil, false
	}
	if changes.assignee && t.Status == "new" && t.AssigneeID != 0 {
		t.Status = "open"
	}
	if requester != nil {
		if requester.ID == 0 {
			requester = z.addUser(requester.Name, requester.Email, "", "end-user")
		}
		t.RequesterID = requester.ID
		if !o.has("submitter_id") {
			t.SubmitterID = requester.ID
		}
		comment.AuthorID = cmp.Or(comment.AuthorID, requester.ID)
	}
	comment.AuthorID = cmp.Or(comment.AuthorID, t.RequesterID)
	z.nextTicket++
	t.ID = z.nextTicket
	z.render(t, &comment)
	if source != nil && !o.has("tags") {
		t.Tags = slices.Clone(source.Tags)
	}
	z.tickets[t.ID] = t
	z.touch(t)
	if t.Subject == "" {
		t.Subject = engine.FirstRunes(comment.Body, 150)
	}
	z.nextID += 2
	comment.ID, comment.auditID, comment.CreatedAt = z.nextID-1, z.nextID, now
	t.Comments = []Comment{comment}
	z.emit("created", t, c.user.ID, nil, nil)
	return t, true
}

func (z *account) followUp(o *object, t *ticketRecord, invalid invalidRecord) *ticketRecord {
	id := o.id("via_followup_source_id")
	if id == 0 {
		return nil
	}
	source := z.tickets[id]
	if source == nil || source.Status != "closed" {
		invalid.add("base", "InvalidValue", "Follow-up source: must be a closed ticket")
		return nil
	}
	t.FollowupOf = id
	return source
}

// changes says which fields a request changed.
type changes struct {
	any, assignee, status, external, tags, group bool
}

// readFields applies a request's ticket fields to t and collects what is wrong
// with them. t is a copy until the request is known to be good.
func (z *account) readFields(o *object, t *ticketRecord, invalid invalidRecord, creating bool) changes {
	var ch changes
	text := func(name string, to *string) bool {
		if !o.has(name) {
			return false
		}
		v := o.str(name)
		changed := *to != v
		*to = v
		ch.any = ch.any || changed
		return changed
	}
	text("subject", &t.Subject)
	ch.external = text("external_id", &t.ExternalID)
	if len(t.ExternalID) > 255 {
		invalid.add("external_id", "TooLong", "External: is too long (maximum is 255 characters)")
	}
	text("priority", &t.Priority)
	text("type", &t.Type)
	z.readDue(o, t, &ch)
	before := t.Status
	if !o.null("status") {
		ch.status = text("status", &t.Status)
	}
	for _, e := range []struct {
		name, value string
		allowed     []string
	}{{"priority", t.Priority, priorities}, {"type", t.Type, ticketTypes}, {"status", t.Status, statuses}} {
		if !slices.Contains(e.allowed, e.value) && e.value != "" {
			invalid.add(e.name, "InvalidValue", strings.ToUpper(e.name[:1])+e.name[1:]+": is invalid")
		}
	}
	if !creating && t.Status == "new" && before != "new" {
		invalid.add("status", "InvalidValue", "Status: cannot be set back to new")
	}
	if o.has("tags") {
		tags := o.tags("tags")
		ch.tags = !slices.Equal(tags, t.Tags)
		ch.any = ch.any || ch.tags
		t.Tags = tags
	}
	if o.has("custom_fields") {
		z.readCustomFields(o, t, &ch)
	}
	if o.has("group_id") {
		id := o.id("group_id")
		ch.group = id != t.GroupID
		ch.any = ch.any || ch.group
		t.GroupID = id
	}
	if id := o.id("requester_id"); id != 0 {
		if z.users[id] == nil {
			invalid.add("requester", "InvalidValue", "Requester: is invalid")
		} else if z.users[id].Suspended {
			invalid.add("requester", "UserSuspended", "Requester: "+z.users[id].Name+" is suspended.")
		}
		ch.any = ch.any || id != t.RequesterID
		t.RequesterID = id
	}
	if id := o.id("submitter_id"); id != 0 && creating {
		if z.users[id] == nil {
			invalid.add("submitter", "InvalidValue", "Submitter: is invalid")
		}
		t.SubmitterID = id
	}
	if o.has("assignee_id") {
		id := o.id("assignee_id")
		if id != 0 && (z.users[id] == nil || !z.users[id].staff() || z.users[id].Suspended) {
			invalid.add("assignee", "InvalidValue", "Assignee: is invalid")
		}
		ch.assignee = id != t.AssigneeID
		ch.any = ch.any || ch.assignee
		t.AssigneeID = id
	}
	return ch
}

// readDue reads due_at, which only tasks have: of another ticket it is dropped
// without a word.
func (z *account) readDue(o *object, t *ticketRecord, ch *changes) {
	due := t.DueAt
	if o.has("due_at") {
		due = time.Time{}
		if !o.null("due_at") {
			at, err := time.Parse(time.RFC3339, o.str("due_at"))
			if err != nil {
				o.wrong("due_at", "Must be a date")
				return
			}
			due = at.UTC().Truncate(time.Second)
		}
	}
	if t.Type != "task" {
		due = time.Time{}
	}
	ch.any = ch.any || !due.Equal(t.DueAt)
	t.DueAt = due
}

func (z *account) readCustomFields(o *object, t *ticketRecord, ch *changes) {
	var list []struct {
		ID    int64 `json:"id"`
		Value any   `json:"value"`
	}
	if json.Unmarshal(o.fields["custom_fields"], &list) != nil {
		o.wrong("custom_fields", "Must be a list of objects with id and value")
		return
	}
	raw, _ := json.Marshal(list)
	ch.any = ch.any || !bytes.Equal(raw, t.CustomFields)
	t.CustomFields = raw
}

// readComment reads ticket.comment; without a body or html_body there is none.
func (z *account) readComment(o *object, c caller) (Comment, bool) {
	co, sent := o.object("comment")
	if !sent {
		return Comment{}, false
	}
	comment := Comment{source: co.str("html_body"), sourceHTML: true, Public: co.flag("public", true)}
	if comment.source == "" {
		comment.source, comment.sourceHTML = co.str("body"), false
	}
	comment.Public = comment.Public && !c.user.light
	author := co.id("author_id")
	if author != 0 && z.users[author] == nil {
		author = c.user.ID // replaced without a word
	}
	comment.AuthorID = author
	if co.bad != "" {
		o.wrong("comment."+co.bad, co.why)
	}
	return comment, strings.TrimSpace(comment.source) != ""
}

// readRequester finds the user of requester{name,email} or returns one with id
// 0 that is to be made.
func (z *account) readRequester(o *object, invalid invalidRecord) *user {
	name, email := strings.TrimSpace(o.str("name")), o.str("email")
	if email == "" {
		invalid.add("requester", "BlankValue", "Requester: Email: cannot be blank")
		return nil
	}
	if !engine.ValidEmail(email) {
		invalid.add("requester", "InvalidFormat", "Requester: Email:  "+email+" is not properly formatted")
		return nil
	}
	if u := z.userByEmail(email); u != nil {
		if u.Suspended {
			invalid.add("requester", "UserSuspended", "Requester: "+u.Name+" is suspended.")
		}
		return u
	}
	if blank(name) {
		invalid.add("requester", "BlankValue", "Requester: Name:  is too short (minimum is 1 character)")
		return nil
	}
	return &user{Name: name, Email: email}
}

func (z *account) viewAudit(t *ticketRecord, actor int64) map[string]any {
	last := t.Comments[len(t.Comments)-1]
	return map[string]any{
		"id": last.auditID, "ticket_id": t.ID, "created_at": timeText(t.UpdatedAt), "author_id": actor,
		"events": []any{map[string]any{
			"id": last.ID, "type": "Comment", "author_id": last.AuthorID, "body": last.Body, "public": last.Public,
		}},
	}
}

// unseen reports whether a ticket is out of sight of whoever asks: all lists leave
// it out. Whether it is 403 or 404 by itself is documented nowhere.
func (z *account) unseen(t *ticketRecord) bool {
	return t.hidden || (z.who != nil && z.who.restriction == "assigned" && t.AssigneeID != z.who.ID)
}

// live returns the ticket of the path, answering 404 for none and for a deleted one.
func (z *account) live(w http.ResponseWriter, r *http.Request) (*ticketRecord, bool) {
	id, ok := pathID(w, r)
	if !ok {
		return nil, false
	}
	engine.Note(r, "ticket", strconv.FormatInt(id, 10))
	t := z.tickets[id]
	if t == nil || t.deleted() {
		fail(w, http.StatusNotFound, "RecordNotFound", "Not found")
		return nil, false
	}
	if z.unseen(t) {
		forbidden(w)
		return nil, false
	}
	return t, true
}

// showTicket is GET /api/v2/tickets/{id}. Comments are not in it.
func (z *account) showTicket(w http.ResponseWriter, r *http.Request, _ caller) {
	if t, ok := z.live(w, r); ok {
		write(w, http.StatusOK, map[string]any{"ticket": z.viewTicket(t)})
	}
}

// listTickets is GET /api/v2/tickets, all or those with ?external_id=. It has
// no index delay; deleted tickets are not in it.
func (z *account) listTickets(w http.ResponseWriter, r *http.Request, _ caller) {
	if !z.admit(w, "tickets-index", z.limits.List, time.Minute) {
		return
	}
	q := r.URL.Query()
	list := []*ticketRecord{}
	for _, t := range z.tickets {
		if !t.deleted() && !z.unseen(t) && (!q.Has("external_id") || t.ExternalID == q.Get("external_id")) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b *ticketRecord) int { return cmp.Compare(a.ID, b.ID) })
	engine.Note(r, "external_id", q.Get("external_id"))
	page(w, r, "tickets", list, z.url("/api/v2/tickets.json"),
		func(t *ticketRecord) int64 { return t.ID }, func(t *ticketRecord) any { return z.viewTicket(t) })
}

// showMany is GET /api/v2/tickets/show_many?ids=, at most 100. Ids that are
// deleted, hidden or unknown are left out without an error. include=users puts the
// people of the tickets beside them.
func (z *account) showMany(w http.ResponseWriter, r *http.Request, _ caller) {
	ids, ok := idList(r.URL.Query().Get("ids"))
	if !ok {
		invalidAttribute(w, "ids", "Must be a list of integers")
		return
	}
	if len(ids) > 100 {
		fail(w, http.StatusBadRequest, "TooManyIds", "No more than 100 ids")
		return
	}
	engine.Note(r, "ids", strconv.Itoa(len(ids)))
	list := []any{}
	seen, people := map[int64]bool{}, map[int64]*user{}
	for _, id := range ids {
		if t := z.tickets[id]; t != nil && !t.deleted() && !z.unseen(t) && !seen[id] {
			seen[id] = true
			list = append(list, z.viewTicket(t))
			for _, who := range []int64{t.RequesterID, t.SubmitterID, t.AssigneeID} {
				if u := z.users[who]; u != nil {
					people[who] = u
				}
			}
		}
	}
	answer := map[string]any{"tickets": list, "count": len(list), "next_page": nil, "previous_page": nil}
	if slices.Contains(strings.Split(r.URL.Query().Get("include"), ","), "users") {
		users := []any{}
		for _, u := range sorted(people) {
			users = append(users, z.viewUser(u))
		}
		answer["users"] = users
	}
	write(w, http.StatusOK, answer)
}

// safe checks updated_stamp when safe_update is set and answers 409 when the
// ticket has moved on.
func (z *account) safe(w http.ResponseWriter, o *object, t *ticketRecord) bool {
	if !o.flag("safe_update", false) {
		return o.ok(w)
	}
	stamp, err := time.Parse(time.RFC3339, o.str("updated_stamp"))
	if err != nil {
		invalidAttribute(w, "updated_stamp", "Must be the ticket's updated_at")
		return false
	}
	if !stamp.Equal(t.UpdatedAt.Truncate(time.Second)) {
		fail(w, http.StatusConflict, "UpdateConflict", stale)
		return false
	}
	return true
}

// closedTicket answers 422 for a ticket that can't be changed any more.
func closedTicket(w http.ResponseWriter, t *ticketRecord) bool {
	if t.Status != "closed" {
		return false
	}
	invalidRecord{"status": {{"Status: closed prevents ticket update", "InvalidValue"}}}.write(w)
	return true
}

// updateTicket is PUT /api/v2/tickets/{id}.
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket.
func (z *account) updateTicket(w http.ResponseWriter, r *http.Request, c caller) {
	o, _, ok := readWrapped(w, r, "ticket")
	if !ok {
		return
	}
	t, ok := z.live(w, r)
	if !ok {
		return
	}
	limit := fmt.Sprintf("update:%d:%d", t.ID, c.user.ID)
	if !z.admit(w, "updates", z.limits.Updates, time.Minute) || !z.admit(w, limit, z.limits.UpdateTicket, 10*time.Minute) {
		return
	}
	if closedTicket(w, t) || !z.safe(w, o, t) {
		return
	}
	next := &ticketRecord{Ticket: t.snapshot(), generated: t.generated, seq: t.seq}
	invalid := invalidRecord{}
	ch := z.readFields(o, next, invalid, false)
	comment, commented := z.readComment(o, c)
	if commented && len(t.Comments) >= maxComments {
		invalid.add("comment", "TooManyComments", fmt.Sprintf("Comment: a ticket can have at most %d comments", maxComments))
	}
	if ch.assignee && next.AssigneeID != 0 && next.Status == "new" {
		next.Status, ch.status = "open", true
	}
	if !o.ok(w) {
		return
	}
	if len(invalid) > 0 {
		invalid.write(w)
		return
	}
	if ch.any || commented {
		before := t.snapshot()
		*t = *next
		z.touch(t)
		if commented {
			comment.AuthorID = cmp.Or(comment.AuthorID, c.user.ID)
			z.render(t, &comment)
			z.addComment(t, c.user.ID, comment)
		}
		z.emitChanges(t, before, c.user.ID)
	}
	write(w, http.StatusOK, map[string]any{"ticket": z.viewTicket(t), "audit": z.viewAudit(t, c.user.ID)})
}

// emitChanges reports what differs between before and t, and runs the triggers
// of the update.
func (z *account) emitChanges(t *ticketRecord, before Ticket, actor int64) {
	if before.AssigneeID != t.AssigneeID {
		z.audit(t, actor, before.AssigneeID, false)
		z.emit("agent_assignment_changed", t, actor, engine.OrNull(before.AssigneeID), engine.OrNull(t.AssigneeID))
	}
	if before.GroupID != t.GroupID {
		z.emit("group_assignment_changed", t, actor, engine.OrNull(before.GroupID), engine.OrNull(t.GroupID))
	}
	if before.Status != t.Status {
		z.emit("status_changed", t, actor, strings.ToUpper(before.Status), strings.ToUpper(t.Status))
	}
	if before.Type != t.Type {
		z.emit("type_changed", t, actor, engine.OrNull(strings.ToUpper(before.Type)), engine.OrNull(strings.ToUpper(t.Type)))
	}
	if !before.DueAt.Equal(t.DueAt) {
		z.emit("task_due_at_changed", t, actor, dueAt(&ticketRecord{Ticket: before}), dueAt(t))
	}
	if before.Subject != t.Subject {
		z.emit("subject_changed", t, actor, before.Subject, t.Subject)
	}
	if before.RequesterID != t.RequesterID {
		z.emit("requester_changed", t, actor, before.RequesterID, t.RequesterID)
	}
	if before.ExternalID != t.ExternalID {
		z.emit("external_id_changed", t, actor, engine.OrNull(before.ExternalID), engine.OrNull(t.ExternalID))
	}
	if !slices.Equal(before.Tags, t.Tags) {
		z.emit("tags_changed", t, actor, before.Tags, t.Tags)
	}
	z.fire(&before, t, actor)
}

// ticketTags is /api/v2/tickets/{id}/tags: GET lists, POST sets, PUT adds,
// DELETE removes. safe_update and updated_stamp stand at the top level.
//
// See https://developer.zendesk.com/api-reference/ticketing/ticket-management/tags/.
func (z *account) ticketTags(w http.ResponseWriter, r *http.Request, c caller) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if t, ok := z.live(w, r); ok {
			write(w, http.StatusOK, map[string]any{"tags": t.Tags})
		}
		return
	}
	o, _, err := readBody(w, r)
	if err != nil {
		return
	}
	t, ok := z.live(w, r)
	if !ok || closedTicket(w, t) || !z.safe(w, o, t) {
		return
	}
	if !o.has("tags") {
		failTitled(w, http.StatusBadRequest, "Invalid attribute", "Parameter tags is required")
		return
	}
	sent := o.tags("tags")
	if !o.ok(w) {
		return
	}
	status, tags := http.StatusOK, sent
	switch r.Method {
	case http.MethodPost:
		status = http.StatusCreated
	case http.MethodPut:
		tags = normalTags(append(slices.Clone(t.Tags), sent...))
	case http.MethodDelete:
		tags = slices.DeleteFunc(slices.Clone(t.Tags), func(s string) bool { return slices.Contains(sent, s) })
	}
	if !slices.Equal(tags, t.Tags) {
		before := t.snapshot()
		t.Tags = tags
		z.touch(t)
		z.emitChanges(t, before, c.user.ID)
	}
	write(w, status, map[string]any{"tags": t.Tags})
}

// listComments is GET /api/v2/tickets/{id}/comments, oldest first unless
// sort=-created_at or sort_order=desc.
//
// See https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/.
func (z *account) listComments(w http.ResponseWriter, r *http.Request, _ caller) {
	t, ok := z.live(w, r)
	if !ok {
		return
	}
	list := slices.Clone(t.Comments)
	q := r.URL.Query()
	if q.Get("sort") == "-created_at" || q.Get("sort_order") == "desc" {
		slices.Reverse(list)
	}
	base := z.url("/api/v2/tickets/" + strconv.FormatInt(t.ID, 10) + "/comments.json")
	page(w, r, "comments", list, base, func(c Comment) int64 { return c.ID }, func(c Comment) any {
		via := map[string]any{"channel": "api", "source": map[string]any{"from": map[string]any{}, "to": map[string]any{}, "rel": nil}}
		if c.merge != 0 {
			via["source"] = map[string]any{"from": map[string]any{"ticket_id": c.merge}, "to": map[string]any{}, "rel": "merge"}
		}
		return map[string]any{
			"id": c.ID, "type": "Comment", "author_id": c.AuthorID, "body": c.Body, "plain_body": c.Body,
			"html_body": cmp.Or(c.HTML, html.EscapeString(c.Body)), "public": c.Public, "audit_id": c.auditID, "attachments": []any{},
			"via": via, "metadata": map[string]any{}, "created_at": timeText(c.CreatedAt),
		}
	})
}

// incrementalTickets is GET /api/v2/incremental/tickets/cursor: every ticket by
// the time of its last change, system changes and deletions included, the last
// 60 seconds left out. It needs an admin.
//
// See https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/.
func (z *account) incrementalTickets(w http.ResponseWriter, r *http.Request, c caller) {
	if c.user.Role != "admin" {
		forbidden(w)
		return
	}
	if !z.admit(w, "incremental", z.limits.Incremental, time.Minute) {
		return
	}
	q := r.URL.Query()
	size := 1000
	if raw := q.Get("per_page"); raw != "" {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 1 {
			invalidAttribute(w, "per_page", "Must be a positive integer")
			return
		}
		size = min(n, 1000)
	}
	horizon := z.Now().Add(-exportDelay)
	var since, after int64
	switch {
	case q.Has("cursor"):
		raw, err := base64.StdEncoding.DecodeString(q.Get("cursor"))
		if n, scanErr := fmt.Sscanf(string(raw), "%d|%d", &since, &after); err != nil || scanErr != nil || n != 2 {
			fail(w, http.StatusBadRequest, "InvalidCursor", "cursor is invalid")
			return
		}
	case q.Has("start_time"):
		n, err := strconv.ParseInt(q.Get("start_time"), 10, 64)
		if err != nil || n < 0 {
			invalidAttribute(w, "start_time", "Must be a Unix time")
			return
		}
		if n > horizon.Unix() {
			fail(w, http.StatusBadRequest, "StartTimeTooRecent", "Too recent start_time. Use a start_time older than 60 seconds")
			return
		}
		since = n
	default:
		failTitled(w, http.StatusBadRequest, "Invalid attribute", "Parameter start_time is required")
		return
	}
	rows := sorted(z.tickets)
	rows = slices.DeleteFunc(rows, func(t *ticketRecord) bool {
		at := t.generated.Unix()
		return t.generated.After(horizon) || at < since || (at == since && t.seq <= after) ||
			(t.deleted() && q.Get("exclude_deleted") == "true")
	})
	slices.SortFunc(rows, func(a, b *ticketRecord) int { return cmp.Compare(a.seq, b.seq) })
	end := len(rows) <= size
	rows = rows[:min(len(rows), size)]
	list := []any{}
	for _, t := range rows {
		list = append(list, z.viewTicket(t))
		since, after = t.generated.Unix(), t.seq
	}
	cursor := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d|%d", since, after))
	next := r.URL.Query()
	next.Del("start_time")
	next.Set("cursor", cursor)
	write(w, http.StatusOK, map[string]any{
		"tickets": list, "after_cursor": cursor, "before_cursor": nil, "end_of_stream": end,
		"after_url": z.url("/api/v2/incremental/tickets/cursor.json?" + next.Encode()), "before_url": nil,
	})
}
