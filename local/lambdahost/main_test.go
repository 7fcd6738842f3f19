package lambdahost_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/caseroom/caseroom/local/lambdahost"
)

// TestMain lets the test binary be the bootstrap of the functions under test:
// the host gives a process the template's environment and nothing else, so only
// a function has TEST_FUNCTION.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_FUNCTION") {
	case "":
		os.Exit(m.Run())
	case "broken":
		os.Exit(7)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	lambda.Start(function{})
}

// function does what its event says.
type function struct{}

// command is a direct event, the JSON body of an HTTP event, or the first
// record's body of an SQS event.
type command struct {
	Do   string          `json:"do"`
	With json.RawMessage `json:"with"`
	URL  string          `json:"url"`
}

var invocations int

func (function) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	invocations++
	c := parseCommand(event)
	switch c.Do {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("on purpose")
	case "error":
		return nil, errors.New("on purpose")
	case "hang":
		<-ctx.Done() // the host's deadline
		select {}
	case "answer":
		return c.With, nil
	case "garbage":
		return []byte("<html>"), nil
	case "large":
		return []byte(`"` + strings.Repeat("x", 6<<20) + `"`), nil
	case "state":
		return json.Marshal(state{os.Getpid(), invocations, os.Environ()})
	case "meet":
		res, err := http.Get(c.URL)
		if err != nil {
			return nil, err
		}
		defer func() { _ = res.Body.Close() }()
		return io.ReadAll(res.Body)
	case "batch":
		return batchAnswer(event)
	}
	body := string(event)
	return json.Marshal(map[string]any{"statusCode": 200, "body": body, "headers": map[string]string{"Content-Type": "application/json"}})
}

type state struct {
	PID         int
	Invocations int
	Environ     []string
}

func parseCommand(event []byte) command {
	var c command
	var envelope struct {
		Body    string `json:"body"`
		Records []struct {
			Body string `json:"body"`
		} `json:"Records"`
	}
	_ = json.Unmarshal(event, &envelope)
	switch {
	case len(envelope.Records) > 0:
		c.Do = "batch"
	case envelope.Body != "":
		_ = json.Unmarshal([]byte(envelope.Body), &c)
	default:
		_ = json.Unmarshal(event, &c)
	}
	return c
}

// batchAnswer does what the batch's first message says, and reports as failed
// the messages whose body is "fail".
func batchAnswer(event []byte) ([]byte, error) {
	var batch struct {
		Records []struct {
			MessageID string `json:"messageId"`
			Body      string `json:"body"`
		} `json:"Records"`
	}
	if err := json.Unmarshal(event, &batch); err != nil {
		return nil, err
	}
	type item struct {
		ID string `json:"itemIdentifier"`
	}
	failures := []item{}
	for _, r := range batch.Records {
		switch r.Body {
		case "fail":
			failures = append(failures, item{r.MessageID})
		case "stranger":
			failures = append(failures, item{"not-of-this-batch"})
		case "null":
			return []byte("null"), nil
		case "garbage":
			return []byte("<html>"), nil
		case "wrong-key":
			return []byte(`{"batchItemFailures":[{"id":"x"}]}`), nil
		case "error":
			return nil, errors.New("on purpose")
		}
	}
	return json.Marshal(map[string]any{"batchItemFailures": failures})
}

// lines is a log that tests read while the host writes.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func mustParse(tb testing.TB, text string) *lambdahost.Template {
	tb.Helper()
	t, err := lambdahost.ParseTemplate("template.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// mustHost makes a host whose functions are this test binary.
func mustHost(tb testing.TB, text string, change func(*lambdahost.Options)) *lambdahost.Host {
	tb.Helper()
	o := lambdahost.Options{
		Template: mustParse(tb, text), Bin: func(string) string { return os.Args[0] }, Log: &lines{},
	}
	if change != nil {
		change(&o)
	}
	h, err := lambdahost.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(h.Close)
	return h
}

// one is a template with one function under several routes.
const one = `
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Environment:
      Variables: {TEST_FUNCTION: plain}
  HttpApi:
    Auth: {EnableIamAuthorizer: true}
Resources:
  EchoFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/echo/
      Handler: bootstrap
      Timeout: 20
      MemorySize: 256
      Events:
        Post: {Type: HttpApi, Properties: {Path: /echo, Method: post}}
        Any: {Type: HttpApi, Properties: {Path: /any, Method: any}}
        Item: {Type: HttpApi, Properties: {Path: "/items/{id}", Method: get}}
        Rest: {Type: HttpApi, Properties: {Path: "/capture/{rest+}", Method: get}}
        Iam:
          Type: HttpApi
          Properties: {Path: /iam/echo, Method: post, Auth: {Authorizer: AWS_IAM}}
`
