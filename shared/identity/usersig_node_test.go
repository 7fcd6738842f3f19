package identity_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"
)

// nodeChecks returns the folder of the Node checks. Without node or its
// packages the test is skipped, except where it must run.
func nodeChecks(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "tests", "node")
	missing := ""
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node is not installed"
	} else if _, err := os.Stat(filepath.Join(dir, "node_modules", "tls-sig-api-v2")); err != nil {
		missing = "tests/node has no packages: run npm ci there"
	}
	if missing == "" {
		return dir
	}
	if os.Getenv("CI") != "" || os.Getenv("CASEROOM_REQUIRE_NODE") == "1" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// TestUserSigNode compares our UserSigs with Tencent's Node library, both ways.
func TestUserSigNode(t *testing.T) {
	t.Parallel()
	dir := nodeChecks(t)

	type line struct {
		SDKAppID int    `json:"sdkAppId"`
		Key      string `json:"key"`
		UserID   string `json:"userId"`
		Expire   int    `json:"expire"`
		Time     int64  `json:"time,omitempty"`
		Sig      string `json:"sig,omitempty"`
	}
	const otherKey = "another key"
	var lines []line
	for _, id := range []string{"alice", "Alice", "a-b_c"} {
		sig, err := signer(rules).Sign(must(t)(rules.EndUser("iss", id)))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line{SDKAppID: sdkAppID, Key: sampleKey, UserID: sig.UserID, Expire: 86400, Sig: sig.Sig})
	}
	first := lines[0]
	wrongKey, wrongUser := first, first
	wrongKey.Key = otherKey
	wrongUser.UserID = "mallory"
	vector := line{SDKAppID: sdkAppID, Key: sampleKey, UserID: "administrator", Expire: 600, Time: 1700000000}
	lines = append(lines, wrongKey, wrongUser, vector)

	var in bytes.Buffer
	for _, l := range lines {
		if err := json.NewEncoder(&in).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", "usersig.mjs")
	cmd.Dir, cmd.Stdin = dir, &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}

	dec := json.NewDecoder(bytes.NewReader(out))
	for i, l := range lines {
		var answer struct {
			Signed struct {
				Sig    string
				Fields fields
			}
			Given *struct {
				Fields fields
				Valid  bool
			}
		}
		if err := dec.Decode(&answer); err != nil {
			t.Fatalf("line %d: %v", i, err)
		}
		// Node's, read by Go.
		f := decode(t, answer.Signed.Sig)
		if f != answer.Signed.Fields || f.Sig != mac(l.Key, f) {
			t.Errorf("line %d: Node signed %+v", i, f)
		}
		if err := tencentyun.VerifyUserSig(sdkAppID, l.Key, l.UserID, answer.Signed.Sig, time.Unix(f.Time, 0)); err != nil {
			t.Errorf("line %d: Node's UserSig: %v", i, err)
		}
		if l == vector && f.Sig != "KQPDXJSnAow4b1ZCCTpBfADUP9GhZWElIY8vihIKT+0=" {
			t.Errorf("the vector signed by Node: %s", f.Sig)
		}
		// Go's, read by Node.
		if l.Sig == "" {
			continue
		}
		if answer.Given == nil {
			t.Fatalf("line %d: Node did not look at the UserSig", i)
		}
		if want := l.Key == sampleKey && l.UserID != "mallory"; answer.Given.Valid != want {
			t.Errorf("line %d: valid = %t, want %t", i, answer.Given.Valid, want)
		}
		if answer.Given.Fields != decode(t, l.Sig) {
			t.Errorf("line %d: Node read %+v", i, answer.Given.Fields)
		}
	}
}
