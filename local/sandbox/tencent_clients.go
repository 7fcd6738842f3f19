package sandbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// TencentError is a refusal by the Tencent stand-in of what a chat client did.
type TencentError struct {
	Code int // the vendor's number
	Info string
}

func (e *TencentError) Error() string { return fmt.Sprintf("tencent %d: %s", e.Code, e.Info) }

func clientError(e *imError) error {
	if e == nil {
		return nil
	}
	return &TencentError{e.code, e.info}
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

// CreateGroupAs makes a group as the client SDK does for any logged-in user:
// with an id of their choice, as its owner. It is how a squat comes about.
func (s *Sandbox) CreateGroupAs(owner string, g ClientGroup) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.tencent.login(owner); e != nil {
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
	a, err := parseArgs(b)
	if err != nil {
		return err
	}
	made, e := s.tencent.newGroup(owner, a)
	if e != nil {
		return clientError(e)
	}
	s.tencent.put(made)
	return nil
}

// login does what a client's first login does: it makes the account.
func (t *tencent) login(user string) *imError {
	if t.accounts[user] != nil {
		return nil
	}
	return t.importOne(user, "", "")
}

// SendAs sends a text as the client SDK does for a logged-in member.
func (s *Sandbox) SendAs(user, groupID, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tencent
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
	_, e := t.send(g, outgoing{from: user, random: s.rand.Uint32(), body: body})
	return clientError(e)
}

// JoinAs joins a group as the client SDK does for a logged-in user who asks
// for it; it works only where the group lets anybody in.
func (s *Sandbox) JoinAs(user, groupID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tencent
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
	return nil
}

// QuitAs leaves a group as the client SDK does.
func (s *Sandbox) QuitAs(user, groupID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.tencent.groups[groupID]
	switch {
	case g == nil || g.member(user) == nil:
		return clientError(refuse(10007, "not in the group"))
	case g.owner == user && g.typ != "Work" && g.typ != "Private":
		return clientError(refuse(10009, "the owner cannot leave the group"))
	}
	if g.owner == user {
		g.owner = ""
	}
	s.tencent.part(g, user, false)
	return nil
}

// ClientMessages returns what a member's client shows of a group: without
// HistoryMsgBeforeJoin, nothing from before they joined.
func (s *Sandbox) ClientMessages(user, groupID string) ([]TencentMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.tencent.groups[groupID]
	if g == nil {
		return nil, clientError(refuse(10010, "the group does not exist or has been dismissed"))
	}
	m := g.member(user)
	if m == nil {
		return nil, clientError(refuse(10007, "not in the group"))
	}
	out := []TencentMessage{}
	for _, msg := range g.view().Messages {
		expired := s.now().Sub(msg.Time) > s.tencent.plan.History
		if !expired && (g.history || msg.Seq > m.seq) {
			out = append(out, msg)
		}
	}
	return out, nil
}

// Group returns a group by its id.
func (s *Sandbox) Group(id string) (TencentGroup, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.tencent.groups[id]
	if g == nil {
		return TencentGroup{}, false
	}
	return g.view(), true
}

// Groups returns all groups, oldest first.
func (s *Sandbox) Groups() []TencentGroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tencent.state().Groups
}

// Kicked returns when an account's logins were last invalidated.
func (s *Sandbox) Kicked(user string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.tencent.accounts[user]
	if a == nil || a.kicked.IsZero() {
		return time.Time{}, false
	}
	return a.kicked, true
}

// RotateTencentKey replaces the app's secret key: UserSigs made with the old
// one are refused from now on. The stack's secret is not changed; see
// [Sandbox.SetSecret].
func (s *Sandbox) RotateTencentKey(secretKey string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fix.Tencent.SecretKey = secretKey
}

// SetTencentRate replaces the plan's RatePerSecond.
func (s *Sandbox) SetTencentRate(perSecond int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tencent.plan.RatePerSecond = perSecond
}
