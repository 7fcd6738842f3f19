package upstreamtest

import (
	"context"
	"strings"
	"sync"
)

// Counts is a meter that adds up, by metric and by metric with its dimensions.
type Counts struct {
	mu sync.Mutex
	n  map[string]int
}

// Count adds n to a metric.
func (c *Counts) Count(_ context.Context, metric string, n int, dimensions ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[metric] += n
	if len(dimensions) > 0 {
		c.n[metric+" "+strings.Join(dimensions, " ")] += n
	}
}

// Of returns what a metric has come to.
func (c *Counts) Of(metric string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[metric]
}
