package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caseroom/caseroom/shared/problem"
)

// MaxBody bounds a request body. Longer ones are refused before they are read.
const MaxBody = 64 << 10

// ID is an id in a request: a JSON string or an integer, as callers have it.
type ID string

var integer = regexp.MustCompile(`^-?[0-9]{1,20}$`)

// UnmarshalJSON accepts a string or an integer; null leaves the id empty.
func (id *ID) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		return nil
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, (*string)(id))
	case integer.Match(b):
		*id = ID(b)
		return nil
	}
	return errID
}

var errID = errors.New("not a string or an integer")

// readBody returns the whole body or a TooLarge problem.
func readBody(r *Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "The body could not be read.")
	}
	if int64(len(b)) > limit {
		return nil, problem.New(problem.TooLarge, "The body is larger than %d KiB.", limit>>10)
	}
	return b, nil
}

func mediaType(r *Request) string {
	values := r.Header.Values("Content-Type")
	if len(values) != 1 {
		return ""
	}
	t, _, err := mime.ParseMediaType(values[0])
	if err != nil {
		return ""
	}
	return t
}

// decodeJSON reads one JSON object and nothing behind it. Unknown fields are
// ignored.
func decodeJSON(r *Request, into any) error {
	if mediaType(r) != "application/json" {
		return problem.New(problem.UnsupportedMediaType, "Send the body as application/json.")
	}
	b, err := readBody(r, MaxBody)
	if err != nil {
		return err
	}
	return unmarshal(b, into)
}

// decodeOptionalJSON is decodeJSON for routes that can do without a body.
func decodeOptionalJSON(r *Request, into any) error {
	b, err := readBody(r, MaxBody)
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return err
	}
	if mediaType(r) != "application/json" {
		return problem.New(problem.UnsupportedMediaType, "Send the body as application/json.")
	}
	return unmarshal(b, into)
}

func unmarshal(b []byte, into any) error {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || b[0] != '{' || !utf8.Valid(b) {
		return problem.New(problem.Invalid, "The body must be a JSON object.")
	}
	err := json.Unmarshal(b, into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return problem.New(problem.Invalid, "%s has the wrong type: it is a %s.", wrongType.Field, wrongType.Value)
	case errors.Is(err, errID):
		return problem.New(problem.Invalid, "Ids are strings or integers.")
	default:
		return problem.New(problem.Invalid, "The body is not valid JSON, or something follows it.")
	}
}

// text checks a line of text a person wrote: at most limit characters and no
// control characters, which have no business in a subject, a name or a header.
func text(field, s string, limit int, required bool) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "" && required:
		return "", problem.New(problem.Invalid, "%s is missing.", field)
	case utf8.RuneCountInString(s) > limit:
		return "", problem.New(problem.Invalid, "%s is longer than %d characters.", field, limit)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", problem.New(problem.Invalid, "%s contains control characters.", field)
	}
	return s, nil
}

// prose is text that may run over several lines.
func prose(field, s string, limit int) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", problem.New(problem.Invalid, "%s is missing.", field)
	case utf8.RuneCountInString(s) > limit:
		return "", problem.New(problem.Invalid, "%s is longer than %d characters.", field, limit)
	case strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' }):
		return "", problem.New(problem.Invalid, "%s contains control characters.", field)
	}
	return s, nil
}

// address is deliberately narrow: one mailbox, no display name, no quoting.
var address = regexp.MustCompile(`^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$`)

func email(field, s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	// 80 characters is what Salesforce's SuppliedEmail holds.
	if len(s) > 80 || !address.MatchString(s) {
		return "", problem.New(problem.Invalid, "%s is not an e-mail address of at most 80 characters.", field)
	}
	return s, nil
}
