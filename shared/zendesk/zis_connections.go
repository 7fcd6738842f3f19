package zendesk

import (
	"context"
	"net/http"
	"net/url"
)

// Connections lists the names of an integration's connections with a bearer
// token. ErrBoundToken is in the error of a credential that may not see them.
//
//	GET /api/services/zis/integrations/{name}/connections/all
//	200 {"bearer_token":[{"name","allowed_domain"}],"api_key":[…],…}
//
// See https://developer.zendesk.com/api-reference/integration-services/connections/all_connections/.
func (c *Client) Connections(ctx context.Context, integration string) (names []string, err error) {
	err = pages(nil, func(q url.Values) (cursor, error) {
		var page struct {
			cursor
			Bearer []struct {
				Name string `json:"name"`
			} `json:"bearer_token"`
		}
		err := c.zis(ctx, "zis_connections", http.MethodGet, "/integrations/"+url.PathEscape(integration)+"/connections/all", q, nil, &page)
		for _, b := range page.Bearer {
			names = append(names, b.Name)
		}
		return page.cursor, err
	})
	return names, err
}

// CreateBearerConnection stores a bearer token that the integration's actions
// may send to one host, and to no other.
//
//	POST /api/services/zis/integrations/{name}/connections/bearer_token {"name","token","allowed_domain"}
//	201
//
// See https://developer.zendesk.com/api-reference/integration-services/connections/bearer_token_connections/.
func (c *Client) CreateBearerConnection(ctx context.Context, integration, name, token, host string) error {
	return c.zis(ctx, "zis_connection_create", http.MethodPost, "/integrations/"+url.PathEscape(integration)+"/connections/bearer_token", nil,
		map[string]string{"name": name, "token": token, "allowed_domain": host}, nil)
}

// DeleteBearerConnection deletes a connection.
//
//	DELETE /api/services/zis/integrations/{integration}/connections/bearer_token/{name}
//	204
func (c *Client) DeleteBearerConnection(ctx context.Context, integration, name string) error {
	err := c.zis(ctx, "zis_connection_delete", http.MethodDelete,
		"/integrations/"+url.PathEscape(integration)+"/connections/bearer_token/"+url.PathEscape(name), nil, nil, nil)
	if Missing(err) {
		return nil
	}
	return err
}
