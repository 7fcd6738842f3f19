package engine

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Control answers GET /path with what state returns, which takes the lock
// itself. Like all control routes it is for this machine's pages only.
func (e *Engine) Control(path string, state func() any) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, state())
	})
	e.mux.Handle(path, FromLoopback(mux))
}

// control registers the routes that look at the engine and change it.
//
//	GET    /calls?since=<seq>   DELETE /calls
//	GET    /faults   POST /faults (one Fault)   DELETE /faults
//	POST   /flush    returns when every notification is delivered, see Flush
func (e *Engine) control() {
	mux := http.NewServeMux()
	for _, path := range []string{"/calls", "/faults", "/flush"} {
		e.mux.Handle(path, FromLoopback(mux))
	}
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, r *http.Request) {
		var since uint64
		if v := r.URL.Query().Get("since"); v != "" {
			var err error
			if since, err = strconv.ParseUint(v, 10, 64); err != nil {
				badControl(w, "since must be a call's seq")
				return
			}
		}
		WriteJSON(w, http.StatusOK, e.callsSince(since))
	})
	mux.HandleFunc("DELETE /calls", func(w http.ResponseWriter, _ *http.Request) {
		e.ResetCalls()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, e.Faults())
	})
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = DecodeStrict(body, &f)
		}
		if err != nil {
			badControl(w, fmt.Sprintf("the body must be one fault: %v", err))
			return
		}
		if err := e.AddFault(f); err != nil {
			badControl(w, err.Error())
			return
		}
		WriteJSON(w, http.StatusCreated, f)
	})
	mux.HandleFunc("POST /flush", func(w http.ResponseWriter, r *http.Request) {
		if err := e.Flush(r.Context()); err != nil {
			return // the client is gone
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		e.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
}

func badControl(w http.ResponseWriter, message string) {
	WriteJSON(w, http.StatusBadRequest, map[string]string{"error": message})
}
