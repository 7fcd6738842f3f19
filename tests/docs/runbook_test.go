package docs

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const runbook = root + "/docs/runbook.md"

// alarm is an alarm of monitoring.yaml.
type alarm struct {
	AlarmName        string `yaml:"AlarmName"`
	AlarmDescription string `yaml:"AlarmDescription"`
	Namespace        string `yaml:"Namespace"`
	MetricName       string `yaml:"MetricName"`
	Dimensions       []struct {
		Value string `yaml:"Value"`
	} `yaml:"Dimensions"`
	Metrics []struct {
		MetricStat struct {
			Metric struct {
				Namespace  string `yaml:"Namespace"`
				MetricName string `yaml:"MetricName"`
				Dimensions []struct {
					Value string `yaml:"Value"`
				} `yaml:"Dimensions"`
			} `yaml:"Metric"`
		} `yaml:"MetricStat"`
	} `yaml:"Metrics"`
	condition string
}

// of is the value of the alarm's only dimension.
func (a alarm) of() string {
	if len(a.Dimensions) != 1 {
		return ""
	}
	return a.Dimensions[0].Value
}

func loadMonitoring(t *testing.T) template {
	t.Helper()
	var tmpl template
	if err := yaml.Unmarshal([]byte(read(t, root+"/monitoring.yaml")), &tmpl); err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// alarms are those of monitoring.yaml, by their logical ids.
func alarms(t *testing.T) map[string]alarm {
	t.Helper()
	list := map[string]alarm{}
	for id, r := range loadMonitoring(t).Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		a := alarm{condition: r.Condition}
		if err := r.Properties.Decode(&a); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		list[id] = a
	}
	if len(list) < 40 {
		t.Fatalf("only %d alarms were found", len(list))
	}
	return list
}

// TestEveryAlarmIsInTheRunbook follows each alarm's description to its section,
// and wants no section that no alarm leads to.
func TestEveryAlarmIsInTheRunbook(t *testing.T) {
	text, led := read(t, runbook), map[string]bool{"Alarms": true, "Logs": true, "Metrics": true}
	for id, a := range alarms(t) {
		_, heading, ok := strings.Cut(strings.TrimSuffix(a.AlarmDescription, "."), "See docs/runbook.md, ")
		if !ok {
			t.Errorf("%s: its description does not point to the runbook: %s", id, a.AlarmDescription)
			continue
		}
		led[heading] = true
		if strings.TrimSpace(section(t, text, heading)) == "" {
			t.Errorf("%s: nothing under %s", runbook, heading)
		}
		if a.AlarmName != "${StackName}-"+id {
			t.Errorf("%s is called %s", id, a.AlarmName)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(text, -1) {
		if !led[m[1]] {
			t.Errorf("%s: no alarm leads to %s", runbook, m[1])
		}
	}
}

// TestEveryAlarmHasATest wants the table of alarms to have each, with the test that
// makes it ring and clear.
func TestEveryAlarmHasATest(t *testing.T) {
	listed, seen := map[string]string{}, map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(…?\\w+)`.*\\| `TestAlarms/(\\w+)` \\|$").FindAllStringSubmatch(section(t, read(t, runbook), "Alarms"), -1) {
		listed[m[1]] = m[2]
	}
	code := read(t, root+"/tests/alarms/alarms_test.go")
	for id, a := range alarms(t) {
		row := id
		if a.Namespace == "AWS/Lambda" {
			row = "…" + a.MetricName + "Alarm"
		}
		switch test := listed[row]; {
		case test == "":
			t.Errorf("%s: no row of %s", runbook, row)
		case !strings.Contains(code, `"`+test+`"`):
			t.Errorf("%s: there is no test %s", runbook, test)
		case row == id && test != id:
			t.Errorf("%s: the test of %s is %s", runbook, row, test)
		}
		seen[row] = true
	}
	for row := range listed {
		if !seen[row] {
			t.Errorf("%s: there is no alarm %s", runbook, row)
		}
	}
}

// TestEveryFunctionHasAlarmsOfItsOwn looks whether a function that fails, or is
// throttled, rings an alarm that names it.
func TestEveryFunctionHasAlarmsOfItsOwn(t *testing.T) {
	all := alarms(t)
	for id, r := range loadTemplate(t).Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		for _, metric := range []string{"Errors", "Throttles"} {
			name := strings.TrimSuffix(id, "Function") + metric + "Alarm"
			a := all[name]
			if a.Namespace != "AWS/Lambda" || a.MetricName != metric || a.of() != id || a.condition != r.Condition {
				t.Errorf("%s is not of %s: %+v", name, id, a)
			}
			if label := filepath.Base(at(&r.Properties, "CodeUri").Value); !regexp.MustCompile(`\b` + label + `\b`).MatchString(a.AlarmDescription) {
				t.Errorf("%s does not name %s: %s", name, label, a.AlarmDescription)
			}
		}
	}
}

// TestMonitoringGetsWhatItAsksFor looks whether each parameter of the nested
// stack has the value that its name says.
func TestMonitoringGetsWhatItAsksFor(t *testing.T) {
	monitoring := loadTemplate(t).Resources["Monitoring"]
	asked := loadMonitoring(t).Parameters
	if len(asked) < 10 {
		t.Fatalf("only %d parameters were found", len(asked))
	}
	for name := range asked {
		given := at(&monitoring.Properties, "Parameters", name)
		if given == nil {
			t.Errorf("template.yaml: Monitoring gets no %s", name)
			continue
		}
		if got := strings.TrimPrefix(text(t, given), "!Ref AWS::"); !regexp.MustCompile(`\b` + name + `\b`).MatchString(got) {
			t.Errorf("template.yaml: Monitoring gets %s as %s", got, name)
		}
	}
}

// TestDashboardsShowEverything looks whether the dashboards are JSON, and have
// every alarm, function and queue.
func TestDashboardsShowEverything(t *testing.T) {
	monitoring := loadMonitoring(t)
	shown := map[string]bool{} // every text in the widgets' properties
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			shown[v] = true
		case []any:
			for _, e := range v {
				collect(e)
			}
		case map[string]any:
			for _, e := range v {
				collect(e)
			}
		}
	}
	for name, text := range dashboards(t, monitoring) {
		var board struct {
			Widgets []struct {
				X, Y, Width, Height int
				Properties          map[string]any
			} `json:"widgets"`
		}
		if err := json.Unmarshal([]byte(text), &board); err != nil {
			t.Fatalf("%s is no JSON: %v", name, err)
		}
		for i, w := range board.Widgets {
			if w.Width == 0 || w.Height == 0 || w.X+w.Width > 24 || w.Properties["title"] == nil {
				t.Errorf("%s: widget %d: %+v", name, i, w)
			}
			collect(w.Properties)
		}
	}
	for id := range alarms(t) {
		if !shown["${"+id+".Arn}"] {
			t.Errorf("no dashboard shows %s", id)
		}
	}
	for id, r := range loadTemplate(t).Resources {
		want := "${" + id + "}"
		if r.Type == "AWS::SQS::Queue" {
			want = queueName(r)
		} else if r.Type != "AWS::Serverless::Function" {
			continue
		}
		if !shown[want] {
			t.Errorf("no dashboard shows %s", id)
		}
	}
	for s := range shown {
		for _, m := range regexp.MustCompile(`\$\{(\w+)[.}]`).FindAllStringSubmatch(s, -1) {
			_, parameter := monitoring.Parameters[m[1]]
			if _, ok := monitoring.Resources[m[1]]; !ok && !parameter {
				t.Errorf("a dashboard names %s, which monitoring.yaml lacks", m[1])
			}
		}
	}
}

// queueName is a queue's name as monitoring.yaml has it.
func queueName(r resource) string {
	name := at(&r.Properties, "QueueName")
	return strings.ReplaceAll(name.Value, "${AWS::StackName}", "${StackName}")
}

// TestEveryLogIsKeptAsLongAsAsked looks whether all functions write to the one
// log group of the stack, and whether that and the API's forget.
func TestEveryLogIsKeptAsLongAsAsked(t *testing.T) {
	tmpl := loadTemplate(t)
	for id, r := range tmpl.Resources {
		switch r.Type {
		case "AWS::Logs::LogGroup":
			if days := at(&r.Properties, "RetentionInDays"); days == nil || days.Value != "LogRetentionDays" {
				t.Errorf("%s does not forget after LogRetentionDays", id)
			}
		case "AWS::Serverless::Function":
			if at(&r.Properties, "LoggingConfig", "LogGroup") != nil {
				t.Errorf("%s has a log group of its own", id)
			}
		}
	}
	group := tmpl.Globals.Function.LoggingConfig.LogGroup
	if tmpl.Resources[group].Type != "AWS::Logs::LogGroup" {
		t.Errorf("the functions write to %q, which is no log group of the template", group)
	}
}

// dashboards are the bodies of monitoring.yaml's, by logical ids.
func dashboards(t *testing.T, monitoring template) map[string]string {
	t.Helper()
	list := map[string]string{}
	for id, r := range monitoring.Resources {
		if r.Type == "AWS::CloudWatch::Dashboard" {
			list[id] = at(&r.Properties, "DashboardBody").Value
		}
	}
	if len(list) < 2 {
		t.Fatalf("only %d dashboards were found", len(list))
	}
	return list
}
