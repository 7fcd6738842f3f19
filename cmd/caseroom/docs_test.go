package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryCommandIsDocumented wants each command that works on a stack in a
// guide, to print JSON, and to be tried first if it writes.
func TestEveryCommandIsDocumented(t *testing.T) {
	guides, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, g := range guides {
		b, err := os.ReadFile(g)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			if name := c.Name(); name == "help" || name == "completion" {
				continue
			}
			walk(c)
		}
		if !cmd.Runnable() || cmd.Parent() == nil {
			return
		}
		path := cmd.CommandPath()
		if cmd.Flags().Lookup("stack") == nil || path == "caseroom zis bundle" {
			return // it makes or runs something here
		}
		short := strings.TrimPrefix(path, "caseroom ")
		if !strings.Contains(text.String(), path) && !strings.Contains(text.String(), "`"+short) {
			t.Errorf("%s is in no guide", path)
		}
		if cmd.Short == "" {
			t.Errorf("%s lacks a description", path)
		}
		if cmd.Flags().Lookup("json") == nil {
			t.Errorf("%s prints no JSON", path)
		}
		reads := strings.HasSuffix(path, " status") || path == "caseroom doctor" || path == "caseroom room show"
		if !reads && cmd.Flags().Lookup("dry-run") == nil {
			t.Errorf("%s cannot be tried with --dry-run", path)
		}
	}
	walk(command())
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		root := command()
		var out strings.Builder
		root.SetOut(&out)
		root.SetArgs([]string{"completion", shell})
		if err := root.Execute(); err != nil || !strings.Contains(out.String(), "caseroom") {
			t.Errorf("%s: %d bytes, %v", shell, out.Len(), err)
		}
	}
}
