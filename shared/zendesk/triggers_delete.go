package zendesk

import (
	"context"
	"strconv"
)

// DeleteTrigger deletes a trigger.
//
//	DELETE /api/v2/triggers/{id}
//	204
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/triggers/#delete-ticket-trigger.
func (c *Client) DeleteTrigger(ctx context.Context, id int64) error {
	return c.remove(ctx, "triggers_delete", "/api/v2/triggers/"+strconv.FormatInt(id, 10), nil)
}
