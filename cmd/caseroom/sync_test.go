package main

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func TestSyncTickets(t *testing.T) {
	o := newOperator(t)
	z, s := o.ready.Rooms.Zendesk, o.ready.Rooms.Salesforce
	o.must(o.parts.rooms.Remove(t.Context(), z, "dana"))
	o.must(o.parts.rooms.Remove(t.Context(), s, "dana"))
	report := decode[queuedReport](o, o.want(3, "sync", "--dry-run", "--json", "--ticket", z, "--ticket", "salesforce:"+s, "--ticket", z))
	if len(report.Tickets) != 2 || len(report.Tickets[1].Steps) != 1 || report.Queued != 0 {
		t.Errorf("dry run: %+v", report)
	}
	if o.members(z) != nil {
		t.Errorf("a dry run changed the room: %v", o.members(z))
	}
	o.want(0, "sync", "--ticket", z, "--ticket", s)
	o.eventually("both rooms are right", func() bool {
		return slices.Contains(o.members(z), "dana") && slices.Contains(o.members(s), "dana")
	})
	o.want(0, "sync", "--dry-run", "--ticket", z, "--ticket", s)

	for _, args := range [][]string{
		{"sync"}, {"sync", "--ticket", z, "--since", "1h"}, {"sync", "--ticket", "x"}, {"sync", "--since", "yesterday"},
		{"sync", "--since", "10s"}, {"sync", "--since", "1h", "--desk", "jira"}, {"sync", "--ticket", z, "--desk", "salesforce"},
	} {
		o.want(2, args...)
	}
	o.fault(sandbox.Fault{Vendor: "aws", Op: "SendMessageBatch", Kind: "code", Code: "AccessDeniedException"})
	o.want(1, "sync", "--ticket", z)
}

// lab is a sandbox whose clock the test moves, without functions, and the
// environment that describes a stack on it.
type lab struct {
	*operator
	box    *sandbox.Sandbox
	behind atomic.Int64 // the sandbox's clock, before ours
	env    string       // file
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{operator: &operator{TB: t}, env: filepath.Join(t.TempDir(), "env")}
	l.box = sandbox.New(sandbox.Options{
		Seed: 1, Now: func() time.Time { return time.Now().Add(-time.Duration(l.behind.Load())) },
		Queues: []sandbox.QueueConfig{
			{Name: "sync.fifo", FIFO: true, GroupDedup: true, MaxReceive: 1000, DLQ: "sync-dead.fifo"},
			{Name: "sweep.fifo", FIFO: true, ContentDedup: true, MaxReceive: 1000, DLQ: "sweep-dead.fifo"},
		},
	})
	server := httptest.NewServer(l.box.Handler())
	t.Cleanup(func() { server.Close(); l.box.Close() })
	fix := l.box.Fixtures()
	queue := server.URL + "/aws/" + fix.AWS.AccountID + "/"
	lines := []string{
		"# what a stack on the sandbox reads", "",
		"ZENDESK_BASE_URL=" + server.URL + "/zendesk", "SALESFORCE_BASE_URL=" + server.URL + "/salesforce",
		"TENCENT_BASE_URL=" + server.URL + "/tencent", "AWS_ENDPOINT_URL=" + server.URL + "/aws",
		"SYNC_QUEUE_URL=" + queue + "sync.fifo", "SWEEP_QUEUE_URL=" + queue + "sweep.fifo",
		"SYNC_DEAD_LETTER_URL=" + queue + "sync-dead.fifo",
	}
	if err := os.WriteFile(l.env, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", fix.AWS.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", fix.AWS.SecretAccessKey)
	t.Setenv("AWS_REGION", fix.AWS.Region)
	var err error
	if l.parts, err = (&place{envFile: l.env}).parts(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lab) want(code int, args ...string) ran {
	l.Helper()
	r := l.runIn(l.Context(), "", append(args, "--env-file", l.env)...)
	if r.code != code {
		l.Fatalf("caseroom %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	return r
}

// ticket makes a ticket of dana's without a room, and returns its id.
func (l *lab) ticket(key string) string {
	l.Helper()
	id, err := zendesk.Desk{Client: l.parts.zendesk}.Create(l.Context(), relay.NewTicket{
		Key: strings.Repeat(key, 26), UserID: "dana", Subject: "Lost", Desc: "x", Name: "Dana", Email: "dana@customer.example",
	})
	l.must(err)
	return id
}

type windows struct {
	Windows []windowReport `json:"windows"`
}

func TestSyncSince(t *testing.T) {
	l := newLab(t)
	l.behind.Store(int64(2 * time.Minute))
	id := l.ticket("a")
	l.behind.Store(0)

	r := decode[windows](l.operator, l.want(3, "sync", "--since", "1h", "--dry-run", "--json"))
	if len(r.Windows) != 2 || r.Windows[1].Desk != relay.Zendesk || r.Windows[1].Ours != 1 || r.Windows[1].Queued != 0 {
		t.Fatalf("dry run: %+v", r)
	}
	if d := r.Windows[1].Tickets; len(d) != 1 || d[0].Ticket != id || !slices.Contains(d[0].Why, relay.NoSuchRoom) {
		t.Errorf("what differs: %+v", d)
	}
	waiting := func() int {
		i := slices.IndexFunc(l.box.State().AWS.Queues, func(q sandbox.QueueState) bool { return q.Name == "sync.fifo" })
		return l.box.State().AWS.Queues[i].Visible
	}
	if waiting() != 0 {
		t.Error("a dry run queued")
	}
	if r := l.want(0, "sync", "--since", "1h", "--desk", "zendesk"); !strings.Contains(r.out, "1 queued") || !strings.Contains(r.out, id+"  no room") {
		t.Errorf("report:\n%s", r.out)
	}
	if waiting() != 1 {
		t.Errorf("%d tickets are queued", waiting())
	}
	if err := l.box.AddFault(sandbox.Fault{Vendor: "zendesk", Op: "incremental_tickets_cursor", Kind: "status", Status: 403}); err != nil {
		t.Fatal(err)
	}
	if r := l.want(4, "sync", "--since", "1h"); !strings.Contains(r.err, "zendesk") {
		t.Errorf("a feed that is refused: %s", r.err)
	}
}

func TestSweep(t *testing.T) {
	l := newLab(t)
	l.behind.Store(int64(2 * time.Minute))
	lost, old := l.ticket("a"), l.ticket("b")
	l.behind.Store(0)
	// The second ticket is solved, and its room long locked with everything filed.
	n, err := strconv.ParseInt(old, 10, 64)
	l.must(err)
	row, err := l.parts.zendesk.ShowTicket(t.Context(), n)
	l.must(err)
	_, err = l.parts.zendesk.UpdateTicket(t.Context(), n, zendesk.TicketUpdate{Status: "solved", Stamp: row.UpdatedAt})
	l.must(err)
	room := l.oldRoom("ZENDESK#" + old)

	r := decode[sweepReport](l.operator, l.want(0, "sweep", "--dry-run", "--json"))
	if r.Rooms != 1 || r.Dissolved != 1 || r.Tickets != 1 || r.Queued != 1 || len(r.Done) != 2 {
		t.Errorf("dry run: %+v", r)
	}
	if l.rooms() != 1 {
		t.Error("a dry run destroyed a room")
	}
	if r := l.want(0, "sweep", "--here"); !strings.Contains(r.out, room+"  dissolved") || !strings.Contains(r.out, "ZENDESK#"+lost+"  queued") {
		t.Errorf("report:\n%s", r.out)
	}
	if l.rooms() != 0 {
		t.Error("the room is there")
	}
	l.want(0, "sweep")
	i := slices.IndexFunc(l.box.State().AWS.Queues, func(q sandbox.QueueState) bool { return q.Name == "sweep.fifo" })
	if q := l.box.State().AWS.Queues[i]; q.Visible != 1 || !strings.HasPrefix(q.Messages[0].Body, `{"sweep":"20`) {
		t.Errorf("the queue of sweeps: %+v", q)
	}
	if err := l.box.AddFault(sandbox.Fault{Vendor: "tencent", Op: "get_appid_group_list", Kind: "code", Code: "60010"}); err != nil {
		t.Fatal(err)
	}
	if r := l.want(4, "sweep", "--here"); !strings.Contains(r.err, "60010") {
		t.Errorf("a refused list: %s", r.err)
	}
}

// oldRoom makes the room of a ticket that has ended long ago.
func (l *lab) oldRoom(id string) string {
	l.Helper()
	l.must(l.parts.rooms.Import(l.Context(), relay.Account{UserID: "dana"}))
	desk := relay.DeskHash(l.parts.desks[relay.Zendesk].Host())
	_, err := l.parts.rooms.Ensure(l.Context(), relay.NewRoom{
		GroupID: id, Name: "Lost", Neutral: "Ticket", Mark: relay.Mark{Desk: desk}, Customer: "dana",
	})
	l.must(err)
	l.parts.settled(l.operator, id, relay.Mark{Desk: desk, Locked: time.Now().Add(-30 * 24 * time.Hour)})
	return id
}

// settled brings a room where Sync would have brought it, and dates the lock back.
func (p *parts) settled(o *operator, group string, mark relay.Mark) {
	o.Helper()
	ref, err := relay.ParseGroupID(group)
	o.must(err)
	files, told := &errands{}, &errands{}
	s := p.process.Sync(p.Following, p.desks, p.rooms, files, nil)
	f := p.process.File(p.Filing, boot.Table(p.Following), p.desks, p.rooms, told, nil)
	f.Pace = nil
	errs := s.Run(o.Context(), []relay.SyncItem{{Hint: relay.Hint{Ref: ref}}})
	errs = append(errs, f.Run(o.Context(), files.items)...)
	o.must(errors.Join(append(errs, s.Run(o.Context(), told.items)...)...))
	rooms, err := p.rooms.Read(o.Context(), mark.Desk, group)
	o.must(err)
	now := rooms[group].Mark
	now.Locked = mark.Locked
	o.must(p.rooms.Change(o.Context(), group, relay.RoomChange{Mark: now}))
}

func (l *lab) rooms() int { return len(l.box.State().Tencent.Groups) }
