package zendesk

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/upstream"
)

// read makes a GET that changes nothing, three times at most, and decodes the
// answer.
func (c *Client) read(ctx context.Context, op, path string, query url.Values, into any) error {
	_, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
		res, err := c.do(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: path, Query: query})
		switch {
		case err != nil:
		case !succeeded(res):
			err = failed(c.http, op, res)
		case json.Unmarshal(res.Body, into) != nil:
			err = senseless(c.http, op, res)
		}
		return res, err
	})
	return err
}

// write makes one call that changes something, once, and decodes the answer
// unless into is nil. Of an error whose outcome is unknown the caller finds out
// by reading.
func (c *Client) write(ctx context.Context, op, method, path string, query url.Values, body, into any) error {
	res, err := c.do(ctx, upstream.Call{Op: op, Method: method, Path: path, Query: query, JSON: body})
	if err != nil {
		return err
	}
	if !succeeded(res) {
		return failed(c.http, op, res)
	}
	if into != nil && json.Unmarshal(res.Body, into) != nil {
		return senseless(c.http, op, res)
	}
	return nil
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

// cursor is how Zendesk pages its newer lists.
type cursor struct {
	Meta struct {
		HasMore bool   `json:"has_more"`
		After   string `json:"after_cursor"`
		ZIS     string `json:"after"` // as ZIS calls it
	} `json:"meta"`
}

func (c cursor) next() string { return cmp.Or(c.Meta.After, c.Meta.ZIS) }

// pages reads a list to its end: fetch is called with the query of each page.
func pages(query url.Values, fetch func(url.Values) (cursor, error)) error {
	if query == nil {
		query = url.Values{}
	}
	query.Set("page[size]", "100")
	for range maxPages {
		page, err := fetch(query)
		if err != nil || !page.Meta.HasMore || page.next() == "" {
			return err
		}
		query.Set("page[after]", page.next())
	}
	return nil
}
