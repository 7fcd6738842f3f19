package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
)

// patience is for a machine that does other things too.
const patience = 2 * time.Minute

// traces are what a drill has left: groups and tickets that were not deleted.
func (o *operator) traces() (list []string) {
	o.Helper()
	s := o.state()
	for _, g := range s.Tencent.Groups {
		if g.Name == "caseroom doctor" {
			list = append(list, g.GroupID)
		}
	}
	for _, t := range s.Zendesk.Tickets {
		if t.Subject == "caseroom doctor" && t.Status != "deleted" {
			list = append(list, "ticket "+t.Status)
		}
	}
	for _, c := range s.Salesforce.Cases {
		if c.Subject == "caseroom doctor" && !c.IsDeleted {
			list = append(list, "case "+c.ID)
		}
	}
	return list
}

func TestDoctorDeep(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	r := decode[doctorReport](o, o.want(0, "doctor", "--deep", "--json", "--patience", patience.String(), "--app-token", o.ready.Tokens.ZendeskApp))
	for _, desk := range []string{"zendesk", "salesforce"} {
		for _, step := range []string{"create", "room", "assign", "reassign", "solve", "transcript", "reopen", "close", "delete", "clean up"} {
			id := "deep." + desk + "." + step
			i := slices.IndexFunc(r.Checks, func(c check) bool { return c.ID == id })
			if i < 0 || r.Checks[i].State != checkOK || r.Checks[i].Took == 0 {
				t.Errorf("%s is not among the steps, or not timed", id)
			}
		}
	}
	for _, id := range []string{
		"deep.zendesk.stamp", "deep.zendesk.app-url", "deep.salesforce.iam",
		"deep.chat.ownerless", "deep.chat.exists", "deep.chat.mark", "deep.chat.mute",
	} {
		if !slices.ContainsFunc(r.Checks, func(c check) bool { return c.ID == id && c.State == checkOK }) {
			t.Errorf("%s was not tried", id)
		}
	}
	if got := o.traces(); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestDoctorDeepSolvedOpenGuestsAndCalls(t *testing.T) {
	t.Parallel()
	o := newOperator(t, "Solved=open", "Membership=calls")
	// Of a login whose key nobody here has, only guests can be had.
	o.parts.stack.Env["LOGIN_JWKS_URL"] = "https://login.example.com/keys"
	d := o.parts.newDoctor(doctorOptions{patience: patience, api: o.ready.Gateway})
	d.drillDesks(t.Context(), t.Logf)
	if got := d.findings(); len(got) > 0 {
		t.Errorf("found %+v", got)
	}
	if got := o.traces(); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
}

// TestDoctorDeepCleansUp meets a desk that stops half-way, and an interruption.
// Patience is for the steps that can succeed; for the others one look will do.
func TestDoctorDeepCleansUp(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	o.fault(sandbox.Fault{Vendor: "tencent", Op: "add_group_member", Kind: "code", Code: "10014"})
	d := o.parts.newDoctor(doctorOptions{patience: patience, api: o.ready.Gateway})
	d.drillDesks(t.Context(), func(_ string, args ...any) {
		d.patience = patience
		if strings.HasSuffix(args[0].(string), ".room") {
			d.patience = 0
		}
	})
	bad := d.findings()
	if len(bad) != 2 || bad[0].ID != "deep.salesforce.assign" || !strings.Contains(bad[0].Do, "log of the function sync") || !strings.Contains(bad[0].Detail, "open, with caseroom-doctor") {
		t.Errorf("found %+v", bad)
	}
	if got := o.traces(); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
	o.heal()

	ctx, cancel := context.WithCancel(t.Context())
	d = o.parts.newDoctor(doctorOptions{patience: patience, api: o.ready.Gateway})
	d.drillDesks(ctx, func(format string, args ...any) {
		if strings.Contains(args[0].(string), ".assign") {
			cancel()
		}
	})
	if ctx.Err() == nil || !slices.ContainsFunc(d.checks, func(c check) bool { return strings.HasSuffix(c.ID, ".clean up") && c.State == checkOK }) {
		t.Errorf("checks %+v", d.checks)
	}
	if got := o.traces(); len(got) > 0 {
		t.Errorf("left behind after an interruption: %v", got)
	}
}
