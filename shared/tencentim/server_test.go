package tencentim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/shared/tencentim"
)

var creds = tencentim.Credentials{
	SDKAppID:    1400000000,
	SecretKey:   "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e",
	AdminUserID: "rest_admin",
}

// prefix is not empty, so that an absolute path fails.
const prefix = "/tencent/sg"

// im stands in for one app of the vendor: it keeps accounts and groups and
// refuses what the vendor refuses.
type im struct {
	t     *testing.T
	creds tencentim.Credentials

	mu       sync.Mutex
	now      func() time.Time
	accounts map[string]string // nick by user id
	groups   map[string]*group
	faults   map[string][]fault // by command, used up in order
	calls    []call
	sigs     map[string]bool // every UserSig seen
}

type group struct {
	tencentim.NewGroup
	Owner   string
	Changes map[string]string
}

func (g *group) has(userID string) bool {
	return slices.Contains(g.MemberList, tencentim.Member{UserID: userID})
}

type call struct {
	command string
	body    string
	query   url.Values
}

// fault answers in the place of do, or before or after it.
type fault func(w http.ResponseWriter, r *http.Request, do http.HandlerFunc)

func newIM(t *testing.T, accounts ...string) *im {
	s := &im{
		t: t, creds: creds, now: time.Now, accounts: map[string]string{},
		groups: map[string]*group{}, faults: map[string][]fault{}, sigs: map[string]bool{},
	}
	for _, a := range accounts {
		s.accounts[a] = ""
	}
	return s
}

// client returns a client of s over HTTP.
func (s *im) client(set ...func(*tencentim.Options)) *tencentim.Client {
	s.t.Helper()
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)
	return s.newClient(append([]func(*tencentim.Options){func(o *tencentim.Options) {
		o.BaseURL = server.URL + prefix
	}}, set...)...)
}

// inProcess returns a client of s without a network, for tests in which time
// stands still.
func (s *im) inProcess(set ...func(*tencentim.Options)) *tencentim.Client {
	s.t.Helper()
	return s.newClient(append([]func(*tencentim.Options){func(o *tencentim.Options) {
		o.BaseURL = "https://im.example" + prefix
		o.Transport = handlerTransport{s}
	}}, set...)...)
}

func (s *im) newClient(set ...func(*tencentim.Options)) *tencentim.Client {
	s.t.Helper()
	o := tencentim.Options{Credentials: func(context.Context) (tencentim.Credentials, error) { return creds, nil }}
	for _, f := range set {
		f(&o)
	}
	c, err := tencentim.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

type handlerTransport struct{ h http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (res *http.Response, err error) {
	defer func() {
		v := recover()
		if aborted, _ := v.(error); errors.Is(aborted, http.ErrAbortHandler) {
			res, err = nil, io.ErrUnexpectedEOF
		} else if v != nil {
			panic(v)
		}
	}()
	w := httptest.NewRecorder()
	t.h.ServeHTTP(w, r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return w.Result(), nil
}

// fail makes the next calls of a command meet faults.
func (s *im) fail(command string, faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[command] = append(s.faults[command], faults...)
}

func (s *im) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *im) signatures() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.sigs))
}

func (s *im) nicks() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.accounts)
}

func (s *im) commands() []string {
	var out []string
	for _, c := range s.seen() {
		out = append(out, c.command)
	}
	return out
}

func (s *im) group(id string) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[id]
}

// wantCommands compares what was called since the start.
func (s *im) wantCommands(want ...string) {
	s.t.Helper()
	if got := s.commands(); !slices.Equal(got, want) {
		s.t.Errorf("calls = %v, want %v", got, want)
	}
}

func answer(w http.ResponseWriter, code int, extra map[string]any) {
	body := map[string]any{"ActionStatus": "OK", "ErrorCode": code, "ErrorInfo": ""}
	if code != 0 {
		body["ActionStatus"], body["ErrorInfo"] = "FAIL", errorInfo
	}
	for k, v := range extra {
		body[k] = v
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// errorInfo is vendor prose, which goes nowhere.
const errorInfo = "err prose quoting the request"

func code(n int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) { answer(w, n, nil) }
}

func status(n int, header ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		if len(header) == 2 {
			w.Header().Set(header[0], header[1])
		}
		http.Error(w, "<html>"+errorInfo+"</html>", n)
	}
}

func body(text string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) { _, _ = io.WriteString(w, text) }
}

// then carries the command out and loses the answer to f.
func then(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, do http.HandlerFunc) {
		do(httptest.NewRecorder(), r)
		f(w, r, nil)
	}
}

func truncated(w http.ResponseWriter, r *http.Request, do http.HandlerFunc) {
	full := httptest.NewRecorder()
	do(full, r)
	_, _ = w.Write(full.Body.Bytes()[:full.Body.Len()/2])
}

func reset(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }

func hang(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) { <-r.Context().Done() }

// fine is no fault: it lets later ones in the list meet later calls.
func fine(w http.ResponseWriter, r *http.Request, do http.HandlerFunc) { do(w, r) }

func (s *im) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), prefix+"/v4/")
	service, command, _ := strings.Cut(path, "/")
	handlers := map[string]func(w http.ResponseWriter, b []byte){
		"im_open_login_svc/account_import":           s.accountImport,
		"im_open_login_svc/multiaccount_import":      s.multiaccountImport,
		"group_open_http_svc/create_group":           s.createGroup,
		"group_open_http_svc/add_group_member":       s.addGroupMember,
		"group_open_http_svc/delete_group_member":    s.deleteGroupMember,
		"group_open_http_svc/destroy_group":          s.destroyGroup,
		"group_open_http_svc/get_group_info":         s.getGroupInfo,
		"group_open_http_svc/modify_group_base_info": s.modifyGroup,
	}
	handle, known := handlers[service+"/"+command]
	if !ok || !known || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("request %s %s", r.Method, r.URL.EscapedPath())
		http.NotFound(w, r)
		return
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	q := r.URL.Query()
	s.mu.Lock()
	s.calls = append(s.calls, call{command, strings.TrimSpace(string(b)), q})
	s.sigs[q.Get("usersig")] = true
	var f fault
	if list := s.faults[command]; len(list) > 0 {
		f, s.faults[command] = list[0], list[1:]
	}
	now, want := s.now(), s.creds
	s.mu.Unlock()
	if n := authenticate(q, want, now); n != 0 {
		answer(w, n, nil)
		return
	}
	do := func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		handle(w, b)
	}
	if f == nil {
		f = fine
	}
	f(w, r, do)
}

// authenticate returns the ErrorCode of a bad query, 0 for a good one.
func authenticate(q url.Values, want tencentim.Credentials, now time.Time) int {
	random, err := strconv.ParseUint(q.Get("random"), 10, 32)
	if err != nil || strconv.FormatUint(random, 10) != q.Get("random") || q.Get("contenttype") != "json" || len(q) != 5 {
		return 60012
	}
	appID, err := strconv.ParseUint(q.Get("sdkappid"), 10, 64)
	if err != nil || appID != uint64(want.SDKAppID) {
		return 70020
	}
	err = tencentyun.VerifyUserSig(appID, want.SecretKey, q.Get("identifier"), q.Get("usersig"), now)
	switch {
	case errors.Is(err, tencentyun.ErrExpired):
		return 70001
	case errors.Is(err, tencentyun.ErrIdentifierNotMatch):
		return 70013
	case errors.Is(err, tencentyun.ErrSdkAppIDNotMatch):
		return 70014
	case errors.Is(err, tencentyun.ErrSigNotMatch):
		return 70009
	case err != nil:
		return 70003
	case q.Get("identifier") != want.AdminUserID:
		return 60010
	}
	return 0
}

// read decodes a body strictly: a field that the vendor's page does not list is
// a bug of ours.
func read(w http.ResponseWriter, b []byte, v any) bool {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		answer(w, 60003, nil)
		return false
	}
	return true
}

func (s *im) knows(accounts []tencentim.Member) bool {
	for _, a := range accounts {
		if _, ok := s.accounts[a.UserID]; !ok {
			return false
		}
	}
	return true
}

func moderated(text string) bool { return strings.Contains(text, "forbidden") }

func (s *im) accountImport(w http.ResponseWriter, b []byte) {
	var in tencentim.Account
	switch {
	case !read(w, b, &in):
	case in.UserID == "" || len(in.UserID) > 32 || !utf8.ValidString(in.Nick):
		answer(w, 70402, nil)
	case moderated(in.Nick):
		answer(w, 80001, nil)
	default:
		if _, ok := s.accounts[in.UserID]; !ok || in.Nick != "" {
			s.accounts[in.UserID] = in.Nick
		}
		answer(w, 0, nil)
	}
}

func (s *im) multiaccountImport(w http.ResponseWriter, b []byte) {
	var in struct{ AccountList []tencentim.Account }
	if !read(w, b, &in) {
		return
	}
	if len(in.AccountList) == 0 || len(in.AccountList) > 100 {
		answer(w, 70402, nil)
		return
	}
	failed := []string{}
	for _, a := range in.AccountList {
		if a.UserID == "" || len(a.UserID) > 32 || moderated(a.Nick) {
			failed = append(failed, a.UserID)
			continue
		}
		s.accounts[a.UserID] = a.Nick
	}
	answer(w, 0, map[string]any{"FailAccounts": failed})
}

func (s *im) createGroup(w http.ResponseWriter, b []byte) {
	var in tencentim.NewGroup
	switch {
	case !read(w, b, &in):
	case in.Type == "" || in.Name == "" || len(in.Name) > 30 || len(in.GroupID) > 47 || len(in.Introduction) > 240:
		answer(w, 10004, nil)
	case moderated(in.Name):
		answer(w, 80001, nil)
	case s.groups[in.GroupID] != nil:
		answer(w, 10021, nil)
	case !s.knows(in.MemberList):
		answer(w, 10019, nil)
	default:
		s.groups[in.GroupID] = &group{NewGroup: in, Changes: map[string]string{}}
		answer(w, 0, map[string]any{"GroupId": in.GroupID})
	}
}

func (s *im) addGroupMember(w http.ResponseWriter, b []byte) {
	var in struct {
		GroupID    string `json:"GroupId"`
		MemberList []tencentim.Member
	}
	if !read(w, b, &in) {
		return
	}
	g := s.groups[in.GroupID]
	switch {
	case g == nil:
		answer(w, 10010, nil)
		return
	case !s.knows(in.MemberList):
		answer(w, 10019, nil)
		return
	}
	var list []map[string]any
	for _, m := range in.MemberList {
		result := tencentim.WasMember
		if !g.has(m.UserID) {
			g.MemberList = append(g.MemberList, m)
			result = tencentim.Added
		}
		list = append(list, map[string]any{"Member_Account": m.UserID, "Result": result})
	}
	answer(w, 0, map[string]any{"MemberList": list})
}

func (s *im) deleteGroupMember(w http.ResponseWriter, b []byte) {
	var in struct {
		GroupID string   `json:"GroupId"`
		UserIDs []string `json:"MemberToDel_Account"`
	}
	if !read(w, b, &in) {
		return
	}
	g := s.groups[in.GroupID]
	if g == nil {
		answer(w, 10010, nil)
		return
	}
	g.MemberList = slices.DeleteFunc(g.MemberList, func(m tencentim.Member) bool { return slices.Contains(in.UserIDs, m.UserID) })
	answer(w, 0, nil)
}

func (s *im) destroyGroup(w http.ResponseWriter, b []byte) {
	var in struct {
		GroupID string `json:"GroupId"`
	}
	if !read(w, b, &in) {
		return
	}
	if s.groups[in.GroupID] == nil {
		answer(w, 10010, nil)
		return
	}
	delete(s.groups, in.GroupID)
	answer(w, 0, nil)
}

func (s *im) getGroupInfo(w http.ResponseWriter, b []byte) {
	var in struct {
		GroupIDList    []string `json:"GroupIdList"`
		ResponseFilter struct{ GroupBaseInfoFilter, MemberInfoFilter []string }
	}
	if !read(w, b, &in) {
		return
	}
	if len(in.GroupIDList) == 0 || len(in.GroupIDList) > 50 {
		answer(w, 10004, nil)
		return
	}
	var list []map[string]any
	for _, id := range in.GroupIDList {
		g := s.groups[id]
		if g == nil {
			list = append(list, map[string]any{"GroupId": id, "ErrorCode": 10015, "ErrorInfo": errorInfo})
			continue
		}
		all := map[string]any{
			"Type": g.Type, "Name": g.Name, "Introduction": g.Introduction, "Owner_Account": g.Owner,
			"ApplyJoinOption": g.ApplyJoinOption, "InviteJoinOption": g.InviteJoinOption,
			"CreateTime": 1790000000, "NextMsgSeq": 1, "MuteAllMember": "Off", "ShutUpAllMember": "Off", "MemberNum": len(g.MemberList),
		}
		info := map[string]any{"GroupId": id, "ErrorCode": 0, "ErrorInfo": ""}
		for _, field := range in.ResponseFilter.GroupBaseInfoFilter {
			v, ok := all[field]
			if !ok {
				s.t.Errorf("filter asks for %q", field)
			}
			info[field] = v
		}
		if in.ResponseFilter.MemberInfoFilter != nil {
			info["MemberList"] = g.MemberList
		}
		list = append(list, info)
	}
	answer(w, 0, map[string]any{"GroupInfo": list})
}

func (s *im) modifyGroup(w http.ResponseWriter, b []byte) {
	var in map[string]string
	if !read(w, b, &in) {
		return
	}
	g := s.groups[in["GroupId"]]
	if g == nil {
		answer(w, 10010, nil)
		return
	}
	for k, v := range in {
		switch k {
		case "GroupId":
		case "Name", "Introduction", "ApplyJoinOption", "InviteJoinOption", "MuteAllMember", "HistoryMsgBeforeJoin":
			g.Changes[k] = v
		default:
			answer(w, 10004, nil)
			return
		}
	}
	answer(w, 0, nil)
}

func (c call) String() string { return fmt.Sprint(c.command, " ", c.body) }
