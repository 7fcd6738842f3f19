package zendesk

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// JobSpec says which flow an event starts. It does so only while it is
// installed.
type JobSpec struct {
	Name      string `json:"name"`
	Source    string `json:"event_source"`
	EventType string `json:"event_type"`
	Flow      string `json:"flow_name"`
	Installed bool   `json:"installed"`
}

// JobSpecs lists an integration's job specs, orphaned ones of older bundles too.
//
//	GET /api/services/zis/registry/{name}/job_specs
//	200 {"job_specs":[{"name","event_source","event_type","flow_name","installed"}],"meta":{…}}
//
// See https://developer.zendesk.com/api-reference/integration-services/registry/jobspecs/.
func (c *Client) JobSpecs(ctx context.Context, integration string) (list []JobSpec, err error) {
	err = pages(nil, func(q url.Values) (cursor, error) {
		var page struct {
			cursor
			JobSpecs []JobSpec `json:"job_specs"`
		}
		err := c.zis(ctx, "zis_job_specs", http.MethodGet, "/registry/"+url.PathEscape(integration)+"/job_specs", q, nil, &page)
		for _, spec := range page.JobSpecs {
			// By its name, or by its ARN.
			spec.Name = spec.Name[strings.LastIndexByte(spec.Name, ':')+1:]
			list = append(list, spec)
		}
		return page.cursor, err
	})
	return list, err
}

// InstallJobSpec makes a job spec's events start its flow. Installing twice is
// installing once.
//
//	POST /api/services/zis/registry/job_specs/install?job_spec_name=zis:{integration}:job_spec:{name}
//	200
func (c *Client) InstallJobSpec(ctx context.Context, integration, name string) error {
	return c.zis(ctx, "zis_job_spec_install", http.MethodPost, "/registry/job_specs/install", jobSpecName(integration, name), nil, nil)
}

// UninstallJobSpec ends that.
//
//	DELETE /api/services/zis/registry/job_specs/install?job_spec_name=zis:{integration}:job_spec:{name}
//	204
func (c *Client) UninstallJobSpec(ctx context.Context, integration, name string) error {
	err := c.zis(ctx, "zis_job_spec_uninstall", http.MethodDelete, "/registry/job_specs/install", jobSpecName(integration, name), nil, nil)
	if Missing(err) {
		return nil
	}
	return err
}

func jobSpecName(integration, name string) url.Values {
	return url.Values{"job_spec_name": {"zis:" + integration + ":job_spec:" + name}}
}
