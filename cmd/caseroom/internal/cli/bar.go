package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// redraw is the least time between two drawings of a bar.
const redraw = 100 * time.Millisecond

// Bar shows on a terminal how far long work has come. It draws only when the
// work reports progress, so no goroutine runs beside the work. A nil bar shows
// nothing.
type Bar struct {
	w     io.Writer
	width func() int // of the terminal, in columns
	now   func() time.Time
	what  string
	total int // 0 if unknown

	done         int
	begun, drawn time.Time
	shown        int // columns of the line on the terminal
}

// Add reports one more done.
func (b *Bar) Add() {
	if b != nil {
		b.Set(b.done + 1)
	}
}

// Set draws the bar with done of total, unless it was drawn just now.
func (b *Bar) Set(done int) {
	if b == nil {
		return
	}
	b.done = done
	now := b.now()
	if b.begun.IsZero() {
		b.begun = now
	}
	if now.Sub(b.drawn) < redraw {
		return
	}
	b.drawn = now
	b.draw(b.line(done, now.Sub(b.begun)))
}

// line is what the terminal shows, at most a column narrower than it: a full
// line would wrap.
func (b *Bar) line(done int, elapsed time.Duration) string {
	room := max(b.width()-1, 0)
	line := fmt.Sprintf("%s  %d", b.what, done)
	if b.total > 0 {
		done = min(done, b.total)
		line = fmt.Sprintf("%s  %d/%d  %d%%", b.what, done, b.total, done*100/b.total)
		end := ""
		if done > 0 {
			left := elapsed * time.Duration(b.total-done) / time.Duration(done)
			end = "  " + left.Round(time.Second).String() + " left"
		}
		if n := room - len(line) - len(end) - len("  []"); n > 0 {
			full := n * done / b.total
			line += "  [" + strings.Repeat("=", full) + strings.Repeat(" ", n-full) + "]" + end
		}
	}
	return line[:min(len(line), room)]
}

// Clear takes the bar off the terminal.
func (b *Bar) Clear() {
	if b != nil && b.shown > 0 {
		b.draw("")
		_, _ = io.WriteString(b.w, "\r")
	}
}

// draw replaces the line with spaces, not an escape sequence, for the sake of
// old Windows consoles.
func (b *Bar) draw(line string) {
	_, _ = io.WriteString(b.w, "\r"+line+strings.Repeat(" ", max(b.shown-len(line), 0)))
	b.shown = len(line)
}
