package zendesk

import "regexp"

// externalID's user part is a customer's IM user id: end users' and guests'
// ids are lower case and hold no colon.
var externalID = regexp.MustCompile(`^caseroom:([a-z0-9][a-z0-9_-]{0,31}):([a-z2-7]{26})$`)

// ExternalID returns the external id of a ticket of ours:
// "caseroom:<IM user id>:<key>". It says whose ticket it is and which request
// made it, and survives what agents do to tags.
func ExternalID(userID, key string) string { return userExternalID(userID) + ":" + key }

// userExternalID is the external id of the requester that a customer without
// an e-mail address gets.
func userExternalID(userID string) string { return "caseroom:" + userID }

// ParseExternalID reads a ticket's external id back; ok is false when it is
// not ours.
func ParseExternalID(s string) (userID, key string, ok bool) {
	m := externalID.FindStringSubmatch(s)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}
