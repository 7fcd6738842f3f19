package salesforce

import (
	"context"
	"errors"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

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
	if err != nil {
		return time.Time{}, false, err
	}
	if len(rows) == 1 {
		if stamp, err = time.Parse(answerTime, rows[0].SystemModstamp); err == nil {
			return stamp, rows[0].IsDeleted, nil
		}
	}
	return time.Time{}, false, &upstream.Error{Vendor: vendor, Op: "query", Class: upstream.Unknown, Err: errors.New("not one case with a stamp")}
}
