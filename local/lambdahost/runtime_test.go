package lambdahost_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
)

func invoke(tb testing.TB, h *lambdahost.Host, c command) ([]byte, error) {
	tb.Helper()
	event, err := json.Marshal(c)
	if err != nil {
		tb.Fatal(err)
	}
	return h.Invoke(context.Background(), "EchoFunction", event)
}

func mustState(tb testing.TB, h *lambdahost.Host) state {
	tb.Helper()
	out, err := invoke(tb, h, command{Do: "state"})
	if err != nil {
		tb.Fatal(err)
	}
	var s state
	if err := json.Unmarshal(out, &s); err != nil {
		tb.Fatal(err)
	}
	return s
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestInvokeFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		do, errorType string
		restarts      bool
	}{
		{"exit", "Runtime.ExitError", true},
		{"panic", "string", true}, // aws-lambda-go reports and exits
		{"error", "errorString", false},
		{"hang", "Sandbox.Timedout", true},
		{"large", "Function.ResponseSizeTooLarge", true}, // the 413 ends aws-lambda-go's loop
	} {
		t.Run(c.do, func(t *testing.T) {
			t.Parallel()
			h := mustHost(t, one, func(o *lambdahost.Options) {
				if c.do == "hang" {
					o.Timeouts = map[string]time.Duration{"EchoFunction": 50 * time.Millisecond}
				}
			})
			if c.do != "hang" { // an answer would not always be in time
				if err := h.Warm(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			_, err := invoke(t, h, command{Do: c.do})
			var failed *lambdahost.FunctionError
			if !errors.As(err, &failed) || failed.Type != c.errorType {
				t.Fatalf("got error %v, want type %s", err, c.errorType)
			}
			if c.do == "hang" {
				return
			}
			if s := mustState(t, h); (s.Invocations == 1) != c.restarts {
				t.Errorf("the next invocation is number %d of its process", s.Invocations)
			}
		})
	}
}

func TestKilledProcessIsReplaced(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, func(o *lambdahost.Options) { o.Concurrency = 1 })
	before := mustState(t, h)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// An invocation that is already on its way to the process is lost with it.
	_, _ = invoke(t, h, command{Do: "state"})
	after := mustState(t, h)
	if after.PID == before.PID || !gone(before.PID) {
		t.Errorf("process %d still serves", before.PID)
	}
}

func TestProcessEnvironment(t *testing.T) {
	t.Setenv("DEVELOPERS_OWN", "secret")
	h := mustHost(t, one, func(o *lambdahost.Options) {
		o.Env = map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1/aws", "AWS_ACCESS_KEY_ID": "AKIALOCAL"}
	})
	environ := mustState(t, h).Environ
	for _, want := range []string{
		"TEST_FUNCTION=plain", "AWS_LAMBDA_FUNCTION_NAME=EchoFunction", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIALOCAL", "AWS_ENDPOINT_URL=http://127.0.0.1:1/aws",
		"_HANDLER=bootstrap", "AWS_LAMBDA_LOG_FORMAT=Text",
	} {
		if !slices.Contains(environ, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if name == "HOME" || name == "DEVELOPERS_OWN" || name == "GOPATH" {
			t.Errorf("%s comes from the developer's environment", name)
		}
	}
}

func TestOverridesOnlyWhatTheTemplateHas(t *testing.T) {
	t.Parallel()
	_, err := lambdahost.New(lambdahost.Options{
		Template: mustParse(t, one), Bin: func(string) string { return os.Args[0] },
		Env: map[string]string{"TSET_FUNCTION": "plain"},
	})
	if err == nil || !strings.Contains(err.Error(), "TSET_FUNCTION") {
		t.Errorf("got %v, want an error that names the variable", err)
	}
}

// TestConcurrency holds three invocations until all have arrived: they can only
// end if three processes run at once.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	const n = 3
	h := mustHost(t, one, func(o *lambdahost.Options) { o.Concurrency = n })
	var arrived sync.WaitGroup
	arrived.Add(n)
	meeting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		arrived.Wait()
		_, _ = w.Write([]byte(`"met"`))
	}))
	defer meeting.Close()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if out, err := invoke(t, h, command{Do: "meet", URL: meeting.URL}); err != nil || string(out) != `"met"` {
				t.Errorf("got %s, %v", out, err)
			}
		})
	}
	wg.Wait()
	// Further invocations find the processes warm.
	if s := mustState(t, h); s.Invocations != 2 {
		t.Errorf("a process was started though %d were warm", n)
	}
}

func TestConcurrencyLimitQueues(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, func(o *lambdahost.Options) { o.Concurrency = 1 })
	pids := make([]int, 8)
	var wg sync.WaitGroup
	for i := range pids {
		wg.Go(func() { pids[i] = mustState(t, h).PID })
	}
	wg.Wait()
	if len(slices.Compact(slices.Sorted(slices.Values(pids)))) != 1 {
		t.Errorf("more than one process ran: %v", pids)
	}
}

func TestWarmFindsBrokenFunction(t *testing.T) {
	t.Parallel()
	h := mustHost(t, strings.ReplaceAll(one, "TEST_FUNCTION: plain", "TEST_FUNCTION: broken"), nil)
	err := h.Warm(context.Background())
	if err == nil || !strings.Contains(err.Error(), "echo") || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("got %v", err)
	}
	missing := mustHost(t, one, func(o *lambdahost.Options) {
		o.Bin = func(string) string { return filepath.Join(t.TempDir(), "bootstrap") }
	})
	if err := missing.Warm(context.Background()); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("missing binary: got %v", err)
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"plain", "stubborn"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := mustHost(t, strings.ReplaceAll(one, "TEST_FUNCTION: plain", "TEST_FUNCTION: "+kind), nil)
			pid := mustState(t, h).PID
			h.Close()
			if !gone(pid) {
				t.Errorf("process %d is left", pid)
			}
			if _, err := invoke(t, h, command{Do: "state"}); err == nil {
				t.Error("invoked after Close")
			}
		})
	}
}

// TestRunCancelledDuringStart cancels while processes are being started.
func TestRunCancelledDuringStart(t *testing.T) {
	t.Parallel()
	log := &lines{}
	h := mustHost(t, one, func(o *lambdahost.Options) { o.Log = log; o.Concurrency = 4 })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _, _ = invoke(t, h, command{Do: "hang"}) })
	}
	wg.Go(func() { cancel() })
	if err := h.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	wg.Wait()
	if _, err := invoke(t, h, command{Do: "state"}); err == nil {
		t.Error("invoked after Run")
	}
}

func TestInvokeUnknownAndTooLarge(t *testing.T) {
	t.Parallel()
	h := mustHost(t, one, nil)
	if _, err := h.Invoke(context.Background(), "Nobody", []byte("{}")); err == nil {
		t.Error("an unknown function was invoked")
	}
	_, err := h.Invoke(context.Background(), "EchoFunction", make([]byte, 6<<20+1))
	var failed *lambdahost.FunctionError
	if !errors.As(err, &failed) || failed.Type != "RequestTooLargeException" {
		t.Errorf("got %v", err)
	}
}
