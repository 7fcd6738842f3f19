// Package login verifies the token by which a company's own login names its
// customer: an HS256 JWT under a shared secret, or an RS256 or ES256 JWT under
// a key that the login publishes.
package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/login/jws"
	"github.com/caseroom/caseroom/shared/problem"
)

// ErrInvalid means that a token proves nobody. Errors that wrap it carry
// [problem.Unauthorized] and never quote the token.
var ErrInvalid = errors.New("login: the token is not valid")

// Config says whose tokens are accepted.
type Config struct {
	Issuer string // LOGIN_ISSUER: what iss must be; "" accepts any
	// Audience is LOGIN_AUDIENCE, looked for in aud and in Xsolla's
	// xsolla_login_project_id; "" accepts any.
	Audience string
	// JWKSURL is LOGIN_JWKS_URL. When it is set, only RS256 and ES256 are
	// accepted; when it is empty, only HS256.
	JWKSURL string
	// Local allows http to host.docker.internal in JWKSURL (AWS_SAM_LOCAL).
	Local bool
	// Secrets returns the live HS256 keys. It is not called when JWKSURL is set.
	Secrets func(context.Context) ([]string, error)
	Client  *http.Client     // fetches JWKSURL; a plain one if nil
	Now     func() time.Time // time.Now if nil
	Log     *slog.Logger     // told when old keys are kept; slog.Default if nil
}

// Verifier checks login tokens. It may be used concurrently.
type Verifier struct {
	config Config
	keys   *keySource // nil: HS256
}

// New validates c.
func New(c Config) (*Verifier, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	v := &Verifier{config: c}
	if c.JWKSURL == "" {
		if c.Secrets == nil {
			return nil, errors.New("login: neither a JWKS URL nor secrets")
		}
		return v, nil
	}
	var err error
	v.keys, err = newKeySource(c)
	return v, err
}

// Verify returns whom the token names. A refused token gives an error that
// wraps [ErrInvalid]; keys that cannot be had give a *problem.Error of code
// [problem.Unavailable].
//
// Claims are RFC 7519's and OpenID Connect Core 1.0 section 5.1's; see
// https://developers.xsolla.com/api/login/ for Xsolla's project id.
func (v *Verifier) Verify(ctx context.Context, token string) (User, error) {
	head, err := jws.Parse(token)
	if err != nil {
		return User{}, invalid(err)
	}
	if !v.accepts(head.Alg) {
		return User{}, invalid(jws.ErrAlgorithm)
	}
	keys, err := v.keysFor(ctx, head)
	if err != nil {
		return User{}, err
	}
	rules := jws.Rules{Alg: head.Alg, Issuer: v.config.Issuer, Now: v.config.Now()}
	claims, err := rules.Verify(token, keys...)
	if err != nil {
		return User{}, invalid(err)
	}
	if v.config.Audience != "" && !addressed(claims, v.config.Audience) {
		return User{}, invalid(errors.New("audience not accepted"))
	}
	return user(claims)
}

// accepts pins the algorithms to the configuration: with HS256 beside
// published keys, anybody could sign with the public key's bytes.
func (v *Verifier) accepts(alg string) bool {
	if v.keys == nil {
		return alg == jws.HS256
	}
	return alg == jws.RS256 || alg == jws.ES256
}

func (v *Verifier) keysFor(ctx context.Context, head jws.Header) ([]jwt.VerificationKey, error) {
	if v.keys != nil {
		keys, err := v.keys.find(ctx, head)
		if err != nil {
			return nil, unavailable(err)
		}
		if len(keys) == 0 {
			return nil, invalid(errors.New("no such key"))
		}
		return keys, nil
	}
	secrets, err := v.config.Secrets(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	var keys []jwt.VerificationKey
	for _, s := range secrets {
		if s != "" { // everybody can sign with an empty key
			keys = append(keys, []byte(s))
		}
	}
	if len(keys) == 0 {
		return nil, unavailable(errors.New("login: no HS256 secret"))
	}
	return keys, nil
}

func invalid(reason error) error {
	return problem.Wrap(fmt.Errorf("%w: %w", ErrInvalid, reason), problem.Unauthorized, "The login token is not valid.")
}

// unavailable keeps a classified error and classifies any other.
func unavailable(err error) error {
	var p *problem.Error
	if errors.As(err, &p) {
		return err
	}
	return problem.Wrap(err, problem.Unavailable, "The login cannot be checked at the moment.")
}
