package salesforce

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
)

var (
	_ relay.ChangeDesk = (*SyncDesk)(nil)
	_ relay.SweepDesk  = (*SyncDesk)(nil)
)

// undeleteWindow is how long the recycle bin keeps a case.
// See https://help.salesforce.com/s/articleView?id=xcloud.home_delete.htm.
const undeleteWindow = 15 * 24 * time.Hour

// UndeleteWindow returns the recycle bin's 15 days.
func (*SyncDesk) UndeleteWindow() time.Duration { return undeleteWindow }

// Changes reads one page of the cases whose SystemModstamp lies in the window,
// and with the last page those whose Omni-Channel work does, if that counts. An
// org without our package has no cases of ours to see.
func (d *SyncDesk) Changes(ctx context.Context, from, until time.Time, cursor string) (relay.Changes, error) {
	var out relay.Changes
	if !d.packaged() {
		return out, nil
	}
	after, err := parseCursor(cursor)
	if err != nil {
		return out, err
	}
	rows, err := d.Client.ChangedCases(ctx, from, until, after)
	if err != nil {
		return out, err
	}
	full := len(rows) == changedRows
	if d.Omni && !full {
		work, err := d.worked(ctx, from, until, rows)
		if err != nil {
			return out, err
		}
		rows = append(rows, work...)
	}
	byID := make(map[string]CaseRow, len(rows))
	for _, row := range rows {
		byID[row.ID] = row
	}
	tickets, err := d.ticketsOf(ctx, byID)
	if err != nil {
		return out, err
	}
	out.Listed = len(rows)
	for _, row := range rows {
		if t := tickets[row.ID]; t.Ours {
			out.Tickets = append(out.Tickets, relay.Change{Ticket: t, At: row.Modified})
		}
	}
	if full {
		last := rows[len(rows)-1]
		out.Next = strconv.FormatInt(last.Modified.UnixMilli(), 10) + "|" + last.ID
	}
	return out, nil
}

// worked reads the cases of ours whose work changed in a window, but for those of
// a page. An org may route far more than ours.
func (d *SyncDesk) worked(ctx context.Context, from, until time.Time, page []CaseRow) (list []CaseRow, err error) {
	changed, err := d.Client.ChangedWork(ctx, from, until)
	if err != nil {
		return nil, err
	}
	for _, row := range page {
		delete(changed, row.ID)
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(changed)), idsAtOnce) {
		rows, err := d.Client.Cases(ctx, ids...)
		if err != nil {
			return nil, err
		}
		for _, id := range ids { // in the same order every time
			if row := rows[id]; row.ours() {
				row.Modified = changed[id]
				list = append(list, row)
			}
		}
	}
	return list, nil
}

// packaged reports whether the org has the fields by which a case is ours.
func (d *SyncDesk) packaged() bool { return d.Client.keyField != "" && d.Client.userField != "" }

var errCursor = errors.New("salesforce: not a cursor of ours")

// parseCursor reads a place in the feed: the time and id of the last case.
func parseCursor(s string) (CaseRow, error) {
	if s == "" {
		return CaseRow{}, nil
	}
	at, id, _ := strings.Cut(s, "|")
	ms, err := strconv.ParseInt(at, 10, 64)
	full, idErr := identity.SalesforceID(id, "500")
	if err != nil || idErr != nil || full != id {
		return CaseRow{}, errors.Join(relay.ErrCursor, errCursor)
	}
	return CaseRow{ID: id, Modified: time.UnixMilli(ms).UTC()}, nil
}

// OpenTickets reads one page of our cases that are not closed; a case knows no
// solved. The cursor is the last one's id.
func (d *SyncDesk) OpenTickets(ctx context.Context, _ bool, cursor string) (ids []string, next string, err error) {
	if !d.packaged() {
		return nil, "", nil
	}
	if full, err := identity.SalesforceID(cursor, "500"); cursor != "" && (err != nil || full != cursor) {
		return nil, "", errors.Join(relay.ErrCursor, errCursor)
	}
	rows, err := d.Client.OpenCases(ctx, cursor)
	if err != nil {
		return nil, "", err
	}
	for _, row := range rows {
		if row.ours() {
			ids = append(ids, row.ID)
		}
	}
	if len(rows) == changedRows {
		next = rows[len(rows)-1].ID
	}
	return ids, next, nil
}
