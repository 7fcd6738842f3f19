package cronofy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Event is an event of the application's own, by its own id.
type Event struct {
	ID          string
	Summary     string // at most 1024 characters
	Description string // plain text, at most 4096 characters
	URL         string
	Start, End  time.Time
	Zone        string // IANA; in which the person sees the times
	Reminder    *int   // minutes before the start; nil for the calendar's default
}

type when struct {
	Time string `json:"time"`
	Zone string `json:"tzid"`
}

// Upsert creates the event of an id in a calendar, or makes it what it should
// be. Repeats change nothing. Cronofy answers before the person's calendar has
// the event.
//
//	POST /v1/calendars/{id}/events {"event_id","summary","description","start","end","tzid","url","transparency","reminders"}
//	202
//
// See https://docs.cronofy.com/developers/api/events/upsert-event/.
func (c *Client) Upsert(ctx context.Context, access, calendar string, e Event) error {
	const op = "event_upsert"
	type reminder struct {
		Minutes int `json:"minutes"`
	}
	body := struct {
		ID           string     `json:"event_id"`
		Summary      string     `json:"summary"`
		Description  string     `json:"description"`
		Start        when       `json:"start"`
		End          when       `json:"end"`
		Zone         string     `json:"tzid"`
		URL          string     `json:"url,omitempty"`
		Transparency string     `json:"transparency"`
		Reminders    []reminder `json:"reminders,omitempty"`
	}{
		ID: e.ID, Summary: e.Summary, Description: e.Description, URL: e.URL, Zone: e.Zone,
		Start: when{e.Start.UTC().Format(time.RFC3339), e.Zone}, End: when{e.End.UTC().Format(time.RFC3339), e.Zone},
		Transparency: "transparent", // a task makes nobody busy
	}
	if e.Reminder != nil {
		body.Reminders = []reminder{{*e.Reminder}}
	}
	return c.write(ctx, access, upstream.Call{Op: op, Method: http.MethodPost, Path: eventsPath(calendar), JSON: body, Repeatable: true})
}

// Delete takes the event of an id out of a calendar. That it is not there is a
// success.
//
//	DELETE /v1/calendars/{id}/events {"event_id"}
//	202
//
// See https://docs.cronofy.com/developers/api/events/delete-event/.
func (c *Client) Delete(ctx context.Context, access, calendar, id string) error {
	return c.write(ctx, access, upstream.Call{
		Op: "event_delete", Method: http.MethodDelete, Path: eventsPath(calendar), JSON: map[string]string{"event_id": id}, Repeatable: true,
	})
}

func eventsPath(calendar string) string {
	return "/v1/calendars/" + url.PathEscape(calendar) + "/events"
}

// write makes a call that may be repeated, since the event's id is ours.
func (c *Client) write(ctx context.Context, access string, call upstream.Call) error {
	_, err := upstream.Retry(ctx, func(ctx context.Context) (struct{}, error) {
		res, err := c.call(ctx, access, call)
		if err == nil {
			err = c.accepted(call.Op, res)
		}
		return struct{}{}, err
	})
	return err
}

// accepted wants what Cronofy answers to a write: 202, or another success that
// says as little. A page of somebody's in between is no word of Cronofy's.
func (c *Client) accepted(op string, res *upstream.Response) error {
	switch {
	case !res.OK():
		return c.failed(op, res)
	case res.Status != http.StatusAccepted && len(res.Body) > 0:
		return c.http.Senseless(op, res)
	}
	return nil
}

// Entry is an event of the application's own as a calendar shows it.
type Entry struct {
	ID       string
	Calendar string
	Summary  string
	Start    time.Time // zero for one that somebody made last all day
	End      time.Time
}

// maxPages bounds a listing: 10,000 events and more are not one agent's tasks.
const maxPages = 100

// Events lists the application's own events in all of a person's calendars.
// From a day on where from is set, which is rounded down to the day in UTC;
// otherwise all that there are, whenever they take place.
//
//	GET /v1/events?tzid=Etc/UTC&only_managed=true&from=2026-11-23
//	200 {"pages":{"current","total","next_page"},"events":[{"calendar_id","event_id","summary","start","end"}]}
//
// See https://docs.cronofy.com/developers/api/events/read-events/.
func (c *Client) Events(ctx context.Context, access string, from time.Time) ([]Entry, error) {
	const op = "events_read"
	call := upstream.Call{Op: op, Method: http.MethodGet, Path: "/v1/events", Query: url.Values{"tzid": {"Etc/UTC"}, "only_managed": {"true"}}}
	if !from.IsZero() {
		call.Query.Set("from", from.UTC().Format(time.DateOnly))
	}
	var list []Entry
	for range maxPages {
		res, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
			res, err := c.call(ctx, access, call)
			if err == nil && !res.OK() {
				err = c.failed(op, res)
			}
			return res, err
		})
		if err != nil {
			return nil, err
		}
		var answer struct {
			Pages struct {
				Next string `json:"next_page"`
			} `json:"pages"`
			Events *[]struct {
				Calendar string `json:"calendar_id"`
				ID       string `json:"event_id"`
				Summary  string `json:"summary"`
				Start    string `json:"start"`
				End      string `json:"end"`
				Deleted  bool   `json:"deleted"`
			} `json:"events"`
		}
		if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Events == nil {
			return nil, c.http.Senseless(op, res)
		}
		for _, e := range *answer.Events {
			if e.ID == "" || e.Deleted {
				continue
			}
			entry := Entry{ID: e.ID, Calendar: e.Calendar, Summary: e.Summary}
			entry.Start, _ = time.Parse(time.RFC3339, e.Start) // a date is not a time
			entry.End, _ = time.Parse(time.RFC3339, e.End)
			list = append(list, entry)
		}
		if answer.Pages.Next == "" {
			return list, nil
		}
		path, query, ok := c.next(answer.Pages.Next)
		if !ok {
			return nil, c.http.Senseless(op, res)
		}
		call.Path, call.Query = path, query
	}
	return nil, &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Refused, Err: errors.New("the pages do not end")}
}

// next returns the path of a page that Cronofy names, which must be its own: a
// person's token goes nowhere else.
func (c *Client) next(page string) (path string, query url.Values, ok bool) {
	u, err := url.Parse(page)
	if err != nil || u.Scheme != c.apiBase.Scheme || u.Host != c.apiBase.Host || u.User != nil {
		return "", nil, false
	}
	path, ok = strings.CutPrefix(u.EscapedPath(), c.apiBase.EscapedPath())
	return path, u.Query(), ok && strings.HasPrefix(path, "/v1/events/")
}
