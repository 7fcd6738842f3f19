// Command zendeskevent serves POST /zendesk/events.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/webhook"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Desks
		config.ZendeskEvents
		config.Queue
		config.BulkQueue
		config.CalendarQueue
	}
	p := boot.New("zendeskevent", &env)

	secret := secrets.For[webhook.Secret](p.Secrets, env.ZendeskEvents.Secret)
	handler := &api.ZendeskEvent{
		Configured: env.Desks.ZendeskBaseURL != "",
		Secret:     secret.Load,
		Reread:     secret.Reload,
		Verifier:   webhook.Verifier{Tests: p.Local || upstream.Loopback(env.Desks.ZendeskBaseURL)},
		Decode:     zendesk.DecodeEvent,
		Queue: relay.ByClass{
			Live: bootqueue.Of[relay.Hint](p, env.Queue.URL),
			Bulk: bootqueue.Of[relay.Hint](p, env.BulkQueue.URL),
		},
		Meter: p.Meter,
		Now:   p.Now,
	}
	if env.CalendarQueue.URL != "" {
		handler.DecodeTask = zendesk.DecodeTaskEvent
		handler.Calendars = bootqueue.Of[calendar.Hint](p, env.CalendarQueue.URL)
	}
	p.Serve(handler.Routes())
}
