package cronofy

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Scope is what a person is asked for: to choose a calendar, and to write the
// application's own events into it. What else is in the calendar stays unseen.
const Scope = "list_calendars create_event delete_event"

// ErrGrant means that a code or refresh token is used, expired or revoked: the
// person has to connect again.
var ErrGrant = errors.New("cronofy: the authorization is gone")

// ErrClient means that the application's clientId and clientSecret are not
// accepted in this data centre.
var ErrClient = errors.New("cronofy: the client is not accepted in this data centre")

// Tokens are a person's. Expires is of the access token.
type Tokens struct {
	Access, Refresh string
	Expires         time.Time
	// Account, Profile and ProfileName are whose they are; only the first
	// exchange says it.
	Account, Profile, ProfileName string
}

func (Tokens) String() string { return "cronofy.Tokens(REDACTED)" }

// GoString keeps the tokens out of %#v.
func (t Tokens) GoString() string { return t.String() }

// LogValue keeps the tokens out of logs.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(t.String()) }

// AuthorizeURL returns where a person consents. Cronofy sends the browser back
// to redirect with a code, or an error, and state.
//
// See https://docs.cronofy.com/developers/api/authorization/request-authorization/.
func (c *Client) AuthorizeURL(ctx context.Context, redirect, state string) (string, error) {
	secret, err := c.secret.Load(ctx)
	if err != nil {
		return "", err
	}
	q := url.Values{
		"response_type": {"code"}, "client_id": {secret.ClientID}, "redirect_uri": {redirect}, "scope": {Scope}, "state": {state},
		// Another person's connection in this browser is not this one's.
		"avoid_linking": {"true"},
	}
	return c.app.String() + "/oauth/authorize?" + q.Encode(), nil
}

// Exchange turns the code of a consent into tokens. redirect is the one of the
// consent. A code is good once: after an error of unknown outcome the person
// has to consent again.
//
// See https://docs.cronofy.com/developers/api/authorization/request-token/.
func (c *Client) Exchange(ctx context.Context, code, redirect string) (Tokens, error) {
	return c.tokens(ctx, "token_exchange", map[string]string{"grant_type": "authorization_code", "code": code, "redirect_uri": redirect})
}

// Refresh returns new tokens. The refresh token in them may be another one, and
// the old one may be dead then.
//
// See https://docs.cronofy.com/developers/api/authorization/refresh-token/.
func (c *Client) Refresh(ctx context.Context, refresh string) (Tokens, error) {
	return c.tokens(ctx, "token_refresh", map[string]string{"grant_type": "refresh_token", "refresh_token": refresh})
}

// tokens posts to /oauth/token. The application's credentials are read again,
// once, when they are what is refused.
func (c *Client) tokens(ctx context.Context, op string, grant map[string]string) (Tokens, error) {
	asked := c.now()
	res, err := c.oauth(ctx, op, "/oauth/token", grant)
	if err != nil {
		return Tokens{}, err
	}
	var body struct {
		Access  string  `json:"access_token"`
		Refresh string  `json:"refresh_token"`
		Expires float64 `json:"expires_in"`
		Account string  `json:"account_id"`
		Sub     string  `json:"sub"`
		Profile struct {
			ID   string `json:"profile_id"`
			Name string `json:"profile_name"`
		} `json:"linking_profile"`
	}
	if err := json.Unmarshal(res.Body, &body); err != nil || body.Access == "" {
		return Tokens{}, c.http.Senseless(op, res)
	}
	t := Tokens{
		Access: body.Access, Refresh: body.Refresh, Account: body.Account,
		Profile: body.Profile.ID, ProfileName: body.Profile.Name,
		Expires: asked.Add(time.Duration(min(max(body.Expires, 0), 86400) * float64(time.Second))),
	}
	if t.Account == "" {
		t.Account = body.Sub
	}
	if t.Refresh == "" {
		t.Refresh = grant["refresh_token"]
	}
	if t.Refresh == "" {
		return Tokens{}, c.http.Senseless(op, res)
	}
	return t, nil
}

// Revoke ends an authorization by one of its tokens.
//
// See https://docs.cronofy.com/developers/api/authorization/revoke/.
func (c *Client) Revoke(ctx context.Context, token string) error {
	const op = "token_revoke"
	res, err := c.oauth(ctx, op, "/oauth/token/revoke", map[string]string{"token": token})
	if err != nil {
		return err
	}
	return c.accepted(op, res)
}

// Check reports whether the application's credentials are accepted in this data
// centre, without anybody's consent: Cronofy names the client before it minds
// the refresh token, which is none. The error wraps [ErrClient] where they are
// not.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.Refresh(ctx, "caseroom-check")
	if errors.Is(err, ErrGrant) {
		return nil
	}
	if err == nil {
		return errors.New("cronofy: a refresh token that is none was accepted")
	}
	return err
}

// oauth posts a request of the application's own and returns a success. Its
// errors wrap ErrGrant and ErrClient.
func (c *Client) oauth(ctx context.Context, op, path string, fields map[string]string) (*upstream.Response, error) {
	prove := func(_ context.Context, secret, refused Secret) (Secret, error) {
		if refused != (Secret{}) && secret == refused {
			return secret, upstream.ErrSameProof
		}
		return secret, nil
	}
	send := func(ctx context.Context, secret Secret) (*upstream.Response, error) {
		return c.oauthOnce(ctx, op, path, fields, secret)
	}
	return upstream.Authorize(ctx, c.secret, prove, send, func(_ *upstream.Response, err error) bool {
		return errors.Is(err, ErrClient)
	})
}

func (c *Client) oauthOnce(ctx context.Context, op, path string, fields map[string]string, secret Secret) (*upstream.Response, error) {
	body := map[string]string{"client_id": secret.ClientID, "client_secret": secret.ClientSecret}
	for name, value := range fields {
		body[name] = value
	}
	res, err := c.http.Do(ctx, upstream.Call{Op: op, Method: http.MethodPost, Path: path, JSON: body})
	if err != nil {
		return nil, err
	}
	if res.OK() {
		return res, nil
	}
	e := c.failed(op, res)
	switch e.Code {
	case "invalid_grant":
		e.Err, e.Credentials = ErrGrant, false
	case "invalid_client", "unauthorized_client":
		e.Err, e.Credentials = ErrClient, true
	}
	return nil, e
}
