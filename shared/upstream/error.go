// Package upstream makes one HTTP call to a vendor: with a deadline inside the
// invocation's, a bounded body, a classified error, and no URL or credential in
// anything that can be printed. What a vendor's answer means is the vendor
// package's business.
package upstream

import (
	"errors"
	"fmt"
	"time"
)

// Class says what a failed call may have done and whether another may help.
type Class string

const (
	// Refused: the vendor understood and said no; the same call gets the same answer.
	Refused Class = "refused"
	// RateLimited: not done; may be sent again after RetryAfter.
	RateLimited Class = "rate_limited"
	// Unavailable: certainly not done (no connection, 503 before any work).
	Unavailable Class = "unavailable"
	// Unknown: may or may not have been done (time-out, reset after sending,
	// 500, unreadable answer). Look it up; never repeat it blindly.
	Unknown Class = "unknown"
)

// Error is a failed call to a vendor. It holds no URL, header or vendor prose:
// only what a machine may act on and an operator may read.
type Error struct {
	Vendor string // "zendesk", "salesforce", "tencent", "zopim"
	Op     string // the endpoint in the vendor's words, such as "create_group"
	Status int    // HTTP status, 0 when there was no answer
	Code   string // the vendor's own error code, such as "10021" or "DUPLICATE_VALUE"
	Class  Class
	// RetryAfter is what the vendor asked for, 0 if it did not say.
	RetryAfter time.Duration
	// Credentials is true when the vendor refused ours, not the request.
	Credentials bool
	// Quota is true when a plan's limit was met, which no waiting lifts.
	Quota bool
	Err   error // the cause, already free of URLs and secrets
}

func (e *Error) Error() string {
	s := e.Vendor + " " + e.Op + ": " + string(e.Class)
	if e.Status != 0 {
		s += fmt.Sprintf(", status %d", e.Status)
	}
	if e.Code != "" {
		s += ", code " + e.Code
	}
	if e.Quota {
		s += ", plan quota"
	}
	if e.Credentials {
		s += ", credentials refused"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Retryable reports whether the same call may succeed later. Whether it may be
// repeated is another question: see [Error.OutcomeUnknown].
func (e *Error) Retryable() bool { return e.Class != Refused }

// OutcomeUnknown reports whether the call may have taken effect.
func (e *Error) OutcomeUnknown() bool { return e.Class == Unknown }

// ClassOf returns the class of the upstream Error in err's chain. Any other
// error counts as Unknown, the class that promises least.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Unknown
}

// RetryAfter returns how long the vendor asked to wait, 0 if it did not say.
func RetryAfter(err error) time.Duration {
	var e *Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.RetryAfter
}

// HasCode reports whether err is an upstream Error with one of these vendor codes.
func HasCode(err error, codes ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// CredentialsRefused reports whether the vendor refused our credentials.
func CredentialsRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Credentials
}

// StatusClass classifies an HTTP status that carries no better word from the
// vendor. 408, 500, 502 and 504 may come after the work was done.
func StatusClass(status int) Class {
	switch {
	case status == 429:
		return RateLimited
	case status == 503 || status == 425:
		return Unavailable
	case status >= 500 || status == 408:
		return Unknown
	case status >= 200 && status < 300:
		return Unknown // success, but its body made no sense
	default:
		return Refused
	}
}
