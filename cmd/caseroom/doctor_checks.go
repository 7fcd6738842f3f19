package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/deadletters"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/zendesklink"
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/boot/bootcronofy"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/chatjwt"
	"github.com/caseroom/caseroom/shared/chatwebhook"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/login"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/webhook"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// more are the settings that only the doctor looks at.
type more struct {
	config.Login
	config.Guests
	config.DeskKeys
	config.ZendeskApp
	config.ZendeskEvents
	config.ChatWebhook
	config.ZendeskChat
	config.Zopim
	config.Cronofy
	config.NewCases
}

func (d *doctor) more() (m more) {
	// What is wrong with them is told by [doctor.lookSecrets].
	_ = d.stack.load(&m)
	return m
}

// secretOf reads a secret as T. Without meaning, the stack cannot do without it;
// else meaning says what it then lacks.
func secretOf[T any](ctx context.Context, d *doctor, name, id, without string) {
	check := "secret." + name
	_, err := secrets.For[T](d.parts.secrets, id).Load(ctx)
	if err == nil {
		d.ok(check, "%s", id)
		return
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		if !strings.HasPrefix(next.Error(), "secret ") {
			break
		}
		err = next
	}
	missing := strings.Contains(err.Error(), "ResourceNotFoundException")
	switch {
	case missing && without != "":
		d.skip(check, "%s is not there: %s", id, without)
	case missing:
		d.bad(check, "create it; docs/configuration.md has its keys and where their values come from", "%v", err)
	case strings.Contains(err.Error(), "AccessDenied"):
		d.bad(check, "let yourself, and the functions, call secretsmanager:GetSecretValue on it", "%v", err)
	case !strings.Contains(err.Error(), ": EmptySecret") && !strings.Contains(err.Error(), ": DecodeFailed") && !strings.Contains(err.Error(), ": ValidationFailed"):
		d.bad(check, "Secrets Manager does not answer, or not with a secret: look at the network, the region and the AWS health page, and try again", "%v", err)
	default:
		d.bad(check, "write a right value: aws secretsmanager put-secret-value --secret-id "+id+"; docs/configuration.md has its keys", "%v", err)
	}
}

func (d *doctor) lookSecrets(ctx context.Context) {
	var m more
	if err := d.stack.load(&m); err != nil {
		d.bad("settings", "set the parameter right and deploy", "%v", err)
		return
	}
	secretOf[tencentim.Credentials](ctx, d, "tencent", d.Tencent.Secret, "")
	if d.parts.zendesk != nil {
		secretOf[zendesk.Credentials](ctx, d, "zendesk", d.Zendesk.Secret, "")
		if d.admin != d.parts.zendesk {
			secretOf[zendesk.Credentials](ctx, d, "zendesk-admin", d.ZendeskAdmin.Secret, "")
		}
		secretOf[webhook.Secret](ctx, d, "zendesk-events", m.ZendeskEvents.Secret, "")
		secretOf[session.AppSecret](ctx, d, "zendesk-app", m.ZendeskApp.Secret, "agents have no panel in Zendesk")
		secretOf[chatjwt.Secret](ctx, d, "zendesk-chat", m.ZendeskChat.Secret, "/generate/token makes no JWTs")
		secretOf[zendesk.ChatCredentials](ctx, d, "zopim", m.Zopim.Secret, "/visitor knows nobody")
	}
	if d.parts.salesforce != nil {
		secretOf[salesforce.Credentials](ctx, d, "salesforce", d.Salesforce.Secret, "")
	}
	if m.JWKSURL == "" {
		secretOf[login.Secret](ctx, d, "login", m.Login.Secret, "")
	}
	if m.ChatWebhook.On {
		secretOf[chatwebhook.Secret](ctx, d, "chat-webhook", m.ChatWebhook.Secret, "")
	}
	if m.Guests.On {
		secretOf[session.GuestSecret](ctx, d, "guest", m.Guests.Secret, "")
	}
	if m.Cronofy.BaseURL != "" {
		secretOf[cronofy.Secret](ctx, d, "cronofy", m.Cronofy.Secret, "")
	}
	secretOf[api.DeskKeys](ctx, d, "desk-keys", m.DeskKeys.Secret, "no desk can call by key")
}

// unread reports whether a secret's own check has failed, so that what rests on
// it is no finding of its own.
func (d *doctor) unread(id string, names ...string) bool {
	for _, name := range names {
		if d.broken["secret."+name] {
			d.skip(id, "its secret cannot be read")
			return true
		}
	}
	return false
}

// fetch gets a page and returns its status, its Date and some of its body.
func (d *doctor) fetch(ctx context.Context, method, url string) (status int, date time.Time, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, date, nil, errors.New("the address is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := d.http.Do(req)
	if err != nil {
		return 0, date, nil, errors.New("no answer") // err holds the URL
	}
	defer func() { _ = res.Body.Close() }()
	date, _ = http.ParseTime(res.Header.Get("Date"))
	body, _ = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, date, body, nil
}

// lookAPI asks the deployed API for something that nobody may have.
func (d *doctor) lookAPI(ctx context.Context) {
	const id = "api"
	if d.doctorOptions.api == "" {
		d.skip(id, "its address is not known: say --api-url")
		return
	}
	status, _, body, err := d.fetch(ctx, http.MethodPost, strings.TrimSuffix(d.doctorOptions.api, "/")+"/usersig")
	var problem struct{ Code string }
	_ = json.Unmarshal(body, &problem)
	switch {
	case err != nil:
		d.bad(id, "check the address, and that the stack is deployed", "%s: %v", d.doctorOptions.api, err)
	case problem.Code != "unauthorized":
		d.bad(id, "look at the log of the function usersig; check that the address is this stack's", "POST /usersig without a token: status %d, not caseroom's 401", status)
	default:
		d.ok(id, "%s", d.doctorOptions.api)
	}
}

// maxSkew is what every vendor forgives. Tencent's signatures and Zendesk's
// timestamps forgive minutes.
const maxSkew = time.Minute

func (d *doctor) lookClock(ctx context.Context) {
	const id = "clock"
	url := d.Zendesk.BaseURL
	if url == "" {
		url = d.Salesforce.BaseURL
	}
	_, date, _, err := d.fetch(ctx, http.MethodHead, url)
	if err != nil || date.IsZero() {
		d.skip(id, "nobody to compare with answers")
		return
	}
	skew := d.now().Sub(date).Round(time.Second)
	if skew > maxSkew || skew < -maxSkew {
		d.bad(id, "set this machine's clock; what this command signs may be refused", "%v off the desk's", skew)
		return
	}
	d.ok(id, "within %v of the desk's", max(skew, -skew, time.Second))
}

func (d *doctor) lookLogin(ctx context.Context) {
	const id = "login.keys"
	m := d.more()
	if m.JWKSURL == "" {
		return // the secret's check says all
	}
	status, _, body, err := d.fetch(ctx, http.MethodGet, m.JWKSURL)
	var set struct{ Keys []json.RawMessage }
	switch {
	case err != nil:
		d.bad(id, "check LoginJwksUrl, and that it can be reached from anywhere", "LOGIN_JWKS_URL: %v", err)
	case status != http.StatusOK || json.Unmarshal(body, &set) != nil || len(set.Keys) == 0:
		d.bad(id, "check LoginJwksUrl: it must answer a JSON Web Key Set", "LOGIN_JWKS_URL: status %d, no keys", status)
	default:
		d.ok(id, "%s", cli.Count(len(set.Keys), "key"))
	}
}

// refusal notes what a vendor's error means for its credentials.
func (d *doctor) refusal(id, vendor, secret string, err error) {
	var up *upstream.Error
	switch {
	case errors.As(err, &up) && up.Credentials:
		d.bad(id, "put working credentials into "+secret+"; docs/configuration.md says where they come from", "%v", err)
	case errors.As(err, &up) && up.Quota:
		d.bad(id, "raise "+vendor+"'s quota, or wait until it renews", "%v", err)
	case errors.As(err, &up) && up.Status == http.StatusForbidden:
		d.bad(id, "give the user of "+secret+" the permission", "%v", err)
	case errors.As(err, &up) && up.Retryable():
		d.bad(id, "try again later; if it stays, check the address and "+vendor+"'s status page", "%v", err)
	default:
		d.bad(id, "check the address and the credentials in "+secret, "%v", err)
	}
}

func (d *doctor) lookZendesk(ctx context.Context) {
	if d.parts.zendesk == nil {
		return
	}
	if !d.unread("credentials.zendesk", "zendesk") {
		switch me, err := d.parts.zendesk.Self(ctx); {
		case err != nil:
			d.refusal("credentials.zendesk", "Zendesk", d.Zendesk.Secret, err)
		case me.Role != "admin" && me.Role != "agent":
			d.bad("credentials.zendesk", "use an agent's credentials in "+d.Zendesk.Secret, "user %d is no agent but %s", me.ID, me.Role)
		case me.Restriction != "":
			d.bad("credentials.zendesk", "give the user access to all tickets, in all groups and brands: what it does not see has no room", "user %d sees some tickets only: %s", me.ID, me.Restriction)
		case me.NotesOnly:
			d.bad("credentials.zendesk", "make the user a full agent", "user %d is a light agent, whose comments are internal: customers would not see their own words", me.ID)
		default:
			d.ok("credentials.zendesk", "user %d, %s", me.ID, me.Role)
		}
	}
	// What only an admin's credentials can do: webhooks, the feed of changes.
	name := "zendesk"
	if d.admin != d.parts.zendesk {
		name = "zendesk-admin"
	}
	const id = "credentials.zendesk-admin"
	if d.broken["credentials.zendesk"] && name == "zendesk" {
		d.skip(id, "they are those of credentials.zendesk")
		return
	}
	if d.unread(id, name) {
		return
	}
	switch me, err := d.admin.Self(ctx); {
	case err != nil:
		d.refusal(id, "Zendesk", d.ZendeskAdmin.Secret, err)
	case me.Role != "admin":
		d.bad(id, "make the user an admin, or set ZendeskAdminSecret to the secret of one: reconcile and zendesk up need it", "user %d is no admin but %s", me.ID, me.Role)
	default:
		d.ok(id, "user %d, %s", me.ID, me.Role)
	}
}

func (d *doctor) lookSalesforce(ctx context.Context) {
	const id = "credentials.salesforce"
	if d.parts.salesforce == nil || d.unread(id, "salesforce") {
		return
	}
	own, err := d.parts.salesforce.OwnUser(ctx)
	if err != nil {
		d.refusal(id, "Salesforce", d.Salesforce.Secret, err)
		return
	}
	d.ok(id, "user %s", own)
	if d.KeyField == "" || d.UserField == "" {
		d.skip("salesforce.package", "without it a repeated request makes a second case, and no room follows its case by itself")
		return
	}
	if _, err := d.parts.salesforce.Cases(ctx, "500000000000000AAA"); err != nil {
		d.bad("salesforce.package", "install caseroom's package and give the user its permission set; caseroom salesforce status says what is missing", "cases cannot be read with %s and %s: %v", d.KeyField, d.UserField, err)
		return
	}
	d.ok("salesforce.package", "%s and %s can be read", d.KeyField, d.UserField)
}

// lookAutoResponse looks whether the org takes cases without an address.
func (d *doctor) lookAutoResponse(ctx context.Context) {
	const id = "salesforce.auto-response"
	if d.parts.salesforce == nil || d.broken["credentials.salesforce"] || d.unread(id, "salesforce") {
		return
	}
	rules, err := d.parts.salesforce.AutoResponseRules(ctx)
	switch fallback := d.more().FallbackEmail; {
	case err != nil:
		d.skip(id, "its user may not look (%v): in Setup, see whether an auto-response rule for cases is active", err)
	case len(rules) > 0 && fallback == "":
		d.bad(id, "set SalesforceFallbackEmail to a no-reply address of yours, unless the rule is for leads alone",
			"an auto-response rule is active (%s): Salesforce then takes no case from a customer without an e-mail address", strings.Join(rules, ", "))
	case len(rules) > 0:
		d.ok(id, "cases without an address have %s", fallback)
	default:
		d.ok(id, "no rule is active")
	}
}

// regionCodes are the app's answers on a host of another region.
var regionCodes = []string{"60026", "70016", "70020"}

func (d *doctor) lookChat(ctx context.Context) {
	const id = "credentials.tencent"
	if d.unread(id, "tencent") {
		return
	}
	app, err := secrets.For[tencentim.Credentials](d.parts.secrets, d.Tencent.Secret).Load(ctx)
	if err == nil {
		_, err = d.chat.AccountExists(ctx, app.AdminUserID)
	}
	switch {
	case err == nil:
		d.ok(id, "app %d, admin %s, region %s", app.SDKAppID, app.AdminUserID, d.Region)
		d.lookHosts(ctx)
	case upstream.HasCode(err, regionCodes...):
		d.bad("region.tencent", fmt.Sprintf("look in the console where app %d is, and set TencentRegion to it: %s; if it is there, sdkAppId in %s is wrong",
			app.SDKAppID, strings.Join(slices.Sorted(maps.Keys(tencentim.Hosts)), ", "), d.Tencent.Secret), "the app is not in region %s: %v", d.Region, err)
	case upstream.HasCode(err, "60010"):
		d.bad(id, "name an admin of the app's console as adminUserId in "+d.Tencent.Secret, "%v", err)
	case upstream.HasCode(err, "70001"):
		d.bad(id, "set this machine's clock: UserSigs are signed by it", "%v", err)
	default:
		d.refusal(id, "Tencent Cloud Chat", d.Tencent.Secret, err)
	}
}

// hostsLooked is how many rooms are looked at for the hosts in their marks.
const hostsLooked = 500

// lookHosts compares the desks' hosts with those in rooms' marks: a desk that was
// renamed has rooms that all name another host.
func (d *doctor) lookHosts(ctx context.Context) {
	groups, _, err := d.parts.rooms.List(ctx, "", hostsLooked)
	if err != nil {
		d.bad("hosts", "try again in a minute: the chat lists its groups once a second", "%v", err)
		return
	}
	for name, desk := range d.parts.desks {
		id := "hosts." + string(name)
		var ids []string
		for _, group := range groups {
			if ref, err := relay.ParseGroupID(group); err == nil && ref.Desk == name {
				ids = append(ids, group)
			}
		}
		if len(ids) == 0 {
			d.ok(id, "no room yet")
			continue
		}
		rooms, err := d.parts.rooms.Read(ctx, relay.DeskHash(desk.Host()), ids...)
		if err != nil {
			d.bad(id, "try again", "%v", err)
			continue
		}
		count := map[relay.Whose]int{}
		for _, r := range rooms {
			count[r.Whose]++
		}
		if count[relay.OurRoom] == 0 && count[relay.ForeignRoom] > 0 {
			d.bad(id, "if the desk was renamed, put its former host into FormerHosts and deploy: docs/rename.md",
				"%s is in the mark of no room, and %d rooms name other hosts", desk.Host(), count[relay.ForeignRoom])
			continue
		}
		d.ok(id, "%s is in the marks of %d rooms", desk.Host(), count[relay.OurRoom])
	}
}

func (d *doctor) lookZopim(ctx context.Context) {
	const id = "credentials.zopim"
	m := d.more()
	creds := secrets.For[zendesk.ChatCredentials](d.parts.secrets, m.Zopim.Secret)
	if d.parts.zendesk == nil || d.unread(id, "zopim") {
		return
	}
	if _, err := creds.Load(ctx); err != nil {
		return // there is none: that was told
	}
	client, err := bootzendesk.Chat(d.process, m.Zopim)
	if err == nil {
		_, err = client.Visitor(ctx, "1")
	}
	if err != nil && !errors.Is(err, zendesk.ErrNoVisitor) {
		d.refusal(id, "Zendesk Chat", m.Zopim.Secret, err)
		return
	}
	d.ok(id, "accepted")
}

func (d *doctor) lookCronofy(ctx context.Context) {
	const id = "credentials.cronofy"
	m := d.more()
	if m.Cronofy.BaseURL == "" || d.unread(id, "cronofy") {
		return
	}
	client, err := bootcronofy.Client(d.process, m.Cronofy)
	if err == nil {
		err = client.Check(ctx)
	}
	switch {
	case err == nil:
		d.ok(id, "accepted")
	case errors.Is(err, cronofy.ErrClient):
		d.bad(id, "compare clientId and clientSecret in "+m.Cronofy.Secret+" with Cronofy's console, and CronofyBaseUrl with the data centre the application lives in: "+
			strings.Join(cronofy.DataCentres, ", "), "%v", err)
	default:
		d.refusal(id, "Cronofy", m.Cronofy.Secret, err)
	}
}

// lookWebhook looks whether the account tells the stack of changes.
func (d *doctor) lookWebhook(ctx context.Context) {
	const id = "webhook"
	switch {
	case d.parts.zendesk == nil:
		return
	case d.doctorOptions.api == "":
		d.skip(id, "the API's address is not known: say --api-url")
		return
	case d.broken["credentials.zendesk-admin"] || d.broken["credentials.zendesk"]:
		d.skip(id, "only an admin sees webhooks")
		return
	case d.unread(id, "zendesk", "zendesk-admin", "zendesk-events"):
		return
	}
	admin := config.Zendesk{BaseURL: d.Zendesk.BaseURL, Secret: d.ZendeskAdmin.Secret}
	client, err := bootzendesk.Scoped(d.stack.patient(), admin, zendesk.AdminScope)
	if err != nil {
		d.bad(id, "check ZendeskBaseUrl", "%v", err)
		return
	}
	link := &zendesklink.Link{
		Account: client, Endpoint: strings.TrimSuffix(d.doctorOptions.api, "/") + "/zendesk/events", Now: d.now,
		Tasks:  d.more().Cronofy.BaseURL != "",
		Secret: &zendesklink.Secret{API: secretsmanager.NewFromConfig(d.stack.AWS), ID: d.more().ZendeskEvents.Secret},
	}
	state, err := link.Observe(ctx)
	if err != nil {
		d.refusal(id, "Zendesk", d.ZendeskAdmin.Secret, err)
		return
	}
	problems := link.Problems(state)
	for _, p := range problems {
		d.bad(id, p.Do, "%s", p.What)
	}
	d.lookMails(ctx, link)
	hook := state.Teller()
	switch {
	case hook == nil:
		return
	case len(problems) > 0:
	case len(state.Webhooks) == 0:
		d.ok(id, "%s, which caseroom zendesk up did not make", hook.ID)
	default:
		d.ok(id, "%s", hook.ID)
	}
	recent, err := link.Recent(ctx, state)
	switch problems := zendesklink.Judge(recent); {
	case err != nil:
		d.refusal("webhook.delivery", "Zendesk", d.ZendeskAdmin.Secret, err)
	case len(recent) == 0:
		d.skip("webhook.delivery", "Zendesk has delivered nothing lately; change a ticket and look again")
	case len(problems) > 0:
		d.bad("webhook.delivery", problems[0].Do, "%s", problems[0].What)
	default:
		d.ok("webhook.delivery", "the last, %s, was taken", recent[0].CompletedAt.UTC().Format(time.RFC3339))
	}
}

// lookMails looks whether triggers mail because of what caseroom does.
func (d *doctor) lookMails(ctx context.Context, link *zendesklink.Link) {
	const id = "zendesk.mails"
	mails, err := link.Mails(ctx)
	quoted := func(titles []string) string { return "“" + strings.Join(titles, "”, “") + "”" }
	switch {
	case err != nil:
		d.refusal(id, "Zendesk", d.ZendeskAdmin.Secret, err)
	case len(mails.Noted) > 0:
		d.bad(id, "add the condition Tags, contains none of the following, caseroom; docs/zendesk.md has the list",
			"%s would mail for every transcript: %s", cli.Count(len(mails.Noted), "active trigger"), quoted(mails.Noted))
	case len(mails.Created) > 0:
		d.ok(id, "none for transcripts; when a customer opens a chat: %s", quoted(mails.Created))
	default:
		d.ok(id, "no active trigger mails because of caseroom")
	}
}

// stale is how old the oldest message of a queue may be. The alarm of the queue
// of tickets has the same.
const stale = 15 * time.Minute

func (d *doctor) lookQueues(ctx context.Context) {
	queues, err := d.queues(ctx)
	if err != nil {
		d.bad("queues", "check the queue in the AWS console, and that you may read it", "%v", err)
		return
	}
	for _, q := range queues {
		s, err := q.State(ctx, d.sqs)
		if err != nil {
			d.bad("queue."+q.Name, "check the queue in the AWS console, and that you may read it", "%v", err)
			continue
		}
		switch age, err := d.oldest(ctx, q, s); {
		case err != nil:
			d.bad("queue."+q.Name, "let yourself call sqs:ReceiveMessage on it", "%v", err)
		case age > stale:
			d.bad("queue."+q.Name, "look at the log of the function "+q.Name+": a vendor is down, refuses our credentials, or the function does not run", "%d wait, the oldest for %v; %d in work or put off", s.Waiting, age.Round(time.Second), s.InFlight)
		default:
			d.ok("queue."+q.Name, "%d wait, %d in work or put off", s.Waiting, s.InFlight)
		}
		if s.Dead > 0 {
			d.bad("dead."+q.Name, "caseroom redrive --dry-run tells what they died of; mend that, then caseroom redrive", "%s", cli.Count(s.Dead, "dead letter"))
			continue
		}
		d.ok("dead."+q.Name, "none")
	}
}

// oldest is how long the oldest message that can be received has waited. Looking
// hides it for a second, the least there is: the SDK leaves out a zero, and the
// queue's own visibility would keep the function from it for minutes. Those in
// work cannot be looked at, CloudWatch has their age.
func (d *doctor) oldest(ctx context.Context, q deadletters.Queue, s deadletters.State) (time.Duration, error) {
	if s.Waiting == 0 {
		return 0, nil
	}
	out, err := d.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: 10, VisibilityTimeout: 1, WaitTimeSeconds: 1,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
	})
	if err != nil {
		return 0, fmt.Errorf("the %s queue: %w", q.Name, awsenv.Told(err))
	}
	var age time.Duration
	for _, m := range out.Messages {
		if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
			age = max(age, d.now().Sub(time.UnixMilli(ms)))
		}
	}
	return age, nil
}

// full is how much of a quota may be used, in percent.
const full = 90

func (d *doctor) quota(id, do string, used, limit int, what string) {
	if limit > 0 && used*100 >= limit*full {
		d.bad(id, do, "%d of %d %s", used, limit, what)
		return
	}
	if limit > 0 {
		d.ok(id, "%d of %d %s", used, limit, what)
		return
	}
	d.ok(id, "%d %s", used, what)
}

// openPages bounds how many pages of open tickets are looked through for agents,
// and agentsAtMost how many of these are looked at.
const (
	openPages    = 5
	agentsAtMost = 50
)

func (d *doctor) lookQuotas(ctx context.Context) {
	if d.parts.salesforce != nil && !d.broken["credentials.salesforce"] && !d.unread("quota.salesforce", "salesforce") {
		q, err := d.parts.salesforce.APIRequests(ctx)
		if err != nil {
			d.refusal("quota.salesforce", "Salesforce", d.Salesforce.Secret, err)
		} else {
			d.quota("quota.salesforce", "find what else calls the org, or buy more API requests: without them no case has a room", q.Max-q.Remaining, q.Max, "API requests of the day")
		}
	}
	if d.broken["credentials.tencent"] || d.broken["region.tencent"] || d.unread("quota.rooms", "tencent") {
		return
	}
	n, err := d.chat.CountGroups(ctx, tencentim.TypePublic)
	if err != nil {
		d.refusal("quota.rooms", "Tencent Cloud Chat", d.Tencent.Secret, err)
		return
	}
	d.quota("quota.rooms", "raise the plan, or shorten DissolveAfter", n, d.maxRooms, "rooms")
	d.busiest(ctx)
}

// busiest looks how many rooms the agents of open tickets are in.
func (d *doctor) busiest(ctx context.Context) {
	const id = "quota.rooms-per-agent"
	agents := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.desks)) {
		desk, ok := d.desks[name].(relay.SweepDesk)
		if !ok || d.broken["credentials."+string(name)] || d.broken["secret."+string(name)] || d.broken["salesforce.package"] {
			continue
		}
		cursor := ""
		for range openPages {
			ids, next, err := desk.OpenTickets(ctx, false, cursor)
			if err != nil {
				d.refusal(id, string(name), "the desk's secret", err)
				return
			}
			tickets, err := desk.Tickets(ctx, ids...)
			if err != nil {
				d.refusal(id, string(name), "the desk's secret", err)
				return
			}
			for _, t := range tickets {
				for _, a := range t.Agents {
					agents[d.agentID(name, a.ID)] = true
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	most, who := 0, ""
	for i, agent := range slices.Sorted(maps.Keys(agents)) {
		if i == agentsAtMost {
			break
		}
		groups, err := d.chat.GetJoinedGroups(ctx, agent)
		if err != nil {
			d.refusal(id, "Tencent Cloud Chat", d.Tencent.Secret, err)
			return
		}
		if len(groups) > most || who == "" {
			most, who = len(groups), agent
		}
	}
	if who == "" {
		d.ok(id, "no agent has an open ticket")
		return
	}
	d.quota(id, "spread the tickets over more agents, or raise the plan: beyond it nobody can be added", most, d.roomsPerUser, "rooms, "+who+" is in the most")
}
