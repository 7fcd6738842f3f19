package zendesk

import (
	"context"
	"net/url"
)

// DeleteWebhook deletes a webhook. Zendesk refuses while a trigger sends by it.
//
//	DELETE /api/v2/webhooks/{id}
//	204
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#delete-webhook.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	return c.remove(ctx, "webhooks_delete", "/api/v2/webhooks/"+url.PathEscape(id), nil)
}
