package salesforce

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// setupSchema is the part of an org's setup that its API shows: what a check
// of the installation looks at. Nothing of it is written over the API.
func setupSchema() []*object {
	return []*object{
		{name: "PermissionSet", prefix: "0PS", fields: []*field{{name: "Name", max: 80}, {name: "Label", max: 80}}},
		{name: "PermissionSetAssignment", prefix: "0Pa", fields: []*field{
			{name: "AssigneeId", kind: referenceKind, refs: []string{"005"}, parent: "Assignee"},
			{name: "PermissionSetId", kind: referenceKind, refs: []string{"0PS"}, parent: "PermissionSet"},
		}},
		{name: "ObjectPermissions", prefix: "110", fields: []*field{
			{name: "ParentId", kind: referenceKind, refs: []string{"0PS"}, parent: "Parent"},
			{name: "SobjectType", max: 80}, {name: "PermissionsViewAllRecords", kind: boolKind, def: false},
		}},
		{name: "NamedCredential", prefix: "0XA", fields: []*field{{name: "DeveloperName", max: 80}, {name: "Endpoint", max: 255}}},
		{name: "AutoResponseRule", prefix: "01Q", tooling: true, fields: []*field{{name: "Name", max: 40}, {name: "Active", kind: boolKind, def: false}}},
		{name: "Caseroom_Settings__mdt", prefix: "m00", packaged: true, fields: []*field{
			{name: "DeveloperName", max: 40}, {name: "Caseroom_Enabled__c", kind: boolKind, def: false}, {name: "Caseroom_Credential__c", max: 80}, {name: "Caseroom_Panel_URL__c"},
		}},
	}
}

// Setup is how the org is set up for caseroom.
type Setup struct {
	Package        bool     `json:"package"`        // our fields and objects
	Omni           bool     `json:"omni"`           // Omni-Channel, without which there is no AgentWork
	PermissionSets []string `json:"permissionSets"` // of the API user
	ViewAllCases   bool     `json:"viewAllCases"`   // what its permission sets grant
	Enabled        bool     `json:"enabled"`        // the package's switch
	Endpoint       string   `json:"endpoint"`       // of the named credential Caseroom; "": there is none
	Locked         bool     `json:"locked"`         // the API user may not write our fields
	AutoResponse   bool     `json:"autoResponse"`   // a rule that answers cases is active
}

// Setup returns how the org is set up.
func (o Org) Setup() (setup Setup) {
	o.with(func(f *org) { setup = f.setup })
	return setup
}

// SetSetup sets the org up otherwise.
func (o Org) SetSetup(setup Setup) {
	o.with(func(f *org) { f.apply(setup) })
}

// apply makes the org's records of a setup.
func (f *org) apply(setup Setup) {
	f.setup = setup
	f.noPackage = !setup.Package
	keep := f.order[:0]
	for _, row := range f.order {
		if slices.ContainsFunc(setupSchema(), func(o *object) bool { return o.name == row.object.name }) {
			delete(f.rows, row.id())
			continue
		}
		keep = append(keep, row)
	}
	f.order = keep
	for _, name := range setup.PermissionSets {
		set := f.add(f.objects["permissionset"], map[string]any{"Name": name, "Label": name}).id()
		f.add(f.objects["permissionsetassignment"], map[string]any{"AssigneeId": f.fix.OwnUserID, "PermissionSetId": set})
		f.add(f.objects["objectpermissions"], map[string]any{
			"ParentId": set, "SobjectType": "Case", "PermissionsViewAllRecords": setup.ViewAllCases,
		})
	}
	if setup.Endpoint != "" {
		f.add(f.objects["namedcredential"], map[string]any{"DeveloperName": "Caseroom", "Endpoint": setup.Endpoint})
	}
	f.add(f.objects["autoresponserule"], map[string]any{"Name": "Answer customers", "Active": setup.AutoResponse})
	f.add(f.objects["caseroom_settings__mdt"], map[string]any{
		"DeveloperName": "Default", "Caseroom_Enabled__c": setup.Enabled, "Caseroom_Credential__c": "Caseroom",
	})
}

// hidden reports whether the org does not have an object.
func (f *org) hidden(o *object) bool {
	return o == nil || o.tooling != f.tooling || (o.packaged && f.noPackage) || (o.name == "AgentWork" && !f.setup.Omni)
}

// describe is GET /sobjects/{object}/describe, as far as the caller's rights go.
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm.
func (f *org) describe(w http.ResponseWriter, r *http.Request) {
	o, ok := f.object(w, r)
	if !ok {
		return
	}
	types := map[fieldKind]string{textKind: "string", idKind: "id", referenceKind: "reference", emailKind: "email", boolKind: "boolean", timeKind: "datetime"}
	fields := []any{}
	for _, d := range o.fields {
		if !f.visible(d) {
			continue
		}
		writable := !(f.setup.Locked && strings.HasPrefix(d.name, "Caseroom_"))
		fields = append(fields, map[string]any{
			"name": d.name, "type": types[d.kind], "length": d.max, "unique": d.unique, "externalId": d.external && d.kind == textKind,
			"caseSensitive": d.exact, "createable": writable && d.access != readOnly, "updateable": writable && d.access == readWrite,
		})
	}
	engine.WriteJSON(w, http.StatusOK, map[string]any{
		"name": o.name, "keyPrefix": o.prefix, "createable": o.insertable, "updateable": o.updatable, "queryable": true,
		"deletable": o.name == "Case", "fields": fields,
	})
}
