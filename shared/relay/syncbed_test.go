package relay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
	"github.com/caseroom/caseroom/shared/zendesk"
)

const bucket = "transcripts-test"

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// bed is Sync on its real clients, with the sandbox for vendors.
type bed struct {
	fataler
	clock  *upstreamtest.Clock
	box    *sandbox.Sandbox
	server *httptest.Server
	meter  *upstreamtest.Counts
	sync   *relay.Sync
	file   *relay.File
	files  outbox // from Sync to File
	told   outbox // from File to Sync
	zd     *zendesk.SyncDesk
	sf     *salesforce.SyncDesk
	create *relay.CreateTicket
	desks  map[relay.DeskName]relay.Desk
	rooms  tencentim.Rooms

	mu  sync.Mutex
	cut func(*http.Request) int
}

// noQueue takes hints and forgets them: the tests say themselves what is synced.
type noQueue struct{}

func (noQueue) Send(context.Context, relay.Hint) error { return nil }

// outbox is a queue that keeps what it takes until somebody works it off.
type outbox struct {
	mu    sync.Mutex
	hints []relay.Hint
}

func (q *outbox) Send(_ context.Context, h relay.Hint) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hints = append(q.hints, h)
	return nil
}

// take empties the queue and returns what it said, an item a ticket.
func (q *outbox) take() (items []relay.SyncItem) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var order []relay.Ref
	said := map[relay.Ref][]relay.Hint{}
	for _, h := range q.hints {
		if said[h.Ref] == nil {
			order = append(order, h.Ref)
		}
		said[h.Ref] = append(said[h.Ref], h)
	}
	q.hints = nil
	for _, ref := range order {
		items = append(items, relay.NewSyncItem(said[ref], false, time.Time{}))
	}
	return items
}

func newBed(t *testing.T, plan sandbox.TencentPlan) *bed {
	t.Helper()
	b := startBed(t, plan)
	t.Cleanup(b.close)
	return b
}

func (b *bed) close() { b.server.Close() }

// serve is the vendors' door. While a cut is set, it strikes at that call.
func (b *bed) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	b.mu.Lock()
	cut := b.cut
	b.mu.Unlock()
	if cut == nil || strings.Contains(r.URL.Path, "/oauth") {
		b.box.Handler().ServeHTTP(w, r)
		return
	}
	switch cut(r) {
	case cutBefore:
		panic(http.ErrAbortHandler)
	case cutAfter:
		b.box.Handler().ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case tooFast:
		w.Header().Set("Retry-After", "60") // longer than any try has time for
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		b.box.Handler().ServeHTTP(w, r)
	}
}

// What becomes of a call.
const (
	noCut = iota
	cutBefore
	cutAfter // it is done, and nobody hears of it
	tooFast
)

func (b *bed) setCut(f func(*http.Request) int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut = f
}

func startBed(t fataler, plan sandbox.TencentPlan) *bed {
	t.Helper()
	// Long ago: a UserSig is signed by the real clock, and tests move this one on
	// by months.
	c := upstreamtest.NewClock(time.Date(2025, 11, 3, 10, 0, 0, 0, time.UTC))
	box := sandbox.New(sandbox.Options{Seed: 1, Now: c.Now, Tencent: plan, Buckets: []string{bucket}})
	b := &bed{fataler: t, clock: c, box: box, meter: &upstreamtest.Counts{}}
	server := httptest.NewServer(http.HandlerFunc(b.serve))
	b.server = server
	fix := box.Fixtures()
	must := func(err error) {
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
	zc, err := zendesk.New(zendesk.Options{BaseURL: server.URL + "/zendesk", Now: c.Now, Credentials: func(context.Context) (zendesk.Credentials, error) {
		return zendesk.Credentials{ClientID: fix.Zendesk.ClientID, ClientSecret: fix.Zendesk.ClientSecret}, nil
	}})
	must(err)
	sc, err := salesforce.New(salesforce.Options{
		BaseURL: server.URL + "/salesforce", Now: c.Now, KeyField: "Caseroom_Key__c", UserField: "Caseroom_User__c",
		Credentials: func(context.Context) (salesforce.Credentials, error) {
			return salesforce.Credentials{ClientID: fix.Salesforce.ClientID, ClientSecret: fix.Salesforce.ClientSecret}, nil
		}})
	must(err)
	tc, err := tencentim.New(tencentim.Options{BaseURL: server.URL + "/tencent", Now: c.Now, Credentials: func(context.Context) (tencentim.Credentials, error) {
		return tencentim.Credentials{SDKAppID: fix.Tencent.SDKAppID, SecretKey: fix.Tencent.SecretKey, AdminUserID: fix.Tencent.AdminUserID}, nil
	}})
	must(err)
	b.rooms = tencentim.Rooms{Client: tc}
	b.zd = &zendesk.SyncDesk{Client: zc, Now: c.Now, Wait: c.Wait}
	b.sf = &salesforce.SyncDesk{Client: sc, Now: c.Now}
	archive := s3archive.New(aws.Config{
		Region: fix.AWS.Region, BaseEndpoint: aws.String(server.URL + "/aws"), HTTPClient: http.DefaultClient,
		Retryer: func() aws.Retryer { // the SDK learns the sandbox's clock from the first answer
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: fix.AWS.AccessKeyID, SecretAccessKey: fix.AWS.SecretAccessKey}, nil
		}),
	}, bucket)
	b.sync = &relay.Sync{
		Desks: map[relay.DeskName]relay.TicketDesk{relay.Zendesk: b.zd, relay.Salesforce: b.sf}, Rooms: b.rooms,
		Files:       &b.files,
		Transcripts: &relay.Transcripts{Rooms: b.rooms, Archive: archive, Meter: b.meter},
		Table:       relay.Table{Archive: true},
		Meter:       b.meter, Now: c.Now,
	}
	b.file = &relay.File{Live: &b.told, Meter: b.meter, Now: c.Now}
	b.desks = map[relay.DeskName]relay.Desk{relay.Zendesk: zendesk.Desk{Client: zc, Wait: c.Wait}, relay.Salesforce: salesforce.Desk{Client: sc, Wait: c.Wait}}
	b.create = &relay.CreateTicket{Rooms: b.rooms, Queue: noQueue{}, Meter: b.meter, Now: c.Now, Random: strings.NewReader("")}
	return b
}

// open opens a ticket as createticket does and returns its room.
func (b *bed) open(desk relay.DeskName, customer, subject string) relay.Ref {
	b.Helper()
	ref, err := b.create.Run(context.Background(), b.desks[desk], relay.NewTicket{
		UserID: customer, Subject: subject, Desc: "help",
		Name: strings.ToUpper(customer), Email: customer + "@example.com", Key: customer + "-" + subject,
	})
	if err != nil {
		b.Fatalf("open: %v", err)
	}
	return ref
}

// run syncs tickets in one batch, works off what that asks to file, and returns
// the errors.
func (b *bed) run(items ...relay.SyncItem) []error {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	b.clock.Add(3 * time.Second)
	return b.work(ctx, items)
}

func (b *bed) work(ctx context.Context, items []relay.SyncItem) []error {
	return b.workWith(ctx, b.sync, items)
}

// workWith is [bed.work] by another Sync. What fails stays in its queue.
func (b *bed) workWith(ctx context.Context, by *relay.Sync, items []relay.SyncItem) []error {
	errs := by.Run(ctx, items)
	note := func(q *outbox, of []relay.SyncItem, failed []error) {
		for i, it := range of {
			if failed[i] != nil {
				_ = q.Send(ctx, it.Hint)
			}
			for k := range items {
				if items[k].Ref == it.Ref {
					errs[k] = errors.Join(errs[k], failed[i])
				}
			}
		}
	}
	// File is a function of its own and sees desks, rooms and archive as Sync does.
	b.file.Desks, b.file.Rooms, b.file.Transcripts, b.file.Table = by.Desks, by.Rooms, by.Transcripts, by.Table
	b.file.Wait = by.Wait
	if files := b.files.take(); len(files) > 0 {
		note(&b.files, files, b.file.Run(ctx, files))
	}
	if told := b.told.take(); len(told) > 0 {
		note(&b.told, told, by.Run(ctx, told))
	}
	return errs
}

// item is what messages about a ticket say to Sync.
func item(ref relay.Ref, said ...string) relay.SyncItem {
	hints := []relay.Hint{{Ref: ref}}
	for _, words := range said {
		h, err := relay.Body{Desk: ref.Desk, Ticket: ref.Ticket, Hint: words}.Meaning()
		if err != nil {
			panic(err)
		}
		hints = append(hints, h)
	}
	return relay.NewSyncItem(hints, false, time.Time{})
}

// converge syncs one ticket, which must work.
func (b *bed) converge(ref relay.Ref, hints ...string) {
	b.Helper()
	if err := b.run(item(ref, hints...))[0]; err != nil {
		b.Fatalf("sync of %v: %v", ref, err)
	}
}

func (b *bed) group(ref relay.Ref) sandbox.TencentGroup {
	b.Helper()
	g, ok := b.box.Group(ref.GroupID())
	if !ok {
		b.Fatalf("there is no room %s", ref.GroupID())
	}
	return g
}

// members returns the room's members, sorted.
func (b *bed) members(ref relay.Ref) []string {
	b.Helper()
	var ids []string
	for _, m := range b.group(ref).Members {
		ids = append(ids, m.UserID)
	}
	slices.Sort(ids)
	return ids
}

func (b *bed) wantMembers(ref relay.Ref, want ...string) {
	b.Helper()
	slices.Sort(want)
	if got := b.members(ref); !slices.Equal(got, want) {
		b.Errorf("%s: members %v, want %v", ref.GroupID(), got, want)
	}
}

func (b *bed) wantMuted(ref relay.Ref, want bool) {
	b.Helper()
	g := b.group(ref)
	mark, err := relay.ParseMark(g.Introduction)
	if g.MuteAllMember != want || err != nil || mark.Locked.IsZero() == want {
		b.Errorf("%s: muted %v, mark %q; want muted %v", ref.GroupID(), g.MuteAllMember, g.Introduction, want)
	}
}

// said returns the notices of a room.
func (b *bed) said(ref relay.Ref) []string {
	b.Helper()
	var texts []string
	for _, m := range b.group(ref).Messages {
		if m.From == b.box.Fixtures().Tencent.AdminUserID {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

func (b *bed) wantSaid(ref relay.Ref, fragments ...string) {
	b.Helper()
	got := b.said(ref)
	if len(got) != len(fragments) {
		b.Errorf("%s: notices %q, want %q", ref.GroupID(), got, fragments)
		return
	}
	for i := range got {
		if !strings.Contains(got[i], fragments[i]) {
			b.Errorf("%s: notice %q, want %q in it", ref.GroupID(), got[i], fragments[i])
		}
	}
}

// wantNamed checks whom each notice names beside its text.
func (b *bed) wantNamed(ref relay.Ref, names ...string) {
	b.Helper()
	var got []string
	for _, m := range b.group(ref).Messages {
		if m.From != b.box.Fixtures().Tencent.AdminUserID {
			continue
		}
		var data struct{ Caseroom relay.NoticeID }
		b.ok(json.Unmarshal([]byte(m.Custom), &data))
		got = append(got, data.Caseroom.Agents)
	}
	if !slices.Equal(got, names) {
		b.Errorf("%s: notices name %q, want %q", ref.GroupID(), got, names)
	}
}

// say sends a text as a member does.
func (b *bed) say(who string, ref relay.Ref, text string) {
	b.Helper()
	if err := b.box.SendAs(who, ref.GroupID(), text); err != nil {
		b.Fatalf("%s cannot write in %s: %v", who, ref.GroupID(), err)
	}
}

// filed returns the bodies of the transcripts on a ticket.
func (b *bed) filed(ref relay.Ref) []string {
	b.Helper()
	var bodies []string
	if ref.Desk == relay.Zendesk {
		id, _ := strconv.ParseInt(ref.Ticket, 10, 64)
		t, err := b.box.Zendesk().Ticket(id)
		if err != nil {
			b.Fatalf("%v", err)
		}
		for _, c := range t.Comments {
			if strings.HasPrefix(c.Body, "Chat transcript ") && !c.Public {
				bodies = append(bodies, c.Body)
			}
		}
		return bodies
	}
	state := b.state()
	for _, row := range state.Salesforce.Transcripts {
		if row["Caseroom_Case__c"] == ref.Ticket {
			bodies = append(bodies, fmt.Sprint(row["Caseroom_Body__c"]))
		}
	}
	for _, row := range state.Salesforce.Comments {
		if row["ParentId"] == ref.Ticket {
			bodies = append(bodies, fmt.Sprint(row["CommentBody"]))
		}
	}
	return bodies
}

// archived returns the transcripts of a ticket in the bucket.
func (b *bed) archived(ref relay.Ref) []string {
	b.Helper()
	var bodies []string
	for _, o := range b.state().AWS.Objects {
		if strings.HasPrefix(o.Key, "transcripts/"+string(ref.Desk)+"/"+ref.Ticket+"/") {
			body, _ := b.box.Object(o.Bucket, o.Key)
			bodies = append(bodies, string(body))
		}
	}
	return bodies
}

func (b *bed) state() sandbox.State { return b.box.State() }

// ops returns the calls since the last reset, as "vendor op", reads of the own
// user and tokens left out.
func (b *bed) ops() []string {
	var list []string
	for _, c := range b.box.Calls() {
		switch c.Op {
		case "oauth_tokens", "oauth_token", "users_me":
		default:
			list = append(list, c.Vendor+" "+c.Op)
		}
	}
	return list
}

// assign, solve, reopen, closeIt and deleteIt are what agents do at either desk.
func (b *bed) agent(desk relay.DeskName, n int) (deskID, imID string) {
	if desk == relay.Zendesk {
		id := strconv.FormatInt(b.box.Fixtures().Zendesk.AgentIDs[n], 10)
		return id, "zd_" + id
	}
	id := b.box.Fixtures().Salesforce.AgentIDs[n]
	return id, "sf_" + id
}

func (b *bed) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%v", err)
	}
}

func (b *bed) number(ref relay.Ref) int64 {
	n, err := strconv.ParseInt(ref.Ticket, 10, 64)
	b.ok(err)
	return n
}

// assign gives a ticket to agent n, or to the queue for -1.
func (b *bed) assign(ref relay.Ref, n int) {
	b.Helper()
	if ref.Desk == relay.Zendesk {
		var id int64
		if n >= 0 {
			id = b.box.Fixtures().Zendesk.AgentIDs[n]
		}
		b.ok(b.box.Zendesk().Assign(b.number(ref), id))
		return
	}
	owner := b.box.Salesforce().Queue()
	if n >= 0 {
		owner = b.box.Fixtures().Salesforce.AgentIDs[n]
	}
	b.ok(b.box.Salesforce().SetOwner(ref.Ticket, owner))
}

// end solves a Zendesk ticket and closes a Salesforce case.
func (b *bed) end(ref relay.Ref) {
	b.Helper()
	if ref.Desk == relay.Zendesk {
		b.ok(b.box.Zendesk().Solve(b.number(ref)))
		return
	}
	b.ok(b.box.Salesforce().Close(ref.Ticket))
}

func (b *bed) reopen(ref relay.Ref) {
	b.Helper()
	if ref.Desk == relay.Zendesk {
		b.ok(b.box.Zendesk().Reopen(b.number(ref)))
		return
	}
	b.ok(b.box.Salesforce().Reopen(ref.Ticket))
}

func (b *bed) remove(ref relay.Ref) {
	b.Helper()
	if ref.Desk == relay.Zendesk {
		b.ok(b.box.Zendesk().Delete(b.number(ref)))
		return
	}
	b.ok(b.box.Salesforce().Delete(ref.Ticket))
}

func (b *bed) undelete(ref relay.Ref) {
	b.Helper()
	if ref.Desk == relay.Zendesk {
		b.ok(b.box.Zendesk().Undelete(b.number(ref)))
		return
	}
	b.ok(b.box.Salesforce().Undelete(ref.Ticket))
}

// bothDesks runs a test on either desk.
func bothDesks(t *testing.T, f func(t *testing.T, b *bed, desk relay.DeskName)) {
	t.Helper()
	for _, desk := range []relay.DeskName{relay.Zendesk, relay.Salesforce} {
		t.Run(string(desk), func(t *testing.T) {
			t.Parallel()
			f(t, newBed(t, sandbox.TencentPlan{}), desk)
		})
	}
}

// renamed is what somebody with the console's rights did to a room.
var renamed = tencentim.GroupChange{Name: "hacked", InviteJoinOption: "FreeAccess"}
