package identity

import (
	"errors"
	"fmt"
	"log/slog"
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

// String keeps the key out of logs.
func (s Signer) String() string { return fmt.Sprintf("Signer(%d)", s.SDKAppID) }

// GoString keeps the key out of %#v.
func (s Signer) GoString() string { return s.String() }

// LogValue keeps the key out of structured logs.
func (s Signer) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UserSig is a credential for exactly one IM user id.
type UserSig struct {
	UserID   string
	Sig      string
	SDKAppID int
	Expires  time.Time
}

// String keeps the signature out of logs.
func (u UserSig) String() string { return "UserSig(" + u.UserID + ")" }

// GoString keeps the signature out of %#v.
func (u UserSig) GoString() string { return u.String() }

// LogValue keeps the signature out of structured logs, whose JSON handler
// would marshal the fields.
func (u UserSig) LogValue() slog.Value { return slog.StringValue(u.String()) }

// Sign returns a UserSig for id, by Tencent's own library. Its clock is the
// process's and counts whole seconds, so Expires is never later than the truth.
// See https://trtc.io/document/34385.
func (s Signer) Sign(id Identity) (UserSig, error) {
	if err := s.allowed(id); err != nil {
		return UserSig{}, err
	}
	// The library signs with whatever it is given: a UserSig made with an empty
	// key is one that anybody can make.
	if s.SDKAppID <= 0 || s.SecretKey == "" {
		return UserSig{}, errors.New("identity: no app or no key to sign with")
	}
	ttl := UserSigTTL
	if id.kind == KindZendeskAgent || id.kind == KindSalesforceAgent {
		ttl = AgentUserSigTTL
	}
	expires := s.Now().UTC().Truncate(time.Second).Add(ttl)
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
