// Command reconcile lists what changed at the desks and queues the tickets whose
// rooms are not what they say.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootdesks"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/worker"
)

func main() {
	var env struct {
		config.Zendesk
		config.ZendeskAdmin
		config.Salesforce
		config.Tencent
		config.Hosts
		config.Identities
		config.Lifecycle
		config.BulkQueue
		config.Windows
		config.CalendarQueue
	}
	p := boot.New("reconcile", &env)

	desks := boot.Value(bootdesks.New(p, bootdesks.Options{
		Zendesk:    env.Zendesk,
		Salesforce: env.Salesforce,
		Admin:      env.ZendeskAdmin,
		Omni:       env.Lifecycle.Omni,
	}))
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent, env.Hosts.Former...))
	table := boot.Table(config.Following{Identities: env.Identities, Lifecycle: env.Lifecycle})

	reconcile := p.Reconcile(table, desks.Changes(), rooms, bootqueue.Of[relay.Hint](p, env.BulkQueue.URL))
	if env.CalendarQueue.URL != "" {
		reconcile.Calendars = calendar.Tasks{Queue: bootqueue.Of[calendar.Hint](p, env.CalendarQueue.URL)}
	}

	lambda.Start((&worker.Windows{
		Reconcile: reconcile,
		Mailbox:   bootqueue.Mailbox(p, env.Windows.URL, env.Windows.DeadLetterURL),
	}).Lambda)
}
