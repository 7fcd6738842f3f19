package sqsqueue

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/caseroom/caseroom/shared/upstream"
)

// AttributesAPI is the call that [Depth] makes.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html.
type AttributesAPI interface {
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Depth says about how much is in a queue.
type Depth struct {
	Client AttributesAPI
	URL    string
}

const opAttributes = "GetQueueAttributes"

// Read returns about how many messages wait to be received and about how many were
// received, for now or to be tried again later. It may be some seconds late.
func (d Depth) Read(ctx context.Context) (waiting, received int, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	const visible, hidden = types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	out, err := d.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &d.URL, AttributeNames: []types.QueueAttributeName{visible, hidden},
	})
	if err != nil {
		return 0, 0, classify(ctx, opAttributes, err)
	}
	waiting, err1 := strconv.Atoi(out.Attributes[string(visible)])
	received, err2 := strconv.Atoi(out.Attributes[string(hidden)])
	if errors.Join(err1, err2) != nil {
		return 0, 0, &upstream.Error{Vendor: "sqs", Op: opAttributes, Class: upstream.Unavailable, Err: errors.New("an answer without numbers")}
	}
	return waiting, received, nil
}
