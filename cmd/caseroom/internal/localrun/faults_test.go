package localrun

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
)

func TestParseFaults(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(file, []byte(`[{"vendor":"zendesk","kind":"html"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]sandbox.Fault{
		"zendesk:tickets_create:timeout":    {Vendor: "zendesk", Op: "tickets_create", Kind: "timeout"},
		"zendesk:tickets_create:null:3":     {Vendor: "zendesk", Op: "tickets_create", Kind: "null", Times: 3},
		"::reset-before":                    {Kind: "reset-before"},
		"tencent::code=80001:1":             {Vendor: "tencent", Kind: "code", Code: "80001", Times: 1},
		"salesforce:case_create:status=429": {Vendor: "salesforce", Op: "case_create", Kind: "status", Status: 429},
		"zendesk::slow=1500ms":              {Vendor: "zendesk", Kind: "slow", Delay: 1500 * time.Millisecond},
		"@" + file:                          {Vendor: "zendesk", Kind: "html"},
	} {
		got, err := parseFaults([]string{text})
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "zendesk", "zendesk:x", "jira::null", "zendesk::explode", "zendesk::null:0", "zendesk::null:x", "zendesk::null:1:2",
		"zendesk::status=x", "zendesk::null=1", "zendesk::slow=x", "zendesk::slow", "zendesk::code", "@/none.json", "@faults_test.go",
	} {
		if got, err := parseFaults([]string{text}); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("zendesk:tickets_create:status=429:2")
	f.Fuzz(func(t *testing.T, text string) {
		if fault, err := parseFault(text); err == nil && (fault.Times < 0 || strings.Count(text, ":") < 2) {
			t.Errorf("%q: %+v", text, fault)
		}
	})
}
