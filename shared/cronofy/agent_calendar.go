package cronofy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caseroom/caseroom/shared/calendar"
)

// agentCalendar is one agent's calendar, for the length of one job.
type agentCalendar struct {
	store  *Calendars
	agent  string
	record calendar.Record
}

var _ calendar.Calendar = (*agentCalendar)(nil)

// Place is the account and the calendar.
func (c *agentCalendar) Place() string { return c.record.Account + " " + c.record.CalendarID }

// do makes a call with a token that lives. One that Cronofy does not recognise
// is refreshed once; nothing was done by a call that got a 401.
func (c *agentCalendar) do(ctx context.Context, call func(ctx context.Context, access string) error) error {
	if !c.store.Now().Add(early).Before(c.record.Expires) {
		if err := c.renew(ctx); err != nil {
			return err
		}
	}
	err := call(ctx, c.record.Access)
	if !TokenRefused(err) {
		return err
	}
	if err := c.renew(ctx); err != nil {
		return err
	}
	return call(ctx, c.record.Access)
}

// renew replaces the token. A connection that changed meanwhile is not the one
// that this job is about.
func (c *agentCalendar) renew(ctx context.Context) error {
	r, err := c.store.refresh(ctx, c.agent, c.record.Access)
	if err != nil {
		return err
	}
	if r.State != c.record.State || r.Account != c.record.Account {
		return calendar.ErrNotConnected
	}
	c.record = r
	return nil
}

// write is do for one event. A calendar that is gone, or cannot be written to
// any more, is replaced by another of the account's, once and for all.
func (c *agentCalendar) write(ctx context.Context, call func(ctx context.Context, access string) error) error {
	err := c.do(ctx, call)
	if NoCalendar(err) || Forbidden(err) {
		if cerr := c.move(ctx); cerr != nil {
			if errors.Is(cerr, calendar.ErrNoCalendar) || Forbidden(cerr) {
				return calendar.ErrNotConnected
			}
			return cerr
		}
		err = c.do(ctx, call)
	}
	switch {
	case Invalid(err):
		return fmt.Errorf("%w: %w", calendar.ErrRefused, err)
	case NoCalendar(err), Forbidden(err):
		return calendar.ErrNotConnected
	}
	return err
}

// move chooses another calendar and remembers it. Of the record as it is now only
// that changes: since this job began the agent may have left.
func (c *agentCalendar) move(ctx context.Context) error {
	var cal Calendar
	err := c.do(ctx, func(ctx context.Context, access string) (err error) {
		cal, err = c.store.choose(ctx, access, c.record.CalendarID)
		return err
	})
	if err != nil {
		return err
	}
	now, err := c.store.Records.Load(ctx, c.agent)
	if err != nil {
		return err
	}
	if now.State != c.record.State || now.Account != c.record.Account {
		return calendar.ErrNotConnected
	}
	now.CalendarID, now.CalendarName = cal.ID, cal.Name
	c.record = now
	return c.store.Records.Save(ctx, c.agent, now)
}

// Put writes an event into the calendar.
func (c *agentCalendar) Put(ctx context.Context, e calendar.Event) error {
	return c.write(ctx, func(ctx context.Context, access string) error {
		return c.store.Client.Upsert(ctx, access, c.record.CalendarID, Event{
			ID: e.ID, Summary: e.Summary, Description: e.Description, URL: e.URL,
			Start: e.Start, End: e.End, Zone: e.Zone, Reminder: e.Reminder,
		})
	})
}

// Remove takes an event out of the agent's calendar, or out of the one in which
// a listing showed it.
func (c *agentCalendar) Remove(ctx context.Context, e calendar.Entry) error {
	err := c.do(ctx, func(ctx context.Context, access string) error {
		return c.store.Client.Delete(ctx, access, cmp.Or(e.Elsewhere, c.record.CalendarID), e.ID)
	})
	switch {
	case NoCalendar(err), Forbidden(err):
		return nil // the event went with its calendar, or out of our reach
	case Invalid(err):
		return fmt.Errorf("%w: %w", calendar.ErrRefused, err)
	}
	return err
}

// Events lists our events in all of the account's calendars.
func (c *agentCalendar) Events(ctx context.Context, from time.Time) (list []calendar.Entry, err error) {
	var entries []Entry
	err = c.do(ctx, func(ctx context.Context, access string) (err error) {
		entries, err = c.store.Client.Events(ctx, access, from)
		return err
	})
	if Forbidden(err) {
		return nil, calendar.ErrNotConnected
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		entry := calendar.Entry{ID: e.ID, Summary: e.Summary, Start: e.Start, End: e.End}
		if e.Calendar != c.record.CalendarID {
			entry.Elsewhere = e.Calendar
		}
		list = append(list, entry)
	}
	return list, nil
}
