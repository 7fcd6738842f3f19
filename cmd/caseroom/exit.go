package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
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
func exactArgs(n int) cobra.PositionalArgs { return misuse(cobra.ExactArgs(n)) }

func noArgs() cobra.PositionalArgs { return misuse(cobra.NoArgs) }

func misuse(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &exitError{exitUsage, err}
		}
		return nil
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

// execute runs the command line and returns the process's exit code.
func execute(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	said := err.Error()
	if ctx.Err() != nil {
		said = strings.Replace(said, context.Canceled.Error(), "interrupted", 1)
	}
	fmt.Fprintln(stderr, "caseroom: "+said)
	var e *exitError
	switch {
	case errors.As(err, &e):
		return e.code
	case ctx.Err() != nil:
		return exitInterrupted
	case strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "required flag"),
		strings.HasPrefix(err.Error(), "if any flags in the group"):
		return exitUsage // cobra's own, which have no type
	}
	return exitFailed
}
