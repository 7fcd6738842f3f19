package upstream

import (
	"context"
	"net/url"
	"sync"
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

// Tokens keeps the token source of the credentials in use. C is the secret.
type Tokens[C comparable] struct {
	fetch func(context.Context, C) (Token, error)
	early time.Duration
	now   func() time.Time

	mu     sync.Mutex
	of     C
	source *TokenSource
}

// NewTokens returns an empty keeper whose sources call fetch; see [NewTokenSource].
func NewTokens[C comparable](fetch func(context.Context, C) (Token, error), early time.Duration, now func() time.Time) *Tokens[C] {
	return &Tokens[C]{fetch: fetch, early: early, now: now}
}

// Of returns the source of creds: a new one when the secret has changed.
func (t *Tokens[C]) Of(creds C) *TokenSource {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.source == nil || t.of != creds {
		t.of = creds
		t.source = NewTokenSource(func(ctx context.Context) (Token, error) { return t.fetch(ctx, creds) }, t.early, t.now)
	}
	return t.source
}

// HeaderValue reports whether a token can stand in a header as it is.
func HeaderValue(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}
