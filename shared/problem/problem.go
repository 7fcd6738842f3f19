// Package problem is caseroom's one vocabulary of failure: a code, what to tell
// the caller, and what only the log may know. The table from code to HTTP
// status is here and nowhere else.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code names a kind of failure. Callers may rely on the strings.
type Code string

// The codes, each with the one status it is answered with (see [Code.Status]).
const (
	Invalid              Code = "invalid"
	Unauthorized         Code = "unauthorized"
	Forbidden            Code = "forbidden"
	Challenge            Code = "challenge" // a guest's browser has to pass the challenge again
	NotFound             Code = "not_found"
	MethodNotAllowed     Code = "method_not_allowed"
	Conflict             Code = "conflict"
	TooLarge             Code = "too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	Unprocessable        Code = "unprocessable"
	RateLimited          Code = "rate_limited"
	Internal             Code = "internal"
	Upstream             Code = "upstream"    // a vendor refused, made no sense, or refused our credentials
	Unavailable          Code = "unavailable" // try again: nothing is wrong with the request
	Timeout              Code = "timeout"     // our own deadline passed first
)

var statuses = map[Code]int{
	Invalid:              http.StatusBadRequest,
	Unauthorized:         http.StatusUnauthorized,
	Forbidden:            http.StatusForbidden,
	Challenge:            http.StatusForbidden,
	NotFound:             http.StatusNotFound,
	MethodNotAllowed:     http.StatusMethodNotAllowed,
	Conflict:             http.StatusConflict,
	TooLarge:             http.StatusRequestEntityTooLarge,
	UnsupportedMediaType: http.StatusUnsupportedMediaType,
	Unprocessable:        http.StatusUnprocessableEntity,
	RateLimited:          http.StatusTooManyRequests,
	Internal:             http.StatusInternalServerError,
	Upstream:             http.StatusBadGateway,
	Unavailable:          http.StatusServiceUnavailable,
	Timeout:              http.StatusGatewayTimeout,
}

// Status returns the HTTP status of a code; a code outside the table is a bug
// and answers 500.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Error is a failure that knows what to tell the caller.
type Error struct {
	Code Code
	// Detail says to the caller what to fix or do next. It never carries
	// upstream text, URLs or credentials.
	Detail string
	// TicketID is set once a ticket exists, so that the caller can name it.
	TicketID string
	// IdempotencyKey is set when caseroom made the key: a retry must send it.
	IdempotencyKey string
	// RetryAfter is how long to wait; 429, 503 and 504 get a default when zero.
	RetryAfter time.Duration
	// Err is the cause. It is logged, never sent.
	Err error
}

// New returns an Error whose detail is formatted for the caller.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause for the log.
func Wrap(err error, code Code, format string, args ...any) *Error {
	e := New(code, format, args...)
	e.Err = err
	return e
}

func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Detail
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first Error in err's chain, and Internal for
// an error that nobody classified.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
