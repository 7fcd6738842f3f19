// Package boot is what every function does before it serves: read its settings,
// set up its log, and get at its secrets. It knows no vendor, so a function
// links only the vendors its main names.
package boot

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	mathrand "math/rand/v2"
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

// Process is a function that has read its settings.
type Process struct {
	AWS     aws.Config
	Secrets *secrets.Store
	Meter   *telemetry.Meter
	Local   bool // under sam local
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
	return &Process{
		AWS:     cfg,
		Secrets: secrets.New(secretsmanager.NewFromConfig(cfg), time.Now, mathrand.Float64, slog.Default()),
		Meter:   &telemetry.Meter{Out: os.Stdout, Now: time.Now, Function: function, Stack: place.Stack},
		Local:   place.SAMLocal,
	}
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

// Serve hands the routes to the Lambda runtime and does not return.
func (p *Process) Serve(routes api.Routes) {
	(&api.Function{Routes: routes, Meter: p.Meter, Now: time.Now}).Start()
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
	return &session.Guests{Now: time.Now, Secrets: func(ctx context.Context) ([]string, error) {
		s, err := secret.Load(ctx)
		return s.GuestSecrets, err
	}}
}

// Agents returns the issuer and verifier of Zendesk agents' session tokens.
func (p *Process) Agents(c config.ZendeskApp) *session.Agents {
	secret := secrets.For[session.AppSecret](p.Secrets, c.Secret)
	return &session.Agents{Now: time.Now, Secrets: func(ctx context.Context) ([]string, error) {
		s, err := secret.Load(ctx)
		return s.SessionSecrets, err
	}}
}

// DeskKeys returns the keys that desks call with.
func (p *Process) DeskKeys(c config.DeskKeys) func(context.Context) (api.DeskKeys, error) {
	return secrets.For[api.DeskKeys](p.Secrets, c.Secret).Load
}

// Rules returns the identity rules that need no secret.
func Rules(c config.Identities) identity.Rules {
	return identity.Rules{Reserved: c.ReservedUserIDs, RawAgents: c.RawAgents()}
}

// Table returns the table of states that rooms follow.
func Table(ids config.Identities, c config.Lifecycle) relay.Table {
	return relay.Table{Rules: Rules(ids), Calls: c.Calls(), SolvedOpen: c.SolvedOpen(), Archive: c.TranscriptBucket != ""}
}

// Random is the process's source of randomness, drawn from the system.
var Random = rand.Reader

// NewID returns 128 random bits in hex.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
