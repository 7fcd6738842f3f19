package aws

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// Limits of SQS; see
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html.
const (
	MaxMessage       = 1 << 20
	dedupWindow      = 5 * time.Minute
	maxVisibility    = 12 * time.Hour
	defaultRetention = 4 * 24 * time.Hour
	purgeEvery       = 60 * time.Second
)

// QueueConfig describes a queue. The name of a FIFO queue ends in ".fifo".
type QueueConfig struct {
	Name         string
	FIFO         bool
	ContentDedup bool          // ContentBasedDeduplication
	GroupDedup   bool          // DeduplicationScope messageGroup
	Visibility   time.Duration // 30 s if zero
	Retention    time.Duration // 4 days if zero
	MaxReceive   int           // receives before a message goes to DLQ; used with DLQ
	DLQ          string        // name of the dead-letter queue; it is made if missing
}

type queue struct {
	QueueConfig
	arn      string
	created  time.Time
	messages []*message // in order of arrival
	seq      uint64
	dedup    map[string]*message
	purged   time.Time
}

type message struct {
	id, body, group, dedup string
	attributes             map[string]attribute
	trace                  string
	source                 string // ARN of the queue it died in
	seq                    string
	sent, firstReceived    time.Time
	visible                time.Time // not receivable before
	received               time.Time // the latest receive
	count                  int
}

type attribute struct {
	DataType    string `json:"DataType"`
	StringValue string `json:"StringValue,omitempty"`
	BinaryValue []byte `json:"BinaryValue,omitempty"`
}

type moveTask struct {
	handle, source, destination string
	moved                       int
	started                     time.Time
}

var sqsOps = map[string]operation{
	"SendMessage":                  (*cloud).sendSQS,
	"SendMessageBatch":             (*cloud).sendSQSBatch,
	"ReceiveMessage":               (*cloud).receiveSQS,
	"DeleteMessage":                (*cloud).deleteSQS,
	"DeleteMessageBatch":           (*cloud).deleteSQSBatch,
	"ChangeMessageVisibility":      (*cloud).changeVisibility,
	"ChangeMessageVisibilityBatch": (*cloud).changeVisibilityBatch,
	"GetQueueUrl":                  (*cloud).getQueueURL,
	"GetQueueAttributes":           (*cloud).getQueueAttributes,
	"ListQueues":                   (*cloud).listQueues,
	"PurgeQueue":                   (*cloud).purgeQueue,
	"StartMessageMoveTask":         (*cloud).startMoveTask,
	"ListMessageMoveTasks":         (*cloud).listMoveTasks,
}

// EnsureQueue makes a queue, and its dead-letter queue, unless there is one of
// that name, and returns its URL.
func (x Account) EnsureQueue(c QueueConfig) string {
	a := x.a
	a.Lock()
	defer a.Unlock()
	return a.ensureQueue(c).url(a.URL())
}

func (a *cloud) ensureQueue(c QueueConfig) *queue {
	if q := a.queues[c.Name]; q != nil {
		return q
	}
	c.Visibility = cmp.Or(c.Visibility, 30*time.Second)
	c.Retention = cmp.Or(c.Retention, defaultRetention)
	f := a.fix
	q := &queue{
		QueueConfig: c, created: a.Now(), dedup: map[string]*message{},
		arn: "arn:aws:sqs:" + f.Region + ":" + f.AccountID + ":" + c.Name,
	}
	a.queues[c.Name] = q
	if c.DLQ != "" {
		a.ensureQueue(QueueConfig{Name: c.DLQ, FIFO: c.FIFO, Retention: 14 * 24 * time.Hour})
	}
	return q
}

// url is the queue's URL on a sandbox at base. Requests may name any host: the
// same queue has another one inside a container.
func (q *queue) url(base string) string {
	if base == "" {
		base = "http://127.0.0.1:3100"
	}
	return base + "/aws/" + strings.Split(q.arn, ":")[4] + "/" + q.Name
}

func (a *cloud) queueAt(r *http.Request, queueURL string) (*queue, *refusal) {
	if queueURL == "" {
		return nil, refuse("MissingRequiredParameterException", "The request must contain the parameter QueueUrl.")
	}
	q := a.queues[path.Base(queueURL)]
	if q == nil || path.Base(path.Dir(queueURL)) != a.fix.AccountID {
		return nil, refuse("QueueDoesNotExist", "The specified queue does not exist.")
	}
	engine.Note(r, "queue", q.Name)
	return q, nil
}

func (a *cloud) queueByARN(arn string) *queue {
	for _, q := range a.queues {
		if q.arn == arn {
			return q
		}
	}
	return nil
}

// wake tells the waiting receivers that something may have become receivable.
func (a *cloud) wake() {
	close(a.arrivals)
	a.arrivals = make(chan struct{})
}

func badValue(format string, args ...any) *refusal {
	return refuse("InvalidParameterValueException", format, args...)
}

type sendInput struct {
	Id                      string
	QueueUrl                string
	MessageBody             string
	MessageGroupId          string
	MessageDeduplicationId  string
	DelaySeconds            int
	MessageAttributes       map[string]attribute
	MessageSystemAttributes map[string]attribute
}

var (
	tokenPattern = regexp.MustCompile("^[A-Za-z0-9!\"#$%&'()*+,./:;<=>?@\\[\\\\\\]^_`{|}~-]{1,128}$")
	attrNames    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
)

// legalText reports whether all characters are of XML 1.0.
func legalText(s string) bool {
	for i, c := range s {
		switch {
		case c == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return false
			}
		case c == '\t' || c == '\n' || c == '\r':
		case c < 0x20, c == 0xFFFE, c == 0xFFFF:
			return false
		}
	}
	return true
}

// validate checks what does not depend on what is in the queue.
func (in sendInput) validate(q *queue) *refusal {
	if in.MessageBody == "" {
		return refuse("MissingRequiredParameterException", "The request must contain the parameter MessageBody.")
	}
	if !legalText(in.MessageBody) {
		return refuse("InvalidMessageContents", "Invalid binary character was found in the message body.")
	}
	if len(in.MessageAttributes) > 10 {
		return badValue("Number of message attributes [%d] exceeds the allowed maximum [10].", len(in.MessageAttributes))
	}
	size := len(in.MessageBody)
	for name, v := range in.MessageAttributes {
		if !attrNames.MatchString(name) || v.DataType == "" || (v.StringValue == "") == (len(v.BinaryValue) == 0) {
			return badValue("The message attribute '%s' must have a legal name, a type and a value.", name)
		}
		if !legalText(v.StringValue) {
			return refuse("InvalidMessageContents", "Invalid binary character was found in a message attribute.")
		}
		size += len(name) + len(v.DataType) + len(v.StringValue) + len(v.BinaryValue)
	}
	if size > MaxMessage {
		return badValue("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", MaxMessage)
	}
	for name := range in.MessageSystemAttributes {
		if name != "AWSTraceHeader" {
			return badValue("Message system attribute '%s' is invalid.", name)
		}
	}
	if in.MessageGroupId != "" && !tokenPattern.MatchString(in.MessageGroupId) {
		return badValue("MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	if !q.FIFO {
		if in.MessageDeduplicationId != "" {
			return badValue("The request include parameter that is not valid for this queue type")
		}
		if in.DelaySeconds < 0 || in.DelaySeconds > 900 {
			return badValue("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", in.DelaySeconds)
		}
		return nil
	}
	if in.DelaySeconds != 0 {
		return badValue("Value %d for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.", in.DelaySeconds)
	}
	if in.MessageGroupId == "" {
		return refuse("MissingRequiredParameterException", "The request must contain the parameter MessageGroupId.")
	}
	if in.MessageDeduplicationId == "" && !q.ContentDedup {
		return badValue("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	if in.MessageDeduplicationId != "" && !tokenPattern.MatchString(in.MessageDeduplicationId) {
		return badValue("MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return nil
}

// enqueue adds a checked message, or returns the one it repeats.
func (a *cloud) enqueue(q *queue, in sendInput) *message {
	now := a.Now()
	m := &message{
		body: in.MessageBody, group: in.MessageGroupId, dedup: in.MessageDeduplicationId,
		attributes: in.MessageAttributes, trace: in.MessageSystemAttributes["AWSTraceHeader"].StringValue,
		sent: now, visible: now.Add(time.Duration(in.DelaySeconds) * time.Second),
	}
	if q.FIFO {
		if m.dedup == "" {
			m.dedup = hashOf([]byte(m.body))
		}
		key := m.dedup
		if q.GroupDedup {
			key = m.group + " " + m.dedup
		}
		maps.DeleteFunc(q.dedup, func(_ string, old *message) bool { return now.Sub(old.sent) >= dedupWindow })
		if old := q.dedup[key]; old != nil {
			return old
		}
		q.dedup[key] = m
	}
	a.append(q, m)
	return m
}

func (a *cloud) append(q *queue, m *message) {
	m.id = a.UUID()
	if q.FIFO {
		q.seq++
		m.seq = fmt.Sprintf("18849%015d", q.seq*256) // beyond 64 bits, as the vendor's
	}
	q.messages = append(q.messages, m)
	a.wake()
}

// sendOutput answers a send. The sum is of what was sent now, which a repeated
// deduplication id does not make the same as what is in the queue.
func sendOutput(q *queue, m *message, body string) map[string]any {
	sum := md5.Sum([]byte(body))
	out := map[string]any{"MessageId": m.id, "MD5OfMessageBody": hex.EncodeToString(sum[:])}
	if q.FIFO {
		out["SequenceNumber"] = m.seq
	}
	return out
}

// sendSQS follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.
// A duplicate is answered with the first message's ids.
func (a *cloud) sendSQS(r *http.Request, body []byte) (any, *refusal) {
	var in sendInput
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	q, e := a.queueAt(r, in.QueueUrl)
	if e != nil {
		return nil, e
	}
	if e := in.validate(q); e != nil {
		return nil, e
	}
	engine.Note(r, "group", in.MessageGroupId)
	return sendOutput(q, a.enqueue(q, in), in.MessageBody), nil
}

// batchEntry is what all batches have in common.
type batchEntry struct{ Id string }

var batchID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// batch runs one after the other the entries of a batch request. The answer
// is 200 even when some entries fail.
func (a *cloud) batch(r *http.Request, body []byte, run func(q *queue, entry []byte) (map[string]any, *refusal)) (any, *refusal) {
	var in struct {
		QueueUrl string
		Entries  []json.RawMessage
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
	if len(in.Entries) == 0 {
		return nil, refuse("EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(in.Entries) > 10 {
		return nil, refuse("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(in.Entries))
	}
	ids := make([]string, len(in.Entries))
	for i, raw := range in.Entries {
		var entry batchEntry
		if err := engine.Decode(raw, &entry); err != nil {
			return nil, refuse("SerializationException", "an entry is not the operation's input")
		}
		if !batchID.MatchString(entry.Id) {
			return nil, refuse("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if slices.Contains(ids[:i], entry.Id) {
			return nil, refuse("BatchEntryIdsNotDistinct", "Id %s repeated.", entry.Id)
		}
		ids[i] = entry.Id
	}
	good, bad := []map[string]any{}, []map[string]any{}
	for i, raw := range in.Entries {
		out, e := run(q, raw)
		if e != nil {
			bad = append(bad, map[string]any{"Id": ids[i], "Code": e.code, "Message": e.message, "SenderFault": true})
			continue
		}
		out["Id"] = ids[i]
		good = append(good, out)
	}
	return map[string]any{"Successful": good, "Failed": bad}, nil
}

// sendSQSBatch follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html.
func (a *cloud) sendSQSBatch(r *http.Request, body []byte) (any, *refusal) {
	var sizes struct {
		Entries []struct{ MessageBody string }
	}
	if err := engine.Decode(body, &sizes); err == nil {
		total := 0
		for _, e := range sizes.Entries {
			total += len(e.MessageBody)
		}
		if total > MaxMessage {
			return nil, refuse("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes.", MaxMessage)
		}
	}
	return a.batch(r, body, func(q *queue, raw []byte) (map[string]any, *refusal) {
		var in sendInput
		if err := engine.Decode(raw, &in); err != nil {
			return nil, badValue("the entry is malformed")
		}
		if e := in.validate(q); e != nil {
			return nil, e
		}
		return sendOutput(q, a.enqueue(q, in), in.MessageBody), nil
	})
}

// handle names one receive of one message.
func (m *message) handle() string { return "AQEB" + m.id + "." + strconv.Itoa(m.count) }

var receiptHandle = regexp.MustCompile(`^AQEB([0-9a-f-]{36})\.([1-9][0-9]{0,9})$`)

// receiveSQS follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html.
func (a *cloud) receiveSQS(r *http.Request, body []byte) (any, *refusal) {
	in := struct {
		QueueUrl                    string
		MaxNumberOfMessages         int
		VisibilityTimeout           *int
		WaitTimeSeconds             int
		AttributeNames              []string
		MessageSystemAttributeNames []string
		MessageAttributeNames       []string
	}{MaxNumberOfMessages: 1}
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	switch {
	case in.MaxNumberOfMessages < 1 || in.MaxNumberOfMessages > 10:
		return nil, badValue("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", in.MaxNumberOfMessages)
	case in.WaitTimeSeconds < 0 || in.WaitTimeSeconds > 20:
		return nil, badValue("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", in.WaitTimeSeconds)
	case in.VisibilityTimeout != nil && (*in.VisibilityTimeout < 0 || *in.VisibilityTimeout > 43200):
		return nil, badValue("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.", *in.VisibilityTimeout)
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(in.WaitTimeSeconds)*time.Second)
	defer cancel()
	for {
		a.Lock()
		q, e := a.queueAt(r, in.QueueUrl)
		if e != nil {
			a.Unlock()
			return nil, e
		}
		visibility := q.Visibility
		if in.VisibilityTimeout != nil {
			visibility = time.Duration(*in.VisibilityTimeout) * time.Second
		}
		got := a.take(q, in.MaxNumberOfMessages, visibility)
		if len(got) > 0 || ctx.Err() != nil {
			out := make([]map[string]any, 0, len(got))
			for _, m := range got {
				out = append(out, m.view(append(in.AttributeNames, in.MessageSystemAttributeNames...), in.MessageAttributeNames, a.fix))
			}
			a.Unlock()
			if len(out) == 0 {
				return nil, nil
			}
			return map[string]any{"Messages": out}, nil
		}
		arrived := a.arrivals
		a.Unlock()
		// Visibility and delay end by the engine's clock, which tells nobody.
		tick := time.NewTimer(50 * time.Millisecond)
		select {
		case <-arrived:
		case <-tick.C:
		case <-ctx.Done():
		}
		tick.Stop()
	}
}

// take receives up to n messages. A FIFO group that has a message in flight
// gives nothing.
func (a *cloud) take(q *queue, n int, visibility time.Duration) []*message {
	now := a.Now()
	a.expire(q)
	blocked := map[string]bool{}
	var got, dead []*message
	for _, m := range q.messages {
		if len(got) == n {
			break
		}
		if q.FIFO && blocked[m.group] {
			continue
		}
		if m.visible.After(now) {
			blocked[m.group] = true
			continue
		}
		if q.DLQ != "" && q.MaxReceive > 0 && m.count >= q.MaxReceive {
			dead = append(dead, m)
			continue
		}
		m.count++
		m.received, m.visible = now, now.Add(visibility)
		if m.firstReceived.IsZero() {
			m.firstReceived = now
		}
		got = append(got, m)
	}
	for _, m := range dead {
		q.remove(m)
		a.bury(q, m)
	}
	return got
}

// expire drops what the queue has kept for too long.
func (a *cloud) expire(q *queue) {
	limit := a.Now().Add(-q.Retention)
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.sent.Before(limit) })
}

func (q *queue) remove(m *message) {
	if i := slices.Index(q.messages, m); i >= 0 {
		q.messages = slices.Delete(q.messages, i, i+1)
	}
}

// bury moves a message to the dead-letter queue. On FIFO queues its
// deduplication id becomes its message id and its age starts again.
func (a *cloud) bury(q *queue, m *message) {
	dlq := a.queues[q.DLQ]
	d := &message{
		body: m.body, group: m.group, attributes: m.attributes, trace: m.trace,
		source: q.arn, sent: m.sent, visible: a.Now(),
	}
	if q.FIFO {
		d.sent = a.Now()
	}
	a.append(dlq, d)
	d.id = m.id
	if q.FIFO {
		d.dedup = m.id
	}
}

func ms(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// view renders a received message with the attributes that were asked for.
func (m *message) view(system, attributes []string, f Fixture) map[string]any {
	all := map[string]string{
		"ApproximateReceiveCount":          strconv.Itoa(m.count),
		"SentTimestamp":                    ms(m.sent),
		"ApproximateFirstReceiveTimestamp": ms(m.firstReceived),
		"SenderId":                         f.AccessKeyID,
		"MessageGroupId":                   m.group,
		"MessageDeduplicationId":           m.dedup,
		"SequenceNumber":                   m.seq,
		"AWSTraceHeader":                   m.trace,
		"DeadLetterQueueSourceArn":         m.source,
	}
	sum := md5.Sum([]byte(m.body))
	out := map[string]any{
		"MessageId": m.id, "ReceiptHandle": m.handle(), "Body": m.body, "MD5OfBody": hex.EncodeToString(sum[:]),
	}
	maps.DeleteFunc(all, func(k, v string) bool {
		return v == "" || !(slices.Contains(system, "All") || slices.Contains(system, k))
	})
	if len(all) > 0 {
		out["Attributes"] = all
	}
	asked := map[string]attribute{}
	for name, v := range m.attributes {
		for _, want := range attributes {
			prefix, wild := strings.CutSuffix(want, ".*")
			if want == "All" || want == ".*" || want == name || (wild && strings.HasPrefix(name, prefix+".")) {
				asked[name] = v
			}
		}
	}
	if len(asked) > 0 {
		out["MessageAttributes"] = asked
	}
	return out
}

// received resolves a receipt handle. A nil message with a nil error is one
// that is already gone.
func (q *queue) received(handle string) (*message, int, *refusal) {
	p := receiptHandle.FindStringSubmatch(handle)
	if p == nil {
		return nil, 0, refuse("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	count, err := strconv.Atoi(p[2])
	if err != nil {
		return nil, 0, refuse("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	for _, m := range q.messages {
		if m.id == p[1] && count <= m.count {
			return m, count, nil
		}
	}
	return nil, 0, nil
}

// delete removes a message by the handle of its latest receive. A FIFO queue
// refuses a handle whose visibility has ended; a standard queue ignores one
// that is not the latest.
func (a *cloud) delete(q *queue, handle string) *refusal {
	m, count, e := q.received(handle)
	if e != nil || m == nil {
		return e
	}
	current := count == m.count
	if q.FIFO && (!current || !m.visible.After(a.Now())) {
		return badValue("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", handle)
	}
	if current {
		q.remove(m)
		a.wake()
	}
	return nil
}

// deleteSQS follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html.
func (a *cloud) deleteSQS(r *http.Request, body []byte) (any, *refusal) {
	var in struct{ QueueUrl, ReceiptHandle string }
	if err := engine.Decode(body, &in); err != nil {
		return nil, refuse("SerializationException", "the body is not the operation's input")
	}
	a.Lock()
	defer a.Unlock()
	q, e := a.queueAt(r, in.QueueUrl)
	if e != nil {
		return nil, e
	}
	return nil, a.delete(q, in.ReceiptHandle)
}

// deleteSQSBatch follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html.
func (a *cloud) deleteSQSBatch(r *http.Request, body []byte) (any, *refusal) {
	return a.batch(r, body, func(q *queue, raw []byte) (map[string]any, *refusal) {
		var in struct{ ReceiptHandle string }
		if err := engine.Decode(raw, &in); err != nil {
			return nil, badValue("the entry is malformed")
		}
		return map[string]any{}, a.delete(q, in.ReceiptHandle)
	})
}

// setVisibility lets a message in flight reappear after so many seconds from
// now, at most twelve hours after it was received.
func (a *cloud) setVisibility(q *queue, handle string, seconds *int) *refusal {
	if seconds == nil {
		return refuse("MissingRequiredParameterException", "The request must contain the parameter VisibilityTimeout.")
	}
	if *seconds < 0 || *seconds > 43200 {
		return badValue("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.", *seconds)
	}
	m, count, e := q.received(handle)
	if e != nil {
		return e
	}
	now := a.Now()
	if m == nil || count != m.count || !m.visible.After(now) {
		return refuse("MessageNotInflight", "The specified message isn't in flight.")
	}
	until := now.Add(time.Duration(*seconds) * time.Second)
	if until.Sub(m.received) > maxVisibility {
		return badValue("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].", *seconds)
	}
	m.visible = until
	a.wake()
	return nil
}

// changeVisibility follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html.
func (a *cloud) changeVisibility(r *http.Request, body []byte) (any, *refusal) {
	var in struct {
		QueueUrl, ReceiptHandle string
		VisibilityTimeout       *int
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
	return nil, a.setVisibility(q, in.ReceiptHandle, in.VisibilityTimeout)
}

// changeVisibilityBatch follows
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html.
func (a *cloud) changeVisibilityBatch(r *http.Request, body []byte) (any, *refusal) {
	return a.batch(r, body, func(q *queue, raw []byte) (map[string]any, *refusal) {
		var in struct {
			ReceiptHandle     string
			VisibilityTimeout *int
		}
		if err := engine.Decode(raw, &in); err != nil {
			return nil, badValue("the entry is malformed")
		}
		return map[string]any{}, a.setVisibility(q, in.ReceiptHandle, in.VisibilityTimeout)
	})
}
