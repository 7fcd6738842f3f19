package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/caseroom/caseroom/shared/upstream"
)

// query runs a SOQL query and returns all its rows, page by page; all includes
// the recycle bin. It changes nothing, so it may be repeated.
//
//	GET /services/data/v68.0/query?q=SELECT…, or /queryAll
//	200 {"done":true,"records":[…],"nextRecordsUrl":"/services/data/v68.0/query/01g…-2000"}
//	400 [{"errorCode":"INVALID_TYPE"}] for an object that the org does not have
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm
// and https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm.
func query[T any](ctx context.Context, c *Client, soql string, all bool) ([]T, error) {
	if all {
		return queryAt[T](ctx, c, "/queryAll", soql)
	}
	return queryAt[T](ctx, c, "/query", soql)
}

func queryAt[T any](ctx context.Context, c *Client, resource, soql string) ([]T, error) {
	const op = "query"
	path := c.data() + resource
	var rows []T
	params := url.Values{"q": {soql}}
	for {
		res, err := upstream.Retry(ctx, func(ctx context.Context) (*upstream.Response, error) {
			res, err := c.call(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: path, Query: params}, nil)
			return res, once(err)
		})
		if err != nil {
			return nil, err
		}
		var answer struct {
			Records *[]T   `json:"records"`
			Done    bool   `json:"done"`
			Next    string `json:"nextRecordsUrl"`
		}
		if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Records == nil {
			return nil, c.http.Senseless(op, res)
		}
		rows = append(rows, *answer.Records...)
		if answer.Done {
			return rows, nil
		}
		if !strings.HasPrefix(answer.Next, "/services/data/") || strings.ContainsAny(answer.Next, "?#\\ ") {
			return nil, c.http.Senseless(op, res)
		}
		path, params = answer.Next, nil
	}
}

// quoted lists ids as SOQL literals. Only checked ids may be given to it.
func quoted(ids []string) string { return "('" + strings.Join(ids, "','") + "')" }
