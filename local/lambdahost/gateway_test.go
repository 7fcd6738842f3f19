package lambdahost_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
)

// serve sends one request through the stack's gateway.
func serve(h *lambdahost.Host, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.Gateway().ServeHTTP(w, r)
	return w.Result()
}

func text(tb testing.TB, res *http.Response) string {
	tb.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// do has the echo function answer a POST as c says.
func do(h *lambdahost.Host, c command) *http.Response {
	b, _ := json.Marshal(c)
	r := httptest.NewRequest("POST", "/echo", strings.NewReader(string(b)))
	r.Header.Set("Content-Type", "application/json")
	return serve(h, r)
}

// TestEventShape compares an event with what the live gateway was seen to send
// for the same request: decoded path, query as sent, joined headers, cookies
// apart.
func TestEventShape(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, func(o *lambdahost.Options) {
		o.Now = func() time.Time { return time.Date(2026, 7, 10, 19, 19, 5, 766e6, time.UTC) }
		o.Random = strings.NewReader(strings.Repeat("\x01", 200))
		o.AccountID = "910345601053"
	})
	body := `{"message":"hello","unicode":"lambda-λ"}`
	r := httptest.NewRequest("POST", "/any?repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com%2Fa%2Fb&literalPlus=a+b&encodedPlus=a%2Bb&empty=", strings.NewReader(body))
	r.Host, r.RemoteAddr = "127.0.0.1:3000", "68.8.83.18:4711"
	r.Header = http.Header{
		"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"curl/8.7.1"},
		"X-Probe": {"first", "second"}, "Cookie": {"session=abc123; theme=dark"},
		"Connection": {"keep-alive, X-Hop"}, "X-Hop": {"1"}, "Te": {"trailers"},
		"X-Caseroom-Iam-Arn":            {"arn:aws:iam::111122223333:user/mallory"},
		"X-Golambdaproxy-Apigw-Context": {`{"accountId":"evil"}`},
	}
	res := serve(h, r)
	var got, want map[string]any
	if err := json.Unmarshal([]byte(text(t, res)), &got); err != nil {
		t.Fatal(err)
	}
	trace := "Root=1-6a5145a9-010101010101010101010101"
	wantText := `{
	  "version": "2.0", "routeKey": "ANY /any", "rawPath": "/any",
	  "rawQueryString": "repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com%2Fa%2Fb&literalPlus=a+b&encodedPlus=a%2Bb&empty=",
	  "cookies": ["session=abc123", "theme=dark"],
	  "headers": {
	    "accept": "*/*", "content-length": "` + fmt.Sprint(len(body)) + `", "content-type": "application/json", "host": "127.0.0.1:3000",
	    "user-agent": "curl/8.7.1", "x-amzn-trace-id": "` + trace + `", "x-forwarded-for": "68.8.83.18",
	    "x-forwarded-port": "3000", "x-forwarded-proto": "http", "x-probe": "first,second",
	    "x-golambdaproxy-apigw-context": "{\"accountId\":\"evil\"}"
	  },
	  "queryStringParameters": {"empty": "", "encodedPlus": "a+b", "literalPlus": "a b", "redirect": "https://example.com/a/b", "repeat": "one,two"},
	  "requestContext": {
	    "accountId": "910345601053", "apiId": "local", "domainName": "127.0.0.1:3000", "domainPrefix": "127",
	    "http": {"method": "POST", "path": "/any", "protocol": "HTTP/1.1", "sourceIp": "68.8.83.18", "userAgent": "curl/8.7.1"},
	    "requestId": "AQEBAQEBAQEBAQE=", "routeKey": "ANY /any", "stage": "$default",
	    "time": "10/Jul/2026:19:19:05 +0000", "timeEpoch": 1783711145766
	  },
	  "body": ` + fmt.Sprintf("%q", body) + `, "isBase64Encoded": false
	}`
	if err := json.Unmarshal([]byte(wantText), &want); err != nil {
		t.Fatal(err)
	}
	g, _ := json.MarshalIndent(got, "", " ")
	w, _ := json.MarshalIndent(want, "", " ")
	if string(g) != string(w) {
		t.Errorf("got %s\nwant %s", g, w)
	}
	if id := res.Header.Get("Apigw-Requestid"); id != "AQEBAQEBAQEBAQE=" {
		t.Errorf("Apigw-Requestid %q", id)
	}
}

// TestPaths holds what the live gateway was seen to do with encoded paths.
func TestPaths(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	for _, c := range []struct{ sent, want string }{
		{"/capture/plain", "/capture/plain"},
		{"/capture/space%20value", "/capture/space value"},
		{"/capture/question%3Fvalue", "/capture/question"},
		{"/capture/percent%25done", ""},
		{"/capture/hash%23value", "/capture/hash#value"},
		{"/capture/slash%2Fvalue", "/capture/slash/value"},
		{"/capture/unicode-%CE%BB", "/capture/unicode-λ"},
		{"/capture/literal%252Fvalue", "/capture/literal/value"},
		{"/capture/literal%253Fvalue", "/capture/literal?value"},
		{"/capture/literal%2525value", "/capture/literal%value"},
	} {
		res := serve(h, httptest.NewRequest("GET", c.sent, nil))
		if c.want == "" {
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: got %d, want 400", c.sent, res.StatusCode)
			}
			continue
		}
		var e struct{ RawPath string }
		if err := json.Unmarshal([]byte(text(t, res)), &e); err != nil || e.RawPath != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.sent, e.RawPath, err, c.want)
		}
	}
}

func TestBodyEncoding(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	for _, c := range []struct {
		contentType string
		base64      bool
	}{
		{"application/json", false}, {"application/json; charset=utf-8", false}, {"text/plain", false},
		{"application/xml", false}, {"application/javascript", false},
		{"application/x-www-form-urlencoded", true}, {"", true}, {"application/octet-stream", true},
		{"multipart/form-data; boundary=x", true}, {"no media type/", true},
	} {
		r := httptest.NewRequest("POST", "/echo", strings.NewReader("token=a%20b"))
		r.Header.Set("Content-Type", c.contentType)
		var e struct {
			Body            string
			IsBase64Encoded bool
		}
		if err := json.Unmarshal([]byte(text(t, serve(h, r))), &e); err != nil {
			t.Fatal(err)
		}
		want := "token=a%20b"
		if c.base64 {
			want = base64.StdEncoding.EncodeToString([]byte(want))
		}
		if e.IsBase64Encoded != c.base64 || e.Body != want {
			t.Errorf("%q: got %q, base64 %v", c.contentType, e.Body, e.IsBase64Encoded)
		}
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(text(t, serve(h, httptest.NewRequest("POST", "/echo", nil)))), &e); err != nil {
		t.Fatal(err)
	}
	if _, has := e["body"]; has {
		t.Error("an empty body is in the event")
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	for _, c := range []struct {
		method, path string
		status       int
		route        string
		parameter    string
	}{
		{"POST", "/echo", 200, "POST /echo", ""},
		{"GET", "/echo", 404, "", ""},
		{"HEAD", "/items/7", 404, "", ""},
		{"POST", "/echo/", 404, "", ""},
		{"POST", "//echo", 404, "", ""},
		{"GET", "/", 404, "", ""},
		{"DELETE", "/any", 200, "ANY /any", ""},
		{"GET", "/items/7", 200, "GET /items/{id}", "7"},
		{"GET", "/items/", 404, "", ""},
		{"GET", "/capture/a/b", 200, "GET /capture/{rest+}", "a/b"},
	} {
		res := serve(h, httptest.NewRequest(c.method, c.path, nil))
		if res.StatusCode != c.status {
			t.Errorf("%s %s: got %d, want %d", c.method, c.path, res.StatusCode, c.status)
			continue
		}
		body := text(t, res)
		if c.status == 404 {
			if body != `{"message":"Not Found"}` || res.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s %s: got %q", c.method, c.path, body)
			}
			continue
		}
		var e struct {
			RouteKey       string
			PathParameters map[string]string
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil || e.RouteKey != c.route {
			t.Errorf("%s %s: got route %q, %v", c.method, c.path, e.RouteKey, err)
		}
		for _, v := range e.PathParameters {
			if v != c.parameter {
				t.Errorf("%s %s: got parameter %q", c.method, c.path, v)
			}
		}
	}
}

// TestMappingKey: a custom domain's key stays in the path, and not in the route.
func TestMappingKey(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, func(o *lambdahost.Options) { o.MappingKey = "support/chat" })
	for path, want := range map[string]int{"/support/chat/any": 200, "/any": 404, "/support/any": 404, "/support/chat": 404} {
		res := serve(h, httptest.NewRequest("GET", path, nil))
		if res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, want)
		}
		if want != 200 {
			continue
		}
		var e struct{ RouteKey, RawPath string }
		if err := json.Unmarshal([]byte(text(t, res)), &e); err != nil || e.RouteKey != "ANY /any" || e.RawPath != path {
			t.Errorf("%s: %+v, %v", path, e, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	for _, c := range []struct {
		name        string
		with        string
		status      int
		body        string
		contentType string
	}{
		{"full", `{"statusCode":201,"headers":{"content-type":"text/css","x-n":5},"body":"a{}"}`, 201, "a{}", "text/css"},
		{"base64", `{"statusCode":200,"headers":{"Content-Type":"image/png"},"body":"AAEC","isBase64Encoded":true}`, 200, "\x00\x01\x02", "image/png"},
		{"no content type", `{"statusCode":200,"body":"x"}`, 200, "x", "text/plain; charset=utf-8"},
		{"no body", `{"statusCode":204}`, 204, "", ""},
		{"inferred object", `{"a":1}`, 200, `{"a":1}`, "application/json"},
		{"inferred string", `"hello"`, 200, `"hello"`, "application/json"},
		{"inferred null", `null`, 200, `null`, "application/json"},
		{"status as text", `{"statusCode":"200"}`, 500, internal, "application/json"},
		{"status out of range", `{"statusCode":9}`, 500, internal, "application/json"},
		{"bad base64", `{"statusCode":200,"body":"%","isBase64Encoded":true}`, 500, internal, "application/json"},
		{"header list", `{"statusCode":200,"headers":{"x":["a"]}}`, 500, internal, "application/json"},
		{"body not a string", `{"statusCode":200,"body":{}}`, 500, internal, "application/json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			res := do(h, command{Do: "answer", With: json.RawMessage(c.with)})
			if body := text(t, res); res.StatusCode != c.status || body != c.body || res.Header.Get("Content-Type") != c.contentType {
				t.Errorf("got %d %q %q", res.StatusCode, body, res.Header.Get("Content-Type"))
			}
		})
	}
}

const internal = `{"message":"Internal Server Error"}`

func TestAnswerHeadersAndCookies(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	res := do(h, command{Do: "answer", With: json.RawMessage(
		`{"statusCode":200,"headers":{"x-one":"a, b","connection":"close","content-length":"999"},"cookies":["a=1; Secure","b=2"],"body":"x"}`)})
	if got := res.Header.Values("Set-Cookie"); !slices.Equal(got, []string{"a=1; Secure", "b=2"}) {
		t.Errorf("cookies %q", got)
	}
	if res.Header.Get("X-One") != "a, b" || res.Header.Get("Connection") != "" || res.Header.Get("Content-Length") != "1" {
		t.Errorf("headers %v", res.Header)
	}
}

func TestFunctionFailuresOverHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		do     string
		status int
		body   string
	}{
		{"error", 500, internal}, {"panic", 500, internal}, {"exit", 500, internal},
		{"garbage", 500, internal}, {"hang", 503, `{"message":"Service Unavailable"}`},
	} {
		t.Run(c.do, func(t *testing.T) {
			t.Parallel()
			log := &lines{}
			h := mustHost(t, one, func(o *lambdahost.Options) {
				o.Log = log
				if c.do == "hang" {
					o.Timeouts = map[string]time.Duration{"EchoFunction": 50 * time.Millisecond}
				}
			})
			res := do(h, command{Do: c.do})
			if body := text(t, res); res.StatusCode != c.status || body != c.body {
				t.Errorf("got %d %q", res.StatusCode, body)
			}
			if want := fmt.Sprintf("POST /echo %d ", c.status); !strings.Contains(log.String(), want) {
				t.Errorf("no line %q in %q", want, log.String())
			}
		})
	}
}

func TestLogHoldsNoQuery(t *testing.T) {
	t.Parallel()
	log := &lines{}
	h := mustHost(t, one, func(o *lambdahost.Options) { o.Log = log })
	serve(h, httptest.NewRequest("GET", "/any?token=s3cret", nil))
	if got := log.String(); strings.Contains(got, "s3cret") || !strings.HasPrefix(got, "GET /any 200 ") || !strings.HasSuffix(got, " ms echo\n") {
		t.Errorf("got %q", got)
	}
}

func TestPayloadLimits(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	for _, size := range []int{6 << 20, 10<<20 + 1} {
		res := serve(h, httptest.NewRequest("POST", "/echo", strings.NewReader(strings.Repeat("x", size))))
		if body := text(t, res); res.StatusCode != 413 || body != `{"message":"Request Entity Too Large"}` {
			t.Errorf("%d bytes: got %d %q", size, res.StatusCode, body)
		}
	}
}

func TestIAM(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	for _, c := range []struct {
		arn    string
		status int
	}{
		{"", 403}, {"root", 403}, {"arn:aws:s3:::bucket", 403}, {"arn:aws:iam::1:user/x", 403},
		{"arn:aws:iam::111122223333:user/salesforce", 200},
		{"arn:aws:sts::111122223333:assumed-role/salesforce/session", 200},
	} {
		r := httptest.NewRequest("POST", "/iam/echo", nil)
		if c.arn != "" {
			r.Header.Set("X-Caseroom-Iam-Arn", c.arn)
		}
		res := serve(h, r)
		body := text(t, res)
		if res.StatusCode != c.status {
			t.Errorf("%q: got %d, want %d", c.arn, res.StatusCode, c.status)
		}
		if c.status == 403 {
			if body != `{"message":"Forbidden"}` {
				t.Errorf("%q: got %q", c.arn, body)
			}
			continue
		}
		var e struct {
			Headers        map[string]string
			RequestContext struct {
				Authorizer struct {
					IAM struct{ AccountID, UserARN string }
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		if iam := e.RequestContext.Authorizer.IAM; iam.UserARN != c.arn || iam.AccountID != "111122223333" {
			t.Errorf("authorizer %+v", iam)
		}
		if _, has := e.Headers["x-caseroom-iam-arn"]; has {
			t.Error("the stand-in for a signature reaches the function")
		}
	}
}

const corsAPI = `
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: !If
        - HasOrigins
        - AllowOrigins: !Split [",", !Ref Origins]
          AllowCredentials: true
          AllowHeaders: [authorization, content-type]
          AllowMethods: [GET, POST]
          ExposeHeaders: [retry-after]
          MaxAge: 600
        - !Ref AWS::NoValue
      DefaultRouteSettings: {ThrottlingRateLimit: 1000, ThrottlingBurstLimit: 1000}
      RouteSettings:
        "POST /slow": {ThrottlingRateLimit: 2, ThrottlingBurstLimit: 3}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/echo
      Environment: {Variables: {TEST_FUNCTION: plain}}
      Events:
        Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /echo, Method: POST}}
        Slow: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /slow, Method: POST}}
`

const corsTemplate = "Parameters:\n  Origins: {Type: String, Default: ''}\n" +
	"Conditions:\n  HasOrigins: !Not [!Equals [!Ref Origins, '']]\nResources:" + corsAPI

func TestCORS(t *testing.T) {
	t.Parallel()
	h := mustHost(t, corsTemplate, func(o *lambdahost.Options) {
		o.Parameters = map[string]string{"Origins": "https://www.example.com,https://shop.example.com"}
	})
	request := func(method, origin, asks string) *http.Response {
		body, _ := json.Marshal(command{Do: "answer", With: json.RawMessage(
			`{"statusCode":200,"headers":{"access-control-allow-origin":"*","x-own":"1"},"body":"{}"}`)})
		r := httptest.NewRequest(method, "/echo", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if asks != "" {
			r.Header.Set("Access-Control-Request-Method", asks)
		}
		return serve(h, r)
	}
	const allow = "Access-Control-Allow-Origin"

	res := request("OPTIONS", "https://shop.example.com", "POST")
	want := http.Header{
		allow: {"https://shop.example.com"}, "Access-Control-Allow-Credentials": {"true"},
		"Access-Control-Allow-Headers": {"authorization,content-type"}, "Access-Control-Allow-Methods": {"GET,POST"},
		"Access-Control-Expose-Headers": {"retry-after"}, "Access-Control-Max-Age": {"600"},
	}
	res.Header.Del("Apigw-Requestid")
	if fmt.Sprint(res.Header) != fmt.Sprint(want) || res.StatusCode != 204 {
		t.Errorf("preflight: got %d %v", res.StatusCode, res.Header)
	}
	res = request("OPTIONS", "https://evil.example", "POST")
	if res.StatusCode != 204 || res.Header.Get(allow) != "" {
		t.Errorf("preflight of a stranger: got %d %v", res.StatusCode, res.Header)
	}
	if res = request("OPTIONS", "", ""); res.StatusCode != 404 {
		t.Errorf("OPTIONS without Origin: got %d", res.StatusCode)
	}
	res = request("POST", "https://www.example.com", "")
	if res.StatusCode != 200 || res.Header.Get(allow) != "https://www.example.com" ||
		res.Header.Get("Access-Control-Expose-Headers") != "retry-after" || res.Header.Get("X-Own") != "1" {
		t.Errorf("request: got %d %v", res.StatusCode, res.Header)
	}
	for _, origin := range []string{"", "https://evil.example", "https://www.example.com.evil.example", "null"} {
		if res = request("POST", origin, ""); res.StatusCode != 200 || res.Header.Get(allow) != "" {
			t.Errorf("origin %q: got %d %q, want no CORS header", origin, res.StatusCode, res.Header.Get(allow))
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	h := mustHost(t, corsTemplate, func(o *lambdahost.Options) { o.Now = func() time.Time { return now } })
	g := h.Gateway()
	post := func(path string) (int, string) {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		return w.Code, w.Body.String()
	}
	for i, want := range []int{200, 200, 200, 429, 429} {
		if got, body := post("/slow"); got != want || (got == 429 && body != `{"message":"Too Many Requests"}`) {
			t.Errorf("request %d: got %d %q, want %d", i, got, body, want)
		}
	}
	if got, _ := post("/echo"); got != 200 {
		t.Errorf("another route: got %d", got)
	}
	now = now.Add(500 * time.Millisecond) // 2 per second: one token
	for i, want := range []int{200, 429} {
		if got, _ := post("/slow"); got != want {
			t.Errorf("later request %d: got %d, want %d", i, got, want)
		}
	}
}
