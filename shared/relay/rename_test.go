package relay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/tencentim"
)

// rename gives all rooms the marks that they had under a desk's former host.
func (b *bed) rename(former string) {
	b.Helper()
	for _, g := range b.box.Groups() {
		mark, err := relay.ParseMark(g.Introduction)
		b.ok(err)
		mark.Desk = relay.DeskHash(former)
		b.ok(b.box.SetIntroduction(g.GroupID, mark.String()))
	}
}

// A renamed desk's rooms are its own: they are kept, and name the new host after
// the next sweep.
func TestRenamedDesk(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		open, ended := b.open(desk, "carol", "Printer"), b.open(desk, "dave", "Lamp")
		b.assign(open, 0)
		b.converge(open)
		b.converge(ended)
		b.say("carol", open, "it burns")
		b.say("dave", ended, "it is dark")
		b.end(ended)
		b.converge(ended)
		b.rename("before.example.com")
		if err := b.run(item(open))[0]; !errors.Is(err, relay.ErrForeignRoom) {
			t.Errorf("without the former host: %v", err)
		}

		rooms := tencentim.Rooms{Client: b.rooms.Client, Former: []string{relay.DeskHash("older.example.com"), relay.DeskHash("before.example.com")}}
		b.rooms, b.sync.Rooms, b.sync.Transcripts.Rooms = rooms, rooms, rooms
		b.assign(open, 1)
		b.converge(open)
		_, agent := b.agent(desk, 1)
		b.wantMembers(open, "carol", agent)
		report, q := b.sweepAll()
		if report.Foreign != 0 || report.Queued != 1 {
			t.Errorf("%+v", report)
		}
		b.repair(q)
		for _, ref := range []relay.Ref{open, ended} {
			mark, err := relay.ParseMark(b.group(ref).Introduction)
			if err != nil || mark.Desk != relay.DeskHash(b.zdOrSf(desk).Host()) {
				t.Errorf("%s still names another host: %s", ref.GroupID(), b.group(ref).Introduction)
			}
		}
		b.filedOnce(ended)
		b.quiet(desk)
		b.end(open)
		b.converge(open)
		b.filedOnce(open)
		b.clock.Add(8 * 24 * time.Hour)
		if report, _ := b.sweepAll(); report.Dissolved != 2 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, sandbox.TencentPlan{})
		ref := b.open(relay.Zendesk, "carol", "Printer")
		b.converge(ref)
		b.remove(ref)
		b.rename("before.example.com")
		b.rooms.Former = []string{relay.DeskHash("before.example.com")}
		b.sync.Rooms = b.rooms
		b.converge(ref, "deleted")
		b.wantMuted(ref, true)
		if mark, err := relay.ParseMark(b.group(ref).Introduction); err != nil || mark.Desk != relay.DeskHash(b.zd.Host()) {
			t.Errorf("%s", b.group(ref).Introduction)
		}
	})
}
