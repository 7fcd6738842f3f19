package relay

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/upstream"
)

// CreateTicket turns a customer's request into a ticket and its room, two
// upstream calls deep: the ticket, then the room with the queue beside it.
//
// It keeps no state. A retry with the same key finds the same ticket through
// the desk's own keys and the same room through the group id that follows from
// it; whatever a crash leaves undone, Sync does.
type CreateTicket struct {
	Rooms  Rooms
	Queue  Queue
	Meter  Meter
	Now    Clock
	Random io.Reader // of the keys caseroom makes
	// SubjectNames names rooms by their tickets' subjects (ROOM_NAMES=subject).
	SubjectNames bool

	squats Squats
}

// deskKeeps is how long caseroom relies on a desk to remember an idempotency
// key. Zendesk keeps two hours; the rest is for clocks and long retries.
const deskKeeps = 90 * time.Minute

// Run creates the ticket and its room, or finds what an earlier try left.
//
// Errors: *problem.Error Unprocessable when the desk takes no tickets from this
// customer; an upstream error when there is no ticket or its outcome is unknown;
// *problem.Error with the TicketID set when the ticket exists and its room does
// not: Conflict when another stack's room has the id, else Unavailable.
func (c *CreateTicket) Run(ctx context.Context, desk Desk, t NewTicket) (Ref, error) {
	imported, giveUp := c.importCustomer(ctx, Account{UserID: t.UserID})
	defer giveUp()
	ticketID, err := c.ticket(ctx, desk, t)
	if err != nil {
		return Ref{}, err
	}
	ref := Ref{desk.Name(), ticketID}

	// The hint goes out beside the room call, not after it: if this process
	// dies in between, Sync makes the room.
	defer sendHint(ctx, c.Queue, c.Meter, Hint{Ref: ref})()

	// An import that failed is no reason to give up: most customers have been
	// here before, and the room call says if this one has not.
	importErr := imported()
	var name string
	if c.SubjectNames {
		name = t.Subject
	}
	l := landlord{c.Rooms, &c.squats, c.Meter, c.Now}
	err = l.ensure(ctx, ref, NewRoom{
		GroupID:  ref.GroupID(),
		Name:     name,
		Neutral:  ref.NeutralName(),
		Mark:     Mark{Desk: DeskHash(desk.Host())},
		Customer: t.UserID,
	}, nil)
	if err != nil {
		return ref, roomFailed(ticketID, errors.Join(err, importErr))
	}
	return ref, nil
}

func roomFailed(ticketID string, err error) *problem.Error {
	var p *problem.Error
	switch {
	case errors.Is(err, ErrForeignRoom):
		p = problem.Wrap(err, problem.Conflict, "The ticket exists, but another installation that shares this chat app holds its room.")
	case errors.Is(err, ErrUnclaimed):
		p = problem.Wrap(err, problem.Conflict, "The ticket exists, but the group that has its room's id cannot be told to be its room, and this customer is not in it.")
	default:
		p = problem.Wrap(err, problem.Unavailable, "The ticket exists; its room could not be made yet. Send the same request with the same Idempotency-Key again.")
		var up *upstream.Error
		if errors.As(err, &up) {
			p.RetryAfter = up.RetryAfter
		}
	}
	p.TicketID = ticketID
	return p
}

// ticket returns the id of the request's one ticket.
func (c *CreateTicket) ticket(ctx context.Context, desk Desk, t NewTicket) (string, error) {
	aged := c.aged(t.Key)
	t.Key = DeskKey(t.UserID, t.Key)
	if aged {
		id, err := desk.Find(ctx, t.UserID, t.Key)
		if err != nil || id != "" {
			return id, err
		}
	}
	id, err := desk.Create(ctx, t)
	if errors.Is(err, ErrSuspended) {
		err = problem.Wrap(err, problem.Unprocessable, "The support desk takes no requests from this customer.")
	}
	return id, err
}

// importCustomer starts making the account known while the desk works, and
// returns what waits for its error and what ends it. It gets a part of the
// deadline only, so that a slow chat leaves time for the room.
func (c *CreateTicket) importCustomer(ctx context.Context, a Account) (wait func() error, giveUp func()) {
	ctx, cancel := upstream.WithShare(ctx, 50)
	wait = async(ctx, func() error { return c.Rooms.Import(ctx, a) })
	return wait, func() {
		cancel()
		_ = wait()
	}
}

// DeskKey is what a desk sees of an idempotency key: 26 lower-case base32
// characters, bound to the customer, so that nobody can ask for another's
// ticket by guessing keys.
func DeskKey(userID, key string) string {
	return identity.HashID("", "caseroom/1\n"+userID+"\n"+key, 26)
}

// NewKey makes an idempotency key that carries its time:
// "cr1_<unix seconds>_<22 base64url characters>".
func (c *CreateTicket) NewKey() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(c.Random, b[:]); err != nil {
		return "", fmt.Errorf("relay: no randomness: %w", err)
	}
	return fmt.Sprintf("cr1_%d_%s", c.Now().Unix(), base64.RawURLEncoding.EncodeToString(b[:])), nil
}

var madeKey = regexp.MustCompile(`^cr1_([0-9]{10})_[A-Za-z0-9_-]{22}$`)

// KeyTime returns the time that a UUIDv7 or one of our own keys carries.
func KeyTime(key string) (time.Time, bool) {
	if m := madeKey.FindStringSubmatch(key); m != nil {
		sec, err := strconv.ParseInt(m[1], 10, 64)
		return time.Unix(sec, 0), err == nil
	}
	if len(key) == 36 {
		if u, err := uuid.Parse(key); err == nil && u.Version() == 7 {
			return time.Unix(u.Time().UnixTime()), true
		}
	}
	return time.Time{}, false
}

// aged reports whether the desk may have forgotten key. A key from the future
// says nothing about its age, so it counts as aged.
func (c *CreateTicket) aged(key string) bool {
	made, ok := KeyTime(key)
	if !ok {
		return false
	}
	age := c.Now().Sub(made)
	return age > deskKeeps || age < -5*time.Minute
}
