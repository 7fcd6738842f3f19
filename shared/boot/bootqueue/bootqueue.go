// Package bootqueue is SQS's part of a function's start-up, apart from [boot] so
// that only functions with queues link its client.
package bootqueue

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/worker"
)

// Of returns the queue of messages that has this URL.
func Of[M sqsqueue.Message](p *boot.Process, url string) *sqsqueue.Queue[M] {
	return sqsqueue.New[M](sqs.NewFromConfig(p.AWS), url, p.NewID)
}

// Mailbox returns the queue as its worker settles messages, and where it puts
// those that no retry helps.
func Mailbox(p *boot.Process, url, deadLetterURL string) worker.Mailbox {
	return worker.Mailbox{
		Queue:         sqs.NewFromConfig(p.AWS),
		QueueURL:      url,
		DeadLetterURL: deadLetterURL,
		Meter:         p.Meter,
		Now:           p.Now,
		Random:        p.Jitter,
	}
}

// Depth returns how much is in the queue that has this URL.
func Depth(p *boot.Process, url string) sqsqueue.Depth {
	return sqsqueue.Depth{Client: sqs.NewFromConfig(p.AWS), URL: url}
}
