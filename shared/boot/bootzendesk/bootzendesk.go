// Package bootzendesk is Zendesk's part of a function's start-up, apart from
// [boot] so that only functions which call Zendesk link its client.
package bootzendesk

import (
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// Client returns the client of the account, as the user whose credentials the
// secret holds.
func Client(p *boot.Process, c config.Zendesk) (*zendesk.Client, error) { return Scoped(p, c, "") }

// Scoped is [Client] with tokens of another scope; see [zendesk.Options].
func Scoped(p *boot.Process, c config.Zendesk, scope string) (*zendesk.Client, error) {
	creds := secrets.For[zendesk.Credentials](p.Secrets, c.Secret)
	return zendesk.New(zendesk.Options{
		BaseURL:     c.BaseURL,
		Local:       p.Local,
		Credentials: creds.Load,
		Reread:      creds.Reload,
		Now:         p.Now,
		Transport:   p.Transport,
		Timeout:     p.Timeout,
		Scope:       scope,
	})
}

// Chat returns the client of the account's Chat API.
func Chat(p *boot.Process, c config.Zopim) (*zendesk.ChatClient, error) {
	creds := secrets.For[zendesk.ChatCredentials](p.Secrets, c.Secret)
	return zendesk.NewChat(zendesk.ChatOptions{
		BaseURL:     c.URL(),
		Local:       p.Local,
		Credentials: creds.Load,
		Reread:      creds.Reload,
		Now:         p.Now,
		Transport:   p.Transport,
		Timeout:     p.Timeout,
	})
}
