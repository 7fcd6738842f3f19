// Package calendar keeps agents' calendars in step with their tasks: a Zendesk
// ticket of type task that is open, due and assigned to an agent is one event in
// that agent's calendar, and nobody else's. It keeps no state: what is decided
// is decided from the ticket as it is now, and events have ids of our own, so
// that repeats converge. It knows no calendar vendor, no AWS and no HTTP.
package calendar

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
)

// Task is a ticket as its desk shows it.
type Task struct {
	ID      string
	Subject string
	URL     string // where an agent opens it
	Task    bool   // it is of type task
	Open    bool   // neither solved nor closed
	Due     time.Time
	Agent   string // whose it is, "" for nobody's
	Created time.Time
	Updated time.Time
}

// Owner returns the agent in whose calendar the task belongs, "" for nobody's.
func (t Task) Owner() string {
	if !t.Task || !t.Open || t.Due.IsZero() {
		return ""
	}
	return t.Agent
}

// Event is a task in a calendar.
type Event struct {
	ID          string
	Summary     string
	Description string
	URL         string
	Start, End  time.Time
	Zone        string // IANA name, in which Start and End were meant
	Reminder    *int   // minutes before Start; nil leaves it to the calendar
	Created     time.Time
	Updated     time.Time
}

// Settings are how a task becomes an event.
type Settings struct {
	// Host is the desk's, port included; it makes the events' ids.
	Host string
	// Former are the hosts that the desk had before, whose events are replaced.
	Former []string
	// Start is the time of day at which an event begins, as "08:00". "due" is
	// the time at which the task is due.
	Start  string
	Length time.Duration
	// Reminder is minutes before the start; below zero leaves it to the calendar.
	Reminder int
	// Subjects puts the ticket's subject into the event beside its number.
	Subjects bool
}

// StartDue makes an event begin when its task is due.
const StartDue = "due"

// ErrStart means that a start is neither "due" nor a time of day.
var ErrStart = errors.New(`calendar: the start is neither "due" nor a time of day, such as 08:00`)

// ParseStart reads a Settings.Start.
func ParseStart(s string) (hour, minute int, due bool, err error) {
	if s == StartDue {
		return 0, 0, true, nil
	}
	if len(s) != 5 || s[2] != ':' || strings.Trim(s[:2]+s[3:], "0123456789") != "" {
		return 0, 0, false, ErrStart
	}
	hour, _ = strconv.Atoi(s[:2])
	minute, _ = strconv.Atoi(s[3:])
	if hour > 23 || minute > 59 {
		return 0, 0, false, ErrStart
	}
	return hour, minute, false, nil
}

// The bounds of a text, in characters: a calendar's summary takes 1024, and the
// number stands in it too.
const maxSubject = 900

// Event returns what an agent in a time zone has in the calendar for a task. An
// unknown zone is UTC. The day is the one on which the task is due there.
func (s Settings) Event(t Task, zone string) (Event, error) {
	hour, minute, due, err := ParseStart(s.Start)
	if err != nil {
		return Event{}, err
	}
	loc, zone := location(zone)
	start := t.Due
	if !due {
		y, m, d := t.Due.In(loc).Date()
		start = local(y, m, d, hour, minute, loc)
	}
	e := Event{
		ID: s.EventID(t.ID), Summary: "#" + t.ID, Description: t.URL, URL: t.URL,
		Start: start.UTC(), End: start.UTC().Add(s.Length), Zone: zone,
		Created: t.Created, Updated: t.Updated,
	}
	if subject := line(t.Subject, maxSubject); s.Subjects && subject != "" {
		e.Summary += " " + subject
	}
	if s.Reminder >= 0 {
		e.Reminder = &s.Reminder
	}
	return e, nil
}

// location knows the zone by its IANA name. The process's own zone is no zone.
func location(name string) (*time.Location, string) {
	if name == "" || name == "Local" {
		return time.UTC, "Etc/UTC"
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, "Etc/UTC"
	}
	return loc, name
}

// local is a time of day on a day. Of a time that comes twice, when clocks go
// back, it is the first; for one that is left out, when they go forward, it is
// the moment at which clocks would have shown it had they not, as RFC 5545
// (3.3.5) has it.
func local(y int, m time.Month, d, hour, minute int, loc *time.Location) time.Time {
	utc := time.Date(y, m, d, hour, minute, 0, 0, time.UTC)
	// No zone changes twice within a day: these are the offsets before and
	// after whatever change there is.
	_, before := utc.Add(-24 * time.Hour).In(loc).Zone()
	_, after := utc.Add(24 * time.Hour).In(loc).Zone()
	for _, offset := range []int{max(before, after), min(before, after)} {
		t := utc.Add(-time.Duration(offset) * time.Second)
		if _, actual := t.In(loc).Zone(); actual == offset {
			return t
		}
	}
	return utc.Add(-time.Duration(before) * time.Second)
}

// line makes one line of a text and cuts it to n characters.
func line(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > n {
		s = string([]rune(s)[:n-1]) + "…"
	}
	return s
}

// EventID returns the id of a ticket's event, the same in everybody's calendar.
func (s Settings) EventID(ticket string) string { return eventID(s.Host, ticket) }

func eventID(host, ticket string) string { return "caseroom-" + relay.DeskHash(host) + "-" + ticket }

// Ticket returns the ticket of an event's id, of a former host's too; ok is false
// for an event that is not this desk's.
func (s Settings) Ticket(id string) (ticket string, ok bool) {
	for _, host := range append([]string{s.Host}, s.Former...) {
		if ticket, ok := strings.CutPrefix(id, eventID(host, "")); ok && identity.IsZendeskID(ticket) {
			return ticket, true
		}
	}
	return "", false
}

// stale reports whether an event's id is of a former host: the ticket has another
// event now.
func (s Settings) stale(id string) bool {
	ticket, ours := s.Ticket(id)
	return ours && id != s.EventID(ticket)
}

// Agenda returns the events of an agent's open tasks, in the order of their ids.
func (s Settings) Agenda(ctx context.Context, desk Desk, agent string) ([]Event, error) {
	tasks, err := desk.Open(ctx, agent)
	if err != nil || len(tasks) == 0 {
		return nil, err
	}
	zones, err := desk.Zones(ctx, agent)
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(tasks))
	for _, t := range tasks {
		e, err := s.Event(t, zones[agent])
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b Event) int { return strings.Compare(a.ID, b.ID) })
	return events, nil
}
