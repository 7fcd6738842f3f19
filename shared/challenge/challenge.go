// Package challenge asks a challenge's service, such as Turnstile or hCaptcha,
// whether a person's browser passed it.
package challenge

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Verifier asks the service. Its URL is the client's base, such as
// https://challenges.cloudflare.com/turnstile/v0/siteverify.
type Verifier struct {
	Client *upstream.Client
	// Secret returns the site's secret.
	Secret func(context.Context) (string, error)
}

const opVerify = "siteverify"

// Passed reports whether the browser passed the challenge that gave the token.
// A token is good for one call and for minutes. address, if there is one, is the
// browser's; see [api.Request.ClientAddress].
//
//	POST / (form: secret, response, remoteip) -> {"success":true|false,"error-codes":["…"]}
//
// Both services answer alike:
// https://developers.cloudflare.com/turnstile/get-started/server-side-validation/ and
// https://docs.hcaptcha.com/#verify-the-user-response-server-side.
// The error is an *[upstream.Error], Refused where the service does not know our
// secret.
func (v *Verifier) Passed(ctx context.Context, token, address string) (bool, error) {
	secret, err := v.Secret(ctx)
	if err != nil {
		return false, err
	}
	form := url.Values{"secret": {secret}, "response": {token}}
	if address != "" {
		form.Set("remoteip", address)
	}
	res, err := v.Client.Do(ctx, upstream.Call{
		Op:          opVerify,
		Method:      http.MethodPost,
		Body:        []byte(form.Encode()),
		ContentType: "application/x-www-form-urlencoded",
	})
	if err != nil {
		return false, err
	}
	var answer struct {
		Success *bool    `json:"success"`
		Codes   []string `json:"error-codes"`
	}
	if json.Unmarshal(res.Body, &answer) != nil || answer.Success == nil {
		if res.OK() {
			return false, v.Client.Senseless(opVerify, res)
		}
		return false, v.Client.Intermediary(opVerify, res)
	}
	if slices.ContainsFunc(answer.Codes, ours) {
		e := v.Client.Failed(opVerify, res, upstream.Refused, answer.Codes[0])
		e.Err = errors.New("the service does not take our secret")
		return false, e
	}
	return *answer.Success, nil
}

// ours reports whether a code says that the fault is in our request and not in
// the browser's token.
func ours(code string) bool {
	return code == "missing-input-secret" || code == "invalid-input-secret" || code == "bad-request" || code == "sitekey-secret-mismatch"
}
