package login_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/shared/login"
)

// What verifying a login token costs, by caseroom and by the JWT library alone,
// with a shared secret and with cached published keys.

func BenchmarkVerifyHS256(b *testing.B) {
	const secret = "a-secret-of-at-least-thirty-two-bytes"
	benchmarkVerify(b, logintest.HS(secret), []byte(secret), login.Config{
		Secrets: func(context.Context) ([]string, error) { return []string{secret}, nil },
	})
}

func BenchmarkVerifyRS256(b *testing.B) { benchmarkPublished(b, logintest.RSA("bench")) }

func BenchmarkVerifyES256(b *testing.B) { benchmarkPublished(b, logintest.EC("bench")) }

func benchmarkPublished(b *testing.B, s *logintest.Signer) {
	server := httptest.NewServer(logintest.JWKS(s))
	b.Cleanup(server.Close)
	benchmarkVerify(b, s, s.Public(), login.Config{JWKSURL: server.URL})
}

func benchmarkVerify(b *testing.B, s *logintest.Signer, key any, c login.Config) {
	claims := logintest.Claims("dana", time.Now())
	claims["iss"], claims["aud"] = "https://login.example.com", "shop"
	claims["name"], claims["email"], claims["email_verified"] = "Dana Customer", "dana@customer.example", true
	token, err := s.Sign(claims)
	if err != nil {
		b.Fatal(err)
	}
	c.Issuer, c.Audience = "https://login.example.com", "shop"
	v, err := login.New(c)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("caseroom", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key, nil },
				jwt.WithValidMethods([]string{"HS256", "RS256", "ES256"}), jwt.WithIssuer(c.Issuer), jwt.WithAudience(c.Audience))
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
