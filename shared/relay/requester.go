package relay

import "strings"

// LoginEmail is the e-mail address of a login: the one claim about a customer
// that may be proven.
type LoginEmail struct {
	Address string // "" for none that can be used
	Trusted bool
}

// Requester decides which address becomes the ticket's requester: a trusted
// login's and no other. An address that proves nothing stands in the text for
// the agents; of two, the login's is the stated one.
func (r *TicketRequest) Requester(login LoginEmail) {
	stated := r.StatedEmail
	same := strings.EqualFold(stated, login.Address)
	switch {
	case login.Address == "":
	case login.Trusted:
		r.Email = login.Address
		if same {
			r.StatedEmail = ""
		}
	default:
		r.StatedEmail = login.Address
		if stated != "" && !same {
			r.Desc += EmailNote(" given with the request", stated)
		}
	}
}

// EmailUnverified is the note about [NewTicket.StatedEmail].
const EmailUnverified = " stated by the customer, not verified"

// EmailNote is the paragraph that tells agents an address. what says where the
// address is from, after a space; it may be "".
func EmailNote(what, address string) string { return "\n\nE-mail address" + what + ": " + address }
