package engine

import (
	"maps"
	"net/http"
	"strings"
	"time"
)

// maxCalls is how many calls the log remembers.
const maxCalls = 10_000

// Call is one call that reached a stand-in, or a notification that one sent (the
// operations "webhook" and "callout"). It holds no token, key or body.
type Call struct {
	Seq    uint64            `json:"seq"` // 1 is the first; never reused
	Time   time.Time         `json:"time"`
	Vendor string            `json:"vendor"`
	Op     string            `json:"op"`
	Status int               `json:"status"`          // 0: still running, or the connection was dropped
	Fault  string            `json:"fault,omitempty"` // the kind of fault that struck
	Detail map[string]string `json:"detail,omitempty"`
}

// call is a Call in the making; the engine's lock guards it.
type call struct {
	Call
	fault *Fault
}

type callKey struct{}

// callLog keeps the last maxCalls calls.
type callLog struct {
	seq  uint64
	ring []*call
	next int
}

// begin logs the arrival of a call and picks the fault that strikes it.
func (e *Engine) begin(vendor, op string, r *http.Request) *call {
	e.Lock()
	defer e.Unlock()
	var c *call
	if strings.Contains(r.UserAgent(), platformApp) {
		c = &call{} // what Lambda itself does is in nobody's way
	} else {
		c = e.newCall(vendor, op)
	}
	if c.fault = e.take(vendor, op); c.fault != nil {
		c.Fault = c.fault.Kind
	}
	return c
}

// platformApp is in the User-Agent of a local Lambda host, whose polling of
// queues is not a call of the functions'.
const platformApp = "app/caseroom-lambdahost"

// newCall adds a call to the log; the engine is locked.
func (e *Engine) newCall(vendor, op string) *call {
	e.calls.seq++
	c := &call{Call: Call{Seq: e.calls.seq, Time: e.Now().UTC(), Vendor: vendor, Op: op}}
	l := &e.calls
	if len(l.ring) < maxCalls {
		l.ring = append(l.ring, c)
	} else {
		l.ring[l.next] = c
		l.next = (l.next + 1) % maxCalls
	}
	return c
}

func (e *Engine) setStatus(c *call, status int) {
	e.Lock()
	defer e.Unlock()
	c.Status = status
}

// Note adds a detail to the log line of r's call; the engine is locked. Values must be
// ids or small facts, never credentials or bodies.
func Note(r *http.Request, key, value string) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok || value == "" {
		return
	}
	if c.Detail == nil {
		c.Detail = map[string]string{}
	}
	if len(value) > 128 {
		value = value[:128]
	}
	c.Detail[key] = value
}

// Calls returns the calls so far, oldest first, at most the last 10,000.
func (e *Engine) Calls() []Call { return e.callsSince(0) }

func (e *Engine) callsSince(seq uint64) []Call {
	e.Lock()
	defer e.Unlock()
	out := []Call{}
	l := &e.calls
	for i := range l.ring {
		c := l.ring[(l.next+i)%len(l.ring)]
		if c.Seq <= seq {
			continue
		}
		v := c.Call
		v.Detail = maps.Clone(v.Detail)
		out = append(out, v)
	}
	return out
}

// ResetCalls empties the log. Sequence numbers go on.
func (e *Engine) ResetCalls() {
	e.Lock()
	defer e.Unlock()
	e.calls.ring, e.calls.next = nil, 0
}
