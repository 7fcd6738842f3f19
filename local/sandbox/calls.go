package sandbox

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

// call is a Call in the making; s.mu guards it.
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
func (s *Sandbox) begin(vendor, op string, r *http.Request) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c *call
	if strings.Contains(r.UserAgent(), platformApp) {
		c = &call{} // what Lambda itself does is in nobody's way
	} else {
		c = s.newCall(vendor, op)
	}
	if c.fault = s.take(vendor, op); c.fault != nil {
		c.Fault = c.fault.Kind
	}
	return c
}

// platformApp is in the User-Agent of a local Lambda host, whose polling of
// queues is not a call of the functions'.
const platformApp = "app/caseroom-lambdahost"

// newCall adds a call to the log; s.mu is held.
func (s *Sandbox) newCall(vendor, op string) *call {
	s.calls.seq++
	c := &call{Call: Call{Seq: s.calls.seq, Time: s.now().UTC(), Vendor: vendor, Op: op}}
	l := &s.calls
	if len(l.ring) < maxCalls {
		l.ring = append(l.ring, c)
	} else {
		l.ring[l.next] = c
		l.next = (l.next + 1) % maxCalls
	}
	return c
}

func (s *Sandbox) setStatus(c *call, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Status = status
}

// note adds a detail to the log line of r's call; s.mu is held. Values must be
// ids or small facts, never credentials or bodies.
func note(r *http.Request, key, value string) {
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
func (s *Sandbox) Calls() []Call { return s.callsSince(0) }

func (s *Sandbox) callsSince(seq uint64) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Call{}
	l := &s.calls
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
func (s *Sandbox) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.ring, s.calls.next = nil, 0
}
