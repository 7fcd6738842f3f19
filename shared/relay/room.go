package relay

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
)

// RoomRef names a ticket's room.
type RoomRef struct {
	Desk     DeskName
	TicketID string
}

var (
	zendeskGroup   = regexp.MustCompile(`^ZENDESK#([1-9][0-9]{0,19})$`)
	errNotOurGroup = errors.New("relay: not a caseroom group id")
	errMark        = errors.New("relay: not a caseroom mark")
	markPattern    = regexp.MustCompile(`^cr1;([a-z2-7]{8});n([0-9]{1,9})(?:,f([0-9]{1,19}))?(?:,l([0-9]{1,12}))?(?:,a([a-z2-7]{8}))?(?:,d([0-9]{1,12}))?((?:,[eg-kmo-z][0-9a-z]{1,24}){0,3})$`)
)

// GroupID returns the room's Tencent group id: "ZENDESK#<ticket id>", or the
// 18-character Case id.
func (r RoomRef) GroupID() string {
	if r.Desk == Zendesk {
		return "ZENDESK#" + r.TicketID
	}
	return r.TicketID
}

// NeutralName is a room name that no moderation minds.
func (r RoomRef) NeutralName() string {
	if r.Desk == Zendesk {
		return "Ticket " + r.TicketID
	}
	return "Case " + r.TicketID
}

// ParseGroupID returns the room a group id names. A 15-character Case id is
// accepted and normalised.
func ParseGroupID(id string) (RoomRef, error) {
	if m := zendeskGroup.FindStringSubmatch(id); m != nil {
		return RoomRef{Zendesk, m[1]}, nil
	}
	if caseID, err := identity.SalesforceID(id, "500"); err == nil {
		return RoomRef{Salesforce, caseID}, nil
	}
	return RoomRef{}, errNotOurGroup
}

// Mark is what caseroom writes into a room's Introduction: whose room it is
// and what must be remembered about it.
//
//	cr1;<8 characters of the hash of the desk's host>;n<state>[,f<sequence>][,l<unix seconds>][,a<8 characters>][,d<unix seconds>]
//
// Flags of a later version, three at most and after those above, are kept as
// they are: a room is not a squat because an older version looks at it.
type Mark struct {
	Desk      string    // hash of the desk's configured host, port included
	Announced int       // n: how many notices the room has had
	Filed     uint64    // f: the transcript is filed up to this message sequence
	Locked    time.Time // l: locked since; zero if it is not
	Said      string    // a: hash of what the last notice announced; "" before the first
	Deleted   time.Time // d: the ticket is known to be deleted since; zero if it is not
	Later     string    // flags of a later version, each after a comma
}

// DeskHash returns the eight characters that stand for a desk's host in a mark.
func DeskHash(host string) string {
	return identity.HashID("", strings.ToLower(host), 8)
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
