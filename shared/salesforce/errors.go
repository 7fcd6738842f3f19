package salesforce

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Salesforce's error codes that caseroom acts on.
const (
	codeDuplicate    = "DUPLICATE_VALUE"
	codeNotFound     = "NOT_FOUND"
	codeRequestLimit = "REQUEST_LIMIT_EXCEEDED"
)

var (
	errSeveral = errors.New("several records carry the key")
	errForeign = errors.New("the record that carries the key is another customer's")
)

// failed classifies an answer that is no success. Salesforce's own names a code,
// but for a key that several records carry, whose body lists those.
func failed(h *upstream.Client, op string, res *upstream.Response) *upstream.Error {
	word, own := ownWord(res.Body)
	code := plainCode(word)
	if !own && res.Status != http.StatusMultipleChoices {
		return h.Intermediary(op, res)
	}
	e := h.Failed(op, res, classOf(code), code)
	e.Quota = code == codeRequestLimit
	return e
}

// classOf classifies the codes that say more than their status; "" leaves it
// to the status. Salesforce rolls back the whole transaction of a record that
// it could not lock and of a query that took too long.
func classOf(code string) upstream.Class {
	switch code {
	case codeRequestLimit, "rate_limit_exceeded":
		// The org's calls of the last 24 hours, sent with status 403: nothing is
		// wrong with the request, but trying again at once is no use either.
		return upstream.RateLimited
	case "UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "SERVER_UNAVAILABLE":
		return upstream.Unavailable
	default:
		return ""
	}
}

// refusedFields returns the fields that a refusal names.
//
//	[{"message":"…","errorCode":"INVALID_EMAIL_ADDRESS","fields":["SuppliedEmail"]}]
func refusedFields(body []byte) []string {
	var refusals []struct {
		Fields []string `json:"fields"`
	}
	_ = json.Unmarshal(body, &refusals) // OAuth's errors name none
	var fields []string
	for _, r := range refusals {
		fields = append(fields, r.Fields...)
	}
	return fields
}

// codePattern is what REST's, SOAP's and OAuth's codes look like, and prose,
// ids and tokens do not.
var codePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z_]+$`)

func plainCode(s string) string {
	if len(s) > 64 || !codePattern.MatchString(s) {
		return ""
	}
	return s
}

// ownWord finds what stands for a code in a REST error (an array) or an OAuth
// error (an object), and whether a body is either. Messages may quote customers
// and are dropped.
//
//	[{"message":"…","errorCode":"INVALID_SESSION_ID","fields":[]}]
//	{"error":"invalid_grant","error_description":"…"}
func ownWord(body []byte) (word string, own bool) {
	var rest []struct {
		Code string `json:"errorCode"`
	}
	if json.Unmarshal(body, &rest) == nil && len(rest) > 0 {
		return rest[0].Code, rest[0].Code != ""
	}
	var oauth struct {
		Code string `json:"error"`
	}
	if json.Unmarshal(body, &oauth) == nil {
		return oauth.Code, oauth.Code != ""
	}
	return "", false
}

// errorCode is a body's code, "" if it has none.
func errorCode(body []byte) string {
	word, _ := ownWord(body)
	return plainCode(word)
}
