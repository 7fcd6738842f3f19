package secrets

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
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

// number is a whole number as JSON writes it.
var number = regexp.MustCompile(`^(?:0|[1-9][0-9]*)$`)

func value(raw json.RawMessage, t reflect.Type) json.RawMessage {
	var text string
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'"'}) || json.Unmarshal(raw, &text) != nil {
		return list(raw, t)
	}
	text = cleaned(text)
	switch {
	case t.Kind() == reflect.String:
		return quoted(text)
	case t.Kind() == reflect.Int && number.MatchString(strings.TrimSpace(text)):
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

var (
	pemBlock = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----(?:\\r|\\n|\s)*`)
	pemWrap  = regexp.MustCompile(`.{1,64}`)
	lineEnds = strings.NewReplacer(`\r`, "", `\n`, "", "\r", "", "\n", "", " ", "", "\t", "")
)

// cleaned drops a text's last line ends, and writes its PEM blocks as PEM wants
// them: each marker and every 64 characters on a line.
func cleaned(text string) string {
	text = strings.TrimRight(text, "\r\n")
	if !strings.Contains(text, "-----BEGIN ") {
		return text
	}
	text = strings.TrimLeft(strings.TrimPrefix(text, "\ufeff"), " \t\r\n")
	return pemBlock.ReplaceAllStringFunc(text, func(block string) string {
		m := pemBlock.FindStringSubmatch(block)
		if strings.Contains(m[2], ":") { // headers, whose line ends mean something
			return block
		}
		body := strings.Join(pemWrap.FindAllString(lineEnds.Replace(m[2]), -1), "\n")
		return "-----BEGIN " + m[1] + "-----\n" + body + "\n-----END " + m[3] + "-----\n"
	})
}
