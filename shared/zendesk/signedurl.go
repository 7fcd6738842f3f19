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

const (
	// appTokenLeeway is how far Zendesk's clock and ours may be apart.
	appTokenLeeway = 30 * time.Second
	// appTokenAge is how old a token may be, whatever its exp. Zendesk's live for
	// about five minutes.
	appTokenAge = 15 * time.Minute
)

// The place that our manifest signs.
const (
	appProduct  = "support"
	appLocation = "ticket_sidebar"
)

type appClaims struct {
	jwt.RegisteredClaims
	Context struct {
		Product  string `json:"product"`
		Location string `json:"location"`
	} `json:"context"`
}

var lastNumber = regexp.MustCompile(`(?:^|[/:])([0-9]+)(?:\.json)?$`)

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
// aud is the URL of the installation and its iss the account, with or without a
// scheme; both must be on host, which carries the port if the account's address
// does. Its context is the ticket's sidebar, for an app has other locations too.
// Its sub ends in the agent's number. A token without exp would open the panel for
// ever and is refused, and so is one that says that it is old. Every failure is
// [ErrAppToken].
//
// See https://developer.zendesk.com/documentation/apps/build-an-app/building-a-server-side-app/part-5-secure-the-app/.
func VerifyAppURL(token string, key *rsa.PublicKey, host string, now time.Time) (zendeskUserID string, err error) {
	if key == nil {
		return "", ErrAppToken
	}
	var claims appClaims
	_, err = jwt.ParseWithClaims(token, &claims,
		func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(appTokenLeeway),
		jwt.WithTimeFunc(func() time.Time { return now }))
	switch {
	case err != nil,
		!audienceOn(claims.Audience, host),
		!issuedBy(claims.Issuer, host),
		claims.Context.Product != appProduct, claims.Context.Location != appLocation,
		claims.IssuedAt != nil && now.Sub(claims.IssuedAt.Time) > appTokenAge:
		return "", ErrAppToken
	}
	if u, err := url.Parse(claims.Subject); err != nil || (u.Host != "" && identity.Host(u.Host) != identity.Host(host)) {
		return "", ErrAppToken
	}
	m := lastNumber.FindStringSubmatch(claims.Subject)
	if m == nil || !identity.IsZendeskID(m[1]) {
		return "", ErrAppToken
	}
	return m[1], nil
}

// issuedBy reports whether iss is host, or a URL on it.
func issuedBy(iss, host string) bool {
	if u, err := url.Parse(iss); err == nil && u.Host != "" {
		iss = u.Host
	}
	return iss != "" && identity.Host(iss) == identity.Host(host)
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
