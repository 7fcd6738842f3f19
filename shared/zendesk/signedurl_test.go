package zendesk_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/zendesk"
)

const appHost = "acme.zendesk.com"

var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

var appNow = time.Unix(1793000000, 0)

func appClaims(change map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": "acme.zendesk.com", "aud": "https://acme.zendesk.com/api/v2/apps/installations/55.json",
		"sub":     "https://acme.zendesk.com/api/v2/users/8801.json",
		"context": map[string]any{"product": "support", "location": "ticket_sidebar"},
		"iat":     appNow.Unix(), "nbf": appNow.Unix(), "exp": appNow.Add(time.Minute).Unix(),
	}
	for k, v := range change {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

func signApp(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	s, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publicPEM(t testing.TB, key *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestVerifyAppURL(t *testing.T) {
	sub := func(s string) map[string]any { return map[string]any{"sub": s} }
	aud := func(v any) map[string]any { return map[string]any{"aud": v} }
	tests := []struct {
		name   string
		change map[string]any
		host   string
		want   string // "" for refused
	}{
		{"as documented", nil, appHost, "8801"},
		{"host in capitals", nil, "ACME.Zendesk.com", "8801"},
		{"bare number", sub("8801"), appHost, "8801"},
		{"no extension", sub("https://acme.zendesk.com/api/v2/users/8801"), appHost, "8801"},
		{"several audiences", aud([]string{"https://other.zendesk.com/", "https://acme.zendesk.com/x"}), appHost, "8801"},
		{"with a port", map[string]any{"iss": "http://127.0.0.1:3100", "aud": "http://127.0.0.1:3100/zendesk/api/v2/apps/installations/1.json", "sub": "http://127.0.0.1:3100/zendesk/api/v2/users/7.json"}, "127.0.0.1:3100", "7"},
		{"other account", aud("https://evil.zendesk.com/api/v2/apps/installations/55.json"), appHost, ""},
		{"host in the path", aud("https://evil.example/acme.zendesk.com"), appHost, ""},
		{"host as user info", aud("https://acme.zendesk.com@evil.example/"), appHost, ""},
		{"host as a suffix", aud("https://xacme.zendesk.com/"), appHost, ""},
		{"no URL", aud("acme.zendesk.com"), appHost, ""},
		{"no audience", aud(nil), appHost, ""},
		{"no host configured", aud("/x"), "", ""},
		{"agent of another account", sub("https://evil.zendesk.com/api/v2/users/8801.json"), appHost, ""},
		{"issuer with a scheme", map[string]any{"iss": "https://ACME.zendesk.com"}, appHost, "8801"},
		{"another issuer", map[string]any{"iss": "evil.zendesk.com"}, appHost, ""},
		{"another issuer's URL", map[string]any{"iss": "https://evil.example/acme.zendesk.com"}, appHost, ""},
		{"no issuer", map[string]any{"iss": nil}, appHost, ""},
		{"another location", map[string]any{"context": map[string]any{"product": "support", "location": "nav_bar"}}, appHost, ""},
		{"another product", map[string]any{"context": map[string]any{"product": "chat", "location": "ticket_sidebar"}}, appHost, ""},
		{"no context", map[string]any{"context": nil}, appHost, ""},
		{"old, of long life", map[string]any{"iat": appNow.Add(-16 * time.Minute).Unix(), "exp": appNow.Add(time.Hour).Unix()}, appHost, ""},
		{"no iat", map[string]any{"iat": nil}, appHost, "8801"},
		{"no number", sub("https://acme.zendesk.com/api/v2/users/me.json"), appHost, ""},
		{"number inside a word", sub("user8801"), appHost, ""},
		{"zero", sub("0"), appHost, ""},
		{"no subject", sub(""), appHost, ""},
		{"a subject of digits and more", sub("8801\n"), appHost, ""},
		{"expired", map[string]any{"exp": appNow.Add(-time.Minute).Unix()}, appHost, ""},
		{"just expired", map[string]any{"exp": appNow.Add(-10 * time.Second).Unix()}, appHost, "8801"},
		{"no exp", map[string]any{"exp": nil}, appHost, ""},
		{"from the future", map[string]any{"iat": appNow.Add(time.Hour).Unix()}, appHost, ""},
		{"not yet", map[string]any{"nbf": appNow.Add(time.Hour).Unix()}, appHost, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			token := signApp(t, jwt.SigningMethodRS256, appKey(), appClaims(tc.change))
			got, err := zendesk.VerifyAppURL(token, &appKey().PublicKey, tc.host, appNow)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("%q, %v; want %q", got, err, tc.want)
			}
			if err != nil && !errors.Is(err, zendesk.ErrAppToken) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestVerifyAppURLSignatures(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pub := &appKey().PublicKey
	good := signApp(t, jwt.SigningMethodRS256, appKey(), appClaims(nil))
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"another key":           signApp(t, jwt.SigningMethodRS256, other, appClaims(nil)),
		"RS512":                 signApp(t, jwt.SigningMethodRS512, appKey(), appClaims(nil)),
		"PS256":                 signApp(t, jwt.SigningMethodPS256, appKey(), appClaims(nil)),
		"HS256 with the PEM":    signApp(t, jwt.SigningMethodHS256, []byte(publicPEM(t, pub)), appClaims(nil)),
		"none":                  signApp(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, appClaims(nil)),
		"no signature":          parts[0] + "." + parts[1] + ".",
		"another token's claim": parts[0] + "." + strings.Split(signApp(t, jwt.SigningMethodRS256, other, appClaims(map[string]any{"sub": "1"})), ".")[1] + "." + parts[2],
		"empty":                 "",
		"not a token":           "a.b",
	} {
		if id, err := zendesk.VerifyAppURL(token, pub, appHost, appNow); id != "" || !errors.Is(err, zendesk.ErrAppToken) {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
	if _, err := zendesk.VerifyAppURL(good, nil, appHost, appNow); !errors.Is(err, zendesk.ErrAppToken) {
		t.Errorf("no key: %v", err)
	}
}

func TestParseAppKey(t *testing.T) {
	key, err := zendesk.ParseAppKey(publicPEM(t, &appKey().PublicKey))
	if err != nil || !key.Equal(&appKey().PublicKey) {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{
		"too short": publicPEM(t, &short.PublicKey), "empty": "", "no PEM": "MIIB",
		"no key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
	} {
		if _, err := zendesk.ParseAppKey(s); !errors.Is(err, zendesk.ErrAppKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerifyAppURL(f *testing.F) {
	good := signApp(f, jwt.SigningMethodRS256, appKey(), appClaims(nil))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := zendesk.VerifyAppURL(token, &appKey().PublicKey, appHost, appNow)
		// Nobody but the key's owner makes a token: only the seed is one, and
		// what differs from it in bits that base64 ignores.
		if err == nil && (id != "8801" || len(token) != len(good)) {
			t.Errorf("%q opens the app for %q", token, id)
		}
		if err != nil && (id != "" || !errors.Is(err, zendesk.ErrAppToken)) {
			t.Errorf("%q: %q, %v", token, id, err)
		}
	})
}
