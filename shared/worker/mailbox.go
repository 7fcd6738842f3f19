package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	"github.com/caseroom/caseroom/shared/upstream"
)

// Mailbox is a FIFO queue as its worker settles its messages: done, tried again
// later, or dead. All fields are required but Wait.
type Mailbox struct {
	Queue API
	// QueueURL and DeadLetterURL name the queue and its dead-letter queue.
	QueueURL, DeadLetterURL string
	Meter                   relay.Meter
	Now                     relay.Clock
	// Random returns numbers in [0,1), for jitter.
	Random func() float64
	// Wait pauses inside the invocation; upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error
}

// reserve is kept of an invocation's time to settle its messages.
const reserve = 5 * time.Second

// panics is how often a message may meet a bug of ours before it is dead.
const panics = 5

// within leaves time to settle the messages: what is not settled is delivered
// again, and what was done for it is found done.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return upstream.WithReserve(ctx, reserve, 4)
}

// receives is how often a message was delivered, this time included.
func receives(m events.SQSMessage) int {
	n, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// dead reports whether what a message asked for is past help. A bug of ours may
// be met by an answer that comes once, so a panic gets a few tries.
func dead(m events.SQSMessage, err error) bool {
	var malformed *deadError
	switch {
	case errors.As(err, &malformed):
		return true
	case errors.Is(err, relay.ErrPanic):
		return receives(m) >= panics
	}
	return relay.Permanent(err)
}

// maxReason is how much of an error a dead letter carries.
const maxReason = 512

// reasonAttribute is the message attribute that says why a message died. It stays
// with one that is moved back.
const reasonAttribute = "reason"

// bury sends a message to the dead-letter queue with its reason, so that it can
// be acknowledged. It reports whether that worked.
//
// The message keeps its group. Its deduplication id is its own id, so that a
// try that was cut off here does not bury it twice.
func (w *Mailbox) bury(ctx context.Context, m events.SQSMessage, reason error) bool {
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
			reasonAttribute: {DataType: aws.String("String"), StringValue: aws.String(printable(text))},
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
func (w *Mailbox) postpone(ctx context.Context, m events.SQSMessage, err error) {
	wait := w.backoff(receives(m), upstream.RetryAfter(err))
	_, cerr := w.Queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &w.QueueURL, ReceiptHandle: &m.ReceiptHandle, VisibilityTimeout: int32(wait.Seconds()),
	})
	if cerr != nil {
		slog.WarnContext(ctx, "visibility not changed", "message", m.MessageId, "code", awsenv.ErrorCode(cerr))
	}
}

// release gives back a message behind one that waits. Its group keeps the order;
// hidden as it was received, it would keep the group waiting for as long as an
// invocation may take, however short the first one's wait.
func (w *Mailbox) release(ctx context.Context, m events.SQSMessage) {
	_, err := w.Queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &w.QueueURL, ReceiptHandle: &m.ReceiptHandle, VisibilityTimeout: 0,
	})
	if err != nil {
		slog.WarnContext(ctx, "visibility not changed", "message", m.MessageId, "code", awsenv.ErrorCode(err))
	}
}

// The bounds of a wait. SQS hides a message for twelve hours at most.
const (
	firstWait = 5 * time.Second
	maxWait   = 15 * time.Minute
	maxHidden = 10 * time.Hour // with jitter still below
)

// trusted is how many receives a vendor's own word about the wait is enough for.
// The queue itself buries a message after 1000.
const trusted = 100

// backoff is what the vendor asked for, else 5 s doubled with every receive up
// to a quarter of an hour, and the longer of both when the vendor's word has not
// held for long; and up to a fifth more, so that what failed together does not
// come back together.
func (w *Mailbox) backoff(receives int, asked time.Duration) time.Duration {
	wait := asked
	if wait == 0 {
		wait = doubled(receives)
	} else if receives > trusted {
		wait = max(wait, doubled(receives-trusted))
	}
	wait = min(wait, maxHidden)
	wait += time.Duration(w.Random() * float64(wait) / 5)
	return max(wait.Round(time.Second), time.Second)
}

func doubled(receives int) time.Duration { return min(maxWait, firstWait<<min(receives-1, 10)) }

// pause waits inside the invocation after a vendor said "too fast": returning
// would only bring the next batch at once.
func (w *Mailbox) pause(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(deadline)-reserve)
	}
	if d > 0 {
		_ = w.sleep(ctx, d)
	}
}

func (w *Mailbox) sleep(ctx context.Context, d time.Duration) error {
	if w.Wait != nil {
		return w.Wait(ctx, d)
	}
	return upstream.Sleep(ctx, d)
}

// count counts what an operator has to see of a failure.
func (w *Mailbox) count(ctx context.Context, err error) {
	var up *upstream.Error
	if errors.As(err, &up) && up.Quota {
		w.Meter.Count(ctx, "QuotaExceeded", 1, "vendor", up.Vendor)
	}
	if up != nil && up.Credentials {
		w.Meter.Count(ctx, "CredentialsRefused", 1, "vendor", up.Vendor)
	}
	if errors.Is(err, relay.ErrNotJoined) {
		w.Meter.Count(ctx, "MemberRefused", 1)
	}
}

// waited is how long the oldest change of a batch has waited that is served now,
// or still is not. What waits for a person and what is dead ring other alarms, and
// would hide an outage behind them.
type waited struct{ since time.Time }

func (o *waited) see(m events.SQSMessage, sent time.Time, err error) {
	if err != nil && (dead(m, err) || relay.NeedsPerson(err)) || sent.IsZero() {
		return
	}
	if o.since.IsZero() || sent.Before(o.since) {
		o.since = sent
	}
}

func (w *Mailbox) tell(ctx context.Context, o waited) {
	if !o.since.IsZero() {
		w.Meter.Time(ctx, "Waited", max(w.Now().Sub(o.since), 0))
	}
}

// settle buries or postpones a message that failed, and reports whether it is
// to be delivered again.
func (w *Mailbox) settle(ctx context.Context, m events.SQSMessage, err error) (again bool) {
	w.count(ctx, err)
	if dead(m, err) && w.bury(ctx, m, err) {
		return false
	}
	w.postpone(ctx, m, err)
	return true
}

// sendNext sends the message that follows on m to the worker's own queue. A try that
// was cut off behind it sends it again, and the queue drops the second; but not
// the same message when it follows on another one, for the first may be done.
func (w *Mailbox) sendNext(ctx context.Context, m events.SQSMessage, group string, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return &deadError{err}
	}
	sum := sha256.Sum256(append([]byte(m.MessageId+"\n"), body...))
	text, id := string(body), hex.EncodeToString(sum[:])
	_, err = w.Queue.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: &w.QueueURL, MessageBody: &text, MessageGroupId: &group, MessageDeduplicationId: &id,
	})
	if err != nil {
		return &upstream.Error{Vendor: "sqs", Op: "SendMessage", Class: upstream.Unknown, Code: awsenv.ErrorCode(err), Err: errors.New("not gone on with")}
	}
	return nil
}

// deadError is what no other try mends.
type deadError struct{ err error }

func (e *deadError) Error() string { return e.err.Error() }
func (e *deadError) Unwrap() error { return e.err }

// each handles the messages of a batch one after another. Behind one that is to
// be delivered again the others of its group wait too: nothing overtakes.
func (w *Mailbox) each(ctx context.Context, e events.SQSEvent, handle func(context.Context, events.SQSMessage) error) (events.SQSEventResponse, error) {
	var res events.SQSEventResponse
	waiting := map[string]bool{}
	var pause time.Duration
	var oldest waited
	for _, m := range e.Records {
		group := m.Attributes["MessageGroupId"]
		if !waiting[group] {
			err := handleOne(ctx, m, handle)
			oldest.see(m, sentAt(m), err)
			if upstream.ClassOf(err) == upstream.RateLimited {
				pause = max(pause, upstream.RetryAfter(err), time.Second)
			}
			if err == nil || !w.settle(ctx, m, err) {
				continue
			}
		} else {
			w.release(ctx, m)
		}
		waiting[group] = true
		res.BatchItemFailures = append(res.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	w.tell(ctx, oldest)
	w.pause(ctx, pause)
	return res, nil
}

// handleOne gives one message its time. A panic is a bug of ours.
func handleOne(ctx context.Context, m events.SQSMessage, handle func(context.Context, events.SQSMessage) error) error {
	ctx, cancel := within(ctx)
	defer cancel()
	return relay.Protect(ctx, func() error { return handle(ctx, m) }, "message", m.MessageId)
}
