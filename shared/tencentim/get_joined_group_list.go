package tencentim

import (
	"context"
	"slices"
)

// maxJoined is how many groups one get_joined_group_list returns.
const maxJoined = 5000

// GetJoinedGroups returns the ids of all groups that an account is in, whoever
// made them, page by page. It changes nothing, so it may be repeated. A group
// that the account leaves between two pages may hide another.
//
//	{"Member_Account":"dana","Limit":5000,"Offset":0}
//	{"TotalCount":1,"GroupIdList":[{"GroupId":"ZENDESK#1"}]}
//
// See https://trtc.io/document/34925.
func (c *Client) GetJoinedGroups(ctx context.Context, userID string) ([]string, error) {
	const command = "get_joined_group_list"
	var ids []string
	for {
		in := struct {
			UserID string `json:"Member_Account"`
			Limit  int
			Offset int
		}{userID, maxJoined, len(ids)}
		out, err := repeat[struct {
			TotalCount  int
			GroupIDList []struct {
				GroupID string `json:"GroupId"`
			} `json:"GroupIdList"`
		}](ctx, c, groupService, command, in)
		if noAccount(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, g := range out.GroupIDList {
			if slices.Contains(ids, g.GroupID) {
				return nil, incomplete(command) // a page that was asked for before
			}
			ids = append(ids, g.GroupID)
		}
		switch {
		case len(ids) >= out.TotalCount:
			return ids, nil
		case len(out.GroupIDList) == 0:
			return nil, incomplete(command)
		}
	}
}
