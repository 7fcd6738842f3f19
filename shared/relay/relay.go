// Package relay holds caseroom's operations: what happens to a ticket, its room
// and the people in it. It knows desks, rooms and queues by what it asks of
// them; vendors, AWS and HTTP statuses are other packages' business.
package relay

import (
	"context"
	"time"
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

// Rooms is the chat side.
type Rooms interface {
	// Import makes accounts known to the chat, with names as nicknames. It is idempotent.
	Import(ctx context.Context, accounts ...Account) error
	// Ensure makes the room exist and hold the customer, unless another group has
	// its id, and says whose group that then is: OurRoom when all is done. A
	// DamagedRoom has the customer in it; without, it is ErrUnclaimed.
	Ensure(ctx context.Context, room NewRoom) (Whose, error)
	// Read returns the rooms by group id, in bulk; desk is the hash that marks ours.
	Read(ctx context.Context, desk string, groupIDs ...string) (map[string]Room, error)
	// History returns some messages, newest first, none newer than the sequence
	// number from, or the newest for 0: at most twenty, fewer where they are long.
	History(ctx context.Context, groupID string, from uint64) ([]Message, error)
	// Join adds a member, importing the account when the vendor does not know it.
	// It returns ErrNoRoom when there is no such room.
	Join(ctx context.Context, groupID string, account Account) (MemberResult, error)
	// Leave removes a member; removing a stranger succeeds. It returns ErrNoRoom
	// when there is no such room.
	Leave(ctx context.Context, groupID, userID string) error
	// Destroy dissolves the room; one that is already gone is a success.
	Destroy(ctx context.Context, groupID string) error
}

// Meter counts and times what an operator wants to see. Dims are name, value pairs of low
// cardinality; never an id.
type Meter interface {
	Count(ctx context.Context, metric string, n int, dims ...string)
	// Time notes how long something took or waits.
	Time(ctx context.Context, metric string, d time.Duration, dims ...string)
}

// Clock is where an operation gets the time.
type Clock func() time.Time
