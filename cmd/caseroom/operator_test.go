package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun/localruntest"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/relay"
)

// operator is somebody with a running stack and the command.
type operator struct {
	testing.TB
	ready localrun.Ready
	file  string // of the local run
	parts *parts
	stop  func() error
}

// newOperator starts a stack and returns who looks after it.
func newOperator(t *testing.T, parameters ...string) *operator {
	t.Helper()
	file := filepath.Join(t.TempDir(), "local.json")
	ready, _, stop := localruntest.Start(t, func(o *localrun.Options) {
		o.ReadyFile, o.Parameters = file, parameters
	})
	at := place{local: true, file: file}
	p, err := at.parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &operator{TB: t, ready: ready, file: file, parts: p, stop: stop}
}

// ran is what a command did.
type ran struct {
	code     int
	out, err string
}

// run runs the command line on the operator's stack.
func (o *operator) run(args ...string) ran {
	o.Helper()
	return o.runIn(o.Context(), "", append(args, "--local", "--local-file", o.file)...)
}

func (o *operator) runIn(ctx context.Context, stdin string, args ...string) ran {
	o.Helper()
	root := command()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(args)
	code := cli.Execute(ctx, root, &errs)
	for _, secret := range o.secrets() {
		if strings.Contains(out.String()+errs.String(), secret) {
			o.Errorf("%v prints a secret", args)
		}
	}
	return ran{code, out.String(), errs.String()}
}

// secrets are what no command may print.
func (o *operator) secrets() []string {
	fix := sandbox.New(sandbox.Options{Seed: 1}).Fixtures()
	return []string{
		fix.Tencent.SecretKey, fix.Zendesk.ClientSecret, fix.Zendesk.WebhookSecret, fix.Salesforce.ClientSecret,
		fix.LoginHS256, fix.GuestSecret, fix.DeskKeySalesforce, fix.AWS.SecretAccessKey, "usersig=",
	}
}

// want runs a command and checks its exit code.
func (o *operator) want(code int, args ...string) ran {
	o.Helper()
	r := o.run(args...)
	if r.code != code {
		o.Fatalf("caseroom %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// decode reads what --json printed.
func decode[T any](o *operator, r ran) T {
	o.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		o.Fatalf("%v in %s", err, r.out)
	}
	return v
}

// must stops the test on an error of its own doing.
func (o *operator) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// state is what the stand-ins hold.
func (o *operator) state() (s sandbox.State) {
	o.Helper()
	res, err := http.Get(o.ready.Sandbox + "/state")
	o.must(err)
	defer func() { _ = res.Body.Close() }()
	o.must(json.NewDecoder(res.Body).Decode(&s))
	return s
}

// members are who is in a room, nil if there is none.
func (o *operator) members(groupID string) (ids []string) {
	o.Helper()
	for _, g := range o.state().Tencent.Groups {
		if g.GroupID == groupID {
			for _, m := range g.Members {
				ids = append(ids, m.UserID)
			}
		}
	}
	return ids
}

// eventually waits until something is so.
func (o *operator) eventually(what string, is func() bool) {
	o.Helper()
	deadline := time.Now().Add(patience)
	for !is() {
		if time.Now().After(deadline) {
			o.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// fault arms a fault of the stand-ins until the test ends or heal is called.
func (o *operator) fault(f sandbox.Fault) {
	o.Helper()
	body, err := json.Marshal(f)
	o.must(err)
	res, err := http.Post(o.ready.Sandbox+"/faults", "application/json", bytes.NewReader(body))
	o.must(err)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		o.Fatalf("fault %+v: status %d", f, res.StatusCode)
	}
}

// click does what a person does at a vendor.
func (o *operator) click(what string, in any) {
	o.Helper()
	body, err := json.Marshal(in)
	o.must(err)
	res, err := http.Post(o.ready.Sandbox+"/desk/"+what, "application/json", bytes.NewReader(body))
	o.must(err)
	_ = res.Body.Close()
	if res.StatusCode >= 300 {
		o.Fatalf("%s: status %d", what, res.StatusCode)
	}
}

// setup changes how the Salesforce org is set up.
func (o *operator) setup(change func(*sandbox.SalesforceSetup)) {
	o.Helper()
	url := o.ready.Sandbox + "/desk/salesforce/setup"
	res, err := http.Get(url)
	o.must(err)
	var setup sandbox.SalesforceSetup
	o.must(json.NewDecoder(res.Body).Decode(&setup))
	_ = res.Body.Close()
	change(&setup)
	o.click("salesforce/setup", setup)
}

// heal takes all faults away.
func (o *operator) heal() {
	o.Helper()
	req, err := http.NewRequest(http.MethodDelete, o.ready.Sandbox+"/faults", nil)
	o.must(err)
	res, err := http.DefaultClient.Do(req)
	o.must(err)
	_ = res.Body.Close()
}

// putSecret writes a secret, as an operator does.
func (o *operator) putSecret(id, value string) {
	o.Helper()
	_, err := secretsmanager.NewFromConfig(o.parts.stack.AWS).PutSecretValue(o.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &id, SecretString: &value,
	})
	o.must(err)
}

// send puts a message into the queue of tickets.
func (o *operator) send(group, body string) {
	o.Helper()
	_, err := o.parts.sqs.SendMessage(o.Context(), &sqs.SendMessageInput{
		QueueUrl: &o.parts.Queue.URL, MessageBody: &body, MessageGroupId: &group, MessageDeduplicationId: aws.String(boot.NewID()),
	})
	o.must(err)
}

// dead is how many dead letters of tickets there are.
func (o *operator) dead() int {
	o.Helper()
	i := slices.IndexFunc(o.state().AWS.Queues, func(q sandbox.QueueState) bool {
		return strings.HasSuffix(o.parts.DeadLetters.URL, "/"+q.Name)
	})
	if i < 0 {
		o.Fatal("no dead-letter queue")
	}
	return o.state().AWS.Queues[i].Visible
}

func TestRoomShow(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	group := o.ready.Rooms.Zendesk
	r := o.want(0, "room", "show", group)
	for _, want := range []string{"A first ticket", "dana (customer)", "do nothing: the room is right", "cr1;"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	o.want(0, "room", "show", "salesforce:"+o.ready.Rooms.Salesforce[:15], "--desk", "salesforce")

	o.must(o.parts.rooms.Remove(t.Context(), group, "dana"))
	id := strings.TrimPrefix(group, "ZENDESK#")
	v := decode[roomView](o, o.want(3, "room", "show", id, "--json"))
	if len(v.Sync.Steps) != 1 || v.Sync.Steps[0].Action != "join" || v.Sync.Steps[0].User != "dana" {
		t.Errorf("Sync would %+v", v.Sync.Steps)
	}
	o.must(o.parts.rooms.Destroy(t.Context(), group))
	r = o.want(3, "room", "show", "zendesk:"+id)
	for _, want := range []string{"there is none", "make the room", "add dana", "tell the room: Thank you"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	if got := o.members(group); got != nil {
		t.Errorf("showing the room made it, with %v", got)
	}
	if r := o.want(3, "room", "show", "999999"); !strings.Contains(r.out, "the desk does not show it") {
		t.Errorf("a ticket that never was:\n%s", r.out)
	}
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	o := newOperator(t)
	if r := o.want(0, "redrive", "--dry-run"); !strings.Contains(r.out, "no dead letters") {
		t.Errorf("at first: %s", r.out)
	}
	o.send("zendesk:7", `{"v":2,"desk":"zendesk","ticket":"7","hint":""}`)
	o.send("zendesk:8", `{"v":2,"desk":"zendesk","ticket":"8","hint":""}`)
	o.eventually("two letters are dead", func() bool { return o.dead() == 2 })

	report := decode[redriveReport](o, o.want(0, "redrive", "--dry-run", "--json"))
	if len(report.Letters) != 2 || report.Moved != 0 || len(report.Reasons) != 1 || report.Reasons[0].Count != 2 || report.Reasons[0].Reason == "" {
		t.Errorf("listed %+v", report)
	}
	if o.dead() != 2 {
		t.Error("listing moved or hid letters")
	}
	if r := decode[redriveReport](o, o.want(0, "redrive", "--reason", "no such reason", "--json")); r.Kept != 2 || r.Moved != 0 {
		t.Errorf("another reason: %+v", r)
	}
	if r := decode[redriveReport](o, o.want(0, "redrive", "--ticket", "7", "--json")); r.Moved != 1 || r.Kept != 1 {
		t.Errorf("one ticket: %+v", r)
	}
	// It dies of the same cause again.
	o.eventually("the letter is dead again", func() bool { return o.dead() == 2 })
	o.fault(sandbox.Fault{Vendor: "aws", Op: "SendMessage", Kind: "code", Code: "AccessDeniedException"})
	if r := o.want(1, "redrive"); !strings.Contains(r.err, "AccessDenied") {
		t.Errorf("a queue that takes nothing: %s", r.err)
	}
	o.heal()
	if o.dead() != 2 {
		t.Error("a letter that was not taken is gone or hidden")
	}
	o.want(2, "redrive", "--queue", "nonsense")
}

// agents are the sandbox's two Zendesk agents.
func (o *operator) agents() [2]int64 {
	o.Helper()
	return sandbox.New(sandbox.Options{Seed: 1}).Fixtures().Zendesk.AgentIDs
}

func accountOf(userID string) relay.Account { return relay.Account{UserID: userID, Nick: userID} }

// closeCase closes a Salesforce case and waits until its room is locked.
func (o *operator) closeCase(id string) {
	o.Helper()
	o.must(o.parts.salesforce.UpdateCase(o.Context(), id, map[string]any{"Status": "Closed"}))
	o.eventually(id+" is locked", func() bool { return o.group(id).MuteAllMember })
}

// ticketNumber is the ticket of a Zendesk room.
func ticketNumber(groupID string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(groupID, "ZENDESK#"), 10, 64)
	return n
}
