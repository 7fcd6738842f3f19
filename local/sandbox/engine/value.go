package engine

import (
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// Window counts the requests of a span of time.
type Window struct {
	Start time.Time
	Count int
}

// FirstRunes returns at most the first n characters of s.
func FirstRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// ValidEmail reports whether s is one address at a domain that has a dot.
func ValidEmail(s string) bool {
	if len(s) > 254 || strings.ContainsAny(s, " \t\r\n") {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	_, domain, _ := strings.Cut(s, "@")
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".")
}

// OrNull renders a zero value as JSON null, as vendors do for what is unset.
func OrNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
