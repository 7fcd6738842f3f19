package login

import (
	"errors"
	"log/slog"
)

// Secret is the value of LOGIN_SECRET. Two keys may be live while one replaces
// the other.
type Secret struct {
	HS256Secrets []string `json:"hs256Secrets"`
}

// Validate reports what is missing. How long a key is, is the login's choice:
// Xsolla gives each project one.
func (s Secret) Validate() error {
	if len(s.HS256Secrets) == 0 {
		return errors.New("login: hs256Secrets is missing or empty")
	}
	for _, k := range s.HS256Secrets {
		if k == "" {
			return errors.New("login: hs256Secrets holds an empty string")
		}
	}
	return nil
}

// String keeps the keys out of anything printed.
func (Secret) String() string { return "REDACTED" }

// GoString keeps the keys out of %#v.
func (Secret) GoString() string { return "REDACTED" }

// LogValue keeps the keys out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }
