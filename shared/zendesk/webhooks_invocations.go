package zendesk

import (
	"context"
	"net/url"
	"time"
)

// Invocation is one delivery of a webhook, all its attempts together.
type Invocation struct {
	ID          string    `json:"id"`
	Status      string    `json:"status"`      // such as "success" and "failed"
	StatusCode  int       `json:"status_code"` // of the last attempt; 504 also when there was no answer
	CompletedAt time.Time `json:"latest_completed_at"`
}

// Invocations lists a webhook's deliveries, the newest first: one page of them.
//
//	GET /api/v2/webhooks/{id}/invocations
//	200 {"invocations":[{"id","status","status_code","latest_completed_at"}]}
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#list-webhook-invocations.
func (c *Client) Invocations(ctx context.Context, webhook string) ([]Invocation, error) {
	var answer struct {
		Invocations []Invocation `json:"invocations"`
	}
	err := c.read(ctx, "webhooks_invocations", "/api/v2/webhooks/"+url.PathEscape(webhook)+"/invocations", nil, &answer)
	return answer.Invocations, err
}
