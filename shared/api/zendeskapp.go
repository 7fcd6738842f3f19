package api

import (
	"context"
	"encoding/json"
	"fmt"
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
	// FrameAncestor is the only origin that may embed the panel: Zendesk's.
	FrameAncestor string
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

// page carries the session as JSON text, which no script tag runs. The JSON
// encoder writes <, > and & as escapes, so it cannot end the element.
func (h *ZendeskApp) page(token string, expires time.Time) (any, error) {
	data, err := json.Marshal(map[string]any{"sessionToken": token, "expiresAt": expires.UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>caseroom</title></head>
<body>
<p>You are signed in to the ticket chat.</p>
<script type="application/json" id="caseroom-session">%s</script>
</body>
</html>
`
	return Page{
		HTML: fmt.Appendf(nil, html, data),
		CSP:  "default-src 'none'; frame-ancestors " + h.FrameAncestor + "; base-uri 'none'; form-action 'none'",
	}, nil
}
