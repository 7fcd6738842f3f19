package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localrun/localruntest"
	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// The table of states, tried on the running command: a row is what somebody does
// at a desk, through the sandbox's own actions, and what the ticket's room must be
// once nothing is on its way any more. /state says what it is, and caseroom room
// show has to find nothing to do.

// town is a running stack with everybody who has a part in its tickets.
type town struct {
	*operator
	know       localrun.Knowledge
	out        *localruntest.Output
	parameters []string
	stuck      *[]string // message groups of tickets that the desk hides
}

func newTown(t *testing.T, parameters ...string) *town {
	t.Helper()
	file := filepath.Join(t.TempDir(), "local.json")
	ready, out, stop := localruntest.Start(t, func(o *localrun.Options) {
		o.ReadyFile, o.Parameters, o.Logs = file, parameters, true
	})
	at := place{local: true, file: file}
	p, err := at.parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &town{operator: &operator{TB: t, ready: ready, file: file, parts: p, stop: stop}, out: out, parameters: parameters, stuck: new([]string)}
	localruntest.Get(t, ready.Gateway+"/demo.json", &w.know)
	return w
}

// of is the town in the hands of another test.
func (w *town) of(t *testing.T) *town {
	own, o := *w, *w.operator
	o.TB = t
	own.operator = &o
	return &own
}

// fields are a JSON object.
type fields map[string]any

func (f fields) text(name string) string {
	if n, ok := f[name].(float64); ok {
		return strconv.FormatInt(int64(n), 10)
	}
	s, _ := f[name].(string)
	return s
}

// post sends a JSON object and returns the one that is answered. The headers are
// in pairs.
func (w *town) post(url string, body any, headers ...string) (int, fields) {
	w.Helper()
	text, err := json.Marshal(body)
	w.must(err)
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, url, bytes.NewReader(text))
	w.must(err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	w.must(err)
	var f fields
	_ = json.Unmarshal(raw, &f)
	return res.StatusCode, f
}

// click is what somebody does at a vendor.
func (w *town) click(path string, body any) fields {
	w.Helper()
	status, f := w.post(w.ready.Sandbox+"/desk/"+path, body)
	if status >= 300 {
		w.Fatalf("%s %v: %d %v", path, body, status, f)
	}
	return f
}

// settled waits until nothing is on its way: no notification, and no message of
// a ticket in a queue, but for those that stay there on purpose.
func (w *town) settled() {
	w.Helper()
	for quiet := 0; quiet < 2; quiet++ {
		w.post(w.ready.Sandbox+"/flush", nil)
		w.eventually("nothing waits", func() bool {
			for _, q := range w.state().AWS.Queues {
				for _, m := range q.Messages {
					if strings.Contains(q.Name, "dead") {
						w.Fatalf("dead in %s: %s", q.Name, m.Body)
					}
					if !slices.Contains(*w.stuck, m.Group) {
						quiet = 0
						return false
					}
				}
			}
			return true
		})
	}
}

// counted is how often the functions have counted a metric.
func (w *town) counted(metric string) int {
	return strings.Count(w.out.String(), `"`+metric+`":1`)
}

// file is a ticket with its room, and the customer's chat.
type file struct {
	*town
	desk      relay.DeskName
	id, group string
	customer  string
	session   string
	work      string // the newest in Omni-Channel
	other     *file  // what it is merged into, or was
	words     []string
	seen      int // RoomSquatted before
}

// opens makes a ticket as a customer does, and goes to its room.
func (w *town) opens(desk relay.DeskName, who localrun.Person) *file {
	w.Helper()
	status, f := w.post(w.ready.Gateway+"/"+string(desk)+"/createticket",
		fields{"caseInfo": fields{"subject": "The lamp", "desc": "It is dark."}},
		"Authorization", "Bearer "+who.Token, "Idempotency-Key", uuid.NewString())
	if status != http.StatusOK {
		w.Fatalf("createticket: %d %v", status, f)
	}
	return &file{town: w, desk: desk, id: f.text("ticketId"), group: f.text("GroupId"), customer: who.ID}
}

// login opens the chat in the customer's browser.
func (f *file) login() {
	f.Helper()
	i := slices.IndexFunc(f.know.Customers, func(p localrun.Person) bool { return p.ID == f.customer })
	status, sig := f.post(f.ready.Gateway+"/usersig", fields{}, "Authorization", "Bearer "+f.know.Customers[i].Token)
	if status != http.StatusOK {
		f.Fatalf("usersig: %d %v", status, sig)
	}
	status, in := f.post(f.ready.Sandbox+"/chat/login", fields{"sdkAppId": sig["sdkAppId"], "userId": f.customer, "userSig": sig["userSig"], "session": f.session})
	if status != http.StatusOK {
		f.Fatalf("login: %d %v", status, in)
	}
	f.session = in.text("session")
}

// send is a message of the customer's; it returns the chat's refusal, 0 for none.
func (f *file) send(text string) int {
	f.Helper()
	for {
		status, a := f.post(f.ready.Sandbox+"/chat/groups/send", fields{"session": f.session, "groupId": f.group, "type": "text", "text": text})
		code, _ := a["code"].(float64)
		if status == http.StatusOK {
			return 0
		}
		if code != 2024 { // another file's login took the browser's place
			return int(code)
		}
		f.login()
	}
}

func says(f *file) {
	word := "word-" + uuid.NewString()
	if code := f.send(word); code != 0 {
		f.Fatalf("the customer cannot write: %d", code)
	}
	f.words = append(f.words, word)
}

// at runs one action of the ticket's own desk.
func (f *file) at(zendesk, salesforce string, more fields) {
	f.Helper()
	path, body := "salesforce/"+salesforce, fields{"case": f.id}
	if f.desk == relay.Zendesk {
		n, err := strconv.ParseInt(f.id, 10, 64)
		f.must(err)
		path, body = "zendesk/"+zendesk, fields{"ticket": n}
	}
	for k, v := range more {
		body[k] = v
	}
	f.click(path, body)
}

// Owners beside the desk's two agents.
const (
	nobody    = -1
	ourselves = -2
)

func (f *file) person(who int) (deskID, userID string) {
	d := f.know.Salesforce
	if f.desk == relay.Zendesk {
		d = f.know.Zendesk
	}
	switch who {
	case nobody:
		return "0", ""
	case ourselves:
		return d.Own, ""
	}
	id := d.Agents[who].ID
	return id, f.parts.agentID(f.desk, id)
}

func owner(who int) func(*file) {
	return func(f *file) {
		id, _ := f.person(who)
		switch {
		case f.desk == relay.Zendesk:
			n, err := strconv.ParseInt(id, 10, 64)
			f.must(err)
			f.at("assign", "", fields{"agent": n})
		case who == nobody:
			f.at("", "queue", nil)
		default:
			f.at("", "owner", fields{"owner": id})
		}
	}
}

func status(s string) func(*file) {
	return func(f *file) { f.at("status", "status", fields{"status": s}) }
}

// ends solves a Zendesk ticket and closes a Salesforce case.
func ends(f *file) {
	if f.desk == relay.Zendesk {
		status("solved")(f)
		return
	}
	f.at("", "close", nil)
}

func reopens(f *file) {
	if f.desk == relay.Zendesk {
		status("open")(f)
		return
	}
	f.at("", "reopen", nil)
}

func does(action string) func(*file) {
	return func(f *file) { f.at(action, action, nil) }
}

// mergesInto merges the ticket into another: of the same customer, of another, or
// one that an agent made.
func mergesInto(other func(*file) *file) func(*file) {
	return func(f *file) {
		f.other = other(f)
		f.settled()
		if f.desk == relay.Salesforce {
			f.click("salesforce/merge", fields{"case": f.other.id, "loser": f.id})
			return
		}
		n, err := strconv.ParseInt(f.id, 10, 64)
		f.must(err)
		into, err := strconv.ParseInt(f.other.id, 10, 64)
		f.must(err)
		f.click("zendesk/merge", fields{"ticket": into, "sources": []int64{n}})
	}
}

func theirOwn(f *file) *file { return f.opens(f.desk, f.know.Customers[0]) }
func another(f *file) *file  { return f.opens(f.desk, f.know.Customers[1]) }
func agents(f *file) *file {
	c := f.click(string(f.desk)+"/create", fields{"subject": "An agent's own"})
	id := c.text("ticket") + c.text("case")
	return &file{town: f.town, desk: f.desk, id: id, group: relay.Ref{Desk: f.desk, Ticket: id}.GroupID()}
}

func chat(action string, who func(*file) string) func(*file) {
	return func(f *file) {
		body := fields{"groupId": f.group}
		if who != nil {
			body["userId"] = who(f)
		}
		f.click("tencent/"+action, body)
	}
}

func eve(*file) string           { return "eve" }
func theCustomer(f *file) string { return f.customer }
func agent(who int) func(*file) string {
	return func(f *file) string { _, id := f.person(who); return id }
}

// syncs is the operator's own word that something may be wrong.
func syncs(f *file) { f.want(0, "sync", "--ticket", f.group) }

// offers gives a user work on the case in Omni-Channel.
func offers(who int) func(*file) {
	return func(f *file) {
		id, _ := f.person(who)
		f.work = f.click("salesforce/agentwork", fields{"case": f.id, "user": id}).text("agentWork")
	}
}

func work(status string) func(*file) {
	return func(f *file) {
		f.click("salesforce/agentwork/status", fields{"agentWork": f.work, "status": status})
	}
}

func active(who int, is bool) func(*file) {
	return func(f *file) {
		id, _ := f.person(who)
		f.click("salesforce/active", fields{"user": id, "active": is})
	}
}

// calls is a call of a member route by the ticket's desk.
func calls(route string, who int) func(*file) {
	return func(f *file) {
		id, _ := f.person(who)
		key, path := f.know.Salesforce.Key, "/salesforce/"+route
		if f.desk == relay.Zendesk {
			key, path = f.know.Zendesk.Key, "/"+route
		}
		defer f.settled()
		if code, a := f.post(f.ready.Gateway+path, fields{"groupId": f.group, "userId": id}, "Authorization", "Bearer "+key); code != http.StatusOK {
			f.Fatalf("%s: %d %v", route, code, a)
		}
	}
}

func all(acts ...func(*file)) func(*file) {
	return func(f *file) {
		for _, act := range acts {
			act(f)
			f.settled()
		}
	}
}

// room is what a ticket's room must be.
type room struct {
	gone   bool
	locked bool
	agents []int
	// told is the kind of the last notice, and what else its text has to name.
	told string
	// filed says where the customer's newest words stand, each in one transcript:
	// ticket, archive, or nowhere yet.
	filed string
	also  func(*file)
}

type step struct {
	do   func(*file)
	want room
}

type tableRow struct {
	name  string
	desk  relay.DeskName // "" both
	steps []step
	// suspended: the desk takes nothing more from the customer, so it is another.
	suspended bool
}

var (
	waits = room{told: "waiting"}
	with  = func(who ...int) room { return room{told: "joined", agents: who} }
	over  = room{locked: true, told: "ended", filed: "ticket"}
	lost  = room{locked: true, told: "ended", filed: "archive"}
)

// and adds to a room what else has to be so.
func (r room) and(also func(*file)) room {
	r.also = also
	return r
}

func (r room) filedIn(where string) room {
	r.filed = where
	return r
}

// tableRows are the table with MEMBERSHIP=desk, SOLVED=lock and OMNI=on.
func tableRows() []tableRow {
	mute := func(f *file) {
		if code := f.send("May I?"); code != 10017 {
			f.Errorf("the customer writes to a locked room: %d", code)
		}
		f.login()
		res, err := http.Get(f.ready.Sandbox + "/chat/groups/messages?session=" + f.session + "&groupId=" + strings.ReplaceAll(f.group, "#", "%23"))
		f.must(err)
		defer func() { _ = res.Body.Close() }()
		if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || !strings.Contains(string(text), f.words[0]) {
			f.Errorf("the customer cannot read a locked room: %d %s", res.StatusCode, text)
		}
	}
	pointed := func(yes bool) func(*file) {
		return func(f *file) {
			notices := f.notices(f.group)
			if last := notices[len(notices)-1]; strings.Contains(last.Text, f.other.id) != yes {
				f.Errorf("%s was merged into %s, and told %q", f.id, f.other.id, last.Text)
			}
			if m := f.members(f.other.group); f.other.customer != "" && !slices.Equal(m, []string{f.other.customer}) {
				f.Errorf("the survivor's room has %v", m)
			}
		}
	}
	squat := func(f *file) { f.seen = f.counted("RoomSquatted") }
	rung := func(f *file) {
		f.eventually("the squat is counted", func() bool { return f.counted("RoomSquatted") > f.seen })
	}
	merged, ended := room{locked: true, told: "merged", filed: "archive"}, lost
	return []tableRow{
		{name: "an owner", steps: []step{
			{nil, waits},
			{owner(0), with(0)}, {owner(1), with(1)}, {owner(nobody), waits}, {owner(0), with(0)}, {owner(ourselves), waits},
		}},
		{name: "other changes", steps: []step{
			{owner(0), with(0)},
			{func(f *file) {
				f.at("tag", "comment", map[bool]fields{true: {"tags": []string{zendesk.Tag, "vip"}}, false: {"body": "A note"}}[f.desk == relay.Zendesk])
			}, with(0)},
			{syncs, with(0)},
		}},
		{name: "the tag is lost", desk: relay.Zendesk, steps: []step{
			{all(owner(0), func(f *file) { f.at("tag", "", fields{"tags": []string{"vip"}}) }, syncs), with(0)},
		}},
		{name: "solved and reopened", steps: []step{
			{all(owner(0), says, says, ends), over.and(mute)},
			{syncs, over},
			{reopens, with(0).filedIn("ticket")},
			{says, with(0)},
			{ends, over},
		}},
		{name: "the statuses between", desk: relay.Zendesk, steps: []step{
			{all(owner(0), status("pending")), with(0)}, {status("hold"), with(0)}, {status("open"), with(0)},
		}},
		{name: "the statuses between", desk: relay.Salesforce, steps: []step{
			{all(owner(0), status("Escalated")), with(0)}, {status("Working"), with(0)},
		}},
		{name: "solved, then closed", desk: relay.Zendesk, steps: []step{
			{all(owner(0), says, ends), over}, {status("closed"), over},
		}},
		{name: "closed without being solved", desk: relay.Zendesk, steps: []step{
			{all(owner(0), says), with(0)}, {status("closed"), lost.and(mute)},
		}},
		{name: "merged, the same customer", steps: []step{
			{all(owner(0), says), with(0)}, {mergesInto(theirOwn), merged.and(pointed(true))}, {syncs, merged},
		}},
		{name: "merged, another customer", steps: []step{
			{all(owner(0), says), with(0)}, {mergesInto(another), ended.and(pointed(false))}, {syncs, ended},
		}},
		{name: "merged into an agent's own", steps: []step{
			{says, waits}, {mergesInto(agents), ended.and(pointed(false))},
		}},
		{name: "merged, and taken back", desk: relay.Salesforce, steps: []step{
			{all(owner(0), says), with(0)}, {mergesInto(theirOwn), merged}, {does("undelete"), with(0).filedIn("archive")},
		}},
		{name: "deleted and undeleted", steps: []step{
			{all(owner(0), says), with(0)},
			{does("delete"), lost.and(mute)}, {syncs, lost},
			{does("undelete"), with(0).filedIn("archive")},
			{says, with(0)}, {ends, over},
		}},
		{name: "solved, then deleted", steps: []step{
			{all(owner(0), says, ends), over}, {does("delete"), over}, {does("undelete"), over}, {reopens, with(0).filedIn("ticket")},
		}},

		{name: "deleted for good", desk: relay.Zendesk, steps: []step{
			{all(owner(0), says, does("delete")), lost}, {does("purge"), lost},
		}},
		{name: "people by the chat's own doors", steps: []step{
			{owner(0), with(0)},
			{all(chat("add", eve), chat("add", agent(1)), syncs), with(0)},
			{all(chat("quit", theCustomer), syncs), with(0)},
			{all(chat("remove", agent(0)), syncs), with(0)},
			{all(func(f *file) { f.click("tencent/mute", fields{"groupId": f.group, "muted": true}) }, syncs), with(0)},
		}},
		{name: "a room that vanished", steps: []step{
			{owner(0), with(0)}, {all(chat("destroy", nil), syncs), with(0)},
		}},
		{name: "a squat", steps: []step{
			{owner(0), with(0)},
			{all(squat, chat("destroy", nil), chat("squat", eve), owner(1)), with(1).and(rung)},
			{all(ends, squat, chat("destroy", nil), chat("squat", eve), syncs), room{locked: true, told: "ended"}.and(rung)},
		}},
		{name: "a squat, and the ticket is deleted", desk: relay.Zendesk, steps: []step{
			{owner(0), with(0)},
			{all(squat, chat("destroy", nil), chat("squat", eve), does("delete")), room{gone: true}.and(rung)},
		}},
		{name: "calls beside the desk", steps: []step{
			{owner(0), with(0)}, {calls("joingroup", 1), with(0)}, {calls("leavegroup", 0), with(0)},
		}},
		{name: "offered and accepted", desk: relay.Salesforce, steps: []step{
			{offers(0), waits}, {work("Opened"), with(0)}, {work("Closed"), with(0)},
		}},
		{name: "offered and declined", desk: relay.Salesforce, steps: []step{
			{offers(0), waits}, {work("Declined"), waits}, {all(offers(1), work("DeclinedOnPushTimeout")), waits},
		}},
		{name: "work without owning, until it ends", desk: relay.Salesforce, steps: []step{
			{all(offers(0), work("Opened"), owner(nobody)), with(0)},
			{owner(1), with(0, 1)}, {work("Closed"), with(1)},
		}},
		{name: "work passed on", desk: relay.Salesforce, steps: []step{
			{all(offers(0), work("Opened"), says), with(0)},
			{all(work("Transferred"), offers(1)), with(0)}, // who owns the case until another accepts
			{work("Opened"), with(1)},
			{ends, over},
		}},
		{name: "spam and undeleted", desk: relay.Zendesk, suspended: true, steps: []step{
			{all(owner(0), says), with(0)}, {does("spam"), lost}, {does("undelete"), with(0).filedIn("archive")},
		}},
	}
}

// callRows are those that MEMBERSHIP=calls and SOLVED=open change.
func callRows() []tableRow {
	return []tableRow{
		{name: "an owner", steps: []step{
			{owner(0), waits},
			{calls("joingroup", 1), with(1)},
			{owner(1), with(1)}, {owner(nobody), with(1)},
			{calls("joingroup", 0), with(0, 1)},
			{calls("leavegroup", 1), with(0)}, {calls("leavegroup", 0), waits},
		}},
		{name: "strangers are still none of it", steps: []step{
			{all(calls("joingroup", 0), chat("add", eve), chat("quit", theCustomer), syncs), with(0)},
		}},
		{name: "solved, reopened, closed", desk: relay.Zendesk, steps: []step{
			{all(owner(0), calls("joingroup", 0), says, ends), room{told: "ended", agents: []int{0}, filed: "ticket"}},
			{all(says, syncs), room{told: "ended", agents: []int{0}, filed: "ticket"}},
			{reopens, with(0).filedIn("ticket")},
			{all(ends, says, status("closed")), room{locked: true, told: "ended", agents: []int{0}, filed: "archive"}},
			{calls("leavegroup", 0), room{locked: true, told: "ended", filed: "archive"}},
		}},
		{name: "closed and reopened", desk: relay.Salesforce, steps: []step{
			{all(owner(0), calls("joingroup", 0), says, ends), room{locked: true, told: "ended", agents: []int{0}, filed: "ticket"}},
			{calls("leavegroup", 0), over}, {reopens, waits.filedIn("ticket")},
		}},
		{name: "deleted and undeleted", steps: []step{
			{all(calls("joingroup", 1), says, does("delete")), room{locked: true, told: "ended", agents: []int{1}, filed: "archive"}},
			{does("undelete"), with(1).filedIn("archive")},
		}},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	// What the chat tells of would mend a room before the desk's word is looked at.
	w := newTown(t, "Omni=on", "ChatWebhook=off")
	// These guess the next ticket's number, so no other may be made meanwhile.
	t.Run("a squat before the ticket", func(t *testing.T) { eachDesk(t, w, squattedFirst) })
	t.Run("not ours", func(t *testing.T) { eachDesk(t, w, notOurs) })
	t.Run("rows", func(t *testing.T) { w.rows(t, tableRows()) })
	t.Run("an inactive owner", func(t *testing.T) { inactive(w.of(t)) })
	t.Run("forbidden", func(t *testing.T) {
		eachDesk(t, w, func(w *town, desk relay.DeskName) {
			hide := func(is bool) func(*file) {
				return func(f *file) { f.at("hide", "hide", fields{"hidden": is}) }
			}
			unreadable(w, desk, all(hide(true), owner(1)), hide(false))
		})
	})
	t.Run("deleted, and nobody said so", func(t *testing.T) {
		unreadable(w.of(t), relay.Zendesk, func(f *file) {
			f.fault(sandbox.Fault{Vendor: "zendesk", Op: "webhook", Kind: sandbox.FaultLose})
			all(owner(1), does("delete"))(f)
			f.heal()
			syncs(f)
		}, does("undelete"))
	})
	// A sweep looks at every room, and has nothing to do either, but to ask the
	// desk about merges of which the customer was told no more than the end.
	r := decode[sweepReport](w.operator, w.want(0, "sweep", "--dry-run", "--json"))
	other := slices.ContainsFunc(r.Done, func(d sweptRoom) bool { return !slices.Equal(d.Why, []relay.Difference{relay.MergeUnknown}) })
	if r.Rooms < 20 || r.Dissolved+r.Failed > 0 || other {
		t.Errorf("a sweep finds %+v", r)
	}
	if t.Failed() {
		t.Logf("the functions said:\n%s", w.warnings())
	}
}

func TestTableByCalls(t *testing.T) {
	t.Parallel()
	w := newTown(t, "Membership=calls", "Solved=open", "Omni=on")
	w.rows(t, callRows())
	if t.Failed() {
		t.Logf("the functions said:\n%s", w.warnings())
	}
}

// warnings are the functions' own lines that are more than information.
func (w *town) warnings() string {
	var list []string
	for _, line := range strings.Split(w.out.String(), "\n") {
		if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
			list = append(list, line)
		}
	}
	return strings.Join(list, "\n")
}

func eachDesk(t *testing.T, w *town, f func(*town, relay.DeskName)) {
	for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
		t.Run(string(desk), func(t *testing.T) { f(w.of(t), desk) })
	}
}

func (w *town) rows(t *testing.T, list []tableRow) {
	for _, r := range list {
		for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
			if r.desk == "" || r.desk == desk {
				t.Run(string(desk)+" "+r.name, func(t *testing.T) { w.row(t, desk, r) })
			}
		}
	}
}

// row makes a ticket and goes through a row's steps with it.
func (w *town) row(t *testing.T, desk relay.DeskName, r tableRow) {
	w = w.of(t)
	who := w.know.Customers[0]
	if r.suspended {
		who = w.know.Customers[1]
	}
	f := w.opens(desk, who)
	f.login()
	w.settled()
	for i, s := range r.steps {
		if s.do != nil {
			s.do(f)
		}
		w.settled()
		f.is(fmt.Sprintf("step %d", i+1), s.want)
		if t.Failed() {
			return
		}
	}
}

// is checks the room, and that the command finds it right.
func (f *file) is(when string, want room) {
	f.Helper()
	bad := func(format string, args ...any) {
		f.Helper()
		f.Errorf("%s, %s: %s", when, f.group, fmt.Sprintf(format, args...))
	}
	g := f.operator.group(f.group)
	if want.gone || g.GroupID == "" {
		if want.gone != (g.GroupID == "") {
			bad("the room is %+v", g)
		}
	} else {
		members := []string{f.customer}
		for _, who := range want.agents {
			_, id := f.person(who)
			members = append(members, id)
		}
		got := f.members(f.group)
		slices.Sort(members)
		slices.Sort(got)
		if !slices.Equal(got, members) {
			bad("members %v, want %v", got, members)
		}
		if g.MuteAllMember != want.locked {
			bad("locked %v", g.MuteAllMember)
		}
		if g.Owner != "" || g.ApplyJoinOption != "DisableApply" || g.InviteJoinOption != "DisableInvite" {
			bad("the room is not as ours are: %+v", g)
		}
		notices := f.notices(f.group)
		for i, n := range notices {
			if i > 0 && n.id.Said == notices[i-1].id.Said {
				bad("told twice: %q", n.Text)
			}
		}
		if n := len(notices); n == 0 || notices[n-1].id.Kind != want.told {
			bad("told %+v, want %s last", notices, want.told)
		}
	}
	f.filed(bad, want.filed)
	if r := f.run("room", "show", f.group, "--json"); r.code != 0 && !want.gone {
		bad("caseroom room show: %d\n%s%s", r.code, r.out, r.err)
	}
	if want.also != nil {
		want.also(f)
	}
}

// filed checks that the customer's words stand in one transcript each, and where
// the newest do.
func (f *file) filed(bad func(string, ...any), where string) {
	f.Helper()
	if len(f.words) == 0 {
		return
	}
	var ticket, archive strings.Builder
	state := f.state()
	for _, t := range state.Zendesk.Tickets {
		for _, c := range t.Comments {
			if strings.HasPrefix(c.Body, "Chat transcript ") && !c.Public {
				ticket.WriteString(c.Body)
			}
		}
	}
	for _, row := range state.Salesforce.Transcripts {
		fmt.Fprint(&ticket, row["Caseroom_Body__c"])
	}
	store := s3.NewFromConfig(f.parts.stack.AWS, func(o *s3.Options) { o.UsePathStyle = true })
	for _, o := range state.AWS.Objects {
		if !strings.HasPrefix(o.Key, "transcripts/"+string(f.desk)+"/"+f.id+"/") {
			continue
		}
		got, err := store.GetObject(f.Context(), &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key})
		f.must(err)
		_, err = io.Copy(&archive, got.Body)
		f.must(err)
		f.must(got.Body.Close())
	}
	for i, word := range f.words {
		at := map[string]int{"ticket": strings.Count(ticket.String(), word), "archive": strings.Count(archive.String(), word)}
		newest := i == len(f.words)-1
		if n := at["ticket"] + at["archive"]; n > 1 || (n == 0 && (where != "" || !newest)) || (n == 1 && newest && at[where] != 1) {
			bad("the %d. message stands in %v, want %q", i+1, at, where)
		}
	}
}

// notice is what a room was told.
type notice struct {
	sandbox.TencentMessage
	id relay.NoticeID
}

func (w *town) notices(group string) (list []notice) {
	for _, m := range w.operator.group(group).Messages {
		var data struct{ Caseroom relay.NoticeID }
		if json.Unmarshal([]byte(m.Custom), &data) == nil && data.Caseroom.Kind != "" {
			list = append(list, notice{m, data.Caseroom})
		}
	}
	return list
}

// next is the group id that the desk's next ticket will have: both desks count.
func (w *town) next(desk relay.DeskName) string {
	w.Helper()
	if desk == relay.Zendesk {
		list := w.state().Zendesk.Tickets
		return relay.Ref{Desk: desk, Ticket: strconv.FormatInt(list[len(list)-1].ID+1, 10)}.GroupID()
	}
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	list := w.state().Salesforce.Cases
	id := []byte(list[len(list)-1].ID[:15])
	for i := len(id) - 1; ; i-- {
		n := strings.IndexByte(digits, id[i]) + 1
		id[i] = digits[n%len(digits)]
		if n < len(digits) {
			break
		}
	}
	full, err := identity.SalesforceID(string(id), "500")
	w.must(err)
	return full
}

// squattedFirst: somebody has the room's id before there is a ticket.
func squattedFirst(w *town, desk relay.DeskName) {
	group, before := w.next(desk), w.counted("RoomSquatted")
	w.click("tencent/squat", fields{"groupId": group, "userId": "eve"})
	f := w.opens(desk, w.know.Customers[0])
	if f.group != group {
		w.Fatalf("the ticket's room is %s, and %s is squatted", f.group, group)
	}
	f.login()
	says(f)
	w.settled()
	f.is("at first", waits)
	w.eventually("the squat is counted", func() bool { return w.counted("RoomSquatted") > before })
}

// notOurs: a ticket that an agent made has no room, and whoever has its id keeps it.
func notOurs(w *town, desk relay.DeskName) {
	group := w.next(desk)
	w.click("tencent/squat", fields{"groupId": group, "userId": "eve"})
	f := agents(&file{town: w, desk: desk})
	if f.group != group {
		w.Fatalf("the ticket's room is %s, and %s is squatted", f.group, group)
	}
	bare := agents(f)
	for _, f := range []*file{f, bare} {
		all(owner(0), syncs, ends, syncs, reopens, does("delete"))(f)
	}
	if g := w.operator.group(group); g.Owner != "eve" || g.MuteAllMember || !slices.Equal(w.members(group), []string{"eve"}) {
		w.Errorf("somebody's own group became %+v", g)
	}
	if g := w.operator.group(bare.group); g.GroupID != "" {
		w.Errorf("a ticket that is not ours has a room: %+v", g)
	}
}

// inactive: an owner who has left the company is nobody. A function remembers for
// some minutes who works there, so one that has just begun is asked.
func inactive(w *town) {
	f := w.opens(relay.Salesforce, w.know.Customers[0])
	owner(0)(f)
	w.settled()
	f.is("before", with(0))
	for _, s := range []step{{active(0, false), waits}, {active(0, true), with(0)}} {
		s.do(f)
		if again, said := w.function("SyncFunction")(0, string(f.desk), f.id); again {
			w.Errorf("again: %s", said)
		}
		f.is("after", s.want)
	}
}

// unreadable: the desk does not show a ticket, and nothing says that it is gone.
// goes gives it to the second agent meanwhile.
func unreadable(w *town, desk relay.DeskName, goes, comes func(*file)) {
	f := w.opens(desk, w.know.Customers[0])
	w.settled()
	owner(0)(f)
	w.settled()
	f.is("before", with(0))
	waiting := string(desk) + ":" + f.id
	*w.stuck = append(*w.stuck, waiting)
	goes(f)
	hint := func() (m sandbox.MessageState, there bool) {
		for _, q := range w.state().AWS.Queues {
			for _, m := range q.Messages {
				if m.Group == waiting {
					return m, true
				}
			}
		}
		return m, false
	}
	untouched := func() {
		w.Helper()
		g := w.operator.group(f.group)
		_, id := f.person(0)
		if m := w.members(f.group); g.MuteAllMember || len(m) != 2 || !slices.Contains(m, id) {
			w.Errorf("the room became %+v", g)
		}
	}
	w.eventually("the message waits for another try", func() bool {
		m, there := hint()
		return there && m.Count > 0 && m.Visible.After(time.Now())
	})
	untouched()
	r := w.want(3, "room", "show", f.group)
	if !strings.Contains(r.out, "the desk does not show it") || !strings.Contains(r.out, f.customer+" (member)") || !strings.Contains(r.out, "Sync fails") {
		w.Errorf("room show: %s", r.out)
	}

	// What an hour and a day would do, at the function itself.
	sync := w.function("SyncFunction")
	try := func(age time.Duration) (again bool, said string) {
		w.Helper()
		return sync(age, string(desk), f.id)
	}
	if again, said := try(23 * time.Hour); !again || !strings.Contains(said, `"TicketHidden":1`) || strings.Contains(said, "TicketUnreadable") {
		w.Errorf("within the day: again %v\n%s", again, said)
	}
	if again, said := try(25 * time.Hour); !again || !strings.Contains(said, `"TicketUnreadable":1`) {
		w.Errorf("after a day: again %v\n%s", again, said)
	}
	untouched()

	comes(f)
	if again, said := try(26 * time.Hour); again {
		w.Errorf("shown again: again\n%s", said)
	}
	if m, id := w.members(f.group), agent(1)(f); !slices.Contains(m, id) || len(m) != 2 {
		w.Errorf("shown again: %v are in the room, want %s", m, id)
	}
	w.want(0, "room", "show", f.group)
}

// function starts one of the stack's functions by itself and returns how to send
// it the message of a ticket that is as old as one likes; it says whether the
// message would be delivered again, and what the function logged.
func (w *town) function(logicalID string) func(age time.Duration, desk, ticket string) (again bool, said string) {
	w.Helper()
	template, err := lambdahost.LoadTemplate(localruntest.Template(w))
	w.must(err)
	parameters, err := localrun.Parameters(w.ready.Sandbox, w.ready.Gateway, w.parameters)
	w.must(err)
	stack, err := template.Resolve(lambdahost.ResolveOptions{Parameters: parameters})
	w.must(err)
	binary, err := localrun.Binaries(w.Context(), filepath.Dir(localruntest.Template(w)), stack, true, io.Discard)
	w.must(err)
	log := &localruntest.Output{}
	host, err := lambdahost.New(lambdahost.Options{
		Template: template, Parameters: parameters, Bin: binary, Log: log, Region: w.ready.Env["AWS_REGION"],
		Env: map[string]string{
			"AWS_ENDPOINT_URL": w.ready.Env["AWS_ENDPOINT_URL"], "AWS_ACCESS_KEY_ID": w.ready.Env["AWS_ACCESS_KEY_ID"],
			"AWS_SECRET_ACCESS_KEY": w.ready.Env["AWS_SECRET_ACCESS_KEY"],
		},
	})
	w.must(err)
	w.Cleanup(host.Close)
	return func(age time.Duration, desk, ticket string) (bool, string) {
		w.Helper()
		before := len(log.String())
		body, err := json.Marshal(fields{"v": 1, "desk": desk, "ticket": ticket, "hint": ""})
		w.must(err)
		event, err := json.Marshal(fields{"Records": []any{fields{
			"messageId": boot.NewID(), "receiptHandle": "none", "body": string(body), "eventSource": "aws:sqs",
			"attributes": fields{
				"ApproximateReceiveCount": "100", "MessageGroupId": desk + ":" + ticket,
				"SentTimestamp": strconv.FormatInt(time.Now().Add(-age).UnixMilli(), 10),
			},
			"messageAttributes": fields{},
		}}})
		w.must(err)
		answer, err := host.Invoke(w.Context(), logicalID, event)
		w.must(err)
		var res struct{ BatchItemFailures []any }
		w.must(json.Unmarshal(answer, &res))
		if len(res.BatchItemFailures) > 0 { // a process answers before its last lines are read
			w.eventually("the function says why", func() bool { return strings.Contains(log.String()[before:], "TicketHidden") })
		}
		return len(res.BatchItemFailures) > 0, log.String()[before:]
	}
}
