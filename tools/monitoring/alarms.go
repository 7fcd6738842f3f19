package main

import (
	"cmp"
	"strings"
	"time"
)

// alarm is an alarm on one metric, or on the sum that an expression selects.
type alarm struct {
	name      string // without "Alarm"
	says      string // what happened, and what it means
	section   string // of docs/runbook.md; "" for the one with the alarm's name
	condition string
	metric    metric
	untaken   string // the queue of which nobody takes anything; instead of a metric
	threshold int    // rings at this value or above
	period    time.Duration
	within    [2]int // so many periods of so many; zero for one of one
}

// metric is one that AWS keeps, or the functions' own if it has no namespace.
type metric struct {
	namespace, name  string
	dimension, value string // of the functions' own also none
	statistic        string // of the functions' own SUM if ""
}

// functionAlarms are made for each function: FUNCTION stands for its name.
var functionAlarms = []alarm{
	{
		name:    "Errors",
		says:    "FUNCTION crashed, timed out or did not start. Failures of vendors are answers, not errors; see ApiServerErrorsAlarm.",
		section: "Function errors",
		// One of two: what Lambda reports late still counts.
		within: [2]int{1, 2},
	},
	{
		name:    "Throttles",
		says:    "Lambda refused invocations of FUNCTION. The account's concurrency is used up.",
		section: "Function throttles",
		within:  [2]int{1, 2},
	},
}

// deadLetterAlarms ring at the first message.
var deadLetterAlarms = []struct {
	queue string
	alarm
}{
	{
		queue: "SyncDeadLetterQueue",
		alarm: alarm{name: "SyncDeadLetters", says: "A ticket's room could not be set right. Read the dead letter, mend the cause, redrive."},
	},
	{
		queue: "BulkDeadLetterQueue",
		alarm: alarm{name: "BulkDeadLetters", says: "What is no hint came into the queue of bulk hints. Look at what may send to it."},
	},
	{
		queue: "FileDeadLetterQueue",
		alarm: alarm{name: "FileDeadLetters", says: "A transcript could not be filed. Read the dead letter, mend the cause, redrive."},
	},
	{
		queue: "ReconcileDeadLetterQueue",
		alarm: alarm{name: "ReconcileDeadLetters", says: "A window of a desk could not be looked at. Read the dead letter, mend the cause, redrive."},
	},
	{
		queue: "SweepDeadLetterQueue",
		alarm: alarm{name: "SweepDeadLetters", says: "A page of the sweep could not be looked at. Read the dead letter, mend the cause, redrive."},
	},
	{
		queue: "ScheduleDeadLetterQueue",
		alarm: alarm{name: "ScheduleDeadLetters", says: "The scheduler could not reach a queue for an hour, or for a day with a window of a desk. Look at its roles; the dead letter says which time was missed."},
	},
	{
		queue: "CalendarDeadLetterQueue",
		alarm: alarm{name: "CalendarDeadLetters", says: "A task's calendars could not be set right. Read the dead letter, mend the cause, redrive."},
	},
}

// workers are the functions behind queues. Each has two alarms: what it works on
// has waited too long, by its own word, and nobody takes what is in its queue.
var workers = []struct {
	queue    string
	function string
	age      time.Duration
	// putOff is longer than what is tried again is hidden, which would keep what
	// is behind it visible and untaken.
	putOff time.Duration
	alarm
}{
	{
		queue: "SyncQueue", function: "sync", age: 15 * time.Minute, putOff: 25 * time.Minute,
		alarm: alarm{name: "Sync", says: "A ticket has waited fifteen minutes for its room. A desk or the chat is down, or refuses our credentials."},
	},
	{
		queue: "BulkQueue", function: "forward", age: 6 * time.Hour, putOff: 25 * time.Minute,
		alarm: alarm{name: "Bulk", says: "A ticket that nobody waits for has waited six hours. There is more than the live queue leaves room for, or it has not been calm since."},
	},
	{
		queue: "FileQueue", function: "file", age: 24 * time.Hour, putOff: 25 * time.Minute,
		alarm: alarm{name: "File", says: "A transcript has waited a day to be filed. A desk refuses it, or DeskWritesPerMinute is too small for what ends in a day."},
	},
	{
		queue: "ReconcileQueue", function: "reconcile", age: 30 * time.Minute, putOff: 25 * time.Minute,
		alarm: alarm{name: "Reconcile", says: "A window of a desk has waited half an hour. The desk is down, refuses our credentials, or its user may not export tickets."},
	},
	{
		queue: "SweepQueue", function: "sweep", age: 6 * time.Hour, putOff: 25 * time.Minute,
		alarm: alarm{name: "Sweep", says: "A page of the sweep has waited six hours. A desk or the chat is down, or refuses our credentials."},
	},
	{
		queue: "CalendarQueue", function: "calendarsync", age: time.Hour, putOff: 150 * time.Minute,
		alarm: alarm{name: "Calendar", says: "A task has waited an hour for its calendars. Zendesk or Cronofy is down, limits our rate or refuses us."},
	},
}

// otherAlarms watch the API and the functions' own metrics.
var otherAlarms = []alarm{
	{
		name:      "ApiServerErrors",
		says:      "Callers got ten 5xx answers in five minutes. The functions' logs name the vendor.",
		metric:    metric{namespace: "AWS/ApiGateway", name: "5xx", dimension: "ApiId", value: "${HttpApi}", statistic: "Sum"},
		threshold: 10,
	},
	{
		name:   "RoomSquatted",
		says:   "Somebody had made a group under a ticket's id. It was destroyed and made again; look who it was.",
		metric: metric{name: "RoomSquatted"},
	},
	{
		name:   "RoomMarkLost",
		says:   "A room's introduction is no mark any more. Where its customer is in it, the mark was written again; elsewhere the room is left alone.",
		metric: metric{name: "RoomMarkLost"},
	},
	{
		name:   "DestroyHeld",
		says:   "Many rooms at once look squatted or have lost their marks, or a new room reads as a squat. Nothing more is destroyed until somebody has looked.",
		metric: metric{name: "DestroyHeld"},
	},
	{
		name:   "QueueSendFailed",
		says:   "A ticket could not be queued. Its room waits for the next look at the desk.",
		metric: metric{name: "QueueSendFailed"},
	},
	{
		name:   "MemberRefused",
		says:   "The chat refuses a member of a room, for somebody is in too many rooms or a room is full. The log of sync says whose.",
		metric: metric{name: "MemberRefused"},
		within: [2]int{1, 4},
	},
	{
		name:   "TicketUnreadable",
		says:   "A desk has not shown a ticket for a day, and nothing says that it is gone. A permission or an address may be wrong.",
		metric: metric{name: "TicketUnreadable"},
	},
	{
		name:      "TicketsHidden",
		says:      "A desk hides many tickets at once. A permission was taken from our user, or the address leads to another account.",
		metric:    metric{name: "TicketHidden"},
		threshold: 20,
		within:    [2]int{2, 2},
	},
	{
		name:   "TranscriptUnfiled",
		says:   "A transcript has no place. Its ticket takes no notes any more and there is no archive, so it goes with the chat's history.",
		metric: metric{name: "TranscriptUnfiled"},
	},
	{
		name:   "QuotaExceeded",
		says:   "A vendor's quota is used up. New rooms or tickets fail until it is raised or renews.",
		metric: metric{name: "QuotaExceeded"},
	},
	{
		name:      "CallersRefused",
		says:      "A hundred requests in five minutes proved nobody, or asked for what is not theirs. Somebody tries keys, or a key was replaced at one side alone.",
		metric:    metric{name: "CallersRefused"},
		threshold: 100,
	},
	{
		name:   "Repaired",
		says:   "Changes keep reaching their rooms by the look at the desk only, minutes late. A webhook, trigger or callout is missing, switched off or refused.",
		metric: metric{name: "Repaired"},
		within: [2]int{3, 6},
	},
	{
		name:   "RoomsNotSwept",
		says:   "The sweep could not look at a room or destroy it. The log of sweep says which and why; it is tried again the next day.",
		metric: metric{name: "SweepFailed"},
	},
	{
		name:   "CredentialsRefused",
		says:   "A vendor refused our credentials, after one new token and one new look at the secret. Check the secret that the log names the vendor of.",
		metric: metric{name: "CredentialsRefused"},
	},
}

// alarms are all of them, with what the template says of what they watch.
func (s *stack) alarms() (list []alarm, err error) {
	for _, f := range s.functions {
		for _, a := range functionAlarms {
			a.metric = metric{namespace: "AWS/Lambda", name: a.name, dimension: "FunctionName", value: "${" + f.id + "}", statistic: "Sum"}
			a.name = strings.TrimSuffix(f.id, "Function") + a.name
			a.says = strings.ReplaceAll(a.says, "FUNCTION", f.name)
			a.condition = f.condition
			list = append(list, a)
		}
	}
	for _, of := range deadLetterAlarms {
		a := of.alarm
		q, err := s.queue(of.queue)
		if err != nil {
			return nil, err
		}
		a.condition = q.condition
		a.metric = metric{namespace: "AWS/SQS", name: visible, dimension: "QueueName", value: q.name, statistic: "Maximum"}
		a.period = time.Minute
		list = append(list, a)
	}
	for _, w := range workers {
		q, err := s.queue(w.queue)
		if err != nil {
			return nil, err
		}
		old, stalled := w.alarm, w.alarm
		old.name += "Age"
		old.condition = q.condition
		old.metric = metric{name: "Waited", statistic: "MAX", dimension: "function", value: w.function}
		old.threshold = int(w.age.Seconds())
		// What is tried again is seen every eighteen minutes.
		old.within = [2]int{1, 4}
		stalled.name += "Stalled"
		stalled.says = "Nobody takes what is in the queue of " + w.function + ". Its event source is switched off, or may not read the queue."
		stalled.section = "Stalled queues"
		stalled.condition = q.condition
		stalled.untaken = q.name
		periods := int(w.putOff / (5 * time.Minute))
		stalled.within = [2]int{periods, periods}
		list = append(list, old, stalled)
	}
	list = append(list, otherAlarms...)
	for i := range list {
		list[i].fill()
	}
	return list, nil
}

// fill gives an alarm what most have.
func (a *alarm) fill() {
	if a.section == "" {
		a.section = a.id()
	}
	if a.threshold == 0 {
		a.threshold = 1
	}
	if a.period == 0 {
		a.period = 5 * time.Minute
	}
	if a.within == [2]int{} {
		a.within = [2]int{1, 1}
	}
}

func (a *alarm) id() string { return a.name + "Alarm" }

// own selects one of the functions' own metrics of this stack, whatever its
// other dimensions: the namespace belongs to every caseroom stack of the account
// and region.
func own(m metric) string {
	statistic := cmp.Or(m.statistic, "SUM")
	text := "SELECT " + statistic + "(" + m.name + `) FROM "caseroom" WHERE "stack" = '${StackName}'`
	if m.dimension != "" {
		text += ` AND "` + m.dimension + `" = '` + m.value + "'"
	}
	return text
}

func (a *alarm) resource() resource {
	p := alarmProperties{
		AlarmName:          sub("${StackName}-" + a.id()),
		AlarmDescription:   a.says + " See docs/runbook.md, " + a.section + ".",
		Threshold:          a.threshold,
		ComparisonOperator: "GreaterThanOrEqualToThreshold",
		EvaluationPeriods:  a.within[1],
		DatapointsToAlarm:  a.within[0],
		TreatMissingData:   "notBreaching",
		AlarmActions:       topic,
		OKActions:          topic,
	}
	seconds := int(a.period.Seconds())
	switch m := a.metric; {
	case a.untaken != "":
		p.Metrics = untaken(a.untaken, seconds)
	case m.namespace == "":
		p.Metrics = []query{{ID: "own", Label: m.name, Expression: sub(own(m)), Period: seconds}}
	default:
		p.Namespace, p.MetricName, p.Statistic, p.Period = m.namespace, m.name, m.statistic, seconds
		p.Dimensions = []dimension{{m.dimension, sub(m.value)}}
	}
	return resource{Type: "AWS::CloudWatch::Alarm", Condition: a.condition, Properties: p}
}

// untaken is 1 while messages of a queue could be taken and none is. The age of
// the oldest message does not say that: what is tried again and again counts in
// it, or does not, as AWS's own pages have it.
func untaken(queue string, seconds int) []query {
	no := false
	of := func(id, name, statistic string) query {
		return query{ID: id, ReturnData: &no, MetricStat: &metricStat{
			Metric: statMetric{Namespace: "AWS/SQS", MetricName: name, Dimensions: []dimension{{"QueueName", sub(queue)}}},
			Period: seconds, Stat: statistic,
		}}
	}
	return []query{
		{ID: "untaken", Label: "untaken", Expression: "IF(visible > 0 AND FILL(received, 0) == 0, 1, 0)"},
		of("visible", visible, "Maximum"),
		of("received", "NumberOfMessagesReceived", "Sum"),
	}
}
