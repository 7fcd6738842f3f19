package localrun

import (
	"bytes"
	"encoding/json"
	"io"
	"sync/atomic"
)

// quietLog passes on the host's lines: each request in one, and of the
// functions' own JSON lines only what somebody should look at, unless all is
// set. Before ready is set it holds back requests too: they are the seeding's.
type quietLog struct {
	out   io.Writer
	all   bool
	ready atomic.Bool
}

// Write takes one whole line, as the host writes them.
func (q *quietLog) Write(line []byte) (int, error) {
	if q.all || q.shows(line) {
		return q.out.Write(line)
	}
	return len(line), nil
}

func (q *quietLog) shows(line []byte) bool {
	_, text, ofFunction := bytes.Cut(line, []byte(" | "))
	if !ofFunction {
		return q.ready.Load()
	}
	var entry struct {
		Level string `json:"level"`
	}
	if json.Unmarshal(text, &entry) != nil {
		return true // a panic, or something that was printed
	}
	return entry.Level != "INFO" && entry.Level != "DEBUG"
}
