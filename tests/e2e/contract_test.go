package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/chatwebhook"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/webhook"
)

// What the tutorials' clients send, with a credential added, gets what the
// tutorials' servers answer.
func TestTutorialClients(t *testing.T) {
	t.Parallel()
	body := object("userId", "ada", "caseInfo", map[string]string{
		"subject": "Printer", "desc": "It is on fire", "name": "Ada", "email": "ada@example.com",
	})
	envelope := func(t *testing.T, a answer) {
		t.Helper()
		a.ok(t)
		if a.text("ActionStatus") != "OK" || a.fields["ErrorCode"] != 0.0 || a.fields["ErrorInfo"] != "" {
			t.Error(a)
		}
	}
	t.Run("zendesk", func(t *testing.T) {
		t.Parallel()
		s := newStack(t)
		a := s.do(request{path: "/createticket", as: s.customer("ada"), body: body})
		envelope(t, a)
		if want := "ZENDESK#" + a.text("ticketId"); a.text("GroupId") != want {
			t.Errorf("GroupId %q, want %q", a.text("GroupId"), want)
		}
		s.room(a.text("GroupId"))
	})
	t.Run("salesforce", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, parameter("DefaultDesk", "salesforce"))
		a := s.do(request{path: "/createticket", as: s.customer("ada"), body: body})
		envelope(t, a)
		room, agent := a.text("GroupId"), s.fix.Salesforce.AgentIDs[0]
		if room != a.text("ticketId") || len(room) != 18 {
			t.Errorf("GroupId %q, ticketId %q: want the 18-character case id", room, a.text("ticketId"))
		}
		// Apex concatenates its bodies.
		apex := func(path, body string) answer {
			return s.do(request{path: path, as: s.fix.DeskKeySalesforce, body: body}.with("Content-Type", "application/json;charset=UTF-8"))
		}
		member := `{"userId":"` + agent + `", "groupId":"` + room + `"}`
		envelope(t, apex("/joingroup", member))
		if got, want := members(s.room(room)), []string{"ada", "sf_" + agent}; !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
		envelope(t, apex("/leavegroup", member))
		if got, want := members(s.room(room)), []string{"ada"}; !slices.Equal(got, want) {
			t.Errorf("members %v, want %v", got, want)
		}
		// The tutorial's trigger forgets a quote here, which its server refuses too.
		apex("/deletegroup", `{"groupId":"`+room+`}`).problem(t, "invalid")
		envelope(t, apex("/deletegroup", `{"groupId":"`+room+`"}`))
		if _, ok := s.box.Group(room); ok {
			t.Error("the room is still there")
		}
	})
	t.Run("chat", func(t *testing.T) {
		t.Parallel()
		s := newStack(t)
		// zChat's jwt_fn fetches with credentials, which sends the cookie.
		a := s.do(request{method: http.MethodGet, path: "/generate/token", cookie: s.customer("82cd5e0c-c3ff-11e9-b199-c1e5fc81c37f")}).ok(t)
		claims := s.verified(a.text("token"), s.fix.Zendesk.ChatSharedSecret)
		if claims["external_id"] != "82cd5e0c-c3ff-11e9-b199-c1e5fc81c37f" {
			t.Errorf("claims %v", claims)
		}
	})
}

// verified returns the claims of an HS256 token; the test fails if the
// signature is wrong.
func (s *stack) verified(token, secret string) jwt.MapClaims {
	s.tb.Helper()
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return []byte(secret), nil },
		jwt.WithValidMethods([]string{"HS256"}))
	s.must(err)
	return claims
}

// checkUserSig fails the test unless the answer holds a UserSig for that id.
func (s *stack) checkUserSig(a answer, userID string, life time.Duration) {
	s.tb.Helper()
	a.ok(s.tb)
	if a.text("userId") != userID {
		s.tb.Errorf("userId %q, want %q", a.text("userId"), userID)
	}
	err := tencentyun.VerifyUserSig(uint64(s.fix.Tencent.SDKAppID), s.fix.Tencent.SecretKey, a.text("userId"), a.text("userSig"), time.Now())
	if err != nil {
		s.tb.Errorf("the UserSig is not one for %s: %v", userID, err)
	}
	if a.fields["sdkAppId"] != float64(s.fix.Tencent.SDKAppID) {
		s.tb.Errorf("sdkAppId %v", a.fields["sdkAppId"])
	}
	expires, err := time.Parse(time.RFC3339, a.text("expiresAt"))
	if left := time.Until(expires); err != nil || left > life || left < life-time.Minute || !strings.HasSuffix(a.text("expiresAt"), "Z") {
		s.tb.Errorf("expiresAt %q, want about %s from now in UTC", a.text("expiresAt"), life)
	}
}

func TestCreateTicketAtZendesk(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	login := s.customer("ada")
	s.createTicket("/createticket", login) // the process is warm from here on
	before, hinted := len(s.calls()), len(s.hints())
	key := uuid.NewString()
	body := object("userId", "ada", "caseInfo", map[string]string{"subject": "Lamp " + canary, "desc": "Dark\n" + canary, "name": "Countess"})
	a := s.do(request{path: "/createticket", as: login, key: key, body: body}).ok(t)

	want := []string{"ActionStatus", "ErrorCode", "ErrorInfo", "GroupId", "expiresAt", "idempotencyKey", "sdkAppId", "ticketId", "userId", "userSig"}
	if got := slices.Sorted(maps.Keys(a.fields)); !slices.Equal(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
	s.checkUserSig(a, "ada", 24*time.Hour)
	if a.text("idempotencyKey") != key {
		t.Errorf("idempotencyKey %q, want the caller's", a.text("idempotencyKey"))
	}
	calls := s.since(before)
	slices.Sort(calls)
	if want := []string{"aws SendMessage", "tencent account_import", "tencent create_group", "zendesk tickets_create"}; !slices.Equal(calls, want) {
		t.Errorf("a warm call makes %v, want %v", calls, want)
	}

	id, err := strconv.ParseInt(a.text("ticketId"), 10, 64)
	s.must(err)
	ticket, err := s.box.Zendesk().Ticket(id)
	s.must(err)
	k := identity.HashID("", "caseroom/1\nada\n"+key, 26)
	if ticket.ExternalID != "caseroom:ada:"+k || !slices.Equal(ticket.Tags, []string{"caseroom"}) || ticket.Subject != "Lamp "+canary {
		t.Errorf("ticket %+v", ticket)
	}
	if len(ticket.Comments) != 1 || ticket.Comments[0].Body != "Dark\n"+canary || !ticket.Comments[0].Public {
		t.Errorf("comments %+v", ticket.Comments)
	}
	if p := s.person(ticket.RequesterID); p.Email != "ada@"+canary+".example" || p.Role != "end-user" {
		t.Errorf("requester %+v", p)
	}

	room := s.room(a.text("GroupId"))
	if room.Owner != "" || room.Type != "Public" || room.ApplyJoinOption != "DisableApply" || room.InviteJoinOption != "DisableInvite" {
		t.Errorf("room %+v", room)
	}
	if got := members(room); !slices.Equal(got, []string{"ada"}) {
		t.Errorf("members %v", got)
	}
	mark, err := relay.ParseMark(room.Introduction)
	if host := strings.TrimPrefix(s.boxURL, "http://"); err != nil || mark.Desk != relay.DeskHash(host) {
		t.Errorf("mark %q: %v", room.Introduction, err)
	}
	hints := s.hints()[hinted:]
	if len(hints) != 1 || hints[0].Group != "zendesk:"+a.text("ticketId") ||
		hints[0].Body != `{"v":1,"desk":"zendesk","ticket":"`+a.text("ticketId")+`","hint":""}` {
		t.Errorf("queue %+v", hints)
	}
}

// person is a user of the Zendesk account.
func (s *stack) person(id int64) sandbox.ZendeskPerson {
	s.tb.Helper()
	for _, p := range s.box.Zendesk().Users() {
		if p.ID == id {
			return p
		}
	}
	s.tb.Fatalf("there is no Zendesk user %d", id)
	return sandbox.ZendeskPerson{}
}

func TestCreateTicketAtSalesforce(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	login := s.customer("ada")
	key := uuid.NewString()
	a := s.do(request{path: "/salesforce/createticket", as: login, key: key, body: ticketBody("Lamp")}).ok(t)
	s.checkUserSig(a, "ada", 24*time.Hour)
	c, err := s.box.Salesforce().Case(a.text("ticketId"))
	s.must(err)
	want := sandbox.SalesforceCase{
		Key: identity.HashID("", "caseroom/1\nada\n"+key, 26), User: "ada", SuppliedEmail: "ada@" + canary + ".example",
		SuppliedName: "Ada " + canary, OwnerID: s.box.Salesforce().Queue(),
	}
	got := sandbox.SalesforceCase{Key: c.Key, User: c.User, SuppliedEmail: c.SuppliedEmail, SuppliedName: c.SuppliedName, OwnerID: c.OwnerID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("case (-want +got):\n%s", diff)
	}
	if room := s.room(c.ID); !slices.Equal(members(room), []string{"ada"}) || room.Owner != "" {
		t.Errorf("room %+v", room)
	}
	if hints := s.hints(); len(hints) != 1 || hints[0].Group != "salesforce:"+c.ID {
		t.Errorf("queue %+v", hints)
	}

	// Without the package's fields a case is made by the fields every org has.
	t.Run("without the package", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, parameter("SalesforceKeyField", ""), parameter("SalesforceUserField", ""))
		s.box.Salesforce().SetPackage(false)
		a := s.do(request{path: "/salesforce/createticket", as: s.customer("ada"), body: ticketBody("Lamp")}).ok(t)
		if c, err := s.box.Salesforce().Case(a.text("ticketId")); err != nil || c.Key != "" {
			t.Errorf("case %+v: %v", c, err)
		}
	})
}

// A desk exists if and only if its base URL is set.
func TestDesksThatAreNotThere(t *testing.T) {
	t.Parallel()
	for _, desk := range []struct {
		name, off string
		gone      []string
	}{
		{"zendesk only", "SalesforceBaseUrl", []string{
			"/salesforce/createticket", "/guest/createticket?desk=salesforce", "/salesforce/joingroup",
			"/salesforce/leavegroup", "/salesforce/deletegroup", "/salesforce/usersig", "/iam/salesforce/joingroup", "/iam/salesforce/usersig",
			"/salesforce/events", "/iam/salesforce/events",
		}},
		{"salesforce only", "ZendeskBaseUrl", []string{"/zendesk/createticket", "/guest/createticket?desk=zendesk", "/zendesk/app", "/zendesk/events"}},
	} {
		t.Run(desk.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, parameter(desk.off, ""))
			for _, path := range desk.gone {
				r := request{path: path, as: s.customer("ada"), body: ticketBody("Lamp")}.signedBy(principal)
				if strings.HasPrefix(path, "/guest") {
					r.as, r.key = "", uuid.NewString()
				}
				s.refused(t, r, "not_found")
			}
			s.createTicket("/createticket", s.customer("ada")) // the desk that is there is the default
			if desk.off == "ZendeskBaseUrl" {
				s.refused(t, request{path: "/usersig", as: s.agentSession("900000101"), body: "{}"}, "unauthorized")
				s.refused(t, request{path: "/joingroup", as: s.fix.DeskKeyZendesk, body: object("groupId", "ZENDESK#1", "userId", 1)}, "forbidden")
			} else {
				s.refused(t, request{path: "/usersig", as: s.fix.DeskKeySalesforce, body: object("userId", s.fix.Salesforce.AgentIDs[0])}, "forbidden", "unauthorized")
				s.refused(t, request{path: "/joingroup", as: s.fix.DeskKeySalesforce, body: object("groupId", "ZENDESK#1", "userId", 1)}, "forbidden")
			}
		})
	}
}

// Who a login is in the chat, and whose address becomes the requester's.
func TestCustomersAddress(t *testing.T) {
	t.Parallel()
	const address = "ada@example.com"
	for _, c := range []struct {
		name      string
		trusted   string
		claims    map[string]any
		stated    string
		requester string // "" if made by external id
		comment   string // addresses in the first comment
	}{
		{"verified", "off", map[string]any{"email": address, "email_verified": true}, "", address, ""},
		{"not verified", "on", map[string]any{"email": address, "email_verified": false}, "", "", address},
		{"not verified, another stated", "on", map[string]any{"email": address, "email_verified": false}, "x@example.org", "", "x@example.org " + address},
		{"claim missing, trusted", "on", map[string]any{"email": address}, "", address, ""},
		{"claim missing, not trusted", "off", map[string]any{"email": address}, "", "", address},
		{"no address", "on", nil, "", "", ""},
		{"stated only", "on", nil, address, "", address},
		{"verified, the same stated", "on", map[string]any{"email": address, "email_verified": true}, "ADA@example.com", address, ""},
		{"verified, another stated", "on", map[string]any{"email": address, "email_verified": true}, "boss@example.org", address, "boss@example.org"},
		{"not an address", "on", map[string]any{"email": "Ada <ada@example.com>", "email_verified": true}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, parameter("LoginEmailTrusted", c.trusted))
			info := map[string]string{"subject": "Lamp", "desc": "dark"}
			if c.stated != "" {
				info["email"] = c.stated
			}
			a := s.do(request{path: "/zendesk/createticket", as: s.loginToken("ada", c.claims), body: object("caseInfo", info)}).ok(t)
			id, _ := strconv.ParseInt(a.text("ticketId"), 10, 64)
			ticket, err := s.box.Zendesk().Ticket(id)
			s.must(err)
			p := s.person(ticket.RequesterID)
			if p.Email != c.requester || p.Role != "end-user" {
				t.Errorf("requester %+v, want the address %q", p, c.requester)
			}
			if c.requester == "" && !strings.HasSuffix(p.ExternalID, "ada") {
				t.Errorf("requester %+v, want one by external id", p)
			}
			first := ticket.Comments[0].Body
			if c.comment == "" && first != "dark" {
				t.Errorf("first comment %q, want no address in it", first)
			}
			for _, want := range strings.Fields(c.comment) {
				if !strings.Contains(first, want) {
					t.Errorf("first comment %q, want the address %q in it", first, want)
				}
			}
		})
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	for _, desk := range []string{"zendesk", "salesforce"} {
		t.Run(desk, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			path, login := "/"+desk+"/createticket", s.customer("ada")
			key := uuid.NewString()
			r := request{path: path, as: login, key: key, body: ticketBody("Lamp")}
			first := s.do(r).ok(t)
			for range 2 {
				s.same(first, s.do(r))
			}
			r.body = ticketBody("Another lamp")
			s.same(first, s.do(r)) // the first body wins
			s.restart()
			s.same(first, s.do(r)) // no process's memory
			s.tickets(1)

			r.as = s.customer("bob")
			if other := s.do(r).ok(t); other.text("ticketId") == first.text("ticketId") {
				t.Error("another customer's same key gave the same ticket")
			}
			s.tickets(2)

			// A key that caseroom made works for the retry.
			made := s.do(request{path: path, as: login, body: ticketBody("Lamp")}).ok(t)
			if k := made.text("idempotencyKey"); !strings.HasPrefix(k, "cr1_") {
				t.Errorf("made key %q", k)
			}
			s.same(made, s.do(request{path: path, as: login, key: made.text("idempotencyKey"), body: ticketBody("Lamp")}))
			s.tickets(3)
		})
	}
	t.Run("at the same time", func(t *testing.T) {
		t.Parallel()
		for _, desk := range []string{"zendesk", "salesforce"} {
			s := newStack(t)
			r := request{path: "/" + desk + "/createticket", as: s.customer("ada"), key: uuid.NewString(), body: ticketBody("Lamp")}
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					// "In progress" may outlast the look-up; the client retries.
					for range 20 {
						a := s.do(r)
						if a.status == http.StatusOK {
							return
						}
						a.problem(t, "unavailable")
					}
					t.Error("no 200 after 20 tries")
				})
			}
			wg.Wait()
			s.tickets(1)
		}
	})
	t.Run("while the first is in progress", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, functionTimeout(2*time.Second))
		r := request{path: "/zendesk/createticket", as: s.customer("ada"), key: uuid.NewString(), body: ticketBody("Lamp")}
		release := s.box.Zendesk().HoldCreates()
		done := make(chan answer)
		go func() { a, _ := s.send(r); done <- a }()
		s.until(func() bool { return slices.Contains(s.calls(), "zendesk tickets_create") })
		second := s.do(r).problem(t, "unavailable") // 409 from Zendesk, and nothing to be found yet
		if second.text("ticketId") != "" {
			t.Error(second)
		}
		release()
		first := <-done
		if first.status != http.StatusOK {
			first = s.do(r).ok(t)
		}
		s.same(first, s.do(r))
		s.tickets(1)
	})
	t.Run("malformed keys", func(t *testing.T) {
		t.Parallel()
		s := newStack(t)
		for _, key := range []string{"a b", "a,b", "ключ", strings.Repeat("k", 256), "a\tb"} {
			r := request{path: "/createticket", as: s.customer("ada"), body: ticketBody("Lamp")}.with("Idempotency-Key", key)
			s.refused(t, r, "invalid")
		}
		twice := request{path: "/createticket", as: s.customer("ada"), body: ticketBody("Lamp")}.with("Idempotency-Key", "one").with("Idempotency-Key", "two")
		s.refused(t, twice, "invalid")
	})
}

// same fails the test unless two answers are about one ticket, room and person.
func (s *stack) same(first, again answer) {
	s.tb.Helper()
	again.ok(s.tb)
	for _, name := range []string{"ticketId", "GroupId", "userId", "idempotencyKey"} {
		if first.text(name) != again.text(name) {
			s.tb.Errorf("%s %q, want %q again", name, again.text(name), first.text(name))
		}
	}
}

// tickets fails the test unless the desks have n tickets, each with its room.
func (s *stack) tickets(n int) {
	s.tb.Helper()
	made := len(s.box.Zendesk().Tickets()) + len(s.box.Salesforce().Cases())
	if rooms := len(s.box.Groups()); made != n || rooms != n {
		s.tb.Errorf("%d tickets and %d rooms, want %d of each", made, rooms, n)
	}
}

// until waits for a condition that comes about by itself.
func (s *stack) until(holds func() bool) {
	s.tb.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.tb.Fatalf("waited %s in vain", patience)
		}
	}
}

// uuid7 is a version 7 UUID of that time.
func uuid7(tb testing.TB, at time.Time) string {
	tb.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		tb.Fatal(err)
	}
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id.String()
}

// A key that carries its time holds for ever: when the desk may have forgotten
// it, the desk is asked first.
func TestAgedKeys(t *testing.T) {
	t.Parallel()
	for _, desk := range []string{"zendesk", "salesforce"} {
		t.Run(desk, func(t *testing.T) {
			t.Parallel()
			var later atomic.Int64
			s := newStack(t, func(set *settings) {
				set.sandbox.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			})
			path, login := "/"+desk+"/createticket", s.customer("ada")
			made, err := base64.RawURLEncoding.DecodeString(strings.Repeat("A", 22))
			s.must(err)
			old := time.Now().Add(-3 * time.Hour)
			for _, key := range []string{
				uuid7(t, old), "cr1_" + strconv.FormatInt(old.Unix(), 10) + "_" + base64.RawURLEncoding.EncodeToString(made),
			} {
				r := request{path: path, as: login, key: key, body: ticketBody("Lamp")}
				before := len(s.calls())
				first := s.do(r).ok(t)
				ask := map[string]string{"zendesk": "zendesk tickets_list", "salesforce": "salesforce sobject_get_by_key"}[desk]
				create := map[string]string{"zendesk": "zendesk tickets_create", "salesforce": "salesforce sobject_create"}[desk]
				calls := s.since(before)
				if i, j := slices.Index(calls, ask), slices.Index(calls, create); i < 0 || j < i {
					t.Errorf("calls %v: want %s before %s", calls, ask, create)
				}
				later.Add(int64(3 * time.Hour)) // the desk forgets
				s.same(first, s.do(r))
			}
			s.tickets(2)
			// A key from the future says nothing about its age, so it is asked about too.
			before := len(s.calls())
			s.do(request{path: path, as: login, key: uuid7(t, time.Now().Add(time.Hour)), body: ticketBody("Lamp")}).ok(t)
			if calls := s.since(before); !slices.ContainsFunc(calls, func(c string) bool {
				return c == "zendesk tickets_list" || c == "salesforce sobject_get_by_key"
			}) {
				t.Errorf("calls %v: the desk was not asked about a key from the future", calls)
			}
			// A fresh one is not, which saves a call.
			before = len(s.calls())
			s.do(request{path: path, as: login, key: uuid7(t, time.Now()), body: ticketBody("Lamp")}).ok(t)
			if calls := s.since(before); slices.Contains(calls, "zendesk tickets_list") || slices.Contains(calls, "salesforce sobject_get_by_key") {
				t.Errorf("calls %v: the desk was asked about a fresh key", calls)
			}
		})
	}
}

// A client can make a group under the id that the next ticket will have. It
// holds nothing of ours: it goes, and whoever made it sees nothing.
func TestSquattedRooms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		group sandbox.ClientGroup
		quit  bool
	}{
		{"a Public group", sandbox.ClientGroup{Type: "Public", Name: "Ticket"}, false},
		{"ours in everything but its owner", sandbox.ClientGroup{
			Type: "Public", Name: "Ticket", ApplyJoinOption: "DisableApply", InviteJoinOption: "DisableInvite", Introduction: "OURS",
		}, false},
		{"a ChatRoom", sandbox.ClientGroup{Type: "ChatRoom", Name: "Ticket", Introduction: "OURS"}, false},
		{"an AVChatRoom", sandbox.ClientGroup{Type: "AVChatRoom", Name: "Ticket"}, false},
		{"a Work group", sandbox.ClientGroup{Type: "Private", Name: "Ticket", Introduction: "OURS"}, false},
		{"a Work group that its owner left", sandbox.ClientGroup{Type: "Private", Name: "Ticket", Introduction: "OURS"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			login := s.customer("ada")
			last := s.createTicket("/zendesk/createticket", login)
			n, err := strconv.Atoi(last.text("ticketId"))
			s.must(err)
			c.group.GroupID = "ZENDESK#" + strconv.Itoa(n+1)
			if c.group.Introduction == "OURS" {
				c.group.Introduction = s.room(last.text("GroupId")).Introduction
			}
			s.must(s.box.CreateGroupAs("mallory", c.group))
			if c.quit {
				// An emptied Work group is dissolved, so somebody stays.
				_, err := s.rooms().Join(context.Background(), c.group.GroupID, relay.Account{UserID: "trudy"})
				s.must(err)
				s.must(s.box.QuitAs("mallory", c.group.GroupID))
			} else if c.group.Type != "AVChatRoom" {
				s.must(s.box.SendAs("mallory", c.group.GroupID, "give me your password"))
			}
			a := s.createTicket("/zendesk/createticket", login)
			if a.text("GroupId") != c.group.GroupID {
				t.Fatalf("GroupId %q, want the squatted %q", a.text("GroupId"), c.group.GroupID)
			}
			room := s.room(c.group.GroupID)
			if got := members(room); !slices.Equal(got, []string{"ada"}) || room.Owner != "" || room.Type != "Public" || len(room.Messages) > 0 {
				t.Errorf("room %+v", room)
			}
			if err := s.box.JoinAs("mallory", c.group.GroupID); err == nil {
				t.Error("mallory came in again")
			}
			if _, err := s.box.ClientMessages("mallory", c.group.GroupID); err == nil {
				t.Error("mallory reads the room")
			}
			s.logged("", `"RoomSquatted":1`)
		})
	}
}

// Two stacks share one chat app: the other's room is left alone.
func TestForeignRoom(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	login := s.customer("ada")
	last := s.createTicket("/zendesk/createticket", login)
	n, err := strconv.Atoi(last.text("ticketId"))
	s.must(err)
	foreign := "ZENDESK#" + strconv.Itoa(n+1)
	rooms := s.rooms()
	s.must(rooms.Import(context.Background(), relay.Account{UserID: "carol"}))
	_, err = rooms.Ensure(context.Background(), relay.NewRoom{
		GroupID: foreign, Name: "theirs", Neutral: "theirs", Customer: "carol",
		Mark: relay.Mark{Desk: relay.DeskHash("other.zendesk.com")},
	})
	s.must(err)
	a := s.do(request{path: "/zendesk/createticket", as: login, body: ticketBody("Lamp")}).problem(t, "conflict")
	if a.text("ticketId") != strconv.Itoa(n+1) || a.text("idempotencyKey") == "" {
		t.Error(a)
	}
	if got := members(s.room(foreign)); !slices.Equal(got, []string{"carol"}) {
		t.Errorf("the other stack's members are now %v", got)
	}
}

func TestGuests(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	body := object("userId", "administrator", "caseInfo", map[string]string{
		"subject": "Lamp", "desc": "dark", "name": "Guest", "email": "guest@example.com",
	})
	key := uuid.NewString()
	a := s.do(request{path: "/guest/createticket", key: key, body: body}).ok(t)
	id := a.text("userId")
	guest, err := identity.Guest([]byte(s.fix.GuestSecret), key)
	s.must(err)
	if id != guest.ID() {
		t.Errorf("userId %q, want %q", id, guest.ID())
	}
	s.checkUserSig(a, id, 24*time.Hour)
	n, _ := strconv.ParseInt(a.text("ticketId"), 10, 64)
	ticket, err := s.box.Zendesk().Ticket(n)
	s.must(err)
	if !slices.Equal(ticket.Tags, []string{"caseroom", "caseroom_unverified"}) || s.person(ticket.RequesterID).Email != "" || !strings.Contains(ticket.Comments[0].Body, "guest@example.com") {
		t.Errorf("ticket %+v", ticket)
	}
	if got := members(s.room(a.text("GroupId"))); !slices.Equal(got, []string{id}) {
		t.Errorf("members %v", got)
	}
	claims := s.verified(a.text("guestToken"), s.fix.GuestSecret)
	expires, err := claims.GetExpirationTime()
	if err != nil || claims["iss"] != "caseroom-guest" || claims["sub"] != id || time.Until(expires.Time) > 30*24*time.Hour ||
		time.Until(expires.Time) < 30*24*time.Hour-time.Minute {
		t.Errorf("guest token %v", claims)
	}

	again := s.do(request{path: "/guest/createticket", key: key, body: body})
	s.same(a, again)
	// Later the token is the guest, whatever the key.
	next := s.do(request{path: "/guest/createticket?desk=salesforce", as: a.text("guestToken"), key: "second", body: body}).ok(t)
	if next.text("userId") != id || len(next.text("ticketId")) != 18 {
		t.Error(next)
	}
	s.checkUserSig(s.do(request{path: "/usersig", as: a.text("guestToken"), body: "{}"}), id, 24*time.Hour)
	s.checkUserSig(s.do(request{path: "/usersig", as: a.text("guestToken")}), id, 24*time.Hour)

	// Without a key caseroom makes one, which is the guest from then on.
	made := s.do(request{path: "/guest/createticket", body: body}).ok(t)
	if made.text("userId") == id {
		t.Error("two guests are one")
	}
	s.same(made, s.do(request{path: "/guest/createticket", key: made.text("idempotencyKey"), body: body}))

	for _, weak := range []string{"short", "123456789012345678901", uuid.NewMD5(uuid.Nil, []byte("x")).String(), "not+base64url+but+long+enough"} {
		s.refused(t, request{path: "/guest/createticket", key: weak, body: body}, "invalid")
	}
	s.refused(t, request{path: "/guest/createticket?desk=nowhere", key: uuid.NewString(), body: body}, "not_found")

	// While guests are off, a token of before opens nothing.
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, parameter("Guests", "off"))
		s.refused(t, request{path: "/guest/createticket", key: uuid.NewString(), body: body}, "not_found")
		s.refused(t, request{path: "/guest/createticket", as: a.text("guestToken"), body: body}, "not_found")
		s.refused(t, request{path: "/usersig", as: a.text("guestToken"), body: "{}"}, "forbidden", "unauthorized")
		s.refused(t, request{path: "/createticket", as: a.text("guestToken"), body: body}, "unauthorized")
	})
	t.Run("the address as the requester's", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, parameter("GuestEmail", "requester"))
		a := s.do(request{path: "/guest/createticket", key: uuid.NewString(), body: body}).ok(t)
		n, _ := strconv.ParseInt(a.text("ticketId"), 10, 64)
		ticket, err := s.box.Zendesk().Ticket(n)
		s.must(err)
		if got := s.person(ticket.RequesterID).Email; got != "guest@example.com" {
			t.Errorf("requester %q", got)
		}
	})
	t.Run("no address", func(t *testing.T) {
		t.Parallel()
		s := newStack(t)
		a := s.do(request{path: "/guest/createticket", key: uuid.NewString(), body: ticketBody("Lamp")}).ok(t)
		n, _ := strconv.ParseInt(a.text("ticketId"), 10, 64)
		ticket, err := s.box.Zendesk().Ticket(n)
		s.must(err)
		if p := s.person(ticket.RequesterID); p.Role != "end-user" || !strings.HasSuffix(p.ExternalID, a.text("userId")) {
			t.Errorf("requester %+v", p)
		}
	})
}

// One address, or one guest, who asks too often is told to wait before a vendor
// hears of it, and takes nothing from the others.
func TestGuestLimits(t *testing.T) {
	t.Parallel()
	s := newStack(t, parameter("GuestRatePerAddress", "3"), parameter("TicketRatePerPerson", "2"), parameter("ClientAddressHeader", "CloudFront-Viewer-Address"))
	ask := func(address string, r request) answer {
		r.path, r.body = "/guest/createticket", ticketBody("Lamp")
		return s.do(r.with("CloudFront-Viewer-Address", address))
	}
	var first answer
	taken := 0 // three, and on a slow machine one more every twenty seconds
	for i := range 20 {
		before := len(s.box.Calls())
		a := ask(fmt.Sprintf("198.51.100.7:%d", 40_000+i), request{key: uuid.NewString()})
		if i == 0 {
			first = a.ok(t)
		}
		if a.status == http.StatusOK {
			taken++
			continue
		}
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != http.StatusTooManyRequests || a.text("code") != "rate_limited" || err != nil || wait < 1 || wait > 60 {
			t.Fatalf("call %d: %v, Retry-After %q", i, a, a.header.Get("Retry-After"))
		}
		if got := len(s.box.Calls()); got != before {
			t.Errorf("call %d was refused after %d calls", i, got-before)
		}
	}
	if taken < 3 || taken == 20 {
		t.Errorf("%d calls of one address were taken", taken)
	}
	ask("203.0.113.9:1", request{key: uuid.NewString()}).ok(t)
	ask("2001:0db8:0000:0000:0000:0000:0000:0001:443", request{key: uuid.NewString()}).ok(t)
	// From wherever a guest asks, the guest is one.
	taken = 0
	for i := range 10 {
		a := ask(fmt.Sprintf("192.0.2.%d:1", i), request{as: first.text("guestToken"), key: uuid.NewString()})
		switch {
		case a.status == http.StatusOK:
			taken++
		case a.status != http.StatusTooManyRequests:
			t.Errorf("the guest's call %d: %v", i, a)
		}
	}
	if taken < 2 || taken == 10 {
		t.Errorf("%d calls of one guest were taken", taken)
	}
}

// A guest passes the challenge before the first request, once for each, and never
// after it.
func TestGuestChallenge(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	used := map[string]bool{}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		token := r.FormValue("response")
		passed := r.FormValue("secret") == "site-secret" && strings.HasPrefix(token, "passed-") && !used[token]
		used[token] = true
		_ = json.NewEncoder(w).Encode(map[string]any{"success": passed, "error-codes": []string{}})
	}))
	t.Cleanup(service.Close)
	s := newStack(t, parameter("GuestChallengeUrl", service.URL+"/siteverify"), func(set *settings) {
		set.secrets = func(box *sandbox.Sandbox) {
			box.SetSecret(sandbox.SecretGuest, json.RawMessage(object(
				"guestSecrets", []string{box.Fixtures().GuestSecret}, "challengeSecret", "site-secret")))
		}
	})
	ask := func(token, as string) answer {
		body := object("challenge", token, "caseInfo", map[string]string{"subject": "Lamp", "desc": "dark"})
		return s.do(request{path: "/guest/createticket", key: uuid.NewString(), as: as, body: body})
	}
	a := ask("passed-1", "").ok(t)
	for _, token := range []string{"", "failed", "passed-1", strings.Repeat("x", 9000)} {
		if a := ask(token, ""); a.status != http.StatusForbidden || a.text("code") != "challenge" {
			t.Errorf("%.10q: %v", token, a)
		}
	}
	s.tickets(1)
	ask("", a.text("guestToken")).ok(t)
	service.Close()
	if a := ask("passed-2", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("without the service: %v", a)
	}
}

// joinable is a room of a desk and one of its agents, as requests and as the
// chat know them.
type joinable struct {
	desk, room, agent, member, key string
}

func (s *stack) joinables() []joinable {
	s.tb.Helper()
	login := s.customer("ada")
	z := s.createTicket("/zendesk/createticket", login).text("GroupId")
	c := s.createTicket("/salesforce/createticket", login).text("GroupId")
	sf := s.fix.Salesforce.AgentIDs[0]
	return []joinable{
		{"zendesk", z, s.zendeskAgent(), "zd_" + s.zendeskAgent(), s.fix.DeskKeyZendesk},
		{"salesforce", c, sf, "sf_" + sf, s.fix.DeskKeySalesforce},
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for _, j := range s.joinables() {
		forms := []request{{path: "%s", as: j.key}}
		if j.desk == "salesforce" {
			forms = append(forms, request{path: "/salesforce%s", as: j.key}, request{path: "/iam/salesforce%s"}.signedBy(principal))
		}
		for _, form := range forms {
			do := func(op, body string) answer {
				r := form
				r.path = fmt.Sprintf(form.path, "/"+op)
				r.body = body
				return s.do(r)
			}
			// The desk's id and the IM form; an id as a number; a 15-character id.
			users := []any{j.agent, j.member}
			room := j.room
			if j.desk == "zendesk" {
				n, _ := strconv.Atoi(j.agent)
				users = append(users, n)
			} else {
				users = append(users, j.agent[:15], "sf_"+j.agent[:15])
				room = j.room[:15]
			}
			for i, user := range users {
				before, hinted := len(s.calls()), len(s.hints())
				a := do("joingroup", object("groupId", room, "userId", user)).ok(t)
				want := []any{map[string]any{"Member_Account": j.member, "Result": 1.0}}
				if diff := cmp.Diff(want, a.fields["MemberList"]); diff != "" {
					t.Errorf("MemberList (-want +got):\n%s", diff)
				}
				// The queue's is made again if the chat was so slow that Sync may have been first.
				calls := s.since(before)
				others := slices.DeleteFunc(slices.Clone(calls), func(op string) bool { return op == "aws SendMessage" })
				if i > 0 && len(others) != 1 || len(calls) == len(others) || len(calls) > len(others)+2 {
					t.Errorf("a join makes %v, want the call and the queue's", calls)
				}
				again := do("joingroup", object("groupId", room, "userId", user)).ok(t)
				if list, _ := again.fields["MemberList"].([]any); len(list) != 1 || list[0].(map[string]any)["Result"] != 2.0 {
					t.Errorf("already in: %s", again)
				}
				if got, want := members(s.room(j.room)), []string{"ada", j.member}; !slices.Equal(got, want) {
					t.Errorf("members %v, want %v", got, want)
				}
				do("leavegroup", object("groupId", room, "userId", user)).ok(t)
				do("leavegroup", object("groupId", room, "userId", user)).ok(t) // already out
				if got := members(s.room(j.room)); !slices.Equal(got, []string{"ada"}) {
					t.Errorf("members %v after leaving", got)
				}
				if hints := s.hints()[hinted:]; len(hints) < 4 || len(hints) > 8 || !strings.HasPrefix(hints[0].Group, j.desk+":") {
					t.Errorf("queue %+v", hints)
				}
			}
		}
	}
	for _, j := range s.joinables() {
		forms := []request{{path: "/deletegroup", as: j.key}}
		if j.desk == "salesforce" {
			forms = append(forms, request{path: "/salesforce/deletegroup", as: j.key}, request{path: "/iam/salesforce/deletegroup"}.signedBy(principal))
		}
		hinted := len(s.hints())
		for _, r := range forms {
			r.body = object("groupId", j.room)
			a := s.do(r).ok(t) // the second and third find it gone
			if diff := cmp.Diff(map[string]any{"ActionStatus": "OK", "ErrorCode": 0.0, "ErrorInfo": ""}, a.fields); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		}
		if _, ok := s.box.Group(j.room); ok {
			t.Errorf("the room %s is still there", j.room)
		}
		if len(s.hints()) != hinted {
			t.Error("a deletion was queued: Sync would make the room again")
		}
		who := object("groupId", j.room, "userId", j.agent)
		s.do(request{path: "/joingroup", as: j.key, body: who}).problem(t, "not_found")
		s.do(request{path: "/leavegroup", as: j.key, body: who}).ok(t) // whoever left a room that is gone has left
	}
}

func TestChatJWT(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	claims := func(method, query, login, secret string) jwt.MapClaims {
		t.Helper()
		a := s.do(request{method: method, path: "/generate/token" + query, as: login}).ok(t)
		if got := slices.Collect(maps.Keys(a.fields)); !slices.Equal(got, []string{"token"}) {
			t.Errorf("fields %v", got)
		}
		return s.verified(a.text("token"), secret)
	}
	ada := s.customer("ada")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, query := range []string{"", "?for=chat"} {
			c := claims(method, query, ada, s.fix.Zendesk.ChatSharedSecret)
			issued, _ := c.GetIssuedAt()
			expires, _ := c.GetExpirationTime()
			if c["external_id"] != "ada" || c["email"] != "ada@"+canary+".example" || c["name"] != "Ada "+canary ||
				c["jti"] == "" || expires.Sub(issued.Time) != 5*time.Minute || len(c) != 6 {
				t.Errorf("Chat JWT %v", c)
			}
		}
	}
	one, two := claims("GET", "", ada, s.fix.Zendesk.ChatSharedSecret), claims("GET", "", ada, s.fix.Zendesk.ChatSharedSecret)
	if one["jti"] == two["jti"] {
		t.Error("two tokens have one jti")
	}
	for _, c := range []struct {
		name   string
		claims map[string]any
		want   map[string]any
	}{
		{"verified", map[string]any{"email": "a@example.com", "email_verified": true}, map[string]any{"email": "a@example.com", "email_verified": true}},
		{"not verified", map[string]any{"email": "a@example.com", "email_verified": false}, map[string]any{"email": "a@example.com", "email_verified": false}},
		{"no address", nil, nil},
	} {
		token := s.do(request{method: "GET", path: "/generate/token?for=messaging", as: s.loginToken("ada", c.claims)}).ok(t).text("token")
		got := s.verified(token, s.fix.Zendesk.MessagingSecret)
		delete(got, "exp")
		delete(got, "iat")
		want := jwt.MapClaims{"scope": "user", "external_id": "ada"}
		maps.Copy(want, c.want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Messaging JWT of a login, %s (-want +got):\n%s", c.name, diff)
		}
		head, _, _ := strings.Cut(token, ".")
		raw, _ := base64.RawURLEncoding.DecodeString(head)
		var header map[string]any
		if json.Unmarshal(raw, &header) != nil || header["kid"] != s.fix.Zendesk.MessagingKeyID {
			t.Errorf("header %s", raw)
		}
	}
	s.refused(t, request{method: "GET", path: "/generate/token", as: s.loginToken("ada", nil)}, "unprocessable")
	s.refused(t, request{method: "GET", path: "/generate/token", as: s.loginToken("ada", map[string]any{"email": "a@example.com", "email_verified": false})}, "unprocessable")
	s.refused(t, request{method: "GET", path: "/generate/token?for=messaging", as: s.loginToken(strings.Repeat("x", 256), nil)}, "unprocessable")
	s.refused(t, request{method: "GET", path: "/generate/token?for=nobody", as: ada}, "invalid")

	t.Run("not set up", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, func(set *settings) {
			set.secrets = func(box *sandbox.Sandbox) {
				box.SetSecret(sandbox.SecretZendeskChat, json.RawMessage(`{"sharedSecret":"`+s.fix.Zendesk.ChatSharedSecret+`"}`))
			}
		})
		s.refused(t, request{method: "GET", path: "/generate/token?for=messaging", as: s.customer("ada")}, "not_found")
		s.do(request{method: "GET", path: "/generate/token", as: s.customer("ada")}).ok(t)
	})
}

// The panel's page holds a session for exactly the agent that Zendesk signed for.
func TestZendeskApp(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	agent := s.zendeskAgent()
	open := func(token string) request {
		return request{path: "/zendesk/app", body: "token=" + token}.with("Content-Type", "application/x-www-form-urlencoded")
	}
	page := s.do(open(s.appToken(agent, nil))).ok(t)
	if got := page.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors http://127.0.0.1:* http://localhost:*;") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	_, rest, _ := strings.Cut(string(page.body), `id="caseroom-session">`)
	data, _, _ := strings.Cut(rest, "</script>")
	var held struct {
		SessionToken string    `json:"sessionToken"`
		ExpiresAt    time.Time `json:"expiresAt"`
	}
	if err := json.Unmarshal([]byte(data), &held); err != nil || held.SessionToken == "" {
		t.Fatalf("the page holds no session: %s", page.body)
	}
	s.vault.add("a session token", held.SessionToken)
	if left := time.Until(held.ExpiresAt); left > 12*time.Hour || left < 12*time.Hour-time.Minute {
		t.Errorf("expiresAt in %s", left)
	}
	s.checkUserSig(s.do(request{path: "/usersig", as: held.SessionToken, body: "{}"}), "zd_"+agent, 12*time.Hour)
	s.checkUserSig(s.do(request{path: "/usersig", as: held.SessionToken, body: object("userId", agent)}), "zd_"+agent, 12*time.Hour)

	// A session is for UserSigs and nothing else.
	for _, path := range []string{"/createticket", "/guest/createticket", "/joingroup"} {
		s.refused(t, request{path: path, as: held.SessionToken, body: ticketBody("Lamp")}, "unauthorized")
	}
	hour := time.Now().Add(time.Hour).Unix()
	hs, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"aud": s.boxURL + "/x", "sub": "users/" + agent, "exp": hour,
	}).SignedString([]byte(s.fix.ZendeskAppPublicPEM()))
	s.must(err)
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{
		"aud": s.boxURL + "/x", "sub": "users/" + agent, "exp": hour,
	}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	s.must(err)
	for name, token := range map[string]string{
		"none":                  "",
		"not a token":           "x.y.z",
		"HS256 by public key":   hs,
		"alg none":              none,
		"a login's":             s.customer("ada"),
		"another host's":        s.appToken(agent, map[string]any{"aud": "https://evil.example/api/v2/apps/installations/1.json"}),
		"another host's agent":  s.appToken(agent, map[string]any{"sub": "https://evil.example/api/v2/users/" + agent + ".json"}),
		"expired":               s.appToken(agent, map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"of another location":   s.appToken(agent, map[string]any{"context": map[string]any{"product": "support", "location": "nav_bar"}}),
		"of another account":    s.appToken(agent, map[string]any{"iss": "evil.zendesk.com"}),
		"without exp":           s.appToken(agent, map[string]any{"exp": nil}),
		"without aud":           s.appToken(agent, map[string]any{"aud": nil}),
		"without an agent":      s.appToken("nobody", nil),
		"the agent's number 0":  s.appToken("0", nil),
		"with another key":      s.appToken(agent, nil)[:20] + "AAAA" + s.appToken(agent, nil)[24:],
		"a panel's own session": held.SessionToken,
	} {
		if a := s.refused(t, open(token), "unauthorized"); t.Failed() {
			t.Fatalf("%s: %s", name, a)
		}
	}
	s.refused(t, request{path: "/zendesk/app", body: object("token", s.appToken(agent, nil))}, "unsupported_media_type")
	s.refused(t, request{path: "/zendesk/app"}, "unsupported_media_type")
	s.refused(t, open(s.appToken(agent, nil)+"&token=x"), "unauthorized")
}

func TestVisitor(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.box.AddVisitor(sandbox.ZopimVisitor{ID: "1-odd", Name: "Odd", ExternalID: "Ada@Example"})
	hashed := identity.HashID("u_", issuer+"\nAda@Example", 30)
	for id, want := range map[string]map[string]any{
		"9855790-xjj3u5xPWhW1Fv": {
			"id": "9855790.xjj3u5xPWhW1Fv", "externalId": "dana", "linked": true, "imUserId": "dana",
			"name": "Dana Customer", "email": "dana@customer.example",
		},
		"9855790.anonymousVisit1": {
			"id": "9855790.anonymousVisit1", "externalId": "", "linked": false, "imUserId": "", "name": "Visitor 12345678", "email": "",
		},
		"1-odd": {"id": "1.odd", "externalId": "Ada@Example", "linked": true, "imUserId": hashed, "name": "Odd", "email": ""},
	} {
		for _, key := range []string{s.fix.DeskKeyZendesk, s.fix.DeskKeySalesforce} {
			a := s.do(request{method: "GET", path: "/visitor?id=" + id, as: key}).ok(t)
			if diff := cmp.Diff(want, a.fields); diff != "" {
				t.Errorf("visitor %s (-want +got):\n%s", id, diff)
			}
		}
	}
	s.do(request{method: "GET", path: "/visitor?id=1-unknown", as: s.fix.DeskKeyZendesk}).problem(t, "not_found")
	for _, id := range []string{"", "..", "a/b", "a%2Fb", "%2e%2e", "a%20b", strings.Repeat("1", 129), "1?x=1", "-1"} {
		s.refused(t, request{method: "GET", path: "/visitor?id=" + id, as: s.fix.DeskKeyZendesk}, "invalid")
	}
	s.refused(t, request{method: "GET", path: "/visitor", as: s.fix.DeskKeyZendesk}, "invalid")
}

// CORS is the gateway's, as the template says.
func TestCORS(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	preflight := request{method: "OPTIONS", path: "/createticket"}.with("Access-Control-Request-Method", "POST").
		with("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
	a := s.do(preflight.with("Origin", origin))
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != origin ||
		a.header.Get("Access-Control-Allow-Credentials") != "true" ||
		a.header.Get("Access-Control-Allow-Headers") != "authorization,content-type,idempotency-key" ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("preflight %d %v", a.status, a.header)
	}
	if a := s.do(preflight.with("Origin", "https://evil.example")); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another origin %v", a.header)
	}
	a = s.do(request{path: "/createticket", as: s.customer("ada"), body: ticketBody("Lamp")}.with("Origin", origin)).ok(t)
	if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Access-Control-Expose-Headers") != "retry-after" {
		t.Errorf("answer %v", a.header)
	}
	a = s.do(request{path: "/createticket", body: "{}"}.with("Origin", origin)).problem(t, "unauthorized")
	if a.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("problem %v", a.header)
	}
	// The functions say nothing about CORS themselves.
	s = newStack(t, parameter("AllowedOrigins", ""))
	a = s.do(request{path: "/createticket", as: s.customer("ada"), body: ticketBody("Lamp")}.with("Origin", origin)).ok(t)
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("without configuration the answer has %s", name)
		}
	}
}

// The guests' route has a throttle of its own, which the gateway answers for.
func TestGuestThrottle(t *testing.T) {
	t.Parallel()
	s := newStack(t, parameter("GuestThrottleRate", "1"), parameter("GuestThrottleBurst", "1"))
	// Ten at once: a second brings one more into the bucket, however slow the machine.
	answers, errs := make([]answer, 10), make([]error, 10)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i], errs[i] = s.send(request{path: "/guest/createticket", key: uuid.NewString(), body: ticketBody("Lamp")})
		})
	}
	all.Wait()
	s.must(errors.Join(errs...))
	taken := 0
	for _, a := range answers {
		switch {
		case a.status == http.StatusOK:
			taken++
		case a.status != http.StatusTooManyRequests || a.text("message") != "Too Many Requests":
			t.Error(a)
		}
	}
	if taken == 0 || taken == len(answers) {
		t.Errorf("%d of %d taken", taken, len(answers))
	}
	s.tickets(taken)
	s.do(request{path: "/createticket", as: s.customer("ada"), body: ticketBody("Lamp")}).ok(t)
}

// proved is an event with Zendesk's signature.
func (s *stack) proved(body, secret string, at time.Time) request {
	signed := webhook.GenerateTestSigned(secret, []byte(body), at)
	s.vault.add("a webhook's signature", signed.Signature)
	return request{path: "/zendesk/events", body: body}.
		with(webhook.HeaderSignature, signed.Signature).with(webhook.HeaderTimestamp, signed.Timestamp)
}

// An event of Zendesk's is a hint and nothing more, and only Zendesk's.
func TestZendeskEvents(t *testing.T) {
	t.Parallel()
	s := newStack(t, parameter("CronofyBaseUrl", "")) // whose queue TestCalendar looks at
	secret, now := s.fix.Zendesk.WebhookSecret, time.Now()
	ours := `{"type":"zen:event-type:ticket.status_changed","subject":"zen:ticket:7","detail":{"id":"7","external_id":"caseroom:ada:` +
		strings.Repeat("a", 26) + `","description":"` + canary + `"}}`
	for _, r := range []request{
		s.proved(ours, secret, now),
		s.proved(`{"ticketId":7}`, secret, now.Add(-4*time.Minute)),
		{path: "/zendesk/events", as: s.fix.Zendesk.EventsBearer, body: `{"ticketId":"7"}`},
		s.proved(ours, secret, now).with("Authorization", "Bearer "+s.fix.Zendesk.EventsBearer),
		s.proved(strings.Replace(ours, canary, strings.Repeat("x", 1<<20-len(ours)), 1), secret, now), // a whole description
	} {
		hinted, before := len(s.hints()), len(s.calls())
		a := s.do(r).ok(t)
		hints := s.hints()[hinted:]
		if a.fields["queued"] != 1.0 || len(hints) != 1 || hints[0].Group != "zendesk:7" || len(s.since(before)) != 1 {
			t.Errorf("%s: queue %+v", a, hints)
		}
	}
	for _, body := range []string{
		strings.Replace(ours, "caseroom:", "other:", 1), strings.Replace(ours, "ticket.status_changed", "user.created", 1),
	} {
		before := len(s.calls())
		if a := s.do(s.proved(body, secret, now)).ok(t); a.fields["queued"] != 0.0 || len(s.since(before)) != 0 {
			t.Errorf("not ours: %s", a)
		}
	}
	good := s.proved(ours, secret, now)
	tampered := good
	tampered.body = strings.Replace(ours, ":7", ":8", 1)
	twice := good.with(webhook.HeaderSignature, "x")
	for what, r := range map[string]request{
		"tampered":             tampered,
		"two signatures":       twice,
		"another secret":       s.proved(ours, strings.Repeat("z", 32), now),
		"an empty secret":      s.proved(ours, "", now),
		"old":                  s.proved(ours, secret, now.Add(-6*time.Minute)),
		"of tomorrow":          s.proved(ours, secret, now.Add(6*time.Minute)),
		"a bearer for secret":  s.proved(ours, s.fix.Zendesk.EventsBearer, now),
		"a desk's key":         {path: "/zendesk/events", as: s.fix.DeskKeyZendesk, body: ours},
		"a secret as a bearer": {path: "/zendesk/events", as: secret, body: ours},
		"a wrong bearer too":   good.with("Authorization", "Bearer wrong"),
		"no timestamp":         request{path: "/zendesk/events", body: ours}.with(webhook.HeaderSignature, good.header.Get(webhook.HeaderSignature)),
		"no signature":         request{path: "/zendesk/events", body: ours}.with(webhook.HeaderTimestamp, now.Format(time.RFC3339)),
	} {
		if a := s.refused(t, r, "unauthorized"); t.Failed() {
			t.Fatalf("%s: %s", what, a)
		}
	}
	for _, body := range []string{`{}`, `{"ticketId":"x"}`, `{"ticketId":"0"}`, `{"ticketId":{}}`, `[]`, `null`, `x`, ``, `{"ticketId":"7"}{}`} {
		s.refused(t, s.proved(body, secret, now).with("Content-Type", "application/json"), "invalid")
	}
	s.refused(t, s.proved(ours, secret, now).with("Content-Type", "text/plain"), "unsupported_media_type")
	s.refused(t, s.proved(strings.Repeat(" ", 1<<20)+ours, secret, now), "too_large")
}

// chatProof is what proves a callback of our app's for a minute.
func (s *stack) chatProof(token string, at time.Time) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	sign := chatwebhook.Sign(token, seconds)
	s.vault.add("a callback's signature", sign)
	return url.Values{"SdkAppid": {strconv.Itoa(s.fix.Tencent.SDKAppID)}, "Sign": {sign}, "RequestTime": {seconds}}.Encode()
}

// callback is one of the chat's, signed as it is sent.
func (s *stack) callback(command, platform, group, operator string) request {
	return request{
		path: "/chat/events?" + url.Values{"CallbackCommand": {command}, "OptPlatform": {platform}, "contenttype": {"json"}, "ClientIP": {"203.0.113.9"}}.Encode(),
		body: object("CallbackCommand", command, "GroupId", group, "Operator_Account", operator, "Type", "Public", "Name", canary, "EventTime", "1795176000000"),
		chat: s.fix.Tencent.WebhookToken,
	}
}

// An event of the chat's is a hint and nothing more, and only the chat's.
func TestChatEvents(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	const created = "Group.CallbackAfterCreateGroup"
	admin := s.fix.Tencent.AdminUserID
	s.do(s.callback(created, "Web", "ZENDESK#6", "eve")).ok(t) // which reads the secret
	for _, c := range []struct {
		request
		queued string
	}{
		{s.callback(created, "Web", "ZENDESK#7", "eve"), "zendesk:7"},
		{s.callback("Group.CallbackAfterMemberExit", "RESTAPI", "ZENDESK#7", "boss"), "zendesk:7"},
		{s.callback("Group.CallbackAfterMemberExit", "RESTAPI", "ZENDESK#7", admin), ""},
		{s.callback("Group.CallbackAfterSendMsg", "Web", "a-shop's-group", "dana"), ""},
		{s.callback("Group.CallbackBeforeSendMsg", "Web", "ZENDESK#7", "dana"), ""},
		{s.callback("Verify", "", "", ""), ""},
		{s.callback(created, "Web", "ZENDESK#7", "eve").with("Content-Type", "text/plain"), "zendesk:7"},
	} {
		hinted, before := len(s.hints()), len(s.calls())
		a := s.do(c.request).ok(t)
		hints := s.hints()[hinted:]
		if a.fields["ActionStatus"] != "OK" || a.fields["ErrorCode"] != 0.0 || len(hints) != len(s.since(before)) {
			t.Errorf("%s: called %v", a, s.since(before))
		}
		if (c.queued == "") != (len(hints) == 0) || len(hints) > 0 && (hints[0].Group != c.queued || !strings.Contains(hints[0].Body, `"hint":"chat"`)) {
			t.Errorf("%s: queue %+v, want %q", a, hints, c.queued)
		}
	}
	good := s.callback(created, "Web", "ZENDESK#7", "eve")
	unsigned := good
	unsigned.chat = ""
	signed := func(token string, at time.Time) request {
		r := unsigned
		r.path += "&" + s.chatProof(token, at)
		return r
	}
	another := signed(good.chat, time.Now())
	another.path = strings.Replace(another.path, "SdkAppid="+strconv.Itoa(s.fix.Tencent.SDKAppID), "SdkAppid=7", 1)
	twice := signed(good.chat, time.Now())
	twice.path += "&Sign=x"
	for what, r := range map[string]request{
		"unsigned":             unsigned,
		"another token":        signed(strings.Repeat("z", 32), time.Now()),
		"an empty token":       signed("", time.Now()),
		"old":                  signed(good.chat, time.Now().Add(-2*time.Minute)),
		"of tomorrow":          signed(good.chat, time.Now().Add(24*time.Hour)),
		"another app":          another,
		"two signatures":       twice,
		"a desk's key":         {path: unsigned.path, body: unsigned.body, as: s.fix.DeskKeyZendesk},
		"the token as a token": {path: unsigned.path, body: unsigned.body, as: good.chat},
	} {
		if a := s.refused(t, r, "unauthorized"); t.Failed() {
			t.Fatalf("%s: %s", what, a)
		}
	}
	for _, body := range []string{``, `null`, `[]`, `x`, `{}{}`} {
		r := good
		r.body = body
		s.refused(t, r, "invalid")
	}
	long := good
	long.body += strings.Repeat(" ", 64<<10)
	s.refused(t, long, "too_large")

	off := newStack(t, parameter("ChatWebhook", "off"))
	off.refused(t, off.callback(created, "Web", "ZENDESK#7", "eve"), "not_found")
}

// What somebody does in a room, or with a room's id, is put right at once. Echoes of
// our own calls start nothing. Doubled and disordered words of the
// chat end in the same rooms.
func TestChatEventsAreHeard(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*sandbox.Fault{
		"as they are": nil,
		"doubled":     {Vendor: "tencent", Op: "callback", Kind: sandbox.FaultDuplicate},
		"reordered":   {Vendor: "tencent", Op: "callback", Kind: sandbox.FaultReorder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			o := s.opened("zendesk", "ada")
			s.drain()
			s.box.SetChatWebhook(sandbox.ChatWebhook{URL: s.url + "/chat/events", Token: s.fix.Tencent.WebhookToken, Timeout: patience})
			if fault != nil {
				s.must(s.box.AddFault(*fault))
			}
			sent := func() (n int) {
				for _, c := range s.box.Calls() {
					if c.Vendor == "aws" && c.Op == "SendMessage" {
						n++
					}
				}
				return n
			}
			before := sent()
			s.must(s.box.QuitAs("ada", o.group))
			s.must(s.box.CreateGroupAs("eve", sandbox.ClientGroup{GroupID: "ZENDESK#4711", Type: "Public", Name: "no such ticket"}))
			s.must(s.box.Flush(t.Context()))
			told := map[string]bool{}
			for _, h := range s.hints() {
				told[h.Group] = true
			}
			if len(told) != 2 || !told["zendesk:"+o.ticket] || !told["zendesk:4711"] {
				t.Fatalf("told of %v", told)
			}
			s.drain()
			s.must(s.box.Flush(t.Context()))
			if got := members(s.room(o.group)); !slices.Equal(got, []string{"ada"}) {
				t.Errorf("members %v", got)
			}
			if dead := s.dead(); len(dead) != 0 {
				t.Errorf("dead %+v", dead)
			}
			echoes := 0
			for _, c := range s.box.Calls() {
				if c.Op == "callback" && c.Detail["command"] == "Group.CallbackAfterNewMemberJoin" {
					echoes++
				}
			}
			if after := sent() - before; fault == nil && after != 2 || echoes == 0 {
				t.Errorf("%d hints, want 2; %d echoes", after, echoes)
			}
		})
	}
}

func TestSalesforceEvents(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	var cases []string
	for i := range 200 {
		id, err := identity.SalesforceID(fmt.Sprintf("500Hs0000000%03d", i), "500")
		s.must(err)
		cases = append(cases, id)
	}
	for _, r := range []request{
		{path: "/salesforce/events", as: s.fix.DeskKeySalesforce}, request{path: "/iam/salesforce/events"}.signedBy(principal),
	} {
		hinted := len(s.hints())
		r.body = object("cases", append(cases[:199:199], cases[0][:15])) // one of them twice
		if a := s.do(r).ok(t); a.fields["queued"] != 199.0 || len(s.hints())-hinted != 199 {
			t.Errorf("%s: %d in the queue", a, len(s.hints())-hinted)
		}
		r.body = `{"cases":[]}`
		if a := s.do(r).ok(t); a.fields["queued"] != 0.0 {
			t.Error(a)
		}
		for _, body := range []string{
			`{"cases":null}`, `{"cases":{}}`, `{"cases":"` + cases[0] + `"}`, `{"cases":[null]}`, `{"cases":[{}]}`, `{"cases":[""]}`, `{"cases":[1]}`,
			object("cases", []string{cases[0], "ZENDESK#1"}), object("cases", []string{s.fix.Salesforce.AgentIDs[0]}), object("cases", append(cases, cases[0])),
		} {
			r.body = body
			s.refused(t, r, "invalid")
		}
	}
}
