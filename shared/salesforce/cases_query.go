package salesforce

import (
	"context"
	"encoding/json"

	"github.com/caseroom/caseroom/shared/identity"
)

// CaseRow is a case as caseroom reads it.
type CaseRow struct {
	ID             string
	Subject        string
	SuppliedName   string
	IsClosed       bool
	IsDeleted      bool
	MasterRecordID string // the case that this one was merged into
	OwnerID        string // a user, 005…, or a queue, 00G…
	Key, UserID    string // of our package's fields, "" without them
}

// Cases reads cases by id in one query, those in the recycle bin too. A case
// that is purged or not shared with our user is missing.
//
//	SELECT Id, Subject, … FROM Case WHERE Id IN ('500…')
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_case.htm.
func (c *Client) Cases(ctx context.Context, ids ...string) (map[string]CaseRow, error) {
	fields := "Id, Subject, SuppliedName, IsClosed, IsDeleted, MasterRecordId, OwnerId"
	for _, f := range []string{c.keyField, c.userField} {
		if f != "" {
			fields += ", " + f
		}
	}
	records, err := query[map[string]json.RawMessage](ctx, c, "SELECT "+fields+" FROM Case WHERE Id IN "+quoted(ids), true)
	if err != nil {
		return nil, err
	}
	rows := make(map[string]CaseRow, len(records))
	for _, r := range records {
		row := CaseRow{
			Subject: text(r["Subject"]), SuppliedName: text(r["SuppliedName"]), OwnerID: text(r["OwnerId"]),
			IsClosed: string(r["IsClosed"]) == "true", IsDeleted: string(r["IsDeleted"]) == "true",
		}
		if c.keyField != "" {
			row.Key = text(r[c.keyField])
		}
		if c.userField != "" {
			row.UserID = text(r[c.userField])
		}
		if row.ID, err = identity.SalesforceID(text(r["Id"]), "500"); err != nil {
			continue
		}
		row.MasterRecordID, _ = identity.SalesforceID(text(r["MasterRecordId"]), "500")
		rows[row.ID] = row
	}
	return rows, nil
}

// text returns a JSON string, "" for null and anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
