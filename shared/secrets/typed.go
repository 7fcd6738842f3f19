package secrets

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// typed gives an object's members the types that t's fields have. In the
// console's key/value tab every value is a text: numbers, and lists, which may be
// written as JSON or be one value. Line ends at a value's end are dropped, and
// PEM blocks get their line ends back, which that tab makes blanks.
//
// See https://github.com/aws/aws-cli/issues/2596. What it does not understand it
// leaves for the decoder to refuse.
func typed(object []byte, t reflect.Type) []byte {
	var members map[string]json.RawMessage
	if t.Kind() != reflect.Struct || json.Unmarshal(object, &members) != nil {
		return object
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if raw, ok := members[name]; ok {
			members[name] = value(raw, t.Field(i).Type)
		}
	}
	out, err := json.Marshal(members)
	if err != nil {
		return object
	}
	return out
}

// Member decodes one member of a secret, in either of those forms.
func Member(raw json.RawMessage, into any) error {
	return json.Unmarshal(value(raw, reflect.TypeOf(into).Elem()), into)
}

// number reports whether text is a whole number as JSON writes it.
func number(text string) bool {
	return strings.Trim(text, "0123456789") == "" && json.Valid([]byte(text))
}

func value(raw json.RawMessage, t reflect.Type) json.RawMessage {
	var text string
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'"'}) || json.Unmarshal(raw, &text) != nil {
		return list(raw, t)
	}
	text = cleaned(text)
	switch {
	case t.Kind() == reflect.String:
		return quoted(text)
	case t.Kind() == reflect.Int && number(strings.TrimSpace(text)):
		return json.RawMessage(strings.TrimSpace(text))
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		if text == "" {
			return json.RawMessage("[]")
		}
		if strings.HasPrefix(strings.TrimSpace(text), "[") && json.Valid([]byte(text)) {
			return list(json.RawMessage(text), t)
		}
		return list(append(append(json.RawMessage("["), quoted(text)...), ']'), t)
	}
	return raw
}

// list cleans a list's texts.
func list(raw json.RawMessage, t reflect.Type) json.RawMessage {
	var elements []json.RawMessage
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.String || json.Unmarshal(raw, &elements) != nil || elements == nil {
		return raw
	}
	for i, e := range elements {
		elements[i] = value(e, t.Elem())
	}
	out, err := json.Marshal(elements)
	if err != nil {
		return raw
	}
	return out
}

// quoted is a text as JSON. Marshalling one never fails.
func quoted(text string) json.RawMessage {
	b, _ := json.Marshal(text)
	return b
}

// pemBlock is compiled for a secret that holds one: few do, and every function
// would pay for it at its start.
var pemBlock = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----(?:\\r|\\n|\s)*`)
})

var lineEnds = strings.NewReplacer(`\r`, "", `\n`, "", "\r", "", "\n", "", " ", "", "\t", "")

// cleaned drops a text's last line ends, and writes its PEM blocks as PEM wants
// them: each marker and every 64 characters on a line.
func cleaned(text string) string {
	text = strings.TrimRight(text, "\r\n")
	if !strings.Contains(text, "-----BEGIN ") {
		return text
	}
	text = strings.TrimLeft(strings.TrimPrefix(text, "\ufeff"), " \t\r\n")
	return pemBlock().ReplaceAllStringFunc(text, func(block string) string {
		m := pemBlock().FindStringSubmatch(block)
		if strings.Contains(m[2], ":") { // headers, whose line ends mean something
			return block
		}
		body := bytes.Join(slices.Collect(slices.Chunk([]byte(lineEnds.Replace(m[2])), 64)), []byte{'\n'})
		return "-----BEGIN " + m[1] + "-----\n" + string(body) + "\n-----END " + m[3] + "-----\n"
	})
}
