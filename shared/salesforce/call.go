package salesforce

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/cenkalti/backoff/v5"

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
func (c *Client) read(ctx context.Context, op, path string, into any) error {
	_, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
		res, err := c.call(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: path}, into)
		return res, once(err)
	})
	return err
}

// once keeps a call from being repeated when the org's calls of the day are
// spent: every try counts against them.
func once(err error) error {
	if upstream.HasCode(err, codeRequestLimit) {
		return backoff.Permanent(err)
	}
	return err
}

// write sends a record. Only an answer that says so is a success: a proxy's page
// comes with 200 too.
func (c *Client) write(ctx context.Context, op, method, path string, fields any) error {
	res, err := c.call(ctx, upstream.Call{
		Op: op, Method: method, Path: path, JSON: fields,
		// A comment or transcript must not route its case anew.
		Header: http.Header{"Sforce-Auto-Assign": {"FALSE"}},
	}, nil)
	if err != nil || res.Status == http.StatusNoContent { // an update, before API version 46.0
		return err
	}
	var answer struct {
		Success bool `json:"success"`
	}
	if json.Unmarshal(res.Body, &answer) != nil || !answer.Success {
		return c.http.Senseless(op, res)
	}
	return nil
}

// data is the path of the REST API at the configured version.
func (c *Client) data() string { return "/services/data/v" + c.version }
