package sandbox

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func fuzzNow() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// FuzzSOQL runs whatever parses against an org: no query may panic, and a
// refusal always names a code.
func FuzzSOQL(f *testing.F) {
	for _, q := range []string{
		"SELECT Id, CaseNumber, Owner.Name FROM Case WHERE Caseroom_Key__c != null AND SystemModstamp > 2026-11-20T12:00:00Z ORDER BY SystemModstamp DESC NULLS LAST LIMIT 10 OFFSET 1",
		"SELECT COUNT() FROM Group WHERE NOT (Name LIKE 'S%_' OR Id IN ('00GHs0000000001', null))",
		`SELECT Id FROM User WHERE Name = 'a\'b\\' AND IsActive = true`,
		"SELECT Case.Id FROM Case WHERE Parent.Id = 'x'", "SELECT Id FROM Case WHERE Subject = '\\", "((((", "\xff'",
	} {
		f.Add(q)
	}
	s := New(Options{Now: fuzzNow})
	s.engine.Lock()
	defer s.engine.Unlock()
	s.salesforce.f.version = "68.0"
	s.salesforce.f.add(s.salesforce.f.objects["case"], map[string]any{"Subject": "x", "OwnerId": s.salesforce.f.queue})
	f.Fuzz(func(t *testing.T, q string) {
		parsed, err := parseSOQL(q)
		if err == nil {
			_, _, err = s.salesforce.f.run(parsed, true)
		}
		if err != nil && (err.code == "" || err.message == "") {
			t.Errorf("%q: a refusal without a code", q)
		}
	})
}

// FuzzDeskBodies sends bodies to every operation that takes one.
func FuzzDeskBodies(f *testing.F) {
	for _, b := range []string{
		`{"ticket":{"subject":"x","comment":{"body":"x","author_id":1},"requester":{"name":"n","email":"a@b.example"},"tags":["a b"],"custom_fields":[{"id":1,"value":[1]}]}}`,
		`{"user":{"name":"x","external_id":12,"email":"a@b.example"}}`, `{"tags":"a,b","safe_update":"true","updated_stamp":"x"}`,
		`{"webhook":{"name":"x","endpoint":"http://x","http_method":"POST","request_format":"json","status":"active","subscriptions":["conditional_ticket_events"]}}`,
		`{"trigger":{"title":"t","conditions":{"all":[{}]},"actions":[{"field":"notification_webhook","value":["x",1]}]}}`,
		`{"ids":[1],"target_comment":"x"}`, `{"Subject":"x","OwnerId":"005Hs0000000001","IsEscalated":true,"Comments":"c"}`,
		`<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>`, `grant_type=password`, `null`, `[]`, `"`, "{\"ticket\":null}",
	} {
		f.Add(b)
	}
	s := New(Options{Now: fuzzNow})
	h := s.Handler()
	fix := s.fix
	s.engine.Lock()
	s.zendesk.z.tickets[1] = &zendeskTicket{ZendeskTicket: ZendeskTicket{ID: 1, Status: "open", Tags: []string{},
		Comments: []ZendeskComment{{ID: 1, Body: "x"}}}}
	token := s.salesforce.f.open()
	s.engine.Unlock()
	type target struct{ method, path, media string }
	targets := []target{
		{"POST", "/zendesk/oauth/tokens", "application/json"}, {"POST", "/zendesk/oauth/tokens", "application/x-www-form-urlencoded"},
		{"POST", "/zendesk/api/v2/tickets", "application/json"}, {"PUT", "/zendesk/api/v2/tickets/1", "application/json"},
		{"PUT", "/zendesk/api/v2/tickets/1/tags", "application/json"}, {"POST", "/zendesk/api/v2/tickets/1/merge", "application/json"},
		{"POST", "/zendesk/api/v2/users/create_or_update", "application/json"}, {"POST", "/zendesk/api/v2/webhooks", "application/json"},
		{"POST", "/zendesk/api/v2/triggers", "application/json"},
		{"POST", "/salesforce/services/oauth2/token", "application/x-www-form-urlencoded"}, {"POST", "/salesforce/services/Soap/u/64.0", "text/xml"},
		{"POST", "/salesforce/services/data/v68.0/sobjects/Case", "application/json"},
		{"PATCH", "/salesforce/services/data/v68.0/sobjects/Caseroom_Transcript__c/Caseroom_Name__c/n", "application/json"},
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, x := range targets {
			r := httptest.NewRequest(x.method, x.path, strings.NewReader(body))
			r.Header.Set("Content-Type", x.media)
			r.Header.Set("SOAPAction", "x")
			if strings.HasPrefix(x.path, "/salesforce/services/data") {
				r.Header.Set("Authorization", "Bearer "+token)
			} else {
				r.SetBasicAuth(fix.Zendesk.Email+"/token", fix.Zendesk.APIToken)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			soap := x.media == "text/xml"
			if w.Code >= http.StatusInternalServerError && !soap {
				t.Errorf("%s %s: %d for %q", x.method, x.path, w.Code, body)
			}
		}
	})
}
