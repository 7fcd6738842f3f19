package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// namespace holds all of caseroom's metrics.
const namespace = "caseroom"

// Meter writes counts and times in CloudWatch's embedded metric format: one JSON line
// each, from which CloudWatch makes metrics without a call of ours. It is at
// least once: counts serve alarms, not bills. Every line is one Write; a Meter
// may be used concurrently.
//
// See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
type Meter struct {
	Out      io.Writer
	Now      func() time.Time
	Function string // the dimension "function" of every count
	Stack    string // the dimension "stack", by which several stacks' alarms tell theirs apart; "" for none

	mu sync.Mutex
}

// Count adds n to a metric. dims are pairs of a dimension's name and value;
// every combination of values is a metric of its own, so ids of people, tickets
// and requests must not be among them. A count that CloudWatch would drop
// without a word is logged as an error instead.
func (m *Meter) Count(ctx context.Context, metric string, n int, dims ...string) {
	m.write(ctx, metric, n, "Count", dims)
}

// Time notes a duration in a metric, as Count does a number.
func (m *Meter) Time(ctx context.Context, metric string, d time.Duration, dims ...string) {
	m.write(ctx, metric, d.Seconds(), "Seconds", dims)
}

func (m *Meter) write(ctx context.Context, metric string, v any, unit string, dims []string) {
	names := []string{"function"}
	line := map[string]any{"function": value(m.Function)}
	if m.Stack != "" {
		names = append(names, "stack")
		line["stack"] = value(m.Stack)
	}
	ok := isName(metric) && !reserved[metric] && len(dims)%2 == 0 && len(names)+len(dims)/2 <= maxDimensions
	for i := 0; ok && i < len(dims); i += 2 {
		name := dims[i]
		_, taken := line[name]
		ok = isName(name) && !reserved[name] && !taken && name != metric
		names = append(names, name)
		line[name] = value(dims[i+1])
	}
	if !ok {
		slog.ErrorContext(ctx, "metric cannot be written", "metric", metric)
		return
	}
	now := m.Now()
	line[metric] = v
	line["_aws"] = directive{
		Timestamp: now.UnixMilli(),
		CloudWatchMetrics: []metrics{{
			Namespace:  namespace,
			Dimensions: [][]string{names},
			Metrics:    []definition{{Name: metric, Unit: unit}},
		}},
	}
	// Lambda takes a line without a level for INFO and drops it when only
	// warnings are wanted; a count is wanted always.
	line["level"] = level().String()
	line["timestamp"] = now.UTC().Format(time.RFC3339Nano)
	// A property, not a dimension: it leads from the count to the log.
	if lc, found := lambdacontext.FromContext(ctx); found {
		line["requestId"] = lc.AwsRequestID
	}
	b, err := json.Marshal(line)
	if err != nil {
		slog.ErrorContext(ctx, "metric cannot be written", "metric", metric)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = m.Out.Write(append(b, '\n')) // nowhere else to tell it
}

type directive struct {
	Timestamp         int64 // milliseconds
	CloudWatchMetrics []metrics
}

type metrics struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct{ Name, Unit string }

// Limits of the format: dimensions in a set, and characters that every console
// and alarm can show.
const (
	maxDimensions = 30
	maxName       = 128
	maxValue      = 250
)

// reserved are the line's own members.
var reserved = map[string]bool{"_aws": true, "function": true, "stack": true, "level": true, "timestamp": true, "requestId": true}

func isName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// value makes s a dimension value: printable ASCII and not empty, else
// CloudWatch drops the line.
func value(s string) string {
	if s == "" {
		return "none"
	}
	b := []byte(s)
	b = b[:min(len(b), maxValue)]
	for i, c := range b {
		if c <= ' ' || c > '~' {
			b[i] = '_'
		}
	}
	return string(b)
}
