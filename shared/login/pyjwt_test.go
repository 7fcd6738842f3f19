package login_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/shared/login"
	pyjwt "github.com/caseroom/caseroom/tests/python"
)

// Tokens and keys that PyJWT and cryptography made.
func TestVerifyPyJWT(t *testing.T) {
	py := pyjwt.Start(t)
	rsaKey := py.Must(t, map[string]any{"op": "keygen", "kty": "RSA"})
	ecKey := py.Must(t, map[string]any{"op": "keygen", "kty": "EC"})
	for _, jwk := range []map[string]any{rsaKey.JWK, rsaKey.Xsolla} {
		jwk["kid"] = "r"
	}
	ecKey.JWK["kid"] = "e"
	xsolla, err := json.Marshal([]any{rsaKey.Xsolla})
	if err != nil {
		t.Fatal(err)
	}
	published := set(rsaKey.JWK, ecKey.JWK)
	const issuer, audience = "https://login.example.com", "4411"
	tests := []struct {
		name, alg, key, kid string
		keys                http.Handler
	}{
		{"HS256", "HS256", secret, "", nil},
		{"RS256", "RS256", rsaKey.PEM, "r", published},
		{"RS256, keys as Xsolla's", "RS256", rsaKey.PEM, "r", answer(http.StatusOK, string(xsolla))},
		{"ES256", "ES256", ecKey.PEM, "e", published},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := login.Config{Issuer: issuer, Audience: audience, Secrets: secrets(secret)}
			v := mustNew(t, config)
			if tt.keys != nil {
				v = mustServe(t, tt.keys, config)
			}
			request := map[string]any{"op": "sign", "alg": tt.alg, "key": tt.key, "claims": claims(map[string]any{
				"sub": "Müller-7", "xsolla_login_project_id": audience, "email": "m@example.com", "email_verified": true,
			})}
			if tt.kid != "" {
				request["header"] = map[string]any{"kid": tt.kid}
			}
			token := py.Must(t, request).Token
			u, err := v.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if u.Subject != "Müller-7" || u.Email != "m@example.com" || u.EmailVerified == nil || !*u.EmailVerified {
				t.Errorf("Verify() = %+v", u)
			}

			request["claims"] = claims(map[string]any{"xsolla_login_project_id": audience, "exp": now.Add(-time.Minute).Unix()})
			expired := py.Must(t, request).Token
			u, err = v.Verify(t.Context(), expired)
			wantInvalid(t, expired, u, err)
		})
	}
}

// PyJWT must agree with what the test signers produce, since other packages'
// tests and the stand-ins rely on them.
func TestSignersAgreeWithPyJWT(t *testing.T) {
	py := pyjwt.Start(t)
	real := time.Now() // PyJWT's clock cannot be set
	token := mustSign(t, logintest.HS(secret), logintest.Claims("u", real))
	a := py.Must(t, map[string]any{"op": "verify", "alg": "HS256", "key": secret, "token": token})
	if a.Claims["sub"] != "u" || a.Header["alg"] != "HS256" {
		t.Errorf("PyJWT reads %v under %v", a.Claims, a.Header)
	}
	if a := py.Ask(t, map[string]any{"op": "verify", "alg": "HS256", "key": secret2, "token": token}); a.Error != "InvalidSignatureError" {
		t.Errorf("PyJWT, with another secret: %+v", a)
	}
}
