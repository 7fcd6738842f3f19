// Package worker is the edge between Sync and its SQS FIFO queue. It turns a
// batch of messages into one Sync, and what became of each ticket into what
// becomes of its messages: done, tried again later, or dead.
//
// One message group is one ticket. The worker, not the receive count, decides
// what is dead: an outage of a vendor may last for days and kills no message.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/shared/awsenv"
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

// Worker works off batches. All fields are required but Wait.
type Worker struct {
	Sync  Syncer
	Queue API
	// QueueURL and DeadLetterURL name the queue and its dead-letter queue.
	QueueURL, DeadLetterURL string
	Meter                   relay.Meter
	// Random returns numbers in [0,1), for jitter.
	Random func() float64
	// Wait pauses inside the invocation; upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error
}

// reserve is kept of an invocation's time to settle its messages.
const reserve = 5 * time.Second

// panics is how often a message may meet a bug of ours before it is dead.
const panics = 5

// job is the messages of one ticket in a batch, in their order.
type job struct {
	item     relay.SyncItem
	messages []events.SQSMessage
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
		// One that stays makes all behind it stay: nothing overtakes.
		rest := j.messages
		if w.dead(j, err) {
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

// run leaves time to settle the messages: what is not settled is delivered
// again, and what was done for it is found done.
func (w *Worker) run(ctx context.Context, items []relay.SyncItem) []error {
	if len(items) == 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, left-min(reserve, left/4))
		defer cancel()
	}
	return w.Sync.Run(ctx, items)
}

type brokenMessage struct {
	message events.SQSMessage
	err     error
}

// group puts the messages of one ticket together, tickets in the order of their
// first message.
func group(records []events.SQSMessage) (jobs []*job, broken []brokenMessage) {
	byTicket := map[relay.RoomRef]*job{}
	for _, m := range records {
		hint, err := sqsqueue.Decode(m.Body)
		if err != nil {
			broken = append(broken, brokenMessage{m, err})
			continue
		}
		ref := relay.RoomRef{Desk: hint.Desk, TicketID: hint.Ticket}
		j := byTicket[ref]
		if j == nil {
			j = &job{item: relay.SyncItem{Desk: hint.Desk, Ticket: hint.Ticket}}
			byTicket[ref] = j
			jobs = append(jobs, j)
		}
		j.messages = append(j.messages, m)
		if hint.Hint != "" {
			j.item.Hints = append(j.item.Hints, hint.Hint)
		}
		j.item.Redelivered = j.item.Redelivered || receives(m) > 1
		if sent := sentAt(m); !sent.IsZero() && (j.item.Since.IsZero() || sent.Before(j.item.Since)) {
			j.item.Since = sent
		}
	}
	return jobs, broken
}

// receives is how often a message was delivered, this time included.
func receives(m events.SQSMessage) int {
	n, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	if err != nil || n < 1 {
		return 1
	}
	return n
}

func sentAt(m events.SQSMessage) time.Time {
	ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// dead reports whether a job is past help. A bug of ours may be met by an
// answer that comes once, so a panic gets a few tries.
func (w *Worker) dead(j *job, err error) bool {
	if errors.Is(err, relay.ErrPanic) {
		return receives(j.messages[0]) >= panics
	}
	return relay.Permanent(err)
}

// maxReason is how much of an error a dead letter carries.
const maxReason = 512

// bury sends a message to the dead-letter queue with its reason, so that it can
// be acknowledged. It reports whether that worked.
//
// The message keeps its group. Its deduplication id is its own id, so that a
// try that was cut off here does not bury it twice.
func (w *Worker) bury(ctx context.Context, m events.SQSMessage, reason error) bool {
	groupID := m.Attributes["MessageGroupId"]
	if groupID == "" {
		groupID = "unknown"
	}
	text := reason.Error()
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	_, err := w.Queue.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &w.DeadLetterURL, MessageBody: &m.Body,
		MessageGroupId: &groupID, MessageDeduplicationId: &m.MessageId,
		MessageAttributes: map[string]types.MessageAttributeValue{
			"reason": {DataType: aws.String("String"), StringValue: aws.String(printable(text))},
		},
	})
	if err != nil {
		slog.ErrorContext(ctx, "dead letter not sent", "message", m.MessageId, "code", awsenv.ErrorCode(err))
		return false
	}
	w.Meter.Count(ctx, "DeadLetter", 1)
	slog.ErrorContext(ctx, "message is dead", "message", m.MessageId, "group", groupID, "err", reason)
	return true
}

// printable keeps to the characters that SQS takes.
func printable(s string) string {
	out := []rune(s)[:0]
	for _, r := range s {
		if r >= ' ' && r != 0x7f && r != 0xfffd && r < 0xfffe {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return "unknown"
	}
	return string(out)
}

// postpone hides a message until it is worth another try. When that fails, the
// queue's own visibility does.
func (w *Worker) postpone(ctx context.Context, m events.SQSMessage, err error) {
	wait := w.backoff(receives(m), retryAfter(err))
	_, cerr := w.Queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &w.QueueURL, ReceiptHandle: &m.ReceiptHandle, VisibilityTimeout: int32(wait / time.Second),
	})
	if cerr != nil {
		slog.WarnContext(ctx, "visibility not changed", "message", m.MessageId, "code", awsenv.ErrorCode(cerr))
	}
}

// The bounds of a wait. SQS hides a message for twelve hours at most.
const (
	firstWait = 5 * time.Second
	maxWait   = 15 * time.Minute
	maxHidden = 10 * time.Hour // with jitter still below
)

// backoff is what the vendor asked for, else 5 s doubled with every receive up
// to a quarter of an hour; and up to a fifth more, so that what failed together
// does not come back together.
func (w *Worker) backoff(receives int, asked time.Duration) time.Duration {
	wait := asked
	if wait == 0 {
		wait = min(maxWait, firstWait<<min(receives-1, 10))
	}
	wait = min(wait, maxHidden)
	wait += time.Duration(w.Random() * float64(wait) / 5)
	return max(wait.Round(time.Second), time.Second)
}

func retryAfter(err error) time.Duration {
	var up *upstream.Error
	if !errors.As(err, &up) {
		return 0
	}
	return up.RetryAfter
}

// pause waits inside the invocation after a vendor said "too fast": returning
// would only bring the next batch at once.
func (w *Worker) pause(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(deadline)-reserve)
	}
	wait := w.Wait
	if wait == nil {
		wait = upstream.Sleep
	}
	if d > 0 {
		_ = wait(ctx, d)
	}
}

func (w *Worker) log(ctx context.Context, j *job, err error) {
	var up *upstream.Error
	if errors.As(err, &up) && up.Quota {
		w.Meter.Count(ctx, "QuotaExceeded", 1, "vendor", up.Vendor)
	}
	if up != nil && up.Credentials {
		w.Meter.Count(ctx, "CredentialsRefused", 1, "vendor", up.Vendor)
	}
	w.Meter.Count(ctx, "SyncFailed", 1, "desk", string(j.item.Desk))
	slog.WarnContext(ctx, "sync failed", "desk", j.item.Desk, "ticket", j.item.Ticket,
		"receives", receives(j.messages[0]), "permanent", relay.Permanent(err), "err", err)
}
