package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// printer is how a command tells what it did: to people, or with --json to
// programs. Results go to standard output, progress to standard error.
type printer struct {
	json bool
	cmd  *cobra.Command
}

// flags adds --json.
func (p *printer) flags(cmd *cobra.Command) {
	p.cmd = cmd
	cmd.Flags().BoolVar(&p.json, "json", false, "print the result as JSON")
}

// result prints a command's one result: v as JSON, or what text writes.
func (p *printer) result(v any, text func(w io.Writer)) error {
	if !p.json {
		text(p.cmd.OutOrStdout())
		return nil
	}
	enc := json.NewEncoder(p.cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// verdict prints the result of a look, and ends the command by what it found.
func (p *printer) verdict(v any, text func(w io.Writer), problems int) error {
	if err := p.result(v, text); err != nil {
		return err
	}
	if problems > 0 {
		return found("%s", count(problems, "problem"))
	}
	return nil
}

// note tells people, never programs, what goes on.
func (p *printer) note(format string, args ...any) {
	if !p.json {
		fmt.Fprintf(p.cmd.ErrOrStderr(), format+"\n", args...)
	}
}

// progress is a bar on a terminal and nothing elsewhere. A total of 0 is
// unknown. Its clear must be called.
func (p *printer) progress(total int, what string) *bar {
	f, ok := p.cmd.ErrOrStderr().(*os.File)
	if p.json || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	width := func() int {
		columns, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return columns
	}
	return &bar{w: f, width: width, now: time.Now, what: what, total: total}
}
