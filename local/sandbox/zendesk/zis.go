package zendesk

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	"github.com/caseroom/caseroom/clients/zendesk/zis"
)

// integration is an integration of Zendesk Integration Services. Its name,
// once registered, stays for ever.
type integration struct {
	name, description string
	bundle            *bundle
	specs             map[string]*jobSpec // of this bundle and of those before it
	connections       map[string]*connection
}

type bundle struct {
	uuid    string
	created time.Time
	name    string
	own     string // the address of the account that it was uploaded to
	actions map[string]flowAction
	flows   map[string]flow
}

// jobSpec is a job spec. A spec that is installed runs its flow as the bundle
// had it then, whatever became of the bundle.
type jobSpec struct {
	uuid, name, source, event, flow string
	bundle                          *bundle
	installed                       bool
}

type connection struct {
	name, kind, domain string
	header             func(h http.Header)
	created            time.Time
}

// IntegrationState is an integration of the stand-in's account. It holds no
// credential.
type IntegrationState struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Bundle      string         `json:"bundle,omitempty"`
	JobSpecs    []JobSpecState `json:"job_specs"`
	Connections []string       `json:"connections"`
}

// JobSpecState is a job spec of an integration.
type JobSpecState struct {
	Name      string `json:"name"`
	EventType string `json:"event_type"`
	Flow      string `json:"flow_name"`
	Installed bool   `json:"installed"`
	// Orphaned is true when a later upload left the spec running its old flow,
	// or not running at all.
	Orphaned bool `json:"orphaned,omitempty"`
}

func (z *account) integrationStates() []IntegrationState {
	list := []IntegrationState{}
	for _, name := range slices.Sorted(maps.Keys(z.zis)) {
		i := z.zis[name]
		st := IntegrationState{
			Name: name, Description: i.description, JobSpecs: []JobSpecState{}, Connections: slices.AppendSeq([]string{}, maps.Keys(i.connections)),
		}
		slices.Sort(st.Connections)
		if i.bundle != nil {
			st.Bundle = i.bundle.name
		}
		for _, spec := range slices.Sorted(maps.Keys(i.specs)) {
			s := i.specs[spec]
			st.JobSpecs = append(st.JobSpecs, JobSpecState{s.name, s.event, s.flow, s.installed, s.bundle != i.bundle})
		}
		list = append(list, st)
	}
	return list
}

// takenNames are names that other accounts have registered: such names are one
// for all of Zendesk, and these are the ones in Zendesk's own tutorials.
var takenNames = []string{"my_integration", "slack_integration"}

// integrationAccess says who may do what. An OAuth token may manage the registry but
// not upload; it reaches connections only if it is bound to the integration's
// own client, which nobody can get any more. Only a session may do everything,
// but delete a bundle.
func integrationAccess(c caller, what, integration string) (status int, code, message string) {
	switch {
	case what == "upload" && c.by == byOAuth:
		return http.StatusUnauthorized, "Unauthorized", "OAuth authentication is disabled for this request"
	case what == "connections" && c.by == byOAuth && c.client != "zis_"+integration:
		return http.StatusUnauthorized, "Unauthorized", "integration mismatch"
	case what == "connections" && c.by == byAPIToken:
		return http.StatusForbidden, "Forbidden", "Forbidden"
	case what == "bundle" && c.by == bySession:
		return http.StatusForbidden, "Forbidden", "Forbidden"
	}
	return 0, "", ""
}

func failIntegration(w http.ResponseWriter, status int, code, detail string) {
	failListed(w, status, code, detail)
}

func (z *account) registerZIS() {
	route := func(method, path, op, what string, h func(http.ResponseWriter, *http.Request, *integration)) {
		access := "write"
		if method == http.MethodGet {
			access = "read"
		}
		z.handle(method, "/api/services/zis"+path, op, z.auth(access, z.admin(func(w http.ResponseWriter, r *http.Request, c caller) {
			name := r.PathValue("i")
			if status, code, message := integrationAccess(c, what, name); status != 0 {
				failIntegration(w, status, code, message)
				return
			}
			i := z.zis[name]
			if i == nil && name != "" && op != "zis_register" {
				failIntegration(w, http.StatusNotFound, "NotFound", "integration not found")
				return
			}
			h(w, r, i)
		})))
	}
	route("GET", "/registry/integrations", "zis_integrations", "registry", z.listIntegrations)
	route("POST", "/registry/{i}", "zis_register", "registry", z.registerIntegration)
	route("POST", "/registry/{i}/bundles", "zis_bundle_upload", "upload", z.uploadBundle)
	route("GET", "/registry/{i}/bundles", "zis_bundles", "registry", z.listBundles)
	route("DELETE", "/registry/{i}/bundles/{uuid}", "zis_bundle_delete", "bundle", z.deleteBundle)
	route("GET", "/registry/{i}/job_specs", "zis_job_specs", "registry", z.listJobSpecs)
	route("POST", "/registry/job_specs/install", "zis_job_spec_install", "registry", z.installJobSpec)
	route("DELETE", "/registry/job_specs/install", "zis_job_spec_uninstall", "registry", z.installJobSpec)
	route("GET", "/integrations/{i}/connections/all", "zis_connections", "connections", z.listConnections)
	route("POST", "/integrations/{i}/connections/{kind}", "zis_connection_create", "connections", z.createConnection)
	route("PATCH", "/integrations/{i}/connections/{kind}/{name}", "zis_connection_update", "connections", z.updateConnection)
	route("DELETE", "/integrations/{i}/connections/{kind}/{name}", "zis_connection_delete", "connections", z.deleteConnection)
}

func (z *account) listIntegrations(w http.ResponseWriter, _ *http.Request, _ *integration) {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(z.zis)) {
		list = append(list, map[string]any{"name": name, "description": z.zis[name].description})
	}
	write(w, http.StatusOK, map[string]any{"integrations": list, "meta": map[string]any{"has_more": false}})
}

var (
	integrationName = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	resourceARN     = regexp.MustCompile(`^zis:([a-z0-9_-]+):(action|flow|job_spec):([A-Za-z0-9_-]+)$`)
)

func (z *account) registerIntegration(w http.ResponseWriter, r *http.Request, i *integration) {
	name := r.PathValue("i")
	body, _, err := readBody(w, r)
	if err != nil {
		return
	}
	switch {
	case i != nil:
		failIntegration(w, http.StatusConflict, "Conflict", "integration already exists")
		return
	case !integrationName.MatchString(name):
		failIntegration(w, http.StatusBadRequest, "BadRequest", "the name must have 1 to 64 of a-z, 0-9, - and _")
		return
	case slices.Contains(takenNames, name):
		failIntegration(w, http.StatusBadRequest, "BadRequest", "integration "+name+" is not available for upsert by this account")
		return
	}
	z.zis[name] = &integration{
		name: name, description: body.str("description"), specs: map[string]*jobSpec{}, connections: map[string]*connection{},
	}
	z.nextID++
	write(w, http.StatusOK, map[string]any{
		"description": body.str("description"), "jwt_public_key": "",
		"zendesk_oauth_client": map[string]any{"id": z.nextID, "identifier": "zis_" + name, "secret": z.ID(32)},
	})
}

// resource is a bundle's resource as ZIS reads it.
type resource struct {
	Type       string `json:"type"`
	Properties struct {
		Name        string          `json:"name"`
		Definition  json.RawMessage `json:"definition"`
		EventSource string          `json:"event_source"`
		EventType   string          `json:"event_type"`
		FlowName    string          `json:"flow_name"`
	} `json:"properties"`
}

// uploadBundle registers a bundle in place of the one before. Job specs that are
// installed are orphaned by that: those that the new bundle has too stop, the
// others go on with what they were installed with.
func (z *account) uploadBundle(w http.ResponseWriter, r *http.Request, i *integration) {
	var in struct {
		Name        string              `json:"name"`
		Description string              `json:"description"`
		Version     string              `json:"zis_template_version"`
		Resources   map[string]resource `json:"resources"`
	}
	refuse := func(format string, args ...any) {
		failIntegration(w, http.StatusBadRequest, "InvalidBundle", fmt.Sprintf(format, args...))
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, engine.MaxRequest))
	if err != nil {
		refuse("the bundle is too large")
		return
	}
	// What the command's check refuses is refused here: one that passes there is
	// run here.
	for _, p := range zis.Validate(text) {
		if !p.Warning {
			refuse("%s: %s", p.At, p.What)
			return
		}
	}
	if json.Unmarshal(text, &in) != nil {
		refuse("the bundle is not a JSON object of the right types")
		return
	}
	own, _, _ := strings.Cut(r.RequestURI, "/api/services/zis/")
	b := &bundle{
		uuid: z.UUID(), created: z.Now(), name: in.Name, own: "http://" + r.Host + own,
		actions: map[string]flowAction{}, flows: map[string]flow{},
	}
	var specs []*jobSpec
	for _, key := range slices.Sorted(maps.Keys(in.Resources)) {
		res := in.Resources[key]
		p := res.Properties
		switch res.Type {
		case "ZIS::Action::Http":
			var a flowAction
			if json.Unmarshal(p.Definition, &a) != nil {
				refuse("%s: the action's definition", key)
				return
			}
			b.actions[p.Name] = a
		case "ZIS::Flow":
			var f flow
			if json.Unmarshal(p.Definition, &f) != nil {
				refuse("%s: the flow's definition", key)
				return
			}
			b.flows[p.Name] = f
		case "ZIS::JobSpec":
			specs = append(specs, &jobSpec{uuid: z.UUID(), name: p.Name, source: p.EventSource, event: p.EventType, flow: p.FlowName, bundle: b})
		}
	}
	for _, f := range b.flows {
		for state, action := range f.actions() {
			switch m := resourceARN.FindStringSubmatch(action); {
			case strings.HasPrefix(action, "zis:common:"):
				failIntegration(w, http.StatusNotImplemented, "NotImplemented", "state "+state+": Zendesk runs "+action+", this stand-in does not")
				return
			case m[1] != i.name:
				refuse("state %s: the action is of the integration %s", state, m[1])
				return
			}
		}
	}
	for _, s := range specs {
		if m := resourceARN.FindStringSubmatch(s.flow); m[1] != i.name {
			refuse("job spec %s: the flow is of the integration %s", s.name, m[1])
			return
		}
	}
	i.bundle = b
	for name, old := range i.specs {
		if !old.installed {
			delete(i.specs, name)
		}
	}
	for _, s := range specs {
		i.specs[s.name] = s
	}
	w.WriteHeader(http.StatusOK)
}

func (z *account) listBundles(w http.ResponseWriter, _ *http.Request, i *integration) {
	list := []any{}
	if b := i.bundle; b != nil {
		list = append(list, map[string]any{"uuid": b.uuid, "created_at": timeText(b.created)})
	}
	write(w, http.StatusOK, map[string]any{"bundles": list, "meta": map[string]any{"has_more": false}})
}

// deleteBundle removes the bundle and the specs that nobody installed.
func (z *account) deleteBundle(w http.ResponseWriter, r *http.Request, i *integration) {
	if i.bundle == nil || i.bundle.uuid != r.PathValue("uuid") {
		failIntegration(w, http.StatusNotFound, "NotFound", "bundle not found")
		return
	}
	i.bundle = nil
	for name, s := range i.specs {
		if !s.installed {
			delete(i.specs, name)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (z *account) listJobSpecs(w http.ResponseWriter, _ *http.Request, i *integration) {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(i.specs)) {
		s := i.specs[name]
		list = append(list, map[string]any{
			"uuid": s.uuid, "name": s.name, "event_source": s.source, "event_type": s.event, "flow_name": s.flow, "installed": s.installed,
		})
	}
	write(w, http.StatusOK, map[string]any{"job_specs": list, "meta": map[string]any{"has_more": false}})
}

// installJobSpec is POST and DELETE of job_specs/install?job_spec_name=….
func (z *account) installJobSpec(w http.ResponseWriter, r *http.Request, _ *integration) {
	m := resourceARN.FindStringSubmatch(r.URL.Query().Get("job_spec_name"))
	if m == nil || m[2] != "job_spec" {
		failIntegration(w, http.StatusBadRequest, "BadRequest", "job_spec_name must be like zis:integration:job_spec:name")
		return
	}
	i := z.zis[m[1]]
	if i == nil || i.specs[m[3]] == nil {
		failIntegration(w, http.StatusNotFound, "NotFound", "job spec not found")
		return
	}
	s := i.specs[m[3]]
	if s.installed = r.Method == http.MethodPost; s.installed {
		w.WriteHeader(http.StatusOK)
		return
	}
	if s.bundle != i.bundle {
		delete(i.specs, s.name)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (z *account) listConnections(w http.ResponseWriter, _ *http.Request, i *integration) {
	out := map[string]any{"meta": map[string]any{"has_more": false}}
	for _, kind := range []string{"api_key", "basic_auth", "bearer_token", "oauth"} {
		list := []any{}
		for _, name := range slices.Sorted(maps.Keys(i.connections)) {
			if c := i.connections[name]; c.kind == kind {
				list = append(list, map[string]any{"name": name, "allowed_domain": c.domain, "created_at": timeText(c.created)})
			}
		}
		out[kind] = list
	}
	write(w, http.StatusOK, out)
}

// createConnection makes a connection with a fixed credential.
//
// See https://developer.zendesk.com/api-reference/integration-services/connections/bearer_token_connections/.
func (z *account) createConnection(w http.ResponseWriter, r *http.Request, i *integration) {
	o, _, err := readBody(w, r)
	if err != nil {
		return
	}
	c := &connection{name: o.str("name"), kind: r.PathValue("kind"), domain: o.str("allowed_domain"), created: z.Now()}
	missing := c.name == "" || c.domain == ""
	switch c.kind {
	case "bearer_token":
		token := o.str("token")
		missing = missing || token == ""
		c.header = func(h http.Header) { h.Set("Authorization", "Bearer "+token) }
	case "api_key":
		header, key := o.str("header_name"), o.str("api_key")
		missing = missing || header == "" || key == ""
		c.header = func(h http.Header) { h.Set(header, key) }
	default:
		failIntegration(w, http.StatusNotFound, "NotFound", "unknown kind of connection")
		return
	}
	switch {
	case missing:
		failIntegration(w, http.StatusBadRequest, "BadRequest", "name, allowed_domain and the credential are required")
	case i.connections[c.name] != nil:
		failIntegration(w, http.StatusConflict, "Conflict", "a connection of that name exists")
	default:
		i.connections[c.name] = c
		write(w, http.StatusCreated, map[string]any{"name": c.name, "allowed_domain": c.domain, "created_at": timeText(c.created)})
	}
}

// updateConnection gives a connection with a bearer token another one, or another
// host.
func (z *account) updateConnection(w http.ResponseWriter, r *http.Request, i *integration) {
	c := i.connections[r.PathValue("name")]
	if c == nil || c.kind != r.PathValue("kind") || c.kind != "bearer_token" {
		failIntegration(w, http.StatusNotFound, "NotFound", "connection not found")
		return
	}
	o, _, err := readBody(w, r)
	if err != nil {
		return
	}
	if token := o.str("token"); token != "" {
		c.header = func(h http.Header) { h.Set("Authorization", "Bearer "+token) }
	}
	if domain := o.str("allowed_domain"); domain != "" {
		c.domain = domain
	}
	write(w, http.StatusOK, map[string]any{"name": c.name, "allowed_domain": c.domain, "created_at": timeText(c.created)})
}

func (z *account) deleteConnection(w http.ResponseWriter, r *http.Request, i *integration) {
	c := i.connections[r.PathValue("name")]
	if c == nil || c.kind != r.PathValue("kind") {
		failIntegration(w, http.StatusNotFound, "NotFound", "connection not found")
		return
	}
	delete(i.connections, c.name)
	w.WriteHeader(http.StatusNoContent)
}

// allows reports whether the connection's credential may go to a URL.
func (c *connection) allows(target *url.URL) bool {
	return c.domain == target.Hostname() || c.domain == target.Host
}
