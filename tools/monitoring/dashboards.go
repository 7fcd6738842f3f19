package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// dashboard is a page of CloudWatch: its alarms, and below them its graphs.
type dashboard struct {
	id        string
	name      string
	condition string // it shows the functions and alarms that have the same
	graphs    []graph
}

// graph is one chart. Its lines are those of every field that is set.
type graph struct {
	title     string
	stat      string // "" for Sum
	stacked   bool
	api       []string // metrics of the HTTP API
	functions string   // a metric of Lambda, one line a function
	queues    []line
	own       []string // the functions' own metrics
	waited    []string // functions whose messages' ages are shown
}

// line is a metric of a queue.
type line struct {
	queue, metric, label string
}

const (
	visible    = "ApproximateNumberOfMessagesVisible"
	notVisible = "ApproximateNumberOfMessagesNotVisible"
)

var dashboards = []dashboard{
	{
		id:   "Dashboard",
		name: "${StackName}",
		graphs: []graph{
			{title: "Requests", api: []string{"Count", "4xx", "5xx"}},
			{title: "Latency, ms: median", api: []string{"Latency"}, stat: "p50"},
			{title: "Latency, ms: 99th percentile", api: []string{"Latency"}, stat: "p99"},
			{title: "Errors by function", functions: "Errors"},
			{title: "Duration by function, p95, ms", functions: "Duration", stat: "p95"},
			{title: "Throttles by function", functions: "Throttles", stacked: true},
			{title: "Concurrent executions", functions: "ConcurrentExecutions", stat: "Maximum"},
			{title: "Invocations by function", functions: "Invocations", stacked: true},
			{
				title: "Messages that wait",
				stat:  "Maximum",
				queues: []line{
					{"SyncQueue", visible, "sync"},
					{"BulkQueue", visible, "bulk"},
					{"FileQueue", visible, "file"},
					{"ReconcileQueue", visible, "reconcile"},
					{"SweepQueue", visible, "sweep"},
					{"SyncQueue", notVisible, "sync, in work or put off"},
				},
			},
			{title: "Longest wait for sync, forward, file, reconcile, sweep, s", waited: []string{"sync", "forward", "file", "reconcile", "sweep"}},
			{
				title: "Dead letters",
				stat:  "Maximum",
				queues: []line{
					{"SyncDeadLetterQueue", visible, "sync"},
					{"BulkDeadLetterQueue", visible, "bulk"},
					{"FileDeadLetterQueue", visible, "file"},
					{"ReconcileDeadLetterQueue", visible, "reconcile"},
					{"SweepDeadLetterQueue", visible, "sweep"},
					{"ScheduleDeadLetterQueue", visible, "schedule"},
				},
			},
			{
				title: "What goes wrong",
				own: []string{
					"DeadLetter", "SyncFailed", "QueueSendFailed", "TicketHidden", "TicketUnreadable", "RoomSquatted",
					"QuotaExceeded", "CredentialsRefused", "MemberRefused", "NoticeRefused", "TranscriptUnfiled",
				},
			},
			{
				title: "What reconcile and sweep find",
				own:   []string{"Reconciled", "Repaired", "SweepQueued", "SweepFailed", "RoomDissolved", "TranscriptArchived"},
			},
		},
	},
	{
		id:        "CalendarDashboard",
		name:      "${StackName}-calendars",
		condition: "HasCalendars",
		graphs: []graph{
			{title: "Errors by function", functions: "Errors"},
			{title: "Invocations by function", functions: "Invocations"},
			{title: "Duration by function, p95, ms", functions: "Duration", stat: "p95"},
			{
				title: "Messages that wait, and dead letters",
				stat:  "Maximum",
				queues: []line{
					{"CalendarQueue", visible, "calendar"},
					{"CalendarDeadLetterQueue", visible, "dead letters"},
				},
			},
			{title: "Longest wait for calendarsync, s", waited: []string{"calendarsync"}},
			{
				title: "Connections and repairs",
				own:   []string{"CalendarConnected", "CalendarDisconnected", "CalendarRevoked", "CalendarRefused", "CalendarRepairs"},
			},
		},
	},
}

// A dashboard is 24 columns wide: three graphs a row.
const (
	wide, high   = 8, 6
	columns      = 24
	alarmsHigh   = 6
	graphsPerRow = columns / wide
)

// body is the dashboard's JSON with its references as Fn::Sub writes them, a
// line a metric. See
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html.
func (d dashboard) body(s *stack, alarms []alarm) (string, error) {
	var arns []any
	for _, a := range alarms {
		if a.condition == d.condition {
			arns = append(arns, "${"+a.id()+".Arn}")
		}
	}
	widgets := []string{fmt.Sprintf(`{"type": "alarm", "x": 0, "y": 0, "width": %d, "height": %d, "properties": {"title": "Alarms (docs/runbook.md)", "alarms": %s}}`,
		columns, alarmsHigh, list(arns))}
	for i, g := range d.graphs {
		lines, err := g.lines(d, s)
		if err != nil {
			return "", err
		}
		stat := g.stat
		if stat == "" {
			stat = "Sum"
		}
		widgets = append(widgets, fmt.Sprintf(
			`{"type": "metric", "x": %d, "y": %d, "width": %d, "height": %d, "properties": {"title": %q, "region": "${AWS::Region}", "view": "timeSeries", "stacked": %t, "stat": %q, "period": 300, "metrics": %s}}`,
			i%graphsPerRow*wide, alarmsHigh+i/graphsPerRow*high, wide, high, g.title, g.stacked, stat, list(lines)))
	}
	return "{\"widgets\": [\n" + strings.Join(widgets, ",\n") + "\n]}\n", nil
}

func (g graph) lines(d dashboard, s *stack) (lines []any, err error) {
	for _, name := range g.api {
		lines = append(lines, []any{"AWS/ApiGateway", name, "ApiId", "${HttpApi}"})
	}
	for _, f := range s.functions {
		if g.functions != "" && f.condition == d.condition {
			lines = append(lines, []any{"AWS/Lambda", g.functions, "FunctionName", "${" + f.id + "}", map[string]string{"label": f.name}})
		}
	}
	for _, l := range g.queues {
		q, err := s.queue(l.queue)
		if err != nil {
			return nil, err
		}
		lines = append(lines, []any{"AWS/SQS", l.metric, "QueueName", q.name, map[string]string{"label": l.label}})
	}
	for i, name := range g.own {
		lines = append(lines, []any{map[string]string{
			"expression": own(metric{name: name}), "label": name, "id": fmt.Sprintf("m%d", i), "region": "${AWS::Region}",
		}})
	}
	for i, name := range g.waited {
		lines = append(lines, []any{map[string]string{
			"expression": own(metric{name: "Waited", statistic: "MAX", dimension: "function", value: name}),
			"label":      name, "id": fmt.Sprintf("m%d", i), "region": "${AWS::Region}",
		}})
	}
	return lines, nil
}

// list is a JSON array with each element on a line of its own.
func list(elements []any) string {
	texts := slices.Collect(func(yield func(string) bool) {
		for _, e := range elements {
			text, err := json.Marshal(e)
			if err != nil {
				panic(err) // strings, and lists and maps of them
			}
			if !yield("  " + string(text)) {
				return
			}
		}
	})
	return "[\n" + strings.Join(texts, ",\n") + "\n]"
}
