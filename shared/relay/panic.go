package relay

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
)

// ErrPanic is what becomes of a panic: there is nothing in it for a log line.
var ErrPanic = errors.New("relay: panic")

// Protect runs f. A panic in it is a bug of ours that one ticket or request has met:
// it is logged with attrs and becomes [ErrPanic], so that the others go on.
func Protect(ctx context.Context, f func() error, attrs ...any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "panic", append([]any{"panic", p, "stack", string(debug.Stack())}, attrs...)...)
			err = ErrPanic
		}
	}()
	return f()
}

// async runs f in a goroutine of its own, by Protect: a panic there would end the
// process, whoever recovers here. The func it returns waits for f's error, and
// has to be called before the caller returns.
func async(ctx context.Context, f func() error) (wait func() error) {
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = Protect(ctx, f)
	}()
	return func() error {
		<-done
		return err
	}
}
