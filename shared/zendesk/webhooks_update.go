package zendesk

import (
	"context"
	"net/http"
	"net/url"
)

// UpdateWebhook changes the given fields of a webhook, by their names in the
// API. Whether it is connected by events or by triggers cannot be changed.
//
//	PATCH /api/v2/webhooks/{id} {"webhook":{"status":"inactive"}}
//	204
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#patch-webhook.
func (c *Client) UpdateWebhook(ctx context.Context, id string, fields map[string]any) error {
	return c.write(ctx, "webhooks_update", http.MethodPatch, "/api/v2/webhooks/"+url.PathEscape(id), nil,
		map[string]any{"webhook": fields}, nil)
}
