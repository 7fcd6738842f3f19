package zendesk

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

	"github.com/caseroom/caseroom/shared/upstream"
)

// ErrNoVisitor means that the Chat API knows no visitor of this id.
var ErrNoVisitor = errors.New("zendesk: no such chat visitor")

// ChatCredentials are the Chat API's own OAuth token, which does not expire:
// the value of ZOPIM_SECRET.
type ChatCredentials struct {
	APIToken string `json:"apiToken"`
}

// Validate reports what is missing, never what is there.
func (c ChatCredentials) Validate() error {
	if c.APIToken == "" {
		return errors.New("apiToken is empty")
	}
	return nil
}

func (ChatCredentials) String() string { return "zendesk.ChatCredentials(REDACTED)" }

// GoString keeps the token out of %#v.
func (c ChatCredentials) GoString() string { return c.String() }

// LogValue keeps the token out of logs.
func (c ChatCredentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// ChatOptions configure a [ChatClient]. BaseURL and Credentials are required.
type ChatOptions struct {
	BaseURL string // the account's, https://example.zendesk.com
	Local   bool   // see upstream.Options
	// Credentials returns the secret; it is asked before every call and is
	// expected to cache.
	Credentials func(context.Context) (ChatCredentials, error)
	// Reread returns the secret as it is now, after a 401. It must limit its
	// own rate. Nil: Credentials.
	Reread    func(context.Context) (ChatCredentials, error)
	Now       func() time.Time
	Transport http.RoundTripper
	Timeout   time.Duration // of one call; 5 s if zero
}

// ChatClient calls the Chat API, which has credentials of its own.
type ChatClient struct {
	http   *upstream.Client
	secret upstream.Secret[ChatCredentials]
}

// NewChat validates o and returns a client. It makes no call.
func NewChat(o ChatOptions) (*ChatClient, error) {
	if o.Credentials == nil {
		return nil, errors.New("zopim: no credentials")
	}
	if o.Reread == nil {
		o.Reread = o.Credentials
	}
	h, err := upstream.New(upstream.Options{
		Vendor: "zopim", BaseURL: o.BaseURL, Local: o.Local,
		Timeout: o.Timeout, Transport: o.Transport, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	return &ChatClient{http: h, secret: upstream.Secret[ChatCredentials]{Load: o.Credentials, Reread: o.Reread}}, nil
}

// Visitor is a Chat visitor.
type Visitor struct {
	ID         string
	ExternalID string // the external_id of the JWT they came with, "" if they came with none
	Name       string
	Email      string
}

var visitorID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)

// Visitor returns a visitor, or [ErrNoVisitor], also for an id that could not
// be one. An id may be written as the API's answers do, with a dot where its
// URLs have a dash.
//
//	GET /api/v2/chat/visitors/{id}
//	200 {"id","external_id","name","email"}, id a string or, in older accounts, a number
//
// The host www.zopim.com, which older guides name, was switched off in May 2025.
// See https://developer.zendesk.com/api-reference/live-chat/chat-api/visitors/
// and https://support.zendesk.com/hc/en-us/articles/7827476398362.
func (c *ChatClient) Visitor(ctx context.Context, id string) (Visitor, error) {
	if len(id) > 128 || !visitorID.MatchString(id) {
		return Visitor{}, ErrNoVisitor
	}
	return upstream.Retry(ctx, func(ctx context.Context) (Visitor, error) { return c.visitor(ctx, id) })
}

func (c *ChatClient) visitor(ctx context.Context, id string) (Visitor, error) {
	const op = "visitor"
	res, err := c.do(ctx, upstream.Call{Op: op, Method: http.MethodGet, Path: "/api/v2/chat/visitors/" + url.PathEscape(strings.ReplaceAll(id, ".", "-"))})
	if err != nil {
		return Visitor{}, err
	}
	if res.Status == http.StatusNotFound {
		return Visitor{}, ErrNoVisitor
	}
	if !res.OK() {
		return Visitor{}, failed(c.http, op, res)
	}
	var body struct {
		ID         flexibleID `json:"id"`
		ExternalID string     `json:"external_id"`
		Name       string     `json:"name"`
		Email      string     `json:"email"`
	}
	if err := json.Unmarshal(res.Body, &body); err != nil || body.ID == "" {
		return Visitor{}, c.http.Senseless(op, res)
	}
	return Visitor{ID: string(body.ID), ExternalID: body.ExternalID, Name: body.Name, Email: body.Email}, nil
}

// flexibleID is an id that is written as a string or as a number.
type flexibleID string

// UnmarshalJSON takes both forms; null is "".
func (id *flexibleID) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, (*string)(id))
	}
	var n *json.Number
	if err := json.Unmarshal(b, &n); err != nil || n == nil {
		return err
	}
	*id = flexibleID(n.String())
	return nil
}

// do sends the call, and once more with the token as the secret has it now
// when Zendesk refuses the one it had.
func (c *ChatClient) do(ctx context.Context, call upstream.Call) (*upstream.Response, error) {
	send := func(ctx context.Context, token string) (*upstream.Response, error) {
		call.Header = http.Header{"Authorization": {"Bearer " + token}}
		return c.http.Do(ctx, call)
	}
	return upstream.Authorize(ctx, c.secret, token(call.Op), send, upstream.Unauthorized)
}

// token returns what takes the token out of credentials.
func token(op string) func(context.Context, ChatCredentials, string) (string, error) {
	return func(_ context.Context, creds ChatCredentials, _ string) (string, error) {
		if !upstream.HeaderValue(creds.APIToken) {
			return "", &upstream.Error{
				Vendor: "zopim", Op: op, Class: upstream.Refused, Credentials: true,
				Err: errors.New("the token is empty or malformed"),
			}
		}
		return creds.APIToken, nil
	}
}
