package zendesk

import (
	"context"
	"errors"
	"net/url"

	"github.com/caseroom/caseroom/shared/upstream"
)

// SigningSecret returns what signs a webhook's requests.
//
//	GET /api/v2/webhooks/{id}/signing_secret
//	200 {"signing_secret":{"algorithm":"SHA256","secret"}}
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#show-webhook-signing-secret.
func (c *Client) SigningSecret(ctx context.Context, webhook string) (string, error) {
	const op = "webhooks_signing_secret"
	var answer struct {
		Secret struct {
			Algorithm string `json:"algorithm"`
			Secret    string `json:"secret"`
		} `json:"signing_secret"`
	}
	if err := c.read(ctx, op, "/api/v2/webhooks/"+url.PathEscape(webhook)+"/signing_secret", nil, &answer); err != nil {
		return "", err
	}
	if answer.Secret.Secret == "" || answer.Secret.Algorithm != "SHA256" {
		return "", &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Unknown, Err: errors.New("no SHA256 secret in the answer")}
	}
	return answer.Secret.Secret, nil
}
