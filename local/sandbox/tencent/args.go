package tencent

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// args are the fields of a Tencent request. Names are case-sensitive there, so
// encoding/json's own matching would let wrong requests pass. The first field
// of a wrong type, in whatever depth, is remembered for bad.
type args struct {
	fields map[string]json.RawMessage
	first  *struct{ err *refusal } // shared with the objects inside
}

// bad returns the refusal of the first malformed field so far.
func (a *args) bad() *refusal { return a.first.err }

func (a *args) within(fields map[string]json.RawMessage) *args { return &args{fields, a.first} }

func parseArgs(body []byte) (*args, error) {
	var fields map[string]json.RawMessage
	if err := engine.Decode(body, &fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("null")
	}
	return &args{fields, &struct{ err *refusal }{}}, nil
}

// wrong remembers the first field that has a wrong type. An account that is
// not a string has a code of its own.
func (a *args) wrong(key string) {
	if a.first.err != nil {
		return
	}
	if strings.HasSuffix(key, "_Account") || key == "UserID" || key == "Identifier" {
		a.first.err = refuse(60015, "%s must be a string", key)
		return
	}
	a.first.err = refuse(10004, "%s has the wrong type", key)
}

func (a *args) has(key string) bool {
	_, ok := a.fields[key]
	return ok
}

func (a *args) text(key string) string {
	var v string
	a.into(key, &v)
	return v
}

// into decodes a field if it is there; null is a wrong type.
func (a *args) into(key string, v any) {
	raw, ok := a.fields[key]
	if !ok {
		return
	}
	if bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, v) != nil {
		a.wrong(key)
	}
}

func (a *args) number(key string, otherwise uint64) uint64 {
	v := otherwise
	a.into(key, &v)
	return v
}

// texts returns a list of strings.
func (a *args) texts(key string) []string {
	var v []*string
	a.into(key, &v)
	out := make([]string, 0, len(v))
	for _, p := range v {
		if p == nil {
			a.wrong(key)
			return nil
		}
		out = append(out, *p)
	}
	return out
}

// objects returns a list of objects.
func (a *args) objects(key string) []*args {
	var v []map[string]json.RawMessage
	a.into(key, &v)
	out := make([]*args, 0, len(v))
	for _, fields := range v {
		if fields == nil {
			a.wrong(key)
			return nil
		}
		out = append(out, a.within(fields))
	}
	return out
}

// object returns an object, or nil when the field is absent.
func (a *args) object(key string) *args {
	if !a.has(key) {
		return nil
	}
	var v map[string]json.RawMessage
	a.into(key, &v)
	return a.within(v)
}

// onOff reads a field that is "On" or "Off".
func (a *args) onOff(key string, v *bool) {
	switch s := a.text(key); {
	case !a.has(key) || a.bad() != nil:
	case s == "On":
		*v = true
	case s == "Off":
		*v = false
	default:
		a.first.err = refuse(10004, "%s must be On or Off", key)
	}
}
