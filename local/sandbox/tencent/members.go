package tencent

import (
	"net/http"
	"slices"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// The results that add_group_member gives to each member.
const (
	memberFailed  = 0
	memberAdded   = 1
	memberAlready = 2
	memberInvited = 3 // awaits the invitee's consent
	memberOver    = 4 // a limit
)

// addMember follows https://trtc.io/document/34921. The faults of code
// "result:0", "result:3" and "result:4" make it accept the call and refuse
// every member.
func (t *app) addMember(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	silence := a.number("Silence", 0)
	ids, e := members(a, 300)
	if e != nil {
		return nil, e
	}
	if silence > 1 {
		return nil, refuse(10004, "Silence must be 0 or 1")
	}
	if g.typ == "AVChatRoom" {
		return nil, refuse(10007, "members cannot be added to an AVChatRoom")
	}
	if len(ids) == 1 {
		engine.Note(r, "user", ids[0])
	}
	for _, id := range ids {
		if t.accounts[id] == nil {
			return nil, refuse(10019, "account %q does not exist", id)
		}
	}
	for result, code := range map[int]string{memberFailed: "result:0", memberInvited: "result:3", memberOver: "result:4"} {
		if engine.Forced(r, code) {
			out := []reply{}
			for _, id := range ids {
				out = append(out, reply{"Member_Account": id, "Result": result})
			}
			return reply{"MemberList": out}, nil
		}
	}
	if len(ids) == 1 && g.member(ids[0]) == nil {
		if len(g.members) >= g.maxMembers {
			return nil, refuse(10014, "the group is full")
		}
		if e := t.mayJoin(ids[0]); e != nil {
			return nil, e
		}
	}
	by := restActor(r)
	if e := t.askWebhook(beforeInvite, by, reply{
		"GroupId": g.id, "Type": g.typ, "Operator_Account": by.account, "DestinationMembers": accounts(ids...),
	}); e != nil {
		return nil, e
	}
	if t.groups[g.id] != g {
		return nil, refuse(10010, "the group does not exist or has been dismissed")
	}
	out, added := []reply{}, []string{}
	for _, id := range ids {
		result := memberAdded
		switch {
		case g.member(id) != nil:
			result = memberAlready
		case len(g.members) >= g.maxMembers || t.mayJoin(id) != nil:
			result = memberOver
		default:
			t.join(g, id, "Member", silence == 1)
			added = append(added, id)
		}
		out = append(out, reply{"Member_Account": id, "Result": result})
	}
	t.tellNewMembers(by, g, "Invited", added...)
	return reply{"MemberList": out}, nil
}

// members reads MemberList, at most limit accounts.
func members(a *args, limit int) ([]string, *refusal) {
	var ids []string
	for _, m := range a.objects("MemberList") {
		ids = append(ids, m.text("Member_Account"))
	}
	if e := a.bad(); e != nil {
		return nil, e
	}
	if len(ids) == 0 {
		return nil, refuse(10004, "MemberList is empty")
	}
	if len(ids) > limit {
		return nil, refuse(10005, "MemberList holds more than %d members", limit)
	}
	return ids, nil
}

// importMember follows https://trtc.io/document/34969. It tells nobody.
func (t *app) importMember(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	ids, e := members(a, 300)
	if e != nil {
		return nil, e
	}
	out := []reply{}
	for _, id := range ids {
		result := memberAdded
		switch {
		case g.member(id) != nil:
			result = memberAlready
		case len(g.members) >= g.maxMembers || t.mayJoin(id) != nil:
			result = memberFailed
		default:
			t.join(g, id, "Member", true)
		}
		out = append(out, reply{"Member_Account": id, "Result": result})
	}
	return reply{"MemberList": out}, nil
}

// deleteMember follows https://trtc.io/document/34949: removing a stranger
// succeeds.
func (t *app) deleteMember(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	ids := a.texts("MemberToDel_Account")
	silence := a.number("Silence", 0)
	a.text("Reason")
	if e := a.bad(); e != nil {
		return nil, e
	}
	switch {
	case len(ids) == 0:
		return nil, refuse(10004, "MemberToDel_Account is empty")
	case len(ids) > 100:
		return nil, refuse(10005, "MemberToDel_Account holds more than 100 members")
	case silence > 1:
		return nil, refuse(10004, "Silence must be 0 or 1")
	case g.typ == "AVChatRoom":
		return nil, refuse(10004, "members cannot be removed from an AVChatRoom")
	case g.owner != "" && slices.Contains(ids, g.owner):
		return nil, refuse(10007, "the owner cannot be removed")
	}
	if len(ids) == 1 {
		engine.Note(r, "user", ids[0])
	}
	var out []string
	for _, id := range ids {
		if g.member(id) != nil {
			out = append(out, id)
		}
		t.part(g, id, silence == 1)
	}
	t.tellExits(restActor(r), g, "Kicked", out...)
	return nil, nil
}

// memberList renders a group's members; without narrow, all fields of all.
func (g *group) memberList(fields []string, narrow bool, roles []string) []reply {
	out := []reply{}
	for _, m := range g.members {
		if len(roles) > 0 && !slices.Contains(roles, m.role) {
			continue
		}
		v := reply{
			"Role": m.role, "JoinTime": m.joined.Unix(), "MsgSeq": m.seq, "MsgFlag": "AcceptAndNotify",
			"LastSendMsgTime": 0, "MuteUntil": 0, "NameCard": "",
		}
		if !m.lastSend.IsZero() {
			v["LastSendMsgTime"] = m.lastSend.Unix()
		}
		if until, ok := g.muted[m.id]; ok {
			v["MuteUntil"] = until.Unix()
		}
		if narrow && len(fields) > 0 {
			keep(v, fields)
		}
		v["Member_Account"] = m.id
		out = append(out, v)
	}
	return out
}

// getMembers follows https://trtc.io/document/34948.
func (t *app) getMembers(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	limit, offset := a.number("Limit", 6000), a.number("Offset", 0)
	fields, roles := a.texts("MemberInfoFilter"), a.texts("MemberRoleFilter")
	if e := a.bad(); e != nil {
		return nil, e
	}
	if limit == 0 || limit > 6000 {
		return nil, refuse(10004, "Limit must be 1 to 6000")
	}
	if g.typ == "AVChatRoom" {
		return nil, refuse(10007, "an AVChatRoom has no member list")
	}
	list := g.memberList(fields, a.has("MemberInfoFilter"), roles)
	from := min(offset, uint64(len(list)))
	to := min(from+limit, uint64(len(list)))
	return reply{"MemberNum": len(g.members), "MemberList": list[from:to]}, nil
}

// getRoles follows https://trtc.io/document/34963.
func (t *app) getRoles(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	ids := a.texts("User_Account")
	if e := a.bad(); e != nil {
		return nil, e
	}
	if len(ids) == 0 || len(ids) > 500 {
		return nil, refuse(10004, "User_Account must hold 1 to 500 accounts")
	}
	out := []reply{}
	for _, id := range ids {
		role := "NotMember"
		if m := g.member(id); m != nil {
			role = m.role
		}
		out = append(out, reply{"Member_Account": id, "Role": role})
	}
	return reply{"UserIdList": out}, nil
}

// muteForever is the MuteTime that never ends.
const muteForever = 4294967295

// forbidSend follows https://trtc.io/document/34951. A mute survives leaving.
func (t *app) forbidSend(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	ids := a.texts("Members_Account")
	seconds := a.number("MuteTime", a.number("ShutUpTime", muteForever+1))
	if e := a.bad(); e != nil {
		return nil, e
	}
	switch {
	case len(ids) == 0 || len(ids) > 500:
		return nil, refuse(10004, "Members_Account must hold 1 to 500 accounts")
	case seconds > muteForever:
		return nil, refuse(10004, "MuteTime must be an unsigned 32-bit number")
	case g.typ == "Work" || g.typ == "Private":
		return nil, refuse(10007, "members of a Work group cannot be muted")
	}
	for _, id := range ids {
		if t.accounts[id] == nil {
			return nil, refuse(10019, "account %q does not exist", id)
		}
	}
	for _, id := range ids {
		switch seconds {
		case 0:
			delete(g.muted, id)
		case muteForever:
			g.muted[id] = time.Unix(muteForever, 0)
		default:
			g.muted[id] = t.Now().Add(time.Duration(seconds) * time.Second)
		}
		change := "muted"
		if seconds == 0 {
			change = "unmuted"
		}
		if g.member(id) != nil {
			t.tell(id, g, event{Type: "group", Change: change})
		}
	}
	return nil, nil
}
