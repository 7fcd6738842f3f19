package foreign

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/caseroom/caseroom/local/sandbox"
)

// The vendors' clients of other people take the sandbox for the vendors.
func TestClients(t *testing.T) {
	ln, address := listen(t)
	box := sandbox.New(sandbox.Options{Seed: 1})
	t.Cleanup(box.Close)
	serve(t, ln, box.Handler())
	fix := box.Fixtures()
	accounts, err := json.Marshal(map[string]any{
		"zendesk":    map[string]string{"email": fix.Zendesk.Email, "token": fix.Zendesk.APIToken},
		"salesforce": map[string]string{"clientId": fix.Salesforce.ClientID, "clientSecret": fix.Salesforce.ClientSecret},
	})
	must(t, err)
	for name, cmd := range map[string]*exec.Cmd{
		"zenpy and simple-salesforce": exec.Command(python("python"), "clients.py"),
		"node-zendesk and jsforce":    exec.Command("node", filepath.Join(root, "tests", "node", "desks.mjs")),
	} {
		t.Run(name, func(t *testing.T) {
			cmd.Args = append(cmd.Args, address+"/zendesk", address+"/salesforce")
			cmd.Stdin = bytes.NewReader(accounts)
			output(t, cmd)
		})
	}
}
