package salesforce

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

type fieldKind int

const (
	textKind fieldKind = iota
	idKind
	referenceKind
	emailKind
	boolKind
	timeKind
)

// field describes one field of an object.
type field struct {
	name     string
	kind     fieldKind
	max      int      // characters, or bytes if inBytes
	refs     []string // key prefixes a reference may have
	parent   string   // the relationship's name, such as Owner
	def      any
	access   access
	required bool
	unique   bool
	exact    bool // compared with regard to case
	external bool
	packaged bool // comes with caseroom's own package
	inBytes  bool

	writeOnly bool
}

type access int

const (
	readOnly access = iota
	createOnly
	readWrite
)

type object struct {
	name, prefix string
	fields       []*field
	index        map[string]*field
	insertable   bool
	updatable    bool
	packaged     bool
	tooling      bool // seen by the Tooling API alone
}

// field finds a field by name, without regard to case.
func (o *object) field(name string) *field { return o.index[strings.ToLower(name)] }

func (f *org) visible(d *field) bool { return !d.packaged || !f.noPackage }

// same compares a stored value with a key's text as the field's index does.
func (d *field) same(stored any, text string) bool {
	s, ok := stored.(string)
	if !ok {
		return false
	}
	if d.kind == idKind {
		id, err := identity.SalesforceID(text, "")
		return err == nil && s == id
	}
	if d.exact {
		return s == text
	}
	return strings.EqualFold(s, text)
}

// objectSchema is the part of the object model that caseroom meets, with
// caseroom's own package in it.
func objectSchema() map[string]*object {
	system := func() []*field {
		return []*field{
			{name: "Id", kind: idKind, external: true},
			{name: "IsDeleted", kind: boolKind, def: false},
			{name: "CreatedDate", kind: timeKind}, {name: "LastModifiedDate", kind: timeKind}, {name: "SystemModstamp", kind: timeKind},
			{name: "CreatedById", kind: referenceKind, refs: []string{"005"}, parent: "CreatedBy"},
			{name: "LastModifiedById", kind: referenceKind, refs: []string{"005"}, parent: "LastModifiedBy"},
		}
	}
	text := func(name string, max int) *field { return &field{name: name, max: max, access: readWrite} }
	owner := func() *field {
		return &field{name: "OwnerId", kind: referenceKind, refs: []string{"005", "00G"}, parent: "Owner", access: readWrite}
	}
	objects := []*object{
		{name: "Case", prefix: "500", insertable: true, updatable: true, fields: []*field{
			{name: "CaseNumber", max: 30}, text("Subject", 255), text("Description", 32000),
			{name: "Status", max: 255, def: "New", access: readWrite},
			{name: "Priority", max: 255, def: "Medium", access: readWrite},
			text("Origin", 255), text("Type", 255), text("Reason", 255),
			text("SuppliedName", 80), text("SuppliedPhone", 40), text("SuppliedCompany", 80),
			{name: "SuppliedEmail", kind: emailKind, max: 80, access: readWrite},
			{name: "Comments", max: 4000, access: readWrite, writeOnly: true},
			{name: "IsClosed", kind: boolKind, def: false}, {name: "IsEscalated", kind: boolKind, def: false, access: readWrite},
			{name: "ClosedDate", kind: timeKind},
			owner(),
			{name: "ContactId", kind: referenceKind, refs: []string{"003"}, access: readWrite},
			{name: "MasterRecordId", kind: referenceKind, refs: []string{"500"}, parent: "MasterRecord"},
			{name: "Caseroom_Key__c", max: 64, unique: true, exact: true, external: true, packaged: true, access: readWrite},
			{name: "Caseroom_User__c", max: 64, packaged: true, access: readWrite},
		}},
		{name: "CaseComment", prefix: "00a", insertable: true, updatable: true, fields: []*field{
			{name: "ParentId", kind: referenceKind, refs: []string{"500"}, parent: "Parent", required: true, access: createOnly},
			{name: "CommentBody", max: 4000, inBytes: true, access: createOnly},
			{name: "IsPublished", kind: boolKind, def: false, access: readWrite},
		}},
		{name: "Caseroom_Transcript__c", prefix: "a0T", insertable: true, updatable: true, packaged: true, fields: []*field{
			{name: "Name", max: 80},
			{name: "Caseroom_Name__c", max: 255, unique: true, exact: true, external: true, required: true, access: readWrite},
			{name: "Caseroom_Start__c", max: 255, unique: true, exact: true, required: true, access: readWrite},
			{name: "Caseroom_Case__c", kind: referenceKind, refs: []string{"500"}, parent: "Caseroom_Case__r", required: true, access: readWrite},
			text("Caseroom_Body__c", 131072),
		}},
		{name: "User", prefix: "005", fields: []*field{
			{name: "Name", max: 121}, {name: "Username", max: 80}, {name: "Email", kind: emailKind, max: 128},
			{name: "UserType", max: 40}, {name: "IsActive", kind: boolKind, def: true},
		}},
		{name: "Group", prefix: "00G", fields: []*field{{name: "Name", max: 40}, {name: "Type", max: 40}}},
		{name: "AgentWork", prefix: "0Bz", fields: []*field{
			{name: "UserId", kind: referenceKind, refs: []string{"005"}, parent: "User"},
			{name: "WorkItemId", kind: referenceKind, refs: []string{"500"}, parent: "WorkItem"},
			{name: "Status", max: 40, def: "Assigned"}, owner(),
		}},
	}
	index := map[string]*object{}
	for _, o := range append(objects, setupSchema()...) {
		o.fields = append(system(), o.fields...)
		o.index = map[string]*field{}
		for _, d := range o.fields {
			o.index[strings.ToLower(d.name)] = d
		}
		index[strings.ToLower(o.name)] = o
	}
	return index
}

// read turns a request's body into values, refusing what the object does.
func (f *org) read(o *object, body map[string]json.RawMessage, creating bool) (map[string]any, *refusal) {
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
		case d.access == readOnly || (d.access == createOnly && !creating):
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
		return nil, &refusal{"INVALID_FIELD", "No such column '" + unknown[0] + "' on sobject of type " + o.name, nil}
	}
	if len(locked) > 0 {
		verb := "update"
		if creating {
			verb = "create"
		}
		return nil, &refusal{"INVALID_FIELD_FOR_INSERT_UPDATE", fmt.Sprintf(
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
		return nil, &refusal{"REQUIRED_FIELD_MISSING", "Required fields are missing: [" + strings.Join(missing, ", ") + "]", missing}
	}
	return values, nil
}

func (f *org) value(d *field, raw json.RawMessage) (any, *refusal) {
	if string(raw) == "null" {
		return nil, nil
	}
	mistyped := &refusal{"JSON_PARSER_ERROR", "Cannot deserialize the value of " + d.name, nil}
	switch d.kind {
	case boolKind:
		var b bool
		if json.Unmarshal(raw, &b) != nil {
			return nil, mistyped
		}
		return b, nil
	case timeKind:
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
	if d.kind == referenceKind {
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
		return nil, &refusal{"STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", d.name, engine.FirstRunes(s, 40), d.max), []string{d.name}}
	}
	if d.kind == emailKind && !engine.ValidEmail(s) {
		return nil, &refusal{"INVALID_EMAIL_ADDRESS", d.name + ": invalid email address: " + s, []string{d.name}}
	}
	return s, nil
}

func (f *org) reference(d *field, s string) (any, *refusal) {
	if s == "" {
		return nil, nil
	}
	for _, prefix := range d.refs {
		id, err := identity.SalesforceID(s, prefix)
		if err != nil {
			continue
		}
		if row := f.rows[id]; row == nil || row.deleted() {
			return nil, &refusal{"INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []string{}}
		}
		return id, nil
	}
	return nil, &refusal{"MALFORMED_ID", d.name + ": id value of incorrect type: " + engine.FirstRunes(s, 40), []string{d.name}}
}

// unique refuses a value that another record of the object has in a unique field.
func (f *org) unique(o *object, values map[string]any, self string) *refusal {
	for _, d := range o.fields {
		v, _ := values[d.name].(string)
		if !d.unique || v == "" {
			continue
		}
		for _, row := range f.find(o, d, v) {
			if row.id() != self {
				return &refusal{"DUPLICATE_VALUE", "duplicate value found: " + d.name + " duplicates value on record with id: " + row.id()[:15], []string{}}
			}
		}
	}
	return nil
}
