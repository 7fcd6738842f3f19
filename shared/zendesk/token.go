package zendesk

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

// scope is what a token may do. Tickets and users are written; reading is
// asked for as a whole, because searching and the incremental exports have no
// scope of their own and answer 403 under tickets:read alone.
const scope = "read tickets:write users:write"

// AdminScope is what a token may do that connects an account: webhooks and
// triggers besides. The token's user must be an admin, or have a role that
// manages both.
const AdminScope = "read tickets:write users:write webhooks:write triggers:write"

// IntegrationScope is what Zendesk Integration Services ask for, which have no
// scope of their own. The token's user must be an admin.
const IntegrationScope = "read write"

// tokenEarly is how long before its end a token is replaced. Zendesk's
// shortest-lived tokens last five minutes.
const tokenEarly = time.Minute

// fetchToken asks for a token by client credentials. There is no refresh
// token: one asks again. A client from before 2026 may still answer without
// expires_in; its token is used until it is refused.
//
//	POST /oauth/tokens {"grant_type":"client_credentials","client_id","client_secret","scope"}
//	200 {"access_token","expires_in"}
//
// See https://support.zendesk.com/hc/en-us/articles/8983332483226.
func (c *Client) fetchToken(ctx context.Context, creds Credentials) (upstream.Token, error) {
	const op = "oauth_token"
	asked := c.now()
	res, err := c.http.Do(ctx, upstream.Call{Op: op, Method: http.MethodPost, Path: "/oauth/tokens", Repeatable: true, JSON: map[string]string{
		"grant_type":    "client_credentials",
		"client_id":     creds.ClientID,
		"client_secret": creds.ClientSecret,
		"scope":         c.scope,
	}})
	if err != nil {
		return upstream.Token{}, err
	}
	if !res.OK() {
		e := failed(c.http, op, res)
		// invalid_client, unauthorized_client, invalid_scope: whatever the
		// status, nothing but the client itself can be wrong with this request.
		e.Credentials = e.Class == upstream.Refused
		return upstream.Token{}, e
	}
	var body struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"` // also when it comes quoted
	}
	if err := json.Unmarshal(res.Body, &body); err != nil || !upstream.HeaderValue(body.AccessToken) {
		return upstream.Token{}, c.http.Senseless(op, res)
	}
	t := upstream.Token{Value: body.AccessToken}
	if seconds, err := body.ExpiresIn.Float64(); err == nil && seconds > 0 {
		t.Expires = asked.Add(time.Duration(min(seconds, 172800) * float64(time.Second)))
	}
	return t, nil
}
