package zendesk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/upstream"
)

// What Zendesk Integration Services refuse by the kind of credential, whatever
// the user may do.
var (
	// ErrOAuthDisabled: uploading a bundle takes an admin's browser session, or
	// an API token where one still exists.
	ErrOAuthDisabled = errors.New("not by OAuth: this takes an admin's browser session, or an API token where one still exists")
	// ErrBoundToken: connections take a session, or a token of the
	// integration's own OAuth client, which can no longer be had.
	ErrBoundToken = errors.New("not by this credential: connections take an admin's browser session")
	// ErrNameTaken: integration names are one for all of Zendesk.
	ErrNameTaken = errors.New("another Zendesk account has registered this integration name")
)

const zisPath = "/api/services/zis"

// zis makes one call to Zendesk Integration Services and decodes the answer
// unless into is nil.
func (c *Client) zis(ctx context.Context, op, method, path string, query url.Values, body, into any) error {
	call := upstream.Call{Op: op, Method: method, Path: zisPath + path, Query: query, JSON: body}
	var res *upstream.Response
	var err error
	if method == http.MethodGet {
		res, err = upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
			res, err := c.do(ctx, call)
			if err == nil && !res.OK() && upstream.StatusClass(res.Status) != upstream.Refused {
				err = failed(c.http, op, res)
			}
			return res, err
		})
	} else {
		res, err = c.do(ctx, call)
	}
	if err != nil {
		return err
	}
	if !res.OK() {
		e := failed(c.http, op, res)
		// ZIS tells these from bad credentials by their wording alone.
		text := bytes.ToLower(res.Body)
		switch {
		case res.Status == http.StatusUnauthorized && bytes.Contains(text, []byte("oauth")) && bytes.Contains(text, []byte("disabled")):
			e.Err, e.Credentials = ErrOAuthDisabled, false
		case res.Status == http.StatusUnauthorized && bytes.Contains(text, []byte("integration mismatch")):
			e.Err, e.Credentials = ErrBoundToken, false
		case res.Status == http.StatusForbidden && zisConnectionsOp[op]:
			e.Err = ErrBoundToken
		case res.Status == http.StatusBadRequest && bytes.Contains(text, []byte("not available for upsert")):
			e.Err = ErrNameTaken
		}
		return e
	}
	if into != nil && json.Unmarshal(res.Body, into) != nil {
		return c.http.Senseless(op, res)
	}
	return nil
}

var zisConnectionsOp = map[string]bool{"zis_connections": true, "zis_connection_create": true, "zis_connection_delete": true}
