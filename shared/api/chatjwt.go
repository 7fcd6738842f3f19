package api

import (
	"context"
	"errors"
	"time"

	"github.com/caseroom/caseroom/shared/chatjwt"
	"github.com/caseroom/caseroom/shared/problem"
)

// ChatJWT answers /generate/token: the JWT by which Zendesk Chat, or with
// ?for=messaging Zendesk Messaging, knows a logged-in visitor.
type ChatJWT struct {
	Auth         *Authenticator
	Secret       func(context.Context) (chatjwt.Secret, error)
	EmailTrusted bool
	Now          func() time.Time
	NewID        func() string // jti
}

// Routes returns the function's routes.
func (h *ChatJWT) Routes() Routes {
	return Routes{"GET /generate/token": h.serve, "POST /generate/token": h.serve}
}

type tokenAnswer struct {
	Token string `json:"token"`
}

func (h *ChatJWT) serve(r *Request) (any, error) {
	purpose := r.URL.Query().Get("for")
	if purpose != "" && purpose != "chat" && purpose != "messaging" {
		return nil, problem.New(problem.Invalid, "for must be chat or messaging.")
	}
	caller, err := h.Auth.Authenticate(r)
	if err != nil {
		return nil, err
	}
	if caller.Kind != EndUser {
		return nil, errNoCredential
	}
	if _, err := readBody(r, MaxBody); err != nil {
		return nil, err
	}
	secret, err := h.Secret(r.Context())
	if err != nil {
		return nil, err
	}
	u := caller.User
	claims := chatjwt.Claims{Name: u.Name, Email: u.Email, ExternalID: u.Subject, EmailVerified: u.EmailVerified}
	if claims.EmailVerified == nil {
		claims.EmailVerified = &h.EmailTrusted
	}
	var token string
	if purpose == "messaging" {
		if secret.MessagingKeyID == "" {
			return nil, problem.New(problem.NotFound, "Messaging is not set up here.")
		}
		token, err = chatjwt.Messaging(secret.MessagingKeyID, secret.MessagingSecret, claims, h.Now())
	} else {
		if secret.SharedSecret == "" {
			return nil, problem.New(problem.NotFound, "Chat is not set up here.")
		}
		if !*claims.EmailVerified {
			// Chat shows the address as the visitor's own; nobody proved it is.
			claims.Email = ""
		}
		token, err = chatjwt.Chat(secret.SharedSecret, claims, h.Now(), h.NewID())
	}
	switch {
	case errors.Is(err, chatjwt.ErrNoEmail):
		return nil, problem.New(problem.Unprocessable, "Zendesk Chat needs a verified e-mail address and this login has none. Messaging does without: use ?for=messaging.")
	case errors.Is(err, chatjwt.ErrExternalID):
		return nil, problem.New(problem.Unprocessable, "The login's id is longer than the 255 characters Zendesk takes.")
	case err != nil:
		return nil, err
	}
	return tokenAnswer{token}, nil
}
