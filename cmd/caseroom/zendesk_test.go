package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun/localruntest"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/webhook"
)

// admin is somebody who connects a running stack with its desks.
type admin struct {
	*testing.T
	ready localrun.Ready
	file  string
	fix   sandbox.Fixtures
	aws   *secretsmanager.Client
}

// newAdmin starts a stack whose account tells it nothing yet.
func newAdmin(t *testing.T, parameters ...string) *admin {
	t.Helper()
	a := &admin{T: t, file: filepath.Join(t.TempDir(), "local.json"), fix: sandbox.New(sandbox.Options{Seed: 1}).Fixtures()}
	a.ready, _, _ = localruntest.Start(t, func(o *localrun.Options) { o.ReadyFile, o.Parameters = a.file, parameters })
	p := place{local: true, file: a.file}
	s, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a.aws = secretsmanager.NewFromConfig(s.AWS)
	for _, h := range a.account().Webhooks {
		a.zendesk(204, "DELETE", "/api/v2/webhooks/"+h.ID, "")
	}
	quick(t)
	return a
}

// quick makes the commands' waits short.
func quick(t *testing.T) {
	before := sleep
	sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	t.Cleanup(func() { sleep = before })
}

// run runs the command line on the stack.
func (a *admin) run(args ...string) (code int, out, errs string) {
	a.Helper()
	return a.runIn(a.Context(), "", args...)
}

func (a *admin) runIn(ctx context.Context, stdin string, args ...string) (code int, out, errs string) {
	a.Helper()
	var o, e bytes.Buffer
	root := command()
	root.SetOut(&o)
	root.SetErr(&e)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(append(args, "--local", "--local-file", a.file))
	code = cli.Execute(ctx, root, &e)
	secrets := []string{a.fix.Zendesk.ClientSecret, a.fix.Zendesk.APIToken, a.fix.AWS.SecretAccessKey, a.fix.Salesforce.ClientSecret, "Bearer "}
	secrets = append(secrets, a.events().WebhookSecrets...)
	secrets = append(secrets, a.events().Bearers...)
	for _, s := range secrets {
		if strings.Contains(o.String()+e.String(), s) {
			a.Errorf("%v prints a secret", args)
		}
	}
	return code, o.String(), e.String()
}

// want runs a command and checks its exit code.
func (a *admin) want(code int, args ...string) string {
	a.Helper()
	got, out, errs := a.run(args...)
	if got != code {
		a.Fatalf("caseroom %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out + errs
}

func (a *admin) report(code int, args ...string) linkReport {
	a.Helper()
	got, out, errs := a.run(append(args, "--json")...)
	var r linkReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || got != code {
		a.Fatalf("caseroom %s: exit code %d, want %d, %v\n%s%s", strings.Join(args, " "), got, code, err, out, errs)
	}
	return r
}

func (a *admin) state() (s sandbox.State) {
	a.Helper()
	localruntest.Get(a.T, a.ready.Sandbox+"/state", &s)
	return s
}

// account is how the account is set up, tickets and people aside.
func (a *admin) account() sandbox.ZendeskState {
	a.Helper()
	st := a.state().Zendesk
	st.Tickets, st.Users = nil, nil
	return st
}

// events is the stack's secret of what proves events; empty if there is none.
func (a *admin) events() (s webhook.Secret) {
	a.Helper()
	_ = json.Unmarshal([]byte(a.secret(sandbox.SecretZendeskEvents)), &s)
	return s
}

// secret is a secret's text, "" for none.
func (a *admin) secret(id string) string {
	out, err := a.aws.GetSecretValue(context.WithoutCancel(a.Context()), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return ""
	}
	return aws.ToString(out.SecretString)
}

func (a *admin) put(id, value string) {
	a.Helper()
	if _, err := a.aws.PutSecretValue(a.Context(), &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: &value}); err != nil {
		a.Fatal(err)
	}
}

// send makes a request and returns the answer's body.
func (a *admin) send(want int, method, url, body string, header http.Header) []byte {
	a.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != want {
		a.Fatalf("%s %s: %d, want %d: %s", method, url, res.StatusCode, want, text)
	}
	return text
}

// zendesk is a request of the account's admin in the browser.
func (a *admin) zendesk(want int, method, path, body string) []byte {
	a.Helper()
	return a.send(want, method, a.ready.Sandbox+"/zendesk"+path, body, http.Header{"Cookie": {"_zendesk_session=" + a.fix.Zendesk.AdminSession}})
}

func (a *admin) fault(f sandbox.Fault) {
	a.Helper()
	body, err := json.Marshal(f)
	if err != nil {
		a.Fatal(err)
	}
	a.send(201, "POST", a.ready.Sandbox+"/faults", string(body), nil)
}

func (a *admin) heal() {
	a.Helper()
	a.send(204, "DELETE", a.ready.Sandbox+"/faults", "", nil)
}

func (a *admin) flush() {
	a.Helper()
	a.send(204, "POST", a.ready.Sandbox+"/flush", "", nil)
}

// ticket is the id of the first ticket, whose room is there.
func (a *admin) ticket() string { return strings.TrimPrefix(a.ready.Rooms.Zendesk, "ZENDESK#") }

// assign gives the ticket to one of the two agents, as an admin in the browser.
func (a *admin) assign(agent int) {
	a.Helper()
	a.zendesk(200, "PUT", "/api/v2/tickets/"+a.ticket(), fmt.Sprintf(`{"ticket":{"assignee_id":%d}}`, a.fix.Zendesk.AgentIDs[agent]))
}

func (a *admin) inRoom(agent int) bool {
	user := fmt.Sprintf("zd_%d", a.fix.Zendesk.AgentIDs[agent])
	for _, g := range a.state().Tencent.Groups {
		if g.GroupID == a.ready.Rooms.Zendesk {
			for _, m := range g.Members {
				if m.UserID == user {
					return true
				}
			}
		}
	}
	return false
}

// follows checks that the room follows the ticket's assignee.
func (a *admin) follows() {
	a.Helper()
	for agent := range 2 {
		a.assign(agent)
		deadline := time.Now().Add(patience)
		for !a.inRoom(agent) || a.inRoom(1-agent) {
			if time.Now().After(deadline) {
				a.Fatalf("the room does not follow the ticket to agent %d", agent)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// deliveries are the answers to what the account sent since seq.
func (a *admin) deliveries(op string) (statuses []int, last uint64) {
	a.Helper()
	var calls []sandbox.Call
	localruntest.Get(a.T, a.ready.Sandbox+"/calls", &calls)
	for _, c := range calls {
		if c.Op == op {
			statuses = append(statuses, c.Status)
		}
		last = c.Seq
	}
	return statuses, last
}

var ways = []string{"events", "triggers"}

func TestZendeskUpAndDown(t *testing.T) {
	for _, way := range ways {
		// A stack of its own: functions read a secret again once a minute at most.
		a := newAdmin(t)
		secret := a.secret(sandbox.SecretZendeskEvents)
		before := a.account()
		a.want(3, "zendesk", "status")
		dry := a.report(0, "zendesk", "up", "--by", way, "--dry-run")
		if diff := cmp.Diff(before, a.account()); diff != "" || len(dry.Steps) == 0 || dry.Changed {
			t.Fatalf("%s: a dry run did something, or says nothing: %+v\n%s", way, dry, diff)
		}
		r := a.report(0, "zendesk", "up", "--by", way)
		if !r.Changed || !slices.Equal(r.Steps, dry.Steps) {
			t.Errorf("%s: did %q, said before it would %q", way, r.Steps, dry.Steps)
		}
		up := a.account()
		if len(up.Webhooks) != 1 || (way == "triggers") != (len(up.Triggers) == 2 && len(up.TriggerCategories) == 1) {
			t.Fatalf("%s: %+v", way, up)
		}
		if got := a.events(); len(got.WebhookSecrets) != 2 || len(got.Bearers) != 1 {
			t.Errorf("%s: %d signing secrets and %d bearers", way, len(got.WebhookSecrets), len(got.Bearers))
		}
		for _, args := range [][]string{{"--by", way}, nil} {
			if r := a.report(0, append([]string{"zendesk", "up"}, args...)...); r.Changed || len(r.Steps) != 0 {
				t.Errorf("%s: again: %+v", way, r)
			}
		}
		if out := a.want(0, "zendesk", "up"); !strings.Contains(out, "nothing to do") {
			t.Errorf("%s: %s", way, out)
		}
		if diff := cmp.Diff(up, a.account()); diff != "" {
			t.Errorf("%s: a second run changed\n%s", way, diff)
		}
		a.want(0, "zendesk", "status", "--test")
		a.follows()
		if out := a.want(0, "zendesk", "status"); !strings.Contains(out, " 0 failed") || !strings.Contains(out, "all is well") {
			t.Errorf("%s: %s", way, out)
		}
		if out := a.want(2, "zendesk", "down"); !strings.Contains(out, "--yes") {
			t.Errorf("%s: down did not ask: %s", way, out)
		}
		a.report(0, "zendesk", "down", "--dry-run")
		if diff := cmp.Diff(up, a.account()); diff != "" {
			t.Errorf("%s: a dry run of down changed\n%s", way, diff)
		}
		a.report(0, "zendesk", "down", "--yes")
		if diff := cmp.Diff(before, a.account()); diff != "" {
			t.Errorf("%s: left behind\n%s", way, diff)
		}
		if got := a.secret(sandbox.SecretZendeskEvents); got != secret {
			t.Errorf("%s: the secret is not as it was", way)
		}
		if r := a.report(0, "zendesk", "down", "--yes"); r.Changed {
			t.Errorf("%s: down again: %+v", way, r)
		}
	}
}

// TestZendeskSecretOfItsOwn: a secret that up made goes with down.
func TestZendeskSecretOfItsOwn(t *testing.T) {
	a := newAdmin(t)
	if _, err := a.aws.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{
		SecretId: aws.String(sandbox.SecretZendeskEvents), ForceDeleteWithoutRecovery: aws.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
	before := a.state().AWS.Secrets
	a.want(0, "zendesk", "up")
	if len(a.events().WebhookSecrets) != 1 {
		t.Fatal("no secret was made")
	}
	a.want(0, "zendesk", "down", "--yes")
	if diff := cmp.Diff(before, a.state().AWS.Secrets); diff != "" {
		t.Error(diff)
	}
}

func TestZendeskSwitchesTheWay(t *testing.T) {
	a := newAdmin(t)
	a.want(0, "zendesk", "up")
	a.want(0, "zendesk", "up", "--by", "triggers")
	if st := a.account(); len(st.Webhooks) != 1 || st.Webhooks[0].Subscriptions[0] != "conditional_ticket_events" || len(st.Triggers) != 2 || len(a.events().WebhookSecrets) != 2 {
		t.Errorf("to triggers: %+v", st)
	}
	a.want(0, "zendesk", "up", "--by", "events")
	if st := a.account(); len(st.Webhooks) != 1 || len(st.Triggers)+len(st.TriggerCategories) != 0 || len(a.events().WebhookSecrets) != 2 {
		t.Errorf("to events: %+v", st)
	}
	a.want(2, "zendesk", "up", "--by", "pigeon")
}

// TestZendeskRepairs breaks each part by hand; status names it and up repairs it.
func TestZendeskRepairs(t *testing.T) {
	a := newAdmin(t)
	for _, way := range ways {
		a.want(0, "zendesk", "up", "--by", way)
		good := a.account()
		hook := "/api/v2/webhooks/" + good.Webhooks[0].ID
		secret := a.secret(sandbox.SecretZendeskEvents)
		breaks := map[string]func(){
			"endpoint":       func() { a.zendesk(204, "PATCH", hook, `{"webhook":{"endpoint":"https://elsewhere.example"}}`) },
			"signing secret": func() { a.put(sandbox.SecretZendeskEvents, `{"webhookSecrets":[],"bearers":["0123456789abcdef"]}`) },
		}
		if way == "events" {
			breaks["switched off"] = func() { a.zendesk(204, "PATCH", hook, `{"webhook":{"status":"inactive"}}`) }
			breaks["subscriptions"] = func() {
				a.zendesk(204, "PATCH", hook, `{"webhook":{"subscriptions":["zen:event-type:ticket.created"]}}`)
			}
		} else {
			trigger := fmt.Sprintf("/api/v2/triggers/%d", good.Triggers[1].ID)
			body := func(change string) string {
				return fmt.Sprintf(`{"trigger":{%s"actions":%s}}`, change, good.Triggers[1].Actions)
			}
			breaks["is off"] = func() { a.zendesk(200, "PUT", trigger, body(`"active":false,`)) }
			breaks["other conditions"] = func() {
				a.zendesk(200, "PUT", trigger, body(`"conditions":{"all":[{"field":"status","operator":"is","value":"open"}],"any":[]},`))
			}
			breaks["another category"] = func() { a.zendesk(200, "PUT", trigger, body(`"category_id":"1",`)) }
			breaks["sends something else"] = func() {
				a.zendesk(200, "PUT", trigger, `{"trigger":{"actions":[{"field":"notification_webhook","value":["`+good.Webhooks[0].ID+`","{}"]}]}}`)
			}
		}
		for what, hurt := range breaks {
			hurt()
			if out := a.want(3, "zendesk", "status"); !strings.Contains(out, what) || !strings.Contains(out, "do: ") {
				t.Errorf("%s, %s: status says\n%s", way, what, out)
			}
			a.want(0, "zendesk", "up")
			a.want(0, "zendesk", "status")
			now := a.account()
			for i := range now.Triggers { // the conditions are the same in another order of keys
				now.Triggers[i].Conditions, now.Triggers[i].Actions = good.Triggers[i].Conditions, good.Triggers[i].Actions
			}
			if diff := cmp.Diff(good, now); diff != "" {
				t.Errorf("%s, %s: repaired to\n%s", way, what, diff)
			}
		}
		a.put(sandbox.SecretZendeskEvents, secret)
		a.want(0, "zendesk", "down", "--yes")
	}
}

// TestZendeskFaults lets each call of up, rotate and down fail in each way,
// once and for good; whatever comes of it, running it again makes it right.
func TestZendeskFaults(t *testing.T) {
	a := newAdmin(t)
	before, secret := a.account(), a.events()
	ops := []string{
		"webhooks_create", "webhooks_update", "webhooks_delete", "webhooks_list", "webhooks_signing_secret",
		"triggers_create", "triggers_update", "triggers_delete", "trigger_categories_create", "trigger_categories_delete",
	}
	// The first two strike once, the others until they are taken away.
	kinds := []sandbox.Fault{
		{Kind: sandbox.FaultResetAfter, Times: 1}, {Kind: sandbox.FaultStatus, Status: 429, Times: 1},
		{Kind: sandbox.FaultStatus, Status: 500}, {Kind: sandbox.FaultTruncate},
	}
	clean := func(what string) {
		t.Helper()
		if diff := cmp.Diff(before, a.account()); diff != "" {
			t.Fatalf("%s: left behind\n%s", what, diff)
		}
		if diff := cmp.Diff(secret, a.events()); diff != "" {
			t.Fatalf("%s: the secret is not as it was", what)
		}
	}
	commands := [][]string{
		{"zendesk", "up", "--by", "triggers"}, {"zendesk", "rotate", "--wait", "0s", "--drain", "0s"}, {"zendesk", "down", "--yes"},
	}
	struck := func() int {
		n := 0
		var calls []sandbox.Call
		localruntest.Get(t, a.ready.Sandbox+"/calls", &calls)
		for _, c := range calls {
			if c.Fault != "" {
				n++
			}
		}
		a.send(204, "DELETE", a.ready.Sandbox+"/calls", "", nil)
		return n
	}
	for _, op := range ops {
		kinds := kinds
		if strings.HasSuffix(op, "_list") || strings.HasSuffix(op, "_secret") {
			kinds = kinds[:1] // reads, which are simply made again
		}
		for _, f := range kinds {
			f.Vendor, f.Op = "zendesk", op
			what := fmt.Sprintf("%s %s %d, %d times", op, f.Kind, f.Status, f.Times)
			hits := 0
			for _, args := range commands {
				a.fault(f)
				code, out, errs := a.run(args...)
				a.heal()
				n := struck()
				hits += n
				if f.Times == 1 && n > 0 && code != 0 {
					t.Errorf("%s: %v did not heal itself: %d\n%s%s", what, args, code, out, errs)
				}
				if code != 0 && code != 1 && code != 4 {
					t.Errorf("%s: %v: exit code %d\n%s", what, args, code, errs)
				}
				if code != 0 { // somebody runs it again
					a.want(0, args...)
				}
				st := a.account()
				if down := args[1] == "down"; !down && (len(st.Webhooks) != 1 || len(st.Triggers) != 2 || len(st.TriggerCategories) != 1 || len(a.events().WebhookSecrets) != len(secret.WebhookSecrets)+1) {
					t.Fatalf("%s: after %v: %+v", what, args, st)
				}
			}
			clean(what)
			if hits == 0 {
				t.Errorf("%s %s struck nothing", op, f.Kind)
			}
		}
	}
	for _, op := range []string{"CreateSecret", "PutSecretValue", "GetSecretValue", "DescribeSecret", "DeleteSecret"} {
		for _, f := range []sandbox.Fault{{Kind: sandbox.FaultResetAfter}, {Kind: sandbox.FaultCode, Code: "AccessDeniedException"}} {
			f.Vendor, f.Op, f.Times = "aws", op, 2
			for _, args := range commands {
				a.fault(f)
				code, _, _ := a.run(args...)
				a.heal()
				if code != 0 {
					a.want(0, args...)
				}
			}
			clean(op + " " + f.Kind)
		}
	}
}

// TestZendeskRotate changes tickets at every point of a rotation. No delivery
// is refused, and the room follows.
func TestZendeskRotate(t *testing.T) {
	for _, way := range ways {
		t.Run(way, func(t *testing.T) {
			a := newAdmin(t)
			a.want(0, "zendesk", "up", "--by", way)
			first := a.account().Webhooks[0].ID
			old := a.events().WebhookSecrets
			a.send(204, "DELETE", a.ready.Sandbox+"/calls", "", nil)
			// The first wait begins when both secrets are there, the second when
			// the new webhook sends.
			n := 0
			sleep = func(ctx context.Context, _ time.Duration) error {
				n++
				a.assign(n % 2)
				a.flush()
				return ctx.Err()
			}
			a.want(0, "zendesk", "rotate", "--wait", "4s", "--drain", "4s")
			quick(t)
			if n < 6 {
				t.Fatalf("only %d changes", n)
			}
			st := a.account()
			if len(st.Webhooks) != 1 || st.Webhooks[0].ID == first || st.Webhooks[0].Status != "active" {
				t.Errorf("webhooks %+v", st.Webhooks)
			}
			now := a.events().WebhookSecrets
			if len(now) != len(old) || slices.Contains(now, old[0]) {
				t.Error("the old secret is still there, or the new one is not")
			}
			a.follows()
			statuses, _ := a.deliveries("webhook")
			if len(statuses) < n || slices.ContainsFunc(statuses, func(s int) bool { return s != 200 }) {
				t.Errorf("%d changes, deliveries answered with %v", n, statuses)
			}
			a.want(0, "zendesk", "status")
		})
	}
}

// TestZendeskRotateInterrupted stops a rotation at each of its waits; status
// tells of it, up leaves it alone, and running it again ends it.
func TestZendeskRotateInterrupted(t *testing.T) {
	a := newAdmin(t)
	a.want(0, "zendesk", "up")
	for at := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		waits := 0
		sleep = func(context.Context, time.Duration) error {
			if waits++; waits > at*60 {
				cancel()
			}
			return ctx.Err()
		}
		code, _, _ := a.runIn(ctx, "", "zendesk", "rotate", "--wait", "1m", "--drain", "1m")
		quick(t)
		if code != 130 || len(a.account().Webhooks) != 2 {
			t.Fatalf("at wait %d: exit code %d, %+v", at, code, a.account().Webhooks)
		}
		if out := a.want(3, "zendesk", "status"); !strings.Contains(out, "half-way") || !strings.Contains(out, "rotate") {
			t.Errorf("status: %s", out)
		}
		a.want(1, "zendesk", "up")
		a.want(0, "zendesk", "rotate", "--wait", "0s", "--drain", "0s")
		a.want(0, "zendesk", "status")
		if n := len(a.events().WebhookSecrets); n != 2 {
			t.Errorf("%d signing secrets", n)
		}
	}
	a.want(0, "zendesk", "down", "--yes")
	if out := a.want(1, "zendesk", "rotate"); !strings.Contains(out, "up makes one") {
		t.Error(out)
	}
}

// TestZendeskOneVerdict: status and doctor say the same of a webhook that somebody
// else made, as the local run's is, and of one that tells too little.
func TestZendeskOneVerdict(t *testing.T) {
	a := newAdmin(t)
	webhook := func() string {
		_, out, _ := a.run("doctor", "--json")
		var r struct{ Checks []check }
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, c := range r.Checks {
			if c.ID == "webhook" {
				return c.State
			}
		}
		return "not looked at"
	}
	post := func(name, events string) {
		a.zendesk(201, "POST", "/api/v2/webhooks", `{"webhook":{"name":"`+name+`","endpoint":"`+a.ready.Gateway+
			`/zendesk/events","http_method":"POST","request_format":"json","status":"active","subscriptions":[`+events+`]}}`)
	}
	post("merges only", `"zen:event-type:ticket.merged"`)
	if out := a.want(3, "zendesk", "status"); !strings.Contains(out, "no webhook tells") || webhook() != checkFinding {
		t.Errorf("doctor: %s; status:\n%s", webhook(), out)
	}
	post("mine", `"zen:event-type:ticket.status_changed","zen:event-type:ticket.agent_assignment_changed"`)
	if out := a.want(0, "zendesk", "status"); !strings.Contains(out, "which caseroom zendesk up did not make") || webhook() != checkOK {
		t.Errorf("doctor: %s; status:\n%s", webhook(), out)
	}
}

// TestZendeskNeighbours: another stack's parts, and a person's, stay as they are.
func TestZendeskNeighbours(t *testing.T) {
	a := newAdmin(t)
	there := []string{"--api-url", "https://other.example.com/prod"}
	a.want(0, append([]string{"zendesk", "up", "--by", "triggers"}, there...)...)
	a.zendesk(201, "POST", "/api/v2/webhooks", `{"webhook":{"name":"mine","endpoint":"`+a.ready.Gateway+`/zendesk/events","http_method":"POST","request_format":"json","status":"active","subscriptions":["zen:event-type:ticket.merged"]}}`)
	before := a.account()
	secrets := len(a.events().WebhookSecrets)
	a.want(0, "zendesk", "up", "--by", "triggers")
	if out := a.want(0, "zendesk", "status"); !strings.Contains(out, `"mine"`) {
		t.Errorf("status does not tell of the other webhook: %s", out)
	}
	hook := ""
	for _, h := range a.account().Webhooks {
		if strings.Contains(h.Name, strings.TrimPrefix(a.ready.Gateway, "http://")) {
			hook = h.ID
		}
	}
	made := a.zendesk(201, "POST", "/api/v2/triggers", `{"trigger":{"title":"a person's","conditions":{"all":[{"field":"status","operator":"is","value":"open"}]},"actions":[{"field":"notification_webhook","value":["`+hook+`","{}"]}]}}`)
	if out := a.want(1, "zendesk", "down", "--yes"); !strings.Contains(out, "a person's") {
		t.Errorf("down: %s", out)
	}
	if len(a.account().Triggers) != len(before.Triggers)+3 {
		t.Error("down began although it could not end")
	}
	var trigger struct{ Trigger struct{ ID int64 } }
	if err := json.Unmarshal(made, &trigger); err != nil {
		t.Fatal(err)
	}
	a.zendesk(204, "DELETE", fmt.Sprintf("/api/v2/triggers/%d", trigger.Trigger.ID), "")
	a.want(0, "zendesk", "down", "--yes")
	if diff := cmp.Diff(before, a.account()); diff != "" || len(a.events().WebhookSecrets) != secrets {
		t.Errorf("the neighbours changed\n%s", diff)
	}
}

// TestZendeskRefusals: what is refused is said in plain words.
func TestZendeskRefusals(t *testing.T) {
	a := newAdmin(t)
	good := a.secret(sandbox.SecretZendesk)
	a.put(sandbox.SecretZendesk, `{"clientId":"caseroom","clientSecret":"not-the-secret"}`)
	if out := a.want(1, "zendesk", "up"); !strings.Contains(out, sandbox.SecretZendesk) || !strings.Contains(out, "credentials") {
		t.Error(out)
	}
	a.put(sandbox.SecretZendesk, good)
	a.fault(sandbox.Fault{Vendor: "zendesk", Op: "webhooks_list", Kind: sandbox.FaultCode, Code: "Forbidden"})
	if out := a.want(1, "zendesk", "status"); !strings.Contains(out, "must be an admin") {
		t.Error(out)
	}
	a.heal()
	a.put(sandbox.SecretZendeskEvents, `[]`)
	if out := a.want(1, "zendesk", "up"); !strings.Contains(out, sandbox.SecretZendeskEvents) || len(a.account().Webhooks) != 0 {
		t.Error(out)
	}
	a.want(2, "zendesk", "up", "--api-url", "http://example.com")
	a.want(2, "zendesk", "rotate", "--wait", "-1s")
}
