package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestZendeskAppZip(t *testing.T) {
	zip := filepath.Join(t.TempDir(), "new", "app.zip")
	run := func(args ...string) error {
		cmd := command()
		cmd.SetOut(io.Discard)
		cmd.SetArgs(append([]string{"zendesk-app", "--source", "../../clients/zendesk", "-o", zip}, args...))
		return cmd.ExecuteContext(t.Context())
	}
	account := "--zendesk=https://acme.zendesk.com"
	if err := run("--api", "https://api.example.com", account, "--dry-run"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(zip); err == nil {
		t.Error("a dry run wrote the zip")
	}
	if err := run("--api", "https://api.example.com", "--integration", "own_name"); err != nil {
		t.Fatal(err)
	}
	if err := run("--api", "https://api.example.com", account); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(zip); err != nil || !strings.HasPrefix(string(b), "PK") {
		t.Errorf("the zip: %v", err)
	}
	for _, args := range [][]string{
		{}, {"--api", "https://api.example.com"}, {"--api", "http://api.example.com", account},
		{"--api", "https://api.example.com", account, "--source", t.TempDir()},
		{"--api", "https://api.example.com", "--integration", "No Name"},
	} {
		if err := run(args...); err == nil {
			t.Errorf("%v made an app", args)
		}
	}
}
