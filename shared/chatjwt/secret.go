package chatjwt

import (
	"errors"
	"log/slog"
)

// Secret is the value of ZENDESK_CHAT_SECRET. A stack has the Chat secret, the
// Messaging key, or both.
type Secret struct {
	SharedSecret    string `json:"sharedSecret"`
	MessagingKeyID  string `json:"messagingKeyId"` // "act_…" or "app_…"
	MessagingSecret string `json:"messagingSecret"`
}

// Validate reports a secret that serves neither widget, and half a Messaging key.
func (s Secret) Validate() error {
	if (s.MessagingKeyID == "") != (s.MessagingSecret == "") {
		return errors.New("chatjwt: messagingKeyId and messagingSecret go together")
	}
	if s.SharedSecret == "" && s.MessagingSecret == "" {
		return errors.New("chatjwt: neither sharedSecret nor messagingSecret")
	}
	return nil
}

// String keeps the secrets out of anything printed.
func (Secret) String() string { return "REDACTED" }

// GoString keeps the secrets out of %#v.
func (Secret) GoString() string { return "REDACTED" }

// LogValue keeps the secrets out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }
