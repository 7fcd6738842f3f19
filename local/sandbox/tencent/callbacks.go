package tencent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Webhook is the app's one webhook, as its console sets it. Without a URL the app
// calls nobody.
type Webhook struct {
	URL   string
	Token string // "" signs nothing
	// Events are the ticked commands; nil ticks [RoomEvents].
	Events []string
	// Retry sends an after-event once more that was not answered in time.
	Retry bool
	// Timeout is how long the app waits; the vendor's two seconds if zero.
	Timeout time.Duration
}

// The commands of group callbacks; see https://trtc.io/document/34368 and the pages
// beside it. AfterModifyMsg is documented on the Chinese site only.
const (
	beforeCreate   = "Group.CallbackBeforeCreateGroup"
	beforeInvite   = "Group.CallbackBeforeInviteJoinGroup"
	beforeSend     = "Group.CallbackBeforeSendMsg"
	afterCreate    = "Group.CallbackAfterCreateGroup"
	afterJoin      = "Group.CallbackAfterNewMemberJoin"
	afterExit      = "Group.CallbackAfterMemberExit"
	afterDestroyed = "Group.CallbackAfterGroupDestroyed"
	afterInfo      = "Group.CallbackAfterGroupInfoChanged"
	afterOwner     = "Group.CallbackAfterChangeGroupOwner"
	afterSend      = "Group.CallbackAfterSendMsg"
	afterRecall    = "Group.CallbackAfterRecallMsg"
	sendException  = "Group.CallbackSendMsgException"
)

// RoomEvents are the events after the fact that tell of groups and their messages.
var RoomEvents = []string{afterCreate, afterJoin, afterExit, afterDestroyed, afterInfo, afterOwner, afterSend, afterRecall}

const callbackTimeout = 2 * time.Second

// SetWebhook replaces the app's webhook.
func (x App) SetWebhook(w Webhook) {
	x.t.Lock()
	defer x.t.Unlock()
	x.t.webhook = w
}

// actor is who did something, and through what.
type actor struct{ account, platform string }

func restActor(r *http.Request) actor { return actor{r.URL.Query().Get("identifier"), "RESTAPI"} }

func clientActor(user string) actor { return actor{user, "Web"} }

// consoleActor is somebody at the app's console. How the vendor names one is not
// documented.
var consoleActor = actor{"console", "RESTAPI"}

func (t *app) ticked(command string) bool {
	events := t.webhook.Events
	if events == nil {
		events = RoomEvents
	}
	return t.webhook.URL != "" && slices.Contains(events, command)
}

// callbackRequest makes one try of a callback. The signature covers the time alone.
func (t *app) callbackRequest(ctx context.Context, w Webhook, command string, by actor, body []byte) *http.Request {
	query := url.Values{
		"SdkAppid": {strconv.Itoa(t.fix.SDKAppID)}, "CallbackCommand": {command}, "contenttype": {"json"},
		"OptPlatform": {by.platform},
	}
	if command != sendException {
		query.Set("ClientIP", "203.0.113.20")
	}
	if w.Token != "" {
		at := strconv.FormatInt(t.Now().Unix(), 10)
		sum := sha256.Sum256([]byte(w.Token + at))
		query.Set("Sign", hex.EncodeToString(sum[:]))
		query.Set("RequestTime", at)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil
	}
	return req
}

// callbackBody renders a callback. EventTime is a number in newer pages and a text
// in older samples, so it is each in turn.
func (t *app) callbackBody(command string, fields reply) []byte {
	out := maps.Clone(fields)
	out["CallbackCommand"] = command
	at := t.Now().UnixMilli()
	out["EventTime"] = at
	if t.callbacks++; t.callbacks%2 == 0 {
		out["EventTime"] = strconv.FormatInt(at, 10)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil // texts, numbers and what was JSON always encode
	}
	return b
}

// timeout is how long the app waits for its webhook.
func (w Webhook) timeout() time.Duration {
	if w.Timeout > 0 {
		return w.Timeout
	}
	return callbackTimeout
}

func callbackDetail(command string, fields reply) map[string]string {
	group, _ := fields["GroupId"].(string)
	return map[string]string{"command": command, "group": group}
}

// tellWebhook sends what happened, if it is ticked; the engine is locked.
func (t *app) tellWebhook(command string, by actor, fields reply) {
	if !t.ticked(command) {
		return
	}
	body := t.callbackBody(command, fields)
	t.Notify(&engine.Notice{
		Vendor: "tencent", Op: "callback", Detail: callbackDetail(command, fields), Timeout: t.webhook.timeout(),
		Build: func(ctx context.Context) *http.Request {
			if t.webhook.URL == "" {
				return nil
			}
			return t.callbackRequest(ctx, t.webhook, command, by, body)
		},
		Again: func(sent int, o engine.Outcome) (time.Duration, bool) {
			return time.Second, t.webhook.Retry && o.Timeout && sent < 2
		},
	})
}

// askWebhook sends what is about to happen and waits for leave. The engine is locked,
// and let go meanwhile. Whoever does not answer in time, or makes no sense, lets it
// happen.
func (t *app) askWebhook(command string, by actor, fields reply) *refusal {
	if !t.ticked(command) {
		return nil
	}
	w, body := t.webhook, t.callbackBody(command, fields)
	ctx, cancel := context.WithTimeout(context.Background(), w.timeout())
	defer cancel()
	req := t.callbackRequest(ctx, w, command, by, body)
	if req == nil {
		return nil
	}
	t.Log("tencent", "callback", callbackDetail(command, fields))
	t.Unlock()
	said := struct {
		ErrorCode int
		ErrorInfo string
	}{}
	res, err := t.Client().Do(req)
	if err == nil {
		answer, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || json.Unmarshal(answer, &said) != nil {
			said.ErrorCode = 0
		}
	}
	t.Lock()
	switch {
	case said.ErrorCode == 1:
		return refuse(10016, "the app's webhook refused it")
	case said.ErrorCode >= 10100 && said.ErrorCode <= 10200:
		return refuse(said.ErrorCode, "%s", said.ErrorInfo)
	}
	return nil
}

// accounts is a list of accounts as callbacks have them.
func accounts(ids ...string) []reply {
	list := []reply{}
	for _, id := range ids {
		list = append(list, reply{"Member_Account": id})
	}
	return list
}

func (g *group) memberIDs() (ids []string) {
	for _, m := range g.members {
		ids = append(ids, m.id)
	}
	return ids
}

// askCreate asks about a group to be made. Its id is no part of the question.
func (t *app) askCreate(by actor, g *group, members ...string) *refusal {
	return t.askWebhook(beforeCreate, by, reply{
		"Operator_Account": by.account, "Owner_Account": g.owner, "Type": g.typ, "Name": g.name, "MemberList": accounts(members...),
	})
}

func (t *app) tellCreated(by actor, g *group) {
	t.tellWebhook(afterCreate, by, reply{
		"GroupId": g.id, "Operator_Account": by.account, "Owner_Account": g.owner, "Type": g.typ, "Name": g.name,
		"MemberList": accounts(g.memberIDs()...),
	})
}

func (t *app) tellNewMembers(by actor, g *group, how string, ids ...string) {
	if len(ids) > 0 {
		t.tellWebhook(afterJoin, by, reply{
			"GroupId": g.id, "Type": g.typ, "JoinType": how, "Operator_Account": by.account, "NewMemberList": accounts(ids...),
		})
	}
}

func (t *app) tellExits(by actor, g *group, how string, ids ...string) {
	if len(ids) > 0 {
		t.tellWebhook(afterExit, by, reply{
			"GroupId": g.id, "Type": g.typ, "ExitType": how, "Operator_Account": by.account, "ExitMemberList": accounts(ids...),
		})
	}
}

// tellDestroyed names no operator, as the vendor does not.
func (t *app) tellDestroyed(by actor, g *group) {
	t.tellWebhook(afterDestroyed, by, reply{
		"GroupId": g.id, "Type": g.typ, "Owner_Account": g.owner, "Name": g.name, "MemberList": accounts(g.memberIDs()...),
	})
}

// tellInfo tells of the texts that changed. Of options and mutes nothing is told.
func (t *app) tellInfo(by actor, before, g *group) {
	fields := reply{}
	for _, f := range []struct{ name, before, now string }{
		{"Name", before.name, g.name}, {"Introduction", before.introduction, g.introduction},
		{"Notification", before.notification, g.notification}, {"FaceUrl", before.faceURL, g.faceURL},
	} {
		if f.before != f.now {
			fields[f.name] = f.now
		}
	}
	if len(fields) == 0 {
		return
	}
	fields["GroupId"], fields["Type"], fields["Operator_Account"] = g.id, g.typ, by.account
	t.tellWebhook(afterInfo, by, fields)
}

// messageFields are what callbacks say of a message before it has a number.
func (o outgoing) messageFields(g *group, body []any) reply {
	online := 0
	if o.online {
		online = 1
	}
	return reply{
		"GroupId": g.id, "Type": g.typ, "From_Account": o.from, "Operator_Account": o.by.account, "Random": o.random,
		"OnlineOnlyFlag": online, "MsgBody": body, "CloudCustomData": o.custom, "TopicId": "",
	}
}
