package calendar_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/caseroom/caseroom/shared/calendar"
)

var settings = calendar.Settings{Host: "example.zendesk.com", Start: "08:00", Length: 10 * time.Minute, Reminder: -1, Subjects: true}

// Times are what clocks on the wall show, on either side of every change of
// clocks.
func TestEventTimes(t *testing.T) {
	for _, tt := range []struct{ zone, start, due, want string }{
		{"Europe/Berlin", "08:00", "2026-03-28T12:00:00Z", "2026-03-28T07:00:00Z"}, // the day before summer time
		{"Europe/Berlin", "08:00", "2026-03-29T12:00:00Z", "2026-03-29T06:00:00Z"},
		{"Europe/Berlin", "08:00", "2026-10-24T12:00:00Z", "2026-10-24T06:00:00Z"},
		{"Europe/Berlin", "08:00", "2026-10-25T12:00:00Z", "2026-10-25T07:00:00Z"},
		{"Europe/Berlin", "02:30", "2026-03-29T12:00:00Z", "2026-03-29T01:30:00Z"}, // left out: 03:30 on the wall
		{"Europe/Berlin", "02:30", "2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z"}, // twice: the first
		{"America/New_York", "08:00", "2026-03-07T17:00:00Z", "2026-03-07T13:00:00Z"},
		{"America/New_York", "08:00", "2026-03-08T16:00:00Z", "2026-03-08T12:00:00Z"},
		{"America/New_York", "02:30", "2026-03-08T16:00:00Z", "2026-03-08T07:30:00Z"},
		{"America/New_York", "01:30", "2026-11-01T16:00:00Z", "2026-11-01T05:30:00Z"},
		{"America/New_York", "08:00", "2026-11-20T02:00:00Z", "2026-11-19T13:00:00Z"},    // due on the day before, there
		{"Pacific/Auckland", "08:00", "2026-11-20T12:00:00Z", "2026-11-20T19:00:00Z"},    // on the day after
		{"Australia/Lord_Howe", "02:15", "2026-10-04T00:00:00Z", "2026-10-03T15:45:00Z"}, // half an hour is left out
		{"Asia/Kathmandu", "08:00", "2026-11-20T12:00:00Z", "2026-11-20T02:15:00Z"},
		{"Asia/Beirut", "00:00", "2026-03-28T23:00:00Z", "2026-03-28T22:00:00Z"},       // midnight itself is left out
		{"Africa/Casablanca", "08:00", "2026-02-20T12:00:00Z", "2026-02-20T08:00:00Z"}, // no summer time in Ramadan
		{"Africa/Casablanca", "08:00", "2026-04-20T12:00:00Z", "2026-04-20T07:00:00Z"},
		{"Nowhere/At_All", "08:00", "2026-11-20T12:00:00Z", "2026-11-20T08:00:00Z"},
		{"Local", "08:00", "2026-11-20T12:00:00Z", "2026-11-20T08:00:00Z"},
		{"", "23:59", "2026-11-20T12:00:00Z", "2026-11-20T23:59:00Z"},
		{"Europe/Berlin", "due", "2026-11-20T12:34:00Z", "2026-11-20T12:34:00Z"},
	} {
		due, err := time.Parse(time.RFC3339, tt.due)
		if err != nil {
			t.Fatal(err)
		}
		s := settings
		s.Start = tt.start
		e, err := s.Event(calendar.Task{ID: "7", Due: due}, tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Start.Format(time.RFC3339); got != tt.want {
			t.Errorf("%s in %s, due %s: %s, want %s", tt.start, tt.zone, tt.due, got, tt.want)
		}
		if _, err := time.LoadLocation(e.Zone); err != nil || e.Zone == "" || e.End.Sub(e.Start) != 10*time.Minute {
			t.Errorf("%+v", e)
		}
	}
}

// On every day of four years, in zones with every kind of change, the wall shows
// the time that was asked for, or it cannot.
func TestEventTimesAllYear(t *testing.T) {
	for _, zone := range []string{
		"Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut",
		"America/Santiago", "Africa/Casablanca", "Pacific/Chatham", "Asia/Tehran", "Antarctica/Troll",
	} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, start := range []string{"00:00", "02:30", "08:00", "23:45"} {
			s := settings
			s.Start = start
			for day := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC); day.Year() < 2028; day = day.AddDate(0, 0, 1) {
				e, err := s.Event(calendar.Task{ID: "7", Due: day}, zone)
				if err != nil {
					t.Fatal(err)
				}
				want := day.In(loc).Format("2006-01-02 ") + start
				got := e.Start.In(loc).Format("2006-01-02 15:04")
				if got == want {
					continue
				}
				// The hour was left out. Then it is later by as much.
				_, before := e.Start.Add(-3 * time.Hour).In(loc).Zone()
				_, after := e.Start.In(loc).Zone()
				if after <= before || got < want {
					t.Errorf("%s: %s, want %s", zone, got, want)
				}
			}
		}
	}
}

func TestEventText(t *testing.T) {
	for subject, want := range map[string]string{
		"":                               "#7",
		" \t\n":                          "#7",
		"a\r\nBEGIN:VALARM":              "#7 a BEGIN:VALARM",
		strings.Repeat("ü", 899):         "#7 " + strings.Repeat("ü", 899),
		strings.Repeat("ü", 901):         "#7 " + strings.Repeat("ü", 899) + "…",
		"bell \a, nul \x00, broken \xff": "#7 bell , nul , broken",
	} {
		e, err := settings.Event(calendar.Task{ID: "7", Subject: subject, Due: due}, "")
		if err != nil || e.Summary != want || !utf8.ValidString(e.Summary) {
			t.Errorf("%q: %q, %v", subject, e.Summary, err)
		}
	}
}

func TestEventID(t *testing.T) {
	id := settings.EventID("123")
	if ticket, ok := settings.Ticket(id); !ok || ticket != "123" {
		t.Errorf("%s: %q %v", id, ticket, ok)
	}
	other := calendar.Settings{Host: "other.zendesk.com"}
	for _, id := range []string{other.EventID("123"), settings.EventID(""), settings.EventID("x"), settings.EventID("012"), "123", ""} {
		if ticket, ok := settings.Ticket(id); ok {
			t.Errorf("%q is %q", id, ticket)
		}
	}
}

func TestParseStart(t *testing.T) {
	for s, ok := range map[string]bool{"08:00": true, "23:59": true, "due": true, "24:00": false, "8:00": false, "08:60": false, "0800": false, "": false, "-1:30": false, "08:0x": false} {
		if _, _, _, err := calendar.ParseStart(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

const key = "0123456789abcdef0123456789abcdef"

func tokens(at time.Time, key string) calendar.Tokens {
	return calendar.Tokens{Now: func() time.Time { return at }, Secret: func(context.Context) (string, error) { return key, nil }}
}

// A wish to connect is over once it was granted or the agent has left, and not
// for new tokens or a consent that is gone.
func TestOvertakes(t *testing.T) {
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	first := calendar.Record{State: calendar.Connected, Since: at, Account: "acc_1", Refresh: "a"}
	refreshed, again, revoked, leaving := first, first, first, first
	refreshed.Refresh = "b"
	again.Since = at.Add(time.Minute)
	revoked.State, revoked.Since, revoked.Refresh = calendar.Revoked, at.Add(time.Minute), ""
	leaving.State, leaving.Since = calendar.Leaving, at.Add(time.Minute)
	for _, tt := range []struct {
		name     string
		was, now calendar.Record
		over     bool
	}{
		{"nothing yet", calendar.Record{}, calendar.Record{}, false},
		{"used", calendar.Record{}, first, true},
		{"used to connect again", first, again, true},
		{"left", first, leaving, true},
		{"tokens refreshed", first, refreshed, false},
		{"found revoked", first, revoked, false},
		{"connects again, revoked", revoked, revoked, false},
		{"used, revoked", revoked, again, true},
		{"leaves", leaving, leaving, false},
		{"has left", leaving, calendar.Record{}, false},
	} {
		if got := tt.now.Overtakes(tt.was.Mark()); got != tt.over {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestTokens(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	made := tokens(now, key)
	asked := calendar.Asked{Agent: "900000101", Mark: "mark"}
	start, err := made.Start(ctx, asked)
	if err != nil {
		t.Fatal(err)
	}
	state, err := made.State(ctx, asked, "nonce")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := made.Started(ctx, start); err != nil || got != asked {
		t.Error(got, err)
	}
	if got, err := made.Consented(ctx, state, "nonce"); err != nil || got != asked {
		t.Error(got, err)
	}
	if strings.Contains(state, "nonce") {
		t.Error("the state tells the nonce")
	}
	later := func(d time.Duration) calendar.Tokens { return tokens(now.Add(d), key) }
	other := tokens(now, strings.ToUpper(key))
	for name, check := range map[string]func() error{
		"old start": func() error { _, err := later(calendar.StartTTL+2*time.Minute).Started(ctx, start); return err },
		"old state": func() error {
			_, err := later(calendar.StateTTL+2*time.Minute).Consented(ctx, state, "nonce")
			return err
		},
		"other browser": func() error { _, err := made.Consented(ctx, state, "another"); return err },
		"no browser":    func() error { _, err := made.Consented(ctx, state, ""); return err },
		"a start as a state": func() error {
			_, err := made.Consented(ctx, start, "nonce")
			return err
		},
		"a state as a start": func() error { _, err := made.Started(ctx, state); return err },
		"another key":        func() error { _, err := other.Started(ctx, start); return err },
		"nothing":            func() error { _, err := made.Started(ctx, ""); return err },
		"one byte more":      func() error { _, err := made.Started(ctx, start+"x"); return err },
	} {
		if err := check(); !errors.Is(err, calendar.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	lost := errors.New("no secret")
	broken := calendar.Tokens{Now: made.Now, Secret: func(context.Context) (string, error) { return "", lost }}
	for name, err := range map[string]error{
		"start": func() error { _, err := broken.Start(ctx, asked); return err }(),
		"state": func() error { _, err := broken.Consented(ctx, state, "nonce"); return err }(),
		"feed":  func() error { _, _, err := broken.OfFeed(ctx, "1.0.x"); return err }(),
	} {
		if !errors.Is(err, lost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFeedToken(t *testing.T) {
	ctx := context.Background()
	made := tokens(time.Now(), key)
	token, err := made.Feed(ctx, "900000101", 3)
	if err != nil {
		t.Fatal(err)
	}
	if agent, generation, err := made.OfFeed(ctx, token); err != nil || agent != "900000101" || generation != 3 {
		t.Error(agent, generation, err)
	}
	forged := []string{
		"", ".", "..", token + "x", token[:len(token)-1], strings.Replace(token, ".3.", ".2.", 1), strings.Replace(token, ".3.", ".+3.", 1),
		strings.Replace(token, ".3.", ".03.", 1), strings.Replace(token, "900000101", "900000102", 1), "0" + token, strings.Repeat("1", 200),
	}
	for _, f := range forged {
		if _, _, err := made.OfFeed(ctx, f); !errors.Is(err, calendar.ErrToken) {
			t.Errorf("%q: %v", f, err)
		}
	}
	if _, _, err := tokens(time.Now(), strings.ToUpper(key)).OfFeed(ctx, token); !errors.Is(err, calendar.ErrToken) {
		t.Error("with another key:", err)
	}
}

// No text is a feed's token but one that was made, and no other names the same.
func FuzzFeedToken(f *testing.F) {
	ctx := context.Background()
	made := tokens(time.Now(), key)
	good, _ := made.Feed(ctx, "900000101", 1)
	for _, s := range []string{good, "", "1.0.", "1..x", "900000101.1.AAAA", good + ".", strings.ToLower(good)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		agent, generation, err := made.OfFeed(ctx, s)
		if err != nil {
			if !errors.Is(err, calendar.ErrToken) || agent != "" || generation != 0 {
				t.Errorf("%q: %q %d %v", s, agent, generation, err)
			}
			return
		}
		if again, _ := made.Feed(ctx, agent, generation); again != s {
			t.Errorf("%q and %q name the same feed", s, again)
		}
	})
}

// No text is a state but one that was made for this browser.
func FuzzState(f *testing.F) {
	ctx := context.Background()
	made := tokens(time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC), key)
	good, _ := made.State(ctx, calendar.Asked{Agent: "900000101"}, "nonce")
	start, _ := made.Start(ctx, calendar.Asked{Agent: "900000101"})
	f.Add(good, "nonce")
	f.Add(good, "another")
	f.Add(start, "")
	f.Add("eyJhbGciOiJub25lIn0.e30.", "")
	f.Fuzz(func(t *testing.T, state, nonce string) {
		asked, err := made.Consented(ctx, state, nonce)
		if (err == nil) != (state == good && nonce == "nonce") {
			t.Errorf("%q with %q: %q %v", state, nonce, asked, err)
		}
	})
}

func FuzzParseStart(f *testing.F) {
	for _, s := range []string{"08:00", "due", "24:00", "٠٨:٠٠", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hour, minute, due, err := calendar.ParseStart(s)
		if err == nil && !due && time.Date(2026, 1, 1, hour, minute, 0, 0, time.UTC).Format("15:04") != s {
			t.Errorf("%q is %d:%d", s, hour, minute)
		}
	})
}
