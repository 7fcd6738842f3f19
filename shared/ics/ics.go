// Package ics writes an agent's tasks as an iCalendar (RFC 5545) that calendar
// programs subscribe to.
package ics

import (
	"bytes"
	"fmt"
	"time"

	ical "github.com/arran4/golang-ical"

	"github.com/caseroom/caseroom/shared/calendar"
)

// ContentType is what a feed is served as.
const ContentType = "text/calendar; charset=utf-8"

// refresh is how often a subscriber should look again. Apple's and Microsoft's
// programs may heed it; Google comes when it likes.
const refresh = "PT1H"

const prodID = "-//caseroom//tasks//EN"

// Feed is a subscription's content. Host makes the components' ids unique in the
// world.
type Feed struct {
	Name   string
	Host   string
	Events []calendar.Event
	// Todos writes VTODO in place of VEVENT, which only a few programs show.
	Todos bool
}

// Write returns the feed, the same for the same events: what a component is
// stamped with is its ticket's last change, so that an unchanged feed has an
// unchanged entity tag. Times are UTC, which needs no VTIMEZONE.
func (f Feed) Write() ([]byte, error) {
	c := ical.NewCalendarFor(prodID)
	c.CalendarProperties = nil
	c.SetVersion("2.0")
	c.SetProductId(prodID)
	c.SetCalscale("GREGORIAN")
	c.SetMethod(ical.MethodPublish)
	c.SetName(f.Name)
	c.SetXWRCalName(f.Name)
	c.SetRefreshInterval(refresh)
	c.SetXPublishedTTL(refresh)
	for _, e := range f.Events {
		if f.Todos {
			f.todo(c, e)
		} else {
			f.event(c, e)
		}
	}
	if len(f.Events) == 0 {
		// An iCalendar holds at least one component (RFC 5545, 3.4), and some
		// programs refuse one without; this one shows nowhere.
		zone := c.AddTimezone("Etc/UTC")
		standard := &ical.Standard{}
		standard.SetProperty(ical.ComponentPropertyDtStart, "19700101T000000")
		standard.SetProperty("TZOFFSETFROM", "+0000")
		standard.SetProperty("TZOFFSETTO", "+0000")
		standard.SetProperty("TZNAME", "UTC")
		zone.Components = append(zone.Components, standard)
	}
	var b bytes.Buffer
	// Lines end as the standard says, whatever the machine's own ends are.
	if err := c.SerializeTo(&b, ical.WithNewLineWindows); err != nil {
		return nil, fmt.Errorf("ics: %w", err)
	}
	return b.Bytes(), nil
}

func (f Feed) event(c *ical.Calendar, e calendar.Event) {
	v := c.AddEvent(f.uid(e))
	f.common(&v.ComponentBase, e)
	v.SetStartAt(e.Start)
	v.SetEndAt(e.End)
	v.SetTimeTransparency(ical.TransparencyTransparent)
	// Outlook takes busy and free from here.
	v.SetProperty("X-MICROSOFT-CDO-BUSYSTATUS", "FREE")
}

func (f Feed) todo(c *ical.Calendar, e calendar.Event) {
	v := c.AddTodo(f.uid(e))
	f.common(&v.ComponentBase, e)
	v.SetProperty(ical.ComponentPropertyDue, utc(e.Start))
	v.SetProperty(ical.ComponentPropertyStatus, string(ical.ObjectStatusNeedsAction))
}

func (f Feed) uid(e calendar.Event) string { return e.ID + "@" + f.Host }

func (f Feed) common(v *ical.ComponentBase, e calendar.Event) {
	v.SetProperty(ical.ComponentPropertyDtstamp, utc(e.Updated))
	v.SetProperty(ical.ComponentPropertyCreated, utc(e.Created))
	v.SetProperty(ical.ComponentPropertyLastModified, utc(e.Updated))
	// It has to rise with every change, and there is nowhere to count.
	v.SetProperty(ical.ComponentPropertySequence, fmt.Sprint(max(0, int64(e.Updated.Sub(e.Created)/time.Second))))
	v.SetProperty(ical.ComponentPropertySummary, e.Summary)
	v.SetProperty(ical.ComponentPropertyDescription, e.Description)
	v.SetProperty(ical.ComponentPropertyUrl, e.URL)
}

func utc(t time.Time) string { return t.UTC().Format("20060102T150405Z") }
