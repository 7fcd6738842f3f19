package api

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caseroom/caseroom/shared/problem"
)

// Limit is how often each of many keys, such as clients' addresses, may call. Its
// buckets are in the process's memory: a function that runs in several processes
// lets that many times as much through.
type Limit struct {
	// PerMinute is how many calls a key has a minute, and at once after a minute's
	// rest. 0 is no limit.
	PerMinute int
	Now       func() time.Time

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

// maxBuckets bounds the memory for keys, to about 2 MB.
const maxBuckets = 10_000

// Take refuses a call of a key that has had its calls, with a RateLimited problem
// that says when the next one will do.
func (l *Limit) Take(key string) error {
	if l == nil || l.PerMinute <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	bucket := l.buckets[key]
	if bucket == nil {
		if len(l.buckets) >= maxBuckets {
			l.forget(now)
		}
		if l.buckets == nil {
			l.buckets = map[string]*rate.Limiter{}
		}
		bucket = rate.NewLimiter(rate.Limit(float64(l.PerMinute)/60), l.PerMinute)
		l.buckets[key] = bucket
	}
	r := bucket.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	p := problem.New(problem.RateLimited, "Too many requests from here. Wait, then send the same request with the same Idempotency-Key.")
	p.RetryAfter = wait
	return p
}

// forget drops full buckets, as a new bucket is full too. If none is full it drops
// all of them: the limit on all guests together holds so many callers.
func (l *Limit) forget(now time.Time) {
	for key, bucket := range l.buckets {
		if bucket.TokensAt(now) >= float64(l.PerMinute) {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

// ClientAddress returns who sent the request, as far as the gateway or the edge
// before it says so: an IPv4 address, or an IPv6 network of 64 bits, which is one
// customer's. header is the edge's own, such as True-Client-IP, with an
// address and perhaps a port; where it is "" or not sent, the gateway's word
// counts.
func (r *Request) ClientAddress(header string) string {
	if header != "" {
		if values := r.Header.Values(header); len(values) == 1 {
			if a, ok := ipAddress(values[0]); ok {
				return a
			}
		}
	}
	a, _ := ipAddress(r.Source)
	return a
}

func ipAddress(s string) (string, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		// CloudFront writes the port behind an IPv6 address without brackets.
		host := strings.Trim(s[:max(0, strings.LastIndexByte(s, ':'))], "[]")
		if a, err = netip.ParseAddr(host); err != nil {
			return "", false
		}
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String(), true
	}
	p, err := a.Prefix(64)
	return p.String(), err == nil
}
