package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/upstream"
)

// TestInterruptedIsInterrupted, also of what then stopped half-way.
func TestInterruptedIsInterrupted(t *testing.T) {
	for want, err := range map[int]error{
		ExitInterrupted: Partlyf("%w; run it again for the rest", context.Canceled),
		ExitFound:       Foundf("1 finding"), // it had got to its end
		ExitUsage:       Usagef("which?"),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var errs bytes.Buffer
		root := &cobra.Command{Use: "caseroom", SilenceUsage: true, SilenceErrors: true, RunE: func(*cobra.Command, []string) error {
			cancel()
			return err
		}}
		root.SetArgs([]string{})
		if code := Execute(ctx, root, &errs); code != want {
			t.Errorf("%v: exit code %d, want %d", err, code, want)
		}
		if want == ExitInterrupted && !strings.Contains(errs.String(), "interrupted; run it again") {
			t.Errorf("it says %s", &errs)
		}
	}
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
		"caseroom doctor tells which credentials": Partlyf("%w; run it again", &upstream.Error{Vendor: "zendesk", Class: upstream.Refused, Credentials: true}),
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
