package calendar_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/calendar"
)

func TestHintOnTheQueue(t *testing.T) {
	for body, hint := range map[string]calendar.Hint{
		`{"v":1,"desk":"zendesk","ticket":"123","hint":""}`:           {Task: "123"},
		`{"v":1,"desk":"zendesk","ticket":"123","hint":"agents:7"}`:   {Task: "123", Had: []string{"7"}},
		`{"v":1,"desk":"zendesk","ticket":"123","hint":"agents:7,8"}`: {Task: "123", Had: []string{"7", "8"}},
		`{"v":1,"desk":"agent","ticket":"1","hint":""}`:               {Agent: "1"},
		`{"v":1,"desk":"agent","ticket":"1","hint":"disconnect"}`:     {Agent: "1", Disconnect: true},
		`{"v":1,"desk":"agent","ticket":"all","hint":""}`:             {Agent: calendar.Everybody},
	} {
		if got, err := hint.Encode(); err != nil || got != body {
			t.Errorf("%+v is %s, %v", hint, got, err)
		}
		if back, err := calendar.DecodeHint(body); err != nil || !cmp.Equal(back, hint) {
			t.Errorf("%s is %+v, %v", body, back, err)
		}
		if plain := strings.Contains(body, `"hint":""`); hint.Plain() != plain {
			t.Errorf("%+v: plain %t", hint, hint.Plain())
		}
	}
	for body, group := range map[string]string{
		`{"v":1,"desk":"zendesk","ticket":"5","hint":"deleted"}`:  "zendesk:5", // a rooms' message
		`{"v":1,"desk":"zendesk","ticket":"5","hint":"merged:6"}`: "zendesk:5",
		`{"v":1,"desk":"agent","ticket":"all"}`:                   "agent:all",
	} {
		if h, err := calendar.DecodeHint(body); err != nil || h.Group() != group || !h.Plain() {
			t.Errorf("%s is %+v, %v", body, h, err)
		}
	}
}

func TestDecodeHintRefuses(t *testing.T) {
	message := func(desk, ticket, hint string) string {
		return `{"v":1,"desk":"` + desk + `","ticket":"` + ticket + `","hint":"` + hint + `"}`
	}
	for _, body := range []string{
		"", "null", "{}", `{"v":2,"desk":"agent","ticket":"1","hint":""}`,
		message("agent", "all", "disconnect"), message("agent", "01", ""), message("agent", "", ""),
		message("agent", "1", "deleted"), message("agent", "1", "agents:"), message("agent", "123456789012345678901", ""),
		message("zendesk", "01", ""), message("zendesk", "1", "disconnect"), message("zendesk", "1", "gone"),
		message("zendesk", "1", "agents:"), message("zendesk", "1", "agents:x"), message("zendesk", "1", "agents:1,"),
		message("zendesk", "1", "agents:"+strings.Repeat("1,", 10)+"1"),
		message("salesforce", "500D000000abcdEIAQ", ""),
	} {
		if got, err := calendar.DecodeHint(body); err == nil || !cmp.Equal(got, calendar.Hint{}) {
			t.Errorf("%s is %+v, %v", body, got, err)
		}
	}
	for _, h := range []calendar.Hint{
		{}, {Task: "1", Agent: "2"}, {Task: "x"}, {Agent: "x"}, {Agent: calendar.Everybody, Disconnect: true},
		{Task: "1", Disconnect: true}, {Task: "1", Had: []string{"x"}}, {Task: "1", Had: make([]string, 11)},
	} {
		if body, err := h.Encode(); err == nil || body != "" {
			t.Errorf("%+v is %s, %v", h, body, err)
		}
	}
}

func FuzzDecodeHint(f *testing.F) {
	f.Add(`{"v":1,"desk":"agent","ticket":"all","hint":""}`)
	f.Add(`{"v":1,"desk":"agent","ticket":"1","hint":"disconnect"}`)
	f.Add(`{"v":1,"desk":"zendesk","ticket":"1","hint":"agents:2,3"}`)
	f.Add(`{"v":1,"desk":"zendesk","ticket":"1","hint":"deleted"}`)
	f.Fuzz(func(t *testing.T, body string) {
		h, err := calendar.DecodeHint(body)
		if err != nil {
			return
		}
		text, err := h.Encode()
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		if again, err := calendar.DecodeHint(text); err != nil || !cmp.Equal(again, h) {
			t.Errorf("%+v came back as %+v, %v", h, again, err)
		}
	})
}
