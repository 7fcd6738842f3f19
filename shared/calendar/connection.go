package calendar

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// State is what an agent's connection is.
type State string

// The states. The zero value is no connection.
const (
	None      State = ""
	Connected State = "connected"
	// Revoked: the consent was withdrawn at the vendor's or in the calendar; only
	// connecting again helps.
	Revoked State = "revoked"
	// Leaving: the agent asked to be disconnected, and events are being removed.
	Leaving State = "leaving"
)

// Record is what is kept of an agent, tokens included.
type Record struct {
	V       int       `json:"v"`
	State   State     `json:"state,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of the state
	Account string    `json:"accountId,omitempty"`
	Profile string    `json:"profileName,omitempty"` // the account's name, usually an e-mail address
	// The calendar that events go into.
	CalendarID   string    `json:"calendarId,omitempty"`
	CalendarName string    `json:"calendarName,omitempty"`
	Access       string    `json:"accessToken,omitempty"`
	Refresh      string    `json:"refreshToken,omitempty"`
	Expires      time.Time `json:"expires,omitzero"` // of the access token
}

// Mark tells the connection that an agent has from every other that the agent
// had or will have. New tokens change nothing about it.
func (r Record) Mark() string {
	if r.State == None {
		return ""
	}
	return hashOf(string(r.State) + "\n" + r.Account + "\n" + r.Since.UTC().Format(time.RFC3339))[:markLength]
}

const markLength = 16

// Overtakes reports whether the agent connected or left after a token with that
// mark was made: what the token began is over.
func (r Record) Overtakes(mark string) bool {
	return (r.State == Connected || r.State == Leaving) && r.Mark() != mark
}

func (Record) String() string { return "calendar.Record(REDACTED)" }

// GoString keeps tokens out of %#v.
func (r Record) GoString() string { return r.String() }

// LogValue keeps tokens out of logs.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Records keep agents' records. Loads see what was saved before, by whichever
// process.
type Records interface {
	// Load returns an agent's record; the zero record where there is none.
	Load(ctx context.Context, agent string) (Record, error)
	Save(ctx context.Context, agent string, r Record) error
	// Delete forgets an agent; that there is none is a success.
	Delete(ctx context.Context, agent string) error
	// List returns the agents of whom there is a record. One that was saved
	// within the last minutes may be missing.
	List(ctx context.Context) ([]string, error)
}

// Feeds keep the generations of agents' feeds, apart from Records: who serves a
// feed has no business with tokens, and an address that was taken back stays so
// after the connection has gone.
type Feeds interface {
	// Generation returns that of the agent's feed, 0 where none was taken back.
	Generation(ctx context.Context, agent string) (int, error)
	SaveGeneration(ctx context.Context, agent string, generation int) error
}

// Errors of connecting.
var (
	// ErrConsent means that what an agent's browser brought back is used or too
	// old.
	ErrConsent = errors.New("calendar: the consent is used or too old")
	// ErrNoCalendar means that an account has no calendar that can be written to.
	ErrNoCalendar = errors.New("calendar: the account has no calendar that can be written to")
)

// ErrOtherAccount means that the agent is connected with another account, or is
// still leaving one.
var ErrOtherAccount = errors.New("calendar: the agent is connected with another account")

// Leave marks an agent's connection as one to end, for Sync to do. It reports
// whether there was one.
func Leave(ctx context.Context, records Records, agent string, now time.Time) (bool, error) {
	r, err := records.Load(ctx, agent)
	if err != nil || r.State == None {
		return false, err
	}
	if r.State != Leaving {
		r.State, r.Since = Leaving, now.UTC().Truncate(time.Second)
		err = records.Save(ctx, agent, r)
	}
	return true, err
}

// NewFeed takes back the tokens of an agent's feed and returns the generation of
// new ones.
func NewFeed(ctx context.Context, feeds Feeds, agent string) (int, error) {
	generation, err := feeds.Generation(ctx, agent)
	if err != nil {
		return 0, err
	}
	generation++
	return generation, feeds.SaveGeneration(ctx, agent, generation)
}
