package lambdahost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/shared/upstream"
)

// How the queues are polled.
const (
	longPoll       = 10 * time.Second
	pollers        = 3 // per queue, or the mapping's MaximumConcurrency if that is less
	idlePause      = 200 * time.Millisecond
	errorPause     = time.Second
	handOver       = 20 * time.Millisecond // from the queue to the function: Lambda's pollers are far from both
	requestTimeout = longPoll + 5*time.Second
)

// PlatformApp names the host in the User-Agent of its own requests, so that a
// stand-in can tell Lambda's polling from the functions' calls.
const PlatformApp = "caseroom-lambdahost"

// background starts the stack's event source mappings and schedules.
func (h *Host) background() error {
	sources := slices.ContainsFunc(h.stack.Functions, func(f Function) bool { return len(f.Sources) > 0 })
	var client *sqs.Client
	if sources || len(h.stack.Schedules) > 0 {
		if h.endpoint == "" {
			return errors.New("lambdahost: queues and schedules need AWS_ENDPOINT_URL")
		}
		client = h.sqs()
	}
	for _, f := range h.stack.Functions {
		for _, source := range f.Sources {
			m := &mapping{host: h, client: client, fn: f, source: source, queue: h.stack.queue(source.QueueARN)}
			n := pollers
			if source.MaxConcurrency > 0 {
				n = min(n, source.MaxConcurrency)
			}
			for range n {
				h.spawn(m.run)
			}
		}
	}
	for _, s := range h.stack.Schedules {
		t, err := parseSchedule(s.Expression, s.Timezone)
		if err != nil {
			return err
		}
		h.spawn(func(ctx context.Context) { h.runSchedule(ctx, client, s, t) })
	}
	return nil
}

func (h *Host) sqs() *sqs.Client {
	return sqs.New(sqs.Options{
		AppID:  PlatformApp,
		Region: h.stack.Region, BaseEndpoint: aws.String(h.endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: h.keys[0], SecretAccessKey: h.keys[1], SessionToken: h.keys[2]}, nil
		}),
		HTTPClient: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16}},
	})
}

func (s *Stack) queue(arn string) Queue {
	for _, q := range s.Queues {
		if q.ARN == arn {
			return q
		}
	}
	return Queue{}
}

// mapping is an event source mapping: it polls a queue and invokes a function
// with batches. See https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html.
type mapping struct {
	host   *Host
	client *sqs.Client
	fn     Function
	source EventSource
	queue  Queue
}

func (m *mapping) run(ctx context.Context) {
	for ctx.Err() == nil {
		started := time.Now()
		out, err := m.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &m.queue.URL, MaxNumberOfMessages: int32(min(m.source.BatchSize, 10)),
			WaitTimeSeconds:             int32(longPoll / time.Second),
			MessageAttributeNames:       []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			m.host.log.printf("%s: receiving from %s failed: %s", m.fn.Label(), m.queue.Name, awsReason(err))
			_ = upstream.Sleep(ctx, errorPause)
		case len(out.Messages) > 0:
			_ = upstream.Sleep(ctx, handOver)
			m.deliver(ctx, out.Messages)
		case time.Since(started) < longPoll/2:
			_ = upstream.Sleep(ctx, idlePause) // the queue did not keep us waiting
		}
	}
}

// deliver invokes the function with a batch and deletes what it has done. The
// rest shows up again when its visibility ends.
func (m *mapping) deliver(ctx context.Context, batch []types.Message) {
	payload, err := json.Marshal(map[string]any{"Records": m.records(batch)})
	if err != nil {
		return
	}
	started := time.Now()
	response, err := m.host.Invoke(ctx, m.fn.LogicalID, payload)
	if ctx.Err() != nil {
		return
	}
	failed := map[string]bool{}
	if err == nil && m.source.PartialBatch {
		failed, err = batchFailures(response, batch)
	}
	outcome := "done"
	switch {
	case err != nil:
		outcome = "failed (" + reason(err) + ")"
	case len(failed) > 0:
		outcome = fmt.Sprintf("%d failed", len(failed))
	}
	if err == nil {
		m.remove(ctx, batch, failed)
	}
	m.host.log.printf("SQS %s %d messages %s %d ms %s",
		m.queue.Name, len(batch), outcome, time.Since(started).Milliseconds(), m.fn.Label())
}

// remove deletes the messages of a batch that did not fail.
func (m *mapping) remove(ctx context.Context, batch []types.Message, failed map[string]bool) {
	var entries []types.DeleteMessageBatchRequestEntry
	for i, msg := range batch {
		if !failed[aws.ToString(msg.MessageId)] {
			entries = append(entries, types.DeleteMessageBatchRequestEntry{
				Id: aws.String(fmt.Sprint(i)), ReceiptHandle: msg.ReceiptHandle,
			})
		}
	}
	if len(entries) == 0 {
		return
	}
	out, err := m.client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &m.queue.URL, Entries: entries})
	switch {
	case err != nil && ctx.Err() == nil:
		m.host.log.printf("%s: deleting from %s failed: %s", m.fn.Label(), m.queue.Name, awsReason(err))
	case err == nil && len(out.Failed) > 0:
		m.host.log.printf("%s: %d messages were not deleted from %s", m.fn.Label(), len(out.Failed), m.queue.Name)
	}
}

// records makes the messages the records of an SQS event.
func (m *mapping) records(batch []types.Message) []map[string]any {
	list := make([]map[string]any, 0, len(batch))
	for _, msg := range batch {
		attributes := map[string]any{}
		for name, a := range msg.MessageAttributes {
			v := map[string]any{
				"dataType": aws.ToString(a.DataType), "stringListValues": []string{}, "binaryListValues": []string{},
			}
			if a.StringValue != nil {
				v["stringValue"] = *a.StringValue
			}
			if a.BinaryValue != nil {
				v["binaryValue"] = a.BinaryValue
			}
			attributes[name] = v
		}
		list = append(list, map[string]any{
			"messageId": aws.ToString(msg.MessageId), "receiptHandle": aws.ToString(msg.ReceiptHandle),
			"body": aws.ToString(msg.Body), "attributes": msg.Attributes, "messageAttributes": attributes,
			"md5OfBody": aws.ToString(msg.MD5OfBody), "eventSource": "aws:sqs",
			"eventSourceARN": m.queue.ARN, "awsRegion": m.host.stack.Region,
		})
	}
	return list
}

var errBatch = errors.New("the response names no messages of the batch")

// batchFailures reads which messages a function reports as failed. An empty or
// null response or list is a success; a response that makes no sense is the
// failure of all.
func batchFailures(response []byte, batch []types.Message) (map[string]bool, error) {
	failed := map[string]bool{}
	if len(strings.TrimSpace(string(response))) == 0 {
		return failed, nil
	}
	var body struct {
		Failures []map[string]json.RawMessage `json:"batchItemFailures"`
	}
	if json.Unmarshal(response, &body) != nil {
		return nil, errBatch
	}
	for _, f := range body.Failures {
		var id string
		if json.Unmarshal(f["itemIdentifier"], &id) != nil {
			return nil, errBatch
		}
		if !slices.ContainsFunc(batch, func(m types.Message) bool { return aws.ToString(m.MessageId) == id }) {
			return nil, errBatch
		}
		failed[id] = true
	}
	return failed, nil
}

// reason is an invocation's failure without the function's own words.
func reason(err error) string {
	var failed *FunctionError
	if errors.As(err, &failed) {
		return failed.Type
	}
	return err.Error()
}

// awsReason is an AWS error without the request it belongs to.
func awsReason(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return "no answer"
}

// runSchedule fires a schedule whenever it is due.
func (h *Host) runSchedule(ctx context.Context, client *sqs.Client, s Schedule, t timetable) {
	last := h.now()
	for {
		due, ok := t.next(last)
		if !ok {
			return
		}
		_ = upstream.Sleep(ctx, due.Sub(h.now()))
		if ctx.Err() != nil {
			return
		}
		if err := h.fire(ctx, client, s, due); err != nil && ctx.Err() == nil {
			why := awsReason(err)
			if s.Function != "" {
				why = reason(err)
			}
			h.log.printf("schedule %s failed: %s", s.LogicalID, why)
		}
		last = due
	}
}

// Fire runs a schedule at once, as if due were its time.
func (h *Host) Fire(ctx context.Context, logicalID string, due time.Time) error {
	i := slices.IndexFunc(h.stack.Schedules, func(s Schedule) bool { return s.LogicalID == logicalID })
	if i < 0 {
		return fmt.Errorf("lambdahost: the stack has no schedule %q", logicalID)
	}
	return h.fire(ctx, h.sqs(), h.stack.Schedules[i], due)
}

// fire sends a schedule's input to its target.
// See https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html.
func (h *Host) fire(ctx context.Context, client *sqs.Client, s Schedule, due time.Time) error {
	input := strings.NewReplacer(
		"<aws.scheduler.scheduled-time>", due.UTC().Format("2006-01-02T15:04:05Z"),
		"<aws.scheduler.schedule-arn>", "arn:aws:scheduler:"+h.stack.Region+":"+h.stack.AccountID+":schedule/default/"+s.LogicalID,
		"<aws.scheduler.execution-id>", h.newUUID(),
		"<aws.scheduler.attempt-number>", "1",
	).Replace(s.Input)
	if s.Function != "" {
		_, err := h.Invoke(ctx, s.Function, []byte(input))
		return err
	}
	message := &sqs.SendMessageInput{QueueUrl: aws.String(h.stack.queue(s.QueueARN).URL), MessageBody: &input}
	if s.GroupID != "" {
		message.MessageGroupId = &s.GroupID
	}
	_, err := client.SendMessage(ctx, message)
	return err
}
