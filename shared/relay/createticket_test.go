package relay_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
)

// Marking a ticket as spam suspends its requester, from whom Zendesk then takes
// no tickets: that is the customer's affair, not a failure of the desk's.
func TestSuspendedCustomer(t *testing.T) {
	t.Parallel()
	b := newBed(t, sandbox.TencentPlan{})
	spam := b.open(relay.Zendesk, "carol", "One")
	id, err := strconv.ParseInt(spam.Ticket, 10, 64)
	b.ok(err)
	b.ok(b.box.Zendesk().MarkSpam(id))
	ref, err := b.create.Run(context.Background(), b.desks[relay.Zendesk], relay.NewTicket{
		UserID: "carol", Subject: "Two", Desc: "help",
		Name: "CAROL", Email: "carol@example.com", Key: "carol-Two",
	})
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != problem.Unprocessable || p.TicketID != "" || ref != (relay.Ref{}) {
		t.Errorf("%+v, %v", ref, err)
	}
	if n := len(b.box.State().Zendesk.Tickets); n != 1 {
		t.Errorf("%d tickets", n)
	}
}
