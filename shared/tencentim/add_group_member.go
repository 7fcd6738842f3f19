package tencentim

import "context"

// What became of a member of an [Client.AddMembers]. Anything but Added and
// WasMember has not joined.
const (
	NotAdded  = 0
	Added     = 1
	WasMember = 2
	Invited   = 3 // waits for the invitee's consent
	OverLimit = 4 // the account is in too many groups
)

// AddMembers adds accounts, at most 300, and returns each one's result by user
// id: the vendor may refuse a member of a call that it answers with OK. Adding
// a member again changes nothing, so it may be repeated.
// See https://trtc.io/document/34921.
func (c *Client) AddMembers(ctx context.Context, groupID string, userIDs ...string) (map[string]int, error) {
	in := struct {
		GroupID    string `json:"GroupId"`
		MemberList []Member
	}{GroupID: groupID}
	for _, id := range userIDs {
		in.MemberList = append(in.MemberList, Member{id})
	}
	out, err := repeat[struct {
		MemberList []struct {
			Member
			Result *int
		}
	}](ctx, c, groupService, "add_group_member", in)
	if err != nil {
		return nil, err
	}
	results := make(map[string]int, len(userIDs))
	for _, m := range out.MemberList {
		if m.Result != nil {
			results[m.UserID] = *m.Result
		}
	}
	for _, id := range userIDs {
		if _, ok := results[id]; !ok {
			return nil, incomplete("add_group_member")
		}
	}
	return results, nil
}
