package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(root + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMonitoringIsUpToDate(t *testing.T) {
	want, err := generate(read(t, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(read(t, "monitoring.yaml"))); diff != "" {
		t.Errorf("run make monitoring (-as it would write it +monitoring.yaml):\n%s", diff)
	}
}

// TestANewFunctionIsWatched: a function needs no more than its place in the
// template to get its alarms and its lines on a dashboard.
func TestANewFunctionIsWatched(t *testing.T) {
	template := strings.Replace(string(read(t, "template.yaml")), "\nResources:\n", `
Resources:
  PingFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/ping/
`, 1)
	got, err := generate([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  PingFunction:\n    Type: String\n",
		"  PingErrorsAlarm:\n",
		"AlarmDescription: ping crashed,",
		"  PingThrottlesAlarm:\n",
		`"${PingErrorsAlarm.Arn}"`,
		`["AWS/Lambda","Duration","FunctionName","${PingFunction}",{"label":"ping"}]`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("nothing is %q", want)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	template := string(read(t, "template.yaml"))
	for name, broken := range map[string]string{
		"template.yaml has no queue SweepQueue":             strings.Replace(template, "\n  SweepQueue:\n", "\n  BroomQueue:\n", 1),
		"SyncQueue: its QueueName is not written with !Sub": strings.Replace(template, "QueueName: !Sub ${AWS::StackName}-sync.fifo", "QueueName: sync.fifo", 1),
	} {
		if _, err := generate([]byte(broken)); err == nil || err.Error() != name {
			t.Errorf("%v, not %s", err, name)
		}
	}
}
