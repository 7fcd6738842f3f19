package sandbox

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

type zendeskWebhook struct {
	id, secret string
	fields     map[string]json.RawMessage
	created    time.Time
	updated    time.Time

	invocations []*zendeskInvocation // the last ones, newest first
	breaker     zendeskBreaker
}

type zendeskTrigger struct {
	id     int64
	fields map[string]json.RawMessage
}

func (z *zendesk) registerAdmin() {
	hook := func(method, path, op string, h zdHandler) {
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

	trigger := func(method, path, op string, h zdHandler) {
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
func (z *zendesk) admin(h zdHandler) zdHandler {
	return func(w http.ResponseWriter, r *http.Request, c zdCaller) {
		if c.user.Role != "admin" {
			zdForbidden(w)
			return
		}
		h(w, r, c)
	}
}

var zendeskEventTypes = []string{
	"agent_assignment_changed", "attachment_linked_to_comment", "attachment_redacted_from_comment", "brand_changed",
	"comment_added", "comment_made_private", "comment_redacted", "created", "custom_field_changed",
	"custom_status_changed", "description_changed", "external_id_changed", "form_changed", "group_assignment_changed",
	"marked_as_spam", "merged", "next_sla_breach_changed", "ola_policy_changed", "organization_changed",
	"permanently_deleted", "priority_changed", "problem_link_changed", "requester_changed", "schedule_changed",
	"sla_policy_changed", "soft_deleted", "status_changed", "subject_changed", "submitter_changed", "tags_changed",
	"task_due_at_changed", "type_changed", "undeleted",
}

// checkWebhook returns what is wrong with a webhook, "" if nothing is.
func checkWebhook(o *zdObject) string {
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
		case !isEvent || !slices.Contains(zendeskEventTypes, event):
			return "subscriptions holds an unknown event or mixes events with triggers"
		case o.str("http_method") != "POST" || o.str("request_format") != "json":
			return "event subscriptions need POST and json"
		}
	}
	return ""
}

func (z *zendesk) viewWebhook(h *zendeskWebhook) map[string]any {
	out := map[string]any{"id": h.id, "created_at": zdTime(h.created), "updated_at": zdTime(h.updated)}
	for k, v := range h.fields {
		if k != "authentication" && out[k] == nil {
			out[k] = v
		}
	}
	return out
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ulid returns an id of the form that webhooks have.
func (z *zendesk) ulid() string {
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
func (z *zendesk) createWebhook(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	o, _, ok := zdWrapped(w, r, "webhook")
	if !ok {
		return
	}
	if msg := checkWebhook(o); msg != "" {
		zdErrors(w, http.StatusBadRequest, "InvalidWebhook", msg)
		return
	}
	now := z.Now()
	h := &zendeskWebhook{id: z.ulid(), secret: z.ID(30), fields: o.fields, created: now, updated: now}
	z.webhooks[h.id] = h
	zdWrite(w, http.StatusCreated, map[string]any{"webhook": z.viewWebhook(h)})
}

func (z *zendesk) webhook(w http.ResponseWriter, r *http.Request) (*zendeskWebhook, bool) {
	h := z.webhooks[r.PathValue("id")]
	if h == nil {
		zdErrors(w, http.StatusNotFound, "WebhookNotFound", "Webhook not found")
	}
	return h, h != nil
}

func (z *zendesk) listWebhooks(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	part := strings.ToLower(r.URL.Query().Get("filter[name_contains]"))
	size, ok := zdPageSize(w, cmp.Or(r.URL.Query().Get("page[size]"), "30"), "page[size]")
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
	zdWrite(w, http.StatusOK, map[string]any{
		"webhooks": list, "meta": meta, "links": map[string]any{"next": nil, "prev": nil},
	})
}

func (z *zendesk) showWebhook(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	if h, ok := z.webhook(w, r); ok {
		zdWrite(w, http.StatusOK, map[string]any{"webhook": z.viewWebhook(h)})
	}
}

// updateWebhook is PUT, which replaces, and PATCH, which changes. How the
// webhook is connected is fixed at creation.
func (z *zendesk) updateWebhook(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	h, ok := z.webhook(w, r)
	if !ok {
		return
	}
	o, _, ok := zdWrapped(w, r, "webhook")
	if !ok {
		return
	}
	next := &zdObject{fields: map[string]json.RawMessage{}}
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
	if msg == "" && h.active() && (&zdObject{fields: next.fields}).str("status") == "inactive" && z.attached(h) {
		msg = "the webhook is connected to an active trigger"
	}
	if msg != "" {
		zdErrors(w, http.StatusBadRequest, "InvalidWebhook", msg)
		return
	}
	h.fields, h.updated = next.fields, z.Now()
	w.WriteHeader(http.StatusNoContent)
}

// attached reports whether an active trigger sends by the webhook. Such a
// webhook can be neither deleted nor switched off.
func (z *zendesk) attached(h *zendeskWebhook) bool {
	for _, t := range z.triggers {
		if t.active() && slices.Contains(t.webhooks(), h.id) {
			return true
		}
	}
	return false
}

// webhooks are the ids of the webhooks that the trigger sends by.
func (t *zendeskTrigger) webhooks() (ids []string) {
	var actions []zdAction
	_ = json.Unmarshal(t.fields["actions"], &actions) // checked when it came in
	for _, a := range actions {
		if pair, _ := a.Value.([]any); a.Field == "notification_webhook" && len(pair) == 2 {
			ids = append(ids, asString(pair[0]))
		}
	}
	return ids
}

type zdAction struct {
	Field string `json:"field"`
	Value any    `json:"value"`
}

func (z *zendesk) deleteWebhook(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	if h, ok := z.webhook(w, r); ok {
		if z.attached(h) {
			zdErrors(w, http.StatusBadRequest, "InvalidWebhook", "the webhook is connected to an active trigger")
			return
		}
		delete(z.webhooks, h.id)
		w.WriteHeader(http.StatusNoContent)
	}
}

// webhookSecret is GET and POST /api/v2/webhooks/{id}/signing_secret: read and reset.
func (z *zendesk) webhookSecret(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	h, ok := z.webhook(w, r)
	if !ok {
		return
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		h.secret, status = z.ID(30), http.StatusCreated
	}
	zdWrite(w, status, map[string]any{"signing_secret": map[string]string{"algorithm": "SHA256", "secret": h.secret}})
}

func (z *zendesk) viewTrigger(t *zendeskTrigger) map[string]any {
	out := map[string]any{
		"id": t.id, "url": z.url("/api/v2/triggers/" + strconv.FormatInt(t.id, 10) + ".json"),
		"active": true, "category_id": zendeskFirstCategory, "description": nil, "position": t.id,
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
func (z *zendesk) saveTrigger(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	o, _, ok := zdWrapped(w, r, "trigger")
	if !ok {
		return
	}
	t, status := &zendeskTrigger{}, http.StatusCreated
	if r.Method == http.MethodPut {
		id, ok := zdPathID(w, r)
		if !ok {
			return
		}
		if t = z.triggers[id]; t == nil {
			zdFail(w, http.StatusNotFound, "RecordNotFound", "Not found")
			return
		}
		status = http.StatusOK
	}
	invalid := zdInvalid{}
	title := o.str("title")
	if t.id == 0 && (title == "" || len(title) > 255) {
		invalid.add("title", "BlankValue", "Title: must have 1 to 255 characters")
	}
	var conditions struct{ All, Any []json.RawMessage }
	if t.id == 0 && (o.null("conditions") || json.Unmarshal(o.fields["conditions"], &conditions) != nil ||
		len(conditions.All)+len(conditions.Any) == 0) {
		invalid.add("base", "BlankValue", "Conditions: must have at least one condition")
	}
	if category := o.str("category_id"); category != "" && z.categories[o.id("category_id")] == nil && category != zendeskFirstCategory {
		invalid.add("category_id", "InvalidValue", "Category: does not exist")
	}
	var actions []zdAction
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
	zdWrite(w, status, map[string]any{"trigger": z.viewTrigger(t)})
}

func (z *zendesk) showTrigger(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	id, ok := zdPathID(w, r)
	if !ok {
		return
	}
	t := z.triggers[id]
	if t == nil {
		zdFail(w, http.StatusNotFound, "RecordNotFound", "Not found")
		return
	}
	zdWrite(w, http.StatusOK, map[string]any{"trigger": z.viewTrigger(t)})
}

// zendeskFirstCategory is the category that an account has from the start.
const zendeskFirstCategory = "1"

type zendeskCategory struct {
	id               int64
	name             string
	position         int64
	created, updated time.Time
}

func (c *zendeskCategory) view() any {
	return map[string]any{
		"id": strconv.FormatInt(c.id, 10), "name": c.name, "position": c.position,
		"created_at": zdTime(c.created), "updated_at": zdTime(c.updated),
	}
}

// saveCategory is POST and PATCH of a trigger category.
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/trigger_categories/.
func (z *zendesk) saveCategory(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	if z.noCategories {
		zdErrors(w, http.StatusForbidden, "TriggerCategoriesNotEnabled", "Trigger categories are not enabled for this account")
		return
	}
	o, _, ok := zdWrapped(w, r, "trigger_category")
	if !ok {
		return
	}
	now := z.Now()
	c, status := &zendeskCategory{created: now}, http.StatusCreated
	if r.Method == http.MethodPatch {
		id, ok := zdPathID(w, r)
		if !ok {
			return
		}
		if c = z.categories[id]; c == nil {
			zdErrors(w, http.StatusNotFound, "TriggerCategoryNotFound", "Not found")
			return
		}
		status = http.StatusOK
	}
	name := o.str("name")
	if o.has("name") || c.id == 0 {
		if name == "" || len(name) > 255 {
			zdErrors(w, http.StatusBadRequest, "InvalidTriggerCategory", "name must have 1 to 255 characters")
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
	zdWrite(w, status, map[string]any{"trigger_category": c.view()})
}

func (z *zendesk) listCategories(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	if z.noCategories {
		zdErrors(w, http.StatusForbidden, "TriggerCategoriesNotEnabled", "Trigger categories are not enabled for this account")
		return
	}
	zdPage(w, r, "trigger_categories", zdSorted(z.categories), z.url("/api/v2/trigger_categories.json"),
		func(c *zendeskCategory) int64 { return c.id }, func(c *zendeskCategory) any { return c.view() })
}

// deleteCategory deletes an empty category.
func (z *zendesk) deleteCategory(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	id, ok := zdPathID(w, r)
	if !ok {
		return
	}
	if z.categories[id] == nil {
		zdErrors(w, http.StatusNotFound, "TriggerCategoryNotFound", "Not found")
		return
	}
	for _, t := range z.triggers {
		if (&zdObject{fields: t.fields}).id("category_id") == id {
			zdErrors(w, http.StatusBadRequest, "TriggerCategoryInvalid", "The category has triggers")
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

func (z *zendesk) listTriggers(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	zdPage(w, r, "triggers", zdSorted(z.triggers), z.url("/api/v2/triggers.json"),
		func(t *zendeskTrigger) int64 { return t.id }, func(t *zendeskTrigger) any { return z.viewTrigger(t) })
}

func (z *zendesk) deleteTrigger(w http.ResponseWriter, r *http.Request, _ zdCaller) {
	id, ok := zdPathID(w, r)
	if !ok {
		return
	}
	if z.triggers[id] == nil {
		zdFail(w, http.StatusNotFound, "RecordNotFound", "Not found")
		return
	}
	delete(z.triggers, id)
	w.WriteHeader(http.StatusNoContent)
}
