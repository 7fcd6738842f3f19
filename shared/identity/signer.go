package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

// How long a UserSig lives. Agents' are shorter: an agent leaves the company,
// a customer leaves the page.
const (
	UserSigTTL      = 24 * time.Hour
	AgentUserSigTTL = 12 * time.Hour
)

// ErrReserved means that an identity may not be signed for. It is answered 403.
var ErrReserved = errors.New("identity: this id is reserved")

// Signer makes UserSigs, Tencent's login credential. It is the only place in
// caseroom that signs for a person, and it asks the rules again, whoever asks.
type Signer struct {
	Rules
	SDKAppID  int
	SecretKey string
	Now       func() time.Time
}

// UserSig is a credential for exactly one IM user id.
type UserSig struct {
	UserID   string
	Sig      string
	SDKAppID int
	Expires  time.Time
}

// LogValue keeps the signature out of logs.
func (u UserSig) String() string { return "UserSig(" + u.UserID + ")" }

// GoString keeps the signature out of %#v.
func (u UserSig) GoString() string { return u.String() }

// Sign returns a UserSig for id, by Tencent's own library. Its clock is the
// process's, so Expires is never later than the truth.
// See https://trtc.io/document/34385.
func (s Signer) Sign(id Identity) (UserSig, error) {
	if err := s.allowed(id); err != nil {
		return UserSig{}, err
	}
	ttl := UserSigTTL
	if id.kind == KindZendeskAgent || id.kind == KindSalesforceAgent {
		ttl = AgentUserSigTTL
	}
	expires := s.Now().Add(ttl)
	sig, err := tencentyun.GenUserSig(s.SDKAppID, s.SecretKey, id.id, int(ttl/time.Second))
	if err != nil {
		return UserSig{}, fmt.Errorf("identity: signing failed for %s", id.kind)
	}
	return UserSig{UserID: id.id, Sig: sig, SDKAppID: s.SDKAppID, Expires: expires}, nil
}

func (s Signer) allowed(id Identity) error {
	if id.id == "" || len(id.id) > 32 || s.service(id.id) {
		return ErrReserved
	}
	own := map[Kind]string{KindGuest: "guest_", KindZendeskAgent: "zd_", KindSalesforceAgent: "sf_"}
	switch id.kind {
	case KindEndUser:
		if s.reserved(id.id) && !strings.HasPrefix(id.id, "u_") {
			return ErrReserved
		}
	case KindGuest, KindZendeskAgent, KindSalesforceAgent:
		bare := s.RawAgents && (allDigits.MatchString(id.id) || rawAgentID.MatchString(id.id))
		if !strings.HasPrefix(id.id, own[id.kind]) && !(bare && id.kind != KindGuest) {
			return ErrReserved
		}
	default:
		return ErrReserved
	}
	return nil
}
