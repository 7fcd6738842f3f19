package salesforce

import (
	"context"
	"net/http"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// UpdateCase sets fields of a case, such as OwnerId and Status. The functions
// never call it: cases are their agents'.
//
//	PATCH /services/data/v68.0/sobjects/Case/500… {"OwnerId":"005…"}
//	204
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm.
func (c *Client) UpdateCase(ctx context.Context, id string, fields map[string]any) error {
	const op = "case_update"
	id, err := identity.SalesforceID(id, "500")
	if err != nil {
		return &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Refused, Status: http.StatusNotFound}
	}
	_, err = c.call(ctx, upstream.Call{
		Op: op, Method: http.MethodPatch, Path: c.data() + "/sobjects/Case/" + id, JSON: fields,
		// Else the org's assignment rule chooses an owner over ours.
		Header: http.Header{"Sforce-Auto-Assign": {"FALSE"}},
	}, nil)
	return err
}

// DeleteCase puts a case into the recycle bin. One that is there already is
// deleted.
//
//	DELETE /services/data/v68.0/sobjects/Case/500…
//	204, 404 [{"errorCode":"ENTITY_IS_DELETED"}]
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_delete_record.htm.
func (c *Client) DeleteCase(ctx context.Context, id string) error {
	const op = "case_delete"
	id, err := identity.SalesforceID(id, "500")
	if err != nil {
		return &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Refused, Status: http.StatusNotFound}
	}
	_, err = c.call(ctx, upstream.Call{Op: op, Method: http.MethodDelete, Path: c.data() + "/sobjects/Case/" + id}, nil)
	if upstream.HasCode(err, codeDeleted) {
		return nil
	}
	return err
}
