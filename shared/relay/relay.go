// Package relay holds caseroom's operations: what happens to a ticket, its room
// and the people in it. It knows desks, rooms and queues by what it asks of
// them; vendors, AWS and HTTP statuses are other packages' business.
package relay

import (
	"context"
	"errors"
	"time"
)

// DeskName names a ticketing system. It is also the first part of a queue
// message's group and of log fields.
type DeskName string

// The desks.
const (
	Zendesk    DeskName = "zendesk"
	Salesforce DeskName = "salesforce"
)

// Desk is a ticketing system as createticket needs it.
type Desk interface {
	Name() DeskName
	// Host is the configured host, port included; a room's mark names it.
	Host() string
	// Create makes the ticket, or finds the one that this key already made. It
	// returns ErrSuspended for a customer from whom the desk takes no tickets, and
	// an upstream error when the ticket does not exist or when, after looking it
	// up, that is still unknown: whoever asks again with the same key gets the one
	// that was made, if one was.
	Create(ctx context.Context, t NewTicket) (ticketID string, err error)
	// Find returns the id of the ticket that key already made, "" if there is none.
	Find(ctx context.Context, userID, key string) (ticketID string, err error)
}

// NewTicket is a customer's request. Key is already hashed: the caller's own
// key never leaves caseroom.
type NewTicket struct {
	Key     string // 26 lower-case base32 characters
	UserID  string // the customer's IM user id
	Subject string
	Desc    string
	Name    string // stated or from the login; "" if unknown
	// Email becomes the requester's address. "" makes the requester by external id.
	Email string
	// StatedEmail is an address that proves nothing; it stands in the first comment.
	StatedEmail string
	// Unverified tags a guest's ticket so that agents see nobody checked who this is.
	Unverified bool
}

// Rooms is the chat side.
type Rooms interface {
	// Import makes accounts known to the chat, with names as nicknames. It is idempotent.
	Import(ctx context.Context, accounts ...Account) error
	// Ensure makes the room exist, be ours and hold the customer. A squat under
	// the id is destroyed and made again, which squatted reports. It returns
	// ErrForeignRoom when another stack's room has the id.
	Ensure(ctx context.Context, room NewRoom) (squatted bool, err error)
	// Join adds a member, importing the account when the vendor does not know it.
	// It returns ErrNoRoom when there is no such room.
	Join(ctx context.Context, groupID string, account Account) (MemberResult, error)
	// Leave removes a member; removing a stranger succeeds. It returns ErrNoRoom
	// when there is no such room.
	Leave(ctx context.Context, groupID, userID string) error
	// Destroy dissolves the room; one that is already gone is a success.
	Destroy(ctx context.Context, groupID string) error
}

// Account is an IM user and the name others see.
type Account struct {
	UserID string
	Nick   string
}

// NewRoom is the room of a new ticket.
type NewRoom struct {
	GroupID  string
	Name     string // any length; cut to the vendor's limit
	Neutral  string // used when moderation refuses Name
	Mark     string // see [Mark]
	Customer string // IM user id
}

// MemberResult is what became of one member of a Join.
type MemberResult struct {
	UserID string
	Result int // the vendor's: 1 added, 2 was already a member
}

// ErrSuspended means that the desk's agents have suspended the customer.
var ErrSuspended = errors.New("relay: the desk has suspended the customer")

// Errors that a Rooms returns for states of the world, not failures.
var (
	ErrNoRoom      = errors.New("relay: no such room")
	ErrForeignRoom = errors.New("relay: the room belongs to another stack")
	// ErrNotJoined means that the vendor accepted the call and refused the member.
	ErrNotJoined = errors.New("relay: the member was not added")
)

// Queue takes the hint that a ticket changed.
type Queue interface {
	Send(ctx context.Context, hint Hint) error
}

// Hint says that a ticket may have changed. It is never the truth: whoever
// receives it reads the ticket again.
type Hint struct {
	Desk   DeskName `json:"desk"`
	Ticket string   `json:"ticket"`
	Hint   string   `json:"hint"` // "", "deleted", "merged:<ticket id>" or HintFile
}

// HintFile asks for the transcript so far: the chat is about to forget some of it.
const HintFile = "file"

// Meter counts what an operator wants to see. Dims are name, value pairs of low
// cardinality; never an id.
type Meter interface {
	Count(ctx context.Context, metric string, n int, dims ...string)
}

// Clock is where an operation gets the time.
type Clock func() time.Time
