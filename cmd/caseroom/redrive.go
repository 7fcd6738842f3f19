package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/deadletters"
)

func redriveCommand() *cobra.Command {
	var at place
	var out cli.Printer
	var o redriveOptions
	cmd := &cobra.Command{
		Use:   "redrive",
		Short: "Give dead letters another try",
		Long: `Moves dead letters back to the queue that they died in. Mend the cause first, or
they die again: --dry-run lists the letters and the reasons that they died of.

A letter is a hint that a ticket may have changed, or a window of time to look
through. One that is delivered twice, late or in another order does no harm.`,
		Example: `  caseroom redrive --stack caseroom --dry-run
  caseroom redrive --stack caseroom --reason 'belongs to another stack'
  caseroom redrive --local --queue sync`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := at.parts(cmd.Context())
			if err != nil {
				return err
			}
			report, err := p.redrive(cmd.Context(), o, &out)
			if report != nil {
				if perr := out.Result(report, report.print); perr != nil {
					return perr
				}
			}
			if err != nil && report != nil && report.Moved > 0 {
				return cli.Partlyf("%w; what was moved is in its queue, run it again for the rest", err)
			}
			return err
		},
	}
	at.flags(cmd)
	out.Flags(cmd)
	cmd.Flags().StringVar(&o.queue, "queue", "", "only the dead letters of sync, bulk, file, reconcile, sweep or calendar; of all if empty")
	cmd.Flags().StringVar(&o.reason, "reason", "", "only those whose reason contains this")
	cmd.Flags().StringVar(&o.ticket, "ticket", "", "only those of this ticket, such as zendesk:123")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "list the letters and move nothing")
	return cmd
}

type redriveOptions struct {
	queue, reason, ticket string
	dryRun                bool
}

// redriveReport is what there was and what became of it.
type redriveReport struct {
	DryRun  bool                 `json:"dryRun"`
	Moved   int                  `json:"moved"`
	Kept    int                  `json:"kept"`   // they are not of those that were asked for
	Hidden  int                  `json:"hidden"` // behind others of their ticket, or held by another walk
	Reasons []reasonCount        `json:"reasons"`
	Letters []deadletters.Letter `json:"letters"` // those asked for
}

type reasonCount struct {
	Queue  string    `json:"queue"`
	Reason string    `json:"reason"`
	Count  int       `json:"count"`
	Oldest time.Time `json:"oldest"`
}

// queues are the stack's queues with their dead-letter queues.
func (p *parts) queues(ctx context.Context) ([]deadletters.Queue, error) {
	var list []deadletters.Queue
	for _, q := range p.queueURLs() {
		found, err := deadletters.Find(ctx, p.sqs, q.name, q.url)
		if err != nil {
			return nil, err
		}
		list = append(list, found)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("SYNC_QUEUE_URL is not set: the stack has no queue of tickets")
	}
	return list, nil
}

type namedQueue struct{ name, url string }

func (p *parts) queueURLs() []namedQueue {
	all := []namedQueue{{"sync", p.Queue.URL}, {"bulk", p.BulkQueue.URL}, {"file", p.FileQueue.URL}, {"reconcile", p.Windows.URL}, {"sweep", p.Pages.URL}, {"calendar", p.CalendarQueue.URL}}
	return slices.DeleteFunc(all, func(q namedQueue) bool { return q.url == "" })
}

func (p *parts) redrive(ctx context.Context, o redriveOptions, out *cli.Printer) (*redriveReport, error) {
	var group string
	if o.ticket != "" {
		ref, err := p.ticket(o.ticket, "")
		if err != nil {
			return nil, err
		}
		group = string(ref.Desk) + ":" + ref.Ticket
	}
	queues, err := p.queues(ctx)
	if err != nil {
		return nil, err
	}
	if o.queue != "" {
		all := queues
		queues = slices.DeleteFunc(slices.Clone(all), func(q deadletters.Queue) bool { return q.Name != o.queue })
		if len(queues) == 0 {
			var names []string
			for _, q := range all {
				names = append(names, q.Name)
			}
			return nil, cli.Usagef("there is no queue %q, only %s", o.queue, strings.Join(names, ", "))
		}
	}
	r := &redriveReport{DryRun: o.dryRun, Reasons: []reasonCount{}, Letters: []deadletters.Letter{}}
	for _, q := range queues {
		state, err := q.State(ctx, p.sqs)
		if err != nil {
			return r, err
		}
		bar := out.Progress(state.Dead, q.Name)
		seen := 0
		moved, err := q.Walk(ctx, p.sqs, func(l deadletters.Letter) bool {
			seen++
			bar.Add()
			if (group != "" && l.Group != group) || !strings.Contains(l.Reason, o.reason) {
				r.Kept++
				return false
			}
			r.add(l)
			return !o.dryRun
		})
		bar.Clear()
		r.Moved += moved
		r.Hidden += max(0, state.Dead-seen)
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *redriveReport) add(l deadletters.Letter) {
	r.Letters = append(r.Letters, l)
	i := slices.IndexFunc(r.Reasons, func(c reasonCount) bool { return c.Queue == l.Queue && c.Reason == l.Reason })
	if i < 0 {
		r.Reasons = append(r.Reasons, reasonCount{Queue: l.Queue, Reason: l.Reason, Oldest: l.Died})
		i = len(r.Reasons) - 1
	}
	c := &r.Reasons[i]
	c.Count++
	if l.Died.Before(c.Oldest) {
		c.Oldest = l.Died
	}
}

func (r *redriveReport) print(w io.Writer) {
	slices.SortStableFunc(r.Reasons, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(b.Count, a.Count))
	})
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Reasons {
		fmt.Fprintf(t, "%s\t%d\tsince %s\t%s\n", c.Queue, c.Count, c.Oldest.Format(time.RFC3339), c.Reason)
	}
	_ = t.Flush()
	if r.DryRun {
		for _, l := range r.Letters {
			fmt.Fprintf(w, "  %s  %s\n", cmp.Or(l.Group, l.ID), l.Body)
		}
	}
	switch {
	case len(r.Letters) == 0 && r.Kept == 0 && r.Hidden == 0:
		fmt.Fprintln(w, "no dead letters")
	case r.DryRun:
		fmt.Fprintf(w, "%s would be moved, %d kept\n", cli.Count(len(r.Letters), "dead letter"), r.Kept)
	default:
		fmt.Fprintf(w, "%s moved, %d kept\n", cli.Count(r.Moved, "dead letter"), r.Kept)
	}
	if r.Hidden > 0 {
		fmt.Fprintf(w, "%d more are hidden behind them or in other hands; run it again in two minutes\n", r.Hidden)
	}
}
