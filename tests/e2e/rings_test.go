package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
)

// The fault table of the functions that work off queues: every upstream call of
// sync, file, forward, reconcile, sweep and calendarsync, every way in which it fails. Whatever
// happens, the message is delivered again until it is done, nothing that a retry
// mends is dead, and in the end every room and calendar is what tickets say.

// errand is what a function is sent, and what must be true when it is done.
type errand struct {
	messages []errandMessage
	right    func() error
}

type errandMessage struct{ function, group, body string }

// errandRow is one call of one function.
type errandRow struct {
	operation string
	calls     []string // "vendor op"
	options   []option
	errand    func(*stack) errand
	// ways and codes are in place of the usual ones.
	ways, codes []fault
	sparing     bool // as a row's
	// leaves: what a calendar refuses is left for the next change or comparison.
	leaves bool
}

func (r errandRow) faults(call string) []fault {
	list, own := ways, errandCodes[call]
	if r.ways != nil {
		list = r.ways
	}
	if r.codes != nil {
		own = r.codes
	}
	return slices.Concat(list, own)
}

// errandCodes are the vendors' own errors, by call.
var errandCodes = map[string][]fault{
	"zendesk tickets_show_many":          {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},
	"zendesk incremental_tickets_cursor": {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},
	"zendesk search_export":              {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},
	"zendesk tickets_update":             {code("invalid_token", stale), code("UpdateConflict", progress), code("APIRateLimitExceeded", busy)},
	"salesforce query_all":               {code("INVALID_SESSION_ID", stale), code("REQUEST_LIMIT_EXCEEDED", busy)},
	"salesforce sobject_upsert":          {code("INVALID_SESSION_ID", stale), code("UNABLE_TO_LOCK_ROW", busy), code("DUPLICATE_VALUE", progress)},
	"tencent get_appid_group_list":       {code("70001", stale), code("60007", busy), code("10002", lost)},
	"tencent get_group_info":             {code("70001", stale), code("60007", busy), code("10002", lost)},
	"tencent add_group_member":           {code("70001", stale), code("10019", stranger), code("60007", busy), code("10002", lost)},
	"tencent delete_group_member":        {code("70001", stale), code("60007", busy), code("10002", lost)},
	"tencent modify_group_base_info":     {code("70001", stale), code("60007", busy), code("10002", lost)},
	"tencent send_group_msg":             {code("70001", stale), code("10023", busy), code("10002", lost)},
	"tencent destroy_group":              {code("70001", stale), code("10002", lost)},
	"aws SendMessageBatch":               {code("AccessDeniedException", refused), code("ThrottlingException", busy)},
	"aws GetSecretValue":                 {code("ResourceNotFoundException", lost), code("AccessDeniedException", lost)},
	"aws PutSecretValue":                 {code("AccessDeniedException", refused), code("ThrottlingException", busy)},
	"aws DeleteSecret":                   {code("AccessDeniedException", refused), code("ThrottlingException", busy)},
	"aws ListSecrets":                    {code("AccessDeniedException", refused), code("ThrottlingException", busy)},
	"zendesk tickets_audits":             {code("invalid_token", stale), code("Forbidden", refused), code("APIRateLimitExceeded", busy)},
	"zendesk users_show_many":            {code("invalid_token", stale), code("APIRateLimitExceeded", busy)},
	"cronofy token":                      {code("invalid_client", stale)},
	"cronofy calendars_list":             {code("401", stale), code("403", refused)},
	"cronofy events_read":                {code("401", stale), code("403", refused)},
	"cronofy event_upsert":               {code("401", stale), code("402", busy), code("403", refused), code("404", refused), code("422", refused), code("423", busy)},
	"cronofy event_delete":               {code("401", stale), code("402", busy), code("403", refused), code("404", refused), code("422", refused), code("423", busy)},
}

// deliver invokes a function with one message and reports whether it is to be
// delivered again: an invocation that failed is, too.
func (s *stack) deliver(m errandMessage, receives int) (again bool) {
	s.tb.Helper()
	event, err := json.Marshal(map[string]any{"Records": []any{map[string]any{
		"messageId": "m-" + m.group, "receiptHandle": "r-" + strconv.Itoa(receives), "body": m.body,
		"attributes": map[string]string{
			"ApproximateReceiveCount": strconv.Itoa(receives), "SentTimestamp": strconv.FormatInt(time.Now().UnixMilli(), 10),
			"MessageGroupId": m.group,
		},
		"messageAttributes": map[string]any{}, "eventSource": "aws:sqs",
	}}})
	s.must(err)
	out, err := s.host.Invoke(context.Background(), m.function, event)
	if err != nil {
		return true
	}
	var res struct {
		BatchItemFailures []any `json:"batchItemFailures"`
	}
	s.must(json.Unmarshal(out, &res))
	return len(res.BatchItemFailures) > 0
}

// finish delivers a message until it is done.
func (s *stack) finish(m errandMessage, receives int) {
	s.tb.Helper()
	for tries := 0; s.deliver(m, receives+tries); tries++ {
		if tries == 60 {
			s.tb.Fatalf("%+v is still not done", m)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// workers are the functions behind the queues of tickets and of calendars.
var workers = map[string]string{
	"-sync.fifo": "SyncFunction", "-bulk.fifo": "ForwardFunction", "-file.fifo": "FileFunction", "-calendar.fifo": "CalendarSyncFunction",
}

// drain takes what is in the queues of tickets and of calendars, and works it off.
func (s *stack) drain() {
	s.tb.Helper()
	client := sqs.NewFromConfig(s.process().AWS, func(o *sqs.Options) { o.AppID = lambdahost.PlatformApp })
	for more := true; more; {
		more = false
		for _, q := range s.host.Stack().Queues {
			function := workers[strings.TrimPrefix(q.Name, s.host.Stack().Name)]
			if function == "" {
				continue
			}
			out, err := client.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{
				QueueUrl: &q.URL, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			})
			s.must(err)
			for _, m := range out.Messages {
				more = true
				s.finish(errandMessage{function, m.Attributes["MessageGroupId"], *m.Body}, 2)
				_, err := client.DeleteMessage(context.Background(), &sqs.DeleteMessageInput{QueueUrl: &q.URL, ReceiptHandle: m.ReceiptHandle})
				s.must(err)
			}
		}
	}
}

func (s *stack) syncOf(desk, ticket, hint string) errandMessage {
	return errandMessage{"SyncFunction", desk + ":" + ticket, object("v", 1, "desk", desk, "ticket", ticket, "hint", hint)}
}

// dead are the messages that the functions have given up.
func (s *stack) dead() []sandbox.MessageState {
	var list []sandbox.MessageState
	for _, q := range s.box.State().AWS.Queues {
		if strings.HasSuffix(q.Name, "-dead.fifo") {
			list = append(list, q.Messages...)
		}
	}
	return list
}

// filed counts the transcripts that hold a text, wherever they are.
func (s *stack) filed(text string) int {
	state, n := s.box.State(), 0
	for _, t := range state.Zendesk.Tickets {
		for _, c := range t.Comments {
			if strings.HasPrefix(c.Body, "Chat transcript ") && !c.Public {
				n += strings.Count(c.Body, text)
			}
		}
	}
	for _, row := range state.Salesforce.Transcripts {
		n += strings.Count(fmt.Sprint(row["Caseroom_Body__c"]), text)
	}
	for _, o := range state.AWS.Objects {
		body, _ := s.box.Object(o.Bucket, o.Key)
		n += strings.Count(string(body), text)
	}
	return n
}

// opened is a ticket with its room, made as a customer makes it.
type opened struct {
	*stack
	desk, ticket, group string
}

func (s *stack) opened(desk, customer string) opened {
	a := s.createTicket("/"+desk+"/createticket", s.customer(customer))
	return opened{s, desk, a.text("ticketId"), a.text("GroupId")}
}

func (o opened) number() int64 {
	n, err := strconv.ParseInt(o.ticket, 10, 64)
	o.must(err)
	return n
}

func (o opened) sync(hint string) errandMessage { return o.syncOf(o.desk, o.ticket, hint) }

func (o opened) assign() (agent string) {
	if o.desk == "zendesk" {
		o.must(o.box.Zendesk().Assign(o.number(), o.fix.Zendesk.AgentIDs[0]))
		return "zd_" + o.zendeskAgent()
	}
	o.must(o.box.Salesforce().SetOwner(o.ticket, o.fix.Salesforce.AgentIDs[0]))
	return "sf_" + o.fix.Salesforce.AgentIDs[0]
}

func (o opened) end() {
	if o.desk == "zendesk" {
		o.must(o.box.Zendesk().Solve(o.number()))
		return
	}
	o.must(o.box.Salesforce().Close(o.ticket))
}

// is checks the room: who is in it, whether it is locked, how often each of its
// notices and the customer's words stand where they belong.
func (o opened) is(locked bool, want ...string) error {
	g, ok := o.box.Group(o.group)
	if !ok {
		return fmt.Errorf("there is no room %s", o.group)
	}
	slices.Sort(want)
	if got := members(g); !slices.Equal(got, want) {
		return fmt.Errorf("%s: members %v, want %v", o.group, got, want)
	}
	if g.MuteAllMember != locked {
		return fmt.Errorf("%s: locked %v", o.group, g.MuteAllMember)
	}
	said := map[string]int{}
	for _, m := range g.Messages {
		if said[m.Text]++; m.From == o.fix.Tencent.AdminUserID && said[m.Text] > 1 {
			return fmt.Errorf("%s was told %q twice", o.group, m.Text)
		}
	}
	return nil
}

func errands() []errandRow {
	// assigned is a ticket that an agent took and a customer wrote to.
	assigned := func(desk string) func(*stack) errand {
		return func(s *stack) errand {
			o := s.opened(desk, "ada")
			agent := o.assign()
			return errand{[]errandMessage{o.sync("")}, func() error { return o.is(false, "ada", agent) }}
		}
	}
	// over is a ticket whose agent solved it.
	over := func(desk string) func(*stack) errand {
		return func(s *stack) errand {
			o := s.opened(desk, "ada")
			o.assign()
			s.finish(o.sync(""), 1)
			s.must(s.box.SendAs("ada", o.group, "It is dark. "+canary))
			o.end()
			return errand{[]errandMessage{o.sync("")}, func() error {
				if n := s.filed(canary); n != 1 {
					return fmt.Errorf("the customer's words were filed %d times", n)
				}
				return o.is(true, "ada")
			}}
		}
	}
	// filing is what is left to do of a ticket, or of one that is gone, after Sync.
	filing := func(of func(*stack) errand) func(*stack) errand {
		return func(s *stack) errand {
			e := of(s)
			s.finish(e.messages[0], 1)
			for _, m := range s.messages("-file.fifo") {
				return errand{[]errandMessage{{"FileFunction", m.Group, m.Body}}, e.right}
			}
			s.tb.Fatal("nothing is to be filed")
			return errand{}
		}
	}
	// passed is a change that nobody waits for.
	passed := func(s *stack) errand {
		o := s.opened("zendesk", "ada")
		agent := o.assign()
		m := o.sync("")
		m.function = "ForwardFunction"
		return errand{[]errandMessage{m}, func() error { return o.is(false, "ada", agent) }}
	}
	// deleted is a ticket that is gone, with words that only the archive can take.
	deleted := func(s *stack) errand {
		o := s.opened("zendesk", "ada")
		s.finish(o.sync(""), 1)
		s.must(s.box.SendAs("ada", o.group, "It is dark. "+canary))
		s.must(s.box.Zendesk().Delete(o.number()))
		return errand{[]errandMessage{o.sync("deleted")}, func() error {
			if n := s.filed(canary); n != 1 {
				return fmt.Errorf("the customer's words were filed %d times", n)
			}
			return o.is(true, "ada")
		}}
	}
	squatted := func(s *stack) errand {
		o := s.opened("zendesk", "ada")
		s.must(s.rooms().Destroy(context.Background(), o.group))
		s.must(s.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: o.group, Type: "Public", Name: "mine"}))
		return errand{[]errandMessage{o.sync("")}, func() error { return o.is(false, "ada") }}
	}
	// unheard is a change of which no notification came, at either desk.
	unheard := func(desk string) func(*stack) errand {
		return func(s *stack) errand {
			o := s.opened(desk, "ada")
			agent := o.assign()
			s.later(3 * time.Minute)
			now := time.Now().UTC()
			body := object("desk", desk, "from", now.Add(-20*time.Minute).Format(time.RFC3339), "until", now.Add(2*time.Minute).Format(time.RFC3339))
			return errand{[]errandMessage{{"ReconcileFunction", desk, body}}, func() error { return o.is(false, "ada", agent) }}
		}
	}
	// swept is a room whose time has come, one that vanished, and one of which
	// something is about to be forgotten.
	swept := func(desk string) func(*stack) errand {
		return func(s *stack) errand {
			old, lost, open := s.opened(desk, "ada"), s.opened(desk, "bea"), s.opened(desk, "cy")
			for _, o := range []opened{old, lost, open} {
				s.finish(o.sync(""), 1)
			}
			s.must(s.box.SendAs("ada", old.group, "It is dark. "+canary))
			s.must(s.box.SendAs("cy", open.group, "So it is. "+canary))
			old.end()
			s.finish(old.sync(""), 1)
			s.drain()
			s.must(s.rooms().Destroy(context.Background(), lost.group))
			at := time.Now().UTC().Format(time.RFC3339)
			return errand{
				[]errandMessage{
					{"SweepFunction", "start", object("sweep", at)},
					{"SweepFunction", "rooms", object("sweep", at, "list", "rooms")},
					{"SweepFunction", desk, object("sweep", at, "list", desk)},
				},
				func() error {
					if _, there := s.box.Group(old.group); there {
						return fmt.Errorf("%s is still there", old.group)
					}
					if n := s.filed(canary); n != 2 {
						return fmt.Errorf("the customers' words were filed %d times", n)
					}
					if err := lost.is(false, "bea"); err != nil {
						return err
					}
					return open.is(false, "cy")
				},
			}
		}
	}
	soon := []option{func(set *settings) {
		set.environment = map[string]string{"DISSOLVE_AFTER": "1ms", "HISTORY_DAYS": "1"}
	}}
	list := []errandRow{
		{operation: "sync", calls: []string{
			"aws GetSecretValue", "zendesk oauth_tokens", "zendesk users_me", "zendesk tickets_show_many", "zendesk tickets_list",
			"tencent get_group_info", "tencent account_import", "tencent add_group_member", "tencent send_group_msg", "tencent modify_group_base_info",
		}, errand: assigned("zendesk")},
		{operation: "sync salesforce", calls: []string{"salesforce oauth_token", "salesforce query_all", "salesforce query"}, errand: assigned("salesforce")},
		{operation: "sync of a solved ticket", calls: []string{
			"tencent modify_group_base_info", "tencent send_group_msg", "aws SendMessage", "tencent delete_group_member",
		}, errand: over("zendesk")},
		{operation: "sync of a deleted ticket", calls: []string{"zendesk tickets_show", "aws SendMessage"}, errand: deleted},
		{operation: "file", calls: []string{
			"aws GetSecretValue", "zendesk oauth_tokens", "zendesk users_me", "zendesk tickets_show_many", "tencent get_group_info",
			"tencent group_msg_get_simple", "zendesk tickets_comments", "aws GetObject", "zendesk tickets_update", "aws SendMessage",
		}, errand: filing(over("zendesk"))},
		{operation: "file of a closed case", calls: []string{"salesforce sobject_upsert"}, errand: filing(over("salesforce"))},
		{operation: "file of a deleted ticket", calls: []string{"aws PutObject"}, errand: filing(deleted)},
		{operation: "forward", calls: []string{"aws GetQueueAttributes", "aws SendMessageBatch"}, errand: passed},
		{operation: "sync of a squatted room", calls: []string{"tencent destroy_group", "tencent create_group"}, errand: squatted},
		{operation: "reconcile", calls: []string{
			"aws GetSecretValue", "zendesk oauth_tokens", "zendesk users_me", "zendesk incremental_tickets_cursor",
			"tencent get_group_info", "aws SendMessageBatch",
		}, errand: unheard("zendesk")},
		{operation: "reconcile salesforce", calls: []string{"salesforce oauth_token", "salesforce query_all", "salesforce query"}, errand: unheard("salesforce")},
		{operation: "sweep", calls: []string{
			"aws GetSecretValue", "aws SendMessage", "aws SendMessageBatch", "zendesk oauth_tokens", "zendesk users_me",
			"zendesk tickets_show_many", "zendesk search_export", "tencent get_appid_group_list", "tencent get_group_info",
			"tencent group_msg_get_simple", "tencent destroy_group",
		}, options: soon, errand: swept("zendesk")},
		{operation: "sweep salesforce", calls: []string{"salesforce query_all"}, options: soon, errand: swept("salesforce")},
	}
	return append(list, calendarErrands()...)
}

// errandTimeout is the functions' time: too little to wait inside an invocation
// for a vendor that asks for half a minute.
const errandTimeout = 10 * time.Second

func TestErrands(t *testing.T) {
	t.Parallel()
	var tries, hanging []try
	seen := map[string]bool{}
	for _, r := range errands() {
		for _, call := range r.calls {
			faults, sparing := r.faults(call), r.sparing
			if r.ways == nil && seen[call] {
				faults, sparing = oneOfEach(faults), true // as in rows
			}
			seen[call] = true
			for _, f := range faults {
				list := &tries
				if f.meaning == hang {
					list = &hanging
				}
				*list = append(*list, try{r.operation + "/" + call + "/" + f.name, func(t *testing.T) { r.strike(t, call, f, 0) }})
				if !sparing || f.meaning == done {
					*list = append(*list, try{r.operation + "/" + call + "/" + f.name + ", once", func(t *testing.T) { r.strike(t, call, f, 1) }})
				}
			}
			tries = append(tries, try{r.operation + "/" + call + "/killed", func(t *testing.T) { r.kill(t, call) }})
		}
	}
	runAll(t, tries, hanging)
}

func struck(s *stack, f sandbox.Fault, call string) bool {
	return slices.ContainsFunc(s.box.Calls(), func(c sandbox.Call) bool { return c.Fault == f.Kind && c.Vendor+" "+c.Op == call })
}

// strike has a call fail, once or for the first delivery of every message.
func (r errandRow) strike(t *testing.T, call string, f fault, times int) {
	s := newStack(t, append(slices.Clone(r.options), queueTimeout(errandTimeout))...)
	e := r.errand(s)
	s.restart() // nothing is cached
	s.box.ResetCalls()
	f.Vendor, f.Op, _ = strings.Cut(call, " ")
	f.Times = times
	s.must(s.box.AddFault(f.Fault))
	again := map[string]bool{}
	for _, m := range e.messages {
		again[m.body] = s.deliver(m, 1)
	}
	if !struck(s, f.Fault, call) {
		t.Fatalf("the fault did not strike; calls %v", s.calls())
	}
	if dead := s.dead(); len(dead) > 0 && f.meaning != refused && f.meaning != stranger {
		t.Errorf("dead: %+v", dead)
	}
	s.box.ClearFaults()
	for _, m := range e.messages {
		if again[m.body] {
			s.finish(m, 2)
		}
	}
	r.settle(t, s, e, r.leaves && f.meaning == refused)
}

// settle works off what was queued. A second round of the same finds everything
// as it should be.
func (r errandRow) settle(t *testing.T, s *stack, e errand, left bool) {
	t.Helper()
	s.drain()
	// A room that could not be looked at is left for the next sweep.
	if err := e.right(); err != nil && !strings.HasPrefix(r.operation, "sweep") && !left {
		t.Error(err)
	}
	for _, m := range e.messages {
		s.finish(m, 1)
	}
	s.drain()
	if err := e.right(); err != nil {
		t.Errorf("another time: %v", err)
	}
}

// kill ends the process while the call is under way.
func (r errandRow) kill(t *testing.T, call string) {
	s := newStack(t, append(slices.Clone(r.options), queueTimeout(errandTimeout))...)
	e := r.errand(s)
	s.restart()
	s.box.ResetCalls()
	f := sandbox.Fault{Kind: sandbox.FaultSlow, Delay: 40 * time.Millisecond, Times: 1}
	f.Vendor, f.Op, _ = strings.Cut(call, " ")
	s.must(s.box.AddFault(f))
	done := make(chan map[string]bool, 1)
	host := s.host
	go func() {
		again := map[string]bool{}
		for _, m := range e.messages {
			again[m.body] = s.deliver(m, 1)
		}
		done <- again
	}()
	s.until(func() bool { return struck(s, f, call) })
	host.Close()
	again := <-done
	s.killed.Store(true)
	s.start()
	s.box.ClearFaults()
	time.Sleep(f.Delay) // what the vendor was doing is done, or never will be
	for _, m := range e.messages {
		if again[m.body] {
			s.finish(m, 2)
		}
	}
	r.settle(t, s, e, false)
}
