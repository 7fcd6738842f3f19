package lambdahost

import (
	"testing"
	"time"
)

func TestTimetable(t *testing.T) {
	t.Parallel()
	after := time.Date(2026, 11, 22, 17, 58, 30, 0, time.UTC) // a Sunday
	for _, c := range []struct{ expression, zone, want string }{
		{"rate(5 minutes)", "", "2026-11-22T18:03:30Z"},
		{"rate(1 hour)", "", "2026-11-22T18:58:30Z"},
		{"rate(1 day)", "", "2026-11-23T17:58:30Z"},
		{"at(2026-12-01T03:00:00)", "", "2026-12-01T03:00:00Z"},
		{"at(2026-12-01T03:00:00)", "Europe/Berlin", "2026-12-01T02:00:00Z"},
		{"at(2020-01-01T00:00:00)", "", ""},
		{"cron(0 3 * * ? *)", "", "2026-11-23T03:00:00Z"},
		{"cron(0 3 * * ? *)", "America/New_York", "2026-11-23T08:00:00Z"},
		{"cron(0/15 * * * ? *)", "", "2026-11-22T18:00:00Z"},
		{"cron(59 17 ? * SUN *)", "", "2026-11-22T17:59:00Z"},
		{"cron(0 8 ? * MON-FRI *)", "", "2026-11-23T08:00:00Z"},
		{"cron(30 6 1 JAN,JUL ? *)", "", "2027-01-01T06:30:00Z"},
		{"cron(0 0 1 1 ? 2020)", "", ""},
	} {
		table, err := parseSchedule(c.expression, c.zone)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		got := ""
		if due, ok := table.next(after); ok {
			got = due.UTC().Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.expression, c.zone, got, c.want)
		}
	}
}

func TestTimetableRefuses(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		"", "rate", "rate(", "rate()", "rate(0 minutes)", "rate(5 weeks)", "rate(x minutes)", "at(tomorrow)",
		"cron(* * * * *)", "cron(0 3 * * * *)", "cron(0 3 ? * ? *)", "cron(60 3 * * ? *)", "cron(0 3 L * ? *)",
		"cron(0 3 ? * 6#3 *)", "cron(5-1 3 * * ? *)", "cron(0/0 3 * * ? *)", "every(5 minutes)",
	} {
		if table, err := parseSchedule(expression, ""); err == nil {
			t.Errorf("%q: got %+v", expression, table)
		}
	}
	if _, err := parseSchedule("rate(1 day)", "Mars/Phobos"); err == nil {
		t.Error("a zone that is not there was taken")
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("cron(0/15 3,4 ? JAN-MAR MON 2026-2030)")
	f.Add("rate(5 minutes)")
	f.Fuzz(func(t *testing.T, expression string) {
		table, err := parseSchedule(expression, "")
		if err == nil && table.every == 0 && table.cron == nil && table.at.IsZero() {
			t.Errorf("%q: an empty timetable", expression)
		}
	})
}
