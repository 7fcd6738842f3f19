package lambdahost

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// HTTP API's limits. See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html.
const (
	maxBody            = 10 << 20
	integrationTimeout = 30 * time.Second
)

// gateway is the stack's HTTP API.
type gateway struct {
	host   *Host
	apiID  string
	cors   *CORS
	routes []*gatewayRoute
}

type gatewayRoute struct {
	Route
	fn      Function
	parts   []string // of the path; nil for $default
	limiter *rate.Limiter
}

// Gateway returns the stack's HTTP API as a handler. Callers of IAM routes put
// their ARN in the header X-Caseroom-Iam-Arn in place of a signature.
func (h *Host) Gateway() http.Handler {
	g := &gateway{host: h, apiID: "local"}
	if h.stack.API != nil {
		g.cors = h.stack.API.CORS
	}
	for _, f := range h.stack.Functions {
		for _, r := range f.Routes {
			route := &gatewayRoute{Route: r, fn: f}
			if r.Path != "$default" {
				route.parts = strings.Split(r.Path, "/")
			}
			throttle, own := h.stack.API.Throttles[r.Key()]
			if !own {
				throttle = h.stack.API.DefaultThrottle
			}
			if throttle.Rate > 0 {
				route.limiter = rate.NewLimiter(rate.Limit(throttle.Rate), throttle.Burst)
			}
			g.routes = append(g.routes, route)
		}
	}
	return g
}

// match finds the route of a request: the most specific path wins, then the
// route's own method over ANY.
func (g *gateway) match(method, path string) (*gatewayRoute, map[string]string) {
	var best *gatewayRoute
	var bestParameters map[string]string
	bestScore := -1
	parts := strings.Split(path, "/")
	for _, r := range g.routes {
		if r.Method != method && r.Method != "ANY" {
			continue
		}
		parameters, score, ok := r.matchPath(parts)
		if !ok {
			continue
		}
		score *= 2
		if r.Method == method {
			score++
		}
		if score > bestScore {
			best, bestParameters, bestScore = r, parameters, score
		}
	}
	return best, bestParameters
}

// matchPath gives the path's parameters and how specific the match is.
func (r *gatewayRoute) matchPath(parts []string) (parameters map[string]string, score int, ok bool) {
	if r.parts == nil {
		return nil, 0, true
	}
	score = 1
	for i, want := range r.parts {
		if i >= len(parts) {
			return nil, 0, false
		}
		name, variable := strings.CutPrefix(want, "{")
		name = strings.TrimSuffix(name, "}")
		greedy := strings.HasSuffix(name, "+")
		switch {
		case !variable && want != parts[i], variable && parts[i] == "":
			return nil, 0, false
		case !variable:
			score += 3
			continue
		}
		if parameters == nil {
			parameters = map[string]string{}
		}
		if greedy {
			parameters[strings.TrimSuffix(name, "+")] = strings.Join(parts[i:], "/")
			return parameters, score + 1, true
		}
		parameters[name] = parts[i]
		score += 2
	}
	return parameters, score, len(parts) == len(r.parts)
}

// exchange is what the log line says of a request.
type exchange struct {
	status   int
	function string
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	sent, _ := sentTarget(r)
	x := g.serve(w, r)
	if x.function == "" {
		x.function = "gateway"
	}
	g.host.log.printf("%s %s %d %d ms %s", r.Method, sent, x.status, time.Since(started).Milliseconds(), x.function)
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) exchange {
	requestID := g.requestID()
	w.Header().Set("Apigw-Requestid", requestID)
	if g.preflight(w, r) {
		return exchange{status: http.StatusNoContent}
	}
	sent, query := sentTarget(r)
	path, err := decodePath(sent)
	if err != nil {
		return refuse(w, http.StatusBadRequest, "Bad Request", "")
	}
	// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-mappings.html.
	routed, mapped := path, true
	if key := g.host.mapping; key != "" {
		routed, mapped = strings.CutPrefix(path, "/"+key)
	}
	route, parameters := g.match(r.Method, routed)
	if route == nil || !mapped {
		return refuse(w, http.StatusNotFound, "Not Found", "")
	}
	label := route.fn.Label()
	var auth *authorizer
	if route.IAM {
		if auth = iamCaller(r.Header.Get(iamHeader)); auth == nil {
			return refuse(w, http.StatusForbidden, "Forbidden", label)
		}
	}
	if route.limiter != nil && !route.limiter.AllowN(g.host.now(), 1) {
		return refuse(w, http.StatusTooManyRequests, "Too Many Requests", label)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return refuse(w, http.StatusBadRequest, "Bad Request", label)
	}
	if len(body) > maxBody {
		return refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large", label)
	}
	event := g.event(r, route, path, query, body)
	event.PathParameters = parameters
	event.RequestContext.Authorizer = auth
	event.RequestContext.RequestID = requestID
	payload, err := json.Marshal(event)
	if err != nil {
		return refuse(w, http.StatusInternalServerError, "Internal Server Error", label)
	}
	if len(payload) > maxPayload {
		return refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large", label)
	}
	answer, err := g.integrate(route.fn, payload)
	if err != nil {
		status := http.StatusInternalServerError
		var failed *FunctionError
		switch {
		case errors.As(err, &failed) && failed.Type == typeTimeout, errors.Is(err, context.DeadlineExceeded), errors.Is(err, errClosed):
			status = http.StatusServiceUnavailable
		}
		if failed != nil {
			label += " (" + failed.Type + ")"
		}
		return refuse(w, status, http.StatusText(status), label)
	}
	g.write(w, r, answer)
	return exchange{answer.status, label}
}

// integrate invokes the function. The caller's connection does not bound it: a
// deployed function is not told that its caller went away.
func (g *gateway) integrate(fn Function, payload []byte) (response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), integrationTimeout+g.host.slack)
	defer cancel()
	answer, err := g.host.Invoke(ctx, fn.LogicalID, payload)
	if err != nil {
		return response{}, err
	}
	return parseResponse(answer)
}

func (g *gateway) event(r *http.Request, route *gatewayRoute, path, query string, body []byte) *request {
	sourceIP, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		sourceIP = r.RemoteAddr
	}
	now := g.host.now().UTC()
	prefix, _, _ := strings.Cut(r.Host, ".")
	e := &request{
		Version: "2.0", RouteKey: route.Key(), RawPath: path, RawQueryString: query,
		Cookies:               cookies(r),
		Headers:               eventHeaders(r, sourceIP, g.host.newTraceID(), len(body)),
		QueryStringParameters: queryParameters(query),
		RequestContext: requestContext{
			AccountID: g.host.stack.AccountID, APIID: g.apiID,
			DomainName: r.Host, DomainPrefix: prefix,
			HTTP:     httpContext{Method: r.Method, Path: path, Protocol: r.Proto, SourceIP: sourceIP, UserAgent: r.UserAgent()},
			RouteKey: route.Key(), Stage: "$default",
			Time: now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		},
	}
	e.setBody(body, r.Header.Get("Content-Type"))
	return e
}

// write sends the function's answer, with the API's CORS headers in place of
// the function's.
func (g *gateway) write(w http.ResponseWriter, r *http.Request, a response) {
	h := w.Header()
	for name, values := range a.header {
		if g.cors != nil && strings.HasPrefix(name, "Access-Control-") {
			continue
		}
		h[name] = values
	}
	for _, c := range a.cookies {
		h.Add("Set-Cookie", c)
	}
	if origin := r.Header.Get("Origin"); g.cors != nil && origin != "" {
		if allowed := g.cors.allow(origin); allowed != "" {
			h.Set("Access-Control-Allow-Origin", allowed)
			if g.cors.Credentials {
				h.Set("Access-Control-Allow-Credentials", "true")
			}
			if len(g.cors.Expose) > 0 {
				h.Set("Access-Control-Expose-Headers", strings.Join(g.cors.Expose, ","))
			}
		}
	}
	bodyless := r.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified || a.status < 200
	if a.status < 200 {
		a.status = http.StatusOK // net/http would go on waiting for the final status
	}
	if !bodyless {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if !bodyless {
		_, _ = w.Write(a.body)
	}
}

// preflight answers a CORS preflight; false for any other request. It needs no
// route, and says nothing to an origin that is not listed.
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html.
func (g *gateway) preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if g.cors == nil || r.Method != http.MethodOptions || origin == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if allowed := g.cors.allow(origin); allowed != "" {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", allowed)
		for name, values := range map[string][]string{
			"Access-Control-Allow-Methods": g.cors.Methods, "Access-Control-Allow-Headers": g.cors.Headers,
			"Access-Control-Expose-Headers": g.cors.Expose,
		} {
			if len(values) > 0 {
				h.Set(name, strings.Join(values, ","))
			}
		}
		if g.cors.Credentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if g.cors.MaxAge != "" {
			h.Set("Access-Control-Max-Age", g.cors.MaxAge)
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allow returns the value of Access-Control-Allow-Origin for an origin, "" if
// it is not listed.
func (c *CORS) allow(origin string) string {
	for _, o := range c.Origins {
		scheme, every := strings.CutSuffix(o, "*")
		switch {
		case o == "*":
			return "*"
		case strings.EqualFold(o, origin), every && strings.HasPrefix(strings.ToLower(origin), strings.ToLower(scheme)):
			return origin
		}
	}
	return ""
}

var principalARN = regexp.MustCompile(`^arn:aws(?:-[a-z]+)*:(?:iam|sts)::([0-9]{12}):[\w+=,.@/-]{1,512}$`)

// iamCaller is the authorizer's word on a caller's ARN; nil if it is none.
func iamCaller(arn string) *authorizer {
	m := principalARN.FindStringSubmatch(arn)
	if m == nil {
		return nil
	}
	return &authorizer{IAM: &iamIdentity{
		AccessKey: "ASIALOCAL", AccountID: m[1], CallerID: "AIDALOCAL", UserARN: arn, UserID: "AIDALOCAL",
	}}
}

// refuse sends one of the gateway's own answers. Whether those carry CORS
// headers is not documented, so they carry none here.
func refuse(w http.ResponseWriter, status int, message, function string) exchange {
	writeJSON(w, status, map[string]string{"message": message})
	return exchange{status, function}
}

// requestID makes an id in the shape of the gateway's.
func (g *gateway) requestID() string {
	b := make([]byte, 11)
	_, _ = io.ReadFull(g.host.random, b)
	return base64.URLEncoding.EncodeToString(b)
}
