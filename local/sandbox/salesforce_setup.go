package sandbox

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// sfSetupSchema is the part of an org's setup that its API shows: what a check
// of the installation looks at. Nothing of it is written over the API.
func sfSetupSchema() []*sfObject {
	return []*sfObject{
		{name: "PermissionSet", prefix: "0PS", fields: []*sfField{{name: "Name", max: 80}, {name: "Label", max: 80}}},
		{name: "PermissionSetAssignment", prefix: "0Pa", fields: []*sfField{
			{name: "AssigneeId", kind: sfReference, refs: []string{"005"}, parent: "Assignee"},
			{name: "PermissionSetId", kind: sfReference, refs: []string{"0PS"}, parent: "PermissionSet"},
		}},
		{name: "ObjectPermissions", prefix: "110", fields: []*sfField{
			{name: "ParentId", kind: sfReference, refs: []string{"0PS"}, parent: "Parent"},
			{name: "SobjectType", max: 80}, {name: "PermissionsViewAllRecords", kind: sfBool, def: false},
		}},
		{name: "NamedCredential", prefix: "0XA", fields: []*sfField{{name: "DeveloperName", max: 80}, {name: "Endpoint", max: 255}}},
		{name: "Caseroom_Settings__mdt", prefix: "m00", packaged: true, fields: []*sfField{
			{name: "DeveloperName", max: 40}, {name: "Caseroom_Enabled__c", kind: sfBool, def: false}, {name: "Caseroom_Credential__c", max: 80}, {name: "Caseroom_Panel_URL__c"},
		}},
	}
}

// SalesforceSetup is how the org is set up for caseroom.
type SalesforceSetup struct {
	Package        bool     `json:"package"`        // our fields and objects
	Omni           bool     `json:"omni"`           // Omni-Channel, without which there is no AgentWork
	PermissionSets []string `json:"permissionSets"` // of the API user
	ViewAllCases   bool     `json:"viewAllCases"`   // what its permission sets grant
	Enabled        bool     `json:"enabled"`        // the package's switch
	Endpoint       string   `json:"endpoint"`       // of the named credential Caseroom; "": there is none
	Locked         bool     `json:"locked"`         // the API user may not write our fields
}

// Setup returns how the org is set up.
func (o SalesforceOrg) Setup() (setup SalesforceSetup) {
	o.with(func(f *salesforce) { setup = f.setup })
	return setup
}

// SetSetup sets the org up otherwise.
func (o SalesforceOrg) SetSetup(setup SalesforceSetup) {
	o.with(func(f *salesforce) { f.apply(setup) })
}

// apply makes the org's records of a setup.
func (f *salesforce) apply(setup SalesforceSetup) {
	f.setup = setup
	f.noPackage = !setup.Package
	keep := f.order[:0]
	for _, row := range f.order {
		if slices.ContainsFunc(sfSetupSchema(), func(o *sfObject) bool { return o.name == row.object.name }) {
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
	f.add(f.objects["caseroom_settings__mdt"], map[string]any{
		"DeveloperName": "Default", "Caseroom_Enabled__c": setup.Enabled, "Caseroom_Credential__c": "Caseroom",
	})
}

// hidden reports whether the org does not have an object.
func (f *salesforce) hidden(o *sfObject) bool {
	return o == nil || (o.packaged && f.noPackage) || (o.name == "AgentWork" && !f.setup.Omni)
}

// describe is GET /sobjects/{object}/describe, as far as the caller's rights go.
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm.
func (f *salesforce) describe(w http.ResponseWriter, r *http.Request) {
	o, ok := f.object(w, r)
	if !ok {
		return
	}
	types := map[sfKind]string{sfText: "string", sfID: "id", sfReference: "reference", sfEmail: "email", sfBool: "boolean", sfTime: "datetime"}
	fields := []any{}
	for _, d := range o.fields {
		if !f.visible(d) {
			continue
		}
		writable := !(f.setup.Locked && strings.HasPrefix(d.name, "Caseroom_"))
		fields = append(fields, map[string]any{
			"name": d.name, "type": types[d.kind], "length": d.max, "unique": d.unique, "externalId": d.external && d.kind == sfText,
			"caseSensitive": d.exact, "createable": writable && d.access != sfReadOnly, "updateable": writable && d.access == sfReadWrite,
		})
	}
	engine.WriteJSON(w, http.StatusOK, map[string]any{
		"name": o.name, "keyPrefix": o.prefix, "createable": o.insertable, "updateable": o.updatable, "queryable": true,
		"deletable": o.name == "Case", "fields": fields,
	})
}
