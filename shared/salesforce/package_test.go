package salesforce_test

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/shared/salesforce"
)

// The profile of the integration user grants nothing: what the client sends and
// asks for must stand in the package's permission set, except fields that every
// reader of the object may see and no permission set may name.
func TestPermissionSetCoversTheClient(t *testing.T) {
	raw, err := os.ReadFile("../../clients/salesforce/force-app/main/default/permissionsets/Caseroom_Integration.permissionset-meta.xml")
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Fields []struct {
			Field    string `xml:"field"`
			Editable bool   `xml:"editable"`
			Readable bool   `xml:"readable"`
		} `xml:"fieldPermissions"`
		Custom []string `xml:"customPermissions>name"`
	}
	if err := xml.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	writes, reads := map[string]bool{}, map[string]bool{}
	for _, f := range set.Fields {
		writes[f.Field], reads[f.Field] = f.Editable, f.Readable
	}
	always := map[string]bool{}
	for _, f := range strings.Fields(`Case.Id Case.IsClosed Case.IsDeleted Case.MasterRecordId Case.OwnerId
		Caseroom_Transcript__c.Caseroom_Case__c Caseroom_Transcript__c.Caseroom_Name__c Caseroom_Transcript__c.Caseroom_Start__c`) {
		always[f] = true
	}

	o := newOrg(t)
	c := o.client()
	o.On("POST "+casesPath, reply(201, `{"id":"500000000000001","success":true,"errors":[]}`))
	const data = instanceAt + "/services/data/v68.0"
	const part = data + "/sobjects/Caseroom_Transcript__c/Caseroom_Name__c/part"
	o.On("GET "+data+"/queryAll", reply(200, `{"done":true,"records":[]}`))
	o.On("PATCH "+part, reply(201, `{"id":"a0T000000000001AAA","success":true,"errors":[],"created":true}`))
	if _, err := c.CreateCase(t.Context(), salesforce.Case{Subject: "s", Description: "d", SuppliedName: "n", SuppliedEmail: "e@example.com", Key: key, UserID: "ann"}); err != nil {
		t.Fatal(err)
	}
	if err := c.UpsertTranscript(t.Context(), caseID, "part", "start", "body"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cases(t.Context(), caseID); err != nil {
		t.Fatal(err)
	}
	for object, path := range map[string]string{"Case": casesPath, "Caseroom_Transcript__c": part} {
		var sent map[string]string
		if err := json.Unmarshal([]byte(o.To(path)[0].Body), &sent); err != nil {
			t.Fatal(err)
		}
		for name := range sent {
			if f := object + "." + name; !writes[f] && !always[f] {
				t.Errorf("the client writes %s, which the permission set does not let it", f)
			}
		}
	}
	asked, err := url.ParseQuery(o.To(data + "/queryAll")[0].Query)
	if err != nil {
		t.Fatal(err)
	}
	fields, _, ok := strings.Cut(strings.TrimPrefix(asked.Get("q"), "SELECT "), " FROM Case ")
	if !ok {
		t.Fatalf("no query of cases: %v", asked)
	}
	for name := range strings.SplitSeq(fields, ", ") {
		if f := "Case." + name; !reads[f] && !always[f] {
			t.Errorf("the client reads %s, which the permission set does not let it", f)
		}
	}
	// createticket queues what it makes; the trigger would only post it again, as
	// a user that has no part in the credential for it.
	if !slices.Contains(set.Custom, "Caseroom_Bypass") {
		t.Error("the trigger tells caseroom of caseroom's own writes")
	}
}
