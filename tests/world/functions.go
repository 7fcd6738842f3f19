package world

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/local/lambdahost"
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/worker"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// Handler is a function as the Lambda runtime calls it.
type Handler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// zendesk, salesforce and rooms are the clients of a process, as the functions'
// mains make them.
func (p *Process) zendesk() (*zendesk.Client, error) {
	f := p.World.Fix.Zendesk
	return zendesk.New(zendesk.Options{
		BaseURL: origin + "/zendesk", Transport: p,
		Credentials: func(context.Context) (zendesk.Credentials, error) {
			return zendesk.Credentials{ClientID: f.ClientID, ClientSecret: f.ClientSecret}, nil
		},
	})
}

func (p *Process) salesforce() (*salesforce.Client, error) {
	f := p.World.Fix.Salesforce
	return salesforce.New(salesforce.Options{
		BaseURL: origin + "/salesforce", Transport: p, KeyField: "Caseroom_Key__c", UserField: "Caseroom_User__c",
		Credentials: func(context.Context) (salesforce.Credentials, error) {
			return salesforce.Credentials{ClientID: f.ClientID, ClientSecret: f.ClientSecret}, nil
		},
	})
}

// Rooms is the chat side of a process.
func (p *Process) Rooms() (tencentim.Rooms, error) {
	f := p.World.Fix.Tencent
	c, err := tencentim.New(tencentim.Options{
		BaseURL: origin + "/tencent", Transport: p, Random: p.uint32,
		Credentials: func(context.Context) (tencentim.Credentials, error) {
			return tencentim.Credentials{SDKAppID: f.SDKAppID, SecretKey: f.SecretKey, AdminUserID: f.AdminUserID}, nil
		},
	})
	return tencentim.Rooms{Client: c}, err
}

type clients struct {
	zendesk    *zendesk.Client
	salesforce *salesforce.Client
	rooms      tencentim.Rooms
}

func (p *Process) clients() (c clients, err error) {
	if c.zendesk, err = p.zendesk(); err != nil {
		return c, err
	}
	if c.salesforce, err = p.salesforce(); err != nil {
		return c, err
	}
	c.rooms, err = p.Rooms()
	return c, err
}

func (p *Process) transcripts(c clients) *relay.Transcripts {
	return &relay.Transcripts{Rooms: c.rooms, Meter: p.World.Meter, Archive: s3archive.New(p.aws(), p.World.Bucket())}
}

// CreateTicket returns the operation of createticket and the desks that it
// creates tickets at.
func (p *Process) CreateTicket() (*relay.CreateTicket, map[relay.DeskName]relay.Desk, error) {
	c, err := p.clients()
	if err != nil {
		return nil, nil, err
	}
	return &relay.CreateTicket{
		Rooms: c.rooms, Queue: p.Queue(), Meter: p.World.Meter, Now: time.Now, Random: strings.NewReader(""),
	}, map[relay.DeskName]relay.Desk{relay.Zendesk: zendesk.Desk{Client: c.zendesk}, relay.Salesforce: salesforce.Desk{Client: c.salesforce}}, nil
}

// Queue sends hints to sync's queue.
func (p *Process) Queue() *sqsqueue.Queue[relay.Hint] {
	return sqsqueue.New[relay.Hint](sqs.NewFromConfig(p.aws()), p.World.Queue("-sync.fifo").URL, p.newID)
}

// Sync returns the function sync as it runs in the process.
func (p *Process) Sync() (Handler, error) {
	c, err := p.clients()
	if err != nil {
		return nil, err
	}
	w := p.World
	return (&worker.Worker[relay.Hint, relay.SyncItem]{
		Decode: relay.DecodeHint,
		Item:   relay.NewSyncItem,
		Sync: &relay.Sync{
			Desks: map[relay.DeskName]relay.TicketDesk{
				relay.Zendesk: &zendesk.SyncDesk{Client: c.zendesk}, relay.Salesforce: &salesforce.SyncDesk{Client: c.salesforce, Omni: p.World.Omni},
			},
			Rooms:       c.rooms,
			Transcripts: p.transcripts(c),
			Meter:       w.Meter, Now: time.Now, Table: w.table(),
		},
		Mailbox: p.mailbox("sync"),
	}).Lambda, nil
}

// Reconcile returns the function reconcile as it runs in the process.
func (p *Process) Reconcile() (Handler, error) {
	c, err := p.clients()
	if err != nil {
		return nil, err
	}
	return (&worker.Windows{
		Mailbox: p.mailbox("reconcile"),
		Reconcile: &relay.Reconcile{
			Desks: map[relay.DeskName]relay.ChangeDesk{
				relay.Zendesk: &zendesk.SyncDesk{Client: c.zendesk}, relay.Salesforce: &salesforce.SyncDesk{Client: c.salesforce, Omni: p.World.Omni},
			},
			Rooms: c.rooms, Queue: p.Queue(), Table: p.World.table(), Meter: p.World.Meter, Now: time.Now,
		},
	}).Lambda, nil
}

// Sweep returns the function sweep as it runs in the process.
func (p *Process) Sweep() (Handler, error) {
	c, err := p.clients()
	if err != nil {
		return nil, err
	}
	return (&worker.Pages{
		Mailbox: p.mailbox("sweep"),
		Sweep: &relay.Sweep{
			Desks: map[relay.DeskName]relay.SweepDesk{
				relay.Zendesk: &zendesk.SyncDesk{Client: c.zendesk}, relay.Salesforce: &salesforce.SyncDesk{Client: c.salesforce, Omni: p.World.Omni},
			},
			Rooms: c.rooms, Queue: p.Queue(), Table: p.World.table(), Meter: p.World.Meter, Now: time.Now,
			DissolveAfter: 7 * 24 * time.Hour, HistoryDays: 7,
		},
	}).Lambda, nil
}

// Members returns the function joingroup, leavegroup or deletegroup as it runs in
// the process.
func (p *Process) Members(function string) (*api.Function, error) {
	c, err := p.clients()
	if err != nil {
		return nil, err
	}
	w := p.World
	members := &api.Members{
		Auth: &api.Authenticator{DeskKeys: func(context.Context) (api.DeskKeys, error) {
			return api.DeskKeys{Zendesk: []string{w.Fix.DeskKeyZendesk}, Salesforce: []string{w.Fix.DeskKeySalesforce}}, nil
		}},
		Desks:     map[relay.DeskName]bool{relay.Zendesk: true, relay.Salesforce: true},
		Operation: &relay.Members{Rooms: c.rooms, Queue: p.Queue(), Meter: w.Meter, Now: time.Now},
	}
	f := &api.Function{Meter: w.Meter, Now: time.Now}
	switch function {
	case "joingroup":
		f.Routes = members.JoinRoutes()
	case "leavegroup":
		f.Routes = members.LeaveRoutes()
	case "deletegroup":
		members.Dissolve = &relay.Dissolve{
			Desks: map[relay.DeskName]relay.TicketDesk{
				relay.Zendesk: &zendesk.SyncDesk{Client: c.zendesk}, relay.Salesforce: &salesforce.SyncDesk{Client: c.salesforce},
			},
			Rooms: c.rooms, Transcripts: p.transcripts(c),
		}
		f.Routes = members.DeleteRoutes()
	default:
		return nil, fmt.Errorf("world: no function %s moves members", function)
	}
	return f, nil
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

func (w *World) table() relay.Table {
	return relay.Table{Calls: w.Calls, SolvedOpen: w.SolvedOpen, Archive: true}
}

func (p *Process) mailbox(function string) worker.Mailbox {
	w := p.World
	return worker.Mailbox{
		Queue:    sqs.NewFromConfig(p.aws()),
		QueueURL: w.Queue("-" + function + ".fifo").URL, DeadLetterURL: w.Queue("-" + function + "-dead.fifo").URL,
		Meter: w.Meter, Random: p.float,
	}
}

// Tick sends what reconcile's schedule sends for a desk.
func (w *World) Tick(ctx context.Context, desk relay.DeskName, at time.Time) error {
	return w.schedule(ctx, "-reconcile.fifo", string(desk), fmt.Sprintf(`{"desk":%q,"until":%q}`, desk, at.UTC().Format(time.RFC3339)))
}

// Daily sends what sweep's schedule sends.
func (w *World) Daily(ctx context.Context, at time.Time) error {
	return w.schedule(ctx, "-sweep.fifo", "start", fmt.Sprintf(`{"sweep":%q}`, at.UTC().Format(time.RFC3339)))
}

func (w *World) schedule(ctx context.Context, queue, group, body string) error {
	url := w.Queue(queue).URL
	_, err := w.platform.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, MessageGroupId: &group})
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

// Notify queues a hint as the event functions do.
func (w *World) Notify(ctx context.Context, h relay.Hint, id string) error {
	return sqsqueue.New[relay.Hint](w.platform, w.Queue("-sync.fifo").URL, func() string { return id }).Send(ctx, h)
}

// NotifyAll queues many hints.
func (w *World) NotifyAll(ctx context.Context, hints []relay.Hint, id func() string) error {
	return sqsqueue.New[relay.Hint](w.platform, w.Queue("-sync.fifo").URL, id).SendAll(ctx, hints...)
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
