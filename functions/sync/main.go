// Command sync works off the queue of tickets whose rooms have to be looked at.
package main

import (
	mathrand "math/rand/v2"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
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
		config.Notices
		config.Queue
		config.DeadLetters
	}
	p := boot.New("sync", &env)

	desks := map[relay.DeskName]relay.TicketDesk{}
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
	transcripts := &relay.Transcripts{Rooms: rooms, Meter: p.Meter}
	if env.TranscriptBucket != "" {
		transcripts.Archive = s3archive.New(p.AWS, env.TranscriptBucket)
	}

	lambda.Start((&worker.Worker{
		Sync: &relay.Sync{
			Desks: desks, Rooms: rooms, Transcripts: transcripts, Rules: boot.Rules(env.Identities),
			Texts: relay.Texts{Language: env.NoticeLanguage, Table: env.Texts()},
			Meter: p.Meter, Now: time.Now, Calls: env.Membership == "calls", SolvedOpen: env.Solved == "open",
		},
		Queue: sqs.NewFromConfig(p.AWS), QueueURL: env.URL, DeadLetterURL: env.DeadLetterURL,
		Meter: p.Meter, Random: mathrand.Float64,
	}).Lambda)
}
