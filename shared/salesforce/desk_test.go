package salesforce_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/upstream"
)

var ann = relay.NewTicket{Key: key, UserID: "ann", Subject: "Help", Desc: "It is broken.", Name: "Ann", Email: "ann@example.com"}

func TestDeskCreate(t *testing.T) {
	long := strings.Repeat("x", 76) + "@example.com"
	tests := []struct {
		name   string
		change func(*relay.NewTicket)
		want   map[string]any // differences from ann's case; nil for absent
	}{
		{"as it is", func(*relay.NewTicket) {}, nil},
		{"stated address", func(n *relay.NewTicket) { n.Email, n.StatedEmail = "", "x@example.com" }, map[string]any{"SuppliedEmail": "x@example.com"}},
		{"verified address wins", func(n *relay.NewTicket) { n.StatedEmail = "x@example.com" }, nil},
		{"a hidden name", func(n *relay.NewTicket) { n.Name = "\u200b\u3164" }, map[string]any{"SuppliedName": nil}},
		{"what turns and hides", func(n *relay.NewTicket) { n.Subject, n.Desc = "He\u202elp\n!", "It is\u2066 broken.\x00" }, map[string]any{"Subject": "Help !"}},
		{"no name, no address", func(n *relay.NewTicket) { n.Name, n.Email = "", "" }, map[string]any{"SuppliedName": nil, "SuppliedEmail": nil}},
		{"long name", func(n *relay.NewTicket) { n.Name = strings.Repeat("é", 90) }, map[string]any{"SuppliedName": strings.Repeat("é", 80)}},
		{"long name beyond the BMP", func(n *relay.NewTicket) { n.Name = "a" + strings.Repeat("😀", 40) }, map[string]any{"SuppliedName": "a" + strings.Repeat("😀", 39)}},
		{"long subject", func(n *relay.NewTicket) { n.Subject = strings.Repeat("ü", 300) }, map[string]any{"Subject": strings.Repeat("ü", 255)}},
		{"long address", func(n *relay.NewTicket) { n.Email = long }, map[string]any{"SuppliedEmail": nil, "Description": "It is broken.\n\nE-mail address: " + long}},
		{"long text", func(n *relay.NewTicket) { n.Desc = strings.Repeat("語", 40000) }, map[string]any{"Description": strings.Repeat("語", 32000)}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			o := newOrg(t)
			o.On("POST "+casesPath, created)
			n := ann
			tc.change(&n)
			id, err := salesforce.Desk{Client: o.client()}.Create(t.Context(), n)
			if err != nil || id != caseID {
				t.Fatalf("%q, %v", id, err)
			}
			want := map[string]any{
				"Subject": "Help", "Description": "It is broken.", "SuppliedName": "Ann", "SuppliedEmail": "ann@example.com",
				"Caseroom_Key__c": key, "Caseroom_User__c": "ann",
			}
			for k, v := range tc.want {
				if want[k] = v; v == nil {
					delete(want, k)
				}
			}
			if diff := cmp.Diff(any(want), asJSON(t, o.To(casesPath)[0].Body)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	d := salesforce.Desk{Client: newOrg(t).client()}
	if d.Name() != relay.Salesforce || !strings.HasPrefix(d.Host(), "127.0.0.1:") {
		t.Errorf("%s at %s", d.Name(), d.Host())
	}
}

// TestRefusedDataCostsTheDataAlone: an address or a name that an org minds does not
// cost the customer the case.
func TestRefusedDataCostsTheDataAlone(t *testing.T) {
	refuse := func(code string, fields ...string) http.HandlerFunc {
		named, _ := json.Marshal(fields)
		return reply(400, `[{"message":"…","errorCode":"`+code+`","fields":`+string(named)+`}]`)
	}
	const badMail = "E-mail address that the desk refused: ann@example.com\n\n"
	for name, tc := range map[string]struct {
		answers  []http.HandlerFunc
		fallback string
		want     map[string]any // of the last case, nil when it cannot be made
		class    upstream.Class
	}{
		"an address":            {[]http.HandlerFunc{refuse("INVALID_EMAIL_ADDRESS", "SuppliedEmail"), created}, "", map[string]any{"SuppliedName": "Ann", "Description": badMail + "It is broken."}, ""},
		"an address, fallback":  {[]http.HandlerFunc{refuse("INVALID_EMAIL_ADDRESS", "SuppliedEmail"), created}, "no-reply@example.com", map[string]any{"SuppliedName": "Ann", "SuppliedEmail": "no-reply@example.com", "Description": badMail + "It is broken."}, ""},
		"a rule about the name": {[]http.HandlerFunc{refuse("FIELD_CUSTOM_VALIDATION_EXCEPTION", "SuppliedName"), created}, "", map[string]any{"SuppliedEmail": "ann@example.com", "Description": "Name that the desk refused: Ann\n\nIt is broken."}, ""},
		"one after the other":   {[]http.HandlerFunc{refuse("FIELD_CUSTOM_VALIDATION_EXCEPTION", "SuppliedName"), refuse("INVALID_EMAIL_ADDRESS", "SuppliedEmail"), created}, "", map[string]any{"Description": badMail + "Name that the desk refused: Ann\n\nIt is broken."}, ""},
		"a rule of no field":    {[]http.HandlerFunc{refuse("FIELD_CUSTOM_VALIDATION_EXCEPTION"), created}, "", map[string]any{"Description": badMail + "Name that the desk refused: Ann\n\nIt is broken."}, ""},
		"another field":         {[]http.HandlerFunc{refuse("REQUIRED_FIELD_MISSING", "Product__c")}, "", nil, upstream.Refused},
		"the fallback too":      {[]http.HandlerFunc{refuse("INVALID_EMAIL_ADDRESS", "SuppliedEmail"), refuse("INVALID_EMAIL_ADDRESS", "SuppliedEmail")}, "no-reply@example.com", nil, upstream.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t)
			o.On("POST "+casesPath, inTurn(tc.answers...))
			id, err := salesforce.Desk{Client: o.client(), FallbackEmail: tc.fallback}.Create(t.Context(), ann)
			posts := o.To(casesPath)
			if len(posts) != len(tc.answers) {
				t.Errorf("%d creations", len(posts))
			}
			if tc.want == nil {
				if mustError(t, err).Class != tc.class {
					t.Errorf("%q, %v", id, err)
				}
				return
			}
			if err != nil || id != caseID {
				t.Fatalf("%q, %v", id, err)
			}
			tc.want["Subject"], tc.want["Caseroom_Key__c"], tc.want["Caseroom_User__c"] = "Help", key, "ann"
			if diff := cmp.Diff(any(tc.want), asJSON(t, posts[len(posts)-1].Body)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestUnknownOutcomeIsLookedUp(t *testing.T) {
	none := restError(404, "NOT_FOUND")
	ours := reply(200, `{"Id":"`+caseID+`","Caseroom_User__c":"ann"}`)
	outcomes := map[string]http.HandlerFunc{
		"reset":     drop,
		"500":       restError(500, "UNKNOWN_EXCEPTION"),
		"502":       reply(502, ``),
		"504":       reply(504, ``),
		"html":      reply(200, `<html>`),
		"null":      reply(201, `null`),
		"truncated": reply(201, `{"id":"50`),
		"duplicate": restError(400, "DUPLICATE_VALUE"),
	}
	for name, outcome := range outcomes {
		for lookups, tc := range map[string]struct {
			get   http.HandlerFunc
			found bool
			gets  int
			waits int
		}{
			"found at once":      {ours, true, 1, 0},
			"found later":        {inTurn(none, none, ours), true, 3, 2},
			"look-up falters":    {inTurn(reply(503, ``), ours), true, 2, 1},
			"never found":        {none, false, 3, 2},
			"another customer's": {reply(200, `{"Id":"`+caseID+`","Caseroom_User__c":"bob"}`), false, 1, 0},
			"several":            {reply(300, `["a","b"]`), false, 1, 0},
			"limit spent":        {restError(403, "REQUEST_LIMIT_EXCEEDED"), false, 1, 0},
		} {
			t.Run(name+"/"+lookups, func(t *testing.T) {
				o := newOrg(t)
				o.On("POST "+casesPath, outcome)
				o.On("GET "+casePath, tc.get)
				waits := 0
				d := salesforce.Desk{Client: o.client(), Wait: func(context.Context, time.Duration) error { waits++; return nil }}
				id, err := d.Create(t.Context(), ann)
				if tc.found && (err != nil || id != caseID) {
					t.Errorf("%q, %v", id, err)
				}
				if !tc.found {
					e := mustError(t, err)
					if id != "" || e.Op != "case_create" || e.OutcomeUnknown() == (name == "duplicate") {
						t.Errorf("%q, %+v; want the creation's error", id, e)
					}
				}
				if posts, gets := len(o.To(casesPath)), len(o.To(casePath)); posts != 1 || gets != tc.gets || waits != tc.waits {
					t.Errorf("%d creations, %d look-ups, %d waits; want 1, %d, %d", posts, gets, waits, tc.gets, tc.waits)
				}
			})
		}
		t.Run(name+"/no key field", func(t *testing.T) {
			o := newOrg(t)
			o.On("POST "+casesPath, outcome)
			_, err := salesforce.Desk{Client: o.client(func(o *salesforce.Options) { o.KeyField = "" }), Wait: noWait}.Create(t.Context(), ann)
			mustError(t, err)
			if n := len(o.To(casesPath)); n != 1 {
				t.Errorf("%d creations", n)
			}
		})
	}
}

func TestCertainFailuresAreNotLookedUp(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"invalid":      restError(400, "STRING_TOO_LONG"),
		"limit spent":  restError(403, "REQUEST_LIMIT_EXCEEDED"),
		"rate limited": reply(429, ``),
		"unavailable":  restError(503, "SERVER_UNAVAILABLE"),
		"locked":       restError(400, "UNABLE_TO_LOCK_ROW"),
		"retired":      restError(410, "UNSUPPORTED_API_VERSION"),
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t)
			o.On("POST "+casesPath, h)
			_, err := salesforce.Desk{Client: o.client()}.Create(t.Context(), ann)
			if e := mustError(t, err); e.OutcomeUnknown() {
				t.Errorf("got %+v", e)
			}
			if n := len(o.To(casePath)); n != 0 {
				t.Errorf("%d look-ups", n)
			}
		})
	}
}

func TestTimeOutLeavesTimeToLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newDirectOrg(t)
		o.On("POST "+casesPath, hang)
		o.On("GET "+casePath, reply(200, `{"Id":"`+caseID+`"}`))
		c := o.client(func(options *salesforce.Options) { options.Transport = o })
		id, err := salesforce.Desk{Client: c, Wait: noWait}.Create(t.Context(), ann)
		if err != nil || id != caseID {
			t.Errorf("%q, %v", id, err)
		}
	})
}

func TestWriteGetsPartOfTheDeadline(t *testing.T) {
	left := map[string]time.Duration{}
	c, err := salesforce.New(salesforce.Options{
		BaseURL: "https://acme.my.salesforce.com", KeyField: "K__c", Credentials: fixed(byClient), Timeout: time.Hour,
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			deadline, _ := r.Context().Deadline()
			switch {
			case r.URL.Path == "/services/oauth2/token":
				return answer(200, `{"access_token":"t","instance_url":"https://i.salesforce.com"}`), nil
			case r.Method == http.MethodGet:
				left["look-up"] = time.Until(deadline)
				return answer(404, `[{"errorCode":"NOT_FOUND"}]`), nil
			default:
				left["creation"] = time.Until(deadline)
				return answer(500, ``), nil
			}
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	var waits []time.Duration
	d := salesforce.Desk{Client: c, Wait: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	defer cancel()
	if _, err := d.Create(ctx, ann); err == nil {
		t.Error("no error")
	}
	for what, want := range map[string]time.Duration{"creation": 60 * time.Second, "look-up": 100 * time.Second} {
		if got := left[what]; got > want || got < want-20*time.Second {
			t.Errorf("%s had %v left, want about %v", what, got, want)
		}
	}
	if !cmp.Equal(waits, []time.Duration{400 * time.Millisecond, 800 * time.Millisecond}) {
		t.Errorf("waits %v", waits)
	}
}

func TestLookUpEndsWithTheContext(t *testing.T) {
	o := newOrg(t)
	o.On("POST "+casesPath, reply(500, ``))
	ctx, cancel := context.WithCancel(t.Context())
	o.On("GET "+casePath, func(w http.ResponseWriter, r *http.Request) {
		restError(404, "NOT_FOUND")(w, r)
		cancel()
	})
	_, err := salesforce.Desk{Client: o.client()}.Create(ctx, ann)
	if e := mustError(t, err); e.Op != "case_create" || e.Status != 500 {
		t.Errorf("got %+v", e)
	}
	if n := len(o.To(casePath)); n != 1 {
		t.Errorf("%d look-ups", n)
	}
}

func TestDeskFind(t *testing.T) {
	for name, tc := range map[string]struct {
		h     http.HandlerFunc
		want  string
		class upstream.Class
		gets  int
	}{
		"none":           {restError(404, "NOT_FOUND"), "", "", 1},
		"one":            {reply(200, `{"Id":"`+caseID+`"}`), caseID, "", 1},
		"after a hiccup": {inTurn(restError(503, "SERVER_UNAVAILABLE"), reply(200, `{"Id":"`+caseID+`"}`)), caseID, "", 2},
		"several":        {reply(300, `["a"]`), "", upstream.Refused, 1},
		"limit spent":    {restError(403, "REQUEST_LIMIT_EXCEEDED"), "", upstream.RateLimited, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t)
			o.On("GET "+casePath, tc.h)
			id, err := salesforce.Desk{Client: o.client()}.Find(t.Context(), "ann", key)
			if id != tc.want || (err == nil) != (tc.class == "") {
				t.Fatalf("%q, %v", id, err)
			}
			if err != nil && upstream.ClassOf(err) != tc.class {
				t.Errorf("class %s", upstream.ClassOf(err))
			}
			if n := len(o.To(casePath)); n != tc.gets {
				t.Errorf("%d reads, want %d", n, tc.gets)
			}
		})
	}
	t.Run("no key field", func(t *testing.T) {
		o := newOrg(t)
		id, err := salesforce.Desk{Client: o.client(func(o *salesforce.Options) { o.KeyField = "" })}.Find(t.Context(), "ann", key)
		if id != "" || err != nil || len(o.Calls()) != 0 {
			t.Errorf("%q, %v", id, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := salesforce.Desk{Client: newOrg(t).client()}.Find(ctx, "ann", key)
		if mustError(t, err); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
