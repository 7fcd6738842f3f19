package zendesk

import (
	"context"
	"encoding/json"
	"net/url"
)

// Trigger is a rule that runs when a ticket is made or changed.
type Trigger struct {
	ID          int64      `json:"id,omitempty"`
	Title       string     `json:"title"`
	Description string     `json:"description,omitempty"`
	Active      bool       `json:"active"`
	CategoryID  string     `json:"category_id,omitempty"`
	Conditions  Conditions `json:"conditions"`
	Actions     []Action   `json:"actions"`
}

// Conditions are what must hold: each of All, and one of Any if there is any.
type Conditions struct {
	All []Condition `json:"all"`
	Any []Condition `json:"any"`
}

// Condition looks at one field of the ticket.
type Condition struct {
	Field    string `json:"field"`
	Operator string `json:"operator"`
	Value    any    `json:"value"` // a string mostly; null with "changed"
}

// Action is what a trigger does. Value's shape depends on Field: a string, a
// list of strings, or anything else.
type Action struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
}

// NotifyWebhook is the action that sends body, a template, by a webhook.
func NotifyWebhook(webhook, body string) Action {
	value, err := json.Marshal([]string{webhook, body})
	if err != nil {
		panic(err) // strings always marshal
	}
	return Action{Field: "notification_webhook", Value: value}
}

// Webhook returns the webhook that the action sends by and the body's template;
// ok is false for every other action.
func (a Action) Webhook() (id, body string, ok bool) {
	var pair []string
	if a.Field != "notification_webhook" || json.Unmarshal(a.Value, &pair) != nil || len(pair) != 2 {
		return "", "", false
	}
	return pair[0], pair[1], true
}

// Triggers lists the account's triggers, inactive ones too.
//
//	GET /api/v2/triggers?page[size]=100
//	200 {"triggers":[{"id","title","active","category_id","conditions":{"all":[…],"any":[…]},"actions":[…]}],"meta":{…}}
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/triggers/#list-ticket-triggers.
func (c *Client) Triggers(ctx context.Context) (list []Trigger, err error) {
	err = pages(nil, func(q url.Values) (cursor, error) {
		var page struct {
			cursor
			Triggers []Trigger `json:"triggers"`
		}
		err := c.read(ctx, "triggers_list", "/api/v2/triggers", q, &page)
		list = append(list, page.Triggers...)
		return page.cursor, err
	})
	return list, err
}
