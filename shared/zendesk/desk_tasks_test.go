package zendesk_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func taskDesk(t *testing.T) (*sandbox.Sandbox, zendesk.TaskDesk, string) {
	t.Helper()
	box := sandbox.New(sandbox.Options{Seed: 1})
	server := httptest.NewServer(box.Handler())
	t.Cleanup(server.Close)
	f := box.Fixtures().Zendesk
	c, err := zendesk.New(zendesk.Options{BaseURL: server.URL + "/zendesk", Credentials: func(context.Context) (zendesk.Credentials, error) {
		return zendesk.Credentials{ClientID: f.ClientID, ClientSecret: f.ClientSecret}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return box, zendesk.TaskDesk{Client: c}, server.URL
}

func TestTasks(t *testing.T) {
	box, desk, url := taskDesk(t)
	z, agents := box.Zendesk(), box.Fixtures().Zendesk.AgentIDs
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	due := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	id, err := z.Create("Call", "x", agents[0])
	ok(err)
	ok(z.SetType(id, "task", due))
	for _, a := range []int64{agents[0], agents[1], 0, agents[0]} {
		ok(z.Assign(id, a))
	}
	ok(z.SetTimeZone(agents[0], "Europe/Berlin"))
	key := strconv.FormatInt(id, 10)
	tasks, err := desk.Tasks(t.Context(), key, "999", "x", "99999999999999999999")
	ok(err)
	a := strconv.FormatInt(agents[0], 10)
	got := tasks[key]
	if len(tasks) != 1 || got.Owner() != a || !got.Due.Equal(due) || got.Subject != "Call" || got.URL != url+"/zendesk/agent/tickets/"+key || got.Updated.IsZero() || got.Created.IsZero() {
		t.Errorf("%+v", tasks)
	}
	people, err := desk.Assignees(t.Context(), key)
	ok(err)
	slices.Sort(people)
	if !slices.Equal(people, []string{a, strconv.FormatInt(agents[1], 10)}) {
		t.Errorf("assignees %v", people)
	}
	zones, err := desk.Zones(t.Context(), a, "77")
	ok(err)
	if len(zones) != 1 || zones[a] != "Europe/Berlin" {
		t.Errorf("zones %v", zones)
	}
	if gone, err := desk.Gone(t.Context(), key); gone || err != nil {
		t.Error(gone, err)
	}
	ok(z.Delete(id))
	for _, id := range []string{key, "999", "x"} {
		if gone, err := desk.Gone(t.Context(), id); !gone || err != nil {
			t.Error(id, gone, err)
		}
	}
}

// A history of more than a page still shows everybody.
func TestAssigneesPageByPage(t *testing.T) {
	box, desk, _ := taskDesk(t)
	z := box.Zendesk()
	id, err := z.Create("Call", "x", box.Fixtures().Zendesk.AgentIDs[0])
	if err != nil {
		t.Fatal(err)
	}
	first := z.AddAgent("First", "first@caseroom.example")
	last := z.AddAgent("Last", "last@caseroom.example")
	for i := range 250 {
		who := first
		if i > 0 {
			who = box.Fixtures().Zendesk.AgentIDs[i%2]
		}
		if i == 249 {
			who = last
		}
		if err := z.Assign(id, who); err != nil {
			t.Fatal(err)
		}
	}
	people, err := desk.Assignees(t.Context(), strconv.FormatInt(id, 10))
	if err != nil || len(people) != 4 || !slices.Contains(people, strconv.FormatInt(first, 10)) || !slices.Contains(people, strconv.FormatInt(last, 10)) {
		t.Errorf("%v %v", people, err)
	}
}

func TestDecodeTaskEvent(t *testing.T) {
	event := func(kind, detail, event string) string {
		return `{"type":"zen:event-type:` + kind + `","subject":"zen:ticket:5","detail":` + detail + `,"event":` + event + `}`
	}
	for name, tt := range map[string]struct {
		body   string
		ticket string // "" for none
		had    string
		bad    bool
	}{
		"a task":             {event("ticket.status_changed", `{"id":"5","type":"TASK"}`, `{}`), "5", "", false},
		"in lower case":      {event("ticket.status_changed", `{"id":5,"type":"task"}`, `{}`), "5", "", false},
		"a question":         {event("ticket.status_changed", `{"id":"5","type":"QUESTION"}`, `{}`), "", "", false},
		"of no type":         {event("ticket.status_changed", `{"id":"5","type":null}`, `{}`), "", "", false},
		"type not said":      {event("ticket.status_changed", `{"id":"5"}`, `{}`), "", "", false},
		"a task no more":     {event("ticket.type_changed", `{"id":"5","type":null}`, `{"previous":"TASK","current":null}`), "5", "", false},
		"handed over":        {event("ticket.agent_assignment_changed", `{"id":"5","type":"TASK"}`, `{"previous":"7","current":"8"}`), "5", "7", false},
		"handed to somebody": {event("ticket.agent_assignment_changed", `{"id":"5","type":"TASK"}`, `{"previous":null,"current":"8"}`), "5", "", false},
		"nonsense before":    {event("ticket.agent_assignment_changed", `{"id":"5","type":"TASK"}`, `{"previous":"7,8","current":"8"}`), "5", "", false},
		"deleted":            {event("ticket.soft_deleted", `{"id":"5","type":"TASK","status":"DELETED"}`, `{}`), "5", "", false},
		"id in the subject":  {event("ticket.soft_deleted", `{"type":"TASK"}`, `null`), "5", "", false},
		"of a user":          {event("user.created", `{"id":"5","type":"TASK"}`, `{}`), "", "", false},
		"a trigger's":        {`{"ticketId":"5"}`, "5", "", false},
		"a trigger's bad id": {`{"ticketId":"x"}`, "", "", true},
		"no object":          {`[]`, "", "", true},
		"not JSON":           {`{`, "", "", true},
	} {
		hint, ok, err := zendesk.DecodeTaskEvent([]byte(tt.body))
		want := calendar.Hint{Task: tt.ticket}
		if tt.had != "" {
			want.Had = []string{tt.had}
		}
		if ok != (tt.ticket != "") || (err != nil) != tt.bad || (ok && !cmp.Equal(hint, want)) {
			t.Errorf("%s: %+v %v %v", name, hint, ok, err)
		}
	}
}

func FuzzDecodeTaskEvent(f *testing.F) {
	f.Add([]byte(`{"type":"zen:event-type:ticket.agent_assignment_changed","subject":"zen:ticket:5","detail":{"id":"5","type":"TASK"},"event":{"previous":"7"}}`))
	f.Add([]byte(`{"ticketId":5}`))
	f.Add([]byte(`{"detail":{"id":{"id":1}},"type":"zen:event-type:ticket.x","event":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		hint, ok, err := zendesk.DecodeTaskEvent(body)
		if !ok {
			return
		}
		sent, encErr := hint.Encode()
		if again, decErr := calendar.DecodeHint(sent); err != nil || encErr != nil || decErr != nil || hint.Task == "" || !cmp.Equal(again, hint) {
			t.Errorf("%+v %v, on the queue %s %v %v", hint, err, sent, encErr, decErr)
		}
	})
}
