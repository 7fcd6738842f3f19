package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/relay"
)

func syncCommand() *cobra.Command {
	var at place
	var out cli.Printer
	var o syncOptions
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Have tickets looked at again, by name or by when they changed",
		Long: `Queues tickets for the sync function, which reads them again and sets their rooms
right.

With --ticket it queues those tickets. With --since it asks the desks what has
changed since then, compares that with the rooms, and queues what differs: what
the reconcile function does every five minutes.

--dry-run queues nothing and says what differs, and for --ticket what Sync would
do about it. It exits with 3 when something does.`,
		Example: `  caseroom sync --stack caseroom --ticket 1001 --ticket 500Hs00001ABCDE
  caseroom sync --stack caseroom --since 2h --desk zendesk --dry-run
  caseroom sync --stack caseroom --since 2026-11-20T08:00:00Z --until 2026-11-20T12:00:00Z`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case len(o.tickets) == 0 && o.since == "":
				return cli.Usagef("which tickets? Say --ticket or --since")
			case len(o.tickets) > 0 && (o.since != "" || o.until != ""):
				return cli.Usagef("--ticket and --since are two ways to say which; use one")
			}
			p, err := at.parts(cmd.Context())
			if err != nil {
				return err
			}
			if len(o.tickets) > 0 {
				return p.syncTickets(cmd.Context(), o, &out)
			}
			return p.syncSince(cmd.Context(), o, &out)
		},
	}
	at.flags(cmd)
	out.Flags(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.tickets, "ticket", nil, "a group id, desk:id or a desk's id; repeatable")
	f.StringVar(&o.since, "since", "", "a duration back from now, such as 2h, or a time, such as 2026-11-20T08:00:00Z")
	f.StringVar(&o.until, "until", "", "the end of the window, as --since (default a minute ago: desks do not show the last)")
	f.StringVar(&o.desk, "desk", "", "zendesk or salesforce; with --since both if empty")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what differs and queue nothing")
	return cmd
}

type syncOptions struct {
	tickets      []string
	since, until string
	desk         string
	dryRun       bool
}

// queuedReport is what sync --ticket did.
type queuedReport struct {
	DryRun  bool      `json:"dryRun"`
	Queued  int       `json:"queued"`
	Tickets []verdict `json:"tickets,omitempty"` // of a dry run
}

func (p *parts) syncTickets(ctx context.Context, o syncOptions, out *cli.Printer) error {
	var refs []relay.Ref
	for _, t := range o.tickets {
		ref, err := p.ticket(t, o.desk)
		if err != nil {
			return err
		}
		if !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	if o.dryRun {
		r := queuedReport{DryRun: true, Tickets: p.rehearse(ctx, refs)}
		if err := out.Result(r, func(w io.Writer) { printVerdicts(w, r.Tickets) }); err != nil {
			return err
		}
		if slices.ContainsFunc(r.Tickets, func(v verdict) bool { return len(v.Steps) > 0 || v.Error != "" }) {
			return cli.Foundf("not every room is what its ticket says")
		}
		return nil
	}
	q, err := p.queue()
	if err != nil {
		return err
	}
	hints := make([]relay.Hint, len(refs))
	for i, ref := range refs {
		hints[i] = relay.Hint{Ref: ref}
	}
	if err := q.SendAll(ctx, hints...); err != nil {
		return err
	}
	return out.Result(queuedReport{Queued: len(hints)}, func(w io.Writer) { fmt.Fprintf(w, "%s queued\n", cli.Count(len(hints), "ticket")) })
}

func printVerdicts(w io.Writer, list []verdict) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range list {
		name := v.Group
		for _, s := range v.Steps {
			fmt.Fprintf(t, "%s\t%s\n", name, s)
			name = ""
		}
		switch {
		case v.Error != "":
			fmt.Fprintf(t, "%s\tSync fails: %s\n", name, v.Error)
		case len(v.Steps) == 0:
			fmt.Fprintf(t, "%s\tis right\n", name)
		}
	}
	_ = t.Flush()
}

// windowReport is what a window of a desk held.
type windowReport struct {
	Desk      relay.DeskName `json:"desk"`
	From      time.Time      `json:"from"`
	Until     time.Time      `json:"until"`
	Listed    int            `json:"listed"` // tickets that changed, anybody's
	Ours      int            `json:"ours"`
	Differing int            `json:"differing"`
	Queued    int            `json:"queued"`
	Missed    int            `json:"missed"` // a notification should have brought them
	Tickets   []differing    `json:"tickets"`
	Error     string         `json:"error,omitempty"`
}

type differing struct {
	Ticket  string             `json:"ticket"`
	Why     []relay.Difference `json:"why"`
	Changed time.Time          `json:"changed"`
}

func (p *parts) syncSince(ctx context.Context, o syncOptions, out *cli.Printer) error {
	now := time.Now().UTC()
	from, err := moment(o.since, now)
	if err != nil {
		return cli.Usagef("--since: %w", err)
	}
	until := now.Add(-relay.WindowUntil)
	if o.until != "" {
		if until, err = moment(o.until, now); err != nil {
			return cli.Usagef("--until: %w", err)
		}
		until = minTime(until, now.Add(-relay.WindowUntil))
	}
	if !from.Before(until) {
		return cli.Usagef("the window is empty: it ends at %s, a minute ago at the latest", until.Format(time.RFC3339))
	}
	names := p.deskNames()
	if o.desk != "" {
		if _, err := p.desk(o.desk); err != nil {
			return err
		}
		names = []string{o.desk}
	}
	var hints relay.HintQueue
	if !o.dryRun {
		if hints, err = p.bulk(); err != nil {
			return err
		}
	}
	var reports []windowReport
	for _, name := range names {
		r := p.window(ctx, relay.Window{Desk: relay.DeskName(name), From: from, Until: until, DryRun: o.dryRun}, hints, out)
		reports = append(reports, r)
	}
	if err := out.Result(map[string]any{"dryRun": o.dryRun, "windows": reports}, func(w io.Writer) { printWindows(w, reports, o.dryRun) }); err != nil {
		return err
	}
	var failed []string
	differ := 0
	for _, r := range reports {
		differ += r.Differing
		if r.Error != "" {
			failed = append(failed, fmt.Sprintf("%s: %s", r.Desk, r.Error))
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(failed) > 0:
		return cli.Partlyf("%s; what was queued stays queued, run it again for the rest", strings.Join(failed, "; "))
	case o.dryRun && differ > 0:
		return cli.Foundf("%s not what the ticket says", cli.Count(differ, "room"))
	}
	return nil
}

// window looks through one desk's window. A failure stands in the report beside
// what was done before it.
func (p *parts) window(ctx context.Context, w relay.Window, hints relay.HintQueue, out *cli.Printer) windowReport {
	report := windowReport{Desk: w.Desk, From: w.From, Until: w.Until, Tickets: []differing{}}
	bar := out.Progress(0, string(w.Desk))
	defer bar.Clear()
	r := p.process.Reconcile(boot.Table(p.Following), p.found.Changes(), p.rooms, hints)
	r.Each = func(f relay.Found) {
		report.Tickets = append(report.Tickets, differing{f.Ref.Ticket, f.Why, f.Changed.UTC()})
	}
	r.Progress = func(r relay.ReconcileReport) { bar.Set(r.Listed) }
	done, err := r.Run(ctx, w)
	report.Listed, report.Ours, report.Differing = done.Listed, done.Ours, done.Differing
	report.Queued, report.Missed = done.Queued, done.Repaired
	if err != nil {
		report.Error = err.Error()
	}
	return report
}

func printWindows(w io.Writer, list []windowReport, dryRun bool) {
	for _, r := range list {
		fmt.Fprintf(w, "%s from %s until %s: %d changed, %d of them ours, rooms that differ: %d", r.Desk,
			r.From.Format(time.RFC3339), r.Until.Format(time.RFC3339), r.Listed, r.Ours, r.Differing)
		if !dryRun {
			fmt.Fprintf(w, ", %d queued", r.Queued)
		}
		fmt.Fprintln(w)
		if r.Missed > 0 {
			fmt.Fprintf(w, "  of %d the notification should have come by now\n", r.Missed)
		}
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, d := range r.Tickets {
			var why []string
			for _, x := range d.Why {
				why = append(why, strings.ReplaceAll(string(x), "_", " "))
			}
			fmt.Fprintf(t, "  %s\t%s\n", d.Ticket, strings.Join(why, ", "))
		}
		_ = t.Flush()
		if r.Error != "" {
			fmt.Fprintf(w, "  failed: %s\n", r.Error)
		}
	}
}

// moment reads a duration back from now, or a time.
func moment(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a duration, such as 90m, nor a time, such as 2026-11-20T08:00:00Z", s)
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
