package zendesk

import (
	"crypto/rsa"
	"errors"
	"net/url"
	"regexp"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/identity"
)

// Errors of signed app URLs. Neither says what was in the token.
var (
	ErrAppToken = errors.New("zendesk: the app URL's token is not valid")
	ErrAppKey   = errors.New("zendesk: the app's public key is not an RSA public key in PEM of at least 2048 bits")
)

// appTokenLeeway is how far Zendesk's clock and ours may be apart.
const appTokenLeeway = 30 * time.Second

var lastNumber = regexp.MustCompile(`(?:^|[/:])([1-9][0-9]{0,19})(?:\.json)?$`)

// ParseAppKey reads the app's public key as Zendesk shows it
// (GET /api/v2/apps/{id}/public_key.pem).
func ParseAppKey(pem string) (*rsa.PublicKey, error) {
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(pem))
	if err != nil || key.N.BitLen() < 2048 {
		return nil, ErrAppKey
	}
	return key, nil
}

// VerifyAppURL checks the token with which Zendesk posts to a server-side
// app's first page and returns the agent's Zendesk user id, in digits.
//
// The token is a JWT that Zendesk signs with the app's key, RS256 only. Its
// aud is the URL of the installation and must be on host, which carries the
// port if the account's address does; its sub ends in the agent's number. A
// token without exp would open the panel for ever and is refused. Every
// failure is [ErrAppToken].
//
// See https://developer.zendesk.com/documentation/apps/build-an-app/building-a-server-side-app/part-5-secure-the-app/.
func VerifyAppURL(token string, key *rsa.PublicKey, host string, now time.Time) (zendeskUserID string, err error) {
	if key == nil {
		return "", ErrAppToken
	}
	var claims jwt.RegisteredClaims
	_, err = jwt.ParseWithClaims(token, &claims,
		func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(appTokenLeeway),
		jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil || !audienceOn(claims.Audience, host) {
		return "", ErrAppToken
	}
	if u, err := url.Parse(claims.Subject); err != nil || (u.Host != "" && identity.Host(u.Host) != identity.Host(host)) {
		return "", ErrAppToken
	}
	m := lastNumber.FindStringSubmatch(claims.Subject)
	if m == nil {
		return "", ErrAppToken
	}
	return m[1], nil
}

// audienceOn reports whether one of aud is a URL on host.
func audienceOn(aud jwt.ClaimStrings, host string) bool {
	for _, a := range aud {
		u, err := url.Parse(a)
		if err == nil && u.Host != "" && identity.Host(u.Host) == identity.Host(host) {
			return true
		}
	}
	return false
}
