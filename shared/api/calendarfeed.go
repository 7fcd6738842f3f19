package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/problem"
)

// CalendarFeed answers GET and HEAD /calendar/feed: an agent's open tasks, for a
// calendar program that subscribes to them. Its servers fetch it, so that the
// address is the only credential. HEAD's answer is GET's; the gateway drops the body.
type CalendarFeed struct {
	// On is whether there are calendars; without them the route is not there.
	On     bool
	Tokens calendar.Tokens
	// Generation returns that of an agent's feed: older addresses were taken back.
	Generation func(ctx context.Context, agent string) (int, error)
	// Events returns an agent's open, due tasks as events.
	Events func(ctx context.Context, agent string) ([]calendar.Event, error)
	// Write renders them, as tasks to do where todos is set.
	Write func(events []calendar.Event, todos bool) (body []byte, contentType string, err error)
}

// Routes returns the function's routes.
func (h *CalendarFeed) Routes() Routes {
	return Routes{"GET /calendar/feed": h.serve, "HEAD /calendar/feed": h.serve}
}

var errNoFeed = problem.New(problem.NotFound, "There is no such feed. Copy its address from the panel in Zendesk again.")

func (h *CalendarFeed) serve(r *Request) (any, error) {
	if !h.On {
		return nil, errNoRoute
	}
	q := r.URL.Query()
	format := q.Get("format")
	if format != "" && format != "vevent" && format != "vtodo" {
		return nil, problem.New(problem.Invalid, "format is vevent or vtodo.")
	}
	agent, generation, err := h.Tokens.OfFeed(r.Context(), q.Get("token"))
	if errors.Is(err, calendar.ErrToken) {
		return nil, errNoFeed
	}
	if err != nil {
		return nil, err
	}
	current, err := h.Generation(r.Context(), agent)
	if err != nil {
		return nil, err
	}
	if current != generation {
		return nil, errNoFeed
	}
	events, err := h.Events(r.Context(), agent)
	if err != nil {
		return nil, err
	}
	body, contentType, err := h.Write(events, format == "vtodo")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	d := Document{Header: http.Header{"Etag": {tag}, "Cache-Control": {"private, max-age=900"}}}
	if matches(r.Header.Values("If-None-Match"), tag) {
		d.Status = http.StatusNotModified
		return d, nil
	}
	d.Type, d.Body = contentType, body
	d.Header["Content-Disposition"] = []string{`inline; filename="tasks.ics"`}
	return d, nil
}

// matches compares entity tags weakly (RFC 9110, 13.1.2): what proxies compress
// they mark as weak.
func matches(sent []string, tag string) bool {
	for _, value := range sent {
		for _, t := range strings.Split(value, ",") {
			if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == tag {
				return true
			}
		}
	}
	return false
}
