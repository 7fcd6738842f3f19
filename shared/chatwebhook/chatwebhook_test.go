package chatwebhook_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/chatwebhook"
)

const (
	token = "xxxxyyyy"
	at    = 1669872112
	// published is the vendor's own example: https://cloud.tencent.com/document/product/269/32431.
	published = "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"
)

var now = time.Unix(at, 0)

func query(pairs ...string) url.Values {
	q := url.Values{"Sign": {published}, "RequestTime": {strconv.Itoa(at)}, "SdkAppid": {"1400000000"}, "CallbackCommand": {"Group.CallbackAfterSendMsg"}}
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		for value := range strings.SplitSeq(pairs[i+1], ",") {
			if value != "" {
				q.Add(pairs[i], value)
			}
		}
	}
	return q
}

func TestVerify(t *testing.T) {
	live := chatwebhook.Secret{Tokens: []string{token}, SDKAppID: 1400000000, AdminUserID: "administrator"}
	with := func(tokens ...string) chatwebhook.Secret {
		s := live
		s.Tokens = tokens
		return s
	}
	for _, tt := range []struct {
		name   string
		query  url.Values
		secret chatwebhook.Secret
		at     time.Time
		want   error
	}{
		{"the vendor's example", query(), live, now, nil},
		{"the older of two", query(), with("another", token), now, nil},
		{"the newer of two", query(), with(token, "another"), now, nil},
		{"as old as may be", query(), live, now.Add(time.Minute), nil},
		{"as early as may be", query(), live, now.Add(-time.Minute), nil},
		{"too old", query(), live, now.Add(time.Minute + 1), chatwebhook.ErrExpired},
		{"too early", query(), live, now.Add(-time.Minute - 1), chatwebhook.ErrExpired},
		{"another token", query(), with("xxxyyy"), now, chatwebhook.ErrSignature},
		{"no token", query(), with(), now, chatwebhook.ErrSignature},
		{"an empty token", query("Sign", chatwebhook.Sign("", strconv.Itoa(at))), with(""), now, chatwebhook.ErrSignature},
		{"upper case", query("Sign", strings.ToUpper(published)), live, now, chatwebhook.ErrSignature},
		{"no signature", query("Sign", ""), live, now, chatwebhook.ErrProof},
		{"two signatures", query("Sign", "x,"+published), live, now, chatwebhook.ErrProof},
		{"no time", query("RequestTime", ""), live, now, chatwebhook.ErrProof},
		{"two times", query("RequestTime", "1669872112,1669872112"), live, now, chatwebhook.ErrProof},
		{"milliseconds", query("RequestTime", "1669872112000"), live, now, chatwebhook.ErrTime},
		{"a time with a zero before it", query("RequestTime", "01669872112"), live, now, chatwebhook.ErrTime},
		{"a time with a sign", query("RequestTime", "+1669872112"), live, now, chatwebhook.ErrTime},
		{"a time in words", query("RequestTime", "now"), live, now, chatwebhook.ErrTime},
		{"another app", query("SdkAppid", "1400000001"), live, now, chatwebhook.ErrApp},
		{"no app", query("SdkAppid", ""), live, now, chatwebhook.ErrProof},
		{"two apps", query("SdkAppid", "1400000000,1"), live, now, chatwebhook.ErrProof},
	} {
		err := chatwebhook.Verify(tt.query, tt.secret, tt.at)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// FuzzVerify holds that nothing but a live token's signature of a time of this
// minute is accepted.
func FuzzVerify(f *testing.F) {
	f.Add(token, "Sign="+published+"&RequestTime=1669872112&SdkAppid=1400000000")
	f.Add("", "Sign=&RequestTime=&SdkAppid=")
	f.Add("xxxyyy", "Sign="+published+"&RequestTime=1669872112&RequestTime=1&SdkAppid=1400000000")
	f.Fuzz(func(t *testing.T, token, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		s := chatwebhook.Secret{Tokens: []string{token}, SDKAppID: 1400000000}
		if chatwebhook.Verify(q, chatwebhook.Secret{SDKAppID: 1400000000}, now) == nil {
			t.Error("accepted without a token")
		}
		if chatwebhook.Verify(q, s, now) != nil {
			return
		}
		seconds, err := strconv.ParseInt(q.Get("RequestTime"), 10, 64)
		if err != nil || token == "" || q.Get("Sign") != chatwebhook.Sign(token, q.Get("RequestTime")) ||
			now.Sub(time.Unix(seconds, 0)).Abs() > chatwebhook.Tolerance || q.Get("SdkAppid") != "1400000000" {
			t.Errorf("%q accepted for %q", raw, token)
		}
	})
}

func TestDecode(t *testing.T) {
	const admin = "administrator"
	for _, tt := range []struct {
		name, command, platform, body string
		want                          chatwebhook.Callback
		echo                          bool
	}{
		{"a squat", "Group.CallbackAfterCreateGroup", "Web", `"GroupId":"ZENDESK#1","Operator_Account":"eve","EventTime":"1670574414123"`,
			chatwebhook.Callback{Kind: chatwebhook.Created, GroupID: "ZENDESK#1", Platform: "Web", Operator: "eve"}, false},
		{"our room", "Group.CallbackAfterCreateGroup", "RESTAPI", `"GroupId":"ZENDESK#1","Operator_Account":"administrator","EventTime":1670574414123`,
			chatwebhook.Callback{Kind: chatwebhook.Created, GroupID: "ZENDESK#1", Platform: "RESTAPI", Operator: admin}, true},
		{"another admin's", "Group.CallbackAfterNewMemberJoin", "RESTAPI", `"GroupId":"ZENDESK#1","Operator_Account":"boss"`,
			chatwebhook.Callback{Kind: chatwebhook.Joined, GroupID: "ZENDESK#1", Platform: "RESTAPI", Operator: "boss"}, false},
		{"somebody by our admin's name", "Group.CallbackAfterMemberExit", "Web", `"GroupId":"ZENDESK#1","Operator_Account":"administrator"`,
			chatwebhook.Callback{Kind: chatwebhook.Left, GroupID: "ZENDESK#1", Platform: "Web", Operator: admin}, false},
		{"destroyed by a client", "Group.CallbackAfterGroupDestroyed", "iOS", `"GroupId":"ZENDESK#1"`,
			chatwebhook.Callback{Kind: chatwebhook.Destroyed, GroupID: "ZENDESK#1", Platform: "iOS"}, false},
		{"destroyed over REST", "Group.CallbackAfterGroupDestroyed", "RESTAPI", `"GroupId":"ZENDESK#1"`,
			chatwebhook.Callback{Kind: chatwebhook.Destroyed, GroupID: "ZENDESK#1", Platform: "RESTAPI"}, true},
		{"changed", "Group.CallbackAfterGroupInfoChanged", "", `"GroupId":"x"`, chatwebhook.Callback{Kind: chatwebhook.Changed, GroupID: "x"}, false},
		{"owned", "Group.CallbackAfterChangeGroupOwner", "", `"GroupId":"x"`, chatwebhook.Callback{Kind: chatwebhook.Owned, GroupID: "x"}, false},
		{"before the fact", "Group.CallbackBeforeCreateGroup", "Web", `"Operator_Account":"eve"`, chatwebhook.Callback{Platform: "Web", Operator: "eve"}, false},
		{"unknown", "State.StateChange", "Web", `"Info":{}`, chatwebhook.Callback{Platform: "Web"}, false},
	} {
		q := url.Values{"CallbackCommand": {tt.command}, "OptPlatform": {tt.platform}}
		got, err := chatwebhook.Decode(q, []byte(`{"CallbackCommand":"`+tt.command+`",`+tt.body+`}`))
		if err != nil || got != tt.want || got.Echo(admin) != tt.echo {
			t.Errorf("%s: %+v, echo %t, %v", tt.name, got, got.Echo(admin), err)
		}
		q.Set("CallbackCommand", "Group.CallbackAfterSendMsg")
		if got, err = chatwebhook.Decode(q, []byte(`{"CallbackCommand":"`+tt.command+`",`+tt.body+`}`)); err != nil || got.Kind != chatwebhook.Other {
			t.Errorf("%s under another name: %+v, %v", tt.name, got, err)
		}
	}
	for _, body := range []string{"", "null", "[]", `"x"`, "{", `{"GroupId":1}`, `{}{}`} {
		if _, err := chatwebhook.Decode(url.Values{}, []byte(body)); !errors.Is(err, chatwebhook.ErrBody) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"CallbackCommand":"Group.CallbackAfterCreateGroup","GroupId":"ZENDESK#1"}`))
	f.Add([]byte(`{"MsgBody":[{}],"EventTime":"1"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := chatwebhook.Decode(url.Values{"CallbackCommand": {"Group.CallbackAfterCreateGroup"}}, body)
		if err != nil && c != (chatwebhook.Callback{}) {
			t.Errorf("%+v beside %v", c, err)
		}
	})
}

func TestSecret(t *testing.T) {
	const long = "canary-0123456789"
	good := chatwebhook.Secret{Tokens: []string{long}, SDKAppID: 1, AdminUserID: "a"}
	for _, tt := range []struct {
		change func(*chatwebhook.Secret)
		want   string
	}{
		{func(*chatwebhook.Secret) {}, ""},
		{func(s *chatwebhook.Secret) { s.Tokens = nil }, "tokens is empty"},
		{func(s *chatwebhook.Secret) { s.Tokens = []string{long, "canary"} }, "tokens: value 2 of 2"},
		{func(s *chatwebhook.Secret) { s.Tokens = []string{long + " "} }, "tokens: value 1 of 1"},
		{func(s *chatwebhook.Secret) { s.SDKAppID = 0 }, "sdkAppId"},
		{func(s *chatwebhook.Secret) { s.AdminUserID = "" }, "adminUserId"},
	} {
		s := good
		tt.change(&s)
		err := s.Validate()
		if (err == nil) != (tt.want == "") || (err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary"))) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", good)
	for _, printed := range []string{log.String(), fmt.Sprintf("%v %+v %#v %s", good, good, good, good)} {
		if strings.Contains(printed, "canary") {
			t.Errorf("printed: %s", printed)
		}
	}
}
