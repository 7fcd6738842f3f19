//go:build !norun

package main

import (
	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun"
)

// localCommands are the commands that run the stack on this machine.
func localCommands() []*cobra.Command { return []*cobra.Command{localrun.Command()} }
