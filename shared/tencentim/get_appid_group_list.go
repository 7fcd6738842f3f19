package tencentim

import (
	"context"
	"errors"
	"strconv"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

var _ relay.SweepRooms = Rooms{}

// ListGroups reads one page of the ids of all groups of a type that the app has,
// whoever made them. next is 0 for the first page and after the last. The
// vendor allows one such call a second.
//
//	{"Limit":500,"Next":0,"GroupType":"Public"}
//	{"TotalCount":2,"GroupIdList":[{"GroupId":"ZENDESK#1"}],"Next":9223372036854775808}
//
// See https://trtc.io/document/34960.
func (c *Client) ListGroups(ctx context.Context, groupType string, limit int, next uint64) (ids []string, after uint64, err error) {
	const command = "get_appid_group_list"
	in := struct {
		Limit     int
		Next      uint64
		GroupType string `json:",omitempty"`
	}{limit, next, groupType}
	out, err := post[struct {
		GroupIDList *[]struct {
			GroupID string `json:"GroupId"`
		} `json:"GroupIdList"`
		Next *uint64
	}](ctx, c, groupService, command, in)
	if err != nil {
		return nil, 0, err
	}
	// A page without its cursor may be any page but the last.
	if out.GroupIDList == nil || out.Next == nil || (*out.Next != 0 && *out.Next == next) {
		return nil, 0, incomplete(command)
	}
	for _, g := range *out.GroupIDList {
		ids = append(ids, g.GroupID)
	}
	return ids, *out.Next, nil
}

// CountGroups returns how many groups of a type the app has, whoever made them.
func (c *Client) CountGroups(ctx context.Context, groupType string) (int, error) {
	const command = "get_appid_group_list"
	out, err := repeat[struct{ TotalCount *int }](ctx, c, groupService, command, map[string]any{"Limit": 1, "GroupType": groupType})
	if err == nil && out.TotalCount == nil {
		err = incomplete(command)
	}
	if err != nil {
		return 0, err
	}
	return *out.TotalCount, nil
}

// List returns one page of the ids of the app's Public groups, which all rooms
// are. A group of another type under a ticket's id shows from the ticket's side.
func (r Rooms) List(ctx context.Context, cursor string, limit int) ([]string, string, error) {
	var next uint64
	if cursor != "" {
		var err error
		if next, err = strconv.ParseUint(cursor, 10, 64); err != nil || next == 0 {
			return nil, "", relay.ErrCursor
		}
	}
	ids, after, err := r.Client.ListGroups(ctx, TypePublic, limit, next)
	if next != 0 && upstream.HasCode(err, codeBadParameter) {
		err = errors.Join(relay.ErrCursor, err)
	}
	if err != nil || after == 0 {
		return ids, "", err
	}
	return ids, strconv.FormatUint(after, 10), nil
}
