package relay

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// limited reports whether a vendor refused a call for being too fast: not for
// what its plan allows in a day, which no wait inside an invocation lifts.
func limited(err error) bool {
	var up *upstream.Error
	return errors.As(err, &up) && up.Class == upstream.RateLimited && !up.Quota
}

// tooFast is how long to wait after a vendor's limit. Some do not say.
func tooFast(err error) time.Duration {
	return cmp.Or(upstream.RetryAfter(err), time.Second)
}

// gate keeps the rest of a batch from a vendor that said "too fast" to two of its
// tickets. What it said to one alone may be that one's own limit: Zendesk takes 30
// updates of a ticket in ten minutes, the chat 40 messages of a room in a second.
type gate struct {
	now   Clock
	mu    sync.Mutex
	first string // the ticket that met a limit first
	until time.Time
	err   error
}

func (g *gate) note(ticket string, err error) {
	if !limited(err) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == "" {
		g.first = ticket
	}
	if g.first == ticket && g.err == nil {
		return
	}
	if until := g.now().Add(tooFast(err)); until.After(g.until) {
		g.until, g.err = until, err
	}
}

// closed returns what the vendor said, nil if it takes all.
func (g *gate) closed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// left is for how long the vendor takes nothing.
func (g *gate) left() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.until.Sub(g.now())
}
