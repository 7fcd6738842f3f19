package localrun

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/localfile"
	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/session"
)

// Ready is what somebody who wants to use the running stack must know.
type Ready struct {
	localfile.Stack
	Tokens   Tokens    `json:"tokens"`
	Rooms    Rooms     `json:"rooms"`
	Requests []Request `json:"requests"`

	calendars bool // there are any
	chat      bool // calls the stack
}

// operatorEnv joins the functions' variables with the host's own.
func operatorEnv(stack *lambdahost.Stack, host map[string]string) map[string]string {
	env := map[string]string{"AWS_REGION": stack.Region}
	for _, f := range stack.Functions {
		maps.Copy(env, f.Env)
	}
	maps.Copy(env, host)
	return env
}

// Tokens are credentials of people and desks that the sandbox knows.
type Tokens struct {
	Login        string `json:"login"` // of Dana, a customer with an e-mail address
	Guest        string `json:"guest"` // of the guest of the first guest ticket
	AgentSession string `json:"agentSession"`
	CalendarFeed string `json:"calendarFeed"` // the token of the agent's feed
	ZendeskApp   string `json:"zendeskApp"`   // the token of a signed app URL
	// ZendeskAdmin is an admin's browser session at Zendesk: the value of the
	// cookie _zendesk_session.
	ZendeskAdmin  string `json:"zendeskAdmin"`
	ZendeskKey    string `json:"zendeskKey"`
	SalesforceKey string `json:"salesforceKey"`
	IAMPrincipal  string `json:"iamPrincipal"`
}

// Rooms are the group ids of the tickets made at the start: one of each desk to
// work with, one to delete.
type Rooms struct {
	Zendesk          string `json:"zendesk"`
	ZendeskDelete    string `json:"zendeskDelete"`
	Salesforce       string `json:"salesforce"`
	SalesforceDelete string `json:"salesforceDelete"`
}

// tokenLife is a working day's.
const tokenLife = 12 * time.Hour

// mint makes every credential that does not need a ticket.
func mint(ctx context.Context, f sandbox.Fixtures, sandboxURL string, now time.Time) (Tokens, error) {
	t := Tokens{
		ZendeskKey: f.DeskKeyZendesk, SalesforceKey: f.DeskKeySalesforce, ZendeskAdmin: f.Zendesk.AdminSession,
		IAMPrincipal: "arn:aws:iam::" + f.AWS.AccountID + ":user/salesforce",
	}
	var err error
	t.Login, err = logintest.HS(f.LoginHS256).Sign(map[string]any{
		"iss": loginIssuer, "aud": loginAudience, "sub": "dana", "name": "Dana Customer",
		"email": "dana@customer.example", "email_verified": true,
		"iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	})
	if err != nil {
		return t, fmt.Errorf("login token: %w", err)
	}
	agent := strconv.FormatInt(f.Zendesk.AgentIDs[0], 10)
	agents := session.Agents{
		Now:     func() time.Time { return now },
		Secrets: func(context.Context) ([]string, error) { return []string{f.AppSessionSecret}, nil },
	}
	if t.AgentSession, _, err = agents.Issue(ctx, agent); err != nil {
		return t, fmt.Errorf("agent session: %w", err)
	}
	feeds := calendar.Tokens{Now: time.Now, Secret: func(context.Context) (string, error) { return f.Cronofy.StateSecret, nil }}
	if t.CalendarFeed, err = feeds.Feed(ctx, agent, 0); err != nil {
		return t, fmt.Errorf("calendar feed: %w", err)
	}
	t.ZendeskApp, err = appToken(f, sandboxURL, agent, now)
	return t, err
}

// Request is one request that works.
type Request struct {
	Title   string            `json:"title"`
	Method  string            `json:"method"`
	Path    string            `json:"path"` // with query
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body,omitempty"`
	Curl    string            `json:"curl"`
}

// seed makes the tickets whose rooms the printed requests name, through the
// gateway as any client would.
func (r *Ready) seed(ctx context.Context) error {
	for _, t := range []struct {
		path string
		room *string
	}{
		{"/zendesk/createticket", &r.Rooms.Zendesk},
		{"/zendesk/createticket", &r.Rooms.ZendeskDelete},
		{"/salesforce/createticket", &r.Rooms.Salesforce},
		{"/salesforce/createticket", &r.Rooms.SalesforceDelete},
		{"/guest/createticket", nil},
	} {
		headers := map[string]string{"Content-Type": "application/json"}
		if t.room != nil {
			headers["Authorization"] = "Bearer " + r.Tokens.Login
		} else {
			headers["Idempotency-Key"] = uuid.NewString()
		}
		answer, err := post(ctx, r.Gateway+t.path, headers, ticketBody("A first ticket"))
		if errors.Is(err, errOff) {
			continue // a stack without this desk, or without guests
		}
		if err != nil {
			return fmt.Errorf("the first ticket by POST %s failed: %w", t.path, err)
		}
		if t.room != nil {
			*t.room = answer.GroupID
		} else {
			r.Tokens.Guest = answer.GuestToken
		}
	}
	return nil
}

type ticketAnswer struct {
	GroupID    string `json:"GroupId"`
	GuestToken string `json:"guestToken"`
}

// errOff means that the route is not switched on.
var errOff = errors.New("the route is off")

func post(ctx context.Context, target string, headers map[string]string, body string) (ticketAnswer, error) {
	var answer ticketAnswer
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return answer, err
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return answer, err
	}
	if res.StatusCode == http.StatusNotFound {
		return answer, errOff
	}
	if res.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("status %d: %s", res.StatusCode, text)
	}
	return answer, json.Unmarshal(text, &answer)
}

func ticketBody(subject string) string {
	return jsonText(map[string]any{"caseInfo": map[string]string{
		"subject": subject, "desc": "The lamp that I bought does not light.", "name": "Dana Customer", "email": "dana@customer.example",
	}})
}

// examples are requests for every operation that is on, each by each kind of
// caller.
func examples(r Ready, f sandbox.Fixtures) []Request {
	t := r.Tokens
	bearer := func(token string) map[string]string { return map[string]string{"Authorization": "Bearer " + token} }
	iam := map[string]string{"X-Caseroom-Iam-Arn": t.IAMPrincipal}
	with := func(h map[string]string, name, value string) map[string]string {
		out := map[string]string{name: value}
		for k, v := range h {
			out[k] = v
		}
		return out
	}
	zendeskAgent := strconv.FormatInt(f.Zendesk.AgentIDs[0], 10)
	member := func(group, user string) string {
		return jsonText(map[string]string{"groupId": group, "userId": user})
	}
	room := func(group string) string { return jsonText(map[string]string{"groupId": group}) }
	cases := jsonText(map[string][]string{"cases": {r.Rooms.Salesforce}})
	vouched := jsonText(map[string]string{"userId": f.Salesforce.AgentIDs[0]})

	list := []Request{
		{Title: "a ticket and its room, as a logged-in customer", Method: "POST", Path: "/createticket", Headers: bearer(t.Login), Body: ticketBody("The lamp is dark")},
		{Title: "the same, safe to repeat", Method: "POST", Path: "/zendesk/createticket", Headers: with(bearer(t.Login), "Idempotency-Key", uuid.NewString()), Body: ticketBody("The lamp is dark")},
		{Title: "a Salesforce case and its room", Method: "POST", Path: "/salesforce/createticket", Headers: with(bearer(t.Login), "Idempotency-Key", uuid.NewString()), Body: ticketBody("The lamp is dark")},
		{Title: "a guest's ticket", Method: "POST", Path: "/guest/createticket", Headers: map[string]string{"Idempotency-Key": uuid.NewString()}, Body: ticketBody("A guest's lamp")},
		{Title: "a guest's Salesforce case", Method: "POST", Path: "/guest/createticket?desk=salesforce", Headers: bearer(t.Guest), Body: ticketBody("A guest's lamp")},

		{Title: "a Zendesk agent into a room", Method: "POST", Path: "/joingroup", Headers: bearer(t.ZendeskKey), Body: member(r.Rooms.Zendesk, zendeskAgent)},
		{Title: "and out", Method: "POST", Path: "/leavegroup", Headers: bearer(t.ZendeskKey), Body: member(r.Rooms.Zendesk, zendeskAgent)},
		{Title: "a Salesforce agent into a room", Method: "POST", Path: "/salesforce/joingroup", Headers: bearer(t.SalesforceKey), Body: member(r.Rooms.Salesforce, f.Salesforce.AgentIDs[0])},
		{Title: "and out", Method: "POST", Path: "/salesforce/leavegroup", Headers: bearer(t.SalesforceKey), Body: member(r.Rooms.Salesforce, f.Salesforce.AgentIDs[0])},
		{Title: "the same, signed by IAM (a header stands in for the signature)", Method: "POST", Path: "/iam/salesforce/joingroup", Headers: iam, Body: member(r.Rooms.Salesforce, f.Salesforce.AgentIDs[0])},
		{Title: "and out", Method: "POST", Path: "/iam/salesforce/leavegroup", Headers: iam, Body: member(r.Rooms.Salesforce, f.Salesforce.AgentIDs[0])},
		{Title: "a ticket changed, as a ZIS flow or a trigger says it", Method: "POST", Path: "/zendesk/events", Headers: bearer(f.Zendesk.EventsBearer), Body: jsonText(map[string]string{"ticketId": strings.TrimPrefix(r.Rooms.Zendesk, "ZENDESK#")})},
		{Title: "cases changed, as Apex says it", Method: "POST", Path: "/salesforce/events", Headers: bearer(t.SalesforceKey), Body: cases},
		{Title: "the same, signed by IAM", Method: "POST", Path: "/iam/salesforce/events", Headers: iam, Body: cases},
		{Title: "a room away", Method: "POST", Path: "/deletegroup", Headers: bearer(t.ZendeskKey), Body: room(r.Rooms.ZendeskDelete)},
		{Title: "a Salesforce room away", Method: "POST", Path: "/salesforce/deletegroup", Headers: bearer(t.SalesforceKey), Body: room(r.Rooms.SalesforceDelete)},
		{Title: "the same, signed by IAM", Method: "POST", Path: "/iam/salesforce/deletegroup", Headers: iam, Body: room(r.Rooms.SalesforceDelete)},

		{Title: "a UserSig for a customer", Method: "POST", Path: "/usersig", Headers: bearer(t.Login), Body: "{}"},
		{Title: "for a guest", Method: "POST", Path: "/usersig", Headers: bearer(t.Guest), Body: "{}"},
		{Title: "for a Zendesk agent", Method: "POST", Path: "/usersig", Headers: bearer(t.AgentSession), Body: "{}"},
		{Title: "for a Salesforce agent", Method: "POST", Path: "/salesforce/usersig", Headers: bearer(t.SalesforceKey), Body: vouched},
		{Title: "the same, signed by IAM", Method: "POST", Path: "/iam/salesforce/usersig", Headers: iam, Body: vouched},

		{Title: "a Zendesk Chat JWT", Method: "GET", Path: "/generate/token", Headers: bearer(t.Login)},
		{Title: "the same, by cookie", Method: "GET", Path: "/generate/token", Headers: map[string]string{"Cookie": "token=" + t.Login}},
		{Title: "a Zendesk Messaging JWT", Method: "POST", Path: "/generate/token?for=messaging", Headers: bearer(t.Login), Body: "{}"},

		{Title: "the agents' panel, as Zendesk opens it", Method: "POST", Path: "/zendesk/app", Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, Body: "token=" + url.QueryEscape(t.ZendeskApp)},
		{Title: "an agent's calendar", Method: "GET", Path: "/calendar", Headers: bearer(t.AgentSession)},
		{Title: "where the agent connects one, to open in a browser", Method: "GET", Path: "/calendar/connect", Headers: bearer(t.AgentSession)},
		{Title: "the agent's feed, for a calendar program", Method: "GET", Path: "/calendar/feed?token=" + t.CalendarFeed},
		{Title: "a Zendesk Chat visitor", Method: "GET", Path: "/visitor?id=9855790-xjj3u5xPWhW1Fv", Headers: bearer(t.ZendeskKey)},
	}
	list = slices.DeleteFunc(list, func(e Request) bool { return e.off(r) })
	for i := range list {
		e := &list[i]
		if e.Body != "" && e.Headers["Content-Type"] == "" {
			e.Headers = with(e.Headers, "Content-Type", "application/json")
		}
		e.Curl = e.curl(r.Gateway)
	}
	return list
}

// off reports whether the stack lacks the desk or the guests of a request.
func (e Request) off(r Ready) bool {
	about := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(e.Path, part) })
	}
	switch {
	case strings.Contains(e.Body, `"groupId":""`):
		return true
	case r.Rooms.Zendesk == "" && (about("/zendesk/", "/visitor") || e.Headers["Authorization"] == "Bearer "+r.Tokens.AgentSession):
		return true
	case !r.calendars && about("/calendar"):
		return true
	case r.Rooms.Salesforce == "" && about("salesforce"):
		return true
	default:
		return r.Tokens.Guest == "" && (about("/guest/") || e.Headers["Authorization"] == "Bearer ")
	}
}

// headerOrder keeps the printed lines alike.
var headerOrder = []string{"Authorization", "Cookie", "X-Caseroom-Iam-Arn", "Idempotency-Key", "Content-Type"}

// curl renders the request for a shell.
func (e Request) curl(base string) string {
	var b strings.Builder
	b.WriteString("curl -sS --fail-with-body ")
	if e.Method != http.MethodGet {
		b.WriteString("-X " + e.Method + " ")
	}
	b.WriteString(quote(base + e.Path))
	for _, name := range headerOrder {
		if v := e.Headers[name]; v != "" {
			b.WriteString(" -H " + quote(name+": "+v))
		}
	}
	if e.Body != "" {
		b.WriteString(" -d " + quote(e.Body))
	}
	return b.String()
}

// quote makes s one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func jsonText(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // maps of strings always encode
	}
	return strings.TrimSpace(b.String())
}

func (r Ready) print(out io.Writer, o Options) {
	var b strings.Builder
	for _, e := range r.Requests {
		fmt.Fprintf(&b, "# %s\n%s\n", e.Title, e.Curl)
	}
	fmt.Fprintf(&b, "\nlook     %s/  to be the customer, the desk and the agent in a browser\nAPI      %s\nsandbox  %s/state  %s/calls  %s/faults\n", r.Gateway, r.Gateway, r.Sandbox, r.Sandbox, r.Sandbox)
	if o.Docker {
		fmt.Fprintf(&b, "%s is for sam local invoke --env-vars; the sandbox listens on %s\n", o.EnvFile, o.SandboxAddr)
	}
	b.WriteString("Every line above works as it stands, for 12 hours. Ctrl-C stops everything.\n\n")
	_, _ = io.WriteString(out, b.String())
}

// write puts it in a file of the user's own, whole or not at all.
func (r Ready) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return writeFile(path, text)
}

func writeFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".caseroom-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(append(text, '\n')); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// dockerHost is this machine as a container sees it.
const dockerHost = "host.docker.internal"

// writeEnvFile writes the functions' environments for sam local --env-vars,
// with the addresses that SAM's containers reach. It holds names of secrets and
// no secret.
func writeEnvFile(path string, stack *lambdahost.Stack, sandboxLn net.Listener, sandboxURL string) error {
	_, port, err := net.SplitHostPort(sandboxLn.Addr().String())
	if err != nil {
		return err
	}
	inDocker := "http://" + net.JoinHostPort(dockerHost, port)
	file := map[string]map[string]string{}
	for _, f := range stack.Functions {
		env := map[string]string{}
		for name, value := range f.Env {
			env[name] = strings.ReplaceAll(value, sandboxURL, inDocker)
		}
		if _, has := env["AWS_ENDPOINT_URL"]; has {
			env["AWS_ENDPOINT_URL"] = inDocker + "/aws"
		}
		file[f.LogicalID] = env
	}
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, text)
}
