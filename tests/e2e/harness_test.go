// Package e2e runs the built functions behind the local gateway, against the
// sandbox, and asks of them what the API promises: the contract, the answers
// under every fault of every upstream call, and the OpenAPI document.
//
// Every test has a stack of its own: a sandbox, a host that starts function
// processes as they are called, and a gateway. What each stack logs is searched
// for credentials when the test ends, and each answer that the gateway gives is
// checked against docs/openapi.yaml.
package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

const (
	root      = "../.."
	issuer    = "https://login.example.com"
	audience  = "caseroom-e2e"
	origin    = "https://shop.example"
	principal = "arn:aws:iam::000000000000:user/salesforce"
	iamHeader = "X-Caseroom-Iam-Arn"
)

var (
	binaries string // folder of the built functions
	template *lambdahost.Template
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("e2e: skipped, for it builds and starts the functions")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "caseroom-e2e-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries = dir
	build := exec.Command("go", "build", "-trimpath", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", dir+string(filepath.Separator), "./functions/...")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return failed(fmt.Errorf("the functions do not build: %w\n%s", err, out))
	}
	if template, err = lambdahost.LoadTemplate(filepath.Join(root, "template.yaml")); err != nil {
		return failed(err)
	}
	if document, err = loadDocument(); err != nil {
		return failed(err)
	}
	return m.Run()
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// settings are how a stack differs from the usual one.
type settings struct {
	parameters  map[string]string
	environment map[string]string
	timeout     time.Duration // of every function, the template's if zero
	queued      time.Duration // of those that serve queues, likewise
	sandbox     sandbox.Options
	secrets     func(*sandbox.Sandbox)
	visibility  time.Duration // of the queues, the template's if zero
	mapping     string        // key of a custom domain
}

type option func(*settings)

func parameter(name, value string) option {
	return func(s *settings) { s.parameters[name] = value }
}

// mapped puts the API behind a custom domain's mapping key.
func mapped(key string) option {
	return func(s *settings) { s.mapping = key }
}

// functionTimeout replaces the functions' own.
func functionTimeout(d time.Duration) option {
	return func(s *settings) { s.timeout = d }
}

// queueTimeout replaces that of the functions that serve queues.
func queueTimeout(d time.Duration) option {
	return func(s *settings) { s.queued = d }
}

// slack is how much longer than its time a function may take on a busy machine.
// What it does with the time that it was told shows in its answer.
const slack = 2 * time.Minute

// patience bounds waits for what comes about by itself; what takes longer never
// comes.
const patience = 5 * time.Minute

// stack is caseroom as deployed by template.yaml, with both desks and guests,
// on stand-ins for everything it calls.
type stack struct {
	killed  atomic.Bool // by restart: a process may have ended under an invocation
	tb      testing.TB
	box     *sandbox.Sandbox
	fix     sandbox.Fixtures
	boxURL  string
	url     string // of the gateway
	options lambdahost.Options
	log     *journal
	vault   *vault
	client  *http.Client

	ahead   atomic.Int64 // how far the stand-ins' clock is ahead, in nanoseconds
	host    *lambdahost.Host
	gateway atomic.Pointer[http.Handler]
}

func newStack(tb testing.TB, options ...option) *stack {
	tb.Helper()
	set := settings{parameters: map[string]string{}}
	for _, o := range options {
		o(&set)
	}
	s := &stack{tb: tb, log: &journal{}, vault: &vault{}}
	s.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	boxLn, gatewayLn := s.listen(), s.listen()
	s.boxURL, s.url = "http://"+boxLn.Addr().String(), "http://"+gatewayLn.Addr().String()

	if set.mapping != "" {
		s.url += "/" + set.mapping
	}
	parameters := map[string]string{
		"ZendeskBaseUrl": s.boxURL + "/zendesk", "SalesforceBaseUrl": s.boxURL + "/salesforce",
		"TencentBaseUrl": s.boxURL + "/tencent",
		"CronofyBaseUrl": s.boxURL + "/cronofy",
		"LoginIssuer":    issuer, "LoginAudience": audience, "AllowedOrigins": origin,
		"Guests": "on", "ReservedUserIds": "boss,night_shift",
		"ThrottleRate": "100000", "ThrottleBurst": "100000",
		"GuestThrottleRate": "100000", "GuestThrottleBurst": "100000",
		"GuestRate": "0", "GuestRatePerAddress": "0", "TicketRatePerPerson": "0",
		"ChatWebhook":         "on",
		"DeskWritesPerMinute": "10000", // else each note waits for seconds
	}
	maps.Copy(parameters, set.parameters)
	if parameters["ZendeskBaseUrl"] == "" {
		parameters["CronofyBaseUrl"] = "" // tasks are Zendesk's
	}
	stack, err := template.Resolve(lambdahost.ResolveOptions{Parameters: parameters})
	s.must(err)
	timeouts := map[string]time.Duration{}
	for _, f := range stack.Functions {
		timeouts[f.LogicalID] = cmp.Or(set.timeout, f.Timeout)
		if len(f.Sources) > 0 {
			timeouts[f.LogicalID] = cmp.Or(set.queued, timeouts[f.LogicalID])
		}
	}
	names := map[string]string{}
	for _, q := range stack.Queues {
		names[q.ARN] = q.Name
	}
	for _, q := range stack.Queues {
		set.sandbox.Queues = append(set.sandbox.Queues, sandbox.QueueConfig{
			Name: q.Name, FIFO: q.FIFO, ContentDedup: q.ContentDedup, GroupDedup: q.GroupDedup,
			Visibility: cmp.Or(set.visibility, q.Visibility), MaxReceive: q.MaxReceiveCount, DLQ: names[q.DeadLetterARN],
		})
	}
	set.sandbox.Buckets = stack.Buckets
	if set.sandbox.Now == nil {
		set.sandbox.Now = func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }
	}
	s.box = sandbox.New(set.sandbox)
	s.fix = s.box.Fixtures()
	s.vault.addFixtures(s.fix)
	if set.secrets != nil {
		set.secrets(s.box)
	}
	s.options = lambdahost.Options{
		Template: template, Region: s.fix.AWS.Region, AccountID: s.fix.AWS.AccountID,
		Parameters: parameters, Timeouts: timeouts, Slack: slack, Log: s.log, MappingKey: set.mapping,
		Env: map[string]string{
			"AWS_ENDPOINT_URL": s.boxURL + "/aws", "AWS_ACCESS_KEY_ID": s.fix.AWS.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY": s.fix.AWS.SecretAccessKey,
		},
		Bin: func(codeURI string) string { return filepath.Join(binaries, filepath.Base(codeURI)) },
	}
	maps.Copy(s.options.Env, set.environment)
	s.start()
	vendors := &http.Server{Handler: s.vault.watch(s.box.Handler())}
	gateway := &http.Server{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.gateway.Load()).ServeHTTP(w, r) }),
		MaxHeaderBytes: 10_240,
	}
	go func() { _ = vendors.Serve(boxLn) }()
	go func() { _ = gateway.Serve(gatewayLn) }()
	tb.Cleanup(func() {
		s.host.Close()
		_ = gateway.Close()
		_ = vendors.Close()
		s.box.Close()
		s.client.CloseIdleConnections()
		s.checkLog()
	})
	return s
}

// later moves the stand-ins' clock on.
func (s *stack) later(d time.Duration) { s.ahead.Add(int64(d)) }

func (s *stack) listen() net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	return ln
}

// serve runs a handler for the length of the test and returns its URL.
func serve(tb testing.TB, h http.Handler) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(ln) }()
	tb.Cleanup(func() { _ = server.Close() })
	return "http://" + ln.Addr().String()
}

func (s *stack) must(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

func (s *stack) start() {
	host, err := lambdahost.New(s.options)
	s.must(err)
	s.host = host
	handler := host.Gateway()
	s.gateway.Store(&handler)
}

// restart kills the function processes, whatever they are doing, and goes on
// with new ones.
func (s *stack) restart() {
	s.killed.Store(true)
	s.host.Close()
	s.start()
}

// checkLog looks through what the functions and the gateway logged.
func (s *stack) checkLog() {
	s.tb.Helper()
	log := s.log.String()
	for _, line := range strings.Split(log, "\n") {
		if what := s.vault.found(line); what != "" {
			s.tb.Errorf("a log line holds %s; it begins %.60q", what, line)
		}
		if strings.Contains(line, `"msg":"panic"`) || strings.Contains(line, "goroutine ") || (strings.Contains(line, "Runtime.ExitError") && !s.killed.Load()) {
			s.tb.Errorf("a function panicked: %s", line)
		}
	}
	for _, leak := range s.vault.upstream() {
		s.tb.Error(leak)
	}
}

// logged waits until text is in the log after what was there before: a process
// answers before its last lines are read.
func (s *stack) logged(before, text string) {
	s.tb.Helper()
	said := func() string { return strings.TrimPrefix(s.log.String(), before) }
	for deadline := time.Now().Add(patience); !strings.Contains(said(), text); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.tb.Errorf("the log does not say %s:\n%s", text, said())
			return
		}
	}
}

// journal is a log that is written and read at the same time.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// vault knows everything that may stand in no log line: the fixtures' secrets,
// credentials that came in, went out or went upstream, and customers' words.
type vault struct {
	mu     sync.Mutex
	values map[string]string // value to what it is
	keys   []string          // idempotency keys, which no desk may see either
	leaks  []string
}

// canary stands in everything a customer says.
const canary = "canary-7f3d"

// Names in the secrets' JSON that are no secrets.
var public = []string{"sdkAppId", "clientId", "adminUserId", "appPublicKey", "messagingKeyId", "email", "username", "audience"}

func (v *vault) addFixtures(f sandbox.Fixtures) {
	v.add("the AWS key", f.AWS.SecretAccessKey)
	v.add("a customer's words", canary)
	for id, raw := range f.Secrets {
		var fields map[string]any
		_ = json.Unmarshal(raw, &fields)
		for name, value := range fields {
			if slices.Contains(public, name) {
				continue
			}
			list, ok := value.([]any)
			if !ok {
				list = []any{value}
			}
			for _, x := range list {
				if text, ok := x.(string); ok {
					v.add(name+" of "+id, text)
				}
			}
		}
	}
}

func (v *vault) add(what, value string) {
	if len(value) < 8 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.values == nil {
		v.values = map[string]string{}
	}
	v.values[value] = what
}

func (v *vault) addKey(key string) {
	if len(key) < 16 {
		return
	}
	v.add("an idempotency key", key)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keys = append(v.keys, key)
}

// Whatever looks like a JWT or a UserSig is one.
var token = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.|e[AJN][A-Za-z0-9][A-Za-z0-9*_-]{60,}`)

// found returns what of the vault is in text.
func (v *vault) found(text string) string {
	if token.MatchString(text) {
		return "a token or UserSig"
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for value, what := range v.values {
		if strings.Contains(text, value) {
			return what
		}
	}
	return ""
}

func (v *vault) upstream() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.leaks
}

// watch notes the credentials that reach the stand-ins and looks for callers'
// own idempotency keys in what they are sent.
func (v *vault) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if _, credential, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
			if _, signature, ok := strings.Cut(credential, "Signature="); ok {
				credential = signature
			}
			v.add("a credential for a vendor", credential)
		}
		v.add("the admin's UserSig", r.URL.Query().Get("usersig"))
		v.mu.Lock()
		sent := fmt.Sprint(r.URL, r.Header) + string(body)
		for _, key := range v.keys {
			if strings.Contains(sent, key) {
				v.leaks = append(v.leaks, "a vendor was sent the caller's own idempotency key: "+r.Method+" "+r.URL.Path)
			}
		}
		v.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// request is one HTTP request to the gateway.
type request struct {
	method string // POST if empty
	path   string // as it goes over the wire, with query
	header http.Header
	body   string
	as     string // a bearer token
	cookie string // a login token
	key    string // Idempotency-Key
	chat   string // the token by which the chat signs the query, whenever it is sent
}

// with returns the request with one more header.
func (r request) with(name, value string) request {
	h := r.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Add(name, value)
	r.header = h
	return r
}

func (r request) signedBy(arn string) request { return r.with(iamHeader, arn) }

// answer is the gateway's whole answer.
type answer struct {
	request request
	status  int
	header  http.Header
	body    []byte
	fields  map[string]any // of a JSON object
}

// do sends a request. A body is JSON unless a Content-Type says otherwise.
func (s *stack) do(r request) answer {
	s.tb.Helper()
	a, err := s.send(r)
	s.must(err)
	return a
}

func (s *stack) send(r request) (answer, error) {
	if r.method == "" {
		r.method = http.MethodPost
	}
	path := r.path
	if r.chat != "" {
		path += "&" + s.chatProof(r.chat, time.Now())
	}
	req, err := http.NewRequest(r.method, s.url+path, strings.NewReader(r.body))
	if err != nil {
		return answer{}, err
	}
	maps.Copy(req.Header, r.header)
	if _, said := r.header["Content-Type"]; r.body != "" && !said {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.as != "" {
		req.Header.Set("Authorization", "Bearer "+r.as)
		s.vault.add("a caller's token", r.as)
	}
	if r.cookie != "" {
		req.AddCookie(&http.Cookie{Name: "token", Value: r.cookie})
		s.vault.add("a caller's cookie", r.cookie)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
		s.vault.addKey(r.key)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{request: r, status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return answer{}, err
	}
	if json.Unmarshal(a.body, &a.fields) == nil {
		for _, name := range []string{"userSig", "guestToken", "token"} {
			s.vault.add("an answer's "+name, a.text(name))
		}
	}
	if err := document.checkAnswer(r.method, r.path, a); err != nil {
		s.tb.Errorf("%s %s: %d is not what docs/openapi.yaml says: %v", r.method, r.path, a.status, err)
	}
	return a, nil
}

// text is a string field of the answer.
func (a answer) text(name string) string {
	v, _ := a.fields[name].(string)
	return v
}

func (a answer) String() string {
	return fmt.Sprintf("%s %s: %d %s", a.request.method, a.request.path, a.status, a.body)
}

// ok fails the test unless the answer is a 200.
func (a answer) ok(tb testing.TB) answer {
	tb.Helper()
	if a.status != http.StatusOK {
		tb.Fatal(a)
	}
	return a
}

// statuses is the API's one table of error codes.
var statuses = map[string]int{
	"invalid": 400, "unauthorized": 401, "forbidden": 403, "not_found": 404, "method_not_allowed": 405,
	"conflict": 409, "too_large": 413, "unsupported_media_type": 415, "unprocessable": 422, "rate_limited": 429,
	"internal": 500, "upstream": 502, "unavailable": 503, "timeout": 504,
}

// asProblem checks that the answer is a well-formed problem of one of the codes.
func (a answer) asProblem(codes ...string) error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		say("Content-Type %q", got)
	}
	code := a.text("code")
	if !slices.Contains(codes, code) {
		say("code %q is none of %q", code, codes)
	}
	if want, ok := statuses[code]; !ok || a.status != want {
		say("status %d with code %q", a.status, code)
	}
	if n, _ := a.fields["status"].(float64); int(n) != a.status {
		say("status %d in the body of a %d", int(n), a.status)
	}
	if a.text("type") != "about:blank" || a.text("title") != http.StatusText(a.status) || a.text("detail") == "" || a.text("requestId") == "" {
		say("type, title, detail or requestId missing or wrong")
	}
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if retry := a.status == 429 || a.status == 503 || a.status == 504; retry && (err != nil || wait < 1) {
		say("no Retry-After in seconds")
	}
	if len(errs) > 0 {
		return fmt.Errorf("%s: %w", a, errors.Join(errs...))
	}
	return nil
}

// problem fails the test unless the answer is a problem of that code.
func (a answer) problem(tb testing.TB, code string) answer {
	tb.Helper()
	if err := a.asProblem(code); err != nil {
		tb.Error(err)
	}
	return a
}

// refused fails the test unless the answer is a problem of one of the codes and
// nothing was asked of anybody but Secrets Manager on its account.
func (s *stack) refused(tb testing.TB, r request, codes ...string) answer {
	tb.Helper()
	before := len(s.calls())
	a := s.do(r)
	if err := a.asProblem(codes...); err != nil {
		tb.Error(err)
	}
	if calls := s.calls(); len(calls) != before {
		tb.Errorf("%s %s was refused after calling upstream: %v", r.method, r.path, calls[before:])
	}
	return a
}

// calls are the calls so far, as "vendor op", secrets left out.
func (s *stack) calls() []string {
	var list []string
	for _, c := range s.box.Calls() {
		if c.Op != "GetSecretValue" {
			list = append(list, c.Vendor+" "+c.Op)
		}
	}
	return list
}

// since returns the calls after the first n.
func (s *stack) since(n int) []string { return s.calls()[n:] }

// loginToken signs a login token with further claims; nil takes one away.
func (s *stack) loginToken(sub string, claims map[string]any) string {
	s.tb.Helper()
	all := map[string]any{
		"iss": issuer, "aud": audience, "sub": sub,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range claims {
		if value == nil {
			delete(all, name)
		} else {
			all[name] = value
		}
	}
	signed, err := logintest.HS(s.fix.LoginHS256).Sign(all)
	s.must(err)
	s.vault.add("a login token", signed)
	return signed
}

// customer is a login with a verified address.
func (s *stack) customer(sub string) string {
	return s.loginToken(sub, map[string]any{
		"email": sub + "@" + canary + ".example", "email_verified": true, "name": "Ada " + canary,
	})
}

// agentSession is what the panel in Zendesk gives an agent.
func (s *stack) agentSession(zendeskUser string) string {
	s.tb.Helper()
	signed, _, err := session.Agents{Secrets: func(context.Context) ([]string, error) {
		return []string{s.fix.AppSessionSecret}, nil
	}}.Issue(context.Background(), zendeskUser)
	s.must(err)
	return signed
}

// appToken is Zendesk's signed app URL token; nil takes a claim away.
func (s *stack) appToken(user string, claims map[string]any) string {
	s.tb.Helper()
	all := jwt.MapClaims{
		"iss": strings.TrimPrefix(s.boxURL, "http://"), "context": map[string]any{"product": "support", "location": "ticket_sidebar"},
		"aud": s.boxURL + "/zendesk/api/v2/apps/installations/1.json",
		"sub": s.boxURL + "/zendesk/api/v2/users/" + user + ".json",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	}
	for name, value := range claims {
		if value == nil {
			delete(all, name)
		} else {
			all[name] = value
		}
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, all).SignedString(s.fix.ZendeskAppKey())
	s.must(err)
	s.vault.add("an app token", signed)
	return signed
}

func (s *stack) zendeskAgent() string { return strconv.FormatInt(s.fix.Zendesk.AgentIDs[0], 10) }

// object renders name, value pairs as a JSON object.
func object(pairs ...any) string {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ticketBody is a ticket whose every word is the customer's.
func ticketBody(subject string) string {
	return object("caseInfo", map[string]string{"subject": subject + " " + canary, "desc": "It is dark. " + canary})
}

// createTicket makes a ticket for a customer and returns the answer.
func (s *stack) createTicket(path, as string) answer {
	s.tb.Helper()
	return s.do(request{path: path, as: as, body: ticketBody("The lamp")}).ok(s.tb)
}

// room is the group of an id; the test fails if there is none.
func (s *stack) room(id string) sandbox.TencentGroup {
	s.tb.Helper()
	g, ok := s.box.Group(id)
	if !ok {
		s.tb.Fatalf("there is no room %s", id)
	}
	return g
}

func members(g sandbox.TencentGroup) []string {
	var ids []string
	for _, m := range g.Members {
		ids = append(ids, m.UserID)
	}
	slices.Sort(ids)
	return ids
}

// rooms is the chat as a stack's own client sees it.
func (s *stack) rooms() tencentim.Rooms {
	s.tb.Helper()
	rooms, err := boottencent.Rooms(s.process(), config.Tencent{BaseURL: s.boxURL + "/tencent", Secret: sandbox.SecretTencent})
	s.must(err)
	return rooms
}

// process makes clients that go past the functions.
func (s *stack) process() *boot.Process {
	cfg := aws.Config{
		Region: s.fix.AWS.Region, BaseEndpoint: aws.String(s.boxURL + "/aws"), HTTPClient: s.client,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.fix.AWS.AccessKeyID, SecretAccessKey: s.fix.AWS.SecretAccessKey}, nil
		}),
	}
	p := boot.NewProcess(cfg, secrets.New(fixedSecrets(s.fix.Secrets), time.Now, rand.Float64, slog.Default()), &upstreamtest.Counts{})
	p.Transport = s.client.Transport
	return p
}

// fixedSecrets is Secrets Manager without a call that the sandbox would see.
type fixedSecrets map[string]json.RawMessage

func (f fixedSecrets) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(string(f[*in.SecretId]))}, nil
}

// hints are the messages in the queues of hints, live and bulk.
func (s *stack) hints() []sandbox.MessageState {
	return append(s.messages("-sync.fifo"), s.messages("-bulk.fifo")...)
}

// messages are what is in the queue whose name ends so.
func (s *stack) messages(queue string) []sandbox.MessageState {
	var list []sandbox.MessageState
	for _, q := range s.box.State().AWS.Queues {
		if strings.HasSuffix(q.Name, queue) {
			list = append(list, q.Messages...)
		}
	}
	return list
}
