package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A quick run measures everything that a long one does, of every operation. Its
// numbers are not looked at.
func TestQuickRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux's /proc")
	}
	if testing.Short() {
		t.Skip("builds the functions")
	}
	withNode := os.Getenv("CASEROOM_REQUIRE_NODE") != ""
	var out bytes.Buffer
	err := run(t.Context(), options{root: "..", quick: true, noNode: !withNode, out: &out, status: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	group := ""
	for line := range strings.Lines(out.String()) {
		cells := strings.Split(line, "|")
		if len(cells) != 9 || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| measure") {
			continue
		}
		if name := strings.TrimSpace(cells[1]); name != "" {
			group = name
		}
		if strings.TrimSpace(cells[3]) == "" && withNode {
			t.Errorf("nothing measured: %s", line)
		}
		got[group]++
	}
	functions, err := filepath.Glob("../functions/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	n := len(operations())
	want := map[string]int{
		"upstream calls": n,
		"latency, upstream calls 50 ms: p50 / p90 / p99": n,
		"latency, upstream calls 0 ms: p50 / p90 / p99":  n,
		"CPU per request, to a bare Go function":         n,
		"CPU per request, to Node":                       4,
		"peak memory, to Node":                           3,
		"process start to first next, median":            len(functions),
		"deployment package, " + runtime.GOARCH:          len(functions),
		"signing and verifying":                          8,
	}
	if !withNode {
		delete(want, "CPU per request, to Node")
		delete(want, "peak memory, to Node")
		want["CPU and memory, to Node"] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows by group (-want +got):\n%s\n%s", diff, out.String())
	}
	if !regexp.MustCompile(`(?m)^\| upstream calls \| createticket, Zendesk \| 4, 2 deep \|`).Match(out.Bytes()) {
		t.Errorf("createticket's upstream calls are not 4, 2 deep:\n%s", out.String())
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]time.Duration, 0, 100)
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, tt := range []struct {
		all  []time.Duration
		p    float64
		want time.Duration
	}{
		{hundred, 0.5, 50}, {hundred, 0.9, 90}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred, 0, 1},
		{[]time.Duration{7}, 0.5, 7}, {nil, 0.5, 0},
	} {
		if got := quantile(tt.all, tt.p); got != tt.want {
			t.Errorf("quantile of %d values at %v is %d, want %d", len(tt.all), tt.p, got, tt.want)
		}
	}
}

func TestTableIntoDocument(t *testing.T) {
	table := table{rows: []row{
		{group: "latency", what: "joingroup", measured: "1.00 ms", reference: "0.80 ms", ratio: 1.25, target: "≤ 1.5", ok: true},
		{group: "latency", what: "leavegroup", measured: "9.00 ms", target: "≤ 5 ms"},
		{group: "calls", what: "usersig", measured: "0"},
	}}
	text := table.markdown("Here, today.")
	want := `| measure | what | measured | reference | ratio | target | |
|---|---|---|---|---|---|---|
| latency | joingroup | 1.00 ms | 0.80 ms | 1.25 | ≤ 1.5 | ok |
|  | leavegroup | 9.00 ms |  |  | ≤ 5 ms | **over** |
| calls | usersig | 0 |  |  |  |  |

Here, today. 1 value is over its target.
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	path := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(path, []byte("# Title\n\n"+beginMarker+"old\n"+endMarker+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeBetweenMarkers(path, text); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("# Title\n\n"+beginMarker+text+endMarker+"\nafter\n", string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := os.WriteFile(path, []byte("# Title\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeBetweenMarkers(path, text); err == nil {
		t.Error("a document without markers was accepted")
	}
}
