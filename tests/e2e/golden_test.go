package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/identity"
)

// golden is what Salesforce's Apex tests play caseroom from: a static resource
// of the package. The same bytes go through the shipped functions here, so that
// neither side can drift. CASEROOM_GOLDEN=write writes what is answered today.
const golden = "../../clients/salesforce/force-app/tests/staticresources/Caseroom_Golden.json"

type exchange struct {
	Name    string            `json:"name"`
	Path    string            `json:"path"`
	Request string            `json:"request"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Answer  string            `json:"answer"`
}

// volatile are the values that differ from call to call; in the file they are
// made up.
var volatile = regexp.MustCompile(`"(requestId|userSig|expiresAt)":"[^"]*"`)

var madeUp = map[string]string{
	"requestId": "JKJaXmPLvHcESHA=", "expiresAt": "2026-11-23T08:00:00Z",
	"userSig": "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwoYGBiZGMAUKSEGJklWtACdeDKo_",
}

func settled(answer string) string {
	return volatile.ReplaceAllStringFunc(answer, func(pair string) string {
		name := volatile.FindStringSubmatch(pair)[1]
		return fmt.Sprintf(`%q:%q`, name, madeUp[name])
	})
}

func TestSalesforceGolden(t *testing.T) {
	t.Parallel()
	seeded := func(set *settings) { set.sandbox.Seed = 7 }
	s := newStack(t, seeded)
	key := s.fix.DeskKeySalesforce
	room := s.createTicket("/salesforce/createticket", s.customer("ada")).text("GroupId")
	agent := s.fix.Salesforce.AgentIDs[0]
	full := make([]string, 200)
	for i := range full {
		id, err := identity.SalesforceID(fmt.Sprintf("500Hs0000000%03d", i), "500")
		s.must(err)
		full[i] = id
	}
	other, err := identity.SalesforceID("500Hs00001VmO9i", "500")
	s.must(err)

	member := fmt.Sprintf(`{"groupId":%q,"userId":%q}`, room, agent)
	busy := sandbox.Fault{Vendor: "aws", Op: "SendMessageBatch", Kind: sandbox.FaultStatus, Status: 503}
	slow := newStack(t, seeded, parameter("ThrottleRate", "1"), parameter("ThrottleBurst", "1"))
	got := []exchange{}
	for _, x := range []struct {
		name, path, body string
		as               string
		on               *stack
		faults           []sandbox.Fault
		crowd            int // sent so many times at once; the first refused counts
	}{
		{name: "events", path: "/salesforce/events", body: object("cases", []string{room, other}), as: key},
		{name: "events_full", path: "/salesforce/events", body: object("cases", full), as: key},
		{name: "join", path: "/salesforce/joingroup", body: member, as: key},
		{name: "leave", path: "/salesforce/leavegroup", body: member, as: key},
		{name: "usersig", path: "/salesforce/usersig", body: object("userId", agent), as: key},
		{name: "unauthorized", path: "/salesforce/events", body: object("cases", []string{room}), as: "an older key of Salesforce's"},
		{name: "invalid", path: "/salesforce/events", body: object("cases", []string{agent}), as: key},
		{name: "unavailable", path: "/salesforce/events", body: object("cases", []string{room}), as: key, faults: []sandbox.Fault{busy}},
		{name: "throttled", path: "/salesforce/events", body: object("cases", []string{room}), as: key, on: slow, crowd: 20},
		{name: "delete", path: "/salesforce/deletegroup", body: object("groupId", room), as: key},
	} {
		on := s
		if x.on != nil {
			on = x.on
		}
		for _, f := range x.faults {
			on.must(on.box.AddFault(f))
		}
		a := on.do(request{path: x.path, as: x.as, body: x.body})
		answers := make(chan answer, x.crowd)
		for range x.crowd {
			go func() {
				other, err := on.send(request{path: x.path, as: x.as, body: x.body})
				if err != nil {
					t.Error(err)
				}
				answers <- other
			}()
		}
		for range x.crowd {
			if other := <-answers; a.status == http.StatusOK {
				a = other
			}
		}
		on.box.ClearFaults()
		headers := map[string]string{}
		for _, name := range []string{"Content-Type", "Retry-After"} {
			if v := a.header.Get(name); v != "" {
				headers[name] = v
			}
		}
		// As Salesforce sees it, the IAM twin answers the same bytes.
		if a.status == 200 && x.name != "delete" {
			twin := on.do(request{path: "/iam" + x.path, body: x.body}.signedBy(principal))
			if x.name != "join" && x.name != "leave" && settled(string(twin.body)) != settled(string(a.body)) {
				t.Errorf("%s: by IAM %s", x.name, twin)
			}
		}
		got = append(got, exchange{x.name, x.path, x.body, a.status, headers, settled(strings.TrimSpace(string(a.body)))})
	}

	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	s.must(enc.Encode(got))
	if os.Getenv("CASEROOM_GOLDEN") == "write" {
		s.must(os.MkdirAll(filepath.Dir(golden), 0o755))
		s.must(os.WriteFile(golden, buf.Bytes(), 0o644))
	}
	file, err := os.ReadFile(golden)
	s.must(err)
	if diff := cmp.Diff(string(file), buf.String()); diff != "" {
		t.Errorf("what Salesforce's tests believe and what caseroom answers (-%s +functions):\n%s", golden, diff)
	}
}
