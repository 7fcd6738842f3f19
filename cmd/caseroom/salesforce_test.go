package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun/localruntest"
	"github.com/caseroom/caseroom/local/sandbox"
)

func TestSalesforceStatus(t *testing.T) {
	a := newAdmin(t, "Omni=on")
	var good sandbox.SalesforceSetup
	localruntest.Get(t, a.ready.Sandbox+"/desk/salesforce/setup", &good)
	set := func(change func(*sandbox.SalesforceSetup)) {
		t.Helper()
		s := good
		change(&s)
		body, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		a.send(204, "POST", a.ready.Sandbox+"/desk/salesforce/setup", string(body), nil)
	}
	out := a.want(0, "salesforce", "status")
	for _, want := range []string{"Caseroom_Integration", a.ready.Gateway, "all is well", a.fix.Salesforce.OwnUserID} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for want, change := range map[string]func(*sandbox.SalesforceSetup){
		"no field Caseroom_Key__c":        func(s *sandbox.SalesforceSetup) { s.Package = false },
		"may not write Case.Caseroom_Key": func(s *sandbox.SalesforceSetup) { s.Locked = true },
		"see all cases":                   func(s *sandbox.SalesforceSetup) { s.ViewAllCases = false },
		"switched off":                    func(s *sandbox.SalesforceSetup) { s.Enabled = false },
		"AgentWork":                       func(s *sandbox.SalesforceSetup) { s.Omni = false },
		"leads elsewhere":                 func(s *sandbox.SalesforceSetup) { s.Endpoint = "https://elsewhere.example.com" },
	} {
		set(change)
		if out := a.want(3, "salesforce", "status"); !strings.Contains(out, want) || !strings.Contains(out, "do: ") {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	set(func(s *sandbox.SalesforceSetup) { s.PermissionSets, s.Endpoint = nil, "" })
	if out := a.want(3, "salesforce", "status", "--json"); !strings.Contains(out, `"viewsAllCases": false`) {
		t.Error(out)
	}
	set(func(*sandbox.SalesforceSetup) {})
	for op, f := range map[string]sandbox.Fault{
		"sobject_describe": {Kind: sandbox.FaultStatus, Status: 500, Times: 2},
		"query":            {Kind: sandbox.FaultResetAfter, Times: 1},
		"limits":           {Kind: sandbox.FaultTruncate, Times: 1},
	} {
		f.Vendor, f.Op = "salesforce", op
		a.fault(f)
		a.want(0, "salesforce", "status")
		a.heal()
	}
	a.put(sandbox.SecretSalesforce, `{"clientId":"x","clientSecret":"nothing"}`)
	if out := a.want(1, "salesforce", "status"); !strings.Contains(out, sandbox.SecretSalesforce) || !strings.Contains(out, "External Client App") {
		t.Error(out)
	}
}
