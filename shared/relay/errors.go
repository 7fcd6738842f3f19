package relay

import (
	"errors"

	"github.com/caseroom/caseroom/shared/upstream"
)

// ErrSuspended means that the desk's agents have suspended the customer.
var ErrSuspended = errors.New("relay: the desk has suspended the customer")

// Errors that a Rooms returns for states of the world, not failures.
var (
	ErrNoRoom      = errors.New("relay: no such room")
	ErrForeignRoom = errors.New("relay: the room belongs to another stack")
	// ErrUnclaimed means that a group's mark cannot be read, and that the ticket's
	// customer is not in it: it may be another stack's.
	ErrUnclaimed = errors.New("relay: the room has no mark that can be read, and not this customer")
	// ErrHeld means that a squat is left as it is, for now or until a person has looked.
	ErrHeld = errors.New("relay: the group that has the room's id is not destroyed")
	// ErrNotJoined means that the vendor accepted the call and refused the member.
	ErrNotJoined = errors.New("relay: the member was not added")
)

// Errors of Sync and of what it asks.
var (
	// ErrUnreadable means that a ticket cannot be seen and nothing else says that
	// it is gone: a permission or an address may be wrong. It is retried.
	ErrUnreadable = errors.New("relay: the desk does not show the ticket")
	// ErrRefusedText means that moderation refused a notice.
	ErrRefusedText = errors.New("relay: moderation refused the text")
	// ErrMoved means that a ticket changed since it was read.
	ErrMoved = errors.New("relay: the ticket changed meanwhile")
	// ErrCursor means that a list can no longer be gone on with where it was left.
	ErrCursor = errors.New("relay: the cursor is no longer known")
	// ErrCannotTake means that a ticket takes no part of a transcript any more.
	ErrCannotTake = errors.New("relay: the ticket takes no transcript")
)

// errPermanent marks errors that no retry mends.
var errPermanent = errors.New("permanent")

// batchError failed a read of several tickets, so it says nothing about one.
type batchError struct{ err error }

func (e *batchError) Error() string { return e.err.Error() }
func (e *batchError) Unwrap() error { return e.err }

// Permanent reports whether trying a ticket again would meet err again. Refused
// credentials, missing permissions, exhausted plans and everything unknown may
// pass; a vendor's refusal of what was asked for, and another stack's room, do
// not.
func Permanent(err error) bool {
	var batch *batchError
	var up *upstream.Error
	switch {
	case err == nil || errors.As(err, &batch):
		return false
	case errors.Is(err, errPermanent) || errors.Is(err, ErrForeignRoom) || errors.Is(err, ErrUnclaimed):
		return true
	case errors.Is(err, ErrUnreadable) || errors.Is(err, ErrNoRoom) || errors.Is(err, ErrNotJoined) || errors.Is(err, ErrMoved):
		return false
	case !errors.As(err, &up):
		return false
	}
	return up.Class == upstream.Refused && !up.Credentials && !up.Quota && up.Status != 401 && up.Status != 403
}

// statusLocked is a vendor's word for an account that its owner has to unlock.
const statusLocked = 423

// NeedsPerson reports whether err lasts until a person mends what it is about. Each
// kind has an alarm of its own, and says nothing about what else waits.
func NeedsPerson(err error) bool {
	if errors.Is(err, ErrUnreadable) || errors.Is(err, ErrHeld) || errors.Is(err, ErrNotJoined) {
		return true
	}
	var up *upstream.Error
	return errors.As(err, &up) && (up.Quota || up.Status == statusLocked)
}

// firstRetryable returns the first error that another try may mend, or else
// the first: what is left to do decides whether there is another try.
func firstRetryable(errs ...error) error {
	var first error
	for _, err := range errs {
		switch {
		case err == nil:
		case !Permanent(err):
			return err
		case first == nil:
			first = err
		}
	}
	return first
}

func unknown(err error) bool {
	var up *upstream.Error
	return errors.As(err, &up) && up.OutcomeUnknown()
}

// unlessGone forgives a room for being gone already.
func unlessGone(err error) error {
	if errors.Is(err, ErrNoRoom) {
		return nil
	}
	return err
}
