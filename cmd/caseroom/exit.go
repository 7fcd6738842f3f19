package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/upstream"
)

// The exit codes. They stand in the root command's help.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitFound       = 3
	exitPartly      = 4
	exitInterrupted = 130
)

// exitError ends the command with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is a command line that cannot be meant.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exactArgs and noArgs are cobra's, with the exit code of a wrong command line.
func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s takes %s, not %d: %s", cmd.CommandPath(), count(n, "argument"), len(args), cmd.UseLine())
		}
		return nil
	}
}

func noArgs() cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("%s takes no argument, such as %q", cmd.CommandPath(), args[0])
		}
		return nil
	}
}

// strict makes a command that only holds others refuse a word that is none of
// them. cobra prints its help then, and calls that a success.
func strict(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		strict(c)
		if !c.HasSubCommands() || c.Runnable() {
			continue
		}
		c.DisableFlagsInUseLine, c.SuggestionsMinimumDistance = true, 2
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			said := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
			if like := c.SuggestionsFor(args[0]); len(like) > 0 {
				said += "; did you mean " + strings.Join(like, " or ") + "?"
			}
			return usage("%s", said)
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
}

// found ends a command that worked and has printed what is wrong.
func found(format string, args ...any) error {
	return &exitError{exitFound, fmt.Errorf(format, args...)}
}

// partly ends a command that did a part of its work; the rest is done by
// running it again.
func partly(format string, args ...any) error {
	return &exitError{exitPartly, fmt.Errorf(format, args...)}
}

// advice says what to do about a failure that any command may meet. Commands
// that know better say it themselves, on a line of their own.
func advice(err error) string {
	code := awsenv.ErrorCode(err)
	var up *upstream.Error
	if errors.As(err, &up) && up.Vendor == "sqs" {
		code = up.Code
	}
	code = code[strings.LastIndexByte(code, '.')+1:]
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(code, p) })
	}
	switch {
	case begins(codeNoCredentials):
		return "Sign in as for the AWS CLI: aws sso login, AWS_PROFILE or AWS_ACCESS_KEY_ID; or say --profile"
	case begins("AccessDenied", "UnauthorizedOperation"):
		return "Your AWS principal may not do this: docs/command.md lists what each command needs"
	case begins("ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidSignature"):
		return "AWS does not take your credentials: sign in again, and check the clock"
	case begins("ResourceNotFoundException"):
		return "It is not in this account and region: docs/configuration.md has the secrets and their keys"
	case up == nil:
		return ""
	case up.Credentials:
		return "caseroom doctor tells which credentials these are, and what to do"
	case up.Quota:
		return "A quota of the vendor's is used up: docs/runbook.md, QuotaExceededAlarm"
	case up.Retryable():
		return "Try again; if it stays, caseroom doctor tells what is wrong"
	}
	return ""
}

// execute runs the command line and returns the process's exit code.
func execute(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	root.InitDefaultCompletionCmd()
	strict(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	said := err.Error()
	if ctx.Err() != nil {
		said = strings.Replace(said, context.Canceled.Error(), "interrupted", 1)
	}
	fmt.Fprintln(stderr, "caseroom: "+said)
	if todo := advice(err); todo != "" && ctx.Err() == nil && !strings.Contains(said, "\n") {
		fmt.Fprintln(stderr, todo)
	}
	var e *exitError
	switch {
	case ctx.Err() != nil && (!errors.As(err, &e) || e.code == exitPartly):
		return exitInterrupted
	case errors.As(err, &e):
		return e.code
	case strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "required flag"),
		strings.HasPrefix(err.Error(), "if any flags in the group"):
		return exitUsage // cobra's own, which have no type
	}
	return exitFailed
}
