package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
)

const templateFile = "../../template.yaml"

// output is what run printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// mustRun starts the stack with the real functions and waits until it is ready.
// stop ends it as Ctrl-C does and returns what run returned.
func mustRun(t *testing.T, change func(*runOptions)) (ready readiness, out *output, stop func() error) {
	t.Helper()
	o := runOptions{
		template: templateFile, gatewayAddr: "127.0.0.1:0", sandboxAddr: "127.0.0.1:0", seed: 1, concurrency: 4,
		readyFile: filepath.Join(t.TempDir(), "ready.json"),
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out = &output{}
	done := make(chan error, 1)
	go func() { done <- run(ctx, o, out) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(o.readyFile); err == nil {
			if err := json.Unmarshal(text, &ready); err != nil {
				t.Fatal(err)
			}
			everBuilt.Store(true)
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

func get(t *testing.T, url string, into any) {
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

// TestRun runs every printed line in a shell, twice: a reader may.
func TestRun(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	ready, out, stop := mustRun(t, nil)

	var calls []sandbox.Call
	get(t, ready.Sandbox+"/calls", &calls)
	if len(calls) != 0 {
		t.Errorf("the call log begins with %d calls of the seeding", len(calls))
	}
	for range 2 {
		for _, e := range ready.Requests {
			if !strings.Contains(out.String(), e.Curl+"\n") {
				t.Errorf("%s is not printed", e.Title)
			}
			answer, err := exec.Command("sh", "-c", e.Curl).Output()
			if err != nil {
				t.Errorf("%s: %v: %s", e.Title, err, answer)
			}
		}
	}
	template, err := lambdahost.LoadTemplate(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := template.Resolve(lambdahost.ResolveOptions{Parameters: map[string]string{
		"ZendeskBaseUrl": "https://example.zendesk.com", "CronofyBaseUrl": "https://api.cronofy.com",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range stack.Functions {
		if len(f.Routes) == 0 {
			continue
		}
		if !regexp.MustCompile(`(?m)^(GET|POST) \S+ 200 \d+ ms ` + f.Label() + `$`).MatchString(out.String()) {
			t.Errorf("no line of %s was run", f.Label())
		}
	}
	// sync may tell of a room that was dissolved while it worked on it.
	if regexp.MustCompile(`(?m)^\w+ \| `).MatchString(strings.ReplaceAll(out.String(), "\nsync | ", "\n")) {
		t.Errorf("functions' own lines are printed:\n%s", out)
	}
	if err := stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if !strings.HasSuffix(out.String(), "stopped\n") {
		t.Error("run does not say that it stopped")
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(ready.Gateway, "http://")); err == nil {
		t.Error("the gateway still listens")
	}
}

func TestRunFaultsAndParameters(t *testing.T) {
	ready, _, _ := mustRun(t, func(o *runOptions) {
		o.faults = []string{"tencent:create_group:status=503"}
		o.parameters = []string{"AllowedOrigins=https://www.example.com"}
		o.noBuild = built(t)
	})
	res, err := http.Get(ready.Sandbox + "/faults")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); !strings.Contains(string(text), `"op":"create_group"`) {
		t.Errorf("armed: %s", text)
	}
	req, _ := http.NewRequest("OPTIONS", ready.Gateway+"/createticket", nil)
	req.Header.Set("Origin", "https://www.example.com")
	req.Header.Set("Access-Control-Request-Method", "POST")
	pre, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pre.Body.Close() }()
	if got := pre.Header.Get("Access-Control-Allow-Origin"); got != "https://www.example.com" {
		t.Errorf("preflight allows %q", got)
	}
}

// everBuilt is set once a test has built the functions as they are now.
var everBuilt atomic.Bool

// built reports whether an earlier test built the functions.
func built(t *testing.T) bool {
	t.Helper()
	return everBuilt.Load()
}

// TestDocker checks env.json against the template, and that the sandbox answers
// on an address that is not loopback.
func TestDocker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "env.json")
	ready, _, _ := mustRun(t, func(o *runOptions) {
		o.docker, o.envFile, o.sandboxAddr = true, path, "0.0.0.0:0"
		o.noBuild = built(t)
	})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]string
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	template, err := lambdahost.LoadTemplate(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := template.Resolve(lambdahost.ResolveOptions{Parameters: map[string]string{
		"ZendeskBaseUrl": "https://example.zendesk.com", "CronofyBaseUrl": "https://api.cronofy.com",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(file) != len(stack.Functions) {
		t.Errorf("%d functions, want %d", len(file), len(stack.Functions))
	}
	for id, env := range file {
		f, ok := stack.Function(id)
		if !ok {
			t.Errorf("no function %s", id)
		}
		for name, value := range env {
			if _, ok := f.Env[name]; !ok {
				t.Errorf("%s: the template has no %s", id, name)
			}
			if strings.Contains(value, ready.Sandbox) {
				t.Errorf("%s: %s is not reachable from a container: %s", id, name, value)
			}
		}
		if !strings.HasPrefix(env["AWS_ENDPOINT_URL"], "http://host.docker.internal:") {
			t.Errorf("%s: AWS_ENDPOINT_URL %q", id, env["AWS_ENDPOINT_URL"])
		}
	}
	for _, token := range []string{ready.Tokens.Login, ready.Tokens.ZendeskKey, ready.Tokens.SalesforceKey} {
		if bytes.Contains(text, []byte(token)) {
			t.Error("env.json holds a credential")
		}
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(ready.Sandbox, "http://"))
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.To4() != nil && !n.IP.IsLoopback()
	})
	if i < 0 {
		t.Skip("this machine has loopback only")
	}
	ip := addresses[i].(*net.IPNet).IP
	var state sandbox.State
	get(t, "http://"+net.JoinHostPort(ip.String(), port)+"/state", &state)
	if len(state.Zendesk.Tickets) == 0 {
		t.Error("the sandbox holds no first tickets")
	}
}

func TestBusyPort(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for flag, o := range map[string]runOptions{
		"--gateway-addr": {gatewayAddr: ln.Addr().String(), sandboxAddr: "127.0.0.1:0"},
		"--sandbox-addr": {gatewayAddr: "127.0.0.1:0", sandboxAddr: ln.Addr().String()},
	} {
		o.template = templateFile
		err := run(context.Background(), o, io.Discard)
		if err == nil || !strings.Contains(err.Error(), port) || !strings.Contains(err.Error(), flag) {
			t.Errorf("got %v, want the port and %s", err, flag)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	base := runOptions{template: templateFile, gatewayAddr: "127.0.0.1:0", sandboxAddr: "127.0.0.1:0"}
	for name, c := range map[string]struct {
		change func(*runOptions)
		want   string
	}{
		"no template":       {func(o *runOptions) { o.template = "none.yaml" }, "none.yaml"},
		"bad address":       {func(o *runOptions) { o.gatewayAddr = "nowhere" }, "--gateway-addr"},
		"bad fault":         {func(o *runOptions) { o.faults = []string{"zendesk"} }, "--faults zendesk"},
		"parameter form":    {func(o *runOptions) { o.parameters = []string{"Guests"} }, "want Name=value"},
		"unknown parameter": {func(o *runOptions) { o.parameters = []string{"Gests=on"} }, "no parameter Gests"},
		"parameter value":   {func(o *runOptions) { o.parameters = []string{"Guests=maybe"} }, "AllowedValues"},
		"rule":              {func(o *runOptions) { o.parameters = []string{"ZendeskBaseUrl=", "SalesforceBaseUrl="} }, "ZendeskBaseUrl"},
	} {
		o := base
		c.change(&o)
		if err := run(context.Background(), o, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestNoBuildWithoutBinaries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"template.yaml", "monitoring.yaml"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(templateFile), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := runOptions{template: filepath.Join(dir, "template.yaml"), gatewayAddr: "127.0.0.1:0", sandboxAddr: "127.0.0.1:0", noBuild: true}
	if err := run(context.Background(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "without --no-build") {
		t.Errorf("got %v", err)
	}
	o.noBuild = false
	if err := run(context.Background(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "building failed") {
		t.Errorf("no sources: got %v", err)
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(file, []byte(`[{"vendor":"zendesk","kind":"html"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]sandbox.Fault{
		"zendesk:tickets_create:timeout":    {Vendor: "zendesk", Op: "tickets_create", Kind: "timeout"},
		"zendesk:tickets_create:null:3":     {Vendor: "zendesk", Op: "tickets_create", Kind: "null", Times: 3},
		"::reset-before":                    {Kind: "reset-before"},
		"tencent::code=80001:1":             {Vendor: "tencent", Kind: "code", Code: "80001", Times: 1},
		"salesforce:case_create:status=429": {Vendor: "salesforce", Op: "case_create", Kind: "status", Status: 429},
		"zendesk::slow=1500ms":              {Vendor: "zendesk", Kind: "slow", Delay: 1500 * time.Millisecond},
		"@" + file:                          {Vendor: "zendesk", Kind: "html"},
	} {
		got, err := parseFaults([]string{text})
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "zendesk", "zendesk:x", "jira::null", "zendesk::explode", "zendesk::null:0", "zendesk::null:x", "zendesk::null:1:2",
		"zendesk::status=x", "zendesk::null=1", "zendesk::slow=x", "zendesk::slow", "zendesk::code", "@/none.json", "@run_test.go",
	} {
		if got, err := parseFaults([]string{text}); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("zendesk:tickets_create:status=429:2")
	f.Fuzz(func(t *testing.T, text string) {
		if fault, err := parseFault(text); err == nil && (fault.Times < 0 || strings.Count(text, ":") < 2) {
			t.Errorf("%q: %+v", text, fault)
		}
	})
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `it's "quoted" $HOME \n`, "a\nb", "''"} {
		got, err := exec.Command("sh", "-c", "printf %s "+quote(s)).Output()
		if err != nil || string(got) != s {
			t.Errorf("%q became %q, %v", s, got, err)
		}
	}
}

func TestQuietLog(t *testing.T) {
	t.Parallel()
	for line, shown := range map[string]bool{
		`createticket | {"level":"INFO","message":"request"}`: false,
		`createticket | {"level":"WARN","message":"m"}`:       true,
		`createticket | {"level":"ERROR","message":"m"}`:      true,
		`createticket | panic: x`:                             true,
		`POST /createticket 200 1 ms createticket`:            true,
	} {
		var out bytes.Buffer
		q := &quietLog{out: &out}
		q.ready.Store(true)
		if _, err := q.Write([]byte(line + "\n")); err != nil || (out.Len() > 0) != shown {
			t.Errorf("%s: shown %v", line, out.Len() > 0)
		}
	}
	var out bytes.Buffer
	q := &quietLog{out: &out}
	if _, _ = q.Write([]byte("POST /createticket 200 1 ms createticket\n")); out.Len() > 0 {
		t.Error("a request of the seeding is shown")
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	cmd := command()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"run", "--help"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--gateway-addr", "--sandbox-addr", "--latency", "--seed", "--faults", "--docker", "--no-build", "--template"} {
		if !strings.Contains(out.String(), flag) {
			t.Errorf("no %s", flag)
		}
	}
	cmd = command()
	cmd.SetArgs([]string{"run", "extra"})
	if err := cmd.Execute(); err == nil {
		t.Error("an argument was taken")
	}
}
