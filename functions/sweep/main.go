// Command sweep looks at all rooms from their side, and destroys those whose
// time has come.
package main

import (
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/tencentim"
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
		creds := secrets.For[zendesk.Credentials](p.Secrets, env.Zendesk.Secret)
		desks[relay.Zendesk] = &zendesk.SyncDesk{Client: boot.Value(zendesk.New(zendesk.Options{
			BaseURL: env.Zendesk.BaseURL, Local: p.Local, Credentials: creds.Load, Reread: creds.Reload,
		}))}
	}
	if env.Salesforce.BaseURL != "" {
		creds := secrets.For[salesforce.Credentials](p.Secrets, env.Salesforce.Secret)
		desks[relay.Salesforce] = &salesforce.SyncDesk{Omni: env.Omni, Client: boot.Value(salesforce.New(salesforce.Options{
			BaseURL: env.Salesforce.BaseURL, Local: p.Local, APIVersion: env.APIVersion,
			KeyField: env.KeyField, UserField: env.UserField, AutoAssign: env.AutoAssign,
			Credentials: creds.Load, Reread: creds.Reload,
		}))}
	}
	app := secrets.For[tencentim.Credentials](p.Secrets, env.Tencent.Secret)
	rooms := tencentim.Rooms{Client: boot.Value(tencentim.New(tencentim.Options{
		Region: env.Region, BaseURL: env.Tencent.BaseURL, Local: p.Local, Credentials: app.Load, Reread: app.Reload,
	}))}
	queues := sqs.NewFromConfig(p.AWS)
	table := relay.Table{
		Rules: boot.Rules(env.Identities), Calls: env.Membership == "calls", SolvedOpen: env.Solved == "open",
		Archive: env.TranscriptBucket != "",
	}

	lambda.Start((&worker.Pages{
		Sweep: &relay.Sweep{
			Desks: desks, Rooms: rooms, Queue: sqsqueue.New(queues, env.Queue.URL, boot.NewID), Table: table,
			Meter: p.Meter, Now: time.Now, DissolveAfter: env.DissolveAfter, HistoryDays: env.HistoryDays,
		},
		Mailbox: worker.Mailbox{
			Queue: queues, QueueURL: env.Pages.URL, DeadLetterURL: env.DeadLetterURL, Meter: p.Meter, Random: mathrand.Float64,
		},
	}).Lambda)
}
