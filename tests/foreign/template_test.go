package foreign

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// finding is what a checker says about a part of the template.
type finding struct{ Tool, Rule, Where string }

// accepted are findings that are argued instead of mended: accepted.yaml.
type accepted struct {
	Tool, Rule string
	Where      string // part of the place
	Why        string
}

// AWS's translator takes the template, and what cfn-lint and cfripper find in its
// CloudFormation is mended or argued in accepted.yaml.
func TestTemplate(t *testing.T) {
	// What both desks, calendars and pages make together.
	translate := exec.Command(python("python"), "template.py", filepath.Join(root, "template.yaml"),
		"ZendeskBaseUrl=https://a.zendesk.com", "SalesforceBaseUrl=https://a.my.salesforce.com",
		"CronofyBaseUrl=https://api.cronofy.com", "Pages=on")
	file := filepath.Join(t.TempDir(), "template.json")
	must(t, os.WriteFile(file, output(t, translate), 0o600))
	found := append(cfnLint(t, file), cfripper(t, file)...)
	found = append(found, cfripper(t, filepath.Join(root, "monitoring.yaml"))...)

	var list []accepted
	text, err := os.ReadFile("accepted.yaml")
	must(t, err)
	must(t, yaml.Unmarshal(text, &list))
	used := make([]bool, len(list))
next:
	for _, f := range found {
		for i, a := range list {
			if a.Tool == f.Tool && a.Rule == f.Rule && strings.Contains(f.Where, a.Where) {
				used[i] = true
				continue next
			}
		}
		t.Errorf("%s: %s at %s: mend it, or argue in accepted.yaml why not", f.Tool, f.Rule, f.Where)
	}
	for i, a := range list {
		if !used[i] || a.Why == "" {
			t.Errorf("accepted.yaml: %s %s at %s is not found any more, or has no why", a.Tool, a.Rule, a.Where)
		}
	}
}

func cfnLint(t *testing.T, file string) (list []finding) {
	// Its exit code says how bad the findings are; its output, all of them.
	out, err := exec.Command(python("cfn-lint"), "--regions", region, "--format", "json", "--", file).Output()
	var found []struct {
		Rule     struct{ ID string }
		Location struct{ Path []any }
		Message  string
	}
	if json.Unmarshal(out, &found) != nil {
		t.Fatalf("cfn-lint: %v: %s", err, out)
	}
	for _, f := range found {
		place, err := json.Marshal(f.Location.Path)
		must(t, err)
		list = append(list, finding{"cfn-lint", f.Rule.ID, string(place) + " " + f.Message})
	}
	return list
}

func cfripper(t *testing.T, file string) (list []finding) {
	// It exits with 2 when there are findings.
	cmd := exec.Command(python("cfripper"), "--resolve", "--format", "json", file)
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION="+region)
	out, err := cmd.Output()
	var found struct {
		Exceptions []string
		Failures   []struct{ Rule, Reason string }
	}
	if json.Unmarshal(out, &found) != nil || len(found.Exceptions) > 0 {
		t.Fatalf("cfripper: %v: %s", err, out)
	}
	for _, f := range found.Failures {
		list = append(list, finding{"cfripper", f.Rule, f.Reason})
	}
	return list
}
