package zendesk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Integration is an integration that the account has registered.
type Integration struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Integrations lists the account's integrations.
//
//	GET /api/services/zis/registry/integrations
//	200 {"integrations":[{"name","description"}],"meta":{…}}
//
// See https://developer.zendesk.com/api-reference/integration-services/registry/integrations/.
func (c *Client) Integrations(ctx context.Context) (list []Integration, err error) {
	err = pages(nil, func(q url.Values) (cursor, error) {
		var page struct {
			cursor
			Integrations []Integration `json:"integrations"`
		}
		err := c.zis(ctx, "zis_integrations", http.MethodGet, "/registry/integrations", q, nil, &page)
		list = append(list, page.Integrations...)
		return page.cursor, err
	})
	return list, err
}

// RegisterIntegration registers a name, for ever: there is no call that takes
// it back. A name that this account has registered before is no error;
// ErrNameTaken is in the error of one that belongs to another account.
//
//	POST /api/services/zis/registry/{name} {"description"}
//	200 {"description","jwt_public_key","zendesk_oauth_client":{…}}, 409 when it exists
func (c *Client) RegisterIntegration(ctx context.Context, name, description string) error {
	err := c.zis(ctx, "zis_register", http.MethodPost, "/registry/"+url.PathEscape(name), nil, map[string]string{"description": description}, nil)
	var e *upstream.Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		return nil
	}
	return err
}

// UploadBundle puts a bundle in the place of the integration's one before.
// Every upload orphans the job specs that are installed: install them again.
// ErrOAuthDisabled is in the error when the credential is an OAuth token.
//
//	POST /api/services/zis/registry/{name}/bundles {…}
//	200
//
// See https://developer.zendesk.com/api-reference/integration-services/registry/bundles/.
func (c *Client) UploadBundle(ctx context.Context, name string, bundle json.RawMessage) error {
	return c.zis(ctx, "zis_bundle_upload", http.MethodPost, "/registry/"+url.PathEscape(name)+"/bundles", nil, bundle, nil)
}

// Bundles lists the ids of the integration's bundles.
//
//	GET /api/services/zis/registry/{name}/bundles
//	200 {"bundles":[{"uuid"}],"meta":{…}}
func (c *Client) Bundles(ctx context.Context, name string) (ids []string, err error) {
	err = pages(nil, func(q url.Values) (cursor, error) {
		var page struct {
			cursor
			Bundles []struct {
				UUID string `json:"uuid"`
			} `json:"bundles"`
		}
		err := c.zis(ctx, "zis_bundles", http.MethodGet, "/registry/"+url.PathEscape(name)+"/bundles", q, nil, &page)
		for _, b := range page.Bundles {
			ids = append(ids, b.UUID)
		}
		return page.cursor, err
	})
	return ids, err
}

// DeleteBundle deletes a bundle. Job specs that are installed go on: uninstall
// them first.
//
//	DELETE /api/services/zis/registry/{name}/bundles/{uuid}
//	204
func (c *Client) DeleteBundle(ctx context.Context, name, uuid string) error {
	err := c.zis(ctx, "zis_bundle_delete", http.MethodDelete, "/registry/"+url.PathEscape(name)+"/bundles/"+url.PathEscape(uuid), nil, nil, nil)
	if Missing(err) {
		return nil
	}
	return err
}
