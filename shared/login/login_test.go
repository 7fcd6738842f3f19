package login_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/shared/login"
	"github.com/caseroom/caseroom/shared/problem"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	secret  = "an-hs256-secret-of-the-login-project"
	secret2 = "the-secret-that-is-about-to-replace-it"
)

func clock() time.Time { return now }

func secrets(live ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return live, nil }
}

func mustNew(t testing.TB, c login.Config) *login.Verifier {
	t.Helper()
	if c.Now == nil {
		c.Now = clock
	}
	v, err := login.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mustServe publishes keys and returns a verifier that uses them.
func mustServe(t testing.TB, keys http.Handler, c login.Config) *login.Verifier {
	t.Helper()
	server := httptest.NewServer(keys)
	t.Cleanup(server.Close)
	c.JWKSURL = server.URL + "/keys"
	c.Client = server.Client()
	return mustNew(t, c)
}

func mustSign(t testing.TB, s *logintest.Signer, claims map[string]any) string {
	t.Helper()
	token, err := s.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// claims are good ones with changes; nil takes a claim away.
func claims(change map[string]any) map[string]any {
	c := logintest.Claims("user-1", now)
	c["iss"] = "https://login.example.com"
	maps.Copy(c, change)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

func wantInvalid(t *testing.T, token string, u login.User, err error) {
	t.Helper()
	if u != (login.User{}) {
		t.Errorf("a refused token names %+v", u)
	}
	if !errors.Is(err, login.ErrInvalid) || problem.CodeOf(err) != problem.Unauthorized {
		t.Fatalf("error = %v, want %v", err, login.ErrInvalid)
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 3 && strings.Contains(err.Error(), part) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

func TestVerifyClaims(t *testing.T) {
	yes, no := true, false
	base := login.User{Issuer: "https://login.example.com", Subject: "user-1"}
	with := func(f func(*login.User)) *login.User { u := base; f(&u); return &u }
	tests := []struct {
		name     string
		change   map[string]any
		issuer   string
		audience string
		want     *login.User // nil: refused
	}{
		{name: "least", want: &base},
		{
			name:   "all",
			change: map[string]any{"name": " Ada ", "email": "ada@example.com", "email_verified": true},
			want:   with(func(u *login.User) { u.Name, u.Email, u.EmailVerified = "Ada", "ada@example.com", &yes }),
		},
		{name: "verified as text", change: map[string]any{"email_verified": "true"}, want: with(func(u *login.User) { u.EmailVerified = &yes })},
		{name: "unverified", change: map[string]any{"email_verified": false}, want: with(func(u *login.User) { u.EmailVerified = &no })},
		{name: "unverified as text", change: map[string]any{"email_verified": "false"}, want: with(func(u *login.User) { u.EmailVerified = &no })},
		{name: "verified as 1", change: map[string]any{"email_verified": 1}, want: with(func(u *login.User) { u.EmailVerified = &no })},
		{name: "verified as TRUE", change: map[string]any{"email_verified": "TRUE"}, want: with(func(u *login.User) { u.EmailVerified = &no })},
		{name: "given and family name", change: map[string]any{"given_name": "Ada", "family_name": " Byron "}, want: with(func(u *login.User) { u.Name = "Ada Byron" })},
		{name: "given name alone", change: map[string]any{"given_name": "Ada"}, want: with(func(u *login.User) { u.Name = "Ada" })},
		{name: "name before its parts", change: map[string]any{"name": "Ada", "given_name": "A.", "family_name": "B."}, want: with(func(u *login.User) { u.Name = "Ada" })},
		{name: "Keycloak's user name", change: map[string]any{"preferred_username": "ada"}, want: with(func(u *login.User) { u.Name = "ada" })},
		{name: "Xsolla's user name", change: map[string]any{"username": "ada"}, want: with(func(u *login.User) { u.Name = "ada" })},
		{name: "a user name that is an address", change: map[string]any{"preferred_username": "ada@example.com"}, want: &base},
		{name: "B2C's list of one address", change: map[string]any{"emails": []string{"ada@example.com"}}, want: with(func(u *login.User) { u.Email = "ada@example.com" })},
		{name: "B2C's list of two addresses", change: map[string]any{"emails": []string{"a@example.com", "b@example.com"}}, want: &base},
		{name: "an address list of another type", change: map[string]any{"emails": []any{7}}, want: &base},
		{name: "Microsoft's verified domain", change: map[string]any{"email": "a@b.c", "xms_edov": true}, want: with(func(u *login.User) { u.Email, u.EmailVerified = "a@b.c", &yes })},
		{name: "Microsoft's verified domain as 1", change: map[string]any{"xms_edov": 1}, want: with(func(u *login.User) { u.EmailVerified = &yes })},
		{name: "Microsoft's unverified domain", change: map[string]any{"xms_edov": false}, want: with(func(u *login.User) { u.EmailVerified = &no })},
		{name: "email_verified before xms_edov", change: map[string]any{"email_verified": false, "xms_edov": true}, want: with(func(u *login.User) { u.EmailVerified = &no })},
		{name: "Cognito's ID token", change: map[string]any{"token_use": "id"}, want: &base},
		{name: "Cognito's access token", change: map[string]any{"token_use": "access"}},
		{name: "optional claims of other types", change: map[string]any{"name": 1, "email": []string{"a@b.c"}}, want: &base},
		{name: "no iss", change: map[string]any{"iss": nil}, want: &login.User{Subject: "user-1"}},
		{name: "sub in other case", change: map[string]any{"sub": nil, "Sub": "user-1"}},
		{name: "no sub", change: map[string]any{"sub": nil}},
		{name: "empty sub", change: map[string]any{"sub": ""}},
		{name: "numeric sub", change: map[string]any{"sub": 7}},
		{name: "sub with a line break", change: map[string]any{"sub": "a\nb"}},
		{name: "sub with U+FFFD", change: map[string]any{"sub": "a\uFFFD"}},
		{name: "no exp", change: map[string]any{"exp": nil}},
		{name: "exp as text", change: map[string]any{"exp": fmt.Sprint(now.Add(time.Hour).Unix())}},
		{name: "expired", change: map[string]any{"exp": now.Add(-time.Second).Unix()}},
		{name: "issued in two minutes", change: map[string]any{"iat": now.Add(2 * time.Minute).Unix()}},
		{name: "valid in two minutes", change: map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}},

		{name: "right iss", issuer: "https://login.example.com", want: &base},
		{name: "wrong iss", issuer: "https://login.example.org"},
		{name: "iss with a slash more", issuer: "https://login.example.com/"},
		{name: "missing iss", issuer: "https://login.example.com", change: map[string]any{"iss": nil}},
		{name: "iss in an array", issuer: "https://login.example.com", change: map[string]any{"iss": []string{"https://login.example.com"}}},
		{name: "iss of another type, unchecked", change: map[string]any{"iss": 5}},

		{name: "aud text", audience: "shop", change: map[string]any{"aud": "shop"}, want: &base},
		{name: "aud array", audience: "shop", change: map[string]any{"aud": []string{"other", "shop"}}, want: &base},
		{name: "Xsolla project", audience: "4411", change: map[string]any{"xsolla_login_project_id": "4411"}, want: &base},
		{name: "Xsolla project beside another aud", audience: "4411", change: map[string]any{"aud": "x", "xsolla_login_project_id": "4411"}, want: &base},
		{name: "missing aud", audience: "shop"},
		{name: "wrong aud", audience: "shop", change: map[string]any{"aud": "shop2"}},
		{name: "aud that contains ours", audience: "shop", change: map[string]any{"aud": "a shop b"}},
		{name: "empty aud", audience: "shop", change: map[string]any{"aud": []string{}}},
		{name: "aud array of mixed types", audience: "shop", change: map[string]any{"aud": []any{"shop", 1}}},
		{name: "wrong Xsolla project", audience: "4411", change: map[string]any{"xsolla_login_project_id": "4412"}},
		{name: "numeric Xsolla project", audience: "4411", change: map[string]any{"xsolla_login_project_id": 4411}},
		{name: "aud unchecked", change: map[string]any{"aud": "anything"}, want: &base},
	}
	rsa := logintest.RSA("k1")
	for _, tt := range tests {
		config := login.Config{Issuer: tt.issuer, Audience: tt.audience}
		published := mustServe(t, logintest.JWKS(rsa), config)
		config.Secrets = secrets(secret)
		for alg, v := range map[string]struct {
			*login.Verifier
			*logintest.Signer
		}{"HS256": {mustNew(t, config), logintest.HS(secret)}, "RS256": {published, rsa}} {
			t.Run(alg+" "+tt.name, func(t *testing.T) {
				token := mustSign(t, v.Signer, claims(tt.change))
				got, err := v.Verify(t.Context(), token)
				if tt.want == nil {
					wantInvalid(t, token, got, err)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if (got.EmailVerified == nil) != (tt.want.EmailVerified == nil) ||
					(got.EmailVerified != nil && *got.EmailVerified != *tt.want.EmailVerified) {
					t.Errorf("EmailVerified is wrong")
				}
				got.EmailVerified = tt.want.EmailVerified
				if got != *tt.want {
					t.Errorf("Verify() = %+v, want %+v", got, *tt.want)
				}
			})
		}
	}
}

func TestVerifyHS256Secrets(t *testing.T) {
	v := mustNew(t, login.Config{Secrets: secrets(secret, secret2, "")})
	for _, s := range []string{secret, secret2} {
		if u, err := v.Verify(t.Context(), mustSign(t, logintest.HS(s), claims(nil))); err != nil || u.Subject != "user-1" {
			t.Errorf("a live secret's token: %+v, %v", u, err)
		}
	}
	for _, s := range []string{"", "another secret", secret + "x"} {
		token := mustSign(t, logintest.HS(s), claims(nil))
		u, err := v.Verify(t.Context(), token)
		wantInvalid(t, token, u, err)
	}
}

func TestVerifyWithoutSecrets(t *testing.T) {
	failure := errors.New("no route to the secrets")
	classified := problem.New(problem.Upstream, "credentials refused")
	tests := []struct {
		name string
		load func(context.Context) ([]string, error)
		want problem.Code
	}{
		{"none", secrets(), problem.Unavailable},
		{"only an empty one", secrets(""), problem.Unavailable},
		{"plain error", func(context.Context) ([]string, error) { return nil, failure }, problem.Unavailable},
		{"classified error", func(context.Context) ([]string, error) { return nil, classified }, problem.Upstream},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := mustNew(t, login.Config{Secrets: tt.load})
			_, err := v.Verify(t.Context(), mustSign(t, logintest.HS(""), claims(nil)))
			if problem.CodeOf(err) != tt.want || errors.Is(err, login.ErrInvalid) {
				t.Errorf("Verify() = %v, want code %s", err, tt.want)
			}
		})
	}
}

func TestVerifyRefusesAlgorithms(t *testing.T) {
	rsa, ec := logintest.RSA("rsa"), logintest.EC("ec")
	der, err := x509.MarshalPKIXPublicKey(rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	asPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	jwk, err := json.Marshal(rsa.JWK())
	if err != nil {
		t.Fatal(err)
	}
	published := mustServe(t, logintest.JWKS(rsa, ec), login.Config{Secrets: secrets(secret)})
	two := mustServe(t, logintest.JWKS(rsa, newRSA(t, "rsa2", 2048)), login.Config{})
	shared := mustNew(t, login.Config{Secrets: secrets(secret)})

	raw := func(s *logintest.Signer, header string) string {
		body, err := json.Marshal(claims(nil))
		if err != nil {
			t.Fatal(err)
		}
		token, err := s.SignRaw(header, string(body))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	unsigned := func(alg string) string {
		signed := raw(logintest.HS(secret), `{"alg":"`+alg+`","kid":"rsa"}`)
		return signed[:strings.LastIndex(signed, ".")+1]
	}
	tests := []struct {
		name  string
		v     *login.Verifier
		token string
	}{
		{"HS256 beside a JWKS", published, raw(logintest.HS(secret), `{"alg":"HS256"}`)},
		{"HS256 by the public key's PEM", published, raw(logintest.HS(asPEM), `{"alg":"HS256","kid":"rsa"}`)},
		{"HS256 by the public key's PEM, trimmed", published, raw(logintest.HS(strings.TrimSpace(asPEM)), `{"alg":"HS256","kid":"rsa"}`)},
		{"HS256 by the public key's DER", published, raw(logintest.HS(string(der)), `{"alg":"HS256","kid":"rsa"}`)},
		{"HS256 by the public key's JWK", published, raw(logintest.HS(string(jwk)), `{"alg":"HS256","kid":"rsa"}`)},
		{"HMAC said to be RS256", published, raw(logintest.HS(asPEM), `{"alg":"RS256","kid":"rsa"}`)},
		{"none", published, unsigned("none")},
		{"none, signed", published, raw(rsa, `{"alg":"none","kid":"rsa"}`)},
		{"None", published, unsigned("None")},
		{"no signature", published, unsigned("RS256")},
		{"RS256 by the EC key's id", published, raw(rsa, `{"alg":"RS256","kid":"ec"}`)},
		{"ES256 by the RSA key's id", published, raw(ec, `{"alg":"ES256","kid":"rsa"}`)},
		{"RS256 said to be ES256", published, raw(rsa, `{"alg":"ES256","kid":"ec"}`)},
		{"RS256 said to be PS256", published, raw(rsa, `{"alg":"PS256","kid":"rsa"}`)},
		{"RS256 said to be RS512", published, raw(rsa, `{"alg":"RS512","kid":"rsa"}`)},
		{"unknown algorithm", published, raw(rsa, `{"alg":"XX256","kid":"rsa"}`)},
		{"alg in lower case", published, raw(rsa, `{"alg":"rs256","kid":"rsa"}`)},
		{"unknown kid", published, raw(rsa, `{"alg":"RS256","kid":"other"}`)},
		{"no kid and two keys of the algorithm", two, raw(rsa, `{"alg":"RS256"}`)},
		{"empty kid and two keys of the algorithm", two, raw(rsa, `{"alg":"RS256","kid":""}`)},
		{"critical header", published, raw(rsa, `{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}`)},
		{"alg twice", published, raw(rsa, `{"alg":"HS256","alg":"RS256","kid":"rsa"}`)},
		{"its own key", published, mustSignWith(t, newRSA(t, "rsa", 2048), map[string]any{"jwk": rsa.JWK()})},

		{"RS256 without a JWKS", shared, raw(rsa, `{"alg":"RS256","kid":"rsa"}`)},
		{"ES256 without a JWKS", shared, raw(ec, `{"alg":"ES256","kid":"ec"}`)},
		{"none without a JWKS", shared, unsigned("none")},
		{"HS256 said to be HS512", shared, raw(logintest.HS(secret), `{"alg":"HS512"}`)},
		{"no signature without a JWKS", shared, unsigned("HS256")},
		{"critical header without a JWKS", shared, raw(logintest.HS(secret), `{"alg":"HS256","crit":["x"],"x":1}`)},
		{"oversize", shared, mustSign(t, logintest.HS(secret), claims(map[string]any{"x": strings.Repeat("x", 8<<10)}))},
		{"empty", shared, ""},
		{"no JWT", shared, "kX3v9_-fdk2JdE8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := tt.v.Verify(t.Context(), tt.token)
			wantInvalid(t, tt.token, u, err)
		})
	}
	for name, s := range map[string]*logintest.Signer{"RS256": rsa, "ES256": ec} {
		if _, err := published.Verify(t.Context(), mustSign(t, s, claims(nil))); err != nil {
			t.Errorf("%s is refused too: %v", name, err)
		}
	}
	// Headers that would name another key are not looked at.
	token := mustSignWith(t, rsa, map[string]any{"jku": "https://evil.example", "x5u": "https://evil.example"})
	if _, err := published.Verify(t.Context(), token); err != nil {
		t.Errorf("a token that points elsewhere besides: %v", err)
	}
}

func mustSignWith(t *testing.T, s *logintest.Signer, header map[string]any) string {
	t.Helper()
	token, err := s.SignWithHeader(header, claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newRSA(t *testing.T, kid string, bits int) *logintest.Signer {
	t.Helper()
	s, err := logintest.NewRSA(kid, bits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerifyOneFlippedBit(t *testing.T) {
	ec := logintest.EC("ec")
	v := mustServe(t, logintest.JWKS(ec), login.Config{})
	good := mustSign(t, ec, claims(nil))
	for i := range len(good) {
		bad := []byte(good)
		if bad[i]++; bad[i] == '.'+1 {
			continue // the dots are another test's
		}
		u, err := v.Verify(t.Context(), string(bad))
		wantInvalid(t, "", u, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]login.Config{
		"nothing":                {},
		"http":                   {JWKSURL: "http://login.example.com/keys"},
		"host.docker.internal":   {JWKSURL: "http://host.docker.internal:3100/keys"},
		"user info":              {JWKSURL: "https://u:p@login.example.com/keys"},
		"fragment":               {JWKSURL: "https://login.example.com/keys#x"},
		"relative":               {JWKSURL: "/keys"},
		"file":                   {JWKSURL: "file:///etc/keys"},
		"control characters":     {JWKSURL: "https://login.example.com/\x7f"},
		"http, with a query":     {JWKSURL: "http://login.example.com/keys?p=1"},
		"loopback look-alike":    {JWKSURL: "http://127.0.0.1.example.com/keys"},
		"localhost look-alike":   {JWKSURL: "http://localhost.example.com/keys"},
		"JWKS and still nothing": {JWKSURL: " ", Secrets: secrets(secret)},
	} {
		if _, err := login.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		} else if c.JWKSURL != "" && strings.Contains(err.Error(), "example.com") {
			t.Errorf("%s: the error quotes the URL: %v", name, err)
		}
	}
	for name, c := range map[string]login.Config{
		"https":                {JWKSURL: "https://login.example.com/.well-known/jwks.json"},
		"https with a query":   {JWKSURL: "https://login.example.com/keys?p=policy"},
		"loopback":             {JWKSURL: "http://127.0.0.1:3100/keys"},
		"host.docker.internal": {JWKSURL: "http://host.docker.internal:3100/keys", Local: true},
		"secrets":              {Secrets: secrets(secret)},
	} {
		if _, err := login.New(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecret(t *testing.T) {
	var s login.Secret
	if err := json.Unmarshal([]byte(`{"hs256Secrets":["topsecret","second"]}`), &s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(format, struct{ S login.Secret }{s}); strings.Contains(got, "topsecret") || strings.Contains(got, "746f70") {
			t.Errorf("%s prints %s", format, got)
		}
	}
	if got := s.LogValue().String(); got != "REDACTED" {
		t.Errorf("logs %s", got)
	}
	for _, bad := range []login.Secret{{}, {HS256Secrets: []string{}}, {HS256Secrets: []string{"topsecret", ""}}} {
		err := bad.Validate()
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("Validate() = %v", err)
		}
	}
}

// No token out of thin air is accepted, and none makes the verifier panic.
func FuzzVerify(f *testing.F) {
	rsa, ec := logintest.RSA("rsa"), logintest.EC("ec")
	published := mustServe(f, logintest.JWKS(rsa, ec), login.Config{})
	shared := mustNew(f, login.Config{Secrets: secrets(secret, secret2)})
	// An ES256 signature differs from run to run, so what counts is the signed text.
	signed := func(token string) string { return token[:max(0, strings.LastIndex(token, "."))] }
	issued := map[string]bool{}
	for _, s := range []*logintest.Signer{rsa, ec, logintest.HS(secret), logintest.HS("")} {
		token := mustSign(f, s, claims(nil))
		f.Add(token)
		issued[signed(token)] = true
	}
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyLTEifQ.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		for _, v := range []*login.Verifier{published, shared} {
			u, err := v.Verify(t.Context(), token)
			if err == nil && !issued[signed(token)] {
				t.Errorf("a forged token names %+v", u)
			}
			if err != nil && !errors.Is(err, login.ErrInvalid) {
				t.Errorf("error = %v, want %v", err, login.ErrInvalid)
			}
		}
	})
}
