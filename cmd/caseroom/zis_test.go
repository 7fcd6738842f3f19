package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/zislink"
	"github.com/caseroom/caseroom/local/sandbox"
)

// zis runs a subcommand of zis and returns its report.
func (a *admin) zis(code int, args ...string) zisReport {
	a.Helper()
	got, out, errs := a.run(append(append([]string{"zis"}, args...), "--json")...)
	var r zisReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || got != code {
		a.Fatalf("caseroom zis %v: exit code %d, want %d, %v\n%s%s", args, got, code, err, out, errs)
	}
	return r
}

func (a *admin) left(r zisReport) (list []zislink.Left) {
	for _, l := range r.Left {
		list = append(list, l.What)
	}
	return list
}

// bundle is what zis bundle prints.
func (a *admin) bundle() string {
	a.Helper()
	code, out, errs := a.run("zis", "bundle")
	if code != 0 {
		a.Fatalf("zis bundle: %d %s", code, errs)
	}
	return out
}

// upload and connect are what an admin does on the app's page.
func (a *admin) upload(integration, bundle string) {
	a.Helper()
	a.zendesk(200, "POST", "/api/services/zis/registry/"+integration+"/bundles", bundle)
}

func (a *admin) connect(integration string) {
	a.Helper()
	var status zisStatus
	_, out, _ := a.run("zis", "status", "--json")
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		a.Fatal(err)
	}
	for _, token := range a.events().Bearers {
		if zislink.Fingerprint(token) == status.Token {
			a.zendesk(201, "POST", "/api/services/zis/integrations/"+integration+"/connections/bearer_token",
				fmt.Sprintf(`{"name":"caseroom","token":%q,"allowed_domain":"127.0.0.1"}`, token))
			return
		}
	}
	a.Fatalf("no token has the fingerprint %q", status.Token)
}

// legacy gives the stack an API token in place of an OAuth client.
func (a *admin) legacy() {
	a.Helper()
	a.put(sandbox.SecretZendesk, fmt.Sprintf(`{"email":%q,"apiToken":%q}`, a.fix.Zendesk.Email, a.fix.Zendesk.APIToken))
}

func TestZISBundleAndValidate(t *testing.T) {
	a := newAdmin(t)
	bundle := a.bundle()
	good := filepath.Join(t.TempDir(), "bundle.json")
	a.want(0, "zis", "bundle", "-o", good)
	if text, err := os.ReadFile(good); err != nil || string(text) != bundle {
		t.Errorf("-o wrote something else, %v", err)
	}
	validate := func(stdin string, args ...string) (int, string) {
		t.Helper()
		root := command()
		var out strings.Builder
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetIn(strings.NewReader(stdin))
		root.SetArgs(append([]string{"zis", "validate"}, args...))
		return cli.Execute(t.Context(), root, &out), out.String()
	}
	if code, out := validate(bundle, "-"); code != 0 || !strings.HasSuffix(out, "valid\n") {
		t.Errorf("ours: %d\n%s", code, out)
	}
	if code, _ := validate("", good); code != 0 {
		t.Errorf("a file: %d", code)
	}
	code, out := validate(strings.Replace(bundle, `"StartAt": "Tell1"`, `"StartAt": "Tell9"`, 1), "-", "--json")
	var v validation
	if err := json.Unmarshal([]byte(out[:strings.LastIndex(out, "}")+1]), &v); err != nil || code != 3 || v.Valid || len(v.Problems) == 0 {
		t.Errorf("broken: %d %v\n%s", code, err, out)
	}
	if code, _ := validate("", "/none.json"); code != 1 {
		t.Errorf("no file: %d", code)
	}
	if code, _ := validate(""); code == 0 {
		t.Error("no argument was taken")
	}
	a.want(2, "zis", "bundle", "--integration", "Not A Name")
}

// TestZISByOAuth goes the whole way: what the command may do, what an admin
// does in the browser, the command again, and tickets that their rooms follow.
func TestZISByOAuth(t *testing.T) {
	a := newAdmin(t)
	secret := a.secret(sandbox.SecretZendeskEvents)
	before := a.account()
	a.want(3, "zis", "status")
	dry := a.zis(0, "up", "--dry-run")
	if diff := cmp.Diff(before, a.account()); diff != "" || len(dry.Steps) < 7 {
		t.Fatalf("a dry run: %+v\n%s", dry, diff)
	}
	r := a.zis(4, "up")
	if want := []zislink.Left{zislink.LeftUpload, zislink.LeftConnection}; !slices.Equal(a.left(r), want) || !r.Changed {
		t.Fatalf("left %v, want %v", a.left(r), want)
	}
	again := a.zis(4, "up")
	if again.Changed || !slices.Equal(a.left(again), a.left(r)) {
		t.Errorf("again: %+v", again)
	}
	if out := a.want(4, "zis", "up"); !strings.Contains(out, "admin page") || !strings.Contains(out, sandbox.SecretZendeskEvents) {
		t.Errorf("it does not say what is left:\n%s", out)
	}
	name := r.Integration
	a.upload(name, a.bundle())
	a.connect(name)
	if out := a.want(3, "zis", "status"); !strings.Contains(out, "not installed") {
		t.Errorf("status after the upload:\n%s", out)
	}
	r = a.zis(0, "up")
	if len(r.Steps) != 5 || !slices.Equal(a.left(r), []zislink.Left{zislink.LeftConnection}) {
		t.Errorf("after the upload: %+v", r)
	}
	if r = a.zis(0, "up"); r.Changed {
		t.Errorf("again: %+v", r)
	}
	a.want(0, "zis", "status")
	a.follows()
	if statuses, _ := a.deliveries("zis_flow"); len(statuses) == 0 || slices.ContainsFunc(statuses, func(s int) bool { return s != 200 }) {
		t.Errorf("the flow's requests were answered with %v", statuses)
	}

	// The queue is away: the flow catches that and asks again.
	a.send(204, "DELETE", a.ready.Sandbox+"/calls", "", nil)
	a.fault(sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: sandbox.FaultCode, Code: "InvalidAddress", Times: 2})
	a.assign(0)
	a.flush()
	a.heal()
	if statuses, _ := a.deliveries("zis_flow"); len(statuses) < 2 || statuses[0] != 503 || statuses[len(statuses)-1] != 200 {
		t.Errorf("with the queue away: %v", statuses)
	}

	// An upload undoes the installation; a job spec that is not in it runs on.
	other := strings.ReplaceAll(strings.ReplaceAll(a.bundle(), `"name": "status_changed"`, `"name": "older"`), `:flow:tell_`, `:flow:old_`)
	other = strings.ReplaceAll(other, `"name": "tell_`, `"name": "old_`)
	other = strings.ReplaceAll(other, `"name": "old_caseroom"`, `"name": "tell_caseroom"`)
	a.upload(name, other)
	a.zendesk(200, "POST", "/api/services/zis/registry/job_specs/install?job_spec_name=zis:"+name+":job_spec:older", "")
	if out := a.want(3, "zis", "status"); !strings.Contains(out, "an older one") {
		t.Errorf("another bundle: %s", out)
	}
	a.upload(name, a.bundle())
	if out := a.want(3, "zis", "status"); !strings.Contains(out, "older still runs") {
		t.Errorf("an orphan: %s", out)
	}
	if r = a.zis(0, "up"); len(r.Steps) != 6 {
		t.Errorf("repairing: %+v", r)
	}
	a.want(0, "zis", "status")
	if r = a.zis(0, "up", "--reinstall"); len(r.Steps) != 5 {
		t.Errorf("reinstalling: %+v", r)
	}
	a.follows()

	a.want(2, "zis", "down")
	r = a.zis(0, "down", "--yes")
	if !slices.Equal(a.left(r), []zislink.Left{zislink.LeftDisconnect}) {
		t.Errorf("left %v", a.left(r))
	}
	a.zendesk(204, "DELETE", "/api/services/zis/integrations/"+name+"/connections/bearer_token/caseroom", "")
	if out := a.want(0, "zis", "down", "--yes"); !strings.Contains(out, "stays registered") {
		t.Errorf("down again: %s", out)
	}
	before.ZIS = []sandbox.ZISIntegrationState{{
		Name: name, Description: "Tells caseroom which tickets changed", JobSpecs: []sandbox.ZISJobSpecState{}, Connections: []string{},
	}}
	if diff := cmp.Diff(before, a.account()); diff != "" {
		t.Errorf("left behind\n%s", diff)
	}
	if a.secret(sandbox.SecretZendeskEvents) != secret {
		t.Error("the secret is not as it was")
	}
}

func TestZISByAPIToken(t *testing.T) {
	a := newAdmin(t)
	a.legacy()
	r := a.zis(0, "up")
	if !slices.Contains(r.Steps, "upload the bundle") || !slices.Equal(a.left(r), []zislink.Left{zislink.LeftConnection}) {
		t.Fatalf("%+v", r)
	}
	if r := a.zis(0, "up"); r.Changed {
		t.Errorf("again: %+v", r)
	}
	a.connect(r.Integration)
	a.follows()
	a.want(0, "zis", "down", "--yes")
}

func TestZISRefusals(t *testing.T) {
	a := newAdmin(t)
	if out := a.want(1, "zis", "up", "--integration", "my_integration"); !strings.Contains(out, "another Zendesk account") || !strings.Contains(out, "--integration") {
		t.Error(out)
	}
	if len(a.account().ZIS) != 0 {
		t.Error("something was registered")
	}
	a.fault(sandbox.Fault{Vendor: "zendesk", Op: "zis_integrations", Kind: sandbox.FaultCode, Code: "Forbidden"})
	if out := a.want(1, "zis", "status"); !strings.Contains(out, "must be an admin") {
		t.Error(out)
	}
	a.heal()
	a.want(2, "zis", "up", "--integration", "x y")
}

// TestZISFaults lets each call fail; running it again makes it right.
func TestZISFaults(t *testing.T) {
	a := newAdmin(t)
	a.legacy()
	before := a.secret(sandbox.SecretZendeskEvents)
	for _, op := range []string{"zis_register", "zis_bundle_upload", "zis_job_spec_install", "zis_job_spec_uninstall", "zis_bundle_delete", "PutSecretValue"} {
		for _, f := range []sandbox.Fault{{Kind: sandbox.FaultResetAfter}, {Kind: sandbox.FaultStatus, Status: 429}} {
			if op == "PutSecretValue" && f.Kind == sandbox.FaultStatus {
				continue // Secrets Manager has no such answer
			}
			for _, times := range []int{1, 0} {
				if times == 0 && f.Kind == sandbox.FaultStatus {
					continue // a refusal for good is a refusal, and nothing is done
				}
				f.Op, f.Times = op, times
				for _, args := range [][]string{{"up"}, {"down", "--yes"}} {
					a.fault(f)
					code, _, errs := a.run(append([]string{"zis"}, args...)...)
					a.heal()
					if times == 1 && code != 0 {
						t.Errorf("%s %s: %v did not heal itself: %s", op, f.Kind, args, errs)
					}
					if code != 0 {
						a.zis(0, args...)
					}
				}
				st := a.account().ZIS
				if len(st) != 1 || len(st[0].JobSpecs) != 0 || st[0].Bundle != "" || a.secret(sandbox.SecretZendeskEvents) != before {
					t.Fatalf("%s %s: left behind %+v", op, f.Kind, st)
				}
			}
		}
	}
}
