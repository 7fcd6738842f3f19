package zendesk

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// macro is a ready-made change of a ticket. Only its words are modelled.
type macro struct {
	id     int64
	title  string
	active bool
	// comment is nil for a macro that only changes fields.
	comment *string
	html    bool
}

// Macros that an account may have: with placeholders, in HTML, without words, and out of use.
func macros() []macro {
	words := func(s string) *string { return &s }
	return []macro{
		{id: 25, title: "Greeting::Looking at it", active: true, comment: words("Hello {{ticket.requester.first_name}}, I am {{current_user.name}} and look at request {{ticket.id}} now.")},
		{id: 26, title: "Ask::Which product?", active: true, html: true, comment: words("<p>Which product is it?</p><p>The number stands on its <b>back</b> &amp; on the box.</p>")},
		{id: 27, title: "Close and tag", active: true},
		{id: 28, title: "Old greeting", comment: words("Dear customer")},
	}
}

func (m macro) view() map[string]any {
	actions := []any{map[string]any{"field": "status", "value": "open"}}
	switch {
	case m.comment == nil:
	case m.html:
		actions = append(actions, map[string]any{"field": "comment_value_html", "value": *m.comment})
	default:
		actions = append(actions, map[string]any{"field": "comment_value", "value": []string{"channel:all", *m.comment}})
	}
	return map[string]any{"id": m.id, "title": m.title, "active": m.active, "actions": actions}
}

// activeMacros is GET /api/v2/macros/active: the shared and own macros of the caller.
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/macros/.
func (z *account) activeMacros(w http.ResponseWriter, r *http.Request, _ caller) {
	list := []macro{}
	for _, m := range macros() {
		if m.active {
			list = append(list, m)
		}
	}
	page(w, r, "macros", list, z.url("/api/v2/macros/active.json"),
		func(m macro) int64 { return m.id }, func(m macro) any { return m.view() })
}

// applyMacro is GET /api/v2/tickets/{id}/macros/{macro}/apply: the ticket as it
// would be, placeholders filled in. It changes nothing.
func (z *account) applyMacro(w http.ResponseWriter, r *http.Request, c caller) {
	t, ok := z.live(w, r)
	if !ok {
		return
	}
	for _, m := range macros() {
		if strconv.FormatInt(m.id, 10) != r.PathValue("macro") {
			continue
		}
		ticket := map[string]any{"id": t.ID, "status": "open"}
		if m.comment != nil {
			first, _, _ := strings.Cut(z.users[t.RequesterID].Name, " ")
			text := strings.NewReplacer(
				"{{ticket.requester.first_name}}", first,
				"{{current_user.name}}", c.user.Name,
				"{{ticket.id}}", strconv.FormatInt(t.ID, 10),
			).Replace(*m.comment)
			comment := map[string]any{"public": true}
			if m.html {
				comment["html_body"] = text
			} else {
				comment["body"], comment["scoped_body"] = text, [][]string{{"channel:all", text}}
			}
			ticket["comment"] = comment
		}
		write(w, http.StatusOK, map[string]any{"result": map[string]any{"ticket": ticket}})
		return
	}
	fail(w, http.StatusNotFound, "RecordNotFound", "Not found")
}

// session is the key of the person in whose browser a request was made.
type session struct{}

// Request answers what an app in an agent's browser asks of Zendesk's API, which
// rides on the agent's session: the app framework's client.request.
func (d Desk) Request(agent int64, path string) (status int, body json.RawMessage, err error) {
	d.z.Lock()
	u, origin := d.z.users[agent], cmp.Or(d.z.origin, "http://127.0.0.1/zendesk")
	d.z.Unlock()
	if u == nil || !u.staff() {
		return 0, nil, fmt.Errorf("agent %d: %w", agent, engine.ErrNoRecord)
	}
	ctx := context.WithValue(context.Background(), session{}, u)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	status, body = d.z.Serve(r)
	return status, body, nil
}
