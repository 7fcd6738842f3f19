package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/session"
)

const benchSecret = "a-secret-of-at-least-thirty-two-bytes"

func benchAgents() session.Agents {
	return session.Agents{Now: time.Now, Secrets: func(context.Context) ([]string, error) { return []string{benchSecret}, nil }}
}

// What issuing a token costs, by caseroom and by the JWT library alone.
func BenchmarkIssue(b *testing.B) {
	agents := benchAgents()
	b.Run("caseroom", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := agents.Issue(b.Context(), "900000101"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			now := time.Now()
			t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
				"iss": session.AgentIssuer, "sub": "900000101", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			})
			if _, err := t.SignedString([]byte(benchSecret)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What verifying one costs.
func BenchmarkVerify(b *testing.B) {
	agents := benchAgents()
	token, _, err := agents.Issue(b.Context(), "900000101")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("caseroom", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := agents.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return []byte(benchSecret), nil }, jwt.WithValidMethods([]string{"HS256"}))
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
