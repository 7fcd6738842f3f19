package relay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
)

func TestParseGroupID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		id   string
		want relay.Ref // zero: an error
		full string    // what GroupID makes of it, if not id
	}{
		"Zendesk":                     {"ZENDESK#1", relay.Ref{Desk: relay.Zendesk, Ticket: "1"}, ""},
		"Zendesk, 20 digits":          {"ZENDESK#18446744073709551615", relay.Ref{Desk: relay.Zendesk, Ticket: "18446744073709551615"}, ""},
		"Salesforce, 18 characters":   {"500D0000001a2B3IAI", relay.Ref{Desk: relay.Salesforce, Ticket: "500D0000001a2B3IAI"}, ""},
		"Salesforce, 15 characters":   {"500D0000001a2B3", relay.Ref{Desk: relay.Salesforce, Ticket: "500D0000001a2B3IAI"}, "500D0000001a2B3IAI"},
		"checksum in lower case":      {"500D0000001a2B3iai", relay.Ref{Desk: relay.Salesforce, Ticket: "500D0000001a2B3IAI"}, "500D0000001a2B3IAI"},
		"Zendesk, lower case":         {id: "zendesk#1"},
		"Zendesk, no number":          {id: "ZENDESK#"},
		"Zendesk, zero":               {id: "ZENDESK#0"},
		"Zendesk, leading zero":       {id: "ZENDESK#01"},
		"Zendesk, sign":               {id: "ZENDESK#-1"},
		"Zendesk, 21 digits":          {id: "ZENDESK#184467440737095516150"},
		"Zendesk, space":              {id: "ZENDESK# 1"},
		"Zendesk, trailing newline":   {id: "ZENDESK#1\n"},
		"Zendesk, two lines":          {id: "x\nZENDESK#1"},
		"Zendesk, other digits":       {id: "ZENDESK#１"},
		"Zendesk, escaped":            {id: "ZENDESK%231"},
		"the desk without its ticket": {id: "1"},
		"a Salesforce user":           {id: "005D0000001a2B3"},
		"wrong checksum":              {id: "500D0000001a2B3AAA"},
		"16 characters":               {id: "500D0000001a2B3I"},
		"Salesforce, other prefix":    {id: "SALESFORCE#500D0000001a2B3"},
		"the vendor's own":            {id: "@TGS#1NVTZEAE4"},
		"empty":                       {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := relay.ParseGroupID(tt.id)
			if got != tt.want || (err == nil) != (tt.want != relay.Ref{}) {
				t.Fatalf("ParseGroupID(%q) = %+v, %v", tt.id, got, err)
			}
			if err != nil {
				return
			}
			full := tt.full
			if full == "" {
				full = tt.id
			}
			if got.GroupID() != full {
				t.Errorf("GroupID() = %q, want %q", got.GroupID(), full)
			}
		})
	}
}

func TestNeutralName(t *testing.T) {
	t.Parallel()
	for want, ref := range map[string]relay.Ref{
		"Ticket 18446744073709551615": {Desk: relay.Zendesk, Ticket: "18446744073709551615"},
		"Case 500D0000001a2B3IAI":     {Desk: relay.Salesforce, Ticket: "500D0000001a2B3IAI"},
	} {
		if got := ref.NeutralName(); got != want || len(got) > 30 {
			t.Errorf("NeutralName() = %q, want %q", got, want)
		}
	}
}

func TestDeskHash(t *testing.T) {
	t.Parallel()
	const host = "acme.zendesk.com"
	if got := relay.DeskHash(host); got != "7rfecnqz" { // printf acme.zendesk.com | sha256sum | xxd -r -p | base32 | head -c 8
		t.Errorf("DeskHash(%q) = %q", host, got)
	}
	if relay.DeskHash("ACME.Zendesk.com") != relay.DeskHash(host) {
		t.Error("a host's case makes another desk")
	}
	if relay.DeskHash("127.0.0.1:3100") == relay.DeskHash("127.0.0.1:3101") {
		t.Error("a port makes no other desk")
	}
	if relay.DeskHash("host.docker.internal:3100") != relay.DeskHash("127.0.0.1:3100") {
		t.Error("a container's name for this machine makes another desk")
	}
}

func TestMark(t *testing.T) {
	t.Parallel()
	locked := time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC)
	tests := map[string]relay.Mark{
		"cr1;abcdefg2;n0":                                   {Desk: "abcdefg2"},
		"cr1;abcdefg2;n7":                                   {Desk: "abcdefg2", Announced: 7},
		"cr1;abcdefg2;n7,f12":                               {Desk: "abcdefg2", Announced: 7, Filed: 12},
		"cr1;abcdefg2;n7,l1793588645":                       {Desk: "abcdefg2", Announced: 7, Locked: locked},
		"cr1;abcdefg2;n999999999,f9999999999999999999":      {Desk: "abcdefg2", Announced: 999999999, Filed: 9999999999999999999},
		"cr1;abcdefg2;n7,f12,l1793588645":                   {Desk: "abcdefg2", Announced: 7, Filed: 12, Locked: locked},
		"cr1;abcdefg2;n7,l1793588645,aabcdefgh,d1793588645": {Desk: "abcdefg2", Announced: 7, Locked: locked, Said: "abcdefgh", Deleted: locked},
		"cr1;abcdefg2;n7,f12,x1,q2z":                        {Desk: "abcdefg2", Announced: 7, Filed: 12, Later: ",x1,q2z"},
		"cr1;" + relay.DeskHash("acme.zendesk.com") + ";n1": {Desk: relay.DeskHash("acme.zendesk.com"), Announced: 1},
	}
	for text, mark := range tests {
		if got := mark.String(); got != text {
			t.Errorf("%+v: String() = %q, want %q", mark, got, text)
		}
		if got, err := relay.ParseMark(text); err != nil || got != mark {
			t.Errorf("ParseMark(%q) = %+v, %v", text, got, err)
		}
		if len(text) > 240 {
			t.Errorf("%q does not fit an Introduction", text)
		}
	}
}

func TestParseMarkRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "cr1", "cr1;", "cr1;abcdefg2", "cr1;abcdefg2;", "cr1;abcdefg2;n", "cr2;abcdefg2;n0", "CR1;abcdefg2;n0",
		"cr1;abcdefg;n0", "cr1;abcdefg22;n0", "cr1;ABCDEFG2;n0", "cr1;abcdefg1;n0",
		"cr1;abcdefg2;n-1", "cr1;abcdefg2;n+1", "cr1;abcdefg2;n1234567890", "cr1;abcdefg2;n1.5",
		"cr1;abcdefg2;n0,", "cr1;abcdefg2;n0,x", "cr1;abcdefg2;n0,x1,f1", "cr1;abcdefg2;n0,x1,x2,x3,x4", "cr1;abcdefg2;n0,f", "cr1;abcdefg2;n0,l", "cr1;abcdefg2;n0;f1",
		"cr1;abcdefg2;n0,d1,l1", "cr1;abcdefg2;n0,d", "cr1;abcdefg2;n0,d1234567890123",
		"cr1;abcdefg2;n0,l1,f1", "cr1;abcdefg2;n0,f1,f2", "cr1;abcdefg2;n0,f12345678901234567890", "cr1;abcdefg2;n0,l1234567890123",
		"cr1;abcdefg2;n0\n", " cr1;abcdefg2;n0", "x\ncr1;abcdefg2;n0", "Welcome to support", "cr1;abcdefg2;n０",
	} {
		if got, err := relay.ParseMark(text); err == nil || got != (relay.Mark{}) {
			t.Errorf("ParseMark(%q) = %+v, %v", text, got, err)
		}
	}
}

func FuzzParseGroupID(f *testing.F) {
	for _, id := range []string{"ZENDESK#1", "ZENDESK#01", "500D0000001a2B3", "500D0000001a2B3IAI", "@TGS#1", ""} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		ref, err := relay.ParseGroupID(id)
		if err != nil {
			if ref != (relay.Ref{}) {
				t.Errorf("ParseGroupID(%q) = %+v beside an error", id, ref)
			}
			return
		}
		group := ref.GroupID()
		if again, err := relay.ParseGroupID(group); err != nil || again != ref {
			t.Errorf("%q reads back as %+v, %v", group, again, err)
		}
		// A room's id may be written shorter, never be another's.
		if ref.Desk == relay.Zendesk && group != id {
			t.Errorf("ParseGroupID(%q) is %q", id, group)
		}
		if ref.Desk == relay.Salesforce && group[:15] != id[:15] {
			t.Errorf("ParseGroupID(%q) is %q", id, group)
		}
		// The vendor's limits for ids and names, in bytes.
		if len(group) > 47 || strings.HasPrefix(group, "@TGS#") || len(ref.NeutralName()) > 30 {
			t.Errorf("group %q, name %q", group, ref.NeutralName())
		}
	})
}

func FuzzParseMark(f *testing.F) {
	for _, text := range []string{"cr1;abcdefg2;n0", "cr1;abcdefg2;n7,f12,l1793588645", "cr1;abcdefg2;n7,x1", "cr1;abcdefg2;n007,f00,l0", "cr1;abcdefg2;n0,f99999999999999999999", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mark, err := relay.ParseMark(text)
		if err != nil {
			if mark != (relay.Mark{}) {
				t.Errorf("ParseMark(%q) = %+v beside an error", text, mark)
			}
			return
		}
		if again, err := relay.ParseMark(mark.String()); err != nil || again != mark {
			t.Errorf("%q is written %q and reads back as %+v, %v", text, mark, again, err)
		}
		if len(mark.String()) > len(text) || mark.Announced < 0 {
			t.Errorf("ParseMark(%q) = %q", text, mark)
		}
	})
}
