package tencentim

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Group is what caseroom reads of a group.
type Group struct {
	ID               string `json:"GroupId"`
	Type             string
	Name             string
	Introduction     Introduction
	Owner            string `json:"Owner_Account"` // "" if there is none
	ApplyJoinOption  string
	InviteJoinOption string // "" where the vendor leaves it out
	// Err is why this group could not be read: 10010 or 10015 for one that does
	// not exist. The other fields are empty then.
	Err error `json:"-"`
}

// Introduction is a group's, and whether the answer has one at all.
type Introduction struct {
	Text  string
	Known bool
}

// UnmarshalJSON reads a string; null is no answer.
func (i *Introduction) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	i.Known = true
	return json.Unmarshal(b, &i.Text)
}

var groupFields = []string{"Type", "Name", "Introduction", "Owner_Account", "ApplyJoinOption", "InviteJoinOption"}

// maxGroups is how many groups one get_group_info takes.
const maxGroups = 50

// GetGroups reads groups by id, 50 a call, and returns one entry for each id.
// It changes nothing, so it may be repeated.
// See https://trtc.io/document/34961.
func (c *Client) GetGroups(ctx context.Context, groupIDs ...string) (map[string]Group, error) {
	groups := make(map[string]Group, len(groupIDs))
	for ids := range slices.Chunk(groupIDs, maxGroups) {
		if err := c.getGroups(ctx, ids, groups); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

type groupInfo struct {
	Group
	ErrorCode int
}

func (c *Client) getGroups(ctx context.Context, ids []string, into map[string]Group) error {
	const command = "get_group_info"
	type filter struct{ GroupBaseInfoFilter []string }
	in := struct {
		GroupIDList    []string `json:"GroupIdList"`
		ResponseFilter filter
	}{ids, filter{groupFields}}
	infos, err := upstream.Retry(ctx, func(ctx context.Context) ([]groupInfo, error) {
		out, err := post[struct{ GroupInfo []groupInfo }](ctx, c, groupService, command, in)
		// The envelope's ErrorCode means nothing here once groups are in the
		// answer: each has its own.
		if len(out.GroupInfo) > 0 {
			err = nil
		}
		return out.GroupInfo, err
	})
	if err != nil {
		return err
	}
	for _, g := range infos {
		if g.ErrorCode != 0 {
			g.Group = Group{ID: g.ID, Err: c.failed(command, &upstream.Response{Status: http.StatusOK}, g.ErrorCode)}
		}
		into[g.ID] = g.Group
	}
	for _, id := range ids {
		if _, ok := into[id]; !ok {
			return incomplete(command)
		}
	}
	return nil
}
