package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/awslabs/aws-lambda-go-api-proxy/core"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/upstream"
)

// API Gateway's events reach the edge through AWS's own adapter. It is the
// library that Go functions use for this, so its traps are known, and this file
// alone keeps requests out of them:
//
//   - It pastes the decoded path and the query into a URL and parses that: guard
//     refuses what would be parsed as something else.
//   - It routes by the path as it was sent, with a custom domain's mapping key or a
//     named stage before it: located takes the route's own.
//   - It sets headers with the gateway's context, which a caller can send as well:
//     fromGateway reads the context alone.
//   - Its errors answer with no problem of ours: answerEvent does.
//   - It splits a header at its commas, as if it had been sent more than once. So a
//     header that may be there once is refused where there are more.

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
		ctx, cancel := upstream.WithReserve(ctx, answerReserve, 10)
		defer cancel()
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

// fromGateway returns the request with what the gateway says about it. The context
// carries the gateway's word. The adapter's header of the same content can be sent
// by anybody.
func fromGateway(hr *http.Request) *Request {
	r := &Request{Request: hr}
	r.Base, _ = hr.Context().Value(baseKey{}).(string)
	if gw, ok := core.GetAPIGatewayV2ContextFromContext(hr.Context()); ok {
		r.ID, r.Source = gw.RequestID, gw.HTTP.SourceIP
		if gw.Authorizer != nil && gw.Authorizer.IAM != nil {
			r.Principal = gw.Authorizer.IAM.UserARN
		}
	}
	return r
}
