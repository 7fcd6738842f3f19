// Command sweep looks at all rooms from their side, and destroys those whose
// time has come.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/caseroom/caseroom/shared/boot"
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
		config.BulkQueue
		config.Pages
	}
	p := boot.New("sweep", &env)

	desks := boot.Value(bootdesks.New(p, bootdesks.Options{
		Zendesk:    env.Zendesk,
		Salesforce: env.Salesforce,
		Omni:       env.Lifecycle.Omni,
	}))
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent, env.Hosts.Former...))
	table := boot.Table(config.Following{Identities: env.Identities, Lifecycle: env.Lifecycle})

	lambda.Start((&worker.Pages{
		Sweep:   p.Sweep(env.Lifecycle, table, desks.Swept(), rooms, bootqueue.Of[relay.Hint](p, env.BulkQueue.URL)),
		Mailbox: bootqueue.Mailbox(p, env.Pages.URL, env.Pages.DeadLetterURL),
	}).Lambda)
}
