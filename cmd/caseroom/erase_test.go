package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// solve solves a Zendesk ticket and waits until its room is locked.
func (o *operator) solve(groupID string) {
	o.Helper()
	id, err := strconv.ParseInt(strings.TrimPrefix(groupID, "ZENDESK#"), 10, 64)
	o.must(err)
	row, err := o.parts.zendesk.ShowTicket(o.Context(), id)
	o.must(err)
	_, err = o.parts.zendesk.UpdateTicket(o.Context(), id, zendesk.TicketUpdate{Status: "solved", Stamp: row.UpdatedAt})
	o.must(err)
	o.eventually(groupID+" is locked", func() bool { return o.group(groupID).MuteAllMember })
}

// group is a group as the chat holds it.
func (o *operator) group(id string) sandbox.TencentGroup {
	o.Helper()
	for _, g := range o.state().Tencent.Groups {
		if g.GroupID == id {
			return g
		}
	}
	return sandbox.TencentGroup{}
}

func (o *operator) account(id string) (a sandbox.TencentAccount, there bool) {
	o.Helper()
	list := o.state().Tencent.Accounts
	i := slices.IndexFunc(list, func(a sandbox.TencentAccount) bool { return a.UserID == id })
	if i < 0 {
		return a, false
	}
	return list[i], true
}

func TestErase(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	ended, open := o.ready.Rooms.ZendeskDelete, o.ready.Rooms.Zendesk
	o.solve(ended)
	o.must(o.parts.chat.CreateGroup(t.Context(), tencentim.NewGroup{
		GroupID: "friends", Type: "Public", Name: "Friends", MemberList: []tencentim.Member{{UserID: "dana"}},
	}))
	o.must(o.parts.rooms.Import(t.Context(), accountOf("dana"))) // as versions that wrote names did
	if r := o.want(0, "erase", "nobody_here"); !strings.Contains(r.out, "does not know nobody_here") {
		t.Errorf("somebody unknown: %s", r.out)
	}
	o.want(2, "erase", "administrator")
	o.want(2, "erase", "auth0|dana")

	plan := o.want(0, "erase", "--dry-run", "--sub", "dana")
	for _, want := range []string{ended + "  ", "would be dissolved", "stays: the ticket is open", "not caseroom's"} {
		if !strings.Contains(plan.out, want) {
			t.Errorf("no %q in\n%s", want, plan.out)
		}
	}
	if r := o.runIn(t.Context(), "yes\n", "erase", "dana", "--local", "--local-file", o.file); r.code != 1 || !strings.Contains(r.err, "nothing was done") {
		t.Errorf("a wrong word: %d %s", r.code, r.err)
	}
	if a, _ := o.account("dana"); a.Nick == "" || !slices.Contains(o.members(ended), "dana") {
		t.Error("something was erased without a word")
	}

	r := o.runIn(t.Context(), "dana\n", "erase", "dana", "--account", "--local", "--local-file", o.file)
	if r.code != 4 || !strings.Contains(r.err, "the account stays") {
		t.Errorf("with open tickets: code %d\n%s%s", r.code, r.out, r.err)
	}
	if g := o.group(ended); g.GroupID != "" {
		t.Errorf("the room of an ended ticket: %+v", g)
	}
	if !slices.Contains(o.members(open), "dana") || !slices.Contains(o.members("friends"), "dana") {
		t.Error("taken out of a room that stays")
	}
	if a, there := o.account("dana"); !there || a.Nick != "" || a.Kicked.IsZero() {
		t.Errorf("the account: %+v", a)
	}

	o.solve(open)
	for _, c := range []string{o.ready.Rooms.Salesforce, o.ready.Rooms.SalesforceDelete} {
		o.closeCase(c)
	}
	report := decode[eraseReport](o, o.want(0, "erase", "dana", "--account", "--yes", "--json"))
	if !report.Deleted || len(report.Tickets) != 3 {
		t.Errorf("report %+v", report.Report)
	}
	if _, there := o.account("dana"); there {
		t.Error("the account is there")
	}
	if r := o.want(0, "erase", "dana", "--yes"); !strings.Contains(r.out, "does not know dana") {
		t.Errorf("once more: %s", r.out)
	}
}

func TestEraseAgent(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	who := o.parts.agentID("zendesk", strconv.FormatInt(o.agents()[0], 10))
	room := o.ready.Rooms.Zendesk
	_, err := o.parts.rooms.Join(t.Context(), room, accountOf(who))
	o.must(err)
	report := decode[eraseReport](o, o.want(0, "erase", who, "--yes", "--json"))
	if len(report.Rooms) != 1 || report.Rooms[0].Plan != "leave" || !report.Rooms[0].Done || slices.Contains(o.members(room), who) {
		t.Errorf("report %+v", report.Rooms)
	}
}
