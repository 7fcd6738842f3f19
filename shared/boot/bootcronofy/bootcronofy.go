// Package bootcronofy is Cronofy's part of a function's start-up, apart from
// [boot] so that only functions which call Cronofy link its client.
package bootcronofy

import (
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/cronofy"
	"github.com/caseroom/caseroom/shared/secrets"
)

// Client returns the application's client.
func Client(p *boot.Process, c config.Cronofy) (*cronofy.Client, error) {
	secret := secrets.For[cronofy.Secret](p.Secrets, c.Secret)
	return cronofy.New(cronofy.Options{
		BaseURL: c.BaseURL, Local: p.Local, Secret: secret.Load, Reread: secret.Reload,
	})
}
