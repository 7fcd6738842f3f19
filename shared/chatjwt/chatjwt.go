// Package chatjwt issues the tokens by which Zendesk's widgets know a visitor:
// one for Chat (Web Widget Classic and the Chat Web SDK), one for Messaging.
package chatjwt

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/problem"
)

// TTL is how long the tokens live. The widget asks for a new one whenever it
// needs to.
const TTL = 5 * time.Minute

// maxText is Zendesk's limit for external ids, and for names, in characters.
const maxText = 255

// fallbackName is shown for a visitor whose name nobody told.
const fallbackName = "Customer"

// Errors about the user, not the request. They come wrapped in a
// *problem.Error of code [problem.Unprocessable].
var (
	// ErrNoEmail means that the login gives no e-mail address, which Chat
	// requires and Messaging does not.
	ErrNoEmail = errors.New("chatjwt: the login has no e-mail address")
	// ErrExternalID means that the subject is empty, longer than 255 characters
	// or no UTF-8.
	ErrExternalID = errors.New("chatjwt: the subject is empty, too long or no UTF-8")
)

// Claims describe the visitor. ExternalID is the login's subject: by it a
// visitor of Zendesk Chat is found again.
type Claims struct {
	ExternalID    string
	Name          string // "" if unknown
	Email         string // "" if unknown
	EmailVerified *bool  // nil if the login does not say
}

// Chat returns a visitor token for Zendesk Chat, signed with the account's
// shared secret. jti must differ from call to call. It fails with [ErrNoEmail]
// or [ErrExternalID], and with [problem.Unavailable] when there is no secret.
//
// See https://support.zendesk.com/hc/en-us/articles/4408838925082.
func Chat(secret string, u Claims, now time.Time, jti string) (string, error) {
	if secret == "" {
		return "", problem.New(problem.Unavailable, "Zendesk Chat is not configured.")
	}
	id, err := externalID(u)
	if err != nil {
		return "", err
	}
	email := address(u.Email)
	if email == "" {
		return "", problem.Wrap(ErrNoEmail, problem.Unprocessable,
			"The login has no e-mail address, which Zendesk Chat requires. Messaging does not: ask with ?for=messaging.")
	}
	name := displayName(u)
	if name == "" {
		name = fallbackName
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"name": name, "email": email, "external_id": id,
		"iat": now.Unix(), "exp": now.Add(TTL).Unix(), "jti": jti,
	})
	return sign(t, secret)
}

// Messaging returns a user token for Zendesk Messaging, signed with the key
// named keyID. It fails with [ErrExternalID], and with [problem.Unavailable]
// when there is no key.
//
// email_verified is stated only when the login states it: Zendesk joins a
// visitor to the user of a verified address.
// See https://support.zendesk.com/hc/en-us/articles/4411666638746.
func Messaging(keyID, secret string, u Claims, now time.Time) (string, error) {
	if keyID == "" || secret == "" {
		return "", problem.New(problem.Unavailable, "Zendesk Messaging is not configured.")
	}
	id, err := externalID(u)
	if err != nil {
		return "", err
	}
	claims := jwt.MapClaims{"scope": "user", "external_id": id, "exp": now.Add(TTL).Unix()}
	if name := displayName(u); name != "" {
		claims["name"] = name
	}
	if email := address(u.Email); email != "" {
		claims["email"] = email
		if u.EmailVerified != nil {
			claims["email_verified"] = *u.EmailVerified
		}
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	t.Header["kid"] = keyID
	return sign(t, secret)
}

func sign(t *jwt.Token, secret string) (string, error) {
	token, err := t.SignedString([]byte(secret))
	if err != nil {
		return "", errors.New("chatjwt: signing failed")
	}
	return token, nil
}

// externalID refuses what Zendesk would: a shortened id would be somebody
// else's.
func externalID(u Claims) (string, error) {
	if u.ExternalID == "" || !utf8.ValidString(u.ExternalID) || utf8.RuneCountInString(u.ExternalID) > maxText {
		return "", problem.Wrap(ErrExternalID, problem.Unprocessable,
			"The login's subject cannot be a Zendesk external id: it must have 1 to 255 characters.")
	}
	return u.ExternalID, nil
}

// displayName returns the name to show, "" if there is none. Some logins put
// the e-mail address there, which would then be shown to everybody in the chat.
func displayName(u Claims) string {
	name := strings.Join(strings.Fields(u.Name), " ")
	if address(name) != "" {
		return ""
	}
	if r := []rune(name); len(r) > maxText {
		name = string(r[:maxText])
	}
	return name
}

// address returns s if it has the form of an e-mail address, else "".
func address(s string) string {
	s = strings.TrimSpace(s)
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return ""
	}
	return s
}
