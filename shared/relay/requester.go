package relay

import "strings"

// LoginEmail is the e-mail address of a login: the one claim about a customer
// that may be proven.
type LoginEmail struct {
	Address string // "" for none that can be used
	Trusted bool
}

// WithRequester returns a logged-in customer's ticket with the address that
// becomes its requester: a trusted login's and no other. StatedEmail is the
// address of the request until then. An address that proves nothing stands in the
// text for the agents; of two, the login's is the stated one.
func (t NewTicket) WithRequester(login LoginEmail) NewTicket {
	stated := t.StatedEmail
	same := strings.EqualFold(stated, login.Address)
	switch {
	case login.Address == "":
	case login.Trusted:
		t.Email = login.Address
		if same {
			t.StatedEmail = ""
		}
	default:
		t.StatedEmail = login.Address
		if stated != "" && !same {
			t.Desc += EmailNote(" given with the request", stated)
		}
	}
	return t
}

// WithGuest returns the ticket of a customer without a login, which says that
// nobody checked who this is. The address that a guest states may be anybody's:
// as the requester's it makes the desk write to that person, so it stands in the
// text unless requester asks for it.
func (t NewTicket) WithGuest(requester bool) NewTicket {
	t.Unverified = true
	if requester {
		t.Email, t.StatedEmail = t.StatedEmail, ""
	}
	return t
}

// RefusedNote is the line above a ticket's text that tells agents what the desk
// takes in no field. what is "E-mail address" or "Name".
func RefusedNote(what, value string) string {
	return what + " that the desk refused: " + CleanLine(value) + "\n\n"
}

// EmailUnverified is the note about [NewTicket.StatedEmail].
const EmailUnverified = " stated by the customer, not verified"

// EmailNote is the paragraph that tells agents an address. what says where the
// address is from, after a space; it may be "".
func EmailNote(what, address string) string { return "\n\nE-mail address" + what + ": " + address }
