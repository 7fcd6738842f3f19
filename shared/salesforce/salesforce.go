// Package salesforce speaks to a Salesforce org: its three ways to a session
// and the Case REST calls that caseroom makes. [Desk] makes it a relay.Desk.
package salesforce

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

const vendor = "salesforce"

// Credentials are the Salesforce secret. Which fields are set says how a
// session is had: clientSecret by client credentials, else privateKey by JWT
// bearer, else password by SOAP login.
type Credentials struct {
	ClientID      string `json:"clientId"` // the External Client App's consumer key
	ClientSecret  string `json:"clientSecret"`
	Username      string `json:"username"`
	PrivateKey    string `json:"privateKey"` // RSA, PEM
	Audience      string `json:"audience"`   // https://login.salesforce.com, https://test.salesforce.com or a site's URL
	Password      string `json:"password"`
	SecurityToken string `json:"securityToken"` // empty where the org trusts our addresses
}

// Validate reports what is missing, never what is there.
func (c Credentials) Validate() error {
	switch {
	case c.ClientSecret != "":
		if c.ClientID == "" {
			return errors.New("salesforce credentials: clientSecret needs clientId")
		}
	case c.PrivateKey != "":
		if c.ClientID == "" || c.Username == "" || c.Audience == "" {
			return errors.New("salesforce credentials: privateKey needs clientId, username and audience")
		}
		if _, err := c.key(); err != nil {
			return err
		}
	case c.Password != "":
		if c.Username == "" {
			return errors.New("salesforce credentials: password needs username")
		}
	default:
		return errors.New("salesforce credentials need clientSecret, privateKey or password")
	}
	return nil
}

func (Credentials) String() string { return "salesforce.Credentials(REDACTED)" }

// GoString keeps the secret out of %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue keeps the secret out of logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// DefaultAPIVersion is Winter '27's.
const DefaultAPIVersion = "68.0"

// Options configure a [Client]. BaseURL and Credentials are required.
type Options struct {
	BaseURL    string // the org's My Domain, https://<domain>.my.salesforce.com
	Local      bool   // see upstream.Options
	APIVersion string // DefaultAPIVersion if empty
	// KeyField is the unique external id field of Case that takes the request's
	// key. Empty serves an org without our package: no request is idempotent.
	KeyField string
	// UserField is the field of Case that takes the customer's IM user id.
	// Empty: it is not written.
	UserField string
	// AutoAssign is "true", "false" or the id of an assignment rule; "true" if
	// empty, which is also what Salesforce does when nobody says.
	AutoAssign string
	// Credentials returns the secret; it is asked before every call and is
	// expected to cache.
	Credentials func(context.Context) (Credentials, error)
	// Reread returns the secret as it is now. It is asked when Salesforce
	// refuses what Credentials returned, and must limit its own rate. Nil: Credentials.
	Reread    func(context.Context) (Credentials, error)
	Now       func() time.Time // time.Now if nil
	Transport http.RoundTripper
	Timeout   time.Duration // of one call; 5 s if zero
}

// Client calls one Salesforce org. It is safe for concurrent use.
type Client struct {
	http       *upstream.Client
	base       *url.URL
	local      bool
	version    string
	keyField   string
	userField  string
	autoAssign string
	secret     upstream.Secret[Credentials]
	now        func() time.Time

	tokens *upstream.Tokens[Credentials]

	own atomic.Pointer[string] // our own user, once a login has said so
}

var (
	versionPattern = regexp.MustCompile(`^[1-9][0-9]{1,2}\.0$`)
	fieldPattern   = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9_]*)?$`)
)

// New validates o and returns a client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Credentials == nil {
		return nil, errors.New("salesforce: no credentials")
	}
	if o.Reread == nil {
		o.Reread = o.Credentials
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.APIVersion == "" {
		o.APIVersion = DefaultAPIVersion
	}
	if !versionPattern.MatchString(o.APIVersion) {
		return nil, errors.New("salesforce: the API version must be like 68.0")
	}
	if max(len(o.KeyField), len(o.UserField)) > 80 || !fieldPattern.MatchString(o.KeyField) || !fieldPattern.MatchString(o.UserField) {
		return nil, errors.New("salesforce: malformed field name")
	}
	assign, err := autoAssign(o.AutoAssign)
	if err != nil {
		return nil, err
	}
	h, err := upstream.New(upstream.Options{
		Vendor: vendor, BaseURL: o.BaseURL, Local: o.Local,
		Timeout: o.Timeout, Transport: o.Transport, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	base, err := upstream.ParseBaseURL(o.BaseURL, o.Local)
	if err != nil {
		return nil, err
	}
	c := &Client{
		http: h, base: base, local: o.Local, version: o.APIVersion,
		keyField: o.KeyField, userField: o.UserField, autoAssign: assign,
		secret: upstream.Secret[Credentials]{Load: o.Credentials, Reread: o.Reread}, now: o.Now,
	}
	c.tokens = upstream.NewTokens(c.fetchToken, tokenEarly, o.Now)
	return c, nil
}

// autoAssign returns the value of the Sforce-Auto-Assign header.
func autoAssign(s string) (string, error) {
	switch strings.ToLower(s) {
	case "", "true":
		return "TRUE", nil
	case "false":
		return "FALSE", nil
	}
	if _, err := identity.SalesforceID(s, "01Q"); err != nil {
		return "", errors.New("salesforce: auto-assign must be true, false or the id of an assignment rule")
	}
	return s, nil
}

// Host returns the org's configured host, port included: not the instance's,
// which may change under us.
func (c *Client) Host() string { return c.http.Host() }

// do sends an authorised REST call to the session's instance. A 401 from it,
// or a refusal by the token endpoint, is answered once by reading the secret
// again and by a new session.
func (c *Client) do(ctx context.Context, call upstream.Call) (*upstream.Response, error) {
	send := func(ctx context.Context, session upstream.Token) (*upstream.Response, error) {
		return c.send(ctx, call, session)
	}
	return upstream.Authorize(ctx, c.secret, c.session, send, func(res *upstream.Response, err error) bool {
		return upstream.Unauthorized(res, err) && !final401(res.Body)
	})
}

// session returns a session of creds, other than the refused one.
func (c *Client) session(ctx context.Context, creds Credentials, refused upstream.Token) (upstream.Token, error) {
	t, err := c.tokens.Of(creds).Renew(ctx, refused)
	return t, upstream.NotDone(vendor, "token", err)
}

func (c *Client) send(ctx context.Context, call upstream.Call, token upstream.Token) (*upstream.Response, error) {
	h := call.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Authorization", "Bearer "+token.Value)
	call.Header = h
	call.BaseURL = token.Instance
	return c.http.Do(ctx, call)
}

// final401 recognises the refusals that a new session of the same kind would
// only repeat: the app lacks a permission, or the session is not one for REST.
// Salesforce tells them from an expired session by their wording alone.
func final401(body []byte) bool {
	return bytes.Contains(body, []byte("Connected app is not attached to Agent")) ||
		bytes.Contains(body, []byte("This session is not valid for use with the REST API"))
}
