// Package deadletters looks through dead-letter queues and moves what is in them
// back to where it died.
//
// It receives, sends and deletes, where SQS has StartMessageMoveTask: that moves
// everything or nothing, and what a worker has buried by hand knows no queue to
// go back to.
package deadletters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/shared/awsenv"
)

// API is the calls that are made.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html.
type API interface {
	GetQueueUrl(context.Context, *sqs.GetQueueUrlInput, ...func(*sqs.Options)) (*sqs.GetQueueUrlOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
}

// Queue is a queue and where its dead letters go.
type Queue struct {
	Name string // as the operator knows it, such as "sync"
	URL  string
	Dead string // URL of the dead-letter queue
	FIFO bool
}

// State is how full a queue is.
type State struct {
	Waiting  int // can be received, or are delayed
	InFlight int
	Dead     int // in the dead-letter queue
}

// Find returns a queue with its dead-letter queue, as its own redrive policy
// names it.
func Find(ctx context.Context, api API, name, url string) (Queue, error) {
	q := Queue{Name: name, URL: url, FIFO: strings.HasSuffix(url, ".fifo")}
	out, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameRedrivePolicy},
	})
	if err != nil {
		return q, failed("the "+name+" queue", err)
	}
	var policy struct {
		ARN string `json:"deadLetterTargetArn"`
	}
	if err := json.Unmarshal([]byte(out.Attributes["RedrivePolicy"]), &policy); err != nil || policy.ARN == "" {
		return q, fmt.Errorf("the %s queue has no dead-letter queue", name)
	}
	dead, err := api.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(policy.ARN[strings.LastIndex(policy.ARN, ":")+1:])})
	if err != nil {
		return q, failed("the dead-letter queue of "+name, err)
	}
	q.Dead = aws.ToString(dead.QueueUrl)
	return q, nil
}

// State reads how full the queue and its dead-letter queue are. SQS's numbers
// are approximate.
func (q Queue) State(ctx context.Context, api API) (State, error) {
	var s State
	own, err := counts(ctx, api, q.URL)
	if err != nil {
		return s, failed("the "+q.Name+" queue", err)
	}
	dead, err := counts(ctx, api, q.Dead)
	if err != nil {
		return s, failed("the dead-letter queue of "+q.Name, err)
	}
	return State{Waiting: own.visible + own.delayed, InFlight: own.hidden, Dead: dead.visible + dead.hidden + dead.delayed}, nil
}

type count struct{ visible, hidden, delayed int }

func counts(ctx context.Context, api API, url string) (count, error) {
	out, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
			types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		},
	})
	if err != nil {
		return count{}, err
	}
	n := func(name string) int { i, _ := strconv.Atoi(out.Attributes[name]); return i }
	return count{n("ApproximateNumberOfMessages"), n("ApproximateNumberOfMessagesNotVisible"), n("ApproximateNumberOfMessagesDelayed")}, nil
}

// failed names an AWS error by its code: its text quotes requests.
func failed(what string, err error) error {
	if err = awsenv.Told(err); errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Letter is a dead letter.
type Letter struct {
	Queue  string    `json:"queue"`
	ID     string    `json:"id"`
	Group  string    `json:"group,omitempty"` // such as zendesk:123
	Body   string    `json:"body"`
	Reason string    `json:"reason"` // why the worker gave it up, or that SQS did
	Died   time.Time `json:"died"`   // when it came to the dead-letter queue

	handle *string
}

// TooOften is the reason of a letter that SQS itself moved: no worker has said
// why.
const TooOften = "received too often: the function crashed, timed out or was throttled each time"

const (
	batch      = 10                // SQS's limit
	hidden     = 120 * time.Second // how long a letter is ours while we look at it
	emptyLooks = 3                 // receives without a letter before the queue counts as empty
)

// Walk shows each letter in the dead-letter queue to look, at most as many as
// there were at the beginning: what dies again meanwhile is left for the next
// time. look says whether a letter is to be moved back. Letters that stay, and
// all when ctx ends, can be received again at once.
//
// A letter's group stays; its deduplication id is its own id, so that one whose
// deletion was cut off is not delivered twice by a second walk within minutes. A
// hint that comes twice after that does no harm.
//
// It returns how many were moved. Behind a letter that stays, SQS hides those of
// the same group.
func (q Queue) Walk(ctx context.Context, api API, look func(Letter) (move bool)) (moved int, err error) {
	have, err := counts(ctx, api, q.Dead)
	if err != nil {
		return 0, failed("the dead-letter queue of "+q.Name, err)
	}
	var kept []Letter
	defer func() {
		// Also when interrupted: what was only looked at must not stay hidden.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		for _, l := range kept {
			if _, cerr := api.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
				QueueUrl: &q.Dead, ReceiptHandle: l.handle, VisibilityTimeout: 0,
			}); cerr != nil && err == nil {
				err = failed("a dead letter of "+q.Name+" stays hidden for two minutes", cerr)
			}
		}
	}()
	for seen, empty := 0, 0; seen < have.visible && empty < emptyLooks; {
		out, err := api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:                    &q.Dead,
			MaxNumberOfMessages:         int32(min(batch, have.visible-seen)), // #nosec G115 -- from 1 to batch
			VisibilityTimeout:           int32(hidden / time.Second),
			WaitTimeSeconds:             int32(min(empty, 1)), // a short poll may miss what is there
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
			MessageAttributeNames:       []string{"All"},
		})
		if err != nil {
			return moved, failed("the dead-letter queue of "+q.Name, err)
		}
		if len(out.Messages) == 0 {
			if empty++; q.hiddenBehind(kept) {
				break
			}
			continue
		}
		letters := make([]Letter, len(out.Messages))
		for i, m := range out.Messages {
			letters[i] = q.letter(m)
		}
		kept = append(kept, letters...)
		for _, l := range letters {
			seen++
			if !look(l) {
				continue
			}
			if err := q.move(ctx, api, l); err != nil {
				return moved, err
			}
			moved++
			kept = without(kept, l)
		}
	}
	return moved, ctx.Err()
}

// hiddenBehind reports whether letters may be hidden behind those that we hold.
func (q Queue) hiddenBehind(kept []Letter) bool { return q.FIFO && len(kept) > 0 }

func without(list []Letter, l Letter) []Letter {
	for i := range list {
		if list[i].handle == l.handle {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

func (q Queue) letter(m types.Message) Letter {
	l := Letter{
		Queue: q.Name, ID: aws.ToString(m.MessageId), Body: aws.ToString(m.Body), Group: m.Attributes["MessageGroupId"],
		Reason: TooOften, handle: m.ReceiptHandle,
	}
	if r, ok := m.MessageAttributes["reason"]; ok {
		l.Reason = aws.ToString(r.StringValue)
	}
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
		l.Died = time.UnixMilli(ms).UTC()
	}
	return l
}

// move sends a letter to its queue and then deletes it: cut off in between, it
// is delivered twice and never lost.
func (q Queue) move(ctx context.Context, api API, l Letter) error {
	// The worker tells by the reason that the message was worked on before.
	in := &sqs.SendMessageInput{QueueUrl: &q.URL, MessageBody: &l.Body, MessageAttributes: map[string]types.MessageAttributeValue{
		"reason": {DataType: aws.String("String"), StringValue: &l.Reason},
	}}
	if q.FIFO {
		in.MessageGroupId, in.MessageDeduplicationId = &l.Group, &l.ID
	}
	if _, err := api.SendMessage(ctx, in); err != nil {
		return failed("the "+q.Name+" queue did not take a dead letter", err)
	}
	if _, err := api.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.Dead, ReceiptHandle: l.handle}); err != nil {
		return failed("a dead letter of "+q.Name+" is back in its queue and was not deleted", err)
	}
	return nil
}
