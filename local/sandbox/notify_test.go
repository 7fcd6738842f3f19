package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/webhook"
)

// listener is whom the vendors notify.
type listener struct {
	mu       sync.Mutex
	url      string
	requests []notified
	// answer, if set, answers the nth request (from 1); it returns the status
	// and Retry-After. Status 0 does not answer at all.
	answer func(n int) (status int, retryAfter string)
}

type notified struct {
	method, path string
	header       http.Header
	body         []byte
}

// listenerHost is the host of a listener without a network.
const listenerHost = "listener.example"

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	l.url = srv.URL
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.requests = append(l.requests, notified{r.Method, r.URL.Path, r.Header, body})
	n, answer := len(l.requests), l.answer
	l.mu.Unlock()
	status, retryAfter := 200, ""
	if answer != nil {
		status, retryAfter = answer(n)
	}
	if status == 0 {
		<-r.Context().Done()
		return
	}
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
}

func (l *listener) got() []notified {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.requests)
}

func (l *listener) reset(answer func(int) (int, string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests, l.answer = nil, answer
}

func (d *desk) flush() {
	d.t.Helper()
	if err := d.Flush(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// told decodes what a subscription was sent into "type id status".
func told(t *testing.T, requests []notified) []string {
	t.Helper()
	list := []string{}
	for _, r := range requests {
		var e struct {
			Type   string `json:"type"`
			Detail struct{ ID, Status string }
		}
		if err := json.Unmarshal(r.body, &e); err != nil {
			t.Fatalf("%v: %s", err, r.body)
		}
		list = append(list, strings.TrimPrefix(e.Type, "zen:event-type:ticket.")+" "+e.Detail.ID+" "+e.Detail.Status)
	}
	return list
}

func TestZendeskEvents(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	l := newListener(t)
	hook, err := d.Zendesk().Subscribe(l.url + "/zendesk/events")
	if err != nil {
		t.Fatal(err)
	}
	z, agent := d.Zendesk(), d.Fixtures().Zendesk.AgentIDs[0]
	a, b := d.ticket(auth), d.ticket(auth)
	for i, step := range []func() error{
		func() error { return z.Assign(a, agent) },
		func() error { return z.Comment(a, agent, "für <b> & €", true) },
		func() error { return z.Tag(a, "caseroom", "vip") }, // not subscribed
		func() error { return z.Delete(a) },
		func() error { return z.Undelete(a) },
		func() error { return z.Merge(a, b) },
		func() error { return z.MarkSpam(a) },
		func() error { return z.PermanentlyDelete(a) },
	} {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	d.flush()
	requests := l.got()
	A, B := strconv.FormatInt(a, 10), strconv.FormatInt(b, 10)
	want := []string{
		"agent_assignment_changed " + A + " OPEN", "status_changed " + A + " OPEN", "comment_added " + A + " OPEN",
		"soft_deleted " + A + " DELETED", "undeleted " + A + " OPEN",
		"comment_added " + B + " CLOSED", "merged " + B + " CLOSED", "status_changed " + B + " CLOSED", "comment_added " + A + " OPEN",
		"marked_as_spam " + A + " OPEN", "soft_deleted " + A + " DELETED", "permanently_deleted " + A + " SCRUBBED",
	}
	if got := told(t, requests); !slices.Equal(got, want) {
		t.Fatalf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	ids, invocations := map[string]bool{}, map[string]bool{}
	for i, r := range requests {
		err := webhook.Verifier{}.Verify([]string{d.Fixtures().Zendesk.WebhookSecret},
			r.header.Get(webhook.HeaderSignature), r.header.Get(webhook.HeaderTimestamp), r.body, d.clock.Now())
		if err != nil {
			t.Errorf("request %d: %v", i, err)
		}
		if r.method != "POST" || r.path != "/zendesk/events" || r.header.Get("X-Zendesk-Webhook-Id") != hook ||
			r.header.Get("Content-Type") != "application/json" || r.header.Get("X-Zendesk-Account-Id") == "" {
			t.Errorf("request %d: %s %s %v", i, r.method, r.path, r.header)
		}
		var e struct{ ID string }
		_ = json.Unmarshal(r.body, &e)
		ids[e.ID], invocations[r.header.Get("X-Zendesk-Webhook-Invocation-Id")] = true, true
	}
	if len(ids) != len(requests) || len(invocations) != len(requests) {
		t.Errorf("%d event ids and %d invocations of %d requests", len(ids), len(invocations), len(requests))
	}
	first := requests[0].body
	for _, part := range []string{
		`"subject":"zen:ticket:` + A + `"`, `"external_id":"caseroom:dana:abc"`, `"zendesk_event_version":"2022-11-06"`,
		`"assignee_id":"` + strconv.FormatInt(agent, 10) + `"`, `"group_id":null`, `"tags":["caseroom"]`,
		`"current":"` + strconv.FormatInt(agent, 10) + `","meta"`, `"previous":null`,
	} {
		if !strings.Contains(string(first), part) {
			t.Errorf("no %s in %s", part, first)
		}
	}
	if c := string(requests[2].body); !strings.Contains(c, `"body":"für <b> & €"`) || !strings.Contains(c, `"is_staff":true`) {
		t.Errorf("comment: %s", c)
	}
	if m := string(requests[6].body); !strings.Contains(m, `"current":"`+A+`"`) {
		t.Errorf("merged: %s", m)
	}

	// What an admin stops is not sent, and the monitoring shows what was.
	list := d.want(d.send("GET", "/zendesk/api/v2/webhooks/"+hook+"/invocations", "", auth), 200)
	if list.text("invocations.0.status") != "success" || list.text("invocations.0.status_code") != "200" || list.text("invocations.0.id") == "" {
		t.Errorf("invocations: %s", list.raw)
	}
	l.reset(nil)
	d.want(d.send("PATCH", "/zendesk/api/v2/webhooks/"+hook, `{"webhook":{"status":"inactive"}}`, auth), 204)
	c, err := z.Create("x", "y", agent)
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Solve(c); err != nil {
		t.Fatal(err)
	}
	d.want(d.send("PATCH", "/zendesk/api/v2/webhooks/"+hook, `{"webhook":{"status":"active"}}`, auth), 204)
	d.flush()
	if n := len(l.got()); n != 0 {
		t.Errorf("an inactive webhook sent %d", n)
	}
	for _, call := range d.Calls() {
		for _, v := range call.Detail {
			if strings.Contains(v, d.Fixtures().Zendesk.WebhookSecret) || strings.Contains(v, l.url) {
				t.Errorf("the log tells %q", v)
			}
		}
	}
}

func TestZendeskWebhookCredentials(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	l := newListener(t)
	for name, c := range map[string]struct{ authentication, header, want string }{
		"bearer": {`{"type":"bearer_token","data":{"token":"tok-1"},"add_position":"header"}`, "Authorization", "Bearer tok-1"},
		"basic":  {`{"type":"basic_auth","data":{"username":"u","password":"p"},"add_position":"header"}`, "Authorization", "Basic dTpw"},
		"key":    {`{"type":"api_key","data":{"name":"X-Key","value":"k"},"add_position":"header"}`, "X-Key", "k"},
	} {
		t.Run(name, func(t *testing.T) {
			l.reset(nil)
			hook := `{"webhook":{"name":"x","endpoint":"` + l.url + `","http_method":"POST","request_format":"json","status":"active",` +
				`"subscriptions":["zen:event-type:ticket.created"],"custom_headers":{"X-Mine":"1"},"authentication":` + c.authentication + `}}`
			id := d.want(d.send("POST", "/zendesk/api/v2/webhooks", hook, auth), 201).text("webhook.id")
			secret := d.want(d.send("POST", "/zendesk/api/v2/webhooks/"+id+"/signing_secret", "", auth), 201).text("signing_secret.secret")
			d.ticket(auth)
			d.flush()
			d.want(d.send("DELETE", "/zendesk/api/v2/webhooks/"+id, "", auth), 204)
			got := l.got()
			if len(got) != 1 || got[0].header.Get(c.header) != c.want || got[0].header.Get("X-Mine") != "1" {
				t.Fatalf("sent %+v", got)
			}
			err := webhook.Verifier{}.Verify([]string{secret}, got[0].header.Get(webhook.HeaderSignature),
				got[0].header.Get(webhook.HeaderTimestamp), got[0].body, d.clock.Now())
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// always answers the same.
func always(status int, retryAfter string) func(int) (int, string) {
	return func(int) (int, string) { return status, retryAfter }
}

// simulated runs a subtest in simulated time.
func simulated(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestZendeskRetries(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(int) (int, string)
		sent   int
	}{
		"200":                      {always(200, ""), 1},
		"500":                      {always(500, "1"), 1},
		"502":                      {always(502, "1"), 1},
		"401":                      {always(401, ""), 1},
		"redirect":                 {always(302, ""), 1},
		"409":                      {always(409, ""), 4},
		"time-out":                 {always(0, ""), 6},
		"503 without Retry-After":  {always(503, ""), 1},
		"503, a date":              {always(503, "Fri, 20 Nov 2026 12:00:01 GMT"), 1},
		"503, 59 s":                {always(503, "59"), 4},
		"503, 60 s":                {always(503, "60"), 1},
		"429 without Retry-After":  {always(429, ""), 1},
		"429, 5 s":                 {always(429, "5"), 4},
		"503, then 200":            {func(n int) (int, string) { return []int{503, 200}[min(n, 2)-1], "5" }, 2},
		"409, then 500":            {func(n int) (int, string) { return []int{409, 500}[min(n, 2)-1], "5" }, 2},
		"time-out, time-out, then": {func(n int) (int, string) { return []int{0, 0, 200}[min(n, 3)-1], "" }, 3},
	} {
		simulated(t, name, func(t *testing.T) {
			l := &listener{answer: c.answer}
			d := newDirectDesk(t, l)
			if _, err := d.Zendesk().Subscribe("http://"+listenerHost, "created"); err != nil {
				t.Fatal(err)
			}
			d.ticket(d.zendeskToken(fullScope))
			d.flush()
			got := l.got()
			if len(got) != c.sent {
				t.Fatalf("sent %d times, want %d", len(got), c.sent)
			}
			for _, r := range got[1:] {
				if string(r.body) != string(got[0].body) || r.header.Get("X-Zendesk-Webhook-Invocation-Id") != got[0].header.Get("X-Zendesk-Webhook-Invocation-Id") {
					t.Error("the repetition is another invocation")
				}
			}
		})
	}
}

// TestZendeskRetryIsLate holds that without Flush a repetition waits.
func TestZendeskRetryIsLate(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	l := newListener(t)
	arrived := make(chan struct{}, 10)
	l.reset(func(n int) (int, string) { arrived <- struct{}{}; return []int{503, 200}[min(n, 2)-1], "50" })
	if _, err := d.Zendesk().Subscribe(l.url, "created"); err != nil {
		t.Fatal(err)
	}
	d.ticket(auth)
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := len(l.got()); n != 1 {
		t.Fatalf("sent %d times", n)
	}
	if err := d.Flush(ctx); err == nil && len(l.got()) != 2 {
		t.Error("Flush said that all is still")
	}
	d.flush()
	if n := len(l.got()); n != 2 {
		t.Errorf("sent %d times", n)
	}
}

func TestZendeskBreaker(t *testing.T) {
	d := newDesk(t)
	l := newListener(t)
	l.reset(always(500, ""))
	z := d.Zendesk()
	if _, err := z.Subscribe(l.url, "created"); err != nil {
		t.Fatal(err)
	}
	create := func() {
		if _, err := z.Create("x", "y", d.Fixtures().Zendesk.AgentIDs[0]); err != nil {
			t.Fatal(err)
		}
		d.flush()
	}
	for range 110 {
		create()
	}
	if n := len(l.got()); n != 100 {
		t.Errorf("%d were sent before the pause, want 100", n)
	}
	d.clock.Advance(5 * time.Second)
	create()
	if n := len(l.got()); n != 101 {
		t.Errorf("%d were sent after the pause, want 101", n)
	}
}

func TestEventFaults(t *testing.T) {
	d := newDesk(t)
	z, agent := d.Zendesk(), d.Fixtures().Zendesk.AgentIDs[0]
	l := newListener(t)
	if _, err := z.Subscribe(l.url, "status_changed"); err != nil {
		t.Fatal(err)
	}
	id, err := z.Create("x", "y", agent)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		faults []sandbox.Fault
		want   string // of pending, hold, solved, open
	}{
		{"none", nil, "PENDING HOLD SOLVED OPEN"},
		{"lose two", []sandbox.Fault{{Kind: sandbox.FaultLose, Times: 2}}, "SOLVED OPEN"},
		{"duplicate", []sandbox.Fault{{Vendor: "zendesk", Kind: sandbox.FaultDuplicate, Times: 1}}, "PENDING PENDING HOLD SOLVED OPEN"},
		{"reorder once", []sandbox.Fault{{Vendor: "zendesk", Op: "webhook", Kind: sandbox.FaultReorder, Delay: time.Minute, Times: 1}}, "HOLD PENDING SOLVED OPEN"},
		{"reorder all", []sandbox.Fault{{Kind: sandbox.FaultReorder, Delay: time.Minute}}, "HOLD PENDING OPEN SOLVED"},
		{"reorder three", []sandbox.Fault{{Kind: sandbox.FaultReorder, Delay: time.Minute, Times: 3}}, "HOLD PENDING OPEN SOLVED"},
		{"others' faults", []sandbox.Fault{{Vendor: "salesforce", Kind: sandbox.FaultLose}, {Kind: sandbox.FaultStatus}}, "PENDING HOLD SOLVED OPEN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.reset(nil)
			for _, f := range c.faults {
				if err := d.AddFault(f); err != nil {
					t.Fatal(err)
				}
			}
			for _, status := range []string{"pending", "hold", "solved", "open"} {
				if err := z.SetStatus(id, status); err != nil {
					t.Fatal(err)
				}
			}
			d.flush()
			d.ClearFaults()
			got := []string{}
			for _, e := range told(t, l.got()) {
				got = append(got, e[strings.LastIndexByte(e, ' ')+1:])
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("told %v, want %s", got, c.want)
			}
		})
	}
	// The last one has nothing to be overtaken by: it goes when its time is up.
	l.reset(nil)
	arrived := make(chan struct{}, 1)
	l.reset(func(int) (int, string) { arrived <- struct{}{}; return 200, "" })
	if err := d.AddFault(sandbox.Fault{Kind: sandbox.FaultReorder, Delay: time.Millisecond, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if err := z.Solve(id); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := d.AddFault(sandbox.Fault{Vendor: "cronofy", Kind: sandbox.FaultLose}); err == nil {
		t.Error("a fault that never strikes was armed")
	}
	lost := slices.ContainsFunc(d.Calls(), func(c sandbox.Call) bool {
		return c.Op == "webhook" && c.Fault == sandbox.FaultLose && c.Status == 0
	})
	if !lost {
		t.Error("the log does not show what was lost")
	}
}

func TestZendeskTriggers(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	l := newListener(t)
	hook := d.want(d.send("POST", "/zendesk/api/v2/webhooks", `{"webhook":{"name":"t","endpoint":"`+l.url+`","http_method":"POST",`+
		`"request_format":"json","status":"active","subscriptions":["conditional_ticket_events"]}}`, auth), 201).text("webhook.id")
	f := d.Fixtures().Zendesk
	z := d.Zendesk()
	// What happens to a ticket tagged caseroom, and the steps each condition
	// holds in: c create by API, a assigned by its agent, s solved by the
	// agent interface, n a public note by API, d deleted.
	steps := []struct {
		name string
		do   func(id int64) error
	}{
		{"a", func(id int64) error { return z.Assign(id, f.AgentIDs[0]) }},
		{"s", z.Solve},
		{"n", func(id int64) error {
			d.want(d.send("PUT", "/zendesk/api/v2/tickets/"+strconv.FormatInt(id, 10), `{"ticket":{"comment":{"body":"x","public":true}}}`, auth), 200)
			return nil
		}},
		{"d", z.Delete},
	}
	agent := strconv.FormatInt(f.AgentIDs[0], 10)
	cond := func(field, operator, value string) string {
		return `{"field":"` + field + `","operator":"` + operator + `","value":"` + value + `"}`
	}
	for _, c := range []struct{ all, any, want string }{
		{cond("current_tags", "includes", "caseroom vip"), "", "casn"},
		{cond("current_tags", "includes", "vip"), "", ""},
		{cond("current_tags", "not_includes", "vip"), "", "casn"},
		{cond("tags", "includes", "caseroom"), "", ""},
		{cond("update_type", "is", "Create"), "", "c"},
		{cond("update_type", "is", "Change"), "", "asn"},
		{cond("assignee_id", "changed", ""), "", "a"},
		{cond("assignee_id", "not_changed", ""), "", "csn"},
		{cond("assignee_id", "is", ""), "", "c"},
		{cond("assignee_id", "is_not", ""), "", "asn"},
		{cond("assignee_id", "is", agent), "", "asn"},
		{cond("assignee_id", "value", agent), "", "a"},
		{cond("assignee_id", "value", "current_user"), "", "a"},
		{cond("assignee_id", "not_value", agent), "", "csn"},
		{cond("status", "changed", ""), "", "cas"},
		{cond("status", "value", "solved"), "", "s"},
		{cond("status", "value_previous", "open"), "", "s"},
		{cond("status", "not_value_previous", "open"), "", "can"},
		{cond("status", "less_than", "solved"), "", "ca"},
		{cond("status", "greater_than", "new"), "", "asn"},
		{cond("status", "levitates", "new"), "", ""},
		{cond("status", "less_than", "levitating"), "", ""},
		{cond("current_via_id", "is_not", "5"), "", "as"},
		{cond("comment_is_public", "is", "not_relevant"), "", "cn"},
		{cond("comment_is_public", "is", "requester_can_see_comment"), "", "cn"},
		{cond("role", "is", "agent"), "", "casn"},
		{cond("requester_id", "changed", ""), "", "c"},
		{cond("update_type", "is", "Change") + "," + cond("status", "is", "solved"), "", "sn"},
		{"", cond("status", "value", "solved") + "," + cond("update_type", "is", "Create"), "cs"},
		{cond("update_type", "is", "Change"), cond("status", "value", "solved") + "," + cond("update_type", "is", "Create"), "s"},
	} {
		t.Run(c.all+" any "+c.any, func(t *testing.T) {
			body := `{"trigger":{"title":"t","conditions":{"all":[` + c.all + `],"any":[` + c.any + `]},` +
				`"actions":[{"field":"notification_webhook","value":["` + hook + `","{\"ticketId\":\"{{ticket.id}}\",\"s\":\"{{ ticket.status }}{{nothing}}\"}"]}]}}`
			trigger := d.want(d.send("POST", "/zendesk/api/v2/triggers", body, auth), 201).text("trigger.id")
			got := ""
			look := func(step string) {
				d.flush()
				if n := len(l.got()); n > 1 {
					t.Errorf("%s: sent %d times", step, n)
				} else if n == 1 {
					got += step
				}
			}
			l.reset(nil)
			id := d.ticket(auth)
			look("c")
			if r := l.got(); len(r) == 1 {
				if want := fmt.Sprintf(`{"ticketId":"%d","s":"New"}`, id); string(r[0].body) != want {
					t.Errorf("body %s, want %s", r[0].body, want)
				}
			}
			for _, s := range steps {
				l.reset(nil)
				if err := s.do(id); err != nil {
					t.Fatal(err)
				}
				look(s.name)
			}
			if got != c.want {
				t.Errorf("fired in %q, want %q", got, c.want)
			}
			d.want(d.send("PUT", "/zendesk/api/v2/triggers/"+trigger, strings.Replace(body, `"title"`, `"active":false,"title"`, 1), auth), 200)
			l.reset(nil)
			d.ticket(auth)
			look("x")
			if strings.HasSuffix(got, "x") {
				t.Error("an inactive trigger fired")
			}
			d.want(d.send("DELETE", "/zendesk/api/v2/triggers/"+trigger, "", auth), 204)
		})
	}
}

func TestSalesforceTrigger(t *testing.T) { synctest.Test(t, salesforceTrigger) }

func salesforceTrigger(t *testing.T) {
	l := &listener{url: "http://" + listenerHost}
	d := newDirectDesk(t, l)
	auth := d.salesforceToken()
	org, f := d.Salesforce(), d.Fixtures()
	org.SetTrigger(sandbox.SalesforceTrigger{URL: l.url + "/salesforce/events", Key: f.DeskKeySalesforce})
	posted := func() string {
		d.flush()
		out := []string{}
		for _, r := range l.got() {
			var body struct{ Cases []string }
			if json.Unmarshal(r.body, &body) != nil || r.method != "POST" || r.path != "/salesforce/events" ||
				r.header.Get("Authorization") != "Bearer "+f.DeskKeySalesforce || r.header.Get("Content-Type") != "application/json" {
				t.Errorf("sent %+v", r)
			}
			out = append(out, strings.Join(body.Cases, ","))
		}
		l.reset(nil)
		return strings.Join(out, " ")
	}
	mine := `{"Subject":"a","Caseroom_Key__c":"abcdefghijklmnopqrstuvwxyz","Caseroom_User__c":"dana"}`
	a := d.newCase(auth, mine)
	other, err := org.CreateCase("b", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := posted(); got != a {
		t.Fatalf("create: posted %q, want %q", got, a)
	}
	user := f.Salesforce.AgentIDs[0]
	var work string
	for _, s := range []struct {
		name string
		do   func() error
		want string
	}{
		{"owner", func() error { return org.SetOwner(a, user) }, a},
		{"the same owner", func() error { return org.SetOwner(a, user) }, ""},
		{"another's case", func() error { return org.SetOwner(other, user) }, ""},
		{"close", func() error { return org.Close(a) }, a},
		{"reopen", func() error { return org.Reopen(a) }, a},
		{"subject", func() error {
			d.want(d.send("PATCH", sfAPI+"/sobjects/Case/"+a, `{"Subject":"c"}`, auth, "Sforce-Auto-Assign: false"), 204)
			return nil
		}, ""},
		{"routed", func() (err error) { work, err = org.AddAgentWork(a, f.Salesforce.AgentIDs[1]); return err }, ""},
		{"declined", func() error { return org.SetAgentWork(work, "Declined") }, ""},
		{"routed again", func() (err error) { work, err = org.AddAgentWork(a, user); return err }, ""},
		{"accepted by its owner", func() error { return org.SetAgentWork(work, "Opened") }, a},
		{"passed on", func() error { return org.SetAgentWork(work, "Transferred") }, a},
		{"delete", func() error { return org.Delete(a) }, a},
		{"undelete", func() error { return org.Undelete(a) }, a},
	} {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := posted(); got != s.want {
			t.Errorf("%s: posted %q, want %q", s.name, got, s.want)
		}
	}

	// While a callout is under way, cases gather for the next.
	release := make(chan struct{})
	arrived := make(chan struct{}, 2)
	l.reset(func(n int) (int, string) {
		arrived <- struct{}{}
		if n == 1 {
			<-release
		}
		return 200, ""
	})
	ids := []string{}
	for i := range 4 {
		ids = append(ids, d.newCase(auth, strings.Replace(mine, "abc", "ab"+string(rune('q'+i)), 1)))
		if i == 0 {
			<-arrived
		}
	}
	if err := org.Close(ids[1]); err != nil {
		t.Fatal(err)
	}
	close(release)
	if got, want := posted(), ids[0]+" "+strings.Join(ids[1:], ","); got != want {
		t.Errorf("posted %q, want %q", got, want)
	}

	for name, c := range map[string]struct {
		status, sent int
	}{"503": {503, 6}, "500": {500, 6}, "429": {429, 6}, "401": {401, 6}, "403": {403, 6}, "400": {400, 1}, "time-out": {0, 6}} {
		l.reset(always(c.status, ""))
		before := d.callouts()
		if err := org.SetOwner(a, org.Queue()); err != nil {
			t.Fatal(err)
		}
		if err := org.SetOwner(a, user); err != nil {
			t.Fatal(err)
		}
		d.flush()
		if n := d.callouts() - before; n < c.sent || n > 2*c.sent {
			t.Errorf("%s: sent %d times, want %d for each callout", name, n, c.sent)
		}
	}

	l.reset(nil)
	org.SetTrigger(sandbox.SalesforceTrigger{})
	if err := org.Close(a); err != nil {
		t.Fatal(err)
	}
	if got := posted(); got != "" {
		t.Errorf("without a trigger: %q", got)
	}
}

// callouts counts what the trigger has sent.
func (d *desk) callouts() (n int) {
	for _, c := range d.Calls() {
		if c.Vendor == "salesforce" && c.Op == "callout" {
			n++
		}
	}
	return n
}

func TestFlushRoute(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	l := newListener(t)
	if _, err := d.Zendesk().Subscribe(l.url, "created"); err != nil {
		t.Fatal(err)
	}
	d.ticket(auth)
	d.want(d.send("POST", "/flush", ""), 204)
	if n := len(l.got()); n != 1 {
		t.Errorf("sent %d", n)
	}
	if _, err := d.Zendesk().Subscribe("not a URL"); err == nil {
		t.Error("no error for a bad endpoint")
	}
}

// TestClose ends a request under way, one that waits for its time and one that
// is held back, and sends nothing more.
func TestClose(t *testing.T) {
	clock := &deskClock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	s := sandbox.New(sandbox.Options{Seed: 7, Now: clock.Now, Senders: 2})
	l := newListener(t)
	arrived := make(chan int, 10)
	l.reset(func(n int) (int, string) {
		arrived <- n
		return []int{503, 0}[min(n, 2)-1], "50"
	})
	z := s.Zendesk()
	if _, err := z.Subscribe(l.url, "created"); err != nil {
		t.Fatal(err)
	}
	create := func() {
		if _, err := z.Create("x", "y", s.Fixtures().Zendesk.AgentIDs[0]); err != nil {
			t.Fatal(err)
		}
	}
	create()
	<-arrived
	create()
	<-arrived
	if err := s.AddFault(sandbox.Fault{Kind: sandbox.FaultReorder, Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	create()
	s.Close()
	s.Close()
	create()
	if err := s.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(l.got()); n != 2 {
		t.Errorf("sent %d", n)
	}
	idle := sandbox.New(sandbox.Options{})
	if err := idle.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	idle.Close()
}

// TestSenders delivers everything also when several send at once and the
// receiver calls the sandbox back.
func TestSenders(t *testing.T) {
	s := sandbox.New(sandbox.Options{Seed: 7, Senders: 4})
	t.Cleanup(s.Close)
	l := newListener(t)
	l.reset(func(int) (int, string) { s.State(); return 200, "" })
	z := s.Zendesk()
	if _, err := z.Subscribe(l.url, "created"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			for range 10 {
				if _, err := z.Create("x", "y", s.Fixtures().Zendesk.AgentIDs[0]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := told(t, l.got())
	slices.Sort(seen)
	if len(slices.Compact(seen)) != 50 {
		t.Errorf("%d of 50 tickets were told", len(slices.Compact(seen)))
	}
}
