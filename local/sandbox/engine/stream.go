package engine

import "net/http"

// Stream wraps an operation whose answer is sent while it runs. Its handler logs
// the status itself. A fault strikes the stream before it begins, and then the
// handler does not run.
func (e *Engine) Stream(vendor, op string, h func(w http.ResponseWriter, r *http.Request, log func(status int))) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := e.begin(vendor, op, r)
		if c.fault == nil {
			h(w, r, func(status int) { e.setStatus(c, status) })
			return
		}
		e.strike(c, newAnswer(), w, r, func(http.ResponseWriter, *http.Request) {})
		if c.fault.Kind == FaultStatus || c.fault.Kind == FaultHTML {
			status := c.fault.Status
			if status == 0 {
				status = http.StatusServiceUnavailable
			}
			http.Error(w, "forced by a fault", status)
		}
	})
}
