package docs

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const runbook = root + "/docs/runbook.md"

// alarms are the descriptions of the template's alarms.
func alarms(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{}
	for name, r := range loadTemplate(t).Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		var p struct {
			AlarmDescription string `yaml:"AlarmDescription"`
		}
		if err := r.Properties.Decode(&p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list[name] = p.AlarmDescription
	}
	if len(list) < 10 {
		t.Fatalf("only %d alarms were found", len(list))
	}
	return list
}

func TestEveryAlarmIsInTheRunbook(t *testing.T) {
	text, all := read(t, runbook), alarms(t)
	for name, description := range all {
		if strings.TrimSpace(section(t, text, name)) == "" {
			t.Errorf("%s: nothing under %s", runbook, name)
		}
		if !strings.HasSuffix(description, "See docs/runbook.md, "+name+".") {
			t.Errorf("%s: its description does not point to the runbook: %s", name, description)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+Alarm)$`).FindAllStringSubmatch(text, -1) {
		if _, ok := all[m[1]]; !ok {
			t.Errorf("%s: the template has no %s", runbook, m[1])
		}
	}
}

// TestDashboardShowsEverything looks whether the dashboard is JSON, and has every
// alarm, function and queue.
func TestDashboardShowsEverything(t *testing.T) {
	tmpl := loadTemplate(t)
	body := dashboard(t, tmpl)
	var board struct {
		Widgets []struct {
			Type                string
			X, Y, Width, Height int
			Properties          map[string]any
		} `json:"widgets"`
	}
	if err := json.Unmarshal([]byte(body), &board); err != nil {
		t.Fatalf("the dashboard is no JSON: %v", err)
	}
	for i, w := range board.Widgets {
		if w.Width == 0 || w.Height == 0 || w.X+w.Width > 24 || w.Properties["title"] == nil {
			t.Errorf("widget %d: %+v", i, w)
		}
	}
	for name, r := range tmpl.Resources {
		want := map[string]string{
			"AWS::CloudWatch::Alarm":    "${" + name + ".Arn}",
			"AWS::Serverless::Function": `"FunctionName", "${` + name + `}"`,
			"AWS::SQS::Queue":           `"${` + name + `.QueueName}"`,
		}[r.Type]
		if want != "" && !strings.Contains(body, want) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`\$\{(\w+)[.}]`).FindAllStringSubmatch(body, -1) {
		if _, ok := tmpl.Resources[m[1]]; !ok && m[1] != "AWS" {
			t.Errorf("the dashboard names %s, which the template lacks", m[1])
		}
	}
}

// TestEveryLogIsKeptAsLongAsAsked looks whether each function writes to a log
// group of its own, which forgets.
func TestEveryLogIsKeptAsLongAsAsked(t *testing.T) {
	tmpl := loadTemplate(t)
	groups := map[string]bool{}
	for name, r := range tmpl.Resources {
		if r.Type != "AWS::Logs::LogGroup" {
			continue
		}
		var p struct {
			RetentionInDays string `yaml:"RetentionInDays"`
		}
		if err := r.Properties.Decode(&p); err != nil || p.RetentionInDays != "LogRetentionDays" {
			t.Errorf("%s does not forget after LogRetentionDays: %q, %v", name, p.RetentionInDays, err)
		}
		groups[name] = true
	}
	for name, r := range tmpl.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		var p struct {
			LoggingConfig struct {
				LogGroup string `yaml:"LogGroup"`
			} `yaml:"LoggingConfig"`
		}
		if err := r.Properties.Decode(&p); err != nil || !groups[p.LoggingConfig.LogGroup] {
			t.Errorf("%s has no log group of its own: %q, %v", name, p.LoggingConfig.LogGroup, err)
		}
	}
}

func dashboard(t *testing.T, tmpl template) string {
	t.Helper()
	for _, r := range tmpl.Resources {
		if r.Type != "AWS::CloudWatch::Dashboard" {
			continue
		}
		var p struct {
			DashboardBody struct {
				Sub yaml.Node `yaml:"Fn::Sub"`
			} `yaml:"DashboardBody"`
		}
		if err := r.Properties.Decode(&p); err != nil {
			t.Fatal(err)
		}
		return p.DashboardBody.Sub.Value
	}
	t.Fatal("the template has no dashboard")
	return ""
}
