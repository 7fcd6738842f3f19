package foreign

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/uuid"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/session"
)

// schemathesis makes requests of docs/openapi.yaml, right and wrong ones, and every
// answer of the local stack is one that the document describes.
func TestOpenAPI(t *testing.T) {
	a := newLocal(t)
	guest := a.post("/guest/createticket", "", uuid.NewString(), ticketBody)["guestToken"].(string)
	agent, _, err := session.Agents{Secrets: func(context.Context) ([]string, error) {
		return []string{a.fix.AppSessionSecret}, nil
	}}.Issue(context.Background(), strconv.FormatInt(a.fix.Zendesk.AgentIDs[0], 10))
	must(t, err)
	cmd := exec.Command(python("schemathesis"), "--config-file", "schemathesis.toml", "run", filepath.Join(root, "docs", "openapi.yaml"),
		"--url", a.url, "--seed", "1", "--max-examples", "15", "--phases", "examples,fuzzing", "--suppress-health-check", "all", "--request-timeout", "60", "--no-color",
		// What the API refuses is more than its schemas say (an address that no
		// desk takes), and what it ignores is, too (unknown fields).
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance")
	cmd.Env = append(os.Environ(), "LOGIN="+a.login(), "GUEST="+guest, "AGENT="+agent,
		"DESK_KEY="+a.fix.DeskKeyZendesk, "SALESFORCE_KEY="+a.fix.DeskKeySalesforce,
		"ZIS="+a.fix.Zendesk.EventsBearer, "PYTHONDONTWRITEBYTECODE=1")
	output(t, cmd)
}

// jose takes the tokens that Zendesk's chat and messaging get, as their verifiers
// would.
func TestJose(t *testing.T) {
	a := newLocal(t)
	type check struct {
		Token  string            `json:"token"`
		Secret string            `json:"secret"`
		Kid    string            `json:"kid,omitempty"`
		Claims map[string]string `json:"claims"`
	}
	token := func(path string) string { return a.post(path, a.login(), "", "{}")["token"].(string) }
	input, err := json.Marshal([]check{
		{token("/generate/token"), a.fix.Zendesk.ChatSharedSecret, "", map[string]string{"external_id": "dana", "email": "dana@example.com", "name": "Dana"}},
		{token("/generate/token?for=messaging"), a.fix.Zendesk.MessagingSecret, a.fix.Zendesk.MessagingKeyID, map[string]string{"external_id": "dana", "scope": "user"}},
	})
	must(t, err)
	cmd := exec.Command("node", filepath.Join(root, "tests", "node", "jose.mjs"))
	cmd.Stdin = bytes.NewReader(input)
	output(t, cmd)
}

// newLocal is caseroom on the sandbox alone, as make run has it.
func newLocal(t *testing.T) *amazon {
	template, binaries := loadTemplate(t), functions(t)
	ln, address := listen(t)
	stack, err := template.Resolve(lambdahost.ResolveOptions{Region: region, AccountID: account, Parameters: parameters(address)})
	must(t, err)
	a := &amazon{t: t, front: address + "/aws", bucket: stack.Buckets[0]}
	var queues []sandbox.QueueConfig
	for _, q := range stack.Queues {
		queues = append(queues, sandbox.QueueConfig{Name: q.Name, FIFO: q.FIFO, ContentDedup: q.ContentDedup, GroupDedup: q.GroupDedup, Visibility: q.Visibility})
	}
	a.box = sandbox.New(sandbox.Options{Seed: 1, AnyAWSKey: true, Queues: queues, Buckets: stack.Buckets})
	t.Cleanup(a.box.Close)
	a.fix = a.box.Fixtures()
	serve(t, ln, a.box.Handler())
	a.moto.Queues = map[string]string{}
	for _, q := range stack.Queues {
		a.moto.Queues[q.Name] = a.front + "/" + account + "/" + q.Name
	}
	a.start(template, binaries, address)
	return a
}
