package ics_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-ical"
	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/ics"
)

// content is what a parser found in a feed.
type content struct {
	Errors     []string    `json:"errors"`
	Name       string      `json:"name"`
	Method     string      `json:"method"`
	Refresh    string      `json:"refresh"`
	Components []component `json:"components"`
}

type component struct {
	Kind        string `json:"kind"`
	UID         string `json:"uid"`
	Summary     string `json:"summary"`
	Description string `json:"description"`
	URL         string `json:"url"`
	Start       string `json:"start"`
	End         string `json:"end"`
	Due         string `json:"due"`
	Stamp       string `json:"stamp"`
	Sequence    int    `json:"sequence"`
	Transp      string `json:"transp"`
}

// parsers are libraries that share no code with the one that writes.
var parsers = map[string]func(*testing.T, []byte) content{
	"emersion/go-ical": byGo,
	"icalendar (Python)": func(t *testing.T, feed []byte) content {
		dir := filepath.Join("..", "..", "tests", "python")
		python, err := filepath.Abs(filepath.Join(dir, ".venv", "bin", "python"))
		if err != nil {
			t.Fatal(err)
		}
		require(t, "CASEROOM_REQUIRE_PYTHON", python, "make one with pip install -r tests/python/requirements.txt")
		return byProgram(t, feed, python, filepath.Join(dir, "icalcheck.py"))
	},
	"ical.js": func(t *testing.T, feed []byte) content {
		dir := filepath.Join("..", "..", "tests", "node")
		require(t, "CASEROOM_REQUIRE_NODE", filepath.Join(dir, "node_modules", "ical.js"), "run npm ci in tests/node")
		return byProgram(t, feed, "node", filepath.Join(dir, "ical.mjs"))
	},
}

func require(t *testing.T, variable, path, how string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return
	}
	if os.Getenv("CI") != "" || os.Getenv(variable) == "1" {
		t.Fatalf("%s is missing: %s", path, how)
	}
	t.Skipf("%s is missing: %s", path, how)
}

func byProgram(t *testing.T, feed []byte, name string, args ...string) content {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(feed), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, feed)
	}
	var c content
	if err := json.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func byGo(t *testing.T, feed []byte) content {
	t.Helper()
	cal, err := ical.NewDecoder(bytes.NewReader(feed)).Decode()
	if err != nil {
		t.Fatalf("%v\n%s", err, feed)
	}
	text := func(p ical.Props, name string) string {
		v, err := p.Text(name)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	at := func(p ical.Props, name string) string {
		if p.Get(name) == nil {
			return ""
		}
		v, err := p.DateTime(name, time.UTC)
		if err != nil {
			t.Error(err)
		}
		return v.Format(time.RFC3339)
	}
	c := content{
		Errors: []string{}, Name: text(cal.Props, "X-WR-CALNAME"), Method: text(cal.Props, "METHOD"),
		Refresh: cal.Props.Get("REFRESH-INTERVAL").Value, Components: []component{},
	}
	for _, k := range cal.Children {
		if k.Name != ical.CompEvent && k.Name != ical.CompToDo {
			continue
		}
		sequence, err := k.Props.Get("SEQUENCE").Int()
		if err != nil {
			t.Error(err)
		}
		x := component{
			Kind: k.Name, UID: text(k.Props, "UID"), Summary: text(k.Props, "SUMMARY"), Description: text(k.Props, "DESCRIPTION"),
			URL: k.Props.Get("URL").Value, Start: at(k.Props, "DTSTART"), End: at(k.Props, "DTEND"), Due: at(k.Props, "DUE"),
			Stamp: at(k.Props, "DTSTAMP"), Sequence: sequence,
		}
		if p := k.Props.Get("TRANSP"); p != nil {
			x.Transp = p.Value
		}
		c.Components = append(c.Components, x)
	}
	return c
}

// nasty are subjects that break careless writers: long ones, folded inside
// characters, and texts that look like iCalendar.
var nasty = []string{
	"plain", `comma, semi; colon: back\slash \n "quoted" 'single'`, "END:VEVENT", "100% <b>x</b> & ^n",
	strings.Repeat("ü", 200), strings.Repeat("漢字", 150), "👩‍💻 " + strings.Repeat("👍🏽", 60), strings.Repeat("x", 75), strings.Repeat("word ", 60),
	strings.Repeat("a", 74) + " " + strings.Repeat("b", 73) + " c", " leading and trailing ", "",
}

func feed(t testing.TB, todos bool, subjects ...string) ([]byte, []calendar.Event) {
	t.Helper()
	s := calendar.Settings{Host: "example.zendesk.com", Start: "08:00", Length: 10 * time.Minute, Reminder: -1, Subjects: true}
	created := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	var events []calendar.Event
	for i, subject := range subjects {
		id := string(rune('1'+i%9)) + strings.Repeat("0", i/9)
		e, err := s.Event(calendar.Task{
			ID: id, Subject: subject, URL: "https://example.zendesk.com/agent/tickets/" + id, Created: created,
			Updated: created.Add(time.Duration(i) * time.Hour), Due: time.Date(2026, 10, 24+i, 12, 0, 0, 0, time.UTC),
		}, "Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	b, err := ics.Feed{Name: "Zendesk tasks", Host: s.Host, Events: events, Todos: todos}.Write()
	if err != nil {
		t.Fatal(err)
	}
	return b, events
}

func TestFeedByOtherParsers(t *testing.T) {
	for name, parse := range parsers {
		for _, todos := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b, events := feed(t, todos, nasty...)
				want := content{Errors: []string{}, Name: "Zendesk tasks", Method: "PUBLISH", Refresh: "PT1H", Components: []component{}}
				for i, e := range events {
					c := component{
						Kind: "VEVENT", UID: e.ID + "@example.zendesk.com", Summary: e.Summary, Description: e.Description, URL: e.URL,
						Start: e.Start.Format(time.RFC3339), End: e.End.Format(time.RFC3339), Stamp: e.Updated.Format(time.RFC3339),
						Sequence: i * 3600, Transp: "TRANSPARENT",
					}
					if todos {
						c.Kind, c.Due, c.Start, c.End, c.Transp = "VTODO", c.Start, "", "", ""
					}
					want.Components = append(want.Components, c)
				}
				if diff := cmp.Diff(want, parse(t, b)); diff != "" {
					t.Errorf("(-want +parsed):\n%s\n%s", diff, b)
				}
			})
		}
	}
}

// A feed without tasks is one that parsers take: a calendar has a component.
func TestEmptyFeed(t *testing.T) {
	b, _ := feed(t, false)
	for name, parse := range parsers {
		t.Run(name, func(t *testing.T) {
			if c := parse(t, b); len(c.Components) != 0 || len(c.Errors) != 0 || c.Name != "Zendesk tasks" {
				t.Errorf("%+v", c)
			}
		})
	}
	if !bytes.Contains(b, []byte("BEGIN:VTIMEZONE\r\n")) {
		t.Errorf("no component:\n%s", b)
	}
}

// Lines end in CRLF and have at most 75 octets of whole characters, and what is
// the same is written the same.
func TestLines(t *testing.T) {
	b, _ := feed(t, false, nasty...)
	checkLines(t, b)
	if again, _ := feed(t, false, nasty...); !bytes.Equal(b, again) {
		t.Error("the same feed is written in two ways")
	}
}

func checkLines(t *testing.T, b []byte) {
	t.Helper()
	text := string(b)
	if !strings.HasSuffix(text, "END:VCALENDAR\r\n") || strings.Count(text, "\n") != strings.Count(text, "\r\n") || strings.Count(text, "\r") != strings.Count(text, "\r\n") {
		t.Errorf("line ends are not all CRLF: %q", text)
	}
	for _, line := range strings.Split(text, "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) {
			t.Errorf("%d octets: %q", len(line), line)
		}
	}
}

// Whatever a subject is, the feed is one that another library reads as it was
// meant.
func FuzzFeed(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Add("a\r\nATTENDEE:mailto:x@y")
	f.Fuzz(func(t *testing.T, subject string) {
		b, events := feed(t, false, subject)
		checkLines(t, b)
		c := byGo(t, b)
		if len(c.Components) != 1 || c.Components[0].Summary != events[0].Summary || c.Components[0].URL != events[0].URL {
			t.Errorf("%q: %+v, want %q", subject, c.Components, events[0].Summary)
		}
	})
}
