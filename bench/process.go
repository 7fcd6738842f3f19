package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// runtimeAPI is the part of Lambda that a bootstrap talks to, for one process
// and one event at a time.
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
type runtimeAPI struct {
	server *http.Server
	addr   string
	first  chan time.Time // of the first next
	asked  atomic.Bool
	work   chan *invocation
	now    atomic.Pointer[invocation]
	count  atomic.Uint64
	failed chan error // the process gave up
}

type invocation struct {
	payload []byte
	began   time.Time
	done    chan result
}

type result struct {
	payload []byte
	took    time.Duration // from handing out the event to having the answer
	err     error
}

// startTimeout is longer than any process takes to start.
const startTimeout = 2 * time.Minute

// invokeTimeout is longer than any function's deadline.
const invokeTimeout = 30 * time.Second

func newRuntimeAPI() (*runtimeAPI, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &runtimeAPI{
		addr: ln.Addr().String(), first: make(chan time.Time, 1),
		work: make(chan *invocation), failed: make(chan error, 1),
	}
	mux := http.NewServeMux()
	const base = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+base+"invocation/next", a.next)
	mux.HandleFunc("POST "+base+"invocation/{id}/response", a.response)
	mux.HandleFunc("POST "+base+"invocation/{id}/error", a.failure)
	mux.HandleFunc("POST "+base+"init/error", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		a.fail(fmt.Errorf("init failed: %s", text))
		w.WriteHeader(http.StatusAccepted)
	})
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: invokeTimeout}
	go func() { _ = a.server.Serve(ln) }()
	return a, nil
}

func (a *runtimeAPI) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	if !a.asked.Swap(true) {
		a.first <- time.Now()
	}
	var inv *invocation
	select {
	case inv = <-a.work:
	case <-r.Context().Done():
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", "bench-"+strconv.FormatUint(a.count.Add(1), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:000000000000:function:bench")
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
	a.now.Store(inv)
	inv.began = time.Now()
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.began.Add(invokeTimeout).UnixMilli(), 10))
	_, _ = w.Write(inv.payload)
}

func (a *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	took := time.Since(a.now.Load().began)
	w.WriteHeader(http.StatusAccepted)
	a.now.Load().done <- result{payload: body, took: took, err: err}
}

func (a *runtimeAPI) failure(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	a.now.Load().done <- result{err: fmt.Errorf("function error: %s", text)}
}

// lambda is a bootstrap behind its own Runtime API.
type lambda struct {
	api    *runtimeAPI
	cmd    *exec.Cmd
	output tail
	init   time.Duration // from exec to the first next
}

// startLambda runs a bootstrap and waits until it asks for its first event.
func startLambda(ctx context.Context, binary string, env []string) (*lambda, error) {
	api, err := newRuntimeAPI()
	if err != nil {
		return nil, err
	}
	l := &lambda{api: api}
	l.cmd = exec.Command(binary)
	l.cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+api.addr)
	// Lambda reads what a function writes through a pipe too.
	l.cmd.Stdout, l.cmd.Stderr = &l.output, &l.output
	began := time.Now()
	if err := l.cmd.Start(); err != nil {
		_ = api.server.Close()
		return nil, err
	}
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case at := <-api.first:
		l.init = at.Sub(began)
		return l, nil
	case err = <-api.failed:
	case <-timeout.C:
		err = errors.New("no next within " + startTimeout.String())
	case <-ctx.Done():
		err = ctx.Err()
	}
	l.stop()
	return nil, fmt.Errorf("%s does not start: %w\n%s", binary, err, l.output.String())
}

func (l *lambda) stop() {
	_ = l.cmd.Process.Kill()
	_ = l.cmd.Wait()
	_ = l.api.server.Close()
}

func (l *lambda) pid() int { return l.cmd.Process.Pid }

// send hands the process an event of an HTTP API and returns the body of its
// answer, which must have status 200.
func (l *lambda) send(ctx context.Context, r httpRequest) ([]byte, time.Duration, error) {
	inv := &invocation{payload: r.event(), done: make(chan result, 1)}
	timeout := time.NewTimer(invokeTimeout)
	defer timeout.Stop()
	var res result
	select {
	case l.api.work <- inv:
		select {
		case res = <-inv.done:
		case <-timeout.C:
			res.err = errors.New("no answer")
		case <-ctx.Done():
			res.err = ctx.Err()
		}
	case <-timeout.C:
		res.err = errors.New("does not ask for an event")
	case <-ctx.Done():
		res.err = ctx.Err()
	}
	var answer struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if res.err == nil {
		res.err = json.Unmarshal(res.payload, &answer)
	}
	if res.err == nil && answer.StatusCode != http.StatusOK {
		res.err = fmt.Errorf("status %d: %s", answer.StatusCode, answer.Body)
	}
	if res.err != nil {
		return nil, 0, fmt.Errorf("%s %s: %w\n%s", r.method, r.path, res.err, l.output.String())
	}
	return []byte(answer.Body), res.took, nil
}

// child is a helper process that says one line when it is ready and ends with
// its standard input or by a signal.
type child struct {
	cmd    *exec.Cmd
	line   string
	output tail
}

func startChild(ctx context.Context, env []string, name string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(name, args...)}
	c.cmd.Env = env
	c.cmd.Stderr = &c.output
	if _, err := c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	lines := make(chan string, 1)
	go func() {
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		lines <- line
		_, _ = io.Copy(io.Discard, r)
	}()
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case c.line = <-lines:
	case <-timeout.C:
	case <-ctx.Done():
	}
	if c.line == "" {
		c.stop()
		return nil, fmt.Errorf("%s does not start\n%s", name, c.output.String())
	}
	return c, nil
}

func (c *child) stop() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// ticksPerSecond is the unit of /proc's times: USER_HZ, which is 100 on every
// architecture that Go and Lambda run on.
const ticksPerSecond = 100

// cpu returns the time that all threads of a process have run so far, in user
// and kernel mode. See proc_pid_stat(5).
func cpu(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold spaces; utime and stime are the 14th
	// and 15th field.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("/proc/pid/stat is too short")
	}
	var ticks uint64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// peakMemory returns the most that a process has had resident, in bytes.
func peakMemory(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("/proc/pid/status has no VmHWM")
}

// tail keeps the last of what a process wrote, to show when it fails.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > 2*tailSize {
		t.text = slices.Delete(t.text, 0, len(t.text)-tailSize)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
