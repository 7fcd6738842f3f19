package tencentim

import "context"

// DeleteMembers removes accounts, at most 100, from a group. Removing one that
// is no member succeeds, so it may be repeated.
// See https://trtc.io/document/34949.
func (c *Client) DeleteMembers(ctx context.Context, groupID string, userIDs ...string) error {
	in := struct {
		GroupID string   `json:"GroupId"`
		UserIDs []string `json:"MemberToDel_Account"`
	}{groupID, userIDs}
	_, err := repeat[nothing](ctx, c, groupService, "delete_group_member", in)
	return err
}
