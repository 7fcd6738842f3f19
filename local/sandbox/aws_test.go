package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/caseroom/caseroom/local/sandbox/aws"
)

func awsConfig(s *Sandbox, base string) awssdk.Config {
	f := s.Fixtures().AWS
	return awssdk.Config{
		Region:           f.Region,
		BaseEndpoint:     awssdk.String(base + "/aws"),
		RetryMaxAttempts: 2,
		Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: f.AccessKeyID, SecretAccessKey: f.SecretAccessKey, SessionToken: "a/session+token="}, nil
		}),
	}
}

// code returns an AWS error's code.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

func TestSecretsManager(t *testing.T) {
	s, base := serve(t, Options{})
	c := secretsmanager.NewFromConfig(awsConfig(s, base))
	ctx := t.Context()

	out, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: awssdk.String(SecretTencent)})
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		SDKAppID    int    `json:"sdkAppId"`
		SecretKey   string `json:"secretKey"`
		AdminUserID string `json:"adminUserId"`
	}
	f := s.Fixtures().Tencent
	if err := json.Unmarshal([]byte(*out.SecretString), &v); err != nil ||
		v.SDKAppID != f.SDKAppID || v.SecretKey != f.SecretKey || v.AdminUserID != f.AdminUserID {
		t.Errorf("%s differs from the fixture, error %v", SecretTencent, err)
	}
	if out.CreatedDate == nil || time.Since(*out.CreatedDate).Abs() > time.Minute || len(out.VersionStages) != 1 {
		t.Errorf("created %v, stages %v", out.CreatedDate, out.VersionStages)
	}
	for _, id := range []string{*out.ARN, (*out.ARN)[:strings.LastIndexByte(*out.ARN, '-')]} {
		if _, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id}); err != nil {
			t.Errorf("by ARN: %v", err)
		}
	}
	_, err = c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: awssdk.String("caseroom/none")})
	if e := new(smtypes.ResourceNotFoundException); !errors.As(err, &e) {
		t.Errorf("a missing secret: %v", err)
	}

	s.SetSecret(SecretTencent, json.RawMessage(`{"sdkAppId":2}`))
	get := func(stage string) string {
		in := &secretsmanager.GetSecretValueInput{SecretId: awssdk.String(SecretTencent)}
		if stage != "" {
			in.VersionStage = &stage
		}
		out, err := c.GetSecretValue(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		return *out.SecretString
	}
	if get("") != `{"sdkAppId":2}` || !strings.Contains(get("AWSPREVIOUS"), "1400000000") {
		t.Errorf("after SetSecret: %s, %s", get(""), get("AWSPREVIOUS"))
	}

	made, err := c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: awssdk.String("mine"), SecretString: awssdk.String("1")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: awssdk.String("mine"), SecretString: awssdk.String("1")})
	if e := new(smtypes.ResourceExistsException); !errors.As(err, &e) {
		t.Errorf("created twice: %v", err)
	}
	put, err := c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: made.ARN, SecretBinary: []byte{0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	bin, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: made.ARN, VersionId: put.VersionId})
	if err != nil || !bytes.Equal(bin.SecretBinary, []byte{0, 1}) || bin.SecretString != nil {
		t.Errorf("binary: %v %v", bin, err)
	}
	desc, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: made.Name})
	if err != nil || len(desc.VersionIdsToStages) != 2 || desc.VersionIdsToStages[*put.VersionId][0] != "AWSCURRENT" {
		t.Errorf("described: %v %v", desc, err)
	}
	_, err = c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: made.ARN, SecretString: awssdk.String(strings.Repeat("x", aws.MaxSecret+1))})
	if e := new(smtypes.InvalidParameterException); !errors.As(err, &e) {
		t.Errorf("too large: %v", err)
	}
	s.DeleteSecret("mine")
	if _, err = c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: made.Name}); code(err) != "ResourceNotFoundException" {
		t.Errorf("deleted: %v", err)
	}
	if err := s.AddFault(Fault{Vendor: "aws", Op: "GetSecretValue", Kind: FaultCode, Code: "AccessDeniedException"}); err != nil {
		t.Fatal(err)
	}
	if _, err = c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: awssdk.String(SecretLogin)}); code(err) != "AccessDeniedException" {
		t.Errorf("by fault: %v", err)
	}
}

func TestSignatures(t *testing.T) {
	clock := newTestClock()
	s, base := serve(t, Options{Now: clock.Now})
	f := s.Fixtures().AWS
	body := `{"SecretId":"caseroom/login"}`
	sum := sha256.Sum256([]byte(body))
	send := func(service, key, secret string, at time.Time, change func(*http.Request)) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", base+"/aws/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		err = v4.NewSigner().SignHTTP(t.Context(), awssdk.Credentials{AccessKeyID: key, SecretAccessKey: secret}, req, hex.EncodeToString(sum[:]), service, f.Region, at)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(req)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var v struct {
			Type string `json:"__type"`
		}
		if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, v.Type
	}
	now := clock.Now()
	tests := []struct {
		name, service, key, secret string
		at                         time.Time
		change                     func(*http.Request)
		status                     int
		code                       string
	}{
		{"good", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, nil, 200, ""},
		{"fourteen minutes ago", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now.Add(-14 * time.Minute), nil, 200, ""},
		{"sixteen minutes ago", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now.Add(-16 * time.Minute), nil, 403, "RequestTimeTooSkewed"},
		{"of the future", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now.Add(16 * time.Minute), nil, 403, "RequestTimeTooSkewed"},
		{"another service", "sqs", f.AccessKeyID, f.SecretAccessKey, now, nil, 403, "SignatureDoesNotMatch"},
		{"unknown key", "secretsmanager", "AKIAUNKNOWN", f.SecretAccessKey, now, nil, 403, "UnrecognizedClientException"},
		{"wrong secret", "secretsmanager", f.AccessKeyID, "wrong", now, nil, 403, "InvalidSignatureException"},
		{"unsigned", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, func(r *http.Request) { r.Header.Del("Authorization") }, 403, "MissingAuthenticationTokenException"},
		{"basic", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, func(r *http.Request) { r.SetBasicAuth("a", "b") }, 400, "IncompleteSignatureException"},
		{"no date", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, func(r *http.Request) { r.Header.Del("X-Amz-Date") }, 400, "IncompleteSignatureException"},
		{"changed header", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, func(r *http.Request) { r.Header.Set("X-Amz-Target", "secretsmanager.DescribeSecret") }, 403, "InvalidSignatureException"},
		{"changed query", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, func(r *http.Request) { r.URL.RawQuery = "a=b" }, 403, "InvalidSignatureException"},
		{"changed body", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "login", "guest", 1)))
		}, 403, "InvalidSignatureException"},
		{"unknown operation", "secretsmanager", f.AccessKeyID, f.SecretAccessKey, now, func(r *http.Request) { r.Header.Set("X-Amz-Target", "secretsmanager.Explode") }, 400, "UnknownOperationException"},
	}
	for _, tt := range tests {
		status, code := send(tt.service, tt.key, tt.secret, tt.at, tt.change)
		if status != tt.status || code != tt.code {
			t.Errorf("%s: %d %q, want %d %q", tt.name, status, code, tt.status, tt.code)
		}
	}

	// The SDK reads the Date header and signs by the sandbox's clock.
	clock.Advance(48 * time.Hour)
	c := secretsmanager.NewFromConfig(awsConfig(s, base))
	if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: awssdk.String(SecretLogin)}); err != nil {
		t.Errorf("with the clock two days ahead: %v", err)
	}
}

func TestAnyAWSKey(t *testing.T) {
	s, base := serve(t, Options{AnyAWSKey: true})
	cfg := awsConfig(s, base)
	get := func() error {
		_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: awssdk.String(SecretLogin)})
		return err
	}
	with := func(key, secret string) {
		cfg.Credentials = awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
		})
	}
	with("defaultkey", "defaultsecret")
	if err := get(); err != nil {
		t.Error(err)
	}
	with(s.Fixtures().AWS.AccessKeyID, "wrong")
	if err := get(); code(err) != "InvalidSignatureException" {
		t.Errorf("the fixture's key with a wrong secret: %v", err)
	}
}

type sqsTest struct {
	*testing.T
	c   *sqs.Client
	url string
}

func newSQS(t *testing.T, o Options, cfg aws.QueueConfig) (*Sandbox, sqsTest) {
	s, base := serve(t, o)
	url := s.EnsureQueue(cfg)
	return s, sqsTest{t, sqs.NewFromConfig(awsConfig(s, base)), url}
}

func (q sqsTest) send(body, group, dedup string) *sqs.SendMessageOutput {
	q.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body}
	if group != "" {
		in.MessageGroupId, in.MessageDeduplicationId = &group, &dedup
	}
	out, err := q.c.SendMessage(q.Context(), in)
	if err != nil {
		q.Fatal(err)
	}
	return out
}

func (q sqsTest) receive(n int32) []sqstypes.Message {
	q.Helper()
	out, err := q.c.ReceiveMessage(q.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: n, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"},
	})
	if err != nil {
		q.Fatal(err)
	}
	return out.Messages
}

func bodies(m []sqstypes.Message) string {
	var out []string
	for _, x := range m {
		out = append(out, *x.Body)
	}
	return strings.Join(out, " ")
}

func (q sqsTest) delete(m sqstypes.Message) error {
	_, err := q.c.DeleteMessage(q.Context(), &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: m.ReceiptHandle})
	return err
}

func TestFIFO(t *testing.T) {
	clock := newTestClock()
	_, q := newSQS(t, Options{Now: clock.Now}, aws.QueueConfig{Name: "sync.fifo", FIFO: true, Visibility: time.Minute})
	first := q.send("a1", "zendesk:1", "d1")
	again := q.send("a1", "zendesk:1", "d1")
	if *first.MessageId != *again.MessageId || *first.SequenceNumber != *again.SequenceNumber {
		t.Error("a duplicate got ids of its own")
	}
	q.send("a2", "zendesk:1", "d2")
	q.send("b1", "zendesk:2", "d3")

	got := q.receive(1)
	if bodies(got) != "a1" {
		t.Fatalf("received %s", bodies(got))
	}
	a := got[0].Attributes
	if a["ApproximateReceiveCount"] != "1" || a["MessageGroupId"] != "zendesk:1" || a["MessageDeduplicationId"] != "d1" || a["SequenceNumber"] != *first.SequenceNumber {
		t.Errorf("attributes %v", a)
	}
	if b := bodies(q.receive(10)); b != "b1" {
		t.Errorf("while a1 is in flight: %q", b)
	}
	if b := bodies(q.receive(10)); b != "" {
		t.Errorf("all groups in flight: %q", b)
	}
	if err := q.delete(got[0]); err != nil {
		t.Fatal(err)
	}
	second := q.receive(10)
	if bodies(second) != "a2" {
		t.Errorf("after a1: %q", bodies(second))
	}
	clock.Advance(61 * time.Second)
	if err := q.delete(second[0]); code(err) != "InvalidParameterValue" {
		t.Errorf("deleting after the visibility ended: %v", err)
	}
	back := q.receive(10)
	if bodies(back) != "a2 b1" || back[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("after the visibility ended: %q", bodies(back))
	}
	if _, err := q.c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.url, ReceiptHandle: back[0].ReceiptHandle, VisibilityTimeout: 0}); err != nil {
		t.Fatal(err)
	}
	if b := q.receive(10); bodies(b) != "a2" || b[0].Attributes["ApproximateReceiveCount"] != "3" {
		t.Errorf("after visibility 0: %q", bodies(b))
	}

	q.send("a1", "zendesk:1", "d1")
	attrs, err := q.c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
	if err != nil || attrs.Attributes["ApproximateNumberOfMessages"] != "0" || attrs.Attributes["ApproximateNumberOfMessagesNotVisible"] != "2" {
		t.Errorf("a1 was sent again inside the window: %v %v", attrs, err)
	}
	clock.Advance(4 * time.Minute)
	q.send("a1", "zendesk:1", "d1")
	if b := bodies(q.receive(10)); b != "a2 a1 b1" && b != "a2 b1 a1" {
		t.Errorf("after the window: %q", b)
	}
}

func TestMessageGroupDedup(t *testing.T) {
	_, q := newSQS(t, Options{}, aws.QueueConfig{Name: "x.fifo", FIFO: true, GroupDedup: true, ContentDedup: true})
	q.send("a", "g1", "d")
	q.send("b", "g2", "d")
	in := &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: awssdk.String("same"), MessageGroupId: awssdk.String("g3")}
	for range 2 {
		if _, err := q.c.SendMessage(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	if b := bodies(q.receive(10)); b != "a b same" {
		t.Errorf("got %q", b)
	}
}

func TestDeadLetters(t *testing.T) {
	clock := newTestClock()
	s, q := newSQS(t, Options{Now: clock.Now}, aws.QueueConfig{Name: "sync.fifo", FIFO: true, Visibility: time.Second, MaxReceive: 2, DLQ: "dead.fifo"})
	dead := sqsTest{t, q.c, s.EnsureQueue(aws.QueueConfig{Name: "dead.fifo"})}
	sent := q.send("poison", "g", "d1")
	q.send("next", "g", "d2")
	for range 2 {
		if b := bodies(q.receive(1)); b != "poison" {
			t.Fatalf("received %q", b)
		}
		clock.Advance(2 * time.Second)
	}
	if b := bodies(q.receive(1)); b != "next" {
		t.Errorf("third receive: %q", b)
	}
	got := dead.receive(10)
	if bodies(got) != "poison" {
		t.Fatalf("dead: %q", bodies(got))
	}
	a := got[0].Attributes
	if a["MessageDeduplicationId"] != *got[0].MessageId || *got[0].MessageId != *sent.MessageId || !strings.HasSuffix(a["DeadLetterQueueSourceArn"], ":sync.fifo") || a["MessageGroupId"] != "g" {
		t.Errorf("attributes %v", a)
	}
	clock.Advance(time.Minute)

	attrs, err := q.c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &dead.url, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn", "FifoQueue"}})
	if err != nil || len(attrs.Attributes) != 2 {
		t.Fatal(attrs, err)
	}
	arn := attrs.Attributes["QueueArn"]
	if _, err := q.c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &arn}); err != nil {
		t.Fatal(err)
	}
	tasks, err := q.c.ListMessageMoveTasks(t.Context(), &sqs.ListMessageMoveTasksInput{SourceArn: &arn})
	if err != nil || len(tasks.Results) != 1 || *tasks.Results[0].Status != "COMPLETED" || tasks.Results[0].ApproximateNumberOfMessagesMoved != 1 {
		t.Errorf("tasks %+v, %v", tasks, err)
	}
	if b := bodies(dead.receive(10)); b != "" {
		t.Errorf("still dead: %q", b)
	}
	back := q.receive(10)
	if bodies(back) != "next poison" || *back[1].MessageId == *sent.MessageId || back[1].Attributes["ApproximateReceiveCount"] != "1" {
		t.Errorf("redriven: %q", bodies(back))
	}
	main := strings.Replace(arn, "dead", "sync", 1)
	if _, err := q.c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &main}); err == nil {
		t.Error("a move from a queue that is nobody's dead-letter queue")
	}
	none := arn + "x"
	_, err = q.c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{SourceArn: &none})
	if e := new(sqstypes.ResourceNotFoundException); !errors.As(err, &e) {
		t.Errorf("a move from nowhere: %v", err)
	}
}

func TestSQSRefusals(t *testing.T) {
	s, q := newSQS(t, Options{}, aws.QueueConfig{Name: "x.fifo", FIFO: true})
	standard := s.EnsureQueue(aws.QueueConfig{Name: "plain"})
	p := awssdk.String
	send := func(in sqs.SendMessageInput) func() error {
		return func() error { _, err := q.c.SendMessage(t.Context(), &in); return err }
	}
	fifo := func(body string) sqs.SendMessageInput {
		return sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body, MessageGroupId: p("g"), MessageDeduplicationId: p("d")}
	}
	with := func(change func(*sqs.SendMessageInput)) func() error {
		in := fifo("b")
		change(&in)
		return send(in)
	}
	tests := []struct {
		name string
		run  func() error
		code string
	}{
		{"good", send(fifo("b")), ""},
		{"one byte too long", send(fifo(strings.Repeat("x", aws.MaxMessage+1))), "InvalidParameterValue"},
		{"as long as it may be", with(func(in *sqs.SendMessageInput) {
			in.MessageBody, in.MessageDeduplicationId = p(strings.Repeat("x", aws.MaxMessage)), p("long")
		}), ""},
		{"control character", send(fifo("a\x01")), "InvalidMessageContents"},
		{"U+FFFE", send(fifo("a\uFFFE")), "InvalidMessageContents"},
		{"tab and emoji", send(fifo("\t\U0001F600")), ""},
		{"empty", send(fifo("")), "MissingParameter"},
		{"no group", with(func(in *sqs.SendMessageInput) { in.MessageGroupId = nil }), "MissingParameter"},
		{"group with a space", with(func(in *sqs.SendMessageInput) { in.MessageGroupId = p("a b") }), "InvalidParameterValue"},
		{"group with a hash", with(func(in *sqs.SendMessageInput) { in.MessageGroupId = p("ZENDESK#12") }), ""},
		{"another body under the same deduplication", send(fifo("c")), ""},
		{"no deduplication", with(func(in *sqs.SendMessageInput) { in.MessageDeduplicationId = nil }), "InvalidParameterValue"},
		{"delay on FIFO", with(func(in *sqs.SendMessageInput) { in.DelaySeconds = 5 }), "InvalidParameterValue"},
		{"deduplication on a standard queue", with(func(in *sqs.SendMessageInput) { in.QueueUrl = &standard }), "InvalidParameterValue"},
		{"no such queue", with(func(in *sqs.SendMessageInput) { in.QueueUrl = p(q.url + "x") }), "AWS.SimpleQueueService.NonExistentQueue"},
		{"another account's queue", with(func(in *sqs.SendMessageInput) {
			in.QueueUrl = p(strings.Replace(q.url, "000000000000", "000000000001", 1))
		}), "AWS.SimpleQueueService.NonExistentQueue"},
		{"garbage handle", func() error {
			_, err := q.c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &q.url, ReceiptHandle: p("x")})
			return err
		}, "ReceiptHandleIsInvalid"},
		{"eleven messages", func() error {
			_, err := q.c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.url, MaxNumberOfMessages: 11})
			return err
		}, "InvalidParameterValue"},
		{"unknown attribute", func() error {
			_, err := q.c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []sqstypes.QueueAttributeName{"Colour"}})
			return err
		}, "InvalidAttributeName"},
		{"purge", func() error {
			_, err := q.c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &q.url})
			return err
		}, ""},
		{"purge again", func() error {
			_, err := q.c.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &q.url})
			return err
		}, "AWS.SimpleQueueService.PurgeQueueInProgress"},
	}
	for _, tt := range tests {
		if err := tt.run(); code(err) != tt.code || (err != nil) != (tt.code != "") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
	}
	_, err := q.c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: p("none")})
	if e := new(sqstypes.QueueDoesNotExist); !errors.As(err, &e) {
		t.Errorf("the error has no type: %v", err)
	}
	if err := s.AddFault(Fault{Vendor: "aws", Op: "SendMessage", Kind: FaultCode, Code: "RequestThrottled"}); err != nil {
		t.Fatal(err)
	}
	in := fifo("b")
	_, err = q.c.SendMessage(t.Context(), &in, func(o *sqs.Options) { o.RetryMaxAttempts = 1 })
	if e := new(sqstypes.RequestThrottled); !errors.As(err, &e) {
		t.Errorf("by fault: %v", err)
	}
}

func TestVisibilityLimits(t *testing.T) {
	clock := newTestClock()
	_, q := newSQS(t, Options{Now: clock.Now}, aws.QueueConfig{Name: "x.fifo", FIFO: true, Visibility: time.Hour})
	q.send("a", "g", "d")
	m := q.receive(1)[0]
	change := func(seconds int32) error {
		_, err := q.c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &q.url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: seconds})
		return err
	}
	if err := change(43200); err != nil {
		t.Error(err)
	}
	clock.Advance(time.Second)
	if err := change(43200); code(err) != "InvalidParameterValue" {
		t.Errorf("beyond twelve hours in all: %v", err)
	}
	if err := change(43201); code(err) != "InvalidParameterValue" {
		t.Errorf("beyond twelve hours at once: %v", err)
	}
	if err := change(0); err != nil {
		t.Error(err)
	}
	var notInFlight *sqstypes.MessageNotInflight
	if err := change(10); !errors.As(err, &notInFlight) {
		t.Errorf("not in flight: %v", err)
	}
}

func TestBatches(t *testing.T) {
	_, q := newSQS(t, Options{}, aws.QueueConfig{Name: "x.fifo", FIFO: true})
	entry := func(id, body, group string) sqstypes.SendMessageBatchRequestEntry {
		return sqstypes.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body, MessageGroupId: &group, MessageDeduplicationId: &id}
	}
	send := func(e ...sqstypes.SendMessageBatchRequestEntry) (*sqs.SendMessageBatchOutput, error) {
		return q.c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: e})
	}
	out, err := send(entry("1", "a", "g"), entry("2", "\x02", "g"), entry("3", "c", "g"))
	if err != nil || len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "2" {
		t.Fatalf("%+v %v", out, err)
	}
	if _, err := send([]sqstypes.SendMessageBatchRequestEntry{}...); code(err) != "AWS.SimpleQueueService.EmptyBatchRequest" {
		t.Errorf("empty: %v", err)
	}
	if _, err := send(entry("1", "a", "g"), entry("1", "b", "g")); code(err) != "AWS.SimpleQueueService.BatchEntryIdsNotDistinct" {
		t.Errorf("ids: %v", err)
	}
	var eleven []sqstypes.SendMessageBatchRequestEntry
	for i := range 11 {
		eleven = append(eleven, entry(fmt.Sprint(i), "a", "g"))
	}
	if _, err := send(eleven...); code(err) != "AWS.SimpleQueueService.TooManyEntriesInBatchRequest" {
		t.Errorf("eleven: %v", err)
	}
	got := q.receive(10)
	if bodies(got) != "a c" {
		t.Fatalf("received %q", bodies(got))
	}
	vis, err := q.c.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q.url, Entries: []sqstypes.ChangeMessageVisibilityBatchRequestEntry{
		{Id: awssdk.String("a"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 600},
		{Id: awssdk.String("b"), ReceiptHandle: awssdk.String("x"), VisibilityTimeout: 600},
	}})
	if err != nil || len(vis.Successful) != 1 || len(vis.Failed) != 1 {
		t.Errorf("visibility %+v %v", vis, err)
	}
	del, err := q.c.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &q.url, Entries: []sqstypes.DeleteMessageBatchRequestEntry{
		{Id: awssdk.String("a"), ReceiptHandle: got[0].ReceiptHandle},
		{Id: awssdk.String("b"), ReceiptHandle: got[1].ReceiptHandle},
	}})
	if err != nil || len(del.Successful) != 2 {
		t.Errorf("deleted %+v %v", del, err)
	}
}

func TestStandardQueue(t *testing.T) {
	clock := newTestClock()
	_, q := newSQS(t, Options{Now: clock.Now}, aws.QueueConfig{Name: "plain", Visibility: time.Minute, Retention: time.Hour})
	q.send("a", "", "")
	q.send("a", "", "")
	in := &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: awssdk.String("late"), DelaySeconds: 30, MessageAttributes: map[string]sqstypes.MessageAttributeValue{
		"reason": {DataType: awssdk.String("String"), StringValue: awssdk.String("why")},
	}}
	if _, err := q.c.SendMessage(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	got := q.receive(10)
	if bodies(got) != "a a" {
		t.Errorf("received %q", bodies(got))
	}
	for _, m := range got {
		if err := q.delete(m); err != nil {
			t.Error(err)
		}
		if err := q.delete(m); err != nil {
			t.Errorf("deleting twice: %v", err)
		}
	}
	clock.Advance(31 * time.Second)
	out, err := q.c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.url, MessageAttributeNames: []string{"All"}})
	if err != nil || len(out.Messages) != 1 || *out.Messages[0].MessageAttributes["reason"].StringValue != "why" {
		t.Fatalf("%+v %v", out, err)
	}
	clock.Advance(61 * time.Second)
	if err := q.delete(out.Messages[0]); err != nil {
		t.Errorf("a late delete on a standard queue: %v", err)
	}
	if b := bodies(q.receive(10)); b != "" {
		t.Errorf("after it: %q", b)
	}
	q.send("old", "", "")
	clock.Advance(61 * time.Minute)
	if b := bodies(q.receive(10)); b != "" {
		t.Errorf("after the retention: %q", b)
	}
}

// A long poll ends when something arrives.
func TestLongPoll(t *testing.T) {
	_, q := newSQS(t, Options{}, aws.QueueConfig{Name: "x.fifo", FIFO: true})
	got := make(chan string, 1)
	go func() {
		out, err := q.c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &q.url, WaitTimeSeconds: 20})
		if err != nil {
			got <- err.Error()
			return
		}
		got <- bodies(out.Messages)
	}()
	q.send("a", "g", "d")
	if b := <-got; b != "a" {
		t.Errorf("got %q", b)
	}
	urls, err := q.c.ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil || len(urls.QueueUrls) != 1 || !strings.HasSuffix(urls.QueueUrls[0], "/aws/000000000000/x.fifo") {
		t.Errorf("queues %+v %v", urls, err)
	}
}

func TestS3(t *testing.T) {
	s, base := serve(t, Options{Buckets: []string{"transcripts"}})
	c := s3.NewFromConfig(awsConfig(s, base), func(o *s3.Options) { o.UsePathStyle = true })
	p := awssdk.String
	key := "ZENDESK#1@1700000000:1-20 ü+%.json"
	put := func(body, none string) error {
		in := &s3.PutObjectInput{Bucket: p("transcripts"), Key: &key, Body: strings.NewReader(body), ContentType: p("application/json")}
		if none != "" {
			in.IfNoneMatch = &none
		}
		_, err := c.PutObject(t.Context(), in)
		return err
	}
	if err := put("{}", "*"); err != nil {
		t.Fatal(err)
	}
	if err := put("{1}", "*"); code(err) != "PreconditionFailed" {
		t.Errorf("written twice: %v", err)
	}
	if err := put("{1}", `"etag"`); code(err) != "NotImplemented" {
		t.Errorf("If-None-Match with an etag: %v", err)
	}
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: p("transcripts"), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Body.Close() }()
	b, err := io.ReadAll(out.Body)
	if err != nil || string(b) != "{}" || *out.ContentType != "application/json" {
		t.Errorf("read %q, %v", b, err)
	}
	if b, ok := s.Object("transcripts", key); !ok || string(b) != "{}" {
		t.Errorf("Object: %q %v", b, ok)
	}
	if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: p("transcripts"), Key: p("none")}); code(err) != "NoSuchKey" {
		t.Errorf("a missing key: %v", err)
	}
	if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: p("none"), Key: p("none")}); code(err) != "NoSuchBucket" {
		t.Errorf("a missing bucket: %v", err)
	}
	if _, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: p("transcripts"), Key: &key}); err != nil {
		t.Errorf("HEAD: %v", err)
	}
	// The SDK's form of a stream over TLS, which an http address never gets.
	chunked := "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"
	req, err := http.NewRequestWithContext(t.Context(), "PUT", base+"/aws/transcripts/x", strings.NewReader(chunked))
	if err != nil {
		t.Fatal(err)
	}
	const streaming = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	req.Header.Set("X-Amz-Content-Sha256", streaming)
	creds, err := awsConfig(s, base).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, streaming, "s3", "eu-central-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if b, _ := s.Object("transcripts", "x"); res.StatusCode != 200 || string(b) != "abc" {
		t.Errorf("a stream: %d %q", res.StatusCode, b)
	}

	wrong := awsConfig(s, base)
	wrong.Credentials = awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return awssdk.Credentials{AccessKeyID: s.Fixtures().AWS.AccessKeyID, SecretAccessKey: "wrong"}, nil
	})
	_, err = s3.NewFromConfig(wrong, func(o *s3.Options) { o.UsePathStyle = true }).GetObject(t.Context(), &s3.GetObjectInput{Bucket: p("transcripts"), Key: &key})
	if code(err) != "SignatureDoesNotMatch" {
		t.Errorf("wrong secret: %v", err)
	}
	if err := s.AddFault(Fault{Vendor: "aws", Op: "PutObject", Kind: FaultCode, Code: "ConditionalRequestConflict"}); err != nil {
		t.Fatal(err)
	}
	if err := put("{}", "*"); code(err) != "ConditionalRequestConflict" {
		t.Errorf("by fault: %v", err)
	}
	st := s.State().AWS
	if len(st.Objects) < 1 || st.Objects[0].Key != key || st.Objects[0].Size != 2 {
		t.Errorf("state %+v", st.Objects)
	}
}
