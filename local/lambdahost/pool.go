package lambdahost

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// pool is a function's processes. Each runs one invocation at a time; further
// ones start on demand, up to a limit, and stay warm.
type pool struct {
	fn     Function
	arn    string
	binary string
	env    []string
	log    *lineLog
	slack  time.Duration
	slots  chan struct{} // one per process at work

	mu     sync.Mutex
	closed bool
	idle   []*environment
	live   map[*environment]bool
}

var errClosed = errors.New("lambdahost: stopped")

// invoke runs inv in a warm process if there is one, else in a new one.
func (p *pool) invoke(ctx context.Context, inv *invocation) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	for {
		e, err := p.take()
		if err != nil {
			return nil, err
		}
		payload, err := e.invoke(ctx, inv)
		p.give(e)
		if errors.Is(err, errGone) {
			continue
		}
		return payload, err
	}
}

// warm starts a process if there is none and waits until it asks for work.
func (p *pool) warm(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.slots }()
	e, err := p.take()
	if err != nil {
		return err
	}
	defer p.give(e)
	if err := e.ready(ctx); err != nil {
		e.stop()
		return fmt.Errorf("lambdahost: %s: %w", p.fn.Label(), err)
	}
	return nil
}

// take returns the process used last, so that idle ones stay idle, or a new one.
func (p *pool) take() (*environment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.closed {
			return nil, errClosed
		}
		n := len(p.idle)
		if n == 0 {
			break
		}
		e := p.idle[n-1]
		p.idle = p.idle[:n-1]
		if e.alive() {
			return e, nil
		}
		delete(p.live, e)
	}
	// Under the lock: close either prevents this start or stops its process.
	e, err := start(p.fn, p.arn, p.binary, p.env, p.slack, &prefixed{log: p.log, prefix: p.fn.Label() + " | "})
	if err != nil {
		return nil, err
	}
	p.live[e] = true
	return e, nil
}

func (p *pool) give(e *environment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !e.alive() || p.closed {
		if !e.alive() {
			delete(p.live, e)
		}
		return
	}
	p.idle = append(p.idle, e)
}

// close stops every process and lets no other start.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	live := p.live
	p.live, p.idle = map[*environment]bool{}, nil
	p.mu.Unlock()
	var wg sync.WaitGroup
	for e := range live {
		wg.Go(e.stop)
	}
	wg.Wait()
}
