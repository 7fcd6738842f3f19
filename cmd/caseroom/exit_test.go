package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
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
	code = cli.Execute(t.Context(), root, &errs)
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
			if code != cli.ExitUsage || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, want %d; it says %s, want %q", code, cli.ExitUsage, stderr, want)
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
		if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, want) || !strings.Contains(stderr, "aws sso login") || strings.Contains(stderr, "IMDS") {
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
