package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/tencentim"
)

// edit does what somebody with the console's rights does to a room.
func (b *bed) edit(ref relay.Ref, change tencentim.GroupChange) {
	b.Helper()
	b.ok(b.rooms.Client.ModifyGroup(context.Background(), ref.GroupID(), change))
}

// A room whose introduction was edited in the console gets its mark back, and
// keeps every message; nothing is filed or told twice.
func TestSyncRestoresAMark(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.assign(ref, 0)
		b.converge(ref)
		b.say("carol", ref, "it burns")
		b.converge(ref, "file")
		b.say("carol", ref, "it smokes")
		made := b.group(ref).Created
		b.edit(ref, tencentim.GroupChange{Introduction: "Support chat", ApplyJoinOption: "FreeAccess"})
		b.converge(ref)
		g := b.group(ref)
		if mark, err := relay.ParseMark(g.Introduction); err != nil || mark.Announced != 1 || g.Created != made || g.ApplyJoinOption != "DisableApply" {
			t.Errorf("%q, %s, made %v", g.Introduction, g.ApplyJoinOption, g.Created)
		}
		if b.meter.Of("RoomMarkLost") != 1 || b.meter.Of("RoomSquatted") != 0 {
			t.Error("counted wrongly")
		}
		b.wantSaid(ref, "has joined")

		b.edit(ref, tencentim.GroupChange{Introduction: "Support chat"})
		b.end(ref)
		b.converge(ref)
		b.wantMuted(ref, true)
		b.wantSaid(ref, "has joined", "solved")
		b.filedOnce(ref)

		b.edit(ref, tencentim.GroupChange{Introduction: "Support chat"})
		b.clock.Add(time.Minute)
		b.converge(ref) // locked as it is
		b.wantMuted(ref, true)
		b.wantSaid(ref, "has joined", "solved")
		b.filedOnce(ref)
	})
}

// Without its customer nothing tells a group with no mark from another stack's.
func TestUnclaimedRoom(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.say("carol", ref, "it burns")
		b.ok(b.rooms.Leave(context.Background(), ref.GroupID(), "carol"))
		_, err := b.rooms.Join(context.Background(), ref.GroupID(), relay.Account{UserID: "dave"})
		b.ok(err)
		b.edit(ref, tencentim.GroupChange{Introduction: "Support chat"})
		if err := b.run(item(ref))[0]; !errors.Is(err, relay.ErrUnclaimed) || !relay.Permanent(err) {
			t.Errorf("sync: %v", err)
		}
		_, err = b.create.Run(context.Background(), b.desks[desk], relay.NewTicket{
			UserID: "carol", Subject: "Printer", Desc: "help", Name: "CAROL", Email: "carol@example.com", Key: "carol-Printer",
		})
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != problem.Conflict || p.TicketID != ref.Ticket {
			t.Errorf("createticket: %v", err)
		}
		d := &relay.Dissolve{Desks: b.sync.Desks, Rooms: b.rooms, Transcripts: b.sync.Transcripts}
		if err := d.Run(context.Background(), ref); !errors.Is(err, relay.ErrUnclaimed) {
			t.Errorf("deletegroup: %v", err)
		}
		if g := b.group(ref); g.Introduction != "Support chat" || len(g.Messages) != 2 {
			t.Errorf("touched: %+v", g)
		}
		if b.meter.Of("RoomMarkLost") == 0 {
			t.Error("no alarm")
		}
	})
}

// A room of ours that was given an owner in the console is archived before it is
// made again, whoever finds it.
func TestOwnedRoomIsArchivedFirst(t *testing.T) {
	t.Parallel()
	own := func(b *bed, ref relay.Ref) {
		b.ok(b.box.SetOwner(ref.GroupID(), "carol"))
	}
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		for i := range 30 {
			b.say("carol", ref, fmt.Sprintf("message %d.", i))
		}
		own(b, ref)
		_, err := b.create.Run(context.Background(), b.desks[desk], relay.NewTicket{
			UserID: "carol", Subject: "Printer", Desc: "help", Name: "CAROL", Email: "carol@example.com", Key: "carol-Printer",
		})
		var p *problem.Error
		if !errors.As(err, &p) || p.Code != problem.Unavailable || p.TicketID != ref.Ticket || b.group(ref).Owner != "carol" {
			t.Errorf("createticket: %v", err)
		}
		b.converge(ref)
		if g := b.group(ref); g.Owner != "" || b.meter.Of("RoomSquatted") != 2 {
			t.Errorf("owner %q, counted %d", g.Owner, b.meter.Of("RoomSquatted"))
		}
		kept := func() string { return strings.Join(append(b.archived(ref), b.filed(ref)...), "\n") }
		for i := range 30 {
			if n := strings.Count(kept(), fmt.Sprintf("message %d.", i)); n != 1 {
				t.Errorf("message %d is filed %d times", i, n)
			}
		}
		// deletegroup archives it, too.
		b.say("carol", ref, "and again")
		own(b, ref)
		b.ok((&relay.Dissolve{Desks: b.sync.Desks, Rooms: b.rooms, Transcripts: b.sync.Transcripts}).Run(context.Background(), ref))
		if _, there := b.box.Group(ref.GroupID()); there || strings.Count(kept(), "and again") != 1 {
			t.Errorf("kept %q", kept())
		}
	})
}

// squat takes a room away and makes another group in its place.
func (b *bed) squat(ref relay.Ref) {
	b.Helper()
	b.ok(b.rooms.Destroy(context.Background(), ref.GroupID()))
	b.ok(b.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: ref.GroupID(), Type: "Public", Name: "mine"}))
}

// Many squats at once are not believed: a process destroys some and no more.
func TestSquatBreaker(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	var refs []relay.Ref
	var items []relay.SyncItem
	for i := range 8 {
		ref := b.open(relay.Zendesk, fmt.Sprintf("carol%d", i), "Printer")
		b.converge(ref)
		b.squat(ref)
		refs, items = append(refs, ref), append(items, item(ref))
	}
	count := func() (squats int) {
		for _, ref := range refs {
			if b.group(ref).Owner == "mallory" {
				squats++
			}
		}
		return squats
	}
	held := 0
	for _, err := range b.run(items...) {
		if errors.Is(err, relay.ErrHeld) && !relay.Permanent(err) {
			held++
		}
	}
	if held != 3 || count() != 3 || b.meter.Of("DestroyHeld") != 3 {
		t.Errorf("%d held, %d squats left, counted %d", held, count(), b.meter.Of("DestroyHeld"))
	}
	b.clock.Add(10 * time.Minute)
	for _, ref := range refs {
		b.converge(ref)
	}
	if count() != 0 {
		t.Errorf("%d squats left", count())
	}
}

// A room that reads as a squat right after it was made stops the process from
// destroying anything: what is believed about rooms is wrong.
func TestMisreadRoom(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref, other := b.open(relay.Zendesk, "carol", "Printer"), b.open(relay.Zendesk, "dave", "Lamp")
	b.ok(b.rooms.Destroy(context.Background(), ref.GroupID()))
	// The chat gives every new group an owner.
	b.setCut(func(r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, "/get_group_info") {
			_ = b.box.SetOwner(ref.GroupID(), "carol") // or there is no such group
		}
		return noCut
	})
	for range 5 {
		if err := b.run(item(ref))[0]; !errors.Is(err, relay.ErrHeld) || relay.Permanent(err) {
			t.Errorf("%v", err)
		}
	}
	destroyed := 0
	for _, op := range b.ops() {
		if op == "tencent destroy_group" {
			destroyed++
		}
	}
	if destroyed != 1 { // the test's own
		t.Errorf("%d rooms were destroyed", destroyed)
	}
	b.setCut(nil)
	b.squat(other)
	if err := b.run(item(other))[0]; !errors.Is(err, relay.ErrHeld) {
		t.Errorf("another's squat: %v", err)
	}
	b.clock.Add(time.Hour)
	b.converge(other)
}

// A page on which many rooms are odd destroys none.
func TestSweepBreaker(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]string{
		"no mark": "Support chat", "foreign": relay.Mark{Desk: relay.DeskHash("before.example.com")}.String(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sandbox.TencentPlan{})
			var refs []relay.Ref
			var marks []string
			for i := range 8 {
				ref := b.open(relay.Zendesk, fmt.Sprintf("carol%d", i), "Printer")
				b.end(ref)
				b.converge(ref)
				refs, marks = append(refs, ref), append(marks, b.group(ref).Introduction)
			}
			for _, ref := range refs[:5] {
				b.ok(b.box.SetIntroduction(ref.GroupID(), odd))
			}
			b.clock.Add(8 * 24 * time.Hour)
			report, _ := b.sweepAll()
			if report.Dissolved != 0 || b.meter.Of("DestroyHeld") != 1 {
				t.Errorf("%+v, held %d", report, b.meter.Of("DestroyHeld"))
			}
			for i, ref := range refs[:4] { // one odd room of many is nothing
				b.ok(b.box.SetIntroduction(ref.GroupID(), marks[i]))
			}
			if report, _ := b.sweepAll(); report.Dissolved != 7 {
				t.Errorf("%+v", report)
			}
		})
	}
}

// A squat's history that the chat has forgotten in part may have held a word of
// ours: what is left of it is archived first.
func TestForgottenSquatIsArchivedFirst(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.clock.Add(8 * 24 * time.Hour)
	b.say("carol", ref, "are you there?")
	b.ok(b.box.SetOwner(ref.GroupID(), "carol"))
	b.converge(ref)
	if got := strings.Join(append(b.archived(ref), b.filed(ref)...), "\n"); !strings.Contains(got, "are you there?") || b.group(ref).Owner != "" {
		t.Errorf("owner %q, kept %q", b.group(ref).Owner, got)
	}
}

// What was a squat a moment ago may be a room made by another process, or hold a
// new message: it is read again right before it would be destroyed.
func TestSquatIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *bed, ref relay.Ref){
		"made by another": func(b *bed, ref relay.Ref) {
			b.ok(b.rooms.Destroy(context.Background(), ref.GroupID()))
			_, err := b.rooms.Ensure(context.Background(), relay.NewRoom{
				GroupID: ref.GroupID(), Neutral: ref.NeutralName(), Mark: relay.Mark{Desk: relay.DeskHash(b.zd.Host())}, Customer: "carol",
			})
			b.ok(err)
			b.say("carol", ref, "it burns")
		},
		"written in": func(b *bed, ref relay.Ref) { b.say("mallory", ref, "it burns") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sandbox.TencentPlan{})
			ref := b.open(relay.Zendesk, "carol", "Printer")
			b.squat(ref)
			changed := false
			b.setCut(func(r *http.Request) int {
				if strings.HasSuffix(r.URL.Path, "/group_msg_get_simple") && !changed {
					changed = true
					b.setCut(nil)
					change(b, ref)
				}
				return noCut
			})
			if err := b.run(item(ref))[0]; !errors.Is(err, relay.ErrHeld) || !changed {
				t.Errorf("%v", err)
			}
			if !strings.Contains(fmt.Sprint(b.group(ref).Messages), "it burns") {
				t.Error("the message is gone")
			}
			b.converge(ref)
			if g := b.group(ref); g.Owner != "" {
				t.Errorf("owner %q", g.Owner)
			}
		})
	}
}
