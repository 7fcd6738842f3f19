package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// The fault table: every operation, every upstream call that it makes, every
// way in which that call fails. The first answer is the promised one, and after
// the client's retries there is one ticket and one room with the right people.

// role is what a call is to its operation.
type role string

const (
	secret  role = "secret"  // reads a secret
	before  role = "before"  // must succeed before there can be a ticket
	ticket  role = "ticket"  // makes the ticket
	lookup  role = "lookup"  // finds a ticket whose making had an unknown outcome
	again   role = "again"   // finds the case that an earlier request of the same key made
	account role = "account" // makes the customer known to the chat, beside the ticket
	room    role = "room"    // makes the room
	queue   role = "queue"   // tells Sync, who finds out anyway
	hint    role = "hint"    // tells Sync, and that is all that there is
	only    role = "only"    // is all that there is
	consent role = "consent" // spends an agent's consent, which is good once
	kept    role = "kept"    // writes down what is then looked up
)

// meaning is what a failed call says.
type meaning string

const (
	hang      meaning = "hang"      // no answer
	lost      meaning = "lost"      // no usable answer, nothing done
	done      meaning = "done"      // no usable answer, and it was done
	reset     meaning = "reset"     // the connection broke before anything was done
	busy      meaning = "busy"      // not now
	stale     meaning = "stale"     // our credential has run out
	refused   meaning = "refused"   // no
	progress  meaning = "progress"  // the same request is being done, or was done otherwise
	moderated meaning = "moderated" // not with these words
	unfit     meaning = "unfit"     // not with this address or name
	stranger  meaning = "stranger"  // no such account
	exists    meaning = "exists"    // there is such a group
	gone      meaning = "gone"      // there is no such thing
)

// fault is a way to fail.
type fault struct {
	name    string
	meaning meaning
	sandbox.Fault
}

// ways are those that every call can fail in.
var ways = []fault{
	{"timeout", hang, sandbox.Fault{Kind: sandbox.FaultTimeout}},
	{"reset before", reset, sandbox.Fault{Kind: sandbox.FaultResetBefore}},
	{"reset after", done, sandbox.Fault{Kind: sandbox.FaultResetAfter}},
	{"429", busy, sandbox.Fault{Kind: sandbox.FaultStatus, Status: 429}},
	{"429 Retry-After", busy, sandbox.Fault{Kind: sandbox.FaultStatus, Status: 429, RetryAfter: "30"}},
	{"500", lost, sandbox.Fault{Kind: sandbox.FaultStatus, Status: 500}},
	{"503", busy, sandbox.Fault{Kind: sandbox.FaultStatus, Status: 503}},
	{"HTML", lost, sandbox.Fault{Kind: sandbox.FaultHTML}},
	{"null", lost, sandbox.Fault{Kind: sandbox.FaultNull}},
	{"truncated", done, sandbox.Fault{Kind: sandbox.FaultTruncate}},
}

func code(code string, m meaning) fault {
	return fault{"code " + code, m, sandbox.Fault{Kind: sandbox.FaultCode, Code: code}}
}

// codes are the vendors' own errors, by call.
var codes = map[string][]fault{
	"aws SendMessageBatch": {code("AccessDeniedException", refused), code("ThrottlingException", busy)},
	"aws GetSecretValue":   {code("ResourceNotFoundException", lost), code("AccessDeniedException", lost), code("DecryptionFailure", lost), code("InternalServiceError", lost)},
	"aws SendMessage":      {code("AccessDeniedException", refused), code("ThrottlingException", busy), code("AWS.SimpleQueueService.NonExistentQueue", refused)},

	"zendesk oauth_tokens":   {code("invalid_client", refused), code("unauthorized_client", refused), code("invalid_scope", refused)},
	"zendesk tickets_create": {code("invalid_token", stale), code("RecordInvalid", unfit), code("Forbidden", refused), code("IdempotentRequestError", progress), code("IdempotentRequestInProgress", progress), code("APIRateLimitExceeded", busy), code("unavailable", busy)},
	"zendesk tickets_list":   {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},
	"zendesk users_list":     {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},
	"zendesk users_create":   {code("invalid_token", stale), code("RecordInvalid", unfit), code("APIRateLimitExceeded", busy)},

	"salesforce oauth_token":        {code("invalid_client", refused), code("invalid_grant", refused), code("rate_limit_exceeded", busy)},
	"salesforce sobject_create":     {code("INVALID_SESSION_ID", stale), code("DUPLICATE_VALUE", refused), code("INVALID_EMAIL_ADDRESS", unfit), code("INSUFFICIENT_ACCESS", refused), code("REQUEST_LIMIT_EXCEEDED", busy), code("UNABLE_TO_LOCK_ROW", busy), code("SERVER_UNAVAILABLE", busy), code("UNKNOWN_EXCEPTION", lost)},
	"salesforce sobject_get_by_key": {code("INVALID_SESSION_ID", stale), code("INSUFFICIENT_ACCESS", refused), code("REQUEST_LIMIT_EXCEEDED", busy)},

	"tencent account_import":      {code("70001", stale), code("80001", moderated), code("70398", refused), code("70009", refused), code("60007", busy), code("70500", lost)},
	"tencent create_group":        {code("70001", stale), code("80001", refused), code("10021", exists), code("10025", exists), code("10019", stranger), code("10007", refused), code("10036", refused), code("10058", refused), code("70009", refused), code("70051", busy), code("60007", busy), code("10002", lost)},
	"tencent get_group_info":      {code("70001", stale), code("10002", lost), code("60007", busy)},
	"tencent destroy_group":       {code("70001", stale), code("10007", refused), code("10002", lost)},
	"tencent add_group_member":    {code("70001", stale), code("10019", stranger), code("10010", gone), code("10014", refused), code("result:0", refused), code("result:3", refused), code("result:4", refused), code("60007", busy), code("10002", lost)},
	"tencent delete_group_member": {code("70001", stale), code("10007", refused), code("60007", busy), code("10002", lost)},

	"aws PutSecretValue":      recordCodes,
	"aws CreateSecret":        recordCodes,
	"cronofy token":           {code("invalid_grant", gone), code("invalid_client", refused)},
	"cronofy calendars_list":  {code("401", refused), code("403", refused), code("429", busy)},
	"zendesk search_export":   {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},
	"zendesk users_show_many": {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},

	"zopim visitors_show": {code("invalid_token", stale), code("not_found", gone), code("rate_limited", busy)},
}

// want is what may be answered: statuses, and whether a ticket is named by a
// failure.
type want struct {
	statuses []int
	ticket   bool
}

func (w want) or(statuses ...int) want {
	w.statuses = append(slices.Clone(w.statuses), statuses...)
	return w
}

// expected is the API's promise about the first answer:
//
//	ticket, room                                    200, also when only the queue failed
//	ticket, room failed                             503 with ticketId
//	ticket unknown or refused for now, after look-up 503, no ticketId
//	a vendor refused for good, or our credentials   502
//	own deadline                                    504, the same fields
//	no such room or visitor                         404
//
// Only safe calls are repeated, and how often is nobody's business: a fault
// that strikes such a call once may show or not. One that stays must show.
func expected(r role, m meaning, once bool) want {
	var (
		ok       = want{statuses: []int{http.StatusOK}}
		later    = want{statuses: []int{http.StatusServiceUnavailable}}
		never    = want{statuses: []int{http.StatusBadGateway}}
		noRoom   = want{statuses: []int{http.StatusServiceUnavailable}, ticket: true}
		nothing  = want{statuses: []int{http.StatusNotFound}}
		deadline = func(w want) want {
			if m == hang {
				return w.or(http.StatusGatewayTimeout)
			}
			return w
		}
	)
	switch r {
	case queue:
		return ok
	case hint:
		// Zendesk repeats a 503 and nothing else, so it is never a 504.
		if once {
			return later.or(http.StatusOK)
		}
		return later
	case secret:
		if once {
			return deadline(later.or(http.StatusOK))
		}
		return deadline(later)
	case ticket:
		switch {
		case m == done, once && (m == stale || m == unfit):
			return ok
		case m == stale, m == refused, m == unfit:
			return never
		case m == reset && once:
			return later.or(http.StatusOK) // the transport may see a dead connection
		}
		return deadline(later)
	case lookup:
		switch {
		case m == stale && once:
			return ok
		case once:
			return deadline(later.or(http.StatusOK))
		}
		return deadline(later)
	case again:
		// Without the look-up the desk's refusal is all there is to tell.
		switch {
		case m == stale && once:
			return ok
		case once:
			return deadline(later.or(http.StatusOK, http.StatusBadGateway))
		}
		return deadline(later.or(http.StatusBadGateway))
	case account, room:
		switch {
		case m == done && r == account:
			return ok // the customer is known by then
		case m == refused && r == account && once:
			return noRoom.or(http.StatusOK) // the room's call imports again
		case m == refused:
			return noRoom
		case once && (m == stale || m == moderated || m == stranger || m == exists || m == gone):
			return ok
		case once:
			return deadline(noRoom.or(http.StatusOK))
		}
		return deadline(noRoom)
	case consent:
		switch {
		case m == gone:
			return want{statuses: []int{http.StatusBadRequest}} // used: the agent consents again
		case m == refused:
			return never
		case m == reset && once:
			return later.or(http.StatusOK)
		}
		return deadline(later)
	case kept:
		switch {
		case m == done:
			return ok
		case m == refused:
			return never
		case once:
			return deadline(later.or(http.StatusOK))
		}
		return deadline(later)
	case before, only:
		switch {
		case m == gone:
			return nothing
		case once && (m == stale || m == stranger || m == unfit):
			return ok
		case m == stale, m == refused, m == stranger, m == moderated, m == unfit:
			return never
		case m == done:
			return later.or(http.StatusOK, http.StatusBadGateway) // it made no sense
		case once:
			return deadline(later.or(http.StatusOK))
		}
		return deadline(later)
	}
	panic("no such role")
}

// scene is a request and what must hold after it was answered with 200.
type scene struct {
	request request
	settled func(last answer) error

	page bool                     // what fails is told to a person
	next func() request           // of another try; nil for the same request
	half func(first answer) error // must hold after a failure, once the fault is over; may be nil
}

func (sc scene) again() request {
	if sc.next != nil {
		return sc.next()
	}
	return sc.request
}

// row is one call of one operation.
type row struct {
	operation string
	call      string // "vendor op"
	role      role
	scene     func(*stack) scene
	// open are the faults without which the call is not made.
	open []sandbox.Fault
	// ways and codes are in place of the usual ones.
	ways, codes []fault
	// sparing leaves out the faults that strike once, where that only shows what
	// other rows do: that the client tries again.
	sparing bool
}

func (r row) faults() []fault {
	list, own := ways, codes[r.call]
	if r.ways != nil {
		list = r.ways
	}
	if r.codes != nil {
		own = r.codes
	}
	return slices.Concat(list, own)
}

// one checks that the desks hold one ticket and the chat one room, with exactly
// the customer, and that Sync was told.
func (s *stack) one(customer string) func(answer) error {
	return func(last answer) error {
		made := len(s.box.Zendesk().Tickets()) + len(s.box.Salesforce().Cases())
		groups := s.box.Groups()
		if made != 1 || len(groups) != 1 {
			return fmt.Errorf("%d tickets and %d rooms", made, len(groups))
		}
		g := groups[0]
		if g.GroupID != last.text("GroupId") || g.Owner != "" || g.Type != "Public" || g.ApplyJoinOption != "DisableApply" {
			return fmt.Errorf("the answer is %s and the room %+v", last, g)
		}
		if customer == "" {
			customer = last.text("userId") // a guest's, which follows from the key
		}
		if got := members(g); !slices.Equal(got, []string{customer}) {
			return fmt.Errorf("members %v, want %s alone", got, customer)
		}
		return nil
	}
}

func create(path string, claims map[string]any, key func() string) func(*stack) scene {
	return func(s *stack) scene {
		return scene{
			request: request{path: path, as: s.loginToken("ada", claims), key: key(), body: ticketBody("Lamp")},
			settled: s.one("ada"),
		}
	}
}

func rows() []row {
	withEmail := map[string]any{"email": "ada@" + canary + ".example", "email_verified": true, "name": "Ada " + canary}
	aged := func() string {
		id := uuid.Must(uuid.NewV7())
		ms := time.Now().Add(-3 * time.Hour).UnixMilli()
		for i := range 6 {
			id[i] = byte(ms >> (8 * (5 - i)))
		}
		return id.String()
	}
	z := create("/zendesk/createticket", withEmail, uuid.NewString)
	sf := create("/salesforce/createticket", withEmail, uuid.NewString)
	guest := func(s *stack) scene {
		return scene{request: request{path: "/guest/createticket", key: uuid.NewString(), body: ticketBody("Lamp")}, settled: s.one("")}
	}
	// regular has been here before: the chat knows them.
	regular := func(s *stack) scene {
		s.must(s.rooms().Import(context.Background(), relay.Account{UserID: "ada"}))
		return z(s)
	}
	squatted := func(s *stack) scene {
		s.must(s.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: "ZENDESK#1001", Type: "Public", Name: "Ticket"}))
		return z(s)
	}
	// retry is a retry after a first answer that never arrived.
	retry := func(first func(*stack) scene) func(*stack) scene {
		return func(s *stack) scene {
			sc := first(s)
			s.do(sc.request).ok(s.tb)
			s.restart()
			return sc
		}
	}
	makesTicket := sandbox.Fault{Vendor: "zendesk", Op: "tickets_create", Kind: sandbox.FaultTruncate, Times: 1}
	makesCase := sandbox.Fault{Vendor: "salesforce", Op: "sobject_create", Kind: sandbox.FaultTruncate, Times: 1}
	makesRoom := sandbox.Fault{Vendor: "tencent", Op: "create_group", Kind: sandbox.FaultTruncate, Times: 1}

	list := []row{
		{operation: "createticket zendesk", call: "aws GetSecretValue", role: secret, scene: z},
		{operation: "createticket zendesk", call: "zendesk oauth_tokens", role: before, scene: z},
		{operation: "createticket zendesk", call: "zendesk tickets_create", role: ticket, scene: z},
		{operation: "createticket zendesk", call: "tencent account_import", role: account, scene: z},
		{operation: "createticket zendesk", call: "tencent create_group", role: room, scene: z},
		{operation: "createticket zendesk", call: "aws SendMessage", role: queue, scene: z},
		{operation: "createticket zendesk, no address", call: "zendesk users_list", role: before, scene: create("/zendesk/createticket", nil, uuid.NewString)},
		{operation: "createticket zendesk, no address", call: "zendesk users_create", role: before, scene: create("/zendesk/createticket", map[string]any{"name": "Ada " + canary}, uuid.NewString)},
		{operation: "createticket zendesk, aged key", call: "zendesk tickets_list", role: before, scene: create("/zendesk/createticket", withEmail, aged)},
		{operation: "createticket zendesk, ticket made", call: "zendesk tickets_list", role: lookup, scene: z, open: []sandbox.Fault{makesTicket}},
		{operation: "createticket zendesk, room made", call: "tencent get_group_info", role: room, scene: z, open: []sandbox.Fault{makesRoom}},
		{operation: "createticket zendesk, room made", call: "tencent add_group_member", role: room, scene: z, open: []sandbox.Fault{makesRoom}},
		{operation: "createticket zendesk, retry", call: "tencent get_group_info", role: room, scene: retry(z)},
		{operation: "createticket zendesk, squatted", call: "tencent get_group_info", role: room, scene: squatted},
		{operation: "createticket zendesk, squatted", call: "tencent destroy_group", role: room, scene: squatted},
		{operation: "createticket zendesk, squatted", call: "tencent create_group", role: room, scene: squatted},
		{operation: "createticket zendesk, regular", call: "tencent account_import", role: queue, scene: regular},
		{operation: "createticket salesforce", call: "salesforce oauth_token", role: before, scene: sf},
		{operation: "createticket salesforce", call: "salesforce sobject_create", role: ticket, scene: sf},
		{operation: "createticket salesforce", call: "tencent create_group", role: room, scene: sf},
		{operation: "createticket salesforce, aged key", call: "salesforce sobject_get_by_key", role: before, scene: create("/salesforce/createticket", withEmail, aged)},
		{operation: "createticket salesforce, case made", call: "salesforce sobject_get_by_key", role: lookup, scene: sf, open: []sandbox.Fault{makesCase}},
		{operation: "createticket guest", call: "aws GetSecretValue", role: secret, scene: guest},
		{operation: "createticket guest", call: "zendesk tickets_create", role: ticket, scene: guest},
		{operation: "createticket guest", call: "tencent create_group", role: room, scene: guest},
	}
	// A retry whose first try made the case meets DUPLICATE_VALUE, ours.
	list = append(list, row{operation: "createticket salesforce, retry", call: "salesforce sobject_get_by_key", role: again, scene: retry(sf)})

	const agent, caseID = "900000101", "500Hs00001VmO9hIAF"
	const sfAgent = "005Hs00000AbCdEIAV"
	standing := func(s *stack, group string, members ...string) {
		rooms, ctx := s.rooms(), context.Background()
		s.must(rooms.Import(ctx, relay.Account{UserID: "ada"}))
		_, err := rooms.Ensure(ctx, relay.NewRoom{
			GroupID: group, Name: "Lamp", Neutral: "Lamp", Customer: "ada",
			Mark: relay.Mark{Desk: relay.DeskHash(strings.TrimPrefix(s.boxURL, "http://"))},
		})
		s.must(err)
		for _, m := range members {
			_, err := rooms.Join(ctx, group, relay.Account{UserID: m})
			s.must(err)
		}
	}
	// member is a room with the customer and who is there in it, and an agent
	// whom the chat knows, unless they are new.
	member := func(op string, zendesk, known bool, there ...string) func(*stack) scene {
		return func(s *stack) scene {
			group, key, user := "ZENDESK#1001", s.fix.DeskKeyZendesk, agent
			if !zendesk {
				group, key, user = caseID, s.fix.DeskKeySalesforce, sfAgent
			}
			standing(s, group, there...)
			if known {
				s.must(s.rooms().Import(context.Background(), relay.Account{UserID: "zd_" + agent}, relay.Account{UserID: "sf_" + sfAgent}))
			}
			want := []string{"ada"}
			if op == "joingroup" {
				want = []string{"ada", map[bool]string{true: "zd_" + agent, false: "sf_" + sfAgent}[zendesk]}
			}
			r := request{path: "/" + op, as: key, body: object("groupId", group, "userId", user)}
			if !zendesk {
				r.path, r.as = "/iam/salesforce/"+op, ""
				r = r.signedBy(principal)
			}
			return scene{request: r, settled: func(answer) error {
				g, ok := s.box.Group(group)
				switch {
				case !ok:
					return fmt.Errorf("the room is still there")
				case op != "deletegroup" && !slices.Equal(members(g), want):
					return fmt.Errorf("members %v, want %v", members(g), want)
				}
				return nil
			}}
		}
	}
	settled := func(answer) error { return nil }
	hinted := func(group string, r func(*stack) request) func(*stack) scene {
		return func(s *stack) scene {
			return scene{request: r(s), settled: func(answer) error {
				if !slices.ContainsFunc(s.hints(), func(m sandbox.MessageState) bool { return m.Group == group }) {
					return fmt.Errorf("the queue does not hold %s", group)
				}
				return nil
			}}
		}
	}
	signed := func(s *stack) request {
		return s.proved(object("ticketId", "1001"), s.fix.Zendesk.WebhookSecret, time.Now())
	}
	cases := func(s *stack) request {
		return request{path: "/salesforce/events", as: s.fix.DeskKeySalesforce, body: object("cases", []string{caseID, "500Hs00001VmO9i"})}
	}
	told := func(s *stack) request {
		return s.callback("Group.CallbackAfterMemberExit", "Web", "ZENDESK#1001", "ada")
	}
	list = append(list,
		row{operation: "joingroup", call: "aws GetSecretValue", role: secret, scene: member("joingroup", true, true)},
		row{operation: "joingroup", call: "tencent add_group_member", role: only, scene: member("joingroup", true, true)},
		row{operation: "joingroup, new agent", call: "tencent account_import", role: only, scene: member("joingroup", true, false)},
		row{operation: "joingroup", call: "aws SendMessage", role: queue, scene: member("joingroup", true, true)},
		row{operation: "joingroup salesforce", call: "tencent add_group_member", role: only, scene: member("joingroup", false, true)},
		row{operation: "leavegroup", call: "aws GetSecretValue", role: secret, scene: member("leavegroup", true, true, "zd_"+agent)},
		row{operation: "leavegroup", call: "tencent delete_group_member", role: only, scene: member("leavegroup", true, true, "zd_"+agent)},
		row{operation: "leavegroup", call: "aws SendMessage", role: queue, scene: member("leavegroup", true, true, "zd_"+agent)},
		row{operation: "usersig", call: "aws GetSecretValue", role: secret, scene: func(s *stack) scene {
			return scene{request: request{path: "/usersig", as: s.customer("ada"), body: "{}"}, settled: settled}
		}},
		row{operation: "chatjwt", call: "aws GetSecretValue", role: secret, scene: func(s *stack) scene {
			return scene{request: request{method: "GET", path: "/generate/token", as: s.customer("ada")}, settled: settled}
		}},
		row{operation: "zendeskapp", call: "aws GetSecretValue", role: secret, scene: func(s *stack) scene {
			return scene{request: request{path: "/zendesk/app", body: "token=" + s.appToken("1", nil)}.with("Content-Type", "application/x-www-form-urlencoded"), settled: settled}
		}},
		row{operation: "zendeskevent", call: "aws GetSecretValue", role: hint, scene: hinted("zendesk:1001", signed)},
		row{operation: "zendeskevent", call: "aws SendMessage", role: hint, scene: hinted("zendesk:1001", signed)},
		row{operation: "salesforceevent", call: "aws GetSecretValue", role: secret, scene: hinted("salesforce:"+caseID, cases)},
		row{operation: "salesforceevent", call: "aws SendMessageBatch", role: hint, scene: hinted("salesforce:"+caseID, cases)},
		row{operation: "chatevent", call: "aws GetSecretValue", role: hint, scene: hinted("zendesk:1001", told)},
		row{operation: "chatevent", call: "aws SendMessage", role: hint, scene: hinted("zendesk:1001", told)},
		row{operation: "visitor", call: "aws GetSecretValue", role: secret, scene: visit},
		row{operation: "visitor", call: "zopim visitors_show", role: only, scene: visit},
	)
	for _, call := range []string{
		"aws GetSecretValue", "zendesk oauth_tokens", "zendesk users_me", "zendesk tickets_show_many", "tencent get_group_info",
		"tencent modify_group_base_info", "tencent group_msg_get_simple", "zendesk tickets_comments",
		"aws GetObject", "zendesk tickets_update", "tencent destroy_group",
	} {
		list = append(list, row{operation: "deletegroup", call: call, role: only, scene: dissolve("zendesk", false)})
	}
	for _, call := range []string{"salesforce oauth_token", "salesforce query_all", "salesforce query", "salesforce sobject_upsert"} {
		list = append(list, row{operation: "deletegroup salesforce", call: call, role: only, scene: dissolve("salesforce", false)})
	}
	list = append(list, row{operation: "deletegroup of a deleted case", call: "aws PutObject", role: only, scene: dissolve("salesforce", true)})
	// A call's client decides what a failure means, and its role what comes of it:
	// one row of a call and role has all failures, the others one of each meaning.
	seen := map[string]bool{}
	for i, r := range list {
		if key := r.call + " " + string(r.role); seen[key] {
			list[i].ways, list[i].codes, list[i].sparing = each, oneOfEach(codes[r.call]), true
		} else {
			seen[key] = true
		}
	}
	return append(list, calendarRows()...)
}

// each is one way of each meaning.
var each = oneOfEach(ways)

func oneOfEach(faults []fault) []fault {
	list := []fault{}
	for _, f := range faults {
		if !slices.ContainsFunc(list, func(x fault) bool { return x.meaning == f.meaning }) {
			list = append(list, f)
		}
	}
	return list
}

// dissolve is a room in which something was said. It goes when that is filed:
// once, on the ticket or, when that is deleted, in the archive.
func dissolve(desk string, deleted bool) func(*stack) scene {
	return func(s *stack) scene {
		room := s.createTicket("/"+desk+"/createticket", s.customer("ada")).text("GroupId")
		s.must(s.box.SendAs("ada", room, "It is dark. "+canary))
		key := s.fix.DeskKeyZendesk
		if desk == "salesforce" {
			key = s.fix.DeskKeySalesforce
		}
		if deleted {
			s.must(s.box.Salesforce().Delete(room))
		}
		return scene{request: request{path: "/deletegroup", as: key, body: object("groupId", room)}, settled: func(answer) error {
			state, filed := s.box.State(), 0
			for _, t := range state.Zendesk.Tickets {
				for _, c := range t.Comments {
					if strings.HasPrefix(c.Body, "Chat transcript ") && strings.Contains(c.Body, canary) && !c.Public {
						filed++
					}
				}
			}
			filed += len(state.Salesforce.Transcripts) + len(state.AWS.Objects)
			if _, there := s.box.Group(room); there || filed != 1 {
				return fmt.Errorf("the room is there: %v; its transcript was filed %d times", there, filed)
			}
			return nil
		}}
	}
}

func visit(s *stack) scene {
	return scene{
		request: request{method: "GET", path: "/visitor?id=9855790-xjj3u5xPWhW1Fv", as: s.fix.DeskKeyZendesk},
		settled: func(answer) error { return nil },
	}
}

// logins are the calls that give a client its token.
var logins = []string{"oauth_tokens", "oauth_token"}

// How many stacks run side by side. Where nothing answers, nearly all of their
// time is spent waiting.
const (
	atOnce     = 12
	hangAtOnce = 48
)

// hangTimeout is the functions' time where nothing answers. It is waited for,
// and enough on a busy machine for the calls before the one that hangs.
const hangTimeout = 10 * time.Second

func TestFaults(t *testing.T) {
	t.Parallel()
	var tries, hanging []try
	for _, r := range rows() {
		name := r.operation + "/" + r.call
		for _, f := range r.faults() {
			list := &tries
			if f.meaning == hang {
				list = &hanging
			}
			*list = append(*list, try{name + "/" + f.name, func(t *testing.T) { r.strike(t, f, false) }})
			if !r.sparing || f.meaning == done {
				*list = append(*list, try{name + "/" + f.name + ", once", func(t *testing.T) { r.strike(t, f, true) }})
			}
		}
		tries = append(tries,
			try{name + "/cancelled before", func(t *testing.T) { r.cancel(t, sandbox.FaultTimeout) }},
			try{name + "/cancelled after", func(t *testing.T) { r.cancel(t, sandbox.FaultSlow) }},
		)
	}
	runAll(t, tries, hanging)
}

// try is one fault of one row.
type try struct {
	name string
	run  func(*testing.T)
}

// runAll runs the faults that answer beside those that do not.
func runAll(t *testing.T, tries, hanging []try) {
	var wg sync.WaitGroup
	run := func(tries []try, atOnce int) {
		work := make(chan try, len(tries))
		for _, try := range tries {
			work <- try
		}
		close(work)
		for range atOnce {
			wg.Go(func() {
				for try := range work {
					t.Run(try.name, try.run)
				}
			})
		}
	}
	run(tries, atOnce)
	run(hanging, hangAtOnce)
	wg.Wait()
	t.Logf("%d faults", len(tries)+len(hanging))
}

// strike has the row's call fail, once or until the first answer is there, and
// retries as a client does.
func (r row) strike(t *testing.T, f fault, once bool) {
	var options []option
	if f.meaning == hang {
		options = append(options, functionTimeout(hangTimeout))
	}
	s := newStack(t, options...)
	sc := r.scene(s)
	for _, open := range r.open {
		s.must(s.box.AddFault(open))
	}
	f.Vendor, f.Op, _ = strings.Cut(r.call, " ")
	if once {
		f.Times = 1
	}
	s.must(s.box.AddFault(f.Fault))
	first := s.do(sc.request)
	if !slices.ContainsFunc(s.box.Calls(), func(c sandbox.Call) bool { return c.Fault == f.Kind && c.Vendor+" "+c.Op == r.call }) {
		t.Fatalf("the fault did not strike; calls %v", s.calls())
	}
	want := expected(r.role, f.meaning, once)
	if !slices.Contains(want.statuses, first.status) {
		t.Errorf("the first answer is %s, want one of %v", first, want.statuses)
	}
	if first.status != http.StatusOK {
		r.checkProblem(t, first, f, want, sc.page)
	}
	moved := strings.HasPrefix(r.operation, "joingroup") || strings.HasPrefix(r.operation, "leavegroup")
	if (first.text("ticketId") != "" || moved && r.role == only) && r.call != "aws SendMessage" && len(s.hints()) == 0 {
		t.Error("Sync was not told")
	}
	s.box.ClearFaults()
	if _, op, _ := strings.Cut(r.call, " "); slices.Contains(logins, op) {
		s.restart() // a process remembers for a while that its login was refused
	}
	if first.status != http.StatusOK && sc.half != nil {
		if err := sc.half(first); err != nil {
			t.Errorf("after the failure: %v", err)
		}
	}
	s.settle(sc, first)
}

func (r row) checkProblem(t *testing.T, first answer, f fault, want want, page bool) {
	t.Helper()
	code := map[int]string{404: "not_found", 502: "upstream", 503: "unavailable", 504: "timeout"}[first.status]
	if page {
		if first.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(first.body), "That did not work") {
			t.Errorf("no page for a person: %s", first)
		}
	} else if err := first.asProblem(code); err != nil {
		t.Error(err)
	}
	creates := strings.HasPrefix(r.operation, "createticket")
	if id := first.text("ticketId"); creates && (id != "") != want.ticket {
		t.Errorf("ticketId %q; a ticket that exists and no other is named: %s", id, first)
	}
	// How long the vendor asked to wait reaches the client.
	direct := (r.role == before || r.role == ticket || r.role == room || r.role == only || r.role == consent) && f.Vendor != "aws"
	if wait, _ := strconv.Atoi(first.header.Get("Retry-After")); f.RetryAfter != "" && direct && strconv.Itoa(wait) != f.RetryAfter {
		t.Errorf("Retry-After %d, want the vendor's %s", wait, f.RetryAfter)
	}
}

// cancel kills the function while the row's call is under way, whether or not
// the vendor goes on to do it.
func (r row) cancel(t *testing.T, kind string) {
	s := newStack(t)
	sc := r.scene(s)
	for _, open := range r.open {
		s.must(s.box.AddFault(open))
	}
	f := sandbox.Fault{Kind: kind, Times: 1}
	f.Vendor, f.Op, _ = strings.Cut(r.call, " ")
	if kind == sandbox.FaultSlow {
		f.Delay = 40 * time.Millisecond
	}
	s.must(s.box.AddFault(f))
	arrived := make(chan answer, 1)
	go func() { a, _ := s.send(sc.request); arrived <- a }()
	s.until(func() bool {
		return slices.ContainsFunc(s.box.Calls(), func(c sandbox.Call) bool { return c.Fault == kind && c.Vendor+" "+c.Op == r.call })
	})
	s.restart()
	first := <-arrived
	// Nothing, the gateway's word, or an answer that was on its way already.
	if !slices.Contains([]int{0, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusOK}, first.status) {
		t.Errorf("the first answer is %s", first)
	}
	s.box.ClearFaults()
	s.settle(sc, first)
	// What the vendor was still doing is done by now, or never.
	time.Sleep(f.Delay)
	if err := sc.settled(s.do(sc.again()).ok(t)); err != nil {
		t.Errorf("later: %v", err)
	}
}

// settle sends the request again until it is answered with 200, and checks what
// is then there.
func (s *stack) settle(sc scene, first answer) {
	s.tb.Helper()
	last := first
	for tries := 0; last.status != http.StatusOK; tries++ {
		if tries == 60 {
			s.tb.Fatalf("still no 200 after %d tries: %s", tries, last)
		}
		if tries > 0 {
			time.Sleep(50 * time.Millisecond)
		}
		last = s.do(sc.again())
	}
	if id := first.text("ticketId"); id != "" && id != last.text("ticketId") {
		s.tb.Errorf("first ticket %s, then ticket %s", id, last.text("ticketId"))
	}
	if err := sc.settled(last); err != nil {
		s.tb.Error(err)
	}
}
