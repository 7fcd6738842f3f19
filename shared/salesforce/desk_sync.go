package salesforce

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// The sizes of a part of a transcript, in bytes: of our package's field, which
// counts characters, and of a comment, which counts bytes and has less than 4,000.
const (
	maxTranscript = 131072
	maxComment    = 3900
)

// SyncDesk makes a Salesforce org a relay.TicketDesk.
type SyncDesk struct {
	Client *Client
	// Omni counts users with opened Omni-Channel work on a case as its agents,
	// beside its owner. It costs one more read per batch.
	Omni bool
	Now  func() time.Time // time.Now if nil

	// plain is set once the org turned out to lack our package's transcripts.
	plain atomic.Bool

	mu    sync.Mutex
	users map[string]knownUser
}

type knownUser struct {
	UserRow
	until time.Time
}

// idsAtOnce is how many ids one query lists: a URI has 16 KB at most.
const idsAtOnce = 200

// userTTL is how long a user's name and activity are remembered: a few agents
// own most cases.
const userTTL = 5 * time.Minute

var _ relay.TicketDesk = (*SyncDesk)(nil)

// Name returns relay.Salesforce.
func (*SyncDesk) Name() relay.DeskName { return relay.Salesforce }

// Host returns the org's configured host, port included.
func (d *SyncDesk) Host() string { return d.Client.Host() }

// PartSize returns the bytes of a text: nothing is escaped.
func (*SyncDesk) PartSize(text string) int { return len(text) }

// MaxPart returns the size of what takes transcripts in this org.
func (d *SyncDesk) MaxPart() int {
	if d.comments() {
		return maxComment
	}
	return maxTranscript
}

func (d *SyncDesk) comments() bool { return d.Client.keyField == "" || d.plain.Load() }

var (
	customerID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	requestKey = regexp.MustCompile(`^[a-z2-7]{26}$`)
)

// ours reports whether caseroom wrote both fields.
func (row CaseRow) ours() bool {
	return customerID.MatchString(row.UserID) && requestKey.MatchString(row.Key)
}

// Tickets reads cases in one query; their owners are remembered for a while. A
// case is ours when both fields of our package are set as caseroom sets them.
func (d *SyncDesk) Tickets(ctx context.Context, ids ...string) (map[string]relay.Ticket, error) {
	var checked []string
	for _, id := range ids {
		if full, err := identity.SalesforceID(id, "500"); err == nil {
			checked = append(checked, full)
		}
	}
	if len(checked) == 0 {
		return map[string]relay.Ticket{}, nil
	}
	rows, err := d.Client.Cases(ctx, checked...)
	if err != nil {
		return nil, err
	}
	return d.ticketsOf(ctx, rows)
}

// ticketsOf asks for the people of cases, and says whose the cases are.
func (d *SyncDesk) ticketsOf(ctx context.Context, rows map[string]CaseRow) (map[string]relay.Ticket, error) {
	own, err := d.Client.OwnUser(ctx)
	if err != nil {
		return nil, err
	}
	tickets := map[string]relay.Ticket{}
	agents := map[string][]string{}
	if d.Omni && len(rows) > 0 {
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(rows)), idsAtOnce) {
			work, err := d.Client.OpenedWork(ctx, ids...)
			if err != nil {
				return nil, err
			}
			maps.Copy(agents, work)
		}
	}
	for id, row := range rows {
		if owner, err := identity.SalesforceID(row.OwnerID, "005"); err == nil {
			agents[id] = append(agents[id], owner)
		}
		slices.Sort(agents[id]) // in the same order every time
		agents[id] = slices.Compact(agents[id])
	}
	people, err := d.people(ctx, agents)
	if err != nil {
		return nil, err
	}
	for id, row := range rows {
		t := relay.Ticket{
			ID: id, Subject: row.Subject, Key: row.Key,
			Ours:     row.ours(),
			Customer: relay.Account{UserID: row.UserID},
			Deleted:  row.IsDeleted, Merged: row.IsDeleted && row.MasterRecordID != "", Into: row.MasterRecordID,
		}
		if row.IsClosed || row.IsDeleted {
			t.Status = relay.Closed
		}
		for _, u := range agents[id] {
			if p, ok := people[u]; ok && p.Human() && u != own {
				t.Agents = append(t.Agents, relay.Agent{ID: u, Name: p.Name})
			}
		}
		tickets[id] = t
	}
	return tickets, nil
}

// people returns the users of a batch, asking for those it does not remember.
func (d *SyncDesk) people(ctx context.Context, agents map[string][]string) (map[string]UserRow, error) {
	now := d.now()
	people := map[string]UserRow{}
	var missing []string
	d.mu.Lock()
	for _, list := range agents {
		for _, id := range list {
			if u, ok := d.users[id]; ok && now.Before(u.until) {
				people[id] = u.UserRow
			} else if !slices.Contains(missing, id) {
				missing = append(missing, id)
			}
		}
	}
	d.mu.Unlock()
	if len(missing) == 0 {
		return people, nil
	}
	slices.Sort(missing)
	rows := map[string]UserRow{}
	for ids := range slices.Chunk(missing, idsAtOnce) {
		some, err := d.Client.Users(ctx, ids...)
		if err != nil {
			return nil, err
		}
		maps.Copy(rows, some)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users == nil || len(d.users) > 10000 {
		d.users = map[string]knownUser{}
	}
	for id, u := range rows {
		people[id] = u
		d.users[id] = knownUser{u, now.Add(userTTL)}
	}
	return people, nil
}

func (d *SyncDesk) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Gone reads the case alone.
func (d *SyncDesk) Gone(ctx context.Context, id string) (bool, error) {
	exists, err := upstream.Retry(ctx, func(ctx context.Context) (bool, error) { return d.Client.CaseExists(ctx, id) })
	return !exists && err == nil, err
}

// Survivor returns "": the case's own row names it.
func (*SyncDesk) Survivor(context.Context, string) (string, error) { return "", nil }

// Unique returns false: the org keeps keys unique.
func (*SyncDesk) Unique(context.Context, relay.Ticket) (bool, error) { return false, nil }

// List does nothing: open cases are found by our fields, which only we write.
func (*SyncDesk) List(context.Context, relay.Ticket) error { return nil }

// Parts returns the names of the parts on a case. Without our package they are
// found in the comments that our own user wrote.
func (d *SyncDesk) Parts(ctx context.Context, ticketID, prefix string, _ time.Time) ([]string, time.Time, error) {
	id, err := identity.SalesforceID(ticketID, "500")
	if err != nil {
		return nil, time.Time{}, relay.ErrCannotTake
	}
	var names []string
	if !d.comments() {
		names, err = d.Client.Transcripts(ctx, id)
		if upstream.HasCode(err, "INVALID_TYPE", "INVALID_FIELD") {
			d.plain.Store(true)
		} else if err != nil {
			return nil, time.Time{}, err
		}
	}
	if d.comments() {
		own, err := d.Client.OwnUser(ctx)
		if err != nil {
			return nil, time.Time{}, err
		}
		bodies, err := d.Client.Comments(ctx, id, own)
		if err != nil {
			return nil, time.Time{}, err
		}
		for _, b := range bodies {
			names = append(names, relay.PartName(b))
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix) }), time.Time{}, nil
}

// File writes a part on a case. The stamp means nothing here: a part is unique
// by its name and by its start, and a comment is looked for before it is
// written.
func (d *SyncDesk) File(ctx context.Context, ticketID string, part relay.Part, _ time.Time) (time.Time, error) {
	id, err := identity.SalesforceID(ticketID, "500")
	if err != nil {
		return time.Time{}, relay.ErrCannotTake
	}
	if d.comments() {
		err = d.Client.CreateComment(ctx, id, part.Body)
	} else {
		err = d.Client.UpsertTranscript(ctx, id, part.Name, part.Start, part.Body)
	}
	var e *upstream.Error
	switch {
	case errors.As(err, &e) && e.Code == codeDuplicate:
		return time.Time{}, relay.ErrMoved // two writers met; the names say what the first one filed
	case errors.As(err, &e) && e.Class == upstream.Refused && !e.Credentials && e.Code != "" &&
		(e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound):
		return time.Time{}, relay.ErrCannotTake
	}
	return time.Time{}, err
}
