package zendesk

import (
	"context"
	"net/http"
)

// CreateWebhook makes a webhook that posts JSON, and returns it as Zendesk made
// it. Two calls make two webhooks: after an unknown outcome, look for the name.
//
//	POST /api/v2/webhooks {"webhook":{"name","description","endpoint","http_method":"POST","request_format":"json","status","subscriptions":[…]}}
//	201 {"webhook":{"id",…}}
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#create-or-clone-webhook.
func (c *Client) CreateWebhook(ctx context.Context, h Webhook) (Webhook, error) {
	var made struct {
		Webhook Webhook `json:"webhook"`
	}
	err := c.write(ctx, "webhooks_create", http.MethodPost, "/api/v2/webhooks", nil, map[string]any{"webhook": map[string]any{
		"name": h.Name, "description": h.Description, "endpoint": h.Endpoint,
		"http_method": http.MethodPost, "request_format": "json", "status": h.Status, "subscriptions": h.Subscriptions,
	}}, &made)
	return made.Webhook, err
}
