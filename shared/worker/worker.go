// Package worker is the edge between relay's background work and its SQS FIFO
// queues: [Worker] turns a batch of hints into one Sync, [Windows] a message
// into one window of Reconcile, [Pages] one into a page of the Sweep; and all
// of them what became of it into what becomes of the message: done, tried again
// later, or dead.
//
// One message group is one ticket, one desk, or one list. The worker, not the
// receive count, decides what is dead: an outage of a vendor may last for days
// and kills no message.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/upstream"
)

// API is the calls that are made.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
// and https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.
type API interface {
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Syncer is relay's Sync: one error per item, nil where the room is right.
type Syncer interface {
	Run(ctx context.Context, items []relay.SyncItem) []error
}

// Worker works off batches of hints.
type Worker struct {
	Mailbox
	Sync Syncer
}

// job is the messages of one ticket in a batch, in their order.
type job struct {
	item     relay.SyncItem
	messages []events.SQSMessage
	// spare messages say nothing that one before them does not.
	spare map[string]bool // by message id
}

// Lambda handles one batch, as the runtime calls it. It returns an error only
// for a batch it could not look at; the response names the messages to be
// delivered again.
func (w *Worker) Lambda(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	var res events.SQSEventResponse
	fail := func(m events.SQSMessage) {
		res.BatchItemFailures = append(res.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	jobs, broken := group(e.Records)
	for _, b := range broken {
		if !w.bury(ctx, b.message, b.err) {
			fail(b.message)
		}
	}
	items := make([]relay.SyncItem, len(jobs))
	for i, j := range jobs {
		items[i] = j.item
	}
	errs := w.run(ctx, items)
	var pause time.Duration
	for i, j := range jobs {
		err := errs[i]
		if err == nil {
			continue
		}
		w.log(ctx, j, err)
		// One that stays makes all behind it stay: nothing overtakes. What repeats
		// another goes, or ten of a kind would hide from every try what an eleventh
		// has to say, such as that the ticket is deleted.
		rest := slices.DeleteFunc(j.messages, func(m events.SQSMessage) bool { return j.spare[m.MessageId] })
		if dead(j.messages[0], err) {
			for len(rest) > 0 && w.bury(ctx, rest[0], err) {
				rest = rest[1:]
			}
		}
		for _, m := range rest {
			w.postpone(ctx, m, err)
			fail(m)
		}
		if upstream.ClassOf(err) == upstream.RateLimited {
			pause = max(pause, retryAfter(err), time.Second)
		}
	}
	w.pause(ctx, pause)
	return res, nil
}

// run syncs the tickets of a batch. One that met a panic in company is tried
// alone: the bug may have been met by another of them, in what they share.
func (w *Worker) run(ctx context.Context, items []relay.SyncItem) []error {
	if len(items) == 0 {
		return nil
	}
	ctx, cancel := within(ctx)
	defer cancel()
	errs := w.sync(ctx, items)
	if len(items) == 1 {
		return errs
	}
	for i, err := range errs {
		if errors.Is(err, relay.ErrPanic) {
			errs[i] = w.sync(ctx, items[i:i+1])[0]
		}
	}
	return errs
}

// sync is one run of Sync. A panic in it is the error of all its items.
func (w *Worker) sync(ctx context.Context, items []relay.SyncItem) (errs []error) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "panic", "panic", p, "stack", string(debug.Stack()))
			errs = slices.Repeat([]error{relay.ErrPanic}, len(items))
		}
	}()
	return w.Sync.Run(ctx, items)
}

type brokenMessage struct {
	message events.SQSMessage
	err     error
}

// group puts the messages of one ticket together, tickets in the order of their
// first message.
func group(records []events.SQSMessage) (jobs []*job, broken []brokenMessage) {
	byTicket := map[relay.Ref]*job{}
	for _, m := range records {
		hint, err := sqsqueue.Decode(m.Body)
		if err != nil {
			broken = append(broken, brokenMessage{m, err})
			continue
		}
		ref := relay.Ref{Desk: hint.Desk, Ticket: hint.Ticket}
		j := byTicket[ref]
		if j == nil {
			j = &job{item: relay.SyncItem{Desk: hint.Desk, Ticket: hint.Ticket}, spare: map[string]bool{}}
			byTicket[ref] = j
			jobs = append(jobs, j)
		}
		switch {
		case hint.Hint == "":
			j.spare[m.MessageId] = len(j.messages) > 0
		case slices.Contains(j.item.Hints, hint.Hint):
			j.spare[m.MessageId] = true
		default:
			j.item.Hints = append(j.item.Hints, hint.Hint)
		}
		j.messages = append(j.messages, m)
		j.item.Redelivered = j.item.Redelivered || receives(m) > 1
		if sent := sentAt(m); !sent.IsZero() && (j.item.Since.IsZero() || sent.Before(j.item.Since)) {
			j.item.Since = sent
		}
	}
	return jobs, broken
}

func sentAt(m events.SQSMessage) time.Time {
	ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (w *Worker) log(ctx context.Context, j *job, err error) {
	w.count(ctx, err)
	w.Meter.Count(ctx, "SyncFailed", 1, "desk", string(j.item.Desk))
	slog.WarnContext(ctx, "sync failed", "desk", j.item.Desk, "ticket", j.item.Ticket,
		"receives", receives(j.messages[0]), "permanent", relay.Permanent(err), "err", err)
}
