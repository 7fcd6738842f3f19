package engine

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
// is guarded by the engine's lock, which nobody holds while a request is under
// way: whoever receives it may call the stand-ins.
//
// Its goroutines live only while there is something to send.
type notifier struct {
	e      *Engine
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc

	due      []*Notice          // in order
	late     []*Notice          // wait for their time to be sent again
	held     map[string]*Notice // by vendor: waits to be overtaken
	senders  int                // goroutines
	flushing int                // Flush calls that wait: nothing is late for them
	settled  chan struct{}      // closed when nothing is on its way any more; nil if nobody waits
	closed   bool
	done     chan struct{} // closed when the last goroutine has ended after Close
}

// Notice is one request that a vendor makes.
type Notice struct {
	Vendor, Op string
	Detail     map[string]string // for the call log
	Timeout    time.Duration
	// Build makes the request of an attempt; the engine is locked. Nil means
	// that there is nobody to send to any more.
	Build func(ctx context.Context) *http.Request
	// Again says whether a failed attempt is repeated, and when; the engine is
	// locked.
	Again func(sent int, o Outcome) (time.Duration, bool)

	// Names are the records that it tells of, where a vendor gathers them; see
	// [Engine.Waiting].
	Names []string

	fault string // the kind of fault that struck
	sent  int    // attempts so far
	timer *time.Timer
}

// Outcome is what became of one attempt.
type Outcome struct {
	Status     int // 0: no answer
	Timeout    bool
	RetryAfter string
	Body       []byte
}

// OK reports whether the receiver took the notification.
func (o Outcome) OK() bool { return o.Status >= 200 && o.Status <= 299 }

// holdBack is how long a reordered event waits to be overtaken.
const holdBack = time.Second

// lateBy is how late a delayed event is.
const lateBy = 5 * time.Second

func newNotifier(e *Engine) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	transport := e.opts.Notify
	if transport == nil {
		transport = &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second}
	}
	return &notifier{
		e: e, ctx: ctx, cancel: cancel, held: map[string]*Notice{}, done: make(chan struct{}),
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close ends all notifications, also those under way, and waits for that. The
// handler works on; nothing is notified any more.
func (e *Engine) Close() {
	n := e.notifier
	e.Lock()
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
	e.Unlock()
	n.cancel()
	<-n.done
	n.client.CloseIdleConnections()
}

// Flush returns when every notification has been delivered or given up. What
// waits to be sent again, or to be overtaken, is sent at once. It returns early
// with the context's error.
func (e *Engine) Flush(ctx context.Context) error {
	n := e.notifier
	e.Lock()
	defer e.Unlock()
	n.flushing++
	defer func() { n.flushing-- }()
	n.hurry()
	for !n.quiet() {
		if n.settled == nil {
			n.settled = make(chan struct{})
		}
		settled := n.settled
		e.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
		}
		e.Lock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// quiet reports whether nothing is on its way; the engine is locked, as in all below
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
func (n *notifier) notify(x *Notice) {
	if n.closed {
		return
	}
	f := n.e.takeEvent(x.Vendor, x.Op)
	if f == nil {
		n.enqueue(x)
		n.release(x.Vendor)
		return
	}
	x.fault = f.Kind
	switch f.Kind {
	case FaultLose:
		n.e.logged(x.Vendor, x.Op, x.Detail).Fault = x.fault
	case FaultDuplicate:
		twin := *x
		n.enqueue(x)
		n.enqueue(&twin)
		n.release(x.Vendor)
	case FaultDelay:
		n.postpone(x, cmp.Or(f.Delay, lateBy))
	case FaultReorder:
		if n.held[x.Vendor] != nil {
			n.enqueue(x)
			n.release(x.Vendor)
			return
		}
		wait := f.Delay
		if wait == 0 {
			wait = holdBack
		}
		n.held[x.Vendor] = x
		x.timer = time.AfterFunc(wait, func() {
			n.e.Lock()
			defer n.e.Unlock()
			if n.held[x.Vendor] == x {
				n.release(x.Vendor)
			}
		})
		if n.flushing > 0 {
			n.release(x.Vendor)
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

func (n *notifier) enqueue(x *Notice) {
	if n.closed {
		return
	}
	n.due = append(n.due, x)
	if n.senders < max(1, n.e.opts.Senders) {
		n.senders++
		go n.send()
	}
}

// postpone sends x again after wait.
func (n *notifier) postpone(x *Notice, wait time.Duration) {
	if n.flushing > 0 || wait <= 0 {
		n.enqueue(x)
		return
	}
	n.late = append(n.late, x)
	x.timer = time.AfterFunc(wait, func() {
		n.e.Lock()
		defer n.e.Unlock()
		if i := slices.Index(n.late, x); i >= 0 {
			n.late = slices.Delete(n.late, i, i+1)
			n.enqueue(x)
		}
	})
}

// send works on what is due until nothing is. The mutex is not held.
func (n *notifier) send() {
	n.e.Lock()
	defer n.e.Unlock()
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
func (n *notifier) attempt(x *Notice) {
	ctx, cancel := context.WithTimeout(n.ctx, x.Timeout)
	defer cancel()
	req := x.Build(ctx)
	if req == nil {
		return
	}
	x.sent++
	c := n.e.logged(x.Vendor, x.Op, x.Detail)
	c.Fault = x.fault
	if x.sent > 1 {
		c.Detail["attempt"] = strconv.Itoa(x.sent)
	}
	n.e.Unlock()
	var o Outcome
	res, err := n.client.Do(req)
	if err == nil {
		o.Status, o.RetryAfter = res.StatusCode, res.Header.Get("Retry-After")
		o.Body, _ = io.ReadAll(io.LimitReader(res.Body, 1<<20))
		_ = res.Body.Close()
	} else {
		o.Timeout = errors.Is(err, context.DeadlineExceeded)
	}
	n.e.Lock()
	c.Status = o.Status
	if wait, again := x.Again(x.sent, o); again && !n.closed {
		n.postpone(x, wait)
	}
}

// Log logs a request that a vendor makes, or would have made; the engine is
// locked.
func (e *Engine) Log(vendor, op string, detail map[string]string) { e.logged(vendor, op, detail) }

func (e *Engine) logged(vendor, op string, detail map[string]string) *call {
	c := e.newCall(vendor, op)
	c.Detail = maps.Clone(detail)
	return c
}

// Notify sends x, or lets an event fault strike it; the engine is locked.
func (e *Engine) Notify(x *Notice) { e.notifier.notify(x) }

// NotifyIn sends x after wait, whatever the faults; the engine is locked.
func (e *Engine) NotifyIn(x *Notice, wait time.Duration) { e.notifier.postpone(x, wait) }

// Waiting returns the notifications of a vendor that are in line for their first
// attempt and were struck by no fault, in order; the engine is locked.
func (e *Engine) Waiting(vendor string) []*Notice {
	var list []*Notice
	for _, x := range e.notifier.due {
		if x.Vendor == vendor && x.sent == 0 && x.fault == "" {
			list = append(list, x)
		}
	}
	return list
}

// Client is what notifications are sent with; it follows no redirect.
func (e *Engine) Client() *http.Client { return e.notifier.client }

// Done is closed by [Engine.Close].
func (e *Engine) Done() <-chan struct{} { return e.notifier.ctx.Done() }
