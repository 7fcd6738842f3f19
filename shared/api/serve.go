// Package api is the HTTP edge: it decodes, authenticates, calls one operation
// and answers. Statuses, problem bodies and request log lines leave the process
// here and nowhere else.
package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
)

// Handler answers one request. The value is written as JSON with status 200,
// or as it is when it is a [Page] or [Document]; the error as a problem.
type Handler func(*Request) (any, error)

// Routes maps "METHOD /path" to its handler, as template.yaml lists them.
type Routes map[string]Handler

// Request is an HTTP request with what the gateway says about it.
type Request struct {
	*http.Request
	// ID is the gateway's request id; it is in the log and in every problem.
	ID string
	// Principal is the caller's IAM ARN on a route with the IAM authorizer, as
	// the gateway proved it; never taken from a header.
	Principal string
	// Source is the address that the gateway was called from.
	Source string
	// Base is what the public address has before the route's path: a custom
	// domain's mapping key or a named stage, such as "/chat"; mostly "".
	Base     string
	ticketID string // for the log line
	caller   Caller // the same
	subject  string // the same: who was signed for or moved
	browser  bool   // a person looks at the answer: problems are pages
}

// LogTicket puts a ticket's id on the request's log line.
func (r *Request) LogTicket(id string) { r.ticketID = id }

// LogCaller puts on the request's log line who proved to have sent it.
func (r *Request) LogCaller(c Caller) { r.caller = c }

// LogSubject puts on the request's log line whose UserSig was signed, or who was
// moved: an IM user id.
func (r *Request) LogSubject(id string) { r.subject = id }

// Document is an answer of its own kind, with headers beside the usual ones or
// in their place.
type Document struct {
	Status int    // 200 if zero
	Type   string // Content-Type
	Body   []byte
	Header http.Header
}

// Page is an HTML answer.
type Page struct {
	HTML []byte
	CSP  string // Content-Security-Policy
}

// Function is one Lambda function's edge.
type Function struct {
	Routes Routes
	Meter  relay.Meter
	Now    func() time.Time
}

// ServeHTTP routes by exact path and method, which are the route's own; see
// located.
func (f *Function) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	start := f.Now()
	r := fromGateway(hr)
	route, handler, err := f.route(hr)
	if err != nil {
		f.answer(w, r, route, start, nil, err)
		return
	}
	// The runtime would end the process after a panic and make the next caller wait
	// for a cold start.
	var v any
	err = relay.Protect(hr.Context(), func() (err error) {
		v, err = handler(r)
		return err
	})
	f.answer(w, r, route, start, v, err)
}

func (f *Function) route(r *http.Request) (string, Handler, error) {
	route := r.Method + " " + r.URL.Path
	if h, ok := f.Routes[route]; ok {
		return route, h, nil
	}
	for known := range f.Routes {
		if _, path, _ := strings.Cut(known, " "); path == r.URL.Path {
			return path, nil, problem.New(problem.MethodNotAllowed, "This route does not take %s.", r.Method)
		}
	}
	return "", nil, errNoRoute
}

var errNoRoute = problem.New(problem.NotFound, "There is no such route.")
