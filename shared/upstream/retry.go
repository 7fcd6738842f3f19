package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Retry runs call until it succeeds, is refused, or the context has no room
// for another try; three tries at most. Only calls whose repetition changes
// nothing may be given to it. A vendor's Retry-After is honoured when it fits
// inside the deadline and ends the retrying when it does not.
func Retry[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 100 * time.Millisecond
	wait.MaxInterval = time.Second
	return backoff.Retry(ctx, func() (T, error) {
		v, err := call(ctx)
		if err == nil {
			return v, nil
		}
		var e *Error
		if !errors.As(err, &e) || !e.Retryable() || ctx.Err() != nil {
			return v, backoff.Permanent(err)
		}
		if e.RetryAfter > 0 {
			if !fits(ctx, e.RetryAfter) {
				return v, backoff.Permanent(err)
			}
			return v, errors.Join(err, &backoff.RetryAfterError{Duration: e.RetryAfter})
		}
		return v, err
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(3))
}

func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > wait
}
