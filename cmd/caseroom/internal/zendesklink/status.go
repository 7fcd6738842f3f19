package zendesklink

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/converge"
	"github.com/caseroom/caseroom/shared/zendesk"
)

const runUp = "caseroom zendesk up repairs it"

// Problems tells what is wrong with a state. A webhook that somebody else made
// tells the stack as well as ours; what it sends is judged by [Judge].
func (l *Link) Problems(s *State) (list []converge.Problem) {
	add := func(do, format string, args ...any) {
		list = append(list, converge.Problem{What: fmt.Sprintf(format, args...), Do: do})
	}
	if s.Teller() == nil {
		add("caseroom zendesk up connects it. With ZIS in place of a webhook, see caseroom zis status", "no webhook tells this stack of changed tickets")
	}
	if len(s.Webhooks) == 0 {
		return list
	}
	way := s.Way()
	mixed := false
	for _, h := range s.Webhooks {
		if mixed = mixed || wayOf(h) != way; !s.known(h) {
			add(runUp, "the stack does not know the signing secret of webhook %s: %s lacks it, and what it sends gets 401", h.ID, l.Secret.ID)
		}
		if _, what := l.repairs(h); len(what) > 0 {
			add(runUp, "webhook %s has another %s than it should", h.ID, strings.Join(what, ", "))
		}
	}
	switch {
	case mixed:
		add("caseroom zendesk up --by "+string(way)+" ends it", "the account is half-way between events and triggers")
		return list
	case len(s.Webhooks) > 1:
		add("caseroom zendesk rotate ends it", "a rotation is half-way: there are %d webhooks", len(s.Webhooks))
	case !s.Webhooks[0].Active():
		add(runUp, "webhook %s is switched off", s.Webhooks[0].ID)
	}
	if way == Events {
		if len(s.Triggers)+len(s.Categories) > 0 {
			add(runUp, "triggers or a category are left of the other way to connect")
		}
		return list
	}
	hook := s.Webhooks[len(s.Webhooks)-1]
	for _, st := range l.planTriggers(s, &hook) {
		add(runUp, "left to do: %s", st.What)
	}
	return list
}

// Recent returns the latest deliveries of the webhook that tells the stack, the
// newest first.
func (l *Link) Recent(ctx context.Context, s *State) ([]zendesk.Invocation, error) {
	hook := s.Teller()
	if hook == nil {
		return nil, nil
	}
	return l.Account.Invocations(ctx, hook.ID)
}

// Judge tells what the last delivery says.
func Judge(recent []zendesk.Invocation) []converge.Problem {
	if len(recent) == 0 || recent[0].StatusCode/100 == 2 {
		return nil
	}
	return []converge.Problem{{
		What: fmt.Sprintf("the last delivery, %s, failed with %d", recent[0].CompletedAt.UTC().Format("2006-01-02 15:04:05Z"), recent[0].StatusCode),
		Do:   advice(recent[0].StatusCode),
	}}
}

// advice is what an answer of the stack's to Zendesk means.
func advice(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "the stack does not accept the signature: is the secret in the stack's own account and region? A function knows a new one within five minutes"
	case http.StatusNotFound:
		return "nothing answers there: is the API's address right, and does the stack have ZENDESK_BASE_URL?"
	case http.StatusGatewayTimeout:
		return "no answer within 12 seconds: look at zendeskevent's errors and at the API's address"
	case http.StatusServiceUnavailable:
		return "the stack could not queue it, and Zendesk repeats that: look at zendeskevent's log and the queue"
	default:
		return "look at zendeskevent's log"
	}
}

// probe is an event about a ticket that is nobody's: a stack that verifies it
// answers 200 and queues nothing.
const probe = `{"type":"zen:event-type:ticket.status_changed","subject":"zen:ticket:1","detail":{"id":"1","external_id":null},"event":{}}`

// known is how long after it was written every function knows a secret.
const known = 6 * time.Minute

// Test has Zendesk send a signed event of a ticket that is not ours.
func (l *Link) Test(ctx context.Context, s *State) (status int, problems []converge.Problem, err error) {
	hook := s.Teller()
	if hook == nil {
		return 0, nil, nil
	}
	status, err = l.Account.TestWebhook(ctx, *hook, probe)
	if err == nil && status != http.StatusOK {
		do := advice(status)
		if age := l.Now().Sub(s.Secret.Changed); status == http.StatusUnauthorized && age < known {
			do = fmt.Sprintf("wait and test again: %s was written %s ago, and a function may keep an older one for five minutes", l.Secret.ID, age.Round(time.Second))
		}
		problems = []converge.Problem{{What: fmt.Sprintf("a test event that Zendesk sent was answered with %d", status), Do: do}}
	}
	return status, problems, err
}
