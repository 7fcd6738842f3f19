package chatjwt_test

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/chatjwt"
)

// What a widget's token costs, by caseroom and by the JWT library alone.

const benchSecret = "a-secret-of-at-least-thirty-two-bytes"

var (
	benchUser   = chatjwt.Claims{ExternalID: "dana", Name: "Dana Customer", Email: "dana@customer.example", EmailVerified: new(bool)}
	benchClaims = jwt.MapClaims{
		"name": "Dana Customer", "email": "dana@customer.example", "external_id": "dana", "iat": 1793613600, "exp": 1793613900,
	}
)

func BenchmarkChat(b *testing.B) {
	benchmarkSigning(b, func() (string, error) { return chatjwt.Chat(benchSecret, benchUser, time.Now(), "4711") })
}

func BenchmarkMessaging(b *testing.B) {
	benchmarkSigning(b, func() (string, error) { return chatjwt.Messaging("act_1", benchSecret, benchUser, time.Now()) })
}

func benchmarkSigning(b *testing.B, sign func() (string, error)) {
	b.Run("caseroom", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sign(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jwt.NewWithClaims(jwt.SigningMethodHS256, benchClaims).SignedString([]byte(benchSecret)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
