package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/chatwebhook"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

// hearing is chatevent with what it asks and whom it tells.
type hearing struct {
	api.ChatEvent
	t       *testing.T
	meter   *upstreamtest.Counts
	hints   []relay.Hint
	broken  error // of the queue
	secret  chatwebhook.Secret
	newer   chatwebhook.Secret // what a second look finds
	rereads int
	missing error // of the secret
}

var heardAt = time.Unix(1795176000, 0)

func newHearing(t *testing.T) *hearing {
	t.Helper()
	h := &hearing{t: t, meter: &upstreamtest.Counts{}}
	h.secret = chatwebhook.Secret{Tokens: []string{"old-0123456789abcdef", "new-0123456789abcdef"}, SDKAppID: 1400000000, AdminUserID: "administrator"}
	h.newer = h.secret
	h.ChatEvent = api.ChatEvent{
		On: true, Desks: map[relay.DeskName]bool{relay.Zendesk: true, relay.Salesforce: true},
		Secret: func(context.Context) (chatwebhook.Secret, error) { return h.secret, h.missing },
		Reread: func(context.Context) (chatwebhook.Secret, error) { h.rereads++; return h.newer, h.missing },
		Queue:  h, Meter: h.meter, Now: func() time.Time { return heardAt },
	}
	return h
}

func (h *hearing) Send(_ context.Context, hint relay.Hint) error {
	if h.broken == nil {
		h.hints = append(h.hints, hint)
	}
	return h.broken
}

// callbackQuery is signed as the chat signs.
func callbackQuery(token, command, platform string) url.Values {
	at := strconv.FormatInt(heardAt.Unix(), 10)
	return url.Values{
		"SdkAppid": {"1400000000"}, "CallbackCommand": {command}, "contenttype": {"json"}, "ClientIP": {"203.0.113.9"},
		"OptPlatform": {platform}, "Sign": {chatwebhook.Sign(token, at)}, "RequestTime": {at},
	}
}

func (h *hearing) post(query url.Values, body string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, "/chat/events?"+query.Encode(), strings.NewReader(body))
	w := httptest.NewRecorder()
	(&api.Function{Routes: h.Routes(), Meter: h.meter, Now: h.Now}).ServeHTTP(w, r)
	return w
}

func callbackBody(command, group, operator string) string {
	return fmt.Sprintf(`{"CallbackCommand":%q,"GroupId":%q,"Type":"Public","Operator_Account":%q,"EventTime":"1795176000000"}`, command, group, operator)
}

// Only what happened to a room of ours, and not by us, is queued; everything else is
// answered and forgotten.
func TestChatEventQueues(t *testing.T) {
	const (
		room = "ZENDESK#42"
		sf   = "500D000000abcdEIAQ"
	)
	zendesk, salesforce := relay.Ref{Desk: relay.Zendesk, Ticket: "42"}, relay.Ref{Desk: relay.Salesforce, Ticket: sf}
	for _, tt := range []struct {
		name, command, platform, group, operator string
		want                                     relay.Ref
	}{
		{"a squat", "Group.CallbackAfterCreateGroup", "Web", room, "eve", zendesk},
		{"a case's squat", "Group.CallbackAfterCreateGroup", "Android", sf, "eve", salesforce},
		{"joined", "Group.CallbackAfterNewMemberJoin", "Web", room, "eve", zendesk},
		{"left", "Group.CallbackAfterMemberExit", "iOS", room, "dana", zendesk},
		{"changed", "Group.CallbackAfterGroupInfoChanged", "Windows", room, "eve", zendesk},
		{"destroyed", "Group.CallbackAfterGroupDestroyed", "Web", room, "", zendesk},
		{"a new owner", "Group.CallbackAfterChangeGroupOwner", "RESTAPI", room, "boss", zendesk},
		{"another admin's doing", "Group.CallbackAfterMemberExit", "RESTAPI", room, "boss", zendesk},
		{"an unknown platform", "Group.CallbackAfterMemberExit", "Fridge", room, "dana", zendesk},
		{"our own doing", "Group.CallbackAfterNewMemberJoin", "RESTAPI", room, "administrator", relay.Ref{}},
		{"our own mark", "Group.CallbackAfterGroupInfoChanged", "RESTAPI", room, "administrator", relay.Ref{}},
		{"destroyed over REST", "Group.CallbackAfterGroupDestroyed", "RESTAPI", room, "", relay.Ref{}},
		{"another's group", "Group.CallbackAfterCreateGroup", "Web", "shop-7", "eve", relay.Ref{}},
		{"nearly ours", "Group.CallbackAfterCreateGroup", "Web", "ZENDESK#042", "eve", relay.Ref{}},
		{"a short Case id", "Group.CallbackAfterCreateGroup", "Web", sf[:15], "eve", relay.Ref{}},
		{"a message", "Group.CallbackAfterSendMsg", "Web", room, "dana", relay.Ref{}},
		{"asked before", "Group.CallbackBeforeInviteJoinGroup", "Web", room, "eve", relay.Ref{}},
		{"asked before there is an id", "Group.CallbackBeforeCreateGroup", "Web", "", "eve", relay.Ref{}},
		{"unknown", "State.StateChange", "Web", room, "", relay.Ref{}},
		{"the console's button", "", "", "", "", relay.Ref{}},
	} {
		for _, token := range []string{"old-0123456789abcdef", "new-0123456789abcdef"} {
			h := newHearing(t)
			w := h.post(callbackQuery(token, tt.command, tt.platform), callbackBody(tt.command, tt.group, tt.operator))
			if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}` ||
				w.Header().Get("Content-Type") != "application/json" || h.rereads != 0 {
				t.Errorf("%s: %d %s, %d more looks at the secret", tt.name, w.Code, got, h.rereads)
			}
			var want []relay.Hint
			if tt.want != (relay.Ref{}) {
				want = []relay.Hint{{Ref: tt.want, Chat: true}}
			}
			if !slices.Equal(h.hints, want) || h.meter.Of("ChatEvent") != len(want) {
				t.Errorf("%s: queued %+v, counted %d", tt.name, h.hints, h.meter.Of("ChatEvent"))
			}
		}
	}
	// A desk that is not configured is another stack's.
	h := newHearing(t)
	h.Desks = map[relay.DeskName]bool{relay.Salesforce: true}
	const command = "Group.CallbackAfterCreateGroup"
	h.post(callbackQuery(h.secret.Tokens[0], command, "Web"), callbackBody(command, room, "eve"))
	if len(h.hints) != 0 {
		t.Errorf("queued %+v", h.hints)
	}
}

func TestChatEventRefuses(t *testing.T) {
	const command = "Group.CallbackAfterCreateGroup"
	body := callbackBody(command, "ZENDESK#42", "eve")
	for _, tt := range []struct {
		name    string
		arrange func(h *hearing, q url.Values) string
		status  int
		rereads int
	}{
		{"off", func(h *hearing, _ url.Values) string { h.On = false; return body }, 404, 0},
		{"unsigned", func(_ *hearing, q url.Values) string { q.Del("Sign"); return body }, 401, 0},
		{"another token", func(_ *hearing, q url.Values) string {
			q.Set("Sign", chatwebhook.Sign("x", q.Get("RequestTime")))
			return body
		}, 401, 1},
		{"a token that is newer than ours", func(h *hearing, q url.Values) string {
			h.newer.Tokens = []string{"newest-0123456789"}
			q.Set("Sign", chatwebhook.Sign("newest-0123456789", q.Get("RequestTime")))
			return body
		}, 200, 1},
		{"another app", func(_ *hearing, q url.Values) string { q.Set("SdkAppid", "7"); return body }, 401, 1},
		{"old", func(h *hearing, q url.Values) string {
			at := strconv.FormatInt(heardAt.Add(-61*time.Second).Unix(), 10)
			q.Set("RequestTime", at)
			q.Set("Sign", chatwebhook.Sign(h.secret.Tokens[0], at))
			return body
		}, 401, 0},
		{"no JSON", func(*hearing, url.Values) string { return "x" }, 400, 0},
		{"no object", func(*hearing, url.Values) string { return "null" }, 400, 0},
		{"a very long body", func(*hearing, url.Values) string { return body + strings.Repeat(" ", api.MaxBody) }, 413, 0},
		{"no secret", func(h *hearing, _ url.Values) string {
			h.missing = problem.New(problem.Unavailable, "unreadable")
			return body
		}, 503, 0},
		{"no queue", func(h *hearing, _ url.Values) string { h.broken = errors.New("down"); return body }, 503, 0},
	} {
		h := newHearing(t)
		q := callbackQuery(h.secret.Tokens[0], command, "Web")
		w := h.post(q, tt.arrange(h, q))
		var p struct{ Status int }
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != tt.status || (p.Status != tt.status && tt.status != 200) || h.rereads != tt.rereads {
			t.Errorf("%s: %d %s, %d more looks at the secret", tt.name, w.Code, w.Body, h.rereads)
		}
		if (len(h.hints) != 0) != (tt.status == 200) || (w.Header().Get("Retry-After") != "") != (tt.status == 503) {
			t.Errorf("%s: queued %+v, Retry-After %q", tt.name, h.hints, w.Header().Get("Retry-After"))
		}
	}
}
