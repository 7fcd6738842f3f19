package lambdahost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Lambda's limits. See https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	maxPayload  = 6 << 20 // synchronous invocation, each way
	initTimeout = 10 * time.Second
	grace       = 500 * time.Millisecond // between SIGTERM and SIGKILL
)

// FunctionError is a failed invocation: the function's own error, or Lambda's
// about a function that crashed or took too long.
type FunctionError struct {
	Type    string // errorType: the function's, or Runtime.ExitError, Sandbox.Timedout, …
	Message string
}

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// What Lambda calls the ends that a function does not report itself.
const (
	typeExit     = "Runtime.ExitError"
	typeTimeout  = "Sandbox.Timedout"
	typeTooLarge = "Function.ResponseSizeTooLarge"
)

// errGone means that a warm process had ended before it took the invocation, so
// another one may take it.
var errGone = errors.New("lambdahost: the process had ended")

// invocation is one event on its way through a process.
type invocation struct {
	id      string
	trace   string
	payload []byte
	done    chan result // holds one
}

type result struct {
	payload []byte
	err     error
}

// environment is one execution environment: a process and the Runtime API it
// alone talks to.
type environment struct {
	fn     Function
	arn    string
	slack  time.Duration // added to its time-outs before it is cut
	cmd    *exec.Cmd
	server *http.Server
	work   chan *invocation
	asked  chan struct{} // closed by the first next: init is over
	exited chan struct{} // closed after the process is gone

	mu      sync.Mutex
	current *invocation
	initErr *FunctionError
	first   sync.Once
}

// start runs the function's binary with its own Runtime API on a loopback port.
func start(fn Function, arn, binary string, env []string, slack time.Duration, log *prefixed) (*environment, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lambdahost: Runtime API: %w", err)
	}
	e := &environment{
		fn: fn, arn: arn, slack: slack, work: make(chan *invocation),
		asked: make(chan struct{}), exited: make(chan struct{}),
	}
	e.server = &http.Server{Handler: e.routes(), ReadHeaderTimeout: initTimeout}
	e.cmd = exec.Command(binary)
	e.cmd.Dir = filepath.Dir(binary)
	e.cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+ln.Addr().String())
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.cmd.WaitDelay = grace
	e.cmd.SysProcAttr = ownGroup()
	if err := e.cmd.Start(); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("lambdahost: %s does not start: %w", fn.Label(), err)
	}
	go func() { _ = e.server.Serve(ln) }()
	go func() {
		_ = e.cmd.Wait()
		log.flush()
		_ = e.server.Close()
		close(e.exited)
	}()
	return e, nil
}

// stop ends the process: SIGTERM, then SIGKILL. It returns when it is gone.
func (e *environment) stop() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.exited:
	case <-time.After(grace):
		e.kill()
	}
}

func (e *environment) kill() {
	_ = e.cmd.Process.Kill()
	<-e.exited
}

func (e *environment) alive() bool {
	select {
	case <-e.exited:
		return false
	default:
		return true
	}
}

// warm reports whether the process has finished its init.
func (e *environment) warm() bool {
	select {
	case <-e.asked:
		return true
	default:
		return false
	}
}

// invoke hands the process one event and waits for what becomes of it. After
// any error but the function's own report, the process is gone.
func (e *environment) invoke(ctx context.Context, inv *invocation) ([]byte, error) {
	warm := e.warm()
	if err := e.hand(ctx, inv, warm); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(e.fn.Timeout + e.slack)
	defer timeout.Stop()
	select {
	case r := <-inv.done:
		return r.payload, r.err
	case <-e.exited:
		select {
		case r := <-inv.done: // it answered and died
			return r.payload, r.err
		default:
		}
		return nil, e.exitError()
	case <-timeout.C:
		e.kill()
		return nil, &FunctionError{typeTimeout, fmt.Sprintf("Task timed out after %.2f seconds", e.fn.Timeout.Seconds())}
	case <-ctx.Done():
		e.stop()
		return nil, ctx.Err()
	}
}

// hand waits until the process asks for work and gives it inv.
func (e *environment) hand(ctx context.Context, inv *invocation, warm bool) error {
	init := time.NewTimer(initTimeout + e.slack)
	defer init.Stop()
	select {
	case e.work <- inv:
		return nil
	case <-e.exited:
		if warm {
			return errGone
		}
		return e.exitError()
	case <-init.C:
		e.kill()
		return &FunctionError{typeTimeout, "init took longer than " + initTimeout.String()}
	case <-ctx.Done():
		e.stop()
		return ctx.Err()
	}
}

// ready waits until the process first asks for work.
func (e *environment) ready(ctx context.Context) error {
	init := time.NewTimer(initTimeout + e.slack)
	defer init.Stop()
	select {
	case <-e.asked:
		return nil
	case <-e.exited:
		return e.exitError()
	case <-init.C:
		return &FunctionError{typeTimeout, "init took longer than " + initTimeout.String()}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *environment) exitError() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.initErr != nil {
		return e.initErr
	}
	return &FunctionError{typeExit, "the process ended: " + e.cmd.ProcessState.String()}
}

// routes is the Runtime API, and as much of the Extensions API as
// lambda.WithEnableSIGTERM asks for.
func (e *environment) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", e.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", e.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", e.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", e.initFailure)
	mux.HandleFunc("POST /2020-01-01/extension/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Lambda-Extension-Identifier", "local")
		writeJSON(w, http.StatusOK, map[string]string{"functionName": e.fn.Name, "functionVersion": "$LATEST", "handler": e.fn.Handler})
	})
	mux.HandleFunc("GET /2020-01-01/extension/event/next", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // no events are sent
	})
	return mux
}

func (e *environment) next(w http.ResponseWriter, r *http.Request) {
	e.first.Do(func() { close(e.asked) })
	select {
	case inv := <-e.work:
		e.mu.Lock()
		e.current = inv
		e.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(e.fn.Timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", e.arn)
		h.Set("Lambda-Runtime-Trace-Id", inv.trace)
		_, _ = w.Write(inv.payload)
	case <-r.Context().Done():
	}
}

// finish ends the current invocation; false if id is not it.
func (e *environment) finish(id string, r result) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.current == nil || e.current.id != id {
		return false
	}
	e.current.done <- r
	e.current = nil
	return true
}

func (e *environment) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	if err != nil {
		return // the process went away in the middle of it
	}
	res, status := result{payload: body}, http.StatusAccepted
	if len(body) > maxPayload {
		res, status = result{err: &FunctionError{typeTooLarge, "the response is larger than 6 MB"}}, http.StatusRequestEntityTooLarge
	}
	e.answer(w, r, res, status)
}

func (e *environment) failure(w http.ResponseWriter, r *http.Request) {
	e.answer(w, r, result{err: reported(r)}, http.StatusAccepted)
}

func (e *environment) answer(w http.ResponseWriter, r *http.Request, res result, status int) {
	if !e.finish(r.PathValue("id"), res) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"})
		return
	}
	writeJSON(w, status, map[string]string{"status": http.StatusText(status)})
}

func (e *environment) initFailure(w http.ResponseWriter, r *http.Request) {
	err := reported(r)
	e.mu.Lock()
	e.initErr = err
	e.mu.Unlock()
	writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

// reported reads the error that a runtime posts.
func reported(r *http.Request) *FunctionError {
	var body struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxPayload))
	if err != nil || json.Unmarshal(text, &body) != nil {
		body.Message = "the error report is unreadable"
	}
	if body.Type == "" {
		body.Type = "Unhandled"
	}
	return &FunctionError{body.Type, body.Message}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}
