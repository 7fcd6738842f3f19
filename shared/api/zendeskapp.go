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
	// Panel is the folder where the pages of clients/web are hosted; nil: they
	// are not, and the page says so.
	Panel *url.URL
	// Zendesk is the desk's base URL: only its pages may embed the panel.
	Zendesk *url.URL
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
	r.LogCaller(Caller{Kind: AppURL, Agent: userID})
	token, expires, err := h.Agents.Issue(r.Context(), userID)
	if err != nil {
		return nil, err
	}
	return h.page(token, expires)
}

// The hosts of Tencent's Web SDK, in every region: its connections, and where
// images and files of messages are kept.
const (
	tencentSockets = "wss://*.im.qcloud.com wss://*.my-imcloud.com wss://*.my-cpaas.com wss://*.im.tencent.cn https://*.im.qcloud.com https://*.my-imcloud.com"
	tencentFiles   = "https://*.myqcloud.com https://*.my-imcloud.com https://*.im.qcloud.com"
	zafSDK         = "https://static.zdassets.com"
	thisMachine    = "http://127.0.0.1:* http://localhost:*"
)

// page carries the session as JSON text, which no script tag runs. The JSON
// encoder writes <, > and & as escapes, so it cannot end the element.
func (h *ZendeskApp) page(token string, expires time.Time) (any, error) {
	data, err := json.Marshal(map[string]any{"sessionToken": token, "expiresAt": expires.UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	body := "<p>You are signed in to the ticket chat. Its pages are not hosted yet: ask your administrator.</p>"
	ancestors := h.Zendesk.Scheme + "://" + h.Zendesk.Host
	if h.local() {
		ancestors = thisMachine
	}
	csp := "default-src 'none'; frame-ancestors " + ancestors + "; base-uri 'none'; form-action 'none'"
	if h.Panel != nil {
		body = `<main id="caseroom-panel"></main>
<script type="module" crossorigin src="` + html.EscapeString(h.Panel.JoinPath("panel.js").String()) + `"></script>`
		csp = h.panelPolicy() + "; " + csp
	}
	const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>caseroom</title></head>
<body>
<script type="application/json" id="caseroom-session">%s</script>
%s
</body>
</html>
`
	return Page{HTML: fmt.Appendf(nil, page, data, body), CSP: csp}, nil
}

// local reports whether the desk is a stand-in on this machine. Its pages, and
// its app framework, are then on this machine too, on whatever port.
func (h *ZendeskApp) local() bool { return h.Zendesk.Scheme == "http" }

// panelPolicy lets the page run the panel and nothing else, and lets the panel
// reach this API and the chat: what somebody writes in a chat makes an agent's
// browser ask no other host.
func (h *ZendeskApp) panelPolicy() string {
	panel := h.Panel.Scheme + "://" + h.Panel.Host
	sockets, files, zaf := tencentSockets, tencentFiles, zafSDK
	if h.Panel.Scheme == "http" { // on this machine, where the sandbox is the chat
		sockets, files = thisMachine, thisMachine
	}
	if h.local() {
		zaf += " " + h.Zendesk.Scheme + "://" + h.Zendesk.Host
	}
	return "script-src " + panel + " " + zaf + "; connect-src 'self' " + panel + " " + sockets +
		" " + tencentFiles + "; img-src data: blob: " + files
}
