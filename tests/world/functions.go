package world

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootarchive"
	"github.com/caseroom/caseroom/shared/boot/bootcalendar"
	"github.com/caseroom/caseroom/shared/boot/bootcronofy"
	"github.com/caseroom/caseroom/shared/boot/bootdesks"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/worker"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// Handler is a function as the Lambda runtime calls it.
type Handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// settings are what the functions read of the template's variables.
type settings struct {
	config.Zendesk
	config.ZendeskAdmin
	config.Salesforce
	config.Tencent
	config.Following
	config.DeskKeys
	config.Queue
	config.DeadLetters
	config.BulkQueue
	config.BulkDeadLetters
	config.FileQueue
	config.Filing
	config.Windows
	config.Pages
	config.Cronofy
	config.CalendarQueue
	config.CalendarDeadLetters
	config.CalendarEvents
}

// load reads the settings from the variables of the stack's functions, all in one.
func (w *World) load() error {
	variables := map[string]string{}
	for _, f := range w.Stack.Functions {
		maps.Copy(variables, f.Env)
	}
	if w.Calls {
		variables["MEMBERSHIP"] = "calls"
	}
	if w.SolvedOpen {
		variables["SOLVED"] = "open"
	}
	if w.NoArchive {
		variables["TRANSCRIPT_BUCKET"] = ""
	}
	if w.Omni {
		variables["OMNI"] = "on"
	}
	return config.LoadFrom(variables, &w.settings)
}

// GetSecretValue is Secrets Manager without a network: no gate stops a process at
// its own settings.
func (w *World) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	value, ok := w.Fix.Secrets[aws.ToString(in.SecretId)]
	if !ok {
		return nil, fmt.Errorf("world: no secret %s", aws.ToString(in.SecretId))
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(string(value))}, nil
}

// boot is the process as the functions' mains get it.
func (p *Process) boot() *boot.Process {
	half := func() float64 { return 0.5 } // secrets are read at no gate, so no history depends on when
	var meter relay.Meter = p.World.Meter
	if p.World.MeterOf != nil {
		meter = p.World.MeterOf(p.Name)
	}
	b := boot.NewProcess(p.aws(), secrets.New(p.World, time.Now, half, slog.New(slog.DiscardHandler)), meter)
	b.Transport = p
	b.NewID = p.newID
	b.Jitter = p.float
	b.Nonce = p.uint32
	b.Entropy = strings.NewReader("") // every request brings its key
	return b
}

// Rooms is the chat side of a process.
func (p *Process) Rooms() (tencentim.Rooms, error) {
	return boottencent.Rooms(p.boot(), p.World.settings.Tencent)
}

// parts are what the functions' mains make of the settings.
type parts struct {
	*boot.Process
	settings settings
	desks    bootdesks.Desks
	rooms    tencentim.Rooms
	archive  relay.Archive
	queue    *sqsqueue.Queue[relay.Hint]
	bulk     *sqsqueue.Queue[relay.Hint]
	files    *sqsqueue.Queue[relay.Hint]
}

func (p *Process) parts() (parts, error) {
	c := p.World.settings
	m := parts{Process: p.boot(), settings: c}
	var err error
	m.desks, err = bootdesks.New(m.Process, bootdesks.Options{
		Zendesk:    c.Zendesk,
		Salesforce: c.Salesforce,
		Admin:      c.ZendeskAdmin,
		Omni:       c.Omni,
	})
	if err != nil {
		return m, err
	}
	m.rooms, err = boottencent.Rooms(m.Process, c.Tencent)
	m.archive = bootarchive.Archive(m.Process, c.Lifecycle)
	m.queue = bootqueue.Of[relay.Hint](m.Process, c.Queue.URL)
	m.bulk = bootqueue.Of[relay.Hint](m.Process, c.BulkQueue.URL)
	m.files = bootqueue.Of[relay.Hint](m.Process, c.FileQueue.URL)
	return m, err
}

// CreateTicket returns the operation of createticket and the desks that it
// creates tickets at.
func (p *Process) CreateTicket() (*relay.CreateTicket, map[relay.DeskName]relay.Desk, error) {
	m, err := p.parts()
	if err != nil {
		return nil, nil, err
	}
	desks, err := bootdesks.Requests(m.Process, m.settings.Zendesk, m.settings.Salesforce, config.NewCases{})
	return m.CreateTicket(m.settings.Following.Rooms, m.rooms, m.queue), desks, err
}

// Sync returns the function sync as it runs in the process.
func (p *Process) Sync() (Handler, error) {
	m, err := p.parts()
	if err != nil {
		return nil, err
	}
	return (&worker.Worker[relay.Hint, relay.SyncItem]{
		Decode:  relay.DecodeHint,
		Item:    relay.NewSyncItem,
		Sync:    m.Sync(m.settings.Following, m.desks.Tickets(), m.rooms, m.files, m.archive),
		Mailbox: bootqueue.Mailbox(m.Process, m.settings.Queue.URL, m.settings.DeadLetters.URL),
	}).Lambda, nil
}

// File returns the function file as it runs in the process.
func (p *Process) File() (Handler, error) {
	m, err := p.parts()
	if err != nil {
		return nil, err
	}
	return (&worker.Worker[relay.Hint, relay.SyncItem]{
		Decode:  relay.DecodeHint,
		Item:    relay.NewSyncItem,
		Sync:    m.File(m.settings.Filing, boot.Table(m.settings.Following), m.desks.Tickets(), m.rooms, m.queue, m.archive),
		Mailbox: bootqueue.Mailbox(m.Process, m.settings.FileQueue.URL, m.settings.Filing.DeadLetterURL),
	}).Lambda, nil
}

// Forward returns the function forward as it runs in the process.
func (p *Process) Forward() (Handler, error) {
	m, err := p.parts()
	if err != nil {
		return nil, err
	}
	return (&worker.Forward{
		Live:    m.queue,
		Depth:   bootqueue.Depth(m.Process, m.settings.Queue.URL).Read,
		Mailbox: bootqueue.Mailbox(m.Process, m.settings.BulkQueue.URL, m.settings.BulkDeadLetters.URL),
	}).Lambda, nil
}

// Reconcile returns the function reconcile as it runs in the process.
func (p *Process) Reconcile() (Handler, error) {
	m, err := p.parts()
	if err != nil {
		return nil, err
	}
	return (&worker.Windows{
		Reconcile: m.Reconcile(boot.Table(m.settings.Following), m.desks.Changes(), m.rooms, m.bulk),
		Mailbox:   bootqueue.Mailbox(m.Process, m.settings.Windows.URL, m.settings.Windows.DeadLetterURL),
	}).Lambda, nil
}

// Sweep returns the function sweep as it runs in the process.
func (p *Process) Sweep() (Handler, error) {
	m, err := p.parts()
	if err != nil {
		return nil, err
	}
	return (&worker.Pages{
		Sweep:   m.Sweep(m.settings.Lifecycle, boot.Table(m.settings.Following), m.desks.Swept(), m.rooms, m.bulk),
		Mailbox: bootqueue.Mailbox(m.Process, m.settings.Pages.URL, m.settings.Pages.DeadLetterURL),
	}).Lambda, nil
}

// CalendarSync returns the function calendarsync as it runs in the process.
func (p *Process) CalendarSync() (Handler, error) {
	c, b := p.World.settings, p.boot()
	client, err := bootzendesk.Client(b, c.Zendesk)
	if err != nil {
		return nil, err
	}
	calendars, err := bootcronofy.Calendars(b, c.Cronofy)
	if err != nil {
		return nil, err
	}
	desk := zendesk.TaskDesk{Client: client}
	return (&worker.Worker[calendar.Hint, calendar.Hint]{
		Decode: calendar.DecodeHint,
		Item:   func(hints []calendar.Hint, _ bool, _ time.Time) calendar.Hint { return calendar.Together(hints) },
		Sync: &calendar.Sync{
			Desk:      desk,
			Calendars: calendars,
			Queue:     bootqueue.Of[calendar.Hint](b, c.CalendarQueue.URL),
			Settings:  bootcalendar.Settings(desk.Host(), c.CalendarEvents),
			Meter:     b.Meter,
			Now:       b.Now,
		},
		Mailbox: bootqueue.Mailbox(b, c.CalendarQueue.URL, c.CalendarDeadLetters.URL),
	}).Lambda, nil
}

// Members returns the function joingroup, leavegroup or deletegroup as it runs in
// the process.
func (p *Process) Members(function string) (*api.Function, error) {
	m, err := p.parts()
	if err != nil {
		return nil, err
	}
	members := &api.Members{
		Auth:      &api.Authenticator{DeskKeys: m.DeskKeys(m.settings.DeskKeys)},
		Desks:     boot.DesksOf(m.settings.Zendesk.BaseURL, m.settings.Salesforce.BaseURL),
		Rules:     boot.Rules(m.settings.Identities),
		Operation: m.Members(m.rooms, m.queue),
	}
	switch function {
	case "joingroup":
		return m.Function(members.JoinRoutes()), nil
	case "leavegroup":
		return m.Function(members.LeaveRoutes()), nil
	case "deletegroup":
		members.Dissolve = m.Dissolve(m.desks.Tickets(), m.rooms, m.archive)
		return m.Function(members.DeleteRoutes()), nil
	}
	return nil, fmt.Errorf("world: no function %s moves members", function)
}

// Post sends a desk's request to a function in the process, through the event
// that the gateway makes of it. Status 0 is no answer: the process died, or did
// not answer in its function's time and was killed.
func (p *Process) Post(f *api.Function, desk relay.DeskName, path, body string) (status int, answer string) {
	key := p.World.Fix.DeskKeyZendesk
	if desk == relay.Salesforce {
		key = p.World.Fix.DeskKeySalesforce
	}
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "POST " + path, RawPath: path, Body: body,
		Headers: map[string]string{"authorization": "Bearer " + key, "content-type": "application/json", "host": "127.0.0.1:3000"},
	}
	e.RequestContext.HTTP.Method, e.RequestContext.HTTP.Path = "POST", path
	ctx, cancel := context.WithTimeout(p.ctx, p.World.Timeout(p.Name))
	defer cancel()
	res, err := f.Lambda()(ctx, e)
	if ctx.Err() != nil {
		p.Kill()
	}
	if ctx.Err() != nil || err != nil {
		return 0, ""
	}
	return res.StatusCode, res.Body
}

// Tick sends what reconcile's schedule sends for a desk.
func (w *World) Tick(ctx context.Context, desk relay.DeskName, at time.Time) error {
	return w.Send(ctx, "-reconcile.fifo", string(desk), fmt.Sprintf(`{"desk":%q,"until":%q}`, desk, at.UTC().Format(time.RFC3339)))
}

// Daily sends what sweep's schedule sends.
func (w *World) Daily(ctx context.Context, at time.Time) error {
	return w.Send(ctx, "-sweep.fifo", "start", fmt.Sprintf(`{"sweep":%q}`, at.UTC().Format(time.RFC3339)))
}

// Send puts a message into a queue, into no group if that is "".
func (w *World) Send(ctx context.Context, queue, group, body string) error {
	to := w.Queue(queue)
	in := &sqs.SendMessageInput{QueueUrl: &to.URL, MessageBody: &body}
	if group != "" {
		in.MessageGroupId = &group
	}
	if to.FIFO && !to.ContentDedup {
		in.MessageDeduplicationId = aws.String(fmt.Sprintf("%s-%d", group, time.Now().UnixNano()))
	}
	_, err := w.platform.SendMessage(ctx, in)
	return err
}

// Queue returns the stack's queue whose name ends so.
func (w *World) Queue(suffix string) lambdahost.Queue {
	for _, q := range w.Stack.Queues {
		if strings.HasSuffix(q.Name, suffix) {
			return q
		}
	}
	panic("world: the template has no queue " + suffix)
}

// Timeout is how long an invocation of a function may take.
func (w *World) Timeout(function string) time.Duration {
	for _, f := range w.Stack.Functions {
		if f.Label() == function {
			return f.Timeout
		}
	}
	panic("world: the template has no function " + function)
}

// Bucket is the name of the bucket for transcripts.
func (w *World) Bucket() string { return w.Stack.Buckets[0] }

// Notify queues a hint as the event functions do, by its class.
func (w *World) Notify(ctx context.Context, h relay.Hint, id string) error {
	queue := "-sync.fifo"
	if h.Bulk {
		queue = "-bulk.fifo"
	}
	return sqsqueue.New[relay.Hint](w.platform, w.Queue(queue).URL, func() string { return id }).Send(ctx, h)
}

// NotifyAll queues many hints, each by its class.
func (w *World) NotifyAll(ctx context.Context, hints []relay.Hint, id func() string) error {
	classes := map[string][]relay.Hint{}
	for _, h := range hints {
		if h.Bulk {
			classes["-bulk.fifo"] = append(classes["-bulk.fifo"], h)
		} else {
			classes["-sync.fifo"] = append(classes["-sync.fifo"], h)
		}
	}
	for queue, class := range classes {
		if err := sqsqueue.New[relay.Hint](w.platform, w.Queue(queue).URL, id).SendAll(ctx, class...); err != nil {
			return err
		}
	}
	return nil
}

// Depth returns how many messages of a queue may be received now and how many
// may not, because somebody has them or they wait for another try.
func (w *World) Depth(ctx context.Context, queue lambdahost.Queue) (visible, hidden int, err error) {
	out, err := w.platform.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &queue.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		return 0, 0, err
	}
	if visible, err = strconv.Atoi(out.Attributes["ApproximateNumberOfMessages"]); err != nil {
		return 0, 0, err
	}
	hidden, err = strconv.Atoi(out.Attributes["ApproximateNumberOfMessagesNotVisible"])
	return visible, hidden, err
}

// Batch is what was received of a queue.
type Batch struct {
	queue    lambdahost.Queue
	messages []types.Message
}

// Hints are the hints of a batch of sync's queue.
func (b *Batch) Hints() (list []relay.Hint) {
	for _, m := range b.messages {
		if h, err := relay.DecodeHint(aws.ToString(m.Body)); err == nil {
			list = append(list, h)
		}
	}
	return list
}

// Len is how many messages there are.
func (b *Batch) Len() int { return len(b.messages) }

// Receive takes a batch off a queue, nil if there is nothing to take now.
func (w *World) Receive(ctx context.Context, queue lambdahost.Queue) (*Batch, error) {
	out, err := w.platform.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &queue.URL, MaxNumberOfMessages: 10,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil || len(out.Messages) == 0 {
		return nil, err
	}
	return &Batch{queue, out.Messages}, nil
}

// Invoke gives a batch to a process's function and deletes the messages that it
// worked off, which it returns. A process that does not answer in its function's
// time is killed, and what it worked on shows up again, as does all of a batch
// that it failed.
func (p *Process) Invoke(h Handler, b *Batch) (done *Batch, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.World.Timeout(p.Name))
	defer cancel()
	e := events.SQSEvent{}
	for _, m := range b.messages {
		e.Records = append(e.Records, events.SQSMessage{
			MessageId: aws.ToString(m.MessageId), ReceiptHandle: aws.ToString(m.ReceiptHandle), Body: aws.ToString(m.Body),
			Attributes: m.Attributes, EventSource: "aws:sqs", EventSourceARN: b.queue.ARN, AWSRegion: p.World.Stack.Region,
		})
	}
	// What crosses the Runtime API is JSON.
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var event events.SQSEvent
	if err := json.Unmarshal(raw, &event); err != nil {
		return nil, err
	}
	res, err := h(ctx, event)
	if ctx.Err() != nil {
		p.Kill()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	failed := map[string]bool{}
	for _, f := range res.BatchItemFailures {
		failed[f.ItemIdentifier] = true
	}
	done = &Batch{queue: b.queue}
	var entries []types.DeleteMessageBatchRequestEntry
	for _, m := range b.messages {
		if id := aws.ToString(m.MessageId); !failed[id] {
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(id), ReceiptHandle: m.ReceiptHandle})
			done.messages = append(done.messages, m)
		}
	}
	if len(entries) > 0 {
		_, err = p.World.platform.DeleteMessageBatch(p.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &b.queue.URL, Entries: entries})
	}
	return done, err
}
