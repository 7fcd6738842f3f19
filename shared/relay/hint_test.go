package relay_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
)

const caseID = "500D000000abcdEIAQ"

func zendeskTicket(id string) relay.Ref { return relay.Ref{Desk: relay.Zendesk, Ticket: id} }

func TestHintOnTheQueue(t *testing.T) {
	for body, hint := range map[string]relay.Hint{
		`{"v":1,"desk":"zendesk","ticket":"123","hint":""}`:                                        {Ref: zendeskTicket("123")},
		`{"v":1,"desk":"zendesk","ticket":"123","hint":"deleted"}`:                                 {Ref: zendeskTicket("123"), Deleted: true},
		`{"v":1,"desk":"zendesk","ticket":"123","hint":"file"}`:                                    {Ref: zendeskTicket("123"), File: true},
		`{"v":1,"desk":"zendesk","ticket":"123","hint":"chat"}`:                                    {Ref: zendeskTicket("123"), Chat: true},
		`{"v":1,"desk":"zendesk","ticket":"123","hint":"filed:1793613600:57"}`:                     {Ref: zendeskTicket("123"), Filed: relay.Filed{Created: 1793613600, Seq: 57}},
		`{"v":1,"desk":"zendesk","ticket":"123","hint":"merged:456"}`:                              {Ref: zendeskTicket("123"), Into: "456"},
		`{"v":1,"desk":"salesforce","ticket":"500D000000abcdEIAQ","hint":""}`:                      {Ref: relay.Ref{Desk: relay.Salesforce, Ticket: caseID}},
		`{"v":1,"desk":"salesforce","ticket":"500D000000abcdEIAQ","hint":"deleted"}`:               {Ref: relay.Ref{Desk: relay.Salesforce, Ticket: caseID}, Deleted: true},
		`{"v":1,"desk":"zendesk","ticket":"99999999999999999999","hint":""}`:                       {Ref: zendeskTicket("99999999999999999999")},
		`{"v":1,"desk":"zendesk","ticket":"1","hint":"merged:99999999999999999999"}`:               {Ref: zendeskTicket("1"), Into: "99999999999999999999"},
		`{"v":1,"desk":"salesforce","ticket":"500D000000abcdEIAQ","hint":"merged:` + caseID + `"}`: {Ref: relay.Ref{Desk: relay.Salesforce, Ticket: caseID}, Into: caseID},
	} {
		if got, err := hint.Encode(); err != nil || got != body {
			t.Errorf("%+v is %s, %v", hint, got, err)
		}
		if back, err := relay.DecodeHint(body); err != nil || back != hint {
			t.Errorf("%s is %+v, %v", body, back, err)
		}
		if plain := strings.Contains(body, `"hint":""`); hint.Plain() != plain || hint.Group() != string(hint.Desk)+":"+hint.Ticket {
			t.Errorf("%+v: plain %t, group %q", hint, hint.Plain(), hint.Group())
		}
	}
}

// bad are messages that nobody makes.
var bad = []relay.Body{
	{},
	{Desk: "hubspot", Ticket: "1"},
	{Desk: "agent", Ticket: "1"}, // of the calendars' queue
	{Desk: relay.Zendesk, Ticket: "1", Hint: "agents:7"},
	{Desk: relay.Zendesk},
	{Desk: relay.Zendesk, Ticket: "0"},
	{Desk: relay.Zendesk, Ticket: "01"},
	{Desk: relay.Zendesk, Ticket: "-1"},
	{Desk: relay.Zendesk, Ticket: "1 2"},
	{Desk: relay.Zendesk, Ticket: "1\n"},
	{Desk: relay.Zendesk, Ticket: "1:2"},
	{Desk: relay.Zendesk, Ticket: "123456789012345678901"},
	{Desk: relay.Zendesk, Ticket: "١"},
	{Desk: relay.Zendesk, Ticket: caseID},
	{Desk: relay.Salesforce, Ticket: "1"},
	{Desk: relay.Salesforce, Ticket: "500D000000abcdE"},
	{Desk: relay.Salesforce, Ticket: "500D000000abcdEIAA"},
	{Desk: relay.Salesforce, Ticket: "005D000000abcdEIAQ"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "gone"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "merged:"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "merged:x"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "filed:"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "filed:7"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "filed:0:7"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "filed:7:0"},
	{Desk: relay.Zendesk, Ticket: "1", Hint: "filed:7:x"},
	{Desk: relay.Salesforce, Ticket: caseID, Hint: "merged:1"},
}

func TestDecodeHintRefuses(t *testing.T) {
	bodies := []string{
		"", " ", "null", "[]", `"x"`, "{}",
		`{"desk":"zendesk","ticket":"1","hint":""}`,
		`{"v":2,"desk":"zendesk","ticket":"1","hint":""}`,
		`{"v":"1","desk":"zendesk","ticket":"1","hint":""}`,
		`{"v":1,"desk":"zendesk","ticket":1,"hint":""}`,
		`{"v":1,"desk":"zendesk","ticket":"1","hint":""} x`,
		`{"v":1,"desk":"zendesk","ticket":"1","hint":""`,
		`{"v":1,"desk":"zendesk","ticket":"canary","hint":""}`,
	}
	for _, b := range bad {
		body, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	for _, body := range bodies {
		got, err := relay.DecodeHint(body)
		if err == nil || got != (relay.Hint{}) {
			t.Errorf("%s is %+v, %v", body, got, err)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("the error quotes the body: %v", err)
		}
	}
	for _, body := range []string{
		` {"v":1,"desk":"zendesk","ticket":"1","hint":"","later":[1]} `,
		`{"v":1,"desk":"zendesk","ticket":"1"}`,
	} {
		if _, err := relay.DecodeHint(body); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, h := range []relay.Hint{
		{},
		{Ref: relay.Ref{Desk: "hubspot", Ticket: "1"}},
		{Ref: zendeskTicket("1:2")},
		{Ref: zendeskTicket("1"), Into: "x"},
		{Ref: zendeskTicket("1"), Into: "2", Deleted: true},
		{Ref: zendeskTicket("1"), Into: "2", File: true},
		{Ref: zendeskTicket("1"), Deleted: true, File: true},
	} {
		if body, err := h.Encode(); err == nil || body != "" {
			t.Errorf("%+v is %s, %v", h, body, err)
		}
	}
}

func TestNewSyncItem(t *testing.T) {
	ref, since := zendeskTicket("1"), time.Unix(7, 0)
	got := relay.NewSyncItem([]relay.Hint{
		{Ref: ref}, {Ref: ref, Into: "2"}, {Ref: ref, Deleted: true}, {Ref: ref, Into: "3"}, {Ref: ref, File: true},
	}, true, since)
	want := relay.SyncItem{Hint: relay.Hint{Ref: ref, Deleted: true, Into: "2", File: true}, Redelivered: true, Since: since}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func FuzzDecodeHint(f *testing.F) {
	f.Add(`{"v":1,"desk":"zendesk","ticket":"1","hint":"merged:2"}`)
	f.Add(`{"v":1,"desk":"salesforce","ticket":"500D000000abcdEIAQ","hint":"deleted"}`)
	f.Add(`{"v":1,"desk":"zendesk","ticket":"1\u0000","hint":""}`)
	f.Add(`{"V":1,"DESK":"zendesk","ticket":"1","ticket":"2"}`)
	f.Add("null")
	for _, b := range bad {
		text, _ := json.Marshal(b)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, body string) {
		h, err := relay.DecodeHint(body)
		if err != nil {
			if h != (relay.Hint{}) {
				t.Errorf("a hint beside an error: %+v", h)
			}
			return
		}
		// What was understood can be sent, in a legal group, and is understood again.
		text, err := h.Encode()
		if err != nil || strings.Count(h.Group(), ":") != 1 || len(h.Group()) > 128 || strings.ContainsFunc(h.Group(), func(c rune) bool { return c <= ' ' || c > '~' }) {
			t.Fatalf("%+v: group %q, %v", h, h.Group(), err)
		}
		if again, err := relay.DecodeHint(text); err != nil || again != h {
			t.Errorf("%+v came back as %+v, %v", h, again, err)
		}
	})
}
