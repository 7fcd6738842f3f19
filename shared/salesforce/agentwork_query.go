package salesforce

import (
	"context"

	"github.com/caseroom/caseroom/shared/identity"
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
