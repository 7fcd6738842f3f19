// Package jws verifies compact JSON Web Signatures with one algorithm that the
// caller names. It reads a token more strictly than the JWT library below it
// does, so that a token has one meaning and one spelling.
package jws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// MaxToken is the longest token in bytes that is looked at.
const MaxToken = 8 << 10

// Leeway is how far nbf and iat may lie in the future: clocks differ. exp has
// none, since whoever set it chose the moment.
const Leeway = time.Minute

// maxDate is the last second of the year 9999. Beyond it a number no longer
// converts to a time the same way on every machine.
const maxDate = 253402300799

// The algorithms in use (RFC 7518 section 3.1).
const (
	HS256 = "HS256"
	RS256 = "RS256"
	ES256 = "ES256"
)

// Header is what a token says about its signature. Nobody has checked it.
type Header struct {
	Alg   string
	KeyID string // "" if the token names no key
}

// The reasons for which a token is refused. None quotes the token.
var (
	ErrMalformed = errors.New("malformed")
	ErrAlgorithm = errors.New("algorithm not accepted")
	ErrSignature = errors.New("signature does not verify")
	ErrExpired   = errors.New("expired")
	ErrTooEarly  = errors.New("not valid yet")
	ErrIssuer    = errors.New("issuer not accepted")
	ErrClaims    = errors.New("a required claim is missing or malformed")
)

// Parse checks a token's form and returns its header. It refuses with
// [ErrMalformed] what libraries disagree about: more than [MaxToken] bytes,
// anything but three base64url parts, names that occur twice (RFC 7515 section
// 4, RFC 7519 section 4), bytes that are no UTF-8, and extensions that change
// what is signed (crit, b64).
func Parse(token string) (Header, error) {
	parts, ok := split(token)
	if !ok || parts[2] == "" {
		return Header{}, ErrMalformed
	}
	head, ok := object(parts[0])
	if !ok {
		return Header{}, ErrMalformed
	}
	if _, ok := object(parts[1]); !ok {
		return Header{}, ErrMalformed
	}
	if head["crit"] != nil || head["b64"] != nil {
		return Header{}, ErrMalformed
	}
	var h Header
	if !text(head["alg"], &h.Alg) {
		return Header{}, ErrMalformed
	}
	if kid, named := head["kid"]; named && !text(kid, &h.KeyID) {
		return Header{}, ErrMalformed
	}
	return h, nil
}

// Issuer returns the iss claim of a token that nobody has checked, to choose
// who shall check it. ok is false when the text is no JWT at all; a JWT without
// a readable iss gives "".
func Issuer(token string) (iss string, ok bool) {
	parts, ok := split(token)
	if !ok {
		return "", false
	}
	head, ok := object(parts[0])
	if !ok || head["alg"] == nil {
		return "", false
	}
	claims, ok := object(parts[1])
	if !ok {
		return "", false
	}
	text(claims["iss"], &iss)
	return iss, true
}

// Rules are what a token must satisfy.
type Rules struct {
	// Alg is the only algorithm accepted. It follows from the kind of the keys
	// ([]byte: HS256, *rsa.PublicKey: RS256, *ecdsa.PublicKey: ES256), never
	// from the token.
	Alg    string
	Issuer string // what iss must be; "" accepts any
	Now    time.Time
}

// Verify returns the claims of a token that one of keys signed. exp is
// required, nbf and iat are honoured within [Leeway]. The error is one of this
// package's.
func (r Rules) Verify(token string, keys ...jwt.VerificationKey) (jwt.MapClaims, error) {
	head, err := Parse(token)
	if err != nil {
		return nil, err
	}
	if head.Alg != r.Alg {
		return nil, ErrAlgorithm
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{r.Alg}), jwt.WithStrictDecoding(),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(Leeway),
		jwt.WithTimeFunc(func() time.Time { return r.Now }),
	}
	if r.Issuer != "" {
		options = append(options, jwt.WithIssuer(r.Issuer))
	}
	claims := jwt.MapClaims{}
	_, err = jwt.NewParser(options...).ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: keys}, nil
	})
	if err != nil {
		return nil, reason(err)
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if n, ok := claims[name].(float64); ok && (n < 0 || n > maxDate) {
			return nil, ErrClaims
		}
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return nil, ErrClaims
	}
	if !r.Now.Before(exp.Time) {
		return nil, ErrExpired
	}
	return claims, nil
}

// reason replaces the library's error, whose text may quote the token.
func reason(err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return ErrSignature
	case errors.Is(err, jwt.ErrTokenMalformed):
		return ErrMalformed
	case errors.Is(err, jwt.ErrTokenExpired):
		return ErrExpired
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return ErrTooEarly
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return ErrIssuer
	default:
		return ErrClaims
	}
}

// split cuts a token into its three parts. It checks the alphabet itself
// because Go's base64 decoder skips line breaks, even in strict mode.
func split(token string) ([]string, bool) {
	if len(token) > MaxToken {
		return nil, false
	}
	for i := range len(token) {
		c := token[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return nil, false
		}
	}
	parts := strings.Split(token, ".")
	return parts, len(parts) == 3
}

// object decodes one part as a JSON object whose names are all different.
func object(part string) (map[string]json.RawMessage, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || !utf8.Valid(raw) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	members := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, false
		}
		name, ok := t.(string)
		if _, twice := members[name]; !ok || twice {
			return nil, false
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, false
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	_, err = dec.Token()
	return members, errors.Is(err, io.EOF)
}

// text reports whether raw is a JSON string, and reads it.
func text(raw json.RawMessage, into *string) bool {
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, into) == nil
}
