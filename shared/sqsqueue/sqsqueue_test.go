package sqsqueue_test

import (
	"context"
	"crypto/md5" // the checksum SQS answers with
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/upstream"
)

const queueURL = "https://sqs.eu-central-1.amazonaws.com/123456789012/sync.fifo"

// wire is SQS as far as SendMessage goes: it refuses what SQS refuses and
// folds messages with one deduplication id into one.
type wire struct {
	mu       sync.Mutex
	received []sent          // every accepted request
	messages map[string]sent // by deduplication id
	faults   []func(w http.ResponseWriter)
	after    bool // faults come after the message was accepted
}

type sent struct{ QueueURL, Body, Group, Dedup string }

func (q *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		QueueURL  string `json:"QueueUrl"`
		Body      string `json:"MessageBody"`
		Group     string `json:"MessageGroupId"`
		Dedup     string `json:"MessageDeduplicationId"`
		DelaySecs *int   `json:"DelaySeconds"`
	}
	auth := r.Header.Get("Authorization")
	switch {
	case r.Method != http.MethodPost || r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" || r.Header.Get("Content-Type") != "application/x-amz-json-1.0":
		refuse(w, 400, "com.amazonaws.sqs#UnsupportedOperation", "")
		return
	case !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=AKID/") || !strings.Contains(auth, "/eu-central-1/sqs/aws4_request"):
		refuse(w, 403, "com.amazon.coral.service#IncompleteSignature", "")
		return
	case json.NewDecoder(r.Body).Decode(&in) != nil || in.QueueURL != queueURL || in.DelaySecs != nil || !legal(in.Group) || !legal(in.Dedup):
		refuse(w, 400, "com.amazonaws.sqs#InvalidParameterValue", "")
		return
	}
	q.mu.Lock()
	m := sent{in.QueueURL, in.Body, in.Group, in.Dedup}
	q.received = append(q.received, m)
	var fault func(http.ResponseWriter)
	if len(q.faults) > 0 {
		fault, q.faults = q.faults[0], q.faults[1:]
	}
	if fault == nil || q.after {
		if q.messages == nil {
			q.messages = make(map[string]sent)
		}
		q.messages[in.Dedup] = m
	}
	q.mu.Unlock()
	if fault != nil {
		fault(w)
		return
	}
	sum := md5.Sum([]byte(in.Body))
	reply(w, map[string]string{"MessageId": "m", "MD5OfMessageBody": hex.EncodeToString(sum[:]), "SequenceNumber": "18849496460467696128"})
}

// requests returns what was accepted so far; the last handler may still run
// when its client has its answer.
func (q *wire) requests() (received []sent, messages int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]sent(nil), q.received...), len(q.messages)
}

func legal(id string) bool {
	return id != "" && len(id) <= 128 && strings.IndexFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) < 0
}

func reply(w http.ResponseWriter, body map[string]string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, name, query string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if query != "" {
		w.Header().Set("x-amzn-query-error", query+";Sender")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": name, "message": "prose about canary-7f3a"})
}

// queueOn returns a queue on the real SDK client against q, whose ids are id-1, id-2, …
func queueOn(t *testing.T, q http.Handler) *sqsqueue.Queue[relay.Hint] {
	t.Helper()
	s := httptest.NewServer(q)
	t.Cleanup(s.Close)
	return queueAt(t, s.URL)
}

func queueAt(t *testing.T, url string) *sqsqueue.Queue[relay.Hint] {
	t.Helper()
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_ENDPOINT_URL", url)
	cfg, err := awsenv.Config()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	return sqsqueue.New[relay.Hint](sqs.NewFromConfig(cfg), queueURL, func() string { n++; return fmt.Sprintf("id-%d", n) })
}

func TestSend(t *testing.T) {
	tests := []struct {
		hint        relay.Hint
		body, group string
	}{
		{relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "123"}}, `{"v":1,"desk":"zendesk","ticket":"123","hint":""}`, "zendesk:123"},
		{relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "123"}, Deleted: true}, `{"v":1,"desk":"zendesk","ticket":"123","hint":"deleted"}`, "zendesk:123"},
		{relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "123"}, File: true}, `{"v":1,"desk":"zendesk","ticket":"123","hint":"file"}`, "zendesk:123"},
		{relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "123"}, Into: "456"}, `{"v":1,"desk":"zendesk","ticket":"123","hint":"merged:456"}`, "zendesk:123"},
		{relay.Hint{Ref: relay.Ref{Desk: relay.Salesforce, Ticket: "500D000000abcdEIAQ"}}, `{"v":1,"desk":"salesforce","ticket":"500D000000abcdEIAQ","hint":""}`, "salesforce:500D000000abcdEIAQ"},
	}
	server := &wire{}
	q := queueOn(t, server)
	var want []sent
	for i, tt := range tests {
		if err := q.Send(t.Context(), tt.hint); err != nil {
			t.Fatalf("%+v: %v", tt.hint, err)
		}
		want = append(want, sent{queueURL, tt.body, tt.group, fmt.Sprintf("id-%d", i+1)})
	}
	got, _ := server.requests()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +sent):\n%s", diff)
	}
}

func TestRetryOfALostAnswerIsNotASecondMessage(t *testing.T) {
	for name, lose := range map[string]func(http.ResponseWriter){
		"dropped": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"500":     func(w http.ResponseWriter) { refuse(w, 500, "com.amazonaws.sqs#InternalError", "") },
		"503":     func(w http.ResponseWriter) { w.WriteHeader(503) },
	} {
		t.Run(name, func(t *testing.T) {
			server := &wire{faults: []func(http.ResponseWriter){lose}, after: true}
			q := queueOn(t, server)
			if err := q.Send(t.Context(), relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "1"}}); err != nil {
				t.Fatal(err)
			}
			if requests, messages := server.requests(); len(requests) != 2 || messages != 1 {
				t.Errorf("%d requests made %d messages, want 2 and 1", len(requests), messages)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	coded := func(status int, name, query string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { refuse(w, status, name, query) }
	}
	tests := []struct {
		name        string
		fault       func(http.ResponseWriter)
		class       upstream.Class
		code        string
		credentials bool
		tries       int
	}{
		{"no queue", coded(400, "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"), upstream.Refused, "AWS.SimpleQueueService.NonExistentQueue", false, 1},
		{"bad contents", coded(400, "com.amazonaws.sqs#InvalidMessageContents", ""), upstream.Refused, "InvalidMessageContents", false, 1},
		{"throttled", coded(400, "com.amazonaws.sqs#RequestThrottled", ""), upstream.RateLimited, "RequestThrottled", false, 3},
		{"throttled key", coded(400, "com.amazonaws.sqs#KmsThrottled", "KMS.ThrottlingException"), upstream.RateLimited, "KMS.ThrottlingException", false, 1},
		{"no permission", coded(403, "com.amazon.coral.service#AccessDeniedException", ""), upstream.Refused, "AccessDeniedException", true, 1},
		{"token expired", coded(403, "com.amazon.coral.service#ExpiredTokenException", ""), upstream.Refused, "ExpiredTokenException", true, 1},
		{"internal", coded(500, "com.amazonaws.sqs#InternalError", ""), upstream.Unknown, "InternalError", false, 3},
		{"unavailable", coded(503, "com.amazonaws.sqs#ServiceUnavailable", ""), upstream.Unavailable, "ServiceUnavailable", false, 3},
		{"HTML 502", func(w http.ResponseWriter) { w.WriteHeader(502); _, _ = io.WriteString(w, "<html>canary-7f3a") }, upstream.Unknown, "", false, 3},
		{"HTML 200", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>canary-7f3a") }, upstream.Unknown, "", false, 1},
		{"wrong checksum", func(w http.ResponseWriter) {
			reply(w, map[string]string{"MessageId": "canary-7f3a", "MD5OfMessageBody": strings.Repeat("0", 32)})
		}, upstream.Unknown, "", false, 1},
		{"dropped", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, upstream.Unknown, "", false, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := &wire{faults: []func(http.ResponseWriter){tt.fault, tt.fault, tt.fault, tt.fault}}
			q := queueOn(t, server)
			err := q.Send(t.Context(), relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "7070707"}})
			var e *upstream.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Vendor != "sqs" || e.Class != tt.class || e.Code != tt.code || e.Credentials != tt.credentials {
				t.Errorf("got %+v", e)
			}
			requests, _ := server.requests()
			if len(requests) != tt.tries {
				t.Errorf("%d tries, want %d", len(requests), tt.tries)
			}
			for _, secret := range []string{"canary-7f3a", "http://", "https://", "123456789012", "7070707", "AKID"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells %q: %v", secret, err)
				}
			}
			dedup := map[string]bool{}
			for _, m := range requests {
				dedup[m.Dedup] = true
			}
			if len(dedup) != 1 {
				t.Errorf("retries changed the deduplication id: %v", dedup)
			}
		})
	}
}

func TestNoConnection(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	err := queueAt(t, s.URL).Send(t.Context(), relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "1"}})
	if upstream.ClassOf(err) != upstream.Unavailable || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("got %v", err)
	}
}

func TestNoCredentials(t *testing.T) {
	server := &wire{}
	q := queueOn(t, server)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	err := q.Send(t.Context(), relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "1"}})
	if upstream.ClassOf(err) != upstream.Refused || !upstream.CredentialsRefused(err) {
		t.Errorf("got %v", err)
	}
	if requests, _ := server.requests(); len(requests) != 0 {
		t.Error("an unsigned request was sent")
	}
}

func TestSendEndsWithTheContext(t *testing.T) {
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer s.Close()
	defer close(hang)
	q := queueAt(t, s.URL)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := q.Send(ctx, relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "1"}})
	if upstream.ClassOf(err) != upstream.Unknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	// Also while the SDK waits to try again. It may find that out only as it begins
	// to, and then tells what the one attempt came to.
	var attempts atomic.Int64
	throttled := queueOn(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		attempts.Add(1)
		refuse(w, 400, "com.amazonaws.sqs#RequestThrottled", "")
		cancel()
	}))
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	err = throttled.Send(ctx, relay.Hint{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "1"}})
	canceled := upstream.ClassOf(err) == upstream.Unknown && errors.Is(err, context.Canceled)
	if (!canceled && upstream.ClassOf(err) != upstream.RateLimited) || attempts.Load() != 1 {
		t.Errorf("got %v after %d attempts", err, attempts.Load())
	}
}

// bad are hints that nobody could read.
var bad = []relay.Hint{
	{},
	{Ref: relay.Ref{Desk: "hubspot", Ticket: "1"}},
	{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "1:2"}},
	{Ref: relay.Ref{Desk: relay.Zendesk, Ticket: "1"}, Into: "x"},
}

func TestBadHintsAreNotSent(t *testing.T) {
	server := &wire{}
	q := queueOn(t, server)
	for _, h := range bad {
		if err := q.Send(t.Context(), h); upstream.ClassOf(err) != upstream.Refused {
			t.Errorf("%+v: got %v", h, err)
		}
	}
	if requests, _ := server.requests(); len(requests) != 0 {
		t.Errorf("%d were sent", len(requests))
	}
}
