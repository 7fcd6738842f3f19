package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/caseroom/caseroom/shared/identity"
)

type sfKind int

const (
	sfText sfKind = iota
	sfID
	sfReference
	sfEmail
	sfBool
	sfTime
)

// sfField describes one field of an object.
type sfField struct {
	name     string
	kind     sfKind
	max      int      // characters, or bytes if inBytes
	refs     []string // key prefixes a reference may have
	parent   string   // the relationship's name, such as Owner
	def      any
	access   sfAccess
	required bool
	unique   bool
	exact    bool // compared with regard to case
	external bool
	packaged bool // comes with caseroom's own package
	inBytes  bool

	writeOnly bool
}

type sfAccess int

const (
	sfReadOnly sfAccess = iota
	sfCreateOnly
	sfReadWrite
)

type sfObject struct {
	name, prefix string
	fields       []*sfField
	index        map[string]*sfField
	insertable   bool
	updatable    bool
	packaged     bool
}

// field finds a field by name, without regard to case.
func (o *sfObject) field(name string) *sfField { return o.index[strings.ToLower(name)] }

func (f *salesforce) visible(d *sfField) bool { return !d.packaged || !f.noPackage }

// same compares a stored value with a key's text as the field's index does.
func (d *sfField) same(stored any, text string) bool {
	s, ok := stored.(string)
	if !ok {
		return false
	}
	if d.kind == sfID {
		id, err := identity.SalesforceID(text, "")
		return err == nil && s == id
	}
	if d.exact {
		return s == text
	}
	return strings.EqualFold(s, text)
}

// sfSchema is the part of the object model that caseroom meets, with
// caseroom's own package in it.
func sfSchema() map[string]*sfObject {
	system := func() []*sfField {
		return []*sfField{
			{name: "Id", kind: sfID, external: true},
			{name: "IsDeleted", kind: sfBool, def: false},
			{name: "CreatedDate", kind: sfTime}, {name: "LastModifiedDate", kind: sfTime}, {name: "SystemModstamp", kind: sfTime},
			{name: "CreatedById", kind: sfReference, refs: []string{"005"}, parent: "CreatedBy"},
			{name: "LastModifiedById", kind: sfReference, refs: []string{"005"}, parent: "LastModifiedBy"},
		}
	}
	text := func(name string, max int) *sfField { return &sfField{name: name, max: max, access: sfReadWrite} }
	owner := func() *sfField {
		return &sfField{name: "OwnerId", kind: sfReference, refs: []string{"005", "00G"}, parent: "Owner", access: sfReadWrite}
	}
	objects := []*sfObject{
		{name: "Case", prefix: "500", insertable: true, updatable: true, fields: []*sfField{
			{name: "CaseNumber", max: 30}, text("Subject", 255), text("Description", 32000),
			{name: "Status", max: 255, def: "New", access: sfReadWrite},
			{name: "Priority", max: 255, def: "Medium", access: sfReadWrite},
			text("Origin", 255), text("Type", 255), text("Reason", 255),
			text("SuppliedName", 80), text("SuppliedPhone", 40), text("SuppliedCompany", 80),
			{name: "SuppliedEmail", kind: sfEmail, max: 80, access: sfReadWrite},
			{name: "Comments", max: 4000, access: sfReadWrite, writeOnly: true},
			{name: "IsClosed", kind: sfBool, def: false}, {name: "IsEscalated", kind: sfBool, def: false, access: sfReadWrite},
			{name: "ClosedDate", kind: sfTime},
			owner(),
			{name: "ContactId", kind: sfReference, refs: []string{"003"}, access: sfReadWrite},
			{name: "MasterRecordId", kind: sfReference, refs: []string{"500"}, parent: "MasterRecord"},
			{name: "Caseroom_Key__c", max: 64, unique: true, exact: true, external: true, packaged: true, access: sfReadWrite},
			{name: "Caseroom_User__c", max: 64, packaged: true, access: sfReadWrite},
		}},
		{name: "CaseComment", prefix: "00a", insertable: true, updatable: true, fields: []*sfField{
			{name: "ParentId", kind: sfReference, refs: []string{"500"}, parent: "Parent", required: true, access: sfCreateOnly},
			{name: "CommentBody", max: 4000, inBytes: true, access: sfCreateOnly},
			{name: "IsPublished", kind: sfBool, def: false, access: sfReadWrite},
		}},
		{name: "Caseroom_Transcript__c", prefix: "a0T", insertable: true, updatable: true, packaged: true, fields: []*sfField{
			{name: "Name", max: 80},
			{name: "Caseroom_Name__c", max: 255, unique: true, exact: true, external: true, required: true, access: sfReadWrite},
			{name: "Caseroom_Start__c", max: 255, unique: true, exact: true, required: true, access: sfReadWrite},
			{name: "Caseroom_Case__c", kind: sfReference, refs: []string{"500"}, parent: "Caseroom_Case__r", required: true, access: sfReadWrite},
			text("Caseroom_Body__c", 131072),
		}},
		{name: "User", prefix: "005", fields: []*sfField{
			{name: "Name", max: 121}, {name: "Username", max: 80}, {name: "Email", kind: sfEmail, max: 128},
			{name: "UserType", max: 40}, {name: "IsActive", kind: sfBool, def: true},
		}},
		{name: "Group", prefix: "00G", fields: []*sfField{{name: "Name", max: 40}, {name: "Type", max: 40}}},
		{name: "AgentWork", prefix: "0Bz", fields: []*sfField{
			{name: "UserId", kind: sfReference, refs: []string{"005"}, parent: "User"},
			{name: "WorkItemId", kind: sfReference, refs: []string{"500"}, parent: "WorkItem"},
			{name: "Status", max: 40, def: "Assigned"}, owner(),
		}},
	}
	index := map[string]*sfObject{}
	for _, o := range append(objects, sfSetupSchema()...) {
		o.fields = append(system(), o.fields...)
		o.index = map[string]*sfField{}
		for _, d := range o.fields {
			o.index[strings.ToLower(d.name)] = d
		}
		index[strings.ToLower(o.name)] = o
	}
	return index
}

// read turns a request's body into values, refusing what the object does.
func (f *salesforce) read(o *sfObject, body map[string]json.RawMessage, creating bool) (map[string]any, *sfError) {
	values := map[string]any{}
	var locked, unknown []string
	for _, name := range slices.Sorted(maps.Keys(body)) {
		if name == "attributes" {
			continue
		}
		d := o.field(name)
		switch {
		case d == nil || !f.visible(d):
			unknown = append(unknown, name)
		case d.access == sfReadOnly || (d.access == sfCreateOnly && !creating):
			locked = append(locked, d.name)
		default:
			v, err := f.value(d, body[name])
			if err != nil {
				return nil, err
			}
			values[d.name] = v
		}
	}
	if len(unknown) > 0 {
		return nil, &sfError{"INVALID_FIELD", "No such column '" + unknown[0] + "' on sobject of type " + o.name, nil}
	}
	if len(locked) > 0 {
		verb := "update"
		if creating {
			verb = "create"
		}
		return nil, &sfError{"INVALID_FIELD_FOR_INSERT_UPDATE", fmt.Sprintf(
			"Unable to %s fields: %s. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
			verb, strings.Join(locked, ", ")), locked}
	}
	var missing []string
	for _, d := range o.fields {
		_, sent := values[d.name]
		if d.required && values[d.name] == nil && (creating || sent) {
			missing = append(missing, d.name)
		}
	}
	if len(missing) > 0 {
		return nil, &sfError{"REQUIRED_FIELD_MISSING", "Required fields are missing: [" + strings.Join(missing, ", ") + "]", missing}
	}
	return values, nil
}

func (f *salesforce) value(d *sfField, raw json.RawMessage) (any, *sfError) {
	if string(raw) == "null" {
		return nil, nil
	}
	mistyped := &sfError{"JSON_PARSER_ERROR", "Cannot deserialize the value of " + d.name, nil}
	switch d.kind {
	case sfBool:
		var b bool
		if json.Unmarshal(raw, &b) != nil {
			return nil, mistyped
		}
		return b, nil
	case sfTime:
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return nil, mistyped
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, mistyped
		}
		return t, nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		var n json.Number
		if json.Unmarshal(raw, &n) != nil {
			return nil, mistyped
		}
		s = n.String()
	}
	if d.kind == sfReference {
		return f.reference(d, s)
	}
	// Salesforce trims text and stores an empty one as null.
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	size := utf8.RuneCountInString(s)
	if d.inBytes {
		size = len(s)
	}
	if d.max > 0 && size > d.max {
		return nil, &sfError{"STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", d.name, engine.FirstRunes(s, 40), d.max), []string{d.name}}
	}
	if d.kind == sfEmail && !engine.ValidEmail(s) {
		return nil, &sfError{"INVALID_EMAIL_ADDRESS", d.name + ": invalid email address: " + s, []string{d.name}}
	}
	return s, nil
}

func (f *salesforce) reference(d *sfField, s string) (any, *sfError) {
	if s == "" {
		return nil, nil
	}
	for _, prefix := range d.refs {
		id, err := identity.SalesforceID(s, prefix)
		if err != nil {
			continue
		}
		if row := f.rows[id]; row == nil || row.deleted() {
			return nil, &sfError{"INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []string{}}
		}
		return id, nil
	}
	return nil, &sfError{"MALFORMED_ID", d.name + ": id value of incorrect type: " + engine.FirstRunes(s, 40), []string{d.name}}
}

// unique refuses a value that another record of the object has in a unique field.
func (f *salesforce) unique(o *sfObject, values map[string]any, self string) *sfError {
	for _, d := range o.fields {
		v, _ := values[d.name].(string)
		if !d.unique || v == "" {
			continue
		}
		for _, row := range f.find(o, d, v) {
			if row.id() != self {
				return &sfError{"DUPLICATE_VALUE", "duplicate value found: " + d.name + " duplicates value on record with id: " + row.id()[:15], []string{}}
			}
		}
	}
	return nil
}
