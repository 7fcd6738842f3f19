package lambdahost

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// request is the event of an HTTP API route, payload format 2.0.
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
type request struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	RequestContext        requestContext    `json:"requestContext"`
	Body                  *string           `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	Authorizer   *authorizer `json:"authorizer,omitempty"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type authorizer struct {
	IAM *iamIdentity `json:"iam"`
}

type iamIdentity struct {
	AccessKey       string  `json:"accessKey"`
	AccountID       string  `json:"accountId"`
	CallerID        string  `json:"callerId"`
	CognitoIdentity *string `json:"cognitoIdentity"`
	PrincipalOrgID  string  `json:"principalOrgId"`
	UserARN         string  `json:"userArn"`
	UserID          string  `json:"userId"`
}

// decodePath gives the path as HTTP API hands it on: decoded twice, an encoded
// question mark ending it after the first time.
func decodePath(sent string) (string, error) {
	once, err := url.PathUnescape(sent)
	if err != nil {
		return "", err
	}
	once, _, _ = strings.Cut(once, "?")
	return url.PathUnescape(once)
}

// sentTarget splits the request's target into path and query as the client
// wrote them.
func sentTarget(r *http.Request) (path, query string) {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, query, _ = strings.Cut(r.RequestURI, "?")
		return path, query
	}
	return r.URL.EscapedPath(), r.URL.RawQuery
}

// iamHeader stands in for a SigV4 signature: the ARN of the caller.
const iamHeader = "X-Caseroom-Iam-Arn"

// dropped are the headers that concern the connection, not the request, and
// the stand-in for a signature.
var dropped = []string{
	"Connection", "Cookie", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", iamHeader,
}

// eventHeaders gives the headers as the function sees them: names in lower
// case, several values joined.
func eventHeaders(r *http.Request, sourceIP, traceID string, bodySize int) map[string]string {
	h := map[string]string{}
	hop := slices.Clone(dropped)
	for _, name := range strings.Split(r.Header.Get("Connection"), ",") {
		hop = append(hop, http.CanonicalHeaderKey(strings.TrimSpace(name)))
	}
	for name, values := range r.Header {
		if !slices.Contains(hop, name) {
			h[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	h["host"] = r.Host
	if bodySize > 0 || r.Header.Get("Content-Length") != "" {
		h["content-length"] = strconv.Itoa(bodySize)
	}
	h["x-amzn-trace-id"] = traceID
	h["x-forwarded-proto"] = "http"
	h["x-forwarded-port"] = "80"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		h["x-forwarded-port"] = port
	}
	if before := h["x-forwarded-for"]; before != "" {
		sourceIP = before + ", " + sourceIP
	}
	h["x-forwarded-for"] = sourceIP
	return h
}

// cookies lists the request's cookies as they were written.
func cookies(r *http.Request) []string {
	var list []string
	for _, line := range r.Header.Values("Cookie") {
		for _, c := range strings.Split(line, ";") {
			if c = strings.TrimSpace(c); c != "" {
				list = append(list, c)
			}
		}
	}
	return list
}

// queryParameters decodes the query; values of one name are joined.
func queryParameters(raw string) map[string]string {
	var parameters map[string]string
	for _, pair := range strings.Split(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		for _, s := range []*string{&name, &value} {
			if decoded, err := url.QueryUnescape(*s); err == nil {
				*s = decoded
			}
		}
		if parameters == nil {
			parameters = map[string]string{}
		}
		if before, ok := parameters[name]; ok {
			value = before + "," + value
		}
		parameters[name] = value
	}
	return parameters
}

// textBody reports whether a body of this content type reaches the function as
// it is; every other one is base64, form posts included.
func textBody(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch media {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(media, "text/")
}

func (e *request) setBody(body []byte, contentType string) {
	if len(body) == 0 {
		return
	}
	s := string(body)
	if !textBody(contentType) {
		s, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	e.Body = &s
}

// response is a function's answer, made an HTTP response.
type response struct {
	status  int
	header  http.Header
	body    []byte
	cookies []string
}

var errResponse = errors.New("lambdahost: the function's response is not one of an HTTP API")

// parseResponse reads a function's answer. JSON without a statusCode is the
// body of a 200.
func parseResponse(payload []byte) (response, error) {
	if !json.Valid(payload) {
		return response{}, errResponse
	}
	inferred := response{
		status: http.StatusOK, body: payload, header: http.Header{"Content-Type": {"application/json"}},
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(payload, &members) != nil || members["statusCode"] == nil {
		return inferred, nil
	}
	var parsed struct {
		StatusCode      int                        `json:"statusCode"`
		Headers         map[string]json.RawMessage `json:"headers"`
		Cookies         []string                   `json:"cookies"`
		Body            string                     `json:"body"`
		IsBase64Encoded bool                       `json:"isBase64Encoded"`
	}
	if json.Unmarshal(payload, &parsed) != nil || parsed.StatusCode < 100 || parsed.StatusCode > 599 {
		return response{}, errResponse
	}
	out := response{status: parsed.StatusCode, header: http.Header{}, body: []byte(parsed.Body), cookies: parsed.Cookies}
	for name, raw := range parsed.Headers {
		var value string
		if json.Unmarshal(raw, &value) != nil {
			switch c := raw[0]; {
			case c == '{', c == '[':
				return response{}, errResponse
			case c == 'n': // null
				continue
			}
			value = string(raw) // a number or a boolean
		}
		if !slices.Contains(dropped, http.CanonicalHeaderKey(name)) && !strings.EqualFold(name, "Content-Length") {
			out.header.Set(name, value)
		}
	}
	if parsed.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(parsed.Body)
		if err != nil {
			return response{}, errResponse
		}
		out.body = body
	}
	if out.header.Get("Content-Type") == "" && len(out.body) > 0 {
		out.header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	return out, nil
}
