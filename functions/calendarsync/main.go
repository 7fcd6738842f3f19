// Command calendarsync works off the queue of tasks whose calendars have to be
// looked at.
package main

import (
	mathrand "math/rand/v2"
	"time"
	_ "time/tzdata" // Lambda's image has no zones

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootcronofy"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/connections"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/worker"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Cronofy
		config.CalendarQueue
		config.CalendarDeadLetters
		config.CalendarEvents
		config.Zendesk
	}
	p := boot.New("calendarsync", &env)

	desk := zendesk.TaskDesk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}
	client := boot.Value(bootcronofy.Client(p, env.Cronofy))
	queue := sqs.NewFromConfig(p.AWS)

	lambda.Start((&worker.Worker[calendar.Hint, calendar.Hint]{
		Decode: calendar.DecodeHint,
		Item:   func(hints []calendar.Hint, _ bool, _ time.Time) calendar.Hint { return calendar.Together(hints) },
		Sync: &calendar.Sync{
			Desk: desk, Meter: p.Meter, Now: time.Now,
			Calendars: &cronofy.Calendars{
				Client: client, Meter: p.Meter, Now: time.Now,
				Records: connections.Secrets{API: secretsmanager.NewFromConfig(p.AWS), Prefix: env.Cronofy.Secret},
			},
			Queue: sqsqueue.New[calendar.Hint](queue, env.CalendarQueue.URL, boot.NewID),
			Settings: calendar.Settings{
				Host: desk.Host(), Start: env.Start, Length: time.Duration(env.Length) * time.Minute,
				Reminder: env.Reminder, Subjects: env.Subjects,
			},
		},
		Mailbox: worker.Mailbox{
			Queue: queue, QueueURL: env.CalendarQueue.URL, DeadLetterURL: env.DeadLetterURL, Meter: p.Meter, Random: mathrand.Float64,
		},
	}).Lambda)
}
