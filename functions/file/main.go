// Command file works off the queue of tickets whose transcripts are to be filed.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootarchive"
	"github.com/caseroom/caseroom/shared/boot/bootdesks"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/worker"
)

func main() {
	var env struct {
		config.Zendesk
		config.Salesforce
		config.Tencent
		config.Hosts
		config.Identities
		config.Lifecycle
		config.Queue
		config.FileQueue
		config.Filing
	}
	p := boot.New("file", &env)

	desks := boot.Value(bootdesks.New(p, bootdesks.Options{
		Zendesk:    env.Zendesk,
		Salesforce: env.Salesforce,
	}))
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent, env.Hosts.Former...))
	table := boot.Table(config.Following{Identities: env.Identities, Lifecycle: env.Lifecycle})
	live := bootqueue.Of[relay.Hint](p, env.Queue.URL)

	lambda.Start((&worker.Worker[relay.Hint, relay.SyncItem]{
		Decode:  relay.DecodeHint,
		Item:    relay.NewSyncItem,
		Sync:    p.File(env.Filing, table, desks.Tickets(), rooms, live, bootarchive.Archive(p, env.Lifecycle)),
		Mailbox: bootqueue.Mailbox(p, env.FileQueue.URL, env.Filing.DeadLetterURL),
	}).Lambda)
}
