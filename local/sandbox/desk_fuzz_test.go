package sandbox

import (
	"encoding/json"
	"fmt"
	"github.com/caseroom/caseroom/local/sandbox/salesforce"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func fuzzNow() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// FuzzSOQL runs whatever parses against an org: no query may panic, and a
// refusal always names a code.
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
	fix := s.Fixtures()
	ticket, err := s.Zendesk().Create("x", "x", fix.Zendesk.AgentIDs[0])
	if err != nil {
		f.Fatal(err)
	}
	tickets := fmt.Sprintf("/zendesk/api/v2/tickets/%d", ticket)
	token := salesforceSession(f, h, fix.Salesforce)
	type target struct{ method, path, media string }
	targets := []target{
		{"POST", "/zendesk/oauth/tokens", "application/json"}, {"POST", "/zendesk/oauth/tokens", "application/x-www-form-urlencoded"},
		{"POST", "/zendesk/api/v2/tickets", "application/json"}, {"PUT", tickets, "application/json"},
		{"PUT", tickets + "/tags", "application/json"}, {"POST", tickets + "/merge", "application/json"},
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

// salesforceSession logs in with the app's own credentials.
func salesforceSession(f *testing.F, h http.Handler, fix salesforce.Fixture) string {
	f.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {fix.ClientID}, "client_secret": {fix.ClientSecret}}
	r := httptest.NewRequest("POST", "/salesforce/services/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.AccessToken == "" {
		f.Fatalf("no session: %d %s", w.Code, w.Body)
	}
	return out.AccessToken
}
