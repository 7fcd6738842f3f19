// Package pyjwt runs PyJWT beside a test, so that tokens are checked by a
// library that shares no code with the one that made them.
package pyjwt

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Process is a running jwtcheck.py.
type Process struct {
	in  *json.Encoder
	out *json.Decoder
}

// Answer is what jwtcheck.py says to one request.
type Answer struct {
	OK     bool           `json:"ok"`
	Error  string         `json:"error"` // the exception's class
	Token  string         `json:"token"`
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims"`
	PEM    string         `json:"pem"`
	JWK    map[string]any `json:"jwk"`
	Xsolla map[string]any `json:"xsolla"` // n and e in hexadecimal
}

// Start runs jwtcheck.py until the test ends. Without the virtual environment
// tests/python/.venv the test is skipped, or fails if CI is set or
// CASEROOM_REQUIRE_PYTHON is 1.
func Start(t testing.TB) *Process {
	t.Helper()
	dir := filepath.Join(moduleRoot(t), "tests", "python")
	python := filepath.Join(dir, ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		if os.Getenv("CI") != "" || os.Getenv("CASEROOM_REQUIRE_PYTHON") == "1" {
			t.Fatalf("PyJWT is required and %s is missing", python)
		}
		t.Skip("no tests/python/.venv; make one with pip install -r tests/python/requirements.txt")
	}
	cmd := exec.Command(python, filepath.Join(dir, "jwtcheck.py"))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // the script ends with its input
		if err := cmd.Wait(); err != nil {
			t.Errorf("jwtcheck.py: %v", err)
		}
	})
	return &Process{in: json.NewEncoder(stdin), out: json.NewDecoder(bufio.NewReader(stdout))}
}

// Ask sends one request and returns the answer, whatever it is.
func (p *Process) Ask(t testing.TB, request map[string]any) Answer {
	t.Helper()
	if err := p.in.Encode(request); err != nil {
		t.Fatal(err)
	}
	var a Answer
	if err := p.out.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// Must is Ask for a request that has to succeed.
func (p *Process) Must(t testing.TB, request map[string]any) Answer {
	t.Helper()
	a := p.Ask(t, request)
	if !a.OK {
		t.Fatalf("jwtcheck.py %s: %s", request["op"], a.Error)
	}
	return a
}

// moduleRoot returns the folder of go.mod: a package's tests run somewhere
// below it. Source paths would not do, since -trimpath removes them.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			t.Fatal("no go.mod above the working folder")
		}
		dir = above
	}
}
