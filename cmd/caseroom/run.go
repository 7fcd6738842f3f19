package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// runOptions are the flags of caseroom run.
type runOptions struct {
	template    string
	gatewayAddr string
	sandboxAddr string
	latency     time.Duration
	seed        uint64
	faults      []string
	parameters  []string
	docker      bool
	envFile     string
	noBuild     bool
	readyFile   string
	concurrency int
	logs        bool
	web         string
}

func runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the whole stack on this machine: no Docker, no accounts",
		Long: `Builds the functions of template.yaml and runs them behind a local Lambda and
HTTP API, with stand-ins for Zendesk, Salesforce, Tencent Chat and the AWS APIs.
It prints working curl lines for every operation, then one line per request.
Ctrl-C stops everything.

The stand-ins show what they hold at /state and what was called at /calls on the
sandbox's address. They hold no real credential and check none of yours.`,
		Example: `  caseroom run
  caseroom run --latency 50ms --param Guests=off
  caseroom run --faults tencent:create_group:reset-after:1
  caseroom run --faults zendesk:tickets_create:status=429:2 --faults @faults.json
  caseroom run --docker   # then: sam local invoke … --env-vars env.json`,
		Args: noArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.docker && !cmd.Flags().Changed("sandbox-addr") {
				o.sandboxAddr = "0.0.0.0:3100"
			}
			return run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.template, "template", "template.yaml", "the SAM template; its folder is where functions are built")
	f.StringVar(&o.gatewayAddr, "gateway-addr", "127.0.0.1:3000", "where the HTTP API listens")
	f.StringVar(&o.sandboxAddr, "sandbox-addr", "127.0.0.1:3100", "where the stand-ins listen; every interface with --docker")
	f.DurationVar(&o.latency, "latency", 0, "how long every vendor call takes at least, such as 50ms")
	f.Uint64Var(&o.seed, "seed", 1, "makes the stand-ins' ids, keys and secrets; the same seed makes the same ones")
	f.StringArrayVar(&o.faults, "faults", nil, "vendor:op:kind[:times], or @file with a JSON array of faults; repeatable")
	f.StringArrayVar(&o.parameters, "param", nil, "Name=value of a template parameter; repeatable")
	f.BoolVar(&o.docker, "docker", false, "let SAM's containers reach the stand-ins, and write the file for sam local --env-vars")
	f.StringVar(&o.envFile, "env-file", "", "the file that --docker writes (default env.json beside the template)")
	f.BoolVar(&o.noBuild, "no-build", false, "use the bootstraps that are in bin/")
	f.StringVar(&o.readyFile, "ready-file", "", "where addresses, settings, tokens and requests are written as JSON once everything is up (default "+localFile+" beside the template)")
	f.BoolVar(&o.logs, "logs", false, "print all of the functions' own log lines, not only warnings and errors")
	f.StringVar(&o.web, "web", "", "the built clients, for the page at the gateway's root (default clients/web/dist beside the template)")
	f.IntVar(&o.concurrency, "concurrency", 10, "how many processes a function may have")
	return cmd
}

// loginIssuer and loginAudience are what the local login's tokens carry.
const (
	loginIssuer   = "https://login.example.com"
	loginAudience = "caseroom-local"
)

// run starts everything, prints how to use it, and returns nil when ctx ends.
func run(ctx context.Context, o runOptions, out io.Writer) error {
	err := serve(ctx, o, out)
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		fmt.Fprintln(out, "stopped")
		return nil
	}
	return err
}

func serve(ctx context.Context, o runOptions, out io.Writer) error {
	template, err := lambdahost.LoadTemplate(o.template)
	if err != nil {
		return err
	}
	faults, err := parseFaults(o.faults)
	if err != nil {
		return err
	}
	gatewayLn, err := listen("gateway", "gateway-addr", o.gatewayAddr)
	if err != nil {
		return err
	}
	defer func() { _ = gatewayLn.Close() }()
	sandboxLn, err := listen("sandbox", "sandbox-addr", o.sandboxAddr)
	if err != nil {
		return err
	}
	defer func() { _ = sandboxLn.Close() }()
	gatewayURL, sandboxURL := localURL(gatewayLn), localURL(sandboxLn)

	parameters, err := localParameters(sandboxURL, gatewayURL, o.parameters)
	if err != nil {
		return err
	}
	stack, err := template.Resolve(lambdahost.ResolveOptions{Parameters: parameters})
	if err != nil {
		if len(o.parameters) > 0 {
			return usage("%w", err)
		}
		return err
	}
	root := filepath.Dir(o.template)
	binary, err := binaries(ctx, root, stack, o.noBuild, out)
	if err != nil {
		return err
	}

	box := sandbox.New(sandbox.Options{
		URL: sandboxURL, Seed: o.seed, Latency: o.latency, AnyAWSKey: o.docker, Queues: queues(stack), Buckets: stack.Buckets,
	})
	defer box.Close()
	fixtures := box.Fixtures()
	log := &quietLog{out: out, all: o.logs}
	environment := map[string]string{
		"AWS_ENDPOINT_URL":      sandboxURL + "/aws",
		"AWS_ACCESS_KEY_ID":     fixtures.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": fixtures.AWS.SecretAccessKey,
	}
	host, err := lambdahost.New(lambdahost.Options{
		Template: template, Region: fixtures.AWS.Region, AccountID: fixtures.AWS.AccountID,
		Parameters: parameters,
		Env:        environment,
		Bin:        binary, Concurrency: o.concurrency, Log: log,
	})
	if err != nil {
		return err
	}
	if o.web == "" {
		o.web = filepath.Join(root, "clients", "web", "dist")
	}
	page, err := newDemo(host, sandboxURL, o.web)
	if err != nil {
		return err
	}
	defer page.Close()
	stop := start(ctx, host, sandboxLn, box.Handler(), gatewayLn, page)
	defer stop()
	if err := host.Warm(ctx); err != nil {
		return fmt.Errorf("the functions do not start: %w", err)
	}

	ready := readiness{calendars: parameters["CronofyBaseUrl"] != "", Gateway: gatewayURL, Sandbox: sandboxURL}
	if err := ready.open(ctx, box); err != nil {
		return err
	}
	if err := page.learn(ready, fixtures, time.Now()); err != nil {
		return err
	}
	box.ResetCalls()
	for _, f := range faults {
		if err := box.AddFault(f); err != nil {
			return fmt.Errorf("--faults: %w", err)
		}
	}
	if o.docker {
		if o.envFile == "" {
			o.envFile = filepath.Join(root, "env.json")
		}
		if err := writeEnvFile(o.envFile, host.Stack(), sandboxLn, sandboxURL); err != nil {
			return err
		}
	}
	ready.print(out, o)
	log.ready.Store(true)
	if o.readyFile == "" {
		o.readyFile = filepath.Join(root, localFile)
	}
	ready.Env = operatorEnv(host.Stack(), environment)
	if err := ready.write(o.readyFile); err != nil {
		return err
	}
	defer func() { _ = os.Remove(o.readyFile) }()
	<-ctx.Done()
	return ctx.Err()
}

// open connects the desks with the stack, makes the first tickets and waits until
// they are dealt with.
func (r *readiness) open(ctx context.Context, box *sandbox.Sandbox) (err error) {
	fixtures := box.Fixtures()
	if _, err := box.Zendesk().Subscribe(r.Gateway + "/zendesk/events"); err != nil {
		return fmt.Errorf("the sandbox's webhook: %w", err)
	}
	box.Salesforce().SetTrigger(sandbox.SalesforceTrigger{URL: r.Gateway + "/salesforce/events", Key: fixtures.DeskKeySalesforce})
	if r.Tokens, err = mint(ctx, fixtures, r.Sandbox, time.Now()); err != nil {
		return err
	}
	if err := r.seed(ctx); err != nil {
		return err
	}
	r.Requests = examples(*r, fixtures)
	if err := settle(ctx, box); err != nil {
		return err
	}
	// The first tickets are no tasks: what they would tell is nothing to anybody.
	if _, err := box.Zendesk().Subscribe(r.Gateway+"/zendesk/events", zendesk.TaskEvents...); err != nil {
		return fmt.Errorf("the sandbox's webhook for tasks: %w", err)
	}
	return nil
}

// settle waits until the stack has worked on everything that the seeding
// queued, or a few seconds: a fault that was asked for must not strike it.
func settle(ctx context.Context, box *sandbox.Sandbox) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := box.Flush(ctx); err != nil {
		return fmt.Errorf("the first tickets' notifications: %w", err)
	}
	for {
		waiting := 0
		for _, q := range box.State().AWS.Queues {
			waiting += q.Visible + q.InFlight
		}
		if waiting == 0 || upstream.Sleep(ctx, 20*time.Millisecond) != nil {
			return nil
		}
	}
}

// start serves both listeners and the stack's queues; the func it returns
// stops them and waits.
func start(ctx context.Context, host *lambdahost.Host, sandboxLn net.Listener, box http.Handler, gatewayLn net.Listener, front http.Handler) func() {
	hostCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	// HTTP API takes 10,240 bytes of request line and headers.
	gateway := &http.Server{Handler: front, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 10_240}
	vendors := &http.Server{Handler: box, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{}, 3)
	go func() { _ = vendors.Serve(sandboxLn); done <- struct{}{} }()
	go func() { _ = gateway.Serve(gatewayLn); done <- struct{}{} }()
	go func() { _ = host.Run(hostCtx); done <- struct{}{} }()
	return func() {
		_ = gateway.Close()
		cancel()
		host.Close()
		_ = vendors.Close()
		for range 3 {
			<-done
		}
	}
}

// listen takes a port, or says which flag chooses another.
func listen(what, flag, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		_, port, _ := net.SplitHostPort(addr)
		return nil, fmt.Errorf("port %s, for the %s, is taken: stop what listens there, or choose another with --%s", port, what, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return ln, nil
}

// localURL is how this machine reaches a listener.
func localURL(ln net.Listener) string {
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// localParameters are the template's parameters for a stack on the sandbox.
func localParameters(sandboxURL, gatewayURL string, given []string) (map[string]string, error) {
	parameters := map[string]string{
		"ZendeskBaseUrl":    sandboxURL + "/zendesk",
		"SalesforceBaseUrl": sandboxURL + "/salesforce",
		"TencentBaseUrl":    sandboxURL + "/tencent",
		"ZopimBaseUrl":      sandboxURL + "/zopim",
		"CronofyBaseUrl":    sandboxURL + "/cronofy",
		"LoginIssuer":       loginIssuer,
		"LoginAudience":     loginAudience,
		"Guests":            "on",
		"PanelUrl":          gatewayURL,
		// Pages of the usual development servers may call the API.
		"AllowedOrigins": gatewayURL + ",http://localhost:3000,http://localhost:5173,http://localhost:8080",
	}
	for _, p := range given {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usage("--param %s: want Name=value", p)
		}
		parameters[name] = value
	}
	if parameters["ZendeskBaseUrl"] == "" {
		parameters["CronofyBaseUrl"] = "" // tasks are Zendesk's
	}
	return parameters, nil
}

// queues are the stack's queues as the sandbox makes them.
func queues(stack *lambdahost.Stack) []sandbox.QueueConfig {
	names := map[string]string{}
	for _, q := range stack.Queues {
		names[q.ARN] = q.Name
	}
	var list []sandbox.QueueConfig
	for _, q := range stack.Queues {
		list = append(list, sandbox.QueueConfig{
			Name: q.Name, FIFO: q.FIFO, ContentDedup: q.ContentDedup, GroupDedup: q.GroupDedup,
			Visibility: q.Visibility, Retention: q.Retention,
			MaxReceive: q.MaxReceiveCount, DLQ: names[q.DeadLetterARN],
		})
	}
	return list
}
