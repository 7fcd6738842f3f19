package api

import (
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
)

// Members answers what a desk says about one agent and one room. A desk
// touches only its own rooms, and only agents can be moved.
type Members struct {
	Auth      *Authenticator
	Operation *relay.Members          // of JoinRoutes and LeaveRoutes
	Dissolve  *relay.Dissolve         // of DeleteRoutes
	Desks     map[relay.DeskName]bool // the configured ones
	Rules     identity.Rules
}

// JoinRoutes returns the routes of joingroup.
func (h *Members) JoinRoutes() Routes { return h.forms("joingroup", h.join) }

// LeaveRoutes returns the routes of leavegroup.
func (h *Members) LeaveRoutes() Routes { return h.forms("leavegroup", h.leave) }

// DeleteRoutes returns the routes of deletegroup.
func (h *Members) DeleteRoutes() Routes { return h.forms("deletegroup", h.delete) }

type memberRequest struct {
	GroupID ID `json:"groupId"`
	UserID  ID `json:"userId"`
}

type memberHandler func(*Request, memberRequest, relay.Ref) (any, error)

// forms gives an operation its three paths: for any desk, for Salesforce's
// desk key, and for Salesforce's IAM principal.
func (h *Members) forms(name string, handle memberHandler) Routes {
	route := func(desk relay.DeskName) Handler {
		return func(r *Request) (any, error) { return h.serve(r, desk, handle) }
	}
	return Routes{
		"POST /" + name:                route(""),
		"POST /salesforce/" + name:     route(relay.Salesforce),
		"POST /iam/salesforce/" + name: route(relay.Salesforce),
	}
}

func (h *Members) serve(r *Request, desk relay.DeskName, handle memberHandler) (any, error) {
	if desk != "" && !h.Desks[desk] {
		return nil, errNoRoute
	}
	caller, err := h.Auth.Authenticate(r)
	if err != nil {
		return nil, err
	}
	if caller.Kind != DeskKey && caller.Kind != IAM {
		return nil, errNoCredential
	}
	if !h.Desks[caller.Desk] || (desk != "" && caller.Desk != desk) {
		return nil, problem.New(problem.Forbidden, "This credential is another desk's.")
	}
	var body memberRequest
	if err := decodeJSON(r, &body); err != nil {
		return nil, err
	}
	if body.GroupID == "" {
		return nil, problem.New(problem.Invalid, "groupId is missing.")
	}
	room, err := relay.ParseGroupID(string(body.GroupID))
	if err != nil {
		return nil, problem.New(problem.Invalid, "groupId must be ZENDESK#<ticket id> or a Case id of 15 or 18 characters.")
	}
	if room.Desk != caller.Desk {
		return nil, problem.New(problem.Forbidden, "This room is another desk's.")
	}
	r.LogTicket(room.Ticket)
	return handle(r, body, room)
}

// agent returns the identity of one of the desk's agents. Anybody else cannot
// be moved by a desk's call: who the customer is, the ticket says.
func (h *Members) agent(desk relay.DeskName, userID ID) (identity.Identity, error) {
	if userID == "" {
		return identity.Identity{}, problem.New(problem.Invalid, "userId is missing.")
	}
	if desk == relay.Zendesk {
		id, err := h.Rules.ZendeskAgent(string(userID))
		if err != nil {
			return id, problem.New(problem.Invalid, "userId must be a Zendesk user id, such as 123 or zd_123.")
		}
		return id, nil
	}
	id, err := h.Rules.SalesforceAgent(string(userID))
	if err != nil {
		return id, problem.New(problem.Invalid, "userId must be a Salesforce user id of 15 or 18 characters, such as 005… or sf_005….")
	}
	return id, nil
}

type joinAnswer struct {
	actionStatus
	MemberList []memberAnswer `json:"MemberList"`
}

type memberAnswer struct {
	Account string `json:"Member_Account"`
	Result  int    `json:"Result"`
}

func (h *Members) join(r *Request, body memberRequest, room relay.Ref) (any, error) {
	agent, err := h.agent(room.Desk, body.UserID)
	if err != nil {
		return nil, err
	}
	r.LogSubject(agent.ID())
	res, err := h.Operation.Join(r.Context(), room, relay.Account{UserID: agent.ID()})
	if err != nil {
		return nil, err
	}
	return joinAnswer{statusOK, []memberAnswer{{res.UserID, res.Result}}}, nil
}

func (h *Members) leave(r *Request, body memberRequest, room relay.Ref) (any, error) {
	agent, err := h.agent(room.Desk, body.UserID)
	if err != nil {
		return nil, err
	}
	r.LogSubject(agent.ID())
	if err := h.Operation.Leave(r.Context(), room, agent.ID()); err != nil {
		return nil, err
	}
	return statusOK, nil
}

func (h *Members) delete(r *Request, _ memberRequest, room relay.Ref) (any, error) {
	if err := h.Dissolve.Run(r.Context(), room); err != nil {
		return nil, err
	}
	return statusOK, nil
}
