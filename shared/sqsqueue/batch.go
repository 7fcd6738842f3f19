package sqsqueue

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/shared/upstream"
)

const (
	batchSize     = 10 // SQS's limit
	batchesAtOnce = 4  // calls at a time: what a cold process can open connections for
	batchTries    = 3  // of entries that SQS failed on its side
	batchPause    = 50 * time.Millisecond
)

// SendAll queues messages, ten per call and several calls at a time, in no order.
// Nothing is sent when one of them does not encode; otherwise every message is tried,
// whatever becomes of the others. What SQS answers as failed on its own side is
// sent again, with the same deduplication id.
//
// The error is nil when all messages were accepted, and else an *[upstream.Error]
// whose text says how many were not. The caller sends all of them again: a message
// too many does no harm.
func (q *Queue[M]) SendAll(ctx context.Context, messages ...M) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(messages))
	for i, m := range messages {
		body, err := m.Encode()
		if err != nil {
			return &upstream.Error{Vendor: "sqs", Op: opSendBatch, Class: upstream.Refused, Err: err}
		}
		entries[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: &body, MessageGroupId: aws.String(m.Group()),
			MessageDeduplicationId: aws.String(q.newID()),
		}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		worst  *upstream.Error
		failed int
		slots  = make(chan struct{}, batchesAtOnce)
	)
	for len(entries) > 0 {
		n := min(batchSize, len(entries))
		batch := entries[:n:n]
		entries = entries[n:]
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			left, err := q.sendBatch(ctx, batch)
			if err == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			failed += left
			// What needs an operator is told before what passes by itself.
			if worst == nil || (err.Class == upstream.Refused && worst.Class != upstream.Refused) {
				worst = err
			}
		})
	}
	wg.Wait()
	if worst == nil {
		return nil
	}
	told := *worst
	told.Err = fmt.Errorf("%d of %d hints not queued", failed, len(messages))
	if worst.Err != nil {
		told.Err = fmt.Errorf("%w: %w", told.Err, worst.Err)
	}
	return &told
}

// sendBatch sends up to ten entries and returns how many were not accepted.
func (q *Queue[M]) sendBatch(ctx context.Context, entries []types.SendMessageBatchRequestEntry) (left int, _ *upstream.Error) {
	for try := 1; ; try++ {
		out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
		if err != nil {
			return len(entries), classify(ctx, opSendBatch, err)
		}
		again, failure := unsent(entries, out)
		if failure == nil {
			return 0, nil
		}
		if !failure.Retryable() || try == batchTries || upstream.Sleep(ctx, batchPause<<try) != nil {
			return len(again), failure
		}
		entries = again
	}
}

// unsent returns the entries that SQS did not accept and why the first of them
// that matters was not. An entry that the answer does not mention at all may
// have been accepted.
func unsent(entries []types.SendMessageBatchRequestEntry, out *sqs.SendMessageBatchOutput) (again []types.SendMessageBatchRequestEntry, failure *upstream.Error) {
	accepted := make(map[string]bool, len(out.Successful))
	for _, s := range out.Successful {
		accepted[aws.ToString(s.Id)] = true
	}
	refusals := make(map[string]types.BatchResultErrorEntry, len(out.Failed))
	for _, f := range out.Failed {
		refusals[aws.ToString(f.Id)] = f
	}
	for _, e := range entries {
		if accepted[aws.ToString(e.Id)] {
			continue
		}
		again = append(again, e)
		why := &upstream.Error{Vendor: "sqs", Op: opSendBatch, Class: upstream.Unknown}
		if f, ok := refusals[aws.ToString(e.Id)]; ok {
			status := http.StatusServiceUnavailable
			if f.SenderFault {
				status = http.StatusBadRequest
			}
			why.Code = aws.ToString(f.Code)
			why.Class, why.Credentials = meaning(why.Code, status)
		}
		if failure == nil || (why.Class == upstream.Refused && failure.Class != upstream.Refused) {
			failure = why
		}
	}
	return again, failure
}
