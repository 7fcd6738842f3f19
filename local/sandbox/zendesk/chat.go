package zendesk

import (
	"crypto/hmac"
	"net/http"
	"strings"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Chat is the Zendesk Chat account, under /zendesk/api/v2/chat: its visitors by the id of their bodies,
// which has a dot where URLs have a hyphen.
type Chat struct {
	engine   *engine.Engine
	token    string
	visitors map[string]Visitor
}

// Visitor is a visitor of Zendesk Chat.
type Visitor struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Email      string `json:"email"`
	Phone      string `json:"phone"`
	Notes      string `json:"notes"`
	Banned     bool   `json:"banned"`
	Created    int64  `json:"created"` // Unix seconds
	ExternalID string `json:"external_id,omitempty"`
}

// NewChat mounts the API beside Support's, under /zendesk/api/v2/chat.
func NewChat(e *engine.Engine, token string) *Chat {
	z := &Chat{engine: e, token: token, visitors: map[string]Visitor{}}
	z.put(Visitor{
		ID: "9855790.xjj3u5xPWhW1Fv", Name: "Dana Customer", Email: "dana@customer.example",
		Created: e.Now().Unix(), ExternalID: "dana",
	})
	z.put(Visitor{ID: "9855790.anonymousVisit1", Name: "Visitor 12345678", Created: e.Now().Unix()})
	e.CodeErrors("zopim", chatError)
	e.Mount("GET /zendesk/api/v2/chat/visitors/{id}", e.Operation("zopim", "visitors_show", z.show))
	e.Mount("/zendesk/api/v2/chat/", e.Operation("zopim", "unknown", func(w http.ResponseWriter, _ *http.Request) {
		chatError(w, "not_found")
	}))
	return z
}

// AddVisitor puts a visitor of Zendesk Chat in place. The id may be in either form.
func (z *Chat) AddVisitor(v Visitor) {
	z.engine.Lock()
	defer z.engine.Unlock()
	z.put(v)
}

func (z *Chat) put(v Visitor) {
	v.ID = strings.Replace(v.ID, "-", ".", 1)
	z.visitors[v.ID] = v
}

// show is GET /api/v2/chat/visitors/{id}.
//
// See https://developer.zendesk.com/api-reference/live-chat/chat-api/visitors/.
func (z *Chat) show(w http.ResponseWriter, r *http.Request) {
	z.engine.Lock()
	defer z.engine.Unlock()
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || !hmac.Equal([]byte(token), []byte(z.token)) {
		chatError(w, "invalid_token")
		return
	}
	v, ok := z.visitors[strings.Replace(r.PathValue("id"), "-", ".", 1)]
	if !ok {
		chatError(w, "not_found")
		return
	}
	engine.WriteJSON(w, http.StatusOK, v)
}

func chatError(w http.ResponseWriter, code string) {
	switch code {
	case "invalid_token":
		engine.WriteJSON(w, http.StatusUnauthorized, map[string]string{
			"error": code, "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
		})
	case "not_found":
		engine.WriteJSON(w, http.StatusNotFound, map[string]string{"error": code, "message": "Not Found"})
	case "rate_limited":
		w.Header().Set("Retry-After", "30")
		engine.WriteJSON(w, http.StatusTooManyRequests, map[string]string{"error": code, "message": "Too Many Requests"})
	default:
		engine.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "message": code})
	}
}
