package sandbox_test

import (
	"encoding/base64"
	"testing"
)

// TestZISCredentials is Zendesk's table of which credential may do what.
func TestZISCredentials(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	fix := d.Fixtures().Zendesk
	auth := map[string]string{
		"oauth":   d.zendeskToken("read write"),
		"token":   "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(fix.Email+"/token:"+fix.APIToken)),
		"session": "Cookie: _zendesk_session=" + fix.AdminSession,
	}
	const zis = "/zendesk/api/services/zis"
	bundle := `{"name":"b","description":"","zis_template_version":"2019-10-14","resources":{
		"f":{"type":"ZIS::Flow","properties":{"name":"f","definition":{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}}},
		"j":{"type":"ZIS::JobSpec","properties":{"name":"j","event_source":"support","event_type":"ticket.TicketCreated","flow_name":"zis:i:flow:f"}}}}`
	connection := `{"name":"c","token":"t","allowed_domain":"x.example"}`
	for _, c := range []struct {
		method, path, body string
		by                 string
		want               int
	}{
		{"POST", "/registry/i", `{"description":"d"}`, "oauth", 200},
		{"POST", "/registry/i", `{"description":"d"}`, "token", 409},
		{"POST", "/registry/slack_integration", `{"description":"d"}`, "session", 400},
		{"POST", "/registry/Not%20A%20Name", `{"description":"d"}`, "session", 400},
		{"POST", "/registry/i/bundles", bundle, "oauth", 401},
		{"POST", "/registry/i/bundles", bundle, "token", 200},
		{"POST", "/registry/i/bundles", bundle, "session", 200},
		{"POST", "/registry/i/bundles", `{"name":"b"}`, "session", 400},
		{"POST", "/registry/none/bundles", bundle, "session", 404},
		{"GET", "/registry/i/job_specs", "", "oauth", 200},
		{"POST", "/registry/job_specs/install?job_spec_name=zis:i:job_spec:j", "", "oauth", 200},
		{"POST", "/registry/job_specs/install?job_spec_name=zis:i:job_spec:none", "", "oauth", 404},
		{"POST", "/registry/job_specs/install?job_spec_name=j", "", "oauth", 400},
		{"POST", "/integrations/i/connections/bearer_token", connection, "oauth", 401},
		{"POST", "/integrations/i/connections/bearer_token", connection, "token", 403},
		{"POST", "/integrations/i/connections/bearer_token", connection, "session", 201},
		{"POST", "/integrations/i/connections/bearer_token", connection, "session", 409},
		{"PATCH", "/integrations/i/connections/bearer_token/c", `{"token":"u"}`, "session", 200},
		{"PATCH", "/integrations/i/connections/bearer_token/none", `{"token":"u"}`, "session", 404},
		{"GET", "/integrations/i/connections/all", "", "oauth", 401},
		{"GET", "/integrations/i/connections/all", "", "session", 200},
		{"DELETE", "/integrations/i/connections/bearer_token/c", "", "session", 204},
		{"DELETE", "/registry/job_specs/install?job_spec_name=zis:i:job_spec:j", "", "token", 204},
	} {
		if got := d.send(c.method, zis+c.path, c.body, auth[c.by]); got.status != c.want {
			t.Errorf("%s %s by %s: %d, want %d: %s", c.method, c.path, c.by, got.status, c.want, got.raw)
		}
	}
	if err := d.Zendesk().SetRole(fix.OwnUserID, "agent"); err != nil {
		t.Fatal(err)
	}
	for by, h := range auth {
		if got := d.send("GET", zis+"/registry/integrations", "", h); got.status != 403 {
			t.Errorf("an agent by %s: %d", by, got.status)
		}
	}
}
