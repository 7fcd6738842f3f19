package tencent

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

var (
	groupTypes    = []string{"Public", "Private", "Work", "ChatRoom", "Meeting", "AVChatRoom", "Community"}
	applyOptions  = []string{"FreeAccess", "NeedPermission", "DisableApply"}
	inviteOptions = []string{"FreeAccess", "NeedPermission", "DisableInvite"}
)

// fits checks the texts of a group's profile: bytes of UTF-8, not characters.
// See https://trtc.io/document/33529.
func (t *app) fits(name, introduction, notification, faceURL string) *refusal {
	for _, f := range []struct {
		what, text string
		max        int
	}{
		{"Name", name, 30},
		{"Introduction", introduction, 240},
		{"Notification", notification, 300},
		{"FaceUrl", faceURL, 100},
	} {
		if len(f.text) > f.max {
			return refuse(10004, "%s is longer than %d bytes", f.what, f.max)
		}
	}
	if e := t.moderate("Name", name); e != nil {
		return e
	}
	if e := t.moderate("Introduction", introduction); e != nil {
		return e
	}
	return t.moderate("Notification", notification)
}

// newGroup checks the profile of a group to be made and makes it, without
// members. operator is who makes it.
func (t *app) newGroup(operator string, a *args) (*group, *refusal) {
	g := &group{
		id: a.text("GroupId"), typ: a.text("Type"), name: a.text("Name"),
		introduction: a.text("Introduction"), notification: a.text("Notification"), faceURL: a.text("FaceUrl"),
		owner: a.text("Owner_Account"), applyJoin: a.text("ApplyJoinOption"), inviteJoin: a.text("InviteJoinOption"),
		created: t.Now(), muted: map[string]time.Time{},
	}
	maxMembers := a.number("MaxMemberCount", uint64(t.plan.MaxMembers))
	custom := a.objects("AppDefinedData")
	if e := a.bad(); e != nil {
		return nil, e
	}
	if !slices.Contains(groupTypes, g.typ) {
		return nil, refuse(10004, "Type must be one of %v", groupTypes)
	}
	if g.name == "" {
		return nil, refuse(10004, "Name is missing")
	}
	if e := t.fits(g.name, g.introduction, g.notification, g.faceURL); e != nil {
		return nil, e
	}
	g.history = g.typ == "Meeting" || g.typ == "ChatRoom"
	if g.applyJoin == "" {
		g.applyJoin = "NeedPermission"
	}
	if g.inviteJoin == "" {
		g.inviteJoin = "DisableInvite"
		if g.typ == "Work" || g.typ == "Private" || g.typ == "Community" {
			g.inviteJoin = "FreeAccess"
		}
	}
	if !slices.Contains(applyOptions, g.applyJoin) {
		return nil, refuse(10004, "ApplyJoinOption must be one of %v", applyOptions)
	}
	if !slices.Contains(inviteOptions, g.inviteJoin) {
		return nil, refuse(10004, "InviteJoinOption must be one of %v", inviteOptions)
	}
	if maxMembers == 0 || maxMembers > uint64(t.plan.MaxMembers) {
		return nil, refuse(10004, "MaxMemberCount must be 1 to %d", t.plan.MaxMembers)
	}
	g.maxMembers = int(maxMembers)
	if len(custom) > 0 {
		return nil, refuse(10004, "the app has no custom group fields")
	}
	if g.id != "" && !legalGroupID(g.id, g.typ) {
		return nil, refuse(10004, "GroupId must have at most 47 printable ASCII characters and not begin with @TGS#")
	}
	if old := t.groups[g.id]; old != nil {
		if old.owner != "" && old.owner == operator {
			return nil, refuse(10025, "the group id is in use, and the operator owns the group")
		}
		return nil, refuse(10021, "the group id is in use")
	}
	if t.plan.MaxGroups > 0 && len(t.groups) >= t.plan.MaxGroups {
		return nil, refuse(10058, "the plan's groups are used up")
	}
	if g.owner != "" {
		if e := t.mayJoin(g.owner); e != nil {
			return nil, e
		}
	}
	return g, nil
}

// mayJoin checks that an account exists and may be in one more group.
func (t *app) mayJoin(id string) *refusal {
	acc := t.accounts[id]
	if acc == nil {
		return refuse(10019, "account %q does not exist", id)
	}
	if acc.groups >= t.plan.GroupsPerUser {
		return refuse(10037, "account %q is in too many groups", id)
	}
	return nil
}

// put makes a checked group known.
func (t *app) put(g *group) {
	t.made++
	g.ordinal, g.lastInfo = t.made, t.Now()
	if g.id == "" {
		g.id = "@TGS#1" + t.ID(4)
	}
	t.groups[g.id] = g
	if g.owner != "" {
		t.join(g, g.owner, "Owner", false)
	}
}

// createGroup follows https://trtc.io/document/34895.
func (t *app) createGroup(r *http.Request, a *args) (reply, *refusal) {
	engine.Note(r, "group", a.text("GroupId"))
	type member struct{ id, role string }
	var members []member
	for _, m := range a.objects("MemberList") {
		members = append(members, member{m.text("Member_Account"), m.text("Role")})
	}
	g, e := t.newGroup(r.URL.Query().Get("identifier"), a)
	if e != nil {
		return nil, e
	}
	if len(members) > 0 && g.typ == "AVChatRoom" {
		return nil, refuse(10007, "members cannot be added to an AVChatRoom")
	}
	if len(members) > 100 {
		return nil, refuse(10005, "MemberList holds more than 100 members")
	}
	var add []member
	for _, m := range members {
		if m.role != "" && m.role != "Admin" {
			return nil, refuse(10004, "Role must be Admin or absent")
		}
		if m.id == g.owner || slices.ContainsFunc(add, func(x member) bool { return x.id == m.id }) {
			continue
		}
		if e := t.mayJoin(m.id); e != nil {
			return nil, e
		}
		if m.role == "" {
			m.role = "Member"
		}
		add = append(add, m)
	}
	seats := g.maxMembers
	if g.owner != "" {
		seats--
	}
	if len(add) > seats {
		return nil, refuse(10014, "the group would be over its %d members", g.maxMembers)
	}
	if t.ticked(beforeCreate) {
		var ids []string
		for _, m := range add {
			ids = append(ids, m.id)
		}
		if e := t.askCreate(restActor(r), g, ids...); e != nil {
			return nil, e
		}
		if t.groups[g.id] != nil {
			return nil, refuse(10021, "the group id is in use")
		}
	}
	t.put(g)
	for _, m := range add {
		t.join(g, m.id, m.role, false)
	}
	t.tellCreated(restActor(r), g)
	return reply{"GroupId": g.id, "Type": g.typ}, nil
}

// importGroup follows https://trtc.io/document/34967. It tells nobody.
func (t *app) importGroup(r *http.Request, a *args) (reply, *refusal) {
	engine.Note(r, "group", a.text("GroupId"))
	created := a.number("CreateTime", 0)
	g, e := t.newGroup(r.URL.Query().Get("identifier"), a)
	if e != nil {
		return nil, e
	}
	if created > 0 {
		at := time.Unix(int64(min(created, 1<<40)), 0)
		if at.After(t.Now()) {
			return nil, refuse(10004, "CreateTime is in the future")
		}
		g.created = at
	}
	t.put(g)
	return reply{"GroupId": g.id}, nil
}

// destroyGroup follows https://trtc.io/document/34896. The history goes too.
func (t *app) destroyGroup(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	t.destroy(restActor(r), g)
	return nil, nil
}

func (t *app) destroy(by actor, g *group) {
	t.tellDestroyed(by, g)
	for _, m := range g.members {
		t.accounts[m.id].groups--
	}
	t.tellMembers(g, event{Type: "group", Change: "dissolved"})
	delete(t.groups, g.id)
}

// getGroupInfo follows https://trtc.io/document/34961. Each group carries its
// own ErrorCode; the envelope's says nothing about them.
func (t *app) getGroupInfo(r *http.Request, a *args) (reply, *refusal) {
	ids := a.texts("GroupIdList")
	filter := a.object("ResponseFilter")
	var base, member, roles []string
	if filter != nil {
		base, member, roles = filter.texts("GroupBaseInfoFilter"), filter.texts("MemberInfoFilter"), filter.texts("MemberRoleFilter")
	}
	if e := a.bad(); e != nil {
		return nil, e
	}
	if len(ids) == 0 || len(ids) > 50 {
		return nil, refuse(10004, "GroupIdList must hold 1 to 50 groups")
	}
	if len(ids) == 1 {
		engine.Note(r, "group", ids[0])
	}
	infos := []reply{}
	for _, id := range ids {
		g := t.groups[id]
		if g == nil {
			code, info := 10010, "the group does not exist or has been dismissed"
			if !legalGroupID(strings.TrimPrefix(id, "@TGS#"), "") {
				code, info = 10015, "the group id is not legal"
			}
			infos = append(infos, reply{"GroupId": id, "ErrorCode": code, "ErrorInfo": info})
			continue
		}
		info := reply{
			"Type": g.typ, "Name": g.name, "Introduction": g.introduction, "Notification": g.notification,
			"FaceUrl": g.faceURL, "Owner_Account": g.owner, "CreateTime": g.created.Unix(),
			"LastInfoTime": g.lastInfo.Unix(), "LastMsgTime": 0, "NextMsgSeq": g.lastSeq() + 1,
			"MemberNum": len(g.members), "MaxMemberNum": g.maxMembers,
			"ApplyJoinOption": g.applyJoin, "InviteJoinOption": g.inviteJoin, "MuteAllMember": onOff(g.muteAll),
		}
		if n := len(g.messages); n > 0 {
			info["LastMsgTime"] = g.messages[n-1].time.Unix()
		}
		if base != nil && filter.has("GroupBaseInfoFilter") {
			keep(info, base)
		}
		info["GroupId"], info["ErrorCode"], info["ErrorInfo"] = id, 0, ""
		if filter == nil || filter.has("MemberInfoFilter") {
			info["MemberList"] = g.memberList(member, filter != nil, roles)
		}
		if filter == nil {
			info["AppDefinedData"] = []any{}
		}
		infos = append(infos, info)
	}
	return reply{"GroupInfo": infos}, nil
}

func onOff(v bool) string {
	if v {
		return "On"
	}
	return "Off"
}

// keep drops the fields of v that are not in names.
func keep(v reply, names []string) {
	for k := range v {
		if !slices.Contains(names, k) {
			delete(v, k)
		}
	}
}

// modifyGroup follows https://trtc.io/document/34962: all fields or none.
func (t *app) modifyGroup(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	n := *g
	a.into("Name", &n.name)
	a.into("Introduction", &n.introduction)
	a.into("Notification", &n.notification)
	a.into("FaceUrl", &n.faceURL)
	a.into("ApplyJoinOption", &n.applyJoin)
	a.into("InviteJoinOption", &n.inviteJoin)
	a.onOff("MuteAllMember", &n.muteAll)
	a.onOff("ShutUpAllMember", &n.muteAll)
	a.onOff("HistoryMsgBeforeJoin", &n.history)
	maxMembers := a.number("MaxMemberNum", uint64(g.maxMembers))
	if e := a.bad(); e != nil {
		return nil, e
	}
	if n.name == "" {
		return nil, refuse(10004, "Name must not be empty")
	}
	if a.has("AppDefinedData") {
		return nil, refuse(10004, "the app has no custom group fields")
	}
	if !slices.Contains(applyOptions, n.applyJoin) || !slices.Contains(inviteOptions, n.inviteJoin) {
		return nil, refuse(10004, "ApplyJoinOption or InviteJoinOption is not one of the values")
	}
	if maxMembers == 0 || maxMembers > uint64(t.plan.MaxMembers) {
		return nil, refuse(10004, "MaxMemberNum must be 1 to %d", t.plan.MaxMembers)
	}
	n.maxMembers = int(maxMembers)
	if e := t.fits(n.name, n.introduction, n.notification, n.faceURL); e != nil {
		return nil, e
	}
	n.lastInfo = t.Now()
	muted, renamed, before := n.muteAll, n.name != g.name, *g
	n.muteAll = g.muteAll
	*g = n
	t.tellInfo(restActor(r), &before, g)
	t.setMuted(g, muted)
	if renamed {
		t.tellMembers(g, event{Type: "group", Change: "name"})
	}
	return nil, nil
}

// setMuted silences all ordinary members of a group, or lets them speak.
func (t *app) setMuted(g *group, muted bool) {
	if g.muteAll == muted {
		return
	}
	g.muteAll = muted
	change := "unmuted"
	if muted {
		change = "muted"
	}
	t.tellMembers(g, event{Type: "group", Change: change})
}

// changeOwner follows https://trtc.io/document/34966.
func (t *app) changeOwner(r *http.Request, a *args) (reply, *refusal) {
	g, e := t.group(r, a)
	if e != nil {
		return nil, e
	}
	id := a.text("NewOwner_Account")
	if e := a.bad(); e != nil {
		return nil, e
	}
	m := g.member(id)
	if m == nil {
		return nil, refuse(10004, "the new owner must be a member")
	}
	before := g.owner
	if old := g.member(before); old != nil {
		old.role = "Member"
	}
	m.role, g.owner = "Owner", id
	by := restActor(r)
	t.tellWebhook(afterOwner, by, reply{
		"GroupId": g.id, "Type": g.typ, "Operator_Account": by.account, "OldOwner_Account": before, "NewOwner_Account": id,
	})
	return nil, nil
}

// listStart is added to every cursor of get_appid_group_list: the vendor's are
// unsigned 64-bit numbers, beyond what a float64 or an int64 holds.
const listStart = 1 << 63

// listGroups follows https://trtc.io/document/34960.
func (t *app) listGroups(_ *http.Request, a *args) (reply, *refusal) {
	limit, next, typ := a.number("Limit", 10000), a.number("Next", 0), a.text("GroupType")
	if e := a.bad(); e != nil {
		return nil, e
	}
	if limit == 0 || limit > 10000 {
		return nil, refuse(10004, "Limit must be 1 to 10000")
	}
	if next != 0 && next <= listStart {
		return nil, refuse(10004, "Next is not a cursor that was given out")
	}
	after, total, cursor := uint64(0), 0, uint64(0)
	if next != 0 {
		after = next - listStart
	}
	ids := []reply{}
	for _, g := range t.oldestFirst() {
		if typ != "" && g.typ != typ {
			continue
		}
		total++
		switch {
		case g.ordinal <= after:
		case uint64(len(ids)) < limit:
			ids = append(ids, reply{"GroupId": g.id})
			after = g.ordinal
		default:
			cursor = listStart + after
		}
	}
	return reply{"TotalCount": total, "GroupIdList": ids, "Next": cursor}, nil
}

// joinedGroups follows https://trtc.io/document/34925. Work groups that nobody
// has written in yet are left out, as they are unless they are asked for.
func (t *app) joinedGroups(r *http.Request, a *args) (reply, *refusal) {
	id, limit, offset, typ := a.text("Member_Account"), a.number("Limit", 5000), a.number("Offset", 0), a.text("GroupType")
	if e := a.bad(); e != nil {
		return nil, e
	}
	engine.Note(r, "user", id)
	if limit == 0 || limit > 5000 {
		return nil, refuse(10004, "Limit must be 1 to 5000")
	}
	if t.accounts[id] == nil {
		return nil, refuse(10019, "the account does not exist")
	}
	total, ids := uint64(0), []reply{}
	for _, g := range t.oldestFirst() {
		in := slices.ContainsFunc(g.members, func(m *member) bool { return m.id == id })
		sleeping := (g.typ == "Work" || g.typ == "Private") && len(g.messages) == 0
		if !in || sleeping || g.typ == "AVChatRoom" || (typ != "" && g.typ != typ) {
			continue
		}
		if total >= offset && uint64(len(ids)) < limit {
			ids = append(ids, reply{"GroupId": g.id})
		}
		total++
	}
	return reply{"TotalCount": total, "GroupIdList": ids}, nil
}
