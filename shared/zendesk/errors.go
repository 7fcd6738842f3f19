package zendesk

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/caseroom/caseroom/shared/upstream"
)

const (
	// codeInvalid and codeInvalidValue come with 422, the latter for one field.
	codeInvalid      = "RecordInvalid"
	codeInvalidValue = "InvalidValue"
	// codeIdempotent comes with 400 when a key was used with another body.
	codeIdempotent = "IdempotentRequestError"
	// codeSuspended stands in the details of a 422 for a requester whom agents, or
	// a ticket marked as spam, have suspended.
	codeSuspended = "UserSuspended"
)

// codeMissing comes with 404 for a record that is not there. Any other 404 is of
// an address, a plan or an account.
const codeMissing = "RecordNotFound"

// failed classifies an answer that is no success by its status, if it has an
// error of Zendesk's, and names it by Zendesk's code.
func failed(h *upstream.Client, op string, res *upstream.Response) *upstream.Error {
	if !ownError(res.Body) {
		return h.Intermediary(op, res)
	}
	return h.Failed(op, res, "", errorCode(res.Body))
}

// ownError reports whether a body has one of the shapes that errorCode reads. A
// sentence in place of a code is Zendesk's too.
func ownError(body []byte) bool {
	var shape struct {
		Error  json.RawMessage   `json:"error"`
		Errors []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &shape) != nil {
		return false
	}
	var text string
	var titled map[string]any
	return json.Unmarshal(shape.Error, &text) == nil && text != "" ||
		json.Unmarshal(shape.Error, &titled) == nil && len(titled) > 0 || len(shape.Errors) > 0
}

// codePattern is what a code looks like, and prose, ids and tokens do not.
var codePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z_]+$`)

// errorCode finds the code in any of the shapes Zendesk's APIs use:
//
//	{"error":"RecordInvalid","description":"…","details":{…}}   also OAuth's invalid_client
//	{"error":{"title":"Invalid attribute","message":"…"}}
//	{"errors":[{"code":"…","title":"…","detail":"…"}]}
//
// A title becomes a code without its spaces. Everything else is prose, may
// hold customers' words, and is dropped; so is a sentence in place of a code.
func errorCode(body []byte) string {
	var shape struct {
		Error  json.RawMessage `json:"error"`
		Errors []struct {
			Code  string `json:"code"`
			Title string `json:"title"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &shape) != nil {
		return ""
	}
	var code string
	var titled struct {
		Title string `json:"title"`
	}
	switch {
	case json.Unmarshal(shape.Error, &code) == nil && code != "":
	case json.Unmarshal(shape.Error, &titled) == nil && titled.Title != "":
		code = strings.ReplaceAll(titled.Title, " ", "")
	case len(shape.Errors) > 0 && shape.Errors[0].Code != "":
		code = shape.Errors[0].Code
	case len(shape.Errors) > 0:
		code = strings.ReplaceAll(shape.Errors[0].Title, " ", "")
	}
	if len(code) > 48 || !codePattern.MatchString(code) {
		return ""
	}
	return code
}

// suspended reports whether a ticket is refused because its requester is
// suspended, who can open no tickets by any channel or API. The code in the
// details is on none of Zendesk's pages:
//
//	{"error":"RecordInvalid","description":"Record validation errors",
//	 "details":{"requester":[{"description":"Requester: Ann is suspended.","error":"UserSuspended"}]}}
//
// See https://support.zendesk.com/hc/en-us/articles/8009733465370 and
// https://github.com/mozilla/sumo/issues/2670.
func suspended(body []byte) bool {
	var refusal struct {
		Details struct {
			Requester []struct {
				Error string `json:"error"`
			} `json:"requester"`
		} `json:"details"`
	}
	if json.Unmarshal(body, &refusal) != nil {
		return false
	}
	for _, r := range refusal.Details.Requester {
		if r.Error == codeSuspended {
			return true
		}
	}
	return false
}

// Missing reports whether err says that what a call named is not there.
func Missing(err error) bool { return status(err) == http.StatusNotFound }

// missingRecord reports whether err says that there is no such ticket or user.
func missingRecord(err error) bool { return Missing(err) && upstream.HasCode(err, codeMissing) }

// status is the HTTP status of a refusal of Zendesk's, 0 for any other error.
func status(err error) int {
	var e *upstream.Error
	if !errors.As(err, &e) || e.Class == upstream.Unknown && e.Code == "" {
		return 0
	}
	return e.Status
}

// NotAllowed reports whether err says that the credentials are good but may not
// do this: their user is no admin, or their client has no such scope.
func NotAllowed(err error) bool { return status(err) == http.StatusForbidden }
