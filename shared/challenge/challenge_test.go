package challenge_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/shared/challenge"
	"github.com/caseroom/caseroom/shared/upstream"
)

func TestPassed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		passed bool
		class  upstream.Class // of the error, "" for none
	}{
		"passed":                 {200, `{"success":true,"challenge_ts":"2026-12-01T12:00:00Z","hostname":"example.com","error-codes":[]}`, true, ""},
		"used before":            {200, `{"success":false,"error-codes":["timeout-or-duplicate"]}`, false, ""},
		"not a token":            {400, `{"success":false,"error-codes":["invalid-input-response"]}`, false, ""},
		"our secret":             {200, `{"success":false,"error-codes":["invalid-input-secret"]}`, false, upstream.Refused},
		"of another site":        {200, `{"success":false,"error-codes":["sitekey-secret-mismatch"]}`, false, upstream.Refused},
		"a page":                 {200, `<html>`, false, upstream.Unknown},
		"no word on it":          {200, `{}`, false, upstream.Unknown},
		"a proxy's refusal":      {403, `<html>`, false, upstream.Unknown},
		"out of order":           {503, `busy`, false, upstream.Unavailable},
		"success of an odd type": {200, `{"success":"true"}`, false, upstream.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var form, contentType string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				contentType = r.Header.Get("Content-Type")
				form = r.Method + " " + r.URL.Path + " " + r.FormValue("secret") + " " + r.FormValue("response") + " " + r.FormValue("remoteip")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			t.Cleanup(s.Close)
			client, err := upstream.New(upstream.Options{Vendor: "challenge", BaseURL: s.URL + "/v0/siteverify"})
			if err != nil {
				t.Fatal(err)
			}
			v := &challenge.Verifier{Client: client, Secret: func(context.Context) (string, error) { return "site-secret", nil }}
			passed, err := v.Passed(t.Context(), "token&x=1", "203.0.113.9")
			if passed != tt.passed || (err != nil) != (tt.class != "") || err != nil && upstream.ClassOf(err) != tt.class {
				t.Errorf("%t, %v; want %t, class %q", passed, err, tt.passed, tt.class)
			}
			if err != nil && (strings.Contains(err.Error(), "site-secret") || strings.Contains(err.Error(), "token&")) {
				t.Errorf("the error tells: %v", err)
			}
			if want := "POST /v0/siteverify site-secret token&x=1 203.0.113.9"; form != want || contentType != "application/x-www-form-urlencoded" {
				t.Errorf("sent %q as %s, want %q", form, contentType, want)
			}
		})
	}
	lost := errors.New("no secret")
	v := &challenge.Verifier{Secret: func(context.Context) (string, error) { return "", lost }}
	if passed, err := v.Passed(t.Context(), "x", ""); passed || !errors.Is(err, lost) {
		t.Errorf("without a secret: %t, %v", passed, err)
	}
}
