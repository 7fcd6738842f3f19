// Command caseroom is the operator's and the developer's tool.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What functions log, commands report.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(cli.Execute(ctx, command(), os.Stderr))
}

// command is the whole command line.
func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "caseroom",
		Short: "A chat room for every support ticket",
		Long: `caseroom runs the stack on this machine, connects it to its desks, and looks
after it.

A command works on the stack that --local (the one of "caseroom run") or --stack
names, else on the one that the environment describes with the functions' own
variables. AWS credentials are found as the AWS CLI finds them.

Exit codes: 0 done and all is well; 1 it failed; 2 the command line is wrong;
3 it worked and found something wrong; 4 it stopped half-way and can be run again;
130 interrupted.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef("%w; %s --help has every flag", err, cmd.CommandPath())
	})
	group := func(id, title string, commands ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: id, Title: title})
		for _, c := range commands {
			c.GroupID = id
		}
		root.AddCommand(commands...)
	}
	if local := localCommands(); len(local) > 0 {
		group("run", "Run it here:", local...)
	}
	group("connect", "Connect a stack:", zendeskCommand(), salesforceCommand(), zisCommand(), zendeskAppCommand(), pagesCommand())
	group("operate", "Look after a stack:", doctorCommand(), roomCommand(), syncCommand(), sweepCommand(), redriveCommand(), eraseCommand())
	root.AddCommand(versionCommand())
	completeValues(root)
	return root
}
