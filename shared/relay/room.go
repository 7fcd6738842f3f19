package relay

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
)

// NewRoom is the room of a new ticket.
type NewRoom struct {
	GroupID  string
	Name     string // any length; cut to the vendor's limit
	Neutral  string // used when moderation refuses Name
	Mark     Mark
	Customer string // IM user id
}

// Account is an IM user.
type Account struct {
	UserID string
	// Nick is an agent's name. Customers have none: every user of the app may read
	// every profile.
	Nick string
}

// MemberResult is what became of one member of a Join.
type MemberResult struct {
	UserID string
	Result int // the vendor's: 1 added, 2 was already a member
}

// Whose says whose group has a room's id.
type Whose int

// The owners of a group id.
const (
	NoRoom       Whose = iota // nobody's: there is no such group
	OurRoom                   // ours, with our mark and our desk
	DamagedRoom               // made over REST, as ours are, but its mark cannot be read
	ForeignRoom               // another stack's on the same app
	SquattedRoom              // anybody's: a group like ours that has an owner
	OtherGroup                // anybody's, of a type that no room of ours has
)

// squat reports whether the group is in the way of a room.
func (w Whose) squat() bool { return w == SquattedRoom || w == OtherGroup }

// Room is a room as the chat shows it. Of a foreign one only Whose is set.
type Room struct {
	// Err is why this room, unlike others of the same read, could not be made
	// out. Nothing else is set then.
	Err     error
	Whose   Whose
	Mark    Mark
	Former  bool // its mark names a former host of the desk's
	Name    string
	Shut    bool // nobody joins it by asking, or by a member's invitation
	Muted   bool
	Created int64  // Unix seconds
	LastSeq uint64 // of the newest message, 0 before the first
	Members []string
}

// RoomChange is written to a room in one call.
type RoomChange struct {
	Mark    Mark   // without a desk it is left as it is
	Name    string // "" leaves it
	Neutral string // when moderation refuses Name
	Mute    *bool  // nil leaves it
}

// Mark is what caseroom writes into a room's Introduction: whose room it is
// and what must be remembered about it.
//
//	cr1;<8 characters of the hash of the desk's host>;n<state>[,f<sequence>][,l<unix seconds>][,a<8 characters>][,d<unix seconds>]
//
// Flags of a later version, three at most and after those above, are kept as
// they are: a mark is not damaged because an older version looks at it.
type Mark struct {
	Desk      string    // hash of the desk's configured host, port included
	Announced int       // n: how many notices the room has had
	Filed     uint64    // f: the transcript is filed up to this message sequence
	Locked    time.Time // l: locked since; zero if it is not
	Said      string    // a: hash of what the last notice announced; "" before the first
	Deleted   time.Time // d: the ticket is known to be deleted since; zero if it is not
	Later     string    // flags of a later version, each after a comma
}

var (
	errMark     = errors.New("relay: not a caseroom mark")
	markPattern = regexp.MustCompile(`^cr1;([a-z2-7]{8});n([0-9]{1,9})(?:,f([0-9]{1,19}))?(?:,l([0-9]{1,12}))?(?:,a([a-z2-7]{8}))?(?:,d([0-9]{1,12}))?((?:,[eg-kmo-z][0-9a-z]{1,24}){0,3})$`)
)

// DeskHash returns the eight characters that stand for a desk's host, port
// included, in a mark.
func DeskHash(host string) string {
	return identity.HashID("", identity.Host(host), 8)
}

func (m Mark) String() string {
	s := fmt.Sprintf("cr1;%s;n%d", m.Desk, m.Announced)
	if m.Filed > 0 {
		s += ",f" + strconv.FormatUint(m.Filed, 10)
	}
	if !m.Locked.IsZero() {
		s += ",l" + strconv.FormatInt(m.Locked.Unix(), 10)
	}
	if m.Said != "" {
		s += ",a" + m.Said
	}
	if !m.Deleted.IsZero() {
		s += ",d" + strconv.FormatInt(m.Deleted.Unix(), 10)
	}
	return s + m.Later
}

// ParseMark reads a mark back. Anything else in an Introduction is an error.
func ParseMark(s string) (Mark, error) {
	p := markPattern.FindStringSubmatch(s)
	if p == nil {
		return Mark{}, errMark
	}
	m := Mark{Desk: p[1]}
	var err error
	if m.Announced, err = strconv.Atoi(p[2]); err != nil {
		return Mark{}, errMark
	}
	if p[3] != "" {
		if m.Filed, err = strconv.ParseUint(p[3], 10, 64); err != nil {
			return Mark{}, errMark
		}
	}
	if m.Locked, err = markTime(p[4]); err != nil {
		return Mark{}, errMark
	}
	m.Said = p[5]
	if m.Deleted, err = markTime(p[6]); err != nil {
		return Mark{}, errMark
	}
	m.Later = p[7]
	return m, nil
}

func markTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	sec, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(sec, 0).UTC(), err
}
