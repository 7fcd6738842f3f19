package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// TestDoctor breaks one thing at a time and wants exactly that finding.
func TestDoctor(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	r := o.want(0, "doctor")
	for _, want := range []string{"all is well", "credentials.zendesk", "credentials.cronofy", "webhook.delivery", "quota.salesforce", "dead.sweep"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	fix := sandbox.New(sandbox.Options{Seed: 1}).Fixtures()
	secret := func(id, value string) func() {
		return func() { o.putSecret(id, value) }
	}
	fault := func(vendor, op, kind, code string, status int) func() {
		return func() { o.fault(sandbox.Fault{Vendor: vendor, Op: op, Kind: kind, Code: code, Status: status}) }
	}
	for _, c := range []struct {
		name    string
		breaks  func()
		finding string
		says    string // in its detail or in what to do
		args    []string
	}{
		{"a secret that is no JSON", secret(sandbox.SecretTencent, "{"), "secret.tencent", "put-secret-value", nil},
		{"half a secret", secret(sandbox.SecretSalesforce, `{"clientId":"x"}`), "secret.salesforce", "clientSecret, privateKey or password", nil},
		{"a short desk key", secret(sandbox.SecretDeskKeys, `{"zendesk":["x"]}`), "secret.desk-keys", "", nil},
		{"no login secret", secret(sandbox.SecretLogin, `{}`), "secret.login", "hs256Secrets", nil},
		{"no guest secret", secret(sandbox.SecretGuest, `{"guestSecrets":[]}`), "secret.guest", "put-secret-value", nil},
		{"a wrong Zendesk client secret", secret(sandbox.SecretZendesk, `{"clientId":"caseroom","clientSecret":"`+strings.Repeat("0", 64)+`"}`), "credentials.zendesk", "caseroom/zendesk", nil},
		{"a wrong Salesforce client secret", secret(sandbox.SecretSalesforce, `{"clientId":"x","clientSecret":"y"}`), "credentials.salesforce", "caseroom/salesforce", nil},
		{"a wrong key of the app", secret(sandbox.SecretTencent, `{"sdkAppId":1400000000,"secretKey":"wrong","adminUserId":"administrator"}`), "credentials.tencent", "check secretKey", nil},
		{"no admin of the app", secret(sandbox.SecretTencent, `{"sdkAppId":1400000000,"secretKey":"`+fix.Tencent.SecretKey+`","adminUserId":"dana"}`), "credentials.tencent", "adminUserId", nil},
		{"a wrong Zendesk Chat token", secret(sandbox.SecretZopim, `{"apiToken":"wrong"}`), "credentials.zopim", "caseroom/zopim", nil},
		{"half a calendar secret", secret(sandbox.SecretCronofy, `{"clientId":"x"}`), "secret.cronofy", "put-secret-value", nil},
		{"another Cronofy client", secret(sandbox.SecretCronofy, `{"clientId":"x","clientSecret":"y","stateSecret":"`+strings.Repeat("0", 64)+`"}`), "credentials.cronofy", "data centre", nil},
		{"another region", fault("tencent", "", "code", "60026", 0), "region.tencent", "set TencentRegion", nil},
		{"Zendesk down", fault("zendesk", "users_me", "status", "", 503), "credentials.zendesk", "status page", nil},
		{"Salesforce's requests used up", fault("salesforce", "limits", "code", "REQUEST_LIMIT_EXCEEDED", 0), "quota.salesforce", "quota", nil},
		{"no package", fault("salesforce", "query_all", "code", "INVALID_FIELD", 0), "salesforce.package", "install caseroom's package", nil},
		{"an auto-response rule", func() { o.setup(func(s *sandbox.SalesforceSetup) { s.AutoResponse = true }) }, "salesforce.auto-response", "SalesforceFallbackEmail", nil},
		{"triggers that mail", func() { o.click("zendesk/standard-triggers", map[string]any{"on": true}) }, "zendesk.mails", "“Notify assignee of comment update”", nil},
		{"an agent of some tickets", func() { o.click("zendesk/restrict", map[string]any{"seen": "assigned"}) }, "credentials.zendesk", "sees some tickets only: assigned", nil},
		{"a light agent", func() { o.click("zendesk/restrict", map[string]any{"light": true}) }, "credentials.zendesk", "light agent", nil},
		{"the list of webhooks is refused", fault("zendesk", "webhooks_list", "status", "", 403), "webhook", "permission", nil},
		{"many rooms", nil, "quota.rooms", "DissolveAfter", []string{"--max-rooms", "5"}},
		{"another API", nil, "api", "usersig", []string{"--api-url", o.ready.Sandbox}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.breaks != nil {
				c.breaks()
			}
			r := o.run(append([]string{"doctor", "--json"}, c.args...)...)
			o.heal()
			o.setup(func(s *sandbox.SalesforceSetup) { s.AutoResponse = false })
			o.click("zendesk/restrict", map[string]any{})
			o.click("zendesk/standard-triggers", map[string]any{"on": false})
			for id, v := range fix.Secrets {
				o.putSecret(id, string(v))
			}
			if r.code != 3 {
				t.Fatalf("exit code %d: %s%s", r.code, r.out, r.err)
			}
			var report doctorReport
			if err := json.Unmarshal([]byte(r.out), &report); err != nil {
				t.Fatal(err)
			}
			var findings []check
			for _, x := range report.Checks {
				if x.State == checkFinding {
					findings = append(findings, x)
				}
			}
			if c.name == "another API" {
				// The webhook is then not this API's either.
				findings = slices.DeleteFunc(findings, func(x check) bool { return x.ID == "webhook" })
			}
			if len(findings) != 1 || findings[0].ID != c.finding || findings[0].Do == "" || !strings.Contains(findings[0].Detail+findings[0].Do, c.says) {
				t.Errorf("found %+v, want %s with %q", findings, c.finding, c.says)
			}
		})
	}
	o.click("zendesk/standard-triggers", map[string]any{"on": true, "butFor": "caseroom"})
	if r := o.want(0, "doctor"); !strings.Contains(r.out, "no active trigger mails") || !strings.Contains(r.out, "all is well") {
		t.Errorf("healed:\n%s", r.out)
	}
}

// only returns the findings of a doctor's look.
func only(o *operator, change func(*doctor)) []check {
	o.Helper()
	p, err := (&place{local: true, file: o.file}).parts(o.Context())
	o.must(err)
	d := p.newDoctor(doctorOptions{roomsPerUser: 500})
	change(d)
	d.look(o.Context())
	return d.findings()
}

func TestDoctorClock(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	got := only(o, func(d *doctor) { d.now = func() time.Time { return time.Now().Add(-10 * time.Minute) } })
	if len(got) != 1 || got[0].ID != "clock" || !strings.HasPrefix(got[0].Detail, "-") {
		t.Errorf("found %+v", got)
	}
}

func TestDoctorQueues(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.send("zendesk:7", "no hint")
	o.eventually("a letter is dead", func() bool { return o.dead() == 1 })
	got := only(o, func(*doctor) {})
	if len(got) != 1 || got[0].ID != "dead.sync" || !strings.Contains(got[0].Do, "redrive") {
		t.Errorf("found %+v", got)
	}
}

func TestDoctorDelivery(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	// The stack refuses what it cannot verify.
	o.putSecret(sandbox.SecretZendeskEvents, `{"webhookSecrets":["`+strings.Repeat("0", 40)+`"]}`)
	o.parts.touch(o, o.ready.Rooms.Zendesk)
	o.eventually("a delivery failed", func() bool {
		got := only(o, func(*doctor) {})
		return len(got) == 1 && got[0].ID == "webhook.delivery" && got[0].Do != ""
	})
}

func TestDoctorChatWebhook(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	f := o.ready.Env["CHAT_WEBHOOK_SECRET"]
	for value, want := range map[string]string{
		`{"tokens":["0123456789abcdef"],"sdkAppId":7,"adminUserId":"administrator"}`:          "chat.webhook",
		`{"tokens":["0123456789abcdef"],"sdkAppId":1400000000,"adminUserId":"somebody"}`:      "chat.webhook",
		`{"tokens":["0123456789"],"sdkAppId":1400000000,"adminUserId":"administrator"}`:       "secret.chat-webhook",
		`{"tokens":["0123456789abcdef"],"sdkAppId":1400000000,"adminUserId":"administrator"}`: "",
	} {
		o.putSecret(f, value)
		got := only(o, func(*doctor) {})
		if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || got[0].ID != want || got[0].Do == "") {
			t.Errorf("%s: found %+v, want %q", value, got, want)
		}
	}
}

func TestDoctorBusyAgent(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	who := o.agents()[0]
	o.must(o.parts.zendesk.AssignTicket(t.Context(), ticketNumber(o.ready.Rooms.Zendesk), who))
	agent := o.parts.agentID(relay.Zendesk, strconv.FormatInt(who, 10))
	o.eventually("the agent is in", func() bool { return slices.Contains(o.members(o.ready.Rooms.Zendesk), agent) })
	got := only(o, func(d *doctor) { d.roomsPerUser = 1 })
	if len(got) != 1 || got[0].ID != "quota.rooms-per-agent" || !strings.Contains(got[0].Detail, agent) {
		t.Errorf("found %+v", got)
	}
}

// A desk that was renamed has rooms that all name its former host.
func TestDoctorHosts(t *testing.T) {
	l := newLab(t)
	old := relay.DeskHash("acme.zendesk.com")
	for i := range 3 {
		_, err := l.parts.rooms.Ensure(t.Context(), relay.NewRoom{
			GroupID: fmt.Sprintf("ZENDESK#%d", 9000+i), Neutral: "Ticket", Mark: relay.Mark{Desk: old}, Customer: "carol",
		})
		l.must(err)
	}
	found := func() bool {
		d := &doctor{parts: l.parts, broken: map[string]bool{}}
		d.lookHosts(t.Context())
		return d.broken["hosts.zendesk"]
	}
	if !found() {
		t.Error("not noticed")
	}
	l.parts.rooms.Former = []string{old}
	if found() {
		t.Error("found with the former host")
	}
}

// touch changes a ticket so that its desk tells the stack.
func (p *parts) touch(o *operator, group string) {
	o.Helper()
	o.must(p.zendesk.SetStatus(o.Context(), ticketNumber(group), "pending"))
}

// TestDoctorLeavesMessagesToTheFunctions: what it looked at can be received again
// a moment later, not when the queue's own visibility has passed.
func TestDoctorLeavesMessagesToTheFunctions(t *testing.T) {
	l := newLab(t)
	l.want(0, "sync", "--ticket", "1001", "--ticket", "1002")
	d := l.parts.newDoctor(doctorOptions{})
	d.now = func() time.Time { return time.Now().Add(stale + time.Minute) }
	d.lookQueues(l.Context())
	if got := d.findings(); len(got) != 1 || got[0].ID != "queue.sync" || !strings.Contains(got[0].Detail, "the oldest for 16m") {
		t.Errorf("found %+v", got)
	}
	l.behind.Store(-int64(2 * time.Second))
	for _, q := range l.box.State().AWS.Queues {
		if q.Name == "sync.fifo" && (q.Visible != 2 || q.InFlight != 0) {
			t.Errorf("%d wait, %d are hidden", q.Visible, q.InFlight)
		}
	}
}
