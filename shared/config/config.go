// Package config reads a function's settings from the environment. Settings
// come in groups: a main embeds the groups it uses and calls [Load], so that a
// variable has one name, one default and one rule wherever it is read. Secrets
// are never settings: a variable holds a secret's id at most.
package config

import (
	"encoding/json"
	"time"
)

// Desks says which ticketing systems exist. A desk exists if and only if its
// base URL is set.
type Desks struct {
	ZendeskBaseURL    string `env:"ZENDESK_BASE_URL" check:"url"`
	SalesforceBaseURL string `env:"SALESFORCE_BASE_URL" check:"url"`
	// DefaultDesk serves the routes that name no desk: "zendesk", "salesforce"
	// or "". It must be configured. See [Desks.Default].
	DefaultDesk string `env:"DEFAULT_DESK" allow:"zendesk|salesforce"`
}

// Default returns the desk of the routes that name none: the configured choice,
// else the only desk there is, else "zendesk" of two, and "" without any.
func (d Desks) Default() string {
	switch {
	case d.DefaultDesk != "":
		return d.DefaultDesk
	case d.ZendeskBaseURL != "":
		return "zendesk"
	case d.SalesforceBaseURL != "":
		return "salesforce"
	}
	return ""
}

// Zendesk is the Support API. BaseURL is "" when there is no Zendesk.
type Zendesk struct {
	BaseURL string `env:"ZENDESK_BASE_URL" check:"url"`
	Secret  string `env:"ZENDESK_SECRET" envDefault:"caseroom/zendesk" check:"secret"`
}

// ZendeskAdmin is Zendesk with an admin's role. Without a variable of its own
// it is the secret of [Zendesk].
type ZendeskAdmin struct {
	Secret string `env:"ZENDESK_ADMIN_SECRET" check:"secret"`
}

// ZendeskApp is the sidebar app: where its pages are hosted, its public key and
// its sessions' secrets. PanelURL is "" when the pages are not hosted.
type ZendeskApp struct {
	PanelURL string `env:"PANEL_URL" check:"url"`
	Secret   string `env:"ZENDESK_APP_SECRET" envDefault:"caseroom/zendesk-app" check:"secret"`
}

// ZendeskEvents is what proves that an event comes from Zendesk.
type ZendeskEvents struct {
	Secret string `env:"ZENDESK_EVENTS_SECRET" envDefault:"caseroom/zendesk-events" check:"secret"`
}

// ChatWebhook is what proves that a callback comes from the chat, while it is on.
type ChatWebhook struct {
	On     bool   `env:"CHAT_WEBHOOK" envDefault:"off"`
	Secret string `env:"CHAT_WEBHOOK_SECRET" envDefault:"caseroom/chat-webhook" check:"secret"`
}

// ZendeskChat is what signs Chat and Messaging tokens.
type ZendeskChat struct {
	Secret string `env:"ZENDESK_CHAT_SECRET" envDefault:"caseroom/zendesk-chat" check:"secret"`
}

// Zopim is the Zendesk Chat API.
type Zopim struct {
	ZendeskBaseURL string `env:"ZENDESK_BASE_URL" check:"url"`
	// BaseURL replaces the Zendesk account's host; "" does not. See [Zopim.URL].
	BaseURL string `env:"ZOPIM_BASE_URL" check:"url"`
	Secret  string `env:"ZOPIM_SECRET" envDefault:"caseroom/zopim" check:"secret"`
}

// URL returns the base URL of the Chat API, "" where there is no Zendesk.
func (z Zopim) URL() string {
	if z.BaseURL != "" {
		return z.BaseURL
	}
	return z.ZendeskBaseURL
}

// Salesforce is the org. BaseURL is "" when there is no Salesforce.
type Salesforce struct {
	BaseURL    string `env:"SALESFORCE_BASE_URL" check:"url"`
	Secret     string `env:"SALESFORCE_SECRET" envDefault:"caseroom/salesforce" check:"secret"`
	APIVersion string `env:"SALESFORCE_API_VERSION" envDefault:"68.0" check:"apiversion"`
	// KeyField and UserField are the Case fields of our package: Caseroom_Key__c
	// and Caseroom_User__c while the variables are not set at all. Set to
	// nothing, they say that the org does not have the package.
	KeyField  string `env:"SALESFORCE_KEY_FIELD" check:"field"`
	UserField string `env:"SALESFORCE_USER_FIELD" check:"field"`
	// AutoAssign is what Sforce-Auto-Assign carries: "true", "false" or the id
	// of an assignment rule.
	AutoAssign string `env:"SALESFORCE_AUTO_ASSIGN" envDefault:"true" check:"autoassign"`
}

// NewCases are the settings of cases that customers open.
type NewCases struct {
	// FallbackEmail is the address of a case whose customer gave none; "" leaves it out.
	FallbackEmail string `env:"SALESFORCE_FALLBACK_EMAIL" check:"email"`
}

// Tencent is the chat app.
type Tencent struct {
	Secret string `env:"TENCENT_SECRET" envDefault:"caseroom/tencent" check:"secret"`
	Region string `env:"TENCENT_REGION" envDefault:"sg" allow:"cn|sg|kr|jp|de|us|id"`
	// BaseURL replaces the region's host; "" does not.
	BaseURL string `env:"TENCENT_BASE_URL" check:"url"`
}

// Rooms are the settings of the rooms themselves.
type Rooms struct {
	// Names is "neutral" (Ticket 1185) or "subject". Any user of the app may look
	// up a room's name by its id, which can be guessed.
	Names string `env:"ROOM_NAMES" envDefault:"neutral" allow:"neutral|subject"`
}

// SubjectNames reports whether rooms are named by their tickets' subjects.
func (r Rooms) SubjectNames() bool { return r.Names == "subject" }

// Hosts are the hosts that desks had before they were renamed. Marks and events
// that name them are ours, and are rewritten.
type Hosts struct {
	Former []string `env:"FORMER_HOSTS" check:"host"`
}

// Identities are the settings of who may be whom in the chat.
type Identities struct {
	// AgentIDs is "prefixed" (zd_…, sf_…) or "raw" (bare desk ids).
	AgentIDs string `env:"AGENT_IDS" envDefault:"prefixed" allow:"prefixed|raw"`
	// ReservedUserIDs are IM user ids that nobody is signed in as: every admin
	// of the app's console.
	ReservedUserIDs []string `env:"RESERVED_USER_IDS"`
}

// RawAgents reports whether agents join under bare desk ids.
func (i Identities) RawAgents() bool { return i.AgentIDs == "raw" }

// Login is how end users' tokens are verified.
type Login struct {
	// Secret holds the HS256 secrets; it is read only while JWKSURL is "".
	Secret string `env:"LOGIN_SECRET" envDefault:"caseroom/login" check:"secret"`
	// Issuer and Audience are what tokens must carry; "" is not checked. Beside
	// a key set, which other applications share, both are required: "any" is
	// how a deployment asks not to check them, and is "" here.
	Issuer   string `env:"LOGIN_ISSUER"`
	Audience string `env:"LOGIN_AUDIENCE"`
	JWKSURL  string `env:"LOGIN_JWKS_URL" check:"jwks"` // may carry a query
	Cookie   string `env:"LOGIN_COOKIE" envDefault:"token" check:"cookie"`
	// EmailTrusted says what a token without email_verified means. By default it
	// is off with a key set and on with HS256, which only the own login signs.
	EmailTrusted bool `env:"LOGIN_EMAIL_TRUSTED"`
	// AllowedOrigins are the sites whose pages may post with the cookie, as
	// browsers write them in Origin.
	AllowedOrigins []string `env:"ALLOWED_ORIGINS" check:"origin"`
}

// Guests says whether people without a login are served.
type Guests struct {
	On     bool   `env:"GUESTS" envDefault:"off"`
	Secret string `env:"GUEST_SECRET" envDefault:"caseroom/guest" check:"secret"`
}

// GuestRequests says what guests' requests may be, and how many.
type GuestRequests struct {
	// Email is "stated", an address in the ticket's text, or "requester".
	Email string `env:"GUEST_EMAIL" envDefault:"stated" allow:"stated|requester"`
	// Rate and RatePerAddress are requests a minute that each process takes, from
	// all guests and from one address. 0 is no limit.
	Rate           int `env:"GUEST_RATE" envDefault:"0" check:"rate"`
	RatePerAddress int `env:"GUEST_RATE_PER_ADDRESS" envDefault:"0" check:"rate"`
	// AddressHeader is where the edge before the API writes the client's address;
	// "" means that there is no edge.
	AddressHeader string `env:"CLIENT_ADDRESS_HEADER" check:"header"`
	// ChallengeURL is where a challenge's token is verified; "" means no challenge.
	ChallengeURL string `env:"GUEST_CHALLENGE_URL" check:"url"`
}

// EmailIsRequester reports whether the address that a guest states becomes the
// ticket's requester.
func (g GuestRequests) EmailIsRequester() bool { return g.Email == "requester" }

// Requests are the limits on requests for tickets.
type Requests struct {
	// RatePerPerson is the requests a minute that each process takes from one
	// customer. 0 is no limit.
	RatePerPerson int `env:"TICKET_RATE_PER_PERSON" envDefault:"0" check:"rate"`
}

// DeskKeys are the keys that desks call us with.
type DeskKeys struct {
	Secret string `env:"DESK_KEYS_SECRET" envDefault:"caseroom/desk-keys" check:"secret"`
}

// Queue is where hints go. Its URL names the queue and nothing else: requests
// go to the region's endpoint or to AWS_ENDPOINT_URL. "" means no queue.
type Queue struct {
	URL string `env:"SYNC_QUEUE_URL" check:"queue"`
}

// DeadLetters is where the sync worker puts hints that no retry helps.
type DeadLetters struct {
	URL string `env:"SYNC_DEAD_LETTER_URL" check:"queue"`
}

// FileQueue is where the tickets go whose transcripts are to be filed.
type FileQueue struct {
	URL string `env:"FILE_QUEUE_URL" check:"queue"`
}

// Filing is what the worker of [FileQueue] needs besides.
type Filing struct {
	DeadLetterURL string `env:"FILE_DEAD_LETTER_URL" check:"queue"`
	// WritesPerMinute is how many updates of tickets filing may make, all its
	// processes together.
	WritesPerMinute int `env:"DESK_WRITES_PER_MINUTE" envDefault:"50" check:"writes"`
}

// BulkQueue is where hints go that nobody waits for.
type BulkQueue struct {
	URL string `env:"BULK_QUEUE_URL" check:"queue"`
}

// BulkDeadLetters is where the worker of [BulkQueue] puts what is no hint.
type BulkDeadLetters struct {
	URL string `env:"BULK_DEAD_LETTER_URL" check:"queue"`
}

// Windows is the queue of the desks' windows, and of those that no retry helps.
type Windows struct {
	URL           string `env:"RECONCILE_QUEUE_URL" check:"queue"`
	DeadLetterURL string `env:"RECONCILE_DEAD_LETTER_URL" check:"queue"`
}

// Pages is the queue of the sweep's pages, and of those that no retry helps.
type Pages struct {
	URL           string `env:"SWEEP_QUEUE_URL" check:"queue"`
	DeadLetterURL string `env:"SWEEP_DEAD_LETTER_URL" check:"queue"`
}

// Notices are what rooms are told.
type Notices struct {
	// NoticeLanguage is the language of customers whose own is unknown.
	NoticeLanguage string `env:"NOTICE_LANGUAGE" envDefault:"en"`
	// NoticeTexts replaces built-in texts: a JSON object of languages, each an
	// object of texts by kind.
	NoticeTexts string `env:"NOTICE_TEXTS" check:"texts"`
}

// Texts returns the texts by language and kind; Load has checked them.
func (n Notices) Texts() map[string]map[string]string {
	var table map[string]map[string]string
	_ = json.Unmarshal([]byte(n.NoticeTexts), &table) // "" is no table
	return table
}

// Lifecycle is what becomes of a room while and after its ticket lives.
type Lifecycle struct {
	// Membership is "desk" (the assignee is in the room) or "calls" (join and
	// leave decide).
	Membership string `env:"MEMBERSHIP" envDefault:"desk" allow:"desk|calls"`
	// Solved is "lock" or "open": whether a solved ticket's room can be written to.
	Solved string `env:"SOLVED" envDefault:"lock" allow:"lock|open"`
	// Omni lets Omni-Channel's open work count as assignment.
	Omni bool `env:"OMNI" envDefault:"off"`
	// TranscriptBucket takes what no ticket can; "" means no bucket.
	TranscriptBucket string        `env:"TRANSCRIPT_BUCKET" check:"bucket"`
	DissolveAfter    time.Duration `env:"DISSOLVE_AFTER" envDefault:"168h" check:"duration"`
	// HistoryDays is how long the chat app keeps messages.
	HistoryDays int `env:"HISTORY_DAYS" envDefault:"7" check:"days"`
}

// Calls reports whether join and leave decide about agents, rather than the desk.
func (l Lifecycle) Calls() bool { return l.Membership == "calls" }

// SolvedOpen reports whether a solved ticket's room can be written to.
func (l Lifecycle) SolvedOpen() bool { return l.Solved == "open" }

// Following is everything by which rooms follow their tickets.
type Following struct {
	Rooms
	Identities
	Lifecycle
	Notices
}

// Cronofy is the calendars' vendor. BaseURL is "" when there are no calendars.
type Cronofy struct {
	BaseURL string `env:"CRONOFY_BASE_URL" check:"url"`
	// Secret is a name, for agents' own secrets have names below it.
	Secret string `env:"CRONOFY_SECRET" envDefault:"caseroom/cronofy" check:"name"`
}

// CalendarQueue is where hints about tasks go, as [Queue] is for rooms. "" means
// no queue.
type CalendarQueue struct {
	URL string `env:"CALENDAR_QUEUE_URL" check:"queue"`
}

// CalendarDeadLetters is where the calendars' worker puts what no retry helps.
type CalendarDeadLetters struct {
	URL string `env:"CALENDAR_DEAD_LETTER_URL" check:"queue"`
}

// CalendarEvents is what a task looks like in a calendar.
type CalendarEvents struct {
	// Start is a time of day such as 08:00, or "due" for the task's own.
	Start string `env:"CALENDAR_START" envDefault:"08:00" check:"start"`
	// Length and Reminder are minutes; a reminder of -1 is the calendar's own.
	Length   int `env:"CALENDAR_LENGTH" envDefault:"10" check:"length"`
	Reminder int `env:"CALENDAR_REMINDER" envDefault:"10" check:"reminder"`
	// Subjects writes tickets' subjects into calendars.
	Subjects bool `env:"CALENDAR_SUBJECTS" envDefault:"on"`
}

// Runtime is where the process runs.
type Runtime struct {
	// SAMLocal is true inside `sam local`, where services of the developer's
	// machine are reached over http at host.docker.internal.
	SAMLocal bool `env:"AWS_SAM_LOCAL"`
	// Stack is the CloudFormation stack's name, "" for a function without one.
	Stack string `env:"STACK_NAME"`
}
