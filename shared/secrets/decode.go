package secrets

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"unicode/utf8"
)

// decode reads one JSON object, and nothing after it, into T. Unknown keys are
// ignored: a secret may hold more than one function's values. The error's text
// holds names of T's fields at most.
func decode[T any](raw []byte) (T, *unreadable) {
	var v, zero T
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return zero, &unreadable{reason: reasonEmpty}
	}
	// null and other scalars would decode into an empty T without complaint;
	// broken UTF-8 would be replaced.
	if raw[0] != '{' || !utf8.Valid(raw) {
		return zero, &unreadable{reason: reasonDecode, err: errors.New("not a JSON object")}
	}
	if err := json.Unmarshal(typed(raw, reflect.TypeFor[T]()), &v); err != nil {
		bad := &unreadable{reason: reasonDecode, err: errors.New("not a JSON object")}
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			bad.err = errors.New("wrong type of " + wrong.Field)
		}
		return zero, bad
	}
	if x, ok := any(&v).(interface{ Validate() error }); ok {
		if err := x.Validate(); err != nil {
			return zero, &unreadable{reason: reasonInvalid, err: err}
		}
	}
	return v, nil
}
