package salesforce

import (
	"context"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// stampLayout is how the org writes times.
const stampLayout = "2006-01-02T15:04:05.000-0700"

// CaseStamp returns when a case was last changed by anybody, the system
// included, and whether it is in the recycle bin.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/system_fields.htm.
func (c *Client) CaseStamp(ctx context.Context, id string) (stamp time.Time, deleted bool, err error) {
	id, err = identity.SalesforceID(id, "500")
	if err != nil {
		return stamp, false, err
	}
	rows, err := query[struct {
		SystemModstamp string
		IsDeleted      bool
	}](ctx, c, "SELECT SystemModstamp, IsDeleted FROM Case WHERE Id = '"+id+"'", true)
	if err == nil && len(rows) == 1 {
		stamp, err = time.Parse(stampLayout, rows[0].SystemModstamp)
	}
	if err != nil || len(rows) != 1 {
		return stamp, false, orSenseless(err)
	}
	return stamp, rows[0].IsDeleted, nil
}

func orSenseless(err error) error {
	if err == nil {
		err = &upstream.Error{Vendor: vendor, Op: "query", Class: upstream.Unknown, Err: errSenseless}
	}
	return err
}

// StandardUsers returns some active internal users.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_user.htm.
func (c *Client) StandardUsers(ctx context.Context) ([]UserRow, error) {
	return query[UserRow](ctx, c, "SELECT Id, Name, UserType, IsActive FROM User WHERE IsActive = true AND UserType = 'Standard' ORDER BY Name LIMIT 20", false)
}
