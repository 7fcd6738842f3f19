package zendesk

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/caseroom/caseroom/shared/upstream"
)

// searchRows is how many results a page has; Zendesk advises 100 and allows
// 1,000, and 100 pages a minute.
const searchRows = 100

// SearchTickets reads one page of the tickets that a search finds, without the
// search's limit of 1,000, by the time of their making; with a cursor, the page
// behind it. The index lags by minutes and knows no deleted tickets. A cursor
// lives for an hour. It needs the scope read.
//
//	GET /api/v2/search/export?query=tags:caseroom&filter[type]=ticket&page[size]=100
//	200 {"results":[{"id":1,"result_type":"ticket",…}],"meta":{"has_more":true,"after_cursor":"…"}}
//
// See https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/#export-search-results.
func (c *Client) SearchTickets(ctx context.Context, search, after string) (rows []TicketRow, next string, err error) {
	const op = "search_export"
	query := url.Values{"query": {search}, "filter[type]": {"ticket"}, "page[size]": {strconv.Itoa(searchRows)}}
	if after != "" {
		query.Set("page[after]", after)
	}
	ctx, cancel := long(ctx)
	defer cancel()
	var answer struct {
		cursor
		Results *[]TicketRow `json:"results"`
	}
	res, err := c.call(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: "/api/v2/search/export", Query: query,
		Patient: true, MaxBody: exportBody,
	}, &answer)
	if err != nil {
		return nil, "", err
	}
	if answer.Results == nil || answer.Meta == nil {
		return nil, "", c.http.Senseless(op, res)
	}
	next = answer.next()
	if answer.Meta.HasMore && (next == "" || next == after) {
		return nil, "", c.http.Senseless(op, res) // it would never end
	}
	return *answer.Results, next, nil
}
