package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// logins answers logins and remembers when they came.
type logins struct {
	now time.Time
	at  []time.Duration
	err error
}

func (l *logins) source() *upstream.TokenSource {
	begin := l.now
	return upstream.NewTokenSource(func(context.Context) (upstream.Token, error) {
		l.at = append(l.at, l.now.Sub(begin))
		return upstream.Token{Value: fmt.Sprint("token ", len(l.at))}, l.err
	}, time.Minute, func() time.Time { return l.now })
}

// A login that is refused is not tried by every call: it is remembered, longer
// each time, and forgotten with the first that succeeds.
func TestRefusedLoginIsRemembered(t *testing.T) {
	t.Parallel()
	refused := &upstream.Error{Vendor: "zendesk", Class: upstream.Refused, Credentials: true}
	l := &logins{now: time.Unix(1790000000, 0), err: refused}
	s := l.source()
	for range 1200 { // 20 minutes of a call a second
		if _, err := s.Token(t.Context()); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		l.now = l.now.Add(time.Second)
	}
	seconds := []time.Duration{0, 30, 90, 210, 450, 750, 1050}
	for i := range seconds {
		seconds[i] *= time.Second
	}
	if !slices.Equal(l.at, seconds) {
		t.Errorf("logins at %v", l.at)
	}
	l.now, l.err = l.now.Add(5*time.Minute), nil
	if token, err := s.Token(t.Context()); err != nil || token.Value != "token 8" {
		t.Errorf("%+v, %v", token, err)
	}
}

// Other failures say nothing about the next login, but for a wait that is asked for.
func TestFailedLoginIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want int
	}{
		{&upstream.Error{Class: upstream.Unavailable}, 3},
		{&upstream.Error{Class: upstream.Unknown, RetryAfter: time.Minute}, 3},
		{&upstream.Error{Class: upstream.RateLimited}, 3},
		{&upstream.Error{Class: upstream.RateLimited, RetryAfter: time.Minute}, 2},
	} {
		l := &logins{now: time.Unix(1790000000, 0), err: tt.err}
		s := l.source()
		for range 3 {
			if _, err := s.Token(t.Context()); !errors.Is(err, tt.err) {
				t.Error(err)
			}
			l.now = l.now.Add(30 * time.Second)
		}
		if len(l.at) != tt.want {
			t.Errorf("%v: %d logins", tt.err, len(l.at))
		}
	}
}

// Tokens that are refused as soon as they are made end after a few: there is no
// other proof for a minute.
func TestRefusedTokensAreCounted(t *testing.T) {
	t.Parallel()
	l := &logins{now: time.Unix(1790000000, 0)}
	s := l.source()
	refusals := 0
	for range 120 {
		token, err := s.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Renew(t.Context(), token); errors.Is(err, upstream.ErrSameProof) {
			refusals++
		} else if err != nil {
			t.Fatal(err)
		}
		l.now = l.now.Add(time.Second)
	}
	if len(l.at) != 1+2*3 || refusals != 120-2*3 {
		t.Errorf("logins at %v, %d refused", l.at, refusals)
	}
}

// Of many callers whose token was refused one logs in.
func TestRenewOnce(t *testing.T) {
	t.Parallel()
	l := &logins{now: time.Unix(1790000000, 0)}
	s := l.source()
	old, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if token, err := s.Renew(t.Context(), old); err != nil || token.Value != "token 2" {
				t.Errorf("%+v, %v", token, err)
			}
		})
	}
	all.Wait()
}
