package api

import (
	"context"
	"errors"
	"time"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/webhook"
)

// MaxZendeskEvent bounds the body of an event, which carries the ticket's whole
// description.
const MaxZendeskEvent = 1 << 20

// eventRetry is when a sender comes back after a 503. Zendesk repeats only
// below 60 seconds.
const eventRetry = 5 * time.Second

// ZendeskEvent answers POST /zendesk/events: Zendesk says that a ticket
// changed, and the ticket is queued. Nothing is read or decided here, so the
// answer comes within milliseconds.
type ZendeskEvent struct {
	// Configured is whether there is a Zendesk; without one the route is not
	// there.
	Configured bool
	// Secret returns what proves a request; Reread returns it as it is now,
	// after a proof that matched nothing, and limits its own rate.
	Secret, Reread func(context.Context) (webhook.Secret, error)
	Verifier       webhook.Verifier
	// Decode returns the changed ticket, or whether the event is none of ours.
	Decode func(body []byte) (hint relay.Hint, ours bool, err error)
	Queue  relay.Queue
	// DecodeTask returns the changed ticket where its task may be in a calendar,
	// for Calendars, the queue of calendars. Both are nil where there are none.
	DecodeTask func(body []byte) (hint calendar.Hint, ok bool, err error)
	Calendars  CalendarQueue
	Meter      relay.Meter
	Now        func() time.Time
}

// CalendarQueue takes what may have to change in agents' calendars.
type CalendarQueue interface {
	Send(ctx context.Context, hint calendar.Hint) error
}

// Routes returns the function's routes.
func (h *ZendeskEvent) Routes() Routes {
	return Routes{"POST /zendesk/events": h.serve}
}

type queuedAnswer struct {
	Queued int `json:"queued"`
}

func (h *ZendeskEvent) serve(r *Request) (any, error) {
	if !h.Configured {
		return nil, errNoRoute
	}
	body, err := readBody(r, MaxZendeskEvent)
	if err != nil {
		return nil, err
	}
	ctx, cancel := upstream.WithShare(r.Context(), inTime)
	defer cancel()
	if err := h.authenticate(ctx, r, body); err != nil {
		return nil, sendAgain(err)
	}
	r.LogCaller(Caller{Kind: Webhook, Desk: relay.Zendesk})
	if mediaType(r) != "application/json" {
		return nil, problem.New(problem.UnsupportedMediaType, "Send the event as application/json.")
	}
	hint, ours, err := h.Decode(body)
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, `The body must be a ticket event, or {"ticketId":"123"}.`)
	}
	queued := queuedAnswer{0}
	if ours {
		r.LogTicket(hint.Ticket)
		if err := h.Queue.Send(ctx, hint); err != nil {
			return nil, h.notQueued(r, err)
		}
		queued.Queued = 1
	}
	if h.Calendars != nil {
		task, ok, err := h.DecodeTask(body)
		if err != nil || !ok {
			return queued, nil // the first look was good
		}
		r.LogTicket(task.Task)
		if err := h.Calendars.Send(ctx, task); err != nil {
			return nil, h.notQueued(r, err)
		}
		queued.Queued = 1
	}
	return queued, nil
}

// notQueued answers for a queue that failed. The sender then repeats both.
func (h *ZendeskEvent) notQueued(r *Request, err error) error {
	h.Meter.Count(r.Context(), "QueueSendFailed", 1, "desk", string(relay.Zendesk))
	return notQueued(err)
}

// authenticate wants a good signature or a good bearer, and nothing that is
// wrong beside it. What matches nothing may have been made with a secret newer
// than ours.
func (h *ZendeskEvent) authenticate(ctx context.Context, r *Request, body []byte) error {
	p, err := proofOf(r)
	if err != nil {
		return err
	}
	secret, err := h.Secret(ctx)
	if err != nil {
		return err
	}
	now := h.Now()
	err = h.check(p, secret, body, now)
	if errors.Is(err, webhook.ErrSignature) || errors.Is(err, errBearer) {
		if secret, err = h.Reread(ctx); err != nil {
			return err
		}
		err = h.check(p, secret, body, now)
	}
	if err != nil {
		return problem.Wrap(err, problem.Unauthorized, "The signature or bearer token is wrong or expired.")
	}
	return nil
}

// proof is what a request says for itself; at least one part of it was sent.
type proof struct {
	signed               bool
	signature, timestamp string
	bearer               string // "" when none was sent
}

var errBearer = errors.New("the bearer token matches none that is live")

// proofOf reads the credentials. A header that is there more than once may be one
// with a comma, which never held a signature; see gateway.go.
func proofOf(r *Request) (proof, error) {
	var p proof
	signatures, timestamps := r.Header.Values(webhook.HeaderSignature), r.Header.Values(webhook.HeaderTimestamp)
	if len(signatures)+len(timestamps) > 0 {
		if len(signatures) != 1 || len(timestamps) != 1 {
			return proof{}, errCredential
		}
		p.signed, p.signature, p.timestamp = true, signatures[0], timestamps[0]
	}
	var err error
	if p.bearer, err = bearerToken(r); err != nil {
		return proof{}, err
	}
	if !p.signed && p.bearer == "" {
		return proof{}, errNoCredential
	}
	return p, nil
}

func (h *ZendeskEvent) check(p proof, secret webhook.Secret, body []byte, now time.Time) error {
	if p.signed {
		if err := h.Verifier.Verify(secret.WebhookSecrets, p.signature, p.timestamp, body, now); err != nil {
			return err
		}
	}
	if p.bearer != "" && !oneOf(p.bearer, secret.Bearers) {
		return errBearer
	}
	return nil
}

// inTime is the percentage of a request's time after which there is still time to
// say 503: a sender that repeats a 503 does not repeat a 504.
const inTime = 80

// notQueued is the answer that makes a sender come back.
func notQueued(err error) error {
	p := problem.Wrap(err, problem.Unavailable, "The change could not be queued. Send it again.")
	p.RetryAfter = eventRetry
	return p
}

// sendAgain makes a failure of ours to check a proof one that the sender
// repeats, and leaves refusals as they are.
func sendAgain(err error) error {
	switch problem.CodeOf(err) {
	case problem.Unauthorized, problem.Forbidden:
		return err
	}
	p := problem.Wrap(err, problem.Unavailable, "The event could not be checked at the moment. Send it again.")
	p.RetryAfter = eventRetry
	return p
}
