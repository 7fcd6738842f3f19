package sandbox_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
)

func (d *desk) zendeskToken(scope string) string {
	d.t.Helper()
	f := d.Fixtures().Zendesk
	a := d.want(d.send("POST", "/zendesk/oauth/tokens", mustJSON(d.t, map[string]string{
		"grant_type": "client_credentials", "client_id": f.ClientID, "client_secret": f.ClientSecret, "scope": scope,
	})), 200)
	return "Authorization: Bearer " + a.text("access_token")
}

const fullScope = "read write"

const plainTicket = `{"ticket":{"subject":"Help","comment":{"body":"It broke"},"requester":{"name":"Dana","email":"dana@customer.example"},"external_id":"caseroom:dana:abc","tags":["caseroom"]}}`

func (d *desk) ticket(auth string) int64 {
	d.t.Helper()
	a := d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth), 201)
	id, err := strconv.ParseInt(a.text("ticket.id"), 10, 64)
	if err != nil {
		d.t.Fatalf("ticket.id is not a number: %s", a.raw)
	}
	return id
}

func basicAuth(user, pass string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+pass))
}

func TestZendeskTokenRefusals(t *testing.T) {
	d := newDesk(t)
	f := d.Fixtures().Zendesk
	good := func(change map[string]any) map[string]any {
		m := map[string]any{
			"grant_type": "client_credentials", "client_id": f.ClientID, "client_secret": f.ClientSecret, "scope": "read",
		}
		for k, v := range change {
			if v == nil {
				delete(m, k)
			} else {
				m[k] = v
			}
		}
		return m
	}
	for _, c := range []struct {
		name   string
		change map[string]any
		status int
		code   string
	}{
		{"unknown client", map[string]any{"client_id": "nobody"}, 401, "invalid_client"},
		{"wrong secret", map[string]any{"client_secret": "x"}, 401, "invalid_client"},
		{"client of ZIS", map[string]any{"client_id": "zis_caseroom"}, 401, "invalid_client"},
		{"password grant", map[string]any{"grant_type": "password"}, 400, "unsupported_grant_type"},
		{"no grant", map[string]any{"grant_type": nil}, 400, "invalid_request"},
		{"no scope", map[string]any{"scope": nil}, 400, "invalid_scope"},
		{"unknown scope", map[string]any{"scope": "read search:read"}, 400, "invalid_scope"},
		{"too short", map[string]any{"expires_in": 299}, 400, "invalid_request"},
		{"too long", map[string]any{"expires_in": 172801}, 400, "invalid_request"},
		{"not a number", map[string]any{"expires_in": "soon"}, 400, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := d.want(d.send("POST", "/zendesk/oauth/tokens", mustJSON(t, good(c.change))), c.status)
			if a.text("error") != c.code || a.text("error_description") == "" {
				t.Errorf("%s, want %s with a description", a.raw, c.code)
			}
		})
	}
	if a := d.send("POST", "/zendesk/oauth/tokens", "{", ""); a.status != 400 {
		t.Errorf("broken JSON: %d", a.status)
	}
	a := d.want(d.form("/zendesk/oauth/tokens", map[string]string{
		"grant_type": "client_credentials", "client_id": f.ClientID, "client_secret": f.ClientSecret,
		"scope": "tickets:read", "expires_in": "300",
	}), 200)
	if a.text("expires_in") != "300" || a.text("token_type") != "bearer" || a.at("refresh_token") != nil {
		t.Errorf("form answer %s", a.raw)
	}
}

func TestZendeskTokenExpires(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	d.clock.Advance(30*time.Minute - time.Second)
	d.want(d.send("GET", "/zendesk/api/v2/tickets", "", auth), 200)
	d.clock.Advance(time.Second)
	a := d.want(d.send("GET", "/zendesk/api/v2/tickets", "", auth), 401)
	if a.text("error") != "invalid_token" {
		t.Errorf("%s", a.raw)
	}
}

func TestZendeskCredentials(t *testing.T) {
	d := newDesk(t)
	f := d.Fixtures().Zendesk
	read := d.zendeskToken("tickets:read")
	write := d.zendeskToken("tickets:write")
	for _, c := range []struct {
		name, method, path, body, auth string
		status                         int
	}{
		{"none", "GET", "/api/v2/tickets", "", "", 401},
		{"plain e-mail", "GET", "/api/v2/tickets", "", basicAuth(f.Email, f.APIToken), 401},
		{"API token", "GET", "/api/v2/tickets", "", basicAuth(f.Email+"/token", f.APIToken), 200},
		{"wrong API token", "GET", "/api/v2/tickets", "", basicAuth(f.Email+"/token", "x"), 401},
		{"stranger's API token", "GET", "/api/v2/tickets", "", basicAuth("x@y.example/token", f.APIToken), 401},
		{"wrong bearer", "GET", "/api/v2/tickets", "", "Authorization: Bearer x", 401},
		{"other scheme", "GET", "/api/v2/tickets", "", "Authorization: Digest x", 401},
		{"read may list", "GET", "/api/v2/tickets", "", read, 200},
		{"read may not create", "POST", "/api/v2/tickets", plainTicket, read, 403},
		{"write may not list", "GET", "/api/v2/tickets", "", write, 403},
		{"tickets may not touch users", "POST", "/api/v2/users/create_or_update", `{"user":{"name":"x"}}`, write, 403},
		{"nothing there", "GET", "/api/v2/nothing", "", read, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := d.send(c.method, "/zendesk"+c.path, c.body, c.auth); a.status != c.status {
				t.Errorf("status %d, want %d: %s", a.status, c.status, a.raw)
			}
		})
	}
	d.Zendesk().EndAPITokens()
	d.want(d.send("GET", "/zendesk/api/v2/tickets", "", basicAuth(f.Email+"/token", f.APIToken)), 401)
}

func TestZendeskCreateTicket(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	a := d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth), 201)
	if a.header.Get("Location") != d.url+"/zendesk/api/v2/tickets/"+a.text("ticket.id")+".json" {
		t.Errorf("Location %q", a.header.Get("Location"))
	}
	if a.text("ticket.status") != "new" || a.text("ticket.tags.0") != "caseroom" || a.text("ticket.external_id") != "caseroom:dana:abc" {
		t.Errorf("ticket %s", a.raw)
	}
	own := fmt.Sprint(d.Fixtures().Zendesk.OwnUserID)
	if a.text("ticket.requester_id") == own {
		t.Error("the API account is the requester")
	}
	// The same address in another case is the same person; external ids may repeat.
	b := d.want(d.send("POST", "/zendesk/api/v2/tickets", strings.Replace(plainTicket, "dana@", "DANA@", 1), auth), 201)
	if b.text("ticket.requester_id") != a.text("ticket.requester_id") {
		t.Error("a second user was made")
	}
	list := d.want(d.send("GET", "/zendesk/api/v2/tickets.json?external_id="+url.QueryEscape("caseroom:dana:abc"), "", auth), 200)
	if list.text("count") != "2" || list.text("tickets.0.id") != a.text("ticket.id") {
		t.Errorf("list %s", list.raw)
	}
	if l := d.send("GET", "/zendesk/api/v2/tickets?external_id=other", "", auth); l.text("count") != "0" {
		t.Errorf("list of another id %s", l.raw)
	}
	noRequester := d.want(d.send("POST", "/zendesk/api/v2/tickets", `{"ticket":{"comment":{"body":"x"}}}`, auth), 201)
	if noRequester.text("ticket.requester_id") != own {
		t.Error("without a requester the caller should be it")
	}
}

func TestZendeskTicketRefusals(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	for _, c := range []struct {
		name, body string
		status     int
		field      string // of details; "" for another shape
	}{
		{"no comment", `{"ticket":{"subject":"x"}}`, 422, "base"},
		{"blank comment", `{"ticket":{"comment":{"body":"  "}}}`, 422, "base"},
		{"bad e-mail", `{"ticket":{"comment":{"body":"x"},"requester":{"name":"n","email":"nope"}}}`, 422, "requester"},
		{"requester without e-mail", `{"ticket":{"comment":{"body":"x"},"requester":{"name":"n"}}}`, 422, "requester"},
		{"new requester without name", `{"ticket":{"comment":{"body":"x"},"requester":{"email":"new@x.example"}}}`, 422, "requester"},
		{"unknown requester_id", `{"ticket":{"comment":{"body":"x"},"requester_id":12}}`, 422, "requester"},
		{"unknown assignee", `{"ticket":{"comment":{"body":"x"},"assignee_id":12}}`, 422, "assignee"},
		{"bad status", `{"ticket":{"comment":{"body":"x"},"status":"done"}}`, 422, "status"},
		{"bad priority", `{"ticket":{"comment":{"body":"x"},"priority":"top"}}`, 422, "priority"},
		{"long external id", `{"ticket":{"comment":{"body":"x"},"external_id":"` + strings.Repeat("x", 256) + `"}}`, 422, "external_id"},
		{"follow-up of nothing", `{"ticket":{"comment":{"body":"x"},"via_followup_source_id":99}}`, 422, "base"},
		{"not JSON", `{"ticket":`, 422, ""},
		{"no wrapper", `{"subject":"x"}`, 400, ""},
		{"wrapper of wrong type", `{"ticket":[]}`, 400, ""},
		{"subject of wrong type", `{"ticket":{"subject":{},"comment":{"body":"x"}}}`, 400, ""},
		{"tags of wrong type", `{"ticket":{"tags":{"a":1},"comment":{"body":"x"}}}`, 400, ""},
		{"requester_id of wrong type", `{"ticket":{"requester_id":"me","comment":{"body":"x"}}}`, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := d.want(d.send("POST", "/zendesk/api/v2/tickets", c.body, auth), c.status)
			if c.field == "" {
				return
			}
			if a.text("error") != "RecordInvalid" || a.text("details."+c.field+".0.description") == "" {
				t.Errorf("%s, want details of %s", a.raw, c.field)
			}
		})
	}
	if a := d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth, "Content-Type: text/plain"); a.status != 415 {
		t.Errorf("text/plain: %d", a.status)
	}
	if n := len(d.Zendesk().Tickets()); n != 0 {
		t.Errorf("%d tickets were made by refused requests", n)
	}
}

func TestZendeskIdempotency(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	key := "Idempotency-Key: k1"
	first := d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth, key), 201)
	if first.header.Get("X-Idempotency-Lookup") != "miss" {
		t.Error("no miss")
	}
	d.clock.Advance(2*time.Hour - time.Second)
	auth = d.zendeskToken(fullScope)
	again := d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth, key), 201)
	if again.header.Get("X-Idempotency-Lookup") != "hit" || string(again.raw) != string(first.raw) ||
		again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("replay: %s %s", again.header.Get("X-Idempotency-Lookup"), again.raw)
	}
	other := d.want(d.send("POST", "/zendesk/api/v2/tickets", strings.Replace(plainTicket, "broke", "burns", 1), auth, key), 400)
	if other.text("error") != "IdempotentRequestError" {
		t.Errorf("reuse: %s", other.raw)
	}
	// A refused request does not use its key up.
	d.want(d.send("POST", "/zendesk/api/v2/tickets", `{"ticket":{}}`, auth, "Idempotency-Key: k2"), 422)
	d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth, "Idempotency-Key: k2"), 201)
	d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth, "Idempotency-Key: "+strings.Repeat("k", 256)), 400)
	d.clock.Advance(time.Second)
	late := d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth, key), 201)
	if late.text("ticket.id") == first.text("ticket.id") {
		t.Error("the key outlived two hours")
	}
}

func TestZendeskIdempotencyInProgress(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	release := d.Zendesk().HoldCreates()
	answers := make(chan deskAnswer)
	for range 2 {
		go func() { answers <- d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth, "Idempotency-Key: k") }()
	}
	// Whichever came first waits; only the other can answer.
	if a := <-answers; a.status != 409 || a.text("error") != "IdempotentRequestInProgress" {
		t.Errorf("second: %d %s", a.status, a.raw)
	}
	release()
	if a := <-answers; a.status != 201 {
		t.Errorf("first: %d %s", a.status, a.raw)
	}
	if n := len(d.Zendesk().Tickets()); n != 1 {
		t.Errorf("%d tickets", n)
	}
}

func TestZendeskReadTickets(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	a, b, gone := d.ticket(auth), d.ticket(auth), d.ticket(auth)
	if err := d.Zendesk().Delete(gone); err != nil {
		t.Fatal(err)
	}
	show := d.want(d.send("GET", fmt.Sprintf("/zendesk/api/v2/tickets/%d.json", a), "", auth), 200)
	if show.at("ticket.comment") != nil || show.text("ticket.id") != fmt.Sprint(a) {
		t.Errorf("show %s", show.raw)
	}
	missing := d.want(d.send("GET", fmt.Sprintf("/zendesk/api/v2/tickets/%d", gone), "", auth), 404)
	if missing.text("error") != "RecordNotFound" {
		t.Errorf("deleted %s", missing.raw)
	}
	d.want(d.send("GET", "/zendesk/api/v2/tickets/77", "", auth), 404)
	if bad := d.want(d.send("GET", "/zendesk/api/v2/tickets/abc", "", auth), 400); bad.text("error.title") != "Invalid attribute" {
		t.Errorf("bad id %s", bad.raw)
	}
	many := d.want(d.send("GET", fmt.Sprintf("/zendesk/api/v2/tickets/show_many?ids=%d,%d,%d,77", b, gone, a), "", auth), 200)
	if many.text("count") != "2" || many.text("tickets.0.id") != fmt.Sprint(b) {
		t.Errorf("show_many %s", many.raw)
	}
	d.want(d.send("GET", "/zendesk/api/v2/tickets/show_many?ids=1,x", "", auth), 400)
	d.want(d.send("GET", "/zendesk/api/v2/tickets/show_many?ids=1"+strings.Repeat(",1", 100), "", auth), 400)

	page := d.want(d.send("GET", "/zendesk/api/v2/tickets?page[size]=1", "", auth), 200)
	next := page.text("links.next")
	if page.at("meta.has_more") != true || !strings.HasPrefix(next, d.url) {
		t.Fatalf("page %s", page.raw)
	}
	last := d.want(d.send("GET", strings.TrimPrefix(next, d.url), "", auth), 200)
	if last.at("meta.has_more") != false || last.text("tickets.0.id") != fmt.Sprint(b) {
		t.Errorf("last page %s", last.raw)
	}
}

func TestZendeskUpdate(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	id := d.ticket(auth)
	path := fmt.Sprintf("/zendesk/api/v2/tickets/%d", id)
	agent := d.Fixtures().Zendesk.AgentIDs[0]
	d.clock.Advance(time.Minute)
	a := d.want(d.send("PUT", path, fmt.Sprintf(`{"ticket":{"assignee_id":%d,"comment":{"body":"note","public":false}}}`, agent), auth), 200)
	if a.text("ticket.status") != "open" || a.text("ticket.updated_at") != "2026-11-20T12:01:00Z" {
		t.Errorf("assigned %s", a.raw)
	}
	stamp := a.text("ticket.updated_at")
	d.clock.Advance(time.Minute)
	d.want(d.send("PUT", path, `{"ticket":{"status":"pending","safe_update":true,"updated_stamp":"`+stamp+`"}}`, auth), 200)
	stale := d.want(d.send("PUT", path, `{"ticket":{"status":"solved","safe_update":"true","updated_stamp":"`+stamp+`"}}`, auth), 409)
	if stale.text("error") != "UpdateConflict" {
		t.Errorf("stale %s", stale.raw)
	}
	d.want(d.send("PUT", path, `{"ticket":{"status":"solved","safe_update":true}}`, auth), 400)
	d.want(d.send("PUT", path, `{"ticket":{"status":"new"}}`, auth), 422)
	d.want(d.send("PUT", path, `{"ticket":{"assignee_id":5}}`, auth), 422)
	if got, _ := d.Zendesk().Ticket(id); got.Status != "pending" || got.AssigneeID != agent {
		t.Errorf("a refused update changed the ticket: %+v", got)
	}

	comments := d.want(d.send("GET", path+"/comments?page[size]=1&sort=-created_at", "", auth), 200)
	if comments.text("comments.0.body") != "note" || comments.at("comments.0.public") != false || comments.at("meta.has_more") != true {
		t.Errorf("comments %s", comments.raw)
	}

	tags := d.want(d.send("PUT", path+"/tags", `{"tags":["b","caseroom"]}`, auth), 200)
	if tags.text("tags.0") != "b" || tags.text("tags.1") != "caseroom" {
		t.Errorf("add %s", tags.raw)
	}
	d.want(d.send("PUT", path+"/tags", `{"tags":["c"],"safe_update":"true","updated_stamp":"`+stamp+`"}`, auth), 409)
	if got := d.want(d.send("DELETE", path+"/tags", `{"tags":["b"]}`, auth), 200); got.at("tags.1") != nil {
		t.Errorf("remove %s", got.raw)
	}
	if got := d.want(d.send("POST", path+"/tags", `{"tags":["only"]}`, auth), 201); got.text("tags.0") != "only" {
		t.Errorf("set %s", got.raw)
	}

	d.want(d.send("PUT", path, `{"ticket":{"status":"closed"}}`, auth), 200)
	for _, c := range []struct{ method, path, body string }{
		{"PUT", path, `{"ticket":{"comment":{"body":"late"}}}`}, {"PUT", path + "/tags", `{"tags":["x"]}`},
	} {
		if a := d.send(c.method, c.path, c.body, auth); a.status != 422 || a.text("details.status.0.description") == "" {
			t.Errorf("%s of a closed ticket: %d %s", c.method, a.status, a.raw)
		}
	}
	follow := d.want(d.send("POST", "/zendesk/api/v2/tickets", fmt.Sprintf(`{"ticket":{"comment":{"body":"x"},"via_followup_source_id":%d}}`, id), auth), 201)
	if follow.text("ticket.via.source.rel") != "follow_up" || follow.text("ticket.tags.0") != "only" {
		t.Errorf("follow-up %s", follow.raw)
	}
	d.want(d.send("PUT", "/zendesk/api/v2/tickets/77", `{"ticket":{}}`, auth), 404)
}

// TestZendeskUserWrites: a user may be made as often as one likes, and written to by
// create_or_update once a second and five times a minute.
func TestZendeskUserWrites(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	const path = "/zendesk/api/v2/users"
	made := d.want(d.send("POST", path, `{"user":{"name":"Dana","external_id":"caseroom:dana","skip_verify_email":true}}`, auth), 201)
	twice := d.want(d.send("POST", path, `{"user":{"name":"Dana","external_id":"CASEROOM:dana"}}`, auth), 422)
	if twice.text("details.external_id.0.error") != "DuplicateValue" {
		t.Errorf("twice: %s", twice.raw)
	}
	if nobody := d.want(d.send("POST", path, `{"user":{"name":"\u200b\u2066 ","external_id":"x"}}`, auth), 422); nobody.text("details.name.0.error") != "BlankValue" {
		t.Errorf("a hidden name: %s", nobody.raw)
	}
	list := d.want(d.send("GET", path+"?external_id=caseroom:DANA", "", auth), 200)
	if list.text("count") != "1" || list.text("users.0.id") != made.text("user.id") {
		t.Errorf("listed %s", list.raw)
	}
	d.want(d.send("GET", path+"?external_id=caseroom:eve", "", auth), 200)

	write := func(who string, want int) {
		t.Helper()
		d.want(d.send("POST", path+"/create_or_update", `{"user":{"name":"X","external_id":"`+who+`"}}`, auth), want)
	}
	write("caseroom:dana", 200)
	write("caseroom:eve", 429) // a second of the whole account
	for range 4 {
		d.clock.Advance(time.Second)
		write("caseroom:dana", 200)
	}
	d.clock.Advance(time.Second)
	write("caseroom:dana", 429) // a minute of one user
	d.clock.Advance(time.Second)
	write("caseroom:eve", 201)
}

func TestZendeskUsers(t *testing.T) {
	d := newDesk(t)
	d.Zendesk().SetLimits(sandbox.ZendeskLimits{})
	auth := d.zendeskToken(fullScope)
	const path = "/zendesk/api/v2/users/create_or_update"
	first := d.want(d.send("POST", path, `{"user":{"name":"Dana","external_id":"Caseroom:U_1","skip_verify_email":true}}`, auth), 201)
	if first.text("user.role") != "end-user" || first.header.Get("Location") == "" {
		t.Errorf("new %s", first.raw)
	}
	second := d.want(d.send("POST", path, `{"user":{"name":"Dana B","external_id":"caseroom:u_1"}}`, auth), 200)
	if second.text("user.id") != first.text("user.id") || second.text("user.external_id") != "caseroom:u_1" || second.text("user.name") != "Dana B" {
		t.Errorf("matched %s", second.raw)
	}
	d.want(d.send("POST", path, `{"user":{"name":"Eve","email":"eve@x.example"}}`, auth), 201)
	for name, body := range map[string]string{
		"mixed match": `{"user":{"email":"eve@x.example","external_id":"caseroom:u_1"}}`,
		"no name":     `{"user":{"external_id":"new"}}`,
		"bad e-mail":  `{"user":{"name":"x","email":"x@"}}`,
		"bad role":    `{"user":{"name":"x","role":"king"}}`,
	} {
		if a := d.send("POST", path, body, auth); a.status != 422 || a.text("error") != "RecordInvalid" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	agent := d.want(d.send("POST", path, `{"user":{"email":"ALEX@caseroom.example"}}`, auth), 200)
	if agent.text("user.role") != "agent" {
		t.Errorf("an agent's address matches the agent: %s", agent.raw)
	}
	if err := d.Zendesk().SetRole(d.Fixtures().Zendesk.OwnUserID, "agent"); err != nil {
		t.Fatal(err)
	}
	d.want(d.send("POST", path, `{"user":{"name":"x"}}`, auth), 403)
	d.want(d.send("GET", "/zendesk/api/v2/incremental/tickets/cursor?start_time=0", "", auth), 403)

	anonymous := d.want(d.send("GET", "/zendesk/api/v2/users/me", ""), 200)
	if anonymous.at("user.id") != nil || anonymous.text("user.name") != "Anonymous user" {
		t.Errorf("anonymous %s", anonymous.raw)
	}
	d.want(d.send("GET", "/zendesk/api/v2/users/me", "", "Authorization: Bearer x"), 401)
	if me := d.want(d.send("GET", "/zendesk/api/v2/users/me.json", "", auth), 200); me.text("user.id") != fmt.Sprint(d.Fixtures().Zendesk.OwnUserID) {
		t.Errorf("me %s", me.raw)
	}
}

func TestZendeskIncremental(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	start := d.clock.Now().Unix()
	a := d.ticket(auth)
	d.clock.Advance(time.Second)
	b := d.ticket(auth)
	const path = "/zendesk/api/v2/incremental/tickets/cursor"
	if r := d.want(d.send("GET", fmt.Sprintf("%s?start_time=%d", path, start), "", auth), 400); r.text("error") != "StartTimeTooRecent" {
		t.Errorf("too recent %s", r.raw)
	}
	d.clock.Advance(60 * time.Second)
	if err := d.Zendesk().Delete(a); err != nil {
		t.Fatal(err)
	}
	page := d.want(d.send("GET", fmt.Sprintf("%s?start_time=%d", path, start), "", auth), 200)
	if page.text("tickets.0.id") != fmt.Sprint(b) || page.at("tickets.1") != nil || page.at("end_of_stream") != true {
		t.Errorf("the last 60 seconds are left out: %s", page.raw)
	}
	d.clock.Advance(60 * time.Second)
	page = d.want(d.send("GET", path+"?cursor="+url.QueryEscape(page.text("after_cursor")), "", auth), 200)
	if page.text("tickets.0.id") != fmt.Sprint(a) || page.text("tickets.0.status") != "deleted" {
		t.Errorf("deleted row %s", page.raw)
	}
	empty := d.want(d.send("GET", path+"?cursor="+url.QueryEscape(page.text("after_cursor")), "", auth), 200)
	if empty.at("tickets.0") != nil || empty.text("after_cursor") == "" {
		t.Errorf("end %s", empty.raw)
	}
	d.clock.Advance(time.Minute)
	one := d.want(d.send("GET", fmt.Sprintf("%s?start_time=%d&per_page=1&exclude_deleted=true", path, start), "", auth), 200)
	if one.text("tickets.0.id") != fmt.Sprint(b) || one.at("end_of_stream") != true {
		t.Errorf("exclude_deleted %s", one.raw)
	}
	for _, q := range []string{"", "?cursor=x", "?start_time=x", "?start_time=-1", "?start_time=0&per_page=0"} {
		d.want(d.send("GET", path+q, "", auth), 400)
	}
	d.clock.Advance(time.Minute)
	for range 10 {
		d.want(d.send("GET", path+"?start_time=0", "", auth), 200)
	}
	if r := d.want(d.send("GET", path+"?start_time=0", "", auth), 429); r.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

func TestZendeskLimits(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	id := d.ticket(auth)
	d.Zendesk().SetLimits(sandbox.ZendeskLimits{Account: 3, UpdateTicket: 1})
	path := fmt.Sprintf("/zendesk/api/v2/tickets/%d", id)
	d.want(d.send("PUT", path, `{"ticket":{"priority":"low"}}`, auth), 200)
	d.want(d.send("PUT", path, `{"ticket":{"priority":"high"}}`, auth), 429)
	if a := d.want(d.send("GET", path, "", auth), 200); a.header.Get("X-Rate-Limit-Remaining") != "0" {
		t.Errorf("remaining %q", a.header.Get("X-Rate-Limit-Remaining"))
	}
	over := d.want(d.send("GET", path, "", auth), 429)
	wait, err := strconv.Atoi(over.header.Get("Retry-After"))
	if err != nil || wait < 1 {
		t.Fatalf("Retry-After %q", over.header.Get("Retry-After"))
	}
	d.clock.Advance(time.Duration(wait) * time.Second)
	d.want(d.send("GET", path, "", auth), 200)
}

func TestZendeskDeskActions(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	var events []string
	z := d.Zendesk()
	z.OnChange(func(e sandbox.ZendeskEvent) { events = append(events, fmt.Sprint(e.Type, " ", e.Ticket.Status)) })
	a, b := d.ticket(auth), d.ticket(auth)
	d.clock.Advance(time.Minute)
	agent := d.Fixtures().Zendesk.AgentIDs[1]
	for i, step := range []func() error{
		func() error { return z.Assign(a, agent) },
		func() error { return z.Solve(a) },
		func() error { return z.Reopen(a) },
		func() error { return z.Delete(a) },
		func() error { return z.Undelete(a) },
		func() error { return z.Merge(a, b) },
		func() error { return z.Close(a) },
	} {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	want := "created new|created new|agent_assignment_changed open|status_changed open|status_changed solved|status_changed open|" +
		"soft_deleted deleted|undeleted open|comment_added closed|merged closed|status_changed closed|tags_changed closed|comment_added open|status_changed closed"
	if got := strings.Join(events, "|"); got != want {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
	merged, err := z.Ticket(b)
	if err != nil || merged.MergedInto != a || !strings.Contains(strings.Join(merged.Tags, " "), "closed_by_merge") {
		t.Errorf("merged %+v %v", merged, err)
	}
	if !merged.UpdatedAt.Equal(d.clock.Now()) {
		t.Errorf("updated_at %s", merged.UpdatedAt)
	}
	for name, err := range map[string]error{
		"assign a closed ticket": z.Assign(a, agent), "merge into a closed ticket": z.Merge(a, b),
		"undelete a live ticket": z.Undelete(a), "assign nothing": z.Assign(5, agent), "reopen a closed ticket": z.Reopen(a),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	c := d.ticket(auth)
	if err := z.MarkSpam(c); err != nil {
		t.Fatal(err)
	}
	suspended := d.want(d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth), 422)
	if suspended.text("details.requester.0.error") != "UserSuspended" {
		t.Errorf("suspended requester %s", suspended.raw)
	}
}

func TestZendeskWebhooksAndTriggers(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	hook := `{"webhook":{"name":"caseroom","endpoint":"https://x.example/zendesk/events","http_method":"POST","request_format":"json","status":"active","subscriptions":["zen:event-type:ticket.status_changed"]}}`
	a := d.want(d.send("POST", "/zendesk/api/v2/webhooks", hook, auth), 201)
	id := a.text("webhook.id")
	if len(id) != 26 {
		t.Fatalf("id %q is no ULID", id)
	}
	secret := d.want(d.send("GET", "/zendesk/api/v2/webhooks/"+id+"/signing_secret", "", auth), 200).text("signing_secret.secret")
	reset := d.want(d.send("POST", "/zendesk/api/v2/webhooks/"+id+"/signing_secret", "", auth), 201).text("signing_secret.secret")
	if secret == "" || secret == reset {
		t.Error("the secret was not reset")
	}
	d.want(d.send("PATCH", "/zendesk/api/v2/webhooks/"+id, `{"webhook":{"status":"inactive"}}`, auth), 204)
	for name, bad := range map[string]string{
		"event":  strings.Replace(hook, "status_changed", "vanished", 1),
		"method": strings.Replace(hook, `"POST"`, `"GET"`, 1),
		"name":   strings.Replace(hook, `"name":"caseroom",`, "", 1),
		"url":    strings.Replace(hook, "https://x.example", "x", 1),
	} {
		if r := d.send("POST", "/zendesk/api/v2/webhooks", bad, auth); r.status != 400 || r.text("errors.0.code") == "" {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
	trigger := `{"trigger":{"title":"caseroom","conditions":{"all":[{"field":"current_tags","operator":"includes","value":"caseroom"}]},"actions":[{"field":"notification_webhook","value":["` + id + `","{}"]}]}}`
	made := d.want(d.send("POST", "/zendesk/api/v2/triggers", trigger, auth), 201)
	d.want(d.send("PUT", "/zendesk/api/v2/triggers/"+made.text("trigger.id"), `{"trigger":{"title":"x"}}`, auth), 422)
	d.want(d.send("POST", "/zendesk/api/v2/triggers", strings.Replace(trigger, id, "nothing", 1), auth), 422)
	d.want(d.send("DELETE", "/zendesk/api/v2/webhooks/"+id, "", auth), 400) // a trigger sends by it
	category := d.want(d.send("POST", "/zendesk/api/v2/trigger_categories", `{"trigger_category":{"name":"caseroom"}}`, auth), 201).text("trigger_category.id")
	at := "/zendesk/api/v2/triggers/" + made.text("trigger.id")
	d.want(d.send("PUT", at, strings.Replace(trigger, `{"title"`, `{"category_id":"`+category+`","title"`, 1), auth), 200)
	d.want(d.send("DELETE", "/zendesk/api/v2/trigger_categories/"+category, "", auth), 400) // not empty
	if got := d.want(d.send("GET", at, "", auth), 200).text("trigger.category_id"); got != category {
		t.Errorf("category %q, want %q", got, category)
	}
	d.want(d.send("DELETE", at, "", auth), 204)
	d.want(d.send("DELETE", "/zendesk/api/v2/trigger_categories/"+category, "", auth), 204)
	d.want(d.send("DELETE", "/zendesk/api/v2/webhooks/"+id, "", auth), 204)
	if r := d.want(d.send("GET", "/zendesk/api/v2/webhooks/"+id, "", auth), 404); r.text("errors.0.code") == "" {
		t.Errorf("gone %s", r.raw)
	}
}

func TestZendeskCodeFaults(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	for code, status := range map[string]int{
		"IdempotentRequestError": 400, "IdempotentRequestInProgress": 409, "RecordInvalid": 422, "invalid_token": 401,
		"APIRateLimitExceeded": 429, "Forbidden": 403, "RecordNotFound": 404, "UpdateConflict": 409, "unavailable": 503,
	} {
		if err := d.AddFault(sandbox.Fault{Vendor: "zendesk", Op: "tickets_create", Kind: sandbox.FaultCode, Code: code, Times: 1}); err != nil {
			t.Fatal(err)
		}
		if a := d.send("POST", "/zendesk/api/v2/tickets", plainTicket, auth); a.status != status {
			t.Errorf("%s: %d, want %d", code, a.status, status)
		}
	}
	if n := len(d.Zendesk().Tickets()); n != 0 {
		t.Errorf("%d tickets", n)
	}
}

func TestZopimVisitor(t *testing.T) {
	d := newDesk(t)
	auth := "Authorization: Bearer " + d.Fixtures().Zendesk.ZopimToken
	d.AddVisitor(sandbox.ZopimVisitor{ID: "1-abc", Name: "V", ExternalID: "sub-1"})
	a := d.want(d.send("GET", "/zendesk/api/v2/chat/visitors/1-abc", "", auth), 200)
	if a.text("id") != "1.abc" || a.text("external_id") != "sub-1" {
		t.Errorf("%s", a.raw)
	}
	d.want(d.send("GET", "/zendesk/api/v2/chat/visitors/9-x", "", auth), 404)
	d.want(d.send("GET", "/zendesk/api/v2/chat/visitors/1-abc", "", "Authorization: Bearer x"), 401)
	d.want(d.send("GET", "/zendesk/api/v2/chat/visitors/1-abc", ""), 401)
	d.want(d.send("GET", "/zendesk/api/v2/chat/nothing", "", auth), 404)
}

func TestZendeskSearchExport(t *testing.T) {
	d := newDesk(t)
	auth := d.zendeskToken(fullScope)
	const path = "/zendesk/api/v2/search/export"
	search := func(query string, more ...string) deskAnswer {
		q := url.Values{"query": {query}, "filter[type]": {"ticket"}}
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return d.send("GET", path+"?"+q.Encode(), "", auth)
	}
	var ids []string
	for range 3 {
		r := d.want(d.send("POST", "/zendesk/api/v2/tickets", `{"ticket":{"subject":"x","comment":{"body":"x"},"tags":["caseroom"]}}`, auth), 201)
		ids = append(ids, r.text("ticket.id"))
	}
	other := d.ticket(auth)
	if err := d.Zendesk().Solve(other); err != nil {
		t.Fatal(err)
	}

	first := d.want(search("tags:caseroom status<solved", "page[size]", "2"), 200)
	if first.text("results.0.id") != ids[0] || first.text("results.1.id") != ids[1] || first.at("meta.has_more") != true || first.text("results.0.result_type") != "ticket" {
		t.Errorf("first page %s", first.raw)
	}
	cursor := first.text("meta.after_cursor")
	last := d.want(search("tags:caseroom status<solved", "page[size]", "2", "page[after]", cursor), 200)
	if last.text("results.0.id") != ids[2] || last.at("results.1") != nil || last.at("meta.has_more") != false {
		t.Errorf("last page %s", last.raw)
	}
	if r := d.want(search("status:solved"), 200); r.text("results.0.id") != fmt.Sprint(other) {
		t.Errorf("solved %s", r.raw)
	}
	if r := d.want(search("tags:nobody"), 200); r.at("results.0") != nil || r.at("meta.after_cursor") != nil {
		t.Errorf("nothing %s", r.raw)
	}
	d.Zendesk().SetSearchLag(2 * time.Minute)
	if r := d.want(search("tags:caseroom"), 200); r.at("results.0") != nil {
		t.Errorf("the index knows it already: %s", r.raw)
	}
	for _, q := range []string{"", "type:ticket tags:caseroom", "printer", "status<never", "tags<caseroom"} {
		d.want(search(q), 422)
	}
	d.want(search("tags:caseroom", "filter[type]", "user"), 400)
	d.want(search("tags:caseroom", "page[size]", "1001"), 400)
	d.want(search("tags:caseroom", "page[after]", "x"), 400)
	d.clock.Advance(61 * time.Minute)
	auth = d.zendeskToken(fullScope)
	d.want(search("tags:caseroom", "page[after]", cursor), 400)
	d.Zendesk().SetLimits(sandbox.ZendeskLimits{SearchExport: 1})
	d.want(search("tags:caseroom"), 200)
	d.want(search("tags:caseroom"), 429)
	auth = d.zendeskToken("tickets:read")
	d.want(search("tags:caseroom"), 403)
}
