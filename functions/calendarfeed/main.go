// Command calendarfeed serves GET and HEAD /calendar/feed.
package main

import (
	"context"
	_ "time/tzdata" // Lambda's image has no zones

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootcalendar"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/ics"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Cronofy
		config.CalendarEvents
		config.Zendesk
	}
	p := boot.New("calendarfeed", &env)

	handler := &api.CalendarFeed{}
	if env.Cronofy.BaseURL != "" && env.Zendesk.BaseURL != "" {
		desk := zendesk.TaskDesk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}
		settings := bootcalendar.Settings(desk.Host(), env.CalendarEvents)
		settings.Reminder = -1 // the calendar's own
		handler = &api.CalendarFeed{
			On:         true,
			Tokens:     calendar.Tokens{Now: p.Now, Secret: stateSecret(secrets.For[calendar.Secret](p.Secrets, env.Cronofy.Secret))},
			Generation: bootcalendar.Feeds(p, env.Cronofy).Generation,
			Events: func(ctx context.Context, agent string) ([]calendar.Event, error) {
				return settings.Agenda(ctx, desk, agent)
			},
			Write: func(events []calendar.Event, todos bool) ([]byte, string, error) {
				body, err := ics.Feed{Name: "Zendesk tasks", Host: desk.Host(), Events: events, Todos: todos}.Write()
				return body, ics.ContentType, err
			},
		}
	}
	p.Serve(handler.Routes())
}

func stateSecret(s *secrets.Source[calendar.Secret]) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		v, err := s.Load(ctx)
		return v.StateSecret, err
	}
}
