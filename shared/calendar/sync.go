package calendar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Desk is a ticketing system as calendars need it.
type Desk interface {
	Host() string
	// Tasks reads tickets of any type by id, in bulk. One that the desk does not
	// show is missing from the map.
	Tasks(ctx context.Context, ids ...string) (map[string]Task, error)
	// Gone reads one ticket alone and reports whether the desk says that it is
	// deleted or does not exist.
	Gone(ctx context.Context, id string) (bool, error)
	// Assignees returns every agent who ever had the ticket.
	Assignees(ctx context.Context, id string) ([]string, error)
	// Open returns the tasks whose owner is the agent. It may be minutes behind.
	Open(ctx context.Context, agent string) ([]Task, error)
	// Zones returns agents' time zones by agent, as IANA names.
	Zones(ctx context.Context, agents ...string) (map[string]string, error)
}

// Calendars are the agents' calendars.
type Calendars interface {
	// Connected returns those agents who have a connection, broken ones included.
	Connected(ctx context.Context) ([]string, error)
	// Of returns an agent's calendar. It returns ErrNotConnected when there is
	// none that may be written to.
	Of(ctx context.Context, agent string) (Calendar, error)
	// Leaving returns the calendar of an agent who asked to be disconnected:
	// what is still in it can be taken out. left is false for an agent who did
	// not ask, or who has connected again since; the calendar is nil when the
	// consent is gone.
	Leaving(ctx context.Context, agent string) (cal Calendar, left bool, err error)
	// Forget ends the consent of an agent who asked to be disconnected, and
	// forgets the connection.
	Forget(ctx context.Context, agent string) error
}

// Calendar is one agent's, as far as it is ours to see. Its methods return
// ErrNotConnected when the agent's consent turns out to be gone, ErrRefused when
// the calendar minds the event, and otherwise upstream errors, after which they
// may be called again.
type Calendar interface {
	// Place names the calendar that events go into. Agents who connected the same
	// account share one.
	Place() string
	Put(ctx context.Context, e Event) error
	// Remove takes an event out; that it is not there is a success.
	Remove(ctx context.Context, e Entry) error
	// Events lists our events that end at from or later, all of them for zero.
	Events(ctx context.Context, from time.Time) ([]Entry, error)
}

// Entry is an event of ours as a calendar shows it. A start of zero is unknown.
type Entry struct {
	ID, Summary string
	Start, End  time.Time
	// Elsewhere names the calendar of the account's that the event is in, where
	// that is not the one which the agent's events go into; it was once.
	Elsewhere string
}

// Errors of Calendars.
var (
	// ErrNotConnected means that an agent has no calendar with us, has none any
	// more, or is leaving.
	ErrNotConnected = errors.New("calendar: the agent has no connection")
	// ErrRefused means that a calendar does not take an event as it is, such as
	// one that is years away. Another try would end the same.
	ErrRefused = errors.New("calendar: the event was refused")
)

// Sync makes calendars what tickets say. A ticket's event is in the calendar of
// its owner, if that agent has one with us, and in that of nobody else who ever
// had the ticket.
type Sync struct {
	Desk      Desk
	Calendars Calendars
	Queue     Queue
	Settings  Settings
	Meter     relay.Meter
	Now       func() time.Time
	// Timeout bounds the work on one ticket or agent; 25 s if zero.
	Timeout time.Duration
}

// parallel is how many tickets of a batch are worked on at once. Cronofy counts
// 50 requests a second over everybody.
const parallel = 4

// Run works on a batch of hints, each about another task or agent, and returns one
// error per hint. One read shows all
// tickets of the batch, and one their owners' time zones.
func (s *Sync) Run(ctx context.Context, hints []Hint) []error {
	errs := make([]error, len(hints))
	var ids []string
	for _, h := range hints {
		if h.Task != "" {
			ids = append(ids, h.Task)
		}
	}
	b := &batch{Sync: s}
	if len(ids) > 0 {
		b.err = b.read(ctx, ids)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, h := range hints {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = b.one(ctx, h)
		})
	}
	wg.Wait()
	return errs
}

// batch is what one read showed, for all of its tickets.
type batch struct {
	*Sync
	err   error // of the read
	tasks map[string]Task
	zones map[string]string

	mu       sync.Mutex
	tooFast  error // what a vendor said to one, it says to all
	everyone []string
}

func (b *batch) read(ctx context.Context, ids []string) (err error) {
	if b.tasks, err = b.Desk.Tasks(ctx, ids...); err != nil {
		return err
	}
	var owners []string
	for _, t := range b.tasks {
		if o := t.Owner(); o != "" && !slices.Contains(owners, o) {
			owners = append(owners, o)
		}
	}
	slices.Sort(owners)
	if len(owners) > 0 {
		b.zones, err = b.Desk.Zones(ctx, owners...)
	}
	return err
}

// one works on one hint within its own time. A bug met there costs no other hint.
func (b *batch) one(ctx context.Context, h Hint) error {
	err := relay.Protect(ctx, func() error { return b.handle(ctx, h) })
	if errors.Is(err, relay.ErrPanic) {
		err = fmt.Errorf("calendar: %w", err)
	}
	b.note(err)
	return err
}

func (b *batch) handle(ctx context.Context, h Hint) error {
	if err := b.stopped(); err != nil {
		return err
	}
	limit := b.Timeout
	if limit == 0 {
		limit = 25 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch {
	case h.Task != "" && b.err != nil:
		return b.err
	case h.Task != "":
		return b.ticket(ctx, h)
	case h.Agent == Everybody:
		return b.everybody(ctx)
	case h.Disconnect:
		return b.disconnect(ctx, h.Agent)
	default:
		return b.agent(ctx, h.Agent)
	}
}

func (b *batch) stopped() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tooFast
}

func (b *batch) note(err error) {
	if err == nil || upstream.ClassOf(err) != upstream.RateLimited {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tooFast == nil {
		b.tooFast = err
	}
}

// ticket puts a ticket's event where it belongs and takes it from everybody
// else who may have it.
func (b *batch) ticket(ctx context.Context, h Hint) error {
	t, there := b.tasks[h.Task]
	others, there, err := b.others(ctx, h, there)
	if err != nil {
		return err
	}
	owner := ""
	if there {
		owner = t.Owner()
	}
	place := ""
	if owner != "" {
		if place, err = b.put(ctx, t, owner); err != nil {
			return err
		}
	}
	for _, agent := range others {
		if agent == owner {
			continue
		}
		if err := b.remove(ctx, agent, h.Task, place); err != nil {
			return err
		}
	}
	return nil
}

// others are the agents who may have a ticket's event: those who ever had the
// ticket and those whom hints name. Who had one that is gone nobody says any
// more; then it is everybody who has a calendar. there is false for a ticket
// that is gone, which it may be since the batch was read.
func (b *batch) others(ctx context.Context, h Hint, read bool) (agents []string, there bool, err error) {
	if read {
		agents, err = b.Desk.Assignees(ctx, h.Task)
		if there = err == nil; !there && !notFound(err) {
			return nil, false, err
		}
	}
	if !there {
		gone, err := b.Desk.Gone(ctx, h.Task)
		if err != nil {
			return nil, false, err
		}
		if !gone {
			return nil, false, relay.ErrUnreadable
		}
		if agents, err = b.connected(ctx); err != nil {
			return nil, false, err
		}
	}
	agents = append(agents, h.Had...)
	slices.Sort(agents)
	return slices.Compact(agents), there, nil
}

func notFound(err error) bool {
	var e *upstream.Error
	return errors.As(err, &e) && e.Status == 404 && e.Class == upstream.Refused
}

// connected asks once per batch.
func (b *batch) connected(ctx context.Context) ([]string, error) {
	b.mu.Lock()
	known := b.everyone
	b.mu.Unlock()
	if known != nil {
		return slices.Clone(known), nil
	}
	list, err := b.Calendars.Connected(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.everyone = append([]string{}, list...)
	return list, nil
}

// put returns the place of the event, "" if it is in none.
func (b *batch) put(ctx context.Context, t Task, agent string) (place string, err error) {
	cal, err := b.Calendars.Of(ctx, agent)
	if err == nil {
		var e Event
		if e, err = b.Settings.Event(t, b.zones[agent]); err != nil {
			return "", err
		}
		err = cal.Put(ctx, e)
	}
	switch {
	case err == nil:
		return cal.Place(), nil
	case errors.Is(err, ErrNotConnected):
		b.Meter.Count(ctx, "CalendarSkipped", 1)
		return "", nil
	case errors.Is(err, ErrRefused):
		b.Meter.Count(ctx, "CalendarRefused", 1)
		slog.WarnContext(ctx, "event refused", "ticket", t.ID, "err", err)
		return "", nil
	}
	return "", err
}

// remove takes a ticket's event out of an agent's calendar, unless that is the
// place where it belongs.
func (b *batch) remove(ctx context.Context, agent, ticket, place string) error {
	cal, err := b.Calendars.Of(ctx, agent)
	if err == nil && cal.Place() != place {
		err = cal.Remove(ctx, Entry{ID: b.Settings.EventID(ticket)})
	}
	if errors.Is(err, ErrNotConnected) || errors.Is(err, ErrRefused) {
		return nil
	}
	return err
}

// agent compares an agent's calendar with the open tasks and queues what
// differs. Whether it really does, is decided from each ticket.
func (b *batch) agent(ctx context.Context, agent string) error {
	cal, err := b.Calendars.Of(ctx, agent)
	if errors.Is(err, ErrNotConnected) {
		// One who is leaving may have been forgotten there.
		return b.disconnect(ctx, agent)
	}
	if err != nil {
		return err
	}
	tasks, err := b.Desk.Open(ctx, agent)
	if err != nil {
		return err
	}
	zones, err := b.Desk.Zones(ctx, agent)
	if err != nil {
		return err
	}
	entries, err := cal.Events(ctx, time.Time{})
	if err != nil {
		return b.skip(ctx, err)
	}
	shown := map[string]Entry{}
	for _, e := range entries {
		if _, ours := b.Settings.Ticket(e.ID); !ours {
			continue
		}
		if e.Elsewhere == "" && !b.Settings.stale(e.ID) {
			shown[e.ID] = e
		} else if err := cal.Remove(ctx, e); err != nil && !errors.Is(err, ErrRefused) {
			return b.skip(ctx, err)
		}
	}
	var hints []Hint
	wanted := map[string]bool{}
	for _, t := range tasks {
		e, err := b.Settings.Event(t, zones[agent])
		if err != nil {
			return err
		}
		wanted[e.ID] = true
		was, there := shown[e.ID]
		if !there || was.Summary != e.Summary || !was.Start.Equal(e.Start) || !was.End.Equal(e.End) {
			hints = append(hints, Hint{Task: t.ID})
		}
	}
	for id := range shown {
		if ticket, _ := b.Settings.Ticket(id); !wanted[id] {
			hints = append(hints, Hint{Task: ticket, Had: []string{agent}})
		}
	}
	if len(hints) == 0 {
		return nil
	}
	b.Meter.Count(ctx, "CalendarRepairs", len(hints))
	return b.Queue.SendAll(ctx, hints...)
}

func (b *batch) skip(ctx context.Context, err error) error {
	if errors.Is(err, ErrNotConnected) {
		b.Meter.Count(ctx, "CalendarSkipped", 1)
		return nil
	}
	return err
}

// everybody queues everybody who has a calendar.
func (b *batch) everybody(ctx context.Context) error {
	agents, err := b.Calendars.Connected(ctx)
	if err != nil || len(agents) == 0 {
		return err
	}
	hints := make([]Hint, len(agents))
	for i, a := range agents {
		hints[i] = Hint{Agent: a}
	}
	return b.Queue.SendAll(ctx, hints...)
}

// disconnect takes out what is of today or later and forgets the connection.
// What lies behind stays, as what was done.
func (b *batch) disconnect(ctx context.Context, agent string) error {
	cal, left, err := b.Calendars.Leaving(ctx, agent)
	if err != nil || !left {
		return err
	}
	if cal != nil {
		if err := b.clear(ctx, cal); err != nil && !errors.Is(err, ErrNotConnected) {
			return err
		}
	}
	return b.Calendars.Forget(ctx, agent)
}

func (b *batch) clear(ctx context.Context, cal Calendar) error {
	entries, err := cal.Events(ctx, b.Now())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ours := b.Settings.Ticket(e.ID); !ours {
			continue
		}
		if err := cal.Remove(ctx, e); err != nil && !errors.Is(err, ErrRefused) {
			return err
		}
	}
	return nil
}
