// Package boottencent is Tencent Chat's part of a function's start-up, apart from
// [boot] so that only functions which call the chat link its client.
package boottencent

import (
	"context"

	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/tencentim"
)

// Rooms returns the app's groups as rooms. Marks with a former host are ours too;
// a function that looks at no marks needs none.
func Rooms(p *boot.Process, c config.Tencent, former ...string) (tencentim.Rooms, error) {
	app := secrets.For[tencentim.Credentials](p.Secrets, c.Secret)
	client, err := tencentim.New(tencentim.Options{
		Region:      c.Region,
		BaseURL:     c.BaseURL,
		Local:       p.Local,
		Credentials: app.Load,
		Reread:      app.Reload,
		Now:         p.Now,
		Random:      p.Nonce,
		Transport:   p.Transport,
		Timeout:     p.Timeout,
	})
	rooms := tencentim.Rooms{Client: client}
	for _, host := range former {
		rooms.Former = append(rooms.Former, relay.DeskHash(host))
	}
	return rooms, err
}

// Signer returns what makes the signer of people's UserSigs.
func Signer(p *boot.Process, c config.Tencent, ids config.Identities) func(context.Context) (identity.Signer, error) {
	return tencentim.Signer(secrets.For[tencentim.Credentials](p.Secrets, c.Secret).Load, boot.Rules(ids))
}
