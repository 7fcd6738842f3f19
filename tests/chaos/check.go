package chaos

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
)

// rest waits until the stack has come to rest, asks for one reconcile and one
// sweep, waits again, and returns what is wrong then.
func (s *storm) rest(ctx context.Context) ([]string, error) {
	deadline := time.Now().Add(s.Settle)
	if err := s.quiet(ctx, deadline); err != nil {
		return nil, err
	}
	st, err := s.vendors.state(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.rings(ctx, st); err != nil {
		return nil, err
	}
	if err := s.quiet(ctx, deadline.Add(time.Minute)); err != nil {
		return nil, err
	}
	if st, err = s.vendors.state(ctx); err != nil {
		return nil, err
	}
	return s.check(st), nil
}

// quiet waits until the queues are empty and stay so for a moment: what was
// taken off them may still be worked on.
func (s *storm) quiet(ctx context.Context, deadline time.Time) error {
	status, _, err := s.vendors.call(ctx, http.MethodPost, s.Sandbox+"/flush", nil, nil, nil)
	if err != nil || status >= 300 {
		return fmt.Errorf("flush: %d %w", status, err)
	}
	told := time.Now()
	for calm := 0; calm < 3; {
		st, err := s.vendors.state(ctx)
		if err != nil {
			return err
		}
		waiting := 0
		for _, q := range st.AWS.Queues {
			if !strings.Contains(q.Name, "dead") {
				waiting += len(q.Messages)
			}
		}
		calm++
		if waiting > 0 {
			calm = 0
			if time.Now().After(deadline) {
				s.problem("%d messages still wait after %s", waiting, s.Settle)
				return nil
			}
			if time.Since(told) > 10*time.Second {
				told = time.Now()
				fmt.Fprintf(s.Progress, "%4.0f s  coming to rest, %d messages wait\n", time.Since(s.started).Seconds(), waiting)
			}
		}
		if !pause(ctx, 700*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

// rings sends what the schedules of reconcile and sweep send.
func (s *storm) rings(ctx context.Context, st sandbox.State) error {
	f := s.Fixtures.AWS
	client := sqs.New(sqs.Options{
		Region: f.Region, BaseEndpoint: aws.String(s.Sandbox + "/aws"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: f.AccessKeyID, SecretAccessKey: f.SecretAccessKey}, nil
		}),
	})
	now := time.Now().UTC()
	for _, m := range []struct{ queue, group, body string }{
		{"-reconcile.fifo", "zendesk", fmt.Sprintf(`{"desk":"zendesk","until":%q}`, now.Format(time.RFC3339))},
		{"-reconcile.fifo", "salesforce", fmt.Sprintf(`{"desk":"salesforce","until":%q}`, now.Format(time.RFC3339))},
		{"-sweep.fifo", "sweep", fmt.Sprintf(`{"sweep":%q}`, now.Format(time.RFC3339))},
	} {
		i := slices.IndexFunc(st.AWS.Queues, func(q sandbox.QueueState) bool { return strings.HasSuffix(q.Name, m.queue) })
		if i < 0 {
			return fmt.Errorf("the stack has no queue %s", m.queue)
		}
		if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: aws.String(st.AWS.Queues[i].URL), MessageBody: aws.String(m.body), MessageGroupId: aws.String(m.group),
			MessageDeduplicationId: aws.String(fmt.Sprintf("chaos-%s-%d", m.group, now.UnixNano())),
		}); err != nil {
			return fmt.Errorf("%s: %w", m.queue, err)
		}
	}
	return nil
}

// check compares what the vendors hold with what was done.
func (s *storm) check(st sandbox.State) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	ids := map[string][]string{}
	filed := map[string][]string{}
	for _, t := range st.Zendesk.Tickets {
		id := fmt.Sprint(t.ID)
		ids[t.Subject] = append(ids[t.Subject], id)
		for _, c := range t.Comments {
			if strings.HasPrefix(c.Body, "Chat transcript ") && !c.Public {
				filed[id] = append(filed[id], c.Body)
			}
		}
	}
	for _, c := range st.Salesforce.Cases {
		ids[c.Subject] = append(ids[c.Subject], c.ID)
	}
	for _, row := range st.Salesforce.Transcripts {
		id := fmt.Sprint(row["Caseroom_Case__c"])
		filed[id] = append(filed[id], fmt.Sprint(row["Caseroom_Body__c"]))
	}
	rooms := map[string]sandbox.TencentGroup{}
	for _, g := range st.Tencent.Groups {
		rooms[g.GroupID] = g
	}
	for subject, found := range ids {
		if len(found) > 1 && strings.HasPrefix(subject, "Storm ") {
			bad("%q was created %d times", subject, len(found))
		}
	}
	for _, q := range st.AWS.Queues {
		if strings.Contains(q.Name, "dead") && len(q.Messages) > 0 {
			bad("%d dead letters in %s: %s", len(q.Messages), q.Name, q.Messages[0].Body)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tickets {
		for _, p := range s.wrong(t, ids[t.subject], rooms, filed[t.id]) {
			bad("%s %s (agent %d, over %v): %s", t.desk, t.id, t.agent, t.over, p)
		}
	}
	return problems
}

func (s *storm) wrong(t *ticket, found []string, rooms map[string]sandbox.TencentGroup, filed []string) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !slices.Equal(found, []string{t.id}) {
		bad("the desk has %v of it", found)
		return problems
	}
	g, there := rooms[relay.Ref{Desk: t.desk, Ticket: t.id}.GroupID()]
	if !there {
		bad("there is no room")
		return problems
	}
	want := []string{t.customer}
	if !t.over && t.agent >= 0 {
		if t.desk == relay.Zendesk {
			want = append(want, fmt.Sprintf("zd_%d", s.Fixtures.Zendesk.AgentIDs[t.agent]))
		} else {
			want = append(want, "sf_"+s.Fixtures.Salesforce.AgentIDs[t.agent])
		}
	}
	var members []string
	for _, m := range g.Members {
		members = append(members, m.UserID)
	}
	slices.Sort(members)
	slices.Sort(want)
	if !slices.Equal(members, want) {
		bad("members %v, want %v", members, want)
	}
	if g.MuteAllMember != t.over {
		bad("muted %v", g.MuteAllMember)
	}
	last := ""
	for _, m := range g.Messages {
		if m.From == s.Fixtures.Tencent.AdminUserID {
			if m.Text == last {
				bad("told twice: %q", last)
			}
			last = m.Text
		}
	}
	if last == "" {
		bad("nobody was greeted")
	}
	text := strings.Join(filed, "\n")
	for _, token := range t.messages {
		held := 0
		for _, m := range g.Messages {
			if m.Text == token {
				held++
			}
		}
		if held != 1 {
			bad("the room has %s %d times", token, held)
		}
		if n := strings.Count(text, token); n > 1 || (n == 0 && t.over) {
			bad("%s is filed %d times", token, n)
		}
	}
	return problems
}
