package zendesk

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/caseroom/caseroom/shared/upstream"
)

// call makes one call and decodes the answer unless into is nil. Whether all that
// was asked for is in it, the caller has to see.
func (c *Client) call(ctx context.Context, call upstream.Call, into any) (*upstream.Response, error) {
	res, err := c.do(ctx, call)
	switch {
	case err != nil:
		return nil, err
	case !res.OK():
		return nil, failed(c.http, call.Op, res)
	case into != nil && json.Unmarshal(res.Body, into) != nil:
		return nil, c.http.Senseless(call.Op, res)
	}
	return res, nil
}

// read makes a GET that changes nothing, three times at most, and decodes the
// answer.
func (c *Client) read(ctx context.Context, op, path string, query url.Values, into any) error {
	_, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
		return c.call(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: path, Query: query}, into)
	})
	return err
}

// write makes one call that changes something, once, and decodes the answer
// unless into is nil. Of an error whose outcome is unknown the caller finds out
// by reading.
func (c *Client) write(ctx context.Context, op, method, path string, query url.Values, body, into any) error {
	_, err := c.call(ctx, upstream.Call{Op: op, Method: method, Path: path, Query: query, JSON: body}, into)
	return err
}

// remove makes a DELETE. What is not there any more counts as removed.
func (c *Client) remove(ctx context.Context, op, path string, query url.Values) error {
	err := c.write(ctx, op, http.MethodDelete, path, query, nil, nil)
	if Missing(err) {
		return nil
	}
	return err
}

// maxPages bounds a listing that never ends.
const maxPages = 100

// cursor is how Zendesk pages its newer lists, a part of their answers.
type cursor struct {
	Meta *struct {
		HasMore bool   `json:"has_more"`
		After   string `json:"after_cursor"` // null on an empty page
		ZIS     string `json:"after"`        // as ZIS calls it
	} `json:"meta"`
}

// next returns the cursor of the next page, "" at the end.
func (c cursor) next() string {
	if c.Meta == nil || !c.Meta.HasMore {
		return ""
	}
	return cmp.Or(c.Meta.After, c.Meta.ZIS)
}

// pages reads a list to its end: fetch is called with the query of each page.
func pages(query url.Values, fetch func(url.Values) (cursor, error)) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("page[size]", "100")
	for range maxPages {
		page, err := fetch(query)
		if err != nil || page.next() == "" {
			return err
		}
		query.Set("page[after]", page.next())
	}
	return nil
}

func ticketPath(id int64) string { return "/api/v2/tickets/" + strconv.FormatInt(id, 10) }
