// Package zis makes caseroom's bundle for Zendesk Integration Services and
// checks any bundle without an account.
//
// See https://developer.zendesk.com/documentation/integration-services/developer-guide/anatomy-of-zis-bundles/.
package zis

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// TemplateVersion is the only one there is.
const TemplateVersion = "2019-10-14"

// Connection is the name of the connection whose bearer token proves the flow's
// requests.
const Connection = "caseroom"

// Events are the ticket events that start our flow, by the names of their job
// specs. ZIS has none for deletions and merges.
var Events = []struct{ JobSpec, Type string }{
	{"ticket_created", "ticket.TicketCreated"},
	{"agent_assignment_changed", "ticket.AgentAssignmentChanged"},
	{"group_assignment_changed", "ticket.GroupAssignmentChanged"},
	{"status_changed", "ticket.StatusChanged"},
	{"external_id_changed", "ticket.ExternalIdChanged"},
}

var integrationPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// ValidName reports whether s can be an integration's name.
func ValidName(s string) bool { return integrationPattern.MatchString(s) }

// Name proposes an integration's name for a stack and an account. Names are one
// for all of Zendesk, so it holds the account's subdomain and a hash of both.
func Name(accountHost, endpoint string) string {
	account, _, _ := strings.Cut(accountHost, ".")
	account = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, account)
	sum := sha256.Sum256([]byte(accountHost + "\n" + endpoint))
	return fmt.Sprintf("caseroom_%.40s_%s", account, hex.EncodeToString(sum[:4]))
}

// Bundle is what is uploaded.
type Bundle struct {
	Integration string
	Endpoint    string // <API>/zendesk/events
	JSON        json.RawMessage
	// Flow is the ARN of the flow that the job specs start. It holds a hash of
	// the bundle, so that the registry tells which bundle it has.
	Flow string
}

// The pauses before the request is made again. A flow has no loop that counts,
// so each try is a state of its own.
var pauses = []int{5, 15, 30}

// New makes caseroom's bundle: one flow that posts {"ticketId":"…"} to
// endpoint, with the connection's bearer token, and repeats it three times.
func New(integration, endpoint string) (*Bundle, error) {
	if !ValidName(integration) {
		return nil, errors.New("an integration's name has 1 to 64 of a-z, 0-9, - and _")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("the endpoint is not a URL")
	}
	arn := func(kind, name string) string { return "zis:" + integration + ":" + kind + ":" + name }
	action := object{"type": "ZIS::Action::Http", "properties": object{
		"name": "tell_caseroom",
		"definition": object{
			"method": "POST", "url": endpoint, "connectionName": Connection,
			"headers":     []object{{"key": "Content-Type", "value": "application/json"}},
			"requestBody": object{"ticketId": "{{$.ticketId}}"},
		},
	}}
	states := object{"Told": object{"Type": "Succeed"}, "GaveUp": object{
		"Type": "Fail", "Error": "NotTold", "Cause": "caseroom did not take the ticket; its reconcile finds it within minutes",
	}}
	for i := 0; i <= len(pauses); i++ {
		next := "GaveUp"
		if i < len(pauses) {
			next = fmt.Sprintf("Wait%d", i+1)
			states[next] = object{"Type": "Wait", "Seconds": pauses[i], "Next": fmt.Sprintf("Tell%d", i+2)}
		}
		states[fmt.Sprintf("Tell%d", i+1)] = object{
			"Type": "Action", "ActionName": arn("action", "tell_caseroom"),
			"Parameters": object{"ticketId.$": "$.input.ticket_event.ticket.id"},
			"ResultPath": "$.answer", "Next": "Told",
			"Catch": []object{{"ErrorEquals": []string{"States.ALL"}, "ResultPath": "$.error", "Next": next}},
		}
	}
	definition := object{"StartAt": "Tell1", "States": states}
	sum := sha256.Sum256(append(encode(action), encode(definition)...))
	flow := "tell_" + hex.EncodeToString(sum[:4])

	resources := object{
		"tell_caseroom_action": action,
		"tell_caseroom_flow":   object{"type": "ZIS::Flow", "properties": object{"name": flow, "definition": definition}},
	}
	for _, e := range Events {
		resources[e.JobSpec+"_job_spec"] = object{"type": "ZIS::JobSpec", "properties": object{
			"name": e.JobSpec, "event_source": "support", "event_type": e.Type, "flow_name": arn("flow", flow),
		}}
	}
	text := encode(object{
		"name": "caseroom", "description": "Tells caseroom which tickets changed",
		"zis_template_version": TemplateVersion, "resources": resources,
	})
	return &Bundle{Integration: integration, Endpoint: endpoint, JSON: text, Flow: arn("flow", flow)}, nil
}

type object = map[string]any

// encode renders with keys in order: the same bundle is always the same bytes.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(err) // maps of strings and numbers always encode
	}
	return b.Bytes()
}
