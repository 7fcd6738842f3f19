// Package localruntest starts "caseroom run" for tests: the real functions on the
// sandbox.
package localruntest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun"
)

// Template is the path of the project's template.
func Template(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		path := filepath.Join(dir, "template.yaml")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no template.yaml in this folder or above it")
		}
		dir = parent
	}
}

// Output is what the local run printed so far.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// built is set once this process has built the functions as they are now; who
// starts meanwhile waits for that.
var (
	building sync.Mutex
	built    bool
)

// Start starts the stack with the real functions and waits until it is ready.
// stop ends it as Ctrl-C does and returns what [localrun.Run] returned.
func Start(t testing.TB, change func(*localrun.Options)) (ready localrun.Ready, out *Output, stop func() error) {
	t.Helper()
	building.Lock()
	noBuild := built
	if noBuild {
		building.Unlock()
	} else {
		defer building.Unlock()
	}
	o := localrun.Options{
		Template:    Template(t),
		GatewayAddr: "127.0.0.1:0",
		SandboxAddr: "127.0.0.1:0",
		Seed:        1,
		Concurrency: 4,
		ReadyFile:   filepath.Join(t.TempDir(), "ready.json"),
		NoBuild:     noBuild,
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out = &Output{}
	done := make(chan error, 1)
	go func() { done <- localrun.Run(ctx, o, out) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(o.ReadyFile); err == nil {
			if err := json.Unmarshal(text, &ready); err != nil {
				t.Fatal(err)
			}
			if !noBuild {
				built = true
			}
			return ready, out, stop
		}
		select {
		case err := <-done:
			done <- err // for stop
			t.Fatalf("run ended: %v\n%s", err, out)
		case <-tick.C:
		}
	}
}

// Get reads JSON from an address.
func Get(t testing.TB, url string, into any) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}

// Files writes files into a new folder.
func Files(t testing.TB, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
