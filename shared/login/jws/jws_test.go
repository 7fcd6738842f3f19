package jws_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/shared/login/jws"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const secret = "0123456789abcdef0123456789abcdef"

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestParse(t *testing.T) {
	const head, claims = `{"alg":"HS256","kid":"k1"}`, `{"sub":"u"}`
	tests := []struct {
		name  string
		token string
		want  jws.Header
		err   error
	}{
		{"plain", b64(head) + "." + b64(claims) + ".c2ln", jws.Header{Alg: "HS256", KeyID: "k1"}, nil},
		{"no kid", b64(`{"alg":"RS256"}`) + "." + b64(claims) + ".c2ln", jws.Header{Alg: "RS256"}, nil},
		{"other names' case", b64(`{"ALG":"none","alg":"RS256"}`) + "." + b64(claims) + ".c2ln", jws.Header{Alg: "RS256"}, nil},
		{"empty", "", jws.Header{}, jws.ErrMalformed},
		{"two parts", b64(head) + "." + b64(claims), jws.Header{}, jws.ErrMalformed},
		{"four parts", b64(head) + "." + b64(claims) + ".c2ln.c2ln", jws.Header{}, jws.ErrMalformed},
		{"no signature", b64(head) + "." + b64(claims) + ".", jws.Header{}, jws.ErrMalformed},
		{"padding", b64(head) + "." + base64.URLEncoding.EncodeToString([]byte(`{"sub":"us"}`)) + "=.c2ln", jws.Header{}, jws.ErrMalformed},
		{"standard base64", b64(head) + "." + b64(claims) + ".+/+/", jws.Header{}, jws.ErrMalformed},
		{"line break", b64(head) + ".\n" + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"stray trailing bits", b64(`{"alg":"HS256"}`) + "." + "e31" + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"header no object", b64(`["alg"]`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"claims no object", b64(head) + "." + b64(`"sub"`) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"claims null", b64(head) + "." + b64(`null`) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"trailing JSON", b64(head+`{}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"truncated JSON", b64(`{"alg":"HS256"`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"alg twice", b64(`{"alg":"HS256","alg":"none"}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"alg twice, once escaped", b64(`{"alg":"HS256","\u0061lg":"none"}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"sub twice", b64(head) + "." + b64(`{"sub":"a","sub":"b"}`) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"crit", b64(`{"alg":"HS256","crit":["exp"]}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"empty crit", b64(`{"alg":"HS256","crit":[]}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"b64", b64(`{"alg":"HS256","b64":false}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"alg missing", b64(`{"typ":"JWT"}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"alg no string", b64(`{"alg":["HS256"]}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"kid no string", b64(`{"alg":"HS256","kid":1}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"kid null", b64(`{"alg":"HS256","kid":null}`) + "." + b64(claims) + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"no UTF-8", b64(head) + "." + b64("{\"sub\":\"\xff\"}") + ".c2ln", jws.Header{}, jws.ErrMalformed},
		{"too long", b64(head) + "." + b64(claims) + "." + strings.Repeat("A", jws.MaxToken), jws.Header{}, jws.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := jws.Parse(tt.token)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Parse() = %+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestIssuer(t *testing.T) {
	head := b64(`{"alg":"HS256"}`)
	tests := []struct {
		name, token, iss string
		ok               bool
	}{
		{"named", head + "." + b64(`{"iss":"caseroom-guest"}`) + ".c2ln", "caseroom-guest", true},
		{"none", head + "." + b64(`{}`) + ".c2ln", "", true},
		{"no string", head + "." + b64(`{"iss":["caseroom-app"]}`) + ".c2ln", "", true},
		{"unsigned", b64(`{"alg":"none"}`) + "." + b64(`{"iss":"x"}`) + ".", "x", true},
		{"a desk key", "kX3v9_-fdk2JdE8", "", false},
		{"a desk key with dots", "abc.def.ghi", "", false},
		{"iss twice", head + "." + b64(`{"iss":"a","iss":"b"}`) + ".c2ln", "", false},
		{"too long", head + "." + b64(`{"iss":"a"}`) + "." + strings.Repeat("A", jws.MaxToken), "", false},
		{"empty", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if iss, ok := jws.Issuer(tt.token); iss != tt.iss || ok != tt.ok {
				t.Errorf("Issuer() = %q, %v; want %q, %v", iss, ok, tt.iss, tt.ok)
			}
		})
	}
}

func TestVerifyTimes(t *testing.T) {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	tests := []struct {
		name   string
		change map[string]any
		err    error
	}{
		{"good", nil, nil},
		{"last second", map[string]any{"exp": at(time.Second)}, nil},
		{"expires now", map[string]any{"exp": at(0)}, jws.ErrExpired},
		{"expired a second ago", map[string]any{"exp": at(-time.Second)}, jws.ErrExpired},
		{"expired an hour ago", map[string]any{"exp": at(-time.Hour)}, jws.ErrExpired},
		{"no exp", map[string]any{"exp": nil}, jws.ErrClaims},
		{"exp zero", map[string]any{"exp": 0}, jws.ErrClaims},
		{"exp text", map[string]any{"exp": "1999999999"}, jws.ErrClaims},
		{"exp just beyond time", map[string]any{"exp": int64(253402300800)}, jws.ErrClaims},
		{"exp negative", map[string]any{"exp": -1}, jws.ErrExpired},
		{"iat within the leeway", map[string]any{"iat": at(time.Minute)}, nil},
		{"iat beyond the leeway", map[string]any{"iat": at(time.Minute + time.Second)}, jws.ErrTooEarly},
		{"iat text", map[string]any{"iat": "1"}, jws.ErrClaims},
		{"no iat", map[string]any{"iat": nil}, nil},
		{"nbf within the leeway", map[string]any{"nbf": at(time.Minute)}, nil},
		{"nbf beyond the leeway", map[string]any{"nbf": at(time.Minute + time.Second)}, jws.ErrTooEarly},
		{"nbf text", map[string]any{"nbf": "1"}, jws.ErrClaims},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims := logintest.Claims("u", now)
			maps.Copy(claims, tt.change)
			for k, v := range claims {
				if v == nil {
					delete(claims, k)
				}
			}
			token, err := logintest.HS(secret).Sign(claims)
			if err != nil {
				t.Fatal(err)
			}
			_, err = jws.Rules{Alg: jws.HS256, Now: now}.Verify(token, []byte(secret))
			if !errors.Is(err, tt.err) {
				t.Errorf("Verify() = %v, want %v", err, tt.err)
			}
		})
	}
}

// Far dates overflow the library's conversion to a time, on some machines into
// the past and on others into the future.
func TestVerifyFarDates(t *testing.T) {
	for _, claims := range []string{`{"exp":1e300}`, `{"exp":4000000000,"nbf":1e300}`, `{"exp":4000000000,"iat":1e19}`} {
		token, err := logintest.HS(secret).SignRaw(`{"alg":"HS256"}`, claims)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (jws.Rules{Alg: jws.HS256, Now: now}).Verify(token, []byte(secret)); err == nil {
			t.Errorf("%s was accepted", claims)
		}
	}
}

func TestVerifyNeedsTheRightKey(t *testing.T) {
	token, err := logintest.HS(secret).Sign(logintest.Claims("u", now))
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]jwt.VerificationKey{
		"no key":        nil,
		"another":       {[]byte("another")},
		"wrong type":    {secret},
		"an RSA key":    {logintest.RSA("").Public()},
		"a nil key":     {nil},
		"an empty key":  {[]byte{}},
		"several wrong": {[]byte("a"), []byte("b")},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (jws.Rules{Alg: jws.HS256, Now: now}).Verify(token, keys...); !errors.Is(err, jws.ErrSignature) {
				t.Errorf("Verify() = %v, want %v", err, jws.ErrSignature)
			}
		})
	}
	if _, err := (jws.Rules{Alg: jws.RS256, Now: now}).Verify(token, []byte(secret)); !errors.Is(err, jws.ErrAlgorithm) {
		t.Errorf("HS256 under the rule RS256 = %v, want %v", err, jws.ErrAlgorithm)
	}
}

func FuzzParse(f *testing.F) {
	token, err := logintest.RSA("k").Sign(logintest.Claims("u", now))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(b64(`{"alg":"none"}`) + "." + b64(`{"iss":"x"}`) + ".")
	f.Add("..")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		head, err := jws.Parse(token)
		if err != nil && head != (jws.Header{}) {
			t.Error("a refused token has a header")
		}
		iss, ok := jws.Issuer(token)
		if err == nil && !ok {
			t.Error("Parse accepts what Issuer does not know as a JWT")
		}
		if !ok && iss != "" {
			t.Error("no JWT, but an issuer")
		}
	})
}
