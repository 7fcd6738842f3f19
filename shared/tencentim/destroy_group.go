package tencentim

import "context"

// DestroyGroup dissolves a group and its history for good. A group that is gone
// answers 10010 or 10015 and stays gone, so it may be repeated.
// See https://trtc.io/document/34896.
func (c *Client) DestroyGroup(ctx context.Context, groupID string) error {
	in := struct {
		GroupID string `json:"GroupId"`
	}{groupID}
	_, err := repeat[nothing](ctx, c, groupService, "destroy_group", in)
	return err
}
