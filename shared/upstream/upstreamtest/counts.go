package upstreamtest

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Counts is a meter that adds up, by metric and by metric with its dimensions.
type Counts struct {
	mu sync.Mutex
	n  map[string]int
	d  map[string]time.Duration
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

// Time keeps the longest that was noted.
func (c *Counts) Time(_ context.Context, metric string, d time.Duration, _ ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.d == nil {
		c.d = map[string]time.Duration{}
	}
	c.d[metric] = max(c.d[metric], d)
}

// Longest returns the longest that was noted of a metric.
func (c *Counts) Longest(metric string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.d[metric]
}

// Of returns what a metric has come to.
func (c *Counts) Of(metric string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[metric]
}
