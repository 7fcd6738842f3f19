package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/shared/upstream"
)

func doctorCommand() *cobra.Command {
	var at place
	var out cli.Printer
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what is wrong with a stack, and say what to do about it",
		Long: `Looks at everything that a stack needs and changes nothing: secrets, the
credentials in them, the chat app's region, clocks, the login's keys, the webhook
and its last delivery, quotas, queues and dead letters. It exits with 3 when
something is wrong.

--deep also drives a real ticket on each desk through create, assign, reassign,
solve, reopen and close, by the deployed API, and looks at the room after each
step; and it tries what no documentation settles (docs/unproved.md). It tells how
long each step took, and takes everything away again, also when interrupted. Real
agents are assigned and may be told of it: name those to use with --agents.`,
		Example: `  caseroom doctor --local
  caseroom doctor --stack caseroom --json
  caseroom doctor --stack caseroom --deep --agents zendesk:123,zendesk:456`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := at.parts(cmd.Context())
			if err != nil {
				return err
			}
			return p.doctor(cmd.Context(), o, &out)
		},
	}
	at.flags(cmd)
	out.Flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.api, "api-url", "", "address of the stack's HTTP API, where --stack or --local does not tell it")
	f.IntVar(&o.roomsPerUser, "rooms-per-user", 500, "how many rooms the chat's plan lets one account be in")
	f.IntVar(&o.maxRooms, "max-rooms", 0, "how many rooms the chat's plan allows; not checked if 0")
	f.BoolVar(&o.deep, "deep", false, "also drive a real ticket through its life on each desk")
	f.StringSliceVar(&o.agents, "agents", nil, "with --deep, desk:id of two agents of each desk; any two if empty")
	f.StringVar(&o.token, "token", "", "with --deep, a customer's login token, where the stack's secret cannot make one; or the variable CASEROOM_LOGIN_TOKEN")
	f.StringVar(&o.appToken, "app-token", "", "with --deep, the token field that Zendesk posted to the panel, to look at its sub")
	f.DurationVar(&o.patience, "patience", 2*time.Minute, "with --deep, how long to wait for a room")
	f.BoolVar(&o.yes, "yes", false, "with --deep, do not ask")
	return cmd
}

type doctorOptions struct {
	api                    string
	roomsPerUser, maxRooms int
	deep, yes              bool
	agents                 []string
	token, appToken        string
	patience               time.Duration
}

// The states of a check.
const (
	checkOK      = "ok"
	checkFinding = "finding"
	checkSkipped = "skipped"
)

// check is one thing that was looked at. Its id stays the same from version to
// version.
type check struct {
	ID     string  `json:"check"` // such as credentials.zendesk
	State  string  `json:"state"`
	Detail string  `json:"detail"`
	Do     string  `json:"do,omitempty"` // about a finding
	Took   float64 `json:"seconds,omitempty"`
}

// doctor looks at a stack.
type doctor struct {
	*parts
	doctorOptions
	now    func() time.Time
	http   *http.Client
	checks []check
	told   func() // after each look
	broken map[string]bool
}

func (d *doctor) ok(id, format string, args ...any) {
	d.checks = append(d.checks, check{ID: id, State: checkOK, Detail: fmt.Sprintf(format, args...)})
}

// bad notes a finding: what is wrong, and what to do about it.
func (d *doctor) bad(id, do, format string, args ...any) {
	d.checks = append(d.checks, check{ID: id, State: checkFinding, Detail: fmt.Sprintf(format, args...), Do: do})
	d.broken[id] = true
}

func (d *doctor) skip(id, format string, args ...any) {
	d.checks = append(d.checks, check{ID: id, State: checkSkipped, Detail: fmt.Sprintf(format, args...)})
}

func (d *doctor) findings() []check {
	return slices.DeleteFunc(slices.Clone(d.checks), func(c check) bool { return c.State != checkFinding })
}

// lookTime bounds each look: what hangs is told as what does not answer.
const lookTime = 20 * time.Second

func (p *parts) newDoctor(o doctorOptions) *doctor {
	if o.api == "" {
		o.api = p.stack.API
	}
	return &doctor{
		parts: p, doctorOptions: o, now: time.Now, broken: map[string]bool{}, told: func() {},
		http: &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

func (d *doctor) looks() []func(context.Context) {
	return []func(context.Context){
		d.lookSecrets, d.lookAPI, d.lookClock, d.lookLogin, d.lookZendesk, d.lookSalesforce, d.lookAutoResponse, d.lookChat, d.lookChatWebhook, d.lookZopim, d.lookCronofy, d.lookWebhook, d.lookQueues, d.lookConcurrency, d.lookQuotas,
	}
}

// look makes every check that changes nothing.
func (d *doctor) look(ctx context.Context) {
	for _, look := range d.looks() {
		if ctx.Err() != nil {
			return
		}
		lookCtx, cancel := context.WithTimeout(ctx, lookTime)
		look(lookCtx)
		cancel()
		d.told()
	}
}

// doctorReport is what was looked at.
type doctorReport struct {
	At       time.Time `json:"at"`
	Findings int       `json:"findings"`
	Checks   []check   `json:"checks"`

	cut bool // interrupted: what is not in Checks was not looked at
}

func (p *parts) doctor(ctx context.Context, o doctorOptions, out *cli.Printer) error {
	d := p.newDoctor(o)
	if o.api != "" {
		if _, err := upstream.ParseBaseURL(o.api, false); err != nil {
			return cli.Usagef("--api-url: %w", err)
		}
	}
	if o.deep {
		if err := out.Agree(o.yes || p.stack.Sandbox != "", "This makes a real ticket on each desk, assigns it to real agents and deletes it."); err != nil {
			return err
		}
	}
	bar := out.Progress(len(d.looks()), "looking")
	d.told = bar.Add
	d.look(ctx)
	bar.Clear()
	switch {
	case !o.deep:
	case len(d.findings()) > 0:
		d.skip("deep", "mend the findings first")
	default:
		d.drillDesks(ctx, out.Note)
	}
	r := &doctorReport{At: d.now().UTC(), Checks: d.checks, Findings: len(d.findings())}
	r.cut = ctx.Err() != nil
	if err := out.Result(r, r.print); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.Findings > 0 {
		return cli.Foundf("%s", cli.Count(r.Findings, "finding"))
	}
	return nil
}

func (r *doctorReport) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		word := c.State
		if c.State == checkFinding {
			word = "WRONG"
		}
		took := ""
		if c.Took > 0 {
			took = fmt.Sprintf(" (%.1f s)", c.Took)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", word, c.ID, c.Detail+took)
		if c.Do != "" {
			fmt.Fprintf(t, "\t\t→ %s\n", c.Do)
		}
	}
	_ = t.Flush()
	switch {
	case r.Findings > 0:
		fmt.Fprintln(w, cli.Count(r.Findings, "finding"))
	case !r.cut:
		fmt.Fprintln(w, "all is well")
	}
}
