// Package api is the HTTP edge: it decodes, authenticates, calls one operation
// and answers. Statuses, problem bodies and request log lines leave the process
// here and nowhere else.
package api

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

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
	// Base is what the public address has before the route's path: a custom
	// domain's mapping key or a named stage, such as "/chat"; mostly "".
	Base     string
	ticketID string // for the log line
	browser  bool   // a person looks at the answer: problems are pages
}

// LogTicket puts a ticket's id on the request's log line.
func (r *Request) LogTicket(id string) { r.ticketID = id }

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

// Start hands the function to the Lambda runtime and does not return.
func (f *Function) Start() { lambda.Start(f.Lambda()) }

// answerReserve is kept of an invocation's time to write the answer and log it.
const answerReserve = 500 * time.Millisecond

// Lambda returns the function as the runtime calls it, for API Gateway HTTP
// APIs with payload format 2.0. It never returns an error: every failure is an
// HTTP answer, so the runtime neither retries nor exits.
func (f *Function) Lambda() func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	adapter := httpadapter.NewV2(f)
	return func(ctx context.Context, e events.APIGatewayV2HTTPRequest) (res events.APIGatewayV2HTTPResponse, _ error) {
		if deadline, ok := ctx.Deadline(); ok {
			left := time.Until(deadline)
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, left-min(answerReserve, left/10))
			defer cancel()
		}
		base, path := located(e)
		ctx, e.RawPath = context.WithValue(ctx, baseKey{}, base), path
		if err := guard(e); err != nil {
			return f.answerEvent(ctx, e, err), nil
		}
		res, err := adapter.ProxyWithContext(ctx, e)
		if err != nil {
			return f.answerEvent(ctx, e, problem.Wrap(err, problem.Invalid, "The request is not well formed.")), nil
		}
		return res, nil
	}
}

// baseKey is the context's key of [Request.Base].
type baseKey struct{}

// located gives the path of the event's route, and what the sent path has before
// it: rawPath keeps a custom domain's mapping key and a named stage, routeKey has
// neither. The route $default, or none, leaves the whole path.
//
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
func located(e events.APIGatewayV2HTTPRequest) (base, path string) {
	path = e.RawPath
	if path == "" {
		path = e.RequestContext.HTTP.Path
	}
	_, route, ok := strings.Cut(e.RouteKey, " ")
	if !ok || strings.Contains(route, "{") {
		return "", path
	}
	if before, ok := strings.CutSuffix(path, route); ok {
		base = before
	}
	return base, route
}

// guard refuses what the adapter would misread. HTTP APIs hand over the path
// decoded; the adapter pastes it into a URL, where a decoded '#', '?' or '%'
// would cut or break it. No route has such a path.
func guard(e events.APIGatewayV2HTTPRequest) error {
	for _, c := range []byte(e.RawPath) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`#?%\`, c) >= 0 {
			return errNoRoute
		}
	}
	for _, c := range []byte(e.RawQueryString) {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return problem.New(problem.Invalid, "The query string is not well formed.")
		}
	}
	if e.IsBase64Encoded {
		if _, err := base64.StdEncoding.DecodeString(e.Body); err != nil {
			return problem.New(problem.Invalid, "The body is not well formed.")
		}
	}
	return nil
}

// answerEvent answers an event that never became an HTTP request.
func (f *Function) answerEvent(ctx context.Context, e events.APIGatewayV2HTTPRequest, err error) events.APIGatewayV2HTTPResponse {
	w := core.NewProxyResponseWriterV2()
	r := &Request{Request: (&http.Request{Method: e.RequestContext.HTTP.Method, Header: http.Header{}}).WithContext(ctx), ID: e.RequestContext.RequestID}
	f.answer(w, r, "", f.Now(), nil, err)
	res, _ := w.GetProxyResponse()
	return res
}

// ServeHTTP routes by exact path and method, which are the route's own; see
// located.
func (f *Function) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	start := f.Now()
	r := &Request{Request: hr}
	r.Base, _ = hr.Context().Value(baseKey{}).(string)
	// The context carries the gateway's word. The adapter's header of the same
	// content can be sent by anybody.
	if gw, ok := core.GetAPIGatewayV2ContextFromContext(hr.Context()); ok {
		r.ID = gw.RequestID
		if gw.Authorizer != nil && gw.Authorizer.IAM != nil {
			r.Principal = gw.Authorizer.IAM.UserARN
		}
	}
	route, handler, err := f.route(hr)
	if err != nil {
		f.answer(w, r, route, start, nil, err)
		return
	}
	v, err := call(handler, r)
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

// call turns a panic into an error: the runtime would end the process and make
// the next caller wait for a cold start.
func call(h Handler, r *Request) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(r.Context(), "panic", "panic", p, "stack", string(debug.Stack()))
			err = problem.New(problem.Internal, "Something went wrong on our side.")
		}
	}()
	return h(r)
}
