package salesforce

import (
	"context"

	"github.com/caseroom/caseroom/shared/identity"
)

// PermissionSets returns the ids and names of a user's permission sets, those
// behind profiles too.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_permissionsetassignment.htm.
func (c *Client) PermissionSets(ctx context.Context, user string) (names map[string]string, err error) {
	if user, err = identity.SalesforceID(user, "005"); err != nil {
		return nil, err
	}
	type row struct {
		ID  string                `json:"PermissionSetId"`
		Set struct{ Name string } `json:"PermissionSet"`
	}
	rows, err := query[row](ctx, c, "SELECT PermissionSetId, PermissionSet.Name FROM PermissionSetAssignment WHERE AssigneeId = '"+user+"'", false)
	names = map[string]string{}
	for _, r := range rows {
		if id, iderr := identity.SalesforceID(r.ID, "0PS"); iderr == nil {
			names[id] = r.Set.Name
		}
	}
	return names, err
}

// ViewsAllCases reports whether one of the permission sets shows all cases,
// whoever owns them.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_objectpermissions.htm.
func (c *Client) ViewsAllCases(ctx context.Context, sets []string) (bool, error) {
	if len(sets) == 0 {
		return false, nil
	}
	type row struct {
		ViewAll bool `json:"PermissionsViewAllRecords"`
	}
	rows, err := query[row](ctx, c, "SELECT PermissionsViewAllRecords FROM ObjectPermissions WHERE SobjectType = 'Case' AND ParentId IN "+quoted(sets), false)
	for _, r := range rows {
		if r.ViewAll {
			return true, err
		}
	}
	return false, err
}

// NamedCredential is where the org's callouts go.
type NamedCredential struct {
	DeveloperName string
	Endpoint      string // "" where the org does not show it
}

// NamedCredentials lists those of our package. Their secrets are not shown by
// any API.
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_namedcredential.htm.
func (c *Client) NamedCredentials(ctx context.Context) ([]NamedCredential, error) {
	return query[NamedCredential](ctx, c, "SELECT DeveloperName, Endpoint FROM NamedCredential WHERE DeveloperName IN ('Caseroom','Caseroom_IAM')", false)
}

// PackageSettings are the package's own switch and the named credential it uses.
type PackageSettings struct {
	DeveloperName string
	Enabled       bool   `json:"Caseroom_Enabled__c"`
	Credential    string `json:"Caseroom_Credential__c"`
}

// PackageSettings reads the package's settings record.
func (c *Client) PackageSettings(ctx context.Context) ([]PackageSettings, error) {
	return query[PackageSettings](ctx, c, "SELECT DeveloperName, Caseroom_Enabled__c, Caseroom_Credential__c FROM Caseroom_Settings__mdt", false)
}

// AutoResponseRules returns the names of the active rules that answer whoever
// opens a case, or a lead: the API does not show which. With one for cases,
// Salesforce takes no case without a SuppliedEmail over the API.
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_autoresponserule.htm
// and https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_case.htm.
func (c *Client) AutoResponseRules(ctx context.Context) (names []string, err error) {
	rows, err := queryAt[struct{ Name string }](ctx, c, "/tooling/query", "SELECT Name FROM AutoResponseRule WHERE Active = true")
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return names, err
}
