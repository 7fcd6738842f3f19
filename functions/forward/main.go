// Command forward passes hints that nobody waits for on to the live queue.
package main

import (
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/worker"
)

func main() {
	var env struct {
		config.Queue
		config.BulkQueue
		config.BulkDeadLetters
	}
	p := boot.New("forward", &env)

	lambda.Start((&worker.Forward{
		Live:    bootqueue.Of[relay.Hint](p, env.Queue.URL),
		Depth:   bootqueue.Depth(p, env.Queue.URL).Read,
		Mailbox: bootqueue.Mailbox(p, env.BulkQueue.URL, env.BulkDeadLetters.URL),
	}).Lambda)
}
