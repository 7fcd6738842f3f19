package webhook

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// minSecret keeps a placeholder from becoming a secret.
const minSecret = 16

// Secret is the value of ZENDESK_EVENTS_SECRET. Several of each may be live
// while one replaces another.
type Secret struct {
	// WebhookSecrets are the webhooks' signing secrets, as Zendesk shows them.
	WebhookSecrets []string `json:"webhookSecrets"`
	// Bearers are the tokens of ZIS connections, which sign nothing.
	Bearers []string `json:"bearers"`
}

// Validate reports an empty secret, and values that are too short or have white
// space around them, by position.
func (s Secret) Validate() error {
	if len(s.WebhookSecrets)+len(s.Bearers) == 0 {
		return errors.New("neither webhookSecrets nor bearers")
	}
	for _, list := range []struct {
		name   string
		values []string
	}{{"webhookSecrets", s.WebhookSecrets}, {"bearers", s.Bearers}} {
		for i, v := range list.values {
			if len(v) < minSecret {
				return fmt.Errorf("%s: value %d of %d is shorter than %d bytes", list.name, i+1, len(list.values), minSecret)
			}
			if strings.TrimSpace(v) != v {
				return fmt.Errorf("%s: value %d of %d begins or ends with white space", list.name, i+1, len(list.values))
			}
		}
	}
	return nil
}

// String keeps the secrets out of anything printed.
func (Secret) String() string { return "REDACTED" }

// GoString keeps the secrets out of %#v.
func (Secret) GoString() string { return "REDACTED" }

// LogValue keeps the secrets out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }
