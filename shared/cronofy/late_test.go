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

func (b *bed) newFeed() {
	b.Helper()
	_, err := calendar.NewFeed(b.Context(), b.records, agent)
	b.ok(err)
}

// What an agent did while a job was under way stays done: the address of a feed
// that was taken back, and the end of a connection.
func TestJobsKeepWhatChangedMeanwhile(t *testing.T) {
	t.Run("another calendar is chosen", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		b.ok(b.box.Cronofy().DeleteCalendar(alex, "Work"))
		b.watched(&during{"/v1/calendars", func() { b.newFeed() }})
		b.ok(put(t.Context(), b.cals, "1"))
		if r := b.records.records[agent]; r.Feed != 1 || r.CalendarName != "Home" {
			t.Errorf("feed %d, calendar %s", r.Feed, r.CalendarName)
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
	t.Run("a consent is gone", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		b.ok(b.box.Cronofy().Withdraw(alex))
		looks := 0
		b.cals.Wait = func(context.Context, time.Duration) error {
			if looks++; looks == 3 {
				b.newFeed()
			}
			return nil
		}
		if err := put(t.Context(), b.cals, "1"); !errors.Is(err, calendar.ErrNotConnected) {
			t.Error(err)
		}
		if r := b.records.records[agent]; r.Feed != 1 || r.State != calendar.Revoked {
			t.Errorf("feed %d, %s", r.Feed, r.State)
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
	t.Run("a feed is renewed while one leaves", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		_, err := calendar.Leave(t.Context(), b.records, agent, time.Now())
		b.ok(err)
		b.watched(&during{"/oauth/token/revoke", func() { b.newFeed() }})
		b.ok(b.cals.Forget(t.Context(), agent))
		if r := b.records.records[agent]; r.Feed != 1 || r.State != calendar.None || r.Refresh != "" {
			t.Errorf("feed %d, %s", r.Feed, r.State)
		}
	})
	t.Run("one connects again while one leaves", func(t *testing.T) {
		b := newBed(t)
		b.connect()
		_, err := calendar.Leave(t.Context(), b.records, agent, time.Now())
		b.ok(err)
		again := &cronofy.Calendars{Client: b.client, Records: b.records, Meter: noMeter{}, Now: time.Now}
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
