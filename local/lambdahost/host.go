package lambdahost

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Options configure a [Host]. Template and Bin are required.
type Options struct {
	Template   *Template
	StackName  string
	Region     string
	AccountID  string
	Parameters map[string]string
	// Env replaces values that a function's environment would have from the
	// template; a variable that the template does not give a function stays
	// unset. Names that begin with AWS_ are the platform's: every function gets
	// them, such as AWS_ENDPOINT_URL and other credentials.
	Env map[string]string
	// Bin returns the path of the executable built from a function's CodeUri.
	Bin func(codeURI string) string
	// QueueURL gives a queue's URL by its name; under AWS_ENDPOINT_URL if nil.
	QueueURL func(name string) string
	// Concurrency is how many processes a function may have; 10 if zero.
	Concurrency int
	// Timeouts replace functions' own, by logical id.
	Timeouts map[string]time.Duration
	// Slack is how much later than due a function or request is cut. A function
	// is told its own deadline all the same. A test that checks that functions
	// keep theirs sets it, so that a slow machine does not decide.
	Slack time.Duration
	// MappingKey is that of a custom domain: paths begin with it, events keep it in
	// rawPath, and routes do not have it. None if empty.
	MappingKey string
	// Log takes the functions' output and a line per request; discarded if nil.
	Log io.Writer
	// Now is the clock of throttles, schedules and event times; time.Now if nil.
	Now func() time.Time
	// Random is the source of request ids; crypto/rand if nil.
	Random io.Reader
}

// Host runs a stack. Make one with [New], and end it with [Host.Close] or by
// cancelling [Host.Run].
type Host struct {
	mapping  string
	stack    *Stack
	pools    map[string]*pool // by logical id
	log      *lineLog
	now      func() time.Time
	random   io.Reader
	slack    time.Duration
	endpoint string // AWS_ENDPOINT_URL
	keys     [3]string

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // guards closed and running.Add
	closed bool
	// running counts invocations and background work.
	running sync.WaitGroup
}

// New resolves the template and makes a host. No process starts before the
// first invocation, [Host.Warm] or [Host.Run].
func New(o Options) (*Host, error) {
	if o.Template == nil || o.Bin == nil {
		return nil, errors.New("lambdahost: Template and Bin are required")
	}
	if o.Concurrency == 0 {
		o.Concurrency = 10
	}
	if o.Concurrency < 0 || o.Slack < 0 {
		return nil, errors.New("lambdahost: Concurrency and Slack must not be negative")
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.AccountID == "" {
		o.AccountID = "000000000000"
	}
	endpoint := strings.TrimSuffix(o.Env["AWS_ENDPOINT_URL"], "/")
	if o.QueueURL == nil && endpoint != "" {
		o.QueueURL = func(name string) string { return endpoint + "/" + o.AccountID + "/" + name }
	}
	stack, err := o.Template.Resolve(ResolveOptions{
		StackName: o.StackName, Region: o.Region, AccountID: o.AccountID, Parameters: o.Parameters, QueueURL: o.QueueURL,
	})
	if err != nil {
		return nil, err
	}
	for id, timeout := range o.Timeouts {
		i := slices.IndexFunc(stack.Functions, func(f Function) bool { return f.LogicalID == id })
		if i < 0 || timeout <= 0 {
			return nil, fmt.Errorf("lambdahost: Timeouts: no function %s, or no time for it", id)
		}
		stack.Functions[i].Timeout = timeout
	}
	h := &Host{
		mapping: o.MappingKey, stack: stack, pools: map[string]*pool{}, log: &lineLog{w: o.Log}, slack: o.Slack,
		now: o.Now, random: &lockedReader{r: o.Random}, endpoint: endpoint,
	}
	if err := checkOverrides(stack, o.Env); err != nil {
		return nil, err
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	for _, f := range stack.Functions {
		env := environmentOf(stack, f, o.Env)
		for i, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
			h.keys[i] = env[name]
		}
		var list []string
		for _, name := range slices.Sorted(maps.Keys(env)) {
			list = append(list, name+"="+env[name])
		}
		h.pools[f.LogicalID] = &pool{
			fn: f, arn: stack.ARN(f), binary: o.Bin(f.CodeURI), env: list,
			log: h.log, slack: o.Slack,
			slots: make(chan struct{}, o.Concurrency), live: map[*environment]bool{},
		}
	}
	return h, nil
}

// checkOverrides refuses a variable that no function of the stack has: it is
// misspelt, or missing in the template.
func checkOverrides(s *Stack, overrides map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if strings.HasPrefix(name, "AWS_") {
			continue
		}
		if !slices.ContainsFunc(s.Functions, func(f Function) bool { _, ok := f.Env[name]; return ok }) {
			return fmt.Errorf("lambdahost: no function of the template has the variable %s", name)
		}
	}
	return nil
}

// environmentOf is a function's whole environment: what Lambda sets, what the
// template says, and the overrides. Nothing comes from this process's own.
// See https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html.
func environmentOf(s *Stack, f Function, overrides map[string]string) map[string]string {
	env := map[string]string{
		"AWS_REGION":                      s.Region,
		"AWS_DEFAULT_REGION":              s.Region,
		"AWS_ACCESS_KEY_ID":               "local",
		"AWS_SECRET_ACCESS_KEY":           "local",
		"AWS_SESSION_TOKEN":               "local",
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + f.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "local",
		"AWS_LAMBDA_LOG_FORMAT":           f.LogFormat,
		"_HANDLER":                        f.Handler,
		"LAMBDA_TASK_ROOT":                "/var/task",
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"PATH":                            "/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"LANG":                            "en_US.UTF-8",
		"TZ":                              ":UTC",
	}
	if f.LogLevel != "" {
		env["AWS_LAMBDA_LOG_LEVEL"] = f.LogLevel
	}
	maps.Copy(env, f.Env)
	for name, value := range overrides {
		if _, has := f.Env[name]; has || strings.HasPrefix(name, "AWS_") {
			env[name] = value
		}
	}
	return env
}

// Stack returns what the host runs.
func (h *Host) Stack() *Stack { return h.stack }

// Warm starts a process of every function and waits until each has finished
// its init, so that one that cannot start is found before it is called.
func (h *Host) Warm(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(h.stack.Functions))
	for i, f := range h.stack.Functions {
		wg.Go(func() { errs[i] = h.pools[f.LogicalID].warm(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Run serves queues and schedules until ctx is done, then stops every process.
// It returns nil when ctx ended it.
func (h *Host) Run(ctx context.Context) error {
	defer h.Close()
	stop := context.AfterFunc(ctx, h.cancel)
	defer stop()
	if err := h.background(); err != nil {
		return err
	}
	<-h.ctx.Done()
	return nil
}

// Close stops every process. No process of the host is left when it returns.
func (h *Host) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	var wg sync.WaitGroup
	for _, p := range h.pools {
		wg.Go(p.close)
	}
	wg.Wait()
	h.running.Wait()
}

// spawn runs work that Close waits for; false after Close.
func (h *Host) spawn(work func(ctx context.Context)) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running.Go(func() { work(h.ctx) })
	return true
}

// Invoke runs a function, named by logical id or function name, with an event
// and returns its response. A failed invocation is a [*FunctionError]. As on
// Lambda, an invocation goes on when ctx ends.
func (h *Host) Invoke(ctx context.Context, function string, payload []byte) ([]byte, error) {
	f, ok := h.stack.Function(function)
	if !ok {
		return nil, fmt.Errorf("lambdahost: no function %s", function)
	}
	if len(payload) > maxPayload {
		return nil, &FunctionError{"RequestTooLargeException", "the event is larger than 6 MB"}
	}
	inv := &invocation{id: h.newUUID(), trace: h.newTraceID(), payload: payload, done: make(chan result, 1)}
	out := make(chan result, 1)
	if !h.spawn(func(ctx context.Context) {
		response, err := h.pools[f.LogicalID].invoke(ctx, inv)
		out <- result{response, err}
	}) {
		return nil, errClosed
	}
	select {
	case r := <-out:
		return r.payload, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *Host) newUUID() string {
	id, err := uuid.NewRandomFromReader(h.random)
	if err != nil {
		id = uuid.New()
	}
	return id.String()
}

// newTraceID makes an X-Amzn-Trace-Id that says not to sample.
func (h *Host) newTraceID() string {
	b := make([]byte, 12)
	_, _ = io.ReadFull(h.random, b)
	return fmt.Sprintf("Root=1-%08x-%s", h.now().Unix(), hex.EncodeToString(b))
}

// lockedReader lets requests share one source of randomness.
type lockedReader struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *lockedReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

// lineLog writes whole lines, one at a time.
type lineLog struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineLog) line(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, s+"\n")
}

func (l *lineLog) printf(format string, args ...any) { l.line(fmt.Sprintf(format, args...)) }

// prefixed passes a process's output on line by line.
type prefixed struct {
	log    *lineLog
	prefix string
	mu     sync.Mutex
	rest   []byte
}

const maxLine = 1 << 20

func (p *prefixed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rest = append(p.rest, b...)
	for {
		i := bytes.IndexByte(p.rest, '\n')
		if i < 0 && len(p.rest) < maxLine {
			return len(b), nil
		}
		if i < 0 {
			i = len(p.rest) - 1
		}
		p.log.line(p.prefix + strings.TrimRight(string(p.rest[:i+1]), "\r\n"))
		p.rest = p.rest[i+1:]
	}
}

// flush writes what the process left without an end of line.
func (p *prefixed) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rest) > 0 {
		p.log.line(p.prefix + string(p.rest))
		p.rest = nil
	}
}
