// Package bootcalendar is the calendars' own part of a function's start-up, apart
// from [boot] so that other functions do not link it.
package bootcalendar

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/connections"
)

// Settings returns what the tasks of the account at host, and once at former hosts,
// look like in a calendar.
func Settings(host string, c config.CalendarEvents, former ...string) calendar.Settings {
	return calendar.Settings{
		Host:     host,
		Former:   former,
		Start:    c.Start,
		Length:   time.Duration(c.Length) * time.Minute,
		Reminder: c.Reminder,
		Subjects: c.Subjects,
	}
}

// Records returns agents' connections, in secrets below the application's.
func Records(p *boot.Process, c config.Cronofy) connections.Secrets {
	return connections.Secrets{API: secretsmanager.NewFromConfig(p.AWS), Prefix: c.Secret}
}

// Feeds returns the generations of agents' feeds, in secrets beside the connections.
func Feeds(p *boot.Process, c config.Cronofy) connections.Feeds {
	return connections.Feeds{API: secretsmanager.NewFromConfig(p.AWS), Prefix: c.Secret}
}
