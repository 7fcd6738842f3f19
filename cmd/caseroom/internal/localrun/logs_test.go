package localrun

import (
	"bytes"
	"testing"
)

func TestQuietLog(t *testing.T) {
	t.Parallel()
	for line, shown := range map[string]bool{
		`createticket | {"level":"INFO","message":"request"}`: false,
		`createticket | {"level":"WARN","message":"m"}`:       true,
		`createticket | {"level":"ERROR","message":"m"}`:      true,
		`createticket | panic: x`:                             true,
		`POST /createticket 200 1 ms createticket`:            true,
	} {
		var out bytes.Buffer
		q := &quietLog{out: &out}
		q.ready.Store(true)
		if _, err := q.Write([]byte(line + "\n")); err != nil || (out.Len() > 0) != shown {
			t.Errorf("%s: shown %v", line, out.Len() > 0)
		}
	}
	var out bytes.Buffer
	q := &quietLog{out: &out}
	if _, _ = q.Write([]byte("POST /createticket 200 1 ms createticket\n")); out.Len() > 0 {
		t.Error("a request of the seeding is shown")
	}
}
