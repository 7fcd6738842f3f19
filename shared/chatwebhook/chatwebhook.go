// Package chatwebhook verifies that a request comes from Tencent Chat's webhook, and
// reads what it says.
//
// The signature covers the time alone. Whoever saw a request's address can send any
// body for a minute, so what a callback says is a reason to look and nothing more.
//
// See https://trtc.io/document/34520.
package chatwebhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"time"
)

// Tolerance is how far a request's time may be from the clock, either way.
const Tolerance = time.Minute

// Why a request is refused. Only after ErrSignature and ErrApp can a newer secret
// help.
var (
	ErrProof     = errors.New("chatwebhook: Sign, RequestTime and SdkAppid are not there once each")
	ErrTime      = errors.New("chatwebhook: RequestTime is not a time in Unix seconds")
	ErrExpired   = errors.New("chatwebhook: RequestTime is more than a minute away")
	ErrSignature = errors.New("chatwebhook: the signature matches no live token")
	ErrApp       = errors.New("chatwebhook: another app's callback")
)

// Verify checks a request's query against every live token.
func Verify(query url.Values, s Secret, now time.Time) error {
	sign, requestTime, app := query["Sign"], query["RequestTime"], query["SdkAppid"]
	if len(sign) != 1 || len(requestTime) != 1 || len(app) != 1 {
		return ErrProof
	}
	seconds, err := strconv.ParseUint(requestTime[0], 10, 40)
	if err != nil || strconv.FormatUint(seconds, 10) != requestTime[0] {
		return ErrTime
	}
	if now.Sub(time.Unix(int64(seconds), 0)).Abs() > Tolerance {
		return ErrExpired
	}
	// Every token is tried, whatever matches.
	matches := 0
	for _, token := range s.Tokens {
		if token != "" {
			matches |= subtle.ConstantTimeCompare([]byte(Sign(token, requestTime[0])), []byte(sign[0]))
		}
	}
	if matches == 0 {
		return ErrSignature
	}
	if app[0] != strconv.Itoa(s.SDKAppID) {
		return ErrApp
	}
	return nil
}

// Sign returns the signature of a time: the SHA-256 of the token and the time, in
// lower-case hex.
func Sign(token, requestTime string) string {
	sum := sha256.Sum256([]byte(token + requestTime))
	return hex.EncodeToString(sum[:])
}
