package tencentim

import "context"

// maxMemberPage is how many members one get_group_member_info answers.
const maxMemberPage = 6000

// GetMembers returns a group's members, page by page. It changes nothing, so it
// may be repeated.
// See https://trtc.io/document/34948.
func (c *Client) GetMembers(ctx context.Context, groupID string) ([]string, error) {
	var ids []string
	for {
		in := struct {
			GroupID          string `json:"GroupId"`
			Limit            int
			Offset           int
			MemberInfoFilter []string
		}{groupID, maxMemberPage, len(ids), []string{"Role"}}
		out, err := repeat[struct {
			MemberNum  int
			MemberList []Member
		}](ctx, c, groupService, "get_group_member_info", in)
		if err != nil {
			return nil, err
		}
		for _, m := range out.MemberList {
			ids = append(ids, m.UserID)
		}
		if len(out.MemberList) < maxMemberPage || len(ids) >= out.MemberNum {
			return ids, nil
		}
	}
}
