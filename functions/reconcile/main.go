// Command reconcile lists what changed at the desks and queues the tickets whose
// rooms are not what they say.
package main

import (
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootsalesforce"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/worker"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Zendesk
		config.ZendeskAdmin
		config.Salesforce
		config.Tencent
		config.Identities
		config.Lifecycle
		config.Queue
		config.Windows
		config.CalendarQueue
	}
	p := boot.New("reconcile", &env)

	desks := map[relay.DeskName]relay.ChangeDesk{}
	if env.Zendesk.BaseURL != "" {
		desk := &zendesk.SyncDesk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}
		if env.ZendeskAdmin.Secret != env.Zendesk.Secret {
			desk.Admin = boot.Value(bootzendesk.Client(p, config.Zendesk{BaseURL: env.Zendesk.BaseURL, Secret: env.ZendeskAdmin.Secret}))
		}
		desks[relay.Zendesk] = desk
	}
	if env.Salesforce.BaseURL != "" {
		desks[relay.Salesforce] = &salesforce.SyncDesk{Omni: env.Omni, Client: boot.Value(bootsalesforce.Client(p, env.Salesforce))}
	}
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent))
	queues := sqs.NewFromConfig(p.AWS)
	table := boot.Table(env.Identities, env.Lifecycle)

	reconcile := &relay.Reconcile{
		Desks: desks, Rooms: rooms, Queue: sqsqueue.New[relay.Hint](queues, env.Queue.URL, boot.NewID), Table: table,
		Meter: p.Meter, Now: time.Now,
	}
	if env.CalendarQueue.URL != "" {
		reconcile.Calendars = calendar.Tasks{Queue: sqsqueue.New[calendar.Hint](queues, env.CalendarQueue.URL, boot.NewID)}
	}

	lambda.Start((&worker.Windows{
		Reconcile: reconcile,
		Mailbox: worker.Mailbox{
			Queue: queues, QueueURL: env.Windows.URL, DeadLetterURL: env.DeadLetterURL, Meter: p.Meter, Random: mathrand.Float64,
		},
	}).Lambda)
}
