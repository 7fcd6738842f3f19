package api

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/caseroom/caseroom/shared/chatwebhook"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// ChatEvent answers POST /chat/events: the chat says that something happened in a
// group. Where that is a room of ours and was not our own doing, its ticket is
// queued. Nothing is read or decided here, and nothing that the chat asks before
// the fact is ever refused.
type ChatEvent struct {
	// On is whether the chat calls; the route is not there otherwise.
	On bool
	// Desks are those that are configured: another one's rooms are another stack's.
	Desks map[relay.DeskName]bool
	// Secret returns what proves a request; Reread returns it as it is now, after a
	// proof that matched nothing, and limits its own rate.
	Secret, Reread func(context.Context) (chatwebhook.Secret, error)
	Queue          relay.Queue
	Meter          relay.Meter
	Now            func() time.Time
}

// Routes returns the function's routes.
func (h *ChatEvent) Routes() Routes {
	return Routes{"POST /chat/events": h.serve}
}

// callbackAnswer is what the chat takes for an answer.
type callbackAnswer struct {
	ActionStatus string
	ErrorCode    int
	ErrorInfo    string
}

// heard lets whatever the chat tells of go on.
var heard = callbackAnswer{ActionStatus: "OK"}

func (h *ChatEvent) serve(r *Request) (any, error) {
	if !h.On {
		return nil, errNoRoute
	}
	body, err := readBody(r, MaxBody)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem.New(problem.Invalid, "The query string is not well formed.")
	}
	ctx, cancel := upstream.WithShare(r.Context(), inTime)
	defer cancel()
	secret, err := h.authenticate(ctx, query)
	if err != nil {
		return nil, sendAgain(err)
	}
	r.LogCaller(Caller{Kind: Webhook})
	callback, err := chatwebhook.Decode(query, body)
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "The body must be a callback's JSON object.")
	}
	hint, ok := h.hint(callback, secret)
	if !ok {
		return heard, nil
	}
	r.LogTicket(hint.Ticket)
	h.Meter.Count(r.Context(), "ChatEvent", 1, "event", string(callback.Kind))
	if err := h.Queue.Send(ctx, hint); err != nil {
		h.Meter.Count(r.Context(), "QueueSendFailed", 1, "desk", string(hint.Desk))
		return nil, notQueued(err)
	}
	return heard, nil
}

// authenticate returns the secret that proves the request. What matches nothing may
// have been made with a token newer than ours.
func (h *ChatEvent) authenticate(ctx context.Context, query url.Values) (chatwebhook.Secret, error) {
	secret, err := h.Secret(ctx)
	if err != nil {
		return secret, err
	}
	now := h.Now()
	err = chatwebhook.Verify(query, secret, now)
	if errors.Is(err, chatwebhook.ErrSignature) || errors.Is(err, chatwebhook.ErrApp) {
		if secret, err = h.Reread(ctx); err != nil {
			return secret, err
		}
		err = chatwebhook.Verify(query, secret, now)
	}
	if err != nil {
		return secret, problem.Wrap(err, problem.Unauthorized, "The signature is missing, wrong or expired, or the app is another one.")
	}
	return secret, nil
}

// hint is what a callback gives reason to look at. A room of ours has a ticket's id
// in its normal form.
func (h *ChatEvent) hint(c chatwebhook.Callback, s chatwebhook.Secret) (relay.Hint, bool) {
	ref, err := relay.ParseGroupID(c.GroupID)
	if err != nil || ref.GroupID() != c.GroupID || !h.Desks[ref.Desk] {
		return relay.Hint{}, false
	}
	if c.Kind == chatwebhook.Other || c.Echo(s.AdminUserID) {
		return relay.Hint{}, false
	}
	return relay.Hint{Ref: ref, Chat: true}, true
}
