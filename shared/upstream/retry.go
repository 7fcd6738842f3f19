package upstream

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Retry runs call until it succeeds, is refused, or the context has no room
// for another try; three tries at most. Only calls whose repetition changes
// nothing may be given to it. A vendor's Retry-After is honoured when it leaves
// most of the time for the work and ends the retrying when it does not.
func Retry[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	random, ok := ctx.Value(randomKey{}).(func() float64)
	if !ok {
		random = rand.Float64
	}
	wait := &jittered{backoff.NewExponentialBackOff(), random}
	wait.InitialInterval, wait.MaxInterval, wait.RandomizationFactor = 100*time.Millisecond, time.Second, 0
	var last error
	v, err := backoff.Retry(ctx, func() (T, error) {
		var v T
		v, last = call(ctx)
		var e *Error
		switch {
		case last == nil:
			return v, nil
		case !errors.As(last, &e) || !e.Retryable() || ctx.Err() != nil:
			return v, backoff.Permanent(last)
		case e.RetryAfter > 0 && !fits(ctx, e.RetryAfter):
			return v, backoff.Permanent(last)
		case e.RetryAfter > 0:
			return v, errors.Join(last, &backoff.RetryAfterError{Duration: e.RetryAfter})
		}
		return v, last
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(3))
	if err != nil && last != nil {
		// The vendor's word, also when the deadline ended a pause.
		err = last
	}
	return v, err
}

type randomKey struct{}

// WithRandom gives [Retry] the numbers in [0,1) by which its pauses differ.
// Without it they are the system's.
func WithRandom(ctx context.Context, random func() float64) context.Context {
	return context.WithValue(ctx, randomKey{}, random)
}

// jittered makes each pause up to a half shorter or longer.
type jittered struct {
	*backoff.ExponentialBackOff
	random func() float64
}

func (j *jittered) NextBackOff() time.Duration {
	return time.Duration((0.5 + j.random()) * float64(j.ExponentialBackOff.NextBackOff()))
}

func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || wait <= time.Until(deadline)/3
}
