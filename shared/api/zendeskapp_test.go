package api_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/session"
)

// The page of the Zendesk app runs the hosted panel and nothing else.
func TestZendeskAppPage(t *testing.T) {
	agents := session.Agents{Secrets: func(context.Context) ([]string, error) {
		return []string{strings.Repeat("k", 32)}, nil
	}}
	for name, tc := range map[string]struct {
		panel    string
		page     []string
		policy   []string
		notThere []string
	}{
		"not hosted": {
			"", []string{`id="caseroom-session"`, "not hosted"},
			[]string{"default-src 'none'", "frame-ancestors https://example.zendesk.com"},
			[]string{"script-src", "panel.js"},
		},
		"hosted": {
			"https://chat.example.com/web",
			[]string{`id="caseroom-session"`, `<main id="caseroom-panel">`, `src="https://chat.example.com/web/panel.js"`},
			[]string{
				"default-src 'none'", "frame-ancestors https://example.zendesk.com",
				"script-src https://chat.example.com https://static.zdassets.com;",
				"connect-src 'self' https://chat.example.com wss://*.im.qcloud.com ",
			},
			[]string{"unsafe", "127.0.0.1", "img-src *", "https: "},
		},
		"on this machine": {
			"http://127.0.0.1:3100",
			[]string{`src="http://127.0.0.1:3100/panel.js"`},
			[]string{"connect-src 'self' http://127.0.0.1:3100 http://127.0.0.1:* "},
			[]string{"unsafe"},
		},
		"an address with a quote": {
			`https://chat.example.com/a"b`, []string{"a%22b/panel.js"}, nil, []string{`a"b`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &api.ZendeskApp{
				Agents: &agents, Zendesk: &url.URL{Scheme: "https", Host: "example.zendesk.com"},
				Verify: func(context.Context, string) (string, error) { return "7", nil },
			}
			if tc.panel != "" {
				var err error
				if h.Panel, err = url.Parse(tc.panel); err != nil {
					t.Fatal(err)
				}
			}
			e := event("POST", "/zendesk/app", "token=x")
			e.Headers["content-type"] = "application/x-www-form-urlencoded"
			a := serve(t, &api.Function{Routes: h.Routes()}, t.Context(), e)
			policy := a.Headers["Content-Security-Policy"]
			for _, want := range tc.page {
				if !strings.Contains(a.Body, want) {
					t.Errorf("the page lacks %q:\n%s", want, a.Body)
				}
			}
			for _, want := range tc.policy {
				if !strings.Contains(policy, want) {
					t.Errorf("the policy lacks %q: %s", want, policy)
				}
			}
			for _, bad := range tc.notThere {
				if strings.Contains(policy, bad) || strings.Contains(a.Body, bad) {
					t.Errorf("%q is there:\n%s\n%s", bad, policy, a.Body)
				}
			}
		})
	}
}

// TestZendeskAppOnThisMachine has a stand-in for Zendesk, whose pages are on
// any port.
func TestZendeskAppOnThisMachine(t *testing.T) {
	agents := session.Agents{
		Secrets: func(context.Context) ([]string, error) { return []string{strings.Repeat("s", 32)}, nil },
	}
	h := &api.ZendeskApp{
		Agents: &agents, Zendesk: &url.URL{Scheme: "http", Host: "127.0.0.1:3100", Path: "/zendesk"},
		Panel:  &url.URL{Scheme: "http", Host: "127.0.0.1:3000"},
		Verify: func(context.Context, string) (string, error) { return "7", nil },
	}
	e := event("POST", "/zendesk/app", "token=x")
	e.Headers["content-type"] = "application/x-www-form-urlencoded"
	policy := serve(t, &api.Function{Routes: h.Routes()}, t.Context(), e).Headers["Content-Security-Policy"]
	for _, want := range []string{"frame-ancestors http://127.0.0.1:* http://localhost:*", "https://static.zdassets.com http://127.0.0.1:3100;"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
}
