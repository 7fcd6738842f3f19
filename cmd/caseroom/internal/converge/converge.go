// Package converge brings a vendor's account to where it should be: look, plan,
// act, and look again until nothing is left to do.
package converge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Problem is something that is not as it should be, and what to do about it.
type Problem struct {
	What string `json:"what"`
	Do   string `json:"do"`
}

// Step is one change of what there is.
type Step struct {
	What string
	Run  func(ctx context.Context) error
}

// ErrSkipped is what a step returns that turned out to be somebody else's to
// take. It counts as no failure and is not among what was done.
var ErrSkipped = errors.New("skipped")

// Steps is a plan.
type Steps []Step

// Add appends a step.
func (s *Steps) Add(what string, run func(context.Context) error) {
	*s = append(*s, Step{what, run})
}

// Options say how. Wait is required.
type Options struct {
	// Dry plans once and does nothing.
	Dry bool
	// Wait waits, and tells for what. It returns the context's error.
	Wait func(ctx context.Context, d time.Duration, what string) error
	// Did is told of each step that was taken; may be nil.
	Did func(step string)
}

// A plan is made anew at most maxFailures times after a call that failed, and
// maxRounds times in all.
const (
	maxFailures = 4
	maxRounds   = 8
)

// Run makes a plan of what observe finds, takes its steps, and looks again,
// until the plan is empty. A call whose outcome is unknown is never repeated
// blindly: the next plan is made of what it left. Run returns what was done, or
// would be with Dry, even beside an error.
func Run[S any](ctx context.Context, o Options, observe func(context.Context) (S, error), plan func(S) (Steps, error)) (done []string, err error) {
	failures := 0
	for range maxRounds {
		s, err := observe(ctx)
		if err != nil {
			return done, err
		}
		steps, err := plan(s)
		if err != nil || len(steps) == 0 {
			return done, err
		}
		if o.Dry {
			for _, st := range steps {
				done = append(done, st.What)
			}
			return done, nil
		}
		for _, st := range steps {
			if err = st.Run(ctx); errors.Is(err, ErrSkipped) {
				err = nil
				continue
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", st.What, err)
				break
			}
			done = append(done, st.What)
			if o.Did != nil {
				o.Did(st.What)
			}
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		var e *upstream.Error
		failures++
		if failures == maxFailures || !errors.As(err, &e) || !e.Retryable() || e.Quota || e.RetryAfter > time.Minute {
			return done, err
		}
		pause := max(e.RetryAfter, time.Duration(failures)*time.Second)
		if err := o.Wait(ctx, pause, "a pause before looking again"); err != nil {
			return done, err
		}
	}
	return done, errors.New("every change was taken, and still not all is as it should be: is somebody else changing it?")
}
