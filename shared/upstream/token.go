package upstream

import (
	"context"
	"net/url"
	"time"
)

// Token is an access token and, for Salesforce, where to use it.
type Token struct {
	Value    string
	Instance *url.URL  // nil unless the vendor named one
	Expires  time.Time // zero: unknown, used until refused
}

// String keeps the token out of anything printed.
func (Token) String() string { return "upstream.Token(REDACTED)" }

// GoString keeps the token out of %#v.
func (t Token) GoString() string { return t.String() }

// TokenSource caches a token, renews it early and once, however many calls
// want it at the same time.
type TokenSource struct {
	fetch func(context.Context) (Token, error)
	early time.Duration
	now   func() time.Time
	lock  chan struct{} // a mutex that a context can give up on
	token Token
}

// NewTokenSource returns a source that calls fetch when there is no token or
// the one there has less than early to live.
func NewTokenSource(fetch func(context.Context) (Token, error), early time.Duration, now func() time.Time) *TokenSource {
	return &TokenSource{fetch: fetch, early: early, now: now, lock: make(chan struct{}, 1)}
}

// Token returns the cached token or fetches one.
func (s *TokenSource) Token(ctx context.Context) (Token, error) {
	return s.get(ctx, "")
}

// Renew replaces a token that the vendor refused. If another caller already
// replaced it, that newer token is returned without a second fetch.
func (s *TokenSource) Renew(ctx context.Context, refused Token) (Token, error) {
	return s.get(ctx, refused.Value)
}

func (s *TokenSource) get(ctx context.Context, refused string) (Token, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	live := s.token.Value != "" && s.token.Value != refused &&
		(s.token.Expires.IsZero() || s.now().Add(s.early).Before(s.token.Expires))
	if live {
		return s.token, nil
	}
	t, err := s.fetch(ctx)
	if err != nil {
		return Token{}, err
	}
	s.token = t
	return t, nil
}
