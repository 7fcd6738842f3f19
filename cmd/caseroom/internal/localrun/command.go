// Package localrun is "caseroom run": the whole stack on this machine. No other
// part of the command links the stand-ins and the local Lambda.
package localrun

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localfile"
)

// Options are the flags of "caseroom run".
type Options struct {
	Template    string // path of the SAM template
	GatewayAddr string // where the HTTP API listens
	SandboxAddr string // where the stand-ins listen
	Latency     time.Duration
	Seed        uint64
	Faults      []string // as --faults takes them
	Parameters  []string // Name=value
	Docker      bool
	EnvFile     string
	NoBuild     bool
	ReadyFile   string
	Concurrency int
	Logs        bool
	Web         string // folder of the built clients
}

// Command is "caseroom run".
func Command() *cobra.Command {
	var o Options
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
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Docker && !cmd.Flags().Changed("sandbox-addr") {
				o.SandboxAddr = "0.0.0.0:3100"
			}
			return Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Template, "template", "template.yaml", "the SAM template; its folder is where functions are built")
	f.StringVar(&o.GatewayAddr, "gateway-addr", "127.0.0.1:3000", "where the HTTP API listens")
	f.StringVar(&o.SandboxAddr, "sandbox-addr", "127.0.0.1:3100", "where the stand-ins listen; every interface with --docker")
	f.DurationVar(&o.Latency, "latency", 0, "how long every vendor call takes at least, such as 50ms")
	f.Uint64Var(&o.Seed, "seed", 1, "makes the stand-ins' ids, keys and secrets; the same seed makes the same ones")
	f.StringArrayVar(&o.Faults, "faults", nil, "vendor:op:kind[:times], or @file with a JSON array of faults; repeatable")
	f.StringArrayVar(&o.Parameters, "param", nil, "Name=value of a template parameter; repeatable")
	f.BoolVar(&o.Docker, "docker", false, "let SAM's containers reach the stand-ins, and write the file for sam local --env-vars")
	f.StringVar(&o.EnvFile, "env-file", "", "the file that --docker writes (default env.json beside the template)")
	f.BoolVar(&o.NoBuild, "no-build", false, "use the bootstraps that are in bin/")
	f.StringVar(&o.ReadyFile, "ready-file", "", "where addresses, settings, tokens and requests are written as JSON once everything is up (default "+localfile.Path+" beside the template)")
	f.BoolVar(&o.Logs, "logs", false, "print all of the functions' own log lines, not only warnings and errors")
	f.StringVar(&o.Web, "web", "", "the built clients, for the page at the gateway's root (default clients/web/dist beside the template)")
	f.IntVar(&o.Concurrency, "concurrency", 10, "how many processes a function may have")
	return cmd
}
