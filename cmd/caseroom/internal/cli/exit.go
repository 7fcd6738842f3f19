// Package cli is how caseroom's commands end and tell what they did: exit codes,
// results for people and for programs, and progress.
package cli

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
	ExitFailed      = 1
	ExitUsage       = 2
	ExitFound       = 3
	ExitPartly      = 4
	ExitInterrupted = 130
)

// exitError ends the command with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Usagef is the error of a command line that cannot be meant.
func Usagef(format string, args ...any) error {
	return &exitError{ExitUsage, fmt.Errorf(format, args...)}
}

// ExactArgs is cobra's, with the exit code of a wrong command line.
func ExactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return Usagef("%s takes %s, not %d: %s", cmd.CommandPath(), Count(n, "argument"), len(args), cmd.UseLine())
		}
		return nil
	}
}

// NoArgs is cobra's, with the exit code of a wrong command line.
func NoArgs() cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return Usagef("%s takes no argument, such as %q", cmd.CommandPath(), args[0])
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
			text := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
			if like := c.SuggestionsFor(args[0]); len(like) > 0 {
				text += "; did you mean " + strings.Join(like, " or ") + "?"
			}
			return Usagef("%s", text)
		}
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
}

// Foundf ends a command that worked and has printed what is wrong.
func Foundf(format string, args ...any) error {
	return &exitError{ExitFound, fmt.Errorf(format, args...)}
}

// Partlyf ends a command that did a part of its work; the rest is done by
// running it again.
func Partlyf(format string, args ...any) error {
	return &exitError{ExitPartly, fmt.Errorf(format, args...)}
}

// Execute runs the command line and returns the process's exit code.
func Execute(ctx context.Context, root *cobra.Command, stderr io.Writer) int {
	root.InitDefaultCompletionCmd()
	strict(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	text := err.Error()
	if ctx.Err() != nil {
		text = strings.Replace(text, context.Canceled.Error(), "interrupted", 1)
	}
	fmt.Fprintln(stderr, "caseroom: "+text)
	if todo := advice(err); todo != "" && ctx.Err() == nil && !strings.Contains(text, "\n") {
		fmt.Fprintln(stderr, todo)
	}
	var e *exitError
	switch {
	case ctx.Err() != nil && (!errors.As(err, &e) || e.code == ExitPartly):
		return ExitInterrupted
	case errors.As(err, &e):
		return e.code
	case strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "required flag"),
		strings.HasPrefix(err.Error(), "if any flags in the group"):
		return ExitUsage // cobra's own, which have no type
	}
	return ExitFailed
}

// Count says how many there are of something.
func Count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
