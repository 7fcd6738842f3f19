package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Load fills groups, pointers to structs that are groups or embed them, from
// the environment. Its error names every variable that is wrong and what it may
// be, and never what it is: a value may be a secret put in the wrong place.
func Load(groups ...any) error {
	environment := make(map[string]string)
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			environment[k] = v
		}
	}
	return LoadFrom(environment, groups...)
}

// LoadFrom is [Load] from variables that are not the process's own: those of a
// deployed function.
func LoadFrom(variables map[string]string, groups ...any) error {
	environment := withDefaults(variables)
	local := environment["AWS_SAM_LOCAL"] == "on"
	var wrong []string
	for _, g := range groups {
		v := reflect.ValueOf(g)
		if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return fmt.Errorf("config: %T is not a pointer to a struct", g)
		}
		refused, err := parse(g, environment)
		if err != nil {
			return err
		}
		wrong = append(wrong, refused...)
		if len(refused) == 0 {
			wrong = append(wrong, checkGroup(v.Elem(), local)...)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong) // groups share variables
		return errors.New("config: " + strings.Join(slices.Compact(wrong), "; "))
	}
	return nil
}

// unsetDefaults are the defaults of variables whose empty value means something.
var unsetDefaults = map[string]string{
	"SALESFORCE_KEY_FIELD":  "Caseroom_Key__c",
	"SALESFORCE_USER_FIELD": "Caseroom_User__c",
}

// withDefaults adds the defaults that tags cannot express.
func withDefaults(variables map[string]string) map[string]string {
	m := maps.Clone(variables)
	if m == nil {
		m = map[string]string{}
	}
	for k, v := range unsetDefaults {
		if _, ok := m[k]; !ok {
			m[k] = v
		}
	}
	if m["ZENDESK_ADMIN_SECRET"] == "" {
		m["ZENDESK_ADMIN_SECRET"] = m["ZENDESK_SECRET"]
		if m["ZENDESK_ADMIN_SECRET"] == "" {
			m["ZENDESK_ADMIN_SECRET"] = "caseroom/zendesk"
		}
	}
	if m["LOGIN_EMAIL_TRUSTED"] == "" {
		m["LOGIN_EMAIL_TRUSTED"] = "on"
		if m["LOGIN_JWKS_URL"] != "" {
			m["LOGIN_EMAIL_TRUSTED"] = "off"
		}
	}
	// SAM's own variable is no switch of ours: "true", or whatever else.
	if m["AWS_SAM_LOCAL"] == "true" {
		m["AWS_SAM_LOCAL"] = "on"
	} else {
		m["AWS_SAM_LOCAL"] = "off"
	}
	return m
}

var parsers = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[bool](): func(s string) (any, error) {
		if s != "on" && s != "off" {
			return nil, errors.New("not a switch")
		}
		return s == "on", nil
	},
}

// parse runs the env package. Its errors name Go fields and quote values, so
// they are told again with the variable's name.
func parse(group any, environment map[string]string) (refused []string, err error) {
	err = env.ParseWithOptions(group, env.Options{Environment: environment, FuncMap: parsers})
	if err == nil {
		return nil, nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return nil, fmt.Errorf("config: %T does not parse", group)
	}
	for _, e := range all.Errors {
		var p env.ParseError
		if !errors.As(e, &p) {
			return nil, fmt.Errorf("config: %T has a field or tag that cannot be parsed", group)
		}
		eachField(reflect.ValueOf(group).Elem(), func(f reflect.StructField, _ reflect.Value) {
			if f.Name == p.Name && f.Type == p.Type {
				refused = append(refused, f.Tag.Get("env")+" must be "+wanted(f))
			}
		})
	}
	return refused, nil
}

// wanted says what a field that is not a string takes.
func wanted(f reflect.StructField) string {
	if f.Type.Kind() == reflect.Bool {
		return "on or off"
	}
	return checks[f.Tag.Get("check")].want
}

// eachField calls fn for every field with an env tag, also of embedded groups.
func eachField(v reflect.Value, fn func(reflect.StructField, reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			eachField(v.Field(i), fn)
		} else if f.Tag.Get("env") != "" {
			fn(f, v.Field(i))
		}
	}
}

// checkGroup applies the rules of the fields' tags and tidies lists.
func checkGroup(v reflect.Value, local bool) (wrong []string) {
	eachField(v, func(f reflect.StructField, fv reflect.Value) {
		if list, ok := fv.Interface().([]string); ok {
			fv.Set(reflect.ValueOf(tidy(list)))
		}
		if want := refusal(f, fv, local); want != "" {
			wrong = append(wrong, f.Tag.Get("env")+" must be "+want)
		}
	})
	each(v, func(d *Desks) {
		if (d.DefaultDesk == "zendesk" && d.ZendeskBaseURL == "") || (d.DefaultDesk == "salesforce" && d.SalesforceBaseURL == "") {
			wrong = append(wrong, "DEFAULT_DESK must be a desk whose base URL is set")
		}
	})
	each(v, func(l *Login) {
		for name, claim := range map[string]*string{"LOGIN_ISSUER": &l.Issuer, "LOGIN_AUDIENCE": &l.Audience} {
			if *claim == "" && l.JWKSURL != "" {
				wrong = append(wrong, name+" must be set with LOGIN_JWKS_URL, for other applications' tokens have the same keys; any accepts them all")
			}
			if *claim == "any" {
				*claim = ""
			}
		}
	})
	return wrong
}

// each calls fn for every group of type G in v.
func each[G any](v reflect.Value, fn func(*G)) {
	if g, ok := v.Addr().Interface().(*G); ok {
		fn(g)
		return
	}
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && f.Type.Kind() == reflect.Struct {
			each(v.Field(i), fn)
		}
	}
}

// tidy trims a list's items and drops the empty ones.
func tidy(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// refusal returns what the field must be if it is not.
func refusal(f reflect.StructField, fv reflect.Value, local bool) string {
	if allow := f.Tag.Get("allow"); allow != "" && fv.String() != "" {
		if options := strings.Split(allow, "|"); !slices.Contains(options, fv.String()) {
			return oneOf(options)
		}
	}
	name := f.Tag.Get("check")
	if name == "" {
		return ""
	}
	rule, ok := checks[name]
	if !ok {
		return "a value for which the check " + name + " exists"
	}
	var accepted bool
	switch x := fv.Interface().(type) {
	case string:
		accepted = x == "" || rule.text(x, local)
	case []string:
		accepted = !slices.ContainsFunc(x, func(s string) bool { return !rule.text(s, local) })
	case time.Duration:
		accepted = rule.number(int64(x))
	case int:
		accepted = rule.number(int64(x))
	}
	if !accepted {
		return rule.want
	}
	return ""
}

func oneOf(options []string) string {
	last := len(options) - 1
	return strings.Join(options[:last], ", ") + " or " + options[last]
}

// check is a rule by which a value is accepted, and its words.
type check struct {
	want   string
	text   func(s string, local bool) bool
	number func(int64) bool
}

// text makes a check of a rule that needs no more than the value.
func text(want string, ok func(string) bool) check {
	return check{want: want, text: func(s string, _ bool) bool { return ok(s) }}
}

// made reports whether s consists of ASCII letters, digits and the characters
// of extra. Patterns would say this better, but compiling them costs every
// start of every function more than all the rest of Load.
func made(s, extra string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !digit(c) && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return s != ""
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

var checks = map[string]check{
	"url": {
		want: "an https URL without user info, query or fragment (http only for loopback, and for host.docker.internal under sam local)",
		text: func(s string, local bool) bool { _, err := upstream.ParseBaseURL(s, local); return err == nil },
	},
	"jwks": {
		want: "an https URL without user info and fragment (http only for loopback, and for host.docker.internal under sam local)",
		text: func(s string, local bool) bool {
			base, _, _ := strings.Cut(s, "?")
			_, err := upstream.ParseBaseURL(base, local)
			return err == nil && !strings.Contains(s, "#")
		},
	},
	"queue": {
		want: "the URL of an SQS queue",
		text: func(s string, _ bool) bool {
			u, err := url.Parse(s)
			return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && len(u.Path) > 1
		},
	},
	"origin": {
		want: "origins as browsers send them, such as https://www.example.com, separated by commas",
		text: func(s string, _ bool) bool {
			u, err := url.Parse(s)
			return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.Scheme+"://"+u.Host == s && s == strings.ToLower(s)
		},
	},
	"email": text("an e-mail address of at most 80 characters", func(s string) bool {
		name, domain, ok := strings.Cut(s, "@")
		return ok && len(s) <= 80 && made(name, ".!#$%&'*+/=?^_{|}~-") && made(domain, ".-") && strings.Contains(domain, ".")
	}),
	"host": text("hosts such as acme.zendesk.com, with a port if they have one, separated by commas", func(s string) bool {
		return made(s, ".-:") && s == strings.ToLower(s) && strings.Trim(s, ".-:") == s
	}),
	"duration": {
		want:   "a duration above zero, such as 168h",
		number: func(n int64) bool { return n > 0 },
	},
	"rate": {
		want:   "a whole number from 1 to 100000, or 0 for no limit",
		number: func(n int64) bool { return n >= 0 && n <= 100_000 },
	},
	"header": text("the name of a header", func(s string) bool { return len(s) <= 80 && made(s, "-_") }),
	"days": {
		want:   "a whole number of days from 1 to 3650",
		number: func(n int64) bool { return n >= 1 && n <= 3650 },
	},
	"writes": {
		want:   "a whole number of writes a minute from 10 to 10000",
		number: func(n int64) bool { return n >= 10 && n <= 10000 },
	},
	// Ids are logged. What looks like JSON is the secret itself, pasted into
	// the wrong field.
	"secret": text("the name or ARN of a secret, not the secret", func(s string) bool {
		return len(s) <= 2048 && made(s, "/_+=.@:-")
	}),
	// Other secrets' names are made of it, which an ARN is no good for.
	"name": text("the name of a secret, not its ARN", func(s string) bool {
		return len(s) <= 400 && made(s, "/_+=.@-")
	}),
	"start": text(`a time of day such as 08:00, or "due"`, func(s string) bool {
		hour, minute, _ := strings.Cut(s, ":")
		clock := len(s) == 5 && len(hour) == 2 && strings.Trim(hour+minute, "0123456789") == "" && hour <= "23" && minute <= "59"
		return s == "due" || clock
	}),
	"length": {
		want:   "a whole number of minutes from 1 to 1440",
		number: func(n int64) bool { return n >= 1 && n <= 1440 },
	},
	"reminder": {
		want:   "a whole number of minutes from 0 to 40320, or -1 for the calendar's own",
		number: func(n int64) bool { return n >= -1 && n <= 40320 },
	},
	"apiversion": text("a Salesforce API version, such as 68.0", func(s string) bool {
		n, ok := strings.CutSuffix(s, ".0")
		return ok && (len(n) == 2 || len(n) == 3) && n[0] != '0' && strings.Trim(n, "0123456789") == ""
	}),
	"field": text("a Salesforce field name, such as Caseroom_Key__c, or empty", func(s string) bool {
		return len(s) <= 80 && made(s, "_") && s[0] != '_' && !digit(s[0])
	}),
	"autoassign": text("true, false or the id of an assignment rule", func(s string) bool {
		rule := (len(s) == 15 || len(s) == 18) && strings.HasPrefix(s, "01Q") && made(s, "")
		return rule || strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
	}),
	"texts": text(`a JSON object of texts by language and kind, such as {"en":{"waiting":"…"}}`, func(s string) bool {
		var table map[string]map[string]string
		return json.Unmarshal([]byte(s), &table) == nil && table != nil
	}),
	"cookie": text("a cookie's name", func(s string) bool { return made(s, "!#$%&'*+.^_`|~-") }),
	"bucket": text("the name of an S3 bucket", func(s string) bool {
		return len(s) >= 3 && len(s) <= 63 && made(s, ".-") && s == strings.ToLower(s) && strings.Trim(s, ".-") == s
	}),
}
