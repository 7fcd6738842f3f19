package engine

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"
)

// Fault makes calls fail the way vendors fail. Of several that match a call,
// the one that was added first strikes.
type Fault struct {
	// Vendor is "zendesk", "zopim", "salesforce", "tencent", "cronofy", "aws", or "chat" for
	// the chat clients' own way to Tencent; Op is the operation as /calls names
	// it. Empty means any.
	Vendor string `json:"vendor,omitempty"`
	Op     string `json:"op,omitempty"`
	// Kind is one of
	//
	//	timeout       hang until the client gives up (at most Delay, if set)
	//	reset-before  drop the connection, nothing done
	//	reset-after   do it, then drop the connection
	//	status        answer Status (500 if zero) with RetryAfter and Body
	//	html          200 (or Status) with a proxy's HTML page
	//	null          200 with the JSON null
	//	truncate      do it, then answer with half of the JSON
	//	code          the vendor's own error Code, in its own shape
	//	slow          wait Delay, then do it, whether or not the client is still there
	//
	// or, for what a vendor notifies (zendesk's "webhook", salesforce's "callout",
	// tencent's "callback"),
	//
	//	lose          never send it
	//	duplicate     send it twice
	//	reorder       send it after the next one, at most Delay (1 s if zero) later
	//	delay         send it Delay (5 s if zero) later
	Kind string `json:"kind"`
	// Times is how many calls or notifications it strikes; 0 means until it is
	// cleared.
	Times int `json:"times,omitempty"`

	Status     int           `json:"status,omitempty"`
	Code       string        `json:"code,omitempty"`
	RetryAfter string        `json:"retryAfter,omitempty"`
	Delay      time.Duration `json:"delay,omitempty"` // nanoseconds in JSON
	Body       string        `json:"body,omitempty"`
}

// The kinds of [Fault].
const (
	FaultTimeout     = "timeout"
	FaultResetBefore = "reset-before"
	FaultResetAfter  = "reset-after"
	FaultStatus      = "status"
	FaultHTML        = "html"
	FaultNull        = "null"
	FaultTruncate    = "truncate"
	FaultCode        = "code"
	FaultSlow        = "slow"
	FaultLose        = "lose"
	FaultDuplicate   = "duplicate"
	FaultReorder     = "reorder"
	FaultDelay       = "delay"
)

var (
	faultKinds = []string{
		FaultTimeout, FaultResetBefore, FaultResetAfter, FaultStatus, FaultHTML,
		FaultNull, FaultTruncate, FaultCode, FaultSlow, FaultLose, FaultDuplicate, FaultReorder, FaultDelay,
	}
	eventFaults = []string{FaultLose, FaultDuplicate, FaultReorder, FaultDelay}
	notifiers   = []string{"", "zendesk", "salesforce", "tencent"}
	vendors     = []string{"zendesk", "zopim", "salesforce", "tencent", "cronofy", "aws", "chat"}
)

type armedFault struct {
	Fault
	left int // strikes left when Times > 0
}

// AddFault arms f. It returns an error, and arms nothing, when f could never
// strike as written.
func (e *Engine) AddFault(f Fault) error {
	if err := f.validate(); err != nil {
		return err
	}
	e.Lock()
	defer e.Unlock()
	e.faults = append(e.faults, &armedFault{f, f.Times})
	for _, armed := range e.onFault {
		armed(f)
	}
	return nil
}

// OnFault calls g with every fault that is armed; the engine is locked.
func (e *Engine) OnFault(g func(Fault)) { e.onFault = append(e.onFault, g) }

// Matches reports whether f strikes calls of an operation.
func (f Fault) Matches(vendor, op string) bool { return f.matches(vendor, op, false) }

// ClearFaults disarms all faults.
func (e *Engine) ClearFaults() {
	e.Lock()
	defer e.Unlock()
	e.faults = nil
}

// Faults returns the faults that are still armed, Times being what is left.
func (e *Engine) Faults() []Fault {
	e.Lock()
	defer e.Unlock()
	out := make([]Fault, 0, len(e.faults))
	for _, a := range e.faults {
		f := a.Fault
		f.Times = a.left
		out = append(out, f)
	}
	return out
}

func (f Fault) validate() error {
	switch {
	case f.Vendor != "" && !slices.Contains(vendors, f.Vendor):
		return fmt.Errorf("vendor %q is not one of %v", f.Vendor, vendors)
	case slices.Contains(eventFaults, f.Kind) && !slices.Contains(notifiers, f.Vendor):
		return fmt.Errorf("vendor %q sends no events", f.Vendor)
	case !slices.Contains(faultKinds, f.Kind):
		return fmt.Errorf("kind %q is not one of %v", f.Kind, faultKinds)
	case f.Times < 0 || f.Delay < 0:
		return fmt.Errorf("times and delay must not be negative")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d is not between 200 and 599", f.Status)
	case f.Kind == FaultCode && f.Code == "":
		return fmt.Errorf("kind %q needs a code", f.Kind)
	case f.Kind == FaultSlow && f.Delay == 0:
		return fmt.Errorf("kind %q needs a delay", f.Kind)
	}
	return nil
}

// take returns the fault that strikes a call, or nil; the engine is locked.
func (e *Engine) take(vendor, op string) *Fault { return e.takeKind(vendor, op, false) }

// takeEvent returns the fault that strikes a notification, or nil; the engine is locked.
func (e *Engine) takeEvent(vendor, op string) *Fault { return e.takeKind(vendor, op, true) }

// FaultFree reports whether no fault would strike a notification; the engine is locked.
func (e *Engine) FaultFree(vendor, op string) bool {
	return !slices.ContainsFunc(e.faults, func(a *armedFault) bool { return a.matches(vendor, op, true) })
}

func (f Fault) matches(vendor, op string, event bool) bool {
	return (f.Vendor == "" || f.Vendor == vendor) && (f.Op == "" || f.Op == op) && slices.Contains(eventFaults, f.Kind) == event
}

func (e *Engine) takeKind(vendor, op string, event bool) *Fault {
	for i, a := range e.faults {
		if !a.matches(vendor, op, event) {
			continue
		}
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				e.faults = slices.Delete(e.faults, i, i+1)
			}
		}
		f := a.Fault
		return &f
	}
	return nil
}

// strike does the operation under the call's fault, if it has one. It reports
// true when the connection is gone and nothing may be sent.
func (e *Engine) strike(c *call, answer *Answer, w http.ResponseWriter, r *http.Request, h http.HandlerFunc) bool {
	f := c.fault
	if f == nil {
		h(answer, r)
		return false
	}
	switch f.Kind {
	case FaultTimeout:
		if f.Delay > 0 {
			pause(r.Context(), f.Delay)
		} else {
			<-r.Context().Done()
		}
		drop(w)
		return true
	case FaultResetBefore:
		drop(w)
		return true
	case FaultResetAfter:
		h(answer, r)
		drop(w)
		return true
	case FaultStatus:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		if f.RetryAfter != "" {
			answer.header.Set("Retry-After", f.RetryAfter)
		}
		answer.header.Set("Content-Type", "application/json; charset=utf-8")
		answer.WriteHeader(status)
		_, _ = answer.Write([]byte(f.Body))
	case FaultHTML:
		body := f.Body
		if body == "" {
			body = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
		}
		answer.header.Set("Content-Type", "text/html")
		if f.Status != 0 {
			answer.WriteHeader(f.Status)
		}
		_, _ = answer.Write([]byte(body))
	case FaultNull:
		answer.header.Set("Content-Type", "application/json; charset=utf-8")
		_, _ = answer.Write([]byte("null"))
	case FaultTruncate:
		h(answer, r)
		answer.body.Truncate(answer.body.Len() / 2)
	case FaultCode:
		render := e.codeErrors[c.Vendor+"/"+c.Op]
		if render == nil {
			render = e.codeErrors[c.Vendor]
		}
		if render == nil || e.ownCodes[c.Vendor+"/"+f.Code] {
			h(answer, r)
		} else {
			render(answer, f.Code)
		}
	case FaultSlow:
		time.Sleep(f.Delay)
		h(answer, r)
	}
	return false
}

// Forced reports whether a "code" fault tells the handler of r to answer with
// code. The code must be registered with [Engine.OwnCode].
func Forced(r *http.Request, code string) bool {
	c, ok := r.Context().Value(callKey{}).(*call)
	return ok && c.fault != nil && c.fault.Kind == FaultCode && c.fault.Code == code
}

// drop resets the connection, so that the client reads no orderly end.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not a plain HTTP/1 connection
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
