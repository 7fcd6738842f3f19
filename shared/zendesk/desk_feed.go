package zendesk

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
)

var (
	_ relay.ChangeDesk = (*SyncDesk)(nil)
	_ relay.SweepDesk  = (*SyncDesk)(nil)
)

// undeleteWindow is how long a deleted ticket can be restored.
// See https://support.zendesk.com/hc/en-us/articles/4408835052698.
const undeleteWindow = 30 * 24 * time.Hour

// UndeleteWindow returns Zendesk's 30 days.
func (*SyncDesk) UndeleteWindow() time.Duration { return undeleteWindow }

// admin is the client whose user may export tickets.
func (d *SyncDesk) admin() *Client {
	if d.Admin != nil {
		return d.Admin
	}
	return d.Client
}

// Changes reads one page of the incremental export. What changed behind the
// window's end belongs to another window.
func (d *SyncDesk) Changes(ctx context.Context, from, until time.Time, cursor string) (relay.Changes, error) {
	own, err := d.me(ctx)
	if err != nil {
		return relay.Changes{}, err
	}
	page, err := d.admin().ExportTickets(ctx, from, cursor)
	if err != nil {
		return relay.Changes{}, cursorLost(err, cursor)
	}
	var out relay.Changes
	past := false
	for _, row := range page.Tickets {
		at := row.UpdatedAt
		if row.Generated > 0 {
			at = time.Unix(row.Generated, 0).UTC()
		}
		if past = at.After(until); past {
			continue
		}
		out.Listed++
		if row.Type == "task" {
			out.Tasks = append(out.Tasks, strconv.FormatInt(row.ID, 10))
		}
		t := ticketOf(row, nil, own)
		// A ticket that was deleted for good may have lost its external id.
		erased := t.Deleted && row.ExternalID == ""
		if t.Ours || erased {
			out.Tickets = append(out.Tickets, relay.Change{Ticket: t, At: at, Erased: erased})
		}
	}
	if !page.End && !past {
		out.Next = page.After
	}
	return out, nil
}

// cursorLost says of a refusal that it is the cursor's, which Zendesk forgets.
func cursorLost(err error, cursor string) error {
	if s := status(err); cursor != "" && (s == http.StatusBadRequest || s == http.StatusGone || s == http.StatusUnprocessableEntity) {
		return errors.Join(relay.ErrCursor, err)
	}
	return err
}

// OpenTickets searches for our tag, because Zendesk lists no tickets by a part
// of their external id: a ticket whose tag an agent took away is not found.
func (d *SyncDesk) OpenTickets(ctx context.Context, solved bool, cursor string) (ids []string, next string, err error) {
	below := "solved"
	if solved {
		below = "closed"
	}
	rows, next, err := d.Client.SearchTickets(ctx, "tags:"+Tag+" status<"+below, cursor)
	if err != nil {
		return nil, "", cursorLost(err, cursor)
	}
	for _, row := range rows {
		t := ticketOf(row, nil, 0)
		if t.Ours && (t.Status == relay.Open || (solved && t.Status == relay.Solved)) && !t.Deleted {
			ids = append(ids, strconv.FormatInt(row.ID, 10))
		}
	}
	return ids, next, nil
}
