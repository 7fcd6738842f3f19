package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox"
)

type fixtures = sandbox.Fixtures

const (
	loginIssuer   = "https://login.example.com"
	loginAudience = "caseroom-bench"
	customer      = "dana"
)

// world is a sandbox with a stack on it.
type world struct {
	URL      string   `json:"url"`
	Fixtures fixtures `json:"fixtures"`

	stack  *lambdahost.Stack
	token  string // of the customer
	client *http.Client
}

// newWorld starts a sandbox whose upstream calls take latency.
func (b *bench) newWorld(ctx context.Context, latency time.Duration) (*world, error) {
	// The queues are known before the sandbox's address is.
	names, err := b.stack("http://127.0.0.1:1", &fixtures{})
	if err != nil {
		return nil, err
	}
	var queues []string
	for _, q := range names.Queues {
		queues = append(queues, q.Name)
	}
	c, err := startChild(ctx, os.Environ(), b.binary("sandbox"), "-latency="+latency.String(), "-queues="+strings.Join(queues, ","))
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, c.stop)
	w := &world{client: &http.Client{Timeout: invokeTimeout}}
	if err := json.Unmarshal([]byte(c.line), w); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if w.stack, err = b.stack(w.URL, &w.Fixtures); err != nil {
		return nil, err
	}
	now := time.Now()
	w.token, err = logintest.HS(w.Fixtures.LoginHS256).Sign(map[string]any{
		"iss": loginIssuer, "aud": loginAudience, "sub": customer, "name": "Dana Customer",
		"email": "dana@customer.example", "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(12 * time.Hour).Unix(),
	})
	return w, err
}

// lambdaEnv is the environment of a function as Lambda would set it.
func (w *world) lambdaEnv(name string) ([]string, error) {
	var fn *lambdahost.Function
	for i, f := range w.stack.Functions {
		if filepath.Base(f.CodeURI) == name {
			fn = &w.stack.Functions[i]
		}
	}
	if fn == nil {
		return nil, fmt.Errorf("the template has no function %s", name)
	}
	env := append(w.awsEnv(),
		"AWS_LAMBDA_FUNCTION_NAME="+fn.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.Itoa(fn.MemoryMB),
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_LOG_FORMAT="+strings.ToUpper(fn.LogFormat),
	)
	if fn.LogLevel != "" {
		env = append(env, "AWS_LAMBDA_LOG_LEVEL="+fn.LogLevel)
	}
	for k, v := range fn.Env {
		if !strings.HasPrefix(k, "AWS_") { // the template leaves the endpoint empty
			env = append(env, k+"="+v)
		}
	}
	return env, nil
}

func (w *world) awsEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"AWS_REGION=" + w.Fixtures.AWS.Region,
		"AWS_ACCESS_KEY_ID=" + w.Fixtures.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + w.Fixtures.AWS.SecretAccessKey,
		"AWS_ENDPOINT_URL=" + w.URL + "/aws",
	}
}

// bareEnv gives the bare function its addresses and its credentials, which it
// need not fetch or make.
func (w *world) bareEnv(ctx context.Context) ([]string, error) {
	f := w.Fixtures
	session, err := w.salesforceToken(ctx)
	if err != nil {
		return nil, err
	}
	sig, err := tencentyun.GenUserSig(f.Tencent.SDKAppID, f.Tencent.SecretKey, f.Tencent.AdminUserID, 24*60*60)
	if err != nil {
		return nil, err
	}
	query := url.Values{
		"sdkappid": {strconv.Itoa(f.Tencent.SDKAppID)}, "identifier": {f.Tencent.AdminUserID},
		"usersig": {sig}, "random": {"4711"}, "contenttype": {"json"},
	}
	queueURL := ""
	for _, q := range w.stack.Queues {
		// Sync's queue is the one that the dead letters of no other go to and
		// that functions send to.
		for _, fn := range w.stack.Functions {
			if fn.Env["SYNC_QUEUE_URL"] == q.URL {
				queueURL = q.URL
			}
		}
	}
	basic := base64.StdEncoding.EncodeToString([]byte(f.Zendesk.Email + "/token:" + f.Zendesk.APIToken))
	return append(w.awsEnv(),
		"SYNC_QUEUE_URL="+queueURL,
		"BARE_ZENDESK="+w.URL+"/zendesk", "BARE_ZENDESK_AUTH=Basic "+basic,
		"BARE_SALESFORCE="+w.URL+"/salesforce", "BARE_SALESFORCE_AUTH=Bearer "+session,
		"BARE_TENCENT="+w.URL+"/tencent", "BARE_TENCENT_QUERY="+query.Encode(),
		"BARE_ZOPIM="+w.URL+"/zendesk", "BARE_ZOPIM_AUTH=Bearer "+f.Zendesk.ZopimToken,
	), nil
}

func (w *world) nodeEnv() []string {
	f := w.Fixtures
	return []string{
		"PATH=" + os.Getenv("PATH"), "NODE_ENV=production",
		"ZENDESK=" + w.URL + "/zendesk", "ZENDESK_USER=" + f.Zendesk.Email + "/token", "ZENDESK_TOKEN=" + f.Zendesk.APIToken,
		"SALESFORCE=" + w.URL + "/salesforce", "SALESFORCE_USER=" + f.Salesforce.Username,
		"SALESFORCE_PASSWORD=" + f.Salesforce.Password + f.Salesforce.SecurityToken,
		"TENCENT=" + w.URL + "/tencent", "SDK_APP_ID=" + strconv.Itoa(f.Tencent.SDKAppID),
		"SECRET_KEY=" + f.Tencent.SecretKey, "ADMIN=" + f.Tencent.AdminUserID,
	}
}

func (w *world) salesforceToken(ctx context.Context) (string, error) {
	form := url.Values{
		"grant_type": {"client_credentials"},
		"client_id":  {w.Fixtures.Salesforce.ClientID}, "client_secret": {w.Fixtures.Salesforce.ClientSecret},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"/salesforce/services/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	text, err := w.do(req)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err == nil && answer.AccessToken == "" {
		err = errors.New("salesforce: no token")
	}
	return answer.AccessToken, err
}

// do sends a request and returns the body of a good answer.
func (w *world) do(req *http.Request) ([]byte, error) {
	res, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: status %d: %s", req.Method, req.URL.Path, res.StatusCode, text)
	}
	return text, err
}

// calls returns what reached the vendors during f, and how deep it was: how
// many calls waited for one another, each of which took latency.
func (w *world) calls(ctx context.Context, latency time.Duration, f func() error) (n, depth int, err error) {
	for _, method := range []string{http.MethodDelete, http.MethodGet} {
		if method == http.MethodGet {
			if err := f(); err != nil {
				return 0, 0, err
			}
		}
		req, err := http.NewRequestWithContext(ctx, method, w.URL+"/calls", nil)
		if err != nil {
			return 0, 0, err
		}
		text, err := w.do(req)
		if err != nil {
			return 0, 0, err
		}
		if method == http.MethodDelete {
			continue
		}
		var calls []sandbox.Call
		if err := json.Unmarshal(text, &calls); err != nil {
			return 0, 0, err
		}
		for _, c := range calls {
			level := int((c.Time.Sub(calls[0].Time)+latency/2)/latency) + 1
			depth = max(depth, level)
		}
		n = len(calls)
	}
	return n, depth, nil
}

// httpRequest is a request to a function or to the Node server.
type httpRequest struct {
	method, path, query, body string
	headers                   map[string]string
}

// event renders the request as an HTTP API does, payload format 2.0.
func (r httpRequest) event() []byte {
	now := time.Now()
	e := map[string]any{
		"version": "2.0", "routeKey": r.method + " " + r.path, "rawPath": r.path, "rawQueryString": r.query,
		"headers": r.headers,
		"requestContext": map[string]any{
			"accountId": "000000000000", "apiId": "bench", "domainName": "bench.execute-api.eu-central-1.amazonaws.com",
			"domainPrefix": "bench", "requestId": uuid.NewString(), "routeKey": r.method + " " + r.path, "stage": "$default",
			"http": map[string]any{
				"method": r.method, "path": r.path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.10", "userAgent": r.headers["user-agent"],
			},
			"time": now.UTC().Format("02/Jan/2006:15:04:05 +0000"), "timeEpoch": now.UnixMilli(),
		},
		"isBase64Encoded": false,
	}
	if r.query != "" {
		values, _ := url.ParseQuery(r.query)
		q := map[string]string{}
		for k := range values {
			q[k] = values.Get(k)
		}
		e["queryStringParameters"] = q
	}
	if r.body != "" {
		e["body"] = r.body
	}
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}
