package chatwebhook

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// minToken keeps a placeholder from becoming a token.
const minToken = 16

// Secret is the value of CHAT_WEBHOOK_SECRET.
type Secret struct {
	// Tokens are the webhook's authentication tokens. The console has one; two are
	// live while it is changed.
	Tokens []string `json:"tokens"`
	// SDKAppID is the app whose callbacks count.
	SDKAppID int `json:"sdkAppId"`
	// AdminUserID is the account in whose name caseroom calls the chat: what it does
	// comes back as callbacks.
	AdminUserID string `json:"adminUserId"`
}

// Validate reports a missing or impossible field by name, never by value.
func (s Secret) Validate() error {
	switch {
	case len(s.Tokens) == 0:
		return errors.New("tokens is empty")
	case s.SDKAppID <= 0:
		return errors.New("sdkAppId is not a positive number")
	case s.AdminUserID == "":
		return errors.New("adminUserId is empty")
	}
	for i, token := range s.Tokens {
		if len(token) < minToken {
			return fmt.Errorf("tokens: value %d of %d is shorter than %d bytes", i+1, len(s.Tokens), minToken)
		}
		if strings.TrimSpace(token) != token {
			return fmt.Errorf("tokens: value %d of %d begins or ends with white space", i+1, len(s.Tokens))
		}
	}
	return nil
}

// String keeps the tokens out of anything printed.
func (Secret) String() string { return "REDACTED" }

// GoString keeps the tokens out of %#v.
func (Secret) GoString() string { return "REDACTED" }

// LogValue keeps the tokens out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }
