package api

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/session"
)

// CreateTicket answers POST /createticket and its forms: a ticket, its room and
// the credentials to enter it.
type CreateTicket struct {
	Auth         *Authenticator
	Operation    *relay.CreateTicket
	Desks        map[relay.DeskName]relay.Desk // the configured ones
	Default      relay.DeskName
	Signer       func(context.Context) (identity.Signer, error)
	Issuer       string // LOGIN_ISSUER, part of an end user's hashed id
	EmailTrusted bool   // what a login without email_verified means
	PerPerson    *Limit // of each customer's requests

	GuestsOn    bool
	GuestSecret func(context.Context) (session.GuestSecret, error)
	// GuestEmailIsRequester lets the address that a guest states be the requester.
	GuestEmailIsRequester bool
	AllGuests             *Limit // of all guests' requests together
	PerAddress            *Limit // of guests' requests from one address
	AddressHeader         string // see [Request.ClientAddress]
	// Challenge verifies what a guest's first request must carry; nil asks for none.
	Challenge Challenge
}

// Challenge says whether the browser at an address passed a challenge and got this
// token for it.
type Challenge interface {
	Passed(ctx context.Context, token, address string) (bool, error)
}

// Routes returns the function's routes.
func (h *CreateTicket) Routes() Routes {
	return Routes{
		"POST /createticket":            func(r *Request) (any, error) { return h.login(r, h.Default) },
		"POST /zendesk/createticket":    func(r *Request) (any, error) { return h.login(r, relay.Zendesk) },
		"POST /salesforce/createticket": func(r *Request) (any, error) { return h.login(r, relay.Salesforce) },
		"POST /guest/createticket":      h.guest,
	}
}

type createTicketRequest struct {
	UserID ID `json:"userId"`
	// Challenge is the token of the challenge that a guest passed.
	Challenge string `json:"challenge"`
	CaseInfo  *struct {
		Subject string `json:"subject"`
		Desc    string `json:"desc"`
		Name    string `json:"name"`
		Email   string `json:"email"`
	} `json:"caseInfo"`
}

type createTicketAnswer struct {
	actionStatus
	GroupID  string `json:"GroupId"`
	TicketID string `json:"ticketId"`
	userSigAnswer
	IdempotencyKey string `json:"idempotencyKey"`
	GuestToken     string `json:"guestToken,omitempty"`
}

// actionStatus is Tencent's envelope, which the tutorials' servers pass on.
type actionStatus struct {
	ActionStatus string `json:"ActionStatus"`
	ErrorCode    int    `json:"ErrorCode"`
	ErrorInfo    string `json:"ErrorInfo"`
}

var statusOK = actionStatus{ActionStatus: "OK"}

// login serves a logged-in customer.
func (h *CreateTicket) login(r *Request, name relay.DeskName) (any, error) {
	desk, err := h.desk(name)
	if err != nil {
		return nil, err
	}
	caller, err := h.Auth.Authenticate(r)
	if err != nil {
		return nil, err
	}
	if caller.Kind != EndUser {
		return nil, errNoCredential
	}
	body, ticket, err := h.decode(r)
	if err != nil {
		return nil, err
	}
	signer, err := h.Signer(r.Context())
	if err != nil {
		return nil, err
	}
	user := caller.User
	id, err := signer.EndUser(h.Issuer, user.Subject)
	if err != nil {
		return nil, errCredential
	}
	if body.UserID != "" && string(body.UserID) != user.Subject && string(body.UserID) != id.ID() {
		return nil, problem.New(problem.Forbidden, "userId is not the logged-in user. Leave it out, or send the login's own id.")
	}
	if err := h.PerPerson.Take(id.ID()); err != nil {
		return nil, err
	}
	trusted := h.EmailTrusted
	if user.EmailVerified != nil {
		trusted = *user.EmailVerified
	}
	loginEmail, _ := email("email", user.Email) // an unusable claim is no claim
	ticket = ticket.WithRequester(relay.LoginEmail{Address: loginEmail, Trusted: trusted})
	if ticket.Name == "" {
		ticket.Name, _ = text("name", user.Name, 255, false)
	}
	made, err := h.key(r, &ticket)
	if err != nil {
		return nil, err
	}
	return h.create(r, desk, signer, id, ticket, made)
}

// guest serves somebody who is not logged in: whoever holds the key on the
// first call, whoever holds the guest token later.
func (h *CreateTicket) guest(r *Request) (any, error) {
	if !h.GuestsOn {
		return nil, errNoRoute
	}
	name := h.Default
	if q := r.URL.Query().Get("desk"); q != "" {
		name = relay.DeskName(q)
	}
	desk, err := h.desk(name)
	if err != nil {
		return nil, err
	}
	caller := Caller{Kind: Nobody}
	if len(r.Header.Values("Authorization")) > 0 {
		if caller, err = h.Auth.Authenticate(r); err != nil {
			return nil, err
		}
		if caller.Kind != Guest {
			return nil, problem.New(problem.Unauthorized, "This route takes no credential, or a guest's own token.")
		}
	}
	body, ticket, err := h.decode(r)
	if err != nil {
		return nil, err
	}
	ticket = ticket.WithGuest(h.GuestEmailIsRequester)
	ticket.New = caller.Kind == Nobody
	made, err := h.key(r, &ticket)
	if err != nil {
		return nil, err
	}
	secret, err := h.GuestSecret(r.Context())
	if err != nil {
		return nil, err
	}
	id := caller.Guest
	if caller.Kind == Nobody {
		if id, err = identity.Guest([]byte(secret.GuestSecrets[0]), ticket.Key); err != nil {
			if errors.Is(err, identity.ErrGuestKey) {
				return nil, problem.New(problem.Invalid, "A guest's Idempotency-Key must be a version 4 or 7 UUID or at least 22 base64url characters.")
			}
			return nil, err
		}
	}
	if err := h.admit(r, caller, id, body.Challenge); err != nil {
		return nil, err
	}
	signer, err := h.Signer(r.Context())
	if err != nil {
		return nil, err
	}
	return h.create(r, desk, signer, id, ticket, made)
}

// admit lets a guest's request through to the vendors. An address that asks too
// often takes nothing from the others.
func (h *CreateTicket) admit(r *Request, caller Caller, id identity.Identity, token string) error {
	address := r.ClientAddress(h.AddressHeader)
	if err := h.PerAddress.Take(address); err != nil {
		return err
	}
	if caller.Kind == Guest {
		if err := h.PerPerson.Take(id.ID()); err != nil {
			return err
		}
	}
	if err := h.AllGuests.Take(""); err != nil {
		return err
	}
	if h.Challenge == nil || caller.Kind == Guest {
		return nil
	}
	if token == "" || len(token) > maxChallenge {
		return errChallenge
	}
	passed, err := h.Challenge.Passed(r.Context(), token, address)
	if err != nil {
		return err
	}
	if !passed {
		return errChallenge
	}
	return nil
}

// maxChallenge is the longest token of a challenge, as Turnstile's is 2,048
// characters and hCaptcha's longer.
const maxChallenge = 8 << 10

var errChallenge = problem.New(problem.Challenge, "The challenge was not passed, or its token was used before or is too old. Pass it again and send the same request with the new token as \"challenge\".")

func (h *CreateTicket) desk(name relay.DeskName) (relay.Desk, error) {
	if d := h.Desks[name]; d != nil {
		return d, nil
	}
	return nil, errNoRoute
}

// decode checks everything the caller wrote before anything is called.
func (h *CreateTicket) decode(r *Request) (createTicketRequest, relay.NewTicket, error) {
	var body createTicketRequest
	var t relay.NewTicket
	if err := decodeJSON(r, &body); err != nil {
		return body, t, err
	}
	if body.CaseInfo == nil {
		return body, t, problem.New(problem.Invalid, "caseInfo is missing.")
	}
	var err error
	if t.Subject, err = text("caseInfo.subject", body.CaseInfo.Subject, 150, true); err != nil {
		return body, t, err
	}
	if t.Desc, err = prose("caseInfo.desc", body.CaseInfo.Desc, 30_000); err != nil {
		return body, t, err
	}
	if t.Name, err = text("caseInfo.name", body.CaseInfo.Name, 255, false); err != nil {
		return body, t, err
	}
	t.StatedEmail, err = email("caseInfo.email", body.CaseInfo.Email)
	return body, t, err
}

var visibleASCII = regexp.MustCompile(`^[\x21-\x7e]+$`)

// key sets the request's idempotency key and returns it when caseroom made it.
func (h *CreateTicket) key(r *Request, t *relay.NewTicket) (made string, err error) {
	switch values := r.Header.Values("Idempotency-Key"); {
	case len(values) == 0:
		if made, err = h.Operation.NewKey(); err != nil {
			return "", err
		}
		t.Key = made
	case len(values) == 1 && len(values[0]) <= 255 && visibleASCII.MatchString(values[0]):
		t.Key = values[0]
	default:
		return "", problem.New(problem.Invalid, "Idempotency-Key must be 1 to 255 visible ASCII characters without commas.")
	}
	return made, nil
}

// create signs first: when the customer could not get in, no ticket is made.
func (h *CreateTicket) create(r *Request, desk relay.Desk, signer identity.Signer, id identity.Identity, t relay.NewTicket, madeKey string) (any, error) {
	sig, err := signer.Sign(id)
	if err != nil {
		return nil, err
	}
	answer := createTicketAnswer{actionStatus: statusOK, userSigAnswer: newUserSigAnswer(sig), IdempotencyKey: t.Key}
	if id.Kind() == identity.KindGuest {
		if answer.GuestToken, err = h.Auth.Guests.Issue(r.Context(), id); err != nil {
			return nil, err
		}
	}
	t.UserID = id.ID()
	r.LogSubject(t.UserID)
	room, err := h.Operation.Run(r.Context(), desk, t)
	r.LogTicket(room.Ticket)
	if err != nil {
		p := classify(r.Context(), err)
		told := *p
		told.IdempotencyKey = madeKey
		return nil, &told
	}
	answer.GroupID, answer.TicketID = room.GroupID(), room.Ticket
	return answer, nil
}

// userSigAnswer is a UserSig as a client needs it.
type userSigAnswer struct {
	UserID    string    `json:"userId"`
	UserSig   string    `json:"userSig"`
	SDKAppID  int       `json:"sdkAppId"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func newUserSigAnswer(s identity.UserSig) userSigAnswer {
	return userSigAnswer{UserID: s.UserID, UserSig: s.Sig, SDKAppID: s.SDKAppID, ExpiresAt: s.Expires.UTC().Truncate(time.Second)}
}
