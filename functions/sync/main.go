// Command sync works off the queue of tickets whose rooms have to be looked at.
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
		config.Following
		config.Queue
		config.FileQueue
		config.DeadLetters
	}
	p := boot.New("sync", &env)

	desks := boot.Value(bootdesks.New(p, bootdesks.Options{
		Zendesk:    env.Zendesk,
		Salesforce: env.Salesforce,
		Omni:       env.Following.Omni,
	}))
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent, env.Hosts.Former...))

	lambda.Start((&worker.Worker[relay.Hint, relay.SyncItem]{
		Decode:  relay.DecodeHint,
		Item:    relay.NewSyncItem,
		Sync:    p.Sync(env.Following, desks.Tickets(), rooms, bootqueue.Of[relay.Hint](p, env.FileQueue.URL), bootarchive.Archive(p, env.Following.Lifecycle)),
		Mailbox: bootqueue.Mailbox(p, env.Queue.URL, env.DeadLetters.URL),
	}).Lambda)
}
