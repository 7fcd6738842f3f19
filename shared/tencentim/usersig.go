package tencentim

import (
	"errors"
	"sync"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

// The admin's UserSig lives as long as the vendor advises at least, and is
// renewed while an hour is left, so that neither a frozen function nor a clock
// that is minutes off ever sends an expired one.
const (
	signatureLife  = 24 * time.Hour
	signatureEarly = time.Hour
)

// signature is an admin's UserSig and what it was made of.
type signature struct {
	Credentials
	value   string
	expires time.Time
}

// signatures caches the signature of the credentials in use. Signing is pure
// computation, so a mutex does; it is keyed by the credentials so that a
// rotated secret counts from the next call on.
type signatures struct {
	now  func() time.Time
	sign func(sdkAppID int, key, userID string, expire int) (string, error)

	mu   sync.Mutex
	last signature
}

func newSignatures(now func() time.Time) *signatures {
	return &signatures{now: now, sign: tencentyun.GenUserSig}
}

// get returns a live signature of creds other than the refused one ("": none
// was). Of many callers whose signature was refused, the first makes the new
// one and the others get it.
func (s *signatures) get(creds Credentials, refused string) (signature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.last.Credentials == creds && s.last.value != refused && now.Add(signatureEarly).Before(s.last.expires) {
		return s.last, nil
	}
	// The library signs whatever it is given, an empty key too.
	if err := creds.Validate(); err != nil {
		return signature{}, err
	}
	value, err := s.sign(creds.SDKAppID, creds.SecretKey, creds.AdminUserID, int(signatureLife/time.Second))
	if err != nil {
		return signature{}, errors.New("signing failed")
	}
	s.last = signature{Credentials: creds, value: value, expires: now.Add(signatureLife)}
	return s.last, nil
}
