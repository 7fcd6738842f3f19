package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caseroom/caseroom/local/lambdahost"
)

// bodied are the routes that need a JSON body, each with a credential that lets
// it be read. TestZendeskEvents has the one route with other rules.
func (s *stack) bodied() []request {
	s.tb.Helper()
	login := s.customer("ada")
	list := []request{
		{path: "/createticket", as: login}, {path: "/zendesk/createticket", as: login}, {path: "/salesforce/createticket", as: login},
		{path: "/guest/createticket", key: uuid.NewString()},
		{path: "/usersig", as: s.fix.DeskKeySalesforce}, {path: "/salesforce/usersig", as: s.fix.DeskKeySalesforce},
		request{path: "/iam/salesforce/usersig"}.signedBy(principal),
	}
	for _, op := range []string{"joingroup", "leavegroup", "deletegroup", "events"} {
		if op != "events" {
			list = append(list, request{path: "/" + op, as: s.fix.DeskKeySalesforce})
		}
		list = append(list, request{path: "/salesforce/" + op, as: s.fix.DeskKeySalesforce}, request{path: "/iam/salesforce/" + op}.signedBy(principal))
	}
	return list
}

// Whatever is sent, the answer is a 4xx problem and nobody else hears of it.
func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	deep := strings.Repeat(`{"caseInfo":`, 5000) + "1" + strings.Repeat("}", 5000)
	bodies := map[string]string{
		"null": "null", "true": "true", "a number": "7", "a string": `"x"`, "an array": `[{"userId":"x"}]`,
		"not JSON": "{", "a form": "userId=x", "XML": "<x/>", "NUL": "\x00", "a NUL inside": "{\"userId\":\"a\x00b\"}", "BOM": "\ufeff{}",
		"trailing bytes": `{"userId":"x","groupId":"x"}x`, "two objects": `{"userId":"x"}{"userId":"x"}`, "a comma more": `{"userId":"x",}`,
		"invalid UTF-8": "{\"userId\":\"\xff\xfe\"}", "a lone surrogate": `{"userId":"\ud800"}`,
		"an object as an id": `{"userId":{},"groupId":{},"caseInfo":[]}`, "an array as an id": `{"userId":["x"],"groupId":["x"],"caseInfo":"x"}`,
		"a float as an id": `{"userId":1.5,"groupId":1.5,"caseInfo":1}`, "1e9 as an id": `{"userId":1e9,"groupId":1e9,"caseInfo":true}`,
		"a boolean as an id": `{"userId":true,"groupId":true,"caseInfo":{"subject":1,"desc":2}}`,
		"a huge number":      `{"userId":` + strings.Repeat("9", 400) + `,"groupId":` + strings.Repeat("9", 400) + `}`,
		"deep nesting":       deep, "deeper arrays": `{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
		"comments": "{/*x*/}", "single quotes": "{'userId':'x'}", "NaN": `{"userId":NaN}`,
	}
	for _, r := range s.bodied() {
		for what, body := range bodies {
			r.body = body
			if a := s.refused(t, r, "invalid"); t.Failed() {
				t.Fatalf("%s: %s", what, a)
			}
		}
		// An empty body is no JSON object; where it may be missing, an id is.
		r.body = ""
		s.refused(t, r.with("Content-Type", "application/json"), "invalid")
		r.body = "{}"
		s.refused(t, r, "invalid")
		r.body = `{"caseInfo":null,"userId":null,"groupId":null}`
		s.refused(t, r, "invalid")

		r.body = `{"userId":"` + strings.Repeat("x", 1<<20) + `"}`
		s.refused(t, r, "too_large")
		r.body = strings.Repeat(" ", 64<<10) + "{}"
		s.refused(t, r, "too_large")

		r.body = object("userId", "x", "groupId", "x", "caseInfo", map[string]string{"subject": "x", "desc": "x"})
		for _, media := range []string{
			"text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "application/octet-stream",
			"application/json-patch+json", "application/problem+json", "application", "/", "*/*", "application/json, text/plain", ";", "application/json;charset", "",
		} {
			if a := s.refused(t, r.with("Content-Type", media), "unsupported_media_type"); t.Failed() {
				t.Fatalf("%q: %s", media, a)
			}
		}
		s.refused(t, r.with("Content-Type", "application/json").with("Content-Type", "text/plain"), "unsupported_media_type")
	}
	// The token's form, too.
	app := request{path: "/zendesk/app"}.with("Content-Type", "application/x-www-form-urlencoded")
	for _, body := range []string{"", "token", "token=", "token=%", "token=%zz", "token=a;b", "\x00", "token=" + strings.Repeat("x", 60<<10), "token[]=x", "a.b.c"} {
		app.body = body
		s.refused(t, app, "unauthorized")
	}
	app.body = "token=" + strings.Repeat("x", 1<<20)
	s.refused(t, app, "too_large")
}

// The limits of what a customer may say, and that what is inside them arrives
// as it was said.
func TestCustomersWords(t *testing.T) {
	t.Parallel()
	s := newStack(t, parameter("RoomNames", "subject"))
	login := s.customer("ada")
	send := func(info map[string]any) request {
		return request{path: "/zendesk/createticket", as: login, body: object("caseInfo", info)}
	}
	for what, info := range map[string]map[string]any{
		"no subject":                {"desc": "x"},
		"no desc":                   {"subject": "x"},
		"a blank subject":           {"subject": " \t ", "desc": "x"},
		"a blank desc":              {"subject": "x", "desc": " \n "},
		"null":                      {"subject": nil, "desc": nil},
		"a long subject":            {"subject": strings.Repeat("é", 151), "desc": "x"},
		"a long desc":               {"subject": "x", "desc": strings.Repeat("x", 30_001)},
		"a long name":               {"subject": "x", "desc": "x", "name": strings.Repeat("x", 256)},
		"a long address":            {"subject": "x", "desc": "x", "email": strings.Repeat("x", 80) + "@example.com"},
		"a line break in a subject": {"subject": "x\r\nBcc: all@example.com", "desc": "x"},
		"a line break in a name":    {"subject": "x", "desc": "x", "name": "x\ny"},
		"a NUL":                     {"subject": "x\x00", "desc": "x"},
		"an escape":                 {"subject": "x", "desc": "\x1b[2J"},
		"no address":                {"subject": "x", "desc": "x", "email": "nobody"},
		"two addresses":             {"subject": "x", "desc": "x", "email": "a@example.com,b@example.com"},
		"a header in an address":    {"subject": "x", "desc": "x", "email": "a@example.com\r\nBcc: b@example.com"},
		"a display name":            {"subject": "x", "desc": "x", "email": "A <a@example.com>"},
		"a quoted address":          {"subject": "x", "desc": "x", "email": `"a b"@example.com`},
		"a local host":              {"subject": "x", "desc": "x", "email": "root@localhost"},
		"a number":                  {"subject": 1, "desc": "x"},
		"a list":                    {"subject": []string{"x"}, "desc": "x"},
	} {
		if a := s.refused(t, send(info), "invalid"); t.Failed() {
			t.Fatalf("%s: %s", what, a)
		}
	}
	for what, text := range map[string]string{
		"SQL":        `'; DROP TABLE tickets; --`,
		"HTML":       `<script>alert(1)</script>"><img src=x onerror=alert(1)>`,
		"a template": `{{ticket.id}} ${jndi:ldap://evil.example} #{7*7} <%= 1 %>`,
		"SOQL":       `x' OR Name LIKE '%`,
		"a path":     `../../etc/passwd %2e%2e%2f ?a=b&c=d#e`,
		"JSON":       `","tags":["admin"],"x":"`,
		"shell":      "$(reboot) `reboot` ; reboot | cat && :",
		"format":     `%s%n%d %!v(PANIC=x)`,
		"Unicode":    "Ünïcödé 🖨️ \u202eevil \u200b end 漢字",
		"lines":      "one\ntwo\r\nthree\tfour",
	} {
		subject, title, shown := text, text, text
		switch what {
		case "lines":
			subject, title, shown = what, what, "one\ntwo\nthree\tfour"
		case "Unicode":
			title, shown = "Ünïcödé 🖨️ evil end 漢字", "Ünïcödé 🖨️ evil  end 漢字"
		}
		a := s.do(send(map[string]any{"subject": subject, "desc": text, "name": strings.ReplaceAll(subject, "\n", " ")})).ok(t)
		id, _ := strconv.ParseInt(a.text("ticketId"), 10, 64)
		ticket, err := s.box.Zendesk().Ticket(id)
		s.must(err)
		if ticket.Subject != strings.ReplaceAll(title, "{{", "{ {") || ticket.Comments[0].Body != shown || !slices.Equal(ticket.Tags, []string{"caseroom"}) {
			t.Errorf("%s: ticket %+v", what, ticket)
		}
		if room := s.room(a.text("GroupId")); len(room.Name) > 30 || !strings.HasPrefix(subject, room.Name) {
			t.Errorf("%s: room name %q", what, room.Name)
		}
		c := s.do(request{path: "/salesforce/createticket", as: login, body: object("caseInfo", map[string]string{"subject": subject, "desc": text})}).ok(t)
		if kept, err := s.box.Salesforce().Case(c.text("ticketId")); err != nil || kept.Subject != title || kept.Description != shown {
			t.Errorf("%s: case %+v, %v", what, kept, err)
		}
	}
	// The longest of everything.
	s.do(send(map[string]any{
		"subject": strings.Repeat("漢", 150), "desc": strings.Repeat("x", 30_000), "name": strings.Repeat("n", 255), "unknown": true,
	})).ok(t)
}

// Methods and paths that no route has.
func TestStrayRequests(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	login := s.customer("ada")
	for _, f := range s.host.Stack().Functions {
		for _, route := range f.Routes {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "post"} {
				if slices.ContainsFunc(s.host.Stack().Functions, func(f lambdahost.Function) bool {
					return slices.ContainsFunc(f.Routes, func(r lambdahost.Route) bool { return r.Key() == method+" "+route.Path })
				}) {
					continue
				}
				before := len(s.calls())
				a := s.do(request{method: method, path: route.Path, as: login})
				if a.status != http.StatusNotFound || len(s.calls()) != before {
					t.Errorf("%s %s: %d", method, route.Path, a.status)
				}
			}
			// The function by itself knows its routes too.
			if a := s.invoke(f.LogicalID, event("PUT", route.Path, "", "{}")); a.status != http.StatusMethodNotAllowed || a.text("code") != "method_not_allowed" {
				t.Errorf("PUT %s past the gateway: %d %s", route.Path, a.status, a.body)
			}
			for _, path := range []string{route.Path + "/", "/" + route.Path, route.Path + "#x", route.Path + "?x", route.Path + "%2e", "/stage" + route.Path, strings.ToUpper(route.Path), route.Path + " ", route.Path + "\x00", route.Path + "é", "", "/", "*", "//", "/..", "/\\", "http://evil.example" + route.Path} {
				if a := s.invoke(f.LogicalID, event(route.Method, path, "", "{}")); a.status != http.StatusNotFound || a.text("code") != "not_found" {
					t.Errorf("%q past the gateway: %d %s", path, a.status, a.body)
				}
			}
			for _, query := range []string{"a=%", "%zz", "a=#", "a=b c", "a=\x00", "é", ";", "a;b=c&for=x"} {
				if a := s.invoke(f.LogicalID, event(route.Method, route.Path, query, "{}")); a.status < 400 || a.status > 499 || a.text("code") == "" {
					t.Errorf("%s?%s past the gateway: %d %s", route.Path, query, a.status, a.body)
				}
			}
		}
	}
	for _, path := range []string{
		"/", "//", "/createticket/", "//createticket", "/createticket//", "/./createticket/.", "/x/../createticket", "/CreateTicket", "/createticket%2f",
		"/createticket%23x", "/createticket%00", "/createticket%25", "/createticket%2523", "/createticket%20", "/%", "/createticket;x=1", "/createticket%0a",
		"/iam%2fsalesforce%2fjoingroup/x", "/iam/createticket", "/salesforce/", "/zendesk", "/guest", "/\\createticket", "/createticket%5c", "/createticket%c3%28",
	} {
		before := len(s.calls())
		status := s.raw("POST", path, "Authorization: Bearer "+login, "Content-Type: application/json")
		if status < 400 || status > 499 || len(s.calls()) != before {
			t.Errorf("POST %s: %d", path, status)
		}
	}
	// The decoded path of an encoded route is the route.
	if status := s.raw("POST", "/%63reateticket", "Content-Type: application/json"); status != http.StatusUnauthorized {
		t.Errorf("POST /%%63reateticket: %d", status)
	}
	// An encoded question mark ends the path where the gateway decodes it.
	if status := s.raw("POST", "/createticket%3fx=1", "Content-Type: application/json"); status != http.StatusUnauthorized && status != http.StatusNotFound {
		t.Errorf("POST /createticket%%3fx=1: %d", status)
	}
}

// event is an HTTP API event.
func event(method, path, query, body string) string {
	return object("version", "2.0", "rawPath", path, "rawQueryString", query,
		"headers", map[string]string{"content-type": "application/json"}, "body", body,
		"requestContext", map[string]any{"requestId": "r", "http": map[string]string{"method": method, "path": path}})
}

// raw sends a request line as it stands, which no HTTP client would.
func (s *stack) raw(method, target string, headers ...string) int {
	s.tb.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	s.must(err)
	defer func() { _ = conn.Close() }()
	s.must(conn.SetDeadline(time.Now().Add(10 * time.Second)))
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n\r\n", method, target, strings.Join(headers, "\r\n"))
	s.must(err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	s.must(err)
	_ = res.Body.Close()
	return res.StatusCode
}

// Events that HTTP API does not send, and headers that only it may.
func TestOddEvents(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	token := s.customer("ada")
	for name, event := range map[string]string{
		"empty":                `{}`,
		"null":                 `null`,
		"no method":            `{"version":"2.0","rawPath":"/usersig"}`,
		"an odd method":        event("P U T", "/usersig", "", "{}"),
		"base64 that is none":  `{"version":"2.0","rawPath":"/usersig","isBase64Encoded":true,"body":"%%%","headers":{"authorization":"Bearer ` + token + `"},"requestContext":{"http":{"method":"POST","path":"/usersig"}}}`,
		"a header with breaks": `{"version":"2.0","rawPath":"/usersig","headers":{"authorization":"Bearer x\r\nX: y","a\nb":"c"},"requestContext":{"http":{"method":"POST","path":"/usersig"}}}`,
		"odd cookies":          `{"version":"2.0","rawPath":"/usersig","cookies":["","=",";","token","token=\u0000","token=a b"],"headers":{"content-type":"application/json"},"body":"{}","requestContext":{"http":{"method":"POST","path":"/usersig"}}}`,
		"a context header":     `{"version":"2.0","rawPath":"/usersig","headers":{"x-golambdaproxy-apigw-context":"{","x-golambdaproxy-apigw-stagevars":"{"},"requestContext":{"http":{"method":"POST","path":"/usersig"}}}`,
		"an odd host":          `{"version":"2.0","rawPath":"/usersig","headers":{"host":"a b:c"},"requestContext":{"domainName":"%%%","http":{"method":"POST","path":"/usersig"}}}`,
		"a v1 event":           `{"version":"1.0","path":"/usersig","httpMethod":"POST","headers":{},"requestContext":{}}`,
		"an SQS event":         `{"Records":[{"messageId":"1","body":"{}","eventSource":"aws:sqs"}]}`,
	} {
		a := s.invoke("UserSigFunction", event)
		if a.status < 400 || a.status > 499 || a.header.Get("Content-Type") != "application/problem+json" || a.text("code") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// What is not UTF-8 would reach the desk as something else.
	spoilt := base64.StdEncoding.EncodeToString([]byte("{\"caseInfo\":{\"subject\":\"x\",\"desc\":\"\xff\"}}"))
	refused := s.invoke("CreateTicketFunction", `{"version":"2.0","rawPath":"/createticket","isBase64Encoded":true,"body":"`+spoilt+`","headers":{"content-type":"application/json","authorization":"Bearer `+token+`"},"requestContext":{"http":{"method":"POST","path":"/createticket"}}}`)
	if refused.status != http.StatusBadRequest || refused.text("code") != "invalid" {
		t.Errorf("invalid UTF-8: %d %s", refused.status, refused.body)
	}
	// A base64 body is the body.
	body := base64.StdEncoding.EncodeToString([]byte("{}"))
	a := s.invoke("UserSigFunction", `{"version":"2.0","rawPath":"/usersig","isBase64Encoded":true,"body":"`+body+`","headers":{"content-type":"application/json","authorization":"Bearer `+token+`"},"requestContext":{"http":{"method":"POST","path":"/usersig"}}}`)
	s.checkUserSig(a, "ada", 24*time.Hour)
	if calls := s.calls(); len(calls) > 0 {
		t.Errorf("calls %v", calls)
	}
}
