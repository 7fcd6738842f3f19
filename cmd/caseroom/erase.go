package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/erasure"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/tencentim"
)

func eraseCommand() *cobra.Command {
	var at place
	var out cli.Printer
	var o eraseOptions
	cmd := &cobra.Command{
		Use:   "erase <user>",
		Short: "Take a person out of the chat: rooms, memberships, profile",
		Long: `Finds every room that a person is in and

  - dissolves the rooms of their own tickets that have ended, transcripts filed first,
  - takes them out of everybody else's,
  - empties their profile and ends their logins,
  - with --account, deletes the account itself.

Rooms of tickets that are still open stay: Sync would make them again. End those
tickets, or unassign the agent, and run it again (exit code 4).

The desk keeps the tickets, with the transcripts that are filed on them, and the
archive bucket what no ticket could take. Erase those by the desk's own means;
the report names the tickets.

A paid plan refuses a deleted account's id for three months: whoever comes back
with the same login cannot chat before. Leave --account out to let them.

<user> is the IM user id, as room show prints it, or with --sub the login's sub.`,
		Example: `  caseroom erase --stack caseroom --dry-run dana
  caseroom erase --stack caseroom --sub 'auth0|5f7c8ec7c33c6c004bbafe82'
  caseroom erase --local --account --yes dana`,
		Args: cli.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.user = args[0]
			p, err := at.parts(cmd.Context())
			if err != nil {
				return err
			}
			return p.erase(cmd.Context(), o, &out)
		},
	}
	at.flags(cmd)
	out.Flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.sub, "sub", false, "<user> is the sub of a login token, not an IM user id")
	f.StringVar(&o.issuer, "issuer", "", "the token's issuer, for --sub (default the stack's LOGIN_ISSUER)")
	f.BoolVar(&o.account, "account", false, "delete the account itself; paid plans refuse its id for three months")
	f.BoolVar(&o.dryRun, "dry-run", false, "tell what would be erased and erase nothing")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	return cmd
}

type eraseOptions struct {
	user, issuer         string
	sub                  bool
	account, dryRun, yes bool
}

// eraseReport is the report with how it was asked for.
type eraseReport struct {
	*erasure.Report
	DryRun  bool   `json:"dryRun"`
	Archive string `json:"archive,omitempty"` // bucket that may hold transcripts of theirs
	account bool
	error   string
}

func (p *parts) erase(ctx context.Context, o eraseOptions, out *cli.Printer) error {
	user, err := p.eraseUser(ctx, o)
	if err != nil {
		return err
	}
	dissolve := p.process.Dissolve(p.desks, p.rooms, p.archive)
	e := &erasure.Erasure{
		Chat: p.chat, Rooms: p.rooms, Desks: p.desks, AgentID: p.agentID, Dissolve: dissolve.Run,
	}
	found, err := e.Look(ctx, user)
	if err != nil {
		return err
	}
	r := &eraseReport{Report: found, DryRun: o.dryRun, Archive: p.TranscriptBucket, account: o.account}
	if o.dryRun || !found.Account {
		return out.Result(r, r.print)
	}
	if !o.yes {
		r.DryRun = true
		r.print(out.Stderr())
		r.DryRun = false
		if err := out.Confirm(user); err != nil {
			return err
		}
	}
	bar := out.Progress(len(found.Rooms), "rooms")
	err = e.Carry(ctx, found, o.account, bar.Add)
	bar.Clear()
	if err != nil {
		r.error = err.Error()
	}
	if perr := out.Result(r, r.print); perr != nil {
		return perr
	}
	stay := len(slices.DeleteFunc(slices.Clone(found.Rooms), func(r erasure.Room) bool { return !r.Stays() }))
	switch {
	case err != nil:
		return cli.Partlyf("%w; run it again for the rest", err)
	case stay > 0:
		return cli.Partlyf("%s not done with; see why, then run it again", cli.Count(stay, "room"))
	}
	return nil
}

// imUserID is what the chat takes for an account's id.
var imUserID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// eraseUser returns the IM user id of the person to erase. The app's admins are
// nobody to erase: every call of caseroom is signed in their name.
func (p *parts) eraseUser(ctx context.Context, o eraseOptions) (string, error) {
	user := o.user
	if o.sub {
		var login config.Login
		if err := p.stack.load(&login); err != nil {
			return "", err
		}
		if o.issuer == "" {
			o.issuer = login.Issuer
		}
		app, err := secrets.For[tencentim.Credentials](p.secrets, p.Tencent.Secret).Load(ctx)
		if err != nil {
			return "", err
		}
		rules := boot.Rules(p.Identities)
		rules.AdminUserID = app.AdminUserID
		who, err := rules.EndUser(o.issuer, o.user)
		if err != nil {
			return "", cli.Usagef("--sub: the sub is empty")
		}
		user = who.ID()
	}
	app, err := secrets.For[tencentim.Credentials](p.secrets, p.Tencent.Secret).Load(ctx)
	if err != nil {
		return "", err
	}
	if user == app.AdminUserID || slices.Contains(p.ReservedUserIDs, user) {
		return "", cli.Usagef("%s is an admin of the app and nobody to erase", user)
	}
	if !imUserID.MatchString(user) {
		return "", cli.Usagef("%q is no IM user id; is it a login's sub? Then say --sub", o.user)
	}
	return user, nil
}

// The words for what becomes of a room: planned and done.
var fates = map[string][2]string{
	erasure.Dissolve: {"would be dissolved", "dissolved"},
	erasure.Leave:    {"would lose them", "left"},
	erasure.Open:     {"stays: the ticket is open, end it first", "stays: the ticket is open, end it first"},
	erasure.Assigned: {"stays: the ticket is theirs to work on, unassign it first", "stays: the ticket is theirs to work on, unassign it first"},
	erasure.Unknown:  {"stays: the desk does not show the ticket", "stays: the desk does not show the ticket"},
	erasure.Foreign:  {"not caseroom's: left alone", "not caseroom's: left alone"},
}

func (r *eraseReport) print(w io.Writer) {
	if !r.Account {
		fmt.Fprintf(w, "the chat does not know %s; nothing is left of them there\n", r.User)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, room := range r.Rooms {
		fate := fates[room.Plan][0]
		switch {
		case room.Error != "":
			fate = "failed: " + room.Error
		case !r.DryRun:
			fate = fates[room.Plan][1]
		}
		fmt.Fprintf(t, "%s\t%s\n", room.Group, fate)
	}
	_ = t.Flush()
	switch {
	case r.DryRun && r.account:
		fmt.Fprintf(w, "the profile of %s would be emptied and the account deleted: paid plans refuse the id for three months\n", r.User)
	case r.DryRun:
		fmt.Fprintf(w, "the profile of %s would be emptied and the logins ended; the account would stay\n", r.User)
	case r.Deleted:
		fmt.Fprintf(w, "the account %s is deleted; paid plans refuse the id for three months\n", r.User)
	case r.Profile:
		fmt.Fprintf(w, "the profile of %s is empty and the logins are ended; the account stays\n", r.User)
	}
	if r.error != "" {
		fmt.Fprintln(w, r.error)
	}
	if len(r.Tickets) > 0 {
		fmt.Fprintf(w, "left to the desk's own erasure, with the transcripts on them: %s\n", strings.Join(r.Tickets, ", "))
		if r.Archive != "" {
			fmt.Fprintf(w, "transcripts that no ticket could take are below transcripts/<desk>/<ticket>/ in the bucket %s\n", r.Archive)
		}
	}
}
