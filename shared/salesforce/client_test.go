package salesforce_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/upstream"
)

// The endpoints, each with its call.
var endpoints = []struct {
	name, route string
	call        func(context.Context, *salesforce.Client) error
}{
	{"case_create", "POST " + casesPath, func(ctx context.Context, c *salesforce.Client) error {
		_, err := c.CreateCase(ctx, salesforce.Case{Subject: "s", Description: "d", Key: key, UserID: "ann"})
		return err
	}},
	{"case_get", "GET " + casePath, func(ctx context.Context, c *salesforce.Client) error {
		_, err := c.CaseByKey(ctx, key, "ann")
		return err
	}},
}

func asJSON(t *testing.T, s string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return v
}

func TestCreateCaseRequest(t *testing.T) {
	full := salesforce.Case{Subject: "Hilfe & <b>", Description: "d", SuppliedName: "Ann", SuppliedEmail: "ann@example.com", Key: key, UserID: "ann"}
	withFields := `{"Subject":"Hilfe & <b>","Description":"d","SuppliedName":"Ann","SuppliedEmail":"ann@example.com","Caseroom_Key__c":"` + key + `","Caseroom_User__c":"ann"}`
	tests := []struct {
		name   string
		change func(*salesforce.Options)
		in     salesforce.Case
		path   string
		assign string
		body   string
	}{
		{"all fields", func(*salesforce.Options) {}, full, casesPath, "TRUE", withFields},
		{"rules off", func(o *salesforce.Options) { o.AutoAssign = "false" }, full, casesPath, "FALSE", withFields},
		{"one rule", func(o *salesforce.Options) { o.AutoAssign = "01Q000000000001EAA" }, full, casesPath, "01Q000000000001EAA", withFields},
		{"older API, no package", func(o *salesforce.Options) { o.APIVersion, o.KeyField, o.UserField = "62.0", "", "" }, full,
			instanceAt + "/services/data/v62.0/sobjects/Case", "TRUE",
			`{"Subject":"Hilfe & <b>","Description":"d","SuppliedName":"Ann","SuppliedEmail":"ann@example.com"}`},
		{"nothing stated", func(*salesforce.Options) {}, salesforce.Case{Subject: "s", Description: "d", Key: key, UserID: "ann"}, casesPath, "TRUE",
			`{"Subject":"s","Description":"d","Caseroom_Key__c":"` + key + `","Caseroom_User__c":"ann"}`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrg(t)
			o.On("POST "+tc.path, reply(201, `{"id":"500000000000001","success":true,"errors":[]}`))
			id, err := o.client(tc.change).CreateCase(t.Context(), tc.in)
			if err != nil || id != caseID {
				t.Fatalf("%q, %v; want the 18-character id", id, err)
			}
			got := o.To(tc.path)[0]
			if diff := cmp.Diff(asJSON(t, tc.body), asJSON(t, got.Body)); diff != "" {
				t.Errorf("body (-want +got)\n%s", diff)
			}
			for name, want := range map[string]string{
				"Sforce-Auto-Assign": tc.assign, "Authorization": "Bearer 00D!tok-1",
				"Content-Type": "application/json", "Idempotency-Key": "",
			} {
				if g := got.Header.Get(name); g != want {
					t.Errorf("%s: %q, want %q", name, g, want)
				}
			}
		})
	}
}

func TestCaseByKey(t *testing.T) {
	tests := []struct {
		name   string
		h      http.HandlerFunc
		want   string
		class  upstream.Class // "" for no error
		status int
	}{
		{"ours", reply(200, `{"attributes":{"type":"Case"},"Id":"`+caseID+`","Caseroom_User__c":"ann"}`), caseID, "", 0},
		{"15 characters", reply(200, `{"Id":"500000000000001"}`), caseID, "", 0},
		{"nobody's", reply(200, `{"Id":"`+caseID+`","Caseroom_User__c":null}`), caseID, "", 0},
		{"another customer's", reply(200, `{"Id":"`+caseID+`","Caseroom_User__c":"bob"}`), "", upstream.Refused, 200},
		{"none", restError(404, "NOT_FOUND"), "", "", 0},
		{"404 by somebody else", reply(404, `<html>`), "", upstream.Unknown, 404},
		{"several", reply(300, `["/services/data/v68.0/sobjects/Case/500a","/services/data/v68.0/sobjects/Case/500b"]`), "", upstream.Refused, 300},
		{"not a case", reply(200, `{"Id":"001000000000001AAA"}`), "", upstream.Unknown, 200},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrg(t)
			o.On("GET "+casePath, tc.h)
			id, err := o.client().CaseByKey(t.Context(), key, "ann")
			if id != tc.want || (err == nil) != (tc.class == "") {
				t.Fatalf("%q, %v", id, err)
			}
			if err != nil {
				if e := mustError(t, err); e.Class != tc.class || e.Status != tc.status {
					t.Errorf("got %+v", e)
				}
			}
			got := o.To(casePath)[0]
			if got.Query != "fields=Id%2CCaseroom_User__c" || got.Header.Get("Authorization") != "Bearer 00D!tok-1" {
				t.Errorf("query %q, headers %v", got.Query, got.Header)
			}
		})
	}
	t.Run("no key field", func(t *testing.T) {
		o := newOrg(t)
		id, err := o.client(func(o *salesforce.Options) { o.KeyField = "" }).CaseByKey(t.Context(), key, "ann")
		if id != "" || err != nil || len(o.Calls()) != 0 {
			t.Errorf("%q, %v, %d calls", id, err, len(o.Calls()))
		}
	})
	t.Run("no user field", func(t *testing.T) {
		o := newOrg(t)
		o.On("GET "+casePath, reply(200, `{"Id":"`+caseID+`"}`))
		id, err := o.client(func(o *salesforce.Options) { o.UserField = "" }).CaseByKey(t.Context(), key, "ann")
		if id != caseID || err != nil || o.To(casePath)[0].Query != "fields=Id" {
			t.Errorf("%q, %v, %+v", id, err, o.To(casePath))
		}
	})
}

func TestErrorClasses(t *testing.T) {
	tests := []struct {
		name        string
		h           http.HandlerFunc
		class       upstream.Class
		status      int
		code        string
		credentials bool
	}{
		{"missing field", restError(400, "REQUIRED_FIELD_MISSING"), upstream.Refused, 400, "REQUIRED_FIELD_MISSING", false},
		{"validation rule", restError(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"), upstream.Refused, 400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", false},
		{"locked row", restError(400, "UNABLE_TO_LOCK_ROW"), upstream.Unavailable, 400, "UNABLE_TO_LOCK_ROW", false},
		{"slow query", restError(400, "QUERY_TIMEOUT"), upstream.Unavailable, 400, "QUERY_TIMEOUT", false},
		{"server unavailable", restError(503, "SERVER_UNAVAILABLE"), upstream.Unavailable, 503, "SERVER_UNAVAILABLE", false},
		{"day's calls spent", restError(403, "REQUEST_LIMIT_EXCEEDED"), upstream.RateLimited, 403, "REQUEST_LIMIT_EXCEEDED", false},
		{"no access", restError(403, "INSUFFICIENT_ACCESS"), upstream.Refused, 403, "INSUFFICIENT_ACCESS", false},
		{"version retired", restError(410, "UNSUPPORTED_API_VERSION"), upstream.Refused, 410, "UNSUPPORTED_API_VERSION", false},
		{"rate limit", reply(429, `[]`), upstream.RateLimited, 429, "", false},
		{"session", restError(401, "INVALID_SESSION_ID"), upstream.Refused, 401, "INVALID_SESSION_ID", true},
		{"OAuth shape", reply(403, `{"error":"Bad_OAuth_Token","error_description":"x"}`), upstream.Refused, 403, "Bad_OAuth_Token", false},
		{"prose for a code", reply(400, `[{"errorCode":"tok-1 is bad"}]`), upstream.Refused, 400, "", false},
		{"unknown exception", restError(500, "UNKNOWN_EXCEPTION"), upstream.Unknown, 500, "UNKNOWN_EXCEPTION", false},
		{"bad gateway", reply(502, `<html>`), upstream.Unknown, 502, "", false},
		{"unavailable", reply(503, `<html>`), upstream.Unavailable, 503, "", false},
		{"redirect to a login page", reply(302, ``), upstream.Unknown, 302, "", false},
		{"html for success", reply(200, `<html>`), upstream.Unknown, 200, "", false},
		{"null for success", reply(200, `null`), upstream.Unknown, 200, "", false},
		{"truncated", reply(201, `{"id":"5000`), upstream.Unknown, 201, "", false},
		{"empty", reply(204, ``), upstream.Unknown, 204, "", false},
		{"no id", reply(201, `{"success":true}`), upstream.Unknown, 201, "", false},
		{"wrong types", reply(201, `{"id":5,"Id":5,"success":true}`), upstream.Unknown, 201, "", false},
		{"malformed id", reply(201, `{"id":"500","Id":"500","success":true}`), upstream.Unknown, 201, "", false},
		{"reset", drop, upstream.Unknown, 0, "", false},
	}
	for _, ep := range endpoints {
		for _, tc := range tests {
			t.Run(ep.name+"/"+tc.name, func(t *testing.T) {
				o := newOrg(t)
				o.On(ep.route, tc.h)
				e := mustError(t, ep.call(t.Context(), o.client()))
				if e.Class != tc.class || e.Status != tc.status || e.Code != tc.code || e.Credentials != tc.credentials {
					t.Errorf("got %+v, want class %s, status %d, code %q, credentials %v", e, tc.class, tc.status, tc.code, tc.credentials)
				}
				if e.Op != ep.name || e.Vendor != "salesforce" {
					t.Errorf("named %s %s", e.Vendor, e.Op)
				}
			})
		}
	}
	t.Run("not a success after all", func(t *testing.T) {
		o := newOrg(t)
		o.On("POST "+casesPath, reply(201, `{"id":"`+caseID+`","success":false,"errors":[]}`))
		_, err := o.client().CreateCase(t.Context(), salesforce.Case{})
		if e := mustError(t, err); e.Class != upstream.Unknown {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("a create is sent once", func(t *testing.T) {
		o := newOrg(t)
		o.On("POST "+casesPath, inTurn(created, drop))
		c := o.client()
		for range 2 { // the second on the first's kept connection
			_, _ = c.CreateCase(t.Context(), salesforce.Case{Key: key})
		}
		if n := len(o.To(casesPath)); n != 2 {
			t.Errorf("%d requests for two creations", n)
		}
	})
}

func TestSessionIsRenewedOnce(t *testing.T) {
	expired := restError(401, "INVALID_SESSION_ID")
	fine := reply(200, `{"Id":"`+caseID+`"}`)
	tests := []struct {
		name  string
		h     http.HandlerFunc
		ok    bool
		calls int
		mints int
	}{
		{"expired", inTurn(expired, fine), true, 2, 2},
		{"expired for good", expired, false, 2, 2},
		{"401 without a code", inTurn(reply(401, ``), fine), true, 2, 2},
		{"app not attached", reply(401, `[{"message":"Connected app is not attached to Agent","errorCode":"INVALID_SESSION_ID"}]`), false, 1, 1},
		{"session not for REST", reply(401, `[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]`), false, 1, 1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrg(t)
			o.On("GET "+casePath, tc.h)
			_, err := o.client().CaseByKey(t.Context(), key, "ann")
			if tc.ok != (err == nil) {
				t.Errorf("error %v", err)
			}
			if err != nil {
				if e := mustError(t, err); !e.Credentials || e.Class != upstream.Refused || e.Code != "INVALID_SESSION_ID" {
					t.Errorf("got %+v", e)
				}
			}
			if calls, mints := len(o.To(casePath)), len(o.To(tokenPath)); calls != tc.calls || mints != tc.mints {
				t.Errorf("%d calls, %d tokens; want %d, %d", calls, mints, tc.calls, tc.mints)
			}
		})
	}
	t.Run("case creation", func(t *testing.T) {
		o := newOrg(t)
		o.On("POST "+casesPath, inTurn(expired, created))
		if id, err := o.client().CreateCase(t.Context(), salesforce.Case{Key: key}); err != nil || id != caseID {
			t.Errorf("%q, %v", id, err)
		}
	})
	t.Run("the secret is gone", func(t *testing.T) {
		o := newOrg(t)
		o.On("GET "+casePath, expired)
		_, err := o.client(func(o *salesforce.Options) {
			o.Reread = func(context.Context) (salesforce.Credentials, error) {
				return salesforce.Credentials{}, errors.New("gone")
			}
		}).CaseByKey(t.Context(), key, "ann")
		if e := mustError(t, err); !e.Credentials || e.Status != 401 {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("the renewal fails", func(t *testing.T) {
		o := newOrg(t)
		o.On("POST "+tokenPath, inTurn(o.grant, reply(500, ``)))
		o.On("POST "+casesPath, expired)
		_, err := o.client().CreateCase(t.Context(), salesforce.Case{Key: key})
		if e := mustError(t, err); e.Class != upstream.Unavailable || e.Op != "oauth_token" {
			t.Errorf("got %+v", e)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	ok := salesforce.Options{BaseURL: "https://acme.my.salesforce.com", Credentials: fixed(byClient)}
	for name, change := range map[string]func(*salesforce.Options){
		"no credentials":   func(o *salesforce.Options) { o.Credentials = nil },
		"no base URL":      func(o *salesforce.Options) { o.BaseURL = "" },
		"plain http":       func(o *salesforce.Options) { o.BaseURL = "http://acme.my.salesforce.com" },
		"version":          func(o *salesforce.Options) { o.APIVersion = "v68" },
		"version path":     func(o *salesforce.Options) { o.APIVersion = "68.0/../" },
		"key field":        func(o *salesforce.Options) { o.KeyField = "A/B" },
		"user field":       func(o *salesforce.Options) { o.UserField = "A,B" },
		"auto-assign":      func(o *salesforce.Options) { o.AutoAssign = "yes" },
		"auto-assign id":   func(o *salesforce.Options) { o.AutoAssign = "500000000000001AAA" },
		"negative timeout": func(o *salesforce.Options) { o.Timeout = -time.Second },
	} {
		o := ok
		change(&o)
		if _, err := salesforce.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c, err := salesforce.New(ok)
	if err != nil || c.Host() != "acme.my.salesforce.com" {
		t.Errorf("%v, %v", c.Host(), err)
	}
}

func FuzzErrors(f *testing.F) {
	for _, s := range []string{
		`[{"message":"m","errorCode":"NOT_FOUND","fields":["a"]}]`, `{"error":"invalid_grant","error_description":"d"}`,
		`{"id":"` + caseID + `","success":true,"errors":[],"Id":"` + caseID + `"}`, `["/a"]`, `[]`, `[null]`, `null`, `{`, ``,
	} {
		f.Add(404, s)
		f.Add(200, s)
	}
	code := regexp.MustCompile(`^[A-Za-z_]{0,64}$`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 401 {
			return
		}
		c, err := salesforce.New(salesforce.Options{
			BaseURL: "https://acme.my.salesforce.com", KeyField: "K__c", UserField: "U__c", Credentials: fixed(byClient),
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == "/services/oauth2/token" {
					return answer(200, `{"access_token":"t","instance_url":"https://i.salesforce.com"}`), nil
				}
				return answer(status, body), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		id, err := c.CaseByKey(t.Context(), key, "ann")
		var e *upstream.Error
		if err != nil && (!errors.As(err, &e) || e.Status != status || !code.MatchString(e.Code) || id != "") {
			t.Errorf("case_get: %q, %v", id, err)
		}
		if err == nil && id == "" && status != 404 {
			t.Errorf("case_get: status %d says there is no case", status)
		}
		id, err = c.CreateCase(t.Context(), salesforce.Case{Key: key})
		if err == nil && (status > 299 || len(id) != 18) {
			t.Errorf("case_create: status %d gave %q", status, id)
		}
		if err != nil && (!errors.As(err, &e) || e.Status != status || !code.MatchString(e.Code)) {
			t.Errorf("case_create: %v", err)
		}
	})
}
