// Command sync works off the queue of tickets whose rooms have to be looked at.
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
	"github.com/caseroom/caseroom/shared/s3archive"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/worker"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Zendesk
		config.Salesforce
		config.Tencent
		config.Rooms
		config.Identities
		config.Lifecycle
		config.Notices
		config.Queue
		config.DeadLetters
	}
	p := boot.New("sync", &env)

	desks := map[relay.DeskName]relay.TicketDesk{}
	if env.Zendesk.BaseURL != "" {
		desks[relay.Zendesk] = &zendesk.SyncDesk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}
	}
	if env.Salesforce.BaseURL != "" {
		desks[relay.Salesforce] = &salesforce.SyncDesk{Omni: env.Omni, Client: boot.Value(bootsalesforce.Client(p, env.Salesforce))}
	}
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent))
	transcripts := &relay.Transcripts{Rooms: rooms, Meter: p.Meter}
	if env.TranscriptBucket != "" {
		transcripts.Archive = s3archive.New(p.AWS, env.TranscriptBucket)
	}

	table := boot.Table(env.Identities, env.Lifecycle)
	table.SubjectNames = env.Rooms.SubjectNames()

	lambda.Start((&worker.Worker[relay.Hint, relay.SyncItem]{
		Decode: relay.DecodeHint,
		Item:   relay.NewSyncItem,
		Sync: &relay.Sync{
			Desks: desks, Rooms: rooms, Transcripts: transcripts,
			Table: table,
			Texts: relay.Texts{Language: env.NoticeLanguage, Table: env.Texts()},
			Meter: p.Meter, Now: time.Now,
		},
		Mailbox: worker.Mailbox{
			Queue: sqs.NewFromConfig(p.AWS), QueueURL: env.Queue.URL, DeadLetterURL: env.DeadLetterURL, Meter: p.Meter, Random: mathrand.Float64,
		},
	}).Lambda)
}
