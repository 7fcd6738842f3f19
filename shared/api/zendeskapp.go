package api

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"time"

	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/session"
)

// ZendeskApp answers POST /zendesk/app: Zendesk's first load of the agent
// panel, whose signed token says which agent is looking.
type ZendeskApp struct {
	Agents *session.Agents
	// Verify returns the Zendesk user id in the app's signed URL token.
	Verify func(ctx context.Context, token string) (userID string, err error)
	// Zendesk is the desk's base URL; only its pages may embed the panel.
	Zendesk *url.URL
	// Panel is where the built pages are; nil if they are not hosted.
	Panel *url.URL
}

// Routes returns the function's routes.
func (h *ZendeskApp) Routes() Routes {
	return Routes{"POST /zendesk/app": h.serve}
}

func (h *ZendeskApp) serve(r *Request) (any, error) {
	if h.Verify == nil {
		return nil, errNoRoute
	}
	if mediaType(r) != "application/x-www-form-urlencoded" {
		return nil, problem.New(problem.UnsupportedMediaType, "Zendesk sends the app's token as a form.")
	}
	b, err := readBody(r, MaxBody)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil || len(form["token"]) != 1 {
		return nil, problem.New(problem.Unauthorized, "The form carries no token. Open the panel from Zendesk.")
	}
	userID, err := h.Verify(r.Context(), form["token"][0])
	if err != nil {
		return nil, err
	}
	token, expires, err := h.Agents.Issue(r.Context(), userID)
	if err != nil {
		return nil, err
	}
	return h.page(token, expires)
}

// zafOrigin is where Zendesk's app framework script comes from.
const zafOrigin = "https://static.zdassets.com"

// chatHosts are what Tencent's Web SDK connects to, in every region, and where
// its files are.
const chatHosts = "https://*.im.qcloud.com wss://*.im.qcloud.com https://*.my-imcloud.com wss://*.my-imcloud.com " +
	"https://*.tim.qq.com wss://*.tim.qq.com https://*.imrich.qcloud.com https://*.myqcloud.com"

// page carries the session as JSON text, which no script tag runs. The JSON
// encoder writes <, > and & as escapes, so it cannot end the element. The
// panel's script is the hosted one.
func (h *ZendeskApp) page(token string, expires time.Time) (any, error) {
	data, err := json.Marshal(map[string]any{"sessionToken": token, "expiresAt": expires.UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>caseroom</title></head>
<body>
%s
<script type="application/json" id="caseroom-session">%s</script>
</body>
</html>
`
	desk := origin(h.Zendesk)
	zaf, ancestors, hosts := zafOrigin, desk, chatHosts
	if h.Zendesk.Scheme == "http" {
		// A desk on this machine: its pages, the chat and the app framework are
		// on this machine too, each on a port of its own.
		local := "http://" + h.Zendesk.Hostname() + ":*"
		zaf, ancestors, hosts = desk, local, local
	}
	csp := "default-src 'none'; frame-ancestors " + ancestors + "; base-uri 'none'; form-action 'none'"
	if h.Panel == nil {
		return Page{HTML: fmt.Appendf(nil, page, "<p>You are signed in to the ticket chat.</p>", data), CSP: csp}, nil
	}
	panel := origin(h.Panel)
	script := html.EscapeString(h.Panel.JoinPath("panel.js").String())
	body := `<main id="caseroom-panel"></main>` + "\n" + `<script type="module" src="` + script + `"></script>`
	csp += "; script-src " + panel + " " + zaf + "; style-src " + panel + " 'unsafe-inline'; font-src " + panel + " data:" +
		"; img-src " + panel + " data: blob: https: " + hosts + "; connect-src 'self' " + panel + " " + hosts
	return Page{HTML: fmt.Appendf(nil, page, body, data), CSP: csp}, nil
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }
