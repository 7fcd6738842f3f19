package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// State is what the stand-ins hold, for tests and for /state. Each part is
// defined with its vendor; none holds a credential.
type State struct {
	Zendesk    ZendeskState    `json:"zendesk"`
	Salesforce SalesforceState `json:"salesforce"`
	Tencent    TencentState    `json:"tencent"`
	Cronofy    CronofyState    `json:"cronofy"`
	AWS        AWSState        `json:"aws"`
}

// State returns a copy of what the stand-ins hold now.
func (s *Sandbox) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{
		Zendesk:    s.zendesk.state(),
		Salesforce: s.salesforce.state(),
		Tencent:    s.tencent.state(),
		Cronofy:    s.cronofy.state(),
		AWS:        s.aws.state(),
	}
}

// control registers the routes that look at the sandbox and change it.
//
//	GET    /state
//	GET    /calls?since=<seq>   DELETE /calls
//	GET    /faults   POST /faults (one Fault)   DELETE /faults
//	POST   /flush    returns when every notification is delivered, see Flush
func (s *Sandbox) control() {
	mux := http.NewServeMux()
	for _, path := range []string{"/state", "/calls", "/faults", "/flush"} {
		s.mux.Handle(path, fromLoopback(mux))
	}
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.State())
	})
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, r *http.Request) {
		var since uint64
		if v := r.URL.Query().Get("since"); v != "" {
			var err error
			if since, err = strconv.ParseUint(v, 10, 64); err != nil {
				badControl(w, "since must be a call's seq")
				return
			}
		}
		writeJSON(w, http.StatusOK, s.callsSince(since))
	})
	mux.HandleFunc("DELETE /calls", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetCalls()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.Faults())
	})
	mux.HandleFunc("POST /faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = decodeStrict(body, &f)
		}
		if err != nil {
			badControl(w, fmt.Sprintf("the body must be one fault: %v", err))
			return
		}
		if err := s.AddFault(f); err != nil {
			badControl(w, err.Error())
			return
		}
		writeJSON(w, http.StatusCreated, f)
	})
	mux.HandleFunc("POST /flush", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Flush(r.Context()); err != nil {
			return // the client is gone
		}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
}

func badControl(w http.ResponseWriter, message string) {
	writeJSON(w, http.StatusBadRequest, map[string]string{"error": message})
}
