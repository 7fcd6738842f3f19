// Package zendesk speaks to a Zendesk account: the Ticketing API as caseroom
// uses it, its OAuth tokens, the Chat API's visitors, and the signed URLs by
// which Zendesk opens an app. [Desk] makes it a relay.Desk.
package zendesk

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

const vendor = "zendesk"

// Credentials are the Zendesk secret: an OAuth client, or an agent's e-mail
// with an API token. Zendesk stops API tokens on 30 April 2027, so an OAuth
// client wins where both are set.
type Credentials struct {
	ClientID     string `json:"clientId"` // the client's unique identifier, not its number
	ClientSecret string `json:"clientSecret"`
	Email        string `json:"email"`
	APIToken     string `json:"apiToken"`
}

// Validate reports what is missing, never what is there.
func (c Credentials) Validate() error {
	if c.oauth() || (c.Email != "" && c.APIToken != "") {
		return nil
	}
	return errors.New("zendesk credentials need clientId and clientSecret, or email and apiToken")
}

func (c Credentials) oauth() bool { return c.ClientID != "" && c.ClientSecret != "" }

func (Credentials) String() string { return "zendesk.Credentials(REDACTED)" }

// GoString keeps the secret out of %#v.
func (c Credentials) GoString() string { return c.String() }

// LogValue keeps the secret out of logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Options configure a [Client]. BaseURL and Credentials are required.
type Options struct {
	BaseURL string // https://<subdomain>.zendesk.com
	Local   bool   // see upstream.Options
	// Credentials returns the secret; it is asked before every call and is
	// expected to cache.
	Credentials func(context.Context) (Credentials, error)
	// Reread returns the secret as it is now. It is asked when Zendesk refuses
	// what Credentials returned, and must limit its own rate. Nil: Credentials.
	Reread    func(context.Context) (Credentials, error)
	Now       func() time.Time // time.Now if nil
	Transport http.RoundTripper
	Timeout   time.Duration // of one call; 5 s if zero
	// Scope is what OAuth tokens are asked for: that of the functions' work on
	// tickets if empty, or AdminScope or IntegrationScope.
	Scope string
}

// Client calls one Zendesk account. It is safe for concurrent use.
type Client struct {
	http   *upstream.Client
	secret upstream.Secret[Credentials]
	now    func() time.Time
	scope  string
	tokens *upstream.Tokens[Credentials]
}

// New validates o and returns a client. It makes no call.
func New(o Options) (*Client, error) {
	if o.Credentials == nil {
		return nil, errors.New("zendesk: no credentials")
	}
	if o.Reread == nil {
		o.Reread = o.Credentials
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Scope == "" {
		o.Scope = scope
	}
	h, err := upstream.New(upstream.Options{
		Vendor: vendor, BaseURL: o.BaseURL, Local: o.Local,
		Timeout: o.Timeout, Transport: o.Transport, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	c := &Client{http: h, secret: upstream.Secret[Credentials]{Load: o.Credentials, Reread: o.Reread}, now: o.Now, scope: o.Scope}
	c.tokens = upstream.NewTokens(c.fetchToken, tokenEarly, o.Now)
	return c, nil
}

// Host returns the account's configured host, port included.
func (c *Client) Host() string { return c.http.Host() }

// do sends an authorised call. A 401, from the API or from the token endpoint,
// is answered once by reading the secret again and, for OAuth, by a new token.
func (c *Client) do(ctx context.Context, call upstream.Call) (*upstream.Response, error) {
	send := func(ctx context.Context, auth authorization) (*upstream.Response, error) {
		return c.send(ctx, call, auth)
	}
	return upstream.Authorize(ctx, c.secret, c.authorize, send, upstream.Unauthorized)
}

func (c *Client) send(ctx context.Context, call upstream.Call, auth authorization) (*upstream.Response, error) {
	h := http.Header{"Authorization": {auth.header}}
	maps.Copy(h, call.Header)
	call.Header = h
	return c.http.Do(ctx, call)
}

// authorization is an Authorization header and the token in it, if it has one.
type authorization struct {
	header string
	token  upstream.Token
}

// authorize returns a header for creds, other than the refused one where a
// token can be had anew.
func (c *Client) authorize(ctx context.Context, creds Credentials, refused authorization) (authorization, error) {
	if !creds.oauth() {
		if err := creds.Validate(); err != nil {
			return authorization{}, &upstream.Error{Vendor: vendor, Op: "token", Class: upstream.Refused, Credentials: true, Err: err}
		}
		basic := base64.StdEncoding.EncodeToString([]byte(creds.Email + "/token:" + creds.APIToken))
		return authorization{header: "Basic " + basic}, nil
	}
	t, err := c.tokens.Of(creds).Renew(ctx, refused.token)
	if err != nil {
		return authorization{}, upstream.NotDone(vendor, "oauth_token", err)
	}
	return authorization{header: "Bearer " + t.Value, token: t}, nil
}
