// Package bootsalesforce is Salesforce's part of a function's start-up, apart from
// [boot] so that only functions which call Salesforce link its client.
package bootsalesforce

import (
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
)

// Client returns the client of the org.
func Client(p *boot.Process, c config.Salesforce) (*salesforce.Client, error) {
	creds := secrets.For[salesforce.Credentials](p.Secrets, c.Secret)
	return salesforce.New(salesforce.Options{
		BaseURL:     c.BaseURL,
		Local:       p.Local,
		APIVersion:  c.APIVersion,
		KeyField:    c.KeyField,
		UserField:   c.UserField,
		AutoAssign:  c.AutoAssign,
		Credentials: creds.Load,
		Reread:      creds.Reload,
		Now:         p.Now,
		Transport:   p.Transport,
		Timeout:     p.Timeout,
	})
}
