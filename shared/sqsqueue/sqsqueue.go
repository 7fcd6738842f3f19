// Package sqsqueue sends messages to an SQS FIFO queue: one message group per
// ticket, so that messages about one ticket are worked on one after another and
// messages about different tickets are not.
package sqsqueue

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/caseroom/caseroom/shared/awsenv"
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

// Message is what a queue takes.
type Message interface {
	// Group is the message group: 1 to 128 letters, digits and punctuation.
	Group() string
	// Encode returns the body, or an error for a message that nobody could read.
	Encode() (string, error)
}

// Queue sends messages of one kind. It is safe for concurrent use.
type Queue[M Message] struct {
	client SendMessageAPI
	url    string
	newID  func() string
}

// New returns a queue that sends to queueURL. newID returns a new random id of
// 1 to 128 letters, digits and punctuation.
func New[M Message](client SendMessageAPI, queueURL string, newID func() string) *Queue[M] {
	return &Queue[M]{client: client, url: queueURL, newID: newID}
}

// Send queues a message. Its deduplication id is new for every Send, for two
// changes of a ticket are two, and the same for the SDK's retries of one Send,
// so that a lost answer does not make a second message.
//
// The error is an *[upstream.Error] of the vendor "sqs". Its class is the last
// attempt's; a message that was accepted by an earlier one does no harm, since
// whoever receives it reads the ticket.
func (q *Queue[M]) Send(ctx context.Context, m M) error {
	body, err := m.Encode()
	if err != nil {
		return &upstream.Error{Vendor: "sqs", Op: opSend, Class: upstream.Refused, Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	group, id := m.Group(), q.newID()
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
		if e.Class, e.Err = upstream.StatusClass(e.Status), errors.New("unreadable answer"); e.Class == upstream.Refused {
			e.Class = upstream.Unknown // not SQS's own word
		}
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
