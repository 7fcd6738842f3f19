// Package sqsqueue is relay's queue on an SQS FIFO queue: one message group per
// ticket, so that hints about one ticket are worked on one after another and
// hints about different tickets are not.
package sqsqueue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// sendTimeout bounds one Send, the SDK's own retries included.
const sendTimeout = 5 * time.Second

// SendMessageAPI are the calls that are made.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
// and https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html.
type SendMessageAPI interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}

// Queue sends hints. It is safe for concurrent use.
type Queue struct {
	client SendMessageAPI
	url    string
	newID  func() string
}

var _ relay.Queue = (*Queue)(nil)

// New returns a queue that sends to queueURL. newID returns a new random id of
// 1 to 128 letters, digits and punctuation.
func New(client SendMessageAPI, queueURL string, newID func() string) *Queue {
	return &Queue{client: client, url: queueURL, newID: newID}
}

// message is the body of a hint:
//
//	{"v":1,"desk":"zendesk|salesforce","ticket":"…","hint":"deleted|merged:<ticket>|agents:<agent>,…|"}
//	{"v":1,"desk":"agent","ticket":"<agent>|all","hint":"disconnect|"}
//
// The second form and the hint agents are the calendars'; see shared/calendar.
type message struct {
	V int `json:"v"`
	relay.Hint
}

// Send queues a hint. Its deduplication id is new for every Send, for two
// changes of a ticket are two, and the same for the SDK's retries of one Send,
// so that a lost answer does not make a second message.
//
// The error is an *[upstream.Error] of the vendor "sqs". Its class is the last
// attempt's; a hint that was accepted by an earlier one does no harm, since
// whoever receives it reads the ticket.
func (q *Queue) Send(ctx context.Context, hint relay.Hint) error {
	body, group, err := encode(hint)
	if err != nil {
		return &upstream.Error{Vendor: "sqs", Op: opSend, Class: upstream.Refused, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	id := q.newID()
	_, err = q.client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl:               &q.url,
		MessageBody:            &body,
		MessageGroupId:         &group,
		MessageDeduplicationId: &id,
	})
	if err != nil {
		return classify(ctx, opSend, err)
	}
	return nil
}

const (
	opSend      = "SendMessage"
	opSendBatch = "SendMessageBatch"
)

// encode returns a hint's message and its group.
func encode(hint relay.Hint) (body, group string, err error) {
	if err := check(hint); err != nil {
		return "", "", err
	}
	b, err := json.Marshal(message{1, hint})
	if err != nil {
		return "", "", errors.New("hint does not encode")
	}
	return string(b), string(hint.Desk) + ":" + hint.Ticket, nil
}

// The errors of a message that no Send of ours made.
var (
	errBody   = errors.New("sqsqueue: the body is not one JSON object of ours")
	errV      = errors.New("sqsqueue: the message has another version")
	errDesk   = errors.New("sqsqueue: no such desk")
	errTicket = errors.New("sqsqueue: not the id of a ticket of this desk")
	errHint   = errors.New("sqsqueue: no such hint")
)

// Decode reads a body that [Queue.Send] wrote. Keys that it does not know are
// ignored; anything else unexpected is an error, which holds nothing of the body.
func Decode(body string) (relay.Hint, error) {
	raw := bytes.TrimSpace([]byte(body))
	if len(raw) == 0 || raw[0] != '{' {
		return relay.Hint{}, errBody
	}
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		return relay.Hint{}, errBody
	}
	if m.V != 1 {
		return relay.Hint{}, errV
	}
	if err := check(m.Hint); err != nil {
		return relay.Hint{}, err
	}
	return m.Hint, nil
}

// check accepts the hints that relay makes. A ticket id is part of the group id
// and must be the normal form: two forms would be two groups.
func check(h relay.Hint) error {
	if calendar.IsAgentHint(h) {
		return nil
	}
	if h.Desk != relay.Zendesk && h.Desk != relay.Salesforce {
		return errDesk
	}
	if !isTicket(h.Desk, h.Ticket) {
		return errTicket
	}
	if survivor, merged := strings.CutPrefix(h.Hint, "merged:"); merged {
		if !isTicket(h.Desk, survivor) {
			return errHint
		}
	} else if _, calendars := calendar.ParseHintAgents(h.Hint); !calendars && h.Hint != "" && h.Hint != "deleted" && h.Hint != relay.HintFile {
		return errHint
	}
	return nil
}

func isTicket(desk relay.DeskName, id string) bool {
	if desk == relay.Salesforce {
		full, err := identity.SalesforceID(id, "500")
		return err == nil && full == id
	}
	if id == "" || len(id) > 20 || id[0] == '0' {
		return false
	}
	return strings.Trim(id, "0123456789") == ""
}

// classify tells what became of a send. The SDK's own text is dropped: it holds
// the endpoint's URL, request ids and the service's prose.
func classify(ctx context.Context, op string, err error) *upstream.Error {
	e := &upstream.Error{Vendor: "sqs", Op: op, Code: awsenv.ErrorCode(err)}
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) && answered.Response != nil {
		e.Status = answered.HTTPStatusCode()
	}
	var sent *smithyhttp.RequestSendError
	switch {
	case e.Code != "":
		e.Class, e.Credentials = meaning(e.Code, e.Status)
	case ctx.Err() != nil:
		e.Class, e.Err = upstream.Unknown, ctx.Err()
	case e.Status != 0:
		e.Class, e.Err = upstream.StatusClass(e.Status), errors.New("unreadable answer")
	case errors.As(err, &sent):
		e.Class, e.Err = upstream.Unknown, errors.New("connection lost")
		var dial *net.OpError
		var dns *net.DNSError
		if errors.As(err, &dns) || (errors.As(err, &dial) && dial.Op == "dial") {
			e.Class, e.Err = upstream.Unavailable, errors.New("no connection")
		}
	default: // among them an answer with a checksum that is not the message's
		e.Class, e.Err = upstream.Unknown, errors.New("no usable answer")
	}
	return e
}

// meaning sorts the codes of
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
// and of SendMessage; the query protocol's names and JSON's are both in use.
func meaning(code string, status int) (class upstream.Class, credentials bool) {
	code = code[strings.LastIndexByte(code, '.')+1:]
	switch {
	case strings.Contains(code, "Throttl") || code == "OverLimit" || code == "RequestLimitExceeded" || code == "TooManyRequestsException":
		return upstream.RateLimited, false
	case code == "ServiceUnavailable" || code == "ServiceUnavailableException":
		return upstream.Unavailable, false
	case strings.HasPrefix(code, "AccessDenied") || strings.HasPrefix(code, "KmsAccessDenied") || strings.HasPrefix(code, "ExpiredToken") ||
		strings.HasPrefix(code, "InvalidClientTokenId") || strings.HasPrefix(code, "UnrecognizedClient") ||
		strings.HasPrefix(code, "SignatureDoesNotMatch") || strings.HasPrefix(code, "InvalidSignature") ||
		strings.HasPrefix(code, "MissingAuthenticationToken") || strings.HasPrefix(code, "IncompleteSignature") ||
		code == "InvalidSecurity" || code == "NotAuthorized" || code == "OptInRequired" || code == "NoCredentials":
		return upstream.Refused, true
	case status == 0: // refused before it was sent
		return upstream.Refused, false
	}
	return upstream.StatusClass(status), false
}
