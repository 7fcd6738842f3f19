// Package foreign runs caseroom against software that nobody of this project
// wrote: the functions against other people's AWS, other people's clients
// against the sandbox, other people's checkers on the template and the API.
//
// It runs when CASEROOM_FOREIGN is 1, which needs what make foreign-tools
// installs. Everything listens on loopback.
package foreign

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
)

const root = "../.."

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("CASEROOM_FOREIGN") != "1" {
		fmt.Println("foreign: skipped, for it needs other people's software: make test-foreign")
		return
	}
	os.Exit(m.Run())
}

// loadTemplate reads template.yaml as the local run does.
func loadTemplate(t *testing.T) *lambdahost.Template {
	t.Helper()
	template, err := lambdahost.LoadTemplate(filepath.Join(root, "template.yaml"))
	must(t, err)
	return template
}

// functions builds the functions and returns their folder. It is kept, so that
// the next run links only what changed.
func functions(t *testing.T) string {
	t.Helper()
	binaries, err := filepath.Abs(filepath.Join(root, "bin", "foreign"))
	must(t, err)
	build := exec.Command("go", "build", "-tags=lambda.norpc", "-ldflags=-s -w", "-o", binaries+string(filepath.Separator), "./functions/...")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	output(t, build)
	return binaries
}

// python is a program of the virtual environment.
func python(name string) string { return filepath.Join(".venv", "bin", name) }

// output runs a program to its end and returns what it printed. A program that
// fails fails the test, with all that it said.
func output(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", filepath.Base(cmd.Path), err, tail(stdout.String()), tail(stderr.String()))
	}
	return stdout.Bytes()
}

// tail is the end of a long text.
func tail(s string) string {
	const most = 8000
	return s[max(0, len(s)-most):]
}

// serverProcess starts a program that prints one line of JSON once it is ready,
// reads that line into ready, and ends the program's input with the test.
func serverProcess(t *testing.T, cmd *exec.Cmd, ready any) {
	t.Helper()
	var stderr journal
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		hanging := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer hanging.Stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), tail(stderr.String()))
		}
	})
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s ended before it was ready: %s", filepath.Base(cmd.Path), tail(stderr.String()))
	}
	must(t, json.Unmarshal(line, ready))
	go func() { _, _ = io.Copy(io.Discard, lines) }()
}

// serve runs a handler on loopback for the length of the test.
func serve(t *testing.T, ln net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
}

func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return ln, "http://" + ln.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition; what says what was waited for.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
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

// arguments are a map as Name=value, in order.
func arguments(values map[string]string) []string {
	var list []string
	for name, value := range values {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
