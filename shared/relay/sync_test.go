package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream"
)

func TestSyncOpen(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		_, first := b.agent(desk, 0)
		_, second := b.agent(desk, 1)

		b.converge(ref) // nobody's yet
		b.wantMembers(ref, "carol")
		b.wantSaid(ref, "an agent will join")
		g := b.group(ref)
		if !g.HistoryBeforeJoin || g.InviteJoinOption != "DisableInvite" || g.Name != ref.NeutralName() {
			t.Errorf("the room is %+v", g)
		}

		b.assign(ref, 0)
		b.converge(ref)
		b.wantMembers(ref, "carol", first)
		b.assign(ref, 1) // another agent
		b.box.ResetCalls()
		b.converge(ref)
		b.wantMembers(ref, "carol", second)
		ops := b.ops()
		if add, del := slices.Index(ops, "tencent add_group_member"), slices.Index(ops, "tencent delete_group_member"); add < 0 || del < add {
			t.Errorf("removed before added: %v", ops)
		}
		b.assign(ref, -1) // back to the queue
		b.converge(ref)
		b.wantMembers(ref, "carol")
		b.wantSaid(ref, "an agent will join", "Alex Agent has joined", "Billie Agent has joined", "an agent will join")
		b.wantNamed(ref, "", "Alex Agent", "Billie Agent", "")
		b.wantMuted(ref, false)

		b.box.ResetCalls()
		b.converge(ref) // nothing changed: two reads and no write
		if ops := b.ops(); len(ops) != 2 {
			t.Errorf("a Sync of a room that is right made %v", ops)
		}
	})
}

func TestSyncExactMembership(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.converge(ref)
		_, agent := b.agent(desk, 0)

		// Somebody got in by an admin's hand, and the customer left.
		ctx := context.Background()
		b.ok(b.rooms.Import(ctx, relay.Account{UserID: "mallory"}))
		_, err := b.rooms.Join(ctx, ref.GroupID(), relay.Account{UserID: "mallory"})
		b.ok(err)
		b.ok(b.box.QuitAs("carol", ref.GroupID()))
		b.ok(b.box.QuitAs(agent, ref.GroupID()))
		b.converge(ref)
		b.wantMembers(ref, "carol", agent)
	})
}

func TestSyncOwnUserIsNoAgent(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	z, s := b.open(relay.Zendesk, "carol", "One"), b.open(relay.Salesforce, "carol", "Two")
	b.ok(b.box.Zendesk().Assign(b.number(z), b.box.Fixtures().Zendesk.OwnUserID))
	b.ok(b.box.Salesforce().SetOwner(s.Ticket, b.box.Fixtures().Salesforce.OwnUserID))
	b.converge(z)
	b.converge(s)
	b.wantMembers(z, "carol")
	b.wantMembers(s, "carol")

	for name, active := range map[string]bool{"Partner": true, "Gone": false} {
		kind := "Standard"
		if active {
			kind = "PowerPartner"
		}
		b.ok(b.box.Salesforce().SetOwner(s.Ticket, b.box.Salesforce().AddUser(name, kind, active)))
		b.converge(s)
		b.wantMembers(s, "carol")
	}
}

func TestSyncOmniChannel(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Salesforce, "carol", "Two")
	org, agents := b.box.Salesforce(), b.box.Fixtures().Salesforce.AgentIDs
	work, err := org.AddAgentWork(ref.Ticket, agents[0])
	b.ok(err)
	b.ok(org.SetAgentWork(work, "Opened"))
	b.ok(org.SetOwner(ref.Ticket, agents[1]))
	b.converge(ref)
	b.wantMembers(ref, "carol", "sf_"+agents[1])
	b.sf.Omni = true
	b.converge(ref)
	b.wantMembers(ref, "carol", "sf_"+agents[0], "sf_"+agents[1])
	b.ok(org.SetAgentWork(work, "Closed"))
	b.converge(ref)
	b.wantMembers(ref, "carol", "sf_"+agents[1])
}

func TestSyncEnd(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.converge(ref)
		_, agent := b.agent(desk, 0)
		b.say("carol", ref, "it burns")
		b.say(agent, ref, "since when?\ncarol: never")
		b.end(ref)
		b.box.ResetCalls()
		b.converge(ref)
		b.wantMembers(ref, "carol")
		b.wantMuted(ref, true)
		b.wantSaid(ref, "Alex Agent has joined", "has been solved")
		ops := b.ops()
		mute := slices.Index(ops, "tencent modify_group_base_info")
		note := slices.IndexFunc(ops, func(op string) bool {
			return strings.HasSuffix(op, "tickets_update") || strings.HasSuffix(op, "upsert")
		})
		out := slices.Index(ops, "tencent delete_group_member")
		if mute < 0 || out < mute || note < out {
			t.Errorf("mute, remove, file: %v", ops)
		}
		if err := b.box.SendAs("carol", ref.GroupID(), "hello?"); err == nil {
			t.Error("the customer may still write")
		}
		if _, err := b.box.ClientMessages("carol", ref.GroupID()); err != nil {
			t.Errorf("the customer cannot read: %v", err)
		}
		filed := b.filed(ref)
		if len(filed) != 1 {
			t.Fatalf("filed %d transcripts: %q", len(filed), filed)
		}
		for _, want := range []string{ref.GroupID() + "@", ":1-4", "customer carol: it burns", agent + ": since when?\n    carol: never", "caseroom: Alex Agent", "has been solved"} {
			if !strings.Contains(filed[0], want) {
				t.Errorf("%q is not in %s", want, filed[0])
			}
		}
		b.box.ResetCalls()
		b.converge(ref)
		if ops := b.ops(); len(ops) != 2 {
			t.Errorf("a second Sync made %v", ops)
		}

		b.reopen(ref)
		b.converge(ref)
		b.wantMembers(ref, "carol", agent)
		b.wantMuted(ref, false)
		b.say("carol", ref, "it burns again")
		b.end(ref)
		b.converge(ref)
		if filed := b.filed(ref); len(filed) != 2 || !strings.Contains(filed[1], ":5-7") || strings.Contains(filed[1], "since when") {
			t.Errorf("filed %q", filed)
		}
		if n := len(b.archived(ref)); n != 0 {
			t.Errorf("archived %d", n)
		}
	})
}

func TestSyncSolvedOpen(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	b.sync.Table.SolvedOpen = true
	z, s := b.open(relay.Zendesk, "carol", "One"), b.open(relay.Salesforce, "carol", "Two")
	for _, ref := range []relay.Ref{z, s} {
		b.assign(ref, 0)
		b.converge(ref)
		b.say("carol", ref, "hi")
		b.end(ref)
		b.converge(ref)
	}
	_, agent := b.agent(relay.Zendesk, 0)
	b.wantMuted(z, false)
	b.wantMembers(z, "carol", agent)
	b.wantSaid(z, "has joined", "just write here")
	if len(b.filed(z)) != 1 {
		t.Error("the solved ticket has no transcript")
	}
	b.say("carol", z, "thanks")
	b.wantMuted(s, true) // closed is closed
	b.ok(b.box.Zendesk().Close(b.number(z)))
	b.converge(z)
	b.wantMuted(z, true)
	b.wantMembers(z, "carol")
	b.wantSaid(z, "has joined", "just write here") // it ended once
	if a := b.archived(z); len(a) != 1 || !strings.Contains(a[0], "thanks") {
		t.Errorf("archived %q", a)
	}
}

func TestSyncCalls(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		b.sync.Table.Calls = true
		ref := b.open(desk, "carol", "Printer")
		_, first := b.agent(desk, 0)
		_, second := b.agent(desk, 1)
		b.assign(ref, 0)
		b.converge(ref)
		b.wantMembers(ref, "carol")
		b.wantSaid(ref, "an agent will join")
		ctx := context.Background()
		_, err := b.rooms.Join(ctx, ref.GroupID(), relay.Account{UserID: second})
		b.ok(err)
		_, err = b.rooms.Join(ctx, ref.GroupID(), relay.Account{UserID: "mallory"})
		b.ok(err)
		b.converge(ref)
		b.wantMembers(ref, "carol", second)
		b.wantSaid(ref, "an agent will join", "An agent has joined")
		_ = first
		b.end(ref)
		b.converge(ref)
		b.wantMembers(ref, "carol", second)
		b.wantMuted(ref, true)
	})
}

func TestSyncRawAgents(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		b.sync.Table.Rules = identity.Rules{RawAgents: true}
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		id, prefixed := b.agent(desk, 0)
		_, err := b.rooms.Join(context.Background(), ref.GroupID(), relay.Account{UserID: prefixed})
		b.ok(err)
		b.converge(ref)
		b.wantMembers(ref, "carol", id)
	})
}

func TestSyncClosedGoesToTheArchive(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.say("carol", ref, "it burns")
	b.ok(b.box.Zendesk().Close(b.number(ref)))
	b.converge(ref)
	b.wantMuted(ref, true)
	if n := len(b.filed(ref)); n != 0 {
		t.Errorf("%d notes on a closed ticket", n)
	}
	if a := b.archived(ref); len(a) != 1 || !strings.Contains(a[0], "it burns") || !strings.HasPrefix(a[0], "Chat transcript "+ref.GroupID()) {
		t.Errorf("archived %q", a)
	}
	b.converge(ref)
	if n := len(b.archived(ref)); n != 1 {
		t.Errorf("archived %d times", n)
	}
}

func TestSyncMerged(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		for name, other := range map[string]string{"the same customer's": "carol", "another's": "dave"} {
			loser, winner := b.open(desk, "carol", name), b.open(desk, other, name+" winner")
			b.assign(loser, 0)
			b.converge(loser)
			b.say("carol", loser, "hi")
			if desk == relay.Zendesk {
				b.ok(b.box.Zendesk().Merge(b.number(winner), b.number(loser)))
			} else {
				b.ok(b.box.Salesforce().Merge(winner.Ticket, loser.Ticket))
			}
			b.converge(loser)
			b.converge(winner)
			b.wantMuted(loser, true)
			b.wantMembers(loser, "carol")
			b.wantMembers(winner, other)
			pointed := strings.Contains(strings.Join(b.said(loser), "\n"), winner.Ticket)
			if pointed != (other == "carol") {
				t.Errorf("%s: notices %q", name, b.said(loser))
			}
			if len(b.archived(loser)) != 1 {
				t.Errorf("%s: archived %q", name, b.archived(loser))
			}
		}
	})
}

// lost is a desk that refuses to say where a merged ticket went.
type lost struct{ relay.TicketDesk }

func (lost) Survivor(context.Context, string) (string, error) {
	return "", &upstream.Error{Vendor: "zendesk", Op: "ticket_comments", Class: upstream.Refused, Status: http.StatusUnprocessableEntity}
}

// TestSyncMergedNobodyKnowsWhere files the transcript before the agents leave,
// though the notice cannot be written.
func TestSyncMergedNobodyKnowsWhere(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	loser, winner := b.open(relay.Zendesk, "carol", "One"), b.open(relay.Zendesk, "carol", "Two")
	b.assign(loser, 0)
	b.converge(loser)
	b.say("carol", loser, "it burns")
	b.ok(b.box.Zendesk().Merge(b.number(winner), b.number(loser)))
	b.sync.Desks[relay.Zendesk] = lost{b.zd}
	if err := b.run(item(loser))[0]; !relay.Permanent(err) {
		t.Errorf("%v", err)
	}
	if got := strings.Join(b.archived(loser), ""); !strings.Contains(got, "it burns") {
		t.Errorf("archived %q", got)
	}
	b.wantMuted(loser, true)
	b.wantMembers(loser, "carol")
}

func TestSyncDeleted(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.converge(ref)
		_, agent := b.agent(desk, 0)
		b.say("carol", ref, "hi")
		b.remove(ref)
		if desk == relay.Zendesk {
			// Zendesk's row is missing, which alone proves nothing.
			if err := b.run(item(ref))[0]; !errors.Is(err, relay.ErrUnreadable) || relay.Permanent(err) {
				t.Errorf("without a second sign: %v", err)
			}
			b.wantMembers(ref, "carol", agent)
			b.wantMuted(ref, false)
		}
		b.converge(ref, "deleted")
		b.wantMuted(ref, true)
		b.wantMembers(ref, "carol")
		if a := b.archived(ref); len(a) != 1 || !strings.Contains(a[0], "hi") {
			t.Errorf("archived %q", a)
		}

		b.undelete(ref)
		b.converge(ref, "deleted") // the hint is old; the ticket says it is there
		b.wantMuted(ref, false)
		b.wantMembers(ref, "carol", agent)
		b.say("carol", ref, "back")
		b.end(ref)
		b.converge(ref)
		if f := b.filed(ref); len(f) != 1 || !strings.Contains(f[0], "back") || strings.Contains(f[0], ": hi") {
			t.Errorf("filed %q", f)
		}
	})
}

func TestSyncUnreadable(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.remove(ref)
	old := relay.SyncItem{Hint: relay.Hint{Ref: ref}, Since: b.clock.Now().Add(-25 * time.Hour)}
	if err := b.run(old)[0]; !errors.Is(err, relay.ErrUnreadable) {
		t.Errorf("%v", err)
	}
	if b.meter.Of("TicketUnreadable") != 1 {
		t.Error("a day of it is not counted")
	}
	// Without a room there is nothing to come back for.
	hidden := relay.SyncItem{Hint: relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "4711"}}}
	if err := b.run(hidden)[0]; !errors.Is(err, relay.ErrUnreadable) {
		t.Errorf("a ticket that may show up: %v", err)
	}
	hidden.Since = old.Since
	if err := b.run(hidden)[0]; err != nil || b.meter.Of("TicketUnreadable") != 2 {
		t.Errorf("a ticket that has not shown up for a day: %v", err)
	}
	// Anybody can make a group under any id; the chat's word for it is none.
	chat := relay.SyncItem{Hint: relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "4712"}, Chat: true}}
	b.ok(b.box.CreateGroupAs("eve", sandbox.ClientGroup{GroupID: chat.GroupID(), Type: "Public", Name: "n"}))
	if err := b.run(chat)[0]; err != nil || b.meter.Of("TicketHidden") != 3 {
		t.Errorf("a group without a ticket: %v, %d hidden", err, b.meter.Of("TicketHidden"))
	}
	if err := b.run(relay.SyncItem{Hint: relay.Hint{Ref: ref, Chat: true}})[0]; !errors.Is(err, relay.ErrUnreadable) {
		t.Errorf("a room of ours whose ticket is hidden: %v", err)
	}
	// A deletion that the ticket read alone does not confirm.
	b.ok(b.box.AddFault(sandbox.Fault{Vendor: "zendesk", Op: "tickets_show", Kind: sandbox.FaultStatus, Status: 403}))
	err := b.run(item(ref, "deleted"))[0]
	if err == nil || relay.Permanent(err) {
		t.Errorf("a forbidden ticket: %v", err)
	}
	b.wantMuted(ref, false)
}

func TestSyncNotOurs(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	id, err := b.box.Zendesk().Create("theirs", "x", b.box.Fixtures().Zendesk.AgentIDs[0], "caseroom")
	b.ok(err)
	caseID, err := b.box.Salesforce().CreateCase("theirs", "")
	b.ok(err)
	for _, ref := range []relay.Ref{{Desk: relay.Zendesk, Ticket: fmt.Sprint(id)}, {Desk: relay.Salesforce, Ticket: caseID}} {
		b.ok(b.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: ref.GroupID(), Type: "Public", Name: "mine"}))
		b.converge(ref)
		b.wantMembers(ref, "mallory")
	}
}

func TestSyncSquat(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.converge(ref)
		_, agent := b.agent(desk, 0)
		mark := b.group(ref).Introduction
		b.ok(b.rooms.Destroy(context.Background(), ref.GroupID()))
		b.ok(b.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: ref.GroupID(), Type: "Public", Name: "mine", Introduction: mark, ApplyJoinOption: "DisableApply"}))
		b.converge(ref)
		b.wantMembers(ref, "carol", agent)
		b.wantSaid(ref, "has joined")
		if b.group(ref).Owner != "" || b.meter.Of("RoomSquatted") != 1 {
			t.Errorf("owner %q, counted %d", b.group(ref).Owner, b.meter.Of("RoomSquatted"))
		}
	})
}

func TestSyncForeignRoom(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.ok(b.rooms.Change(context.Background(), ref.GroupID(), relay.RoomChange{Mark: relay.Mark{Desk: relay.DeskHash("other.zendesk.com")}}))
	if err := b.run(relay.SyncItem{Hint: relay.Hint{Ref: ref, Chat: true}})[0]; err != nil {
		t.Errorf("what the chat says of another stack's room: %v", err)
	}
	err := b.run(item(ref))[0]
	if !errors.Is(err, relay.ErrForeignRoom) || !relay.Permanent(err) {
		t.Errorf("%v", err)
	}
}

func TestSyncMissingAndBrokenRooms(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.converge(ref)
		_, agent := b.agent(desk, 0)
		b.ok(b.rooms.Destroy(context.Background(), ref.GroupID()))
		b.converge(ref) // an open ticket's room comes back
		b.wantMembers(ref, "carol", agent)

		b.ok(b.rooms.Client.ModifyGroup(context.Background(), ref.GroupID(), renamed))
		b.converge(ref)
		if g := b.group(ref); g.Name != ref.NeutralName() || g.InviteJoinOption != "DisableInvite" {
			t.Errorf("not repaired: %q, %q", g.Name, g.InviteJoinOption)
		}
		b.end(ref)
		b.converge(ref)
		b.ok(b.rooms.Destroy(context.Background(), ref.GroupID()))
		b.converge(ref) // an ended one's does not
		if _, there := b.box.Group(ref.GroupID()); there {
			t.Error("a dissolved room came back")
		}
	})
}

func TestSyncModeratedName(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{ForbiddenWords: []string{"bomb", "Alex"}})
	b.create.SubjectNames, b.sync.Table.SubjectNames = true, true
	ref := b.open(relay.Zendesk, "carol", "bath bomb")
	b.assign(ref, 0)
	b.converge(ref)
	b.wantSaid(ref, "An agent has joined")
	b.wantNamed(ref, "")
	b.box.ResetCalls()
	b.converge(ref)
	if ops := b.ops(); b.group(ref).Name != ref.NeutralName() || len(ops) != 2 {
		t.Errorf("name %q, then %v", b.group(ref).Name, ops)
	}
}

// Any user of the app can look a room up by its id, which can be guessed.
func TestSyncRoomNames(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		neutral := b.open(desk, "carol", "My secret")
		if name := b.group(neutral).Name; name != neutral.NeutralName() {
			t.Errorf("a new room is named %q", name)
		}
		// A room of the version before keeps its name until it is written anyway.
		rename := tencentim.GroupChange{Name: "My secret"}
		b.converge(neutral)
		b.ok(b.rooms.Client.ModifyGroup(t.Context(), neutral.GroupID(), rename))
		b.box.ResetCalls()
		b.converge(neutral)
		if ops := b.ops(); slices.Contains(ops, "tencent modify_group_base_info") {
			t.Errorf("a name alone costs a call: %v", ops)
		}
		b.assign(neutral, 0)
		b.converge(neutral)
		if name := b.group(neutral).Name; name != neutral.NeutralName() {
			t.Errorf("an old room is named %q", name)
		}

		b.create.SubjectNames, b.sync.Table.SubjectNames = true, true
		named := b.open(desk, "dana", "Printer")
		b.converge(named)
		if name := b.group(named).Name; name != "Printer" {
			t.Errorf("with ROOM_NAMES=subject the room is named %q", name)
		}
	})
}

func TestSyncDuplicates(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	older := b.open(relay.Zendesk, "carol", "Printer")
	b.clock.Add(3 * time.Hour) // Zendesk has forgotten the key
	newer := b.open(relay.Zendesk, "carol", "Printer")
	if newer == older {
		t.Fatal("there is one ticket")
	}
	b.converge(newer)
	z := b.box.Zendesk()
	row, err := z.Ticket(b.number(newer))
	b.ok(err)
	if row.Status != "solved" || !slices.Contains(row.Tags, "caseroom_duplicate") || !slices.Contains(row.Tags, "caseroom") {
		t.Errorf("the newer is %s, %v", row.Status, row.Tags)
	}
	b.wantMuted(newer, true)
	b.converge(older)
	b.wantMuted(older, false)
	if row, err := z.Ticket(b.number(older)); err != nil || row.Status != "new" {
		t.Errorf("the older is %s, %v", row.Status, err)
	}
	b.reopen(newer) // an agent's wish
	b.converge(newer)
	b.wantMuted(newer, false)
}

// A ticket that carries the external id of a closed one is not its duplicate.
func TestSyncFollowUp(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	older := b.open(relay.Zendesk, "carol", "Printer")
	z := b.box.Zendesk()
	b.ok(z.Close(b.number(older)))
	b.clock.Add(3 * time.Hour) // Zendesk has forgotten the key
	newer := b.open(relay.Zendesk, "carol", "Printer")
	if newer == older {
		t.Fatal("there is one ticket")
	}
	b.converge(newer)
	if row, err := z.Ticket(b.number(newer)); err != nil || row.Status != "new" {
		t.Errorf("the follow-up is %s, %v", row.Status, err)
	}
	b.wantMuted(newer, false)
}

func TestSyncBatchReads(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	var items []relay.SyncItem
	for i := range 5 {
		for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
			ref := b.open(desk, fmt.Sprintf("carol%d", i), "Printer")
			items = append(items, item(ref))
		}
	}
	for _, err := range b.run(items...) {
		b.ok(err)
	}
	for _, it := range items {
		b.assign(relay.Ref{Desk: it.Desk, Ticket: it.Ticket}, 0)
	}
	b.run(items...)
	for _, it := range items {
		b.assign(relay.Ref{Desk: it.Desk, Ticket: it.Ticket}, 1)
	}
	b.box.ResetCalls()
	for i, err := range b.run(items...) {
		b.ok(err)
		ref := relay.Ref{Desk: items[i].Desk, Ticket: items[i].Ticket}
		_, agent := b.agent(ref.Desk, 1)
		b.wantMembers(ref, fmt.Sprintf("carol%d", i/2), agent)
	}
	reads := map[string]int{}
	for _, op := range b.ops() {
		if strings.Contains(op, "query") || strings.Contains(op, "show_many") || strings.Contains(op, "get_") {
			reads[op]++
		}
	}
	// The other query of Salesforce is about an owner who was not seen before.
	want := map[string]int{"zendesk tickets_show_many": 1, "salesforce query_all": 1, "salesforce query": 1, "tencent get_group_info": 2}
	if fmt.Sprint(reads) != fmt.Sprint(want) {
		t.Errorf("reads %v, want %v", reads, want)
	}
}

func TestSyncGreetsInTheCustomersLanguage(t *testing.T) {
	t.Parallel()
	a := relay.Texts{Language: "ru", Table: map[string]map[string]string{"en": {"waiting": "Hold on."}, "pt": {"waiting": "Um momento."}}}
	for locale, want := range map[string]string{"en-US": "Hold on.", "ja": "お問い合わせ", "zh-CN": "我们", "ru_RU": "Спасибо", "pt-BR": "Um momento", "fi": "Спасибо", "": "Спасибо"} {
		if got := a.Waiting(locale); !strings.Contains(got, want) {
			t.Errorf("%q: %q", locale, got)
		}
	}
	for language, table := range relay.DefaultTexts {
		for kind := range relay.DefaultTexts["en"] {
			if table[kind] == "" {
				t.Errorf("%s has no text %q", language, kind)
			}
		}
	}
}

// A room whose notices are refused, by the app's own callback say, still loses
// whoever has no right to be in it.
func TestSyncRefusedNoticeKeepsNobodyIn(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		_, second := b.agent(desk, 1)
		b.assign(ref, 0)
		b.converge(ref)
		b.assign(ref, 1)
		b.ok(b.box.AddFault(sandbox.Fault{Vendor: "tencent", Op: "send_group_msg", Kind: sandbox.FaultCode, Code: "10016", Times: 1}))
		err := b.run(item(ref))[0]
		if !relay.Permanent(err) {
			t.Errorf("a refused notice: %v", err)
		}
		b.wantMembers(ref, "carol", second)

		b.say("carol", ref, "thank you")
		b.end(ref)
		b.ok(b.box.AddFault(sandbox.Fault{Vendor: "tencent", Op: "send_group_msg", Kind: sandbox.FaultCode, Code: "10016", Times: 1}))
		err = b.run(item(ref))[0]
		if !relay.Permanent(err) {
			t.Errorf("a refused notice: %v", err)
		}
		if filed := strings.Join(b.filed(ref), ""); !strings.Contains(filed, "thank you") {
			t.Errorf("filed %q", filed)
		}
		b.wantMembers(ref, "carol")
	})
}

// stubbornDesk refuses to settle duplicates.
type stubbornDesk struct {
	relay.TicketDesk
}

func (stubbornDesk) Unique(context.Context, relay.Ticket) (bool, error) {
	return false, &upstream.Error{Vendor: "zendesk", Op: "tickets_update", Class: upstream.Refused, Status: 422}
}

// A duplicate that cannot be settled costs the ticket nothing.
func TestSyncDuplicateNotSettled(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	b.sync.Desks[relay.Zendesk] = stubbornDesk{b.zd}
	ref := b.open(relay.Zendesk, "carol", "Printer")
	_, agent := b.agent(relay.Zendesk, 0)
	b.assign(ref, 0)
	b.converge(ref)
	b.wantMembers(ref, "carol", agent)
	if n := b.meter.Of("DuplicateUnsolved"); n != 1 {
		t.Errorf("DuplicateUnsolved is %d, want 1", n)
	}
}

// An agent's panel reads the earlier messages once, when the agent has joined.
func TestSyncOpensHistoryBeforeTheFirstAgent(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.box.ResetCalls()
		b.converge(ref)
		ops := b.ops()
		opened, joined := slices.Index(ops, "tencent modify_group_base_info"), slices.Index(ops, "tencent add_group_member")
		if opened < 0 || joined < opened {
			t.Errorf("calls %v, want the history opened before the agent joins", ops)
		}
	})
}

// An account that the chat refuses keeps nobody else out.
func TestSyncRefusedAccountKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.ok(b.rooms.Remove(t.Context(), ref.GroupID(), "carol"))
	_, agent := b.agent(relay.Zendesk, 0)
	b.assign(ref, 0)
	b.sync.Rooms = choosyRooms{b.sync.Rooms, "carol"}
	if err := b.run(relay.SyncItem{Hint: relay.Hint{Ref: ref}})[0]; err == nil {
		t.Error("the refusal is lost")
	}
	b.wantMembers(ref, agent)
}

// choosyRooms refuse one account.
type choosyRooms struct {
	relay.SyncRooms
	refused string
}

func (r choosyRooms) Import(ctx context.Context, accounts ...relay.Account) error {
	for _, a := range accounts {
		if a.UserID == r.refused {
			return &upstream.Error{Vendor: "tencent", Op: "account_import", Class: upstream.Refused, Code: "70402"}
		}
	}
	return r.SyncRooms.Import(ctx, accounts...)
}
