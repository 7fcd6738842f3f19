package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/clients/zendesk/zis"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/converge"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/zendesklink"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/zislink"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func zisCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "zis",
		Short: "Connect the stack by Zendesk Integration Services",
		Long: `Zendesk Integration Services (ZIS) run a flow inside Zendesk for each change of a
ticket; caseroom's flow posts the ticket's id to the stack and repeats that when it
fails. It needs Suite Growth or Support Professional. "caseroom zendesk up" is the
simpler way, and tells of deletions and merges too.

Zendesk lets an OAuth token register an integration and install its job specs, but
not upload a bundle or make a connection: that takes an admin's browser, on the
admin page of caseroom's Zendesk app. "up" does what its credential may and says
what is left.`,
	}
	cmd.AddCommand(zisBundleCommand(), zisValidateCommand(), zisStatusCommand(), zisUpCommand(), zisDownCommand())
	return cmd
}

// zisOptions are the flags that zis's subcommands share.
type zisOptions struct {
	linkOptions
	integration string
}

func (o *zisOptions) flags(cmd *cobra.Command, writes bool) {
	o.linkOptions.flags(cmd, writes)
	o.flag(cmd)
}

func (o *zisOptions) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.integration, "integration", "", "the integration's name, unique in all of Zendesk (default: caseroom, the account's subdomain and a hash)")
}

// open makes the account's client and the bundle.
func (o *zisOptions) open(ctx context.Context) (*zendeskDesk, *zislink.Link, error) {
	s, err := o.place.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.zendesk(zendesk.IntegrationScope, o.apiURL)
	if err != nil {
		return nil, nil, err
	}
	name := o.integration
	if name == "" {
		name = zis.Name(d.client.Host(), d.endpoint)
	}
	bundle, err := zis.New(name, d.endpoint)
	if err != nil {
		return nil, nil, cli.Usagef("--integration: %w", err)
	}
	api, err := url.Parse(d.endpoint)
	if err != nil {
		return nil, nil, err
	}
	return d, &zislink.Link{
		Account: d.client, Secret: &zendesklink.Secret{API: secretsmanager.NewFromConfig(s.AWS), ID: d.events},
		Bundle: bundle, Host: api.Hostname(), NewBearer: newBearer, Wait: o.wait,
		Did: func(step string) { o.out.Note("%s", step) },
	}, nil
}

// newBearer makes a token that nobody guesses.
func newBearer() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// explainZIS says what a refusal of ZIS's means.
func explainZIS(d *zendeskDesk, l *zislink.Link, err error) error {
	if errors.Is(err, zendesk.ErrNameTaken) {
		return fmt.Errorf("%w: %s\nNames are one for all of Zendesk. Choose another with --integration, and give it to every zis command", err, l.Bundle.Integration)
	}
	return d.explain(err)
}

func zisBundleCommand() *cobra.Command {
	var o zisOptions
	var out string
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Print the bundle of this stack",
		Long: `Prints the bundle that Zendesk Integration Services run for this stack: what the
page of caseroom's Zendesk app uploads. With --api-url and --integration it
needs neither a stack nor an account. It holds no credential.`,
		Example: `  caseroom zis bundle --stack caseroom -o bundle.json
  caseroom zis bundle --api-url https://abc123.execute-api.eu-central-1.amazonaws.com --integration caseroom_acme | caseroom zis validate -`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			bundle, err := o.offline(cmd.Context())
			if err != nil {
				return err
			}
			if out != "" && out != "-" {
				return os.WriteFile(out, bundle.JSON, 0o644)
			}
			_, err = cmd.OutOrStdout().Write(bundle.JSON)
			return err
		},
	}
	o.place.flags(cmd)
	apiFlag(cmd, &o.apiURL)
	o.flag(cmd)
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write")
	return cmd
}

// offline makes the bundle, without a stack if the flags say everything.
func (o *zisOptions) offline(ctx context.Context) (*zis.Bundle, error) {
	if o.apiURL == "" || o.integration == "" {
		_, l, err := o.open(ctx)
		if err != nil {
			return nil, err
		}
		return l.Bundle, nil
	}
	u, err := url.Parse(o.apiURL)
	if err != nil || u.Host == "" {
		return nil, cli.Usagef("--api-url is not a URL")
	}
	bundle, err := zis.New(o.integration, u.JoinPath("zendesk", "events").String())
	if err != nil {
		return nil, cli.Usagef("%w", err)
	}
	return bundle, nil
}

// validation is what validate found.
type validation struct {
	Valid    bool          `json:"valid"`
	Problems []zis.Problem `json:"problems"`
}

func zisValidateCommand() *cobra.Command {
	var out cli.Printer
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Check a bundle, any bundle, without an account",
		Long: `Checks a bundle against what Zendesk documents of its anatomy: names and ARNs, types,
HTTP actions, the states of flows and where they lead, the parameters that actions
use, and job specs. "-" reads standard input. Exit code 3 when there is an error;
warnings are printed and do not count.`,
		Args: cli.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in := cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				in = f
			}
			text, err := io.ReadAll(io.LimitReader(in, zis.MaxBundle+1))
			if err != nil {
				return err
			}
			v := validation{Problems: zis.Validate(text)}
			v.Valid = !zis.Faulty(v.Problems)
			if v.Problems == nil {
				v.Problems = []zis.Problem{}
			}
			if err := out.Result(v, func(w io.Writer) {
				for _, p := range v.Problems {
					fmt.Fprintln(w, p)
				}
				if v.Valid {
					fmt.Fprintln(w, "valid")
				}
			}); err != nil {
				return err
			}
			if !v.Valid {
				return cli.Foundf("not a valid bundle")
			}
			return nil
		},
	}
	out.Flags(cmd)
	return cmd
}

// zisReport is what up and down did, and what is left.
type zisReport struct {
	Integration string     `json:"integration"`
	Endpoint    string     `json:"endpoint"`
	DryRun      bool       `json:"dryRun"`
	Changed     bool       `json:"changed"`
	Steps       []string   `json:"steps"`
	Left        []leftView `json:"left"` // for the admin page
	Error       string     `json:"error,omitempty"`
}

type leftView struct {
	What zislink.Left `json:"what"`
	Do   string       `json:"do"`
}

// instructions say how a person does what the credential may not.
func (o *zisOptions) instructions(d *zendeskDesk, l *zislink.Link, fingerprint string, left []zislink.Left) []leftView {
	views := []leftView{}
	for _, w := range left {
		text := map[zislink.Left]string{
			zislink.LeftUpload: fmt.Sprintf(`Zendesk takes no bundle by OAuth. As an admin, open the admin page of caseroom's Zendesk app, enter the
token below, and choose Set up: it uploads the bundle of the integration %s, makes the connection and installs
the job specs. Then "caseroom zis status" looks at it.`, l.Bundle.Integration),
			zislink.LeftConnection: fmt.Sprintf(`This credential may not see connections, and without this one no flow starts. Set up on the app's page makes it:
  kind            bearer token
  name            %s
  allowed domain  %s
  token           the value with the fingerprint %s among "bearers" in the secret %s:
                  aws secretsmanager get-secret-value --secret-id %s --query SecretString --output text`, zis.Connection, l.Host, fingerprint, d.events, d.events),
			zislink.LeftDisconnect: fmt.Sprintf(`This credential may not delete connections: the connection %s of the integration %s stays, if it is there.
Its token is worth nothing any more.`, zis.Connection, l.Bundle.Integration),
			zislink.LeftBundle: "The bundle stays in the registry. Without an installed job spec it does nothing.",
		}[w]
		views = append(views, leftView{w, text})
	}
	return views
}

func (o *zisOptions) report(d *zendeskDesk, l *zislink.Link, steps []string, left []leftView, closing string, err error) error {
	r := zisReport{
		Integration: l.Bundle.Integration, Endpoint: l.Bundle.Endpoint, DryRun: o.dry,
		Changed: len(steps) > 0 && !o.dry, Steps: steps, Left: left,
	}
	if r.Steps == nil {
		r.Steps = []string{}
	}
	if err != nil {
		err = explainZIS(d, l, err)
		r.Error = err.Error()
		if len(steps) > 0 && !errors.Is(err, context.Canceled) {
			err = cli.Partlyf("%w\nRun the command again: it goes on where this ended", err)
		}
	}
	if perr := o.out.Result(r, func(w io.Writer) {
		if err != nil {
			return
		}
		switch {
		case o.dry && len(steps) > 0:
			fmt.Fprintf(w, "%s: would\n", r.Integration)
			for _, s := range steps {
				fmt.Fprintf(w, "  %s\n", s)
			}
			if slices.Contains(steps, "upload the bundle") {
				fmt.Fprintln(w, "Zendesk takes bundles by API token only. With OAuth an admin uploads it, and up installs the job specs when run again")
			}
		case len(steps) == 0:
			fmt.Fprintf(w, "%s: nothing to do here\n", r.Integration)
		default:
			fmt.Fprintf(w, "%s: done, %s\n", r.Integration, cli.Count(len(steps), "step"))
		}
		for _, v := range left {
			fmt.Fprintf(w, "\nleft for a person: %s\n", v.Do)
		}
		if closing != "" {
			fmt.Fprintf(w, "\n%s\n", closing)
		}
	}); perr != nil {
		return perr
	}
	return err
}

func zisUpCommand() *cobra.Command {
	var o zisOptions
	var reinstall bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Register the integration and install its job specs; say what is left",
		Long: `Registers the integration (for ever: a name cannot be given back), makes a bearer
token in the stack's secret of events, uploads the bundle where an API token still
allows it, installs the job specs, uninstalls those of older bundles, and reads the
registry back. What the credential may not do is printed for the admin page.

Exit code 4 when the bundle has to be uploaded by hand: run it again after that.`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			d, l, err := o.open(ctx)
			if err != nil {
				return err
			}
			steps, left, err := l.Up(ctx, o.dry, reinstall)
			var views []leftView
			if err == nil {
				s, oerr := l.Observe(ctx)
				if oerr != nil {
					return explainZIS(d, l, oerr)
				}
				views = o.instructions(d, l, l.BearerFingerprint(s), left)
			}
			if err := o.report(d, l, steps, views, "", err); err != nil {
				return err
			}
			if slices.Contains(left, zislink.LeftUpload) {
				return cli.Partlyf("the bundle has to be uploaded by an admin, then run this again")
			}
			return nil
		},
	}
	o.flags(cmd, true)
	cmd.Flags().BoolVar(&reinstall, "reinstall", false, "install every job spec again, also those that the registry calls installed")
	return cmd
}

func zisDownCommand() *cobra.Command {
	var o zisOptions
	var yes bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Uninstall the job specs, and remove bundle, connection and token",
		Long: `Uninstalls every job spec of the integration, those that older bundles left running
too, and removes the bundle, the connection and its bearer token as far as the
credential may. The registered name stays: Zendesk has no way to give it back.`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, l, err := o.open(cmd.Context())
			if err != nil {
				return err
			}
			if !o.dry {
				if err := o.out.Agree(yes, "This ends the flow of "+l.Bundle.Integration+"."); err != nil {
					return err
				}
			}
			steps, left, err := l.Down(cmd.Context(), o.dry)
			var views []leftView
			if err == nil {
				views = o.instructions(d, l, "", left)
			}
			return o.report(d, l, steps, views, "The name "+l.Bundle.Integration+" stays registered, and does nothing.", err)
		},
	}
	o.flags(cmd, true)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// zisStatus is what status finds.
type zisStatus struct {
	Integration string             `json:"integration"`
	Endpoint    string             `json:"endpoint"`
	Registered  bool               `json:"registered"`
	Uploaded    bool               `json:"uploaded"` // the registry has this stack's bundle as it is now
	JobSpecs    []zendesk.JobSpec  `json:"jobSpecs"`
	Connection  string             `json:"connection"` // "there", "missing", or "hidden" from this credential
	Token       string             `json:"tokenFingerprint"`
	Problems    []converge.Problem `json:"problems"`
}

func zisStatusCommand() *cobra.Command {
	var o zisOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell what the registry holds and what is wrong with it",
		Long: `Tells whether the integration is registered, whether the registry has this stack's
bundle, which job specs run, and what can be seen of the connection. Zendesk shows
what a flow did under Admin Center → Apps and integrations → Integrations → Logs
alone. Exit code 3 when something is wrong.`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, l, err := o.open(cmd.Context())
			if err != nil {
				return err
			}
			s, err := l.Observe(cmd.Context())
			if err != nil {
				return explainZIS(d, l, err)
			}
			st := zisStatus{
				Integration: l.Bundle.Integration, Endpoint: l.Bundle.Endpoint, Registered: s.Registered, Uploaded: l.Uploaded(s),
				JobSpecs: s.Specs, Connection: "missing", Token: l.BearerFingerprint(s), Problems: l.Problems(s),
			}
			switch {
			case s.Hidden:
				st.Connection = "hidden"
			case slices.Contains(s.Connections, zis.Connection):
				st.Connection = "there"
			}
			if st.JobSpecs == nil {
				st.JobSpecs = []zendesk.JobSpec{}
			}
			if st.Problems == nil {
				st.Problems = []converge.Problem{}
			}
			return o.out.Verdict(st, st.print, len(st.Problems))
		},
	}
	o.flags(cmd, false)
	return cmd
}

func (st zisStatus) print(w io.Writer) {
	fmt.Fprintf(w, "integration %s\nto %s\n", st.Integration, st.Endpoint)
	for _, s := range st.JobSpecs {
		state := "installed"
		if !s.Installed {
			state = "not installed"
		}
		fmt.Fprintf(w, "job spec %s: %s, %s, %s\n", s.Name, s.EventType, s.Flow, state)
	}
	if st.Registered {
		text := map[string]string{
			"there": "is there", "missing": "is missing", "hidden": "cannot be seen by this credential; an admin sees it on the app's admin page",
		}
		fmt.Fprintf(w, "connection %s %s\n", zis.Connection, text[st.Connection])
	}
	if st.Token != "" {
		fmt.Fprintf(w, "its token has the fingerprint %s\n", st.Token)
	}
	printProblems(w, st.Problems)
}
