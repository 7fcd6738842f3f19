package worker_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/worker"
)

// live is the queue that bulk hints are passed on to: how deep it is at each look,
// the last depth for ever, and what it was sent.
type live struct {
	depths [][2]int
	looks  int
	sent   []string
	err    error
}

func (l *live) SendAll(_ context.Context, hints ...relay.Hint) error {
	for _, h := range hints {
		body, err := h.Encode()
		if err != nil {
			return err
		}
		l.sent = append(l.sent, body)
	}
	return l.err
}

func (l *live) depth(context.Context) (waiting, received int, err error) {
	if len(l.depths) == 0 {
		return 0, 0, errors.New("no answer")
	}
	at := l.depths[min(l.looks, len(l.depths)-1)]
	l.looks++
	return at[0], at[1], nil
}

func TestForward(t *testing.T) {
	t.Parallel()
	const one, two = `{"v":1,"desk":"zendesk","ticket":"1","hint":"deleted"}`, `{"v":1,"desk":"zendesk","ticket":"2","hint":""}`
	calm := [2]int{0, 0}
	for _, c := range []struct {
		name   string
		depths [][2]int
		err    error // of the sending
		looks  int
		passed bool
		wait   int32 // until the next try, where they are not passed on
	}{
		{name: "calm", depths: [][2]int{calm}, looks: 1, passed: true},
		{name: "nearly calm", depths: [][2]int{{9, 49}}, looks: 1, passed: true},
		{name: "calm after a while", depths: [][2]int{{10, 0}, {400, 100}, {0, 50}, {0, 49}}, looks: 4, passed: true},
		{name: "busy", depths: [][2]int{{10, 10}}, looks: 21, wait: 20},
		// What is put off keeps nobody busy, or one outage would end all bulk work.
		{name: "much is put off", depths: [][2]int{{0, 5000}}, looks: 21, passed: true},
		{name: "nobody knows", wait: 5},
		{name: "not sent", depths: [][2]int{calm}, looks: 1, err: errors.New("no queue"), wait: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, waits, l := &fifo{}, []time.Duration{}, &live{depths: c.depths, err: c.err}
			w := &worker.Forward{Mailbox: q.box(&waits), Live: l, Depth: l.depth}
			failed := handle(t, w.Lambda, record("a", "zendesk:1", one, 1), record("x", "zendesk:9", "x", 1), record("b", "zendesk:2", two, 1))
			if len(q.dead) != 1 || *q.dead[0].MessageBody != "x" {
				t.Errorf("dead %v", q.dead)
			}
			if l.looks != c.looks {
				t.Errorf("looked %d times, want %d", l.looks, c.looks)
			}
			if c.passed {
				if len(failed) != 0 || !slices.Equal(l.sent, []string{one, two}) || len(waits) != c.looks {
					t.Errorf("failed %v, sent %v, waited %v", failed, l.sent, waits)
				}
				return
			}
			if !slices.Equal(failed, []string{"a", "b"}) || q.hidden["a"] != c.wait || q.hidden["b"] != c.wait {
				t.Errorf("failed %v, hidden %v", failed, q.hidden)
			}
		})
	}
}
