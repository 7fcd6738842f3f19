package tencentim

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

var _ relay.SyncRooms = Rooms{}

// Read returns the rooms as they are, one call for up to 50. A room that does
// not exist is [relay.NoRoom]; one that the answer leaves unclear, or with an
// error of its own, has it in Err.
func (r Rooms) Read(ctx context.Context, desk string, groupIDs ...string) (map[string]relay.Room, error) {
	states, err := r.Client.GetGroupStates(ctx, groupIDs...)
	if err != nil {
		return nil, err
	}
	rooms := make(map[string]relay.Room, len(states))
	for id, g := range states {
		room, err := r.room(ctx, g, desk)
		if err != nil {
			room = relay.Room{Err: err}
		}
		rooms[id] = room
	}
	return rooms, nil
}

func (r Rooms) room(ctx context.Context, g GroupState, desk string) (relay.Room, error) {
	switch {
	case noGroup(g.Err):
		return relay.Room{Whose: relay.NoRoom}, nil
	case g.Err != nil:
		return relay.Room{}, g.Err
	}
	room := relay.Room{
		Name: g.Name, Shut: g.InviteJoinOption == DisableInvite && g.ApplyJoinOption == DisableApply, Muted: g.Muted(),
		Created: g.CreateTime, LastSeq: max(g.NextMsgSeq, 1) - 1,
	}
	var ok bool
	if room.Whose, room.Mark, room.Former, ok = r.judge(g.Group, desk); !ok {
		return relay.Room{}, incomplete("get_group_info")
	}
	switch room.Whose {
	case relay.ForeignRoom, relay.OtherGroup:
		return relay.Room{Whose: room.Whose}, nil
	}
	if g.CreateTime <= 0 || g.NextMsgSeq == 0 {
		// Transcript parts are named after the one and bounded by the other.
		return relay.Room{}, incomplete("get_group_info")
	}
	for _, m := range g.MemberList {
		room.Members = append(room.Members, m.UserID)
	}
	if len(room.Members) < g.MemberNum { // they did not fit the answer
		members, err := r.Client.GetMembers(ctx, g.ID)
		if noGroup(err) {
			return relay.Room{Whose: relay.NoRoom}, nil
		}
		if err != nil {
			return relay.Room{}, err
		}
		room.Members = members
	}
	return room, nil
}

// FitName returns the name that a room gets of a ticket's subject.
func (Rooms) FitName(name, neutral string) string {
	if name = cut(name, maxName); name != "" {
		return name
	}
	return cut(neutral, maxName)
}

// Change sets what the change names in one call, and with it, every time, what
// create_group takes no field for: later joiners see the history. A name that
// the vendor refuses becomes the neutral one.
func (r Rooms) Change(ctx context.Context, groupID string, change relay.RoomChange) error {
	in := GroupChange{
		Name: cut(change.Name, maxName), ApplyJoinOption: DisableApply, InviteJoinOption: DisableInvite, HistoryMsgBeforeJoin: On,
	}
	if change.Mark.Desk != "" {
		in.Introduction = change.Mark.String()
	}
	if change.Mute != nil {
		in.MuteAllMember = Off
		if *change.Mute {
			in.MuteAllMember = On
		}
	}
	err := r.Client.ModifyGroup(ctx, groupID, in)
	if upstream.HasCode(err, codeModerated, codeBadParameter) && in.Name != "" {
		in.Name = cut(change.Neutral, maxName)
		err = r.Client.ModifyGroup(ctx, groupID, in)
	}
	return roomErr(err)
}

// maxRemove is how many members one delete_group_member takes.
const maxRemove = 100

// Remove takes members out of a room.
func (r Rooms) Remove(ctx context.Context, groupID string, userIDs ...string) error {
	for ids := range slices.Chunk(userIDs, maxRemove) {
		err := r.Client.DeleteMembers(ctx, groupID, ids...)
		if noAccount(err) && len(ids) > 1 {
			// One of them no longer exists; the others still have to leave.
			for _, id := range ids {
				if err := r.Leave(ctx, groupID, id); err != nil {
					return err
				}
			}
			continue
		}
		if err != nil && !noAccount(err) {
			return roomErr(err)
		}
	}
	return nil
}

// noticeData is what a notice carries for clients, and for Sync to find it by.
type noticeData struct {
	Caseroom relay.NoticeID `json:"caseroom"`
}

// Say sends a notice in the admin's name. It returns [relay.ErrRefusedText] when
// moderation minds the words.
func (r Rooms) Say(ctx context.Context, groupID string, n relay.Notice) (uint64, error) {
	data, err := json.Marshal(noticeData{n.ID})
	if err != nil {
		return 0, err
	}
	seq, err := r.Client.SendText(ctx, Text{GroupID: groupID, Text: n.Text, Random: n.Random, CustomData: string(data)})
	if moderated(err) {
		return 0, relay.ErrRefusedText
	}
	return seq, roomErr(err)
}

// History returns up to [MaxMessages] messages, newest first, none newer than
// the sequence number from, or the newest ones for 0. Long ones make it fewer.
func (r Rooms) History(ctx context.Context, groupID string, from uint64) ([]relay.Message, error) {
	creds, err := r.Client.secret.Load(ctx)
	if err != nil {
		return nil, err
	}
	page, err := r.Client.GetMessages(ctx, groupID, from)
	if err != nil {
		return nil, roomErr(err)
	}
	list := make([]relay.Message, 0, len(page))
	for _, m := range page {
		out := relay.Message{Seq: m.Seq, From: m.From, Time: time.Unix(m.Time, 0).UTC(), Random: m.Random}
		switch m.Place {
		case 0:
			out.Text = Render(m.Body)
		case 2:
			out.Text = "[message recalled]"
		default:
			out.Text, out.Lost = "[message no longer kept by the chat]", true
		}
		if m.From == creds.AdminUserID {
			var data noticeData
			out.Ours = true
			if json.Unmarshal([]byte(m.CustomData), &data) == nil {
				out.Notice = data.Caseroom
			}
		}
		list = append(list, out)
	}
	return list, nil
}

// roomErr names a room that is gone.
func roomErr(err error) error {
	if noGroup(err) {
		return errors.Join(relay.ErrNoRoom, err)
	}
	return err
}
