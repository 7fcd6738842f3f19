// Package session issues and verifies the tokens that caseroom itself gives
// out: a guest's, for the browser that opened a ticket, and an agent's, for the
// panel that Zendesk opened. Both are HS256 JWTs whose kid names the secret, so
// that secrets can be replaced while tokens live.
package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/login/jws"
	"github.com/caseroom/caseroom/shared/problem"
)

// The issuers, by which a bearer token is told from a login's.
const (
	GuestIssuer = "caseroom-guest"
	AgentIssuer = "caseroom-app"
)

// How long the tokens live.
const (
	GuestTTL = 30 * 24 * time.Hour
	AgentTTL = 12 * time.Hour
)

// ErrInvalid means that a token proves nobody. Errors that wrap it carry
// [problem.Unauthorized] and never quote the token.
var ErrInvalid = errors.New("session: the token is not valid")

// Issuer returns the iss claim of a bearer token that nobody has checked, to
// choose who shall check it. ok is false when the text is not a JWT.
func Issuer(token string) (iss string, ok bool) { return jws.Issuer(token) }

// Guests issues and verifies guest tokens.
type Guests struct {
	// Secrets returns the live keys, the newest first.
	Secrets func(context.Context) ([]string, error)
	Now     func() time.Time // time.Now if nil
}

// Issue returns a token for a guest, good for [GuestTTL]. Anybody but a guest
// is refused.
func (g Guests) Issue(ctx context.Context, id identity.Identity) (string, error) {
	if id.Kind() != identity.KindGuest {
		return "", errors.New("session: a guest token is for guests")
	}
	token, _, err := authority{GuestIssuer, GuestTTL, g.Secrets, g.Now}.issue(ctx, id.ID())
	return token, err
}

// Verify returns the guest that a token names. A refused token gives an error
// that wraps [ErrInvalid]; missing or unfit secrets give a *problem.Error of
// code [problem.Unavailable].
func (g Guests) Verify(ctx context.Context, token string) (identity.Identity, error) {
	sub, err := authority{GuestIssuer, GuestTTL, g.Secrets, g.Now}.verify(ctx, token)
	if err != nil {
		return identity.Identity{}, err
	}
	id, err := identity.KnownGuest(sub)
	if err != nil {
		return identity.Identity{}, invalid(jws.ErrClaims)
	}
	return id, nil
}

// Agents issues and verifies the agent panel's tokens.
type Agents struct {
	// Secrets returns the live keys, the newest first.
	Secrets func(context.Context) ([]string, error)
	Now     func() time.Time // time.Now if nil
}

// Issue returns a token for the Zendesk user, good for [AgentTTL], and when it
// ends. The id is Zendesk's bare number.
func (a Agents) Issue(ctx context.Context, zendeskUserID string) (token string, expires time.Time, err error) {
	if !identity.IsZendeskID(zendeskUserID) {
		return "", time.Time{}, errors.New("session: not a Zendesk user id")
	}
	return authority{AgentIssuer, AgentTTL, a.Secrets, a.Now}.issue(ctx, zendeskUserID)
}

// Verify returns the Zendesk user id that a token names; its errors are those
// of [Guests.Verify].
func (a Agents) Verify(ctx context.Context, token string) (zendeskUserID string, err error) {
	sub, err := authority{AgentIssuer, AgentTTL, a.Secrets, a.Now}.verify(ctx, token)
	if err != nil {
		return "", err
	}
	if !identity.IsZendeskID(sub) {
		return "", invalid(jws.ErrClaims)
	}
	return sub, nil
}

// authority is one kind of token.
type authority struct {
	issuer  string
	ttl     time.Duration
	secrets func(context.Context) ([]string, error)
	now     func() time.Time
}

func (a authority) issue(ctx context.Context, sub string) (string, time.Time, error) {
	live, err := a.live(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	now := a.clock().Truncate(time.Second)
	expires := now.Add(a.ttl)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": a.issuer, "sub": sub, "iat": now.Unix(), "exp": expires.Unix(),
	})
	t.Header["kid"] = keyID(live[0])
	token, err := t.SignedString([]byte(live[0]))
	if err != nil {
		return "", time.Time{}, errors.New("session: signing failed")
	}
	return token, expires, nil
}

func (a authority) verify(ctx context.Context, token string) (string, error) {
	head, err := jws.Parse(token)
	if err != nil {
		return "", invalid(err)
	}
	live, err := a.live(ctx)
	if err != nil {
		return "", err
	}
	rules := jws.Rules{Alg: jws.HS256, Issuer: a.issuer, Now: a.clock()}
	for _, secret := range live {
		if head.KeyID != keyID(secret) {
			continue
		}
		claims, err := rules.Verify(token, []byte(secret))
		if err != nil {
			return "", invalid(err)
		}
		sub, err := claims.GetSubject()
		if err != nil {
			return "", invalid(jws.ErrClaims)
		}
		return sub, nil
	}
	return "", invalid(errors.New("no such key"))
}

// live returns the secrets in use; one that is too short stops all of them, so
// that nobody lives with it unknowingly.
func (a authority) live(ctx context.Context) (Secrets, error) {
	if a.secrets == nil {
		return nil, unavailable(errors.New("session: no secrets configured"))
	}
	list, err := a.secrets(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	if err := Secrets(list).Validate(); err != nil {
		return nil, unavailable(err)
	}
	return list, nil
}

func (a authority) clock() time.Time {
	if a.now == nil {
		return time.Now()
	}
	return a.now()
}

// keyID names a secret in a token's header without telling it.
func keyID(secret string) string { return identity.HashID("", secret, 8) }

func invalid(reason error) error {
	return problem.Wrap(fmt.Errorf("%w: %w", ErrInvalid, reason), problem.Unauthorized, "The token is not valid.")
}

// unavailable keeps a classified error and classifies any other.
func unavailable(err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	return problem.Wrap(err, problem.Unavailable, "Tokens cannot be issued or checked at the moment.")
}
