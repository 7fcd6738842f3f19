package api_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

func event(method, path, body string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: path, Body: body,
		Headers: map[string]string{"content-type": "application/json"},
	}
	e.RequestContext.HTTP.Method = method
	e.RequestContext.HTTP.Path = path
	e.RequestContext.RequestID = "req-1"
	return e
}

type answer struct {
	events.APIGatewayV2HTTPResponse
	problem struct {
		Type, Title, Detail, Code, RequestID, TicketID string
		Status                                         int
	}
}

func serve(t testing.TB, f *api.Function, ctx context.Context, e events.APIGatewayV2HTTPRequest) answer {
	t.Helper()
	if f.Meter == nil {
		f.Meter = &upstreamtest.Counts{}
	}
	f.Now = time.Now
	res, err := f.Lambda()(ctx, e)
	if err != nil {
		t.Fatalf("the function failed: %v", err)
	}
	a := answer{APIGatewayV2HTTPResponse: res}
	if res.StatusCode != http.StatusOK {
		if res.Headers["Content-Type"] != "application/problem+json" {
			t.Errorf("status %d with content type %q", res.StatusCode, res.Headers["Content-Type"])
		}
		if err := json.Unmarshal([]byte(res.Body), &a.problem); err != nil {
			t.Fatalf("not a problem: %q", res.Body)
		}
		if a.problem.Status != res.StatusCode || a.problem.Detail == "" || a.problem.Type != "about:blank" {
			t.Errorf("an incomplete problem: %s", res.Body)
		}
	}
	if res.Headers["Cache-Control"] != "no-store" {
		t.Error("the answer may be cached")
	}
	return a
}

func echo(r *api.Request) (any, error) {
	return map[string]string{"path": r.URL.Path, "principal": r.Principal, "id": r.ID, "base": r.Base}, nil
}

// TestRoutesByTheGatewaysKey: custom domains' mapping keys and named stages stay
// in the path that the gateway hands over, and the route's key has neither.
func TestRoutesByTheGatewaysKey(t *testing.T) {
	f := &api.Function{Routes: api.Routes{"POST /x": echo, "POST /iam/x": echo}}
	for name, tc := range map[string]struct {
		key, path   string
		want        int
		route, base string
	}{
		"as deployed":                     {"POST /x", "/x", 200, "/x", ""},
		"a mapping key":                   {"POST /x", "/chat/x", 200, "/x", "/chat"},
		"a mapping key of two levels":     {"POST /x", "/support/chat/x", 200, "/x", "/support/chat"},
		"a named stage":                   {"POST /x", "/prod/x", 200, "/x", "/prod"},
		"a mapping key like a route":      {"POST /x", "/iam/x", 200, "/x", "/iam"},
		"the IAM twin":                    {"POST /iam/x", "/chat/iam/x", 200, "/iam/x", "/chat"},
		"a key with a blank":              {"POST /x", "/my chat/x", 200, "/x", "/my chat"},
		"any method":                      {"ANY /x", "/chat/x", 200, "/x", "/chat"},
		"a path that the gateway rewrote": {"POST /x", "/y", 200, "/x", ""},
		"the rest, by path":               {"$default", "/x", 200, "/x", ""},
		"no key, by path":                 {"", "/x", 200, "/x", ""},
		"a proxy route, by path":          {"ANY /{proxy+}", "/x", 200, "/x", ""},
		"the rest, elsewhere":             {"$default", "/chat/x", 404, "", ""},
		"a route of another function":     {"POST /y", "/x", 404, "", ""},
		"another method":                  {"GET /x", "/x", 405, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := event("POST", tc.path, "{}")
			if tc.want == 405 {
				e.RequestContext.HTTP.Method = "GET"
			}
			e.RouteKey = tc.key
			a := serve(t, f, t.Context(), e)
			if a.StatusCode != tc.want {
				t.Fatalf("got %d, want %d: %s", a.StatusCode, tc.want, a.Body)
			}
			if tc.want != 200 {
				return
			}
			var got struct{ Path, Base string }
			if err := json.Unmarshal([]byte(a.Body), &got); err != nil || got.Path != tc.route || got.Base != tc.base {
				t.Errorf("got %s, want %s below %q", a.Body, tc.route, tc.base)
			}
		})
	}
}

func TestWhatTheAdapterWouldMisread(t *testing.T) {
	f := &api.Function{Routes: api.Routes{"POST /x": echo}}
	spoofed := event("POST", "/x", "{}")
	spoofed.Headers["x-golambdaproxy-apigw-context"] = `{"requestId":"evil","authorizer":{"iam":{"userArn":"arn:evil"}}}`
	badBase64 := event("POST", "/x", "%%%")
	badBase64.IsBase64Encoded = true
	fine64 := event("POST", "/x", base64.StdEncoding.EncodeToString([]byte("{}")))
	fine64.IsBase64Encoded = true
	query := event("POST", "/x", "{}")
	query.RawQueryString = "a=b#c"
	control := event("POST", "/x", "{}")
	control.RawQueryString = "a=\x00"

	for name, tc := range map[string]struct {
		e    events.APIGatewayV2HTTPRequest
		want int
	}{
		"fine":                        {event("POST", "/x", "{}"), 200},
		"base64":                      {fine64, 200},
		"a decoded # cuts the path":   {event("POST", "/x#y", "{}"), 404},
		"a decoded ? cuts the path":   {event("POST", "/x?y", "{}"), 404},
		"a decoded % breaks the path": {event("POST", "/x/100%", "{}"), 404},
		"a space":                     {event("POST", "/x y", "{}"), 404},
		"not ASCII":                   {event("POST", "/é", "{}"), 404},
		"an empty path":               {event("POST", "", "{}"), 404},
		"another path":                {event("POST", "/x/", "{}"), 404},
		"another method":              {event("DELETE", "/x", ""), 405},
		"a method that is none":       {event("PO ST", "/x", ""), 400},
		"a broken body":               {badBase64, 400},
		"a # in the query":            {query, 400},
		"a NUL in the query":          {control, 400},
		"a spoofed gateway context":   {spoofed, 200},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, f, t.Context(), tc.e)
			if a.StatusCode != tc.want {
				t.Errorf("got %d, want %d: %s", a.StatusCode, tc.want, a.Body)
			}
			if strings.Contains(a.Body, "evil") {
				t.Errorf("a header counted as the gateway's word: %s", a.Body)
			}
			if a.StatusCode == 200 && !strings.Contains(a.Body, `"id":"req-1"`) {
				t.Errorf("the request id is lost: %s", a.Body)
			}
		})
	}
}

func TestErrorsBecomeProblems(t *testing.T) {
	up := func(class upstream.Class, after time.Duration) error {
		return &upstream.Error{Vendor: "zendesk", Op: "x", Class: class, RetryAfter: after, Err: errors.New("canary")}
	}
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for name, tc := range map[string]struct {
		ctx   context.Context
		h     api.Handler
		want  int
		code  string
		after string
	}{
		"panic":                {t.Context(), func(*api.Request) (any, error) { panic("canary") }, 500, "internal", ""},
		"nil pointer":          {t.Context(), func(r *api.Request) (any, error) { return (*upstreamtest.Counts)(nil).Of("canary"), nil }, 500, "internal", ""},
		"not encodable":        {t.Context(), func(*api.Request) (any, error) { return make(chan int), nil }, 500, "internal", ""},
		"unclassified":         {t.Context(), fail(errors.New("canary")), 500, "internal", ""},
		"refused":              {t.Context(), fail(up(upstream.Refused, 0)), 502, "upstream", ""},
		"unavailable":          {t.Context(), fail(up(upstream.Unavailable, 0)), 503, "unavailable", "2"},
		"unknown":              {t.Context(), fail(up(upstream.Unknown, 0)), 503, "unavailable", "2"},
		"rate-limited":         {t.Context(), fail(up(upstream.RateLimited, 1500*time.Millisecond)), 503, "unavailable", "2"},
		"rate-limited longer":  {t.Context(), fail(up(upstream.RateLimited, time.Minute)), 503, "unavailable", "60"},
		"own deadline":         {expired, fail(up(upstream.Unknown, 0)), 504, "timeout", "2"},
		"own deadline, ticket": {expired, fail(&problem.Error{Code: problem.Unavailable, Detail: "x", TicketID: "7"}), 504, "timeout", "2"},
		"conflict":             {t.Context(), fail(problem.New(problem.Conflict, "x")), 409, "conflict", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			defer func(l *slog.Logger) { slog.SetDefault(l) }(slog.Default())
			slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
			a := serve(t, &api.Function{Routes: api.Routes{"POST /x": tc.h}}, tc.ctx, event("POST", "/x", "{}"))
			if a.StatusCode != tc.want || a.problem.Code != tc.code || a.Headers["Retry-After"] != tc.after {
				t.Errorf("got %d %s, Retry-After %q; want %d %s %q", a.StatusCode, a.problem.Code, a.Headers["Retry-After"], tc.want, tc.code, tc.after)
			}
			if strings.Contains(a.Body, "canary") {
				t.Errorf("the cause reached the caller: %s", a.Body)
			}
			if !strings.Contains(log.String(), `"msg":"request"`) {
				t.Errorf("no log line: %s", log.String())
			}
		})
	}
}

func fail(err error) api.Handler {
	return func(*api.Request) (any, error) { return nil, err }
}

func TestQuotaIsCounted(t *testing.T) {
	meter := &upstreamtest.Counts{}
	f := &api.Function{Meter: meter, Routes: api.Routes{"POST /x": fail(&upstream.Error{Vendor: "tencent", Class: upstream.Refused, Quota: true})}}
	serve(t, f, t.Context(), event("POST", "/x", "{}"))
	for _, m := range []string{"QuotaExceeded vendor tencent", "UpstreamFailures vendor tencent class refused", "Requests code upstream"} {
		if n := meter.Of(m); n != 1 {
			t.Errorf("%s counted %d times: %v", m, n, meter)
		}
	}
}

func FuzzLambda(f *testing.F) {
	f.Add("POST", "/x", "a=b", `{"groupId":"ZENDESK#1","userId":1}`, "application/json", "Bearer x", false)
	f.Add("GET", "//", "#", "\xff", "text/plain;;", ",", true)
	f.Add("POST", "/x", "", strings.Repeat("[", 20000), "application/json", "", false)
	fn := &api.Function{Meter: &upstreamtest.Counts{}, Now: time.Now, Routes: (&api.Members{Auth: &api.Authenticator{
		DeskKeys: func(context.Context) (api.DeskKeys, error) {
			return api.DeskKeys{Zendesk: []string{"0123456789abcdef"}}, nil
		},
	}}).JoinRoutes()}
	fn.Routes["POST /x"] = fn.Routes["POST /joingroup"]
	slog.SetDefault(slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, method, path, query, body, contentType, auth string, b64 bool) {
		e := event(method, path, body)
		e.RawQueryString, e.IsBase64Encoded = query, b64
		e.Headers["content-type"], e.Headers["authorization"] = contentType, auth
		if a := serve(t, fn, t.Context(), e); a.StatusCode == 200 || a.StatusCode >= 500 {
			t.Errorf("status %d: %s", a.StatusCode, a.Body)
		}
	})
}
