// Command calendarsync works off the queue of tasks whose calendars have to be
// looked at.
package main

import (
	"time"
	_ "time/tzdata" // Lambda's image has no zones

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootcalendar"
	"github.com/caseroom/caseroom/shared/boot/bootcronofy"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
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
		config.Hosts
	}
	p := boot.New("calendarsync", &env)

	desk := zendesk.TaskDesk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}

	lambda.Start((&worker.Worker[calendar.Hint, calendar.Hint]{
		Decode: calendar.DecodeHint,
		Item:   func(hints []calendar.Hint, _ bool, _ time.Time) calendar.Hint { return calendar.Together(hints) },
		Sync: &calendar.Sync{
			Desk:      desk,
			Calendars: boot.Value(bootcronofy.Calendars(p, env.Cronofy)),
			Queue:     bootqueue.Of[calendar.Hint](p, env.CalendarQueue.URL),
			Settings:  bootcalendar.Settings(desk.Host(), env.CalendarEvents, env.Hosts.Former...),
			Meter:     p.Meter,
			Now:       p.Now,
		},
		Mailbox: bootqueue.Mailbox(p, env.CalendarQueue.URL, env.CalendarDeadLetters.URL),
	}).Lambda)
}
