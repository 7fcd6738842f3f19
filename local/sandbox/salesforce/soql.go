package salesforce

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/caseroom/caseroom/shared/identity"
)

// query is a parsed query of the subset that the stand-in knows:
//
//	SELECT field[, …] | COUNT() FROM object [WHERE condition]
//	[ORDER BY field [ASC|DESC] [NULLS FIRST|LAST][, …]] [LIMIT n] [OFFSET n]
//
// with fields of the object or of one parent (Owner.Name), and conditions of
// = != <> < <= > >= LIKE IN NOT IN, joined by AND, OR, NOT and parentheses.
// Anything else is MALFORMED_QUERY.
type query struct {
	count  bool
	fields []string
	object string
	where  expression
	order  []ordering
	limit  int // -1: none
	offset int
}

type ordering struct {
	field     string
	desc      bool
	nullsLast bool
}

type expression interface{}

type (
	andExpression struct{ list []expression }
	orExpression  struct{ list []expression }
	notExpression struct{ expr expression }
	comparison    struct {
		field  string
		op     string // = != < <= > >= LIKE IN NOT IN
		values []literal
	}
)

// literal is a literal. kind is s(tring), n(umber), b(oolean), d(atetime) or 0 for null.
type literal struct {
	kind byte
	text string
	time time.Time
	flag bool
}

type lexeme struct {
	kind byte // w(ord), s(tring), n(umber), d(atetime), p(unctuation), e(nd)
	text string
	pos  int
}

var (
	wordPattern     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*`)
	dateTimePattern = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})`)
	numberPattern   = regexp.MustCompile(`^[+-]?[0-9]+(?:\.[0-9]+)?`)
	punctPattern    = regexp.MustCompile(`^(?:<=|>=|!=|<>|[=<>(),])`)
)

// maxDepth bounds the nesting of parentheses.
const maxDepth = 50

func malformed(format string, args ...any) *refusal {
	return &refusal{"MALFORMED_QUERY", fmt.Sprintf(format, args...), nil}
}

func lexemes(q string) ([]lexeme, *refusal) {
	var out []lexeme
	for i := 0; i < len(q); {
		rest := q[i:]
		switch c := q[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'':
			text, n, err := unquote(rest)
			if err != nil {
				return nil, err
			}
			out = append(out, lexeme{'s', text, i})
			i += n
		default:
			found := false
			for _, p := range []struct {
				kind byte
				re   *regexp.Regexp
			}{{'d', dateTimePattern}, {'n', numberPattern}, {'w', wordPattern}, {'p', punctPattern}} {
				if m := p.re.FindString(rest); m != "" {
					out = append(out, lexeme{p.kind, m, i})
					i += len(m)
					found = true
					break
				}
			}
			if !found {
				return nil, malformed("line 1:%d no viable alternative at character '%c'", i, []rune(rest)[0])
			}
		}
	}
	return append(out, lexeme{'e', "<EOF>", len(q)}), nil
}

// unquote reads a quoted string and returns its text and length.
func unquote(s string) (string, int, *refusal) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\'':
			return b.String(), i + 1, nil
		case '\\':
			i++
			if i == len(s) {
				return "", 0, malformed("unterminated string")
			}
			switch s[i] {
			case 'n', 'N':
				b.WriteByte('\n')
			case 'r', 'R':
				b.WriteByte('\r')
			case 't', 'T':
				b.WriteByte('\t')
			case '\'', '"', '\\', '_', '%':
				b.WriteByte(s[i])
			default:
				return "", 0, malformed("Invalid string literal: illegal escape \\%c", s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", 0, malformed("unterminated string")
}

type parser struct {
	tokens []lexeme
	at     int
	depth  int
}

func (p *parser) peek() lexeme { return p.tokens[p.at] }

func (p *parser) next() lexeme {
	t := p.tokens[p.at]
	if t.kind != 'e' {
		p.at++
	}
	return t
}

func (p *parser) keyword(words ...string) bool {
	for i, w := range words {
		if p.at+i >= len(p.tokens) {
			return false
		}
		t := p.tokens[p.at+i]
		if t.kind != 'w' || !strings.EqualFold(t.text, w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) punct(text string) bool {
	if t := p.peek(); t.kind != 'p' || t.text != text {
		return false
	}
	p.at++
	return true
}

func (p *parser) unexpected() *refusal {
	t := p.peek()
	return malformed("ERROR at Row:1:Column:%d\nunexpected token: '%s'", t.pos+1, t.text)
}

var reserved = []string{
	"and", "asc", "desc", "excludes", "first", "from", "group", "having", "in", "includes", "last", "like",
	"limit", "not", "null", "nulls", "or", "order", "select", "true", "false", "where", "with",
}

func (p *parser) name() (string, *refusal) {
	t := p.peek()
	if t.kind != 'w' || slices.Contains(reserved[:], strings.ToLower(t.text)) {
		return "", p.unexpected()
	}
	p.at++
	return t.text, nil
}

// object reads the name after FROM, where Group is an object, not a keyword.
func (p *parser) object() (string, *refusal) {
	if p.keyword("Group") {
		return "Group", nil
	}
	return p.name()
}

// parseSOQL parses a query, returning MALFORMED_QUERY for what it does not know.
func parseSOQL(q string) (*query, *refusal) {
	tokens, err := lexemes(q)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	out := &query{limit: -1}
	if !p.keyword("SELECT") {
		return nil, p.unexpected()
	}
	if p.keyword("COUNT") {
		if !p.punct("(") || !p.punct(")") {
			return nil, p.unexpected()
		}
		out.count = true
	} else {
		for {
			name, err := p.name()
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(out.fields, func(s string) bool { return strings.EqualFold(s, name) }) {
				return nil, malformed("duplicate field selected: %s", name)
			}
			out.fields = append(out.fields, name)
			if !p.punct(",") {
				break
			}
		}
	}
	if !p.keyword("FROM") {
		return nil, p.unexpected()
	}
	if out.object, err = p.object(); err != nil {
		return nil, err
	}
	if p.keyword("WHERE") {
		if out.where, err = p.condition(); err != nil {
			return nil, err
		}
	}
	if p.keyword("ORDER", "BY") {
		if out.order, err = p.orders(); err != nil {
			return nil, err
		}
	}
	if p.keyword("LIMIT") {
		if out.limit, err = p.whole(); err != nil {
			return nil, err
		}
	}
	if p.keyword("OFFSET") {
		if out.offset, err = p.whole(); err != nil {
			return nil, err
		}
		if out.offset > 2000 {
			return nil, &refusal{"NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000", nil}
		}
	}
	if p.peek().kind != 'e' {
		return nil, p.unexpected()
	}
	return out, nil
}

func (p *parser) whole() (int, *refusal) {
	t := p.peek()
	n, err := strconv.Atoi(t.text)
	if t.kind != 'n' || err != nil || n < 0 {
		return 0, p.unexpected()
	}
	p.at++
	return n, nil
}

func (p *parser) orders() ([]ordering, *refusal) {
	var list []ordering
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		o := ordering{field: name}
		if p.keyword("DESC") {
			o.desc = true
		} else {
			p.keyword("ASC")
		}
		if p.keyword("NULLS", "LAST") {
			o.nullsLast = true
		} else {
			p.keyword("NULLS", "FIRST")
		}
		list = append(list, o)
		if !p.punct(",") {
			return list, nil
		}
	}
}

// condition reads terms joined by AND or by OR. SOQL refuses both in one row
// without parentheses.
func (p *parser) condition() (expression, *refusal) {
	if p.depth++; p.depth > maxDepth {
		return nil, malformed("the query is too deeply nested")
	}
	defer func() { p.depth-- }()
	first, err := p.term()
	if err != nil {
		return nil, err
	}
	list, joiner := []expression{first}, ""
	for {
		word := ""
		for _, w := range []string{"AND", "OR"} {
			if p.keyword(w) {
				word = w
			}
		}
		if word == "" {
			break
		}
		if joiner != "" && joiner != word {
			p.at--
			return nil, p.unexpected()
		}
		joiner = word
		e, err := p.term()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	switch joiner {
	case "AND":
		return andExpression{list}, nil
	case "OR":
		return orExpression{list}, nil
	}
	return first, nil
}

func (p *parser) term() (expression, *refusal) {
	if p.keyword("NOT") {
		if p.depth++; p.depth > maxDepth {
			return nil, malformed("the query is too deeply nested")
		}
		defer func() { p.depth-- }()
		e, err := p.term()
		return notExpression{e}, err
	}
	if p.punct("(") {
		e, err := p.condition()
		if err == nil && !p.punct(")") {
			err = p.unexpected()
		}
		return e, err
	}
	field, err := p.name()
	if err != nil {
		return nil, err
	}
	t := comparison{field: field}
	switch {
	case p.keyword("NOT", "IN"):
		t.op = "NOT IN"
	case p.keyword("IN"):
		t.op = "IN"
	case p.keyword("LIKE"):
		t.op = "LIKE"
	case p.peek().kind == 'p' && slices.Contains([]string{"=", "!=", "<>", "<", "<=", ">", ">="}, p.peek().text):
		if t.op = p.next().text; t.op == "<>" {
			t.op = "!="
		}
	default:
		return nil, p.unexpected()
	}
	if !strings.HasSuffix(t.op, "IN") {
		v, err := p.literal()
		t.values = []literal{v}
		return t, err
	}
	if !p.punct("(") {
		return nil, p.unexpected()
	}
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		t.values = append(t.values, v)
		if p.punct(")") {
			return t, nil
		}
		if !p.punct(",") {
			return nil, p.unexpected()
		}
	}
}

func (p *parser) literal() (literal, *refusal) {
	t := p.peek()
	switch {
	case p.keyword("null"):
		return literal{}, nil
	case p.keyword("true"):
		return literal{kind: 'b', flag: true}, nil
	case p.keyword("false"):
		return literal{kind: 'b'}, nil
	case t.kind == 's' || t.kind == 'n':
		p.at++
		return literal{kind: t.kind, text: t.text}, nil
	case t.kind == 'd':
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
			if at, err := time.Parse(layout, t.text); err == nil {
				p.at++
				return literal{kind: 'd', time: at}, nil
			}
		}
	}
	return literal{}, p.unexpected()
}

// fieldPath is a resolved field: of the object itself or of one parent.
type fieldPath struct {
	via   *field // nil: the object's own
	field *field // of the parent object, nil for the parent's type
	label []string
}

// path resolves a field name of a query.
func (f *org) path(o *object, name string) (fieldPath, *refusal) {
	unknown := &refusal{"INVALID_FIELD", "No such column '" + name + "' on entity '" + o.name + "'", nil}
	head, tail, related := strings.Cut(name, ".")
	if related && strings.EqualFold(head, o.name) && !strings.Contains(tail, ".") {
		head, related = tail, false
	}
	if !related {
		d := o.field(head)
		if d == nil || !f.visible(d) || d.writeOnly {
			return fieldPath{}, unknown
		}
		return fieldPath{field: d, label: []string{d.name}}, nil
	}
	for _, d := range o.fields {
		if d.parent == "" || !strings.EqualFold(d.parent, head) || !f.visible(d) {
			continue
		}
		if strings.EqualFold(tail, "Type") && len(d.refs) > 1 {
			return fieldPath{via: d, label: []string{d.parent, "Type"}}, nil
		}
		for _, prefix := range d.refs {
			for _, parent := range f.objects {
				if parent.prefix != prefix {
					continue
				}
				// A polymorphic owner has only what all its types have.
				if len(d.refs) > 1 && !strings.EqualFold(tail, "Id") && !strings.EqualFold(tail, "Name") {
					return fieldPath{}, unknown
				}
				if pf := parent.field(tail); pf != nil && f.visible(pf) && !pf.writeOnly {
					return fieldPath{via: d, field: pf, label: []string{d.parent, pf.name}}, nil
				}
			}
		}
	}
	return fieldPath{}, unknown
}

func (f *org) read1(row *record, p fieldPath) any {
	if p.via == nil {
		return row.values[p.field.name]
	}
	parent := f.rows[row.text(p.via.name)]
	if parent == nil {
		return nil
	}
	if p.field == nil {
		if parent.object.name == "Group" {
			return "Queue"
		}
		return parent.object.name
	}
	return parent.values[p.field.name]
}

// matcher compiles a condition, checking each literal against its field's type.
func (f *org) matcher(o *object, e expression) (func(*record) bool, *refusal) {
	all := func(list []expression) ([]func(*record) bool, *refusal) {
		out := make([]func(*record) bool, len(list))
		for i, x := range list {
			m, err := f.matcher(o, x)
			if err != nil {
				return nil, err
			}
			out[i] = m
		}
		return out, nil
	}
	switch e := e.(type) {
	case nil:
		return func(*record) bool { return true }, nil
	case andExpression:
		list, err := all(e.list)
		return func(r *record) bool {
			return !slices.ContainsFunc(list, func(m func(*record) bool) bool { return !m(r) })
		}, err
	case orExpression:
		list, err := all(e.list)
		return func(r *record) bool {
			return slices.ContainsFunc(list, func(m func(*record) bool) bool { return m(r) })
		}, err
	case notExpression:
		m, err := f.matcher(o, e.expr)
		return func(r *record) bool { return !m(r) }, err
	case comparison:
		return f.test(o, e)
	}
	return nil, malformed("unexpected condition")
}

func (f *org) test(o *object, t comparison) (func(*record) bool, *refusal) {
	p, err := f.path(o, t.field)
	if err != nil {
		return nil, err
	}
	kind := textKind
	exact := false
	if p.field != nil {
		kind, exact = p.field.kind, p.field.exact || p.field.id()
	}
	values := make([]any, len(t.values))
	for i, v := range t.values {
		if values[i], err = typedValue(t, kind, v); err != nil {
			return nil, err
		}
	}
	ordered := strings.ContainsAny(t.op, "<>")
	if ordered && kind == boolKind {
		return nil, &refusal{"INVALID_FIELD", "invalid operator on boolean field", nil}
	}
	same := func(stored, v any) bool {
		c, ok := compareValues(stored, v, exact)
		return ok && c == 0
	}
	if t.op == "LIKE" {
		text, ok := values[0].(string)
		if !ok || (kind != textKind && kind != emailKind) {
			return nil, &refusal{"INVALID_FIELD", "invalid operator on field " + t.field, nil}
		}
		re := likePattern(text)
		return func(r *record) bool {
			s, ok := f.read1(r, p).(string)
			return ok && re.MatchString(s)
		}, nil
	}
	return func(r *record) bool {
		stored := f.read1(r, p)
		switch t.op {
		case "=":
			return same(stored, values[0])
		case "!=":
			return !same(stored, values[0])
		case "IN", "NOT IN":
			in := slices.ContainsFunc(values, func(v any) bool { return same(stored, v) })
			return in == (t.op == "IN")
		}
		c, ok := compareValues(stored, values[0], exact)
		if !ok || stored == nil || values[0] == nil {
			return false
		}
		return map[string]bool{"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[t.op]
	}, nil
}

// id reports whether a field holds ids, whose case counts.
func (d *field) id() bool { return d.kind == idKind || d.kind == referenceKind }

// typedValue converts a literal to its field's type. A datetime in quotes and
// text without them are INVALID_FIELD, a bad id INVALID_QUERY_FILTER_OPERATOR.
func typedValue(t comparison, kind fieldKind, v literal) (any, *refusal) {
	if v.kind == 0 {
		return nil, nil
	}
	want := map[fieldKind]byte{boolKind: 'b', timeKind: 'd'}[kind]
	if want == 0 {
		want = 's'
	}
	if v.kind != want {
		how := "and should be enclosed in quotes"
		if want != 's' {
			how = "and should not be enclosed in quotes"
		}
		name := map[byte]string{'b': "boolean", 'd': "dateTime", 's': "string"}[want]
		return nil, &refusal{"INVALID_FIELD", fmt.Sprintf("value of filter criterion for field '%s' must be of type %s %s", t.field, name, how), nil}
	}
	switch kind {
	case boolKind:
		return v.flag, nil
	case timeKind:
		return v.time, nil
	case idKind, referenceKind:
		id, err := identity.SalesforceID(v.text, "")
		if err != nil {
			return nil, &refusal{"INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: " + engine.FirstRunes(v.text, 40), nil}
		}
		return id, nil
	}
	return v.text, nil
}

// compareValues orders two values of one type; false if they can't be compared.
func compareValues(a, b any, exact bool) (int, bool) {
	if a == nil || b == nil {
		return 0, a == nil && b == nil
	}
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		if !exact {
			a, b = strings.ToLower(a), strings.ToLower(b)
		}
		return cmp.Compare(a, b), ok
	case time.Time:
		b, ok := b.(time.Time)
		// Salesforce keeps milliseconds.
		return a.Truncate(time.Millisecond).Compare(b.Truncate(time.Millisecond)), ok
	case bool:
		b, ok := b.(bool)
		if a == b {
			return 0, ok
		}
		if a {
			return 1, ok
		}
		return -1, ok
	}
	return 0, false
}

func likePattern(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?is)^")
	for _, r := range pattern {
		switch r {
		case '%':
			b.WriteString(".*")
		case '_':
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	b.WriteByte('$')
	return regexp.MustCompile(b.String())
}

// candidates are the rows that a query may match: those of the ids that it names,
// else all of the object.
func (f *org) candidates(o *object, where expression) []*record {
	tests := []expression{where}
	if and, ok := where.(andExpression); ok {
		tests = and.list
	}
	for _, e := range tests {
		test, ok := e.(comparison)
		if !ok || !strings.EqualFold(test.field, "Id") || (test.op != "=" && test.op != "IN") {
			continue
		}
		var rows []*record
		for _, v := range test.values {
			id, err := identity.SalesforceID(v.text, "")
			if row := f.rows[id]; err == nil && row != nil && row.object == o && !slices.Contains(rows, row) {
				rows = append(rows, row)
			}
		}
		slices.SortFunc(rows, func(a, b *record) int { return cmp.Compare(a.id(), b.id()) })
		return rows
	}
	return f.list(o)
}

// run executes a query; all includes the recycle bin.
func (f *org) run(q *query, all bool) ([]map[string]any, int, *refusal) {
	o := f.objects[strings.ToLower(q.object)]
	if f.hidden(o) {
		return nil, 0, &refusal{"INVALID_TYPE", "sObject type '" + q.object + "' is not supported.", nil}
	}
	var paths []fieldPath
	for _, name := range q.fields {
		p, err := f.path(o, name)
		if err != nil {
			return nil, 0, err
		}
		paths = append(paths, p)
	}
	match, err := f.matcher(o, q.where)
	if err != nil {
		return nil, 0, err
	}
	rows := slices.DeleteFunc(f.candidates(o, q.where), func(r *record) bool { return r.hidden || (r.deleted() && !all) || !match(r) })
	for i := len(q.order) - 1; i >= 0; i-- {
		by := q.order[i]
		p, err := f.path(o, by.field)
		if err != nil {
			return nil, 0, err
		}
		exact := p.field != nil && p.field.id()
		slices.SortStableFunc(rows, func(a, b *record) int { return sortRows(f.read1(a, p), f.read1(b, p), by, exact) })
	}
	rows = rows[min(q.offset, len(rows)):]
	if q.limit >= 0 {
		rows = rows[:min(q.limit, len(rows))]
	}
	if q.count {
		return nil, len(rows), nil
	}
	out := make([]map[string]any, 0, len(rows))
	for _, row := range rows {
		out = append(out, f.project(row, paths))
	}
	return out, len(out), nil
}

func sortRows(a, b any, by ordering, exact bool) int {
	if a == nil || b == nil {
		c := 0
		switch {
		case a == nil && b != nil:
			c = -1
		case a != nil && b == nil:
			c = 1
		}
		if by.nullsLast {
			c = -c
		}
		return c
	}
	c, _ := compareValues(a, b, exact)
	if by.desc {
		c = -c
	}
	return c
}

func (f *org) project(row *record, paths []fieldPath) map[string]any {
	rec := map[string]any{"attributes": map[string]string{"type": row.object.name, "url": f.recordURL(row)}}
	for _, p := range paths {
		v := render(f.read1(row, p))
		if p.via == nil {
			rec[p.label[0]] = v
			continue
		}
		parent := f.rows[row.text(p.via.name)]
		if parent == nil {
			rec[p.label[0]] = nil
			continue
		}
		sub, ok := rec[p.label[0]].(map[string]any)
		if !ok {
			kind := parent.object.name
			if len(p.via.refs) > 1 {
				kind = "Name"
			}
			sub = map[string]any{"attributes": map[string]string{"type": kind, "url": f.recordURL(parent)}}
			rec[p.label[0]] = sub
		}
		sub[p.label[1]] = v
	}
	return rec
}

// query is GET /query and /queryAll?q=.
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm.
func (f *org) query(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("q")
	if strings.TrimSpace(text) == "" {
		fail(w, "MALFORMED_QUERY", "A query string has to be specified")
		return
	}
	q, err := parseSOQL(text)
	if err != nil {
		err.write(w)
		return
	}
	engine.Note(r, "object", q.object)
	all := strings.HasSuffix(r.URL.Path, "/queryAll")
	rows, total, err := f.run(q, all)
	if err != nil {
		err.write(w)
		return
	}
	if q.count {
		engine.WriteJSON(w, http.StatusOK, map[string]any{"totalSize": total, "done": true, "records": []any{}})
		return
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	size := f.pageSize
	if m := batchSize.FindStringSubmatch(r.Header.Get("Sforce-Query-Options")); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			size = min(max(n, 200), pageSize)
		}
	}
	f.writePage(w, "0r8"+f.ID(8), cursor{user: f.sessions[token].user, rows: rows, next: 0}, size)
}

var batchSize = regexp.MustCompile(`(?i)batchSize\s*=\s*([0-9]{1,6})`)

func (f *org) writePage(w http.ResponseWriter, id string, c cursor, size int) {
	end := min(len(c.rows), c.next+size)
	body := map[string]any{"totalSize": len(c.rows), "done": end == len(c.rows), "records": c.rows[c.next:end]}
	if end < len(c.rows) {
		f.cursors[id] = cursor{user: c.user, rows: c.rows}
		body["nextRecordsUrl"] = fmt.Sprintf("/services/data/v%s/query/%s-%d", f.version, id, end)
	}
	engine.WriteJSON(w, http.StatusOK, body)
}

// queryMore is GET of a nextRecordsUrl.
func (f *org) queryMore(w http.ResponseWriter, r *http.Request) {
	id, at, _ := strings.Cut(r.PathValue("locator"), "-")
	c, ok := f.cursors[id]
	n, err := strconv.Atoi(at)
	if !ok || err != nil || n < 0 || n > len(c.rows) {
		fail(w, "INVALID_QUERY_LOCATOR", "invalid query locator")
		return
	}
	c.next = n
	f.writePage(w, id, c, f.pageSize)
}
