package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestBehindAMappingKey uses the API at a custom domain that it shares: the
// gateway leaves the mapping key in the path, and addresses that the functions
// give away have it too.
func TestBehindAMappingKey(t *testing.T) {
	s := newStack(t, mapped("support/chat"))
	for _, path := range []string{"/createticket", "/zendesk/createticket", "/salesforce/createticket"} {
		s.createTicket(path, s.customer("dana"))
	}
	s.do(request{path: "/iam/salesforce/usersig", body: object("userId", s.fix.Salesforce.AgentIDs[0])}.signedBy("arn:aws:iam::111122223333:user/salesforce")).ok(t)
	if a := s.do(request{path: "/iam/salesforce/usersig", body: object("userId", s.fix.Salesforce.AgentIDs[0])}); a.status != http.StatusForbidden {
		t.Errorf("unsigned: %s", a)
	}

	_, err := s.box.Zendesk().Subscribe(s.url + "/zendesk/events")
	s.must(err)
	before := len(s.hints())
	id := s.box.Zendesk().Tickets()[0].ID
	s.must(s.box.Zendesk().Solve(id))
	s.must(s.box.Flush(t.Context()))
	if len(s.hints()) == before {
		t.Error("no hint of a solved ticket")
	}

	session := s.agentSession(s.zendeskAgent())
	s.do(s.consent(session, "alex@caseroom.example")).ok(t)
	status := s.do(request{method: "GET", path: "/calendar", as: session}).ok(t)
	feed := request{method: "GET", path: s.path(status.text("feedUrl"))}
	s.vault.add("a feed's token", feed.path[strings.IndexByte(feed.path, '=')+1:])
	s.do(feed).ok(t)

	s.url = strings.TrimSuffix(s.url, "/support/chat")
	if a := s.do(request{path: "/createticket", as: s.customer("dana")}); a.status != http.StatusNotFound {
		t.Errorf("without the mapping key: %s", a)
	}
}
