package zendesk

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/caseroom/caseroom/shared/webhook"
)

const (
	eventPrefix    = "zen:event-type:ticket."
	conditional    = "conditional_ticket_events"
	eventVersion   = "2022-11-06"
	hookTimeout    = 12 * time.Second
	maxWait        = 60 * time.Second // a longer Retry-After is not waited for
	maxInvocations = 100              // remembered per webhook
)

// invocationRecord is one delivery, for the webhook's monitoring.
type invocationRecord struct {
	id        string
	status    string // success, failed
	code      int
	completed time.Time
}

// breaker stops a webhook for five seconds when most of what it sent in
// five minutes failed. What falls into the pause is lost.
type breaker struct {
	since         time.Time
	total, failed int
	openUntil     time.Time
}

// count takes one result in.
func (b *breaker) count(ok bool, now time.Time) {
	if now.Sub(b.since) > 5*time.Minute {
		*b = breaker{since: now}
	}
	b.total++
	if !ok {
		b.failed++
	}
	if b.total >= 100 && (b.failed*10 >= b.total*7 || b.failed > 1000) {
		*b = breaker{since: now, openUntil: now.Add(5 * time.Second)}
	}
}

// caseroomEvents are the events that tell everything about a ticket's life.
var caseroomEvents = []string{
	"agent_assignment_changed", "comment_added", "group_assignment_changed", "marked_as_spam", "merged",
	"permanently_deleted", "soft_deleted", "status_changed", "undeleted",
}

// Subscribe makes an active webhook that posts ticket events to endpoint,
// signed with the fixture's WebhookSecret. Without types it is those that tell
// of a ticket's life: assignment, status, comments, merges and deletions.
func (d Desk) Subscribe(endpoint string, types ...string) (id string, err error) {
	if len(types) == 0 {
		types = caseroomEvents
	}
	subscriptions := make([]string, len(types))
	for i, t := range types {
		subscriptions[i] = eventPrefix + t
	}
	fields := map[string]json.RawMessage{}
	for k, v := range map[string]any{
		"name": "sandbox", "endpoint": endpoint, "http_method": "POST", "request_format": "json", "status": "active",
		"subscriptions": subscriptions,
	} {
		if fields[k], err = json.Marshal(v); err != nil {
			return "", err
		}
	}
	if msg := checkWebhook(&object{fields: fields}); msg != "" {
		return "", &refusal{msg}
	}
	z := d.z
	z.Lock()
	defer z.Unlock()
	now := z.Now()
	h := &webhookRecord{id: z.ulid(), secret: z.fix.WebhookSecret, fields: fields, created: now, updated: now}
	z.webhooks[h.id] = h
	return h.id, nil
}

type refusal struct{ message string }

func (e *refusal) Error() string { return "sandbox: " + e.message }

// watched reports whether anybody wants to know of changes.
func (z *account) watched() bool { return z.onChange != nil || len(z.webhooks)+len(z.zis) > 0 }

// publish tells a change to whoever subscribed to it.
func (z *account) publish(e Event) {
	if z.onChange != nil {
		z.onChange(e)
	}
	z.runFlows(e)
	var body []byte
	for _, id := range slices.Sorted(maps.Keys(z.webhooks)) {
		h := z.webhooks[id]
		if !h.active() || !slices.Contains(h.subscriptions(), eventPrefix+e.Type) {
			continue
		}
		if body == nil {
			body = z.envelope(e)
		}
		z.invoke(h, e.Ticket.ID, e.Type, body)
	}
}

func (h *webhookRecord) str(name string) string { return (&object{fields: h.fields}).str(name) }

func (h *webhookRecord) active() bool { return h.str("status") == "active" }

func (h *webhookRecord) subscriptions() (list []string) {
	_ = json.Unmarshal(h.fields["subscriptions"], &list) // checked when it came in
	return list
}

// envelope renders an event. Ids are strings, what is unset is null.
//
// See https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/.
func (z *account) envelope(e Event) []byte {
	t := e.Ticket
	status := strings.ToUpper(t.Status)
	if t.purged {
		status = "SCRUBBED"
	}
	description := ""
	if len(t.Comments) > 0 {
		description = t.Comments[0].Body
	}
	detail := map[string]any{
		"id": idText(t.ID), "status": status, "subject": t.Subject, "description": description,
		"assignee_id": idText(t.AssigneeID), "group_id": idText(t.GroupID), "requester_id": idText(t.RequesterID),
		"submitter_id": idText(t.SubmitterID), "actor_id": idText(e.Actor), "organization_id": nil,
		"brand_id": idText(z.accountID), "form_id": nil, "custom_status": nil, "external_id": engine.OrNull(t.ExternalID),
		"tags": t.Tags, "priority": engine.OrNull(strings.ToUpper(t.Priority)), "type": engine.OrNull(strings.ToUpper(t.Type)),
		"is_public": true, "via": map[string]string{"channel": channelOf(z.via)},
		"created_at": timeText(t.CreatedAt), "updated_at": timeText(t.UpdatedAt),
	}
	event := map[string]any{"meta": map[string]any{"sequence": map[string]any{"id": z.UUID(), "position": 1}}}
	if e.Previous != nil || e.Current != nil || strings.HasSuffix(e.Type, "_changed") {
		event["previous"], event["current"] = idValue(e.Previous), idValue(e.Current)
	}
	if e.Comment != nil {
		author := map[string]any{"id": idText(e.Comment.AuthorID), "is_staff": false, "name": ""}
		if u := z.users[e.Comment.AuthorID]; u != nil {
			author["is_staff"], author["name"] = u.staff(), u.Name
		}
		event["comment"] = map[string]any{
			"id": idText(e.Comment.ID), "body": e.Comment.Body, "is_public": e.Comment.Public, "author": author,
		}
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]any{
		"account_id": z.accountID, "id": z.UUID(), "time": e.Time.UTC().Format(time.RFC3339Nano),
		"type": eventPrefix + e.Type, "subject": "zen:ticket:" + strconv.FormatInt(t.ID, 10),
		"zendesk_event_version": eventVersion, "detail": detail, "event": event,
	})
	return bytes.TrimSpace(body.Bytes())
}

func idText(id int64) any {
	if id == 0 {
		return nil
	}
	return strconv.FormatInt(id, 10)
}

// idValue renders ids among the values of a change as strings.
func idValue(v any) any {
	if id, ok := v.(int64); ok {
		return idText(id)
	}
	return v
}

func channelOf(via int) string {
	if via == viaAPI {
		return "api"
	}
	return "web"
}

// invoke sends a body to a webhook: signed, waited for twelve seconds, and
// repeated after a 409 (three times), after no answer in time (five times), and
// after a 429 or 503 whose Retry-After is below a minute. Any other failure,
// 500 above all, is final. Nothing promises order, or delivery.
//
// See https://support.zendesk.com/hc/en-us/articles/4408839108378.
func (z *account) invoke(h *webhookRecord, ticket int64, event string, body []byte) {
	now := z.Now()
	if now.Before(h.breaker.openUntil) {
		z.Log("zendesk", "webhook", map[string]string{"webhook": h.id, "event": event, "lost": "circuit breaker"})
		return
	}
	invocation := &invocationRecord{id: z.ulid()}
	z.Notify(&engine.Notice{
		Vendor: "zendesk", Op: "webhook", Timeout: hookTimeout,
		Detail: map[string]string{
			"webhook": h.id, "invocation": invocation.id, "event": event, "ticket": strconv.FormatInt(ticket, 10),
		},
		Build: func(ctx context.Context) *http.Request {
			if z.webhooks[h.id] != h || !h.active() {
				return nil
			}
			return z.hookRequest(ctx, h, invocation.id, body)
		},
		Again: func(sent int, o engine.Outcome) (time.Duration, bool) {
			now := z.Now()
			h.breaker.count(o.OK(), now)
			invocation.code, invocation.completed, invocation.status = o.Status, now, "failed"
			if o.OK() {
				invocation.status = "success"
			}
			if o.Timeout {
				invocation.code = http.StatusGatewayTimeout
			}
			h.remember(invocation)
			retries, wait := 0, time.Second<<(sent-1)
			switch {
			case o.Timeout:
				retries = 5
			case o.Status == http.StatusConflict:
				retries = 3
			case o.Status == http.StatusTooManyRequests, o.Status == http.StatusServiceUnavailable:
				seconds, err := strconv.Atoi(o.RetryAfter)
				if wait = time.Duration(seconds) * time.Second; err == nil && seconds >= 0 && wait < maxWait {
					retries = 3 // Zendesk names no number
				}
			}
			return wait, sent <= retries
		},
	})
}

func (h *webhookRecord) remember(i *invocationRecord) {
	h.invocations = slices.DeleteFunc(h.invocations, func(x *invocationRecord) bool { return x == i })
	h.invocations = slices.Insert(h.invocations, 0, i)
	if len(h.invocations) > maxInvocations {
		h.invocations = h.invocations[:maxInvocations]
	}
}

// hookRequest makes one attempt. Its timestamp is the attempt's.
func (z *account) hookRequest(ctx context.Context, h *webhookRecord, invocation string, body []byte) *http.Request {
	method := h.str("http_method")
	if method == http.MethodGet {
		body = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, h.str("endpoint"), bytes.NewReader(body))
	if err != nil {
		return nil // the endpoint was checked, but not by this parser
	}
	types := map[string]string{"json": "application/json", "xml": "application/xml", "form_encoded": "application/x-www-form-urlencoded"}
	req.Header.Set("Content-Type", types[h.str("request_format")])
	req.Header.Set("User-Agent", "Zendesk Webhook")
	var custom map[string]string
	_ = json.Unmarshal(h.fields["custom_headers"], &custom)
	for k, v := range custom {
		req.Header.Set(k, v)
	}
	h.authorize(req)
	timestamp := z.Now().UTC().Format("2006-01-02T15:04:05Z")
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write([]byte(timestamp))
	mac.Write(body)
	req.Header.Set("X-Zendesk-Account-Id", strconv.FormatInt(z.accountID, 10))
	req.Header.Set("X-Zendesk-Webhook-Id", h.id)
	req.Header.Set("X-Zendesk-Webhook-Invocation-Id", invocation)
	req.Header.Set("X-Zendesk-Webhook-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	req.Header.Set("X-Zendesk-Webhook-Signature-Timestamp", timestamp)
	return req
}

// authorize adds the webhook's own credentials, if it has any.
func (h *webhookRecord) authorize(req *http.Request) {
	var auth struct {
		Type string `json:"type"`
		Data struct{ Username, Password, Token, Name, Value string }
	}
	if json.Unmarshal(h.fields["authentication"], &auth) != nil {
		return
	}
	switch auth.Type {
	case "basic_auth":
		req.SetBasicAuth(auth.Data.Username, auth.Data.Password)
	case "bearer_token":
		req.Header.Set("Authorization", "Bearer "+auth.Data.Token)
	case "api_key":
		req.Header.Set(auth.Data.Name, auth.Data.Value)
	}
}

// listInvocations is GET /api/v2/webhooks/{id}/invocations, newest first.
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#list-webhook-invocations.
func (z *account) listInvocations(w http.ResponseWriter, r *http.Request, _ caller) {
	h, ok := z.webhook(w, r)
	if !ok {
		return
	}
	list := []any{}
	for _, i := range h.invocations {
		list = append(list, map[string]any{
			"id": i.id, "status": i.status, "status_code": i.code, "latest_completed_at": timeText(i.completed),
		})
	}
	write(w, http.StatusOK, map[string]any{
		"invocations": list, "meta": map[string]any{"has_more": false, "after_cursor": nil, "before_cursor": nil},
		"links": map[string]any{"next": nil, "prev": nil},
	})
}

// testWebhook is POST /api/v2/webhooks/test: one delivery at once, whose answer
// is the answer. With webhook_id it is that webhook's own, with what the
// request's fields override; before a webhook exists it is signed with the
// public test secret.
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#test-webhook.
func (z *account) testWebhook(w http.ResponseWriter, r *http.Request) {
	var send *http.Request
	z.auth("webhooks:write", z.admin(func(w http.ResponseWriter, r *http.Request, _ caller) {
		o, _, ok := readWrapped(w, r, "request")
		if !ok {
			return
		}
		h := &webhookRecord{secret: webhook.TestSecret, fields: map[string]json.RawMessage{}}
		if id := r.URL.Query().Get("webhook_id"); id != "" {
			real := z.webhooks[id]
			if real == nil {
				failListed(w, http.StatusNotFound, "WebhookNotFound", "Webhook not found")
				return
			}
			h.id, h.secret = real.id, real.secret
			maps.Copy(h.fields, real.fields)
		}
		for _, name := range []string{"endpoint", "http_method", "request_format", "authentication", "custom_headers"} {
			if o.has(name) {
				h.fields[name] = o.fields[name]
			}
		}
		if h.str("endpoint") == "" || h.str("http_method") == "" || h.str("request_format") == "" {
			failListed(w, http.StatusBadRequest, "InvalidRequest", "endpoint, http_method and request_format are required")
			return
		}
		send = z.hookRequest(context.WithoutCancel(r.Context()), h, z.ulid(), []byte(o.str("payload")))
		if send == nil {
			failListed(w, http.StatusBadRequest, "InvalidRequest", "endpoint is not a URL")
		}
	}))(w, r)
	if send == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), hookTimeout)
	defer cancel()
	answer := map[string]any{"status": http.StatusGatewayTimeout, "payload": ""}
	if res, err := z.Client().Do(send.WithContext(ctx)); err == nil {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		_ = res.Body.Close()
		answer = map[string]any{"status": res.StatusCode, "payload": string(text)}
	}
	write(w, http.StatusOK, map[string]any{"response": answer})
}
