package tencentim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

func credentials(c tencentim.Credentials) func(context.Context) (tencentim.Credentials, error) {
	return func(context.Context) (tencentim.Credentials, error) { return c, nil }
}

func TestNewHosts(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"cn": "console.tim.qq.com", "sg": "adminapisgp.im.qcloud.com", "kr": "adminapikr.im.qcloud.com",
		"jp": "adminapijpn.im.qcloud.com", "de": "adminapiger.im.qcloud.com", "us": "adminapiusa.im.qcloud.com",
		"id": "adminapiidn.im.qcloud.com",
	}
	if got := slices.Sorted(maps.Keys(tencentim.Hosts)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		t.Errorf("regions = %v", got)
	}
	for region, host := range want {
		var got string
		c, err := tencentim.New(tencentim.Options{
			Region: region, Credentials: credentials(creds),
			Transport: upstreamtest.RoundTrip(func(r *http.Request) (*http.Response, error) {
				got = r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"ActionStatus":"OK","ErrorCode":0}`))}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.DestroyGroup(t.Context(), "ZENDESK#1"); err != nil {
			t.Error(err)
		}
		if want := "https://" + host + "/v4/group_open_http_svc/destroy_group"; got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	ok := credentials(creds)
	for name, tt := range map[string]struct {
		o    tencentim.Options
		want string
	}{
		"no region":       {tencentim.Options{Credentials: ok}, "cn, de, id, jp, kr, sg, us"},
		"unknown region":  {tencentim.Options{Credentials: ok, Region: "mars"}, `unknown region "mars", must be one of cn, de, id, jp, kr, sg, us`},
		"no credentials":  {tencentim.Options{Region: "sg"}, "no credentials"},
		"http":            {tencentim.Options{Credentials: ok, BaseURL: "http://im.example"}, "https"},
		"docker, remote":  {tencentim.Options{Credentials: ok, BaseURL: "http://host.docker.internal:3100"}, "https"},
		"query":           {tencentim.Options{Credentials: ok, BaseURL: "https://im.example?usersig=x"}, "query"},
		"negative time":   {tencentim.Options{Credentials: ok, Region: "sg", Timeout: -1}, "timeout"},
		"no host":         {tencentim.Options{Credentials: ok, BaseURL: "im"}, "absolute"},
		"bad over region": {tencentim.Options{Credentials: ok, Region: "sg", BaseURL: "ftp://im.example"}, "https"},
	} {
		if _, err := tencentim.New(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tencentim.New(tencentim.Options{Credentials: ok, BaseURL: "http://host.docker.internal:3100/tencent", Local: true}); err != nil {
		t.Error(err)
	}
}

func TestCredentialsValidate(t *testing.T) {
	t.Parallel()
	const key = "hush-hush"
	for name, tt := range map[string]struct {
		c    tencentim.Credentials
		want string // "": valid
	}{
		"good":       {tencentim.Credentials{SDKAppID: 1, SecretKey: key, AdminUserID: "a"}, ""},
		"32 bytes":   {tencentim.Credentials{SDKAppID: 1, SecretKey: key, AdminUserID: strings.Repeat("a", 32)}, ""},
		"no app":     {tencentim.Credentials{SecretKey: key, AdminUserID: "a"}, "sdkAppId"},
		"negative":   {tencentim.Credentials{SDKAppID: -1, SecretKey: key, AdminUserID: "a"}, "sdkAppId"},
		"no key":     {tencentim.Credentials{SDKAppID: 1, AdminUserID: "a"}, "secretKey"},
		"no admin":   {tencentim.Credentials{SDKAppID: 1, SecretKey: key}, "adminUserId"},
		"long admin": {tencentim.Credentials{SDKAppID: 1, SecretKey: key, AdminUserID: strings.Repeat("a", 33)}, "adminUserId"},
	} {
		err := tt.c.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("%s: the key is in %q", name, err)
		}
	}
	var c tencentim.Credentials
	if err := json.Unmarshal([]byte(`{"sdkAppId":7,"secretKey":"k","adminUserId":"a"}`), &c); err != nil || c != (tencentim.Credentials{SDKAppID: 7, SecretKey: "k", AdminUserID: "a"}) {
		t.Errorf("%v, %v", c, err)
	}
}

// Every endpoint: what goes over the wire, and that the vendor takes it.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := map[string]struct {
		call func(*tencentim.Client) error
		want string
	}{
		"account_import": {
			func(c *tencentim.Client) error {
				return c.ImportAccount(ctx, tencentim.Account{UserID: "alice", Nick: `A "<&> Å`})
			},
			`{"UserID":"alice","Nick":"A \"<&> Å"}`,
		},
		"multiaccount_import": {
			func(c *tencentim.Client) error {
				failed, err := c.ImportAccounts(ctx, []tencentim.Account{{UserID: "alice", Nick: "A"}, {UserID: "bob"}, {UserID: ""}})
				if !slices.Equal(failed, []string{""}) {
					return fmt.Errorf("failed = %q", failed)
				}
				return err
			},
			`{"AccountList":[{"UserID":"alice","Nick":"A"},{"UserID":"bob"},{"UserID":""}]}`,
		},
		"create_group": {
			func(c *tencentim.Client) error {
				return c.CreateGroup(ctx, tencentim.NewGroup{
					GroupID: "ZENDESK#2", Type: tencentim.TypePublic, Name: "Ünï", Introduction: "cr1",
					ApplyJoinOption: tencentim.DisableApply, InviteJoinOption: tencentim.DisableInvite,
					MemberList: []tencentim.Member{{UserID: "carol"}},
				})
			},
			`{"GroupId":"ZENDESK#2","Type":"Public","Name":"Ünï","Introduction":"cr1","ApplyJoinOption":"DisableApply","InviteJoinOption":"DisableInvite","MemberList":[{"Member_Account":"carol"}]}`,
		},
		"add_group_member": {
			func(c *tencentim.Client) error {
				got, err := c.AddMembers(ctx, "ZENDESK#1", "carol", "dave")
				if want := map[string]int{"carol": tencentim.WasMember, "dave": tencentim.Added}; !maps.Equal(got, want) {
					return fmt.Errorf("results = %v, %w", got, err)
				}
				return err
			},
			`{"GroupId":"ZENDESK#1","MemberList":[{"Member_Account":"carol"},{"Member_Account":"dave"}]}`,
		},
		"delete_group_member": {
			func(c *tencentim.Client) error { return c.DeleteMembers(ctx, "ZENDESK#1", "carol", "nobody") },
			`{"GroupId":"ZENDESK#1","MemberToDel_Account":["carol","nobody"]}`,
		},
		"destroy_group": {
			func(c *tencentim.Client) error { return c.DestroyGroup(ctx, "ZENDESK#1") },
			`{"GroupId":"ZENDESK#1"}`,
		},
		"get_group_info": {
			func(c *tencentim.Client) error {
				got, err := c.GetGroups(ctx, "ZENDESK#1", "ZENDESK#9")
				want := tencentim.Group{ID: "ZENDESK#1", Type: "Public", Name: "One", Introduction: tencentim.Introduction{Text: "hello", Known: true}, Owner: "eve", ApplyJoinOption: "FreeAccess", InviteJoinOption: "DisableInvite"}
				if got["ZENDESK#1"] != want {
					return fmt.Errorf("group = %+v, %w", got["ZENDESK#1"], err)
				}
				if g := got["ZENDESK#9"]; g.ID != "ZENDESK#9" || !upstream.HasCode(g.Err, "10015") || upstream.ClassOf(g.Err) != upstream.Refused {
					return fmt.Errorf("absent group = %+v", g)
				}
				return err
			},
			`{"GroupIdList":["ZENDESK#1","ZENDESK#9"],"ResponseFilter":{"GroupBaseInfoFilter":["Type","Name","Introduction","Owner_Account","ApplyJoinOption","InviteJoinOption"]}}`,
		},
		"modify_group_base_info": {
			func(c *tencentim.Client) error {
				return c.ModifyGroup(ctx, "ZENDESK#1", tencentim.GroupChange{Introduction: "cr1;x", HistoryMsgBeforeJoin: tencentim.On})
			},
			`{"GroupId":"ZENDESK#1","Introduction":"cr1;x","HistoryMsgBeforeJoin":"On"}`,
		},
	}
	stock := func(t *testing.T) *im {
		s := newIM(t, "carol", "dave")
		s.groups["ZENDESK#1"] = &group{
			NewGroup: tencentim.NewGroup{
				GroupID: "ZENDESK#1", Type: "Public", Name: "One", Introduction: "hello", ApplyJoinOption: "FreeAccess", InviteJoinOption: "DisableInvite",
				MemberList: []tencentim.Member{{UserID: "carol"}},
			},
			Owner: "eve", Changes: map[string]string{},
		}
		return s
	}
	for command, tt := range tests {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := stock(t)
			if err := tt.call(s.client()); err != nil {
				t.Fatal(err)
			}
			if calls := s.seen(); len(calls) != 1 || calls[0].command != command || calls[0].body != tt.want {
				t.Errorf("calls = %v\nwant %s", calls, tt.want)
			}
		})
		t.Run(command+" again", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := stock(t)
				s.fail(command, code(10002), code(60007))
				if err := tt.call(s.inProcess()); err != nil {
					t.Fatal(err)
				}
				s.wantCommands(command, command, command)
			})
		})
	}
}

func TestQueryIsEscaped(t *testing.T) {
	t.Parallel()
	odd := tencentim.Credentials{SDKAppID: 1, SecretKey: "k", AdminUserID: "a&b=c d+e%20#/ü"}
	s := newIM(t)
	s.creds = odd
	c := s.client(func(o *tencentim.Options) {
		o.Credentials = credentials(odd)
		o.Random = func() uint32 { return 4294967295 }
	})
	if err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"}); err != nil {
		t.Fatal(err)
	}
	if got := s.seen()[0].query.Get("random"); got != "4294967295" {
		t.Errorf("random = %s", got)
	}
}

func TestRandomDiffers(t *testing.T) {
	t.Parallel()
	s := newIM(t)
	c := s.client()
	seen := map[string]bool{}
	for range 8 {
		if err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range s.seen() {
		seen[call.query.Get("random")] = true
	}
	if len(seen) < 2 {
		t.Errorf("random is always %v", seen)
	}
}

// The codes of the vendor's error page, class by class.
func TestErrorCodes(t *testing.T) {
	t.Parallel()
	type want struct {
		class       upstream.Class
		credentials bool
		quota       bool
		retryAfter  time.Duration
	}
	groups := []struct {
		want
		codes []int
	}{
		{want{class: upstream.Refused}, []int{
			10003, 10004, 10005, 10007, 10010, 10013, 10014, 10015, 10016, 10018, 10019, 10021, 10025, 10026, 10038, 40001, 40003, 40005,
			60002, 60003, 60009, 60012, 60015, 60017, 60025, 70107, 70399, 80001, 80002, 80003, 80004,
		}},
		{want{class: upstream.Refused, quota: true}, []int{10036, 10037, 10058, 10059, 60028, 70398, 72000, 72002}},
		{want{class: upstream.Refused, credentials: true}, []int{
			60004, 60005, 60010, 60016, 60020, 60021, 60026, 70001, 70003, 70009, 70013, 70014, 70016, 70020, 80005,
		}},
		{want{class: upstream.RateLimited}, []int{10006, 10023, 10049, 60007, 60011, 60018}},
		{want{class: upstream.RateLimited, retryAfter: time.Minute}, []int{70050, 70051}},
		{want{class: upstream.Unknown}, []int{10002, 60008, 60013, 60014, 70169, 70500}},
	}
	unlisted := []int{1, -1, 20004, 40006, 99999}
	all := map[int]want{}
	for _, g := range groups {
		for _, n := range g.codes {
			all[n] = g.want
		}
	}
	if table := tencentim.Codes(); len(table) != len(all) {
		for _, n := range table {
			if _, ok := all[n]; !ok {
				t.Errorf("code %d is in the table and not here", n)
			}
		}
		t.Errorf("%d codes in the table, %d here", len(table), len(all))
	}
	for _, n := range unlisted {
		all[n] = want{class: upstream.Unknown}
	}
	for n, want := range all {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newIM(t)
				s.fail("destroy_group", slices.Repeat([]fault{code(n)}, 9)...)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				err := s.inProcess().DestroyGroup(ctx, "ZENDESK#1")
				var e *upstream.Error
				if !errors.As(err, &e) {
					t.Fatalf("err = %v", err)
				}
				if e.Vendor != "tencent" || e.Op != "destroy_group" || e.Code != strconv.Itoa(n) || e.Status != 200 ||
					e.Class != want.class || e.Credentials != want.credentials || e.Quota != want.quota || e.RetryAfter != want.retryAfter {
					t.Errorf("err = %+v", *e)
				}
				if strings.Contains(err.Error(), errorInfo) {
					t.Errorf("the vendor's prose is in %q", err)
				}
				tries := 1
				switch {
				case want.retryAfter > 0: // does not fit the deadline
				case want.class != upstream.Refused:
					tries = 3
				case n == 70001 || n == 60004 || n == 60005:
					tries = 2 // the second one newly signed
				}
				if len(s.seen()) != tries {
					t.Errorf("%d tries, want %d", len(s.seen()), tries)
				}
			})
		})
	}
}

// Answers without a meaning: the command may have been carried out.
func TestUnreadableAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault  fault
		class  upstream.Class
		status int
		tries  int
	}{
		"HTML":                {body("<html>oops</html>"), upstream.Unknown, 200, 3},
		"empty":               {body(""), upstream.Unknown, 200, 3},
		"null":                {body("null"), upstream.Unknown, 200, 3},
		"array":               {body("[]"), upstream.Unknown, 200, 3},
		"empty object":        {body("{}"), upstream.Unknown, 200, 3},
		"no ActionStatus":     {body(`{"ErrorCode":0}`), upstream.Unknown, 200, 3},
		"failed without code": {body(`{"ActionStatus":"FAIL","ErrorCode":0}`), upstream.Unknown, 200, 3},
		"code of a string":    {body(`{"ActionStatus":"FAIL","ErrorCode":"10010"}`), upstream.Unknown, 200, 3},
		"two objects":         {body(`{"ActionStatus":"OK","ErrorCode":0}{}`), upstream.Unknown, 200, 3},
		"truncated":           {truncated, upstream.Unknown, 200, 3},
		"500":                 {status(500), upstream.Unknown, 500, 3},
		"502":                 {status(502), upstream.Unknown, 502, 3},
		"503":                 {status(503), upstream.Unavailable, 503, 3},
		"429":                 {status(429), upstream.RateLimited, 429, 3},
		"404":                 {status(404), upstream.Unknown, 404, 3},
		"redirect":            {status(302, "Location", "https://elsewhere.example/"), upstream.Unknown, 302, 3},
		"reset":               {reset, upstream.Unknown, 0, 3},
		"reset afterwards":    {then(reset), upstream.Unknown, 0, 3},
		"no answer":           {hang, upstream.Unknown, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newIM(t, "alice")
				s.fail("account_import", slices.Repeat([]fault{tt.fault}, 9)...)
				err := s.inProcess().ImportAccount(t.Context(), tencentim.Account{UserID: "alice"})
				var e *upstream.Error
				if !errors.As(err, &e) || e.Class != tt.class || e.Status != tt.status || e.Code != "" {
					t.Errorf("err = %v", err)
				}
				if len(s.seen()) != tt.tries {
					t.Errorf("%d tries, want %d", len(s.seen()), tt.tries)
				}
			})
		})
	}
}

// One lost answer is not seen outside, over a real connection.
func TestRetryAfterOneFault(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]fault{
		"reset": reset, "reset afterwards": then(reset), "internal": code(10002), "rate": code(60007),
		"truncated": truncated, "HTML": body("<html>"), "503": status(503), "then 503": then(status(503)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIM(t, "alice")
			s.groups["ZENDESK#1"] = &group{Changes: map[string]string{}}
			s.fail("add_group_member", f)
			if _, err := s.client().AddMembers(t.Context(), "ZENDESK#1", "alice"); err != nil {
				t.Fatal(err)
			}
			s.wantCommands("add_group_member", "add_group_member")
			if n := len(s.group("ZENDESK#1").MemberList); n != 1 {
				t.Errorf("%d members", n)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newIM(t)
		c := s.inProcess()
		s.fail("destroy_group", hang, hang, hang)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		err := c.DestroyGroup(ctx, "ZENDESK#1")
		if !errors.Is(err, context.DeadlineExceeded) || upstream.ClassOf(err) != upstream.Unknown {
			t.Errorf("err = %v", err)
		}
		// The first try took its 5 s, the second what was left.
		if took := time.Since(start); took != 7*time.Second || len(s.seen()) != 2 {
			t.Errorf("%d tries in %s", len(s.seen()), took)
		}
	})
}

func TestSignatureIsCached(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	s := newIM(t)
	c := s.client(func(o *tencentim.Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	signings := tencentim.CountSignings(c)
	call := func(want int32) {
		t.Helper()
		if err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"}); err != nil {
			t.Fatal(err)
		}
		if got := signings.Load(); got != want {
			t.Errorf("%d signings, want %d", got, want)
		}
	}
	call(1)
	call(1)
	now = now.Add(22*time.Hour + 59*time.Minute)
	call(1)
	now = now.Add(2 * time.Minute) // less than an hour to live
	call(2)
	call(2)
}

func TestConcurrentCallsSignOnce(t *testing.T) {
	t.Parallel()
	s := newIM(t)
	c := s.client()
	signings := tencentim.CountSignings(c)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "u" + strconv.Itoa(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := signings.Load(); n != 1 {
		t.Errorf("%d signings", n)
	}
	if len(s.nicks()) != 32 {
		t.Errorf("%d accounts", len(s.nicks()))
	}
}

func TestExpiredSignatureIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{70001, 60004, 60005} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newIM(t)
				c := s.inProcess()
				signings := tencentim.CountSignings(c)
				first := tencentim.Account{UserID: "alice"}
				if err := c.ImportAccount(t.Context(), first); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				s.fail("account_import", code(n))
				if err := c.ImportAccount(t.Context(), first); err != nil {
					t.Fatal(err)
				}
				if signings.Load() != 2 || len(s.seen()) != 3 || len(s.signatures()) != 2 {
					t.Errorf("%d signings, %d calls, %d signatures", signings.Load(), len(s.seen()), len(s.signatures()))
				}
				// The new one is kept.
				if err := c.ImportAccount(t.Context(), first); err != nil || signings.Load() != 2 {
					t.Errorf("%d signings, %v", signings.Load(), err)
				}
			})
		})
	}
}

// A vendor clock a day ahead refuses every signature: one renewal, then an
// error that says whose fault it is.
func TestExpiredForGood(t *testing.T) {
	t.Parallel()
	s := newIM(t)
	s.now = func() time.Time { return time.Now().Add(25 * time.Hour) }
	rereads := 0
	c := s.client(func(o *tencentim.Options) {
		o.Reread = func(context.Context) (tencentim.Credentials, error) { rereads++; return creds, nil }
	})
	err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"})
	if !upstream.HasCode(err, "70001") || !upstream.CredentialsRefused(err) || upstream.ClassOf(err) != upstream.Refused {
		t.Errorf("err = %v", err)
	}
	if len(s.seen()) != 2 || rereads != 1 {
		t.Errorf("%d calls, %d rereads", len(s.seen()), rereads)
	}
}

func TestCredentialsAreReread(t *testing.T) {
	t.Parallel()
	wrong := map[string]struct {
		change func(*tencentim.Credentials)
		code   string
	}{
		"key":   {func(c *tencentim.Credentials) { c.SecretKey = "the old key" }, "70009"},
		"app":   {func(c *tencentim.Credentials) { c.SDKAppID++ }, "70020"},
		"admin": {func(c *tencentim.Credentials) { c.AdminUserID = "someone" }, "60010"},
	}
	for name, tt := range wrong {
		old := creds
		tt.change(&old)
		t.Run(name+", rotated", func(t *testing.T) {
			t.Parallel()
			s := newIM(t)
			var current = old
			rereads := 0
			c := s.client(func(o *tencentim.Options) {
				o.Credentials = func(context.Context) (tencentim.Credentials, error) { return current, nil }
				o.Reread = func(context.Context) (tencentim.Credentials, error) { rereads++; current = creds; return current, nil }
			})
			for range 2 {
				if err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"}); err != nil {
					t.Fatal(err)
				}
			}
			if len(s.seen()) != 3 || rereads != 1 {
				t.Errorf("%d calls, %d rereads", len(s.seen()), rereads)
			}
		})
		for again, reread := range map[string]func(context.Context) (tencentim.Credentials, error){
			"same": credentials(old),
			"unreadable": func(context.Context) (tencentim.Credentials, error) {
				return tencentim.Credentials{}, errors.New("store down")
			},
			"never": nil,
		} {
			t.Run(name+", "+again, func(t *testing.T) {
				t.Parallel()
				s := newIM(t)
				c := s.client(func(o *tencentim.Options) { o.Credentials, o.Reread = credentials(old), reread })
				err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"})
				if !upstream.CredentialsRefused(err) || !upstream.HasCode(err, tt.code) {
					t.Errorf("err = %v", err)
				}
				if len(s.seen()) != 1 {
					t.Errorf("%d calls", len(s.seen()))
				}
			})
		}
		t.Run(name+", wrong twice", func(t *testing.T) {
			t.Parallel()
			s := newIM(t)
			other := old
			other.SecretKey = "another wrong key"
			c := s.client(func(o *tencentim.Options) { o.Credentials, o.Reread = credentials(old), credentials(other) })
			err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"})
			if !upstream.CredentialsRefused(err) || len(s.seen()) != 2 {
				t.Errorf("%d calls, %v", len(s.seen()), err)
			}
		})
	}
}

// A rotated secret counts from the next call on, although the signature made
// with the old one is still young.
func TestRotatedCredentialsSignAnew(t *testing.T) {
	t.Parallel()
	current := creds
	s := newIM(t)
	c := s.client(func(o *tencentim.Options) {
		o.Credentials = func(context.Context) (tencentim.Credentials, error) { return current, nil }
	})
	for _, key := range []string{creds.SecretKey, "the new key"} {
		current.SecretKey, s.creds.SecretKey = key, key
		if err := c.ImportAccount(t.Context(), tencentim.Account{UserID: "alice"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.seen()) != 2 {
		t.Errorf("%d calls", len(s.seen()))
	}
}

func TestNoCredentialsNoCall(t *testing.T) {
	t.Parallel()
	s := newIM(t)
	down := errors.New("secret caseroom/tencent: no answer")
	c := s.client(func(o *tencentim.Options) {
		o.Credentials = func(context.Context) (tencentim.Credentials, error) { return tencentim.Credentials{}, down }
	})
	if err := c.DestroyGroup(t.Context(), "ZENDESK#1"); !errors.Is(err, down) {
		t.Errorf("err = %v", err)
	}
	c = s.client(func(o *tencentim.Options) {
		o.Credentials = credentials(tencentim.Credentials{SDKAppID: 1, AdminUserID: "a"})
	})
	if err := c.DestroyGroup(t.Context(), "ZENDESK#1"); !upstream.CredentialsRefused(err) || !strings.Contains(err.Error(), "secretKey") {
		t.Errorf("err = %v", err)
	}
	s.wantCommands()
}

func TestGetGroupsReadsEachGroupsOwnCode(t *testing.T) {
	t.Parallel()
	const one = `{"GroupId":"ZENDESK#1","ErrorCode":0,"Type":"Public"}`
	for name, tt := range map[string]struct {
		body string
		want string // the error's code; "unreadable" for an answer without the group, "": none
	}{
		"envelope says failed":      {`{"ActionStatus":"FAIL","ErrorCode":10004,"GroupInfo":[` + one + `]}`, ""},
		"envelope OK, group failed": {`{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"ZENDESK#1","ErrorCode":10007}]}`, "10007"},
		"envelope failed, no group": {`{"ActionStatus":"FAIL","ErrorCode":10018}`, "10018"},
		"another group":             {`{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"ZENDESK#2","ErrorCode":0}]}`, "unreadable"},
		"no groups":                 {`{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[]}`, "unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIM(t)
			s.fail("get_group_info", body(tt.body))
			groups, err := s.client().GetGroups(t.Context(), "ZENDESK#1")
			if err == nil {
				err = groups["ZENDESK#1"].Err
			}
			switch tt.want {
			case "":
				if err != nil || groups["ZENDESK#1"].Type != "Public" {
					t.Errorf("%+v, %v", groups, err)
				}
			case "unreadable":
				if upstream.ClassOf(err) != upstream.Unknown || !strings.Contains(err.Error(), "unreadable") {
					t.Errorf("err = %v", err)
				}
			default:
				if !upstream.HasCode(err, tt.want) {
					t.Errorf("err = %v", err)
				}
			}
		})
	}
}

func TestGetGroupsInChunks(t *testing.T) {
	t.Parallel()
	s := newIM(t)
	var ids []string
	for i := range 120 {
		ids = append(ids, "ZENDESK#"+strconv.Itoa(i+1))
		s.groups[ids[i]] = &group{NewGroup: tencentim.NewGroup{Type: "Public", Name: ids[i]}}
	}
	groups, err := s.client().GetGroups(t.Context(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	s.wantCommands("get_group_info", "get_group_info", "get_group_info")
	for _, id := range ids {
		if groups[id].Name != id {
			t.Errorf("%s = %+v", id, groups[id])
		}
	}
}

func TestAddMembersNeedsEveryResult(t *testing.T) {
	t.Parallel()
	for name, list := range map[string]string{
		"none":          `[]`,
		"another":       `[{"Member_Account":"bob","Result":1}]`,
		"without value": `[{"Member_Account":"alice"}]`,
		"null":          `[{"Member_Account":"alice","Result":null}]`,
	} {
		s := newIM(t, "alice")
		s.fail("add_group_member", body(`{"ActionStatus":"OK","ErrorCode":0,"MemberList":`+list+`}`))
		got, err := s.client().AddMembers(t.Context(), "ZENDESK#1", "alice")
		if upstream.ClassOf(err) != upstream.Unknown || err == nil || got != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// No error, however printed, holds the signature, the key or the address.
func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		_ = json.NewEncoder(w).Encode(map[string]any{"ActionStatus": "FAIL", "ErrorCode": 10004, "ErrorInfo": r.URL.String()})
	}
	echoHTML := func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		w.WriteHeader(502)
		_, _ = io.WriteString(w, r.URL.String())
	}
	transportError := func(f func(*http.Request) error) func(*tencentim.Options) {
		return func(o *tencentim.Options) {
			o.Transport = upstreamtest.RoundTrip(func(r *http.Request) (*http.Response, error) { return nil, f(r) })
		}
	}
	for name, tt := range map[string]struct {
		fault fault
		set   func(*tencentim.Options)
	}{
		"timeout":   {hang, nil},
		"reset":     {reset, nil},
		"refusal":   {echo, nil},
		"HTML":      {echoHTML, nil},
		"redirect":  {status(307, "Location", "/tencent/sg/v4/x?usersig=1"), nil},
		"truncated": {truncated, nil},
		"wrong key": {code(70003), nil},
		"dial":      {nil, transportError(func(r *http.Request) error { return &net.OpError{Op: "dial", Net: r.URL.String(), Err: io.EOF} })},
		"DNS":       {nil, transportError(func(r *http.Request) error { return &net.DNSError{Err: "gone", Name: r.URL.String()} })},
		"transport": {nil, transportError(func(r *http.Request) error { return fmt.Errorf("talking to %s", r.URL) })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newIM(t)
				if tt.fault != nil {
					s.fail("destroy_group", tt.fault, tt.fault, tt.fault)
				}
				var sent []string
				c := s.inProcess(func(o *tencentim.Options) {
					if tt.set != nil {
						tt.set(o)
					}
					next := o.Transport
					o.Transport = upstreamtest.RoundTrip(func(r *http.Request) (*http.Response, error) {
						sent = append(sent, r.URL.Host, r.URL.Query().Get("usersig"), r.URL.RawQuery)
						return next.RoundTrip(r)
					})
				})
				wantNoSecrets(t, c, c.DestroyGroup(t.Context(), "ZENDESK#1"), sent)
			})
		})
	}
	t.Run("timeout on the wire", func(t *testing.T) {
		t.Parallel()
		s := newIM(t)
		ctx := &expiring{t.Context(), make(chan struct{})}
		s.fail("destroy_group", func(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			close(ctx.over)
			<-r.Context().Done()
		})
		c := s.client()
		err := c.DestroyGroup(ctx, "ZENDESK#1")
		wantNoSecrets(t, c, err, s.signatures())
	})
}

// expiring is a context whose time is over when the test says so.
type expiring struct {
	context.Context
	over chan struct{}
}

func (c *expiring) Done() <-chan struct{} { return c.over }

func (c *expiring) Err() error {
	select {
	case <-c.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func wantNoSecrets(t *testing.T, c *tencentim.Client, err error, sent []string) {
	t.Helper()
	var e *upstream.Error
	if !errors.As(err, &e) || len(sent) == 0 {
		t.Fatalf("err = %v, sent %q", err, sent)
	}
	var b bytes.Buffer
	for e := err; e != nil; e = errors.Unwrap(e) {
		_, _ = fmt.Fprintf(&b, "%v\n%+v\n%#v\n%s\n", e, e, e, e)
	}
	_, _ = fmt.Fprintf(&b, "%v %+v %v %#v %s\n", c, c, creds, creds, creds)
	for _, h := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
		slog.New(h).Error("failed", "err", err, "creds", creds, "pointer", &creds, "client", c, "rooms", tencentim.Rooms{Client: c})
	}
	for _, secret := range append(sent, creds.SecretKey, "usersig", prefix+"/v4", errorInfo) {
		// The address is in the client, which has to know it; errors have not.
		if text := b.String(); strings.Contains(text, secret) {
			t.Errorf("%q is in:\n%s", secret, text)
		}
	}
}

// Whatever the vendor answers, a call either succeeds on a plain OK or fails
// with an error that names no more than a code.
func FuzzAnswer(f *testing.F) {
	for _, b := range []string{
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}`, `{"ActionStatus":"FAIL","ErrorCode":10021}`, `null`, `[]`, `{}`, ``, `<html>`,
		`{"ActionStatus":"OK","ErrorCode":0,"GroupInfo":[{"GroupId":"ZENDESK#1","ErrorCode":10010}]}`,
		`{"ActionStatus":"FAIL","ErrorCode":10018,"GroupInfo":[{"GroupId":"ZENDESK#1","ErrorCode":0,"Type":"Public"}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"MemberList":[{"Member_Account":"alice","Result":1}]}`,
		`{"ActionStatus":"OK","ErrorCode":1e3}`, `{"actionstatus":"OK","errorcode":0}`,
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b string) {
		c, err := tencentim.New(tencentim.Options{
			Region: "sg", Credentials: credentials(creds),
			Transport: upstreamtest.RoundTrip(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(b))}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		var envelope struct {
			ActionStatus string
			ErrorCode    int
		}
		ok := json.Unmarshal([]byte(b), &envelope) == nil && envelope.ErrorCode == 0 && envelope.ActionStatus == "OK"
		synctest.Test(t, func(t *testing.T) { // the pauses between tries take no time
			if err := c.DestroyGroup(t.Context(), "ZENDESK#1"); (err == nil) != ok {
				t.Errorf("%q: %v", b, err)
			}
			if results, err := c.AddMembers(t.Context(), "ZENDESK#1", "alice"); err == nil {
				if _, has := results["alice"]; !ok || !has {
					t.Errorf("%q: results %v", b, results)
				}
			}
			groups, err := c.GetGroups(t.Context(), "ZENDESK#1")
			if g, has := groups["ZENDESK#1"]; err == nil && (!has || g.Err != nil && !reflect.DeepEqual(g, tencentim.Group{ID: "ZENDESK#1", Err: g.Err})) {
				t.Errorf("%q: groups %+v", b, groups)
			}
		})
	})
}
