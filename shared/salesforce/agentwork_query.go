package salesforce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// OpenedWork returns the users who have accepted a case in Omni-Channel and not
// closed it yet, by case. The agent of an AgentWork is its UserId, not its owner.
//
//	SELECT WorkItemId, UserId FROM AgentWork WHERE Status = 'Opened' AND WorkItemId IN ('500…')
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_agentwork.htm.
func (c *Client) OpenedWork(ctx context.Context, caseIDs ...string) (map[string][]string, error) {
	type work struct {
		WorkItemID string `json:"WorkItemId"`
		UserID     string `json:"UserId"`
	}
	records, err := query[work](ctx, c,
		"SELECT WorkItemId, UserId FROM AgentWork WHERE Status = 'Opened' AND WorkItemId IN "+quoted(caseIDs), false)
	if err != nil {
		return nil, err
	}
	users := map[string][]string{}
	for _, r := range records {
		item, err1 := identity.SalesforceID(r.WorkItemID, "500")
		user, err2 := identity.SalesforceID(r.UserID, "005")
		if err1 == nil && err2 == nil {
			users[item] = append(users[item], user)
		}
	}
	return users, nil
}

// changedWork is how much of a window's work is looked at. The daily sweep sees
// the rest.
const changedWork = 2000

// ChangedWork returns the cases whose Omni-Channel work changed in a window, and
// when it last did. Work that ends leaves its case as it was.
//
//	SELECT WorkItemId, SystemModstamp FROM AgentWork WHERE SystemModstamp >= 2026-11-02T10:00:00Z AND
//	  SystemModstamp <= 2026-11-02T10:20:00Z ORDER BY SystemModstamp DESC LIMIT 2000
func (c *Client) ChangedWork(ctx context.Context, from, until time.Time) (map[string]time.Time, error) {
	type work struct {
		WorkItemID     string `json:"WorkItemId"`
		SystemModstamp string
	}
	records, err := query[work](ctx, c, fmt.Sprintf(
		"SELECT WorkItemId, SystemModstamp FROM AgentWork WHERE SystemModstamp >= %s AND SystemModstamp <= %s ORDER BY SystemModstamp DESC LIMIT %d",
		from.UTC().Format(soqlTime), until.UTC().Format(soqlTime), changedWork), false)
	if err != nil {
		return nil, err
	}
	cases := map[string]time.Time{}
	for _, r := range records {
		item, err := identity.SalesforceID(r.WorkItemID, "500")
		if err != nil {
			continue // work on something else
		}
		at, err := time.Parse(answerTime, r.SystemModstamp)
		if err != nil {
			return nil, &upstream.Error{Vendor: vendor, Op: "query", Class: upstream.Unknown, Err: errors.New("work without a stamp")}
		}
		if at.After(cases[item]) {
			cases[item] = at
		}
	}
	return cases, nil
}
