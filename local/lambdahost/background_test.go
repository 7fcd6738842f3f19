package lambdahost_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
)

// queueService is as much of SQS as the host uses: each batch is received once,
// and what is deleted and sent is kept.
type queueService struct {
	mu      sync.Mutex
	batches [][]string // bodies; a message's id is batch-index
	deleted []string
	sent    []map[string]any
	urls    map[string]bool
	changed chan struct{}
}

func (q *queueService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in map[string]any
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.urls[fmt.Sprint(in["QueueUrl"])] = true
	var out any
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSQS.ReceiveMessage":
		messages := []map[string]any{}
		if len(q.batches) > 0 {
			for i, body := range q.batches[0] {
				id := strconv.Itoa(i)
				messages = append(messages, map[string]any{
					"MessageId": id, "ReceiptHandle": "handle-" + id, "Body": body,
					"Attributes": map[string]string{"MessageGroupId": "g", "ApproximateReceiveCount": "1"},
				})
			}
			q.batches = q.batches[1:]
		}
		out = map[string]any{"Messages": messages}
	case "AmazonSQS.DeleteMessageBatch":
		successful := []map[string]string{}
		for _, e := range in["Entries"].([]any) {
			entry := e.(map[string]any)
			q.deleted = append(q.deleted, strings.TrimPrefix(entry["ReceiptHandle"].(string), "handle-"))
			successful = append(successful, map[string]string{"Id": entry["Id"].(string)})
		}
		out = map[string]any{"Successful": successful}
	case "AmazonSQS.SendMessage":
		q.sent = append(q.sent, in)
		out = map[string]any{"MessageId": "m"}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(out)
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

func mustQueues(t *testing.T, batches ...[]string) (*queueService, string) {
	t.Helper()
	q := &queueService{batches: batches, urls: map[string]bool{}, changed: make(chan struct{}, 1)}
	server := httptest.NewServer(q)
	t.Cleanup(server.Close)
	return q, server.URL
}

// await runs the host until the condition holds.
func await(t *testing.T, h *lambdahost.Host, q *queueService, log *lines, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Minute)
	for {
		q.mu.Lock()
		ok := holds()
		q.mu.Unlock()
		if ok {
			break
		}
		select {
		case <-tick.C:
		case <-q.changed:
		case <-deadline:
			t.Fatalf("nothing came of it: %s", log)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

const worker = `
Resources:
  Work:
    Type: AWS::SQS::Queue
    Properties: {QueueName: work.fifo, FifoQueue: true, VisibilityTimeout: 60}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/worker
      Timeout: 20
      Environment: {Variables: {TEST_FUNCTION: plain}}
      Events:
        Work:
          Type: SQS
          Properties:
            Queue: !GetAtt Work.Arn
            BatchSize: 10
            ScalingConfig: {MaximumConcurrency: 2}
            FunctionResponseTypes: [ReportBatchItemFailures]
`

// TestSQSBatches holds what becomes of a batch by the function's answer. The
// line in the log comes last, so after it nothing more is deleted.
func TestSQSBatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		bodies  []string
		deleted []string
		partial bool
	}{
		{"all done", []string{"a", "b"}, []string{"0", "1"}, true},
		{"one failed", []string{"a", "fail", "b"}, []string{"0", "2"}, true},
		{"all failed", []string{"fail", "fail"}, nil, true},
		{"null answer", []string{"null", "b"}, []string{"0", "1"}, true},
		{"an id of no message", []string{"a", "stranger"}, nil, true},
		{"a wrong key", []string{"a", "wrong-key"}, nil, true},
		{"garbage", []string{"a", "garbage"}, nil, true},
		{"an error", []string{"a", "error"}, nil, true},
		{"failures without the feature", []string{"a", "fail"}, []string{"0", "1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, endpoint := mustQueues(t, c.bodies)
			log := &lines{}
			text := worker
			if !c.partial {
				text = strings.Replace(text, "            FunctionResponseTypes: [ReportBatchItemFailures]\n", "", 1)
			}
			h := mustHost(t, text, func(o *lambdahost.Options) {
				o.Log, o.Env = log, map[string]string{"AWS_ENDPOINT_URL": endpoint}
			})
			await(t, h, q, log, func() bool {
				return strings.Contains(log.String(), "SQS work.fifo")
			})
			slices.Sort(q.deleted)
			if !slices.Equal(q.deleted, c.deleted) {
				t.Errorf("deleted %v, want %v\n%s", q.deleted, c.deleted, log)
			}
			if want := endpoint + "/000000000000/work.fifo"; !q.urls[want] || len(q.urls) != 1 {
				t.Errorf("queue URLs %v, want %s", q.urls, want)
			}
		})
	}
}

const scheduleTemplate = `
Resources:
  Ticks: {Type: AWS::SQS::Queue, Properties: {QueueName: ticks.fifo, FifoQueue: true, ContentBasedDeduplication: true}}
  Disabled:
    Type: AWS::Scheduler::Schedule
    Properties:
      State: DISABLED
      ScheduleExpression: rate(1 minute)
      Target: {Arn: !GetAtt Ticks.Arn, Input: 'off', SqsParameters: {MessageGroupId: desk}}
  Tick:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: at(2026-11-22T00:01:00)
      Target:
        Arn: !GetAtt Ticks.Arn
        Input: !Sub '{"until":"<aws.scheduler.scheduled-time>","stack":"${AWS::StackName}"}'
        SqsParameters: {MessageGroupId: desk}
`

// TestSQSWithSandbox runs a worker on the stand-in that the local run uses.
func TestSQSWithSandbox(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{Queues: []sandbox.QueueConfig{{Name: "work.fifo", FIFO: true, Visibility: time.Minute}}})
	server := httptest.NewServer(box.Handler())
	defer server.Close()
	fixture := box.Fixtures().AWS
	client := sqs.New(sqs.Options{
		Region: fixture.Region, BaseEndpoint: aws.String(server.URL + "/aws"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: fixture.AccessKeyID, SecretAccessKey: fixture.SecretAccessKey}, nil
		}),
	})
	for i, body := range []string{"a", "fail"} {
		_, err := client.SendMessage(context.Background(), &sqs.SendMessageInput{
			QueueUrl:    aws.String(server.URL + "/aws/" + fixture.AccountID + "/work.fifo"),
			MessageBody: &body, MessageGroupId: aws.String(body), MessageDeduplicationId: aws.String(strconv.Itoa(i)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	log := &lines{}
	h := mustHost(t, worker, func(o *lambdahost.Options) {
		o.Log, o.Region, o.AccountID = log, fixture.Region, fixture.AccountID
		o.Env = map[string]string{
			"AWS_ENDPOINT_URL":  server.URL + "/aws",
			"AWS_ACCESS_KEY_ID": fixture.AccessKeyID, "AWS_SECRET_ACCESS_KEY": fixture.SecretAccessKey,
		}
	})
	await(t, h, &queueService{}, log, func() bool {
		m := box.State().AWS.Queues[0].Messages
		return len(m) == 1 && m[0].Body == "fail" && m[0].Count == 1 && m[0].Visible.After(time.Now())
	})
}

// TestSchedule has a clock that moves a minute with every look.
func TestSchedule(t *testing.T) {
	t.Parallel()
	q, endpoint := mustQueues(t)
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	log := &lines{}
	h := mustHost(t, scheduleTemplate, func(o *lambdahost.Options) {
		o.Log, o.Env = log, map[string]string{"AWS_ENDPOINT_URL": endpoint}
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Minute)
			return now.Add(-time.Minute)
		}
	})
	await(t, h, q, log, func() bool { return len(q.sent) > 0 })
	if len(q.sent) != 1 {
		t.Fatalf("sent %v", q.sent)
	}
	m := q.sent[0]
	if m["MessageBody"] != `{"until":"2026-11-22T00:01:00Z","stack":"caseroom"}` || m["MessageGroupId"] != "desk" || m["MessageDeduplicationId"] != nil {
		t.Errorf("sent %v", m)
	}
}

func TestScheduledFunction(t *testing.T) {
	t.Parallel()
	q, endpoint := mustQueues(t)
	var mu sync.Mutex
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	log := &lines{}
	h := mustHost(t, `
Resources:
  Sweep:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/sweep
      Environment: {Variables: {TEST_FUNCTION: plain}}
      Events:
        Daily:
          Type: ScheduleV2
          Properties: {ScheduleExpression: at(2026-11-22T00:01:00), Input: '{"do":"error"}'}
`, func(o *lambdahost.Options) {
		o.Log, o.Env = log, map[string]string{"AWS_ENDPOINT_URL": endpoint}
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Minute)
			return now.Add(-time.Minute)
		}
	})
	await(t, h, q, log, func() bool { return strings.Contains(log.String(), "schedule SweepDaily failed: errorString") })
}

func TestRunNeedsAnEndpoint(t *testing.T) {
	t.Parallel()
	h := mustHost(t, worker, nil)
	if err := h.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL") {
		t.Errorf("got %v", err)
	}
}
