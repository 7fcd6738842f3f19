// Package identity holds caseroom's rules for who may be whom in the chat, next
// to the one function that signs. An [Identity] can only be made by the
// constructor of its proof, so holding one is the proof.
package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// Kind says by which proof an identity was made.
type Kind string

// The kinds of identity.
const (
	KindEndUser         Kind = "end_user"
	KindGuest           Kind = "guest"
	KindZendeskAgent    Kind = "zendesk_agent"
	KindSalesforceAgent Kind = "salesforce_agent"
)

// Identity is an IM user id together with the proof that made it. Its zero
// value is nobody and signs nothing.
type Identity struct {
	kind Kind
	id   string
}

// ID returns the Tencent IM user id.
func (i Identity) ID() string { return i.id }

// Kind returns the proof.
func (i Identity) Kind() Kind { return i.kind }

// Rules turn proven subjects into identities.
type Rules struct {
	// AdminUserID is the app admin whose UserSig signs our REST calls.
	AdminUserID string
	// Reserved are further ids nobody may take: every admin of the console.
	Reserved []string
	// RawAgents makes agents join under bare desk ids (AGENT_IDS=raw).
	RawAgents bool
}

var (
	lower32      = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	plainSubject = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	allDigits    = regexp.MustCompile(`^[0-9]+$`)
	salesforceID = regexp.MustCompile(`^[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?$`)
	rawAgentID   = regexp.MustCompile(`^(?i:005)(?:[a-zA-Z0-9]{12}|[a-zA-Z0-9]{15})$`)
	base64URL    = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// ErrSubject means that a proof names nobody: an empty or malformed subject.
var ErrSubject = errors.New("identity: the subject is empty or malformed")

// EndUser returns the identity of a login's subject: the subject itself where
// it is a plain id that nobody reserved, else a hash of issuer and subject.
func (r Rules) EndUser(issuer, sub string) (Identity, error) {
	if sub == "" {
		return Identity{}, ErrSubject
	}
	if plainSubject.MatchString(sub) && !r.reserved(sub) {
		return Identity{KindEndUser, sub}, nil
	}
	return Identity{KindEndUser, "u_" + HashID("", issuer+"\n"+sub, 30)}, nil
}

// HashID returns the first n lower-case base32 characters of the SHA-256 of
// text, after a prefix. Ids, idempotency keys and room marks are made of it.
func HashID(prefix, text string, n int) string {
	sum := sha256.Sum256([]byte(text))
	return prefix + lower32.EncodeToString(sum[:])[:n]
}

// ErrGuestKey says what a guest's key must look like.
var ErrGuestKey = errors.New("identity: a guest's Idempotency-Key must be a version 4 or 7 UUID or at least 22 base64url characters")

// Guest returns the identity of whoever knows key. The key is the guest's only
// proof on the first call, so it must be unguessable.
func Guest(secret []byte, key string) (Identity, error) {
	if len(secret) == 0 {
		return Identity{}, errors.New("identity: no guest secret")
	}
	if !GuestKey(key) {
		return Identity{}, ErrGuestKey
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(key))
	return Identity{KindGuest, "guest_" + lower32.EncodeToString(mac.Sum(nil))[:22]}, nil
}

// minDistinct is how many different characters a guest's key has at least. Fewer
// than one random UUID in a hundred billion has so few.
const minDistinct = 7

// GuestKey reports whether key is long and random enough in form to name a guest.
// It cannot see whether a key was drawn; it refuses those that were plainly typed,
// such as 00000000-0000-4000-8000-000000000000.
func GuestKey(key string) bool {
	seen := map[rune]bool{}
	for _, c := range strings.ToLower(key) {
		seen[c] = true
	}
	if len(seen) < minDistinct {
		return false
	}
	if len(key) == 36 {
		if u, err := uuid.Parse(key); err == nil {
			return u.Version() == 4 || u.Version() == 7
		}
	}
	// The length is not in the pattern: a counted repeat is compiled out at
	// every cold start.
	return len(key) >= 22 && len(key) <= 255 && base64URL.MatchString(key)
}

var guestID = regexp.MustCompile(`^guest_[a-z2-7]{22}$`)

// KnownGuest returns the identity that a verified guest token names.
func KnownGuest(id string) (Identity, error) {
	if !guestID.MatchString(id) {
		return Identity{}, ErrSubject
	}
	return Identity{KindGuest, id}, nil
}

// ZendeskAgent returns the identity of a Zendesk user id: "123" or "zd_123".
func (r Rules) ZendeskAgent(userID string) (Identity, error) {
	n := strings.TrimPrefix(userID, "zd_")
	if !IsZendeskID(n) {
		return Identity{}, ErrSubject
	}
	if r.RawAgents {
		return Identity{KindZendeskAgent, n}, nil
	}
	return Identity{KindZendeskAgent, "zd_" + n}, nil
}

// SalesforceAgent returns the identity of a Salesforce user id: 15 or 18
// characters that begin with 005, bare or after "sf_".
func (r Rules) SalesforceAgent(userID string) (Identity, error) {
	id, err := SalesforceID(strings.TrimPrefix(userID, "sf_"), "005")
	if err != nil {
		return Identity{}, ErrSubject
	}
	if r.RawAgents {
		return Identity{KindSalesforceAgent, id}, nil
	}
	return Identity{KindSalesforceAgent, "sf_" + id}, nil
}

// SalesforceID checks a Salesforce record id of the given key prefix and
// returns its 18-character form. The last three characters of that form are a
// checksum over the case of the first fifteen; a wrong one is refused.
func SalesforceID(id, keyPrefix string) (string, error) {
	if !salesforceID.MatchString(id) || !strings.HasPrefix(id, keyPrefix) {
		return "", ErrSubject
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
	full := []byte(id[:15])
	for block := range 3 {
		bits := 0
		for i := range 5 {
			if c := id[block*5+i]; c >= 'A' && c <= 'Z' {
				bits |= 1 << i
			}
		}
		full = append(full, alphabet[bits])
	}
	if len(id) == 18 && !strings.EqualFold(id, string(full)) {
		return "", ErrSubject
	}
	return string(full), nil
}

// reserved reports whether no end user may carry id.
func (r Rules) reserved(id string) bool {
	for _, p := range []string{"zd_", "sf_", "guest_", "u_", "admin", "system"} {
		if strings.HasPrefix(id, p) {
			return true
		}
	}
	return allDigits.MatchString(id) || rawAgentID.MatchString(id) || r.service(id)
}

// service reports whether id belongs to the app itself: nobody may carry it,
// whatever their proof.
func (r Rules) service(id string) bool {
	if id == r.AdminUserID || id == "administrator" || id == "root" {
		return true
	}
	for _, x := range r.Reserved {
		if id == x {
			return true
		}
	}
	return false
}

// IsZendeskID reports whether s is an id of Zendesk's, of a ticket or a user, in
// its one form: a positive number of at most 20 digits.
func IsZendeskID(s string) bool {
	return s != "" && len(s) <= 20 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}
