package localrun

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

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localfile"
	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// loginIssuer and loginAudience are what the local login's tokens carry.
const (
	loginIssuer   = "https://login.example.com"
	loginAudience = "caseroom-local"
)

// Run starts everything, prints how to use it, and returns nil when ctx ends.
func Run(ctx context.Context, o Options, out io.Writer) error {
	err := serve(ctx, o, out)
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		fmt.Fprintln(out, "stopped")
		return nil
	}
	return err
}

func serve(ctx context.Context, o Options, out io.Writer) error {
	template, err := lambdahost.LoadTemplate(o.Template)
	if err != nil {
		return err
	}
	faults, err := parseFaults(o.Faults)
	if err != nil {
		return err
	}
	gatewayLn, err := listen("gateway", "gateway-addr", o.GatewayAddr)
	if err != nil {
		return err
	}
	defer func() { _ = gatewayLn.Close() }()
	sandboxLn, err := listen("sandbox", "sandbox-addr", o.SandboxAddr)
	if err != nil {
		return err
	}
	defer func() { _ = sandboxLn.Close() }()
	gatewayURL, sandboxURL := localURL(gatewayLn), localURL(sandboxLn)

	parameters, err := Parameters(sandboxURL, gatewayURL, o.Parameters)
	if err != nil {
		return err
	}
	stack, err := template.Resolve(lambdahost.ResolveOptions{Parameters: parameters})
	if err != nil {
		if len(o.Parameters) > 0 {
			return cli.Usagef("%w", err)
		}
		return err
	}
	root := filepath.Dir(o.Template)
	binary, err := Binaries(ctx, root, stack, o.NoBuild, out)
	if err != nil {
		return err
	}

	box := sandbox.New(sandbox.Options{
		URL: sandboxURL, Seed: o.Seed, Latency: o.Latency, AnyAWSKey: o.Docker, Queues: queues(stack), Buckets: stack.Buckets,
	})
	defer box.Close()
	fixtures := box.Fixtures()
	log := &quietLog{out: out, all: o.Logs}
	environment := map[string]string{
		"AWS_ENDPOINT_URL":      sandboxURL + "/aws",
		"AWS_ACCESS_KEY_ID":     fixtures.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": fixtures.AWS.SecretAccessKey,
	}
	host, err := lambdahost.New(lambdahost.Options{
		Template: template, Region: fixtures.AWS.Region, AccountID: fixtures.AWS.AccountID,
		Parameters: parameters,
		Env:        environment,
		Bin:        binary, Concurrency: o.Concurrency, Log: log,
	})
	if err != nil {
		return err
	}
	if o.Web == "" {
		o.Web = filepath.Join(root, "clients", "web", "dist")
	}
	page, err := newDemo(host, sandboxURL, o.Web)
	if err != nil {
		return err
	}
	defer page.Close()
	stop := start(ctx, host, sandboxLn, box.Handler(), gatewayLn, page)
	defer stop()
	if err := host.Warm(ctx); err != nil {
		return fmt.Errorf("the functions do not start: %w", err)
	}

	ready := Ready{calendars: parameters["CronofyBaseUrl"] != "", chat: parameters["ChatWebhook"] == "on", Stack: localfile.Stack{Gateway: gatewayURL, Sandbox: sandboxURL}}
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
	if o.Docker {
		if o.EnvFile == "" {
			o.EnvFile = filepath.Join(root, "env.json")
		}
		if err := writeEnvFile(o.EnvFile, host.Stack(), sandboxLn, sandboxURL); err != nil {
			return err
		}
	}
	ready.print(out, o)
	log.ready.Store(true)
	if o.ReadyFile == "" {
		o.ReadyFile = filepath.Join(root, localfile.Path)
	}
	ready.Env = operatorEnv(host.Stack(), environment)
	if err := ready.write(o.ReadyFile); err != nil {
		return err
	}
	defer func() { _ = os.Remove(o.ReadyFile) }()
	<-ctx.Done()
	return ctx.Err()
}

// open connects the desks with the stack, makes the first tickets and waits until
// they are dealt with.
func (r *Ready) open(ctx context.Context, box *sandbox.Sandbox) (err error) {
	fixtures := box.Fixtures()
	if _, err := box.Zendesk().Subscribe(r.Gateway + "/zendesk/events"); err != nil {
		return fmt.Errorf("the sandbox's webhook: %w", err)
	}
	box.Salesforce().SetTrigger(sandbox.SalesforceTrigger{URL: r.Gateway + "/salesforce/events", Key: fixtures.DeskKeySalesforce})
	if r.chat {
		box.SetChatWebhook(sandbox.ChatWebhook{URL: r.Gateway + "/chat/events", Token: fixtures.Tencent.WebhookToken})
	}
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
// queued, or two minutes: a fault that was asked for must not strike it.
func settle(ctx context.Context, box *sandbox.Sandbox) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
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

// Parameters are the template's parameters for a stack on the sandbox.
func Parameters(sandboxURL, gatewayURL string, given []string) (map[string]string, error) {
	parameters := map[string]string{
		"ZendeskBaseUrl":    sandboxURL + "/zendesk",
		"SalesforceBaseUrl": sandboxURL + "/salesforce",
		"TencentBaseUrl":    sandboxURL + "/tencent",
		"CronofyBaseUrl":    sandboxURL + "/cronofy",
		"LoginIssuer":       loginIssuer,
		"LoginAudience":     loginAudience,
		"Guests":            "on",
		// Everybody of a local run is at one address.
		"GuestRate":           "0",
		"GuestRatePerAddress": "0",
		"TicketRatePerPerson": "0",
		"PanelUrl":            gatewayURL,
		"ChatWebhook":         "on",
		// Pages of the usual development servers may call the API.
		"AllowedOrigins": gatewayURL + ",http://localhost:3000,http://localhost:5173,http://localhost:8080",
	}
	for _, p := range given {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, cli.Usagef("--param %s: want Name=value", p)
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
