package relay

import (
	"errors"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
)

// DeskName names a ticketing system. It is also the first part of a queue
// message's group and of log fields.
type DeskName string

// The desks.
const (
	Zendesk    DeskName = "zendesk"
	Salesforce DeskName = "salesforce"
)

// Ref names a ticket and its room.
type Ref struct {
	Desk   DeskName
	Ticket string
}

const zendeskGroup = "ZENDESK#"

var errNotOurGroup = errors.New("relay: not a caseroom group id")

// GroupID returns the room's Tencent group id: "ZENDESK#<ticket id>", or the
// 18-character Case id.
func (r Ref) GroupID() string {
	if r.Desk == Zendesk {
		return zendeskGroup + r.Ticket
	}
	return r.Ticket
}

// NeutralName is a room's name by default. It says nothing of the customer: any
// user of the app may look up a Public group by its id, which can be guessed.
func (r Ref) NeutralName() string {
	if r.Desk == Zendesk {
		return "Ticket " + r.Ticket
	}
	return "Case " + r.Ticket
}

// ParseGroupID returns the room a group id names. A 15-character Case id is
// accepted and normalised.
func ParseGroupID(id string) (Ref, error) {
	if ticket, ok := strings.CutPrefix(id, zendeskGroup); ok && identity.IsZendeskID(ticket) {
		return Ref{Zendesk, ticket}, nil
	}
	if caseID, err := identity.SalesforceID(id, "500"); err == nil {
		return Ref{Salesforce, caseID}, nil
	}
	return Ref{}, errNotOurGroup
}

// NewTicket is a customer's request, on its way from the caller to the desk. The
// customer's identity is proven by the caller of [CreateTicket.Run].
type NewTicket struct {
	// Key is the request's idempotency key: the caller's or one from NewKey. A desk
	// gets its [DeskKey], for the key itself never leaves caseroom.
	Key     string
	UserID  string // the customer's IM user id
	Subject string
	Desc    string
	Name    string // stated or from the login; "" if unknown
	// Email becomes the requester's address. "" makes the requester by external id.
	Email string
	// StatedEmail is an address that proves nothing; it stands in the first comment.
	StatedEmail string
	// New says that nobody has asked as this customer before, as far as the caller
	// shows.
	New bool
	// Unverified tags a guest's ticket so that agents see nobody checked who this is.
	Unverified bool
}

// Status is where a ticket is in its life.
type Status int

// The statuses. Salesforce knows no Solved.
const (
	Open   Status = iota
	Solved        // may be reopened by anybody
	Closed        // Salesforce: may be reopened by an agent; Zendesk: never
)

// Ticket is a ticket as a desk shows it.
type Ticket struct {
	ID       string
	Ours     bool   // caseroom made it, by the fields that only caseroom writes
	Key      string // the hashed key that made it
	Customer Account
	Subject  string
	Status   Status
	Final    bool // it takes no notes any more: Zendesk's closed
	Merged   bool
	Into     string // the survivor, "" if the row does not say
	Deleted  bool   // the row itself says so
	Agents   []Agent
	// Unlisted: an open ticket that [SweepDesk.OpenTickets] does not find.
	Unlisted bool
	Locale   string // the customer's, such as "ja" or "en-US"; "" if unknown
	// Stamp is the state that the row was read in, for [TicketDesk.File]; zero
	// where a desk has no states.
	Stamp time.Time
}

// Agent is a human who works on a ticket.
type Agent struct {
	ID   string // the desk's user id
	Name string
}
