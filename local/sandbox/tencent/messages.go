package tencent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Limits of group messages; see https://trtc.io/document/33529.
const (
	maxMessage   = 12 << 10
	sameMessage  = 5 * time.Minute // how long a repeated Random and content is dropped
	groupMsgRate = 40              // a second and group
)

var elemTypes = []string{
	"TIMTextElem", "TIMCustomElem", "TIMFaceElem", "TIMImageElem", "TIMFileElem",
	"TIMSoundElem", "TIMVideoFileElem", "TIMLocationElem",
}

// sendMessage follows https://trtc.io/document/34959.
func (t *app) sendMessage(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	from := a.text("From_Account")
	if !a.has("From_Account") {
		from = r.URL.Query().Get("identifier")
	}
	random := a.number("Random", 1<<32)
	priority := a.text("MsgPriority")
	online := a.number("OnlineOnlyFlag", 0)
	custom := a.text("CloudCustomData")
	elements := a.objects("MsgBody")
	for _, el := range elements {
		typ, content := el.text("MsgType"), el.object("MsgContent")
		if a.bad() == nil && (content == nil || !slices.Contains(elemTypes, typ)) {
			return nil, refuse(10004, "MsgBody holds something that is no message element")
		}
		if typ == "TIMTextElem" && content != nil {
			text := content.text("Text")
			if e := t.moderate("the message", text); e != nil {
				return nil, e
			}
		}
	}
	if e := a.bad(); e != nil {
		return nil, e
	}
	switch {
	case random > 1<<32-1:
		return nil, refuse(10004, "Random must be an unsigned 32-bit number")
	case len(elements) == 0:
		return nil, refuse(10004, "MsgBody is empty")
	case priority != "" && !slices.Contains([]string{"High", "Normal", "Low"}, priority):
		return nil, refuse(10004, "MsgPriority must be High, Normal or Low")
	case a.has("To_Account"):
		return nil, refuse(10007, "the plan has no messages to some members of a group")
	}
	return t.send(g, outgoing{
		by: restActor(r), from: from, random: uint32(random), priority: priority, body: a.fields["MsgBody"], custom: custom, online: online == 1,
	})
}

// outgoing is a message on its way to a group.
type outgoing struct {
	by       actor
	from     string
	random   uint32
	priority string
	body     []byte // the elements, as JSON
	custom   string
	online   bool // for those who are online only
	clientID string
	session  *clientSession // that sends it, if one does; it is not told
}

// maySpeak refuses who is not in the group or muted. The members of a muted
// group that may still speak are its owner, its admins and the app's.
func (t *app) maySpeak(g *group, from string) *refusal {
	acc := t.accounts[from]
	if acc == nil {
		return refuse(10019, "account %q does not exist", from)
	}
	if acc.admin {
		return nil
	}
	m := g.member(from)
	if m == nil {
		return refuse(10007, "the sender is not in the group")
	}
	if until, ok := g.muted[from]; ok && t.Now().Before(until) {
		return refuse(10017, "the sender is muted")
	}
	if g.muteAll && m.role == "Member" {
		return refuse(10017, "all members of the group are muted")
	}
	return nil
}

// send delivers a message to a group, or tells the app's webhook why it did not.
func (t *app) send(g *group, o outgoing) (reply, *refusal) {
	var body []any
	if json.Unmarshal(o.body, &body) != nil {
		return nil, refuse(60003, "MsgBody is not JSON")
	}
	out, e := t.deliver(g, o, body)
	if e != nil {
		fields := o.messageFields(g, body)
		fields["ErrorCode"], fields["ErrorInfo"] = e.code, e.info
		t.tellWebhook(sendException, o.by, fields)
	}
	return out, e
}

func (t *app) deliver(g *group, o outgoing, body []any) (reply, *refusal) {
	if e := t.maySpeak(g, o.from); e != nil {
		return nil, e
	}
	var compact bytes.Buffer
	if json.Compact(&compact, o.body) != nil {
		return nil, refuse(60003, "MsgBody is not JSON")
	}
	if compact.Len()+len(o.custom) > maxMessage {
		return nil, refuse(80002, "the message is longer than 12 KB")
	}
	now := t.Now()
	content := compact.String()
	for _, old := range slices.Backward(g.messages) {
		if now.Sub(old.time) > sameMessage {
			break
		}
		if old.random == o.random && old.from == o.from && old.content == content {
			return reply{"MsgTime": old.time.Unix(), "MsgSeq": old.seq}, nil
		}
	}
	if t.plan.RatePerSecond > 0 && g.rate.over(now, groupMsgRate) {
		return nil, refuse(10023, "more than %d messages a second in the group", groupMsgRate)
	}
	if e := t.askWebhook(beforeSend, o.by, o.messageFields(g, body)); e != nil {
		return nil, e
	}
	if t.groups[g.id] != g {
		return nil, refuse(10010, "the group does not exist or has been dismissed")
	}
	msg := &message{
		seq: g.lastSeq() + 1, random: o.random, from: o.from, body: body, content: content,
		custom: o.custom, priority: cmp.Or(o.priority, "Normal"), time: now, clientID: o.clientID,
	}
	if o.online {
		return reply{"MsgTime": now.Unix(), "MsgSeq": 0}, nil
	}
	g.messages = append(g.messages, msg)
	if m := g.member(o.from); m != nil {
		m.lastSend, m.read = now, msg.seq
	}
	t.tellMessage(g, msg, o.session)
	fields := o.messageFields(g, body)
	fields["MsgSeq"], fields["MsgTime"], fields["GroupAtInfo"] = msg.seq, now.Unix(), []any{}
	t.tellWebhook(afterSend, o.by, fields)
	return reply{"MsgTime": now.Unix(), "MsgSeq": msg.seq}, nil
}

// sendNotice follows https://trtc.io/document/34958. Clients get it beside the
// chat; nothing recognises a repetition.
func (t *app) sendNotice(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	content, to := a.text("Content"), a.texts("ToMembers_Account")
	if e := a.bad(); e != nil {
		return nil, e
	}
	if content == "" || len(to) > 500 {
		return nil, refuse(10004, "Content is missing, or ToMembers_Account holds more than 500")
	}
	if len(content) > maxMessage {
		return nil, refuse(80002, "the notification is longer than 12 KB")
	}
	if e := t.moderate("the notification", content); e != nil {
		return nil, e
	}
	g.notices = append(g.notices, Notice{content, to, t.Now().UTC()})
	for _, m := range slices.Clone(g.members) {
		if len(to) == 0 || slices.Contains(to, m.id) {
			t.tell(m.id, g, event{Type: "notice", Text: content})
		}
	}
	return nil, nil
}

// getMessages follows https://trtc.io/document/34971: newest first, the next
// page begins at the lowest MsgSeq minus one, and what is older than the plan
// keeps is a hole. Long messages make an answer shorter than was asked for.
func (t *app) getMessages(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	number, from := a.number("ReqMsgNumber", 0), a.number("ReqMsgSeq", g.lastSeq())
	recalled := a.number("WithRecalledMsg", 0)
	if e := a.bad(); e != nil {
		return nil, e
	}
	if number == 0 || number > 20 {
		return nil, refuse(10004, "ReqMsgNumber must be 1 to 20")
	}
	if g.typ == "AVChatRoom" {
		return nil, refuse(10007, "an AVChatRoom keeps no history")
	}
	oldest := t.Now().Add(-t.plan.History)
	list, finished, size := []reply{}, 1, 0
	for _, m := range slices.Backward(g.messages) {
		if m.seq > from {
			continue
		}
		body, _ := json.Marshal(m.body)
		if size += len(body); uint64(len(list)) == number || (size > t.plan.HistoryBytes && len(list) > 0) {
			finished = 0
			break
		}
		v := reply{
			"From_Account": m.from, "IsPlaceMsg": 0, "IsSystemMsg": 0, "MsgBody": m.body,
			"MsgRandom": m.random, "MsgSeq": m.seq, "MsgTimeStamp": m.time.Unix(), "MsgPriority": priorityNumber[m.priority],
		}
		if m.custom != "" {
			v["CloudCustomData"] = m.custom
		}
		if m.time.Before(oldest) {
			v = reply{"IsPlaceMsg": 1, "MsgSeq": m.seq, "MsgTimeStamp": m.time.Unix()}
		} else if m.recalled {
			v = reply{"IsPlaceMsg": 2, "From_Account": m.from, "MsgSeq": m.seq, "MsgTimeStamp": m.time.Unix()}
			if recalled != 1 {
				continue
			}
		}
		list = append(list, v)
	}
	return reply{"GroupId": g.id, "IsFinished": finished, "RspMsgList": list}, nil
}

// recallMessages follows https://trtc.io/document/34965: each message has its
// own result.
func (t *app) recallMessages(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	var seqs []uint64
	for _, m := range a.objects("MsgSeqList") {
		seqs = append(seqs, m.number("MsgSeq", 0))
	}
	if e := a.bad(); e != nil {
		return nil, e
	}
	if len(seqs) == 0 || len(seqs) > 10 {
		return nil, refuse(10004, "MsgSeqList must hold 1 to 10 messages")
	}
	results := []reply{}
	for _, seq := range seqs {
		code := 0
		if m := g.message(seq); m == nil {
			code = 10030
		} else if !t.recall(restActor(r), g, m) {
			code = 10032
		}
		results = append(results, reply{"MsgSeq": seq, "RetCode": code})
	}
	return reply{"RecallRetList": results}, nil
}

func (g *group) message(seq uint64) *message {
	for _, m := range g.messages {
		if m.seq == seq {
			return m
		}
	}
	return nil
}

// recall takes a message back; it reports whether that was still to do.
func (t *app) recall(by actor, g *group, m *message) bool {
	if m.recalled {
		return false
	}
	m.recalled = true
	t.tellWebhook(afterRecall, by, reply{
		"GroupId": g.id, "Type": g.typ, "Operator_Account": by.account, "MsgSeqList": []reply{{"MsgSeq": m.seq}}, "TopicId": "",
	})
	t.tellMembers(g, event{Type: "recalled", Seq: m.seq, From: m.from})
	return true
}

var priorityNumber = map[string]int{"High": 1, "Normal": 2, "Low": 3}
