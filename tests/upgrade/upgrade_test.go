// Package upgrade holds what an earlier version stored against the present code:
// an upgrade must go on with its rooms, messages, tokens and connections.
package upgrade

import (
	"context"
	_ "embed"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/session"
)

// stored was written by the code of 30 November 2026 itself, each value by the
// function that writes it in production. It is never made anew from later code.
//
//go:embed testdata/stored.json
var stored []byte

type version struct {
	At         time.Time       `json:"at"`
	Room       string          `json:"room"`
	Marks      []string        `json:"marks"`
	Hints      []string        `json:"hints"`
	Tasks      []string        `json:"tasks"`
	Transcript string          `json:"transcript"`
	Secret     string          `json:"secret"`
	Guest      string          `json:"guest"`
	GuestToken []string        `json:"guestToken"` // in its three parts, or scanners for secrets report it
	AgentToken []string        `json:"agentToken"`
	Connection json.RawMessage `json:"calendarConnection"`
}

const salesforceCase = "5005g00000AbCdEAAV"

func read(t *testing.T) (v version) {
	t.Helper()
	if err := json.Unmarshal(stored, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRooms(t *testing.T) {
	v := read(t)
	zendesk, salesforce := relay.DeskHash("acme.zendesk.com"), relay.DeskHash("acme.my.salesforce.com")
	want := []relay.Mark{
		{Desk: zendesk},
		{Desk: zendesk, Announced: 3, Filed: 120, Locked: v.At, Said: "k7m2q4xz"},
		{Desk: salesforce, Announced: 12, Filed: 9000, Locked: v.At, Deleted: v.At.Add(time.Hour)},
	}
	same(t, v.Marks, want, relay.ParseMark, func(m relay.Mark) (string, error) { return m.String(), nil })

	ref, err := relay.ParseGroupID(v.Room)
	if err != nil || ref != (relay.Ref{Desk: relay.Zendesk, Ticket: "1185"}) || ref.GroupID() != v.Room {
		t.Errorf("the room %s is %v, %v", v.Room, ref, err)
	}
	if name := relay.PartName(v.Transcript); name != v.Room+"@1796040000:1-120" {
		t.Errorf("the transcript's part is %q: it would be filed again", name)
	}
}

func TestMessages(t *testing.T) {
	v := read(t)
	ticket := relay.Ref{Desk: relay.Zendesk, Ticket: "1185"}
	same(t, v.Hints, []relay.Hint{
		{Ref: ticket},
		{Ref: ticket, Deleted: true},
		{Ref: ticket, Into: "1190"},
		{Ref: relay.Ref{Desk: relay.Salesforce, Ticket: salesforceCase}, File: true},
	}, relay.DecodeHint, relay.Hint.Encode)
	same(t, v.Tasks, []calendar.Hint{
		{Task: "1185"},
		{Task: "1185", Had: []string{"42", "43"}},
		{Agent: "42"},
	}, calendar.DecodeHint, calendar.Hint.Encode)
}

// same expects stored texts to mean want, and to be written alike today: then the
// version before reads what this one wrote, too.
func same[T any](t *testing.T, texts []string, want []T, decode func(string) (T, error), encode func(T) (string, error)) {
	t.Helper()
	if len(texts) != len(want) {
		t.Fatalf("%d are stored, %d expected", len(texts), len(want))
	}
	for i, text := range texts {
		if got, err := decode(text); err != nil || !reflect.DeepEqual(got, want[i]) {
			t.Errorf("%s is read as %+v, %v; want %+v", text, got, err, want[i])
		}
		if again, err := encode(want[i]); err != nil || again != text {
			t.Errorf("%+v is written as %s, %v; it was %s", want[i], again, err, text)
		}
	}
}

func TestTokens(t *testing.T) {
	v := read(t)
	secrets := func(context.Context) ([]string, error) {
		return []string{"a newer secret, it is in front of the other", v.Secret}, nil
	}
	now := func() time.Time { return v.At.Add(time.Hour) }
	guest, err := session.Guests{Secrets: secrets, Now: now}.Verify(t.Context(), strings.Join(v.GuestToken, "."))
	if err != nil || guest.ID() != v.Guest {
		t.Errorf("the guest is %q, %v; want %q", guest.ID(), err, v.Guest)
	}
	agent, err := session.Agents{Secrets: secrets, Now: now}.Verify(t.Context(), strings.Join(v.AgentToken, "."))
	if err != nil || agent != "42" {
		t.Errorf("the agent is %q, %v; want 42", agent, err)
	}
}

func TestConnection(t *testing.T) {
	v := read(t)
	var got calendar.Record
	if err := json.Unmarshal(v.Connection, &got); err != nil {
		t.Fatal(err)
	}
	want := calendar.Record{
		V: 1, State: calendar.Connected, Since: v.At, Account: "acc_1", Profile: "a@example.com",
		CalendarID: "cal_1", CalendarName: "Work", Access: "access", Refresh: "refresh", Expires: v.At.Add(time.Hour),
	}
	if got != want {
		t.Errorf("the connection is read as %+v, want %+v", got, want)
	}
}
