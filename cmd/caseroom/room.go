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
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/relay"
)

func roomCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "room", Short: "Look at a ticket's room"}
	cmd.AddCommand(roomShowCommand())
	return cmd
}

func roomShowCommand() *cobra.Command {
	var at place
	var out cli.Printer
	var desk string
	cmd := &cobra.Command{
		Use:   "show <ticket>",
		Short: "Show a ticket, its room, and what Sync would do to it",
		Long: `Shows a ticket as its desk shows it, its room as the chat shows it, the parts of
its transcript, and what the next Sync would do. It changes nothing.

A ticket is named by its room's group id, by desk:id, or by the desk's own id.

It exits with 3 when the room is not what the ticket says it should be, or when
that cannot be known.`,
		Example: `  caseroom room show --local 1001
  caseroom room show --stack caseroom 'ZENDESK#1001'
  caseroom room show --stack caseroom salesforce:500Hs00001ABCDE --json`,
		Args: cli.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			p, err := at.parts(ctx)
			if err != nil {
				return err
			}
			ref, err := p.ticket(args[0], desk)
			if err != nil {
				return err
			}
			v, err := p.roomView(ctx, ref)
			if err != nil {
				return err
			}
			if err := out.Result(v, v.print); err != nil {
				return err
			}
			switch {
			case v.Sync.Error != "":
				return cli.Foundf("Sync cannot say what the room should be")
			case len(v.Sync.Steps) > 0:
				return cli.Foundf("the room is not what the ticket says: caseroom sync --ticket %s queues it", args[0])
			}
			return nil
		},
	}
	at.flags(cmd)
	out.Flags(cmd)
	cmd.Flags().StringVar(&desk, "desk", "", "zendesk or salesforce, which the ticket must be of")
	return cmd
}

// ticketView is a ticket as its desk shows it.
type ticketView struct {
	Desk     relay.DeskName `json:"desk"`
	ID       string         `json:"id"`
	Shown    bool           `json:"shown"` // false: the desk does not show it
	Ours     bool           `json:"ours"`
	Subject  string         `json:"subject,omitempty"`
	Status   string         `json:"status,omitempty"` // open, solved or closed
	Deleted  bool           `json:"deleted,omitempty"`
	Merged   bool           `json:"merged,omitempty"`
	Into     string         `json:"into,omitempty"` // of a merge, if the desk says so here
	Customer string         `json:"customer,omitempty"`
	Agents   []agentView    `json:"agents,omitempty"`
	Locale   string         `json:"locale,omitempty"`
}

type agentView struct {
	ID   string `json:"id"` // the desk's
	User string `json:"userId"`
	Name string `json:"name,omitempty"`
}

// memberView is a member and why they may be one: customer, agent (of this
// ticket), other agent, or stranger; just member where the desk does not show
// the ticket, for then nobody knows.
type memberView struct {
	User string `json:"userId"`
	Role string `json:"role"`
	Name string `json:"name,omitempty"`
}

type markView struct {
	Text      string     `json:"text"`
	Announced int        `json:"announced"`
	Filed     uint64     `json:"filedTo"`
	Locked    *time.Time `json:"lockedSince,omitempty"`
}

// roomView is a ticket and its room beside each other.
type roomView struct {
	Ticket  ticketView   `json:"ticket"`
	Group   string       `json:"groupId"`
	Whose   string       `json:"whose"` // none, ours, damaged, foreign or squatted
	Name    string       `json:"name,omitempty"`
	Created *time.Time   `json:"created,omitempty"`
	Muted   bool         `json:"muted"`
	LastSeq uint64       `json:"messages"` // sequence number of the newest
	Members []memberView `json:"members,omitempty"`
	Mark    *markView    `json:"mark,omitempty"`
	Parts   []string     `json:"transcript,omitempty"` // on the ticket
	Sync    verdict      `json:"sync"`
}

var whose = map[relay.Whose]string{
	relay.NoRoom: "none", relay.OurRoom: "ours", relay.ForeignRoom: "foreign", relay.SquattedRoom: "squatted",
	relay.OtherGroup: "squatted", relay.DamagedRoom: "damaged",
}

var statuses = map[relay.Status]string{relay.Open: "open", relay.Solved: "solved", relay.Closed: "closed"}

// roomView reads a ticket and its room, and rehearses Sync.
func (p *parts) roomView(ctx context.Context, ref relay.Ref) (*roomView, error) {
	desk, group := p.desks[ref.Desk], ref.GroupID()
	tickets, err := desk.Tickets(ctx, ref.Ticket)
	if err != nil {
		return nil, err
	}
	rooms, err := p.rooms.Read(ctx, relay.DeskHash(desk.Host()), group)
	if err != nil {
		return nil, err
	}
	t, shown := tickets[ref.Ticket]
	room := rooms[group]
	if room.Err != nil {
		return nil, room.Err
	}
	v := &roomView{
		Group: group, Whose: whose[room.Whose], Name: room.Name, Muted: room.Muted, LastSeq: room.LastSeq,
		Ticket: ticketView{Desk: ref.Desk, ID: ref.Ticket, Shown: shown, Ours: t.Ours},
	}
	if shown {
		v.Ticket.Subject, v.Ticket.Status, v.Ticket.Locale = t.Subject, statuses[t.Status], t.Locale
		v.Ticket.Deleted, v.Ticket.Merged, v.Ticket.Into = t.Deleted, t.Merged, t.Into
		v.Ticket.Customer = t.Customer.UserID
	}
	names := map[string]string{}
	for _, a := range t.Agents {
		id := p.agentID(ref.Desk, a.ID)
		names[id] = a.Name
		v.Ticket.Agents = append(v.Ticket.Agents, agentView{a.ID, id, a.Name})
	}
	for _, id := range room.Members {
		v.Members = append(v.Members, memberView{id, p.role(ref, t, shown, names, id), names[id]})
	}
	slices.SortFunc(v.Members, func(a, b memberView) int { return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.User, b.User)) })
	if room.Whose == relay.OurRoom {
		created := time.Unix(room.Created, 0).UTC()
		v.Created = &created
		v.Mark = &markView{Text: room.Mark.String(), Announced: room.Mark.Announced, Filed: room.Mark.Filed}
		if !room.Mark.Locked.IsZero() {
			v.Mark.Locked = &room.Mark.Locked
		}
	}
	if shown && !t.Deleted {
		// A ticket that takes nothing any more has no parts to show.
		v.Parts, _, _ = desk.Parts(ctx, ref.Ticket, group+"@", t.Stamp)
	}
	v.Sync = p.rehearse(ctx, []relay.Ref{ref})[0]
	return v, nil
}

// agentID is the IM user id of a desk's agent, "" for an id that is none.
func (p *parts) agentID(desk relay.DeskName, id string) string {
	rules := boot.Rules(p.Identities)
	if desk == relay.Zendesk {
		who, _ := rules.ZendeskAgent(id)
		return who.ID()
	}
	who, _ := rules.SalesforceAgent(id)
	return who.ID()
}

func (p *parts) role(ref relay.Ref, t relay.Ticket, shown bool, assigned map[string]string, userID string) string {
	if !shown {
		return "member"
	}
	if userID == t.Customer.UserID {
		return "customer"
	}
	if _, ok := assigned[userID]; ok {
		return "agent"
	}
	if p.agentID(ref.Desk, userID) != "" {
		return "other agent"
	}
	return "stranger"
}

func (v *roomView) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	v.printTicket(line)
	v.printRoom(line)
	v.printSync(line)
	_ = t.Flush()
}

// liner prints a line's name and text.
type liner func(name, format string, args ...any)

func (v *roomView) printTicket(line liner) {
	line("ticket", "%s %s", v.Ticket.Desk, v.Ticket.ID)
	switch {
	case !v.Ticket.Shown:
		line("", "the desk does not show it")
		return
	case !v.Ticket.Ours:
		line("", "caseroom did not make it; its room, if any, is left alone")
	}
	line("  subject", "%s", v.Ticket.Subject)
	state := v.Ticket.Status
	if v.Ticket.Deleted {
		state += ", deleted"
	}
	if v.Ticket.Merged {
		state += ", merged"
	}
	if v.Ticket.Into != "" {
		state += " into " + v.Ticket.Into
	}
	line("  status", "%s", state)
	line("  customer", "%s", cmp.Or(v.Ticket.Customer, "-"))
	var agents []string
	for _, a := range v.Ticket.Agents {
		agents = append(agents, a.User+" "+a.Name)
	}
	line("  agents", "%s", cmp.Or(strings.Join(agents, ", "), "nobody"))
}

func (v *roomView) printRoom(line liner) {
	line("room", "%s", v.Group)
	switch v.Whose {
	case "none":
		line("", "there is none")
	case "foreign":
		line("", "another installation on this chat app has it")
	case "squatted":
		line("", "somebody else's group has the id")
	case "damaged":
		line("", "its mark cannot be read")
	default:
		line("  name", "%s", v.Name)
		line("  made", "%s", v.Created.Format(time.RFC3339))
		state := "open"
		if v.Muted {
			state = "locked"
		}
		if v.Mark.Locked != nil {
			state += " since " + v.Mark.Locked.Format(time.RFC3339)
		}
		line("  state", "%s", state)
		line("  messages", "%d, filed to %d", v.LastSeq, v.Mark.Filed)
		line("  notices", "%d", v.Mark.Announced)
		line("  mark", "%s", v.Mark.Text)
		var members []string
		for _, m := range v.Members {
			members = append(members, strings.TrimSpace(fmt.Sprintf("%s (%s) %s", m.User, m.Role, m.Name)))
		}
		line.list("  members", members)
	}
	line.list("transcript", v.Parts)
}

func (v *roomView) printSync(line liner) {
	var steps []string
	for _, s := range v.Sync.Steps {
		steps = append(steps, s.String())
	}
	line.list("Sync would", steps)
	switch {
	case v.Sync.Error != "":
		line("Sync fails", "%s", v.Sync.Error)
	case len(v.Sync.Steps) == 0:
		line("Sync would", "do nothing: the room is right")
	}
}

// list prints a name once, and the texts below each other.
func (line liner) list(name string, texts []string) {
	for _, text := range texts {
		line(name, "%s", text)
		name = ""
	}
}
