package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
)

// click does one action.
func (d *desk) click(path, body string, status int) deskAnswer {
	d.t.Helper()
	return d.want(d.send("POST", "/desk/"+path, body), status)
}

func TestAppInAnAgentsBrowser(t *testing.T) {
	d := newDesk(t)
	alex := d.want(d.send("GET", "/desk/zendesk/agents", ""), 200).text("0.id")
	ticket := d.click("zendesk/create", `{"subject":"Lamp"}`, 200).text("ticket")
	ask := func(path string) deskAnswer {
		t.Helper()
		return d.click("zendesk/request", `{"agent":`+alex+`,"path":"`+path+`"}`, 200)
	}
	if a := ask("/api/v2/macros/active.json"); a.text("body.macros.0.title") != "Greeting::Looking at it" || a.at("body.macros.3") != nil {
		t.Errorf("active macros %s", a.raw)
	}
	applied := ask("/api/v2/tickets/" + ticket + "/macros/25/apply.json")
	want := "Hello Alex, I am Alex Agent and look at request " + ticket + " now."
	if got := applied.text("body.result.ticket.comment.body"); got != want {
		t.Errorf("applied %q, want %q", got, want)
	}
	if a := ask("/api/v2/tickets/" + ticket + "/macros/27/apply.json"); a.text("status") != "200" || a.at("body.result.ticket.comment") != nil {
		t.Errorf("a macro without words %s", a.raw)
	}
	for _, path := range []string{"/api/v2/tickets/1/macros/25/apply.json", "/api/v2/tickets/" + ticket + "/macros/1/apply.json"} {
		if a := ask(path); a.text("status") != "404" {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
	d.click("zendesk/request", `{"agent":1,"path":"/api/v2/users/me.json"}`, 404)
}

func TestZendeskClicks(t *testing.T) {
	d := newDesk(t)
	agents := d.want(d.send("GET", "/desk/zendesk/agents", ""), 200)
	alex, billie := agents.text("0.id"), agents.text("1.id")
	if agents.text("0.name") != "Alex Agent" || billie == "" || agents.at("2") != nil {
		t.Fatalf("agents %s", agents.raw)
	}
	one := d.click("zendesk/create", `{"subject":"Lamp","comment":"It is dark.","tags":["caseroom"]}`, 200).text("ticket")
	two := d.click("zendesk/create", `{"subject":"Lamp again"}`, 200).text("ticket")
	ticket := func() sandbox.ZendeskTicket {
		t.Helper()
		for _, x := range d.Zendesk().Tickets() {
			if fmt.Sprint(x.ID) == one {
				return x
			}
		}
		t.Fatalf("no ticket %s", one)
		return sandbox.ZendeskTicket{}
	}
	for _, c := range []struct {
		path, body string
		status     int
		seen       func(x sandbox.ZendeskTicket) bool
	}{
		{"assign", `{"ticket":ONE,"agent":` + alex + `}`, 204, func(x sandbox.ZendeskTicket) bool { return fmt.Sprint(x.AssigneeID) == alex && x.Status == "open" }},
		{"assign", `{"ticket":ONE,"agent":12345}`, 404, nil},
		{"assign", `{"ticket":ONE,"agent":0}`, 204, func(x sandbox.ZendeskTicket) bool { return x.AssigneeID == 0 }},
		{"comment", `{"ticket":ONE,"author":` + billie + `,"body":"A note"}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Comments[1].Body == "A note" && !x.Comments[1].Public }},
		{"comment", `{"ticket":ONE,"author":` + billie + `}`, 400, nil},
		{"tag", `{"ticket":ONE,"tags":["vip"]}`, 204, func(x sandbox.ZendeskTicket) bool { return slices.Equal(x.Tags, []string{"vip"}) }},
		{"status", `{"ticket":ONE,"status":"solved"}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Status == "solved" }},
		{"status", `{"ticket":ONE,"status":"done"}`, 400, nil},
		{"status", `{"ticket":ONE,"status":"open"}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Status == "open" }},
		{"type", `{"ticket":ONE,"type":"task","due":"2026-12-01T12:00:00Z"}`, 204, func(x sandbox.ZendeskTicket) bool {
			return x.Type == "task" && x.DueAt.Equal(time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC))
		}},
		{"type", `{"ticket":ONE,"type":"wish"}`, 400, nil},
		{"type", `{"ticket":ONE,"type":"task","due":"tomorrow"}`, 400, nil},
		{"type", `{"ticket":ONE,"type":""}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Type == "" && x.DueAt.IsZero() }},
		{"hide", `{"ticket":ONE,"hidden":true}`, 204, nil},
		{"status", `{"ticket":ONE,"status":"pending"}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Status == "pending" }},
		{"status", `{"ticket":ONE,"status":"open"}`, 204, nil},
		{"hide", `{"ticket":ONE,"hidden":false}`, 204, nil},
		{"hide", `{"ticket":1,"hidden":true}`, 404, nil},
		{"undelete", `{"ticket":ONE}`, 404, nil},
		{"delete", `{"ticket":ONE}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Status == "deleted" }},
		{"delete", `{"ticket":ONE}`, 404, nil},
		{"undelete", `{"ticket":ONE}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Status == "open" }},
		{"spam", `{"ticket":ONE}`, 204, func(x sandbox.ZendeskTicket) bool { return x.Status == "deleted" }},
		{"undelete", `{"ticket":ONE}`, 204, nil},
		{"merge", `{"ticket":TWO,"sources":[]}`, 400, nil},
		{"merge", `{"ticket":TWO,"sources":[ONE]}`, 204, func(x sandbox.ZendeskTicket) bool {
			return x.Status == "closed" && slices.Contains(x.Tags, "closed_by_merge")
		}},
		{"status", `{"ticket":ONE,"status":"open"}`, 400, nil}, // closed is for good
		{"delete", `{"ticket":TWO}`, 204, nil},
		{"purge", `{"ticket":TWO}`, 204, nil},
		{"undelete", `{"ticket":TWO}`, 404, nil},
		{"status", `{"ticket":ONE,"status":"open","why":"?"}`, 400, nil},
		{"create", `{}`, 400, nil},
		{"create", `[`, 400, nil},
	} {
		body := strings.NewReplacer("ONE", one, "TWO", two).Replace(c.body)
		a := d.send("POST", "/desk/zendesk/"+c.path, body)
		if a.status != c.status || (c.status >= 400) != (a.text("error") != "") {
			t.Errorf("%s %s: %d %s, want %d", c.path, body, a.status, a.raw, c.status)
		}
		if c.seen != nil && !c.seen(ticket()) {
			t.Errorf("%s %s left %+v", c.path, body, ticket())
		}
	}
	if list := d.want(d.send("GET", "/desk/zendesk/tickets", ""), 200); list.at("1") == nil {
		t.Errorf("tickets %s", list.raw)
	}
}

func TestSalesforceClicks(t *testing.T) {
	d := newDesk(t)
	agents := d.want(d.send("GET", "/desk/salesforce/agents", ""), 200)
	alex := agents.text("0.id")
	queue := d.want(d.send("GET", "/desk/salesforce/queues", ""), 200).text("0.id")
	if agents.text("0.name") != "Alex Agent" || queue == "" || agents.at("2") != nil {
		t.Fatalf("agents %s, queue %s", agents.raw, queue)
	}
	one := d.click("salesforce/create", `{"subject":"Lamp"}`, 200).text("case")
	two := d.click("salesforce/create", `{"subject":"Lamp again","owner":"`+alex+`"}`, 200).text("case")
	row := func() sandbox.SalesforceCase {
		t.Helper()
		c, err := d.Salesforce().Case(one)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var work string
	for _, c := range []struct {
		path, body string
		status     int
		seen       func(c sandbox.SalesforceCase) bool
	}{
		{"owner", `{"case":"ONE","owner":"ALEX"}`, 204, func(c sandbox.SalesforceCase) bool { return c.OwnerID == alex }},
		{"owner", `{"case":"ONE","owner":"005000000000000"}`, 404, nil},
		{"queue", `{"case":"ONE"}`, 204, func(c sandbox.SalesforceCase) bool { return c.OwnerID == queue }},
		{"agentwork", `{"case":"ONE","user":"ALEX"}`, 200, func(c sandbox.SalesforceCase) bool { return c.OwnerID == queue }},
		{"agentwork/status", `{"agentWork":"WORK","status":"Opened"}`, 204, func(c sandbox.SalesforceCase) bool { return c.OwnerID == alex }},
		{"agentwork/status", `{"agentWork":"WORK"}`, 400, nil},
		{"status", `{"case":"ONE","status":"Escalated"}`, 204, func(c sandbox.SalesforceCase) bool { return c.Status == "Escalated" }},
		{"status", `{"case":"ONE"}`, 400, nil},
		{"comment", `{"case":"ONE","body":"A note"}`, 204, nil},
		{"close", `{"case":"ONE"}`, 204, func(c sandbox.SalesforceCase) bool { return c.IsClosed }},
		{"reopen", `{"case":"ONE"}`, 204, func(c sandbox.SalesforceCase) bool { return !c.IsClosed }},
		{"hide", `{"case":"ONE","hidden":true}`, 204, nil},
		{"status", `{"case":"ONE","status":"New"}`, 204, func(c sandbox.SalesforceCase) bool { return c.Status == "New" }},
		{"hide", `{"case":"ONE","hidden":false}`, 204, nil},
		{"hide", `{"case":"500000000000000"}`, 404, nil},
		{"delete", `{"case":"ONE"}`, 204, func(c sandbox.SalesforceCase) bool { return c.IsDeleted }},
		{"close", `{"case":"ONE"}`, 404, nil},
		{"undelete", `{"case":"ONE"}`, 204, func(c sandbox.SalesforceCase) bool { return !c.IsDeleted }},
		{"merge", `{"case":"TWO","loser":"ONE"}`, 204, func(c sandbox.SalesforceCase) bool { return c.IsDeleted && c.MasterRecordID == two }},
		{"active", `{"user":"ALEX","active":false}`, 204, nil},
		{"create", `{"subject":"x","owner":"nobody"}`, 404, nil},
	} {
		body := strings.NewReplacer("ONE", one, "TWO", two, "ALEX", alex, "WORK", work).Replace(c.body)
		a := d.send("POST", "/desk/salesforce/"+c.path, body)
		if a.status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.path, body, a.status, a.raw, c.status)
		}
		if w := a.text("agentWork"); w != "" {
			work = w
		}
		if c.seen != nil && !c.seen(row()) {
			t.Errorf("%s %s left %+v", c.path, body, row())
		}
	}
	if cases := d.want(d.send("GET", "/desk/salesforce/cases", ""), 200); cases.text("1.id") != two {
		t.Errorf("cases %s", cases.raw)
	}
	if notes := d.State().Salesforce.Comments; len(notes) != 1 || notes[0]["CommentBody"] != "A note" {
		t.Errorf("comments %v", notes)
	}
}

func TestCronofyClicks(t *testing.T) {
	d := newDesk(t)
	const account, redirect = "alex@caseroom.example", "http://127.0.0.1/calendar/callback"
	code, err := d.Cronofy().Allow(account, redirect, "create_event")
	if err != nil {
		t.Fatal(err)
	}
	app := d.Fixtures().Cronofy
	ask := func(fields string) deskAnswer {
		return d.send("POST", "/cronofy/oauth/token", `{"client_id":"`+app.ClientID+`","client_secret":"`+app.ClientSecret+`",`+fields+`}`)
	}
	refresh := `"grant_type":"refresh_token","refresh_token":"` +
		d.want(ask(`"grant_type":"authorization_code","code":"`+code+`","redirect_uri":"`+redirect+`"`), 200).text("refresh_token") + `"`
	d.want(ask(refresh), 200)
	d.click("cronofy/withdraw", `{"account":"nobody@caseroom.example"}`, 404)
	d.click("cronofy/withdraw", `{"account":"billie@caseroom.example"}`, 204)
	d.want(ask(refresh), 200)
	d.click("cronofy/withdraw", `{"account":"`+account+`"}`, 204)
	if a := d.want(ask(refresh), 400); a.text("error") != "invalid_grant" {
		t.Errorf("after it was withdrawn: %s", a.raw)
	}
}

func TestTencentClicks(t *testing.T) {
	d := newChatDesk(t, sandbox.Options{})
	room := func() sandbox.TencentGroup {
		t.Helper()
		g, _ := d.Group("ZENDESK#1")
		return g
	}
	in := func(user string) func() bool {
		return func() bool {
			return slices.ContainsFunc(room().Members, func(m sandbox.TencentMember) bool { return m.UserID == user })
		}
	}
	not := func(f func() bool) func() bool { return func() bool { return !f() } }
	for _, c := range []struct {
		path, body string
		status     int
		seen       func() bool
	}{
		{"add", `{"groupId":"ZENDESK#1","userId":"stranger"}`, 204, in("stranger")},
		{"add", `{"groupId":"ZENDESK#1","userId":"stranger"}`, 400, nil},
		{"remove", `{"groupId":"ZENDESK#1","userId":"stranger"}`, 204, not(in("stranger"))},
		{"quit", `{"groupId":"ZENDESK#1","userId":"dana"}`, 204, not(in("dana"))},
		{"quit", `{"groupId":"ZENDESK#1","userId":"dana"}`, 400, nil},
		{"mute", `{"groupId":"ZENDESK#1","muted":true}`, 204, func() bool { return room().MuteAllMember }},
		{"mute", `{"groupId":"ZENDESK#1","muted":false}`, 204, func() bool { return !room().MuteAllMember }},
		{"squat", `{"groupId":"ZENDESK#1","userId":"eve"}`, 400, nil},
		{"destroy", `{"groupId":"ZENDESK#1"}`, 204, func() bool { return room().GroupID == "" }},
		{"destroy", `{"groupId":"ZENDESK#1"}`, 404, nil},
		{"squat", `{"groupId":"ZENDESK#1","userId":"eve"}`, 204, func() bool { return room().Owner == "eve" }},
		{"kick", `{"userId":"eve"}`, 204, func() bool { _, kicked := d.Kicked("eve"); return kicked }},
		{"kick", `{"userId":"nobody"}`, 404, nil},
	} {
		a := d.send("POST", "/desk/tencent/"+c.path, c.body)
		if a.status != c.status || (c.seen != nil && !c.seen()) {
			t.Errorf("%s %s: %d %s, want %d; room %+v", c.path, c.body, a.status, a.raw, c.status, room())
		}
	}
}

func TestDelayedEvent(t *testing.T) {
	told := make(chan string, 4)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.URL.Path }))
	defer hook.Close()
	d := newDesk(t)
	defer d.Close()
	if _, err := d.Zendesk().Subscribe(hook.URL + "/hook"); err != nil {
		t.Fatal(err)
	}
	d.want(d.send("POST", "/faults", fmt.Sprintf(`{"vendor":"zendesk","kind":"delay","delay":%d,"times":1}`, time.Hour)), 201)
	ticket := d.click("zendesk/create", `{"subject":"late"}`, 200).text("ticket")
	d.click("zendesk/status", `{"ticket":`+ticket+`,"status":"solved"}`, 204)
	select {
	case <-told:
		t.Fatal("a delayed event came at once")
	case <-time.After(20 * time.Millisecond):
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	default:
		t.Error("flushing did not deliver the delayed event")
	}
	if calls := d.Calls(); len(calls) == 0 || calls[len(calls)-1].Fault != "delay" {
		t.Errorf("the log says %+v", calls)
	}
}
