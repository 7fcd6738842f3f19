package sandbox

import (
	"encoding/json"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/aws"
	"github.com/caseroom/caseroom/local/sandbox/cronofy"
	"github.com/caseroom/caseroom/local/sandbox/engine"
	"github.com/caseroom/caseroom/local/sandbox/salesforce"
	"github.com/caseroom/caseroom/local/sandbox/tencent"
	"github.com/caseroom/caseroom/local/sandbox/zendesk"
)

// What the tests and the command use of the rooms, under the names of one
// package.
type (
	Fault = engine.Fault
	Call  = engine.Call

	ZendeskFixture      = zendesk.Fixture
	ZendeskState        = zendesk.State
	ZendeskTicket       = zendesk.Ticket
	ZendeskComment      = zendesk.Comment
	ZendeskPerson       = zendesk.Person
	ZendeskEvent        = zendesk.Event
	ZendeskLimits       = zendesk.Limits
	ZISIntegrationState = zendesk.IntegrationState
	ZISJobSpecState     = zendesk.JobSpecState
	ZopimVisitor        = zendesk.Visitor

	SalesforceFixture = salesforce.Fixture
	SalesforceState   = salesforce.State
	SalesforceCase    = salesforce.Case
	SalesforceEvent   = salesforce.Event
	SalesforceSetup   = salesforce.Setup
	SalesforceTrigger = salesforce.Trigger

	TencentFixture = tencent.Fixture
	TencentState   = tencent.State
	TencentPlan    = tencent.Plan
	TencentAccount = tencent.Account
	TencentGroup   = tencent.Group
	TencentMember  = tencent.Member
	TencentMessage = tencent.Message
	ClientGroup    = tencent.ClientGroup
	ChatWebhook    = tencent.Webhook

	CronofyFixture = cronofy.Fixture
	CronofyState   = cronofy.State
	CronofyEvent   = cronofy.Event
	CronofyLimits  = cronofy.Limits

	AWSFixture   = aws.Fixture
	AWSState     = aws.State
	QueueConfig  = aws.QueueConfig
	QueueState   = aws.QueueState
	MessageState = aws.MessageState
)

// The kinds of [Fault].
const (
	FaultTimeout     = engine.FaultTimeout
	FaultResetBefore = engine.FaultResetBefore
	FaultResetAfter  = engine.FaultResetAfter
	FaultStatus      = engine.FaultStatus
	FaultHTML        = engine.FaultHTML
	FaultNull        = engine.FaultNull
	FaultTruncate    = engine.FaultTruncate
	FaultCode        = engine.FaultCode
	FaultSlow        = engine.FaultSlow
	FaultLose        = engine.FaultLose
	FaultDuplicate   = engine.FaultDuplicate
	FaultReorder     = engine.FaultReorder
	FaultDelay       = engine.FaultDelay
)

// ErrNoRecord means that an action names a ticket, case or person that does not exist.
var ErrNoRecord = engine.ErrNoRecord

// Zendesk returns the inside of the Zendesk account.
func (s *Sandbox) Zendesk() zendesk.Desk { return s.zendesk }

// Salesforce returns the inside of the org.
func (s *Sandbox) Salesforce() salesforce.Org { return s.salesforce }

// Cronofy returns the inside of the Cronofy application.
func (s *Sandbox) Cronofy() cronofy.App { return s.cronofy }

// AddVisitor puts a visitor of Zendesk Chat in place. The id may be in either form.
func (s *Sandbox) AddVisitor(v zendesk.Visitor) { s.zopim.AddVisitor(v) }

// CreateGroupAs makes a group as the client SDK does for any logged-in user:
// with an id of their choice, as its owner. It is how a squat comes about.
func (s *Sandbox) CreateGroupAs(owner string, g tencent.ClientGroup) error {
	return s.tencent.CreateGroupAs(owner, g)
}

// SendAs sends a text as the client SDK does for a logged-in member.
func (s *Sandbox) SendAs(user, groupID, text string) error {
	return s.tencent.SendAs(user, groupID, text)
}

// JoinAs joins a group as the client SDK does for a logged-in user who asks
// for it; it works only where the group lets anybody in.
func (s *Sandbox) JoinAs(user, groupID string) error { return s.tencent.JoinAs(user, groupID) }

// QuitAs leaves a group as the client SDK does.
func (s *Sandbox) QuitAs(user, groupID string) error { return s.tencent.QuitAs(user, groupID) }

// SetIntroduction edits a group as the app's console does.
func (s *Sandbox) SetIntroduction(groupID, text string) error {
	return s.tencent.SetIntroduction(groupID, text)
}

// SetOwner gives a group an owner as the app's console does.
func (s *Sandbox) SetOwner(groupID, user string) error { return s.tencent.SetOwner(groupID, user) }

// ClientMessages returns what a member's client shows of a group: without
// HistoryMsgBeforeJoin, nothing from before they joined.
func (s *Sandbox) ClientMessages(user, groupID string) ([]tencent.Message, error) {
	return s.tencent.ClientMessages(user, groupID)
}

// Group returns a group by its id.
func (s *Sandbox) Group(id string) (tencent.Group, bool) { return s.tencent.Group(id) }

// Groups returns all groups, oldest first.
func (s *Sandbox) Groups() []tencent.Group { return s.tencent.Groups() }

// Kicked returns when an account's logins were last invalidated.
func (s *Sandbox) Kicked(user string) (time.Time, bool) { return s.tencent.Kicked(user) }

// RotateTencentKey replaces the app's secret key: UserSigs made with the old
// one are refused from now on. The stack's secret is not changed; see
// [Sandbox.SetSecret].
func (s *Sandbox) RotateTencentKey(secretKey string) { s.tencent.RotateKey(secretKey) }

// SetChatWebhook replaces the app's webhook.
func (s *Sandbox) SetChatWebhook(w tencent.Webhook) { s.tencent.SetWebhook(w) }

// SetTencentRate replaces the plan's RatePerSecond.
func (s *Sandbox) SetTencentRate(perSecond int) { s.tencent.SetRate(perSecond) }

// EnsureQueue makes a queue, and its dead-letter queue, unless there is one of
// that name, and returns its URL.
func (s *Sandbox) EnsureQueue(c aws.QueueConfig) string { return s.aws.EnsureQueue(c) }

// Queues returns the queues and what is in them.
func (s *Sandbox) Queues() []aws.QueueState { return s.aws.Queues() }

// Object returns the content of an object.
func (s *Sandbox) Object(bucket, key string) ([]byte, bool) { return s.aws.Object(bucket, key) }

// SetSecret gives a secret a new current value, as a rotation does; the value
// before it becomes AWSPREVIOUS. An unknown id makes a secret. It changes what
// the stack reads, not what the vendors accept.
func (s *Sandbox) SetSecret(id string, value json.RawMessage) { s.aws.SetSecret(id, value) }

// DeleteSecret makes a secret unknown.
func (s *Sandbox) DeleteSecret(id string) { s.aws.DeleteSecret(id) }
