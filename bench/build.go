package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
)

// bench is one run.
type bench struct {
	options
	table table

	dir       string   // of everything that is built
	functions []string // by their folder's name
	hasNode   bool
	closers   []func()
}

// smallFlags are the Makefile's, which exports them as GOFLAGS.
const smallFlags = "-tags=lambda.norpc '-ldflags=-s -w'"

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.root}, parts...)...)
}

// binary is where a program of this machine's architecture was built.
func (b *bench) binary(name string) string { return filepath.Join(b.dir, "native", name) }

// build makes the functions for this machine and for Lambda, what they are
// compared with, and the sandbox.
func (b *bench) build(ctx context.Context) error {
	var err error
	if b.root, err = filepath.Abs(b.root); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "caseroom-bench-"); err != nil {
		return err
	}
	b.closers = append(b.closers, func() { _ = os.RemoveAll(b.dir) })
	mains, err := filepath.Glob(b.path("functions", "*", "main.go"))
	if err != nil || len(mains) == 0 {
		return fmt.Errorf("no functions in %s", b.root)
	}
	for _, m := range mains {
		b.functions = append(b.functions, filepath.Base(filepath.Dir(m)))
	}
	if err := b.compile(ctx, runtime.GOARCH, "native", "./functions/...", "./bench/bare", "./bench/start", "./bench/sandbox"); err != nil {
		return err
	}
	if b.arch != runtime.GOARCH {
		if err := b.compile(ctx, b.arch, "deployed", "./functions/..."); err != nil {
			return err
		}
	}
	b.hasNode, err = b.installNode(ctx)
	return err
}

func (b *bench) compile(ctx context.Context, arch, to string, packages ...string) error {
	dir := filepath.Join(b.dir, to)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-o", dir}, packages...)...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if os.Getenv("GOFLAGS") == "" {
		cmd.Env = append(cmd.Env, "GOFLAGS="+smallFlags)
	}
	return execute(cmd)
}

// execute runs a command and gives its output with its error.
func execute(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// installNode reports whether there is a Node to compare with.
func (b *bench) installNode(ctx context.Context) (bool, error) {
	if b.noNode {
		return false, nil
	}
	version, err := exec.CommandContext(ctx, "node", "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("node --version: %w", err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < 20 {
		return false, nil
	}
	dir := b.path("bench", "node")
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return false, err
	}
	if done, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil && !done.ModTime().Before(lock.ModTime()) {
		return true, nil
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	return true, execute(cmd)
}

// packages measures what is uploaded: the binary in a zip.
func (b *bench) packages(context.Context) error {
	dir := filepath.Join(b.dir, "deployed")
	if b.arch == runtime.GOARCH {
		dir = filepath.Join(b.dir, "native")
	}
	for _, name := range b.functions {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		z := zip.NewWriter(&packed)
		w, err := z.Create("bootstrap")
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		size := float64(packed.Len()) / 1e6
		b.table.add(row{
			group: "deployment package, " + b.arch, what: name,
			measured:  fmt.Sprintf("%.2f MB", size),
			reference: fmt.Sprintf("unpacked %.2f MB", float64(len(text))/1e6),
			target:    "≤ 4 MB", ok: size <= 4,
		})
	}
	return nil
}

// benchmark is a line of go test -bench: an operation, by caseroom or by the
// library alone.
var benchmark = regexp.MustCompile(`^Benchmark(\w+)/(caseroom|library)\S*\s+\d+\s+([0-9.]+) ns/op`)

// signing runs the benchmarks of the packages that sign and verify.
func (b *bench) signing(ctx context.Context) error {
	packages := []string{"./shared/identity", "./shared/session", "./shared/login", "./shared/chatjwt"}
	cmd := exec.CommandContext(ctx, "go", append([]string{
		"test", "-trimpath", "-run=^$", "-bench=.", "-benchtime=" + b.benchTime, "-count=3", "-p=1",
	}, packages...)...)
	cmd.Dir, cmd.Env = b.root, append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	var order []string
	times := map[string]map[string][]float64{}
	pkg := ""
	for line := range strings.Lines(string(out)) {
		if p, ok := strings.CutPrefix(line, "pkg: "); ok {
			pkg = filepath.Base(strings.TrimSpace(p))
		}
		m := benchmark.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		ns, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return err
		}
		name := pkg + "." + m[1]
		if times[name] == nil {
			times[name] = map[string][]float64{}
			order = append(order, name)
		}
		times[name][m[2]] = append(times[name][m[2]], ns)
	}
	if len(order) == 0 {
		return errors.New("no benchmark ran")
	}
	for _, name := range order {
		own, library := times[name]["caseroom"], times[name]["library"]
		if len(own) == 0 || len(library) == 0 {
			return fmt.Errorf("%s was not compared", name)
		}
		r := row{group: "signing and verifying", what: name, measured: fmt.Sprintf("%.1f µs", slices.Min(own)/1e3)}
		r.reference = fmt.Sprintf("library alone %.1f µs", slices.Min(library)/1e3)
		r.ratio = slices.Min(own) / slices.Min(library)
		b.table.add(r)
	}
	return nil
}

// stack resolves the template for a stack on the sandbox at url.
func (b *bench) stack(url string, f *fixtures) (*lambdahost.Stack, error) {
	template, err := lambdahost.LoadTemplate(b.path("template.yaml"))
	if err != nil {
		return nil, err
	}
	return template.Resolve(lambdahost.ResolveOptions{
		Region: f.AWS.Region, AccountID: f.AWS.AccountID,
		Parameters: map[string]string{
			"ZendeskBaseUrl": url + "/zendesk", "SalesforceBaseUrl": url + "/salesforce", "CronofyBaseUrl": url + "/cronofy",
			"TencentBaseUrl": url + "/tencent",
			"LoginIssuer":    loginIssuer, "LoginAudience": loginAudience, "Guests": "on",
			"GuestRate": "0", "GuestRatePerAddress": "0", "TicketRatePerPerson": "0",
		},
		QueueURL: func(name string) string { return url + "/aws/" + f.AWS.AccountID + "/" + name },
	})
}

// close ends everything that the run started, the latest first.
func (b *bench) close() {
	for _, c := range slices.Backward(b.closers) {
		c()
	}
	b.closers = nil
}

// machine describes where and when the table was made.
func machine(ctx context.Context, o options, began time.Time) string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				break
			}
		}
	}
	node := "no Node"
	if v, err := exec.CommandContext(ctx, "node", "--version").Output(); err == nil {
		node = "Node " + strings.TrimSpace(string(v))
	}
	size := fmt.Sprintf("%d requests of each operation at 0 ms, %d at %d ms, %d starts", o.rounds*o.perRound, o.slow, o.slowness.Milliseconds(), o.starts)
	if o.quick {
		size += "; a quick run, whose numbers mean nothing"
	}
	return fmt.Sprintf("%s, %s, %d × %s (linux/%s), %s; %s; took %.0f s.",
		began.Format("2 January 2006"), runtime.Version(), runtime.NumCPU(), model, runtime.GOARCH, node, size, time.Since(began).Seconds())
}
