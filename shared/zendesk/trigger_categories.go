package zendesk

import (
	"context"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/upstream"
)

// TriggerCategory groups triggers in the admin's list.
type TriggerCategory struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// NoCategories reports whether err says that the account has no trigger
// categories at all.
func NoCategories(err error) bool { return upstream.HasCode(err, "TriggerCategoriesNotEnabled") }

// TriggerCategories lists the account's trigger categories.
//
//	GET /api/v2/trigger_categories?page[size]=100
//	200 {"trigger_categories":[{"id":"10001","name"}],"meta":{…}}
//	403 TriggerCategoriesNotEnabled
//
// See https://developer.zendesk.com/api-reference/ticketing/business-rules/trigger_categories/.
func (c *Client) TriggerCategories(ctx context.Context) (list []TriggerCategory, err error) {
	err = pages(nil, func(q url.Values) (cursor, error) {
		var page struct {
			cursor
			Categories []TriggerCategory `json:"trigger_categories"`
		}
		err := c.read(ctx, "trigger_categories_list", "/api/v2/trigger_categories", q, &page)
		list = append(list, page.Categories...)
		return page.cursor, err
	})
	return list, err
}

// CreateTriggerCategory makes a category. Names are not unique: after an
// unknown outcome, look for the name.
//
//	POST /api/v2/trigger_categories {"trigger_category":{"name"}}
//	201 {"trigger_category":{"id":"10001","name"}}
func (c *Client) CreateTriggerCategory(ctx context.Context, name string) (TriggerCategory, error) {
	var made struct {
		Category TriggerCategory `json:"trigger_category"`
	}
	err := c.write(ctx, "trigger_categories_create", http.MethodPost, "/api/v2/trigger_categories", nil,
		map[string]any{"trigger_category": map[string]string{"name": name}}, &made)
	return made.Category, err
}

// DeleteTriggerCategory deletes a category, which must be empty.
//
//	DELETE /api/v2/trigger_categories/{id}
//	204
func (c *Client) DeleteTriggerCategory(ctx context.Context, id string) error {
	return c.remove(ctx, "trigger_categories_delete", "/api/v2/trigger_categories/"+url.PathEscape(id), nil)
}
