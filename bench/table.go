package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// row is one line of the table. Without a target it only informs.
type row struct {
	group, what string
	measured    string
	reference   string
	ratio       float64 // 0: none
	target      string
	ok          bool
}

type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// markdown renders the table with a line about the run under it. A group is
// named in its first row only.
func (t *table) markdown(about string) string {
	var b strings.Builder
	b.WriteString("| measure | what | measured | reference | ratio | target | |\n|---|---|---|---|---|---|---|\n")
	group, over := "", 0
	for _, r := range t.rows {
		name := r.group
		if name == group {
			name = ""
		}
		group = r.group
		ratio, verdict := "", ""
		if r.ratio > 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio)
		}
		if r.target != "" {
			verdict = "ok"
			if !r.ok {
				verdict = "**over**"
				over++
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", name, r.what, r.measured, r.reference, ratio, r.target, verdict)
	}
	fmt.Fprintf(&b, "\n%s ", about)
	switch over {
	case 0:
		b.WriteString("Every target is met.\n")
	case 1:
		b.WriteString("1 value is over its target.\n")
	default:
		fmt.Fprintf(&b, "%d values are over their targets.\n", over)
	}
	return b.String()
}

const (
	beginMarker = "<!-- bench: begin -->\n"
	endMarker   = "<!-- bench: end -->\n"
)

// writeBetweenMarkers replaces what stands between the markers of a document.
func writeBetweenMarkers(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(beginMarker))
	_, after, ok2 := bytes.Cut(rest, []byte(endMarker))
	if !ok || !ok2 {
		return errors.New(path + " has no markers to put the table between")
	}
	return os.WriteFile(path, slices.Concat(before, []byte(beginMarker), []byte(text), []byte(endMarker), after), 0o644)
}

// quantile returns the p-quantile by the nearest rank.
func quantile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

// spread prints p50, p90 and p99.
func spread(all []time.Duration) string {
	return fmt.Sprintf("%s / %s / %s ms", digits(milliseconds(quantile(all, 0.5))),
		digits(milliseconds(quantile(all, 0.9))), digits(milliseconds(quantile(all, 0.99))))
}

// digits prints three significant digits or so.
func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
