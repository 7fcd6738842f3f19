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
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// API is the calls that are made.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
// and https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.
type API interface {
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Message is what one queue message says.
type Message interface {
	// Group is the message group, "<desk>:<ticket>".
	Group() string
	// Plain reports whether the message says no more than that its group changed.
	Plain() bool
	// Hearsay reports whether every other message of its group says more, a plain
	// one too.
	Hearsay() bool
	// Encode returns the message's one form.
	Encode() (string, error)
}

// Syncer works on items and returns one error per item, nil where all is right.
type Syncer[I any] interface {
	Run(ctx context.Context, items []I) []error
}

// Worker works off batches of messages M. What the messages of one group say is
// put together into one item I.
type Worker[M Message, I any] struct {
	Mailbox
	// Decode reads a body. One that it does not understand is a dead letter.
	Decode func(body string) (M, error)
	// Item puts together what messages of one group say. redelivered says that an
	// earlier try may have been cut off anywhere; since is when the first of them
	// was sent, zero if unknown.
	Item func(messages []M, redelivered bool, since time.Time) I
	Sync Syncer[I]
}

// job is the messages of one group in a batch, in their order.
type job[M Message] struct {
	group    string
	said     []M
	messages []events.SQSMessage
	// spare messages say nothing that one before them does not.
	spare       map[string]bool // by message id
	bodies      map[string]bool
	sure        bool // one of them is no hearsay
	redelivered bool
	since       time.Time
}

// Lambda handles one batch, as the runtime calls it. It returns an error only
// for a batch it could not look at; the response names the messages to be
// delivered again.
func (w *Worker[M, I]) Lambda(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	var res events.SQSEventResponse
	fail := func(m events.SQSMessage) {
		res.BatchItemFailures = append(res.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
	}
	jobs, broken := w.group(e.Records)
	for _, b := range broken {
		if !w.bury(ctx, b.message, b.err) {
			fail(b.message)
		}
	}
	items := make([]I, len(jobs))
	for i, j := range jobs {
		items[i] = w.Item(j.said, j.redelivered, j.since)
	}
	errs := w.run(ctx, items)
	var pause time.Duration
	var oldest waited
	limited := 0
	for i, j := range jobs {
		err := errs[i]
		oldest.see(j.messages[0], j.since, err)
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
			pause = max(pause, upstream.RetryAfter(err), time.Second)
			limited++
		}
	}
	w.tell(ctx, oldest)
	// What one ticket of several has met may be its own limit.
	if limited > 1 || len(jobs) == 1 {
		w.pause(ctx, pause)
	}
	return res, nil
}

// run syncs the tickets of a batch. One that met a panic in company is tried
// alone: the bug may have been met by another of them, in what they share.
func (w *Worker[M, I]) run(ctx context.Context, items []I) []error {
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
func (w *Worker[M, I]) sync(ctx context.Context, items []I) (errs []error) {
	err := relay.Protect(ctx, func() error {
		errs = w.Sync.Run(ctx, items)
		return nil
	})
	if err != nil {
		errs = slices.Repeat([]error{err}, len(items))
	}
	return errs
}

type brokenMessage struct {
	message events.SQSMessage
	err     error
}

// group puts the messages of one group together, groups in the order of their
// first message.
func (w *Worker[M, I]) group(records []events.SQSMessage) (jobs []*job[M], broken []brokenMessage) {
	byGroup := map[string]*job[M]{}
	for _, m := range records {
		said, err := w.Decode(m.Body)
		if err != nil {
			broken = append(broken, brokenMessage{m, err})
			continue
		}
		body, err := said.Encode()
		if err != nil {
			broken = append(broken, brokenMessage{m, err})
			continue
		}
		j := byGroup[said.Group()]
		if j == nil {
			j = &job[M]{group: said.Group(), spare: map[string]bool{}, bodies: map[string]bool{}}
			byGroup[j.group] = j
			jobs = append(jobs, j)
		}
		j.spare[m.MessageId] = j.bodies[body] || (said.Plain() || said.Hearsay()) && j.sure
		j.bodies[body] = true
		j.sure = j.sure || !said.Hearsay()
		j.said = append(j.said, said)
		j.messages = append(j.messages, m)
		j.redelivered = j.redelivered || receives(m) > 1 || redriven(m)
		if sent := sentAt(m); !sent.IsZero() && (j.since.IsZero() || sent.Before(j.since)) {
			j.since = sent
		}
	}
	return jobs, broken
}

// redriven reports whether a message was a dead letter: its first delivery was
// another message's.
func redriven(m events.SQSMessage) bool {
	_, dead := m.MessageAttributes[reasonAttribute]
	return dead
}

func sentAt(m events.SQSMessage) time.Time {
	ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (w *Worker[M, I]) log(ctx context.Context, j *job[M], err error) {
	w.count(ctx, err)
	desk, ticket, _ := strings.Cut(j.group, ":")
	w.Meter.Count(ctx, "SyncFailed", 1, "desk", desk)
	slog.WarnContext(ctx, "sync failed", "desk", desk, "ticket", ticket,
		"receives", receives(j.messages[0]), "permanent", relay.Permanent(err), "err", err)
}
