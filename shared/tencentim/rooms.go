package tencentim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Rooms makes rooms of groups: it implements [relay.Rooms].
type Rooms struct {
	Client *Client
	// Former are the hashes of hosts that desks once had ([relay.DeskHash]), whose
	// marks are ours too.
	Former []string
}

var _ relay.Rooms = Rooms{}

const (
	maxName = 30  // bytes; the vendor's limit
	maxNick = 100 // bytes; ours: the vendor states none, and every chat line shows it
)

// Import makes accounts known to the chat. A name that moderation refuses costs
// the nickname, not the account.
func (r Rooms) Import(ctx context.Context, accounts ...relay.Account) error {
	list := make([]Account, len(accounts))
	for i, a := range accounts {
		list[i] = Account{UserID: a.UserID, Nick: cut(a.Nick, maxNick)}
	}
	for chunk := range slices.Chunk(list, MaxImport) {
		if err := r.importChunk(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (r Rooms) importChunk(ctx context.Context, accounts []Account) error {
	if len(accounts) > 1 {
		failed, err := r.Client.ImportAccounts(ctx, accounts)
		if err != nil && !moderated(err) {
			return err
		}
		if err == nil {
			accounts = slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool {
				return !slices.Contains(failed, a.UserID)
			})
		}
	}
	// One account, or the few of many that failed: only the single call says why.
	for _, a := range accounts {
		err := r.Client.ImportAccount(ctx, a)
		if moderated(err) && a.Nick != "" {
			err = r.Client.ImportAccount(ctx, Account{UserID: a.UserID})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ensureTries bounds how often Ensure starts over because the group changed
// between two of its calls or the customer's account had to be imported.
const ensureTries = 4

// Ensure makes the room: one call when nothing is in the way.
//
// Ticket ids are guessable and any client may create a group with an id of its
// choice, so a group that exists counts only when it is ours; see [judge]. Two
// Ensures of one ticket may meet: the later one finds the earlier one's room.
//
// The room's history is not yet visible to later joiners then: create_group
// documents no HistoryMsgBeforeJoin, an undocumented field may cost the whole
// call, and a second call would make createticket three deep. Setting it with
// [Client.ModifyGroup] is Sync's, which the ticket's hint starts at once.
func (r Rooms) Ensure(ctx context.Context, room relay.NewRoom) (relay.Whose, error) {
	if room.Mark.Desk == "" {
		return relay.NoRoom, errors.New("tencentim: a room without a mark could not be told from others' groups")
	}
	imported := false
	for range ensureTries {
		err := r.create(ctx, room)
		if noAccount(err) && !imported {
			imported = true
			if err := r.Import(ctx, relay.Account{UserID: room.Customer}); err != nil {
				return relay.NoRoom, err
			}
			continue
		}
		if err == nil {
			return relay.OurRoom, nil
		}
		if !groupExists(err) {
			return relay.NoRoom, err
		}
		if whose, err := r.adopt(ctx, room); whose != relay.NoRoom || err != nil {
			return whose, err
		}
	}
	return relay.NoRoom, &upstream.Error{
		Vendor: vendor, Op: "create_group", Class: upstream.Unavailable,
		Err: errors.New("the group is made and destroyed by others meanwhile"),
	}
}

// create creates the room's group, under its neutral name if the vendor refuses
// the other for its words or its bytes.
func (r Rooms) create(ctx context.Context, room relay.NewRoom) error {
	neutral := cut(room.Neutral, maxName)
	g := NewGroup{
		GroupID: room.GroupID, Type: TypePublic, Name: cut(room.Name, maxName), Introduction: room.Mark.String(),
		ApplyJoinOption: DisableApply, InviteJoinOption: DisableInvite,
		MemberList: []Member{{room.Customer}},
	}
	if g.Name == "" {
		g.Name = neutral
	}
	err := r.Client.CreateGroup(ctx, g)
	if upstream.HasCode(err, codeModerated, codeBadParameter) && g.Name != neutral {
		g.Name = neutral
		err = r.Client.CreateGroup(ctx, g)
	}
	return err
}

// adopt says whose group has the room's id already, and puts the customer into it
// if it is ours. NoRoom without an error: the id is free again.
func (r Rooms) adopt(ctx context.Context, room relay.NewRoom) (relay.Whose, error) {
	rooms, err := r.Read(ctx, room.Mark.Desk, room.GroupID)
	if err != nil {
		return relay.NoRoom, err
	}
	found := rooms[room.GroupID]
	switch {
	case found.Err != nil:
		return relay.NoRoom, found.Err
	case found.Whose == relay.DamagedRoom && !slices.Contains(found.Members, room.Customer):
		return relay.NoRoom, relay.ErrUnclaimed
	case found.Whose != relay.OurRoom:
		return found.Whose, nil
	}
	_, err = r.Join(ctx, room.GroupID, relay.Account{UserID: room.Customer})
	if errors.Is(err, relay.ErrNoRoom) {
		return relay.NoRoom, nil // destroyed since
	}
	return relay.OurRoom, err
}

// judge says whose group it is. Ours is Public and has no owner: no client leaves
// such a group behind, for whoever makes one owns it and cannot quit it. With our
// mark and our desk, or a former host's, it is a room; with another desk's it is
// another stack's on the same app; and without a mark that can be read, one of the
// two. Everything else is a squat. The join options and the name are not looked at:
// Sync repairs them. ok is false where the answer leaves out what decides.
//
// See https://trtc.io/document/34895 and the codes 10009, 10021 and 10025.
func (r Rooms) judge(g Group, desk string) (whose relay.Whose, mark relay.Mark, former, ok bool) {
	switch {
	case g.Type == "" && g.Owner == "":
		return relay.NoRoom, mark, false, false
	case g.Type != "" && g.Type != TypePublic:
		return relay.OtherGroup, mark, false, true
	case g.Owner != "":
		return relay.SquattedRoom, mark, false, true
	case !g.Introduction.Known:
		return relay.NoRoom, mark, false, false
	}
	mark, err := relay.ParseMark(g.Introduction.Text)
	switch {
	case err != nil:
		return relay.DamagedRoom, relay.Mark{}, false, true
	case mark.Desk == desk:
		return relay.OurRoom, mark, false, true
	case slices.Contains(r.Former, mark.Desk):
		mark.Desk = desk
		return relay.OurRoom, mark, true, true
	default:
		return relay.ForeignRoom, relay.Mark{}, false, true
	}
}

// Join adds a member. The error wraps [relay.ErrNotJoined] and names the
// result when the vendor accepts the call and refuses the member.
func (r Rooms) Join(ctx context.Context, groupID string, account relay.Account) (relay.MemberResult, error) {
	result := relay.MemberResult{UserID: account.UserID}
	results, err := r.Client.AddMembers(ctx, groupID, account.UserID)
	if noAccount(err) {
		if err := r.Import(ctx, account); err != nil {
			return result, err
		}
		results, err = r.Client.AddMembers(ctx, groupID, account.UserID)
	}
	switch {
	case noGroup(err):
		return result, relay.ErrNoRoom
	case upstream.HasCode(err, codeAlreadyMember):
		result.Result = WasMember
		return result, nil
	case err != nil:
		return result, err
	}
	result.Result = results[account.UserID]
	if result.Result != Added && result.Result != WasMember {
		return result, fmt.Errorf("%w: result %d", relay.ErrNotJoined, result.Result)
	}
	return result, nil
}

// Leave removes a member. An account that does not exist is in no room.
func (r Rooms) Leave(ctx context.Context, groupID, userID string) error {
	err := r.Client.DeleteMembers(ctx, groupID, userID)
	switch {
	case noGroup(err):
		return relay.ErrNoRoom
	case noAccount(err):
		return nil
	default:
		return err
	}
}

// Destroy dissolves the room.
func (r Rooms) Destroy(ctx context.Context, groupID string) error {
	if err := r.Client.DestroyGroup(ctx, groupID); err != nil && !noGroup(err) {
		return err
	}
	return nil
}

// cut drops control characters and invalid UTF-8 and returns at most limit
// bytes of the rest, ending between two characters.
func cut(s string, limit int) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, ""))
	s = strings.TrimSpace(s)
	if len(s) > limit {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = strings.TrimSpace(s[:limit])
	}
	return s
}
