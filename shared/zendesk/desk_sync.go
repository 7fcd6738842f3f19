package zendesk

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Tags of tickets that caseroom or Zendesk itself has dealt with.
const (
	TagDuplicate = "caseroom_duplicate" // a second ticket of one request
	tagMerged    = "closed_by_merge"    // Zendesk's, on the source of a merge
)

// SyncDesk makes a Zendesk account a relay.TicketDesk.
type SyncDesk struct {
	Client *Client
	Admin  *Client          // of a user who may export tickets; nil: Client
	Now    func() time.Time // time.Now if nil
	// Wait pauses until a stamp has aged; upstream.Sleep if nil.
	Wait func(context.Context, time.Duration) error

	mu  sync.Mutex
	own int64 // our own user, once known
}

var _ relay.TicketDesk = (*SyncDesk)(nil)

// Name returns relay.Zendesk.
func (*SyncDesk) Name() relay.DeskName { return relay.Zendesk }

// Host returns the account's configured host, port included.
func (d *SyncDesk) Host() string { return d.Client.Host() }

// MaxPart returns the size of a note.
func (*SyncDesk) MaxPart() int { return maxText }

// PartSize counts a text as the note's HTML has it.
func (*SyncDesk) PartSize(text string) int { return commentSize(text) }

// me returns our own user, asked once: tickets assigned to it have no human.
func (d *SyncDesk) me(ctx context.Context) (int64, error) {
	d.mu.Lock()
	own := d.own
	d.mu.Unlock()
	if own != 0 {
		return own, nil
	}
	own, err := d.Client.Me(ctx)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	d.own = own
	d.mu.Unlock()
	return own, nil
}

// Tickets reads tickets, 100 a call, with their people's names beside them.
func (d *SyncDesk) Tickets(ctx context.Context, ids ...string) (map[string]relay.Ticket, error) {
	own, err := d.me(ctx)
	if err != nil {
		return nil, err
	}
	var numbers []int64
	for _, id := range ids {
		// One number beyond Zendesk's would spoil the call for the others.
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	tickets := map[string]relay.Ticket{}
	for chunk := range slices.Chunk(numbers, maxMany) {
		rows, people, err := d.Client.ShowTickets(ctx, chunk)
		if err != nil {
			return nil, err
		}
		if people, err = d.people(ctx, rows, people, own); err != nil {
			return nil, err
		}
		for _, row := range rows {
			t := ticketOf(row, people, own)
			tickets[t.ID] = t
		}
	}
	return tickets, nil
}

// people adds the agents whom the answer left out. Without side-loading a
// second read is needed for their names.
func (d *SyncDesk) people(ctx context.Context, rows map[int64]TicketRow, known map[int64]Person, own int64) (map[int64]Person, error) {
	var missing []int64
	for _, row := range rows {
		for _, id := range []int64{row.AssigneeID, row.RequesterID} {
			if _, ok := known[id]; !ok && id != 0 && id != own && !slices.Contains(missing, id) {
				missing = append(missing, id)
			}
		}
	}
	slices.Sort(missing)
	for chunk := range slices.Chunk(missing, maxMany) {
		more, err := d.Client.ShowUsers(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for id, p := range more {
			known[id] = p
		}
	}
	return known, nil
}

func ticketOf(row TicketRow, people map[int64]Person, own int64) relay.Ticket {
	t := relay.Ticket{
		ID: strconv.FormatInt(row.ID, 10), Subject: row.Subject,
		Deleted: row.Status == "deleted", Final: row.Status == "closed",
		Locale: people[row.RequesterID].Locale, Stamp: row.UpdatedAt,
	}
	t.Customer.UserID, t.Key, t.Ours = ParseExternalID(row.ExternalID)
	switch row.Status {
	case "solved":
		t.Status = relay.Solved
	case "closed":
		t.Status = relay.Closed
		t.Merged = slices.Contains(row.Tags, tagMerged)
	}
	t.Unlisted = t.Ours && t.Status == relay.Open && !t.Deleted && !slices.Contains(row.Tags, Tag)
	if row.AssigneeID != 0 && row.AssigneeID != own {
		t.Agents = []relay.Agent{{ID: strconv.FormatInt(row.AssigneeID, 10), Name: people[row.AssigneeID].Name}}
	}
	return t
}

func number(ticketID string) (int64, error) {
	n, err := strconv.ParseInt(ticketID, 10, 64)
	if err != nil || n <= 0 {
		return 0, &upstream.Error{Vendor: vendor, Op: "tickets_show", Class: upstream.Refused, Status: http.StatusNotFound, Code: codeMissing}
	}
	return n, nil
}

// show is ShowTicket, tried again.
func (d *SyncDesk) show(ctx context.Context, id int64) (TicketRow, error) {
	return upstream.Retry(ctx, func(ctx context.Context) (TicketRow, error) { return d.Client.ShowTicket(ctx, id) })
}

// Gone reads the ticket alone.
func (d *SyncDesk) Gone(ctx context.Context, id string) (bool, error) {
	n, err := number(id)
	if err != nil {
		return true, nil
	}
	row, err := d.show(ctx, n)
	if missingRecord(err) {
		return true, nil
	}
	return row.Status == "deleted", err
}

// Survivor returns the other ticket of the newest merge. A ticket that was
// merged away takes no comment after that.
func (d *SyncDesk) Survivor(ctx context.Context, id string) (string, error) {
	n, err := number(id)
	if err != nil {
		return "", err
	}
	var into int64
	err = d.Client.Comments(ctx, n, func(page []Comment) bool {
		for _, c := range page {
			if c.MergedWith != 0 && c.MergedWith != n {
				into = c.MergedWith
				return false
			}
		}
		return true
	})
	if err != nil || into == 0 {
		return "", err
	}
	return strconv.FormatInt(into, 10), nil
}

// Unique lists the tickets of t's request. Zendesk forgets an Idempotency-Key
// after two hours and external ids are not unique, so there may be two. A
// duplicate that an agent has opened again is a ticket like any other.
func (d *SyncDesk) Unique(ctx context.Context, t relay.Ticket) (newer bool, err error) {
	ids, err := upstream.Retry(ctx, func(ctx context.Context) ([]string, error) {
		return d.Client.TicketsByExternalID(ctx, ExternalID(t.Customer.UserID, t.Key))
	})
	if err != nil || len(ids) < 2 {
		return false, err
	}
	first, err := number(ids[0])
	if err != nil {
		return false, err
	}
	// A ticket beside a closed one is no copy of a request but what came after
	// it: a follow-up may inherit the external id.
	oldest, err := d.show(ctx, first)
	if missingRecord(err) || oldest.Status == "closed" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, id := range ids[1:] {
		retired, err := d.retire(ctx, id, ids[0])
		if err != nil {
			return false, err
		}
		if id == t.ID {
			newer = retired
		}
	}
	return newer, nil
}

// List adds our tag again, which agents and triggers replace with the others.
func (d *SyncDesk) List(ctx context.Context, t relay.Ticket) error {
	n, err := number(t.ID)
	if err != nil {
		return err
	}
	return d.Client.AddTags(ctx, n, Tag)
}

// updateTries bounds how often a safe update starts over.
const updateTries = 4

// retire tags, notes and solves a duplicate, once: the tag says that it is done.
func (d *SyncDesk) retire(ctx context.Context, id, oldest string) (retired bool, err error) {
	n, err := number(id)
	if err != nil {
		return false, err
	}
	for try := range updateTries {
		row, rerr := d.show(ctx, n)
		if rerr != nil {
			return false, rerr
		}
		if slices.Contains(row.Tags, TagDuplicate) {
			return try > 0, nil
		}
		if row.Status == "closed" {
			return false, nil
		}
		if err := d.age(ctx, row.UpdatedAt); err != nil {
			return false, err
		}
		_, err = d.Client.UpdateTicket(ctx, n, TicketUpdate{
			Note:   "This ticket repeats the request of #" + oldest + ", which came first. caseroom has solved it.",
			Status: "solved", Tags: append(slices.Clone(row.Tags), TagDuplicate), Stamp: row.UpdatedAt,
		})
		if err == nil {
			return true, nil
		}
		if e := (*upstream.Error)(nil); !errors.As(err, &e) || (e.Status != http.StatusConflict && !e.OutcomeUnknown()) {
			return false, err
		}
	}
	return false, err
}

// Parts reads the ticket's stamp, unless the caller has seen one, and then its
// notes: a note that is added in between moves the stamp on, and the update that
// rests on it fails. Only notes of our own user count, for anybody's text may
// look like a transcript.
func (d *SyncDesk) Parts(ctx context.Context, ticketID, prefix string, seen time.Time) ([]string, time.Time, error) {
	n, err := number(ticketID)
	if err != nil {
		return nil, time.Time{}, relay.ErrCannotTake
	}
	own, err := d.me(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	row := TicketRow{UpdatedAt: seen}
	if seen.IsZero() {
		row, err = d.show(ctx, n)
	}
	if err == nil && row.Status != "deleted" {
		var names []string
		err = d.Client.Comments(ctx, n, func(page []Comment) bool {
			for _, c := range page {
				if name := relay.PartName(c.Text); c.AuthorID == own && !c.Public && strings.HasPrefix(name, prefix) {
					names = append(names, name)
				}
			}
			return true
		})
		if err == nil {
			return names, row.UpdatedAt, nil
		}
	}
	if err == nil || missingRecord(err) {
		return nil, time.Time{}, relay.ErrCannotTake
	}
	return nil, time.Time{}, err
}

// File adds a part as an internal note, unless the ticket has moved on.
func (d *SyncDesk) File(ctx context.Context, ticketID string, part relay.Part, stamp time.Time) (time.Time, error) {
	n, err := number(ticketID)
	if err != nil {
		return time.Time{}, err
	}
	if err := d.age(ctx, stamp); err != nil {
		return time.Time{}, err
	}
	next, err := d.Client.UpdateTicket(ctx, n, TicketUpdate{Note: part.Body, Stamp: stamp})
	switch {
	case status(err) == http.StatusConflict:
		return time.Time{}, relay.ErrMoved
	case missingRecord(err), upstream.HasCode(err, codeInvalid, codeInvalidValue), status(err) == http.StatusRequestEntityTooLarge:
		return time.Time{}, relay.ErrCannotTake
	}
	return next, err
}

// age waits until a stamp is more than a second old. Stamps are whole seconds:
// an update in the second of the stamp would leave it as it is, and a second
// update that rests on it would not notice the first.
func (d *SyncDesk) age(ctx context.Context, stamp time.Time) error {
	now, wait := d.Now, d.Wait
	if now == nil {
		now = time.Now
	}
	if wait == nil {
		wait = upstream.Sleep
	}
	left := stamp.Add(1100 * time.Millisecond).Sub(now())
	if left <= 0 {
		return nil
	}
	return wait(ctx, min(left, 3*time.Second)) // their clock may be ahead of ours
}
