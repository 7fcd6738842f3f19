package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

func TestTranscriptInParts(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		for i := range 47 { // more than two pages of history, more than one part
			b.say("carol", ref, fmt.Sprintf("%d %s", i, strings.Repeat("é", 3500)))
		}
		b.end(ref)
		b.converge(ref)
		b.filedOnce(ref)
		filed := b.filed(ref)
		text := strings.Join(filed, "")
		// Long messages make the history's pages short: none may look forgotten.
		if n := strings.Count(text, strings.Repeat("é", 3500)); n != 47 || strings.Contains(text, "not kept") {
			t.Errorf("%d of 47 messages filed, %d gaps", n, strings.Count(text, "not kept"))
		}
		limit := map[relay.DeskName]int{relay.Zendesk: 60000, relay.Salesforce: 131072}[desk]
		if len(filed) < 3 {
			t.Errorf("%d parts", len(filed))
		}
		for _, f := range filed {
			if len(f) > limit {
				t.Errorf("a part of %d bytes", len(f))
			}
		}
	})
}

func TestTranscriptAsComments(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Salesforce, "carol", "Printer")
	b.converge(ref)
	b.say("carol", ref, "short")
	long := strings.Repeat("0123456789 ", 1000)
	b.say("carol", ref, long) // longer than a comment
	b.say("carol", ref, "last")
	// The org lost the package's object after the case was made.
	b.ok(b.box.AddFault(sandbox.Fault{Vendor: "salesforce", Op: "query", Kind: sandbox.FaultCode, Code: "INVALID_TYPE", Times: 1}))
	if _, _, err := b.sf.Parts(context.Background(), ref.Ticket, ref.GroupID(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	b.end(ref)
	b.converge(ref)
	b.converge(ref)
	bodies := b.filed(ref)
	if len(bodies) < 5 {
		t.Fatalf("%d comments", len(bodies))
	}
	text := ""
	for _, body := range bodies {
		if len(body) >= 4000 {
			t.Errorf("a comment of %d bytes", len(body))
		}
		if regexp.MustCompile(`^Chat transcript \S+\.[2-9]of`).MatchString(body) {
			_, body, _ = strings.Cut(body, "\n    ")
		}
		text += body
	}
	if strings.Count(text, "short") != 1 || strings.Count(text, "last") != 1 || strings.Count(text, "0123456789") != 1000 {
		t.Errorf("short %d, last %d, long %d times", strings.Count(text, "short"), strings.Count(text, "last"), strings.Count(text, "0123456789"))
	}
	for _, row := range b.state().Salesforce.Comments {
		if row["IsPublished"] == true {
			t.Error("portal users see the transcript")
		}
	}
}

func TestTranscriptOfForgottenMessages(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.say("carol", ref, "too long ago")
		b.clock.Add(8 * 24 * time.Hour)
		b.say("carol", ref, "just now")
		b.end(ref)
		b.converge(ref)
		filed := strings.Join(b.filed(ref), "")
		if strings.Contains(filed, "too long ago") || !strings.Contains(filed, "[message no longer kept by the chat]") || !strings.Contains(filed, "just now") {
			t.Errorf("filed %s", filed)
		}
	})
}

// A customer's mail becomes a comment and an agent's note may be copied: what
// looks like a part of a transcript is one only in our own note.
func TestTranscriptImpersonated(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.say("carol", ref, "it burns")
	forged := fmt.Sprintf("Chat transcript %s@%d:1-99\nnothing", ref.GroupID(), b.group(ref).Created.Unix())
	row, err := b.box.Zendesk().Ticket(b.number(ref))
	b.ok(err)
	b.ok(b.box.Zendesk().Comment(row.ID, row.RequesterID, forged, true))
	b.ok(b.box.Zendesk().Comment(row.ID, b.box.Fixtures().Zendesk.AgentIDs[0], forged, false))
	b.end(ref)
	b.converge(ref)
	if filed := strings.Join(b.filed(ref), ""); !strings.Contains(filed, "it burns") {
		t.Errorf("filed %s", filed)
	}
}

// Another writer changes the ticket between our read and our note.
func TestTranscriptRaced(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.say("carol", ref, "it burns")
	b.end(ref)
	ctx := context.Background()
	_, stamp, err := b.zd.Parts(ctx, ref.Ticket, ref.GroupID(), time.Time{})
	b.ok(err)
	b.converge(ref)
	part := relay.Part{Name: "x", Body: "Chat transcript x"}
	if _, err := b.zd.File(ctx, ref.Ticket, part, stamp); !errors.Is(err, relay.ErrMoved) {
		t.Errorf("a note on a stale read: %v", err)
	}
	b.filedOnce(ref)
}

func TestDeleteFilesAndDissolves(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		dissolve := func(archive bool) *relay.Dissolve {
			tr := *b.sync.Transcripts
			if !archive {
				tr.Archive = nil
			}
			return &relay.Dissolve{Desks: b.sync.Desks, Rooms: b.rooms, Transcripts: &tr}
		}
		gone := func(ref relay.Ref) bool {
			_, there := b.box.Group(ref.GroupID())
			return !there
		}
		ctx := context.Background()
		open, deleted := b.open(desk, "carol", "One"), b.open(desk, "carol", "Two")
		for _, ref := range []relay.Ref{open, deleted} {
			b.converge(ref)
			b.say("carol", ref, "it burns")
		}
		b.clock.Add(5 * time.Second)
		b.ok(dissolve(true).Run(ctx, open))
		if f := b.filed(open); !gone(open) || len(f) != 1 || !strings.Contains(f[0], "it burns") {
			t.Errorf("gone %v, filed %q", gone(open), f)
		}
		b.ok(dissolve(true).Run(ctx, open)) // again

		b.remove(deleted)
		if err := dissolve(false).Run(ctx, deleted); err == nil || gone(deleted) {
			t.Errorf("a transcript is lost: %v", err)
		}
		b.ok(dissolve(true).Run(ctx, deleted))
		if a := b.archived(deleted); !gone(deleted) || len(a) != 1 || !strings.Contains(a[0], "it burns") {
			t.Errorf("gone %v, archived %q", gone(deleted), a)
		}

		foreign := b.open(desk, "carol", "Three")
		b.ok(b.rooms.Change(ctx, foreign.GroupID(), relay.RoomChange{Mark: relay.Mark{Desk: relay.DeskHash("other.example")}}))
		if err := dissolve(true).Run(ctx, foreign); err == nil || gone(foreign) {
			t.Errorf("another stack's room: %v", err)
		}
	})
}

// at does something once, before the first call whose path ends so.
func (b *bed) at(path string, do func()) {
	var once sync.Once
	b.setCut(func(r *http.Request) int {
		if strings.HasSuffix(r.URL.Path, path) {
			once.Do(func() {
				b.setCut(nil)
				do()
			})
		}
		return noCut
	})
}

// Sync is at work on a room while a desk's call dissolves it.
func TestDeleteBesideSync(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		at     string
		do     func(b *bed, ref relay.Ref)
		stays  bool
		wanted string // of the room that stays
	}{
		"the ticket is open, and its people write again": {at: "group_msg_get_simple", do: func(b *bed, ref relay.Ref) {
			b.converge(ref)
			b.say("carol", ref, "wait")
		}, stays: true, wanted: "wait"},
		"the room is made anew": {at: "group_msg_get_simple", do: func(b *bed, ref relay.Ref) {
			b.ok(b.rooms.Destroy(ctx, ref.GroupID()))
			b.clock.Add(2 * time.Second)
			b.converge(ref)
			b.say("carol", ref, "hello again")
		}, stays: true, wanted: "hello again"},
		"the room has gone": {at: "group_msg_get_simple", do: func(b *bed, ref relay.Ref) {
			b.ok(b.rooms.Destroy(ctx, ref.GroupID()))
		}},
		"an agent joins": {at: "modify_group_base_info", do: func(b *bed, ref relay.Ref) {
			b.assign(ref, 0)
			b.converge(ref)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sandbox.TencentPlan{})
			ref := b.open(relay.Zendesk, "carol", "Printer")
			b.converge(ref)
			b.say("carol", ref, "it burns")
			b.clock.Add(5 * time.Second)
			b.at(c.at, func() { c.do(b, ref) })
			err := (&relay.Dissolve{Desks: b.sync.Desks, Rooms: b.rooms, Transcripts: b.sync.Transcripts}).Run(ctx, ref)
			g, there := b.box.Group(ref.GroupID())
			if there != c.stays || (err != nil) != c.stays {
				t.Fatalf("there %v: %v", there, err)
			}
			if !c.stays {
				return
			}
			if n := len(g.Messages); n == 0 || g.Messages[n-1].Text != c.wanted {
				t.Errorf("%+v", g.Messages)
			}
			b.converge(ref) // the mark is the one Sync wrote
			b.wantMuted(ref, false)
			b.wantSaid(ref, "has been received")
		})
	}
}

// forgetful is a chat that keeps nothing of what was said.
type forgetful struct{ relay.SyncRooms }

func (forgetful) History(context.Context, string, uint64) ([]relay.Message, error) { return nil, nil }

// What the chat does not keep any more holds no room back.
func TestDeleteAfterTheHistory(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		ref := b.open(desk, "carol", "Printer")
		b.converge(ref)
		b.say("carol", ref, "it burns")
		rooms := forgetful{b.rooms}
		transcripts := &relay.Transcripts{Rooms: rooms, Archive: b.sync.Transcripts.Archive, Meter: b.meter}
		b.ok((&relay.Dissolve{Desks: b.sync.Desks, Rooms: rooms, Transcripts: transcripts}).Run(context.Background(), ref))
		if _, there := b.box.Group(ref.GroupID()); there {
			t.Error("the room stays")
		}
	})
}

// A desk's call that fails after its mute leaves the mark as Sync wrote it.
func TestDeleteLeavesTheMark(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.clock.Add(5 * time.Second)
	b.at("modify_group_base_info", func() {
		b.assign(ref, 0)
		b.converge(ref)
		b.setCut(func(r *http.Request) int {
			if strings.HasSuffix(r.URL.Path, "group_msg_get_simple") {
				return cutBefore
			}
			return noCut
		})
	})
	before := b.group(ref).Introduction
	if err := (&relay.Dissolve{Desks: b.sync.Desks, Rooms: b.rooms, Transcripts: b.sync.Transcripts}).Run(context.Background(), ref); err == nil {
		t.Fatal("no error")
	}
	b.setCut(nil)
	if mark, err := relay.ParseMark(b.group(ref).Introduction); err != nil || mark.Announced != 2 || b.group(ref).Introduction == before {
		t.Errorf("%s, then %s: %v", before, b.group(ref).Introduction, err)
	}
	b.converge(ref)
	b.wantMuted(ref, false)
	b.wantSaid(ref, "has been received", "has joined")
}

// Somebody writes between Sync's read of a room that had been told of the end
// already, and the mute.
func TestTranscriptOfTheLastWord(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	b.sync.Table.SolvedOpen = true
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.say("carol", ref, "it burns")
	b.ok(b.box.Zendesk().Solve(b.number(ref)))
	b.converge(ref)
	b.ok(b.box.Zendesk().Close(b.number(ref)))
	b.at("modify_group_base_info", func() { b.say("carol", ref, "the last word") })
	b.converge(ref)
	b.wantMuted(ref, true)
	if filed := strings.Join(b.archived(ref), ""); !strings.Contains(filed, "the last word") {
		t.Errorf("archived %q", filed)
	}
	b.filedOnce(ref)
}

// What nobody will ever file keeps no agent in the room.
func TestTranscriptRefusedForGood(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.assign(ref, 0)
	b.converge(ref)
	_, agent := b.agent(relay.Zendesk, 0)
	b.say(agent, ref, "since when?")
	b.remove(ref)
	key := fmt.Sprintf("transcripts/zendesk/%s/%d/%012d.txt", ref.Ticket, b.group(ref).Created.Unix(), 1)
	_, err := b.sync.Transcripts.Archive.Put(context.Background(), key, relay.Part{Name: "another's", Body: "x"})
	b.ok(err)
	if err := b.run(item(ref, "deleted"))[0]; !relay.Permanent(err) {
		t.Errorf("%v", err)
	}
	b.wantMuted(ref, true)
	b.wantMembers(ref, "carol")
}

// What people paste arrives as they wrote it: on the ticket and in the transcript.
func TestPastedTexts(t *testing.T) {
	t.Parallel()
	texts := map[string]struct{ sent, shown string }{
		"link":           {sent: "[Reset your password here](https://evil.example/login)"},
		"heading":        {sent: "# heading"},
		"image":          {sent: "![x](https://evil.example/track.png)"},
		"placeholder":    {sent: "{{ticket.requester.email}} {{dc.secret}} {% raw %} { { &#123;"},
		"code block":     {sent: "see:\n\n    if x {\n        y()\n    }\n\n\nend"},
		"emphasis":       {sent: "order_id_17 *not* __bold__ `x`"},
		"markup":         {sent: "<b>bold</b> <script>alert(1)</script></code></pre><img src=x onerror=alert(1)> &lt;"},
		"spaces":         {sent: "a   b\tc"},
		"a forged line":  {sent: "hello\n2026-11-30 10:00:00  zd_900000101: I refund 500"},
		"direction":      {"https://example.com/\u202egnp.exe \u2067x\u2069", "https://example.com/gnp.exe x"},
		"other controls": {"one\u0085two\u200bthree\u2028four\ufefffive\x1b[2J", "onetwothreefourfive[2J"},
		"joiners":        {sent: "می\u200cخواهم 👨\u200d👩\u200d👧"},
		"line ends":      {"one\r\ntwo\rthree", "one\ntwo\nthree"},
	}
	b := newBed(t, sandbox.TencentPlan{})
	rendered := regexp.MustCompile(`<(a|img|h[1-6]|em|strong|b|hr)\b`)
	for name, text := range texts {
		if text.shown == "" {
			text.shown = text.sent
		}
		customer := "c_" + strings.ReplaceAll(name, " ", "_")
		ref, err := b.create.Run(context.Background(), b.desks[relay.Zendesk], relay.NewTicket{
			UserID: customer, Subject: name, Desc: text.sent, Email: customer + "@example.com", Key: customer,
		})
		b.ok(err)
		b.converge(ref)
		b.say(customer, ref, text.sent)
		b.end(ref)
		b.converge(ref)
		b.converge(ref)
		row, err := b.box.Zendesk().Ticket(b.number(ref))
		b.ok(err)
		if first := row.Comments[0]; first.Body != text.shown || !first.Public {
			t.Errorf("%s: the first comment shows %q, want %q; public %v", name, first.Body, text.shown, first.Public)
		}
		want := "customer " + customer + ": " + strings.ReplaceAll(text.shown, "\n", "\n    ") + "\n"
		if filed := b.filed(ref); len(filed) != 1 || !strings.Contains(filed[0], want) {
			t.Errorf("%s: filed %q, want %q in it", name, filed, want)
		}
		for _, c := range row.Comments {
			if rendered.MatchString(c.HTML) {
				t.Errorf("%s: rendered as %s", name, c.HTML)
			}
		}
	}
}

// Signs that grow when they are escaped count as what they become.
func TestTranscriptOfTextThatGrows(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	for range 8 {
		b.say("carol", ref, strings.Repeat("{", 3000))
	}
	b.end(ref)
	b.converge(ref)
	b.converge(ref)
	b.filedOnce(ref)
	filed := b.filed(ref)
	if n := strings.Count(strings.Join(filed, ""), "{"); n != 24000 || len(filed) < 3 {
		t.Errorf("%d of 24000 signs in %d parts", n, len(filed))
	}
}

// A desk may give back a name in other white space than it was written in.
func TestPartNameAsDesksGiveItBack(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"Chat transcript %s\nRoom 1, messages", "Chat transcript %s Room 1, messages",
		"Chat&nbsp;transcript\u00a0%s \nRoom", "\nChat transcript  %s\r\n",
	} {
		const name = "ZENDESK#1@1790000000:1-20"
		if got := relay.PartName(fmt.Sprintf(body, name)); got != name {
			t.Errorf("%q: %q", body, got)
		}
	}
}

func FuzzPartName(f *testing.F) {
	f.Add("Chat transcript ZENDESK#1@1790000000:1-20\n\nx")
	f.Add("")
	f.Fuzz(func(t *testing.T, body string) {
		if name := relay.PartName(body); strings.Contains(name, "\n") || (name != "" && !strings.Contains(body, name)) {
			t.Errorf("PartName(%q) = %q", body, name)
		}
	})
}

// Zendesk answers with every comment three times over: plain, as HTML, and as
// written.
func TestTranscriptOnATicketOfLongNotes(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.say("carol", ref, "it burns")
	for range 40 {
		b.ok(b.box.Zendesk().Comment(b.number(ref), b.box.Fixtures().Zendesk.AgentIDs[0], strings.Repeat("n", 60000), false))
	}
	b.end(ref)
	b.converge(ref)
	b.filedOnce(ref)
}

// A row holds its ticket's whole description.
func TestTicketsOfLongDescriptions(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	var ids []string
	for i := range 80 {
		customer := fmt.Sprintf("c%d", i)
		ref, err := b.create.Run(context.Background(), b.desks[relay.Zendesk], relay.NewTicket{
			UserID: customer, Subject: "long", Desc: strings.Repeat("d", 60000), Email: customer + "@example.com", Key: customer,
		})
		b.ok(err)
		ids = append(ids, ref.Ticket)
	}
	tickets, err := b.zd.Tickets(context.Background(), ids...)
	if err != nil || len(tickets) != len(ids) {
		t.Errorf("%d tickets, %v", len(tickets), err)
	}
}
