// Package boot is what every function does before it serves: read its settings,
// set up its log, and get at its secrets. It knows no vendor, so a function
// links only the vendors its main names.
package boot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/login"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/telemetry"
)

// Process is what the parts of a function, or of a command that acts as one, are
// made of.
type Process struct {
	AWS     aws.Config
	Secrets *secrets.Store
	Meter   relay.Meter
	Local   bool // under sam local
	// Transport and Timeout are of a call to a vendor; the clients' own if zero.
	Transport http.RoundTripper
	Timeout   time.Duration
	Now       func() time.Time
	NewID     func() string  // a new random id
	Entropy   io.Reader      // of the keys that caseroom makes
	Jitter    func() float64 // in [0,1)
	Nonce     func() uint32  // of the chat's calls
}

// NewProcess returns a process with the system's clock and randomness.
func NewProcess(cfg aws.Config, store *secrets.Store, meter relay.Meter) *Process {
	return &Process{
		AWS:     cfg,
		Secrets: store,
		Meter:   meter,
		Now:     time.Now,
		NewID:   NewID,
		Entropy: rand.Reader,
		Jitter:  mathrand.Float64,
		Nonce:   mathrand.Uint32,
	}
}

// New loads the groups of settings, as [config.Load] does, and sets up the
// function's log and metrics. A process with wrong settings does not start: the
// log says which variable, and no request is half done.
func New(function string, groups ...any) *Process {
	oneThread()
	telemetry.Init(function)
	var place config.Runtime
	Must(config.Load(append(groups, &place)...))
	cfg, err := awsenv.Config()
	Must(err)
	p := NewProcess(
		cfg,
		secrets.New(secretsmanager.NewFromConfig(cfg), time.Now, mathrand.Float64, slog.Default()),
		&telemetry.Meter{Out: os.Stdout, Now: time.Now, Function: function, Stack: place.Stack},
	)
	p.Local = place.SAMLocal
	return p
}

// oneVCPU is the memory, in MB, from which on Lambda gives a function more than
// one vCPU. See https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html.
const oneVCPU = 1769

// oneThread runs Go code on one thread at a time where there is one vCPU at
// most, though the process sees two or more. An invocation mostly waits for its
// upstream calls; waking a second thread to look for work costs a quarter of
// the CPU time and gains nothing. GOMAXPROCS, if set, decides.
func oneThread() {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	if mb, err := strconv.Atoi(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")); err == nil && mb > oneVCPU {
		return
	}
	runtime.GOMAXPROCS(1)
}

// Must ends the process when a part of it cannot be made.
func Must(err error) {
	if err != nil {
		slog.Error("not started", "err", err)
		os.Exit(1)
	}
}

// Value is [Must] for a constructor's result.
func Value[T any](v T, err error) T {
	Must(err)
	return v
}

// Function returns the routes as one function.
func (p *Process) Function(routes api.Routes) *api.Function {
	return &api.Function{Routes: routes, Meter: p.Meter, Now: p.Now}
}

// Serve hands the routes to the Lambda runtime and does not return.
func (p *Process) Serve(routes api.Routes) {
	p.Function(routes).Start()
}

// Limit returns a limit on requests a minute; 0 is none.
func (p *Process) Limit(perMinute int) *api.Limit {
	return &api.Limit{PerMinute: perMinute, Now: p.Now}
}

// Login returns the verifier of end users' tokens.
func (p *Process) Login(c config.Login) (*login.Verifier, error) {
	secret := secrets.For[login.Secret](p.Secrets, c.Secret)
	return login.New(login.Config{
		Issuer: c.Issuer, Audience: c.Audience, JWKSURL: c.JWKSURL, Local: p.Local,
		Secrets: func(ctx context.Context) ([]string, error) {
			s, err := secret.Load(ctx)
			return s.HS256Secrets, err
		},
	})
}

// Guests returns the issuer and verifier of guest tokens.
func (p *Process) Guests(c config.Guests) *session.Guests {
	secret := secrets.For[session.GuestSecret](p.Secrets, c.Secret)
	return &session.Guests{Now: p.Now, Secrets: func(ctx context.Context) ([]string, error) {
		s, err := secret.Load(ctx)
		return s.GuestSecrets, err
	}}
}

// Agents returns the issuer and verifier of Zendesk agents' session tokens.
func (p *Process) Agents(c config.ZendeskApp) *session.Agents {
	secret := secrets.For[session.AppSecret](p.Secrets, c.Secret)
	return &session.Agents{Now: p.Now, Secrets: func(ctx context.Context) ([]string, error) {
		s, err := secret.Load(ctx)
		return s.SessionSecrets, err
	}}
}

// DeskKeys returns the keys that desks call with.
func (p *Process) DeskKeys(c config.DeskKeys) func(context.Context) (api.DeskKeys, error) {
	return secrets.For[api.DeskKeys](p.Secrets, c.Secret).Load
}

// DesksOf returns which of the desks a stack has, by their base URLs.
func DesksOf(zendeskURL, salesforceURL string) map[relay.DeskName]bool {
	return map[relay.DeskName]bool{relay.Zendesk: zendeskURL != "", relay.Salesforce: salesforceURL != ""}
}

// Rules returns the identity rules that need no secret.
func Rules(c config.Identities) identity.Rules {
	return identity.Rules{Reserved: c.ReservedUserIDs, RawAgents: c.RawAgents()}
}

// NewID returns 128 random bits in hex.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
