package api

import (
	"context"
	"regexp"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
)

// Visitor answers GET /visitor: who a Zendesk Chat visitor is, and which of our
// users.
type Visitor struct {
	Auth *Authenticator
	// Lookup reads a visitor; nil where there is no Zendesk, whose routes are 404.
	Lookup func(ctx context.Context, id string) (VisitorProfile, error)
	Rules  identity.Rules
	Issuer string // LOGIN_ISSUER
}

// VisitorProfile is what the Chat API knows of a visitor.
type VisitorProfile struct {
	ID, ExternalID, Name, Email string
}

// Routes returns the function's routes.
func (h *Visitor) Routes() Routes {
	return Routes{"GET /visitor": h.serve}
}

type visitorAnswer struct {
	ID         string `json:"id"`
	ExternalID string `json:"externalId"`
	Linked     bool   `json:"linked"`
	IMUserID   string `json:"imUserId"`
	Name       string `json:"name"`
	Email      string `json:"email"`
}

var visitorID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

func (h *Visitor) serve(r *Request) (any, error) {
	if h.Lookup == nil {
		return nil, errNoRoute
	}
	caller, err := h.Auth.Authenticate(r)
	if err != nil {
		return nil, err
	}
	if caller.Kind != DeskKey {
		return nil, errNoCredential
	}
	id := r.URL.Query().Get("id")
	if len(id) > 128 || !visitorID.MatchString(id) {
		return nil, problem.New(problem.Invalid, "id must be a Zendesk Chat visitor id, such as 9855790-xjj3u5xPWhW1Fv.")
	}
	v, err := h.Lookup(r.Context(), id)
	if err != nil {
		return nil, err
	}
	answer := visitorAnswer{ID: v.ID, ExternalID: v.ExternalID, Linked: v.ExternalID != "", Name: v.Name, Email: v.Email}
	if answer.Linked {
		im, err := h.Rules.EndUser(h.Issuer, v.ExternalID)
		if err != nil {
			return nil, err
		}
		answer.IMUserID = im.ID()
	}
	return answer, nil
}
