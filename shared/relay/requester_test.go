package relay_test

import (
	"testing"

	"github.com/caseroom/caseroom/shared/relay"
)

func TestRequester(t *testing.T) {
	const given = "Text\n\nE-mail address given with the request: b@example.com"
	for name, tt := range map[string]struct {
		stated              string
		login               relay.LoginEmail
		email, states, desc string
	}{
		"none":                         {"", relay.LoginEmail{}, "", "", "Text"},
		"none, trusted":                {"", relay.LoginEmail{Trusted: true}, "", "", "Text"},
		"only stated":                  {"b@example.com", relay.LoginEmail{Trusted: true}, "", "b@example.com", "Text"},
		"trusted":                      {"", relay.LoginEmail{Address: "a@example.com", Trusted: true}, "a@example.com", "", "Text"},
		"trusted, the same stated":     {"A@Example.com", relay.LoginEmail{Address: "a@example.com", Trusted: true}, "a@example.com", "", "Text"},
		"trusted, another stated":      {"b@example.com", relay.LoginEmail{Address: "a@example.com", Trusted: true}, "a@example.com", "b@example.com", "Text"},
		"not trusted":                  {"", relay.LoginEmail{Address: "a@example.com"}, "", "a@example.com", "Text"},
		"not trusted, the same stated": {"A@Example.com", relay.LoginEmail{Address: "a@example.com"}, "", "a@example.com", "Text"},
		"not trusted, another stated":  {"b@example.com", relay.LoginEmail{Address: "a@example.com"}, "", "a@example.com", given},
	} {
		got := relay.NewTicket{Desc: "Text", StatedEmail: tt.stated}.WithRequester(tt.login)
		if want := (relay.NewTicket{Desc: tt.desc, Email: tt.email, StatedEmail: tt.states}); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	guest := relay.NewTicket{Desc: "Text", StatedEmail: "b@example.com"}
	if got, want := guest.WithGuest(false), (relay.NewTicket{Desc: "Text", StatedEmail: "b@example.com", Unverified: true}); got != want {
		t.Errorf("a guest: got %+v, want %+v", got, want)
	}
	if got, want := guest.WithGuest(true), (relay.NewTicket{Desc: "Text", Email: "b@example.com", Unverified: true}); got != want {
		t.Errorf("a guest whose address is the requester's: got %+v, want %+v", got, want)
	}
}
