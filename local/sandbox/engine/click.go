package engine

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrNoRecord means that an action names a ticket, case or person that does not exist.
var ErrNoRecord = errors.New("sandbox: no such record")

// Refusal is a vendor's refusal of an action, with the vendor's number.
type Refusal struct {
	Vendor string
	Code   int
	Info   string
}

func (e *Refusal) Error() string { return fmt.Sprintf("%s %d: %s", e.Vendor, e.Code, e.Info) }

// Clicks returns where the actions of people at the vendors are registered,
// under /desk/. See docs/sandbox.md.
func (e *Engine) Clicks() *http.ServeMux {
	mux := http.NewServeMux()
	e.mux.Handle("/desk/", FromLoopback(mux))
	return mux
}

// Click registers one action. Its body is exactly one JSON object of type In; an
// error is answered as 404 when a record is missing, else as 400, with the
// vendor's number if it is a [Refusal].
func Click[In any](mux *http.ServeMux, path string, do func(In) (any, error)) {
	mux.HandleFunc("POST /desk/"+path, func(w http.ResponseWriter, r *http.Request) {
		var in In
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = DecodeStrict(body, &in)
		}
		if err != nil {
			badControl(w, fmt.Sprintf("the body must be one JSON object: %v", err))
			return
		}
		out, err := do(in)
		var refused *Refusal
		switch {
		case err == nil && out == nil:
			w.WriteHeader(http.StatusNoContent)
		case err == nil:
			WriteJSON(w, http.StatusOK, out)
		case errors.Is(err, ErrNoRecord):
			WriteJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		case errors.As(err, &refused):
			WriteJSON(w, http.StatusBadRequest, map[string]any{"error": refused.Info, "code": refused.Code})
		default:
			badControl(w, err.Error())
		}
	})
}

// Look registers a list.
func Look[Out any](mux *http.ServeMux, path string, list func() Out) {
	mux.HandleFunc("GET /desk/"+path, func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, list())
	})
}

// Done makes an action's error what [Click] wants.
func Done(err error) (any, error) { return nil, err }
