// Package bootcronofy is Cronofy's part of a function's start-up, apart from
// [boot] so that only functions which call Cronofy link its client.
package bootcronofy

import (
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootcalendar"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/secrets"
)

// Calendars returns agents' calendars, whose tokens are in secrets below the
// application's.
func Calendars(p *boot.Process, c config.Cronofy) (*cronofy.Calendars, error) {
	client, err := Client(p, c)
	if err != nil {
		return nil, err
	}
	return &cronofy.Calendars{
		Client:  client,
		Records: bootcalendar.Records(p, c),
		Meter:   p.Meter,
		Now:     p.Now,
	}, nil
}

// Client returns the application's client.
func Client(p *boot.Process, c config.Cronofy) (*cronofy.Client, error) {
	secret := secrets.For[cronofy.Secret](p.Secrets, c.Secret)
	return cronofy.New(cronofy.Options{
		BaseURL:   c.BaseURL,
		Local:     p.Local,
		Secret:    secret.Load,
		Reread:    secret.Reload,
		Now:       p.Now,
		Transport: p.Transport,
		Timeout:   p.Timeout,
	})
}
