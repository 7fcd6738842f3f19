package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/boot/bootcalendar"
	"github.com/caseroom/caseroom/shared/boot/bootcronofy"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/connections"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/relay"
)

// The calendars' rows of the fault tables.

// brief is one way, or two, of each meaning: what else means the same goes the
// same way through shared/upstream, as the rows of the vendors' other clients
// show.
var brief = func() (list []fault) {
	for _, f := range ways {
		if slices.Contains([]string{"timeout", "reset after", "429 Retry-After", "500", "null", "truncated"}, f.name) {
			list = append(list, f)
		}
	}
	return list
}()

// Of a record a refusal shows, unlike of a secret of the stack's own, which is
// told as one that cannot be read.
var recordCodes = []fault{code("AccessDeniedException", refused), code("ThrottlingException", busy), code("InternalServiceError", lost)}

const alexAccount, billieAccount = "alex@caseroom.example", "billie@caseroom.example"

// records are agents' connections past the functions.
func (s *stack) records() connections.Secrets {
	return bootcalendar.Records(s.process(), config.Cronofy{Secret: sandbox.SecretCronofy})
}

// connect is an agent's connection as the callback makes it, past the functions.
func (s *stack) connect(agent int64, account string) {
	s.tb.Helper()
	cals, err := bootcronofy.Calendars(s.process(), config.Cronofy{BaseURL: s.boxURL + "/cronofy", Secret: sandbox.SecretCronofy})
	s.must(err)
	const redirect = "https://api.example/calendar/callback"
	code, err := s.box.Cronofy().Allow(account, redirect, strings.Fields(cronofy.Scope)...)
	s.must(err)
	_, err = cals.Connect(context.Background(), strconv.FormatInt(agent, 10), code, redirect)
	s.must(err)
}

// dueTask is an agent's task that is due in a month.
func (s *stack) dueTask(agent int64) int64 {
	s.tb.Helper()
	z := s.box.Zendesk()
	id, err := z.Create("Call "+canary, "please", agent, "x")
	s.must(err)
	s.must(z.Assign(id, agent))
	s.must(z.SetType(id, "task", time.Now().AddDate(0, 1, 0).UTC().Truncate(time.Second)))
	return id
}

func (s *stack) eventID(ticket int64) string {
	return bootcalendar.Settings(strings.TrimPrefix(s.boxURL, "http://"), config.CalendarEvents{}).EventID(strconv.FormatInt(ticket, 10))
}

// shown puts a ticket's event into a calendar, as it may stand there from before.
func (s *stack) shown(account string, ticket int64) {
	s.tb.Helper()
	at := time.Now().AddDate(0, 1, 0).UTC().Truncate(time.Hour)
	s.must(s.box.Cronofy().PutEvent(account, sandbox.CronofyEvent{ID: s.eventID(ticket), Summary: "#" + strconv.FormatInt(ticket, 10), Start: at, End: at.Add(10 * time.Minute)}))
}

// holds checks that an account's calendars hold exactly these tickets' events,
// each once.
func (s *stack) holds(account string, tickets ...int64) error {
	events, err := s.box.Cronofy().Events(account)
	if err != nil {
		return err
	}
	got, want := []string{}, []string{}
	for _, e := range events {
		got = append(got, e.ID)
	}
	for _, id := range tickets {
		want = append(want, s.eventID(id))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s holds %v, want %v", account, got, want)
	}
	return nil
}

// consents reports whether the application may do anything for an account.
func (s *stack) consents(account string) bool {
	for _, p := range s.box.State().Cronofy.Accounts {
		if p.Email == account {
			return p.Connected
		}
	}
	return false
}

// calendarHints are the messages in the queue of calendars.
func (s *stack) calendarHints() []sandbox.MessageState {
	return s.messages("-calendar.fifo")
}

func (s *stack) queued(group, hint string) error {
	for _, m := range s.calendarHints() {
		var body struct{ Hint string }
		if m.Group == group && json.Unmarshal([]byte(m.Body), &body) == nil && body.Hint == hint {
			return nil
		}
	}
	return fmt.Errorf("the queue does not hold %s %s", group, hint)
}

func calendarRows() []row {
	agentOf := func(s *stack) (id int64, session string) {
		id = s.fix.Zendesk.AgentIDs[0]
		return id, s.agentSession(strconv.FormatInt(id, 10))
	}
	// status asks for the connection. A secret that could not be read is not read
	// again at once.
	status := func(s *stack, session string) (a answer) {
		s.until(func() bool {
			a = s.do(request{method: "GET", path: "/calendar", as: session})
			return a.status != http.StatusServiceUnavailable
		})
		return a.ok(s.tb)
	}
	look := func(warm bool) func(*stack) scene {
		return func(s *stack) scene {
			id, session := agentOf(s)
			s.connect(id, alexAccount)
			if warm {
				status(s, session) // then only what is never kept is read
			}
			return scene{request: request{method: "GET", path: "/calendar", as: session}, settled: func(last answer) error {
				if last.text("state") != "connected" || last.text("account") != alexAccount || last.text("feedUrl") == "" {
					return fmt.Errorf("status %s", last)
				}
				return nil
			}}
		}
	}
	start := func(s *stack) scene {
		_, session := agentOf(s)
		status(s, session)
		return scene{request: request{method: "GET", path: "/calendar/connect", as: session}, settled: func(last answer) error {
			s.vault.add("a start", last.text("url"))
			if !strings.HasPrefix(last.text("url"), s.url+"/calendar/connect?start=") {
				return fmt.Errorf("no address: %s", last)
			}
			return nil
		}}
	}
	// callback comes back from a consent; what an agent does after a failure is to
	// consent again.
	callback := func(connected, cold bool) func(*stack) scene {
		return func(s *stack) scene {
			id, session := agentOf(s)
			before := "none"
			if connected {
				s.connect(id, alexAccount)
				before = "connected"
			}
			sc := scene{page: true, request: s.consent(session, alexAccount), next: func() request { return s.consent(session, alexAccount) }}
			if cold {
				s.restart()
			}
			sc.half = func(first answer) error {
				a := status(s, session)
				switch {
				case a.text("state") != before:
					return fmt.Errorf("the connection is %s, it was %s; %s", a.text("state"), before, first)
				case first.status == http.StatusBadGateway && !connected && s.consents(alexAccount):
					return fmt.Errorf("a consent that was kept nowhere lives")
				}
				return nil
			}
			sc.settled = func(last answer) error {
				a := status(s, session)
				if a.text("state") != "connected" || a.text("account") != alexAccount || a.text("calendar") != "Work" || !s.consents(alexAccount) {
					return fmt.Errorf("the connection is %s after %s", a, last)
				}
				if strings.Contains(string(last.body), "few minutes") {
					return s.queued("agent:"+strconv.FormatInt(id, 10), "")
				}
				return nil
			}
			return sc
		}
	}
	leave := func(s *stack) scene {
		id, session := agentOf(s)
		s.connect(id, alexAccount)
		status(s, session)
		return scene{request: request{method: "GET", path: "/calendar/disconnect", as: session}, settled: func(last answer) error {
			if a := status(s, session); last.text("state") != "leaving" || a.text("state") != "leaving" {
				return fmt.Errorf("%s, then %s", last, a)
			}
			return s.queued("agent:"+strconv.FormatInt(id, 10), "disconnect")
		}}
	}
	renew := func(again bool) func(*stack) scene {
		return func(s *stack) scene {
			id, session := agentOf(s)
			if again {
				s.box.SetSecret(sandbox.SecretCronofy+"/feeds/"+strconv.FormatInt(id, 10), json.RawMessage(`{"v":1,"generation":1}`))
			}
			old := status(s, session).text("feedUrl")
			return scene{request: request{path: "/calendar/feed", as: session}, settled: func(last answer) error {
				if now := status(s, session).text("feedUrl"); now == old || now != last.text("feedUrl") {
					return fmt.Errorf("the address was taken back: %v; it is the one of the answer: %v", now != old, now == last.text("feedUrl"))
				}
				return nil
			}}
		}
	}
	feed := func(warm bool) func(*stack) scene {
		return func(s *stack) scene {
			id := s.dueTask(s.fix.Zendesk.AgentIDs[0])
			r := request{method: "GET", path: s.feedPath()}
			if warm {
				s.do(r).ok(s.tb)
			}
			return scene{request: r, settled: func(last answer) error {
				if text := string(last.body); strings.Count(text, "BEGIN:VEVENT") != 1 || !strings.Contains(text, "SUMMARY:#"+strconv.FormatInt(id, 10)+" ") {
					return fmt.Errorf("the feed is %s", text)
				}
				return nil
			}}
		}
	}
	told := func(s *stack) scene {
		body := `{"type":"zen:event-type:ticket.type_changed","subject":"zen:ticket:7","detail":{"id":"7","type":"Task"}}`
		return scene{request: s.proved(body, s.fix.Zendesk.WebhookSecret, time.Now()), settled: func(answer) error { return s.queued("zendesk:7", "") }}
	}
	// What the queue refuses is told as being busy: the panel and Zendesk repeat.
	queueCodes := []fault{code("AccessDeniedException", lost), code("ThrottlingException", busy)}
	list := []row{
		{operation: "calendar", call: "aws GetSecretValue", role: secret, scene: look(false)},
		{operation: "calendar, the record", call: "aws GetSecretValue", role: only, scene: look(true), codes: recordCodes},
		{operation: "calendar connect", call: "aws GetSecretValue", role: only, scene: start, codes: recordCodes[:1]},
		{operation: "calendar callback", call: "aws GetSecretValue", role: secret, scene: callback(false, true)},
		{operation: "calendar callback, the record", call: "aws GetSecretValue", role: only, scene: callback(false, false), codes: recordCodes},
		{operation: "calendar callback", call: "cronofy token", role: consent, scene: callback(false, false)},
		{operation: "calendar callback", call: "cronofy calendars_list", role: only, scene: callback(false, false)},
		{operation: "calendar callback", call: "aws CreateSecret", role: kept, scene: callback(false, false)},
		{operation: "calendar callback", call: "aws SendMessage", role: queue, scene: callback(false, false)},
		{operation: "calendar callback again", call: "aws PutSecretValue", role: kept, scene: callback(true, false)},
		{operation: "calendar disconnect", call: "aws PutSecretValue", role: only, scene: leave},
		{operation: "calendar disconnect", call: "aws SendMessage", role: only, scene: leave, codes: queueCodes},
		{operation: "calendar new feed", call: "aws CreateSecret", role: only, scene: renew(false)},
		{operation: "calendar new feed again", call: "aws PutSecretValue", role: only, scene: renew(true)},
		{operation: "calendar feed", call: "aws GetSecretValue", role: secret, scene: feed(false)},
		{operation: "calendar feed, the generation", call: "aws GetSecretValue", role: only, scene: feed(true), codes: recordCodes},
		{operation: "calendar feed", call: "zendesk oauth_tokens", role: before, scene: feed(false)},
		{operation: "calendar feed", call: "zendesk search_export", role: only, scene: feed(false)},
		{operation: "calendar feed", call: "zendesk users_show_many", role: only, scene: feed(false)},
		{operation: "zendeskevent of a task", call: "aws SendMessage", role: hint, scene: told},
	}
	for i := range list {
		list[i].ways, list[i].sparing = brief, true
	}
	return list
}

func calendarErrands() []errandRow {
	message := func(desk, ticket, hint string) errandMessage {
		return errandMessage{"CalendarSyncFunction", desk + ":" + ticket, object("v", 1, "desk", desk, "ticket", ticket, "hint", hint)}
	}
	text := func(id int64) string { return strconv.FormatInt(id, 10) }
	// moved is a task that changed hands, from a calendar into another.
	moved := func(before func(*stack)) func(*stack) errand {
		return func(s *stack) errand {
			agents := s.fix.Zendesk.AgentIDs
			s.connect(agents[0], alexAccount)
			s.connect(agents[1], billieAccount)
			id := s.dueTask(agents[0])
			s.shown(alexAccount, id)
			s.must(s.box.Zendesk().Assign(id, agents[1]))
			before(s)
			return errand{[]errandMessage{message("zendesk", text(id), "")}, func() error {
				if err := s.holds(alexAccount); err != nil {
					return err
				}
				return s.holds(billieAccount, id)
			}}
		}
	}
	deleted := func(s *stack) errand {
		agents := s.fix.Zendesk.AgentIDs
		s.connect(agents[0], alexAccount)
		id := s.dueTask(agents[0])
		s.shown(alexAccount, id)
		s.must(s.box.Zendesk().Delete(id))
		return errand{[]errandMessage{message("zendesk", text(id), "deleted")}, func() error { return s.holds(alexAccount) }}
	}
	// compared are calendars that differ from their agents' tasks, unheard.
	compared := func(s *stack) errand {
		agents := s.fix.Zendesk.AgentIDs
		s.connect(agents[0], alexAccount)
		first, second, solved := s.dueTask(agents[0]), s.dueTask(agents[0]), s.dueTask(agents[0])
		s.must(s.box.Zendesk().Solve(solved))
		s.shown(alexAccount, solved)
		return errand{[]errandMessage{message("agent", calendar.Everybody, "")}, func() error { return s.holds(alexAccount, first, second) }}
	}
	one := func(s *stack) errand {
		e := compared(s)
		e.messages = []errandMessage{message("agent", text(s.fix.Zendesk.AgentIDs[0]), "")}
		return e
	}
	// left is an agent who leaves. When Cronofy says that it lets nobody at the
	// calendar any more, the connection is forgotten with what is in it.
	left := func(reachable bool) func(*stack) errand {
		return func(s *stack) errand {
			agent := s.fix.Zendesk.AgentIDs[0]
			s.connect(agent, alexAccount)
			s.shown(alexAccount, s.dueTask(agent))
			there, err := calendar.Leave(context.Background(), s.records(), text(agent), time.Now())
			s.must(err)
			if !there {
				s.tb.Fatal("there is no connection")
			}
			return errand{[]errandMessage{message("agent", text(agent), "disconnect")}, func() error {
				r, err := s.records().Load(context.Background(), text(agent))
				switch {
				case err != nil || r.State != calendar.None:
					return fmt.Errorf("%q is left, %v", r.State, err)
				case !reachable:
					return nil
				case s.consents(alexAccount):
					return fmt.Errorf("the consent lives")
				}
				return s.holds(alexAccount)
			}}
		}
	}
	later, no := []fault{code("401", stale), code("423", busy), code("429", busy)}, []fault{code("403", refused), code("404", refused), code("422", refused)}
	list := []errandRow{
		{operation: "calendarsync", calls: []string{
			"aws GetSecretValue", "zendesk oauth_tokens", "zendesk tickets_show_many", "zendesk users_show_many", "zendesk tickets_audits",
			"cronofy event_upsert", "cronofy event_delete",
		}, errand: moved(func(*stack) {})},
		{operation: "calendarsync, tokens ended", calls: []string{"cronofy token", "aws PutSecretValue"}, errand: moved(func(s *stack) { s.box.Cronofy().EndTokens() })},
		{operation: "calendarsync, calendar deleted", calls: []string{"cronofy calendars_list"}, errand: moved(func(s *stack) {
			s.must(s.box.Cronofy().DeleteCalendar(billieAccount, "Work"))
		})},
		{operation: "calendarsync of a deleted ticket", calls: []string{"zendesk tickets_show", "aws ListSecrets"}, errand: deleted},
		{operation: "calendarsync of everybody", calls: []string{"aws ListSecrets", "aws SendMessageBatch"}, errand: compared},
		{operation: "calendarsync of an agent", calls: []string{"zendesk search_export", "cronofy events_read", "aws SendMessageBatch"}, errand: one},
		{operation: "calendarsync of one who leaves", calls: []string{"cronofy events_read", "cronofy event_delete", "cronofy token_revoke"}, errand: left(true), codes: later},
		{operation: "calendarsync of one who leaves", calls: []string{"aws DeleteSecret"}, errand: left(true)},
	}
	for i := range list {
		list[i].ways, list[i].sparing, list[i].leaves = brief, true, true
	}
	return append(list,
		errandRow{operation: "calendarsync of one who leaves and cannot", calls: []string{"cronofy event_delete"}, errand: left(false), ways: []fault{}, codes: no},
		errandRow{operation: "calendarsync of one who leaves and cannot", calls: []string{"cronofy events_read"}, errand: left(false), ways: []fault{}, codes: no[:1]},
		errandRow{operation: "calendarsync of one who leaves and has left", calls: []string{"cronofy token_revoke"}, errand: left(false), ways: []fault{}, codes: []fault{code("invalid_grant", gone)}},
	)
}

// Refresh tokens that are good once survive what can be survived: new ones that
// could not be kept wait in the process. An answer that never came is the end of
// the consent; the panel says so, and connecting again puts everything right.
func TestCalendarTokens(t *testing.T) {
	t.Parallel()
	s := newStack(t, queueTimeout(errandTimeout))
	agent := s.fix.Zendesk.AgentIDs[0]
	text := strconv.FormatInt(agent, 10)
	s.box.Cronofy().Rotate(true)
	s.connect(agent, alexAccount)
	id := s.dueTask(agent)
	m := errandMessage{"CalendarSyncFunction", "zendesk:" + strconv.FormatInt(id, 10), object("v", 1, "desk", relay.Zendesk, "ticket", strconv.FormatInt(id, 10), "hint", "")}
	status := func() string {
		return s.do(request{method: "GET", path: "/calendar", as: s.agentSession(text)}).ok(t).text("state")
	}

	s.box.Cronofy().EndTokens()
	s.must(s.box.AddFault(sandbox.Fault{Vendor: "aws", Op: "PutSecretValue", Kind: sandbox.FaultStatus, Status: 500}))
	for n := range 3 {
		if !s.deliver(m, n+1) {
			t.Fatal("done, though the new tokens are kept nowhere")
		}
	}
	s.box.ClearFaults()
	s.finish(m, 4)
	s.must(s.holds(alexAccount, id))
	if got := status(); got != "connected" {
		t.Errorf("the connection is %s", got)
	}

	s.box.Cronofy().EndTokens()
	s.must(s.box.AddFault(sandbox.Fault{Vendor: "cronofy", Op: "token", Kind: sandbox.FaultTruncate, Times: 1}))
	if !s.deliver(m, 1) {
		t.Error("done, though nobody knows the new tokens")
	}
	s.finish(m, 2) // without a calendar there is nothing to do
	if got := status(); got != "revoked" {
		t.Errorf("the panel says %s", got)
	}
	s.must(s.box.Cronofy().RemoveEvent(alexAccount, s.eventID(id)))
	s.do(s.consent(s.agentSession(text), alexAccount)).ok(t)
	s.drain()
	s.must(s.holds(alexAccount, id))
	if got := status(); got != "connected" {
		t.Errorf("the connection is %s", got)
	}
}
