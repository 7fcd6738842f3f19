// Command zendeskevent serves POST /zendesk/events.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/webhook"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Desks
		config.ZendeskEvents
		config.Queue
		config.CalendarQueue
	}
	p := boot.New("zendeskevent", &env)

	secret := secrets.For[webhook.Secret](p.Secrets, env.ZendeskEvents.Secret)
	handler := &api.ZendeskEvent{
		Configured: env.ZendeskBaseURL != "",
		Secret:     secret.Load, Reread: secret.Reload,
		Verifier: webhook.Verifier{Tests: p.Local || upstream.Loopback(env.ZendeskBaseURL)},
		Decode:   zendesk.DecodeEvent,
		Queue:    sqsqueue.New[relay.Hint](sqs.NewFromConfig(p.AWS), env.Queue.URL, boot.NewID),
		Meter:    p.Meter, Now: time.Now,
	}
	if env.CalendarQueue.URL != "" {
		handler.DecodeTask = zendesk.DecodeTaskEvent
		handler.Calendars = sqsqueue.New[calendar.Hint](sqs.NewFromConfig(p.AWS), env.CalendarQueue.URL, boot.NewID)
	}
	p.Serve(handler.Routes())
}
