package zendesk

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Webhook is a webhook of the account. Its credentials and its signing secret
// are never read with it.
type Webhook struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Description   string    `json:"description"`
	Endpoint      string    `json:"endpoint"`
	Method        string    `json:"http_method"`
	Format        string    `json:"request_format"`
	Status        string    `json:"status"` // "active" or "inactive"
	Subscriptions []string  `json:"subscriptions"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// Active reports whether the webhook sends anything.
func (h Webhook) Active() bool { return h.Status == "active" }

// ConditionalEvents is the one subscription of a webhook that triggers send by.
const ConditionalEvents = "conditional_ticket_events"

// OfTriggers reports whether triggers send by the webhook, rather than events.
func (h Webhook) OfTriggers() bool { return slices.Contains(h.Subscriptions, ConditionalEvents) }

// Webhooks lists the account's webhooks, the oldest first. Names are not unique.
//
//	GET /api/v2/webhooks?page[size]=100
//	200 {"webhooks":[{"id":"01F…","name","endpoint","status","subscriptions",…}],"meta":{"has_more","after_cursor"}}
//
// See https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/#list-webhooks.
func (c *Client) Webhooks(ctx context.Context) (list []Webhook, err error) {
	err = pages(nil, func(q url.Values) (cursor, error) {
		var page struct {
			cursor
			Webhooks []Webhook `json:"webhooks"`
		}
		err := c.read(ctx, "webhooks_list", "/api/v2/webhooks", q, &page)
		list = append(list, page.Webhooks...)
		return page.cursor, err
	})
	// Ids are ULIDs: their order is that of creation.
	slices.SortFunc(list, func(a, b Webhook) int { return strings.Compare(a.ID, b.ID) })
	return list, err
}
