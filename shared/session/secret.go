package session

import (
	"errors"
	"fmt"
	"log/slog"
)

// MinSecret is the least length of a session secret in bytes: HS256 wants a
// key as long as its hash (RFC 7518 section 3.2).
const MinSecret = 32

// Secrets are live HS256 keys, the newest first: it signs, all verify.
type Secrets []string

// Validate reports a missing list and keys that are too short, by position.
func (s Secrets) Validate() error {
	if len(s) == 0 {
		return errors.New("session: no secret")
	}
	for i, k := range s {
		if len(k) < MinSecret {
			return fmt.Errorf("session: secret %d of %d is shorter than %d bytes", i+1, len(s), MinSecret)
		}
	}
	return nil
}

// String keeps the keys out of anything printed.
func (Secrets) String() string { return "REDACTED" }

// GoString keeps the keys out of %#v.
func (Secrets) GoString() string { return "REDACTED" }

// LogValue keeps the keys out of logs.
func (Secrets) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// GuestSecret is the value of GUEST_SECRET. The first of its secrets also
// makes guests' ids; see identity.Guest.
type GuestSecret struct {
	GuestSecrets Secrets `json:"guestSecrets"`
	// ChallengeSecret is the site's secret at the challenge's service; it is needed
	// with GUEST_CHALLENGE_URL.
	ChallengeSecret string `json:"challengeSecret"`
}

// Validate checks the secrets.
func (s GuestSecret) Validate() error {
	if err := s.GuestSecrets.Validate(); err != nil {
		return fmt.Errorf("guestSecrets: %w", err)
	}
	return nil
}

// String keeps the keys out of anything printed.
func (GuestSecret) String() string { return "REDACTED" }

// GoString keeps the keys out of %#v.
func (GuestSecret) GoString() string { return "REDACTED" }

// LogValue keeps the keys out of logs.
func (GuestSecret) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// AppSecret is the value of ZENDESK_APP_SECRET.
type AppSecret struct {
	// AppPublicKey is the PEM public key of the Zendesk app, by which Zendesk
	// signs the app's URL. Whoever verifies that URL reads it.
	AppPublicKey   string  `json:"appPublicKey"`
	SessionSecrets Secrets `json:"sessionSecrets"`
}

// Validate checks the session secrets. The public key is left to whoever
// verifies app URLs, so that sessions outlive a mistake in it.
func (s AppSecret) Validate() error {
	if err := s.SessionSecrets.Validate(); err != nil {
		return fmt.Errorf("sessionSecrets: %w", err)
	}
	return nil
}

// String keeps the keys out of anything printed.
func (AppSecret) String() string { return "REDACTED" }

// GoString keeps the keys out of %#v.
func (AppSecret) GoString() string { return "REDACTED" }

// LogValue keeps the keys out of logs.
func (AppSecret) LogValue() slog.Value { return slog.StringValue("REDACTED") }
