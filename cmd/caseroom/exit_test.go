package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"
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
