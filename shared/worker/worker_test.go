package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
	"github.com/caseroom/caseroom/shared/worker"
)

// syncs answers for tickets and remembers what it was asked.
type syncs struct {
	items  []relay.SyncItem
	errs   map[string]error
	poison string // a ticket that no batch with it survives
}

func (s *syncs) Run(_ context.Context, items []relay.SyncItem) []error {
	if slices.ContainsFunc(items, func(it relay.SyncItem) bool { return it.Ticket == s.poison }) {
		panic("a bug")
	}
	s.items = append(s.items, items...)
	errs := make([]error, len(items))
	for i, it := range items {
		errs[i] = s.errs[it.Ticket]
	}
	return errs
}

// queue remembers what happened to messages.
type queue struct {
	hidden map[string]int32
	dead   []*sqs.SendMessageInput
	broken bool
}

func (q *queue) ChangeMessageVisibility(_ context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	if *in.QueueUrl != "https://sqs/queue" {
		return nil, errors.New("another queue")
	}
	q.hidden[*in.ReceiptHandle] = in.VisibilityTimeout
	return &sqs.ChangeMessageVisibilityOutput{}, nil
}

func (q *queue) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if q.broken {
		return nil, errors.New("no queue")
	}
	if *in.QueueUrl != "https://sqs/dead" {
		return nil, errors.New("another queue")
	}
	q.dead = append(q.dead, in)
	return &sqs.SendMessageOutput{}, nil
}

func message(id, ticket, hint string, receives int) events.SQSMessage {
	return events.SQSMessage{
		MessageId: id, ReceiptHandle: id, Body: fmt.Sprintf(`{"v":1,"desk":"zendesk","ticket":%q,"hint":%q}`, ticket, hint),
		Attributes: map[string]string{
			"ApproximateReceiveCount": fmt.Sprint(receives), "SentTimestamp": "1790000000000", "MessageGroupId": "zendesk:" + ticket,
		},
	}
}

func run(t *testing.T, s *syncs, q *queue, waits *[]time.Duration, records ...events.SQSMessage) []string {
	t.Helper()
	if q.hidden == nil {
		q.hidden = map[string]int32{}
	}
	w := &worker.Worker[relay.Hint, relay.SyncItem]{Decode: relay.DecodeHint, Item: relay.NewSyncItem, Sync: s, Mailbox: worker.Mailbox{
		Queue: q, QueueURL: "https://sqs/queue", DeadLetterURL: "https://sqs/dead", Meter: &upstreamtest.Counts{}, Now: time.Now,
		Random: func() float64 { return 0.5 },
		Wait: func(_ context.Context, d time.Duration) error {
			*waits = append(*waits, d)
			return nil
		},
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := w.Lambda(ctx, events.SQSEvent{Records: records})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, f := range res.BatchItemFailures {
		ids = append(ids, f.ItemIdentifier)
	}
	slices.Sort(ids)
	return ids
}

func TestWorkerOneSyncPerTicket(t *testing.T) {
	t.Parallel()
	s, q, waits := &syncs{}, &queue{}, []time.Duration{}
	failed := run(t, s, q, &waits,
		message("a", "1", "", 1), message("b", "2", "merged:9", 1), message("c", "1", "deleted", 3), message("d", "1", "", 1))
	if len(failed) != 0 || len(q.dead) != 0 || len(q.hidden) != 0 || len(waits) != 0 {
		t.Errorf("failed %v, dead %v, hidden %v, waited %v", failed, q.dead, q.hidden, waits)
	}
	if len(s.items) != 2 {
		t.Fatalf("synced %+v", s.items)
	}
	one, two := s.items[0], s.items[1]
	if one.Ticket != "1" || !one.Redelivered || !one.Deleted || one.Into != "" || one.Since.Unix() != 1790000000 {
		t.Errorf("ticket 1: %+v", one)
	}
	if two.Ticket != "2" || two.Redelivered || two.Deleted || two.Into != "9" {
		t.Errorf("ticket 2: %+v", two)
	}
}

// What the chat says of a room is spare beside any other word, which may know that
// there is a ticket.
func TestWorkerHearsay(t *testing.T) {
	t.Parallel()
	unavailable := &upstream.Error{Vendor: "zendesk", Class: upstream.Unavailable}
	for _, tt := range []struct {
		first, second string
		chat          bool
		again         []string
	}{
		{"chat", "chat", true, []string{"a"}},
		{"chat", "", false, []string{"a", "b"}},
		{"", "chat", false, []string{"a"}},
		{"deleted", "chat", false, []string{"a"}},
	} {
		s, q, waits := &syncs{errs: map[string]error{"1": unavailable}}, &queue{}, []time.Duration{}
		failed := run(t, s, q, &waits, message("a", "1", tt.first, 1), message("b", "1", tt.second, 1))
		if !slices.Equal(failed, tt.again) || len(s.items) != 1 || s.items[0].Chat != tt.chat {
			t.Errorf("%q, %q: again %v, synced %+v", tt.first, tt.second, failed, s.items)
		}
	}
}

// A ticket that no batch with it survives is tried again a few times, then dead,
// and keeps no other from being worked off.
func TestWorkerPoison(t *testing.T) {
	t.Parallel()
	for receives := range 7 {
		s, q, waits := &syncs{poison: "2"}, &queue{}, []time.Duration{}
		failed := run(t, s, q, &waits, message("a", "1", "", 9), message("b", "2", "", receives), message("c", "3", "", 9))
		again := []string{"b"}
		if receives >= 5 {
			again = []string{}
		}
		if !slices.Equal(failed, again) || len(q.dead) != 1-len(again) || len(q.hidden) != len(again) {
			t.Errorf("received %d times: failed %v, dead %v, hidden %v", receives, failed, q.dead, q.hidden)
		}
		if len(s.items) != 2 || s.items[0].Ticket != "1" || s.items[1].Ticket != "3" {
			t.Errorf("received %d times: synced %+v", receives, s.items)
		}
	}
}

func TestWorkerRetries(t *testing.T) {
	t.Parallel()
	unavailable := &upstream.Error{Vendor: "tencent", Class: upstream.Unavailable}
	tests := map[string]struct {
		err      error
		receives int
		hidden   int32 // with half the jitter
		waited   time.Duration
	}{
		"first":               {unavailable, 1, 6, 0},
		"fourth":              {unavailable, 4, 44, 0},
		"hundredth":           {unavailable, 100, 990, 0},
		"asked for":           {&upstream.Error{Class: upstream.RateLimited, RetryAfter: 20 * time.Second}, 5, 22, 0},
		"too fast":            {&upstream.Error{Class: upstream.RateLimited}, 1, 6, 0},
		"asked for a day":     {&upstream.Error{Class: upstream.Unavailable, RetryAfter: 24 * time.Hour}, 1, 0, 0},
		"credentials refused": {&upstream.Error{Class: upstream.Refused, Status: 401, Credentials: true}, 1, 6, 0},
		"forbidden":           {&upstream.Error{Class: upstream.Refused, Status: 403}, 1, 6, 0},
		"plan exhausted":      {&upstream.Error{Class: upstream.Refused, Code: "10036", Quota: true}, 1, 6, 0},
		"unreadable ticket":   {relay.ErrUnreadable, 1, 6, 0},
		"unknown":             {errors.New("secret unreadable"), 1, 6, 0},
		"panic":               {relay.ErrPanic, 4, 44, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, q, waits := &syncs{errs: map[string]error{"1": fmt.Errorf("wrapped: %w", tt.err)}}, &queue{}, []time.Duration{}
			failed := run(t, s, q, &waits, message("a", "1", "", tt.receives), message("b", "2", "", 1), message("c", "1", "", 1),
				message("d", "1", "deleted", 1), message("e", "1", "deleted", 1), message("f", "1", "merged:2", 1))
			// One of a kind is enough for another try.
			if !slices.Equal(failed, []string{"a", "d", "f"}) || len(q.dead) != 0 {
				t.Errorf("failed %v, dead %v", failed, q.dead)
			}
			if name == "asked for a day" {
				if q.hidden["a"] >= 43200 || q.hidden["a"] < 36000 {
					t.Errorf("hidden %v", q.hidden)
				}
			} else if q.hidden["a"] != tt.hidden {
				t.Errorf("hidden %v, want %d", q.hidden, tt.hidden)
			}
			if (tt.waited == 0) != (len(waits) == 0) || (len(waits) > 0 && waits[0] != tt.waited) {
				t.Errorf("waited %v, want %v", waits, tt.waited)
			}
			if _, touched := q.hidden["b"]; touched {
				t.Error("another ticket's message is hidden")
			}
		})
	}
}

// A vendor that says "in a second" for days must not use up the thousand
// receives after which the queue itself buries a message.
func TestWorkerOutlastsARateLimit(t *testing.T) {
	t.Parallel()
	tooFast := &upstream.Error{Class: upstream.RateLimited, RetryAfter: time.Second}
	s, q, waits := &syncs{errs: map[string]error{"1": tooFast}}, &queue{}, []time.Duration{}
	var lasted, early time.Duration
	for n := 1; n <= 1000; n++ {
		run(t, s, q, &waits, message("a", "1", "", n))
		lasted += time.Duration(q.hidden["a"]) * time.Second
		if n == 50 {
			early = lasted
		}
	}
	if lasted < 7*24*time.Hour || lasted > 14*24*time.Hour || early > 2*time.Minute {
		t.Errorf("1000 receives last %v, the first 50 %v", lasted, early)
	}
}

func TestWorkerBuries(t *testing.T) {
	t.Parallel()
	refused := &upstream.Error{Vendor: "tencent", Op: "add_group_member", Class: upstream.Refused, Status: 200, Code: "10007"}
	for name, err := range map[string]error{"refused": refused, "foreign room": relay.ErrForeignRoom, "panic": relay.ErrPanic} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, q, waits := &syncs{errs: map[string]error{"1": err}}, &queue{}, []time.Duration{}
			failed := run(t, s, q, &waits, message("a", "1", "", 5), message("b", "1", "deleted", 1))
			if len(failed) != 0 || len(q.dead) != 2 {
				t.Fatalf("failed %v, dead %v", failed, q.dead)
			}
			m := q.dead[1]
			if *m.MessageGroupId != "zendesk:1" || *m.MessageDeduplicationId != "b" || !strings.Contains(*m.MessageBody, "deleted") ||
				*m.MessageAttributes["reason"].StringValue != err.Error() {
				t.Errorf("dead letter %+v, reason %q", m, *m.MessageAttributes["reason"].StringValue)
			}
		})
	}
	t.Run("not ours", func(t *testing.T) {
		t.Parallel()
		s, q, waits := &syncs{}, &queue{}, []time.Duration{}
		bad := message("a", "1", "", 1)
		bad.Body = "{}"
		if failed := run(t, s, q, &waits, bad, message("b", "2", "", 1)); len(failed) != 0 || len(q.dead) != 1 || len(s.items) != 1 {
			t.Errorf("failed %v, dead %v, synced %v", failed, q.dead, s.items)
		}
	})
	t.Run("no queue for the dead", func(t *testing.T) {
		t.Parallel()
		s, q, waits := &syncs{errs: map[string]error{"1": refused}}, &queue{broken: true}, []time.Duration{}
		if failed := run(t, s, q, &waits, message("a", "1", "", 1), message("b", "1", "deleted", 1)); !slices.Equal(failed, []string{"a", "b"}) {
			t.Errorf("failed %v", failed)
		}
	})
}

// A limit that one ticket alone meets keeps no batch waiting: it may be its own.
func TestWorkerPauses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limited []string
		waited  []time.Duration
	}{
		"one of three": {[]string{"1"}, []time.Duration{}},
		"two of three": {[]string{"1", "3"}, []time.Duration{20 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, q, waits := &syncs{errs: map[string]error{}}, &queue{}, []time.Duration{}
			for _, ticket := range tt.limited {
				s.errs[ticket] = &upstream.Error{Class: upstream.RateLimited, RetryAfter: 20 * time.Second}
			}
			run(t, s, q, &waits, message("a", "1", "", 1), message("b", "2", "", 1), message("c", "3", "", 1))
			if !slices.Equal(waits, tt.waited) {
				t.Errorf("waited %v, want %v", waits, tt.waited)
			}
		})
	}
}

// A message that was moved back from the dead letters was worked on before,
// though the queue delivers it for the first time.
func TestWorkerRedriven(t *testing.T) {
	t.Parallel()
	s, q, waits := &syncs{}, &queue{}, []time.Duration{}
	fresh, back := message("a", "1", "", 1), message("b", "2", "", 1)
	why := "relay: permanent"
	back.MessageAttributes = map[string]events.SQSMessageAttribute{"reason": {DataType: "String", StringValue: &why}}
	run(t, s, q, &waits, fresh, back)
	if len(s.items) != 2 || s.items[0].Redelivered || !s.items[1].Redelivered {
		t.Errorf("synced %+v", s.items)
	}
}

// Waited is the age of the oldest change that was served or still waits for what
// passes; a dead one and one for a person are left out.
func TestWorkerTellsTheLongestWait(t *testing.T) {
	t.Parallel()
	sent := time.UnixMilli(1790000000000)
	for name, tt := range map[string]struct {
		err  error
		want time.Duration
	}{
		"served":          {nil, time.Hour},
		"unavailable":     {&upstream.Error{Class: upstream.Unavailable}, time.Hour},
		"dead":            {relay.ErrForeignRoom, time.Minute},
		"hidden":          {relay.ErrUnreadable, time.Minute},
		"held":            {relay.ErrHeld, time.Minute},
		"not joined":      {fmt.Errorf("%w: result 0", relay.ErrNotJoined), time.Minute},
		"quota":           {&upstream.Error{Class: upstream.Refused, Quota: true}, time.Minute},
		"locked account":  {&upstream.Error{Class: upstream.Unavailable, Status: 423}, time.Minute},
		"bad credentials": {&upstream.Error{Class: upstream.Refused, Credentials: true}, time.Hour},
	} {
		meter := &upstreamtest.Counts{}
		w := &worker.Worker[relay.Hint, relay.SyncItem]{
			Decode: relay.DecodeHint, Item: relay.NewSyncItem, Sync: &syncs{errs: map[string]error{"1": tt.err}},
			Mailbox: worker.Mailbox{
				Queue: &queue{hidden: map[string]int32{}}, QueueURL: "https://sqs/queue", DeadLetterURL: "https://sqs/dead", Meter: meter,
				Random: func() float64 { return 0 }, Now: func() time.Time { return sent.Add(time.Hour) },
			},
		}
		young := message("b", "2", "", 1)
		young.Attributes["SentTimestamp"] = fmt.Sprint(sent.Add(59 * time.Minute).UnixMilli())
		if _, err := w.Lambda(t.Context(), events.SQSEvent{Records: []events.SQSMessage{message("a", "1", "", 1), young}}); err != nil {
			t.Fatal(err)
		}
		if got := meter.Longest("Waited"); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
