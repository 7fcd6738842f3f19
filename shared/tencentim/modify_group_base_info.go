package tencentim

import "context"

// GroupChange names the fields of a group to set; empty ones stay as they are.
type GroupChange struct {
	Name                 string `json:",omitempty"` // at most 30 bytes
	Introduction         string `json:",omitempty"` // at most 240 bytes
	ApplyJoinOption      string `json:",omitempty"`
	InviteJoinOption     string `json:",omitempty"`
	MuteAllMember        string `json:",omitempty"` // On: only app admins may speak in a group without owner
	HistoryMsgBeforeJoin string `json:",omitempty"` // On: later joiners see what was said before
}

// ModifyGroup sets fields of a group, all in one call. It sets values and adds
// nothing, so it may be repeated.
// See https://trtc.io/document/34962.
func (c *Client) ModifyGroup(ctx context.Context, groupID string, change GroupChange) error {
	in := struct {
		GroupID string `json:"GroupId"`
		GroupChange
	}{groupID, change}
	_, err := repeat[nothing](ctx, c, groupService, "modify_group_base_info", in)
	return err
}
