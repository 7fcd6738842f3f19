package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/problem"
)

func TestLimit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	l := &api.Limit{PerMinute: 6, Now: func() time.Time { return now }}
	for i := range 6 {
		if err := l.Take("a"); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	var p *problem.Error
	if err := l.Take("a"); !errors.As(err, &p) || p.Code != problem.RateLimited || p.RetryAfter != 10*time.Second {
		t.Errorf("the seventh: %v, to wait %v", err, p.RetryAfter)
	}
	if err := l.Take("b"); err != nil {
		t.Errorf("another: %v", err)
	}
	now = now.Add(10 * time.Second)
	if err := l.Take("a"); err != nil {
		t.Errorf("after ten seconds: %v", err)
	}
	if err := l.Take("a"); err == nil {
		t.Error("a refused call counted as one that was let through")
	}
	// The memory is bounded, and a caller who has to wait is not forgotten for those
	// who are at rest.
	for range 6 {
		_ = l.Take("busy")
	}
	for i := range 9_990 {
		if err := l.Take(fmt.Sprint("caller ", i)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(10 * time.Second)
	if err := l.Take("busy"); err != nil {
		t.Errorf("ten seconds later: %v", err)
	}
	for i := range 20 {
		if err := l.Take(fmt.Sprint("new ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Take("busy"); err == nil {
		t.Error("the caller who had to wait was forgotten")
	}
	if n := l.Buckets(); n > 100 {
		t.Errorf("%d callers are remembered, most of them at rest", n)
	}
	for i := range 30_000 { // and more callers at once than there is room for
		if err := l.Take(fmt.Sprint("crowd ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.Buckets(); n > 10_000 {
		t.Errorf("%d callers are remembered", n)
	}
	for _, none := range []*api.Limit{nil, {Now: time.Now}} {
		for range 1000 {
			if err := none.Take("a"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	const edge = "CloudFront-Viewer-Address"
	for name, tt := range map[string]struct {
		source string
		header []string
		want   string
	}{
		"the gateway's word":              {"203.0.113.9", nil, "203.0.113.9"},
		"an IPv6 network":                 {"2001:db8:1:2:3:4:5:6", nil, "2001:db8:1:2::/64"},
		"the edge's":                      {"203.0.113.9", []string{"198.51.100.7:46532"}, "198.51.100.7"},
		"the edge's, IPv6":                {"203.0.113.9", []string{"2001:0db8:85a3:0000:0000:8a2e:0370:7334:46532"}, "2001:db8:85a3::/64"},
		"IPv6 in brackets":                {"203.0.113.9", []string{"[2001:db8:1:2::9]:443"}, "2001:db8:1:2::/64"},
		"IPv4 in IPv6":                    {"::ffff:203.0.113.9", nil, "203.0.113.9"},
		"a zone":                          {"fe80::1%eth0", nil, "fe80::/64"},
		"nonsense from the edge":          {"203.0.113.9", []string{"unknown"}, "203.0.113.9"},
		"two of a header that comes once": {"203.0.113.9", []string{"198.51.100.7", "198.51.100.8"}, "203.0.113.9"},
		"nothing":                         {"", nil, ""},
	} {
		r := &api.Request{Request: &http.Request{Header: http.Header{}}, Source: tt.source}
		for _, v := range tt.header {
			r.Header.Add(edge, v)
		}
		if got := r.ClientAddress(edge); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	r := &api.Request{Request: &http.Request{Header: http.Header{}}, Source: "203.0.113.9"}
	r.Header.Set(edge, "198.51.100.7")
	if got := r.ClientAddress(""); got != "203.0.113.9" {
		t.Errorf("a header that nobody asked for counts: %q", got)
	}
}
