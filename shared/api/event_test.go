package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/telemetry"
	"github.com/caseroom/caseroom/shared/webhook"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// edge is the two event functions on a sandbox, called as the Lambda runtime
// calls them.
type edge struct {
	*sandbox.Sandbox
	t       *testing.T
	url     string
	fix     sandbox.Fixtures
	log     *bytes.Buffer
	metrics *bytes.Buffer
	handler *api.ZendeskEvent
	cases   *api.SalesforceEvent

	mu  sync.Mutex
	now time.Time
}

func (e *edge) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

func (e *edge) advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{t: t, log: &bytes.Buffer{}, metrics: &bytes.Buffer{}, now: time.Now()}
	e.Sandbox = sandbox.New(sandbox.Options{
		Seed: 7, Now: e.clock, Queues: []sandbox.QueueConfig{{Name: "sync.fifo", FIFO: true, GroupDedup: true}},
	})
	srv := httptest.NewServer(e.Handler())
	t.Cleanup(srv.Close)
	t.Cleanup(e.Close)
	e.url, e.fix = srv.URL, e.Fixtures()
	t.Setenv("AWS_REGION", e.fix.AWS.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", e.fix.AWS.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", e.fix.AWS.SecretAccessKey)
	t.Setenv("AWS_ENDPOINT_URL", srv.URL+"/aws")
	cfg, err := awsenv.Config()
	if err != nil {
		t.Fatal(err)
	}
	before := slog.Default()
	log := slog.New(slog.NewJSONHandler(e.log, nil))
	slog.SetDefault(log)
	t.Cleanup(func() { slog.SetDefault(before) })

	store := secrets.New(secretsmanager.NewFromConfig(cfg), e.clock, rand.New(rand.NewSource(1)).Float64, log)
	secret := secrets.For[webhook.Secret](store, sandbox.SecretZendeskEvents)
	n := 0
	queue := sqsqueue.New[relay.Hint](sqs.NewFromConfig(cfg), srv.URL+"/aws/"+e.fix.AWS.AccountID+"/sync.fifo", func() string { n++; return strconv.Itoa(n) })
	meter := &telemetry.Meter{Out: e.metrics, Now: e.clock, Function: "test"}
	e.handler = &api.ZendeskEvent{
		Configured: true, Secret: secret.Load, Reread: secret.Reload, Decode: zendesk.DecodeEvent,
		Queue: queue, Meter: meter, Now: e.clock,
	}
	e.cases = &api.SalesforceEvent{
		Auth:       &api.Authenticator{DeskKeys: secrets.For[api.DeskKeys](store, sandbox.SecretDeskKeys).Load},
		Configured: true, Queue: queue, Bulk: queue, Meter: meter,
	}
	return e
}

// request is what a gateway hands over.
type request struct {
	path      string
	headers   map[string]string
	body      []byte
	base64    bool
	principal string
	timeout   time.Duration // of the invocation; 10 s if zero
}

type reply struct {
	status int
	header map[string]string
	body   string
}

func (r reply) at(t *testing.T, key string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return fmt.Sprint(v[key])
}

// call sends one event through the Lambda door.
func (e *edge) call(r request) reply {
	e.t.Helper()
	routes := e.handler.Routes()
	for k, v := range e.cases.Routes() {
		routes[k] = v
	}
	f := &api.Function{Routes: routes, Meter: e.handler.Meter, Now: e.clock}
	event := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: r.path, Headers: r.headers, Body: string(r.body), IsBase64Encoded: r.base64,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RequestID: "req-1", HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "POST", Path: r.path},
		},
	}
	if r.base64 {
		event.Body = base64.StdEncoding.EncodeToString(r.body)
	}
	if r.principal != "" {
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			IAM: &events.APIGatewayV2HTTPRequestContextAuthorizerIAMDescription{UserARN: r.principal},
		}
	}
	timeout := r.timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), timeout)
	defer cancel()
	res, err := f.Lambda()(ctx, event)
	if err != nil {
		e.t.Fatal(err)
	}
	header := map[string]string{}
	for k, v := range res.Headers {
		header[k] = v
	}
	for k, v := range res.MultiValueHeaders {
		header[k] = strings.Join(v, ",")
	}
	return reply{res.StatusCode, header, res.Body}
}

// queued empties the queue's state into "desk:ticket hint" lines.
func (e *edge) queued() []string {
	e.t.Helper()
	list := []string{}
	for _, m := range e.State().AWS.Queues[0].Messages {
		h, err := relay.DecodeHint(m.Body)
		if err != nil {
			e.t.Fatal(err)
		}
		line := h.Group()
		if h.Deleted {
			line += " deleted"
		}
		if h.Into != "" {
			line += " merged:" + h.Into
		}
		list = append(list, line)
	}
	return list
}

func (e *edge) sign(body string) map[string]string {
	return e.signBy(e.fix.Zendesk.WebhookSecret, body, e.clock())
}

func (e *edge) signBy(secret, body string, at time.Time) map[string]string {
	s := webhook.GenerateTestSigned(secret, []byte(body), at)
	return map[string]string{
		"content-type":                           "application/json; charset=utf-8",
		strings.ToLower(webhook.HeaderSignature): s.Signature,
		strings.ToLower(webhook.HeaderTimestamp): s.Timestamp,
	}
}

func with(headers map[string]string, pairs ...string) map[string]string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			delete(headers, pairs[i])
		} else {
			headers[pairs[i]] = pairs[i+1]
		}
	}
	return headers
}

// secretsKept fails when a credential got out.
func (e *edge) secretsKept(answers ...reply) {
	e.t.Helper()
	texts := []string{e.log.String(), e.metrics.String()}
	for _, a := range answers {
		texts = append(texts, a.body, fmt.Sprint(a.header))
	}
	for _, secret := range []string{
		e.fix.Zendesk.WebhookSecret, e.fix.Zendesk.EventsBearer, e.fix.DeskKeySalesforce, e.fix.DeskKeyZendesk,
		e.fix.AWS.SecretAccessKey, "canary", "description",
	} {
		for _, text := range texts {
			if strings.Contains(text, secret) {
				e.t.Errorf("%q got out: %s", secret, text)
			}
		}
	}
}

const (
	oursEvent = `{"type":"zen:event-type:ticket.status_changed","subject":"zen:ticket:42","detail":{"id":"42",` +
		`"external_id":"caseroom:dana:abcdefghijklmnopqrstuvwxyz","description":"für €"},"event":{"current":"OPEN","previous":"NEW"}}`
	signatureHeader = "x-zendesk-webhook-signature"
	timestampHeader = "x-zendesk-webhook-signature-timestamp"
)

func TestZendeskEventQueues(t *testing.T) {
	e := newEdge(t)
	for _, tt := range []struct{ name, body, queued string }{
		{"event", oursEvent, "zendesk:42"},
		{"unknown type", strings.Replace(oursEvent, "status_changed", "levitated", 1), "zendesk:42"},
		{"deleted", strings.Replace(oursEvent, "status_changed", "soft_deleted", 1), "zendesk:42 deleted"},
		{"merged", strings.NewReplacer("status_changed", "merged", `"OPEN"`, `"77"`).Replace(oursEvent), "zendesk:42 merged:77"},
		{"another's", strings.Replace(oursEvent, "caseroom:", "crm:", 1), ""},
		{"a user's", strings.NewReplacer("ticket.status_changed", "user.created", "zen:ticket", "zen:user").Replace(oursEvent), ""},
		{"trigger", `{"ticketId":"123"}`, "zendesk:123"},
		{"trigger, number", `{"ticketId":123}`, "zendesk:123"},
	} {
		for _, encoded := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " base64 ", encoded), func(t *testing.T) {
				before := len(e.queued())
				res := e.call(request{path: "/zendesk/events", headers: e.sign(tt.body), body: []byte(tt.body), base64: encoded})
				got := e.queued()[before:]
				want := `{"queued":0}`
				if tt.queued != "" {
					want = `{"queued":1}`
				}
				if res.status != 200 || strings.TrimSpace(res.body) != want || strings.Join(got, "|") != tt.queued {
					t.Errorf("%d %s, queued %v", res.status, res.body, got)
				}
				e.secretsKept(res)
			})
		}
	}
	// Zendesk's own repetition is a message more, never one less.
	before := len(e.queued())
	for range 2 {
		e.call(request{path: "/zendesk/events", headers: e.sign(oursEvent), body: []byte(oursEvent)})
	}
	if n := len(e.queued()) - before; n != 2 {
		t.Errorf("two deliveries queued %d", n)
	}
}

// TestZendeskEventRawBytes holds that the signature is over the bytes as sent,
// also where they are no UTF-8.
func TestZendeskEventRawBytes(t *testing.T) {
	e := newEdge(t)
	body := "{\"ticketId\":\"5\",\"title\":\"\xff\xfe\"}\r\n "
	if res := e.call(request{path: "/zendesk/events", headers: e.sign(body), body: []byte(body), base64: true}); res.status != 200 {
		t.Errorf("%d %s", res.status, res.body)
	}
	headers := e.sign(body)
	if res := e.call(request{path: "/zendesk/events", headers: headers, body: []byte(strings.TrimSpace(body)), base64: true}); res.status != 401 {
		t.Errorf("trimmed: %d %s", res.status, res.body)
	}
}

func TestZendeskEventProof(t *testing.T) {
	e := newEdge(t)
	const body = `{"ticketId":"7"}`
	bearer := "Bearer " + e.fix.Zendesk.EventsBearer
	plain := func(pairs ...string) map[string]string {
		return with(map[string]string{"content-type": "application/json"}, pairs...)
	}
	now := e.clock()
	for _, tt := range []struct {
		name    string
		headers map[string]string
		status  int
	}{
		{"signature", e.sign(body), 200},
		{"bearer", plain("authorization", bearer), 200},
		{"bearer, lower case", plain("authorization", "bearer "+e.fix.Zendesk.EventsBearer), 200},
		{"both", with(e.sign(body), "authorization", bearer), 200},
		{"nothing", plain(), 401},
		{"signature and a wrong bearer", with(e.sign(body), "authorization", bearer+"x"), 401},
		{"signature and a desk key", with(e.sign(body), "authorization", "Bearer "+e.fix.DeskKeyZendesk), 401},
		{"signature and basic", with(e.sign(body), "authorization", "Basic dTpw"), 401},
		{"bearer and a wrong signature", with(e.signBy("another-0123456789", body, now), "authorization", bearer), 401},
		{"bearer and an old signature", with(e.signBy(e.fix.Zendesk.WebhookSecret, body, now.Add(-time.Hour)), "authorization", bearer), 401},
		{"wrong bearer", plain("authorization", "Bearer canary"), 401},
		{"empty bearer", plain("authorization", "Bearer "), 401},
		{"no scheme", plain("authorization", e.fix.Zendesk.EventsBearer), 401},
		{"another secret", e.signBy("another-0123456789", body, now), 401},
		{"empty secret", e.signBy("", body, now), 401},
		{"public test secret", e.signBy(webhook.TestSecret, body, now), 401},
		{"another body", e.sign(`{"ticketId":"8"}`), 401},
		{"four minutes old", e.signBy(e.fix.Zendesk.WebhookSecret, body, now.Add(-4*time.Minute)), 200},
		{"six minutes old", e.signBy(e.fix.Zendesk.WebhookSecret, body, now.Add(-6*time.Minute)), 401},
		{"six minutes early", e.signBy(e.fix.Zendesk.WebhookSecret, body, now.Add(6*time.Minute)), 401},
		{"no signature", with(e.sign(body), signatureHeader, ""), 401},
		{"no timestamp", with(e.sign(body), timestampHeader, ""), 401},
		{"two signatures", with(e.sign(body), signatureHeader, e.sign(body)[signatureHeader]+",x"), 401},
		{"two timestamps", with(e.sign(body), timestampHeader, e.sign(body)[timestampHeader]+", "+e.sign(body)[timestampHeader]), 401},
		{"signature in a list", with(e.sign(body), signatureHeader, "x,"+e.sign(body)[signatureHeader]), 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(e.queued())
			res := e.call(request{path: "/zendesk/events", headers: tt.headers, body: []byte(body)})
			if res.status != tt.status {
				t.Fatalf("%d %s, want %d", res.status, res.body, tt.status)
			}
			if n := len(e.queued()) - before; (n == 1) != (tt.status == 200) {
				t.Errorf("queued %d", n)
			}
			if tt.status == 401 && res.at(t, "code") != "unauthorized" {
				t.Errorf("%s", res.body)
			}
			e.secretsKept(res)
		})
	}
	e.handler.Verifier.Tests = true
	if res := e.call(request{path: "/zendesk/events", headers: e.signBy(webhook.TestSecret, body, now), body: []byte(body)}); res.status != 200 {
		t.Errorf("the test secret on a local machine: %d %s", res.status, res.body)
	}
}

// TestZendeskEventWithoutSecrets holds that an empty list accepts nothing.
func TestZendeskEventWithoutSecrets(t *testing.T) {
	e := newEdge(t)
	const body = `{"ticketId":"7"}`
	for name, secret := range map[string]webhook.Secret{
		"none": {}, "empty strings": {WebhookSecrets: []string{""}, Bearers: []string{""}}, "bearers only": {Bearers: []string{"0123456789abcdef"}},
	} {
		e.handler.Secret = func(context.Context) (webhook.Secret, error) { return secret, nil }
		e.handler.Reread = e.handler.Secret
		for _, headers := range []map[string]string{
			{"content-type": "application/json"},
			e.signBy("", body, e.clock()),
			with(e.sign(body), signatureHeader, " "),
			{"content-type": "application/json", "authorization": "Bearer "},
			{"content-type": "application/json", "authorization": "Bearer  "},
		} {
			if res := e.call(request{path: "/zendesk/events", headers: headers, body: []byte(body)}); res.status != 401 {
				t.Errorf("%s, %v: %d", name, headers, res.status)
			}
		}
	}
}

func TestZendeskEventRereadsTheSecret(t *testing.T) {
	e := newEdge(t)
	const body = `{"ticketId":"7"}`
	send := func(secret string) int {
		return e.call(request{path: "/zendesk/events", headers: e.signBy(secret, body, e.clock()), body: []byte(body)}).status
	}
	reads := func() (n int) {
		for _, c := range e.Calls() {
			if c.Vendor == "aws" && strings.Contains(c.Op, "GetSecretValue") {
				n++
			}
		}
		return n
	}
	if got := send(e.fix.Zendesk.WebhookSecret); got != 200 || reads() != 1 {
		t.Fatalf("%d after %d reads", got, reads())
	}
	e.SetSecret(sandbox.SecretZendeskEvents, json.RawMessage(`{"webhookSecrets":["rotated-0123456789","`+e.fix.Zendesk.WebhookSecret+`"],"bearers":["new-bearer-0123456789"]}`))
	if got := send("rotated-0123456789"); got != 200 || reads() != 2 {
		t.Errorf("the new secret: %d after %d reads", got, reads())
	}
	if got := send(e.fix.Zendesk.WebhookSecret); got != 200 || reads() != 2 {
		t.Errorf("the old secret: %d after %d reads", got, reads())
	}
	for range 5 {
		if got := send("wrong-0123456789"); got != 401 {
			t.Errorf("a wrong one: %d", got)
		}
	}
	if reads() != 2 {
		t.Errorf("%d reads within a minute", reads())
	}
	e.SetSecret(sandbox.SecretZendeskEvents, json.RawMessage(`{"webhookSecrets":["rotated-0123456789"],"bearers":["newer-bearer-0123456789"]}`))
	e.advance(61 * time.Second)
	res := e.call(request{path: "/zendesk/events", body: []byte(body), headers: map[string]string{
		"content-type": "application/json", "authorization": "Bearer newer-bearer-0123456789",
	}})
	if res.status != 200 || reads() != 3 {
		t.Errorf("a new bearer: %d after %d reads", res.status, reads())
	}
	// An old timestamp needs no new secret.
	e.advance(61 * time.Second)
	if got := e.call(request{path: "/zendesk/events", headers: e.signBy("x-0123456789abcdef", body, e.clock().Add(-time.Hour)), body: []byte(body)}).status; got != 401 || reads() != 3 {
		t.Errorf("expired: %d after %d reads", got, reads())
	}
}

func TestZendeskEventRefusals(t *testing.T) {
	e := newEdge(t)
	long := `{"ticketId":"7","x":"` + strings.Repeat("a", api.MaxZendeskEvent) + `"}`
	large := `{"ticketId":"7","x":"` + strings.Repeat("a", api.MaxZendeskEvent-100) + `"}`
	for _, tt := range []struct {
		name, body, contentType string
		status                  int
		code                    string
	}{
		{"empty", "", "application/json", 400, "invalid"},
		{"not JSON", "ticketId=7", "application/json", 400, "invalid"},
		{"no ticket", `{}`, "application/json", 400, "invalid"},
		{"placeholder", `{"ticketId":"{{ticket.id}}"}`, "application/json", 400, "invalid"},
		{"form", `{"ticketId":"7"}`, "application/x-www-form-urlencoded", 415, "unsupported_media_type"},
		{"over a MiB", long, "application/json", 413, "too_large"},
		{"under a MiB", large, "application/json", 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := e.call(request{path: "/zendesk/events", headers: with(e.sign(tt.body), "content-type", tt.contentType), body: []byte(tt.body)})
			if res.status != tt.status || (tt.code != "" && res.at(t, "code") != tt.code) {
				t.Errorf("%d %.200s", res.status, res.body)
			}
		})
	}
	e.handler.Configured = false
	if res := e.call(request{path: "/zendesk/events", headers: e.sign(oursEvent), body: []byte(oursEvent)}); res.status != 404 {
		t.Errorf("without a Zendesk: %d", res.status)
	}
}

// TestZendeskEventFailures holds that whatever fails on our side is answered
// with what Zendesk repeats.
func TestZendeskEventFailures(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   sandbox.Fault
		timeout time.Duration
	}{
		{"queue refuses", sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultCode, Code: "AccessDeniedException"}, 0},
		{"queue throttles", sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultCode, Code: "RequestThrottled"}, 0},
		{"queue is gone", sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultCode, Code: "QueueDoesNotExist"}, 0},
		{"queue fails", sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultStatus, Status: 500, Body: "canary"}, 0},
		{"queue resets", sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultResetBefore}, 0},
		{"queue hangs", sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultTimeout}, 3 * time.Second},
		{"secret cannot be read", sandbox.Fault{Vendor: "aws", Op: "GetSecretValue", Kind: sandbox.FaultCode, Code: "AccessDeniedException"}, 0},
		{"secret hangs", sandbox.Fault{Vendor: "aws", Op: "GetSecretValue", Kind: sandbox.FaultTimeout}, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEdge(t)
			if err := e.AddFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			res := e.call(request{path: "/zendesk/events", headers: e.sign(oursEvent), body: []byte(oursEvent), timeout: tt.timeout})
			wait, err := strconv.Atoi(res.header["Retry-After"])
			if res.status != 503 || res.at(t, "code") != "unavailable" || err != nil || wait < 1 || wait >= 60 {
				t.Errorf("%d %s, Retry-After %q", res.status, res.body, res.header["Retry-After"])
			}
			struck := slices.ContainsFunc(e.Calls(), func(c sandbox.Call) bool { return c.Fault != "" })
			if !struck {
				t.Fatalf("the fault never struck: %+v", e.Calls())
			}
			if strings.HasPrefix(tt.name, "queue") != strings.Contains(e.metrics.String(), "QueueSendFailed") {
				t.Errorf("metrics: %s", e.metrics)
			}
			e.secretsKept(res)
			e.ClearFaults()
			e.advance(2 * time.Second)
			if res := e.call(request{path: "/zendesk/events", headers: e.sign(oursEvent), body: []byte(oursEvent)}); res.status != 200 {
				t.Errorf("sent again: %d %s", res.status, res.body)
			}
		})
	}
}

// TestZendeskDelivers lets the stand-in notify the function, through a fault
// that its repetition outlives.
func TestZendeskDelivers(t *testing.T) {
	e := newEdge(t)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		headers := map[string]string{}
		for k, v := range r.Header {
			headers[strings.ToLower(k)] = strings.Join(v, ",")
		}
		res := e.call(request{path: r.URL.Path, headers: headers, body: body, base64: true})
		for k, v := range res.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(res.status)
		_, _ = io.WriteString(w, res.body)
	}))
	t.Cleanup(gateway.Close)
	if _, err := e.Zendesk().Subscribe(gateway.URL + "/zendesk/events"); err != nil {
		t.Fatal(err)
	}
	e.Salesforce().SetTrigger(sandbox.SalesforceTrigger{URL: gateway.URL + "/salesforce/events", Key: e.fix.DeskKeySalesforce})
	desk, agent := e.Zendesk(), e.fix.Zendesk.AgentIDs[0]
	client, err := zendesk.New(zendesk.Options{
		BaseURL: e.url + "/zendesk", Now: e.clock,
		Credentials: func(context.Context) (zendesk.Credentials, error) {
			return zendesk.Credentials{ClientID: e.fix.Zendesk.ClientID, ClientSecret: e.fix.Zendesk.ClientSecret}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := zendesk.Desk{Client: client}.Create(t.Context(), relay.NewTicket{
		Key: "abcdefghijklmnopqrstuvwxyz", UserID: "dana", Subject: "x", Desc: "y", Name: "Dana", Email: "dana@customer.example",
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.AddFault(sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultCode, Code: "AccessDeniedException", Times: 1}); err != nil {
		t.Fatal(err)
	}
	theirs, err := desk.Create("x", "not ours", agent)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return desk.Assign(id, agent) },
		func() error { return desk.Assign(theirs, agent) },
		func() error { return desk.Delete(id) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// The assignment and its status, the assignment's repeated; the deletion.
	want := []string{"zendesk:" + text, "zendesk:" + text, "zendesk:" + text + " deleted"}
	if got := e.queued(); !slices.Equal(got, want) {
		t.Errorf("queued %v, want %v", got, want)
	}
	statuses := map[int]int{}
	for _, c := range e.Calls() {
		if c.Op == "webhook" {
			statuses[c.Status]++
		}
	}
	if statuses[503] != 1 || statuses[200] != 5 {
		t.Errorf("deliveries by status: %v", statuses)
	}
	e.secretsKept()
}

const (
	case15 = "500Hs00001VmO9h"
	case18 = "500Hs00001VmO9hIAF"
)

func TestSalesforceEvent(t *testing.T) {
	e := newEdge(t)
	key := map[string]string{"content-type": "application/json", "authorization": "Bearer " + e.fix.DeskKeySalesforce}
	many := func(n int) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("500Hs0000%06d", i)
		}
		b, _ := json.Marshal(map[string]any{"cases": ids})
		return string(b)
	}
	const path, iam = "/salesforce/events", "/iam/salesforce/events"
	arn := "arn:aws:iam::123456789012:user/salesforce"
	for _, tt := range []struct {
		name, path, principal string
		headers               map[string]string
		body                  string
		status                int
		queued                int
	}{
		{"one", path, "", key, `{"cases":["` + case18 + `"]}`, 200, 1},
		{"15 characters", path, "", key, `{"cases":["` + case15 + `"]}`, 200, 1},
		{"the same in both forms", path, "", key, `{"cases":["` + case15 + `","` + case18 + `","` + case18 + `"]}`, 200, 1},
		{"two", path, "", key, `{"cases":["` + case15 + `","500Hs00001VmO9i"],"eventId":"x"}`, 200, 2},
		{"200", path, "", key, many(200), 200, 200},
		{"none", path, "", key, `{"cases":[]}`, 200, 0},
		{"by IAM", iam, arn, map[string]string{"content-type": "application/json"}, `{"cases":["` + case18 + `"]}`, 200, 1},
		{"201", path, "", key, many(201), 400, 0},
		{"missing", path, "", key, `{}`, 400, 0},
		{"null", path, "", key, `{"cases":null}`, 400, 0},
		{"not a list", path, "", key, `{"cases":"` + case18 + `"}`, 400, 0},
		{"one of two wrong", path, "", key, `{"cases":["` + case18 + `","500Hs00001VmO9hIAA"]}`, 400, 0},
		{"another object", path, "", key, `{"cases":["005Hs00001VmO9h"]}`, 400, 0},
		{"null in it", path, "", key, `{"cases":[null]}`, 400, 0},
		{"a number", path, "", key, `{"cases":[500]}`, 400, 0},
		{"trailing", path, "", key, `{"cases":[]} x`, 400, 0},
		{"not JSON", path, "", with(map[string]string{}, "content-type", "text/plain", "authorization", key["authorization"]), `{"cases":[]}`, 415, 0},
		{"no key", path, "", map[string]string{"content-type": "application/json"}, `{"cases":[]}`, 401, 0},
		{"wrong key", path, "", map[string]string{"content-type": "application/json", "authorization": "Bearer canary"}, `{"cases":[]}`, 401, 0},
		{"Zendesk's key", path, "", map[string]string{"content-type": "application/json", "authorization": "Bearer " + e.fix.DeskKeyZendesk}, `{"cases":[]}`, 403, 0},
		{"no principal", iam, "", key, `{"cases":["` + case18 + `"]}`, 403, 0},
		{"a principal in a header", iam, "", map[string]string{"content-type": "application/json", "x-caseroom-iam-arn": arn}, `{"cases":["` + case18 + `"]}`, 403, 0},
		{"a principal beside no key", path, arn, map[string]string{"content-type": "application/json"}, `{"cases":["` + case18 + `"]}`, 401, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(e.queued())
			res := e.call(request{path: tt.path, headers: tt.headers, body: []byte(tt.body), principal: tt.principal})
			if n := len(e.queued()) - before; res.status != tt.status || n != tt.queued {
				t.Fatalf("%d %s, queued %d", res.status, res.body, n)
			}
			if tt.status == 200 && strings.TrimSpace(res.body) != fmt.Sprintf(`{"queued":%d}`, tt.queued) {
				t.Errorf("%s", res.body)
			}
			e.secretsKept(res)
		})
	}
	if got := e.queued()[0]; got != "salesforce:"+case18 {
		t.Errorf("queued %s", got)
	}
	e.cases.Configured = false
	if res := e.call(request{path: path, headers: key, body: []byte(many(1))}); res.status != 404 {
		t.Errorf("without a Salesforce: %d", res.status)
	}
}

// TestSalesforceEventFailures holds that a part that was not queued makes the
// caller send all of it again.
func TestSalesforceEventFailures(t *testing.T) {
	ids := make([]string, 35)
	for i := range ids {
		ids[i] = fmt.Sprintf("500Hs0000%06d", i)
	}
	body, _ := json.Marshal(map[string]any{"cases": ids})
	for _, tt := range []struct {
		name    string
		fault   sandbox.Fault
		timeout time.Duration
	}{
		{"one batch refused", sandbox.Fault{Vendor: "aws", Op: "SendMessageBatch", Kind: sandbox.FaultCode, Code: "AccessDeniedException", Times: 1}, 0},
		{"all refused", sandbox.Fault{Vendor: "aws", Op: "SendMessageBatch", Kind: sandbox.FaultCode, Code: "QueueDoesNotExist"}, 0},
		{"hangs", sandbox.Fault{Vendor: "aws", Op: "SendMessageBatch", Kind: sandbox.FaultTimeout}, 3 * time.Second},
		{"keys cannot be read", sandbox.Fault{Vendor: "aws", Op: "GetSecretValue", Kind: sandbox.FaultCode, Code: "AccessDeniedException", Times: 1}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEdge(t)
			if err := e.AddFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			r := request{path: "/salesforce/events", body: body, timeout: tt.timeout, headers: map[string]string{
				"content-type": "application/json", "authorization": "Bearer " + e.fix.DeskKeySalesforce,
			}}
			res := e.call(r)
			if res.status != 503 || res.header["Retry-After"] == "" {
				t.Fatalf("%d %s %v", res.status, res.body, res.header)
			}
			e.secretsKept(res)
			e.ClearFaults()
			e.advance(2 * time.Second)
			r.timeout = 0
			if res := e.call(r); res.status != 200 || strings.TrimSpace(res.body) != `{"queued":35}` {
				t.Errorf("sent again: %d %s", res.status, res.body)
			}
			seen := e.queued()
			slices.Sort(seen)
			if n := len(slices.Compact(seen)); n != 35 {
				t.Errorf("%d of 35 cases queued", n)
			}
		})
	}
}

// FuzzEvents sends bodies and headers through the door: nothing unproven is
// queued, and nothing of ours is answered with 500.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(oursEvent), "", "2026-11-20T12:00:00Z", "", true)
	f.Add([]byte(`{"ticketId":"1"}`), "x", "", "Bearer x", false)
	f.Add([]byte(`{"cases":["`+case18+`",1,null]}`), "a,b", "2026-11-20T12:00:00Z,", "Bearer ", true)
	f.Add([]byte("\xff\x00"), "", "", "Basic dTpw", false)
	secret := webhook.Secret{WebhookSecrets: []string{"fuzz-0123456789abc"}, Bearers: []string{"fuzz-bearer-012345"}}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, body []byte, signature, timestamp, authorization string, signed bool) {
		queue := &countingQueue{}
		clock := func() time.Time { return now }
		meter := &telemetry.Meter{Out: io.Discard, Now: clock, Function: "test"}
		load := func(context.Context) (webhook.Secret, error) { return secret, nil }
		routes := (&api.ZendeskEvent{
			Configured: true, Secret: load, Reread: load, Decode: zendesk.DecodeEvent, Queue: queue, Meter: meter, Now: clock,
		}).Routes()
		keys := func(context.Context) (api.DeskKeys, error) {
			return api.DeskKeys{Salesforce: secret.Bearers}, nil
		}
		for k, v := range (&api.SalesforceEvent{Auth: &api.Authenticator{DeskKeys: keys}, Configured: true, Queue: queue, Bulk: queue, Meter: meter}).Routes() {
			routes[k] = v
		}
		handle := (&api.Function{Routes: routes, Meter: meter, Now: clock}).Lambda()
		for _, path := range []string{"/zendesk/events", "/salesforce/events", "/iam/salesforce/events"} {
			queue.n = 0
			headers := map[string]string{
				"content-type": "application/json", signatureHeader: signature, timestampHeader: timestamp, "authorization": authorization,
			}
			if signed {
				s := webhook.GenerateTestSigned(secret.WebhookSecrets[0], body, now)
				headers[signatureHeader], headers[timestampHeader] = s.Signature, s.Timestamp
				headers["authorization"] = "Bearer " + secret.Bearers[0]
			}
			res, err := handle(t.Context(), events.APIGatewayV2HTTPRequest{
				RawPath: path, Headers: headers, Body: base64.StdEncoding.EncodeToString(body), IsBase64Encoded: true,
				RequestContext: events.APIGatewayV2HTTPRequestContext{HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: "POST", Path: path}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode >= 500 {
				t.Errorf("%s: %d %s", path, res.StatusCode, res.Body)
			}
			if !signed && (res.StatusCode == 200 || queue.n > 0) {
				t.Errorf("%s: %d without proof", path, res.StatusCode)
			}
			if res.StatusCode == 200 && res.Body != fmt.Sprintf("{\"queued\":%d}\n", queue.n) {
				t.Errorf("%s: %s, queued %d", path, res.Body, queue.n)
			}
		}
	})
}

type countingQueue struct{ n int }

func (q *countingQueue) Send(context.Context, relay.Hint) error { q.n++; return nil }

func (q *countingQueue) SendAll(_ context.Context, hints ...relay.Hint) error {
	q.n += len(hints)
	return nil
}
