package salesforce

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// A token's answer does not say how long it lives; an org's default is two
// hours of idleness. Ours are replaced at half that.
const (
	tokenTTL   = time.Hour
	tokenEarly = time.Minute
)

// assertionTTL is what Salesforce allows a bearer assertion to live.
const assertionTTL = 180 * time.Second

func (c *Client) fetchToken(ctx context.Context, creds Credentials) (upstream.Token, error) {
	const op = "oauth_token"
	if err := creds.Validate(); err != nil {
		return upstream.Token{}, &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Refused, Credentials: true, Err: err}
	}
	switch {
	case creds.ClientSecret != "":
		return c.oauth(ctx, op, url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {creds.ClientID},
			"client_secret": {creds.ClientSecret},
		})
	case creds.PrivateKey != "":
		assertion, err := creds.assertion(c.now())
		if err != nil {
			return upstream.Token{}, &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Refused, Credentials: true, Err: err}
		}
		return c.oauth(ctx, op, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
			"assertion":  {assertion},
		})
	default:
		return c.soapLogin(ctx, creds)
	}
}

// oauth asks My Domain for a token: login.salesforce.com refuses client
// credentials. The answer names the instance to use it at.
//
//	POST /services/oauth2/token (form)
//	200 {"access_token","instance_url"}
//	400 or 401 {"error","error_description"}
//
// See https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
// and https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_jwt_flow.htm.
func (c *Client) oauth(ctx context.Context, op string, form url.Values) (upstream.Token, error) {
	asked := c.now()
	res, err := c.http.Do(ctx, upstream.Call{
		Op: op, Method: http.MethodPost, Path: "/services/oauth2/token",
		Body: []byte(form.Encode()), ContentType: "application/x-www-form-urlencoded", Repeatable: true,
	})
	if err != nil {
		return upstream.Token{}, err
	}
	if !res.OK() {
		e := failed(c.http, op, res)
		// invalid_client, invalid_grant and the like: whatever the status,
		// nothing but our credentials can be wrong with this request.
		e.Credentials = e.Class == upstream.Refused
		return upstream.Token{}, e
	}
	var body struct {
		AccessToken string `json:"access_token"`
		InstanceURL string `json:"instance_url"`
		ID          string `json:"id"` // …/id/<org id>/<user id>
	}
	if err := json.Unmarshal(res.Body, &body); err != nil {
		return upstream.Token{}, c.http.Senseless(op, res)
	}
	instance, err := c.instance(body.InstanceURL)
	if err != nil || !upstream.HeaderValue(body.AccessToken) {
		return upstream.Token{}, c.http.Senseless(op, res)
	}
	c.learnOwn(body.ID[strings.LastIndexByte(body.ID, '/')+1:])
	return upstream.Token{Value: body.AccessToken, Instance: instance, Expires: asked.Add(tokenTTL)}, nil
}

// learnOwn remembers the user whose session a login answered with.
func (c *Client) learnOwn(userID string) {
	if id, err := identity.SalesforceID(userID, "005"); err == nil {
		c.own.Store(&id)
	}
}

// OwnUser returns the 18-character id of the user whose credentials these are,
// "" if the org does not say. It logs in if nobody has yet.
func (c *Client) OwnUser(ctx context.Context) (string, error) {
	if own := c.own.Load(); own != nil {
		return *own, nil
	}
	creds, err := c.secret.Load(ctx)
	if err != nil {
		return "", err
	}
	if _, err := c.tokens.Of(creds).Token(ctx); err != nil {
		return "", err
	}
	if own := c.own.Load(); own != nil {
		return *own, nil
	}
	return "", nil
}

// instance checks the address that Salesforce says to use a session at. A
// login over https never leads to a call over http.
func (c *Client) instance(raw string) (*url.URL, error) {
	u, err := upstream.ParseBaseURL(raw, c.local)
	if err != nil {
		return nil, err
	}
	if c.base.Scheme == "https" && u.Scheme != "https" {
		return nil, errors.New("instance URL must be https")
	}
	return u, nil
}

// assertion returns the JWT of the bearer flow. Its exp is a number of
// seconds; Salesforce refuses one that is past as an expired authorisation code.
func (c Credentials) assertion(now time.Time) (string, error) {
	key, err := c.key()
	if err != nil {
		return "", err
	}
	s, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": c.ClientID,
		"sub": c.Username,
		"aud": c.Audience,
		"exp": now.Add(assertionTTL).Unix(),
	}).SignedString(key)
	if err != nil {
		return "", errors.New("salesforce credentials: the assertion cannot be signed")
	}
	return s, nil
}

func (c Credentials) key() (*rsa.PrivateKey, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(c.PrivateKey))
	if err != nil {
		return nil, errors.New("salesforce credentials: privateKey is not an RSA private key in PEM")
	}
	return key, nil
}
