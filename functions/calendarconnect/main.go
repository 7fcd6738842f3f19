// Command calendarconnect serves GET /calendar and what an agent does about it.
package main

import (
	"context"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootcalendar"
	"github.com/caseroom/caseroom/shared/boot/bootcronofy"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/secrets"
)

func main() {
	var env struct {
		config.Cronofy
		config.CalendarQueue
		config.ZendeskApp
	}
	p := boot.New("calendarconnect", &env)

	handler := &api.CalendarConnect{}
	if env.Cronofy.BaseURL != "" {
		calendars := boot.Value(bootcronofy.Calendars(p, env.Cronofy))
		handler = &api.CalendarConnect{
			On:        true,
			Auth:      &api.Authenticator{Agents: p.Agents(env.ZendeskApp)},
			Tokens:    calendar.Tokens{Now: p.Now, Secret: stateSecret(secrets.For[cronofy.Secret](p.Secrets, env.Cronofy.Secret))},
			Records:   calendars.Records,
			Feeds:     bootcalendar.Feeds(p, env.Cronofy),
			Authorize: calendars.Client.AuthorizeURL,
			Connect:   calendars.Connect,
			Queue:     bootqueue.Of[calendar.Hint](p, env.CalendarQueue.URL),
			Meter:     p.Meter,
			Now:       p.Now,
			NewID:     p.NewID,
		}
	}
	p.Serve(handler.Routes())
}

func stateSecret(s *secrets.Source[cronofy.Secret]) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		v, err := s.Load(ctx)
		return v.StateSecret, err
	}
}
