package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/login"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/upstream"
)

// drillCustomer is the sub of the login that the drill's tickets are of: one
// account in the chat, however often the doctor comes.
const drillCustomer = "caseroom-doctor"

// cleanupTime is how long taking away may take, also after an interruption.
const cleanupTime = 90 * time.Second

// drill is a real ticket on its way through a desk.
type drill struct {
	*doctor
	desk     relay.DeskName
	agents   [2]string // the desk's ids
	ref      relay.Ref
	customer string
	tell     func(format string, args ...any)
	undo     []func(context.Context) error
}

// drillDesks drives a ticket through each desk.
func (d *doctor) drillDesks(ctx context.Context, tell func(string, ...any)) {
	if d.doctorOptions.api == "" {
		d.bad("deep", "say --api-url", "the API's address is not known")
		return
	}
	for _, name := range d.deskNames() {
		r := &drill{doctor: d, desk: relay.DeskName(name), tell: tell}
		r.run(ctx)
		if ctx.Err() != nil {
			return
		}
	}
	d.tryChat(ctx, tell)
	d.tryAppURL(ctx)
	d.tryIAM(ctx)
}

// step makes one step, tells how long it took, and reports whether to go on.
func (d *doctor) step(ctx context.Context, tell func(string, ...any), id, do string, f func(context.Context) (string, error)) bool {
	if ctx.Err() != nil {
		return false
	}
	started := time.Now()
	detail, err := f(ctx)
	took := time.Since(started).Seconds()
	if err != nil {
		d.bad(id, do, "%v", err)
	} else {
		d.ok(id, "%s", detail)
	}
	d.checks[len(d.checks)-1].Took = took
	word := "ok"
	if err != nil {
		word = "WRONG"
	}
	tell("%-28s %-5s %6.1f s", id, word, took)
	return err == nil
}

// The words for what to do when a room does not follow.
const (
	doSync   = "look at the log of the function sync, and at the dead letters: caseroom redrive --dry-run"
	doCreate = "look at the log of the function createticket"
	doUnsure = "docs/unproved.md tells what follows; the vendor does otherwise than its documentation"
)

func (r *drill) step(ctx context.Context, name, do string, f func(context.Context) (string, error)) bool {
	return r.doctor.step(ctx, r.tell, "deep."+string(r.desk)+"."+name, do, f)
}

// run drives the ticket and takes away what it made, whatever happens.
func (r *drill) run(ctx context.Context) {
	defer r.cleanup(ctx)
	pick := func(ctx context.Context) (string, error) { return r.pickAgents(ctx) }
	if !r.step(ctx, "agents", "name two agents with --agents", pick) || !r.step(ctx, "create", doCreate, r.create) {
		return
	}
	locked := r.Solved == "lock"
	in := func(agent int) []string {
		if r.Calls() {
			return []string{r.customer}
		}
		return []string{r.customer, r.agentID(r.desk, r.agents[agent])}
	}
	room := func(muted bool, members ...string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return r.await(ctx, muted, members) }
	}
	act := func(do func(context.Context) error, then func(context.Context) (string, error)) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			if err := do(ctx); err != nil {
				return "", err
			}
			return then(ctx)
		}
	}
	going := r.step(ctx, "room", doSync, room(false, r.customer)) &&
		r.step(ctx, "assign", doSync, act(r.assign(0), room(false, in(0)...))) &&
		r.step(ctx, "reassign", doSync, act(r.assign(1), room(false, in(1)...)))
	if r.desk == relay.Zendesk {
		solved := room(true, r.customer)
		if !locked {
			solved = room(false, in(1)...)
		}
		going = going && r.step(ctx, "solve", doSync, act(r.status("solved"), solved))
	} else {
		going = going && r.step(ctx, "solve", doSync, act(r.status("Closed"), room(true, r.customer)))
	}
	going = going && r.step(ctx, "transcript", doSync, r.filed) &&
		r.step(ctx, "reopen", doSync, act(r.status(map[relay.DeskName]string{relay.Zendesk: "open", relay.Salesforce: "New"}[r.desk]), room(false, in(1)...)))
	if r.desk == relay.Zendesk {
		r.step(ctx, "stamp", doUnsure, r.tryStamp)
	}
	if going {
		closed := map[relay.DeskName]string{relay.Zendesk: "closed", relay.Salesforce: "Closed"}[r.desk]
		r.step(ctx, "close", doSync, act(r.status(closed), room(true, r.customer)))
	}
	if r.ref.Ticket != "" {
		r.step(ctx, "delete", doUnsure, r.delete)
	}
	if r.desk == relay.Salesforce {
		r.skip("deep.salesforce.omni", "Omni-Channel's owner change needs an agent who is online in it: accept a case in the utility bar and watch the room")
	}
}

// cleanup takes away what was made, the last first.
func (r *drill) cleanup(ctx context.Context) {
	if len(r.undo) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	r.step(ctx, "clean up", "delete the ticket and the room by hand: "+r.ref.GroupID(), func(ctx context.Context) (string, error) {
		var errs []error
		for _, undo := range slices.Backward(r.undo) {
			_, err := upstream.Retry(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, undo(ctx) })
			errs = append(errs, err)
		}
		return "the ticket and its room are gone; the chat keeps the account " + r.customer, errors.Join(errs...)
	})
}

// pickAgents takes those that were named, or any two humans.
func (r *drill) pickAgents(ctx context.Context) (string, error) {
	var ids []string
	for _, a := range r.doctorOptions.agents {
		if name, id, ok := strings.Cut(a, ":"); ok && name == string(r.desk) {
			ids = append(ids, id)
		}
	}
	named := len(ids) > 0
	if !named {
		var err error
		if ids, err = r.someAgents(ctx); err != nil {
			return "", err
		}
	}
	if len(ids) < 2 {
		return "", fmt.Errorf("two agents are needed, there are %d", len(ids))
	}
	r.agents = [2]string{ids[0], ids[1]}
	for _, id := range r.agents {
		if r.agentID(r.desk, id) == "" {
			return "", fmt.Errorf("%q is no id of an agent", id)
		}
	}
	return strings.Join(r.agents[:], " and "), nil
}

func (r *drill) someAgents(ctx context.Context) (ids []string, err error) {
	if r.desk == relay.Salesforce {
		own, err := r.parts.salesforce.OwnUser(ctx)
		if err != nil {
			return nil, err
		}
		users, err := r.parts.salesforce.StandardUsers(ctx)
		for _, u := range users {
			if id, bad := identity.SalesforceID(u.ID, "005"); bad == nil && id != own {
				ids = append(ids, id)
			}
		}
		return ids, err
	}
	own, err := r.parts.zendesk.Me(ctx)
	if err != nil {
		return nil, err
	}
	users, err := r.parts.zendesk.Agents(ctx)
	for _, u := range users {
		if u.ID != own {
			ids = append(ids, strconv.FormatInt(u.ID, 10))
		}
	}
	return ids, err
}

// answer is what the API says to a request.
type answer struct {
	status int
	body   struct {
		GroupID  string `json:"GroupId"`
		TicketID string `json:"ticketId"`
		UserID   string `json:"userId"`
		Code     string `json:"code"`
		Detail   string `json:"detail"`
		Message  string `json:"message"` // the gateway's own
	}
}

func (a answer) err(what string) error {
	return fmt.Errorf("%s: status %d %s %s", what, a.status, a.body.Code, a.body.Detail+a.body.Message)
}

// post asks the deployed API.
func (d *doctor) post(ctx context.Context, path string, headers map[string]string, body any) (a answer, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(d.doctorOptions.api, "/")+path, bytes.NewReader(text))
	if err != nil {
		return a, errors.New("the API's address is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	client := &http.Client{Timeout: 40 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return a, errors.New("the API does not answer")
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(got, &a.body)
	}
	if a.status = res.StatusCode; err != nil {
		err = fmt.Errorf("POST %s: status %d, an answer that makes no sense", path, a.status)
	}
	return a, err
}

// customerToken returns a customer's login token, one that was given or one that
// the stack's own secret makes. It is "" where only guests can be had.
func (d *doctor) customerToken(ctx context.Context) (string, error) {
	if t := d.token; t != "" {
		return t, nil
	}
	if t := os.Getenv("CASEROOM_LOGIN_TOKEN"); t != "" {
		return t, nil
	}
	m := d.more()
	if m.JWKSURL != "" {
		if m.Guests.On {
			return "", nil
		}
		return "", errors.New("the login alone makes tokens: give one with --token or CASEROOM_LOGIN_TOKEN, or switch guests on")
	}
	secret, err := secrets.For[login.Secret](d.parts.secrets, m.Login.Secret).Load(ctx)
	if err != nil {
		return "", err
	}
	claims := jwt.MapClaims{
		"sub": drillCustomer, "name": "caseroom doctor", "iat": d.now().Unix(), "exp": d.now().Add(10 * time.Minute).Unix(),
	}
	if m.Issuer != "" {
		claims["iss"] = m.Issuer
	}
	if m.Audience != "" {
		claims["aud"] = m.Audience
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret.HS256Secrets[0]))
}

// create makes the ticket twice at once with one key: there must be one.
func (r *drill) create(ctx context.Context) (string, error) {
	token, err := r.customerToken(ctx)
	if err != nil {
		return "", err
	}
	path, headers := "/"+string(r.desk)+"/createticket", map[string]string{"Idempotency-Key": uuid.NewString()}
	if token == "" {
		path = "/guest/createticket?desk=" + string(r.desk)
	} else {
		headers["Authorization"] = "Bearer " + token
	}
	body := map[string]any{"caseInfo": map[string]string{
		"subject": "caseroom doctor", "desc": "A drill of caseroom's doctor, which deletes it again. Please leave it alone.",
	}}
	type result struct {
		answer
		err error
	}
	results := make(chan result, 2)
	// What was begun is seen through: an answer that is not read names a ticket
	// that nobody deletes.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 45*time.Second)
	defer cancel()
	for range 2 {
		go func() {
			a, err := r.post(sending, path, headers, body)
			results <- result{a, err}
		}()
	}
	var last result
	made := map[string]bool{}
	for range 2 {
		x := <-results
		if id := x.body.TicketID; id != "" {
			made[id] = true
			r.made(id)
		}
		if last.status != http.StatusOK {
			last = x
		}
	}
	if last.err != nil {
		return "", last.err
	}
	switch {
	case len(made) > 1:
		return "", fmt.Errorf("one key made %d tickets", len(made))
	case last.status != http.StatusOK:
		return "", last.answer.err("POST " + path)
	}
	if r.ref, err = relay.ParseGroupID(last.body.GroupID); err != nil || r.ref.Desk != r.desk {
		return "", fmt.Errorf("the answer names the room %q", last.body.GroupID)
	}
	r.customer = last.body.UserID
	return r.ref.GroupID() + ", the same for the same key at once", nil
}

// made remembers what has to be taken away of a ticket.
func (r *drill) made(ticketID string) {
	ref := relay.Ref{Desk: r.desk, Ticket: ticketID}
	r.undo = append(r.undo,
		func(ctx context.Context) error { return r.destroyRoom(ctx, ref.GroupID()) },
		func(ctx context.Context) error { return r.deleteTicket(ctx, ticketID) },
	)
}

// How often a room is destroyed, and how long it is waited in between: a Sync
// that had read the ticket before it was deleted makes the room again.
const (
	destroyTimes = 4
	destroyWait  = 300 * time.Millisecond
)

func (r *drill) destroyRoom(ctx context.Context, groupID string) error {
	for n := 1; ; n++ {
		if err := r.rooms.Destroy(ctx, groupID); err != nil || n == destroyTimes {
			return err
		}
		if err := upstream.Sleep(ctx, destroyWait); err != nil {
			return err
		}
	}
}

func (r *drill) deleteTicket(ctx context.Context, id string) error {
	if r.desk == relay.Salesforce {
		return r.parts.salesforce.DeleteCase(ctx, id)
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return err
	}
	return r.admin.DeleteTicket(ctx, n)
}

// number is the Zendesk ticket's.
func (r *drill) number() int64 {
	n, _ := strconv.ParseInt(r.ref.Ticket, 10, 64)
	return n
}

func (r *drill) assign(i int) func(context.Context) error {
	return func(ctx context.Context) error {
		if r.desk == relay.Salesforce {
			return r.parts.salesforce.UpdateCase(ctx, r.ref.Ticket, map[string]any{"OwnerId": r.agents[i]})
		}
		id, err := strconv.ParseInt(r.agents[i], 10, 64)
		if err != nil {
			return err
		}
		return r.parts.zendesk.AssignTicket(ctx, r.number(), id)
	}
}

func (r *drill) status(s string) func(context.Context) error {
	return func(ctx context.Context) error {
		if r.desk == relay.Salesforce {
			return r.parts.salesforce.UpdateCase(ctx, r.ref.Ticket, map[string]any{"Status": s})
		}
		return r.parts.zendesk.SetStatus(ctx, r.number(), s)
	}
}

// await looks until the room is as it should be, by the members and the lock
// that this step wants and by Sync's own opinion. Patience ends the looking, not
// a look: the verdict is always about the room.
func (r *drill) await(ctx context.Context, muted bool, members []string) (string, error) {
	until := time.Now().Add(r.patience)
	want := slices.Sorted(slices.Values(members))
	var is string
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		rooms, err := r.rooms.Read(ctx, relay.DeskHash(r.desks[r.desk].Host()), r.ref.GroupID())
		room := rooms[r.ref.GroupID()]
		switch {
		case err != nil:
			is = err.Error()
		case room.Err != nil:
			is = room.Err.Error()
		case room.Whose != relay.OurRoom:
			is = "there is no room of ours"
		default:
			in := slices.Sorted(slices.Values(room.Members))
			state := map[bool]string{true: "locked", false: "open"}[room.Muted]
			is = fmt.Sprintf("%s, with %s", state, strings.Join(in, ", "))
			if room.Muted == muted && slices.Equal(in, want) && room.Mark.Announced > 0 {
				v := r.rehearse(ctx, []relay.Ref{r.ref})[0]
				if v.Error == "" && len(v.Steps) == 0 {
					return is, nil
				}
				is += "; Sync is not done with it"
			}
		}
		if time.Now().After(until) || upstream.Sleep(ctx, wait) != nil {
			return "", fmt.Errorf("after %v the room is not %s with %s: %s", r.patience,
				map[bool]string{true: "locked", false: "open"}[muted], strings.Join(want, ", "), is)
		}
	}
}

// filed looks for the transcript on the ticket.
func (r *drill) filed(ctx context.Context) (string, error) {
	parts, _, err := r.desks[r.desk].Parts(ctx, r.ref.Ticket, r.ref.GroupID()+"@", time.Time{})
	if err != nil {
		return "", err
	}
	if len(parts) == 0 {
		return "", errors.New("no part of it is on the ticket")
	}
	return fmt.Sprintf("%s on the ticket, the last %s", cli.Count(len(parts), "part"), parts[len(parts)-1]), nil
}
