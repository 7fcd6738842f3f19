// Package world runs what works behind caseroom's queues in one process: the
// queues and vendors of the sandbox, and processes with the real clients, the
// real worker and the real operations, over an HTTP that is a function call.
//
// Nothing of it uses a socket, so inside a testing/synctest bubble its time is
// the bubble's: a day of an outage passes as fast as there is nothing to do.
// Every call of a process passes one gate, which may hold it, fail it in the
// ways in which calls fail, or kill the process at it.
package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Options describe a world. Root is required.
type Options struct {
	Root string // the repository
	Seed uint64
	Plan sandbox.TencentPlan
	// Latency is how long every vendor's call takes.
	Latency time.Duration
	// Calls, SolvedOpen and Omni are MEMBERSHIP=calls, SOLVED=open and OMNI=on.
	Calls, SolvedOpen, Omni bool
	// Calendars gives the stack its calendars, and NoArchive takes its bucket away.
	Calendars, NoArchive bool
	// MeterOf, if set, makes the meter of a function's process.
	MeterOf func(function string) relay.Meter
	// Gate says what becomes of each call of a process; nil lets all through.
	Gate Gate
	// Answered, if set, is told of every answer that a process gets. refused is
	// true when a rate limit was behind it.
	Answered func(c Call, refused bool)
}

// World is a sandbox and what a stack on it needs.
type World struct {
	Options
	Box   *sandbox.Sandbox
	Fix   sandbox.Fixtures
	Meter *Counts
	Stack *lambdahost.Stack

	settings  settings
	mu        sync.Mutex
	processes []*Process
	closed    bool
	platform  *sqs.Client
}

// where the sandbox would listen, if it did.
const origin = "http://127.0.0.1:3100"

// kind is what tells the stacks of worlds apart.
type kind struct {
	root      string
	calendars bool
}

// resolved is the template with the parameters of a stack on the sandbox. It is
// the same for every world of a kind.
var resolved = struct {
	sync.Mutex
	of map[kind]*lambdahost.Stack
}{of: map[kind]*lambdahost.Stack{}}

func stack(root string, calendars bool) (*lambdahost.Stack, error) {
	resolved.Lock()
	defer resolved.Unlock()
	key := kind{root, calendars}
	if s := resolved.of[key]; s != nil {
		return s, nil
	}
	parameters := map[string]string{
		"ZendeskBaseUrl": origin + "/zendesk", "SalesforceBaseUrl": origin + "/salesforce",
		"TencentBaseUrl": origin + "/tencent",
	}
	if calendars {
		parameters["CronofyBaseUrl"] = origin + "/cronofy"
	}
	template, err := lambdahost.LoadTemplate(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, err
	}
	s, err := template.Resolve(lambdahost.ResolveOptions{
		Region:     "eu-central-1",
		Parameters: parameters,
		QueueURL:   func(name string) string { return origin + "/aws/000000000000/" + name },
	})
	if err == nil {
		resolved.of[key] = s
	}
	return s, err
}

// New makes a world in which nothing has happened yet.
func New(o Options) (*World, error) {
	st, err := stack(o.Root, o.Calendars)
	if err != nil {
		return nil, err
	}
	w := &World{Options: o, Meter: &Counts{}, Stack: st}
	if err := w.load(); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, q := range st.Queues {
		names[q.ARN] = q.Name
	}
	var queues []sandbox.QueueConfig
	for _, q := range st.Queues {
		queues = append(queues, sandbox.QueueConfig{
			Name: q.Name, FIFO: q.FIFO, ContentDedup: q.ContentDedup, GroupDedup: q.GroupDedup, Visibility: q.Visibility,
			Retention: q.Retention, MaxReceive: q.MaxReceiveCount, DLQ: names[q.DeadLetterARN],
		})
	}
	w.Box = sandbox.New(sandbox.Options{
		URL: origin, Seed: o.Seed, Tencent: o.Plan, Latency: o.Latency, Queues: queues, Buckets: st.Buckets,
	})
	w.Fix = w.Box.Fixtures()
	w.platform = sqs.New(sqs.Options{
		AppID: lambdahost.PlatformApp, Region: w.Fix.AWS.Region, BaseEndpoint: aws.String(origin + "/aws"),
		Credentials: w.keys(), HTTPClient: &http.Client{Transport: direct{w}},
	})
	return w, nil
}

// Closed reports whether the world has ended.
func (w *World) Closed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// Close kills every process.
func (w *World) Close() {
	w.mu.Lock()
	w.closed = true
	all := w.processes
	w.mu.Unlock()
	for _, p := range all {
		p.Kill()
	}
	w.Box.Close()
}

func (w *World) keys() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: w.Fix.AWS.AccessKeyID, SecretAccessKey: w.Fix.AWS.SecretAccessKey}, nil
	})
}

// Call is a call that a process is about to make.
type Call struct {
	Process *Process
	Vendor  string // zendesk, salesforce, tencent, aws
	Method  string
	Path    string // without the vendor's prefix
	Body    string
}

// Fate is what becomes of a call.
type Fate int

// The fates. Those that end the process say nothing to anybody any more.
const (
	Pass        Fate = iota
	Lost             // the connection breaks, nothing is done
	Swallowed        // it is done, the connection breaks
	TooFast          // refused by the vendor's rate limit
	Unavailable      // a proxy's 503
	Hang             // no answer until the caller gives up; nothing is done
	DoneHang         // it is done; no answer until the caller gives up
	KillBefore       // the process dies, nothing is done
	KillAfter        // it is done, the process dies
)

// Gate decides about a call. It may block until ctx is done, when what it
// returns does not matter.
type Gate func(ctx context.Context, c Call) Fate

// Process is one process of a function, with clients and caches of its own.
type Process struct {
	World  *World
	Name   string
	Number int

	ctx    context.Context
	cancel context.CancelFunc
	ids    atomic.Uint64
	random *mathrand.Rand
	mu     sync.Mutex
}

// Start starts a process.
func (w *World) Start(name string) *Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &Process{World: w, Name: name, Number: len(w.processes)}
	p.random = mathrand.New(mathrand.NewPCG(w.Seed, uint64(p.Number)))
	// Of calls that fail side by side nobody knows which asks first for a number.
	p.ctx, p.cancel = context.WithCancel(upstream.WithRandom(context.Background(), func() float64 { return 0.5 }))
	w.processes = append(w.processes, p)
	return p
}

// Kill ends the process: nothing that it still wants to send is sent.
func (p *Process) Kill() { p.cancel() }

// Done is closed when the process was killed.
func (p *Process) Done() <-chan struct{} { return p.ctx.Done() }

// Context ends with the process.
func (p *Process) Context() context.Context { return p.ctx }

// Dead reports whether the process was killed.
func (p *Process) Dead() bool { return p.ctx.Err() != nil }

func (p *Process) newID() string {
	return fmt.Sprintf("p%d-%d", p.Number, p.ids.Add(1))
}

func (p *Process) float() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.Float64()
}

func (p *Process) uint32() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.Uint32()
}

// aws is the process's configuration of the AWS SDK.
func (p *Process) aws() aws.Config {
	w := p.World
	return aws.Config{
		Region: w.Fix.AWS.Region, BaseEndpoint: aws.String(origin + "/aws"), Credentials: w.keys(),
		HTTPClient: &http.Client{Transport: p},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = steady{} })
		},
	}
}

// steady is the SDK's backoff without its jitter.
type steady struct{}

func (steady) BackoffDelay(attempt int, _ error) (time.Duration, error) {
	return time.Duration(1<<min(attempt, 4)) * 500 * time.Millisecond, nil
}

var errLost = errors.New("world: connection lost")

// RoundTrip makes a call of the process.
func (p *Process) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	if p.Dead() {
		return nil, errLost
	}
	fate := Pass
	call := p.call(req, body)
	if p.World.Gate != nil {
		fate = p.World.Gate(ctx, call)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if p.Dead() {
		return nil, errLost
	}
	switch fate {
	case Lost:
		return nil, errLost
	case Swallowed:
		_, _ = p.World.serve(req, body)
		return nil, errLost
	case Hang:
		return p.hang(ctx)
	case DoneHang:
		_, _ = p.World.serve(req, body)
		return p.hang(ctx)
	case KillBefore:
		p.Kill()
		return nil, errLost
	case KillAfter:
		_, _ = p.World.serve(req, body)
		p.Kill()
		return nil, errLost
	case TooFast:
		return tooFast(req), nil
	case Unavailable:
		return answer(req, http.StatusServiceUnavailable, "text/html", "<h1>503 Service Unavailable</h1>", nil), nil
	default:
		res, err := p.World.serve(req, body)
		if err == nil && p.World.Answered != nil {
			p.World.Answered(call, refused(call, res))
		}
		return res, err
	}
}

func (p *Process) call(req *http.Request, body []byte) Call {
	vendor, path, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	if op := req.Header.Get("X-Amz-Target"); op != "" {
		path = op
	} else if req.URL.RawQuery != "" && vendor != "tencent" { // whose query holds a random number
		path += "?" + req.URL.RawQuery
	}
	return Call{Process: p, Vendor: vendor, Method: req.Method, Path: path, Body: string(body)}
}

// refused reports whether a vendor says that it was called too often.
func refused(c Call, res *http.Response) bool {
	if c.Vendor != "tencent" {
		return res.StatusCode == http.StatusTooManyRequests
	}
	body, _ := io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte(`"ErrorCode":60007`))
}

func (p *Process) hang(ctx context.Context) (*http.Response, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.ctx.Done():
		return nil, errLost
	}
}

// tooFast is how each of the vendors says that it was called too often.
func tooFast(req *http.Request) *http.Response {
	switch {
	case strings.HasPrefix(req.URL.Path, "/tencent/"):
		return answer(req, http.StatusOK, "application/json",
			`{"ActionStatus":"FAIL","ErrorCode":60007,"ErrorInfo":"too many calls a second"}`, nil)
	case strings.HasPrefix(req.URL.Path, "/aws/") && req.Header.Get("X-Amz-Target") == "":
		return answer(req, http.StatusServiceUnavailable, "application/xml",
			`<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`, nil)
	case strings.HasPrefix(req.URL.Path, "/aws/"):
		return answer(req, http.StatusBadRequest, "application/x-amz-json-1.0",
			`{"__type":"com.amazonaws.sqs#ThrottlingException","message":"Rate exceeded"}`, nil)
	default:
		return answer(req, http.StatusTooManyRequests, "application/json", `{"error":"APIRateLimitExceeded"}`,
			http.Header{"Retry-After": {"37"}})
	}
}

func answer(req *http.Request, status int, contentType, body string, header http.Header) *http.Response {
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", contentType)
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return &http.Response{
		Status: strconv.Itoa(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

// direct makes the platform's own calls, which no gate stops.
type direct struct{ w *World }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	return d.w.serve(req, body)
}

func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	return io.ReadAll(req.Body)
}

// serve is the wire: the sandbox's handler gets the request as a server would.
func (w *World) serve(req *http.Request, body []byte) (res *http.Response, err error) {
	in := req.Clone(req.Context())
	in.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	in.RequestURI = req.URL.RequestURI()
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if in.Header.Get("Content-Length") == "" && len(body) > 0 {
		in.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	in.RemoteAddr = "127.0.0.1:1"
	defer func() {
		if p := recover(); p != nil {
			if aborted, _ := p.(error); !errors.Is(aborted, http.ErrAbortHandler) {
				panic(p)
			}
			res, err = nil, errLost
		}
	}()
	out := httptest.NewRecorder()
	w.Box.Handler().ServeHTTP(out, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	res = out.Result()
	res.Request = req
	return res, nil
}

// Counts is a meter that adds up.
type Counts struct {
	mu sync.Mutex
	n  map[string]int
}

// Count adds n to a metric.
func (c *Counts) Count(_ context.Context, metric string, n int, _ ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[metric] += n
}

// Time keeps nothing.
func (*Counts) Time(context.Context, string, time.Duration, ...string) {}

// Of returns a metric's sum.
func (c *Counts) Of(metric string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[metric]
}
