// Package tencent is the stand-in for a Tencent Chat app: the REST commands of
// its server API under /tencent, and what its client SDK does under /chat.
package tencent

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

// Fixture is the IM app and its admin.
type Fixture struct {
	SDKAppID    int
	SecretKey   string
	AdminUserID string
	// WebhookToken signs the app's callbacks; see [Webhook].
	WebhookToken string
}

// Plan is what the IM app has bought. Zero fields take the Standard
// plan's value, or no limit where none is said.
type Plan struct {
	MaxMembers    int           // of one group; 500 (Trial 20)
	GroupsPerUser int           // one account may be in; 500 (Trial 50)
	MaxGroups     int           // of the app; no limit (Trial 100)
	MaxAccounts   int           // of the app; no limit (Trial 100)
	WebInstances  int           // browsers in which one account is online; 1, as a new app has it
	History       time.Duration // how long messages are kept; 7 days
	// HistoryBytes is how much of messages' bodies one group_msg_get_simple
	// returns; 64 KiB. The vendor says that long messages shorten an answer, and
	// no number.
	HistoryBytes int
	// RatePerSecond limits each command, group messages to 40 a second and
	// group and get_appid_group_list to one a second. 0: nothing is limited.
	RatePerSecond int
	// ForbiddenWords are refused by moderation in names, introductions and
	// messages.
	ForbiddenWords []string
	// DropEmptied dissolves an ownerless group with its last member. Whether
	// the vendor does is not documented.
	DropEmptied bool
}

// app is the state of the stand-in.
type app struct {
	*engine.Engine
	fix      *Fixture
	plan     Plan
	accounts map[string]*account
	deleted  map[string]time.Time // accounts that may not come back yet
	groups   map[string]*group
	made     uint64 // groups made so far
	rates    map[string]*rate
	chat     *clients

	webhook   Webhook
	callbacks uint64 // made so far
}

type account struct {
	id, nick, faceURL string
	admin             bool
	kicked            time.Time
	groups            int
}

type member struct {
	id       string
	role     string // Owner, Admin, Member
	joined   time.Time
	lastSend time.Time
	seq      uint64 // of the last message when they joined
	read     uint64 // of the last message they have read
}

type group struct {
	ordinal                             uint64
	id, typ, name                       string
	introduction, notification, faceURL string
	owner                               string
	applyJoin, inviteJoin               string
	muteAll, history                    bool
	maxMembers                          int
	created, lastInfo                   time.Time
	members                             []*member
	muted                               map[string]time.Time
	messages                            []*message
	notices                             []Notice
	rate                                rate
}

type message struct {
	seq      uint64
	random   uint32
	from     string
	body     []any
	content  string // the body as it was sent, for the duplicate check
	custom   string
	priority string
	time     time.Time
	recalled bool
	clientID string // by which the sender's client knows it
}

type rate struct {
	second int64
	n      int
}

// refusal is a refusal in the vendor's numbers; see https://trtc.io/document/34348.
type refusal struct {
	code int
	info string
}

func refuse(code int, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// reply holds what an answer carries beside the envelope.
type reply map[string]any

// command is one REST command; the engine is locked while it runs.
type command func(t *app, r *http.Request, a *args) (reply, *refusal)

// New mounts the REST API under /tencent, and what chat clients do under /chat,
// and returns the app's inside. The engine's lock guards fix, whose key may rotate.
func New(e *engine.Engine, fix *Fixture, plan Plan) App {
	plan.MaxMembers = cmp.Or(plan.MaxMembers, 500)
	plan.GroupsPerUser = cmp.Or(plan.GroupsPerUser, 500)
	plan.History = cmp.Or(plan.History, 7*24*time.Hour)
	plan.HistoryBytes = cmp.Or(plan.HistoryBytes, 64<<10)
	plan.WebInstances = cmp.Or(plan.WebInstances, 1)
	t := &app{
		Engine: e, fix: fix, plan: plan,
		accounts: map[string]*account{},
		deleted:  map[string]time.Time{},
		groups:   map[string]*group{},
		rates:    map[string]*rate{},
		chat:     newClients(),
	}
	admin := fix.AdminUserID
	t.accounts[admin] = &account{id: admin, admin: true}

	e.CodeErrors("tencent", func(w http.ResponseWriter, code string) {
		n, err := strconv.Atoi(code)
		if err != nil {
			n = 10002
		}
		answer(w, nil, refuse(n, "forced by a fault"))
	})
	for _, code := range []string{"result:0", "result:3", "result:4"} {
		e.OwnCode("tencent", code)
	}

	handlers := map[string]http.Handler{}
	for path, run := range commands {
		_, op, _ := strings.Cut(path, "/")
		handlers[path] = e.Operation("tencent", op, func(w http.ResponseWriter, r *http.Request) {
			t.serve(w, r, op, run)
		})
	}
	unknown := e.Operation("tencent", "unknown", func(w http.ResponseWriter, r *http.Request) {
		t.serve(w, r, "unknown", func(*app, *http.Request, *args) (reply, *refusal) {
			return nil, refuse(60009, "no such service or command")
		})
	})
	e.Mount("/tencent/v4/{service}/{command}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := handlers[r.PathValue("service")+"/"+r.PathValue("command")]; ok {
			h.ServeHTTP(w, r)
			return
		}
		unknown.ServeHTTP(w, r)
	}))
	e.Mount("/tencent/", unknown)
	t.clientRoutes()
	return App{t}
}

// commands are the REST commands by "service/command", as in
// https://trtc.io/document/34620.
var commands = map[string]command{
	"im_open_login_svc/account_import":      (*app).accountImport,
	"im_open_login_svc/multiaccount_import": (*app).multiaccountImport,
	"im_open_login_svc/account_check":       (*app).accountCheck,
	"im_open_login_svc/account_delete":      (*app).accountDelete,
	"im_open_login_svc/kick":                (*app).kick,

	"profile/portrait_set": (*app).setProfile,

	"group_open_http_svc/create_group":                   (*app).createGroup,
	"group_open_http_svc/import_group":                   (*app).importGroup,
	"group_open_http_svc/destroy_group":                  (*app).destroyGroup,
	"group_open_http_svc/get_group_info":                 (*app).getGroupInfo,
	"group_open_http_svc/modify_group_base_info":         (*app).modifyGroup,
	"group_open_http_svc/change_group_owner":             (*app).changeOwner,
	"group_open_http_svc/get_appid_group_list":           (*app).listGroups,
	"group_open_http_svc/get_joined_group_list":          (*app).joinedGroups,
	"group_open_http_svc/add_group_member":               (*app).addMember,
	"group_open_http_svc/import_group_member":            (*app).importMember,
	"group_open_http_svc/delete_group_member":            (*app).deleteMember,
	"group_open_http_svc/get_group_member_info":          (*app).getMembers,
	"group_open_http_svc/get_role_in_group":              (*app).getRoles,
	"group_open_http_svc/forbid_send_msg":                (*app).forbidSend,
	"group_open_http_svc/send_group_msg":                 (*app).sendMessage,
	"group_open_http_svc/send_group_system_notification": (*app).sendNotice,
	"group_open_http_svc/group_msg_get_simple":           (*app).getMessages,
	"group_open_http_svc/group_msg_recall":               (*app).recallMessages,
}

// answer writes the envelope. The HTTP status is 200 whatever happened.
func answer(w http.ResponseWriter, extra reply, e *refusal) {
	out := reply{}
	for k, v := range extra {
		out[k] = v
	}
	out["ActionStatus"], out["ErrorCode"], out["ErrorInfo"] = "OK", 0, ""
	if e != nil {
		out["ActionStatus"], out["ErrorCode"], out["ErrorInfo"] = "FAIL", e.code, e.info
	}
	w.Header().Set("Content-Type", "application/json")
	engine.WriteJSON(w, http.StatusOK, out)
}

// maxReply is the vendor's cap on one answer, beyond which it says 10018.
const maxReply = 1 << 20

func (t *app) serve(w http.ResponseWriter, r *http.Request, op string, run command) {
	t.Lock()
	defer t.Unlock()
	extra, e := t.run(r, op, run)
	if e != nil {
		engine.Note(r, "code", strconv.Itoa(e.code))
	}
	answer(w, extra, e)
	if held, ok := w.(*engine.Answer); ok && held.Len() > maxReply {
		held.Reset()
		answer(w, nil, refuse(10018, "the answer is larger than 1 MB"))
	}
}

func (t *app) run(r *http.Request, op string, run command) (reply, *refusal) {
	if e := t.authenticate(r); e != nil {
		return nil, e
	}
	limit := t.plan.RatePerSecond
	if limit > 0 && op == "get_appid_group_list" {
		limit = 1
	}
	if t.rates[op] == nil {
		t.rates[op] = &rate{}
	}
	if t.rates[op].over(t.Now(), limit) {
		return nil, refuse(60007, "more than %d calls of %s a second", limit, op)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, refuse(60002, "the body does not read")
	}
	a, err := parseArgs(body)
	if err != nil {
		return nil, refuse(60003, "the body is not a JSON object")
	}
	extra, e := run(t, r, a)
	if e := a.bad(); e != nil {
		return nil, e
	}
	return extra, e
}

// over counts one event and reports whether the second has had too many.
func (w *rate) over(now time.Time, limit int) bool {
	if limit <= 0 {
		return false
	}
	if sec := now.Unix(); sec != w.second {
		w.second, w.n = sec, 0
	}
	w.n++
	return w.n > limit
}

// authenticate checks the query of a REST call. The UserSig is verified by the
// vendor's own library.
func (t *app) authenticate(r *http.Request) *refusal {
	if r.Method != http.MethodPost {
		return refuse(60002, "REST commands are POST")
	}
	q := r.URL.Query()
	if q.Get("contenttype") != "json" {
		return refuse(60002, "contenttype must be json")
	}
	if _, err := strconv.ParseUint(q.Get("random"), 10, 32); err != nil {
		return refuse(60002, "random must be an unsigned 32-bit number")
	}
	app := t.fix
	if q.Get("sdkappid") == "" {
		return refuse(60012, "sdkappid is missing")
	}
	sdkAppID, err := strconv.ParseUint(q.Get("sdkappid"), 10, 63)
	if err != nil || sdkAppID != uint64(app.SDKAppID) {
		return refuse(70020, "there is no such app")
	}
	user, sig := q.Get("identifier"), q.Get("usersig")
	if user == "" || sig == "" {
		return refuse(60004, "identifier or usersig is missing")
	}
	if e := t.verifySig(user, sig); e != nil {
		return e
	}
	if a := t.accounts[user]; a == nil || !a.admin {
		return refuse(60010, "the caller is not an admin of the app")
	}
	return nil
}

// verifySig refuses a UserSig that does not prove user.
func (t *app) verifySig(user, sig string) *refusal {
	app := t.fix
	if len(sig) > 4096 {
		return refuse(70003, "the UserSig is not one")
	}
	switch err := tencentyun.VerifyUserSig(uint64(app.SDKAppID), app.SecretKey, user, sig, t.Now()); {
	case err == nil:
		return nil
	case errors.Is(err, tencentyun.ErrExpired):
		return refuse(70001, "the UserSig has expired")
	case errors.Is(err, tencentyun.ErrSigNotMatch):
		return refuse(70009, "the UserSig was made with another key")
	case errors.Is(err, tencentyun.ErrIdentifierNotMatch):
		return refuse(70013, "the UserSig is for another user")
	case errors.Is(err, tencentyun.ErrSdkAppIDNotMatch):
		return refuse(70014, "the UserSig is for another app")
	default:
		return refuse(70003, "the UserSig is not one")
	}
}

var userIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// legalGroupID reports whether id may be chosen for a group of type typ: at
// most 47 printable ASCII characters, and the vendor's own prefix only where
// Community asks for it.
func legalGroupID(id, typ string) bool {
	if id == "" || len(id) >= 48 {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	if typ == "Community" {
		return strings.HasPrefix(id, "@TGS#_")
	}
	return !strings.HasPrefix(id, "@TGS#")
}

// moderate refuses a text that holds a forbidden word.
func (t *app) moderate(what, text string) *refusal {
	for _, word := range t.plan.ForbiddenWords {
		if word != "" && strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
			return refuse(80001, "%s was refused by moderation", what)
		}
	}
	return nil
}

// group returns the group that the argument GroupId names.
func (t *app) group(r *http.Request, a *args) (*group, *refusal) {
	id := a.text("GroupId")
	if e := a.bad(); e != nil {
		return nil, e
	}
	if id == "" {
		return nil, refuse(10004, "GroupId is missing")
	}
	engine.Note(r, "group", id)
	g := t.groups[id]
	if g == nil {
		return nil, refuse(10010, "the group does not exist or has been dismissed")
	}
	return g, nil
}

func (g *group) member(id string) *member {
	for _, m := range g.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (g *group) lastSeq() uint64 {
	if n := len(g.messages); n > 0 {
		return g.messages[n-1].seq
	}
	return 0
}

// join puts an account into a group. Limits were checked. Unless it happens in
// silence, clients hear of it.
func (t *app) join(g *group, id, role string, silent bool) {
	m := &member{id: id, role: role, joined: t.Now(), seq: g.lastSeq()}
	if !g.history {
		m.read = m.seq
	}
	g.members = append(g.members, m)
	t.accounts[id].groups++
	if !silent {
		t.tellJoined(g, id)
	}
}

// part takes an account out of a group, and the group away when the vendor
// drops it with its last member. Who leaves hears of it in any case.
func (t *app) part(g *group, id string, silent bool) {
	i := slices.IndexFunc(g.members, func(m *member) bool { return m.id == id })
	if i < 0 {
		return
	}
	g.members = slices.Delete(g.members, i, i+1)
	if a := t.accounts[id]; a != nil {
		a.groups--
	}
	t.tellLeft(g, id, silent)
	work := g.typ == "Work" || g.typ == "Private"
	if len(g.members) == 0 && (work || t.plan.DropEmptied) {
		delete(t.groups, g.id)
	}
}

// State is what the Tencent stand-in holds.
type State struct {
	Accounts []Account `json:"accounts"` // by id
	Groups   []Group   `json:"groups"`   // oldest first
}

// Account is an imported account.
type Account struct {
	UserID string    `json:"userId"`
	Nick   string    `json:"nick,omitempty"`
	Admin  bool      `json:"admin,omitempty"`
	Groups int       `json:"groups"`
	Kicked time.Time `json:"kicked,omitzero"` // when its login was last invalidated
}

// Group is a group with everything in it.
type Group struct {
	GroupID           string    `json:"groupId"`
	Type              string    `json:"type"`
	Name              string    `json:"name"`
	Introduction      string    `json:"introduction,omitempty"`
	Notification      string    `json:"notification,omitempty"`
	Owner             string    `json:"owner,omitempty"`
	ApplyJoinOption   string    `json:"applyJoinOption"`
	InviteJoinOption  string    `json:"inviteJoinOption"`
	MuteAllMember     bool      `json:"muteAllMember"`
	HistoryBeforeJoin bool      `json:"historyBeforeJoin"`
	MaxMembers        int       `json:"maxMembers"`
	Created           time.Time `json:"created"`
	Members           []Member  `json:"members"`
	Messages          []Message `json:"messages"`
	Notices           []Notice  `json:"notices,omitempty"`
}

// Member is somebody in a group.
type Member struct {
	UserID string    `json:"userId"`
	Role   string    `json:"role"`
	Joined time.Time `json:"joined"`
}

// Message is a message in a group.
type Message struct {
	Seq    uint64    `json:"seq"`
	From   string    `json:"from"`
	Text   string    `json:"text"` // its text elements
	Random uint32    `json:"random"`
	Time   time.Time `json:"time"`
	Custom string    `json:"cloudCustomData,omitempty"`
}

// Notice is a system notification that was sent to a group.
type Notice struct {
	Content string    `json:"content"`
	To      []string  `json:"to,omitempty"` // empty: all members
	Time    time.Time `json:"time"`
}

// State returns a copy of what the app holds; the engine is locked.
func (x App) State() State {
	t := x.t
	st := State{Accounts: []Account{}, Groups: []Group{}}
	for _, a := range t.accounts {
		st.Accounts = append(st.Accounts, Account{a.id, a.nick, a.admin, a.groups, a.kicked})
	}
	slices.SortFunc(st.Accounts, func(a, b Account) int { return cmp.Compare(a.UserID, b.UserID) })
	for _, g := range t.oldestFirst() {
		st.Groups = append(st.Groups, g.view())
	}
	return st
}

func (t *app) oldestFirst() []*group {
	out := make([]*group, 0, len(t.groups))
	for _, g := range t.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int { return cmp.Compare(a.ordinal, b.ordinal) })
	return out
}

func (g *group) view() Group {
	v := Group{
		GroupID: g.id, Type: g.typ, Name: g.name, Introduction: g.introduction,
		Notification: g.notification, Owner: g.owner,
		ApplyJoinOption: g.applyJoin, InviteJoinOption: g.inviteJoin,
		MuteAllMember: g.muteAll, HistoryBeforeJoin: g.history, MaxMembers: g.maxMembers,
		Created: g.created.UTC(), Members: []Member{}, Messages: []Message{},
		Notices: slices.Clone(g.notices),
	}
	for _, m := range g.members {
		v.Members = append(v.Members, Member{m.id, m.role, m.joined.UTC()})
	}
	for _, m := range g.messages {
		v.Messages = append(v.Messages, Message{m.seq, m.from, textOf(m.body), m.random, m.time.UTC(), m.custom})
	}
	return v
}

// textOf joins the text elements of a message body.
func textOf(body []any) string {
	var parts []string
	for _, e := range body {
		el, _ := e.(map[string]any)
		content, _ := el["MsgContent"].(map[string]any)
		if text, ok := content["Text"].(string); ok && el["MsgType"] == "TIMTextElem" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "\n")
}
