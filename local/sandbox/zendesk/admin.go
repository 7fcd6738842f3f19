package zendesk

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type webhookRecord struct {
	id, secret string
	fields     map[string]json.RawMessage
	created    time.Time
	updated    time.Time

	invocations []*invocationRecord // the last ones, newest first
	breaker     breaker
}

type triggerRecord struct {
	id     int64
	fields map[string]json.RawMessage
}

func (z *account) registerAdmin() {
	hook := func(method, path, op string, h handler) {
		access := "webhooks:write"
		if method == http.MethodGet {
			access = "webhooks:read"
		}
		z.handle(method, path, op, z.auth(access, z.admin(h)))
	}
	hook("POST", "/api/v2/webhooks", "webhooks_create", z.createWebhook)
	hook("GET", "/api/v2/webhooks", "webhooks_list", z.listWebhooks)
	hook("GET", "/api/v2/webhooks/{id}", "webhooks_show", z.showWebhook)
	hook("PUT", "/api/v2/webhooks/{id}", "webhooks_update", z.updateWebhook)
	hook("PATCH", "/api/v2/webhooks/{id}", "webhooks_update", z.updateWebhook)
	hook("DELETE", "/api/v2/webhooks/{id}", "webhooks_delete", z.deleteWebhook)
	hook("GET", "/api/v2/webhooks/{id}/signing_secret", "webhooks_signing_secret", z.webhookSecret)
	hook("POST", "/api/v2/webhooks/{id}/signing_secret", "webhooks_signing_secret", z.webhookSecret)

	hook("GET", "/api/v2/webhooks/{id}/invocations", "webhooks_invocations", z.listInvocations)
	// It sends while nobody holds the lock, so it takes care of that itself.
	z.handle("POST", "/api/v2/webhooks/test", "webhooks_test", z.testWebhook)

	trigger := func(method, path, op string, h handler) {
		access := "triggers:write"
		if method == http.MethodGet {
			access = "triggers:read"
		}
		z.handle(method, path, op, z.auth(access, z.admin(h)))
	}
	trigger("POST", "/api/v2/triggers", "triggers_create", z.saveTrigger)
	trigger("GET", "/api/v2/triggers", "triggers_list", z.listTriggers)
	trigger("GET", "/api/v2/triggers/{id}", "triggers_show", z.showTrigger)
	trigger("PUT", "/api/v2/triggers/{id}", "triggers_update", z.saveTrigger)
	trigger("DELETE", "/api/v2/triggers/{id}", "triggers_delete", z.deleteTrigger)

	trigger("POST", "/api/v2/trigger_categories", "trigger_categories_create", z.saveCategory)
	trigger("GET", "/api/v2/trigger_categories", "trigger_categories_list", z.listCategories)
	trigger("PATCH", "/api/v2/trigger_categories/{id}", "trigger_categories_update", z.saveCategory)
	trigger("DELETE", "/api/v2/trigger_categories/{id}", "trigger_categories_delete", z.deleteCategory)
}

// admin lets only admins through.
func (z *account) admin(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, c caller) {
		if c.user.Role != "admin" {
			forbidden(w)
			return
		}
		h(w, r, c)
	}
}

var eventTypes = []string{
	"agent_assignment_changed", "attachment_linked_to_comment", "attachment_redacted_from_comment", "brand_changed",
	"comment_added", "comment_made_private", "comment_redacted", "created", "custom_field_changed",
	"custom_status_changed", "description_changed", "external_id_changed", "form_changed", "group_assignment_changed",
	"marked_as_spam", "merged", "next_sla_breach_changed", "ola_policy_changed", "organization_changed",
	"permanently_deleted", "priority_changed", "problem_link_changed", "requester_changed", "schedule_changed",
	"sla_policy_changed", "soft_deleted", "status_changed", "subject_changed", "submitter_changed", "tags_changed",
	"task_due_at_changed", "type_changed", "undeleted",
}

// checkWebhook returns what is wrong with a webhook, "" if nothing is.
func checkWebhook(o *object) string {
	for _, name := range []string{"name", "endpoint", "http_method", "request_format", "status"} {
		if o.str(name) == "" {
			return name + " is required"
		}
	}
	one := func(name string, allowed ...string) string {
		if slices.Contains(allowed, o.str(name)) {
			return ""
		}
		return name + " is not one of " + strings.Join(allowed, ", ")
	}
	if msg := one("http_method", "GET", "POST", "PUT", "PATCH", "DELETE"); msg != "" {
		return msg
	}
	if msg := one("request_format", "json", "xml", "form_encoded"); msg != "" {
		return msg
	}
	if msg := one("status", "active", "inactive"); msg != "" {
		return msg
	}
	u, err := url.Parse(o.str("endpoint"))
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "endpoint is not a URL"
	}
	if len(o.str("name")) > 255 {
		return "name is too long"
	}
	var subscriptions []string
	if !o.null("subscriptions") && json.Unmarshal(o.fields["subscriptions"], &subscriptions) != nil {
		return "subscriptions is not a list"
	}
	for _, s := range subscriptions {
		event, isEvent := strings.CutPrefix(s, "zen:event-type:ticket.")
		switch {
		case s == "conditional_ticket_events" && len(subscriptions) == 1:
		case !isEvent || !slices.Contains(eventTypes, event):
			return "subscriptions holds an unknown event or mixes events with triggers"
		case o.str("http_method") != "POST" || o.str("request_format") != "json":
			return "event subscriptions need POST and json"
		}
	}
	return ""
}

func (z *account) viewWebhook(h *webhookRecord) map[string]any {
	out := map[string]any{"id": h.id, "created_at": timeText(h.created), "updated_at": timeText(h.updated)}
	for k, v := range h.fields {
		if k != "authentication" && out[k] == nil {
			out[k] = v
		}
	}
	return out
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ulid returns an id of the form that webhooks have.
func (z *account) ulid() string {
	b := make([]byte, 26)
	ms := z.Now().UnixMilli()
	for i := 9; i >= 0; i-- {
		b[i] = crockford[ms&31]
		ms >>= 5
	}
	for i := 10; i < 26; i++ {
		b[i] = crockford[z.Rand().IntN(32)]
	}
	return string(b)
}

// createWebhook is POST /api/v2/webhooks.
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/.
func (z *account) createWebhook(w http.ResponseWriter, r *http.Request, _ caller) {
	o, _, ok := readWrapped(w, r, "webhook")
	if !ok {
		return
	}
	if msg := checkWebhook(o); msg != "" {
		failListed(w, http.StatusBadRequest, "InvalidWebhook", msg)
		return
	}
	now := z.Now()
	h := &webhookRecord{id: z.ulid(), secret: z.ID(30), fields: o.fields, created: now, updated: now}
	z.webhooks[h.id] = h
	write(w, http.StatusCreated, map[string]any{"webhook": z.viewWebhook(h)})
}

func (z *account) webhook(w http.ResponseWriter, r *http.Request) (*webhookRecord, bool) {
	h := z.webhooks[r.PathValue("id")]
	if h == nil {
		failListed(w, http.StatusNotFound, "WebhookNotFound", "Webhook not found")
	}
	return h, h != nil
}

func (z *account) listWebhooks(w http.ResponseWriter, r *http.Request, _ caller) {
	part := strings.ToLower(r.URL.Query().Get("filter[name_contains]"))
	size, ok := pageSize(w, cmp.Or(r.URL.Query().Get("page[size]"), "30"), "page[size]")
	if !ok {
		return
	}
	list := []any{}
	after := r.URL.Query().Get("page[after]")
	meta := map[string]any{"has_more": false, "after_cursor": nil, "before_cursor": nil}
	for _, id := range slices.Sorted(maps.Keys(z.webhooks)) {
		h := z.webhooks[id]
		switch {
		case id <= after || !strings.Contains(strings.ToLower(h.str("name")), part):
		case len(list) == size:
			meta["has_more"] = true
		default:
			list = append(list, z.viewWebhook(h))
			meta["after_cursor"] = id
		}
	}
	write(w, http.StatusOK, map[string]any{
		"webhooks": list, "meta": meta, "links": map[string]any{"next": nil, "prev": nil},
	})
}

func (z *account) showWebhook(w http.ResponseWriter, r *http.Request, _ caller) {
	if h, ok := z.webhook(w, r); ok {
		write(w, http.StatusOK, map[string]any{"webhook": z.viewWebhook(h)})
	}
}

// updateWebhook is PUT, which replaces, and PATCH, which changes. How the
// webhook is connected is fixed at creation.
func (z *account) updateWebhook(w http.ResponseWriter, r *http.Request, _ caller) {
	h, ok := z.webhook(w, r)
	if !ok {
		return
	}
	o, _, ok := readWrapped(w, r, "webhook")
	if !ok {
		return
	}
	next := &object{fields: map[string]json.RawMessage{}}
	if r.Method == http.MethodPatch {
		for k, v := range h.fields {
			next.fields[k] = v
		}
	}
	for k, v := range o.fields {
		next.fields[k] = v
	}
	msg := checkWebhook(next)
	conditional := func(fields map[string]json.RawMessage) bool {
		return strings.Contains(string(fields["subscriptions"]), "conditional_ticket_events")
	}
	if msg == "" && conditional(next.fields) != conditional(h.fields) {
		msg = "subscriptions can not change between events and triggers"
	}
	if msg == "" && h.active() && (&object{fields: next.fields}).str("status") == "inactive" && z.attached(h) {
		msg = "the webhook is connected to an active trigger"
	}
	if msg != "" {
		failListed(w, http.StatusBadRequest, "InvalidWebhook", msg)
		return
	}
	h.fields, h.updated = next.fields, z.Now()
	w.WriteHeader(http.StatusNoContent)
}

// attached reports whether an active trigger sends by the webhook. Such a
// webhook can be neither deleted nor switched off.
func (z *account) attached(h *webhookRecord) bool {
	for _, t := range z.triggers {
		if t.active() && slices.Contains(t.webhooks(), h.id) {
			return true
		}
	}
	return false
}

// webhooks are the ids of the webhooks that the trigger sends by.
func (t *triggerRecord) webhooks() (ids []string) {
	var actions []action
	_ = json.Unmarshal(t.fields["actions"], &actions) // checked when it came in
	for _, a := range actions {
		if pair, _ := a.Value.([]any); a.Field == "notification_webhook" && len(pair) == 2 {
			ids = append(ids, asString(pair[0]))
		}
	}
	return ids
}

type action struct {
	Field string `json:"field"`
	Value any    `json:"value"`
}

func (z *account) deleteWebhook(w http.ResponseWriter, r *http.Request, _ caller) {
	if h, ok := z.webhook(w, r); ok {
		if z.attached(h) {
			failListed(w, http.StatusBadRequest, "InvalidWebhook", "the webhook is connected to an active trigger")
			return
		}
		delete(z.webhooks, h.id)
		w.WriteHeader(http.StatusNoContent)
	}
}

// webhookSecret is GET and POST /api/v2/webhooks/{id}/signing_secret: read and reset.
func (z *account) webhookSecret(w http.ResponseWriter, r *http.Request, _ caller) {
	h, ok := z.webhook(w, r)
	if !ok {
		return
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		h.secret, status = z.ID(30), http.StatusCreated
	}
	write(w, status, map[string]any{"signing_secret": map[string]string{"algorithm": "SHA256", "secret": h.secret}})
}

func (z *account) viewTrigger(t *triggerRecord) map[string]any {
	out := map[string]any{
		"id": t.id, "url": z.url("/api/v2/triggers/" + strconv.FormatInt(t.id, 10) + ".json"),
		"active": true, "category_id": firstCategory, "description": nil, "position": t.id,
	}
	for k, v := range t.fields {
		if k != "id" && k != "url" {
			out[k] = v
		}
	}
	return out
}

// saveTrigger is POST /api/v2/triggers and PUT /api/v2/triggers/{id}, which
// replaces conditions and actions as a whole.
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/triggers/.
func (z *account) saveTrigger(w http.ResponseWriter, r *http.Request, _ caller) {
	o, _, ok := readWrapped(w, r, "trigger")
	if !ok {
		return
	}
	t, status := &triggerRecord{}, http.StatusCreated
	if r.Method == http.MethodPut {
		id, ok := pathID(w, r)
		if !ok {
			return
		}
		if t = z.triggers[id]; t == nil {
			fail(w, http.StatusNotFound, "RecordNotFound", "Not found")
			return
		}
		status = http.StatusOK
	}
	invalid := invalidRecord{}
	title := o.str("title")
	if t.id == 0 && (title == "" || len(title) > 255) {
		invalid.add("title", "BlankValue", "Title: must have 1 to 255 characters")
	}
	var conditions struct{ All, Any []json.RawMessage }
	if t.id == 0 && (o.null("conditions") || json.Unmarshal(o.fields["conditions"], &conditions) != nil ||
		len(conditions.All)+len(conditions.Any) == 0) {
		invalid.add("base", "BlankValue", "Conditions: must have at least one condition")
	}
	if category := o.str("category_id"); category != "" && z.categories[o.id("category_id")] == nil && category != firstCategory {
		invalid.add("category_id", "InvalidValue", "Category: does not exist")
	}
	var actions []action
	if o.null("actions") || json.Unmarshal(o.fields["actions"], &actions) != nil || len(actions) == 0 {
		invalid.add("base", "BlankValue", "Actions: must have at least one action")
	}
	for _, a := range actions {
		if a.Field != "notification_webhook" {
			continue
		}
		pair, _ := a.Value.([]any)
		if len(pair) != 2 || z.webhooks[asString(pair[0])] == nil {
			invalid.add("base", "InvalidValue", "Actions: webhook does not exist")
		}
	}
	if !o.ok(w) {
		return
	}
	if len(invalid) > 0 {
		invalid.write(w)
		return
	}
	if t.id == 0 {
		z.nextID++
		t.id, t.fields = z.nextID, map[string]json.RawMessage{}
		z.triggers[t.id] = t
	}
	for k, v := range o.fields {
		t.fields[k] = v
	}
	write(w, status, map[string]any{"trigger": z.viewTrigger(t)})
}

func (z *account) showTrigger(w http.ResponseWriter, r *http.Request, _ caller) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	t := z.triggers[id]
	if t == nil {
		fail(w, http.StatusNotFound, "RecordNotFound", "Not found")
		return
	}
	write(w, http.StatusOK, map[string]any{"trigger": z.viewTrigger(t)})
}

// firstCategory is the category that an account has from the start.
const firstCategory = "1"

type category struct {
	id               int64
	name             string
	position         int64
	created, updated time.Time
}

func (c *category) view() any {
	return map[string]any{
		"id": strconv.FormatInt(c.id, 10), "name": c.name, "position": c.position,
		"created_at": timeText(c.created), "updated_at": timeText(c.updated),
	}
}

// saveCategory is POST and PATCH of a trigger category.
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/trigger_categories/.
func (z *account) saveCategory(w http.ResponseWriter, r *http.Request, _ caller) {
	if z.noCategories {
		failListed(w, http.StatusForbidden, "TriggerCategoriesNotEnabled", "Trigger categories are not enabled for this account")
		return
	}
	o, _, ok := readWrapped(w, r, "trigger_category")
	if !ok {
		return
	}
	now := z.Now()
	c, status := &category{created: now}, http.StatusCreated
	if r.Method == http.MethodPatch {
		id, ok := pathID(w, r)
		if !ok {
			return
		}
		if c = z.categories[id]; c == nil {
			failListed(w, http.StatusNotFound, "TriggerCategoryNotFound", "Not found")
			return
		}
		status = http.StatusOK
	}
	name := o.str("name")
	if o.has("name") || c.id == 0 {
		if name == "" || len(name) > 255 {
			failListed(w, http.StatusBadRequest, "InvalidTriggerCategory", "name must have 1 to 255 characters")
			return
		}
		c.name = name
	}
	if position := o.id("position"); position > 0 {
		c.position = position
	}
	if !o.ok(w) {
		return
	}
	if c.id == 0 {
		z.nextID++
		c.id = z.nextID
		c.position = max(c.position, int64(len(z.categories))+2)
		z.categories[c.id] = c
	}
	c.updated = now
	write(w, status, map[string]any{"trigger_category": c.view()})
}

func (z *account) listCategories(w http.ResponseWriter, r *http.Request, _ caller) {
	if z.noCategories {
		failListed(w, http.StatusForbidden, "TriggerCategoriesNotEnabled", "Trigger categories are not enabled for this account")
		return
	}
	page(w, r, "trigger_categories", sorted(z.categories), z.url("/api/v2/trigger_categories.json"),
		func(c *category) int64 { return c.id }, func(c *category) any { return c.view() })
}

// deleteCategory deletes an empty category.
func (z *account) deleteCategory(w http.ResponseWriter, r *http.Request, _ caller) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	if z.categories[id] == nil {
		failListed(w, http.StatusNotFound, "TriggerCategoryNotFound", "Not found")
		return
	}
	for _, t := range z.triggers {
		if (&object{fields: t.fields}).id("category_id") == id {
			failListed(w, http.StatusBadRequest, "TriggerCategoryInvalid", "The category has triggers")
			return
		}
	}
	delete(z.categories, id)
	w.WriteHeader(http.StatusNoContent)
}

func asString(v any) string {
	s, _ := v.(string)
	return s
}

func (z *account) listTriggers(w http.ResponseWriter, r *http.Request, _ caller) {
	page(w, r, "triggers", sorted(z.triggers), z.url("/api/v2/triggers.json"),
		func(t *triggerRecord) int64 { return t.id }, func(t *triggerRecord) any { return z.viewTrigger(t) })
}

func (z *account) deleteTrigger(w http.ResponseWriter, r *http.Request, _ caller) {
	id, ok := pathID(w, r)
	if !ok {
		return
	}
	if z.triggers[id] == nil {
		fail(w, http.StatusNotFound, "RecordNotFound", "Not found")
		return
	}
	delete(z.triggers, id)
	w.WriteHeader(http.StatusNoContent)
}
