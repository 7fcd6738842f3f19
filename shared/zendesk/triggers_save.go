package zendesk

import (
	"context"
	"net/http"
	"strconv"
)

// CreateTrigger makes a trigger, behind all others. Two calls make two: after
// an unknown outcome, look for the title.
//
//	POST /api/v2/triggers {"trigger":{"title","conditions","actions",…}}
//	201 {"trigger":{"id",…}}
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/triggers/#create-ticket-trigger.
func (c *Client) CreateTrigger(ctx context.Context, t Trigger) error {
	t.ID = 0
	return c.write(ctx, "triggers_create", http.MethodPost, "/api/v2/triggers", nil, map[string]any{"trigger": t}, nil)
}

// UpdateTrigger replaces a trigger's conditions and actions and sets what else
// t has.
//
//	PUT /api/v2/triggers/{id} {"trigger":{…}}
//	200 {"trigger":{…}}
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/triggers/#update-ticket-trigger.
func (c *Client) UpdateTrigger(ctx context.Context, t Trigger) error {
	id := t.ID
	t.ID = 0
	return c.write(ctx, "triggers_update", http.MethodPut, "/api/v2/triggers/"+strconv.FormatInt(id, 10), nil, map[string]any{"trigger": t}, nil)
}
