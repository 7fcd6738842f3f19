package api

import (
	"context"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
)

// UserSig answers POST /usersig: Tencent's credential for exactly the identity
// that the caller proved.
type UserSig struct {
	Auth       *Authenticator
	Signer     func(context.Context) (identity.Signer, error)
	Issuer     string // LOGIN_ISSUER
	Salesforce bool   // configured
}

// Routes returns the function's routes.
func (h *UserSig) Routes() Routes {
	return Routes{
		"POST /usersig":                h.serve,
		"POST /salesforce/usersig":     h.salesforce,
		"POST /iam/salesforce/usersig": h.salesforce,
	}
}

type userSigRequest struct {
	UserID ID `json:"userId"`
}

func (h *UserSig) salesforce(r *Request) (any, error) {
	if !h.Salesforce {
		return nil, errNoRoute
	}
	caller, err := h.Auth.Authenticate(r)
	if err != nil {
		return nil, err
	}
	if caller.Kind != DeskKey && caller.Kind != IAM {
		return nil, errNoCredential
	}
	return h.sign(r, caller)
}

func (h *UserSig) serve(r *Request) (any, error) {
	caller, err := h.Auth.Authenticate(r)
	if err != nil {
		return nil, err
	}
	return h.sign(r, caller)
}

func (h *UserSig) sign(r *Request, caller Caller) (any, error) {
	var body userSigRequest
	if err := decodeOptionalJSON(r, &body); err != nil {
		return nil, err
	}
	signer, err := h.Signer(r.Context())
	if err != nil {
		return nil, err
	}
	id, err := h.identify(signer.Rules, caller, body.UserID)
	if err != nil {
		return nil, err
	}
	sig, err := signer.Sign(id)
	if err != nil {
		return nil, err
	}
	r.LogSubject(id.ID())
	return newUserSigAnswer(sig), nil
}

// identify returns the identity the caller proved. A userId in the body may
// only repeat it, except from Salesforce, which vouches for its own users.
func (h *UserSig) identify(rules identity.Rules, caller Caller, userID ID) (identity.Identity, error) {
	var id identity.Identity
	var err error
	var subject string
	switch caller.Kind {
	case EndUser:
		subject = caller.User.Subject
		id, err = rules.EndUser(h.Issuer, subject)
	case Guest:
		id = caller.Guest
	case ZendeskAgent:
		subject = caller.Agent
		id, err = rules.ZendeskAgent(subject)
	case DeskKey, IAM:
		if caller.Desk != relay.Salesforce || !h.Salesforce {
			return id, problem.New(problem.Forbidden, "Only Salesforce asks for its users' UserSigs with a desk key. Zendesk agents use the token of the agent panel.")
		}
		if userID == "" {
			return id, problem.New(problem.Invalid, "userId is missing.")
		}
		if id, err = rules.SalesforceAgent(string(userID)); err != nil {
			return id, problem.New(problem.Invalid, "userId must be a Salesforce user id of 15 or 18 characters.")
		}
		return id, nil
	default:
		return id, errNoCredential
	}
	if err != nil {
		return id, errCredential
	}
	if userID != "" && string(userID) != subject && string(userID) != id.ID() {
		return id, problem.New(problem.Forbidden, "userId is not the caller's own. Leave it out.")
	}
	return id, nil
}
