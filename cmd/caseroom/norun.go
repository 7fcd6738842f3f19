//go:build norun

package main

import "github.com/spf13/cobra"

// localCommands are none with the tag norun: such a build links neither the
// stand-ins nor the local Lambda.
func localCommands() []*cobra.Command { return nil }
