package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/converge"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/zendesklink"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// sleep is how the desks' commands wait; tests do not.
var sleep = upstream.Sleep

// deskCall is how long one call to a desk may take. An operator waits longer
// than a function.
const deskCall = 15 * time.Second

// zendeskDesk is the Zendesk account of a stack, as its admin.
type zendeskDesk struct {
	client      *zendesk.Client
	credentials string // the secret's id
	events      string // the id of the secret of what proves events
	endpoint    string // where the stack takes events
	tasks       bool   // tasks stand in agents' calendars
	sandbox     bool
}

// apiFlag adds --api-url.
func apiFlag(cmd *cobra.Command, url *string) {
	cmd.Flags().StringVar(url, "api-url", "", "address of the stack's HTTP API, where --stack or --local does not tell it; the output ApiUrl, or your own domain's")
}

// zendesk makes the admin's client of the stack's account. It makes no call.
func (s *stack) zendesk(scope, apiURL string) (*zendeskDesk, error) {
	var env struct {
		config.Zendesk
		config.ZendeskAdmin
		config.ZendeskEvents
		config.Cronofy
	}
	if err := s.load(&env); err != nil {
		return nil, err
	}
	if env.Zendesk.BaseURL == "" {
		return nil, fmt.Errorf("this stack has no Zendesk: ZENDESK_BASE_URL is empty")
	}
	if apiURL == "" {
		apiURL = s.API
	}
	if apiURL == "" {
		return nil, cli.Usagef("where is the stack's HTTP API? Say --api-url, or name the stack with --stack")
	}
	base, err := upstream.ParseBaseURL(apiURL, false)
	if err != nil {
		return nil, cli.Usagef("--api-url: %w", err)
	}
	d := &zendeskDesk{
		credentials: env.ZendeskAdmin.Secret, events: env.ZendeskEvents.Secret,
		endpoint: strings.TrimSuffix(base.String(), "/") + "/zendesk/events", tasks: env.Cronofy.BaseURL != "", sandbox: s.Sandbox != "",
	}
	d.client, err = bootzendesk.Scoped(s.patient(), config.Zendesk{BaseURL: env.Zendesk.BaseURL, Secret: d.credentials}, scope)
	return d, err
}

// explain says what a refusal means and what to do about it.
func (d *zendeskDesk) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case upstream.CredentialsRefused(err), upstream.HasCode(err, "invalid_scope"):
		return fmt.Errorf("%w\nZendesk refuses the credentials of secret %s, or their OAuth client may not have this scope: it must be a confidential client (docs/zendesk.md)", err, d.credentials)
	case zendesk.NotAllowed(err):
		return fmt.Errorf("%w\nThe user of secret %s may not do this: it must be an admin. Or name the secret of one in ZendeskAdminSecret (docs/zendesk.md)", err, d.credentials)
	}
	return err
}

// linkOptions are the flags that zendesk's subcommands share.
type linkOptions struct {
	place  place
	out    cli.Printer
	apiURL string
	dry    bool
}

func (o *linkOptions) flags(cmd *cobra.Command, writes bool) {
	o.place.flags(cmd)
	o.out.Flags(cmd)
	apiFlag(cmd, &o.apiURL)
	if writes {
		cmd.Flags().BoolVar(&o.dry, "dry-run", false, "only say what would be done")
	}
}

// link opens the stack and connects it with its account.
func (o *linkOptions) link(ctx context.Context) (*zendeskDesk, *zendesklink.Link, error) {
	s, err := o.place.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	d, err := s.zendesk(zendesk.AdminScope, o.apiURL)
	if err != nil {
		return nil, nil, err
	}
	return d, &zendesklink.Link{
		Account:  d.client,
		Secret:   &zendesklink.Secret{API: secretsmanager.NewFromConfig(s.AWS), ID: d.events},
		Endpoint: d.endpoint, Tasks: d.tasks, Now: time.Now, Wait: o.wait,
		Did: func(step string) { o.out.Note("%s", step) },
	}, nil
}

// wait waits with a progress bar. A time that has passed is no wait.
func (o *linkOptions) wait(ctx context.Context, d time.Duration, what string) error {
	if d <= 0 {
		return ctx.Err()
	}
	o.out.Note("waiting %s: %s", d.Round(time.Second), what)
	bar := o.out.Progress(int((d+time.Second-1)/time.Second), what)
	defer bar.Clear()
	for ; d > 0; d -= time.Second {
		if err := sleep(ctx, min(d, time.Second)); err != nil {
			return err
		}
		bar.Add()
	}
	return nil
}

func zendeskCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "zendesk",
		Short: "Connect the stack with its Zendesk account",
		Long: `Connects the stack with its Zendesk account, so that a changed ticket is told of
within seconds: by a webhook of Zendesk's ticket events, or by triggers. The
commands know their own things by name, "caseroom" and the API's address, and
touch nothing else; several stacks may share an account.

They sign in with the secret of ZENDESK_ADMIN_SECRET (else of ZENDESK_SECRET),
whose user must be an admin.`,
	}
	cmd.AddCommand(zendeskUpCommand(), zendeskStatusCommand(), zendeskDownCommand(), zendeskRotateCommand())
	return cmd
}

// linkReport is what up, down and rotate did.
type linkReport struct {
	Endpoint string   `json:"endpoint"`
	Name     string   `json:"name"`
	DryRun   bool     `json:"dryRun"`
	Changed  bool     `json:"changed"`
	Steps    []string `json:"steps"` // what was done, or would be
	Error    string   `json:"error,omitempty"`
}

// report prints what was done and returns the command's end. What was done
// before it failed makes it half-way.
func (o *linkOptions) report(d *zendeskDesk, l *zendesklink.Link, steps []string, nothing string, err error) error {
	r := linkReport{Endpoint: l.Endpoint, Name: l.Name(), DryRun: o.dry, Changed: len(steps) > 0 && !o.dry, Steps: steps}
	if r.Steps == nil {
		r.Steps = []string{}
	}
	if err != nil {
		err = d.explain(err)
		r.Error = err.Error()
		if len(steps) > 0 && !errors.Is(err, context.Canceled) {
			err = cli.Partlyf("%w\nRun the command again: it goes on where this ended", err)
		}
	}
	if perr := o.out.Result(r, func(w io.Writer) {
		switch {
		case err != nil:
		case o.dry && len(steps) > 0:
			fmt.Fprintf(w, "%s: would\n", r.Name)
			for _, s := range steps {
				fmt.Fprintf(w, "  %s\n", s)
			}
		case len(steps) == 0:
			fmt.Fprintf(w, "%s: %s\n", r.Name, nothing)
		default:
			fmt.Fprintf(w, "%s: done, %s\n", r.Name, cli.Count(len(steps), "step"))
		}
	}); perr != nil {
		return perr
	}
	return err
}

func zendeskUpCommand() *cobra.Command {
	var o linkOptions
	var by string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make or repair the webhook and its secret, and triggers if they are the way",
		Long: `Makes what the account needs to tell this stack of changed tickets, or repairs it:
a webhook to <API>/zendesk/events, its signing secret in the stack's secret of
events (ZENDESK_EVENTS_SECRET; made if it does not exist, other values stay), and

  --by events    the webhook's subscription to Zendesk's ticket events (the
                 default). Everything is told of, deletions and merges too, and of
                 every ticket of the account: those that are not caseroom's are
                 answered within milliseconds and go no further.
  --by triggers  a trigger category and two triggers for tickets with the tag
                 "` + zendesklink.Tag + `". For accounts whose other tickets are many. Deletions
                 and merges are left to the five-minute reconcile.

Without --by it keeps the way there is. The other way's parts are removed. A
second run changes nothing.`,
		Example: `  caseroom zendesk up --local
  caseroom zendesk up --stack caseroom --dry-run
  caseroom zendesk up --stack caseroom --by triggers`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if by != "" && by != string(zendesklink.Events) && by != string(zendesklink.Triggers) {
				return cli.Usagef("--by is events or triggers, not %q", by)
			}
			d, l, err := o.link(ctx)
			if err != nil {
				return err
			}
			way := zendesklink.Way(by)
			if way == "" {
				s, err := l.Observe(ctx)
				if err != nil {
					return d.explain(err)
				}
				if way = s.Way(); way == "" {
					way = zendesklink.Events
				}
			}
			steps, err := l.Up(ctx, way, o.dry)
			return o.report(d, l, steps, "already connected by "+string(way)+", nothing to do", err)
		},
	}
	o.flags(cmd, true)
	cmd.Flags().StringVar(&by, "by", "", "events or triggers (default: the way there is, else events)")
	return cmd
}

func zendeskDownCommand() *cobra.Command {
	var o linkOptions
	var yes bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove everything that up made",
		Long: `Removes this stack's triggers, their category, the webhook, and its signing secret
in Secrets Manager. The account is then as it was before "up". Tickets, rooms and
other stacks' webhooks stay; changes are found by the five-minute reconcile alone.`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, l, err := o.link(cmd.Context())
			if err != nil {
				return err
			}
			if !o.dry {
				if err := o.out.Agree(yes, "This ends Zendesk's notifications to "+l.Endpoint+"."); err != nil {
					return err
				}
			}
			steps, err := l.Down(cmd.Context(), o.dry)
			return o.report(d, l, steps, "nothing of it is there", err)
		},
	}
	o.flags(cmd, true)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func zendeskRotateCommand() *cobra.Command {
	var o linkOptions
	var wait, drain time.Duration
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the webhook and its signing secret, losing no event",
		Long: `Replaces the webhook's signing secret by replacing the webhook: Zendesk's own reset
kills the old secret at once, and with it whatever is on its way.

A second webhook is made, switched off; its secret is put beside the old one;
--wait passes, after which every function has read it (they keep a secret for five
minutes); the new webhook takes over; --drain passes, in which Zendesk sends again
what failed; the old secret and the old webhook go. Interrupt it when you like and
run it again: it goes on where it was. A change during the overlap may be told of
twice, which does no harm.`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait < 0 || drain < 0 {
				return cli.Usagef("--wait and --drain must not be negative")
			}
			d, l, err := o.link(cmd.Context())
			if err != nil {
				return err
			}
			steps, err := l.Rotate(cmd.Context(), wait, drain, o.dry)
			return o.report(d, l, steps, "nothing to do", err)
		},
	}
	o.flags(cmd, true)
	cmd.Flags().DurationVar(&wait, "wait", 6*time.Minute, "how long after the new secret was written its webhook begins to send")
	cmd.Flags().DurationVar(&drain, "drain", 5*time.Minute, "how long after the old webhook ended its secret stays")
	return cmd
}

// linkStatus is what status finds.
type linkStatus struct {
	Endpoint   string               `json:"endpoint"`
	Name       string               `json:"name"`
	Way        zendesklink.Way      `json:"way"`              // "": up has not connected it
	Teller     string               `json:"teller,omitempty"` // id of the webhook that tells the stack
	Webhooks   []webhookView        `json:"webhooks"`
	Triggers   []string             `json:"triggers"`
	Others     []webhookView        `json:"others"` // webhooks to this stack that are not up's
	Deliveries []zendesk.Invocation `json:"deliveries"`
	Test       int                  `json:"test,omitempty"` // the answer to the test event
	Strays     int                  `json:"straySecrets"`
	Problems   []converge.Problem   `json:"problems"`
}

type webhookView struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Created time.Time `json:"created"`
}

func viewWebhooks(list []zendesk.Webhook) []webhookView {
	views := []webhookView{}
	for _, h := range list {
		views = append(views, webhookView{h.ID, h.Name, h.Status, h.CreatedAt})
	}
	return views
}

// maxDeliveries is how many deliveries are shown.
const maxDeliveries = 10

func zendeskStatusCommand() *cobra.Command {
	var o linkOptions
	var test bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how the account is connected and what is wrong with it",
		Long: `Tells how the account tells this stack of changes, what is not as it should be and
what to do about it, and what became of the latest deliveries. Exit code 3 when
something is wrong.

With --test Zendesk sends one signed event about a ticket that is nobody's; a
stack that is right answers 200 and does nothing.`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			d, l, err := o.link(ctx)
			if err != nil {
				return err
			}
			s, err := l.Observe(ctx)
			if err != nil {
				return d.explain(err)
			}
			st := linkStatus{
				Endpoint: l.Endpoint, Name: l.Name(), Way: s.Way(), Webhooks: viewWebhooks(s.Webhooks), Others: viewWebhooks(s.Others),
				Triggers: []string{}, Deliveries: []zendesk.Invocation{}, Strays: s.Strays(), Problems: l.Problems(s),
			}
			if hook := s.Teller(); hook != nil {
				st.Teller = hook.ID
			}
			for _, t := range s.Triggers {
				st.Triggers = append(st.Triggers, t.Title)
			}
			recent, err := l.Recent(ctx, s)
			if err != nil {
				return d.explain(err)
			}
			st.Problems = append(st.Problems, zendesklink.Judge(recent)...)
			st.Deliveries = append(st.Deliveries, recent[:min(len(recent), maxDeliveries)]...)
			if test {
				status, problems, err := l.Test(ctx, s)
				if err != nil {
					return d.explain(err)
				}
				st.Test, st.Problems = status, append(st.Problems, problems...)
			}
			if st.Problems == nil {
				st.Problems = []converge.Problem{}
			}
			return o.out.Verdict(st, st.print, len(st.Problems))
		},
	}
	o.flags(cmd, false)
	cmd.Flags().BoolVar(&test, "test", false, "have Zendesk send a test event")
	return cmd
}

func (st linkStatus) print(w io.Writer) {
	way := "not connected"
	switch {
	case st.Way != "":
		way = "by " + string(st.Way)
	case st.Teller != "":
		way = "by webhook " + st.Teller + ", which caseroom zendesk up did not make"
	}
	fmt.Fprintf(w, "%s: %s\nto %s\n", st.Name, way, st.Endpoint)
	for _, h := range st.Webhooks {
		fmt.Fprintf(w, "webhook %s, %s, made %s\n", h.ID, h.Status, h.Created.UTC().Format("2006-01-02 15:04Z"))
	}
	for _, t := range st.Triggers {
		fmt.Fprintf(w, "trigger %s\n", t)
	}
	for _, h := range st.Others {
		fmt.Fprintf(w, "note: webhook %s, %q, %s, posts here too and is not caseroom's to change\n", h.ID, h.Name, h.Status)
	}
	if st.Strays > 0 {
		fmt.Fprintf(w, "note: the stack accepts %s that no webhook to it has in this account\n", cli.Count(st.Strays, "signing secret"))
	}
	switch {
	case st.Teller == "":
	case len(st.Deliveries) == 0:
		fmt.Fprintln(w, "no delivery yet")
	default:
		failed := 0
		for _, d := range st.Deliveries {
			if d.StatusCode/100 != 2 {
				failed++
			}
		}
		fmt.Fprintf(w, "%s: %d failed; the latest %s, %d %s\n", lately(len(st.Deliveries)), failed,
			st.Deliveries[0].CompletedAt.UTC().Format("2006-01-02 15:04:05Z"), st.Deliveries[0].StatusCode, http.StatusText(st.Deliveries[0].StatusCode))
	}
	if st.Test != 0 {
		fmt.Fprintf(w, "test event: answered with %d\n", st.Test)
	}
	printProblems(w, st.Problems)
}

// lately names so many deliveries.
func lately(n int) string {
	if n == 1 {
		return "last delivery"
	}
	return fmt.Sprintf("last %d deliveries", n)
}

// printProblems prints what is wrong, each with what to do.
func printProblems(w io.Writer, problems []converge.Problem) {
	for _, p := range problems {
		fmt.Fprintf(w, "\nwrong: %s\n   do: %s\n", p.What, p.Do)
	}
	if len(problems) == 0 {
		fmt.Fprintln(w, "all is well")
	}
}
