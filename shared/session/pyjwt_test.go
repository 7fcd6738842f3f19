package session_test

import (
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/session"
	pyjwt "github.com/caseroom/caseroom/tests/python"
)

func TestIssuedTokensByPyJWT(t *testing.T) {
	py := pyjwt.Start(t)
	start := time.Now() // PyJWT's clock cannot be set
	guestToken, err := session.Guests{Secrets: live(newest, older)}.Issue(t.Context(), guest(t))
	if err != nil {
		t.Fatal(err)
	}
	agentToken, expires, err := session.Agents{Secrets: live(newest, older)}.Issue(t.Context(), "360001234567")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, token, issuer, sub string
		ttl                      time.Duration
	}{
		{"guest", guestToken, "caseroom-guest", guest(t).ID(), 30 * 24 * time.Hour},
		{"agent", agentToken, "caseroom-app", "360001234567", 12 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request := map[string]any{"op": "verify", "alg": "HS256", "key": newest, "token": tt.token, "issuer": tt.issuer}
			a := py.Must(t, request)
			if a.Header["kid"] != identity.HashID("", newest, 8) || a.Header["alg"] != "HS256" {
				t.Errorf("header %v", a.Header)
			}
			if a.Claims["iss"] != tt.issuer || a.Claims["sub"] != tt.sub {
				t.Errorf("claims %v", a.Claims)
			}
			iat, exp := a.Claims["iat"].(float64), a.Claims["exp"].(float64)
			if exp-iat != tt.ttl.Seconds() || iat < float64(start.Unix()) {
				t.Errorf("iat %v, exp %v", iat, exp)
			}
			request["key"] = older
			if a := py.Ask(t, request); a.Error != "InvalidSignatureError" {
				t.Errorf("with another secret: %+v", a)
			}
		})
	}
	a := py.Must(t, map[string]any{"op": "verify", "alg": "HS256", "key": newest, "token": agentToken})
	if a.Claims["exp"].(float64) != float64(expires.Unix()) {
		t.Errorf("exp %v, want %v", a.Claims["exp"], expires.Unix())
	}
}

func TestVerifyPyJWT(t *testing.T) {
	py := pyjwt.Start(t)
	request := map[string]any{
		"op": "sign", "alg": "HS256", "key": older, "header": map[string]any{"kid": identity.HashID("", older, 8)},
		"claims": map[string]any{"iss": "caseroom-guest", "sub": guest(t).ID(), "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()},
	}
	guests := session.Guests{Secrets: live(newest, older), Now: at(0)}
	if id, err := guests.Verify(t.Context(), py.Must(t, request).Token); err != nil || id != guest(t) {
		t.Errorf("Verify() = %q, %v", id.ID(), err)
	}
	request["key"] = retired
	token := py.Must(t, request).Token
	_, err := guests.Verify(t.Context(), token)
	wantInvalid(t, token, err)
}
