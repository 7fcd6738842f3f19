package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Printer is how a command reports what it did: to people, or with --json to
// programs. Results go to standard output, progress to standard error.
type Printer struct {
	json bool
	cmd  *cobra.Command
}

// Flags adds --json.
func (p *Printer) Flags(cmd *cobra.Command) {
	p.cmd = cmd
	cmd.Flags().BoolVar(&p.json, "json", false, "print the result as JSON")
}

// Result prints a command's one result: v as JSON, or what text writes.
func (p *Printer) Result(v any, text func(w io.Writer)) error {
	if !p.json {
		text(p.cmd.OutOrStdout())
		return nil
	}
	enc := json.NewEncoder(p.cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Verdict prints the result of a look, and ends the command by what it found.
func (p *Printer) Verdict(v any, text func(w io.Writer), problems int) error {
	if err := p.Result(v, text); err != nil {
		return err
	}
	if problems > 0 {
		return Foundf("%s", Count(problems, "problem"))
	}
	return nil
}

// Note tells people, and with --json nobody, what goes on.
func (p *Printer) Note(format string, args ...any) {
	if !p.json {
		fmt.Fprintf(p.cmd.ErrOrStderr(), format+"\n", args...)
	}
}

// Progress is a bar on a terminal and nothing elsewhere. A total of 0 is
// unknown. Its Clear must be called.
func (p *Printer) Progress(total int, what string) *Bar {
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
	return &Bar{w: f, width: width, now: time.Now, what: what, total: total}
}

// Stderr is where progress and questions go.
func (p *Printer) Stderr() io.Writer { return p.cmd.ErrOrStderr() }

// Agree asks before something is taken away. Without a terminal it wants --yes.
func (p *Printer) Agree(yes bool, question string) error {
	if yes {
		return nil
	}
	in, ok := p.cmd.InOrStdin().(*os.File)
	if p.json || !ok || !term.IsTerminal(int(in.Fd())) {
		return Usagef("%s Say --yes", question)
	}
	fmt.Fprintf(p.Stderr(), "%s [y/N] ", question)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// Confirm asks for a word before something that cannot be undone.
func (p *Printer) Confirm(word string) error {
	if f, ok := p.cmd.InOrStdin().(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		return Usagef("nobody is here to ask: say --yes")
	}
	fmt.Fprintf(p.Stderr(), "This cannot be undone. Type %s to go on: ", word)
	line, _ := bufio.NewReader(p.cmd.InOrStdin()).ReadString('\n')
	if strings.TrimSpace(line) != word {
		return fmt.Errorf("not confirmed; nothing was done")
	}
	return nil
}
