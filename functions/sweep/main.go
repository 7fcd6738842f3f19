// Command sweep looks at all rooms from their side, and destroys those whose
// time has come.
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
		config.Salesforce
		config.Tencent
		config.Identities
		config.Lifecycle
		config.Queue
		config.Pages
	}
	p := boot.New("sweep", &env)

	desks := map[relay.DeskName]relay.SweepDesk{}
	if env.Zendesk.BaseURL != "" {
		desks[relay.Zendesk] = &zendesk.SyncDesk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}
	}
	if env.Salesforce.BaseURL != "" {
		desks[relay.Salesforce] = &salesforce.SyncDesk{Omni: env.Omni, Client: boot.Value(bootsalesforce.Client(p, env.Salesforce))}
	}
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent))
	queues := sqs.NewFromConfig(p.AWS)
	table := boot.Table(env.Identities, env.Lifecycle)

	lambda.Start((&worker.Pages{
		Sweep: &relay.Sweep{
			Desks: desks, Rooms: rooms, Queue: sqsqueue.New[relay.Hint](queues, env.Queue.URL, boot.NewID), Table: table,
			Meter: p.Meter, Now: time.Now, DissolveAfter: env.DissolveAfter, HistoryDays: env.HistoryDays,
		},
		Mailbox: worker.Mailbox{
			Queue: queues, QueueURL: env.Pages.URL, DeadLetterURL: env.DeadLetterURL, Meter: p.Meter, Random: mathrand.Float64,
		},
	}).Lambda)
}
