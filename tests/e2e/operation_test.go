package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/caseroom/caseroom/local/sandbox"
)

// A missing or unreadable secret fails the request with 503 and a log line that
// names the secret. The secrets are those of the template, each function's own.
func TestMissingSecrets(t *testing.T) {
	t.Parallel()
	names := map[string]string{
		"TENCENT_SECRET": sandbox.SecretTencent, "ZENDESK_SECRET": sandbox.SecretZendesk, "SALESFORCE_SECRET": sandbox.SecretSalesforce,
		"LOGIN_SECRET": sandbox.SecretLogin, "GUEST_SECRET": sandbox.SecretGuest, "DESK_KEYS_SECRET": sandbox.SecretDeskKeys,
		"ZENDESK_EVENTS_SECRET": sandbox.SecretZendeskEvents, "ZENDESK_APP_SECRET": sandbox.SecretZendeskApp, "ZENDESK_CHAT_SECRET": sandbox.SecretZendeskChat, "ZOPIM_SECRET": sandbox.SecretZopim,
		"CRONOFY_SECRET": sandbox.SecretCronofy, "CHAT_WEBHOOK_SECRET": sandbox.SecretChatWebhook,
	}
	// Requests that need a secret, by function and the secret's variable.
	requests := func(s *stack) map[string]map[string]request {
		body := ticketBody("Lamp")
		login := s.customer("ada")
		sf := s.fix.Salesforce.AgentIDs[0]
		join := request{as: s.fix.DeskKeyZendesk, body: object("groupId", "ZENDESK#1", "userId", 1)}
		member := func(path string) map[string]request {
			r := join
			r.path = path
			return map[string]request{"TENCENT_SECRET": r, "DESK_KEYS_SECRET": r}
		}
		visit := request{method: "GET", path: "/visitor?id=9855790-xjj3u5xPWhW1Fv", as: s.fix.DeskKeyZendesk}
		return map[string]map[string]request{
			"createticket": {
				"TENCENT_SECRET": {path: "/createticket", as: login, body: body}, "LOGIN_SECRET": {path: "/createticket", as: login, body: body},
				"ZENDESK_SECRET":    {path: "/zendesk/createticket", as: login, body: body},
				"SALESFORCE_SECRET": {path: "/salesforce/createticket", as: login, body: body},
				"GUEST_SECRET":      {path: "/guest/createticket", key: uuid.NewString(), body: body},
			},
			"joingroup": member("/joingroup"), "leavegroup": member("/leavegroup"),
			"deletegroup": func() map[string]request {
				list := member("/deletegroup")
				for _, j := range s.joinables() {
					list[strings.ToUpper(j.desk)+"_SECRET"] = request{path: "/deletegroup", as: j.key, body: object("groupId", j.room)}
				}
				return list
			}(),
			"chatjwt": {
				"LOGIN_SECRET":        {method: "GET", path: "/generate/token", as: login},
				"ZENDESK_CHAT_SECRET": {method: "GET", path: "/generate/token", as: login},
			},
			"usersig": {
				"LOGIN_SECRET": {path: "/usersig", as: login, body: "{}"}, "TENCENT_SECRET": {path: "/usersig", as: login, body: "{}"},
				"GUEST_SECRET":       {path: "/usersig", as: s.guestToken(), body: "{}"},
				"ZENDESK_APP_SECRET": {path: "/usersig", as: s.agentSession("1"), body: "{}"},
				"DESK_KEYS_SECRET":   {path: "/usersig", as: s.fix.DeskKeySalesforce, body: object("userId", sf)},
			},
			"zendeskapp": {
				"ZENDESK_APP_SECRET": request{path: "/zendesk/app", body: "token=" + s.appToken("1", nil)}.with("Content-Type", "application/x-www-form-urlencoded"),
			},
			"zendeskevent":    {"ZENDESK_EVENTS_SECRET": {path: "/zendesk/events", as: s.fix.Zendesk.EventsBearer, body: object("ticketId", "1")}},
			"salesforceevent": {"DESK_KEYS_SECRET": {path: "/salesforce/events", as: s.fix.DeskKeySalesforce, body: object("cases", []string{"500Hs00001VmO9hIAF"})}},
			"chatevent":       {"CHAT_WEBHOOK_SECRET": s.callback("Group.CallbackAfterMemberExit", "Web", "ZENDESK#1", "ada")},
			"visitor":         {"ZOPIM_SECRET": visit, "DESK_KEYS_SECRET": visit},
			"calendarconnect": {
				"CRONOFY_SECRET":     {method: "GET", path: "/calendar", as: s.agentSession("1")},
				"ZENDESK_APP_SECRET": {method: "GET", path: "/calendar", as: s.agentSession("1")},
			},
			"calendarfeed": {
				"CRONOFY_SECRET": {method: "GET", path: s.feedPath()}, "ZENDESK_SECRET": {method: "GET", path: s.feedPath()},
			},
		}
	}
	template := newStack(t).host.Stack()
	for _, f := range template.Functions {
		if len(f.Routes) == 0 {
			continue // answers nobody
		}
		for variable := range f.Env {
			if !strings.HasSuffix(variable, "_SECRET") {
				continue
			}
			for what, spoil := range map[string]func(*stack, string){
				"missing": func(s *stack, id string) { s.box.DeleteSecret(id) },
				"empty":   func(s *stack, id string) { s.box.SetSecret(id, json.RawMessage(`{}`)) },
				"garbage": func(s *stack, id string) { s.box.SetSecret(id, json.RawMessage(`["`+canary+`"]`)) },
			} {
				if what == "empty" && (variable == "DESK_KEYS_SECRET" || variable == "ZENDESK_CHAT_SECRET") {
					continue // no keys: nobody has one; no chat: not set up
				}
				t.Run(f.Label()+"/"+variable+"/"+what, func(t *testing.T) {
					t.Parallel()
					s := newStack(t)
					id := names[variable]
					r, ok := requests(s)[f.Label()][variable]
					if !ok || id == "" {
						t.Fatal("no request of this test needs the secret")
					}
					s.restart() // a process keeps what it has read
					before, calls := s.log.String(), len(s.calls())
					spoil(s, id)
					a := s.do(r).problem(t, "unavailable")
					if a.text("ticketId") != "" {
						t.Error(a)
					}
					s.logged(before, `"secret":"`+id+`"`)
					// These run beside the call that needs the secret.
					beside := map[string]string{
						"createticket": "tencent account_import", "joingroup": "aws SendMessage", "leavegroup": "aws SendMessage",
						"deletegroup": "zendesk oauth_tokens, zendesk users_me, zendesk tickets_show_many, tencent get_group_info",
					}[f.Label()]
					for _, c := range s.since(calls) {
						if !strings.Contains(beside, c) {
							t.Errorf("%s was called", c)
						}
					}
				})
			}
		}
	}
}

// guestToken is the token of a guest who was here before.
func (s *stack) guestToken() string { return s.credentials().guest }

// Credentials change under a running stack: what is refused is read again once.
func TestRotation(t *testing.T) {
	t.Parallel()
	ticket := func(path string) func(*stack) request {
		return func(s *stack) request {
			return request{path: path, as: s.customer("ada"), key: uuid.NewString(), body: ticketBody("Lamp")}
		}
	}
	visit := func(s *stack) request {
		return request{method: "GET", path: "/visitor?id=9855790-xjj3u5xPWhW1Fv", as: s.fix.DeskKeyZendesk}
	}
	const fresh = "fresh-secret-0123456789abcdef0123456789"
	for _, c := range []struct {
		name    string
		request func(*stack) request
		rotate  func(*stack)
	}{
		{"Tencent's key", ticket("/zendesk/createticket"), func(s *stack) {
			s.box.RotateTencentKey(fresh)
			f := s.fix.Tencent
			s.box.SetSecret(sandbox.SecretTencent, json.RawMessage(object("sdkAppId", f.SDKAppID, "adminUserId", f.AdminUserID, "secretKey", fresh)))
		}},
		{"Zendesk's tokens", ticket("/zendesk/createticket"), func(s *stack) { s.box.Zendesk().RevokeTokens() }},
		{"Zendesk's client secret", ticket("/zendesk/createticket"), func(s *stack) {
			s.box.Zendesk().RevokeTokens()
			s.box.Zendesk().RotateSecret(fresh)
			s.box.SetSecret(sandbox.SecretZendesk, json.RawMessage(object("clientId", s.fix.Zendesk.ClientID, "clientSecret", fresh)))
		}},
		{"Zendesk's API token for a client", ticket("/zendesk/createticket"), func(s *stack) {
			s.box.Zendesk().RevokeTokens()
			s.box.Zendesk().RotateSecret(fresh)
			s.box.SetSecret(sandbox.SecretZendesk, json.RawMessage(object("email", s.fix.Zendesk.Email, "apiToken", s.fix.Zendesk.APIToken)))
		}},
		{"Salesforce's sessions", ticket("/salesforce/createticket"), func(s *stack) { s.box.Salesforce().ExpireSessions() }},
		{"Salesforce's sign-in, to JWT bearer", ticket("/salesforce/createticket"), func(s *stack) {
			s.box.Salesforce().ExpireSessions()
			f := s.fix.Salesforce
			s.box.SetSecret(sandbox.SecretSalesforce, json.RawMessage(object(
				"clientId", f.ClientID, "username", f.Username, "audience", f.Audience, "privateKey", s.fix.SalesforceKeyPEM())))
		}},
		{"Salesforce's sign-in, to the tutorial's", ticket("/salesforce/createticket"), func(s *stack) {
			s.box.Salesforce().SetClientCredentials(false)
			s.box.Salesforce().ExpireSessions()
			f := s.fix.Salesforce
			s.box.SetSecret(sandbox.SecretSalesforce, json.RawMessage(object("username", f.Username, "password", f.Password, "securityToken", f.SecurityToken)))
		}},
		{"the webhook's secret", func(s *stack) request {
			return s.proved(object("ticketId", "1"), s.fix.Zendesk.WebhookSecret, time.Now())
		}, func(s *stack) {
			s.box.SetSecret(sandbox.SecretZendeskEvents, json.RawMessage(object("webhookSecrets", []string{fresh})))
			s.fix.Zendesk.WebhookSecret = fresh
		}},
		{"a secret that went away", visit, func(s *stack) { s.box.DeleteSecret(sandbox.SecretZopim) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			s.do(c.request(s)).ok(t)
			s.vault.add("a rotated secret", fresh)
			c.rotate(s)
			s.do(c.request(s)).ok(t)
			a := s.do(c.request(s)).ok(t)
			if strings.Contains(c.name, "Tencent") {
				s.fix.Tencent.SecretKey = fresh
				s.checkUserSig(a, "ada", 24*time.Hour)
			}
		})
	}
	// Refused for good: the operator has to act, and the vendor is not hammered.
	t.Run("wrong credentials", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			secret, value string
			request       func(*stack) request
			status        int
		}{
			{sandbox.SecretZendesk, object("clientId", "caseroom", "clientSecret", fresh), ticket("/zendesk/createticket"), http.StatusBadGateway},
			{sandbox.SecretSalesforce, object("clientId", "caseroom", "clientSecret", fresh), ticket("/salesforce/createticket"), http.StatusBadGateway},
			{sandbox.SecretZopim, object("apiToken", fresh), visit, http.StatusBadGateway},
			{sandbox.SecretTencent, object("sdkAppId", 1400000000, "secretKey", fresh, "adminUserId", "administrator"), ticket("/zendesk/createticket"), http.StatusServiceUnavailable},
		} {
			s := newStack(t)
			s.vault.add("a wrong secret", fresh)
			s.box.SetSecret(c.secret, json.RawMessage(c.value))
			for range 3 {
				before := len(s.calls())
				if a := s.do(c.request(s)); a.status != c.status {
					t.Errorf("%s: %s", c.secret, a)
				}
				if n := len(s.since(before)); n > 12 {
					t.Errorf("%s: one request made %d calls: %v", c.secret, n, s.since(before))
				}
			}
		}
	})
}
