package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/tencent"
)

// receiver is the app's webhook, without a network.
type receiver struct {
	mu       sync.Mutex
	requests []callback
	// answer is asked what to answer, "" for nothing at all; nil takes everything.
	answer func() string
}

// callback is what a receiver got.
type callback struct {
	command, platform, eventTime string
	body                         map[string]any
	signed                       bool
}

func (c callback) String() string {
	return strings.TrimPrefix(c.command, "Group.Callback") + " " + c.platform + " " + fmt.Sprint(c.body["Operator_Account"])
}

const webhookToken = "0123456789abcdef"

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	q := req.URL.Query()
	sum := sha256.Sum256([]byte(webhookToken + q.Get("RequestTime")))
	c := callback{command: q.Get("CallbackCommand"), platform: q.Get("OptPlatform"), signed: q.Get("Sign") == hex.EncodeToString(sum[:])}
	if err := json.Unmarshal(body, &c.body); err != nil || c.body["CallbackCommand"] != c.command || q.Get("contenttype") != "json" || q.Get("SdkAppid") == "" {
		return nil, fmt.Errorf("sent %s with %s: %w", req.URL, body, err)
	}
	c.eventTime = fmt.Sprintf("%T", c.body["EventTime"])
	r.mu.Lock()
	r.requests = append(r.requests, c)
	answer := `{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}`
	if r.answer != nil {
		answer = r.answer()
	}
	r.mu.Unlock()
	if answer == "" {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// got are the callbacks since the last time.
func (r *receiver) got() []callback {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.requests
	r.requests = nil
	return list
}

func (r *receiver) answers(with func() string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = with
}

// Every event about groups reaches the app's webhook, those of the app's own calls
// too, and the imports' do not.
func TestCallbacks(t *testing.T) {
	r := &receiver{}
	s, base := serve(t, Options{Notify: r})
	s.SetChatWebhook(ChatWebhook{URL: "https://hook.example/chat/events", Token: webhookToken})
	times := map[string]bool{}
	rest := func(op, body string) func() { return func() { ok(t, s, base, op, body) } }
	does := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	const room = `"GroupId":"ZENDESK#1"`
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"import", rest("multiaccount_import", `{"AccountList":[{"UserID":"dana"},{"UserID":"zd_7"}]}`), ""},
		{"create", rest("create_group", `{`+room+`,"Type":"Public","Name":"n","ApplyJoinOption":"FreeAccess","MemberList":[{"Member_Account":"dana"}]}`),
			"AfterCreateGroup RESTAPI administrator"},
		{"imported group", rest("import_group", `{"GroupId":"ZENDESK#9","Type":"Public","Name":"n"}`), ""},
		{"add", rest("add_group_member", `{`+room+`,"MemberList":[{"Member_Account":"zd_7"}]}`), "AfterNewMemberJoin RESTAPI administrator"},
		{"add again", rest("add_group_member", `{`+room+`,"MemberList":[{"Member_Account":"zd_7"}]}`), ""},
		{"mark", rest("modify_group_base_info", `{`+room+`,"Introduction":"cr1;x","MuteAllMember":"Off"}`), "AfterGroupInfoChanged RESTAPI administrator"},
		{"mute", rest("modify_group_base_info", `{`+room+`,"MuteAllMember":"On"}`), ""},
		{"refused message", func() {
			if s.SendAs("dana", "ZENDESK#1", "x") == nil {
				t.Error("sent into a muted group")
			}
		}, ""},
		{"unmute", rest("modify_group_base_info", `{`+room+`,"MuteAllMember":"Off"}`), ""},
		{"message", func() { does(s.SendAs("dana", "ZENDESK#1", "x")) }, "AfterSendMsg Web dana"},
		{"our message", rest("send_group_msg", `{`+room+`,"Random":1,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"y"}}]}`),
			"AfterSendMsg RESTAPI administrator"},
		{"recall", rest("group_msg_recall", `{`+room+`,"MsgSeqList":[{"MsgSeq":1}]}`), "AfterRecallMsg RESTAPI administrator"},
		{"apply", func() { does(s.JoinAs("eve", "ZENDESK#1")) }, "AfterNewMemberJoin Web eve"},
		{"owner", rest("change_group_owner", `{`+room+`,"NewOwner_Account":"eve"}`), "AfterChangeGroupOwner RESTAPI administrator"},
		{"quit", func() { does(s.QuitAs("dana", "ZENDESK#1")) }, "AfterMemberExit Web dana"},
		{"kick", rest("delete_group_member", `{`+room+`,"MemberToDel_Account":["zd_7"]}`), "AfterMemberExit RESTAPI administrator"},
		{"kick a stranger", rest("delete_group_member", `{`+room+`,"MemberToDel_Account":["zd_7"]}`), ""},
		{"destroy", rest("destroy_group", `{`+room+`}`), "AfterGroupDestroyed RESTAPI <nil>"},
		{"squat", func() {
			does(s.CreateGroupAs("eve", tencent.ClientGroup{GroupID: "ZENDESK#2", Type: "Public", Name: "n"}))
		}, "AfterCreateGroup Web eve"},
	} {
		step.do()
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		list := r.got()
		if got := fmt.Sprint(list); got != "["+step.want+"]" {
			t.Errorf("%s: told %s, want %s", step.name, got, step.want)
		}
		for _, c := range list {
			times[c.eventTime] = true
			if !c.signed || c.body["GroupId"] == nil {
				t.Errorf("%s: %+v", step.name, c)
			}
		}
	}
	if len(times) != 2 {
		t.Errorf("EventTime is %v, want numbers and texts", times)
	}
	// Its own ticks, and none of the others'.
	s.SetChatWebhook(ChatWebhook{URL: "https://hook.example", Events: []string{"Group.CallbackSendMsgException"}})
	ok(t, s, base, "create_group", `{"GroupId":"ZENDESK#3","Type":"Public","Name":"n","MemberList":[{"Member_Account":"dana"}]}`)
	ok(t, s, base, "modify_group_base_info", `{"GroupId":"ZENDESK#3","MuteAllMember":"On"}`)
	if imCode(s.SendAs("dana", "ZENDESK#3", "x")) != 10017 {
		t.Error("sent into a muted group")
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.got(); len(got) != 1 || got[0].body["ErrorCode"] != 10017.0 || got[0].signed {
		t.Errorf("told %+v", got)
	}
}

// What is about to happen is asked within two seconds, and happens unless it is
// refused. A group to be made has no id yet.
func TestCallbacksBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		s := New(Options{Notify: r})
		defer s.Close()
		hook := ChatWebhook{URL: "https://hook.example", Token: webhookToken, Events: []string{"Group.CallbackBeforeCreateGroup", "Group.CallbackBeforeSendMsg"}}
		s.SetChatWebhook(hook)
		made := 0
		create := func() error {
			made++
			return s.CreateGroupAs("eve", tencent.ClientGroup{GroupID: fmt.Sprintf("ZENDESK#%d", made), Type: "Public", Name: "n"})
		}
		for _, c := range []struct {
			name, answer string
			want         int
		}{
			{"taken", `{"ActionStatus":"OK","ErrorCode":0}`, 0},
			{"refused", `{"ActionStatus":"OK","ErrorCode":1}`, 10016},
			{"refused in its own words", `{"ActionStatus":"OK","ErrorCode":10123,"ErrorInfo":"no"}`, 10123},
			{"another number", `{"ActionStatus":"OK","ErrorCode":7}`, 0},
			{"nonsense", `<html>`, 0},
			{"no answer", ``, 0},
		} {
			r.answers(func() string { return c.answer })
			started := time.Now()
			if got := imCode(create()); got != c.want {
				t.Errorf("%s: %d, want %d", c.name, got, c.want)
			}
			if took := time.Since(started); (took == 2*time.Second) != (c.answer == "") {
				t.Errorf("%s: it took %v", c.name, took)
			}
			if got := r.got(); len(got) != 1 || got[0].body["GroupId"] != nil || !got[0].signed {
				t.Errorf("%s: asked %+v", c.name, got)
			}
		}
		r.answers(func() string { return `{"ErrorCode":1}` })
		if got := imCode(s.SendAs("eve", "ZENDESK#1", "x")); got != 10016 {
			t.Errorf("a refused message: %d", got)
		}
		if g, _ := s.Group("ZENDESK#1"); len(g.Messages) != 0 {
			t.Error("a refused message was sent")
		}

		// What is not taken in time is lost, or tried once more where that is on.
		for _, retry := range []bool{false, true} {
			hook.Events, hook.Retry = nil, retry
			s.SetChatWebhook(hook)
			r.got()
			r.answers(func() string { return "" })
			if err := create(); err != nil {
				t.Fatal(err)
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			tries := slices.Repeat([]string{"AfterCreateGroup Web eve"}, map[bool]int{false: 1, true: 2}[retry])
			if got := fmt.Sprint(r.got()); got != fmt.Sprint(tries) {
				t.Errorf("with retry %t: told %s", retry, got)
			}
		}
	})
}

// An app's events are lost, repeated and overtaken as faults say.
func TestCallbackFaults(t *testing.T) {
	r := &receiver{}
	s, _ := serve(t, Options{Notify: r})
	s.SetChatWebhook(ChatWebhook{URL: "https://hook.example"})
	for kind, want := range map[string]int{FaultLose: 0, FaultDuplicate: 2} {
		if err := s.AddFault(Fault{Vendor: "tencent", Op: "callback", Kind: kind, Times: 1}); err != nil {
			t.Fatal(err)
		}
		if err := s.CreateGroupAs("eve", tencent.ClientGroup{Type: "Public", Name: "n"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.got(); len(got) != want {
			t.Errorf("%s: told %v", kind, got)
		}
	}
}
