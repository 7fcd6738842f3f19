// Package salesforce is the stand-in for a Salesforce org under /salesforce: its
// logins, its REST API with SOQL, the package's trigger, and the org's setup.
package salesforce

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/caseroom/caseroom/shared/identity"
)

// org is what the stand-in serves. Everything in it
// is guarded by the engine's lock.
type org struct {
	*engine.Engine
	fix     Fixture
	objects map[string]*object   // by lower-case name
	rows    map[string]*record   // by 18-character id
	order   []*record            // as they were inserted
	keyed   map[string][]*record // every record that ever had a key, see find
	serial  map[string]int       // by key prefix
	cases   int

	sessions map[string]*session
	cursors  map[string]cursor
	queue    string // the default case owner
	origin   string

	sessionLife       time.Duration
	passwordExpired   bool
	noPackage         bool
	setup             Setup
	clientCredentials bool
	pageSize          int
	dailyLimit        int
	enforceLimit      bool
	used              int
	usedSince         time.Time
	version           string // of the request being served, such as "68.0"
	tooling           bool   // whether it asks the Tooling API

	onChange func(Event)
	trigger  Trigger
}

// Event is one change of a record. Before is nil on create.
type Event struct {
	Object string
	Kind   string // create, update, delete, undelete
	ID     string
	Before map[string]any
	After  map[string]any
	Time   time.Time
}

type session struct {
	user string
	used time.Time
}

type cursor struct {
	user string
	rows []map[string]any
	next int
}

type record struct {
	object *object
	values map[string]any // by canonical field name; a missing field is null
	hidden bool           // from caseroom's own user, see Org.Hide
}

func (r *record) id() string    { return r.text("Id") }
func (r *record) deleted() bool { return r.values["IsDeleted"] == true }
func (r *record) text(name string) string {
	s, _ := r.values[name].(string)
	return s
}

// Salesforce's documented times and sizes.
const (
	sessionLife = 2 * time.Hour
	minVersion  = 31
	maxVersion  = 68
	maxLogin    = 64 // last API version with SOAP login()
	maxURI      = 16384
	pageSize    = 2000
	dailyLimit  = 15000
)

// New mounts the org's API under /salesforce and returns its inside.
func New(e *engine.Engine, fix Fixture) Org {
	f := &org{
		Engine: e, fix: fix, objects: objectSchema(), rows: map[string]*record{}, keyed: map[string][]*record{}, serial: map[string]int{},
		sessions: map[string]*session{}, cursors: map[string]cursor{},
		sessionLife: sessionLife, clientCredentials: true, pageSize: pageSize,
		dailyLimit: dailyLimit, usedSince: e.Now(),
	}
	f.seed()
	e.CodeErrors("salesforce", f.codeError)
	f.handle("POST /services/oauth2/token", "oauth_token", f.token)
	f.handle("POST /services/Soap/u/{version}", "soap_login", f.soapLogin)
	f.handle("GET /id/{org}/{user}", "identity", f.identity)
	f.handle("GET /services/data", "versions", f.versions)
	f.handle("GET /services/data/{$}", "versions", f.versions)

	// Salesforce takes a slash at the end of any path; its own examples have one.
	api := func(method, path, op string, h http.HandlerFunc) {
		f.handle(method+" /services/data/{version}"+path, op, f.api(h))
		f.handle(method+" /services/data/{version}"+path+"/{$}", op, f.api(h))
	}
	api("GET", "/limits", "limits", f.limits)
	api("GET", "/query", "query", f.query)
	api("GET", "/tooling/query", "tooling_query", func(w http.ResponseWriter, r *http.Request) {
		f.tooling = true
		defer func() { f.tooling = false }()
		f.query(w, r)
	})
	api("GET", "/query/{locator}", "query_more", f.queryMore)
	api("GET", "/queryAll", "query_all", f.query)
	api("GET", "/queryAll/{locator}", "query_more", f.queryMore)
	api("POST", "/sobjects/{object}", "sobject_create", f.create)
	api("GET", "/sobjects/{object}/describe", "sobject_describe", f.describe)
	api("GET", "/sobjects/{object}/{id}", "sobject_get", f.get)
	api("PATCH", "/sobjects/{object}/{id}", "sobject_update", f.update)
	api("DELETE", "/sobjects/{object}/{id}", "sobject_delete", f.remove)
	api("GET", "/sobjects/{object}/{field}/{value}", "sobject_get_by_key", f.getByKey)
	api("PATCH", "/sobjects/{object}/{field}/{value}", "sobject_upsert", f.upsert)
	f.handle("/", "unknown", f.api(func(w http.ResponseWriter, _ *http.Request) {
		fail(w, "NOT_FOUND", "The requested resource does not exist")
	}))
	return Org{f}
}

// handle registers an operation under /salesforce.
func (f *org) handle(pattern, op string, h http.HandlerFunc) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "", pattern
	}
	f.Mount(strings.TrimSpace(method+" /salesforce"+path), f.Operation("salesforce", op, func(w http.ResponseWriter, r *http.Request) {
		f.Lock()
		defer f.Unlock()
		f.origin = f.BaseURL(r) + "/salesforce"
		if uriSize(r) > maxURI {
			fail(w, "URI_TOO_LONG", "URI Too Long")
			return
		}
		h(w, r)
	}))
}

// uriSize is what Salesforce bounds: the URI and all headers together.
func uriSize(r *http.Request) int {
	n := len(r.RequestURI)
	for k, vs := range r.Header {
		for _, v := range vs {
			n += len(k) + len(v) + 4
		}
	}
	return n
}

var (
	versionPath  = regexp.MustCompile(`^v([0-9]{1,3})\.0$`)
	codeStatuses = map[string]int{
		"INVALID_SESSION_ID": http.StatusUnauthorized, "INVALID_AUTH_HEADER": http.StatusUnauthorized,
		"REQUEST_LIMIT_EXCEEDED": http.StatusForbidden, "API_DISABLED_FOR_ORG": http.StatusForbidden,
		"INSUFFICIENT_ACCESS": http.StatusForbidden, "NOT_FOUND": http.StatusNotFound,
		"ENTITY_IS_DELETED": http.StatusNotFound, "METHOD_NOT_ALLOWED": http.StatusMethodNotAllowed,
		"UNSUPPORTED_API_VERSION": http.StatusGone, "UNSUPPORTED_MEDIA_TYPE": http.StatusUnsupportedMediaType,
		"URI_TOO_LONG": http.StatusRequestURITooLong, "SERVER_UNAVAILABLE": http.StatusServiceUnavailable,
		"UNKNOWN_EXCEPTION": http.StatusInternalServerError,
	}
)

// fail answers with Salesforce's list of errors; the status follows from the code.
func fail(w http.ResponseWriter, code, message string, fields ...string) {
	status, ok := codeStatuses[code]
	if !ok {
		status = http.StatusBadRequest
	}
	e := map[string]any{"message": message, "errorCode": code}
	if fields != nil {
		e["fields"] = fields
	}
	engine.WriteJSON(w, status, []any{e})
}

// refusal is a refusal found while a record is read or checked.
type refusal struct {
	code, message string
	fields        []string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

func (e *refusal) write(w http.ResponseWriter) { fail(w, e.code, e.message, e.fields...) }

// codeError renders an injected fault: OAuth's codes as its object, others as
// the list.
func (f *org) codeError(w http.ResponseWriter, code string) {
	if code == strings.ToLower(code) {
		oauthError(w, code, code)
		return
	}
	messages := map[string]string{
		"INVALID_SESSION_ID":     "Session expired or invalid",
		"REQUEST_LIMIT_EXCEEDED": "TotalRequests Limit exceeded.",
		"NOT_FOUND":              "The requested resource does not exist",
		"DUPLICATE_VALUE":        "duplicate value found: Caseroom_Key__c duplicates value on record with id: 500000000000000",
		"UNABLE_TO_LOCK_ROW":     "unable to obtain exclusive access to this record",
	}
	message, ok := messages[code]
	if !ok {
		message = code
	}
	fields := []string(nil)
	if code == "DUPLICATE_VALUE" || code == "UNABLE_TO_LOCK_ROW" {
		fields = []string{}
	}
	fail(w, code, message, fields...)
}

// api runs h for a live session on a supported API version, inside the daily limit.
func (f *org) api(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if token == "" || (!strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "oauth")) {
			fail(w, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
			return
		}
		if f.session(token) == nil {
			fail(w, "INVALID_SESSION_ID", "Session expired or invalid")
			return
		}
		if v := r.PathValue("version"); v != "" {
			m := versionPath.FindStringSubmatch(v)
			if m == nil {
				fail(w, "NOT_FOUND", "The requested resource does not exist")
				return
			}
			n, _ := strconv.Atoi(m[1])
			switch {
			case n > maxVersion:
				fail(w, "NOT_FOUND", "The requested resource does not exist")
				return
			case n < minVersion:
				fail(w, "UNSUPPORTED_API_VERSION", fmt.Sprintf("API version v%d.0 is retired", n))
				return
			}
			f.version = m[1] + ".0"
		}
		now := f.Now()
		if now.Sub(f.usedSince) >= 24*time.Hour {
			f.used, f.usedSince = 0, now
		}
		if f.enforceLimit && f.used >= f.dailyLimit {
			f.limitInfo(w)
			fail(w, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
			return
		}
		f.used++
		f.limitInfo(w)
		h(w, r)
	}
}

func (f *org) limitInfo(w http.ResponseWriter) {
	w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", f.used, f.dailyLimit))
}

// session returns the token's live session and keeps it alive; nil for none.
func (f *org) session(token string) *session {
	s := f.sessions[token]
	if s == nil {
		return nil
	}
	now := f.Now()
	if now.Sub(s.used) >= f.sessionLife {
		delete(f.sessions, token)
		return nil
	}
	s.used = now
	return s
}

func (f *org) limits(w http.ResponseWriter, _ *http.Request) {
	engine.WriteJSON(w, http.StatusOK, map[string]any{
		"DailyApiRequests": map[string]int{"Max": f.dailyLimit, "Remaining": max(0, f.dailyLimit-f.used)},
	})
}

func (f *org) versions(w http.ResponseWriter, _ *http.Request) {
	list := []map[string]string{}
	for n := minVersion; n <= maxVersion; n++ {
		v := strconv.Itoa(n) + ".0"
		list = append(list, map[string]string{"label": v, "url": "/services/data/v" + v, "version": v})
	}
	engine.WriteJSON(w, http.StatusOK, list)
}

// object returns the object of the path, answering 404 for none.
func (f *org) object(w http.ResponseWriter, r *http.Request) (*object, bool) {
	o := f.objects[strings.ToLower(r.PathValue("object"))]
	if f.hidden(o) {
		fail(w, "NOT_FOUND", "The requested resource does not exist")
		return nil, false
	}
	return o, true
}

// row returns the record of the path. 15- and 18-character ids are the same.
func (f *org) row(w http.ResponseWriter, r *http.Request, o *object) (*record, bool) {
	id, err := identity.SalesforceID(r.PathValue("id"), o.prefix)
	row := f.rows[id]
	if err != nil || row == nil || row.hidden {
		fail(w, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+r.PathValue("id"))
		return nil, false
	}
	engine.Note(r, "id", id)
	if row.deleted() {
		fail(w, "ENTITY_IS_DELETED", "entity is deleted", []string{}...)
		return nil, false
	}
	return row, true
}

// body reads a JSON object, answering for itself when it cannot.
func (f *org) body(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, bool) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/json" {
		fail(w, "UNSUPPORTED_MEDIA_TYPE", "Content type of the request is not supported")
		return nil, false
	}
	var m map[string]json.RawMessage
	dec := json.NewDecoder(r.Body)
	if err := engine.DecodeFrom(dec, &m); err != nil || m == nil {
		fail(w, "JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object")
		return nil, false
	}
	return m, true
}

func (f *org) recordURL(row *record) string {
	return "/services/data/v" + f.version + "/sobjects/" + row.object.name + "/" + row.id()
}

// create is POST /sobjects/{object}.
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_sobject_create.htm.
func (f *org) create(w http.ResponseWriter, r *http.Request) {
	o, ok := f.object(w, r)
	if !ok {
		return
	}
	body, ok := f.body(w, r)
	if !ok {
		return
	}
	row, err := f.insert(r, o, body)
	if err != nil {
		err.write(w)
		return
	}
	w.Header().Set("Location", f.recordURL(row))
	engine.WriteJSON(w, http.StatusCreated, saveResult(row.id(), nil))
}

func saveResult(id string, created *bool) map[string]any {
	res := map[string]any{"id": id, "success": true, "errors": []any{}}
	if created != nil {
		res["created"] = *created
	}
	return res
}

// insert makes a record of a request's body by the caller of r.
func (f *org) insert(r *http.Request, o *object, body map[string]json.RawMessage) (*record, *refusal) {
	if !o.insertable {
		return nil, &refusal{"INSUFFICIENT_ACCESS_OR_READONLY", "entity type " + o.name + " does not support create", []string{}}
	}
	values, err := f.read(o, body, true)
	if err != nil {
		return nil, err
	}
	route, err := f.autoAssign(r)
	if err != nil {
		return nil, err
	}
	if err := f.unique(o, values, ""); err != nil {
		return nil, err
	}
	if o.name == "Case" && f.setup.AutoResponse && values["SuppliedEmail"] == nil {
		return nil, &refusal{"REQUIRED_FIELD_MISSING", "Required fields are missing: [SuppliedEmail]", []string{"SuppliedEmail"}}
	}
	if o.name == "Case" {
		if owner, _ := values["OwnerId"].(string); route || owner == "" {
			values["OwnerId"] = f.ownerOf(route)
		}
	}
	row := f.add(o, values)
	engine.Note(r, "id", row.id())
	return row, nil
}

func (f *org) ownerOf(route bool) string {
	if route {
		return f.queue
	}
	return f.fix.OwnUserID
}

// autoAssign reads Sforce-Auto-Assign, which is TRUE when it is not sent: on a
// create and on an update the assignment rule then sets the owner.
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_autoassign.htm.
func (f *org) autoAssign(r *http.Request) (bool, *refusal) {
	v := r.Header.Get("Sforce-Auto-Assign")
	switch {
	case v == "" || strings.EqualFold(v, "true"):
		return true, nil
	case strings.EqualFold(v, "false"):
		return false, nil
	}
	if _, err := identity.SalesforceID(v, "01Q"); err != nil {
		return false, &refusal{"MALFORMED_ID", "Sforce-Auto-Assign: invalid assignment rule id", nil}
	}
	return true, nil
}

// add stores a record and stamps it by the engine's clock.
func (f *org) add(o *object, values map[string]any) *record {
	now := f.Now().UTC()
	own := f.fix.OwnUserID
	row := &record{object: o, values: values}
	if row.text("Id") == "" {
		values["Id"] = f.newID(o.prefix)
	}
	for _, d := range o.fields {
		if values[d.name] != nil {
			continue
		}
		switch {
		case d.name == "CreatedDate" || d.name == "LastModifiedDate" || d.name == "SystemModstamp":
			values[d.name] = now
		case d.name == "CreatedById" || d.name == "LastModifiedById":
			values[d.name] = own
		case d.name == "OwnerId" && o.name != "AgentWork":
			values[d.name] = own
		case d.def != nil:
			values[d.name] = d.def
		}
	}
	if o.name == "Case" {
		f.cases++
		values["CaseNumber"] = fmt.Sprintf("%08d", 1000+f.cases)
		deriveCase(row, now)
		if text, ok := values["Comments"].(string); ok {
			delete(values, "Comments") // write-only: it becomes the first comment
			f.rows[row.id()] = row
			f.add(f.objects["casecomment"], map[string]any{"ParentId": row.id(), "CommentBody": text})
		}
	}
	if o.name == "Caseroom_Transcript__c" {
		f.serial["transcript"]++
		values["Name"] = fmt.Sprintf("T-%05d", f.serial["transcript"])
	}
	f.rows[row.id()] = row
	f.order = append(f.order, row)
	f.remember(row)
	f.emit("create", row, nil)
	return row
}

// deriveCase sets what follows from the status.
func deriveCase(row *record, now time.Time) {
	closed := strings.EqualFold(row.text("Status"), "Closed")
	was := row.values["IsClosed"] == true
	row.values["IsClosed"] = closed
	if closed && !was {
		row.values["ClosedDate"] = now
	} else if !closed {
		delete(row.values, "ClosedDate")
	}
}

func (f *org) newID(prefix string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	f.serial[prefix]++
	n := f.serial[prefix] + 1_000_000
	tail := []byte("000000")
	for i := len(tail) - 1; i >= 0; i-- {
		tail[i] = digits[n%62]
		n /= 62
	}
	id, err := identity.SalesforceID(prefix+"Hs0000"+string(tail), prefix)
	if err != nil {
		panic(err) // fifteen alphanumerics
	}
	return id
}

func (f *org) emit(kind string, row *record, before map[string]any) {
	f.fire(kind, row, before)
	if f.onChange != nil {
		f.onChange(Event{
			Object: row.object.name, Kind: kind, ID: row.id(), Before: before,
			After: f.export(row), Time: f.Now(),
		})
	}
}

// change applies values to a record and stamps it.
func (f *org) change(row *record, values map[string]any) {
	before := f.export(row)
	for k, v := range values {
		if v == nil {
			delete(row.values, k)
		} else {
			row.values[k] = v
		}
	}
	f.remember(row)
	now := f.Now().UTC()
	if row.object.name == "Case" {
		deriveCase(row, now)
	}
	row.values["LastModifiedDate"], row.values["SystemModstamp"] = now, now
	f.emit("update", row, before)
}

// get is GET /sobjects/{object}/{id}, with ?fields= if not all are wanted.
func (f *org) get(w http.ResponseWriter, r *http.Request) {
	o, ok := f.object(w, r)
	if !ok {
		return
	}
	row, ok := f.row(w, r, o)
	if !ok {
		return
	}
	f.writeRow(w, r, row)
}

func (f *org) writeRow(w http.ResponseWriter, r *http.Request, row *record) {
	names := []string{}
	if raw := r.URL.Query().Get("fields"); raw != "" {
		names = strings.Split(raw, ",")
	} else {
		for _, d := range row.object.fields {
			if f.visible(d) && !d.writeOnly {
				names = append(names, d.name)
			}
		}
	}
	out := map[string]any{"attributes": map[string]string{"type": row.object.name, "url": f.recordURL(row)}}
	for _, name := range names {
		d := row.object.field(strings.TrimSpace(name))
		if d == nil || !f.visible(d) || d.writeOnly {
			fail(w, "INVALID_FIELD", "No such column '"+name+"' on sobject of type "+row.object.name)
			return
		}
		out[d.name] = render(row.values[d.name])
	}
	engine.WriteJSON(w, http.StatusOK, out)
}

// update is PATCH /sobjects/{object}/{id}: 204 without a body.
func (f *org) update(w http.ResponseWriter, r *http.Request) {
	o, ok := f.object(w, r)
	if !ok {
		return
	}
	body, ok := f.body(w, r)
	if !ok {
		return
	}
	row, ok := f.row(w, r, o)
	if !ok {
		return
	}
	if err := f.patch(r, row, body); err != nil {
		err.write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (f *org) patch(r *http.Request, row *record, body map[string]json.RawMessage) *refusal {
	o := row.object
	if !o.updatable {
		return &refusal{"INSUFFICIENT_ACCESS_OR_READONLY", "entity type " + o.name + " does not support update", []string{}}
	}
	values, err := f.read(o, body, false)
	if err != nil {
		return err
	}
	route, err := f.autoAssign(r)
	if err != nil {
		return err
	}
	if err := f.unique(o, values, row.id()); err != nil {
		return err
	}
	if o.name == "Case" && route {
		values["OwnerId"] = f.queue
	}
	f.change(row, values)
	return nil
}

// remove is DELETE /sobjects/{object}/{id}: into the recycle bin.
func (f *org) remove(w http.ResponseWriter, r *http.Request) {
	o, ok := f.object(w, r)
	if !ok {
		return
	}
	row, ok := f.row(w, r, o)
	if !ok {
		return
	}
	if o.name != "Case" && o.name != "Caseroom_Transcript__c" {
		fail(w, "INSUFFICIENT_ACCESS_OR_READONLY", "entity type "+o.name+" does not support delete", []string{}...)
		return
	}
	f.bin(row, true)
	w.WriteHeader(http.StatusNoContent)
}

// bin moves a record into the recycle bin or out of it.
func (f *org) bin(row *record, deleted bool) {
	before := f.export(row)
	now := f.Now().UTC()
	row.values["IsDeleted"], row.values["SystemModstamp"], row.values["LastModifiedDate"] = deleted, now, now
	kind := "undelete"
	if deleted {
		kind = "delete"
	}
	f.emit(kind, row, before)
}

// byKey finds live records by an external id field.
func (f *org) byKey(w http.ResponseWriter, r *http.Request) (*object, *field, []*record, bool) {
	o, ok := f.object(w, r)
	if !ok {
		return nil, nil, nil, false
	}
	d := o.field(r.PathValue("field"))
	if d == nil || !f.visible(d) || !d.external {
		fail(w, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+r.PathValue("field"))
		return nil, nil, nil, false
	}
	value := r.PathValue("value")
	found := slices.DeleteFunc(f.find(o, d, value), func(row *record) bool { return row.hidden })
	if len(found) > 1 {
		urls := []string{}
		for _, row := range found {
			urls = append(urls, f.recordURL(row))
		}
		engine.WriteJSON(w, http.StatusMultipleChoices, urls)
		return nil, nil, nil, false
	}
	return o, d, found, true
}

// find returns the live records whose external id or unique field d has value.
func (f *org) find(o *object, d *field, value string) []*record {
	if d.kind == idKind {
		id, err := identity.SalesforceID(value, o.prefix)
		if row := f.rows[id]; err == nil && row != nil && !row.deleted() {
			return []*record{row}
		}
		return nil
	}
	var found []*record
	for _, row := range f.keyed[keyOf(o, d, value)] {
		if !row.deleted() && d.same(row.values[d.name], value) {
			found = append(found, row)
		}
	}
	return found
}

func keyOf(o *object, d *field, value string) string {
	return o.name + "." + d.name + "=" + strings.ToLower(value)
}

// remember makes a record findable by its keys.
func (f *org) remember(row *record) {
	for _, d := range row.object.fields {
		if value := row.text(d.name); d.unique && value != "" {
			k := keyOf(row.object, d, value)
			if !slices.Contains(f.keyed[k], row) {
				f.keyed[k] = append(f.keyed[k], row)
			}
		}
	}
}

// getByKey is GET /sobjects/{object}/{external id field}/{value}.
func (f *org) getByKey(w http.ResponseWriter, r *http.Request) {
	_, _, found, ok := f.byKey(w, r)
	if !ok {
		return
	}
	if len(found) == 0 {
		fail(w, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	engine.Note(r, "id", found[0].id())
	f.writeRow(w, r, found[0])
}

// upsert is PATCH /sobjects/{object}/{external id field}/{value}.
//
// See https://developer.salesforce.com/docs/platform/api-rest/guide/dome-upsert.html.
func (f *org) upsert(w http.ResponseWriter, r *http.Request) {
	o, d, found, ok := f.byKey(w, r)
	if !ok {
		return
	}
	body, ok := f.body(w, r)
	if !ok {
		return
	}
	for name := range body {
		if strings.EqualFold(name, d.name) {
			fail(w, "INVALID_FIELD", "The "+d.name+" field should not be specified in the sobject data.")
			return
		}
	}
	major, _ := strconv.Atoi(strings.TrimSuffix(f.version, ".0"))
	if len(found) == 1 {
		if err := f.patch(r, found[0], body); err != nil {
			err.write(w)
			return
		}
		if major < 46 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		created := false
		engine.WriteJSON(w, http.StatusOK, saveResult(found[0].id(), &created))
		return
	}
	if r.URL.Query().Get("updateOnly") == "true" {
		fail(w, "NOT_FOUND", "The requested resource does not exist")
		return
	}
	raw, _ := json.Marshal(r.PathValue("value"))
	body[d.name] = raw
	row, err := f.insert(r, o, body)
	if err != nil {
		err.write(w)
		return
	}
	created := true
	engine.WriteJSON(w, http.StatusCreated, saveResult(row.id(), &created))
}

// export copies a record's values out of the lock's reach.
func (f *org) export(row *record) map[string]any {
	out := map[string]any{}
	for k, v := range row.values {
		out[k] = render(v)
	}
	return out
}

// list returns the records of an object in the order of their making.
func (f *org) list(o *object) []*record {
	return slices.DeleteFunc(slices.Clone(f.order), func(r *record) bool { return r.object != o })
}

// render turns a stored value into what JSON answers hold.
func render(v any) any {
	if t, ok := v.(time.Time); ok {
		return t.UTC().Format("2006-01-02T15:04:05.000+0000")
	}
	return v
}
