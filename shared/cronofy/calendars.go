package cronofy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// early is how long before its end an access token is replaced.
const early = time.Minute

// Calendars makes an application's connections calendar.Calendars. Every method
// reads the agent's record as it is: another process may have refreshed the
// tokens, and an agent who has just left gets nothing more.
type Calendars struct {
	Client  *Client
	Records calendar.Records
	Meter   relay.Meter
	Now     func() time.Time
	// Wait pauses before another look at a record that another process may be
	// writing; upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error

	mu      sync.Mutex
	flights map[string]chan struct{} // one refresh of an agent's tokens at a time
	// unsaved are new tokens that could not be kept, by agent: the old ones may be
	// dead, so these are not asked for twice.
	unsaved map[string]renewed
}

// renewed are tokens in place of those that a refresh token was good for.
type renewed struct {
	refresh string
	tokens  Tokens
}

var _ calendar.Calendars = (*Calendars)(nil)

// Connect exchanges the code of an agent's consent, chooses the calendar, and
// keeps the connection in place of any earlier one. The errors are
// [calendar.ErrConsent], [calendar.ErrNoCalendar], [calendar.ErrOtherAccount] and
// upstream errors.
func (s *Calendars) Connect(ctx context.Context, agent, code, redirect string) (calendar.Record, error) {
	t, err := s.Client.Exchange(ctx, code, redirect)
	if errors.Is(err, ErrGrant) {
		return calendar.Record{}, fmt.Errorf("%w: %w", calendar.ErrConsent, err)
	}
	if err != nil {
		return calendar.Record{}, err
	}
	r, err := s.keep(ctx, agent, t)
	if err == nil {
		s.Meter.Count(ctx, "CalendarConnected", 1)
		return r, nil
	}
	if upstream.ClassOf(err) == upstream.Unknown {
		now, lerr := s.Records.Load(ctx, agent)
		switch {
		case lerr != nil:
			// It may be kept, and then it has to live.
			slog.WarnContext(ctx, "whether a consent is kept could not be looked up", "err", lerr)
			return calendar.Record{}, err
		case now.State == calendar.Connected && now.Refresh == t.Refresh:
			s.Meter.Count(ctx, "CalendarConnected", 1)
			return now, nil
		}
	}
	// A consent that is kept nowhere is not kept at Cronofy either.
	if rerr := s.Client.Revoke(ctx, t.Refresh); rerr != nil {
		slog.WarnContext(ctx, "a consent that could not be kept was not revoked", "err", rerr)
	}
	return calendar.Record{}, err
}

func (s *Calendars) keep(ctx context.Context, agent string, t Tokens) (calendar.Record, error) {
	cal, err := s.choose(ctx, t.Access, "")
	if err != nil {
		return calendar.Record{}, err
	}
	before, err := s.Records.Load(ctx, agent)
	if err != nil {
		return calendar.Record{}, err
	}
	// Another account's events could not be removed any more.
	if (before.State == calendar.Connected || before.State == calendar.Leaving) && before.Account != t.Account {
		return calendar.Record{}, calendar.ErrOtherAccount
	}
	r := calendar.Record{
		State: calendar.Connected, Since: s.Now().UTC().Truncate(time.Second), Account: t.Account, Profile: cmp.Or(t.ProfileName, cal.Profile),
		CalendarID: cal.ID, CalendarName: cal.Name, Access: t.Access, Refresh: t.Refresh, Expires: t.Expires,
	}
	return r, s.Records.Save(ctx, agent, r)
}

// choose returns the primary calendar, or the first other one that can be
// written to. The calendar not is none.
func (s *Calendars) choose(ctx context.Context, access, not string) (Calendar, error) {
	list, err := upstream.Retry(ctx, func(ctx context.Context) ([]Calendar, error) { return s.Client.Calendars(ctx, access) })
	if err != nil {
		return Calendar{}, err
	}
	var best Calendar
	for _, c := range list {
		if c.ReadOnly || c.Deleted || c.ID == "" || c.ID == not {
			continue
		}
		if best.ID == "" || c.Primary && !best.Primary {
			best = c
		}
	}
	if best.ID == "" {
		return best, calendar.ErrNoCalendar
	}
	return best, nil
}

// Connected returns the agents who have a secret. What is in it, Of says.
func (s *Calendars) Connected(ctx context.Context) ([]string, error) { return s.Records.List(ctx) }

// Of returns an agent's calendar.
func (s *Calendars) Of(ctx context.Context, agent string) (calendar.Calendar, error) {
	r, err := s.Records.Load(ctx, agent)
	if err != nil {
		return nil, err
	}
	if r.State != calendar.Connected {
		return nil, calendar.ErrNotConnected
	}
	return &agentCalendar{store: s, agent: agent, record: r}, nil
}

// Leaving returns the calendar of an agent who asked to be disconnected.
func (s *Calendars) Leaving(ctx context.Context, agent string) (calendar.Calendar, bool, error) {
	r, err := s.Records.Load(ctx, agent)
	if err != nil || r.State != calendar.Leaving {
		return nil, false, err
	}
	if r.Refresh == "" {
		return nil, true, nil
	}
	return &agentCalendar{store: s, agent: agent, record: r}, true, nil
}

// Forget revokes the consent of an agent who is leaving and deletes the secret.
// A consent that Cronofy does not know is as good as revoked.
func (s *Calendars) Forget(ctx context.Context, agent string) error {
	r, err := s.Records.Load(ctx, agent)
	if err != nil || r.State != calendar.Leaving {
		return err
	}
	if r.Refresh != "" {
		if err := s.Client.Revoke(ctx, r.Refresh); err != nil && !errors.Is(err, ErrGrant) {
			return err
		}
	}
	// Meanwhile the agent may have connected again.
	now, err := s.Records.Load(ctx, agent)
	if err != nil || now.State != calendar.Leaving || now.Refresh != r.Refresh {
		return err
	}
	if err := s.Records.Delete(ctx, agent); err != nil {
		return err
	}
	s.Meter.Count(ctx, "CalendarDisconnected", 1)
	return nil
}

// refresh returns a record whose access token is another one than the refused.
// Of several callers in this process one asks Cronofy. Another process may have
// asked at the same time, and with a refresh token that is good once only one of
// the two is answered: the other finds the answer in the secret.
func (s *Calendars) refresh(ctx context.Context, agent, refused string) (calendar.Record, error) {
	done, err := s.enter(ctx, agent)
	if err != nil {
		return calendar.Record{}, err
	}
	defer done()
	r, err := s.Records.Load(ctx, agent)
	if err != nil {
		return calendar.Record{}, err
	}
	if r.State == calendar.Revoked || r.Refresh == "" {
		return calendar.Record{}, calendar.ErrNotConnected
	}
	if r.Access != refused && s.Now().Add(early).Before(r.Expires) {
		return r, nil
	}
	t, err := s.renew(ctx, agent, r.Refresh)
	switch {
	case errors.Is(err, ErrGrant):
		return s.refused(ctx, agent, r)
	case err != nil:
		return calendar.Record{}, err
	}
	// Whatever else changed in the meantime stays: the agent may be leaving, or
	// have connected another account.
	now, err := s.Records.Load(ctx, agent)
	if err != nil {
		return calendar.Record{}, err
	}
	if now.Refresh != r.Refresh {
		s.kept(agent)
		return s.changed(now)
	}
	now.Access, now.Refresh, now.Expires = t.Access, t.Refresh, t.Expires
	_, err = upstream.Retry(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.Records.Save(ctx, agent, now) })
	if err != nil {
		return calendar.Record{}, err
	}
	s.kept(agent)
	return now, nil
}

// renew returns the tokens in place of a refresh token's: those that an earlier
// refresh brought and nobody kept, or else new ones.
func (s *Calendars) renew(ctx context.Context, agent, refresh string) (Tokens, error) {
	s.mu.Lock()
	u, ok := s.unsaved[agent]
	s.mu.Unlock()
	latest := refresh
	if ok && u.refresh == refresh {
		if s.Now().Add(early).Before(u.tokens.Expires) {
			return u.tokens, nil
		}
		latest = u.tokens.Refresh
	}
	t, err := s.Client.Refresh(ctx, latest)
	if err != nil {
		return Tokens{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsaved == nil {
		s.unsaved = map[string]renewed{}
	}
	s.unsaved[agent] = renewed{refresh, t}
	return t, nil
}

// kept forgets what renew holds: it is in the record, or worth nothing.
func (s *Calendars) kept(agent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unsaved, agent)
}

// The waits for a secret that another process may be about to write. There is a
// look before each and one after the last.
const (
	looks    = 3
	lookWait = 400 * time.Millisecond
)

// refused decides whether a consent is gone, or was only refreshed by another
// process.
func (s *Calendars) refused(ctx context.Context, agent string, r calendar.Record) (calendar.Record, error) {
	wait := s.Wait
	if wait == nil {
		wait = upstream.Sleep
	}
	for look := 0; ; look++ {
		now, err := s.Records.Load(ctx, agent)
		if err != nil {
			return calendar.Record{}, err
		}
		if now.Refresh != r.Refresh || now.State == calendar.Revoked {
			return s.changed(now)
		}
		r = now
		if look == looks { // what is written below is of this look
			break
		}
		if err := wait(ctx, lookWait); err != nil {
			return calendar.Record{}, err
		}
	}
	slog.WarnContext(ctx, "a calendar's consent is gone", "agent", agent)
	s.Meter.Count(ctx, "CalendarRevoked", 1)
	r.Access, r.Refresh, r.Expires = "", "", time.Time{}
	if r.State == calendar.Connected {
		r.State, r.Since = calendar.Revoked, s.Now().UTC().Truncate(time.Second)
	}
	if err := s.Records.Save(ctx, agent, r); err != nil {
		return calendar.Record{}, err
	}
	return calendar.Record{}, calendar.ErrNotConnected
}

// changed is what a record that another process wrote is good for.
func (s *Calendars) changed(r calendar.Record) (calendar.Record, error) {
	if r.State == calendar.Revoked || r.Access == "" {
		return calendar.Record{}, calendar.ErrNotConnected
	}
	return r, nil
}

// enter waits for the agent's flight, or for the end of ctx.
func (s *Calendars) enter(ctx context.Context, agent string) (leave func(), err error) {
	s.mu.Lock()
	if s.flights == nil {
		s.flights = map[string]chan struct{}{}
	}
	flight := s.flights[agent]
	if flight == nil {
		flight = make(chan struct{}, 1)
		s.flights[agent] = flight
	}
	s.mu.Unlock()
	select {
	case flight <- struct{}{}:
		return func() { <-flight }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
