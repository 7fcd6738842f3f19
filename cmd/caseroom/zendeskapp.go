package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/clients/zendesk/zis"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/zafapp"
	"github.com/caseroom/caseroom/shared/upstream"
)

func zendeskAppCommand() *cobra.Command {
	var api, desk, integration, source, out string
	var dryRun bool
	var at place
	var p cli.Printer
	cmd := &cobra.Command{
		Use:   "zendesk-app",
		Short: "Make the zip of the Zendesk app",
		Long: `Makes the zip that an admin uploads at Zendesk (Admin Center → Apps and
integrations → Zendesk Support apps → Upload private app), after checking the
manifest, the translations and the files by Zendesk's rules. Nothing is sent
anywhere. The app holds the same bundle under the same name as caseroom zis.`,
		Example: `  caseroom zendesk-app --stack caseroom
  caseroom zendesk-app --api https://abc.execute-api.eu-central-1.amazonaws.com --zendesk https://example.zendesk.com`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if at.name != "" {
				s, err := at.open(cmd.Context())
				if err != nil {
					return err
				}
				api, desk = cmp.Or(api, s.API), cmp.Or(desk, s.Env["ZENDESK_BASE_URL"])
			}
			base, err := appAPI(api)
			if err != nil {
				return err
			}
			endpoint := strings.TrimSuffix(base.String(), "/") + "/zendesk/events"
			if integration == "" {
				account, err := upstream.ParseBaseURL(desk, false)
				if desk == "" || err != nil {
					return cli.Usagef("--zendesk is the account's address, such as https://example.zendesk.com; or name the integration with --integration")
				}
				integration = zis.Name(account.Host, endpoint)
			}
			bundle, err := zis.New(integration, endpoint)
			if err != nil {
				return cli.Usagef("--integration: %w", err)
			}
			b, err := zafapp.Package(os.DirFS(source), zafapp.App{API: base, Integration: integration, Bundle: bundle.JSON})
			if err != nil {
				return fmt.Errorf("the app is not packaged:\n%w", err)
			}
			made := map[string]any{"file": out, "bytes": len(b), "integration": integration, "written": !dryRun}
			if dryRun {
				return p.Result(made, func(w io.Writer) { fmt.Fprintf(w, "the app is in order: %d bytes, not written\n", len(b)) })
			}
			if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(out, b, 0o644); err != nil {
				return err
			}
			return p.Result(made, func(w io.Writer) { fmt.Fprintf(w, "%s, %d bytes: upload it as a private app\n", out, len(b)) })
		},
	}
	at.deployedFlags(cmd)
	p.Flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&dryRun, "dry-run", false, "check the app and write nothing")
	f.StringVar(&api, "api", "", "the stack's API, as its output ApiUrl says")
	f.StringVar(&desk, "zendesk", "", "the Zendesk account, which its integration is named after")
	f.StringVar(&integration, "integration", "", "another name of the integration, if that one is taken")
	f.StringVar(&source, "source", filepath.Join("clients", "zendesk"), "the app's files")
	f.StringVarP(&out, "out", "o", filepath.Join("bin", "caseroom-zendesk.zip"), "the zip")
	return cmd
}

func appAPI(text string) (*url.URL, error) {
	if text == "" {
		return nil, cli.Usagef("--api is missing: the stack's output ApiUrl; or name the stack with --stack")
	}
	base, err := upstream.ParseBaseURL(text, false)
	if err != nil {
		return nil, cli.Usagef("--api: %w", err)
	}
	return base, nil
}
