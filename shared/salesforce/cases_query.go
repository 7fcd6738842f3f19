package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// CaseRow is a case as caseroom reads it.
type CaseRow struct {
	ID             string
	Subject        string
	SuppliedName   string
	IsClosed       bool
	IsDeleted      bool
	MasterRecordID string    // the case that this one was merged into
	OwnerID        string    // a user, 005…, or a queue, 00G…
	Key, UserID    string    // of our package's fields, "" without them
	Modified       time.Time // SystemModstamp; zero where it was not asked for
}

// Cases reads cases by id in one query, those in the recycle bin too. A case
// that is purged or not shared with our user is missing.
//
//	SELECT Id, Subject, … FROM Case WHERE Id IN ('500…')
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_case.htm.
func (c *Client) Cases(ctx context.Context, ids ...string) (map[string]CaseRow, error) {
	list, err := c.cases(ctx, c.caseFields(), "WHERE Id IN "+quoted(ids))
	if err != nil {
		return nil, err
	}
	rows := make(map[string]CaseRow, len(list))
	for _, row := range list {
		rows[row.ID] = row
	}
	return rows, nil
}

// changedRows is how many cases a page of changes has.
const changedRows = 500

// soqlTime is how SOQL writes a date and time.
const soqlTime = "2006-01-02T15:04:05.000Z"

// answerTime is how answers write one.
const answerTime = "2006-01-02T15:04:05.000-0700"

// ChangedCases reads one page of the cases of ours that changed in a window, by
// the time of the change, those in the recycle bin too. after is the last case
// of the page before: a case that changes meanwhile moves on to behind the
// window, so no page depends on the org's memory of an earlier one.
//
//	SELECT Id, …, SystemModstamp FROM Case WHERE Caseroom_Key__c != null AND …
//	  SystemModstamp >= 2026-11-02T10:00:00Z AND SystemModstamp <= 2026-11-02T10:20:00Z
//	  ORDER BY SystemModstamp, Id LIMIT 500
func (c *Client) ChangedCases(ctx context.Context, from, until time.Time, after CaseRow) ([]CaseRow, error) {
	where := "SystemModstamp >= " + from.UTC().Format(soqlTime)
	if after.ID != "" {
		at := after.Modified.UTC().Format(soqlTime)
		where = "(SystemModstamp > " + at + " OR (SystemModstamp = " + at + " AND Id > '" + after.ID + "'))"
	}
	return c.cases(ctx, c.caseFields()+", SystemModstamp", fmt.Sprintf("WHERE %s AND %s AND SystemModstamp <= %s ORDER BY SystemModstamp, Id LIMIT %d",
		c.ours(), where, until.UTC().Format(soqlTime), changedRows))
}

// OpenCases reads one page of the ids of the cases of ours that are not closed,
// those behind after.
//
//	SELECT Id FROM Case WHERE Caseroom_Key__c != null AND … IsClosed = false AND Id > '500…' ORDER BY Id LIMIT 500
func (c *Client) OpenCases(ctx context.Context, after string) ([]CaseRow, error) {
	where := c.ours() + " AND IsClosed = false AND IsDeleted = false"
	if after != "" {
		where += " AND Id > '" + after + "'"
	}
	return c.cases(ctx, c.caseFields(), fmt.Sprintf("WHERE %s ORDER BY Id LIMIT %d", where, changedRows))
}

// ours is the condition of a case that caseroom made.
func (c *Client) ours() string { return c.keyField + " != null AND " + c.userField + " != null" }

func (c *Client) caseFields() string {
	fields := "Id, Subject, SuppliedName, IsClosed, IsDeleted, MasterRecordId, OwnerId"
	for _, f := range []string{c.keyField, c.userField} {
		if f != "" {
			fields += ", " + f
		}
	}
	return fields
}

func (c *Client) cases(ctx context.Context, fields, rest string) ([]CaseRow, error) {
	records, err := query[map[string]json.RawMessage](ctx, c, "SELECT "+fields+" FROM Case "+rest, true)
	if err != nil {
		return nil, err
	}
	rows := make([]CaseRow, 0, len(records))
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
			return nil, &upstream.Error{Vendor: vendor, Op: "query", Class: upstream.Unknown, Err: errors.New("a case without an id")}
		}
		row.MasterRecordID, _ = identity.SalesforceID(text(r["MasterRecordId"]), "500")
		row.Modified, _ = time.Parse(answerTime, text(r["SystemModstamp"]))
		rows = append(rows, row)
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
