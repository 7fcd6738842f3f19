// Package webhook verifies that a webhook request comes from Zendesk and was
// not changed on its way, as
// https://developer.zendesk.com/documentation/webhooks/verifying/ says.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
)

// The headers of the proof.
const (
	HeaderSignature = "X-Zendesk-Webhook-Signature"
	HeaderTimestamp = "X-Zendesk-Webhook-Signature-Timestamp"
)

// Tolerance is how far a timestamp may be from the clock, either way. Zendesk
// documents no window of its own.
const Tolerance = 5 * time.Minute

// TestSecret signs requests of webhooks that do not exist yet: the test button
// and endpoint. It is public, and the same for every account.
const TestSecret = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="

// Why a request is refused. Only after ErrSignature can a newer secret help.
var (
	ErrTimestamp = errors.New("webhook: the timestamp is not an ISO 8601 time")
	ErrExpired   = errors.New("webhook: the timestamp is more than five minutes away")
	ErrSignature = errors.New("webhook: the signature matches no live secret")
)

// Verifier checks signatures.
type Verifier struct {
	// Tests accepts Zendesk's public test secret too. Only for a machine that
	// nobody else reaches.
	Tests bool
}

// Verify checks a signature over the timestamp, as the header has it, and the
// raw body against every live secret. Without a secret everything is refused.
func (v Verifier) Verify(secrets []string, signature, timestamp string, body []byte, now time.Time) error {
	at, err := time.Parse(time.RFC3339, timestamp)
	if err != nil {
		return ErrTimestamp
	}
	if age := now.Sub(at); age > Tolerance || age < -Tolerance {
		return ErrExpired
	}
	// Every secret is tried, whatever matches.
	matches := false
	for _, secret := range secrets {
		if secret != "" && secret != TestSecret {
			matches = hmac.Equal([]byte(sign(secret, timestamp, body)), []byte(signature)) || matches
		}
	}
	if v.Tests {
		matches = hmac.Equal([]byte(sign(TestSecret, timestamp, body)), []byte(signature)) || matches
	}
	if !matches {
		return ErrSignature
	}
	return nil
}

// sign returns base64(HMAC-SHA256(secret, timestamp ‖ body)).
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// TestSigned is a body with the headers that prove it.
type TestSigned struct {
	Signature string
	Timestamp string
	Body      []byte
}

// GenerateTestSigned signs a body as Zendesk would have at the time, for tests
// of what receives webhooks.
func GenerateTestSigned(secret string, body []byte, at time.Time) TestSigned {
	timestamp := at.UTC().Format(time.RFC3339)
	return TestSigned{Signature: sign(secret, timestamp, body), Timestamp: timestamp, Body: body}
}
