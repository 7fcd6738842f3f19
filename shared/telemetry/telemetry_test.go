package telemetry_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/telemetry"
)

func inLambda(ctx context.Context) context.Context {
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: "req-1"})
}

func decode(t *testing.T, line []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatalf("not one JSON object: %q", line)
	}
	return m
}

// captured runs fn with Init's logger and returns what it wrote.
func captured(t *testing.T, fn func()) []map[string]any {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, logger, output, flags, level := os.Stdout, slog.Default(), log.Writer(), log.Flags(), slog.SetLogLoggerLevel(slog.LevelInfo)
	defer func() {
		os.Stdout = stdout
		slog.SetDefault(logger)
		log.SetOutput(output)
		log.SetFlags(flags)
		slog.SetLogLoggerLevel(level)
	}()
	os.Stdout = w
	telemetry.Init("createticket")
	fn()
	_ = w.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for _, line := range bytes.Split(bytes.TrimSpace(all), []byte("\n")) {
		if len(line) > 0 {
			lines = append(lines, decode(t, line))
		}
	}
	return lines
}

func TestInit(t *testing.T) {
	lines := captured(t, func() {
		slog.Info("outside")
		slog.WarnContext(inLambda(t.Context()), "inside", "n", 1)
		slog.Default().WithGroup("g").With("a", 1).InfoContext(inLambda(t.Context()), "grouped", "b", 2)
		slog.Debug("too detailed")
		log.Print("the runtime's own line")
	})
	if len(lines) != 4 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	for _, line := range lines {
		if line["service"] != "caseroom" || line["function"] != "createticket" {
			t.Errorf("service or function is missing: %v", line)
		}
		if _, named := line["version"].(string); !named {
			t.Errorf("the version is missing: %v", line)
		}
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(line["timestamp"])); err != nil {
			t.Errorf("Lambda would not read the timestamp: %v", line)
		}
	}
	want := []struct{ level, message, request string }{
		{"INFO", "outside", "<nil>"}, {"WARN", "inside", "req-1"}, {"INFO", "grouped", "req-1"}, {"ERROR", "the runtime's own line", "<nil>"},
	}
	for i, w := range want {
		got := lines[i]
		if got["level"] != w.level || got["message"] != w.message || fmt.Sprint(got["requestId"]) != w.request {
			t.Errorf("line %d is %v, want %+v", i, got, w)
		}
	}
	if diff := cmp.Diff(map[string]any{"a": 1.0, "b": 2.0}, lines[2]["g"]); diff != "" {
		t.Errorf("group (-want +got):\n%s", diff)
	}
}

func TestLevelFollowsLambda(t *testing.T) {
	for value, want := range map[string][]string{
		"DEBUG": {"DEBUG", "INFO", "WARN", "ERROR"}, "TRACE": {"DEBUG", "INFO", "WARN", "ERROR"},
		"INFO": {"INFO", "WARN", "ERROR"}, "": {"INFO", "WARN", "ERROR"}, "nonsense": {"INFO", "WARN", "ERROR"},
		"WARN": {"WARN", "ERROR"}, "ERROR": {"ERROR"}, "FATAL": {"ERROR"},
	} {
		t.Setenv("AWS_LAMBDA_LOG_LEVEL", value)
		var out bytes.Buffer
		l := slog.New(telemetry.NewHandler(&out))
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			l.Log(t.Context(), level, "x")
		}
		var got []string
		for s := bufio.NewScanner(&out); s.Scan(); {
			got = append(got, fmt.Sprint(decode(t, s.Bytes())["level"]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: logged %v, want %v", value, got, want)
		}
	}
}

// One handler serves many loggers: what one opens or adds is not another's.
func TestLoggersDoNotShareGroups(t *testing.T) {
	var out bytes.Buffer
	base := slog.New(telemetry.NewHandler(&out)).With("base", true).WithGroup("one")
	left, right := base.With("left", 1), base.With("right", 1)
	right.WithGroup("two").InfoContext(inLambda(t.Context()), "r", "deep", 1)
	left.InfoContext(inLambda(t.Context()), "l")
	var groups []any
	for s := bufio.NewScanner(&out); s.Scan(); {
		line := decode(t, s.Bytes())
		if line["requestId"] != "req-1" || line["base"] != true {
			t.Errorf("got %v", line)
		}
		groups = append(groups, line["one"])
	}
	want := []any{map[string]any{"right": 1.0, "two": map[string]any{"deep": 1.0}}, map[string]any{"left": 1.0}}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var noon = time.Date(2026, 11, 1, 12, 0, 0, 250e6, time.UTC)

func meter(out io.Writer) *telemetry.Meter {
	return &telemetry.Meter{Out: out, Now: func() time.Time { return noon }, Function: "createticket"}
}

func TestCount(t *testing.T) {
	var out bytes.Buffer
	meter(&out).Count(inLambda(t.Context()), "QueueSendFailed", 2, "desk", "zendesk", "class", "unknown")
	var got any = decode(t, out.Bytes())
	want := any(map[string]any{
		"_aws": map[string]any{
			"Timestamp": float64(noon.UnixMilli()),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace":  "caseroom",
				"Dimensions": []any{[]any{"function", "desk", "class"}},
				"Metrics":    []any{map[string]any{"Name": "QueueSendFailed", "Unit": "Count"}},
			}},
		},
		"function": "createticket", "desk": "zendesk", "class": "unknown", "QueueSendFailed": 2.0,
		"level": "INFO", "timestamp": "2026-11-01T12:00:00.25Z", "requestId": "req-1",
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !bytes.HasSuffix(out.Bytes(), []byte("}\n")) || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
		t.Errorf("not one line: %q", out.Bytes())
	}
}

func TestTime(t *testing.T) {
	var out bytes.Buffer
	meter(&out).Time(t.Context(), "Waited", 90*time.Second+time.Second/2)
	got := decode(t, out.Bytes())
	text := out.String()
	if got["Waited"] != 90.5 || !strings.Contains(text, `{"Name":"Waited","Unit":"Seconds"}`) {
		t.Error(text)
	}
}

// The alarms of one stack select by its name.
func TestCountOfAStack(t *testing.T) {
	var out bytes.Buffer
	m := meter(&out)
	m.Stack = "caseroom-eu"
	m.Count(t.Context(), "QueueSendFailed", 1, "desk", "zendesk")
	valid(t, out.Bytes())
	line := decode(t, out.Bytes())
	if line["stack"] != "caseroom-eu" || !strings.Contains(out.String(), `"Dimensions":[["function","stack","desk"]]`) {
		t.Errorf("got %s", out.String())
	}
	out.Reset()
	m.Count(t.Context(), "QueueSendFailed", 1, "stack", "another")
	if out.Len() > 0 {
		t.Errorf("a dimension took the stack's place: %s", out.String())
	}
}

// valid checks a line by the embedded metric format's own rules.
func valid(t *testing.T, raw []byte) {
	t.Helper()
	line := decode(t, raw)
	var meta struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		t.Fatal(err)
	}
	if meta.AWS.Timestamp < 1e12 || meta.AWS.Timestamp > 1e13 {
		t.Errorf("timestamp %d is not in milliseconds", meta.AWS.Timestamp)
	}
	if len(meta.AWS.CloudWatchMetrics) == 0 {
		t.Error("no metric directive")
	}
	for _, d := range meta.AWS.CloudWatchMetrics {
		if d.Namespace == "" || strings.HasPrefix(d.Namespace, "AWS/") || len(d.Metrics) == 0 || len(d.Metrics) > 100 {
			t.Errorf("directive %+v", d)
		}
		for _, m := range d.Metrics {
			if _, ok := line[m.Name].(float64); !ok {
				t.Errorf("metric %s is not a numeric member: %v", m.Name, line[m.Name])
			}
		}
		for _, set := range d.Dimensions {
			if len(set) > 30 {
				t.Errorf("%d dimensions", len(set))
			}
			for _, name := range set {
				v, ok := line[name].(string)
				bad := strings.IndexFunc(v, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0
				if !ok || v == "" || len(v) > 1024 || bad {
					t.Errorf("dimension %s is %q", name, v)
				}
			}
		}
	}
}

func TestEveryLineIsValid(t *testing.T) {
	long := strings.Repeat("é", 300)
	many := make([]string, 0, 58)
	for i := range 29 {
		many = append(many, fmt.Sprintf("d%d", i), "v")
	}
	for _, dims := range [][]string{nil, {"vendor", ""}, {"vendor", "two\nlines"}, {"vendor", long}, {"a", "1", "b", `"<&>"`}, many} {
		var out bytes.Buffer
		meter(&out).Count(t.Context(), "Requests", 1, dims...)
		valid(t, out.Bytes())
		empty := &telemetry.Meter{Out: &out, Now: time.Now}
		out.Reset()
		empty.Count(t.Context(), "Requests", 0, dims...)
		valid(t, out.Bytes())
	}
}

func TestWhatCloudWatchWouldDropIsAnError(t *testing.T) {
	tooMany := make([]string, 0, 60)
	for i := range 30 {
		tooMany = append(tooMany, fmt.Sprintf("d%d", i), "v")
	}
	tests := map[string]struct {
		metric string
		dims   []string
	}{
		"no name":         {"", nil},
		"odd":             {"Requests", []string{"vendor"}},
		"twice":           {"Requests", []string{"vendor", "a", "vendor", "b"}},
		"metric as dim":   {"Requests", []string{"Requests", "a"}},
		"function again":  {"Requests", []string{"function", "a"}},
		"level":           {"Requests", []string{"level", "a"}},
		"reserved metric": {"_aws", nil},
		"request id":      {"Requests", []string{"requestId", "a"}},
		"spaces":          {"Requests made", nil},
		"too many":        {"Requests", tooMany},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			lines := captured(t, func() { meter(&out).Count(t.Context(), tt.metric, 1, tt.dims...) })
			if out.Len() != 0 {
				t.Errorf("wrote %s", out.Bytes())
			}
			if len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["metric"] != tt.metric {
				t.Errorf("logged %v", lines)
			}
		})
	}
}

// A filter for warnings must not drop counts.
func TestCountPassesTheLevelFilter(t *testing.T) {
	for value, want := range map[string]string{"": "INFO", "WARN": "WARN", "ERROR": "ERROR"} {
		t.Setenv("AWS_LAMBDA_LOG_LEVEL", value)
		var out bytes.Buffer
		meter(&out).Count(t.Context(), "Requests", 1)
		if got := decode(t, out.Bytes())["level"]; got != want {
			t.Errorf("%q: level is %v, want %s", value, got, want)
		}
		valid(t, out.Bytes())
	}
}

// writes keeps what each Write got.
type writes struct{ all [][]byte }

func (w *writes) Write(p []byte) (int, error) {
	w.all = append(w.all, bytes.Clone(p))
	return len(p), nil
}

func TestConcurrentCounts(t *testing.T) {
	w := &writes{}
	m := meter(w)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { m.Count(t.Context(), "Requests", i, "vendor", "zendesk") })
	}
	wg.Wait()
	if len(w.all) != 50 {
		t.Fatalf("%d writes for 50 counts", len(w.all))
	}
	for _, line := range w.all {
		valid(t, line)
	}
}
