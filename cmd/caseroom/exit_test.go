package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/upstream"
)

// said runs a command line and returns its exit code and what it said.
func said(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	root := command()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(""))
	root.SetArgs(args)
	code = execute(t.Context(), root, &errs)
	return code, out.String(), errs.String()
}

// TestWrongCommandLines wants exit code 2 and a word about it for each, before
// anything was looked at or done.
func TestWrongCommandLines(t *testing.T) {
	for _, name := range []string{"ZENDESK_BASE_URL", "SALESFORCE_BASE_URL", "AWS_ENDPOINT_URL"} {
		t.Setenv(name, "")
	}
	for line, want := range map[string]string{
		"statsu":                            `unknown command "statsu"`,
		"zendesk statsu":                    "did you mean status?",
		"zis pu":                            `unknown command "pu" for "caseroom zis"`,
		"room list":                         `unknown command "list"`,
		"salesforce up":                     `unknown command "up"`,
		"completion fisch":                  "did you mean fish?",
		"zendesk up now":                    `takes no argument, such as "now"`,
		"zis validate":                      "takes 1 argument, not 0: caseroom zis validate FILE",
		"zis validate a b":                  "takes 1 argument, not 2",
		"room show":                         "caseroom room show <ticket>",
		"erase --local":                     "caseroom erase <user>",
		"doctor --depe":                     "caseroom doctor --help has every flag",
		"zendesk rotate --wait soon":        "invalid argument",
		"zendesk rotate --wait -1s --local": "must not be negative",
		"zendesk up --by pigeon --local":    "--by is events or triggers",
		"sync --local --stack caseroom":     "local stack",
		"sync":                              "which tickets?",
		"sync --ticket 1 --since 2h":        "use one",
		"doctor":                            "which stack?",
		"sweep --env-file no-such-file":     "no-such-file",
		"run --param Guests --template ../../template.yaml --gateway-addr 127.0.0.1:0 --sandbox-addr 127.0.0.1:0":       "want Name=value",
		"run --param Guests=maybe --template ../../template.yaml --gateway-addr 127.0.0.1:0 --sandbox-addr 127.0.0.1:0": "AllowedValues",
		"run --faults nonsense --template ../../template.yaml":                                                          "want vendor:op:kind",
		"zendesk-app":                                      "--api is missing",
		"zendesk-app --api nonsense":                       "--api",
		"zendesk-app --api https://api.example.com":        "--zendesk",
		"zis bundle --api-url nonsense --integration acme": "not a URL",
	} {
		t.Run(line, func(t *testing.T) {
			code, stdout, stderr := said(t, strings.Fields(line)...)
			if code != exitUsage || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, want %d; it says %s, want %q", code, exitUsage, stderr, want)
			}
			if stdout != "" {
				t.Errorf("it prints a result: %s", stdout)
			}
		})
	}
}

// TestHelpIsNoMistake: of a command, and of one that only holds others.
func TestHelpIsNoMistake(t *testing.T) {
	for _, line := range []string{"", "--help", "zendesk", "zis --help", "completion", "doctor --help", "--version"} {
		code, stdout, stderr := said(t, strings.Fields(line)...)
		if code != 0 || stdout == "" || stderr != "" {
			t.Errorf("%q: exit code %d, %q, %q", line, code, stdout, stderr)
		}
	}
}

// TestInterruptedIsInterrupted, also of what then stopped half-way.
func TestInterruptedIsInterrupted(t *testing.T) {
	for want, err := range map[int]error{
		exitInterrupted: partly("%w; run it again for the rest", context.Canceled),
		exitFound:       found("1 finding"), // it had got to its end
		exitUsage:       usage("which?"),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var errs bytes.Buffer
		root := &cobra.Command{Use: "caseroom", SilenceUsage: true, SilenceErrors: true, RunE: func(*cobra.Command, []string) error {
			cancel()
			return err
		}}
		root.SetArgs([]string{})
		if code := execute(ctx, root, &errs); code != want {
			t.Errorf("%v: exit code %d, want %d", err, code, want)
		}
		if want == exitInterrupted && !strings.Contains(errs.String(), "interrupted; run it again") {
			t.Errorf("it says %s", &errs)
		}
	}
}

// TestPagesHalfWay: what was uploaded stays, and the exit code says that there is
// more to do.
func TestPagesHalfWay(t *testing.T) {
	web := fstest.MapFS{"widget.js": {Data: []byte("w")}, "assets/a.js": {Data: []byte("a")}}
	done, err := uploadPages(t.Context(), &failing{after: 1}, web, stackOutputs{API: "https://api.example.com", Bucket: "b"}, func(string, ...any) {})
	if err == nil || len(done) != 1 || done[0] != "assets/a.js" {
		t.Errorf("done %v, %v", done, err)
	}
}

// failing takes so many objects and no more.
type failing struct{ after int }

func (f *failing) PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if f.after--; f.after < 0 {
		return nil, errors.New("access denied")
	}
	return &s3.PutObjectOutput{}, nil
}

// TestAdvice: who cannot do anything with a vendor's code is told what to do.
func TestAdvice(t *testing.T) {
	refused := func(code string) error {
		return awsenv.Told(&smithy.GenericAPIError{Code: code, Message: "User: arn:aws:iam::1:user/ada is not authorized"})
	}
	for want, err := range map[string]error{
		"docs/command.md":                         fmt.Errorf("secret caseroom/zendesk: %w", refused("AccessDeniedException")),
		"sign in again":                           &upstream.Error{Vendor: "sqs", Code: "AWS.ExpiredTokenException", Credentials: true},
		"not in this account":                     refused("ResourceNotFoundException"),
		"caseroom doctor tells which credentials": partly("%w; run it again", &upstream.Error{Vendor: "zendesk", Class: upstream.Refused, Credentials: true}),
		"QuotaExceededAlarm":                      &upstream.Error{Vendor: "tencent", Class: upstream.Refused, Quota: true},
		"Try again":                               &upstream.Error{Vendor: "tencent", Class: upstream.Unavailable},
		"":                                        &upstream.Error{Vendor: "tencent", Class: upstream.Refused, Code: "10014"},
	} {
		if got := advice(err); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
		if err != nil && strings.Contains(err.Error(), "arn:") {
			t.Errorf("AWS's own text is told: %v", err)
		}
	}
}

// TestNoCredentials: it is said that there are none, not where they were looked
// for, and by this command alone.
func TestNoCredentials(t *testing.T) {
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-central-1", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "", "AWS_SHARED_CREDENTIALS_FILE": "", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
		"ZENDESK_BASE_URL": "https://example.zendesk.com", "SYNC_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/caseroom-sync.fifo",
	} {
		t.Setenv(name, value)
	}
	for line, want := range map[string]string{
		"room show --stack caseroom 1":                 "caseroom: stack caseroom in eu-central-1: no AWS credentials were found\nSign in",
		"room show 1":                                  "secret caseroom/zendesk: NoCredentials\nSign in",
		"zendesk up --api-url https://api.example.com": "secret caseroom/zendesk: NoCredentials\nSign in",
		"sync --ticket 1":                              "code NoCredentials",
	} {
		code, stdout, stderr := said(t, strings.Fields(line)...)
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, want) || !strings.Contains(stderr, "aws sso login") || strings.Contains(stderr, "IMDS") {
			t.Errorf("%s: exit code %d, %s%s", line, code, stdout, stderr)
		}
	}
}

// TestAWSCallsEnd: a stack whose AWS does not answer keeps no command for ever.
func TestAWSCallsEnd(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("ZENDESK_BASE_URL", "https://example.zendesk.com")
	file := filepath.Join(t.TempDir(), "local.json")
	if err := os.WriteFile(file, []byte(`{"env":{"AWS_ENDPOINT_URL":"http://127.0.0.1:1","AWS_REGION":"eu-central-1"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]place{"environment": {}, "local": {local: true, file: file}} {
		s, err := at.open(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		client, ok := s.AWS.HTTPClient.(*awshttp.BuildableClient)
		if !ok || client.GetTimeout() <= 0 || client.GetTimeout() > time.Minute {
			t.Errorf("%s: AWS is asked by %T", name, s.AWS.HTTPClient)
		}
	}
}
