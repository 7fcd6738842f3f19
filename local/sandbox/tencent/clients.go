package tencent

import (
	"encoding/json"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

func clientError(e *refusal) error {
	if e == nil {
		return nil
	}
	return &engine.Refusal{Vendor: "tencent", Code: e.code, Info: e.info}
}

// ClientGroup is a group as a chat client asks for it. Empty options take the
// vendor's defaults.
type ClientGroup struct {
	GroupID          string
	Type             string
	Name             string
	Introduction     string
	ApplyJoinOption  string
	InviteJoinOption string
	MaxMemberCount   int
}

// App is the IM app from the inside: what chat clients and the app's
// console do, and what the groups hold.
type App struct{ t *app }

// CreateGroupAs makes a group as the client SDK does for any logged-in user:
// with an id of their choice, as its owner. It is how a squat comes about.
func (a App) CreateGroupAs(owner string, g ClientGroup) error {
	t := a.t
	t.Lock()
	defer t.Unlock()
	if e := t.login(owner); e != nil {
		return clientError(e)
	}
	body := map[string]any{"Type": g.Type, "Name": g.Name, "Owner_Account": owner}
	for key, v := range map[string]string{
		"GroupId": g.GroupID, "Introduction": g.Introduction,
		"ApplyJoinOption": g.ApplyJoinOption, "InviteJoinOption": g.InviteJoinOption,
	} {
		if v != "" {
			body[key] = v
		}
	}
	if g.MaxMemberCount != 0 {
		body["MaxMemberCount"] = g.MaxMemberCount
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	in, err := parseArgs(b)
	if err != nil {
		return err
	}
	made, e := t.newGroup(owner, in)
	if e != nil {
		return clientError(e)
	}
	if e := t.askCreate(clientActor(owner), made, owner); e != nil {
		return clientError(e)
	}
	if made, e = t.newGroup(owner, in); e != nil {
		return clientError(e)
	}
	t.put(made)
	t.tellCreated(clientActor(owner), made)
	return nil
}

// login does what a client's first login does: it makes the account.
func (t *app) login(user string) *refusal {
	if t.accounts[user] != nil {
		return nil
	}
	return t.importOne(user, "", "")
}

// SendAs sends a text as the client SDK does for a logged-in member.
func (a App) SendAs(user, groupID, text string) error {
	t := a.t
	t.Lock()
	defer t.Unlock()
	if e := t.login(user); e != nil {
		return clientError(e)
	}
	g := t.groups[groupID]
	if g == nil {
		return clientError(refuse(10010, "the group does not exist or has been dismissed"))
	}
	if g.member(user) == nil {
		return clientError(refuse(10007, "the sender is not in the group"))
	}
	if e := t.moderate("the message", text); e != nil {
		return clientError(e)
	}
	body, err := json.Marshal([]any{map[string]any{
		"MsgType": "TIMTextElem", "MsgContent": map[string]string{"Text": text},
	}})
	if err != nil {
		return err
	}
	_, e := t.send(g, outgoing{by: clientActor(user), from: user, random: t.Rand().Uint32(), body: body})
	return clientError(e)
}

// JoinAs joins a group as the client SDK does for a logged-in user who asks
// for it; it works only where the group lets anybody in.
func (a App) JoinAs(user, groupID string) error {
	t := a.t
	t.Lock()
	defer t.Unlock()
	if e := t.login(user); e != nil {
		return clientError(e)
	}
	g := t.groups[groupID]
	switch {
	case g == nil:
		return clientError(refuse(10010, "the group does not exist or has been dismissed"))
	case g.member(user) != nil:
		return clientError(refuse(10013, "already a member"))
	case g.typ == "Work" || g.typ == "Private" || g.applyJoin != "FreeAccess":
		return clientError(refuse(10007, "nobody may join the group by asking"))
	case len(g.members) >= g.maxMembers:
		return clientError(refuse(10014, "the group is full"))
	}
	if e := t.mayJoin(user); e != nil {
		return clientError(e)
	}
	t.join(g, user, "Member", false)
	t.tellNewMembers(clientActor(user), g, "Apply", user)
	return nil
}

// QuitAs leaves a group as the client SDK does.
func (a App) QuitAs(user, groupID string) error {
	t := a.t
	t.Lock()
	defer t.Unlock()
	g := t.groups[groupID]
	switch {
	case g == nil || g.member(user) == nil:
		return clientError(refuse(10007, "not in the group"))
	case g.owner == user && g.typ != "Work" && g.typ != "Private":
		return clientError(refuse(10009, "the owner cannot leave the group"))
	}
	if g.owner == user {
		g.owner = ""
	}
	t.part(g, user, false)
	t.tellExits(clientActor(user), g, "Quit", user)
	return nil
}

// SetIntroduction edits a group as the app's console does.
func (a App) SetIntroduction(groupID, text string) error {
	return a.edit(groupID, func(g *group) *refusal {
		g.introduction = text
		return nil
	})
}

// SetOwner gives a group an owner as the app's console does. One who is not a
// member becomes one.
func (a App) SetOwner(groupID, user string) error {
	return a.edit(groupID, func(g *group) *refusal {
		if g.member(user) == nil {
			if e := a.t.mayJoin(user); e != nil {
				return e
			}
			a.t.join(g, user, "Member", false)
		}
		if old := g.member(g.owner); old != nil {
			old.role = "Member"
		}
		g.member(user).role, g.owner = "Owner", user
		return nil
	})
}

func (a App) edit(groupID string, change func(*group) *refusal) error {
	t := a.t
	t.Lock()
	defer t.Unlock()
	g := t.groups[groupID]
	if g == nil {
		return clientError(refuse(10010, "the group does not exist or has been dismissed"))
	}
	return clientError(change(g))
}

// ClientMessages returns what a member's client shows of a group: without
// HistoryMsgBeforeJoin, nothing from before they joined.
func (a App) ClientMessages(user, groupID string) ([]Message, error) {
	t := a.t
	t.Lock()
	defer t.Unlock()
	g := t.groups[groupID]
	if g == nil {
		return nil, clientError(refuse(10010, "the group does not exist or has been dismissed"))
	}
	m := g.member(user)
	if m == nil {
		return nil, clientError(refuse(10007, "not in the group"))
	}
	out := []Message{}
	for _, msg := range g.view().Messages {
		expired := t.Now().Sub(msg.Time) > t.plan.History
		if !expired && (g.history || msg.Seq > m.seq) {
			out = append(out, msg)
		}
	}
	return out, nil
}

// Group returns a group by its id.
func (a App) Group(id string) (Group, bool) {
	t := a.t
	t.Lock()
	defer t.Unlock()
	g := t.groups[id]
	if g == nil {
		return Group{}, false
	}
	return g.view(), true
}

// Groups returns all groups, oldest first.
func (a App) Groups() []Group {
	t := a.t
	t.Lock()
	defer t.Unlock()
	return a.State().Groups
}

// Kicked returns when an account's logins were last invalidated.
func (a App) Kicked(user string) (time.Time, bool) {
	t := a.t
	t.Lock()
	defer t.Unlock()
	acc := t.accounts[user]
	if acc == nil || acc.kicked.IsZero() {
		return time.Time{}, false
	}
	return acc.kicked, true
}

// RotateKey replaces the app's secret key: UserSigs made with the old
// one are refused from now on. The stack's secret is not changed; see
// the secret store.
func (a App) RotateKey(secretKey string) {
	t := a.t
	t.Lock()
	defer t.Unlock()
	t.fix.SecretKey = secretKey
}

// SetRate replaces the plan's RatePerSecond.
func (a App) SetRate(perSecond int) {
	t := a.t
	t.Lock()
	defer t.Unlock()
	t.plan.RatePerSecond = perSecond
}
