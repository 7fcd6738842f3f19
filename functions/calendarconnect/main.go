// Command calendarconnect serves GET /calendar and what an agent does about it.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootcronofy"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/connections"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/sqsqueue"
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
		secret := secrets.For[cronofy.Secret](p.Secrets, env.Cronofy.Secret)
		client := boot.Value(bootcronofy.Client(p, env.Cronofy))
		kept := secretsmanager.NewFromConfig(p.AWS)
		records := connections.Secrets{API: kept, Prefix: env.Cronofy.Secret}
		handler = &api.CalendarConnect{
			On: true, Auth: &api.Authenticator{Agents: p.Agents(env.ZendeskApp)},
			Tokens:  calendar.Tokens{Now: time.Now, Secret: stateSecret(secret)},
			Records: records, Feeds: connections.Feeds{API: kept, Prefix: env.Cronofy.Secret},
			Authorize: client.AuthorizeURL,
			Connect:   (&cronofy.Calendars{Client: client, Records: records, Meter: p.Meter, Now: time.Now}).Connect,
			Queue:     sqsqueue.New[calendar.Hint](sqs.NewFromConfig(p.AWS), env.CalendarQueue.URL, boot.NewID),
			Meter:     p.Meter, Now: time.Now, NewID: boot.NewID,
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
