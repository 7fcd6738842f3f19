package api

import (
	"context"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// MaxCases is how many cases one call names: what one Apex trigger is given.
const MaxCases = 200

// SalesforceEvent answers POST /salesforce/events and its IAM twin: Salesforce
// says which cases changed, and they are queued.
//
// The answer is all or nothing. 200 means that every case is queued; after a
// 503 some may be, and the caller sends all of them again, which does no harm.
type SalesforceEvent struct {
	Auth *Authenticator
	// Configured is whether there is a Salesforce; without one the routes are
	// not there.
	Configured bool
	Queue      BatchQueue
	// Bulk takes the cases of a call that names more than LiveCases.
	Bulk  BatchQueue
	Meter relay.Meter
}

// LiveCases is how many cases people change at once. More are a job's, and nobody
// waits for it.
const LiveCases = 10

// BatchQueue takes many hints at once. Its error means that at least one was
// not queued.
type BatchQueue interface {
	SendAll(ctx context.Context, hints ...relay.Hint) error
}

// Routes returns the function's routes.
func (h *SalesforceEvent) Routes() Routes {
	return Routes{"POST /salesforce/events": h.serve, "POST /iam/salesforce/events": h.serve}
}

type salesforceEventRequest struct {
	Cases *[]ID `json:"cases"`
}

func (h *SalesforceEvent) serve(r *Request) (any, error) {
	if !h.Configured {
		return nil, errNoRoute
	}
	ctx, cancel := upstream.WithShare(r.Context(), inTime)
	defer cancel()
	caller, err := h.Auth.Authenticate(r)
	if err != nil {
		return nil, err
	}
	if caller.Kind != DeskKey && caller.Kind != IAM {
		return nil, errNoCredential
	}
	if caller.Desk != relay.Salesforce {
		return nil, problem.New(problem.Forbidden, "This credential is another desk's.")
	}
	var body salesforceEventRequest
	if err := decodeJSON(r, &body); err != nil {
		return nil, err
	}
	hints, err := caseHints(body)
	if err != nil {
		return nil, err
	}
	if len(hints) == 1 {
		r.LogTicket(hints[0].Ticket)
	}
	queue := h.Queue
	if len(hints) > LiveCases {
		queue = h.Bulk
	}
	if err := queue.SendAll(ctx, hints...); err != nil {
		h.Meter.Count(r.Context(), "QueueSendFailed", 1, "desk", string(relay.Salesforce))
		return nil, notQueued(err)
	}
	return queuedAnswer{len(hints)}, nil
}

// caseHints checks the ids and folds those that name the same case.
func caseHints(body salesforceEventRequest) ([]relay.Hint, error) {
	if body.Cases == nil {
		return nil, problem.New(problem.Invalid, "cases is missing.")
	}
	if len(*body.Cases) > MaxCases {
		return nil, problem.New(problem.Invalid, "cases holds more than %d ids.", MaxCases)
	}
	seen := make(map[string]bool, len(*body.Cases))
	hints := make([]relay.Hint, 0, len(*body.Cases))
	for i, id := range *body.Cases {
		full, err := identity.SalesforceID(string(id), "500")
		if err != nil {
			return nil, problem.New(problem.Invalid, "cases[%d] is not a Case id of 15 or 18 characters.", i)
		}
		if !seen[full] {
			seen[full] = true
			hints = append(hints, relay.Hint{Ref: relay.Ref{Desk: relay.Salesforce, Ticket: full}})
		}
	}
	return hints, nil
}
