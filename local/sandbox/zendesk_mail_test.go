package sandbox_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// TestZendeskMails: what a call of ours sets off in an account as it comes, and in
// one whose triggers leave our tag alone.
func TestZendeskMails(t *testing.T) {
	for _, butFor := range []string{"", "caseroom"} {
		d := newDesk(t)
		desk, auth := d.Zendesk(), d.zendeskToken(fullScope)
		mailed := 0
		desk.SetStandardTriggers(true, butFor)
		why := func(what string, want ...string) {
			t.Helper()
			if butFor != "" {
				want = nil
			}
			var got []string
			for _, m := range desk.Outbox()[mailed:] {
				got = append(got, m.To+": "+m.Why)
			}
			mailed += len(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: mailed %q, want %q", what, got, want)
			}
		}
		agent := d.Fixtures().Zendesk.AgentIDs[0]
		all := []string{"api@caseroom.example", "alex@caseroom.example", "billie@caseroom.example"}
		var received []string
		for _, to := range all {
			received = append(received, to+": Notify all agents of received request")
		}
		made := d.want(d.send("POST", "/zendesk/api/v2/tickets", `{"ticket":{"tags":["caseroom"],"comment":{"body":"It is dark","public":true},"requester":{"name":"Dana","email":"dana@x.example"}}}`, auth), 201)
		why("a ticket of a customer with an address", append([]string{"dana@x.example: Notify requester of new proactive ticket"}, received...)...)
		user := d.want(d.send("POST", "/zendesk/api/v2/users", `{"user":{"name":"Eve","external_id":"caseroom:eve"}}`, auth), 201)
		d.want(d.send("POST", "/zendesk/api/v2/tickets", fmt.Sprintf(`{"ticket":{"tags":["caseroom"],"comment":{"body":"Dark"},"requester_id":%s}}`, user.text("user.id")), auth), 201)
		why("a ticket of a customer without one", received...)

		path := "/zendesk/api/v2/tickets/" + made.text("ticket.id")
		ticket, err := strconv.ParseInt(made.text("ticket.id"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if err := desk.Assign(ticket, agent); err != nil {
			t.Fatal(err)
		}
		why("an agent takes it")
		if err := desk.Solve(ticket); err != nil {
			t.Fatal(err)
		}
		why("and solves it")
		d.want(d.send("PUT", path, `{"ticket":{"comment":{"html_body":"<pre>transcript</pre>","public":false}}}`, auth), 200)
		why("a note with a transcript", "alex@caseroom.example: Notify assignee of comment update")
	}
}

// TestZendeskRestrictedUser: what the credentials' user may not see is in no list,
// and a light agent's comment is a note.
func TestZendeskRestrictedUser(t *testing.T) {
	d := newDesk(t)
	desk, auth := d.Zendesk(), d.zendeskToken(fullScope)
	own := d.Fixtures().Zendesk.OwnUserID
	made := func() string {
		return d.want(d.send("POST", "/zendesk/api/v2/tickets", `{"ticket":{"external_id":"x","comment":{"body":"a","public":true},"requester":{"name":"Dana","email":"dana@x.example"}}}`, auth), 201).text("ticket.id")
	}
	id := made()
	if err := desk.Restrict(own, "assigned", true); err != nil {
		t.Fatal(err)
	}
	for path, list := range map[string]string{"?external_id=x": "tickets", "/show_many?ids=" + id: "tickets"} {
		if a := d.want(d.send("GET", "/zendesk/api/v2/tickets"+path, "", auth), 200); a.text(list+".0.id") != "" {
			t.Errorf("%s shows %s", path, a.raw)
		}
	}
	d.want(d.send("GET", "/zendesk/api/v2/tickets/"+id, "", auth), 403)
	me := d.want(d.send("GET", "/zendesk/api/v2/users/me", "", auth), 200)
	if me.text("user.ticket_restriction") != "assigned" || me.at("user.only_private_comments") != true {
		t.Errorf("me: %s", me.raw)
	}
	light := made()
	if err := desk.Restrict(own, "", false); err != nil {
		t.Fatal(err)
	}
	if a := d.want(d.send("GET", "/zendesk/api/v2/tickets/"+light+"/comments", "", auth), 200); a.at("comments.0.public") != false {
		t.Errorf("a light agent's comment: %s", a.raw)
	}
}
