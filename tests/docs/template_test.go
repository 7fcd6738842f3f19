package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/shared/boot"
)

// at returns the node at a path of keys, nil if there is none.
func at(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		i := 0
		for ; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				break
			}
		}
		if n == nil || n.Kind != yaml.MappingNode || i+1 >= len(n.Content) {
			return nil
		}
		n = n.Content[i+1]
	}
	return n
}

// number is the whole number at a path of keys, 0 if there is none.
func number(n *yaml.Node, keys ...string) int {
	n = at(n, keys...)
	if n == nil {
		return 0
	}
	v, _ := strconv.Atoi(n.Value)
	return v
}

// text is everything that is written in a node, for what is only looked for.
func text(t *testing.T, n *yaml.Node) string {
	t.Helper()
	if n == nil {
		return ""
	}
	b, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// feeds maps each function that a queue feeds to that queue, by logical ids.
func feeds(tmpl template) map[string]string {
	list := map[string]string{}
	for name, r := range tmpl.Resources {
		events := at(&r.Properties, "Events")
		if r.Type != "AWS::Serverless::Function" || events == nil {
			continue
		}
		for i := 1; i < len(events.Content); i += 2 {
			if e := events.Content[i]; at(e, "Type").Value == "SQS" {
				list[name], _, _ = strings.Cut(at(e, "Properties", "Queue").Value, ".")
			}
		}
	}
	return list
}

// TestFunctionsThatFeedThemselvesMay looks whether the functions that may send
// to the queue they are fed by, and no others, are let to: Lambda ends such a
// chain after some sixteen messages.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html.
func TestFunctionsThatFeedThemselvesMay(t *testing.T) {
	tmpl := loadTemplate(t)
	fed, found := feeds(tmpl), 0
	for name, r := range tmpl.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		sends := false
		for _, document := range at(&r.Properties, "Policies").Content {
			for _, s := range at(document, "Statement").Content {
				sends = sends || fed[name] != "" && strings.Contains(text(t, at(s, "Action")), "sqs:SendMessage") &&
					strings.Contains(text(t, at(s, "Resource")), " "+fed[name]+".Arn")
			}
		}
		loop := at(&r.Properties, "RecursiveLoop")
		if sends != (loop != nil && loop.Value == "Allow") {
			t.Errorf("%s: sends to its own queue: %t, RecursiveLoop: %q", name, sends, text(t, loop))
		}
		if sends {
			found++
		}
	}
	if found == 0 {
		t.Error("no function feeds itself: this test does not see what it looks for")
	}
}

// TestTimeouts holds each function's time-out against what waits for it: a
// sixth of its queue's visibility, as Lambda advises, and the gateway's 30 s.
func TestTimeouts(t *testing.T) {
	tmpl := loadTemplate(t)
	fed := feeds(tmpl)
	for name, r := range tmpl.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		timeout := number(&r.Properties, "Timeout")
		if q, ok := fed[name]; ok {
			queue := tmpl.Resources[q]
			if visibility := number(&queue.Properties, "VisibilityTimeout"); timeout == 0 || visibility < 6*timeout {
				t.Errorf("%s: %d s, and its queue hides messages for %d s", name, timeout, visibility)
			}
		} else if timeout == 0 || timeout > 29 {
			t.Errorf("%s: %d s, longer than the gateway waits", name, timeout)
		}
	}
}

// TestEveryQueueHasAnAlarm: of what nobody takes, or of what died.
func TestEveryQueueHasAnAlarm(t *testing.T) {
	tmpl := loadTemplate(t)
	watched := map[string]string{} // metric, by the queue's name
	for _, a := range alarms(t) {
		if a.Namespace == "AWS/SQS" {
			watched[a.of()] = a.MetricName
		}
		for _, m := range a.Metrics {
			if of := m.MetricStat.Metric; of.Namespace == "AWS/SQS" && of.MetricName == "NumberOfMessagesReceived" {
				watched[of.Dimensions[0].Value] = of.MetricName
			}
		}
	}
	queues := 0
	for name, r := range tmpl.Resources {
		if r.Type != "AWS::SQS::Queue" {
			continue
		}
		queues++
		want := "NumberOfMessagesReceived"
		if strings.HasSuffix(name, "DeadLetterQueue") {
			want = "ApproximateNumberOfMessagesVisible"
		} else if at(&r.Properties, "RedrivePolicy") == nil {
			t.Errorf("%s has no dead-letter queue", name)
		}
		if got := watched[queueName(r)]; got != want {
			t.Errorf("%s: an alarm watches %q, not %s", name, got, want)
		}
		if e := at(&r.Properties, "SqsManagedSseEnabled"); e == nil || e.Value != "true" {
			t.Errorf("%s is not encrypted", name)
		}
	}
	if queues == 0 {
		t.Error("the template has no queue")
	}
}

// TestEveryScheduleKeepsWhatItCannotDeliver.
func TestEveryScheduleKeepsWhatItCannotDeliver(t *testing.T) {
	tmpl := loadTemplate(t)
	for name, r := range tmpl.Resources {
		if r.Type != "AWS::Scheduler::Schedule" {
			continue
		}
		role, _, _ := strings.Cut(at(&r.Properties, "Target", "RoleArn").Value, ".")
		granted := tmpl.Resources[role]
		for _, key := range []string{"Arn", "DeadLetterConfig"} {
			target := at(&r.Properties, "Target", key)
			if key == "DeadLetterConfig" {
				target = at(target, "Arn")
			}
			if target == nil || !strings.Contains(text(t, &granted.Properties), target.Value) {
				t.Errorf("%s: %s may not send to its %s", name, role, key)
			}
		}
	}
}

// counted are the metrics that the functions count or time, from the code.
func counted(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root+"/shared", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 3 {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); !ok || f.Sel.Name != "Count" && f.Sel.Name != "Time" {
				return true
			}
			if name, ok := call.Args[1].(*ast.BasicLit); ok && name.Kind == token.STRING {
				metric, _ := strconv.Unquote(name.Value)
				found[metric] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d metrics were found", len(found))
	}
	return found
}

// TestMetrics holds the metrics that the code counts, monitoring.yaml watches
// and shows, and the runbook explains together.
func TestMetrics(t *testing.T) {
	known, monitoring := counted(t), read(t, root+"/monitoring.yaml")
	for _, m := range regexp.MustCompile(`SELECT [A-Z]+\((\w+)\)`).FindAllStringSubmatch(monitoring, -1) {
		if !known[m[1]] {
			t.Errorf("monitoring.yaml watches %s, which nothing counts", m[1])
		}
	}
	all := strings.Count(monitoring, "SELECT ")
	own := strings.Count(strings.ReplaceAll(monitoring, `\"`, `"`), ` WHERE "stack" = '${StackName}'`)
	if own != all || all < 10 {
		t.Errorf("%d of %d expressions are of this stack alone", own, all)
	}
	explained := map[string]bool{}
	for _, line := range strings.Split(section(t, read(t, runbook), "Metrics"), "\n") {
		if names, ok := strings.CutPrefix(line, "| `"); ok {
			names, _, _ = strings.Cut(names, " |")
			for _, m := range regexp.MustCompile(`\w+`).FindAllString(names, -1) {
				explained[m] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(known)), slices.Sorted(maps.Keys(explained))); diff != "" {
		t.Errorf("metrics (-code +%s):\n%s", runbook, diff)
	}
}

// TestVariablesNameTheirReaders holds the columns "set by" and "read by" of the
// variables, and the readers of the secrets, against the template's functions.
func TestVariablesNameTheirReaders(t *testing.T) {
	tmpl := loadTemplate(t)
	readers, setters := map[string]map[string]bool{}, map[string]string{}
	labels := map[string]bool{}
	secrets := map[string]string{} // the variable, by the secret's default name
	for _, r := range tmpl.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		label := filepath.Base(at(&r.Properties, "CodeUri").Value)
		labels[label] = true
		variables := at(&r.Properties, "Environment", "Variables")
		for i := 0; i+1 < len(variables.Content); i += 2 {
			name, value := variables.Content[i].Value, variables.Content[i+1]
			if readers[name] == nil {
				readers[name] = map[string]bool{}
			}
			readers[name][label] = true
			if p, ok := tmpl.Parameters[value.Value]; ok && value.Tag == "!Ref" {
				setters[name] = value.Value
				if strings.HasSuffix(name, "_SECRET") && p.Default != "" {
					secrets[p.Default] = name
				}
			}
		}
	}
	named := func(cell string) map[string]bool {
		found := map[string]bool{}
		for _, word := range regexp.MustCompile(`[a-z]+`).FindAllString(cell, -1) {
			if labels[word] {
				found[word] = true
			}
		}
		return found
	}
	rows := func(heading string) (list [][]string) {
		for _, line := range strings.Split(section(t, read(t, guide), heading), "\n") {
			if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") && len(cells) >= 3 {
				cells[0] = strings.Trim(cells[0], "|` ")
				list = append(list, cells)
			}
		}
		return list
	}
	checked := 0
	for _, cells := range rows("Environment variables") {
		name := cells[0]
		if p := setters[name]; p != "" && !strings.Contains(cells[2], "`"+p+"`") {
			t.Errorf("%s: %s is set by %s, not %s", guide, name, p, cells[2])
		}
		if readers[name] == nil || strings.HasPrefix(cells[3], "see ") {
			continue
		}
		checked++
		if diff := cmp.Diff(slices.Sorted(maps.Keys(readers[name])), slices.Sorted(maps.Keys(named(cells[3])))); diff != "" {
			t.Errorf("%s: readers of %s (-template.yaml +guide):\n%s", guide, name, diff)
		}
	}
	for _, cells := range rows("Secrets") {
		name := secrets[cells[0]]
		if name == "" || len(cells) < 3 {
			continue
		}
		checked++
		if diff := cmp.Diff(slices.Sorted(maps.Keys(readers[name])), slices.Sorted(maps.Keys(named(cells[2])))); diff != "" {
			t.Errorf("%s: readers of %s (-template.yaml +guide):\n%s", guide, cells[0], diff)
		}
	}
	if checked < 40 {
		t.Errorf("only %d rows were compared", checked)
	}
}

// TestFilersShareTheBudget wants as many processes of file as the budget of the
// desk's updates is divided by.
func TestFilersShareTheBudget(t *testing.T) {
	stack, err := lambdahost.LoadTemplate(root + "/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := stack.Resolve(lambdahost.ResolveOptions{Parameters: map[string]string{"ZendeskBaseUrl": "https://acme.zendesk.com"}})
	if err != nil {
		t.Fatal(err)
	}
	file, ok := resolved.Function("FileFunction")
	if !ok || len(file.Sources) != 1 || file.Sources[0].MaxConcurrency != boot.Filers {
		t.Errorf("%+v; the budget is divided by %d", file.Sources, boot.Filers)
	}
}
