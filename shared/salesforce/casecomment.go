package salesforce

import (
	"context"
	"net/http"

	"github.com/caseroom/caseroom/shared/identity"
)

// CreateComment adds a comment to a case that portal users do not see. A body
// has fewer than 4,000 bytes, not characters. Nothing makes it safe to repeat:
// look with [Client.Comments] first.
//
//	POST /services/data/v68.0/sobjects/CaseComment {"ParentId":"500…","CommentBody":"…","IsPublished":false}
//	201 {"id","success":true}
//
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_casecomment.htm.
func (c *Client) CreateComment(ctx context.Context, caseID, body string) error {
	return c.write(ctx, "casecomment_create", http.MethodPost, c.data()+"/sobjects/CaseComment",
		map[string]any{"ParentId": caseID, "CommentBody": body, "IsPublished": false})
}

// Comments returns the bodies of the comments on a case that author wrote.
//
//	SELECT CommentBody, CreatedById FROM CaseComment WHERE ParentId = '500…'
func (c *Client) Comments(ctx context.Context, caseID, author string) ([]string, error) {
	rows, err := query[struct {
		Body   string `json:"CommentBody"`
		Author string `json:"CreatedById"`
	}](ctx, c, "SELECT CommentBody, CreatedById FROM CaseComment WHERE ParentId IN "+quoted([]string{caseID}), false)
	if err != nil {
		return nil, err
	}
	var bodies []string
	for _, r := range rows {
		if id, err := identity.SalesforceID(r.Author, "005"); author == "" || (err == nil && id == author) {
			bodies = append(bodies, r.Body)
		}
	}
	return bodies, nil
}
