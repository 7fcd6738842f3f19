package worker

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Forward passes hints that nobody waits for on to the live queue, while that is
// calm: so few at a time that whoever comes next is served at once.
type Forward struct {
	Mailbox
	Live relay.HintQueue
	// Depth reads the live queue's approximate counts: messages that wait to be
	// received, and messages that are received and not yet deleted.
	Depth func(context.Context) (waiting, received int, err error)
}

// The measures of a calm queue.
const (
	calmWaiting  = 10 // a batch
	calmReceived = 50 // half of what ten processes may have at work
	// patience is how long a batch waits for calm.
	patience = 20 * time.Second
	look     = time.Second // between two looks
	// pace is the time behind each hint that is passed on. The queue's numbers are
	// late, so no more than this may be on its way before they tell.
	pace = 100 * time.Millisecond
)

// errBusy gives hints back for a while. Nothing is wrong with them.
var errBusy = &upstream.Error{
	Vendor: "sqs", Op: "forward", Class: upstream.RateLimited, RetryAfter: 20 * time.Second,
	Err: errors.New("the live queue is busy"),
}

// Lambda handles one batch, as the runtime calls it.
func (w *Forward) Lambda(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	var res events.SQSEventResponse
	var hints []relay.Hint
	var messages []events.SQSMessage
	for _, m := range e.Records {
		h, err := relay.DecodeHint(m.Body)
		if err != nil {
			if w.settle(ctx, m, &deadError{err}) {
				res.BatchItemFailures = append(res.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
			}
			continue
		}
		hints, messages = append(hints, h), append(messages, m)
	}
	if len(hints) == 0 {
		return res, nil
	}
	err := w.forward(ctx, hints)
	var oldest waited
	for _, m := range messages {
		oldest.see(m, sentAt(m), err)
	}
	w.tell(ctx, oldest)
	if err != nil {
		for _, m := range messages {
			w.postpone(ctx, m, err)
			res.BatchItemFailures = append(res.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return res, nil
}

// forward waits for calm and passes the hints on. Hints that are passed on twice
// do no harm.
func (w *Forward) forward(ctx context.Context, hints []relay.Hint) error {
	ctx, cancel := within(ctx)
	defer cancel()
	for waited := time.Duration(0); ; waited += look {
		waiting, received, err := w.Depth(ctx)
		if err != nil {
			return err
		}
		// Messages that wait for another try are received, too. However many they are,
		// they keep nobody busy: behind a queue that is short for so long, one batch goes.
		if waiting < calmWaiting && (received < calmReceived || waited >= patience) {
			break
		}
		if waited >= patience {
			return errBusy
		}
		if err := w.sleep(ctx, look); err != nil {
			return errBusy
		}
	}
	if err := w.Live.SendAll(ctx, hints...); err != nil {
		w.count(ctx, err)
		return err
	}
	w.Meter.Count(ctx, "BulkForwarded", len(hints))
	_ = w.sleep(ctx, time.Duration(len(hints))*pace)
	return nil
}
