package aws

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// getQueueURL follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html.
func (a *cloud) getQueueURL(r *http.Request, body []byte) (any, *refusal) {
	var in struct{ QueueName string }
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	q := a.queues[in.QueueName]
	if q == nil {
		return nil, refuse("QueueDoesNotExist", "The specified queue does not exist.")
	}
	return map[string]string{"QueueUrl": q.url(a.BaseURL(r))}, nil
}

// listQueues follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html.
func (a *cloud) listQueues(r *http.Request, body []byte) (any, *refusal) {
	var in struct{ QueueNamePrefix string }
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	urls := []string{}
	for _, name := range slices.Sorted(maps.Keys(a.queues)) {
		if strings.HasPrefix(name, in.QueueNamePrefix) {
			urls = append(urls, a.queues[name].url(a.BaseURL(r)))
		}
	}
	return map[string]any{"QueueUrls": urls}, nil
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// counts returns how many messages are receivable, in flight, and delayed.
func (a *cloud) counts(q *queue) (visible, inFlight, delayed int) {
	a.expire(q)
	now := a.Now()
	for _, m := range q.messages {
		switch {
		case !m.visible.After(now):
			visible++
		case m.count > 0:
			inFlight++
		default:
			delayed++
		}
	}
	return visible, inFlight, delayed
}

// getQueueAttributes follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html.
func (a *cloud) getQueueAttributes(r *http.Request, body []byte) (any, *refusal) {
	var in struct {
		QueueUrl       string
		AttributeNames []string
	}
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	q, e := a.queueAt(r, in.QueueUrl)
	if e != nil {
		return nil, e
	}
	visible, inFlight, delayed := a.counts(q)
	created := strconv.FormatInt(q.created.Unix(), 10)
	all := map[string]string{
		"QueueArn":                              q.arn,
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"CreatedTimestamp":                      created,
		"LastModifiedTimestamp":                 created,
		"VisibilityTimeout":                     seconds(q.Visibility),
		"MessageRetentionPeriod":                seconds(q.Retention),
		"MaximumMessageSize":                    strconv.Itoa(MaxMessage),
		"DelaySeconds":                          "0",
		"ReceiveMessageWaitTimeSeconds":         "0",
		"SqsManagedSseEnabled":                  "true",
	}
	if q.FIFO {
		all["FifoQueue"], all["ContentBasedDeduplication"] = "true", strconv.FormatBool(q.ContentDedup)
		all["DeduplicationScope"], all["FifoThroughputLimit"] = "queue", "perQueue"
		if q.GroupDedup {
			all["DeduplicationScope"], all["FifoThroughputLimit"] = "messageGroup", "perMessageGroupId"
		}
	}
	if dlq := a.queues[q.DLQ]; dlq != nil {
		policy, err := json.Marshal(map[string]any{"deadLetterTargetArn": dlq.arn, "maxReceiveCount": q.MaxReceive})
		if err == nil {
			all["RedrivePolicy"] = string(policy)
		}
	}
	known := []string{"All", "RedrivePolicy", "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit", "Policy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"}
	for _, name := range in.AttributeNames {
		if all[name] == "" && !slices.Contains(known, name) {
			return nil, refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	if !slices.Contains(in.AttributeNames, "All") {
		maps.DeleteFunc(all, func(k, _ string) bool { return !slices.Contains(in.AttributeNames, k) })
	}
	return map[string]any{"Attributes": all}, nil
}

// purgeQueue follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html.
func (a *cloud) purgeQueue(r *http.Request, body []byte) (any, *refusal) {
	var in struct{ QueueUrl string }
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	q, e := a.queueAt(r, in.QueueUrl)
	if e != nil {
		return nil, e
	}
	now := a.Now()
	if !q.purged.IsZero() && now.Sub(q.purged) < purgeEvery {
		return nil, &refusal{http.StatusForbidden, "PurgeQueueInProgress", "Only one PurgeQueue operation on " + q.Name + " is allowed every 60 seconds."}
	}
	q.purged, q.messages = now, nil
	return nil, nil
}

// startMoveTask follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html.
// The task is over when the call returns. Each moved message is a new one.
func (a *cloud) startMoveTask(_ *http.Request, body []byte) (any, *refusal) {
	var in struct {
		SourceArn, DestinationArn    string
		MaxNumberOfMessagesPerSecond int
	}
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	source := a.queueByARN(in.SourceArn)
	if source == nil {
		return nil, &refusal{http.StatusNotFound, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."}
	}
	if in.MaxNumberOfMessagesPerSecond < 0 || in.MaxNumberOfMessagesPerSecond > 500 {
		return nil, badValue("Value for parameter MaxNumberOfMessagesPerSecond is invalid.")
	}
	isDLQ := false
	for _, q := range a.queues {
		isDLQ = isDLQ || q.DLQ == source.Name
	}
	if !isDLQ {
		return nil, badValue("Source queue must be configured as a Dead Letter Queue.")
	}
	var fixed *queue
	if in.DestinationArn != "" {
		if fixed = a.queueByARN(in.DestinationArn); fixed == nil {
			return nil, &refusal{http.StatusNotFound, "ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist."}
		}
		if fixed.FIFO != source.FIFO {
			return nil, badValue("Source and destination must be queues of the same type.")
		}
	}
	task := &moveTask{handle: a.UUID(), source: source.arn, destination: in.DestinationArn, started: a.Now()}
	a.expire(source)
	now := a.Now()
	for _, m := range slices.Clone(source.messages) {
		to := fixed
		if to == nil {
			to = a.queueByARN(m.source)
		}
		if m.visible.After(now) || to == nil {
			continue // in flight, or sent here by hand and not come from a queue
		}
		source.remove(m)
		n := &message{body: m.body, group: m.group, attributes: m.attributes, trace: m.trace, sent: now, visible: now}
		a.append(to, n)
		if to.FIFO {
			n.dedup = n.id
		}
		task.moved++
	}
	a.tasks = append(a.tasks, task)
	return map[string]string{"TaskHandle": task.handle}, nil
}

// listMoveTasks follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html.
func (a *cloud) listMoveTasks(_ *http.Request, body []byte) (any, *refusal) {
	in := struct {
		SourceArn  string
		MaxResults int
	}{MaxResults: 1}
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	if a.queueByARN(in.SourceArn) == nil {
		return nil, &refusal{http.StatusNotFound, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."}
	}
	if in.MaxResults < 1 || in.MaxResults > 10 {
		return nil, badValue("Value for parameter MaxResults is invalid. Reason: Must be an integer between 1 and 10.")
	}
	results := []map[string]any{}
	for _, t := range slices.Backward(a.tasks) {
		if t.source != in.SourceArn || len(results) == in.MaxResults {
			continue
		}
		v := map[string]any{
			"Status": "COMPLETED", "SourceArn": t.source, "StartedTimestamp": t.started.UnixMilli(),
			"ApproximateNumberOfMessagesMoved": t.moved, "ApproximateNumberOfMessagesToMove": t.moved,
		}
		if t.destination != "" {
			v["DestinationArn"] = t.destination
		}
		results = append(results, v)
	}
	return map[string]any{"Results": results}, nil
}

// QueueState is what a queue holds.
type QueueState struct {
	Name     string         `json:"name"`
	URL      string         `json:"url"`
	ARN      string         `json:"arn"`
	Visible  int            `json:"visible"`
	InFlight int            `json:"inFlight"`
	Messages []MessageState `json:"messages"` // in order of arrival
}

// MessageState is a message in a queue.
type MessageState struct {
	ID      string    `json:"id"`
	Body    string    `json:"body"`
	Group   string    `json:"group,omitempty"`
	Dedup   string    `json:"dedup,omitempty"`
	Count   int       `json:"receiveCount"`
	Sent    time.Time `json:"sent"`
	Visible time.Time `json:"visibleFrom"`
}

// Queues returns the queues and what is in them.
func (x Account) Queues() []QueueState {
	a := x.a
	a.Lock()
	defer a.Unlock()
	return a.queueStates()
}

// State returns a copy of what the account holds; the engine is locked.
func (x Account) State() State {
	a := x.a
	a.loadSecrets()
	st := State{Secrets: slices.Sorted(maps.Keys(a.secrets)), Queues: a.queueStates(), Objects: []ObjectState{}}
	for bucket, objects := range a.buckets {
		for key, o := range objects {
			st.Objects = append(st.Objects, ObjectState{bucket, key, len(o.body), o.contentType, o.modified.UTC()})
		}
	}
	slices.SortFunc(st.Objects, func(a, b ObjectState) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key))
	})
	return st
}

func (a *cloud) queueStates() []QueueState {
	list := []QueueState{}
	for _, name := range slices.Sorted(maps.Keys(a.queues)) {
		q := a.queues[name]
		visible, inFlight, _ := a.counts(q)
		v := QueueState{Name: name, URL: q.url(a.URL()), ARN: q.arn, Visible: visible, InFlight: inFlight, Messages: []MessageState{}}
		for _, m := range q.messages {
			v.Messages = append(v.Messages, MessageState{m.id, m.body, m.group, m.dedup, m.count, m.sent.UTC(), m.visible.UTC()})
		}
		list = append(list, v)
	}
	return list
}
