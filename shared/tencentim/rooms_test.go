package tencentim_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream"
)

const roomID = "ZENDESK#124"

var (
	ourMark     = relay.Mark{Desk: relay.DeskHash("acme.zendesk.com")}
	foreignMark = relay.Mark{Desk: relay.DeskHash("other.zendesk.com")}
)

func newRoom() relay.NewRoom {
	return relay.NewRoom{GroupID: roomID, Name: "My printer is on fire", Neutral: "Ticket 124", Mark: ourMark, Customer: "alice"}
}

func (s *im) rooms(set ...func(*tencentim.Options)) tencentim.Rooms {
	return tencentim.Rooms{Client: s.client(set...)}
}

// put places a group that looks like ours, changed by change.
func (s *im) put(change func(*group), members ...string) {
	g := &group{
		NewGroup: tencentim.NewGroup{
			GroupID: roomID, Type: "Public", Name: "Old", Introduction: ourMark.String(),
			ApplyJoinOption: "DisableApply", InviteJoinOption: "DisableInvite",
		},
		Changes: map[string]string{},
	}
	for _, m := range members {
		g.MemberList = append(g.MemberList, tencentim.Member{UserID: m})
	}
	if change != nil {
		change(g)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[roomID] = g
}

func (s *im) wantRoom(name string, members ...string) {
	s.t.Helper()
	g := s.group(roomID)
	if g == nil {
		s.t.Error("no room")
		return
	}
	mark, err := relay.ParseMark(g.Introduction)
	if g.Type != "Public" || g.ApplyJoinOption != "DisableApply" || g.InviteJoinOption != "DisableInvite" || g.Owner != "" ||
		err != nil || mark.Desk != ourMark.Desk || g.Name != name {
		s.t.Errorf("room = %+v", g)
	}
	var got []string
	for _, m := range g.MemberList {
		got = append(got, m.UserID)
	}
	if !slices.Equal(got, members) {
		s.t.Errorf("members = %v, want %v", got, members)
	}
}

func TestEnsureIsOneCall(t *testing.T) {
	t.Parallel()
	s := newIM(t, "alice")
	whose, err := s.rooms().Ensure(t.Context(), newRoom())
	if err != nil || whose != relay.OurRoom {
		t.Fatalf("%v, %v", whose, err)
	}
	s.wantCommands("create_group")
	s.wantRoom("My printer is on fire", "alice")
	const want = `{"GroupId":"ZENDESK#124","Type":"Public","Name":"My printer is on fire","Introduction":"` // no Owner_Account
	if body := s.seen()[0].body; !strings.HasPrefix(body, want) || strings.Contains(body, "Owner") {
		t.Errorf("body = %s", body)
	}
}

func TestEnsureNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		name, want string
		calls      int
	}{
		"fits":              {strings.Repeat("a", 30), strings.Repeat("a", 30), 1},
		"too long":          {strings.Repeat("a", 31), strings.Repeat("a", 30), 1},
		"cut inside a rune": {strings.Repeat("a", 29) + "éb", strings.Repeat("a", 29), 1},
		"wide runes":        {strings.Repeat("漢", 11), strings.Repeat("漢", 10), 1},
		"controls":          {"a\x00b\nc\u0085d\x7f", "abcd", 1},
		"invalid UTF-8":     {"a\xff\xfeb", "ab", 1},
		"blank at the cut":  {strings.Repeat("a", 29) + " bcd", strings.Repeat("a", 29), 1},
		"nothing left":      {"\n\t ", "Ticket 124", 1},
		"empty":             {"", "Ticket 124", 1},
		"moderated":         {"forbidden words", "Ticket 124", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIM(t, "alice")
			room := newRoom()
			room.Name = tt.name
			if _, err := s.rooms().Ensure(t.Context(), room); err != nil {
				t.Fatal(err)
			}
			s.wantRoom(tt.want, "alice")
			if len(s.seen()) != tt.calls {
				t.Errorf("calls = %v", s.seen())
			}
		})
	}
}

func TestEnsureNameRefusedTwice(t *testing.T) {
	t.Parallel()
	for _, n := range []int{80001, 10004} {
		s := newIM(t, "alice")
		s.fail("create_group", code(n), code(n))
		whose, err := s.rooms().Ensure(t.Context(), newRoom())
		if whose != relay.NoRoom || !upstream.HasCode(err, strconv.Itoa(n)) || upstream.ClassOf(err) != upstream.Refused {
			t.Errorf("%d: %v, %v", n, whose, err)
		}
		s.wantCommands("create_group", "create_group")

		// A bad parameter other than the name falls back once as well.
		s = newIM(t, "alice")
		s.fail("create_group", code(n))
		if _, err := s.rooms().Ensure(t.Context(), newRoom()); err != nil {
			t.Errorf("%d: %v", n, err)
		}
		s.wantRoom("Ticket 124", "alice")

		// A name that is neutral already is not sent again.
		s = newIM(t, "alice")
		s.fail("create_group", code(n))
		room := newRoom()
		room.Name = room.Neutral
		if _, err := s.rooms().Ensure(t.Context(), room); !upstream.HasCode(err, strconv.Itoa(n)) {
			t.Errorf("%d: %v", n, err)
		}
		s.wantCommands("create_group")
	}
}

func TestEnsureImportsTheCustomer(t *testing.T) {
	t.Parallel()
	s := newIM(t)
	if _, err := s.rooms().Ensure(t.Context(), newRoom()); err != nil {
		t.Fatal(err)
	}
	s.wantCommands("create_group", "account_import", "create_group")
	s.wantRoom("My printer is on fire", "alice")
	if body := s.seen()[1].body; body != `{"UserID":"alice"}` { // a nickname there may be stays
		t.Errorf("import = %s", body)
	}

	s = newIM(t)
	s.fail("create_group", code(10019), code(10019))
	_, err := s.rooms().Ensure(t.Context(), newRoom())
	if !upstream.HasCode(err, "10019") {
		t.Errorf("err = %v", err)
	}
	s.wantCommands("create_group", "account_import", "create_group")

	s = newIM(t)
	s.fail("account_import", code(70398))
	_, err = s.rooms().Ensure(t.Context(), newRoom())
	if e := (*upstream.Error)(nil); !errors.As(err, &e) || !e.Quota || e.Code != "70398" {
		t.Errorf("err = %v", err)
	}
	s.wantCommands("create_group", "account_import")
}

func TestEnsureFindsOurRoom(t *testing.T) {
	t.Parallel()
	synced := ourMark
	synced.Announced, synced.Filed, synced.Locked = 7, 99, time.Unix(1700000000, 0)
	for name, tt := range map[string]struct {
		change  func(*group)
		members []string
		code    int
	}{
		"as made":                {nil, []string{"alice"}, 10021},
		"customer left":          {nil, nil, 10021},
		"with an agent":          {nil, []string{"zd_1", "alice"}, 10021},
		"synced since":           {func(g *group) { g.Introduction = synced.String() }, nil, 10021},
		"the admin's own answer": {nil, []string{"alice"}, 10025},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIM(t, "alice", "zd_1")
			s.put(tt.change, tt.members...)
			s.fail("create_group", code(tt.code))
			whose, err := s.rooms().Ensure(t.Context(), newRoom())
			if err != nil || whose != relay.OurRoom {
				t.Fatalf("%v, %v", whose, err)
			}
			s.wantCommands("create_group", "get_group_info", "add_group_member")
			members := tt.members
			if !slices.Contains(members, "alice") {
				members = append(slices.Clone(members), "alice")
			}
			s.wantRoom("Old", members...)
		})
	}
}

// Sync repairs these; Ensure must not take them for a squat.
func TestEnsureKeepsARoomToRepair(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*group){
		"invite option": func(g *group) { g.InviteJoinOption = "FreeAccess" },
		"join option":   func(g *group) { g.ApplyJoinOption = "FreeAccess" },
		"name":          func(g *group) { g.Name = "renamed" },
	} {
		s := newIM(t, "alice")
		s.put(change, "alice")
		if whose, err := s.rooms().Ensure(t.Context(), newRoom()); err != nil || whose != relay.OurRoom {
			t.Errorf("%s: %v, %v", name, whose, err)
		}
		s.wantCommands("create_group", "get_group_info", "add_group_member")
	}
}

func TestEnsureForeignRoom(t *testing.T) {
	t.Parallel()
	s := newIM(t, "alice", "bob")
	s.put(func(g *group) { g.Introduction = foreignMark.String() }, "bob")
	whose, err := s.rooms().Ensure(t.Context(), newRoom())
	if err != nil || whose != relay.ForeignRoom {
		t.Errorf("%v, %v", whose, err)
	}
	s.wantCommands("create_group", "get_group_info")
	if g := s.group(roomID); g == nil || g.has("alice") {
		t.Errorf("room = %+v", g)
	}
}

// Ensure says whose group has the id, and destroys nothing.
func TestEnsureSaysWhose(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*group)
		whose  relay.Whose
	}{
		"owned":                 {func(g *group) { g.Owner = "mallory" }, relay.SquattedRoom},
		"owned, our mark":       {func(g *group) { g.Owner, g.Introduction = "mallory", ourMark.String() }, relay.SquattedRoom},
		"owned, foreign mark":   {func(g *group) { g.Owner, g.Introduction = "mallory", foreignMark.String() }, relay.SquattedRoom},
		"made by the tutorials": {func(g *group) { g.Owner, g.ApplyJoinOption, g.Introduction = "alice", "FreeAccess", "" }, relay.SquattedRoom},
		"another type":          {func(g *group) { g.Type = "Work" }, relay.OtherGroup},
		"a livestream":          {func(g *group) { g.Type, g.ApplyJoinOption = "AVChatRoom", "" }, relay.OtherGroup},
		"open, foreign mark":    {func(g *group) { g.ApplyJoinOption, g.Introduction = "NeedPermission", foreignMark.String() }, relay.ForeignRoom},
		"no mark":               {func(g *group) { g.Introduction = "" }, relay.DamagedRoom},
		"another mark":          {func(g *group) { g.Introduction = "cr2;" + ourMark.Desk + ";n0" }, relay.DamagedRoom},
		"our mark and more":     {func(g *group) { g.Introduction = ourMark.String() + " " }, relay.DamagedRoom},
		"edited in the console": {func(g *group) { g.Introduction = "Support chat" }, relay.DamagedRoom},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIM(t, "alice", "mallory")
			s.put(tt.change, "mallory", "alice")
			whose, err := s.rooms().Ensure(t.Context(), newRoom())
			if err != nil || whose != tt.whose {
				t.Fatalf("%v, %v", whose, err)
			}
			s.wantCommands("create_group", "get_group_info")
			if tt.whose != relay.DamagedRoom {
				return
			}
			// Without the customer nothing tells it from another stack's.
			s.put(tt.change, "mallory")
			if whose, err := s.rooms().Ensure(t.Context(), newRoom()); !errors.Is(err, relay.ErrUnclaimed) {
				t.Errorf("%v, %v", whose, err)
			}
		})
	}
}

// A mark with a former host is ours, and is read as one of the present host.
func TestFormerHosts(t *testing.T) {
	t.Parallel()
	s := newIM(t, "alice")
	s.put(func(g *group) { g.Introduction = foreignMark.String() })
	rooms := s.rooms()
	rooms.Former = []string{foreignMark.Desk}
	if whose, err := rooms.Ensure(t.Context(), newRoom()); err != nil || whose != relay.OurRoom {
		t.Errorf("%v, %v", whose, err)
	}
	read, err := rooms.Read(t.Context(), ourMark.Desk, roomID)
	if r := read[roomID]; err != nil || !r.Former || r.Mark.Desk != ourMark.Desk {
		t.Errorf("%+v, %v", r, err)
	}
	if read, err := s.rooms().Read(t.Context(), ourMark.Desk, roomID); err != nil || read[roomID].Whose != relay.ForeignRoom {
		t.Errorf("%+v, %v", read[roomID], err)
	}
}

// A destroyed room cannot be had back, so an answer that does not show a
// group's shape proves no squat.
func TestEnsureDestroysNothingUnseen(t *testing.T) {
	t.Parallel()
	for name, info := range map[string]string{
		"no fields":          `{"GroupId":"` + roomID + `","ErrorCode":0}`,
		"no type":            `{"GroupId":"` + roomID + `","ErrorCode":0,"ApplyJoinOption":"DisableApply","Introduction":"x"}`,
		"no introduction":    `{"GroupId":"` + roomID + `","ErrorCode":0,"Type":"Public","ApplyJoinOption":"DisableApply"}`,
		"nothing about it":   ``,
		"its own error code": `{"GroupId":"` + roomID + `","ErrorCode":10007}`,
	} {
		s := newIM(t, "alice")
		s.put(nil, "alice")
		s.fail("get_group_info", body(`{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[`+info+`]}`))
		whose, err := s.rooms().Ensure(t.Context(), newRoom())
		if err == nil || whose != relay.NoRoom {
			t.Errorf("%s: %v, %v", name, whose, err)
		}
		s.wantCommands("create_group", "get_group_info")
	}
}

func TestEnsureRaces(t *testing.T) {
	t.Parallel()
	// gone destroys the group before the command is carried out.
	gone := func(s *im) fault {
		return func(w http.ResponseWriter, r *http.Request, do http.HandlerFunc) {
			s.mu.Lock()
			delete(s.groups, roomID)
			s.mu.Unlock()
			do(w, r)
		}
	}
	t.Run("destroyed before it is read", func(t *testing.T) {
		t.Parallel()
		s := newIM(t, "alice")
		s.put(nil)
		s.fail("get_group_info", gone(s))
		if whose, err := s.rooms().Ensure(t.Context(), newRoom()); err != nil || whose != relay.OurRoom {
			t.Fatalf("%v, %v", whose, err)
		}
		s.wantCommands("create_group", "get_group_info", "create_group")
		s.wantRoom("My printer is on fire", "alice")
	})
	t.Run("destroyed before the customer is in", func(t *testing.T) {
		t.Parallel()
		s := newIM(t, "alice")
		s.put(nil)
		s.fail("add_group_member", gone(s))
		if whose, err := s.rooms().Ensure(t.Context(), newRoom()); err != nil || whose != relay.OurRoom {
			t.Fatalf("%v, %v", whose, err)
		}
		s.wantCommands("create_group", "get_group_info", "add_group_member", "create_group")
		s.wantRoom("My printer is on fire", "alice")
	})
	t.Run("a create whose answer is lost", func(t *testing.T) {
		t.Parallel()
		for _, lost := range []fault{then(reset), truncated, then(code(60008)), then(status(502))} {
			s := newIM(t, "alice")
			s.fail("create_group", lost)
			if whose, err := s.rooms().Ensure(t.Context(), newRoom()); err != nil || whose != relay.OurRoom {
				t.Fatalf("%v, %v", whose, err)
			}
			s.wantCommands("create_group", "create_group", "get_group_info", "add_group_member")
			s.wantRoom("My printer is on fire", "alice")
		}
	})
	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		s := newIM(t, "alice")
		rooms := s.rooms()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if whose, err := rooms.Ensure(t.Context(), newRoom()); err != nil || whose != relay.OurRoom {
					t.Errorf("%v, %v", whose, err)
				}
			})
		}
		wg.Wait()
		s.wantRoom("My printer is on fire", "alice")
		if slices.Contains(s.commands(), "destroy_group") {
			t.Error("a room was destroyed")
		}
	})
}

func TestEnsureFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		command string
		n       int
	}{
		"groups used up":             {"create_group", 10036},
		"customer in too many":       {"create_group", 10037},
		"callback":                   {"create_group", 10016},
		"read refused":               {"get_group_info", 10007},
		"customer cannot be added":   {"add_group_member", 10038},
		"app of another region":      {"create_group", 60026},
		"app's service is suspended": {"create_group", 60020},
	} {
		s := newIM(t, "alice")
		if tt.command != "create_group" {
			s.put(nil)
		}
		s.fail(tt.command, code(tt.n))
		_, err := s.rooms().Ensure(t.Context(), newRoom())
		if !upstream.HasCode(err, strconv.Itoa(tt.n)) || upstream.ClassOf(err) != upstream.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := newIM(t, "alice")
	room := newRoom()
	room.Mark = relay.Mark{}
	if _, err := s.rooms().Ensure(t.Context(), room); err == nil {
		t.Error("a room without a mark")
	}
	s.wantCommands()
}

func TestEnsureInsideItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newIM(t, "alice")
		s.fail("create_group", hang, hang, hang, hang)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		start := time.Now()
		_, err := (tencentim.Rooms{Client: s.inProcess()}).Ensure(ctx, newRoom())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 8*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

func TestJoin(t *testing.T) {
	t.Parallel()
	agent := relay.Account{UserID: "zd_1", Nick: "Ann"}
	t.Run("added, then a member", func(t *testing.T) {
		t.Parallel()
		s := newIM(t, "zd_1")
		s.put(nil, "alice")
		rooms := s.rooms()
		for _, want := range []int{tencentim.Added, tencentim.WasMember} {
			got, err := rooms.Join(t.Context(), roomID, agent)
			if err != nil || got != (relay.MemberResult{UserID: "zd_1", Result: want}) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		s.wantCommands("add_group_member", "add_group_member")
		s.wantRoom("Old", "alice", "zd_1")
	})
	t.Run("already a member, by code", func(t *testing.T) {
		t.Parallel()
		s := newIM(t, "zd_1")
		s.fail("add_group_member", code(10013))
		got, err := s.rooms().Join(t.Context(), roomID, agent)
		if err != nil || got.Result != tencentim.WasMember {
			t.Errorf("%+v, %v", got, err)
		}
	})
	for _, n := range []int{tencentim.NotAdded, tencentim.Invited, tencentim.OverLimit, 9} {
		t.Run("result "+strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			s := newIM(t, "zd_1")
			s.fail("add_group_member", body(`{"ActionStatus":"OK","ErrorCode":0,"MemberList":[{"Member_Account":"zd_1","Result":`+strconv.Itoa(n)+`}]}`))
			got, err := s.rooms().Join(t.Context(), roomID, agent)
			if !errors.Is(err, relay.ErrNotJoined) || !strings.HasSuffix(err.Error(), strconv.Itoa(n)) || got != (relay.MemberResult{UserID: "zd_1", Result: n}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	for _, n := range []int{10010, 10015} {
		t.Run("no room, "+strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			s := newIM(t, "zd_1")
			s.fail("add_group_member", code(n))
			if _, err := s.rooms().Join(t.Context(), roomID, agent); !errors.Is(err, relay.ErrNoRoom) {
				t.Errorf("err = %v", err)
			}
			s.wantCommands("add_group_member")
		})
	}
	t.Run("unknown account", func(t *testing.T) {
		t.Parallel()
		s := newIM(t)
		s.put(nil, "alice")
		got, err := s.rooms().Join(t.Context(), roomID, agent)
		if err != nil || got.Result != tencentim.Added {
			t.Errorf("%+v, %v", got, err)
		}
		s.wantCommands("add_group_member", "account_import", "add_group_member")
		if s.nicks()["zd_1"] != "Ann" {
			t.Errorf("accounts = %v", s.nicks())
		}
	})
	t.Run("unknown for good", func(t *testing.T) {
		t.Parallel()
		s := newIM(t)
		s.fail("add_group_member", code(10019), code(10019))
		if _, err := s.rooms().Join(t.Context(), roomID, agent); !upstream.HasCode(err, "10019") {
			t.Errorf("err = %v", err)
		}
		s.wantCommands("add_group_member", "account_import", "add_group_member")
	})
	t.Run("cannot be imported", func(t *testing.T) {
		t.Parallel()
		s := newIM(t)
		s.put(nil)
		s.fail("account_import", code(70399))
		if _, err := s.rooms().Join(t.Context(), roomID, agent); !upstream.HasCode(err, "70399") {
			t.Errorf("err = %v", err)
		}
	})
}

func TestLeave(t *testing.T) {
	t.Parallel()
	s := newIM(t, "zd_1")
	s.put(nil, "alice", "zd_1")
	rooms := s.rooms()
	for _, id := range []string{"zd_1", "zd_1", "stranger"} {
		if err := rooms.Leave(t.Context(), roomID, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	s.wantRoom("Old", "alice")
	for n, want := range map[int]error{10010: relay.ErrNoRoom, 10015: relay.ErrNoRoom, 10019: nil} {
		s.fail("delete_group_member", code(n))
		if err := rooms.Leave(t.Context(), roomID, "zd_1"); !errors.Is(err, want) {
			t.Errorf("%d: %v", n, err)
		}
	}
	s.fail("delete_group_member", code(10007))
	if err := rooms.Leave(t.Context(), roomID, "zd_1"); !upstream.HasCode(err, "10007") {
		t.Errorf("err = %v", err)
	}
}

func TestDestroy(t *testing.T) {
	t.Parallel()
	s := newIM(t)
	s.put(nil)
	rooms := s.rooms()
	for range 2 {
		if err := rooms.Destroy(t.Context(), roomID); err != nil {
			t.Error(err)
		}
	}
	if s.group(roomID) != nil {
		t.Error("the room is there")
	}
	s.fail("destroy_group", code(10015), code(10007))
	if err := rooms.Destroy(t.Context(), roomID); err != nil {
		t.Error(err)
	}
	if err := rooms.Destroy(t.Context(), roomID); !upstream.HasCode(err, "10007") {
		t.Errorf("err = %v", err)
	}
	// A lost answer: the second try finds it gone.
	s.put(nil)
	s.fail("destroy_group", then(reset))
	if err := rooms.Destroy(t.Context(), roomID); err != nil {
		t.Error(err)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	accounts := func(n int) []relay.Account {
		var out []relay.Account
		for i := range n {
			out = append(out, relay.Account{UserID: "u" + strconv.Itoa(i), Nick: "N" + strconv.Itoa(i)})
		}
		return out
	}
	for name, tt := range map[string]struct {
		accounts []relay.Account
		faults   map[string]fault
		calls    []string
		want     map[string]string
		err      string // code
	}{
		"none": {nil, nil, nil, map[string]string{}, ""},
		"one":  {accounts(1), nil, []string{"account_import"}, map[string]string{"u0": "N0"}, ""},
		"two":  {accounts(2), nil, []string{"multiaccount_import"}, map[string]string{"u0": "N0", "u1": "N1"}, ""},
		"moderated name": {
			[]relay.Account{{UserID: "u0", Nick: "forbidden"}}, nil,
			[]string{"account_import", "account_import"}, map[string]string{"u0": ""}, "",
		},
		"one of two moderated": {
			[]relay.Account{{UserID: "u0", Nick: "forbidden"}, {UserID: "u1", Nick: "N1"}}, nil,
			[]string{"multiaccount_import", "account_import", "account_import"}, map[string]string{"u0": "", "u1": "N1"}, "",
		},
		"two moderated as a whole": {
			accounts(2), map[string]fault{"multiaccount_import": code(80001)},
			[]string{"multiaccount_import", "account_import", "account_import"}, map[string]string{"u0": "N0", "u1": "N1"}, "",
		},
		"one of two failed for good": {
			accounts(2), map[string]fault{
				"multiaccount_import": body(`{"ActionStatus":"OK","ErrorCode":0,"FailAccounts":["u1"]}`),
				"account_import":      code(70398),
			},
			[]string{"multiaccount_import", "account_import"}, map[string]string{}, "70398",
		},
		"all refused": {accounts(2), map[string]fault{"multiaccount_import": code(70399)}, []string{"multiaccount_import"}, map[string]string{}, "70399"},
		"odd name": {
			[]relay.Account{{UserID: "u0", Nick: " a\x00\n" + strings.Repeat("漢", 40)}}, nil,
			[]string{"account_import"}, map[string]string{"u0": "a" + strings.Repeat("漢", 33)}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIM(t)
			for command, f := range tt.faults {
				s.fail(command, f)
			}
			err := s.rooms().Import(t.Context(), tt.accounts...)
			if tt.err == "" && err != nil || tt.err != "" && !upstream.HasCode(err, tt.err) {
				t.Errorf("err = %v", err)
			}
			s.wantCommands(tt.calls...)
			for id, nick := range tt.want {
				if got, ok := s.nicks()[id]; !ok || got != nick {
					t.Errorf("%s = %q, %t, want %q", id, got, ok, nick)
				}
			}
			if len(s.nicks()) != len(tt.want) {
				t.Errorf("accounts = %v", s.nicks())
			}
		})
	}
	t.Run("by the hundred", func(t *testing.T) {
		t.Parallel()
		s := newIM(t)
		if err := s.rooms().Import(t.Context(), accounts(201)...); err != nil {
			t.Fatal(err)
		}
		s.wantCommands("multiaccount_import", "multiaccount_import", "account_import")
		if len(s.nicks()) != 201 {
			t.Errorf("%d accounts", len(s.nicks()))
		}
	})
}

func FuzzCut(f *testing.F) {
	f.Add("My printer is on fire", 30)
	f.Add("漢字漢字漢字漢字漢字漢字", 30)
	f.Add("a\xff\x00\u2028é", 3)
	f.Add(" \t", 1)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 200)
		got := tencentim.Cut(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) || got != strings.TrimSpace(got) {
			t.Errorf("cut(%q, %d) = %q", s, limit, got)
		}
		if again := tencentim.Cut(got, limit); again != got {
			t.Errorf("cut twice: %q, then %q", got, again)
		}
		plain := strings.TrimSpace(s)
		if len(plain) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) && got != plain {
			t.Errorf("cut(%q, %d) = %q, which had to stay", s, limit, got)
		}
	})
}
