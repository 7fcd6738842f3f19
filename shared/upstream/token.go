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
// want it at the same time. Vendors lock out who logs in again and again, so it
// remembers a login that was refused, and counts tokens that were refused.
type TokenSource struct {
	fetch func(context.Context) (Token, error)
	early time.Duration
	now   func() time.Time
	lock  chan struct{} // a mutex that a context can give up on
	token Token

	err   error // why the last login was refused
	until time.Time
	tries int // logins refused in a row

	renewals int // of tokens that were refused, since
	since    time.Time
}

// A refused login is remembered for half a minute, then twice as long each time:
// what is wrong with it is seldom mended without another secret, which has a
// source of its own. Tokens that are refused are renewed a few times a minute.
const (
	refusedFor  = 30 * time.Second
	refusedMost = 5 * time.Minute
	renewMost   = 3
	renewWithin = time.Minute
)

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
// replaced it, that newer token is returned without a second fetch. When too many
// were refused the error is [ErrSameProof].
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
	now := s.now()
	if now.Before(s.until) {
		return Token{}, s.err
	}
	if refused != "" && refused == s.token.Value {
		if now.Sub(s.since) >= renewWithin {
			s.since, s.renewals = now, 0
		}
		if s.renewals >= renewMost {
			return Token{}, ErrSameProof
		}
		s.renewals++
	}
	t, err := s.fetch(ctx)
	s.remember(now, err)
	if err != nil {
		return Token{}, err
	}
	s.token = t
	return t, nil
}

// remember keeps a login's refusal, or the time for which the vendor asked for none.
func (s *TokenSource) remember(now time.Time, err error) {
	switch {
	case CredentialsRefused(err):
		s.err, s.until = err, now.Add(min(refusedMost, refusedFor<<min(s.tries, 4)))
		s.tries++
	case err != nil && ClassOf(err) == RateLimited && RetryAfter(err) > 0:
		s.err, s.until = err, now.Add(RetryAfter(err))
	case err == nil:
		s.tries = 0
	}
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
