package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/session"
)

// credentials are one of each kind, and forgeries of each.
type credentials struct {
	login, guest, agent, zendesk, salesforce string
	wrong                                    map[string]string // Authorization headers that prove nothing
}

func (s *stack) credentials() credentials {
	s.tb.Helper()
	id, err := identity.Guest([]byte(s.fix.GuestSecret), uuid.NewString())
	s.must(err)
	guestToken := func(secret string, now time.Time) string {
		signed, err := session.Guests{
			Now:     func() time.Time { return now },
			Secrets: func(context.Context) ([]string, error) { return []string{secret}, nil },
		}.Issue(context.Background(), id)
		s.must(err)
		return signed
	}
	c := credentials{
		login: s.customer("ada"), guest: guestToken(s.fix.GuestSecret, time.Now()), agent: s.agentSession(s.zendeskAgent()),
		zendesk: s.fix.DeskKeyZendesk, salesforce: s.fix.DeskKeySalesforce,
	}
	hs := func(secret string, claims map[string]any) string {
		signed, err := logintest.HS(secret).Sign(claims)
		s.must(err)
		return "Bearer " + signed
	}
	hour := time.Now().Add(time.Hour).Unix()
	claims := func(changes map[string]any) map[string]any {
		all := map[string]any{"iss": issuer, "aud": audience, "sub": "ada", "exp": hour}
		for name, value := range changes {
			all[name] = value
			if value == nil {
				delete(all, name)
			}
		}
		return all
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims(claims(nil))).SignedString(jwt.UnsafeAllowNoneSignatureType)
	s.must(err)
	rs, err := logintest.RSA("k").Sign(claims(nil))
	s.must(err)
	body := strings.Split(c.login, ".")
	c.wrong = map[string]string{
		"empty":                      "Bearer ",
		"scheme alone":               "Bearer",
		"no scheme":                  c.login,
		"basic":                      "Basic YWRhOmFkYQ==",
		"garbage":                    "Bearer garbage",
		"a short key":                "Bearer x",
		"half a desk key":            "Bearer " + c.zendesk[:32],
		"a longer desk key":          "Bearer " + c.zendesk + "0",
		"a desk key in upper case":   "Bearer " + strings.ToUpper(c.zendesk),
		"a comma before":             "Bearer x," + "Bearer " + c.login,
		"a comma after":              "Bearer " + c.login + ",",
		"a comma and a key":          "Bearer " + c.salesforce + ",Bearer " + c.zendesk,
		"a token cut off":            "Bearer " + c.login[:len(c.login)-4],
		"a token without signature":  "Bearer " + body[0] + "." + body[1] + ".",
		"alg none":                   "Bearer " + none,
		"RS256 for an HS256 login":   "Bearer " + rs,
		"another secret":             hs(strings.Repeat("x", 64), claims(nil)),
		"an empty secret":            hs("", claims(nil)),
		"expired":                    hs(s.fix.LoginHS256, claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})),
		"without exp":                hs(s.fix.LoginHS256, claims(map[string]any{"exp": nil})),
		"not yet":                    hs(s.fix.LoginHS256, claims(map[string]any{"nbf": hour})),
		"another issuer":             hs(s.fix.LoginHS256, claims(map[string]any{"iss": "https://evil.example"})),
		"without issuer":             hs(s.fix.LoginHS256, claims(map[string]any{"iss": nil})),
		"another audience":           hs(s.fix.LoginHS256, claims(map[string]any{"aud": "other"})),
		"without sub":                hs(s.fix.LoginHS256, claims(map[string]any{"sub": nil})),
		"an empty sub":               hs(s.fix.LoginHS256, claims(map[string]any{"sub": ""})),
		"a number as sub":            hs(s.fix.LoginHS256, claims(map[string]any{"sub": 7})),
		"a guest by the login's key": hs(s.fix.LoginHS256, claims(map[string]any{"iss": "caseroom-guest", "sub": id.ID()})),
		"an agent by a login's key":  hs(s.fix.LoginHS256, claims(map[string]any{"iss": "caseroom-app", "sub": "1"})),
		"a guest by another key":     "Bearer " + guestToken(strings.Repeat("y", 64), time.Now()),
		"a guest of last year":       "Bearer " + guestToken(s.fix.GuestSecret, time.Now().Add(-365*24*time.Hour)),
		"an agent by a guest's key":  hs(s.fix.GuestSecret, claims(map[string]any{"iss": "caseroom-app", "sub": "1"})),
		"a login by a guest's key":   hs(s.fix.GuestSecret, claims(nil)),
		"a login by an agent's key":  hs(s.fix.AppSessionSecret, claims(nil)),
		"a desk key as a login's":    hs(s.fix.DeskKeyZendesk, claims(nil)),
	}
	for what, header := range c.wrong {
		// What is wrong about a wrong one may be its form alone.
		s.vault.add("the credential "+what, strings.TrimPrefix(header, "Bearer "))
	}
	return c
}

// guarded is a route with a request that works but for the credential, and what
// each kind of credential is answered.
type guarded struct {
	request
	nobody, login, guest, agent, zendesk, salesforce string // problem code; "" works
}

func (s *stack) guarded() []guarded {
	s.tb.Helper()
	js := s.joinables()
	z, c := js[0], js[1]
	var list []guarded
	const no = "unauthorized"
	for _, path := range []string{"/createticket", "/zendesk/createticket", "/salesforce/createticket"} {
		list = append(list, guarded{request{path: path, body: ticketBody("Lamp")}, no, "", no, no, no, no})
	}
	list = append(list,
		guarded{request{path: "/guest/createticket", key: uuid.NewString(), body: ticketBody("Lamp")}, "", no, "", no, no, no},
		guarded{request{method: "GET", path: "/generate/token"}, no, "", no, no, no, no},
		guarded{request{path: "/generate/token"}, no, "", no, no, no, no},
		guarded{request{path: "/usersig", body: "{}"}, no, "", "", "", "forbidden", "invalid"},
		guarded{request{path: "/usersig", body: object("userId", c.agent)}, no, "forbidden", "forbidden", "forbidden", "forbidden", ""},
		guarded{request{path: "/salesforce/usersig", body: object("userId", c.agent)}, no, no, no, no, "forbidden", ""},
		guarded{request{method: "GET", path: "/visitor?id=9855790-xjj3u5xPWhW1Fv"}, no, no, no, no, "", ""},
		guarded{request{path: "/zendesk/events", body: object("ticketId", "1")}, no, no, no, no, no, no},     // TestZendeskEvents
		guarded{request{path: "/chat/events", body: object("GroupId", "ZENDESK#1")}, no, no, no, no, no, no}, // TestChatEvents
		guarded{request{method: "GET", path: "/calendar"}, no, no, no, "", no, no},
		guarded{request{method: "GET", path: "/calendar/connect"}, no, no, no, "", no, no},
		guarded{request{method: "GET", path: "/calendar/disconnect"}, no, no, no, "", no, no},
		guarded{request{path: "/calendar/feed"}, no, no, no, "", no, no},
		guarded{request{path: "/salesforce/events", body: object("cases", []string{c.room})}, no, no, no, no, "forbidden", ""},
	)
	for _, op := range []string{"joingroup", "leavegroup", "deletegroup"} {
		list = append(list,
			guarded{request{path: "/" + op, body: object("groupId", z.room, "userId", z.agent)}, no, no, no, no, "", "forbidden"},
			guarded{request{path: "/" + op, body: object("groupId", c.room, "userId", c.agent)}, no, no, no, no, "forbidden", ""},
			guarded{request{path: "/salesforce/" + op, body: object("groupId", c.room, "userId", c.agent)}, no, no, no, no, "forbidden", ""},
			guarded{request{path: "/salesforce/" + op, body: object("groupId", z.room, "userId", z.agent)}, no, no, no, no, "forbidden", "forbidden"},
		)
	}
	return list
}

// Every route with every kind of credential, and without one.
func TestCredentials(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	routes, c := s.guarded(), s.credentials()
	tried := map[string]bool{}
	for _, g := range routes {
		path, _, _ := strings.Cut(g.path, "?")
		method := g.method
		if method == "" {
			method = "POST"
		}
		tried[method+" "+path] = true
		for _, try := range []struct{ as, want string }{
			{"", g.nobody}, {c.login, g.login}, {c.guest, g.guest}, {c.agent, g.agent}, {c.zendesk, g.zendesk}, {c.salesforce, g.salesforce},
		} {
			r := g.request
			r.as = try.as
			if try.want == "" {
				s.do(r).ok(t)
			} else {
				s.refused(t, r, try.want)
			}
		}
	}
	s.do(request{path: "/usersig", body: "{}"}.with("Authorization", "bearer  "+c.login)).ok(t) // RFC 9110, section 11.4
	for _, g := range routes {
		for what, header := range c.wrong {
			s.refused(t, g.request.with("Authorization", header), "unauthorized")
			if t.Failed() {
				t.Fatalf("the wrong credential was: %s", what)
			}
		}
		// Two headers are no credential, even if the first is a good one.
		s.refused(t, g.request.with("Authorization", "Bearer "+c.login).with("Authorization", "Bearer "+c.login), "unauthorized")
		s.refused(t, g.request.with("Authorization", "Bearer "+c.zendesk).with("Authorization", "Bearer "+c.salesforce), "unauthorized")
	}
	// No route of the template was forgotten.
	for _, f := range s.host.Stack().Functions {
		for _, route := range f.Routes {
			// TestZendeskApp, TestCalendar
			open := route.Path == "/zendesk/app" || route.Path == "/calendar/callback" || route.Path == "/calendar/feed" && route.Method != "POST"
			if key := route.Method + " " + route.Path; !route.IAM && !open && !tried[key] {
				t.Errorf("%s was not tried", key)
			}
		}
	}
}

// The IAM routes take the gateway's word for the principal and nobody else's.
func TestIAM(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	c := s.joinables()[1]
	spoofed := `{"routeKey":"x","authorizer":{"iam":{"userArn":"` + principal + `"}},"requestId":"x"}`
	for _, path := range []string{"/iam/salesforce/joingroup", "/iam/salesforce/leavegroup", "/iam/salesforce/deletegroup", "/iam/salesforce/usersig", "/iam/salesforce/events"} {
		r := request{path: path, body: object("groupId", c.room, "userId", c.agent, "cases", []string{c.room})}
		before := len(s.calls())
		for _, unsigned := range []request{
			r, r.with("Authorization", "Bearer "+s.fix.DeskKeySalesforce), r.signedBy("nobody"), r.signedBy(""),
			r.with("X-GoLambdaProxy-ApiGw-Context", spoofed),
		} {
			if a := s.do(unsigned); a.status != http.StatusForbidden || a.text("message") != "Forbidden" {
				t.Errorf("without a signature: %s", a)
			}
		}

		// What the gateway refuses cannot reach the function. If it could:
		function := s.functionOf("POST " + path)
		for _, authorizer := range []string{`null`, `{}`, `{"iam":null}`, `{"iam":{}}`, `{"jwt":{"claims":{"sub":"x"},"scopes":null}}`, `{"lambda":{"iam":{"userArn":"x"}}}`} {
			event := `{"version":"2.0","rawPath":"` + path + `","headers":{"content-type":"application/json",` +
				`"x-golambdaproxy-apigw-context":` + object("x", spoofed)[5:len(object("x", spoofed))-1] + `,"x-golambdaproxy-lambda-context":"{}",` +
				`"authorization":"Bearer ` + s.fix.DeskKeySalesforce + `"},"requestContext":{"http":{"method":"POST","path":"` + path + `"},"requestId":"r","authorizer":` +
				authorizer + `},"body":` + string(must(json.Marshal(r.body))) + `}`
			if a := s.invoke(function, event); a.status != http.StatusForbidden || a.text("code") != "forbidden" {
				t.Errorf("%s with the authorizer %s: %d %s", path, authorizer, a.status, a.body)
			}
		}
		if calls := s.since(before); len(calls) > 0 {
			t.Errorf("unsigned requests called %v", calls)
		}
		// A desk's key beside a principal changes nothing.
		s.do(r.signedBy(principal).with("Authorization", "Bearer wrong")).ok(t)
	}
	// The principal speaks for Salesforce.
	z := s.joinables()[0]
	for _, op := range []string{"joingroup", "leavegroup", "deletegroup"} {
		s.refused(t, request{path: "/iam/salesforce/" + op, body: object("groupId", z.room, "userId", z.agent)}.signedBy(principal), "forbidden")
		s.refused(t, request{path: "/" + op, body: object("groupId", z.room, "userId", z.agent)}.signedBy(principal), "unauthorized")
	}
	s.checkUserSig(s.do(request{path: "/iam/salesforce/usersig", body: object("userId", c.agent)}.signedBy(principal)), "sf_"+c.agent, 12*time.Hour)
}

// functionOf is the logical id of the function that a route leads to.
func (s *stack) functionOf(key string) string {
	s.tb.Helper()
	for _, f := range s.host.Stack().Functions {
		if slices.ContainsFunc(f.Routes, func(r lambdahost.Route) bool { return r.Key() == key }) {
			return f.LogicalID
		}
	}
	s.tb.Fatalf("no function has the route %s", key)
	return ""
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// invoke sends an event to a function past the gateway.
func (s *stack) invoke(function, event string) answer {
	s.tb.Helper()
	out, err := s.host.Invoke(context.Background(), function, []byte(event))
	if err != nil {
		s.tb.Fatalf("%s: %v", function, err)
	}
	var res struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
		Body       string            `json:"body"`
	}
	s.must(json.Unmarshal(out, &res))
	a := answer{status: res.StatusCode, header: http.Header{}, body: []byte(res.Body)}
	for name, value := range res.Headers {
		a.header.Set(name, value)
	}
	_ = json.Unmarshal(a.body, &a.fields)
	for _, name := range []string{"userSig", "guestToken", "token"} {
		s.vault.add("an answer's "+name, a.text(name))
	}
	return a
}

// The login may come as a cookie, from a page that no other site can imitate.
func TestLoginCookie(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ada := s.customer("ada")
	for _, r := range []request{
		{path: "/createticket", body: ticketBody("Lamp")},
		{path: "/usersig", body: "{}"},
		{path: "/generate/token", body: "{}"},
	} {
		r.cookie = ada
		s.do(r).ok(t)
		s.do(r.with("Origin", origin)).ok(t)
		s.do(r.with("Content-Type", "application/json; charset=utf-8")).ok(t)
		for _, other := range []string{"https://evil.example", "null", origin + ".evil.example", "http://shop.example", origin + ":8443", "HTTPS://SHOP.EXAMPLE", origin + "," + origin} {
			s.refused(t, r.with("Origin", other), "forbidden")
		}
		s.refused(t, r.with("Origin", origin).with("Origin", "https://evil.example"), "forbidden")
		// What a form or a plain fetch can send across sites.
		for _, form := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/plain; application/json"} {
			s.refused(t, r.with("Content-Type", form), "unsupported_media_type")
		}
		// A wrong Authorization is refused even beside a good cookie.
		for _, wrong := range []string{"Bearer wrong", "Bearer", "", "Basic YTpi", "Bearer " + s.fix.GuestSecret} {
			s.refused(t, r.with("Authorization", wrong), "unauthorized")
		}
		r.cookie = s.loginToken("ada", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
		s.refused(t, r, "unauthorized")
		r.cookie = s.fix.DeskKeySalesforce // a cookie is a login's, nothing else
		s.refused(t, r, "unauthorized")
	}
	guest := s.do(request{path: "/guest/createticket", key: uuid.NewString(), body: ticketBody("Lamp")}).ok(t).text("guestToken")
	s.refused(t, request{path: "/usersig", cookie: guest, body: "{}"}, "unauthorized")
	s.refused(t, request{path: "/usersig", cookie: s.agentSession("1"), body: "{}"}, "unauthorized")
	s.do(request{method: "GET", path: "/generate/token", cookie: ada}.with("Origin", "https://evil.example")).ok(t) // CORS hides the answer
	// The cookie's empty POST cannot be told from a form's, so it needs JSON too.
	s.refused(t, request{path: "/usersig", cookie: ada}, "unsupported_media_type")
	// The guests' route does not know who is logged in.
	a := s.do(request{path: "/guest/createticket", cookie: ada, key: uuid.NewString(), body: ticketBody("Lamp")}).ok(t)
	if !strings.HasPrefix(a.text("userId"), "guest_") {
		t.Error(a)
	}
	// Browsers send two cookies of one name after a site moved it to another domain.
	stale := s.loginToken("ada", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	two := func(first, second string) request {
		return request{path: "/usersig", body: "{}"}.with("Cookie", "token="+first+"; token="+second)
	}
	s.checkUserSig(s.do(two(stale, ada)), "ada", 24*time.Hour)
	s.checkUserSig(s.do(two(ada, stale)), "ada", 24*time.Hour)
	s.checkUserSig(s.do(two(ada, ada)), "ada", 24*time.Hour)
	s.refused(t, two(stale, stale), "unauthorized")
	s.refused(t, two(ada, s.customer("eve")), "unauthorized")
	// A desk's routes take no cookie.
	s.refused(t, request{path: "/joingroup", cookie: ada, body: object("groupId", "ZENDESK#1", "userId", 1)}, "unauthorized")

	t.Run("another name", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, parameter("LoginCookie", "session"))
		s.refused(t, request{path: "/usersig", cookie: s.customer("ada"), body: "{}"}, "unauthorized")
		s.do(request{path: "/usersig", body: "{}"}.with("Cookie", "a=b; session="+s.customer("ada")+"; c=d")).ok(t)
	})
}

// Nobody gets a UserSig for, or acts as, anybody but themselves.
func TestIdentities(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	sf := s.fix.Salesforce.AgentIDs[0]
	// Ids that no login may have, even if it says so.
	reserved := []string{
		"administrator", "admin", "admin1", "administrator2", "root", "system", "system_7", "boss", "night_shift",
		"zd_" + s.zendeskAgent(), "zd_", "sf_" + strings.ToLower(sf), "guest_aaaaaaaaaaaaaaaaaaaaaa", "u_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "u_",
		s.zendeskAgent(), "0", "12345678901234567890", strings.ToLower(sf), strings.ToLower(sf[:15]),
	}
	// Ids that no chat id may look like.
	odd := []string{
		"Administrator", "ROOT", "Boss", sf, sf[:15], "sf_" + sf, "ADA", "a b", "ada@example.com", "é", "a.b", "-ada", "_ada", "a:b", "a/b",
		"82cd5e0c-c3ff-11e9-b199-c1e5fc81c37f", strings.Repeat("a", 33), " ada", "ada ", "@TLS#NOT_FOUND", "@RBT#1",
	}
	for _, sub := range append(slices.Clone(reserved), odd...) {
		want := identity.HashID("u_", issuer+"\n"+sub, 30)
		token := s.loginToken(sub, nil)
		s.checkUserSig(s.do(request{path: "/usersig", as: token, body: "{}"}), want, 24*time.Hour)
		s.checkUserSig(s.do(request{path: "/usersig", as: token, body: object("userId", sub)}), want, 24*time.Hour)
		s.checkUserSig(s.do(request{path: "/usersig", as: token, body: object("userId", want)}), want, 24*time.Hour)
	}
	for _, sub := range []string{"ada", "a", "7b", "a-b_c", "zd", "guest", "user_1", "adminx"[2:], "rooter", "bosss", strings.Repeat("a", 32), "005x"} {
		s.checkUserSig(s.do(request{path: "/usersig", as: s.loginToken(sub, nil), body: "{}"}), sub, 24*time.Hour)
	}

	// Another's id is refused to everybody who is only themselves.
	c := s.credentials()
	others := append(slices.Clone(reserved), "bob", "Ada", "ada ", "u_"+strings.Repeat("b", 30), "-1")
	for _, other := range others {
		for _, as := range []string{c.login, c.guest, c.agent} {
			if as == c.agent && (other == s.zendeskAgent() || other == "zd_"+s.zendeskAgent()) {
				continue
			}
			s.refused(t, request{path: "/usersig", as: as, body: object("userId", other)}, "forbidden")
		}
		body := object("userId", other, "caseInfo", map[string]string{"subject": "x", "desc": "x"})
		for _, path := range []string{"/createticket", "/zendesk/createticket", "/salesforce/createticket"} {
			s.refused(t, request{path: path, as: c.login, body: body}, "forbidden")
		}
		// A guest's userId is ignored.
		a := s.do(request{path: "/guest/createticket", key: uuid.NewString(), body: body}).ok(t)
		if !strings.HasPrefix(a.text("userId"), "guest_") {
			t.Error(a)
		}
	}

	// Salesforce vouches for Salesforce's users.
	for _, other := range []string{
		"administrator", "boss", "ada", "root", "zd_" + s.zendeskAgent(), s.zendeskAgent(), "guest_aaaaaaaaaaaaaaaaaaaaaa",
		"sf_administrator", "sf_sf_" + sf, "sf_", "500" + sf[3:], sf[:14], sf + "A", sf[:15] + "AAA", "00G" + sf[3:], sf[:15] + "\n",
	} {
		for _, path := range []string{"/usersig", "/salesforce/usersig"} {
			s.refused(t, request{path: path, as: c.salesforce, body: object("userId", other)}, "invalid")
		}
		s.refused(t, request{path: "/iam/salesforce/usersig", body: object("userId", other)}.signedBy(principal), "invalid")
	}
	for _, form := range []string{sf, sf[:15], "sf_" + sf} {
		s.checkUserSig(s.do(request{path: "/usersig", as: c.salesforce, body: object("userId", form)}), "sf_"+sf, 12*time.Hour)
	}

	// A desk moves its agents, nobody else.
	for _, j := range s.joinables() {
		wrong := []string{"ada", "administrator", "boss", "guest_aaaaaaaaaaaaaaaaaaaaaa", "u_x", "root", "-1", "0", "1.5", "zd_zd_1", "sf_administrator", ""}
		if j.desk == "zendesk" {
			wrong = append(wrong, sf, "sf_"+sf, "zd_0", "zd_", "99999999999999999999999")
		} else {
			wrong = append(wrong, "zd_1", "1", "sf_", j.room)
		}
		for _, user := range wrong {
			for _, op := range []string{"/joingroup", "/leavegroup"} {
				s.refused(t, request{path: op, as: j.key, body: object("groupId", j.room, "userId", user)}, "invalid")
			}
		}
	}

	t.Run("raw agents", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, parameter("AgentIds", "raw"))
		s.checkUserSig(s.do(request{path: "/usersig", as: s.agentSession("900000101"), body: "{}"}), "900000101", 12*time.Hour)
		s.checkUserSig(s.do(request{path: "/usersig", as: s.fix.DeskKeySalesforce, body: object("userId", sf)}), sf, 12*time.Hour)
		for _, sub := range []string{"900000101", strings.ToLower(sf), sf} {
			want := identity.HashID("u_", issuer+"\n"+sub, 30)
			s.checkUserSig(s.do(request{path: "/usersig", as: s.loginToken(sub, nil), body: "{}"}), want, 24*time.Hour)
			s.refused(t, request{path: "/usersig", as: s.customer("ada"), body: object("userId", sub)}, "forbidden")
		}
		for _, j := range s.joinables() {
			s.do(request{path: "/joingroup", as: j.key, body: object("groupId", j.room, "userId", j.agent)}).ok(t)
			if got, want := members(s.room(j.room)), []string{j.agent, "ada"}; !slices.Equal(got, want) {
				t.Errorf("members %v, want %v", got, want)
			}
		}
	})
	t.Run("an agent who is the app's admin", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, parameter("AgentIds", "raw"), parameter("ReservedUserIds", "900000101,"+sf))
		s.refused(t, request{path: "/usersig", as: s.agentSession("900000101"), body: "{}"}, "forbidden")
		s.refused(t, request{path: "/usersig", as: s.fix.DeskKeySalesforce, body: object("userId", sf)}, "forbidden")
	})
	t.Run("an admin with a plain id", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, func(set *settings) {
			set.secrets = func(box *sandbox.Sandbox) {
				f := box.Fixtures().Tencent
				box.SetSecret(sandbox.SecretTencent, json.RawMessage(object("sdkAppId", f.SDKAppID, "secretKey", f.SecretKey, "adminUserId", "carol")))
			}
		})
		want := identity.HashID("u_", issuer+"\ncarol", 30)
		s.checkUserSig(s.do(request{path: "/usersig", as: s.loginToken("carol", nil), body: "{}"}), want, 24*time.Hour)
		s.refused(t, request{path: "/usersig", as: s.customer("ada"), body: object("userId", "carol")}, "forbidden")
	})
}

// A desk's key opens its own desk's rooms, and both of two live keys open them.
func TestDeskKeys(t *testing.T) {
	t.Parallel()
	older := strings.Repeat("0123456789abcdef", 4)
	s := newStack(t, func(set *settings) {
		set.secrets = func(box *sandbox.Sandbox) {
			f := box.Fixtures()
			box.SetSecret(sandbox.SecretDeskKeys, json.RawMessage(object(
				"zendesk", []string{f.DeskKeyZendesk, older}, "salesforce", []string{f.DeskKeySalesforce})))
		}
	})
	js := s.joinables()
	z, c := js[0], js[1]
	for _, key := range []string{s.fix.DeskKeyZendesk, older} {
		s.do(request{path: "/joingroup", as: key, body: object("groupId", z.room, "userId", z.agent)}).ok(t)
		s.refused(t, request{path: "/joingroup", as: key, body: object("groupId", c.room, "userId", c.agent)}, "forbidden")
	}
	for _, room := range []string{"ZENDESK#0", "ZENDESK#", "ZENDESK#01", "zendesk#1", "ZENDESK#1 ", "ZENDESK#1\n", "ZENDESK#-1", "ZENDESK#1#2", "1", "@TGS#1", c.room[:14], c.room[:15] + "AAA", "../ZENDESK#1"} {
		for _, op := range []string{"/joingroup", "/leavegroup", "/deletegroup"} {
			s.refused(t, request{path: op, as: older, body: object("groupId", room, "userId", z.agent)}, "invalid")
		}
	}
}

// A login service that publishes its keys: RS256 and ES256 by the key's type.
func TestLoginJWKS(t *testing.T) {
	t.Parallel()
	rsa, ec := logintest.RSA("rsa"), logintest.EC("ec")
	for name, keys := range map[string]http.Handler{"jwks": logintest.JWKS(rsa, ec), "xsolla": logintest.XsollaKeys(rsa)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, keys)
			s := newStack(t, parameter("LoginJwksUrl", url+"/keys"), parameter("LoginAudience", audience))
			claims := map[string]any{"iss": issuer, "sub": "ada", "exp": time.Now().Add(time.Hour).Unix(), "xsolla_login_project_id": audience}
			s.checkUserSig(s.do(request{path: "/usersig", as: must(rsa.Sign(claims)), body: "{}"}), "ada", 24*time.Hour)
			if name == "jwks" {
				s.checkUserSig(s.do(request{path: "/usersig", as: must(ec.Sign(claims)), body: "{}"}), "ada", 24*time.Hour)
			}
			s.refused(t, request{path: "/usersig", as: s.customer("ada"), body: "{}"}, "unauthorized") // HS256
			stranger := must(logintest.NewRSA("rsa", 2048))
			s.refused(t, request{path: "/usersig", as: must(stranger.Sign(claims)), body: "{}"}, "unauthorized")
		})
	}
}
