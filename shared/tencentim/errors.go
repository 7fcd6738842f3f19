package tencentim

import (
	"errors"
	"strconv"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// The codes that the code below tells apart.
const (
	codeBadParameter   = "10004"
	codeNoGroup        = "10010" // absent or dismissed
	codeAlreadyMember  = "10013"
	codeNoGroupEither  = "10015" // once "illegal group id", today the same as 10010
	codeNoAccount      = "10019"
	codeGroupExists    = "10021"
	codeGroupExistsOwn = "10025" // exists, and the caller owns it
	codeNotImported    = "70107"
	codeModerated      = "80001"
	codeForbiddenWord  = "40005" // in a profile
)

// outcome is what an ErrorCode means to a caller.
type outcome struct {
	class      upstream.Class
	retryAfter time.Duration
	// signature: the UserSig was refused and a new one may do.
	signature bool
	// credentials: what is configured was refused, not this request.
	credentials bool
	// quota: the app's plan is exhausted.
	quota bool
	// hint tells the operator what to do where the code alone would not.
	hint string
}

// outcomes is the meaning of every ErrorCode that the calls made here may meet,
// after https://trtc.io/document/34348. A code that is not in it is Unknown,
// the class that promises least.
var outcomes = map[int]outcome{
	// The request or the state of the group; the same call gets the same answer.
	10003: {class: upstream.Refused}, // bad command
	10004: {class: upstream.Refused}, // bad parameter: over-long name, bad id
	10005: {class: upstream.Refused}, // too many accounts in one call
	10007: {class: upstream.Refused}, // not permitted: group type, role, or not an admin
	10010: {class: upstream.Refused}, // no such group
	10013: {class: upstream.Refused}, // already a member
	10014: {class: upstream.Refused}, // group full
	10015: {class: upstream.Refused}, // no such group
	10016: {class: upstream.Refused, hint: "the app's own callback refused it"},
	10018: {class: upstream.Refused}, // answer over 1 MB
	10019: {class: upstream.Refused}, // no such account
	10021: {class: upstream.Refused}, // group id in use
	10025: {class: upstream.Refused}, // group id in use, by a group the caller owns
	10026: {class: upstream.Refused}, // command disabled for the app
	10038: {class: upstream.Refused}, // member limit
	40001: {class: upstream.Refused}, // malformed profile
	40003: {class: upstream.Refused}, // no such account, of profiles
	40005: {class: upstream.Refused}, // forbidden word in a profile
	60002: {class: upstream.Refused}, // malformed URL
	60003: {class: upstream.Refused}, // malformed JSON
	60009: {class: upstream.Refused}, // parameter faults
	60012: {class: upstream.Refused},
	60015: {class: upstream.Refused},
	60025: {class: upstream.Refused},
	60016: {class: upstream.Refused, credentials: true}, // app disabled
	60017: {class: upstream.Refused},                    // request disabled
	70107: {class: upstream.Refused},                    // account not imported
	70399: {class: upstream.Refused, hint: "a deleted account cannot be imported again for three months"},
	80001: {class: upstream.Refused}, // text refused by moderation
	80002: {class: upstream.Refused}, // text too long
	80003: {class: upstream.Refused, hint: "the app's own callback failed"},
	80004: {class: upstream.Refused}, // image refused by moderation

	// The account with the vendor: a person has to act, and nothing is wrong with
	// what was asked for.
	60020: {class: upstream.Refused, credentials: true, hint: "the app's service is unavailable: plan expired or in arrears"},
	60021: {class: upstream.Refused, credentials: true, hint: "the app's IP allow-list lacks our address"},
	60026: {class: upstream.Refused, credentials: true, hint: "the host is not of the app's region: check TENCENT_REGION"},
	80005: {class: upstream.Refused, credentials: true, hint: "the app's service is deactivated"},

	// The plan is exhausted. Trying again does not help; a bigger plan or fewer
	// rooms do.
	10036: {class: upstream.Refused, quota: true}, // rooms
	10037: {class: upstream.Refused, quota: true}, // groups of one user
	10058: {class: upstream.Refused, quota: true}, // 100 groups on a trial
	10059: {class: upstream.Refused, quota: true}, // feature not in the plan
	60028: {class: upstream.Refused, quota: true}, // calls a day on a trial
	70398: {class: upstream.Refused, quota: true}, // accounts
	72000: {class: upstream.Refused, quota: true}, // daily active users
	72002: {class: upstream.Refused, quota: true}, // monthly active users

	// The signature. A new one is sent once; if that is refused too, it is our
	// key or our clock.
	60004: {class: upstream.Refused, signature: true, credentials: true}, // account check failed; once: or signature wrong
	60005: {class: upstream.Refused, signature: true, credentials: true},
	70001: {class: upstream.Refused, signature: true, credentials: true, hint: "UserSig expired: check the clock"},

	// The credentials.
	60010: {class: upstream.Refused, credentials: true, hint: "adminUserId is not an admin of the app"},
	70003: {class: upstream.Refused, credentials: true, hint: "illegal UserSig: check secretKey"},
	70009: {class: upstream.Refused, credentials: true, hint: "UserSig of another key: check secretKey"},
	70013: {class: upstream.Refused, credentials: true, hint: "UserSig of another user: check adminUserId"},
	70014: {class: upstream.Refused, credentials: true, hint: "UserSig of another app: check sdkAppId"},
	70016: {class: upstream.Refused, credentials: true, hint: "the app has no such key here: check TENCENT_REGION and secretKey"},
	70020: {class: upstream.Refused, credentials: true, hint: "no such app here: check TENCENT_REGION and sdkAppId"},

	// Too fast.
	10006: {class: upstream.RateLimited},
	10023: {class: upstream.RateLimited}, // messages of one group
	10049: {class: upstream.RateLimited},
	60007: {class: upstream.RateLimited},
	60011: {class: upstream.RateLimited}, // the older 60018
	60018: {class: upstream.RateLimited},
	// After many bad signatures the vendor wants a minute's rest; every try in
	// it prolongs the block.
	70050: {class: upstream.RateLimited, retryAfter: time.Minute, hint: "too many bad signatures"},
	70051: {class: upstream.RateLimited, retryAfter: time.Minute, hint: "blocked after too many bad signatures"},

	// The vendor's own trouble, before or after the work was done.
	10002: {class: upstream.Unknown}, // internal error
	60008: {class: upstream.Unknown}, // time-out
	60013: {class: upstream.Unknown}, // the older 60014
	60014: {class: upstream.Unknown}, // account time-out
	70169: {class: upstream.Unknown}, // time-out
	70500: {class: upstream.Unknown}, // internal error
}

// failed builds the error of an answer with an ErrorCode.
func (c *Client) failed(command string, res *upstream.Response, code int) *upstream.Error {
	o, ok := outcomes[code]
	if !ok {
		o.class = upstream.Unknown
	}
	e := c.http.Failed(command, res, o.class, strconv.Itoa(code))
	e.Credentials, e.Quota = o.credentials, o.quota
	e.RetryAfter = max(e.RetryAfter, o.retryAfter)
	if o.hint != "" {
		e.Err = errors.New(o.hint)
	}
	return e
}

// unreadable is an answer that says nothing, or nothing about what was asked.
func (c *Client) unreadable(command string, res *upstream.Response) *upstream.Error {
	e := c.http.Failed(command, res, upstream.Unknown, "")
	e.Err = errUnreadable
	return e
}

var errUnreadable = errors.New("unreadable answer")

// incomplete is an answer that was read and lacks what was asked for.
func incomplete(command string) *upstream.Error {
	return &upstream.Error{Vendor: vendor, Op: command, Class: upstream.Unknown, Err: errUnreadable}
}

// signatureRefused reports whether err is a refusal that a new UserSig may lift.
func signatureRefused(err error) bool {
	var e *upstream.Error
	if !errors.As(err, &e) {
		return false
	}
	code, err := strconv.Atoi(e.Code)
	return err == nil && outcomes[code].signature
}

func noGroup(err error) bool   { return upstream.HasCode(err, codeNoGroup, codeNoGroupEither) }
func noAccount(err error) bool { return upstream.HasCode(err, codeNoAccount, codeNotImported) }

// moderated reports whether a name or text was refused for its words.
func moderated(err error) bool { return upstream.HasCode(err, codeModerated, codeForbiddenWord) }
func groupExists(err error) bool {
	return upstream.HasCode(err, codeGroupExists, codeGroupExistsOwn)
}
