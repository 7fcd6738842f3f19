package relay_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// An edge in front of a vendor refuses nothing: a page of its own kills no
// message, and sends no transcript of a ticket that takes notes to the archive.
func TestSyncIgnoresAnEdgesWord(t *testing.T) {
	t.Parallel()
	calls := map[relay.DeskName][]string{
		relay.Zendesk:    {"zendesk tickets_show_many", "zendesk tickets_comments", "zendesk tickets_update", "tencent modify_group_base_info", "tencent send_group_msg", "tencent group_msg_get_simple"},
		relay.Salesforce: {"salesforce query", "salesforce transcript_upsert", "tencent get_group_info", "tencent delete_group_member"},
	}
	bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
		for _, call := range calls[desk] {
			vendor, op, _ := strings.Cut(call, " ")
			for _, status := range []int{302, 403, 404} {
				ref := b.open(desk, "carol", fmt.Sprint(call, status))
				b.assign(ref, 0)
				b.converge(ref)
				b.say("carol", ref, "it burns")
				b.end(ref)
				b.ok(b.box.AddFault(sandbox.Fault{Vendor: vendor, Op: op, Kind: sandbox.FaultHTML, Status: status, Times: 5}))
				for range 5 {
					if err := b.run(item(ref))[0]; relay.Permanent(err) {
						t.Errorf("%s answered %d by an edge: %v", call, status, err)
					}
				}
				b.box.ClearFaults()
				b.converge(ref)
				b.wantMuted(ref, true)
				b.filedOnce(ref)
				if len(b.filed(ref)) == 0 || len(b.archived(ref)) != 0 {
					t.Errorf("%s answered %d by an edge: %d parts filed, %d archived", call, status, len(b.filed(ref)), len(b.archived(ref)))
				}
			}
		}
	})
}

// An edge's 404 is no deletion.
func TestSyncGoneByAnEdge(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	b.remove(ref)
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.FaultHTML, Status: 404},
		{Kind: sandbox.FaultStatus, Status: 404, Body: `{"error":{"title":"InvalidEndpoint","message":"Not found"}}`},
	} {
		f.Vendor, f.Op = "zendesk", "tickets_show"
		b.ok(b.box.AddFault(f))
		if err := b.run(item(ref, "deleted"))[0]; err == nil {
			t.Error("taken for a deletion")
		}
		b.box.ClearFaults()
		b.wantMuted(ref, false)
	}
	b.converge(ref, "deleted")
	b.wantMuted(ref, true)
}

// A desk's limit on one ticket holds back that ticket alone.
func TestSyncOneTicketsLimit(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	var refs []relay.Ref
	var items []relay.SyncItem
	for i := range 8 {
		ref := b.open(relay.Zendesk, fmt.Sprintf("carol%d", i), "Printer")
		b.converge(ref)
		b.say(fmt.Sprintf("carol%d", i), ref, "it burns")
		b.end(ref)
		refs, items = append(refs, ref), append(items, item(ref))
	}
	b.setCut(refused(99, func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/tickets/"+refs[0].Ticket)
	}))
	errs := b.run(items...)
	if errs[0] == nil || relay.Permanent(errs[0]) {
		t.Errorf("the limited ticket: %v", errs[0])
	}
	for i, ref := range refs[1:] {
		if errs[i+1] != nil {
			t.Errorf("another ticket waits: %v", errs[i+1])
		}
		b.filedOnce(ref)
	}
	b.setCut(nil)
	b.converge(refs[0])
	b.filedOnce(refs[0])
}

// A ticket that lost its tag gets it back, so that the sweep still finds it.
func TestSyncListsTicketsAgain(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	ref := b.open(relay.Zendesk, "carol", "Printer")
	b.converge(ref)
	retag := func() {
		row, err := b.zd.Client.ShowTicket(context.Background(), b.number(ref))
		b.ok(err)
		_, err = b.zd.Client.UpdateTicket(context.Background(), b.number(ref), zendesk.TicketUpdate{Tags: []string{"vip"}, Stamp: row.UpdatedAt})
		b.ok(err)
	}
	listed := func() int {
		ids, _, err := b.zd.OpenTickets(context.Background(), false, "")
		b.ok(err)
		return len(ids)
	}
	retag()
	if listed() != 0 {
		t.Fatal("found without its tag")
	}
	b.ok(b.box.AddFault(sandbox.Fault{Vendor: "zendesk", Op: "tickets_tags", Kind: sandbox.FaultStatus, Status: 422, Body: `{"error":"RecordInvalid"}`, Times: 1}))
	b.converge(ref) // what the desk refuses of it is nobody's loss
	b.converge(ref)
	row, err := b.zd.Client.ShowTicket(context.Background(), b.number(ref))
	b.ok(err)
	if listed() != 1 || len(row.Tags) != 2 {
		t.Errorf("tags %q", row.Tags)
	}
	b.box.ResetCalls()
	b.converge(ref)
	for _, op := range b.ops() {
		if op == "zendesk tickets_tags" {
			t.Error("tagged again")
		}
	}
}

// Where a ticket was merged is looked up once, also if that is nothing to its
// customer.
func TestMergeApartIsRemembered(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"open", "solved"} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			bothDesks(t, func(t *testing.T, b *bed, desk relay.DeskName) {
				loser, winner := b.open(desk, "carol", "Printer"), b.open(desk, "dave", "Printer")
				b.converge(loser)
				b.converge(winner)
				if before == "solved" {
					b.end(loser)
					b.converge(loser)
				}
				if desk == relay.Zendesk {
					b.ok(b.box.Zendesk().Merge(b.number(winner), b.number(loser)))
				} else {
					b.ok(b.box.Salesforce().Merge(winner.Ticket, loser.Ticket))
				}
				b.converge(loser)
				b.wantMuted(loser, true)
				if said := b.said(loser); len(said) != 2 {
					t.Errorf("said %q", said)
				}
				b.clock.Add(5 * time.Minute)
				b.quiet(desk)
			})
		})
	}
}
