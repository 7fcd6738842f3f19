package chatwebhook

import (
	"encoding/json"
	"errors"
	"net/url"
)

// Kind is what happened, as far as caseroom minds.
type Kind string

// The kinds of callbacks. Everything else is Other.
const (
	Other     Kind = ""
	Created   Kind = "created"
	Joined    Kind = "joined"
	Left      Kind = "left"
	Destroyed Kind = "destroyed"
	Changed   Kind = "changed" // the room's name or introduction, where our mark is
	Owned     Kind = "owned"   // it has a new owner
)

// kinds are the vendor's commands that mean something to a room, all of them after
// the fact.
var kinds = map[string]Kind{
	"Group.CallbackAfterCreateGroup":      Created,
	"Group.CallbackAfterNewMemberJoin":    Joined,
	"Group.CallbackAfterMemberExit":       Left,
	"Group.CallbackAfterGroupDestroyed":   Destroyed,
	"Group.CallbackAfterGroupInfoChanged": Changed,
	"Group.CallbackAfterChangeGroupOwner": Owned,
}

// Callback is what a request says. None of it is proved.
type Callback struct {
	Kind    Kind
	GroupID string
	// Platform is what it was done through, RESTAPI for a call of an admin's.
	Platform string
	// Operator is who did it, "" where the vendor does not say.
	Operator string
}

// ErrBody means that a body is not one JSON object.
var ErrBody = errors.New("chatwebhook: the body is not a callback")

// Decode reads a callback. One whose query and body do not name the same command is
// Other, as is every command that caseroom does not know.
func Decode(query url.Values, body []byte) (Callback, error) {
	var b *struct {
		CallbackCommand string
		GroupID         string `json:"GroupId"`
		Operator        string `json:"Operator_Account"`
	}
	if err := json.Unmarshal(body, &b); err != nil || b == nil {
		return Callback{}, ErrBody
	}
	c := Callback{GroupID: b.GroupID, Platform: query.Get("OptPlatform"), Operator: b.Operator}
	if b.CallbackCommand == query.Get("CallbackCommand") {
		c.Kind = kinds[b.CallbackCommand]
	}
	return c, nil
}

// rest is the platform of a call over the REST API.
const rest = "RESTAPI"

// Echo reports whether a callback tells of what caseroom itself did. Who destroyed a
// group the vendor does not say, so one destroyed over REST counts as ours: the
// daily sweep finds a room that somebody else destroyed.
func (c Callback) Echo(adminUserID string) bool {
	return c.Platform == rest && (c.Operator == adminUserID || c.Kind == Destroyed)
}
