package salesforce

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Case is a case to create. Key and UserID go to the configured fields and
// nowhere if there are none.
type Case struct {
	Subject       string // 255 characters
	Description   string // 32,000 characters
	SuppliedName  string // 80 characters
	SuppliedEmail string // 80 characters
	Key           string
	UserID        string
}

// unfit is a refusal of what a case says in some of its fields.
type unfit struct {
	fields []string // may be none
	err    error
}

func (e *unfit) Error() string { return e.err.Error() }
func (e *unfit) Unwrap() error { return e.err }

// CreateCase creates a case and returns its 18-character id.
//
//	POST /services/data/v68.0/sobjects/Case, Sforce-Auto-Assign: TRUE
//	201 {"id","success":true,"errors":[]}
//	400 [{"errorCode":"DUPLICATE_VALUE"}] when a case has the key
//	400 [{"errorCode":"INVALID_EMAIL_ADDRESS","fields":["SuppliedEmail"]}], or whatever a validation rule says:
//	    the error is an *unfit
//
// It is never an upsert: that would overwrite what agents made of the case.
// net/http does not repeat it by itself once any of it was sent, for it
// carries no Idempotency-Key header. It takes as long as the context lets it:
// what is given up may still be made.
//
// Sforce-Auto-Assign is always sent. Without it the org's active assignment
// rule would decide as well, but silently.
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_sobject_create.htm
// and https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_autoassign.htm.
func (c *Client) CreateCase(ctx context.Context, k Case) (id string, err error) {
	const op = "case_create"
	fields := map[string]string{"Subject": k.Subject, "Description": k.Description}
	for name, value := range map[string]string{
		fieldName: k.SuppliedName, fieldEmail: k.SuppliedEmail,
		c.keyField: k.Key, c.userField: k.UserID,
	} {
		if name != "" && value != "" {
			fields[name] = value
		}
	}
	var answer struct {
		ID      string `json:"id"`
		Success bool   `json:"success"`
	}
	res, err := c.do(ctx, upstream.Call{
		Op: op, Method: http.MethodPost, Path: c.data() + "/sobjects/Case",
		Header:  http.Header{"Sforce-Auto-Assign": {c.autoAssign}},
		JSON:    fields,
		Patient: true,
	})
	if err != nil {
		return "", err
	}
	if !res.OK() {
		e := failed(c.http, op, res)
		if e.Status == http.StatusBadRequest && e.Class == upstream.Refused && e.Code != codeDuplicate {
			return "", &unfit{refusedFields(res.Body), e}
		}
		return "", e
	}
	if json.Unmarshal(res.Body, &answer) != nil || !answer.Success {
		return "", c.http.Senseless(op, res)
	}
	if id, err = identity.SalesforceID(answer.ID, "500"); err != nil {
		return "", c.http.Senseless(op, res)
	}
	return id, nil
}
