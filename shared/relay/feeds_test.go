package relay_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// many makes tickets of ours at a desk, without rooms.
func (b *bed) many(desk relay.DeskName, n int) []string {
	b.Helper()
	var ids []string
	for i := range n {
		user := fmt.Sprintf("u%d", i)
		id, err := b.desks[desk].Create(context.Background(), relay.NewTicket{
			Key: identity.HashID("", user, 26), UserID: user, Subject: "Printer", Desc: "help", Name: "Carol", Email: user + "@example.com",
		})
		b.ok(err)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// TestFeeds reads the desks' lists over several pages, all in one second, which
// is where a cursor made of a time would lose or repeat some.
func TestFeeds(t *testing.T) {
	t.Parallel()
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		b.box.Zendesk().SetLimits(sandbox.ZendeskLimits{}) // the clock stands still
		begin := b.clock.Now()
		ids := b.many(desk, 503)
		b.clock.Add(5 * time.Minute)
		until := b.clock.Now()
		feed := b.zdOrSf(desk)

		var changed []string
		pages := 0
		for cursor := ""; ; pages++ {
			page, err := feed.Changes(context.Background(), begin.Add(-time.Minute), until, cursor)
			b.ok(err)
			for _, c := range page.Tickets {
				changed = append(changed, c.ID)
				if !c.Ours || c.At.Before(begin.Truncate(time.Second)) || c.At.After(until) {
					t.Fatalf("%+v", c)
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if slices.Sort(changed); !slices.Equal(changed, ids) || pages != 1 {
			t.Errorf("%d of %d tickets, %d more pages", len(changed), len(ids), pages)
		}

		b.endID(desk, ids[0])
		var open []string
		for cursor := ""; ; {
			page, next, err := feed.OpenTickets(context.Background(), false, cursor)
			b.ok(err)
			open = append(open, page...)
			if cursor = next; cursor == "" {
				break
			}
		}
		if slices.Sort(open); !slices.Equal(open, ids[1:]) {
			t.Errorf("%d of %d open tickets", len(open), len(ids)-1)
		}
		for _, cursor := range []string{"x", "1|x", "123"} {
			if desk == relay.Salesforce {
				if _, err := feed.Changes(context.Background(), begin, until, cursor); err == nil {
					t.Errorf("the cursor %q is taken", cursor)
				}
			}
			if _, _, err := feed.OpenTickets(context.Background(), false, cursor); err == nil {
				t.Errorf("the cursor %q is taken for open tickets", cursor)
			}
		}
	})
}

// feedDesk is a desk as both rings read it.
type feedDesk interface {
	relay.ChangeDesk
	relay.SweepDesk
}

func (b *bed) zdOrSf(desk relay.DeskName) feedDesk {
	if desk == relay.Zendesk {
		return b.zd
	}
	return b.sf
}

func (b *bed) endID(desk relay.DeskName, id string) { b.end(relay.Ref{Desk: desk, Ticket: id}) }

// TestFeedSolvedOpen lists solved tickets where their rooms stay writable.
func TestFeedSolvedOpen(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ids := b.many(relay.Zendesk, 3)
	b.endID(relay.Zendesk, ids[0])
	for solved, want := range map[bool]int{false: 2, true: 3} {
		if got, _, err := b.zd.OpenTickets(context.Background(), solved, ""); err != nil || len(got) != want {
			t.Errorf("solved %v: %v, %v", solved, got, err)
		}
	}
	// The tag alone makes no ticket ours: a follow-up inherits it.
	_, err := b.box.Zendesk().Create("Follow-up", "help", b.box.Fixtures().Zendesk.OwnUserID, zendesk.Tag)
	b.ok(err)
	if got, _, err := b.zd.OpenTickets(context.Background(), false, ""); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestFeedAdmin exports with the admin's client and knows our own user by the
// other's.
func TestFeedAdmin(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	fix := b.box.Fixtures()
	admin, err := zendesk.New(zendesk.Options{BaseURL: b.server.URL + "/zendesk", Now: b.clock.Now, Credentials: func(context.Context) (zendesk.Credentials, error) {
		return zendesk.Credentials{Email: fix.Zendesk.Email, APIToken: fix.Zendesk.APIToken}, nil
	}})
	b.ok(err)
	b.zd.Admin = admin
	ids := b.many(relay.Zendesk, 1)
	b.ok(b.box.Zendesk().Assign(b.number(relay.Ref{Desk: relay.Zendesk, Ticket: ids[0]}), fix.Zendesk.OwnUserID))
	b.clock.Add(5 * time.Minute)
	page, err := b.zd.Changes(context.Background(), b.clock.Now().Add(-time.Hour), b.clock.Now(), "")
	if err != nil || len(page.Tickets) != 1 || len(page.Tickets[0].Agents) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestCompareMerged is of what only the desk can say of a merged ticket.
func TestCompareMerged(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref, into := b.open(relay.Zendesk, "carol", "Printer"), b.open(relay.Zendesk, "carol", "Lamp")
	b.converge(ref)
	b.converge(into)
	b.clock.Add(time.Hour)
	b.ok(b.box.Zendesk().Merge(b.number(into), b.number(ref)))
	b.clock.Add(5 * time.Minute)
	report, q := b.reconcile(relay.Zendesk)
	if report.Differing != 1 || report.Repaired != 0 {
		t.Errorf("%+v", report)
	}
	b.repair(q)
	b.wantMuted(ref, true)
	b.wantSaid(ref, "an agent will join", "continues as request "+into.Ticket)
	b.quiet(relay.Zendesk)
}
