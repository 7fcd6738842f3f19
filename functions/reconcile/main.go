// Command reconcile lists what changed at the desks and queues the tickets whose
// rooms are not what they say.
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
		client := func(secret string) *zendesk.Client {
			creds := secrets.For[zendesk.Credentials](p.Secrets, secret)
			return boot.Value(zendesk.New(zendesk.Options{
				BaseURL: env.Zendesk.BaseURL, Local: p.Local, Credentials: creds.Load, Reread: creds.Reload,
			}))
		}
		desk := &zendesk.SyncDesk{Client: client(env.Zendesk.Secret)}
		if env.ZendeskAdmin.Secret != env.Zendesk.Secret {
			desk.Admin = client(env.ZendeskAdmin.Secret)
		}
		desks[relay.Zendesk] = desk
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

	reconcile := &relay.Reconcile{
		Desks: desks, Rooms: rooms, Queue: sqsqueue.New(queues, env.Queue.URL, boot.NewID), Table: table,
		Meter: p.Meter, Now: time.Now,
	}
	if env.CalendarQueue.URL != "" {
		reconcile.Calendars = sqsqueue.New(queues, env.CalendarQueue.URL, boot.NewID)
	}

	lambda.Start((&worker.Windows{
		Reconcile: reconcile,
		Mailbox: worker.Mailbox{
			Queue: queues, QueueURL: env.Windows.URL, DeadLetterURL: env.DeadLetterURL, Meter: p.Meter, Random: mathrand.Float64,
		},
	}).Lambda)
}
