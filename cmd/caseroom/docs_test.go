package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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

// TestCompletionOfValues completes what stands at the end of a command line, as a
// shell does when somebody presses the tab key.
func TestCompletionOfValues(t *testing.T) {
	const nothing, file, folder = ":4", ":0", ":16"
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[default]\nregion = eu-west-1\n[profile staging]\n[sso-session x]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", config)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_ENDPOINT_URL", cloudFormation(t))
	for line, want := range map[string][]string{
		"redrive --queue":   {"sync", "reconcile", "sweep", "calendar", nothing},
		"room show --desk":  {"zendesk", "salesforce", nothing},
		"zendesk up --by":   {"events", "triggers", nothing},
		"doctor --profile":  {"default", "staging", nothing},
		"doctor --stack":    {"caseroom", nothing},
		"pages --stack":     {"caseroom", nothing},
		"doctor --env-file": {file},
		"zis validate":      {file},
		"pages --web":       {folder},
		"sync --since":      {nothing},
		"room show":         {nothing},
	} {
		root := command()
		var out strings.Builder
		root.SetOut(&out)
		root.SetArgs(slices.Concat([]string{"__complete"}, strings.Fields(line), []string{""}))
		if err := root.ExecuteContext(t.Context()); err != nil || !slices.Equal(strings.Fields(out.String()), want) {
			t.Errorf("%s: %q, want %q; %v", line, strings.Fields(out.String()), want, err)
		}
	}
}

// cloudFormation is an account with one stack and its nested one; it returns its
// address.
func cloudFormation(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/cloudformation/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		outputs := func(pairs ...string) string {
			var b strings.Builder
			for i := 0; i < len(pairs); i += 2 {
				fmt.Fprintf(&b, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>", pairs[i], pairs[i+1])
			}
			return b.String()
		}
		switch action := r.FormValue("Action"); {
		case action == "ListStacks":
			_, _ = io.WriteString(w, `<ListStacksResponse><ListStacksResult><StackSummaries>
				<member><StackName>caseroom</StackName><StackStatus>UPDATE_COMPLETE</StackStatus></member>
				<member><StackName>caseroom-Monitoring-1</StackName><ParentId>arn</ParentId><StackStatus>UPDATE_COMPLETE</StackStatus></member>
				<member><StackName>gone</StackName><StackStatus>DELETE_COMPLETE</StackStatus></member>
				</StackSummaries></ListStacksResult></ListStacksResponse>`)
		case action == "DescribeStacks" && r.FormValue("StackName") == "caseroom":
			_, _ = io.WriteString(w, `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs>`+
				outputs("ApiUrl", "https://api.example.com", "PagesBucketName", "pages", "PagesUrl", "https://d1.cloudfront.net", "PanelParents", "https://a.example")+
				`</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`)
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>ValidationError</Code><Message>no such stack</Message></Error></ErrorResponse>`)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestVersion wants a version of every build, and each command in a group.
func TestVersion(t *testing.T) {
	_, out, _ := said(t, "version", "--json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || b.Version == "" || b.Go != runtime.Version() {
		t.Errorf("%s: %v", out, err)
	}
	for _, c := range command().Commands() {
		if c.GroupID == "" && c.Name() != "version" {
			t.Errorf("%s is in no group of the help", c.Name())
		}
	}
}
