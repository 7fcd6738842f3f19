package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// CaseExists reads one case alone and reports whether the org shows it.
//
//	GET /services/data/v68.0/sobjects/Case/500…?fields=Id
//	200 {"Id"}, 404 [{"errorCode":"ENTITY_IS_DELETED"}] or NOT_FOUND
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_retrieve_get.htm.
func (c *Client) CaseExists(ctx context.Context, id string) (bool, error) {
	const op = "case_show"
	id, err := identity.SalesforceID(id, "500")
	if err != nil {
		return false, nil
	}
	res, err := c.do(ctx, upstream.Call{
		Op: op, Method: http.MethodGet, Path: c.data() + "/sobjects/Case/" + id, Query: url.Values{"fields": {"Id"}},
	})
	switch {
	case err != nil:
		return false, err
	case res.Status == http.StatusNotFound:
		if code := errorCode(res.Body); code == codeNotFound || code == codeDeleted {
			return false, nil
		}
		return false, failed(c.http, op, res)
	case !res.OK():
		return false, failed(c.http, op, res)
	}
	var row struct {
		ID string `json:"Id"`
	}
	if json.Unmarshal(res.Body, &row) != nil || row.ID == "" {
		return false, c.http.Senseless(op, res)
	}
	return true, nil
}

// codeDeleted refuses what is asked of a record in the recycle bin.
const codeDeleted = "ENTITY_IS_DELETED"
