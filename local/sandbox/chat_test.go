package sandbox_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/local/sandbox"
)

// newChatDesk is a sandbox by the real clock, which the vendor's library signs
// by, with two accounts in one room.
func newChatDesk(t *testing.T, o sandbox.Options) *desk {
	t.Helper()
	clock := &deskClock{now: time.Now()}
	o.Seed, o.Now = 7, clock.Now
	s := sandbox.New(o)
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	t.Cleanup(s.Close) // ends the streams that srv.Close would wait for
	d := &desk{s, t, srv.URL, clock, http.DefaultTransport}
	d.rest("im_open_login_svc/account_import", `{"UserID":"dana","Nick":"Dana"}`)
	d.rest("im_open_login_svc/account_import", `{"UserID":"zd_1","Nick":"Alex"}`)
	d.rest("group_open_http_svc/create_group", `{"GroupId":"ZENDESK#1","Type":"Public","Name":"Lamp","ApplyJoinOption":"DisableApply","MemberList":[{"Member_Account":"dana"},{"Member_Account":"zd_1"}]}`)
	return d
}

func (d *desk) userSig(user string, life int) string {
	d.t.Helper()
	f := d.Fixtures().Tencent
	sig, err := tencentyun.GenUserSig(f.SDKAppID, f.SecretKey, user, life)
	if err != nil {
		d.t.Fatal(err)
	}
	return sig
}

// rest is a command of the app's admin.
func (d *desk) rest(command, body string) deskAnswer {
	d.t.Helper()
	f := d.Fixtures().Tencent
	q := url.Values{
		"sdkappid": {fmt.Sprint(f.SDKAppID)}, "identifier": {f.AdminUserID}, "random": {"1"}, "contenttype": {"json"},
		"usersig": {d.userSig(f.AdminUserID, 86400)},
	}
	a := d.want(d.send("POST", "/tencent/v4/"+command+"?"+q.Encode(), body), 200)
	if a.text("ErrorCode") != "0" {
		d.t.Fatalf("%s: %s", command, a.raw)
	}
	return a
}

func (d *desk) login(user string) string {
	d.t.Helper()
	return d.want(d.send("POST", "/chat/login", mustJSON(d.t, map[string]any{
		"sdkAppId": d.Fixtures().Tencent.SDKAppID, "userId": user, "userSig": d.userSig(user, 3600),
	})), 200).text("session")
}

func (d *desk) chatSend(session, typ, text, id string) deskAnswer {
	d.t.Helper()
	return d.send("POST", "/chat/groups/send", mustJSON(d.t, map[string]any{
		"session": session, "groupId": "ZENDESK#1", "type": typ, "text": text, "clientId": id,
	}))
}

// stream is a client that reads its events.
type stream struct {
	t    *testing.T
	res  *http.Response
	scan *bufio.Scanner
	stop context.CancelFunc
	last string
}

func (d *desk) stream(session, lastID string) *stream {
	d.t.Helper()
	ctx, stop := context.WithTimeout(d.t.Context(), 2*time.Minute)
	d.t.Cleanup(stop)
	req, err := http.NewRequestWithContext(ctx, "GET", d.url+"/chat/events?session="+session, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = res.Body.Close() })
	return &stream{t: d.t, res: res, scan: bufio.NewScanner(res.Body), stop: stop}
}

// next returns the next event; false when the stream has ended.
func (s *stream) next() (map[string]any, bool) {
	s.t.Helper()
	for s.scan.Scan() {
		if id, ok := strings.CutPrefix(s.scan.Text(), "id: "); ok {
			s.last = id
		}
		if data, ok := strings.CutPrefix(s.scan.Text(), "data: "); ok {
			var e map[string]any
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				s.t.Fatalf("%s: %v", data, err)
			}
			return e, true
		}
	}
	return nil, false
}

// want reads one event and checks some of its fields.
func (s *stream) want(fields map[string]any) map[string]any {
	s.t.Helper()
	e, ok := s.next()
	if !ok {
		s.t.Fatalf("the stream ended; want %v", fields)
	}
	for k, v := range fields {
		if e[k] != v {
			s.t.Fatalf("event %v: %s is %v, want %v", e, k, e[k], v)
		}
	}
	return e
}

func TestChatLogin(t *testing.T) {
	d := newChatDesk(t, sandbox.Options{})
	app := d.Fixtures().Tencent.SDKAppID
	good := d.userSig("dana", 3600)
	other, err := tencentyun.GenUserSig(app, strings.Repeat("0", 64), "dana", 3600)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		body   map[string]any
		status int
		code   string
	}{
		{"good", map[string]any{"sdkAppId": app, "userId": "dana", "userSig": good}, 200, ""},
		{"a first login makes the account", map[string]any{"sdkAppId": app, "userId": "new", "userSig": d.userSig("new", 60)}, 200, ""},
		{"expired", map[string]any{"sdkAppId": app, "userId": "dana", "userSig": d.userSig("dana", -60)}, 401, "70001"},
		{"no UserSig", map[string]any{"sdkAppId": app, "userId": "dana", "userSig": "abc"}, 401, "70003"},
		{"another key", map[string]any{"sdkAppId": app, "userId": "dana", "userSig": other}, 401, "70009"},
		{"another person's", map[string]any{"sdkAppId": app, "userId": "eve", "userSig": good}, 401, "70013"},
		{"another app", map[string]any{"sdkAppId": 1, "userId": "dana", "userSig": good}, 401, "70020"},
		{"wrong type", map[string]any{"sdkAppId": "x"}, 400, "60003"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := d.send("POST", "/chat/login", mustJSON(t, c.body))
			if a.status != c.status || a.text("code") != c.code || (c.status == 200) != (a.text("session") != "") {
				t.Errorf("%d %s, want %d %s", a.status, a.raw, c.status, c.code)
			}
		})
	}
	if a := d.send("GET", "/chat/groups?session=none", ""); a.status != 401 || a.text("code") != "2024" {
		t.Errorf("no session: %d %s", a.status, a.raw)
	}
}

func TestChatMessages(t *testing.T) {
	d := newChatDesk(t, sandbox.Options{Tencent: sandbox.TencentPlan{ForbiddenWords: []string{"poison"}}})
	dana, alex := d.login("dana"), d.login("zd_1")
	events := d.stream(alex, "")
	mine := d.stream(dana, "")

	first := d.want(d.chatSend(dana, "text", "It is dark.", "c1"), 200)
	again := d.want(d.chatSend(dana, "text", "It is dark.", "c1"), 200)
	if first.text("seq") != "1" || again.text("seq") != "1" {
		t.Errorf("seq %s and %s: the same clientId is one message", first.raw, again.raw)
	}
	e := events.want(map[string]any{"type": "message", "groupId": "ZENDESK#1"})
	if m := e["message"].(map[string]any); m["from"] != "dana" || m["nick"] != "Dana" || m["type"] != "text" || m["text"] != "It is dark." || m["clientId"] != "c1" {
		t.Errorf("message %v", m)
	}
	d.want(d.send("POST", "/chat/typing", mustJSON(t, map[string]any{"session": alex, "groupId": "ZENDESK#1"})), 200)
	mine.want(map[string]any{"type": "typing", "from": "zd_1", "nick": "Alex"}) // and no message of one's own before it
	d.want(d.send("POST", "/chat/read", mustJSON(t, map[string]any{"session": alex, "groupId": "ZENDESK#1", "seq": 99})), 200)
	mine.want(map[string]any{"type": "read", "from": "zd_1", "seq": 1.0})

	d.rest("group_open_http_svc/send_group_msg", `{"GroupId":"ZENDESK#1","Random":5,"From_Account":"zd_1","CloudCustomData":"{\"a\":1}",
		"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"Which lamp?"}}]}`)
	e = mine.want(map[string]any{"type": "message"})
	if m := e["message"].(map[string]any); m["cloudCustomData"] != `{"a":1}` {
		t.Errorf("custom data %v", m)
	}
	groups := d.want(d.send("GET", "/chat/groups?session="+dana, ""), 200)
	if groups.text("0.groupId") != "ZENDESK#1" || groups.text("0.unread") != "1" || groups.at("0.muted") != false || groups.text("0.memberCount") != "2" {
		t.Errorf("groups %s", groups.raw)
	}
	for i := range 20 {
		d.want(d.chatSend(dana, "text", fmt.Sprint("more ", i), fmt.Sprint("m", i)), 200)
	}
	page := d.want(d.send("GET", "/chat/groups/messages?groupId=ZENDESK%231&limit=20&session="+dana, ""), 200)
	if page.at("complete") != false || page.text("messages.0.seq") != "3" {
		t.Errorf("newest page %s", page.raw)
	}
	page = d.want(d.send("GET", "/chat/groups/messages?groupId=ZENDESK%231&limit=20&before=3&session="+dana, ""), 200)
	if page.at("complete") != true || page.text("messages.0.text") != "It is dark." || page.text("messages.1.text") != "Which lamp?" {
		t.Errorf("oldest page %s", page.raw)
	}
	members := d.want(d.send("GET", "/chat/groups/members?groupId=ZENDESK%231&session="+dana, ""), 200)
	if members.text("1.userId") != "zd_1" || members.text("1.nick") != "Alex" {
		t.Errorf("members %s", members.raw)
	}

	eve := d.login("eve")
	long := strings.Repeat("x", 13<<10)
	for _, c := range []struct {
		name   string
		answer deskAnswer
		status int
		code   string
	}{
		{"a stranger reads", d.send("GET", "/chat/groups/messages?groupId=ZENDESK%231&session="+eve, ""), 403, "10007"},
		{"a stranger writes", d.chatSend(eve, "text", "hello", ""), 403, "10007"},
		{"a stranger types", d.send("POST", "/chat/typing", mustJSON(t, map[string]any{"session": eve, "groupId": "ZENDESK#1"})), 403, "10007"},
		{"no such room", d.send("GET", "/chat/groups/members?groupId=none&session="+eve, ""), 404, "10010"},
		{"too long", d.chatSend(dana, "text", long, ""), 413, "80002"},
		{"moderated", d.chatSend(dana, "text", "Poison", ""), 400, "80001"},
		{"empty", d.chatSend(dana, "text", "", ""), 400, "10004"},
		{"no such type", d.chatSend(dana, "video", "x", ""), 400, "10004"},
		{"not a file of ours", d.send("POST", "/chat/groups/send", mustJSON(t, map[string]any{"session": dana, "groupId": "ZENDESK#1", "type": "file", "url": "https://example.com/x"})), 400, "10004"},
		{"limit", d.send("GET", "/chat/groups/messages?groupId=ZENDESK%231&limit=101&session="+dana, ""), 400, "10004"},
		{"before", d.send("GET", "/chat/groups/messages?groupId=ZENDESK%231&before=x&session="+dana, ""), 400, "10004"},
	} {
		if c.answer.status != c.status || c.answer.text("code") != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, c.answer.status, c.answer.raw, c.status, c.code)
		}
	}

	d.rest("group_open_http_svc/modify_group_base_info", `{"GroupId":"ZENDESK#1","MuteAllMember":"On","Name":"Done"}`)
	if a := d.chatSend(dana, "text", "late", ""); a.status != 403 || a.text("code") != "10017" {
		t.Errorf("muted: %d %s", a.status, a.raw)
	}
}

func TestChatFilesLookLikeAnyClients(t *testing.T) {
	d := newChatDesk(t, sandbox.Options{})
	dana := d.login("dana")
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		t.Fatal(err)
	}
	up := d.want(d.send("POST", "/chat/files?name=C:%5Cphotos%5Clamp.png&session="+dana, picture.String()), 200)
	if up.text("name") != "lamp.png" || up.text("size") != fmt.Sprint(picture.Len()) {
		t.Errorf("upload %s", up.raw)
	}
	page := d.want(d.send("POST", "/chat/files?name=a%20page.html&session="+dana, "<script>alert(1)</script>"), 200)
	for i, typ := range []string{"image", "file"} {
		address := []string{up.text("url"), page.text("url")}[i]
		d.want(d.send("POST", "/chat/groups/send", mustJSON(t, map[string]any{"session": dana, "groupId": "ZENDESK#1", "type": typ, "url": address})), 200)
	}
	if a := d.send("POST", "/chat/groups/send", mustJSON(t, map[string]any{"session": dana, "groupId": "ZENDESK#1", "type": "image", "url": page.text("url")})); a.text("code") != "10004" {
		t.Errorf("a page as an image: %s", a.raw)
	}

	history := d.rest("group_open_http_svc/group_msg_get_simple", `{"GroupId":"ZENDESK#1","ReqMsgNumber":20}`)
	if got := history.text("RspMsgList.1.MsgBody.0.MsgType") + " " + history.text("RspMsgList.1.MsgBody.0.MsgContent.ImageInfoArray.0.URL") +
		" " + history.text("RspMsgList.1.MsgBody.0.MsgContent.ImageInfoArray.0.Width"); got != "TIMImageElem "+up.text("url")+" 3" {
		t.Errorf("image in the history: %s", got)
	}
	if got := history.text("RspMsgList.0.MsgBody.0.MsgType") + " " + history.text("RspMsgList.0.MsgBody.0.MsgContent.FileName") +
		" " + history.text("RspMsgList.0.MsgBody.0.MsgContent.FileSize"); got != "TIMFileElem a page.html 25" {
		t.Errorf("file in the history: %s", got)
	}
	shown := d.want(d.send("GET", "/chat/groups/messages?groupId=ZENDESK%231&session="+dana, ""), 200)
	if shown.text("messages.0.type") != "image" || shown.text("messages.0.url") != up.text("url") || shown.text("messages.1.name") != "a page.html" || shown.text("messages.1.size") != "25" {
		t.Errorf("shown %s", shown.raw)
	}

	got := d.want(d.send("GET", strings.TrimPrefix(page.text("url"), d.url), ""), 200)
	if ct, cd := got.header.Get("Content-Type"), got.header.Get("Content-Disposition"); ct != "application/octet-stream" || !strings.HasPrefix(cd, "attachment") || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a page is served as %s, %s", ct, cd)
	}
	if got := d.want(d.send("GET", strings.TrimPrefix(up.text("url"), d.url), ""), 200); got.header.Get("Content-Type") != "image/png" || !bytes.Equal(got.raw, picture.Bytes()) {
		t.Errorf("an image is served as %s", got.header.Get("Content-Type"))
	}
	d.want(d.send("GET", "/chat/files/none/lamp.png", ""), 404)
	for name, a := range map[string]deskAnswer{
		"too large":       d.send("POST", "/chat/files?name=x&session="+dana, strings.Repeat("x", 10<<20+1)),
		"much too large":  d.send("POST", "/chat/files?name=x&session="+dana, strings.Repeat("x", 11<<20)),
		"no name":         d.send("POST", "/chat/files?session="+dana, "x"),
		"empty":           d.send("POST", "/chat/files?name=x&session="+dana, ""),
		"nobody's upload": d.send("POST", "/chat/files?name=x&session=none", "x"),
	} {
		if a.status < 400 || a.status > 499 || a.text("code") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
}

func TestChatEventsOfARoom(t *testing.T) {
	d := newChatDesk(t, sandbox.Options{})
	dana := d.login("dana")
	events := d.stream(dana, "")
	d.rest("im_open_login_svc/account_import", `{"UserID":"zd_2","Nick":"Billie"}`)
	d.rest("group_open_http_svc/add_group_member", `{"GroupId":"ZENDESK#1","MemberList":[{"Member_Account":"zd_2"}]}`)
	e := events.want(map[string]any{"type": "group", "change": "members"})
	if got := fmt.Sprint(e["joined"]); got != "[map[nick:Billie userId:zd_2]]" {
		t.Errorf("joined %s", got)
	}
	d.rest("group_open_http_svc/delete_group_member", `{"GroupId":"ZENDESK#1","Silence":1,"MemberToDel_Account":["zd_2"]}`) // told to nobody else
	d.rest("group_open_http_svc/delete_group_member", `{"GroupId":"ZENDESK#1","MemberToDel_Account":["zd_1"]}`)
	e = events.want(map[string]any{"type": "group", "change": "members"})
	if got := fmt.Sprint(e["left"]); got != "[map[nick:Alex userId:zd_1]]" {
		t.Errorf("left %s", got)
	}
	d.rest("group_open_http_svc/modify_group_base_info", `{"GroupId":"ZENDESK#1","MuteAllMember":"On"}`)
	e = events.want(map[string]any{"type": "group", "change": "muted"})
	if g := e["group"].(map[string]any); g["muted"] != true || g["memberCount"] != 1.0 {
		t.Errorf("group %v", g)
	}
	d.rest("group_open_http_svc/modify_group_base_info", `{"GroupId":"ZENDESK#1","MuteAllMember":"Off","Name":"New name"}`)
	events.want(map[string]any{"type": "group", "change": "unmuted"})
	events.want(map[string]any{"type": "group", "change": "name"})
	d.rest("group_open_http_svc/forbid_send_msg", `{"GroupId":"ZENDESK#1","Members_Account":["dana"],"MuteTime":60}`)
	events.want(map[string]any{"type": "group", "change": "muted"})
	d.rest("group_open_http_svc/forbid_send_msg", `{"GroupId":"ZENDESK#1","Members_Account":["dana"],"MuteTime":0}`)
	events.want(map[string]any{"type": "group", "change": "unmuted"})
	sent := d.want(d.chatSend(dana, "text", "oops", "o1"), 200)
	d.want(d.send("POST", "/chat/groups/recall", mustJSON(t, map[string]any{"session": dana, "groupId": "ZENDESK#1", "seq": sent.at("seq")})), 200)
	events.want(map[string]any{"type": "recalled", "seq": 1.0})
	history := d.rest("group_open_http_svc/group_msg_get_simple", `{"GroupId":"ZENDESK#1","ReqMsgNumber":20,"WithRecalledMsg":1}`)
	if history.text("RspMsgList.0.IsPlaceMsg") != "2" {
		t.Errorf("recalled: %s", history.raw)
	}
	d.rest("group_open_http_svc/delete_group_member", `{"GroupId":"ZENDESK#1","MemberToDel_Account":["dana"]}`)
	events.want(map[string]any{"type": "group", "change": "left"})
	d.rest("group_open_http_svc/add_group_member", `{"GroupId":"ZENDESK#1","MemberList":[{"Member_Account":"dana"}]}`)
	events.want(map[string]any{"type": "group", "change": "joined"})
	d.rest("group_open_http_svc/send_group_system_notification", `{"GroupId":"ZENDESK#1","Content":"hear"}`)
	events.want(map[string]any{"type": "notice", "text": "hear"})
	d.rest("group_open_http_svc/destroy_group", `{"GroupId":"ZENDESK#1"}`)
	events.want(map[string]any{"type": "group", "change": "dissolved"})
}

func TestChatStreamResumes(t *testing.T) {
	d := newChatDesk(t, sandbox.Options{})
	dana := d.login("dana")
	say := func(text string) {
		t.Helper()
		if err := d.SendAs("zd_1", "ZENDESK#1", text); err != nil {
			t.Fatal(err)
		}
	}
	say("one") // between login and stream
	first := d.stream(dana, "")
	first.want(map[string]any{"type": "message"})
	first.stop()
	say("two")
	say("three")
	second := d.stream(dana, first.last)
	for _, want := range []string{"two", "three"} {
		e := second.want(map[string]any{"type": "message"})
		if got := e["message"].(map[string]any)["text"]; got != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	for i := range 510 {
		say(fmt.Sprint(i))
	}
	d.stream(dana, first.last).want(map[string]any{"type": "resync"})
	for _, id := range []string{"x", "-1", "100000"} {
		if s := d.stream(dana, id); s.res.StatusCode != 400 {
			t.Errorf("Last-Event-ID %s: %d", id, s.res.StatusCode)
		}
	}
	if s := d.stream("none", ""); s.res.StatusCode != 401 {
		t.Errorf("no session: %d", s.res.StatusCode)
	}
}

func TestChatSessionEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(d *desk, session string)
		want map[string]any
		code string
	}{
		{"kicked by REST", func(d *desk, _ string) { d.rest("im_open_login_svc/kick", `{"UserID":"dana"}`) },
			map[string]any{"type": "kicked", "reason": "restApi"}, "2024"},
		{"another browser", func(d *desk, _ string) { d.login("dana") },
			map[string]any{"type": "kicked", "reason": "multipleAccount"}, "2024"},
		{"the UserSig runs out", func(d *desk, session string) {
			d.clock.Advance(2 * time.Hour)
			d.send("GET", "/chat/groups?session="+session, "")
		}, map[string]any{"type": "sigExpired"}, "70001"},
		{"made to run out", func(d *desk, _ string) { d.want(d.send("POST", "/desk/tencent/expire", `{"userId":"dana"}`), 204) },
			map[string]any{"type": "sigExpired"}, "70001"},
		{"kicked in the console", func(d *desk, _ string) { d.want(d.send("POST", "/desk/tencent/kick", `{"userId":"dana"}`), 204) },
			map[string]any{"type": "kicked"}, "2024"},
		{"the account is deleted", func(d *desk, _ string) {
			d.rest("im_open_login_svc/account_delete", `{"DeleteItem":[{"UserID":"dana"}]}`)
		}, map[string]any{"type": "kicked", "reason": "accountDeleted"}, "2024"},
		{"replaced by a renewed login", func(d *desk, s string) {
			d.want(d.send("POST", "/chat/login", mustJSON(d.t, map[string]any{
				"sdkAppId": d.Fixtures().Tencent.SDKAppID, "userId": "dana", "userSig": d.userSig("dana", 3600), "session": s,
			})), 200)
		}, map[string]any{"type": "loggedOut"}, "2024"},
		{"logged out", func(d *desk, s string) { d.want(d.send("POST", "/chat/logout", `{"session":"`+s+`"}`), 200) },
			map[string]any{"type": "loggedOut"}, "2024"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newChatDesk(t, sandbox.Options{})
			dana := d.login("dana")
			events := d.stream(dana, "")
			c.end(d, dana)
			e, ok := events.next()
			for ok && e["type"] == "group" {
				e, ok = events.next() // a deleted account leaves its rooms
			}
			for k, v := range c.want {
				if e[k] != v {
					t.Errorf("%v: %s, want %v", e, k, v)
				}
			}
			if e, ok := events.next(); ok {
				t.Errorf("after the end: %v", e)
			}
			if a := d.send("GET", "/chat/groups?session="+dana, ""); a.status != 401 || a.text("code") != c.code {
				t.Errorf("a call after it: %d %s, want %s", a.status, a.raw, c.code)
			}
			if c.want["type"] != "loggedOut" {
				if s := d.stream(dana, events.last); s.res.StatusCode != 204 {
					t.Errorf("a client that comes back: %d, want 204", s.res.StatusCode)
				}
				if again := d.stream(dana, "0"); again.res.StatusCode != 200 {
					t.Errorf("a client that missed the end: %d", again.res.StatusCode)
				}
			}
		})
	}
	d := newChatDesk(t, sandbox.Options{Tencent: sandbox.TencentPlan{WebInstances: 2}})
	one := d.login("dana")
	d.login("dana")
	d.want(d.send("GET", "/chat/groups?session="+one, ""), 200)
	d.login("dana")
	d.want(d.send("GET", "/chat/groups?session="+one, ""), 401)
}

func TestChatFaults(t *testing.T) {
	d := newChatDesk(t, sandbox.Options{})
	dana := d.login("dana")
	events := d.stream(dana, "")
	d.want(d.send("POST", "/faults", `{"vendor":"chat","kind":"status","status":503}`), 201)
	if e, ok := events.next(); ok {
		t.Errorf("an open stream goes on: %v", e)
	}
	if a := d.chatSend(dana, "text", "x", "f1"); a.status != 503 {
		t.Errorf("send: %d", a.status)
	}
	if s := d.stream(dana, ""); s.res.StatusCode != 503 {
		t.Errorf("stream: %d", s.res.StatusCode)
	}
	d.want(d.send("DELETE", "/faults", ""), 204)
	d.want(d.send("POST", "/faults", `{"vendor":"chat","op":"send","kind":"truncate","times":1}`), 201)
	_ = d.chatSend(dana, "text", "x", "f2")
	d.want(d.chatSend(dana, "text", "x", "f2"), 200)
	d.want(d.send("POST", "/faults", `{"vendor":"chat","op":"login","kind":"code","code":"70001","times":1}`), 201)
	a := d.send("POST", "/chat/login", `{}`)
	if a.status != 401 || a.text("code") != "70001" {
		t.Errorf("code fault: %d %s", a.status, a.raw)
	}
	if g, _ := d.Group("ZENDESK#1"); len(g.Messages) != 1 {
		t.Errorf("%d messages, want the one that was resent", len(g.Messages))
	}
	d.want(d.send("POST", "/faults", `{"vendor":"chat","kind":"lose"}`), 400)
}

func TestSandboxIsForPagesOfThisMachine(t *testing.T) {
	d := newDesk(t)
	for origin, want := range map[string]int{
		"http://127.0.0.1:3000": 200, "http://localhost:5173": 200, "http://[::1]:80": 200, "https://app.localhost": 200,
		"https://evil.example": 403, "http://127.0.0.1.evil.example": 403, "null": 403, "http://10.0.0.1": 403,
	} {
		for _, path := range []string{"/state", "/calls", "/faults", "/desk/zendesk/agents"} {
			a := d.send("GET", path, "", "Origin: "+origin)
			allowed := a.header.Get("Access-Control-Allow-Origin") == origin
			if a.status != want || allowed != (want == 200) {
				t.Errorf("%s from %s: %d, allowed %v", path, origin, a.status, allowed)
			}
		}
		a := d.send("OPTIONS", "/chat/groups/send", "", "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type")
		if ok := a.status == 204 && strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Content-Type"); ok != (want == 200) {
			t.Errorf("preflight from %s: %d %v", origin, a.status, a.header)
		}
	}
}

// A page elsewhere may give a name of its own the address of this machine; what it
// then reads is of its own origin, which browsers do not name.
func TestSandboxIsForNamesOfThisMachine(t *testing.T) {
	d := newDesk(t)
	for host, want := range map[string]int{
		"127.0.0.1:3100": 200, "localhost:3100": 200, "[::1]:3100": 200, "app.localhost": 200, "192.168.1.7:3100": 200,
		"sandbox:3100": 200, "host.docker.internal:3100": 200,
		"evil.example:3100": 403, "127.0.0.1.evil.example": 403, "host.docker.internal.evil.example": 403,
	} {
		for _, path := range []string{"/state", "/calls", "/faults", "/desk/zendesk/agents"} {
			if a := d.send("GET", path, "", "Host: "+host); a.status != want {
				t.Errorf("%s at %s: %d", path, host, a.status)
			}
		}
	}
}

func FuzzChat(f *testing.F) {
	s := sandbox.New(sandbox.Options{Seed: 7})
	h := s.Handler()
	fix := s.Fixtures().Tencent
	sig, err := tencentyun.GenUserSig(fix.SDKAppID, fix.SecretKey, "dana", 3600)
	if err != nil {
		f.Fatal(err)
	}
	login := fmt.Sprintf(`{"sdkAppId":%d,"userId":"dana","userSig":%q}`, fix.SDKAppID, sig)
	f.Add("POST", "/chat/login", login)
	f.Add("POST", "/chat/login", strings.Replace(login, sig[:8], "********", 1))
	f.Add("POST", "/chat/groups/send", `{"session":"x","groupId":"g","type":"text","text":"t","clientId":"c"}`)
	f.Add("POST", "/chat/files?session=x&name=..%2f..%00", "x")
	f.Add("GET", "/chat/groups/messages?session=&groupId=%23&before=18446744073709551615&limit=1", "")
	f.Add("GET", "/chat/files/a/b", "")
	f.Add("POST", "/desk/zendesk/merge", `{"ticket":1,"sources":[1]}`)
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(u.Path, "/chat/") && !strings.HasPrefix(u.Path, "/desk/") {
			return
		}
		req := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: http.NoBody, Host: "sandbox"}
		req.Body = readCloser{strings.NewReader(body)}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req.WithContext(t.Context()))
		if w.Code == 0 || w.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
