package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

func sweepCommand() *cobra.Command {
	var at place
	var out cli.Printer
	var here, dryRun bool
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Have all rooms looked at, from their side",
		Long: `Starts the sweep that runs daily: every room of the app page by page. It queues
what differs from its ticket and what is about to age out of the chat's history,
and destroys the rooms that have been locked for DISSOLVE_AFTER and whose
transcripts are complete.

The sweep function does it, and logs each page. --here does it in this process,
with a report; --dry-run also here, and it only reports.`,
		Example: `  caseroom sweep --stack caseroom
  caseroom sweep --stack caseroom --dry-run
  caseroom sweep --local --here --json`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := at.parts(cmd.Context())
			if err != nil {
				return err
			}
			if !here && !dryRun {
				return p.startSweep(cmd.Context(), &out)
			}
			return p.sweep(cmd.Context(), dryRun, &out)
		},
	}
	at.flags(cmd)
	out.Flags(cmd)
	cmd.Flags().BoolVar(&here, "here", false, "sweep in this process instead of the function")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "report what would be done, here, and do nothing")
	return cmd
}

// startSweep sends what the schedule sends every day.
func (p *parts) startSweep(ctx context.Context, out *cli.Printer) error {
	if p.Pages.URL == "" {
		return fmt.Errorf("SWEEP_QUEUE_URL is not set: the stack has no queue of sweeps; --here does without")
	}
	at := time.Now().UTC().Truncate(time.Second)
	body, err := json.Marshal(map[string]time.Time{"sweep": at})
	if err != nil {
		return err
	}
	if _, err := p.sqs.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &p.Pages.URL, MessageBody: aws.String(string(body)),
		MessageGroupId: aws.String("start"), MessageDeduplicationId: aws.String(boot.NewID()),
	}); err != nil {
		return fmt.Errorf("the queue of sweeps: %w", awsenv.Told(err))
	}
	return out.Result(map[string]any{"queued": true, "sweep": at}, func(w io.Writer) {
		fmt.Fprintln(w, "queued; the log of the sweep function tells of each page")
	})
}

// sweepReport is what a sweep found and did.
type sweepReport struct {
	DryRun    bool        `json:"dryRun"`
	Rooms     int         `json:"rooms"`   // of ours
	Tickets   int         `json:"tickets"` // open ones
	Foreign   int         `json:"foreign"` // rooms of other stacks, left alone
	Queued    int         `json:"queued"`
	Filed     int         `json:"filed"` // of them queued for their history's sake
	Dissolved int         `json:"dissolved"`
	Failed    int         `json:"failed"`
	Done      []sweptRoom `json:"done"`
}

type sweptRoom struct {
	Group  string             `json:"groupId"`
	Action relay.SweepAction  `json:"action"`
	Why    []relay.Difference `json:"why,omitempty"`
	Error  string             `json:"error,omitempty"`
}

func (p *parts) sweep(ctx context.Context, dryRun bool, out *cli.Printer) error {
	r := &sweepReport{DryRun: dryRun, Done: []sweptRoom{}}
	var hints relay.HintQueue
	if !dryRun {
		q, err := p.bulk()
		if err != nil {
			return err
		}
		hints = q
	}
	s := p.process.Sweep(p.Lifecycle, boot.Table(p.Following), p.found.Swept(), p.rooms, hints)
	s.Each = func(x relay.Swept) {
		room := sweptRoom{Group: x.Ref.GroupID(), Action: x.Action, Why: x.Why}
		if x.Err != nil {
			room.Error = x.Err.Error()
		}
		r.Done = append(r.Done, room)
	}
	bar := out.Progress(0, "rooms and open tickets")
	var failure error
	for _, page := range s.Start(dryRun) {
		for next := &page; next != nil && failure == nil; {
			done, err := p.sweepPage(ctx, s, *next)
			r.Rooms += done.Rooms
			r.Tickets += done.Tickets
			r.Foreign += done.Foreign
			r.Queued += done.Queued
			r.Filed += done.Filed
			r.Dissolved += done.Dissolved
			r.Failed += done.Failed
			bar.Set(r.Rooms + r.Tickets)
			if err != nil {
				failure = fmt.Errorf("the list of %s: %w", next.List, err)
			}
			next = done.Next
		}
	}
	bar.Clear()
	if err := out.Result(r, r.print); err != nil {
		return err
	}
	switch {
	case failure != nil && ctx.Err() != nil:
		return ctx.Err()
	case failure != nil:
		return cli.Partlyf("%w; what was done stays done, run it again for the rest", failure)
	case r.Failed > 0:
		return cli.Partlyf("%s could not be looked at or destroyed; run it again", cli.Count(r.Failed, "room"))
	}
	return nil
}

// pageTries bounds how often a page is tried that the chat is too busy for.
const pageTries = 5

// sweepPage works off a page, and again when the vendor says "too fast": the
// list of all groups may be asked for once a second.
func (p *parts) sweepPage(ctx context.Context, s *relay.Sweep, page relay.SweepPage) (relay.SweepReport, error) {
	for try := 1; ; try++ {
		done, err := s.Run(ctx, page)
		if err == nil || try == pageTries || upstream.ClassOf(err) != upstream.RateLimited {
			return done, err
		}
		if upstream.Sleep(ctx, time.Second) != nil {
			return done, err
		}
	}
}

func (r *sweepReport) print(w io.Writer) {
	verbs := map[relay.SweepAction]string{
		relay.SweepQueued: "queued", relay.SweepFiled: "queued to be filed", relay.SweepDissolved: "dissolved", relay.SweepFailed: "failed",
	}
	if r.DryRun {
		verbs[relay.SweepQueued], verbs[relay.SweepFiled] = "would be queued", "would be queued to be filed"
		verbs[relay.SweepDissolved] = "would be dissolved"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range r.Done {
		var why []string
		for _, d := range x.Why {
			why = append(why, strings.ReplaceAll(string(d), "_", " "))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", x.Group, verbs[x.Action], strings.TrimSpace(strings.Join(why, ", ")+" "+x.Error))
	}
	_ = t.Flush()
	fmt.Fprintf(w, "%s and %s: %d %s, %d %s, %d failed; %s of other installations left alone\n", cli.Count(r.Rooms, "room"), cli.Count(r.Tickets, "open ticket"),
		r.Queued, verbs[relay.SweepQueued], r.Dissolved, verbs[relay.SweepDissolved], r.Failed, cli.Count(r.Foreign, "room"))
}
