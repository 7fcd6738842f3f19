package sandbox

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// notifier sends what the vendors say by themselves: webhooks and callouts. It
// is guarded by the sandbox's mutex, which nobody holds while a request is
// under way: whoever receives it may call the sandbox.
//
// Its goroutines live only while there is something to send.
type notifier struct {
	s      *Sandbox
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc

	due      []*notice          // in order
	late     []*notice          // wait for their time to be sent again
	held     map[string]*notice // by vendor: waits to be overtaken
	senders  int                // goroutines
	flushing int                // Flush calls that wait: nothing is late for them
	settled  chan struct{}      // closed when nothing is on its way any more; nil if nobody waits
	closed   bool
	done     chan struct{} // closed when the last goroutine has ended after Close
}

// notice is one request that a vendor makes.
type notice struct {
	vendor, op string
	detail     map[string]string // for the call log
	fault      string            // the kind of fault that struck
	timeout    time.Duration
	// build makes the request of an attempt; the sandbox's mutex is held. Nil
	// means that there is nobody to send to any more.
	build func(ctx context.Context) *http.Request
	// again says whether a failed attempt is repeated, and when; the sandbox's
	// mutex is held.
	again func(sent int, o outcome) (time.Duration, bool)

	sent  int      // attempts so far
	cases []string // Salesforce: what the callout names
	timer *time.Timer
}

// outcome is what became of one attempt.
type outcome struct {
	status     int // 0: no answer
	timeout    bool
	retryAfter string
	body       []byte
}

func (o outcome) ok() bool { return o.status >= 200 && o.status <= 299 }

// holdBack is how long a reordered event waits to be overtaken.
const holdBack = time.Second

// lateBy is how late a delayed event is.
const lateBy = 5 * time.Second

func newNotifier(s *Sandbox) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	transport := s.opts.Notify
	if transport == nil {
		transport = &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second}
	}
	return &notifier{
		s: s, ctx: ctx, cancel: cancel, held: map[string]*notice{}, done: make(chan struct{}),
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close ends all notifications, also those under way, and waits for that. The
// handler works on; nothing is notified any more.
func (s *Sandbox) Close() {
	n := s.notifier
	s.mu.Lock()
	first := !n.closed
	n.closed = true
	for _, x := range n.late {
		x.timer.Stop()
	}
	for _, x := range n.held {
		x.timer.Stop()
	}
	n.due, n.late = nil, nil
	clear(n.held)
	n.settle()
	if first && n.senders == 0 {
		close(n.done)
	}
	s.mu.Unlock()
	n.cancel()
	<-n.done
	n.client.CloseIdleConnections()
}

// Flush returns when every notification has been delivered or given up. What
// waits to be sent again, or to be overtaken, is sent at once. It returns early
// with the context's error.
func (s *Sandbox) Flush(ctx context.Context) error {
	n := s.notifier
	s.mu.Lock()
	defer s.mu.Unlock()
	n.flushing++
	defer func() { n.flushing-- }()
	n.hurry()
	for !n.quiet() {
		if n.settled == nil {
			n.settled = make(chan struct{})
		}
		settled := n.settled
		s.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// quiet reports whether nothing is on its way; s.mu is held, as in all below
// unless said.
func (n *notifier) quiet() bool {
	return n.closed || (len(n.due) == 0 && len(n.late) == 0 && len(n.held) == 0 && n.senders == 0)
}

func (n *notifier) settle() {
	if n.settled != nil && n.quiet() {
		close(n.settled)
		n.settled = nil
	}
}

// hurry sends what waits.
func (n *notifier) hurry() {
	late := n.late
	n.late = nil
	for _, x := range late {
		x.timer.Stop()
		n.enqueue(x)
	}
	for _, vendor := range slices.Sorted(maps.Keys(n.held)) {
		n.release(vendor)
	}
}

// notify sends x, or lets an event fault strike it.
func (n *notifier) notify(x *notice) {
	if n.closed {
		return
	}
	f := n.s.takeEvent(x.vendor, x.op)
	if f == nil {
		n.enqueue(x)
		n.release(x.vendor)
		return
	}
	x.fault = f.Kind
	switch f.Kind {
	case FaultLose:
		n.s.logCall(x.vendor, x.op, x.detail).Fault = x.fault
	case FaultDuplicate:
		twin := *x
		n.enqueue(x)
		n.enqueue(&twin)
		n.release(x.vendor)
	case FaultDelay:
		n.postpone(x, cmp.Or(f.Delay, lateBy))
	case FaultReorder:
		if n.held[x.vendor] != nil {
			n.enqueue(x)
			n.release(x.vendor)
			return
		}
		wait := f.Delay
		if wait == 0 {
			wait = holdBack
		}
		n.held[x.vendor] = x
		x.timer = time.AfterFunc(wait, func() {
			n.s.mu.Lock()
			defer n.s.mu.Unlock()
			if n.held[x.vendor] == x {
				n.release(x.vendor)
			}
		})
		if n.flushing > 0 {
			n.release(x.vendor)
		}
	}
}

// release sends the vendor's event that waits to be overtaken, if there is one.
func (n *notifier) release(vendor string) {
	if x := n.held[vendor]; x != nil {
		x.timer.Stop()
		delete(n.held, vendor)
		n.enqueue(x)
	}
}

func (n *notifier) enqueue(x *notice) {
	if n.closed {
		return
	}
	n.due = append(n.due, x)
	if n.senders < max(1, n.s.opts.Senders) {
		n.senders++
		go n.send()
	}
}

// postpone sends x again after wait.
func (n *notifier) postpone(x *notice, wait time.Duration) {
	if n.flushing > 0 || wait <= 0 {
		n.enqueue(x)
		return
	}
	n.late = append(n.late, x)
	x.timer = time.AfterFunc(wait, func() {
		n.s.mu.Lock()
		defer n.s.mu.Unlock()
		if i := slices.Index(n.late, x); i >= 0 {
			n.late = slices.Delete(n.late, i, i+1)
			n.enqueue(x)
		}
	})
}

// send works on what is due until nothing is. The mutex is not held.
func (n *notifier) send() {
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	for len(n.due) > 0 && !n.closed {
		x := n.due[0]
		n.due = n.due[1:]
		n.attempt(x)
	}
	n.senders--
	n.settle()
	if n.closed && n.senders == 0 {
		close(n.done)
	}
}

// attempt makes one request. The mutex is let go meanwhile.
func (n *notifier) attempt(x *notice) {
	ctx, cancel := context.WithTimeout(n.ctx, x.timeout)
	defer cancel()
	req := x.build(ctx)
	if req == nil {
		return
	}
	x.sent++
	c := n.s.logCall(x.vendor, x.op, x.detail)
	c.Fault = x.fault
	if x.sent > 1 {
		c.Detail["attempt"] = strconv.Itoa(x.sent)
	}
	n.s.mu.Unlock()
	var o outcome
	res, err := n.client.Do(req)
	if err == nil {
		o.status, o.retryAfter = res.StatusCode, res.Header.Get("Retry-After")
		o.body, _ = io.ReadAll(io.LimitReader(res.Body, 1<<20))
		_ = res.Body.Close()
	} else {
		o.timeout = errors.Is(err, context.DeadlineExceeded)
	}
	n.s.mu.Lock()
	c.Status = o.status
	if wait, again := x.again(x.sent, o); again && !n.closed {
		n.postpone(x, wait)
	}
}

// logCall logs a request that a vendor makes; s.mu is held.
func (s *Sandbox) logCall(vendor, op string, detail map[string]string) *call {
	c := s.newCall(vendor, op)
	c.Detail = maps.Clone(detail)
	return c
}
