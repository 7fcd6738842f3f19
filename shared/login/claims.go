package login

import (
	"errors"
	"strings"
	"unicode"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/login/jws"
)

// User is a verified customer, as the login describes them.
type User struct {
	Issuer  string // iss, "" if the token has none
	Subject string // sub, never empty
	Name    string // "" if unknown
	Email   string // "" if unknown
	// EmailVerified is nil when the token does not say. A value that is neither
	// a boolean nor "true" or "false" counts as false.
	EmailVerified *bool
}

// addressed reports whether the token is meant for audience.
func addressed(claims jwt.MapClaims, audience string) bool {
	if id, ok := claims["xsolla_login_project_id"].(string); ok && id == audience {
		return true
	}
	list, err := claims.GetAudience()
	if err != nil {
		return false
	}
	for _, a := range list {
		if a == audience {
			return true
		}
	}
	return false
}

func user(claims jwt.MapClaims) (User, error) {
	// Cognito's access token carries no address and no aud; only its ID token
	// says who somebody is.
	if use, stated := claims["token_use"]; stated && use != "id" {
		return User{}, invalid(errors.New("token_use is not id: send the ID token"))
	}
	var u User
	var err error
	if u.Issuer, err = claims.GetIssuer(); err != nil {
		return User{}, invalid(jws.ErrIssuer)
	}
	if u.Subject, err = claims.GetSubject(); err != nil || u.Subject == "" || ambiguous(u.Subject) {
		return User{}, invalid(errors.New("subject missing or malformed"))
	}
	u.Name, u.Email = name(claims), email(claims)
	u.EmailVerified = emailVerified(claims)
	return u, nil
}

// ambiguous reports whether two different subjects may have become the same
// text: JSON's unpaired surrogates all decode to U+FFFD, and control
// characters are invisible where an operator compares ids.
func ambiguous(sub string) bool {
	return strings.ContainsFunc(sub, func(r rune) bool { return r == unicode.ReplacementChar || unicode.IsControl(r) })
}

// name returns the name claim, else the given and family names, else the
// user name of Keycloak or Xsolla. A user name that is an address is no name.
func name(claims jwt.MapClaims) string {
	if n := text(claims, "name"); n != "" {
		return n
	}
	if n := strings.TrimSpace(text(claims, "given_name") + " " + text(claims, "family_name")); n != "" {
		return n
	}
	for _, claim := range []string{"preferred_username", "username"} {
		if n := text(claims, claim); n != "" && !strings.Contains(n, "@") {
			return n
		}
	}
	return ""
}

// email returns the email claim, else the only one of emails, the list that
// Azure AD B2C sends in its place.
func email(claims jwt.MapClaims) string {
	if e := text(claims, "email"); e != "" {
		return e
	}
	if list, _ := claims["emails"].([]any); len(list) == 1 {
		e, _ := list[0].(string)
		return strings.TrimSpace(e)
	}
	return ""
}

// emailVerified returns what email_verified says, else Microsoft's xms_edov:
// the owner of the address's domain is verified, which work accounts say in
// place of email_verified.
// See https://learn.microsoft.com/en-us/entra/identity-platform/migrate-off-email-claim-authorization.
func emailVerified(claims jwt.MapClaims) *bool {
	if stated, ok := claims["email_verified"]; ok {
		verified := stated == true || stated == "true"
		return &verified
	}
	if stated, ok := claims["xms_edov"]; ok {
		verified := stated == true || stated == "true" || stated == "1" || stated == float64(1)
		return &verified
	}
	return nil
}

func text(claims jwt.MapClaims, name string) string {
	s, _ := claims[name].(string)
	return strings.TrimSpace(s)
}
