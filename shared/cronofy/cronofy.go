// Package cronofy speaks to Cronofy's Calendar API for one application: the
// OAuth connection of a person, their calendars, and the application's own
// events in them. Whose tokens a call carries is the caller's business.
package cronofy

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/upstream"
)

const vendor = "cronofy"

// DataCentres are the API's base URLs. Accounts, applications and tokens live in
// one of them and are unknown in the others.
//
// See https://docs.cronofy.com/developers/data-centers/.
var DataCentres = []string{
	"https://api.cronofy.com", "https://api-uk.cronofy.com", "https://api-de.cronofy.com",
	"https://api-au.cronofy.com", "https://api-ca.cronofy.com", "https://api-sg.cronofy.com",
}

// Secret is the value of CRONOFY_SECRET.
type Secret struct {
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	// The stack's own part signs what a browser brings back, and feeds' tokens.
	calendar.Secret
}

// Validate reports what is missing, never what is there.
func (s Secret) Validate() error {
	if s.ClientID == "" || s.ClientSecret == "" {
		return errors.New("the Cronofy secret needs clientId and clientSecret")
	}
	return s.Secret.Validate()
}

func (Secret) String() string { return "cronofy.Secret(REDACTED)" }

// GoString keeps the secret out of %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Options configure a [Client]. BaseURL and Secret are required.
type Options struct {
	BaseURL string // of a data centre, such as https://api-de.cronofy.com
	Local   bool   // see upstream.Options
	// Secret returns the application's credentials; it is asked before every
	// call that needs them and is expected to cache.
	Secret func(context.Context) (Secret, error)
	// Reread returns them as they are now. It is asked when Cronofy refuses what
	// Secret returned, and must limit its own rate. Nil: Secret.
	Reread    func(context.Context) (Secret, error)
	Now       func() time.Time // time.Now if nil
	Transport http.RoundTripper
	Timeout   time.Duration // of one call; 5 s if zero
}

// Client calls one application's data centre. It is safe for concurrent use.
type Client struct {
	http    *upstream.Client
	secret  upstream.Secret[Secret]
	now     func() time.Time
	app     *url.URL // where people consent
	apiBase *url.URL
}

// New validates o and returns a client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Secret == nil {
		return nil, errors.New("cronofy: no secret")
	}
	if o.Reread == nil {
		o.Reread = o.Secret
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h, err := upstream.New(upstream.Options{
		Vendor: vendor, BaseURL: o.BaseURL, Local: o.Local, Timeout: o.Timeout, Transport: o.Transport, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	base, err := upstream.ParseBaseURL(o.BaseURL, o.Local)
	if err != nil {
		return nil, err
	}
	app := *base
	// The two halves of a data centre have names of their own.
	if name, ok := strings.CutPrefix(base.Host, "api"); ok && strings.HasSuffix(base.Host, ".cronofy.com") {
		app.Host = "app" + name
	}
	return &Client{http: h, secret: upstream.Secret[Secret]{Load: o.Secret, Reread: o.Reread}, now: o.Now, app: &app, apiBase: base}, nil
}

// call is a call with a person's access token.
func (c *Client) call(ctx context.Context, access string, call upstream.Call) (*upstream.Response, error) {
	call.Header = http.Header{"Authorization": {"Bearer " + access}}
	return c.http.Do(ctx, call)
}

// lockedFor is when a profile that cannot be written to is worth another try.
const lockedFor = 2 * time.Hour

// firstBackoff is how long to wait after a 429 that does not say: Cronofy
// documents no header.
const firstBackoff = 5 * time.Second

// failed classifies an answer that is no success.
//
// See https://docs.cronofy.com/developers/api/error-codes/.
func (c *Client) failed(op string, res *upstream.Response) *upstream.Error {
	if len(res.Body) > 0 && !json.Valid(res.Body) {
		return c.http.Intermediary(op, res)
	}
	e := c.http.Failed(op, res, "", errorCode(res.Body))
	switch res.Status {
	case http.StatusPaymentRequired:
		e.Quota = true
	case http.StatusLocked:
		e.Class = upstream.Unavailable
		e.RetryAfter = max(e.RetryAfter, lockedFor)
	case http.StatusTooManyRequests:
		e.RetryAfter = max(e.RetryAfter, firstBackoff)
	}
	return e
}

// codePattern is what a code looks like, and prose, ids and tokens do not.
var codePattern = regexp.MustCompile(`^[a-z][a-z_.]+$`)

// errorCode finds the code of OAuth's errors and the field of a 422:
//
//	{"error":"invalid_grant","error_description":"…"}
//	{"errors":{"start":[{"key":"errors.required","description":"…"}]}}
func errorCode(body []byte) string {
	var shape struct {
		Error  string                     `json:"error"`
		Errors map[string]json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &shape) != nil {
		return ""
	}
	code := shape.Error
	for field := range shape.Errors {
		if code == "" || field < code {
			code = field
		}
	}
	if len(code) > 48 || !codePattern.MatchString(code) {
		return ""
	}
	return code
}

// hasStatus reports whether err is an answer of that status.
func hasStatus(err error, status int) bool {
	var e *upstream.Error
	return errors.As(err, &e) && e.Vendor == vendor && e.Status == status && e.Class == upstream.Refused
}

// TokenRefused reports whether Cronofy does not recognise the access token.
func TokenRefused(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// Forbidden reports whether the consent lacks what the call needs, or the
// calendar cannot be written to.
func Forbidden(err error) bool { return hasStatus(err, http.StatusForbidden) }

// NoCalendar reports whether the calendar is unknown or not granted any more.
func NoCalendar(err error) bool { return hasStatus(err, http.StatusNotFound) }

// Invalid reports whether Cronofy minds the event itself, such as a time out of
// its range.
func Invalid(err error) bool { return hasStatus(err, http.StatusUnprocessableEntity) }
