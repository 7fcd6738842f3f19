package calendar

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/login/jws"
)

// How long an agent has from the panel to Cronofy's page, and from there back.
const (
	StartTTL = 2 * time.Minute
	StateTTL = 15 * time.Minute
)

// ErrToken means that a token proves nothing. It never quotes the token.
var ErrToken = errors.New("calendar: the token is not valid")

// minSecret is the least length of a secret in bytes: HS256 wants a key as long
// as its hash (RFC 7518, 3.2).
const minSecret = 32

// Secret is the part of CRONOFY_SECRET that is no vendor's: the key of Tokens.
type Secret struct {
	StateSecret string `json:"stateSecret"`
}

// Validate reports a key that is too short.
func (s Secret) Validate() error {
	if len(s.StateSecret) < minSecret {
		return errors.New("stateSecret is shorter than 32 bytes")
	}
	return nil
}

func (Secret) String() string { return "calendar.Secret(REDACTED)" }

// GoString keeps the key out of %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps the key out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Tokens makes and checks what browsers and calendars carry for an agent. Secret
// returns the key of all of them; its errors are passed on.
type Tokens struct {
	Secret func(context.Context) (string, error)
	Now    func() time.Time
}

// The issuers: a token of one kind is none of another.
const (
	issuerStart = "caseroom-calendar-start"
	issuerState = "caseroom-calendar-state"
)

// Asked is what an agent's wish to connect carries from the panel to Cronofy and
// back: the agent, and the mark of the connection that there was.
type Asked struct{ Agent, Mark string }

// Start returns a token that lets the browser to which the panel gave it begin
// to connect the agent's calendar, good for StartTTL.
func (t Tokens) Start(ctx context.Context, a Asked) (string, error) {
	return t.issue(ctx, issuerStart, a, "", StartTTL)
}

// Started returns what a Start was made of.
func (t Tokens) Started(ctx context.Context, token string) (Asked, error) {
	a, _, err := t.verify(ctx, issuerStart, token)
	return a, err
}

// State returns what Cronofy carries through the agent's consent. nonce is what
// the agent's browser keeps meanwhile; only a hash of it is in the state.
func (t Tokens) State(ctx context.Context, a Asked, nonce string) (string, error) {
	return t.issue(ctx, issuerState, a, hashOf(nonce), StateTTL)
}

// Consented returns what a State was made of, if the browser is the one that
// began.
func (t Tokens) Consented(ctx context.Context, state, nonce string) (Asked, error) {
	a, kept, err := t.verify(ctx, issuerState, state)
	if err == nil && (nonce == "" || !hmac.Equal([]byte(kept), []byte(hashOf(nonce)))) {
		return Asked{}, ErrToken
	}
	return a, err
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (t Tokens) issue(ctx context.Context, issuer string, a Asked, nonce string, ttl time.Duration) (string, error) {
	secret, err := t.Secret(ctx)
	if err != nil {
		return "", err
	}
	now := t.Now()
	claims := jwt.MapClaims{"iss": issuer, "sub": a.Agent, "iat": now.Unix(), "exp": now.Add(ttl).Unix()}
	if a.Mark != "" {
		claims["mark"] = a.Mark
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		return "", errors.New("calendar: signing failed")
	}
	return signed, nil
}

func (t Tokens) verify(ctx context.Context, issuer, token string) (a Asked, nonce string, err error) {
	secret, err := t.Secret(ctx)
	if err != nil {
		return Asked{}, "", err
	}
	claims, err := jws.Rules{Alg: jws.HS256, Issuer: issuer, Now: t.Now()}.Verify(token, []byte(secret))
	if err != nil {
		return Asked{}, "", ErrToken
	}
	a.Agent, _ = claims["sub"].(string)
	a.Mark, _ = claims["mark"].(string)
	nonce, _ = claims["nonce"].(string)
	if !identity.IsZendeskID(a.Agent) {
		return Asked{}, "", ErrToken
	}
	return a, nonce, nil
}

// Feed returns the token of an agent's feed: the agent, a generation, and a
// message authentication code of 256 bits. It does not expire; a feed of another
// generation than the agent's current one is refused.
func (t Tokens) Feed(ctx context.Context, agent string, generation int) (string, error) {
	secret, err := t.Secret(ctx)
	if err != nil {
		return "", err
	}
	return feedToken(secret, agent, generation), nil
}

func feedToken(secret, agent string, generation int) string {
	head := agent + "." + strconv.Itoa(generation)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("caseroom-calendar-feed\n" + head))
	return head + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// OfFeed returns whose a feed's token is, and its generation.
func (t Tokens) OfFeed(ctx context.Context, token string) (agent string, generation int, err error) {
	agent, rest, _ := strings.Cut(token, ".")
	text, _, ok := strings.Cut(rest, ".")
	generation, numErr := strconv.Atoi(text)
	if !ok || len(token) > 128 || !identity.IsZendeskID(agent) || numErr != nil || generation < 0 {
		return "", 0, ErrToken
	}
	secret, err := t.Secret(ctx)
	if err != nil {
		return "", 0, err
	}
	if !hmac.Equal([]byte(token), []byte(feedToken(secret, agent, generation))) {
		return "", 0, ErrToken
	}
	return agent, generation, nil
}
