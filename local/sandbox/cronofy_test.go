package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

type cronofyBed struct {
	*testing.T
	*Sandbox
	server *httptest.Server
	now    time.Time
}

func newCronofyBed(t *testing.T) *cronofyBed {
	b := &cronofyBed{T: t, now: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)}
	b.Sandbox = New(Options{Seed: 1, Now: func() time.Time { return b.now }})
	b.server = httptest.NewServer(b.Handler())
	t.Cleanup(b.server.Close)
	return b
}

func (b *cronofyBed) send(method, path, body, token string) (int, string) {
	b.Helper()
	req, err := http.NewRequest(method, b.server.URL+"/cronofy"+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

func (b *cronofyBed) want(status int, part, method, path, body, token string) string {
	b.Helper()
	got, text := b.send(method, path, body, token)
	if got != status || !strings.Contains(text, part) {
		b.Errorf("%s %s %s: %d %s, want %d with %q", method, path, body, got, text, status, part)
	}
	return text
}

// token connects a person and returns the access and refresh tokens.
func (b *cronofyBed) token(scopes ...string) (access, refresh string) {
	b.Helper()
	code, err := b.Cronofy().Allow("alex@caseroom.example", "https://x.example/cb", scopes...)
	if err != nil {
		b.Fatal(err)
	}
	text := b.want(200, `"token_type":"bearer"`, "POST", "/oauth/token", b.grant(`"grant_type":"authorization_code","redirect_uri":"https://x.example/cb","code":"`+code+`"`), "")
	field := func(name string) string {
		_, rest, _ := strings.Cut(text, `"`+name+`":"`)
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	return field("access_token"), field("refresh_token")
}

func (b *cronofyBed) grant(fields string) string {
	f := b.Fixtures().Cronofy
	return `{"client_id":"` + f.ClientID + `","client_secret":"` + f.ClientSecret + `",` + fields + `}`
}

func TestCronofyAuthorize(t *testing.T) {
	b := newCronofyBed(t)
	id := b.Fixtures().Cronofy.ClientID
	good := url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {"https://x.example/cb?a=b"}, "scope": {"create_event"}, "state": {"s&t"}}
	b.want(200, "alex@caseroom.example", "GET", "/oauth/authorize?"+good.Encode(), "", "")
	for name, value := range map[string]string{"response_type": "token", "client_id": "x", "redirect_uri": "http://x.example/cb", "scope": "everything"} {
		bad := url.Values{}
		for k, v := range good {
			bad[k] = v
		}
		bad.Set(name, value)
		b.want(400, "", "GET", "/oauth/authorize?"+bad.Encode(), "", "")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for answer, param := range map[string]string{"allow": "code", "deny": "error"} {
		res, err := client.PostForm(b.server.URL+"/cronofy/oauth/authorize?"+good.Encode(), url.Values{"account": {"alex@caseroom.example"}, "answer": {answer}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		to, err := url.Parse(res.Header.Get("Location"))
		if err != nil || res.StatusCode != 302 || to.Host != "x.example" || to.Query().Get(param) == "" || to.Query().Get("state") != "s&t" || to.Query().Get("a") != "b" {
			t.Errorf("%s: %d to %s", answer, res.StatusCode, to)
		}
	}
}

func TestCronofyTokens(t *testing.T) {
	b := newCronofyBed(t)
	b.want(400, "invalid_client", "POST", "/oauth/token", `{"client_id":"x","client_secret":"y","grant_type":"refresh_token"}`, "")
	b.want(400, "unsupported_grant_type", "POST", "/oauth/token", b.grant(`"grant_type":"password"`), "")
	b.want(400, "unknown_or_used", "POST", "/oauth/token", b.grant(`"grant_type":"authorization_code","code":"x"`), "")
	b.want(400, "invalid_grant", "POST", "/oauth/token", b.grant(`"grant_type":"refresh_token","refresh_token":"x"`), "")
	access, refresh := b.token("list_calendars")
	b.want(200, "alex@caseroom.example", "GET", "/v1/userinfo", "", access)
	b.want(401, "", "GET", "/v1/userinfo", "", "x")
	b.want(403, "", "POST", "/v1/calendars/cal_00000001_work/events", `{}`, access)
	b.now = b.now.Add(time.Hour)
	b.want(401, "", "GET", "/v1/userinfo", "", access)
	again := b.grant(`"grant_type":"refresh_token","refresh_token":"` + refresh + `"`)
	b.want(200, refresh, "POST", "/oauth/token", again, "")
	b.Cronofy().Rotate(true)
	if text := b.want(200, "access_token", "POST", "/oauth/token", again, ""); strings.Contains(text, refresh) {
		t.Error("the refresh token was not replaced")
	}
	b.want(400, "invalid_grant", "POST", "/oauth/token", again, "")
	access, refresh = b.token("list_calendars")
	b.want(202, "", "POST", "/oauth/token/revoke", b.grant(`"token":"`+refresh+`"`), "")
	b.want(401, "", "GET", "/v1/userinfo", "", access)
}

func TestCronofyEvents(t *testing.T) {
	b := newCronofyBed(t)
	access, _ := b.token("create_event", "delete_event", "list_calendars")
	const work = "/v1/calendars/cal_00000001_work/events"
	event := func(change, to string) string {
		good := `{"event_id":"1","summary":"s","description":"d","start":"2026-11-20T08:00:00+01:00","end":{"time":"2026-11-20T07:10:00Z","tzid":"Europe/Berlin"},"tzid":"Europe/Berlin","url":"https://x.example/"}`
		return strings.Replace(good, change, to, 1)
	}
	b.want(202, "", "POST", work, event("", ""), access)
	b.want(202, "", "POST", work, event(`"s"`, `"new"`), access)
	for change, to := range map[string]string{
		`"event_id":"1",`: ``, `"summary":"s",`: ``, `"s"`: `"` + strings.Repeat("x", 1025) + `"`, `"d"`: `"` + strings.Repeat("x", 4097) + `"`,
		`"start":"2026-11-20T08`: `"start":"2026-11-21T08`, `+01:00`: ``, `"tzid":"Europe/Berlin","url"`: `"tzid":"Europe/Nowhere","url"`, `https://x.example/`: `/x`,
	} {
		b.want(422, `"errors"`, "POST", work, event(change, to), access)
	}
	b.want(404, "", "POST", "/v1/calendars/cal_00000002_work/events", event("", ""), access)
	b.want(403, "", "POST", "/v1/calendars/cal_00000001_holidays/events", event("", ""), access)
	b.want(200, `"summary":"new"`, "GET", "/v1/events?tzid=Etc/UTC&only_managed=true", "", access)
	b.want(200, `"events":[]`, "GET", "/v1/events?tzid=Etc/UTC&only_managed=true&from=2026-11-21", "", access)
	b.want(403, "", "GET", "/v1/events?tzid=Etc/UTC", "", access)
	b.want(422, "tzid", "GET", "/v1/events?only_managed=true", "", access)
	if err := b.Cronofy().Lock("alex@caseroom.example", true); err != nil {
		t.Fatal(err)
	}
	b.want(423, "", "POST", work, event("", ""), access)
	_ = b.Cronofy().Lock("alex@caseroom.example", false)
	b.want(422, "", "DELETE", work, `{}`, access)
	b.want(202, "", "DELETE", work, `{"event_id":"1"}`, access)
	b.want(202, "", "DELETE", work, `{"event_id":"1"}`, access)
	if events, err := b.Cronofy().Events("alex@caseroom.example"); err != nil || len(events) != 0 {
		t.Errorf("%v %v", events, err)
	}
}

func TestCronofyLimits(t *testing.T) {
	b := newCronofyBed(t)
	access, _ := b.token("list_calendars")
	count := func(n int) (limited int) {
		for range n {
			if status, _ := b.send("GET", "/v1/calendars", "", access); status == 429 {
				limited++
			}
		}
		return limited
	}
	if n := count(60); n != 10 {
		t.Errorf("%d of 60 in a second were refused", n)
	}
	for range 10 {
		b.now = b.now.Add(time.Second)
		count(50)
	}
	b.now = b.now.Add(time.Second)
	if n := count(10); n != 10 {
		t.Errorf("%d of 10 above the minute's limit were refused", n)
	}
	b.now = b.now.Add(time.Minute)
	if n := count(10); n != 0 {
		t.Errorf("%d refused in a new minute", n)
	}
}
