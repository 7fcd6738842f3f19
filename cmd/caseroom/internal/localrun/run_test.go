package localrun_test

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
	"testing"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun/localruntest"
	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
)

// TestRun runs every printed line in a shell, twice: a reader may.
func TestRun(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	ready, out, stop := localruntest.Start(t, nil)

	var calls []sandbox.Call
	localruntest.Get(t, ready.Sandbox+"/calls", &calls)
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
	template, err := lambdahost.LoadTemplate(localruntest.Template(t))
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
	ready, _, _ := localruntest.Start(t, func(o *localrun.Options) {
		o.Faults = []string{"tencent:create_group:status=503"}
		o.Parameters = []string{"AllowedOrigins=https://www.example.com"}
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

// TestDocker checks env.json against the template, and that the sandbox answers
// on an address that is not loopback.
func TestDocker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "env.json")
	ready, _, _ := localruntest.Start(t, func(o *localrun.Options) {
		o.Docker, o.EnvFile, o.SandboxAddr = true, path, "0.0.0.0:0"
	})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]string
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	template, err := lambdahost.LoadTemplate(localruntest.Template(t))
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
	localruntest.Get(t, "http://"+net.JoinHostPort(ip.String(), port)+"/state", &state)
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
	for flag, o := range map[string]localrun.Options{
		"--gateway-addr": {GatewayAddr: ln.Addr().String(), SandboxAddr: "127.0.0.1:0"},
		"--sandbox-addr": {GatewayAddr: "127.0.0.1:0", SandboxAddr: ln.Addr().String()},
	} {
		o.Template = localruntest.Template(t)
		err := localrun.Run(context.Background(), o, io.Discard)
		if err == nil || !strings.Contains(err.Error(), port) || !strings.Contains(err.Error(), flag) {
			t.Errorf("got %v, want the port and %s", err, flag)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	base := localrun.Options{Template: localruntest.Template(t), GatewayAddr: "127.0.0.1:0", SandboxAddr: "127.0.0.1:0"}
	for name, c := range map[string]struct {
		change func(*localrun.Options)
		want   string
	}{
		"no template":       {func(o *localrun.Options) { o.Template = "none.yaml" }, "none.yaml"},
		"bad address":       {func(o *localrun.Options) { o.GatewayAddr = "nowhere" }, "--gateway-addr"},
		"bad fault":         {func(o *localrun.Options) { o.Faults = []string{"zendesk"} }, "--faults zendesk"},
		"parameter form":    {func(o *localrun.Options) { o.Parameters = []string{"Guests"} }, "want Name=value"},
		"unknown parameter": {func(o *localrun.Options) { o.Parameters = []string{"Gests=on"} }, "no parameter Gests"},
		"parameter value":   {func(o *localrun.Options) { o.Parameters = []string{"Guests=maybe"} }, "AllowedValues"},
		"rule":              {func(o *localrun.Options) { o.Parameters = []string{"ZendeskBaseUrl=", "SalesforceBaseUrl="} }, "ZendeskBaseUrl"},
	} {
		o := base
		c.change(&o)
		if err := localrun.Run(context.Background(), o, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestNoBuildWithoutBinaries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"template.yaml", "monitoring.yaml"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(localruntest.Template(t)), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := localrun.Options{Template: filepath.Join(dir, "template.yaml"), GatewayAddr: "127.0.0.1:0", SandboxAddr: "127.0.0.1:0", NoBuild: true}
	if err := localrun.Run(context.Background(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "without --no-build") {
		t.Errorf("got %v", err)
	}
	o.NoBuild = false
	if err := localrun.Run(context.Background(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "building failed") {
		t.Errorf("no sources: got %v", err)
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	t.Parallel()
	cmd := localrun.Command()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--help"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--gateway-addr", "--sandbox-addr", "--latency", "--seed", "--faults", "--docker", "--no-build", "--template"} {
		if !strings.Contains(out.String(), flag) {
			t.Errorf("no %s", flag)
		}
	}
	cmd = localrun.Command()
	cmd.SetArgs([]string{"extra"})
	if err := cmd.Execute(); err == nil {
		t.Error("an argument was taken")
	}
}
