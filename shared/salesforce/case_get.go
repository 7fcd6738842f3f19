package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// CaseByKey returns the 18-character id of the case that carries key in the
// key field, "" if there is none or there is no key field. A case that carries
// another customer's id beside it is refused.
//
//	GET /services/data/v68.0/sobjects/Case/<key field>/<key>?fields=Id,<user field>
//	200 {"Id","Caseroom_User__c"}
//	404 [{"errorCode":"NOT_FOUND"}], 300 ["/services/data/…", …] when several match
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_upsert.htm.
func (c *Client) CaseByKey(ctx context.Context, key, userID string) (id string, err error) {
	const op = "case_get"
	if c.keyField == "" || key == "" {
		return "", nil
	}
	fields := "Id"
	if c.userField != "" {
		fields += "," + c.userField
	}
	res, err := c.do(ctx, upstream.Call{
		Op: op, Method: http.MethodGet,
		Path:  c.data() + "/sobjects/Case/" + c.keyField + "/" + url.PathEscape(key),
		Query: url.Values{"fields": {fields}},
	})
	if err != nil {
		return "", err
	}
	if !res.OK() {
		e := failed(c.http, op, res)
		if res.Status == http.StatusNotFound && e.Code == codeNotFound {
			return "", nil
		}
		if res.Status == http.StatusMultipleChoices {
			e.Err = errSeveral
		}
		return "", e
	}
	var record map[string]json.RawMessage
	if json.Unmarshal(res.Body, &record) != nil {
		return "", c.http.Senseless(op, res)
	}
	var raw, owner string
	if json.Unmarshal(record["Id"], &raw) != nil {
		return "", c.http.Senseless(op, res)
	}
	if id, err = identity.SalesforceID(raw, "500"); err != nil {
		return "", c.http.Senseless(op, res)
	}
	if v, ok := record[c.userField]; ok && json.Unmarshal(v, &owner) == nil && owner != "" && owner != userID {
		e := c.http.Failed(op, res, upstream.Refused, "")
		e.Err = errForeign
		return "", e
	}
	return id, nil
}
