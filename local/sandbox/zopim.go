package sandbox

import (
	"crypto/hmac"
	"net/http"
	"strings"
)

// zopim is the Zendesk Chat account: its visitors by the id of their bodies,
// which has a dot where URLs have a hyphen.
type zopim struct {
	s        *Sandbox
	visitors map[string]ZopimVisitor
}

// ZopimVisitor is a visitor of Zendesk Chat.
type ZopimVisitor struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	Notes      string `json:"notes"`
	Banned     bool   `json:"banned"`
	Created    int64  `json:"created"` // Unix seconds
	ExternalID string `json:"external_id,omitempty"`
}

func newZopim(s *Sandbox) *zopim {
	z := &zopim{s: s, visitors: map[string]ZopimVisitor{}}
	z.put(ZopimVisitor{
		ID: "9855790.xjj3u5xPWhW1Fv", Name: "Dana Customer", Email: "dana@customer.example",
		Created: s.now().Unix(), ExternalID: "dana",
	})
	z.put(ZopimVisitor{ID: "9855790.anonymousVisit1", Name: "Visitor 12345678", Created: s.now().Unix()})
	s.codeErrors["zopim"] = zopimError
	s.mux.Handle("GET /zopim/api/v2/visitors/{id}", s.handle("zopim", "visitors_show", z.show))
	s.mux.Handle("/zopim/", s.handle("zopim", "unknown", func(w http.ResponseWriter, _ *http.Request) {
		zopimError(w, "not_found")
	}))
	return z
}

// AddVisitor puts a visitor of Zendesk Chat in place. The id may be in either form.
func (s *Sandbox) AddVisitor(v ZopimVisitor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zopim.put(v)
}

func (z *zopim) put(v ZopimVisitor) {
	v.ID = strings.Replace(v.ID, "-", ".", 1)
	z.visitors[v.ID] = v
}

// show is GET /api/v2/visitors/{id}.
//
// See https://developer.zendesk.com/api-reference/live-chat/chat-api/visitors/.
func (z *zopim) show(w http.ResponseWriter, r *http.Request) {
	z.s.mu.Lock()
	defer z.s.mu.Unlock()
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || !hmac.Equal([]byte(token), []byte(z.s.fix.Zendesk.ZopimToken)) {
		zopimError(w, "invalid_token")
		return
	}
	v, ok := z.visitors[strings.Replace(r.PathValue("id"), "-", ".", 1)]
	if !ok {
		zopimError(w, "not_found")
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func zopimError(w http.ResponseWriter, code string) {
	switch code {
	case "invalid_token":
		writeJSON(w, http.StatusUnauthorized, map[string]string{
			"error": code, "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
		})
	case "not_found":
		writeJSON(w, http.StatusNotFound, map[string]string{"error": code, "message": "Not Found"})
	case "rate_limited":
		w.Header().Set("Retry-After", "30")
		writeJSON(w, http.StatusTooManyRequests, map[string]string{"error": code, "message": "Too Many Requests"})
	default:
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": code, "message": code})
	}
}
