package tencentim

import "context"

// Values of a group's fields.
const (
	TypePublic    = "Public"
	DisableApply  = "DisableApply"
	DisableInvite = "DisableInvite"
	On            = "On"
	Off           = "Off"
)

// NewGroup is a group to create. It has no owner: a plan caps the groups that
// one account may own or be in, and an app admin has an owner's rights without
// being a member.
type NewGroup struct {
	GroupID          string `json:"GroupId"` // at most 47 bytes of printable ASCII
	Type             string
	Name             string // at most 30 bytes
	Introduction     string `json:",omitempty"` // at most 240 bytes
	ApplyJoinOption  string `json:",omitempty"`
	InviteJoinOption string `json:",omitempty"`
	// MemberList is joined at once, at most 100.
	MemberList []Member `json:",omitempty"`
}

// Member names an account inside a group's lists.
type Member struct {
	UserID string `json:"Member_Account"`
}

// CreateGroup creates a group under an id of our choice. The id makes it safe
// to repeat: the second try meets 10021 or 10025, which say that the group
// exists and leave it as it is.
// See https://trtc.io/document/34895.
func (c *Client) CreateGroup(ctx context.Context, g NewGroup) error {
	_, err := repeat[nothing](ctx, c, groupService, "create_group", g)
	return err
}
