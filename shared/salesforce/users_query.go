package salesforce

import (
	"context"
	"strings"

	"github.com/caseroom/caseroom/shared/identity"
)

// UserRow is a user as caseroom reads one.
type UserRow struct {
	ID       string `json:"Id"`
	Name     string
	UserType string
	IsActive bool
}

// Human reports whether the user is an active internal one. Portal users,
// automation and guests own cases too.
func (u UserRow) Human() bool { return u.IsActive && strings.EqualFold(u.UserType, "Standard") }

// Users reads users by id. Queues have no row here.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_user.htm.
func (c *Client) Users(ctx context.Context, ids ...string) (map[string]UserRow, error) {
	records, err := query[UserRow](ctx, c, "SELECT Id, Name, UserType, IsActive FROM User WHERE Id IN "+quoted(ids), false)
	if err != nil {
		return nil, err
	}
	rows := make(map[string]UserRow, len(records))
	for _, r := range records {
		if r.ID, err = identity.SalesforceID(r.ID, "005"); err == nil {
			rows[r.ID] = r
		}
	}
	return rows, nil
}

// StandardUsers returns some active internal users.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_user.htm.
func (c *Client) StandardUsers(ctx context.Context) ([]UserRow, error) {
	return query[UserRow](ctx, c, "SELECT Id, Name, UserType, IsActive FROM User WHERE IsActive = true AND UserType = 'Standard' ORDER BY Name LIMIT 20", false)
}
