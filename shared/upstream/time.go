package upstream

import (
	"context"
	"errors"
	"time"
)

// WithShare returns a context with this many percent of the time ctx has left,
// so that a call which hangs leaves time to find out what it did.
func WithShare(ctx context.Context, percent int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)*time.Duration(percent)/100)
}

// WithReserve returns a context that ends before ctx does: by reserve, or by one
// part-th of the time that is left, whichever is less. Without a deadline there is
// nothing to reserve of.
func WithReserve(ctx context.Context, reserve time.Duration, part int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, left-min(reserve, left/time.Duration(part)))
}

// Sleep pauses, or returns the context's error as soon as that ends.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// NotDone says of an operation that failed in a call before the one that counts
// that it was not done, whatever became of that earlier call. A wait that the
// context ended becomes an upstream error too.
func NotDone(vendor, op string, err error) error {
	var e *Error
	switch {
	case errors.As(err, &e) && e.Class == Unknown:
		known := *e
		known.Class = Unavailable
		return &known
	case e == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
		return &Error{Vendor: vendor, Op: op, Class: Unavailable, Err: err}
	default:
		return err
	}
}

// Settle looks for what a write of unknown outcome may have made: three times at
// most, because a write that is still under way has made nothing yet. It
// returns "" when there is nothing to be seen. look's final says that another
// look would see no more. wait is [Sleep] if nil.
func Settle(ctx context.Context, wait func(context.Context, time.Duration) error, look func(context.Context) (id string, final bool)) string {
	if wait == nil {
		wait = Sleep
	}
	pause := 400 * time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		pause = min(pause, time.Until(deadline)/8)
	}
	for try := range 3 {
		if try > 0 && wait(ctx, pause<<(try-1)) != nil {
			return ""
		}
		if id, final := look(ctx); id != "" || final {
			return id
		}
	}
	return ""
}
