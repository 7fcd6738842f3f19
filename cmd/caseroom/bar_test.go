package main

import (
	"strings"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	width := 50
	newBar := func(total int) *bar {
		out.Reset()
		return &bar{w: &out, width: func() int { return width }, now: func() time.Time { return now }, what: "sync", total: total}
	}
	drawn := func() string { s := out.String(); out.Reset(); return s }

	b := newBar(10)
	b.set(0)
	if got, want := drawn(), "\rsync  0/10  0%  ["+strings.Repeat(" ", 31)+"]"; got != want {
		t.Errorf("at the start %q, want %q", got, want)
	}
	now = now.Add(redraw / 2)
	b.set(1)
	if got := drawn(); got != "" {
		t.Errorf("drawn again at once: %q", got)
	}
	now = now.Add(20 * time.Second)
	b.set(5)
	if got, want := drawn(), "\rsync  5/10  50%  [==========          ]  20s left"; got != want {
		t.Errorf("half way %q, want %q", got, want)
	}
	now = now.Add(time.Second)
	width = 12
	b.set(12) // more than there were at the start
	if got, want := drawn(), "\rsync  10/10"+strings.Repeat(" ", 38); got != want {
		t.Errorf("on a narrow terminal %q, want %q", got, want)
	}
	b.clear()
	if got, want := drawn(), "\r"+strings.Repeat(" ", 11)+"\r"; got != want {
		t.Errorf("cleared with %q, want %q", got, want)
	}

	width = 50
	b = newBar(0)
	b.clear()
	b.set(7)
	if got, want := drawn(), "\rsync  7"; got != want {
		t.Errorf("of an unknown number %q, want %q", got, want)
	}
	now = now.Add(time.Second)
	b.add()
	if got, want := drawn(), "\rsync  8"; got != want {
		t.Errorf("with one more %q, want %q", got, want)
	}
	var none *bar
	none.add()
	none.set(1)
	none.clear()
}
