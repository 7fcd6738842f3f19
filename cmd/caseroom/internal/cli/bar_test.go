package cli

import (
	"strings"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	var out strings.Builder
	now := time.Unix(0, 0)
	width := 50
	newBar := func(total int) *Bar {
		out.Reset()
		return &Bar{w: &out, width: func() int { return width }, now: func() time.Time { return now }, what: "sync", total: total}
	}
	drawn := func() string { s := out.String(); out.Reset(); return s }

	b := newBar(10)
	b.Set(0)
	if got, want := drawn(), "\rsync  0/10  0%  ["+strings.Repeat(" ", 31)+"]"; got != want {
		t.Errorf("at the start %q, want %q", got, want)
	}
	now = now.Add(redraw / 2)
	b.Set(1)
	if got := drawn(); got != "" {
		t.Errorf("drawn again at once: %q", got)
	}
	now = now.Add(20 * time.Second)
	b.Set(5)
	if got, want := drawn(), "\rsync  5/10  50%  [==========          ]  20s left"; got != want {
		t.Errorf("half way %q, want %q", got, want)
	}
	now = now.Add(time.Second)
	width = 12
	b.Set(12) // more than there were at the start
	if got, want := drawn(), "\rsync  10/10"+strings.Repeat(" ", 38); got != want {
		t.Errorf("on a narrow terminal %q, want %q", got, want)
	}
	b.Clear()
	if got, want := drawn(), "\r"+strings.Repeat(" ", 11)+"\r"; got != want {
		t.Errorf("cleared with %q, want %q", got, want)
	}

	width = 50
	b = newBar(0)
	b.Clear()
	b.Set(7)
	if got, want := drawn(), "\rsync  7"; got != want {
		t.Errorf("of an unknown number %q, want %q", got, want)
	}
	now = now.Add(time.Second)
	b.Add()
	if got, want := drawn(), "\rsync  8"; got != want {
		t.Errorf("with one more %q, want %q", got, want)
	}
	var none *Bar
	none.Add()
	none.Set(1)
	none.Clear()
}
