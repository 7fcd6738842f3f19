package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/tencentim"
)

// alarm is an alarm of monitoring.yaml.
type alarm struct {
	name       string
	namespace  string
	metric     string
	dimensions map[string]string // as monitoring.yaml writes them, such as "${StackName}-sync.fifo"
	threshold  float64
}

var selects = regexp.MustCompile(`^SELECT SUM\((\w+)\) FROM "(\w+)" WHERE "(\w+)" = '(\$\{\w+\})'$`)

// alarms are those of monitoring.yaml.
func alarms(t *testing.T) map[string]alarm {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "monitoring.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	list := map[string]alarm{}
	for name, r := range document.Resources {
		if r.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		var p struct {
			Namespace  string `yaml:"Namespace"`
			MetricName string `yaml:"MetricName"`
			Dimensions []struct {
				Name  string `yaml:"Name"`
				Value string `yaml:"Value"`
			} `yaml:"Dimensions"`
			Metrics []struct {
				Expression string `yaml:"Expression"`
			} `yaml:"Metrics"`
			Threshold float64 `yaml:"Threshold"`
		}
		if err := r.Properties.Decode(&p); err != nil {
			t.Fatal(err)
		}
		a := alarm{name: name, namespace: p.Namespace, metric: p.MetricName, threshold: p.Threshold, dimensions: map[string]string{}}
		for _, d := range p.Dimensions {
			a.dimensions[d.Name] = d.Value
		}
		if len(p.Metrics) == 1 {
			if m := selects.FindStringSubmatch(p.Metrics[0].Expression); m != nil {
				a.metric, a.namespace = m[1], m[2]
				a.dimensions[m[3]] = m[4]
			}
		}
		list[name] = a
	}
	return list
}

// counted sums a metric in a function's log, as CloudWatch reads it: embedded
// lines alone, each with its namespace and its dimensions beside the value; of
// the stack that the alarm is of.
func (s *stack) counted(t *testing.T, log string, a alarm) (sum float64) {
	t.Helper()
	for _, line := range strings.Split(log, "\n") {
		_, text, ok := strings.Cut(line, " | ")
		if !ok || !strings.Contains(text, `"_aws"`) {
			continue
		}
		var embedded struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name string }
				}
			} `json:"_aws"`
		}
		var members map[string]any
		if json.Unmarshal([]byte(text), &embedded) != nil || json.Unmarshal([]byte(text), &members) != nil {
			t.Errorf("a metric that CloudWatch drops: %s", text)
			continue
		}
		for _, d := range embedded.AWS.CloudWatchMetrics {
			for _, names := range d.Dimensions {
				for _, n := range names {
					if _, ok := members[n].(string); !ok {
						t.Errorf("dimension %s has no value: %s", n, text)
					}
				}
			}
			selected := true
			for name, word := range a.dimensions {
				selected = selected && members[name] == s.named(word) && len(d.Dimensions) == 1 && slices.Contains(d.Dimensions[0], name)
			}
			for _, m := range d.Metrics {
				if !selected {
					continue
				}
				if value, ok := members[m.Name].(float64); ok && d.Namespace == a.namespace && m.Name == a.metric {
					sum += value
				}
			}
		}
	}
	return sum
}

// named is a text of monitoring.yaml with the stack's name in it.
func (s *stack) named(text string) string {
	return strings.ReplaceAll(text, "${StackName}", s.host.Stack().Name)
}

// waiting is the alarm's metric of a queue, as SQS would report it.
func (s *stack) waiting(a alarm) float64 {
	s.tb.Helper()
	name := s.named(a.dimensions["QueueName"])
	queues := s.box.State().AWS.Queues
	i := slices.IndexFunc(queues, func(q sandbox.QueueState) bool { return q.Name == name })
	if i < 0 {
		s.tb.Fatalf("%s watches the queue %q, which there is not", a.name, name)
	}
	return float64(queues[i].Visible)
}

// command builds caseroom and returns what runs it on the stack.
func (s *stack) command(t *testing.T) func(args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	binary, envFile := filepath.Join(dir, "caseroom"), filepath.Join(dir, "env")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/caseroom")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the command does not build: %v\n%s", err, out)
	}
	env := map[string]string{}
	for _, f := range s.host.Stack().Functions {
		maps.Copy(env, f.Env)
	}
	env["AWS_ENDPOINT_URL"] = s.options.Env["AWS_ENDPOINT_URL"]
	var lines strings.Builder
	for k, v := range env {
		fmt.Fprintf(&lines, "%s=%s\n", k, v)
	}
	s.must(os.WriteFile(envFile, []byte(lines.String()), 0o600))
	return func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, append(args, "--env-file", envFile, "--json")...)
		cmd.Env = append(os.Environ(), "AWS_REGION="+s.fix.AWS.Region,
			"AWS_ACCESS_KEY_ID="+s.fix.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+s.fix.AWS.SecretAccessKey)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("caseroom %v: %v\n%s%s", args, err, out, &errs)
		}
		return out
	}
}

// TestPoison follows a message that no retry helps: into the dead-letter queue,
// to the alarm, through the mending of its cause and back by the command, until
// the room is right.
func TestPoison(t *testing.T) {
	s := newStack(t)
	all := alarms(t)
	dead := all["SyncDeadLettersAlarm"]
	if dead.namespace != "AWS/SQS" || dead.metric != "ApproximateNumberOfMessagesVisible" || dead.threshold != 1 {
		t.Fatalf("the alarm watches something else: %+v", dead)
	}
	made := s.createTicket("/zendesk/createticket", s.customer("dana"))
	group := made.text("GroupId")
	// Another installation on the same app takes the room's id.
	s.must(s.rooms().Destroy(t.Context(), group))
	s.must(s.rooms().Client.CreateGroup(t.Context(), tencentim.NewGroup{
		GroupID: group, Type: tencentim.TypePublic, Name: "Theirs", ApplyJoinOption: tencentim.DisableApply,
		InviteJoinOption: tencentim.DisableInvite, Introduction: relay.Mark{Desk: relay.DeskHash("other.zendesk.com")}.String(),
	}))
	if got := s.waiting(dead); got != 0 {
		t.Fatalf("%v dead letters at first", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.host.Run(ctx) }()
	defer func() { cancel(); <-done }()

	s.until(func() bool { return s.waiting(dead) >= dead.threshold })
	s.logged("", `"DeadLetter"`)
	if got := s.counted(t, s.log.String(), alarm{namespace: "caseroom", metric: "DeadLetter"}); got != 1 {
		t.Errorf("the function counted %v dead letters", got)
	}

	caseroom := s.command(t)
	var report struct {
		Moved   int `json:"moved"`
		Letters []struct {
			Group, Reason string
		} `json:"letters"`
	}
	s.must(json.Unmarshal(caseroom("redrive", "--dry-run"), &report))
	if len(report.Letters) != 1 || report.Letters[0].Group != "zendesk:"+strings.TrimPrefix(group, "ZENDESK#") || !strings.Contains(report.Letters[0].Reason, "another stack") {
		t.Fatalf("the letters: %+v", report)
	}
	s.must(s.rooms().Destroy(t.Context(), group)) // they give it up
	s.must(json.Unmarshal(caseroom("redrive", "--reason", "another stack"), &report))
	if report.Moved != 1 {
		t.Errorf("moved: %+v", report)
	}
	s.until(func() bool {
		g, ok := s.box.Group(group)
		return ok && slices.Equal(members(g), []string{"dana"}) && len(g.Messages) == 1 && s.waiting(dead) == 0 && len(s.hints()) == 0
	})
	var view struct {
		Whose string `json:"whose"`
		Sync  struct {
			Steps []any `json:"steps"`
		} `json:"sync"`
	}
	s.must(json.Unmarshal(caseroom("room", "show", group), &view))
	if view.Whose != "ours" || len(view.Sync.Steps) != 0 {
		t.Errorf("the room: %+v", view)
	}
}

// TestRefusalsAreHeard tries keys as often as the alarm waits for, and finds in the
// log who asked, and who did not prove to be anybody.
func TestRefusalsAreHeard(t *testing.T) {
	a := alarms(t)["CallersRefusedAlarm"]
	if a.metric == "" || a.dimensions["stack"] == "" {
		t.Fatalf("the alarm watches no metric of this stack's functions: %+v", a)
	}
	s := newStack(t)
	for i := range int(a.threshold) {
		s.refused(t, request{path: "/deletegroup", as: fmt.Sprintf("guessed-key-%04d", i), body: `{"groupId":"ZENDESK#1"}`}, "unauthorized")
	}
	s.logged("", `"`+a.metric+`"`)
	s.until(func() bool { return s.counted(t, s.log.String(), a) >= a.threshold })
	if log := s.log.String(); !strings.Contains(log, `"caller":"nobody"`) || strings.Contains(log, "guessed-key") {
		t.Errorf("the log does not name the caller, or tells the key:\n%s", log)
	}
}

// TestWhoDidIt follows a room that an agent joined and a desk's key dissolved: the
// log says who asked, for whom, and by the request's id that the room went with it.
func TestWhoDidIt(t *testing.T) {
	s := newStack(t)
	made := s.createTicket("/zendesk/createticket", s.customer("dana"))
	group, agent := made.text("GroupId"), s.zendeskAgent()
	s.do(request{path: "/joingroup", as: s.fix.DeskKeyZendesk, body: object("groupId", group, "userId", agent)}).ok(t)
	s.do(request{path: "/deletegroup", as: s.fix.DeskKeyZendesk, body: object("groupId", group)}).ok(t)
	s.logged("", "room dissolved")
	find := func(is func(line map[string]any) bool) map[string]any {
		t.Helper()
		for _, line := range strings.Split(s.log.String(), "\n") {
			_, text, _ := strings.Cut(line, " | ")
			var members map[string]any
			if json.Unmarshal([]byte(text), &members) == nil && is(members) {
				return members
			}
		}
		t.Fatal("there is no such line")
		return nil
	}
	call := func(route string) map[string]any {
		return find(func(l map[string]any) bool { return l["message"] == "request" && l["route"] == route })
	}
	created, joined, deleted := call("POST /zendesk/createticket"), call("POST /joingroup"), call("POST /deletegroup")
	key := identity.HashID("", s.fix.DeskKeyZendesk, 8)
	for _, c := range []struct {
		line        map[string]any
		field, want string
	}{
		{created, "caller", "login"}, {created, "user", "dana"},
		{joined, "caller", "deskKey"}, {joined, "callerDesk", "zendesk"}, {joined, "callerKey", key}, {joined, "user", "zd_" + agent},
		{deleted, "caller", "deskKey"}, {deleted, "callerKey", key},
	} {
		if c.line[c.field] != c.want {
			t.Errorf("%v: %s is %v, want %s", c.line["route"], c.field, c.line[c.field], c.want)
		}
	}
	gone := find(func(l map[string]any) bool { return l["message"] == "room dissolved" })
	if gone["requestId"] == nil || gone["requestId"] != deleted["requestId"] || gone["ticket"] != made.text("ticketId") {
		t.Errorf("the room went by %v, and the call was %v", gone, deleted)
	}
}

// TestAlarmsHear causes what alarms of the functions' own metrics are for, and
// finds the metric in the log as the alarm's expression selects it.
func TestAlarmsHear(t *testing.T) {
	all := alarms(t)
	for name, cause := range map[string]func(*stack){
		"QuotaExceededAlarm": func(s *stack) {
			s.must(s.box.AddFault(sandbox.Fault{Vendor: "tencent", Op: "get_group_info", Kind: "code", Code: "60028"}))
		},
		"CredentialsRefusedAlarm": func(s *stack) {
			s.must(s.box.AddFault(sandbox.Fault{Vendor: "tencent", Op: "get_group_info", Kind: "code", Code: "60010"}))
		},
		"RoomSquattedAlarm": func(s *stack) {
			group := "ZENDESK#" + fmt.Sprint(s.box.Zendesk().Tickets()[0].ID)
			s.must(s.rooms().Destroy(context.Background(), group))
			s.must(s.box.CreateGroupAs("mallory", sandbox.ClientGroup{GroupID: group, Type: "Public", Name: "Mine"}))
		},
		"RoomMarkLostAlarm": func(s *stack) {
			s.must(s.box.SetIntroduction("ZENDESK#"+fmt.Sprint(s.box.Zendesk().Tickets()[0].ID), "Support chat"))
		},
		"TicketsHiddenAlarm": func(s *stack) {
			s.must(s.box.AddFault(sandbox.Fault{Vendor: "zendesk", Op: "tickets_show_many", Kind: "status", Status: 200, Body: `{"tickets":[],"users":[]}`}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := all[name]
			if a.metric == "" || a.namespace == "" || a.dimensions["stack"] == "" {
				t.Fatalf("the alarm watches no metric of this stack's functions: %+v", a)
			}
			s := newStack(t)
			made := s.createTicket("/zendesk/createticket", s.customer("dana"))
			before := s.log.String()
			cause(s)
			s.deliver(s.syncOf("zendesk", made.text("ticketId"), ""), 1)
			s.logged(before, `"`+a.metric+`"`)
			if got := s.counted(t, strings.TrimPrefix(s.log.String(), before), a); got < 1 {
				t.Errorf("the log counts %v", got)
			}
		})
	}
}
