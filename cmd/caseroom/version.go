package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
)

// build is what the Go tool stamped into this binary. What it did not know is "".
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Time     string `json:"time"`     // of the commit, RFC 3339
	Modified bool   `json:"modified"` // since the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuild() build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// version is what --version prints.
func version() string { return readBuild().Version }

func versionCommand() *cobra.Command {
	var out cli.Printer
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which caseroom this is",
		Args:  cli.NoArgs(),
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			return out.Result(b, func(w io.Writer) {
				fmt.Fprintf(w, "caseroom %s, %s, %s\n", b.Version, b.Go, b.Platform)
				if b.Commit != "" {
					changed := ""
					if b.Modified {
						changed = ", changed since"
					}
					fmt.Fprintf(w, "commit %s of %s%s\n", b.Commit, b.Time, changed)
				}
			})
		},
	}
	out.Flags(cmd)
	return cmd
}
