package zendesk

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

const (
	// exportRows is how many tickets a page of the export has. Zendesk allows
	// 1,000, and ten pages a minute for the whole account.
	exportRows = 500
	// exportBody bounds such a page, and other lists of long texts: a row holds
	// the ticket's whole description.
	exportBody = 48 << 20
	// exportTime is what one page may take.
	exportTime = 20 * time.Second
)

// Export is one page of the incremental export.
type Export struct {
	Tickets []TicketRow
	After   string // cursor of the next page
	End     bool   // there is nothing behind it yet
}

// ExportTickets reads a page of every ticket that changed since start, by the
// time of the change, deleted ones included; with a cursor, the page behind it.
// A ticket may come on several pages. Zendesk leaves the last minute out and
// refuses a start in it. It needs an admin.
//
//	GET /api/v2/incremental/tickets/cursor?start_time=1793613600&per_page=500
//	GET /api/v2/incremental/tickets/cursor?cursor=…&per_page=500
//	200 {"tickets":[…],"after_cursor":"…","end_of_stream":true}
//
// See https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/.
func (c *Client) ExportTickets(ctx context.Context, start time.Time, cursor string) (Export, error) {
	const op = "incremental_tickets_cursor"
	query := url.Values{"per_page": {strconv.Itoa(exportRows)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	} else {
		query.Set("start_time", strconv.FormatInt(start.Unix(), 10))
	}
	ctx, cancel := long(ctx)
	defer cancel()
	var answer struct {
		Tickets *[]TicketRow `json:"tickets"`
		After   *string      `json:"after_cursor"`
		End     *bool        `json:"end_of_stream"`
	}
	res, err := c.call(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: "/api/v2/incremental/tickets/cursor", Query: query,
		Patient: true, MaxBody: exportBody,
	}, &answer)
	if err != nil {
		return Export{}, err
	}
	if answer.Tickets == nil || answer.End == nil {
		return Export{}, c.http.Senseless(op, res)
	}
	page := Export{Tickets: *answer.Tickets, End: *answer.End}
	if answer.After != nil {
		page.After = *answer.After
	}
	if !page.End && (page.After == "" || page.After == cursor) {
		return Export{}, c.http.Senseless(op, res) // it would never end
	}
	return page, nil
}

// long gives a page of an export more time than other calls, but never more
// than half of what is left: another try has to fit.
func long(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, 2*exportTime)
	half, cancelHalf := upstream.WithShare(ctx, 50)
	return half, func() { cancelHalf(); cancel() }
}
