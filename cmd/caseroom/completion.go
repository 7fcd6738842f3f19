package main

import (
	"bufio"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/spf13/cobra"
)

// The kinds of values that complete without asking anybody.
var (
	files   = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	folders = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
)

func words(list ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
}

// flagValues complete the values of flags, by the flag's name.
var flagValues = map[string]cobra.CompletionFunc{
	"by":         words("events", "triggers"),
	"config":     files,
	"desk":       words("zendesk", "salesforce"),
	"env-file":   files,
	"local-file": files,
	"out":        files,
	"output":     files,
	"outputs":    files,
	"profile":    completeProfiles,
	"queue":      words("sync", "reconcile", "sweep", "calendar"),
	"ready-file": files,
	"region":     words(regions...),
	"source":     folders,
	"stack":      completeStacks,
	"template":   files,
	"web":        folders,
}

// regions are the ones of the standard partition.
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
var regions = strings.Fields(`af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3
ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5
ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1
eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1
us-east-1 us-east-2 us-west-1 us-west-2`)

// completeValues completes the values of all commands' flags. A shell would offer
// files for each of them otherwise.
func completeValues(cmd *cobra.Command) {
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for name, values := range flagValues {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, values) // fails for a flag that is not there
		}
	}
	for _, c := range cmd.Commands() {
		completeValues(c)
	}
}

// completeProfiles are the sections of the AWS configuration files.
func completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	home, _ := os.UserHomeDir() // without one there are no files
	var names []string
	for variable, file := range map[string]string{"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"} {
		f, err := os.Open(cmp.Or(os.Getenv(variable), filepath.Join(home, ".aws", file)))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			section, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "[")
			section, closed := strings.CutSuffix(section, "]")
			if !ok || !closed {
				continue
			}
			name, profile := strings.CutPrefix(section, "profile ")
			if file == "credentials" || profile || section == "default" {
				names = append(names, strings.TrimSpace(name))
			}
		}
		_ = f.Close()
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

// completionTime is how long somebody who pressed the tab key waits.
const completionTime = 3 * time.Second

// completeStacks are the stacks of the account and region that the other flags
// name.
func completeStacks(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	var at place
	at.region, _ = cmd.Flags().GetString("region")
	at.profile, _ = cmd.Flags().GetString("profile")
	cfg, err := at.aws(ctx, os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	pages := cloudformation.NewListStacksPaginator(cloudformation.NewFromConfig(cfg), &cloudformation.ListStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, s := range page.StackSummaries {
			// A nested stack is a part of another one.
			if s.StackStatus != cftypes.StackStatusDeleteComplete && s.ParentId == nil {
				names = append(names, aws.ToString(s.StackName))
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
