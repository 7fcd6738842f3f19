package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/local/sandbox/engine"
	"github.com/caseroom/caseroom/local/sandbox/tencent"
)

// imURL is the signed address of a command.
func imURL(t *testing.T, s *Sandbox, base, op string) string {
	t.Helper()
	f := s.Fixtures().Tencent
	return signedIM(t, base, op, f.SDKAppID, f.SecretKey, f.AdminUserID, 600)
}

func signedIM(t *testing.T, base, op string, app int, key, user string, ttl int) string {
	t.Helper()
	sig, err := tencentyun.GenUserSig(app, key, user, ttl)
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{
		"sdkappid": {fmt.Sprint(app)}, "identifier": {user}, "usersig": {sig},
		"random": {"4294967295"}, "contenttype": {"json"},
	}
	service := "group_open_http_svc"
	if strings.HasPrefix(op, "account_") || op == "multiaccount_import" || op == "kick" {
		service = "im_open_login_svc"
	}
	return base + "/tencent/v4/" + service + "/" + op + "?" + q.Encode()
}

type imAnswer struct {
	ActionStatus string
	ErrorCode    int
	ErrorInfo    string
	GroupId      string
	MemberList   []struct {
		Member_Account string
		Role           string
		Result         int
	}
	GroupInfo []struct {
		GroupId, Type, Name, Introduction, Owner_Account string
		ApplyJoinOption, InviteJoinOption, MuteAllMember string
		ErrorCode, MemberNum                             int
		MemberList                                       []struct{ Member_Account string }
	}
	UserIdList []struct{ Member_Account, Role string }
	ResultItem []struct {
		UserID, AccountStatus string
		ResultCode            int
	}
	FailAccounts []string
	RspMsgList   []struct {
		MsgSeq     uint64
		IsPlaceMsg int
		MsgBody    []any
	}
	IsFinished, TotalCount int
	Next                   uint64
	GroupIdList            []struct{ GroupId string }
	MsgSeq                 uint64
	raw                    string
}

// im sends a command as the admin.
func im(t *testing.T, s *Sandbox, base, op, body string) imAnswer {
	t.Helper()
	res, text := request(t, "POST", imURL(t, s, base, op), body)
	if res.StatusCode != 200 {
		t.Fatalf("%s: status %d: Tencent always answers 200", op, res.StatusCode)
	}
	var a imAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v in %s", op, err, text)
	}
	if (a.ErrorCode == 0) != (a.ActionStatus == "OK") {
		t.Errorf("%s: envelope %s", op, text)
	}
	a.raw = text
	return a
}

// ok is im, and the command must succeed.
func ok(t *testing.T, s *Sandbox, base, op, body string) imAnswer {
	t.Helper()
	a := im(t, s, base, op, body)
	if a.ErrorCode != 0 {
		t.Fatalf("%s %s: %d %s", op, body, a.ErrorCode, a.ErrorInfo)
	}
	return a
}

func TestTencentAuthentication(t *testing.T) {
	clock := newTestClock()
	s, base := serve(t, Options{Now: clock.Now})
	f := s.Fixtures().Tencent
	good := signedIM(t, base, "account_import", f.SDKAppID, f.SecretKey, "administrator", 600)
	drop := func(key, value string) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Del(key)
		if value != "" {
			q.Set(key, value)
		}
		u.RawQuery = q.Encode()
		return u.String()
	}
	tests := []struct {
		name, method, url, body string
		code                    int
	}{
		{"good", "POST", good, `{"UserID":"u1"}`, 0},
		{"GET", "GET", good, ``, 60002},
		{"no such command", "POST", drop("", "") + "&x=1", `[]`, 60003},
		{"unknown command", "POST", strings.Replace(good, "account_import", "account_implode", 1), `{}`, 60009},
		{"wrong service", "POST", strings.Replace(good, "im_open_login_svc", "openim", 1), `{}`, 60009},
		{"empty body", "POST", good, ``, 60003},
		{"null body", "POST", good, `null`, 60003},
		{"trailing bytes", "POST", good, `{} {}`, 60003},
		{"contenttype", "POST", drop("contenttype", "xml"), `{}`, 60002},
		{"random missing", "POST", drop("random", ""), `{}`, 60002},
		{"random beyond 32 bits", "POST", drop("random", "4294967296"), `{}`, 60002},
		{"app missing", "POST", drop("sdkappid", ""), `{}`, 60012},
		{"other app", "POST", drop("sdkappid", "1400000001"), `{}`, 70020},
		{"no signature", "POST", drop("usersig", ""), `{}`, 60004},
		{"garbage signature", "POST", drop("usersig", "garbage"), `{}`, 70003},
		{"another key", "POST", signedIM(t, base, "account_import", f.SDKAppID, "wrong", "administrator", 600), `{}`, 70009},
		{"another app's signature", "POST", drop("usersig", mustQuery(t, signedIM(t, base, "x", 1400000001, f.SecretKey, "administrator", 600), "usersig")), `{}`, 70014},
		{"another user's signature", "POST", drop("identifier", "root"), `{}`, 70013},
		{"not an admin", "POST", signedIM(t, base, "account_import", f.SDKAppID, f.SecretKey, "alice", 600), `{}`, 60010},
		{"account not a string", "POST", good, `{"UserID":7}`, 60015},
		{"field names have case", "POST", good, `{"userid":"u1"}`, 70402},
		{"illegal account", "POST", good, `{"UserID":"a@example.com"}`, 70402},
		{"account too long", "POST", good, `{"UserID":"` + strings.Repeat("a", 33) + `"}`, 70402},
	}
	check := func(name, method, url, body string, code int) {
		t.Helper()
		res, text := request(t, method, url, body)
		var a imAnswer
		if err := json.Unmarshal([]byte(text), &a); err != nil || res.StatusCode != 200 || a.ErrorCode != code {
			t.Errorf("%s: status %d, %s; want code %d", name, res.StatusCode, text, code)
		}
	}
	for _, tt := range tests {
		check(tt.name, tt.method, tt.url, tt.body, tt.code)
	}
	clock.Advance(time.Hour)
	check("expired", "POST", good, `{"UserID":"u1"}`, 70001)
	clock.Advance(-time.Hour)
	s.RotateTencentKey("another")
	check("rotated key", "POST", good, `{"UserID":"u1"}`, 70009)
}

func mustQuery(t *testing.T, raw, key string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(key)
}

func TestCreateGroupRefusals(t *testing.T) {
	s, base := serve(t, Options{Tencent: tencent.Plan{ForbiddenWords: []string{"casino"}}})
	ok(t, s, base, "account_import", `{"UserID":"alice","Nick":"Alice"}`)
	ok(t, s, base, "create_group", `{"Type":"Public","Name":"n","GroupId":"taken"}`)
	ok(t, s, base, "create_group", `{"Type":"Public","Name":"n","GroupId":"admins","Owner_Account":"administrator"}`)
	group := func(extra string) string {
		return `{"Type":"Public","Name":"n"` + extra + `}`
	}
	tests := []struct {
		name, body string
		code       int
	}{
		{"no type", `{"Name":"n"}`, 10004},
		{"unknown type", `{"Type":"Open","Name":"n"}`, 10004},
		{"no name", `{"Type":"Public"}`, 10004},
		{"name of 30 bytes", `{"Type":"Public","Name":"` + strings.Repeat("é", 15) + `"}`, 0},
		{"name of 31 bytes", `{"Type":"Public","Name":"` + strings.Repeat("é", 15) + `x"}`, 10004},
		{"introduction of 241 bytes", group(`,"Introduction":"` + strings.Repeat("x", 241) + `"`), 10004},
		{"introduction of 240 bytes", group(`,"Introduction":"` + strings.Repeat("x", 240) + `"`), 0},
		{"moderated name", `{"Type":"Public","Name":"Best CASINO"}`, 80001},
		{"moderated introduction", group(`,"Introduction":"a casino"`), 80001},
		{"id of 47 bytes", group(`,"GroupId":"` + strings.Repeat("g", 47) + `"`), 0},
		{"id of 48 bytes", group(`,"GroupId":"` + strings.Repeat("h", 48) + `"`), 10004},
		{"id with a rune", group(`,"GroupId":"grüppe"`), 10004},
		{"id with a control character", group(`,"GroupId":"a\nb"`), 10004},
		{"the vendor's prefix", group(`,"GroupId":"@TGS#1"`), 10004},
		{"id with quotes and percent", group(`,"GroupId":"a\"%# b"`), 0},
		{"taken", group(`,"GroupId":"taken"`), 10021},
		{"taken by the operator", group(`,"GroupId":"admins"`), 10025},
		{"apply option", group(`,"ApplyJoinOption":"Sometimes"`), 10004},
		{"invite option", group(`,"InviteJoinOption":"DisableApply"`), 10004},
		{"member unknown", group(`,"MemberList":[{"Member_Account":"nobody"}]`), 10019},
		{"owner unknown", group(`,"Owner_Account":"nobody"`), 10019},
		{"member's account a number", group(`,"MemberList":[{"Member_Account":1}]`), 60015},
		{"member list of strings", group(`,"MemberList":["alice"]`), 10004},
		{"member role", group(`,"MemberList":[{"Member_Account":"alice","Role":"Owner"}]`), 10004},
		{"too many members", group(`,"MemberList":[` + strings.TrimSuffix(strings.Repeat(`{"Member_Account":"alice"},`, 101), ",") + `]`), 10005},
		{"members of an AVChatRoom", `{"Type":"AVChatRoom","Name":"n","MemberList":[{"Member_Account":"alice"}]}`, 10007},
		{"over the plan's members", group(`,"MaxMemberCount":501`), 10004},
		{"full from the start", group(`,"MaxMemberCount":1,"Owner_Account":"administrator","MemberList":[{"Member_Account":"alice"}]`), 10014},
		{"custom field", group(`,"AppDefinedData":[{"Key":"a","Value":"b"}]`), 10004},
		{"name is null", `{"Type":"Public","Name":null}`, 10004},
		{"ownerless with a member", group(`,"MemberList":[{"Member_Account":"alice"}],"ApplyJoinOption":"DisableApply"`), 0},
	}
	for _, tt := range tests {
		if a := im(t, s, base, "create_group", tt.body); a.ErrorCode != tt.code {
			t.Errorf("%s: %d %s, want %d", tt.name, a.ErrorCode, a.ErrorInfo, tt.code)
		}
	}
}

func TestRoomLife(t *testing.T) {
	s, base := serve(t, Options{})
	room := `"GroupId":"ZENDESK#1"`
	ok(t, s, base, "account_import", `{"UserID":"alice"}`)
	ok(t, s, base, "account_import", `{"UserID":"alice","Nick":"Alice"}`)
	ok(t, s, base, "create_group", `{`+room+`,"Type":"Public","Name":"Ticket 1","Introduction":"cr1;abcdefgh;n0",
		"ApplyJoinOption":"DisableApply","InviteJoinOption":"DisableInvite","MemberList":[{"Member_Account":"alice"}]}`)

	if a := im(t, s, base, "add_group_member", `{`+room+`,"MemberList":[{"Member_Account":"zd_7"}]}`); a.ErrorCode != 10019 {
		t.Errorf("adding a stranger to the app: %d", a.ErrorCode)
	}
	ok(t, s, base, "multiaccount_import", `{"AccountList":[{"UserID":"zd_7","Nick":"Agent"},{"UserID":"zd_8"}]}`)
	a := ok(t, s, base, "add_group_member", `{`+room+`,"Silence":1,"MemberList":[{"Member_Account":"zd_7"},{"Member_Account":"alice"}]}`)
	if a.MemberList[0].Result != 1 || a.MemberList[1].Result != 2 {
		t.Errorf("results: %s", a.raw)
	}
	a = ok(t, s, base, "get_role_in_group", `{`+room+`,"User_Account":["zd_7","zd_8"]}`)
	if a.UserIdList[0].Role != "Member" || a.UserIdList[1].Role != "NotMember" {
		t.Errorf("roles: %s", a.raw)
	}

	a = ok(t, s, base, "get_group_info", `{"GroupIdList":["ZENDESK#1","ZENDESK#2"]}`)
	g := a.GroupInfo[0]
	if g.ErrorCode != 0 || g.Owner_Account != "" || g.Introduction != "cr1;abcdefgh;n0" || g.ApplyJoinOption != "DisableApply" ||
		g.InviteJoinOption != "DisableInvite" || g.MuteAllMember != "Off" || g.MemberNum != 2 || len(g.MemberList) != 2 {
		t.Errorf("room: %s", a.raw)
	}
	if a.GroupInfo[1].ErrorCode != 10010 {
		t.Errorf("missing room: %s", a.raw)
	}
	a = ok(t, s, base, "get_group_info", `{"GroupIdList":["ZENDESK#1"],"ResponseFilter":{"GroupBaseInfoFilter":["Name"],"MemberInfoFilter":["Role"]}}`)
	if g := a.GroupInfo[0]; g.Name != "Ticket 1" || g.Type != "" || len(g.MemberList) != 2 || g.MemberList[0].Member_Account != "alice" {
		t.Errorf("filtered: %s", a.raw)
	}
	if strings.Contains(a.raw, "JoinTime") {
		t.Errorf("the member filter let JoinTime pass: %s", a.raw)
	}
	a = ok(t, s, base, "get_group_info", `{"GroupIdList":["ZENDESK#1"],"ResponseFilter":{"GroupBaseInfoFilter":["Name"]}}`)
	if strings.Contains(a.raw, "MemberList") {
		t.Errorf("members without being asked for: %s", a.raw)
	}

	ok(t, s, base, "modify_group_base_info", `{`+room+`,"Introduction":"cr1;abcdefgh;n1","MuteAllMember":"On","HistoryMsgBeforeJoin":"On"}`)
	got, _ := s.Group("ZENDESK#1")
	if !got.MuteAllMember || !got.HistoryBeforeJoin || got.Introduction != "cr1;abcdefgh;n1" || got.Name != "Ticket 1" {
		t.Errorf("modified: %+v", got)
	}
	for _, bad := range []string{`"MuteAllMember":"Yes"`, `"Name":"` + strings.Repeat("x", 31) + `"`, `"MaxMemberNum":0`, `"Name":7`} {
		if a := im(t, s, base, "modify_group_base_info", `{`+room+`,`+bad+`}`); a.ErrorCode != 10004 {
			t.Errorf("modify with %s: %d", bad, a.ErrorCode)
		}
	}

	ok(t, s, base, "delete_group_member", `{`+room+`,"MemberToDel_Account":["zd_7"],"Silence":1}`)
	ok(t, s, base, "delete_group_member", `{`+room+`,"MemberToDel_Account":["zd_7"]}`)
	ok(t, s, base, "delete_group_member", `{`+room+`,"MemberToDel_Account":["never_seen"]}`)
	if got, _ := s.Group("ZENDESK#1"); len(got.Members) != 1 || got.Members[0].UserID != "alice" {
		t.Errorf("members: %+v", got.Members)
	}
	ok(t, s, base, "destroy_group", `{`+room+`}`)
	for _, op := range []string{"destroy_group", "add_group_member", "delete_group_member", "modify_group_base_info", "send_group_msg", "group_msg_get_simple"} {
		if a := im(t, s, base, op, `{`+room+`}`); a.ErrorCode != 10010 {
			t.Errorf("%s after the end: %d", op, a.ErrorCode)
		}
	}
	ok(t, s, base, "create_group", `{`+room+`,"Type":"Public","Name":"again"}`)
}

func TestMemberResultsByFault(t *testing.T) {
	s, base := serve(t, Options{})
	ok(t, s, base, "account_import", `{"UserID":"alice"}`)
	ok(t, s, base, "create_group", `{"GroupId":"g","Type":"Public","Name":"n"}`)
	for _, result := range []int{0, 3, 4} {
		if err := s.AddFault(Fault{Vendor: "tencent", Op: "add_group_member", Kind: FaultCode, Code: fmt.Sprintf("result:%d", result), Times: 1}); err != nil {
			t.Fatal(err)
		}
		a := ok(t, s, base, "add_group_member", `{"GroupId":"g","MemberList":[{"Member_Account":"alice"}]}`)
		if a.MemberList[0].Result != result {
			t.Errorf("want result %d: %s", result, a.raw)
		}
	}
	if g, _ := s.Group("g"); len(g.Members) != 0 {
		t.Errorf("members: %+v", g.Members)
	}
}

func TestPlanLimits(t *testing.T) {
	clock := newTestClock()
	s, base := serve(t, Options{Now: clock.Now, Tencent: tencent.Plan{
		MaxMembers: 2, GroupsPerUser: 2, MaxGroups: 3, MaxAccounts: 5, RatePerSecond: 100,
	}})
	ok(t, s, base, "multiaccount_import", `{"AccountList":[{"UserID":"a"},{"UserID":"b"},{"UserID":"c"},{"UserID":"d"}]}`)
	a := ok(t, s, base, "multiaccount_import", `{"AccountList":[{"UserID":"a"},{"UserID":"e"}]}`)
	if len(a.FailAccounts) != 1 || a.FailAccounts[0] != "e" {
		t.Errorf("accounts over the plan: %s", a.raw)
	}
	for _, id := range []string{"g1", "g2", "g3"} {
		ok(t, s, base, "create_group", `{"GroupId":"`+id+`","Type":"Public","Name":"n"}`)
	}
	add := func(group, members string) imAnswer {
		return im(t, s, base, "add_group_member", `{"GroupId":"`+group+`","MemberList":[`+members+`]}`)
	}
	if a := im(t, s, base, "create_group", `{"Type":"Public","Name":"n"}`); a.ErrorCode != 10058 {
		t.Errorf("fourth group: %d", a.ErrorCode)
	}
	add("g1", `{"Member_Account":"a"}`)
	add("g2", `{"Member_Account":"a"}`)
	if a := add("g3", `{"Member_Account":"a"}`); a.ErrorCode != 10037 {
		t.Errorf("third group of one user: %d", a.ErrorCode)
	}
	if a := add("g1", `{"Member_Account":"b"},{"Member_Account":"c"}`); a.ErrorCode != 0 || a.MemberList[0].Result != 1 || a.MemberList[1].Result != 4 {
		t.Errorf("one seat for two: %s", a.raw)
	}
	if a := add("g1", `{"Member_Account":"d"}`); a.ErrorCode != 10014 {
		t.Errorf("a full group: %d", a.ErrorCode)
	}
	ok(t, s, base, "destroy_group", `{"GroupId":"g2"}`)
	if a := add("g3", `{"Member_Account":"a"}`); a.ErrorCode != 0 {
		t.Errorf("after a group went: %d", a.ErrorCode)
	}
	for range 100 {
		im(t, s, base, "get_role_in_group", `{}`)
	}
	if a := im(t, s, base, "get_role_in_group", `{}`); a.ErrorCode != 60007 {
		t.Errorf("call 101 of a second: %d", a.ErrorCode)
	}
	clock.Advance(time.Second)
	if a := im(t, s, base, "get_role_in_group", `{}`); a.ErrorCode != 10004 {
		t.Errorf("a second later: %d", a.ErrorCode)
	}
}

func TestMessages(t *testing.T) {
	clock := newTestClock()
	s, base := serve(t, Options{Now: clock.Now, Tencent: tencent.Plan{ForbiddenWords: []string{"casino"}}})
	ok(t, s, base, "multiaccount_import", `{"AccountList":[{"UserID":"alice"},{"UserID":"zd_7"}]}`)
	ok(t, s, base, "create_group", `{"GroupId":"g","Type":"Public","Name":"n","MemberList":[{"Member_Account":"alice"}]}`)
	message := func(random, text, extra string) string {
		return `{"GroupId":"g","Random":` + random + extra + `,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"` + text + `"}}]}`
	}
	tests := []struct {
		name, body string
		code       int
	}{
		{"no random", `{"GroupId":"g","MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]}`, 10004},
		{"random beyond 32 bits", message("4294967296", "x", ""), 10004},
		{"no body", `{"GroupId":"g","Random":1}`, 10004},
		{"no element", `{"GroupId":"g","Random":1,"MsgBody":[{"MsgType":"TIMTextElem"}]}`, 10004},
		{"unknown element", `{"GroupId":"g","Random":1,"MsgBody":[{"MsgType":"Text","MsgContent":{}}]}`, 10004},
		{"too long", message("1", strings.Repeat("x", 12<<10), ""), 80002},
		{"moderated", message("1", "casino", ""), 80001},
		{"sender unknown", message("1", "x", `,"From_Account":"nobody"`), 10019},
		{"sender outside", message("1", "x", `,"From_Account":"zd_7"`), 10007},
		{"priority", message("1", "x", `,"MsgPriority":"Urgent"`), 10004},
		{"sender inside", message("1", "hi", `,"From_Account":"alice"`), 0},
	}
	for _, tt := range tests {
		if a := im(t, s, base, "send_group_msg", tt.body); a.ErrorCode != tt.code {
			t.Errorf("%s: %d, want %d", tt.name, a.ErrorCode, tt.code)
		}
	}

	first := ok(t, s, base, "send_group_msg", message("77", "hello", ""))
	again := ok(t, s, base, "send_group_msg", message("77", "hello", ""))
	other := ok(t, s, base, "send_group_msg", message("77", "hello!", ""))
	if again.MsgSeq != first.MsgSeq || other.MsgSeq == first.MsgSeq {
		t.Errorf("seqs %d %d %d", first.MsgSeq, again.MsgSeq, other.MsgSeq)
	}
	clock.Advance(5*time.Minute + time.Second)
	if late := ok(t, s, base, "send_group_msg", message("77", "hello", "")); late.MsgSeq == first.MsgSeq {
		t.Error("a repetition after five minutes was dropped")
	}

	ok(t, s, base, "modify_group_base_info", `{"GroupId":"g","MuteAllMember":"On"}`)
	if a := im(t, s, base, "send_group_msg", message("2", "x", `,"From_Account":"alice"`)); a.ErrorCode != 10017 {
		t.Errorf("a member in a muted room: %d", a.ErrorCode)
	}
	ok(t, s, base, "send_group_msg", message("3", "closing", ""))
	ok(t, s, base, "modify_group_base_info", `{"GroupId":"g","MuteAllMember":"Off"}`)
	ok(t, s, base, "forbid_send_msg", `{"GroupId":"g","Members_Account":["alice"],"MuteTime":60}`)
	if err := s.SendAs("alice", "g", "x"); imCode(err) != 10017 {
		t.Errorf("a muted member: %v", err)
	}
	clock.Advance(61 * time.Second)
	if err := s.SendAs("alice", "g", "back"); err != nil {
		t.Error(err)
	}
	ok(t, s, base, "send_group_system_notification", `{"GroupId":"g","Content":"notice"}`)
	if g, _ := s.Group("g"); len(g.Notices) != 1 || g.Notices[0].Content != "notice" {
		t.Errorf("notices: %+v", g.Notices)
	}
}

func TestHistory(t *testing.T) {
	clock := newTestClock()
	s, base := serve(t, Options{Now: clock.Now})
	ok(t, s, base, "account_import", `{"UserID":"alice"}`)
	ok(t, s, base, "account_import", `{"UserID":"zd_7"}`)
	ok(t, s, base, "create_group", `{"GroupId":"g","Type":"Public","Name":"n","MemberList":[{"Member_Account":"alice"}]}`)
	for i := range 25 {
		if err := s.SendAs("alice", "g", fmt.Sprint("m", i)); err != nil {
			t.Fatal(err)
		}
	}
	page := ok(t, s, base, "group_msg_get_simple", `{"GroupId":"g","ReqMsgNumber":20}`)
	if len(page.RspMsgList) != 20 || page.RspMsgList[0].MsgSeq != 25 || page.IsFinished != 0 {
		t.Errorf("first page: %s", page.raw)
	}
	page = ok(t, s, base, "group_msg_get_simple", fmt.Sprintf(`{"GroupId":"g","ReqMsgNumber":20,"ReqMsgSeq":%d}`, page.RspMsgList[19].MsgSeq-1))
	if len(page.RspMsgList) != 5 || page.RspMsgList[4].MsgSeq != 1 || page.IsFinished != 1 {
		t.Errorf("last page: %s", page.raw)
	}
	for _, n := range []string{"0", "21", `"20"`} {
		if a := im(t, s, base, "group_msg_get_simple", `{"GroupId":"g","ReqMsgNumber":`+n+`}`); a.ErrorCode != 10004 {
			t.Errorf("ReqMsgNumber %s: %d", n, a.ErrorCode)
		}
	}

	ok(t, s, base, "add_group_member", `{"GroupId":"g","MemberList":[{"Member_Account":"zd_7"}]}`)
	if err := s.SendAs("alice", "g", "after"); err != nil {
		t.Fatal(err)
	}
	if m, err := s.ClientMessages("zd_7", "g"); err != nil || len(m) != 1 {
		t.Errorf("a late joiner sees %d messages, %v", len(m), err)
	}
	ok(t, s, base, "modify_group_base_info", `{"GroupId":"g","HistoryMsgBeforeJoin":"On"}`)
	if m, err := s.ClientMessages("zd_7", "g"); err != nil || len(m) != 26 {
		t.Errorf("with history: %d messages, %v", len(m), err)
	}

	clock.Advance(8 * 24 * time.Hour)
	f := s.Fixtures().Tencent
	res, text := request(t, "POST", signedIM(t, base, "group_msg_get_simple", f.SDKAppID, f.SecretKey, f.AdminUserID, 30*24*3600), `{"GroupId":"g","ReqMsgNumber":1}`)
	var a imAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil || res.StatusCode != 200 || len(a.RspMsgList) != 1 || a.RspMsgList[0].IsPlaceMsg != 1 || a.RspMsgList[0].MsgBody != nil {
		t.Errorf("a week later: %s", text)
	}
}

func TestListGroups(t *testing.T) {
	s, base := serve(t, Options{})
	for i := range 7 {
		typ := "Public"
		if i == 3 {
			typ = "Meeting"
		}
		ok(t, s, base, "create_group", fmt.Sprintf(`{"GroupId":"g%d","Type":"%s","Name":"n"}`, i, typ))
	}
	var got []string
	next := uint64(0)
	for page := 0; ; page++ {
		a := ok(t, s, base, "get_appid_group_list", fmt.Sprintf(`{"Limit":2,"Next":%d,"GroupType":"Public"}`, next))
		if a.TotalCount != 6 {
			t.Errorf("total %d", a.TotalCount)
		}
		for _, g := range a.GroupIdList {
			got = append(got, g.GroupId)
		}
		if page == 0 {
			ok(t, s, base, "destroy_group", `{"GroupId":"g0"}`)
			ok(t, s, base, "create_group", `{"GroupId":"g0","Type":"Public","Name":"n"}`)
			if a.Next <= 1<<63 {
				t.Errorf("cursor %d fits an int64", a.Next)
			}
		}
		if next = a.Next; next == 0 {
			break
		}
	}
	if s := strings.Join(got, " "); s != "g0 g1 g2 g4 g5 g6 g0" {
		t.Errorf("got %s", s)
	}
	if a := im(t, s, base, "get_appid_group_list", `{"Next":5}`); a.ErrorCode != 10004 {
		t.Errorf("an invented cursor: %d", a.ErrorCode)
	}
}

func TestGroupInfoIsCapped(t *testing.T) {
	s, base := serve(t, Options{})
	var ids []string
	var accounts, members []string
	for i := range 400 {
		name := fmt.Sprintf("a_rather_long_account_name_%d", i)
		accounts = append(accounts, `{"UserID":"`+name+`"}`)
		members = append(members, `{"Member_Account":"`+name+`"}`)
	}
	for some := range slices.Chunk(accounts, 100) {
		ok(t, s, base, "multiaccount_import", `{"AccountList":[`+strings.Join(some, ",")+`]}`)
	}
	for i := range 50 {
		id := fmt.Sprintf("g%d", i)
		ok(t, s, base, "create_group", `{"Type":"Public","Name":"n","GroupId":"`+id+`"}`)
		for some := range slices.Chunk(members, 200) {
			ok(t, s, base, "import_group_member", `{"GroupId":"`+id+`","MemberList":[`+strings.Join(some, ",")+`]}`)
		}
		ids = append(ids, `"`+id+`"`)
	}
	list := `{"GroupIdList":[` + strings.Join(ids, ",") + `]`
	if a := im(t, s, base, "get_group_info", list+`}`); a.ErrorCode != 10018 {
		t.Errorf("an answer of megabytes: %d", a.ErrorCode)
	}
	ok(t, s, base, "get_group_info", list+`,"ResponseFilter":{"GroupBaseInfoFilter":["Name"]}}`)
	if a := im(t, s, base, "get_group_info", `{"GroupIdList":[`+strings.Join(ids, ",")+`,"x"]}`); a.ErrorCode != 10004 {
		t.Errorf("51 groups: %d", a.ErrorCode)
	}
}

func imCode(err error) int {
	var e *engine.Refusal
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestClients(t *testing.T) {
	s, base := serve(t, Options{})
	if err := s.CreateGroupAs("mallory", tencent.ClientGroup{GroupID: "ZENDESK#5", Type: "Public", Name: "Support", ApplyJoinOption: "FreeAccess"}); err != nil {
		t.Fatal(err)
	}
	if a := im(t, s, base, "create_group", `{"GroupId":"ZENDESK#5","Type":"Public","Name":"n"}`); a.ErrorCode != 10021 {
		t.Errorf("over a squat: %d", a.ErrorCode)
	}
	g, _ := s.Group("ZENDESK#5")
	if g.Owner != "mallory" || len(g.Members) != 1 || g.Members[0].Role != "Owner" {
		t.Errorf("squat: %+v", g)
	}
	if err := s.JoinAs("bob", "ZENDESK#5"); err != nil {
		t.Error(err)
	}
	if a := im(t, s, base, "delete_group_member", `{"GroupId":"ZENDESK#5","MemberToDel_Account":["mallory"]}`); a.ErrorCode != 10007 {
		t.Errorf("removing the owner: %d", a.ErrorCode)
	}
	ok(t, s, base, "change_group_owner", `{"GroupId":"ZENDESK#5","NewOwner_Account":"bob"}`)
	if err := s.CreateGroupAs("bob", tencent.ClientGroup{GroupID: "ZENDESK#5", Type: "Public", Name: "n"}); imCode(err) != 10025 {
		t.Errorf("again by the owner: %v", err)
	}
	ok(t, s, base, "create_group", `{"GroupId":"ZENDESK#6","Type":"Public","Name":"n","ApplyJoinOption":"DisableApply"}`)
	if err := s.JoinAs("mallory", "ZENDESK#6"); imCode(err) != 10007 {
		t.Errorf("asking to join: %v", err)
	}
	if err := s.SendAs("mallory", "ZENDESK#6", "x"); imCode(err) != 10007 {
		t.Errorf("sending from outside: %v", err)
	}
	if err := s.QuitAs("mallory", "ZENDESK#5"); err != nil {
		t.Error(err)
	}
	if err := s.QuitAs("bob", "ZENDESK#5"); imCode(err) != 10009 {
		t.Errorf("an owner leaving: %v", err)
	}
}

func TestEmptiedGroup(t *testing.T) {
	for _, drops := range []bool{false, true} {
		s, base := serve(t, Options{Tencent: tencent.Plan{DropEmptied: drops}})
		ok(t, s, base, "account_import", `{"UserID":"alice"}`)
		ok(t, s, base, "create_group", `{"GroupId":"g","Type":"Public","Name":"n","MemberList":[{"Member_Account":"alice"}]}`)
		ok(t, s, base, "delete_group_member", `{"GroupId":"g","MemberToDel_Account":["alice"]}`)
		if _, there := s.Group("g"); there == drops {
			t.Errorf("DropEmptied %v: still there %v", drops, there)
		}
	}
}

func TestAccounts(t *testing.T) {
	clock := newTestClock()
	s, base := serve(t, Options{Now: clock.Now})
	ok(t, s, base, "account_import", `{"Identifier":"alice"}`)
	ok(t, s, base, "create_group", `{"GroupId":"g","Type":"Public","Name":"n","MemberList":[{"Member_Account":"alice"}]}`)
	a := ok(t, s, base, "account_check", `{"CheckItem":[{"UserID":"alice"},{"UserID":"bob"}]}`)
	if a.ResultItem[0].AccountStatus != "Imported" || a.ResultItem[1].AccountStatus != "NotImported" {
		t.Errorf("check: %s", a.raw)
	}
	ok(t, s, base, "kick", `{"UserID":"alice"}`)
	if _, kicked := s.Kicked("alice"); !kicked {
		t.Error("not kicked")
	}
	if a := im(t, s, base, "kick", `{"UserID":"bob"}`); a.ErrorCode != 70107 {
		t.Errorf("kick of a stranger: %d", a.ErrorCode)
	}
	a = ok(t, s, base, "account_delete", `{"DeleteItem":[{"UserID":"alice"},{"UserID":"bob"},{"UserID":"administrator"}]}`)
	if a.ResultItem[0].ResultCode != 0 || a.ResultItem[1].ResultCode != 70107 || a.ResultItem[2].ResultCode == 0 {
		t.Errorf("delete: %s", a.raw)
	}
	if g, _ := s.Group("g"); len(g.Members) != 0 {
		t.Errorf("a deleted account is still a member: %+v", g.Members)
	}
	if a := im(t, s, base, "account_import", `{"UserID":"alice"}`); a.ErrorCode != 70399 {
		t.Errorf("back at once: %d", a.ErrorCode)
	}
}
