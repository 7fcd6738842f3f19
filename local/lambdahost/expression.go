package lambdahost

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timetable says when a schedule is due.
// See https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html.
type timetable struct {
	every time.Duration // rate
	at    time.Time     // one-time
	cron  *cron
}

// cron holds the values each field allows.
type cron struct {
	minute, hour, day, month, weekday, year map[int]bool // nil: any
	zone                                    *time.Location
}

var errExpression = errors.New("not a schedule expression such as rate(5 minutes)")

// parseSchedule understands rate(), at() and cron() without L, W and #.
func parseSchedule(expression, timezone string) (timetable, error) {
	zone := time.UTC
	if timezone != "" {
		var err error
		if zone, err = time.LoadLocation(timezone); err != nil {
			return timetable{}, fmt.Errorf("no time zone %s", timezone)
		}
	}
	kind, rest, _ := strings.Cut(expression, "(")
	body, closed := strings.CutSuffix(rest, ")")
	if !closed {
		return timetable{}, errExpression
	}
	switch kind {
	case "rate":
		number, unit, _ := strings.Cut(body, " ")
		n, err := strconv.Atoi(number)
		units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
		every := units[strings.TrimSuffix(unit, "s")]
		if err != nil || n < 1 || n > 100_000 || every == 0 {
			return timetable{}, errExpression
		}
		return timetable{every: time.Duration(n) * every}, nil
	case "at":
		at, err := time.ParseInLocation("2006-01-02T15:04:05", body, zone)
		if err != nil {
			return timetable{}, errExpression
		}
		return timetable{at: at}, nil
	case "cron":
		c, err := parseCron(body, zone)
		return timetable{cron: c}, err
	}
	return timetable{}, errExpression
}

var (
	months   = []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
)

func parseCron(body string, zone *time.Location) (*cron, error) {
	fields := strings.Fields(body)
	if len(fields) != 6 {
		return nil, errors.New("a cron expression has six fields")
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return nil, errors.New("one of a cron expression's day of month and day of week is ?")
	}
	c := &cron{zone: zone}
	for i, f := range []struct {
		to        *map[int]bool
		low, high int
		names     []string
	}{
		{&c.minute, 0, 59, nil}, {&c.hour, 0, 23, nil}, {&c.day, 1, 31, nil},
		{&c.month, 1, 12, months}, {&c.weekday, 1, 7, weekdays}, {&c.year, 1970, 2199, nil},
	} {
		values, err := parseField(fields[i], f.low, f.high, f.names)
		if err != nil {
			return nil, err
		}
		*f.to = values
	}
	return c, nil
}

func parseField(field string, low, high int, names []string) (map[int]bool, error) {
	if field == "*" || field == "?" {
		return nil, nil
	}
	number := func(s string) (int, error) {
		for i, name := range names {
			if strings.EqualFold(s, name) {
				return low + i, nil
			}
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("cron: %q is not understood", field)
		}
		return n, nil
	}
	values := map[int]bool{}
	for _, part := range strings.Split(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("cron: %q is not understood", field)
			}
			step = n
		}
		from, to := low, high
		if span != "*" {
			first, last, ranged := strings.Cut(span, "-")
			var err error
			if from, err = number(first); err != nil {
				return nil, err
			}
			switch {
			case ranged:
				if to, err = number(last); err != nil {
					return nil, err
				}
			case !stepped:
				to = from
			}
		}
		if from > to {
			return nil, fmt.Errorf("cron: %q is not understood", field)
		}
		for n := from; n <= to; n += step {
			values[n] = true
		}
	}
	return values, nil
}

func (c *cron) matches(t time.Time) bool {
	t = t.In(c.zone)
	in := func(set map[int]bool, v int) bool { return set == nil || set[v] }
	return in(c.minute, t.Minute()) && in(c.hour, t.Hour()) && in(c.day, t.Day()) &&
		in(c.month, int(t.Month())) && in(c.weekday, int(t.Weekday())+1) && in(c.year, t.Year())
}

// next returns the first time due after last (a rate's previous tick, or the
// start), and false when there is none.
func (t timetable) next(last time.Time) (time.Time, bool) {
	switch {
	case t.every > 0:
		return last.Add(t.every), true
	case t.cron != nil:
		// Five years hold every combination of day and weekday but rare leap days.
		due := last.Truncate(time.Minute).Add(time.Minute)
		for end := due.AddDate(5, 0, 0); due.Before(end); due = due.Add(time.Minute) {
			if t.cron.matches(due) {
				return due, true
			}
		}
		return time.Time{}, false
	}
	return t.at, last.Before(t.at)
}
