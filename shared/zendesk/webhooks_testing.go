package zendesk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// TestWebhook has Zendesk send one request as a webhook would, with its
// signature, and returns the status that the endpoint answered with.
//
//	POST /api/v2/webhooks/test?webhook_id=… {"request":{"endpoint","http_method","request_format","payload"}}
//	200 {"response":{"status":200,"payload":"…"}}
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#test-webhook.
func (c *Client) TestWebhook(ctx context.Context, h Webhook, payload string) (status int, err error) {
	var answer struct {
		Response struct {
			Status json.RawMessage `json:"status"`
		} `json:"response"`
	}
	err = c.write(ctx, "webhooks_test", http.MethodPost, "/api/v2/webhooks/test", url.Values{"webhook_id": {h.ID}}, map[string]any{
		"request": map[string]any{
			"endpoint": h.Endpoint, "http_method": http.MethodPost, "request_format": "json", "payload": payload,
		},
	}, &answer)
	if err != nil {
		return 0, err
	}
	// A number, or a number in a string.
	text := string(answer.Response.Status)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	status, _ = strconv.Atoi(text)
	return status, nil
}
