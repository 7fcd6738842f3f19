package tencentim

import (
	"context"
	"net/http"
	"slices"

	"github.com/caseroom/caseroom/shared/upstream"
)

// GroupState is a group with what happens in it: who is there, how far its
// messages have come and whether they may go on.
type GroupState struct {
	Group
	CreateTime    int64  // Unix seconds
	NextMsgSeq    uint64 // the sequence number that the next message gets
	MuteAllMember string // On or Off
	// ShutUpAllMember is the older name of MuteAllMember; an app answers with one.
	ShutUpAllMember string
	MemberNum       int
	MemberList      []Member
}

// Muted reports whether only app admins may speak.
func (g GroupState) Muted() bool { return g.MuteAllMember == On || g.ShutUpAllMember == On }

var stateFields = append(slices.Clone(groupFields), "CreateTime", "NextMsgSeq", "MuteAllMember", "ShutUpAllMember", "MemberNum")

// codeTooLarge refuses an answer of more than 1 MB.
const codeTooLarge = "10018"

// GetGroupStates reads groups with their members, 50 a call, and returns one
// entry for each id. Groups whose members do not fit one answer together are
// read in smaller numbers; the members of one that does not fit alone are left
// out, which MemberNum shows. It changes nothing, so it may be repeated.
// See https://trtc.io/document/34961.
func (c *Client) GetGroupStates(ctx context.Context, groupIDs ...string) (map[string]GroupState, error) {
	states := make(map[string]GroupState, len(groupIDs))
	for ids := range slices.Chunk(groupIDs, maxGroups) {
		if err := c.groupStates(ctx, ids, true, states); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func (c *Client) groupStates(ctx context.Context, ids []string, members bool, into map[string]GroupState) error {
	const command = "get_group_info"
	type filter struct {
		GroupBaseInfoFilter []string
		MemberInfoFilter    []string `json:",omitempty"`
	}
	in := struct {
		GroupIDList    []string `json:"GroupIdList"`
		ResponseFilter filter
	}{ids, filter{GroupBaseInfoFilter: stateFields}}
	if members {
		in.ResponseFilter.MemberInfoFilter = []string{"Role"} // the account itself always comes
	}
	type info struct {
		GroupState
		ErrorCode int
	}
	infos, err := upstream.Retry(ctx, func(ctx context.Context) ([]info, error) {
		out, err := post[struct{ GroupInfo []info }](ctx, c, groupService, command, in)
		if len(out.GroupInfo) > 0 {
			err = nil // see getGroups
		}
		return out.GroupInfo, err
	})
	switch {
	case upstream.HasCode(err, codeTooLarge) && len(ids) > 1:
		half := len(ids) / 2
		if err := c.groupStates(ctx, ids[:half], members, into); err != nil {
			return err
		}
		return c.groupStates(ctx, ids[half:], members, into)
	case upstream.HasCode(err, codeTooLarge) && members:
		return c.groupStates(ctx, ids, false, into)
	case err != nil:
		return err
	}
	for _, g := range infos {
		if g.ErrorCode != 0 {
			g.GroupState = GroupState{Group: Group{
				ID: g.ID, Err: c.failed(command, &upstream.Response{Status: http.StatusOK}, g.ErrorCode),
			}}
		}
		into[g.ID] = g.GroupState
	}
	for _, id := range ids {
		if _, ok := into[id]; !ok {
			return incomplete(command)
		}
	}
	return nil
}
