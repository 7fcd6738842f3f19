package cronofy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

// during does something once, right before a request to a path that holds part.
type during struct {
	part string
	do   func()
}

func (d *during) RoundTrip(r *http.Request) (*http.Response, error) {
	if do := d.do; do != nil && strings.Contains(r.URL.Path, d.part) {
		d.do = nil
		do()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// watched makes the bed's client do something in the middle of its calls.
func (b *bed) watched(d *during) {
	b.Helper()
	client, err := cronofy.New(cronofy.Options{
		BaseURL: b.url, Secret: func(context.Context) (cronofy.Secret, error) { return b.secret(), nil }, Transport: d,
	})
	b.ok(err)
	b.cals.Client = client
}

// refreshed is another process's: the tokens are new.
func (b *bed) refreshed() {
	b.Helper()
	r, err := b.records.Load(b.Context(), agent)
	b.ok(err)
	t, err := b.client.Refresh(b.Context(), r.Refresh)
	b.ok(err)
	r.Access, r.Refresh, r.Expires = t.Access, t.Refresh, t.Expires
	b.ok(b.records.Save(b.Context(), agent, r))
}

// What was done while a job was under way stays done: tokens that another
// process refreshed, and the end of a connection.
func TestJobsKeepWhatChangedMeanwhile(t *testing.T) {
	t.Run("another calendar is chosen", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		b.ok(b.box.Cronofy().DeleteCalendar(alex, "Work"))
		b.box.Cronofy().Rotate(true)
		before := b.records.records[agent]
		b.watched(&during{"/v1/calendars", func() { b.refreshed() }})
		b.ok(put(t.Context(), b.cals, "1"))
		if r := b.records.records[agent]; r.Refresh == before.Refresh || r.CalendarName != "Home" {
			t.Errorf("the refresh token is new: %v, calendar %s", r.Refresh != before.Refresh, r.CalendarName)
		}
	})
	t.Run("another calendar is chosen for who leaves", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		b.ok(b.box.Cronofy().DeleteCalendar(alex, "Work"))
		b.watched(&during{"/v1/calendars", func() {
			_, err := calendar.Leave(t.Context(), b.records, agent, time.Now())
			b.ok(err)
		}})
		if err := put(t.Context(), b.cals, "1"); !errors.Is(err, calendar.ErrNotConnected) {
			t.Error(err)
		}
		if r := b.records.records[agent]; r.State != calendar.Leaving {
			t.Error(r.State)
		}
	})
	t.Run("a consent is gone while one leaves", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		b.ok(b.box.Cronofy().Withdraw(alex))
		looks := 0
		b.cals.Wait = func(context.Context, time.Duration) error {
			if looks++; looks == 3 {
				_, err := calendar.Leave(t.Context(), b.records, agent, time.Now())
				b.ok(err)
			}
			return nil
		}
		if err := put(t.Context(), b.cals, "1"); !errors.Is(err, calendar.ErrNotConnected) {
			t.Error(err)
		}
		if r := b.records.records[agent]; r.State != calendar.Leaving || r.Refresh != "" {
			t.Errorf("%s, with a token: %v", r.State, r.Refresh != "")
		}
	})
	t.Run("another process refreshes in the end", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		b.ok(b.box.Cronofy().Withdraw(alex))
		looks := 0
		b.cals.Wait = func(context.Context, time.Duration) error {
			if looks++; looks == 3 {
				b.connect()
			}
			return nil
		}
		b.ok(put(t.Context(), b.cals, "1"))
		if r := b.records.records[agent]; r.State != calendar.Connected {
			t.Error(r.State)
		}
	})
	t.Run("one connects again while one leaves", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		_, err := calendar.Leave(t.Context(), b.records, agent, time.Now())
		b.ok(err)
		again := &cronofy.Calendars{Client: b.client, Records: b.records, Meter: &upstreamtest.Counts{}, Now: time.Now}
		b.watched(&during{"/oauth/token/revoke", func() {
			_, err := again.Connect(t.Context(), agent, b.code(), redirect)
			b.ok(err)
		}})
		b.ok(b.cals.Forget(t.Context(), agent))
		if r := b.records.records[agent]; r.State != calendar.Connected {
			t.Errorf("the new connection is %q", r.State)
		}
	})
}
