// Command usersig serves POST /usersig and its forms.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
)

func main() {
	var env struct {
		config.Desks
		config.Tencent
		config.Identities
		config.Login
		config.Guests
		config.ZendeskApp
		config.DeskKeys
	}
	p := boot.New("usersig", &env)

	// A part that is not set up is not accepted; its secret need not exist.
	auth := &api.Authenticator{
		Login:   boot.Value(p.Login(env.Login)),
		Cookie:  env.Login.Cookie,
		Origins: env.Login.AllowedOrigins,
	}
	if env.Guests.On {
		auth.Guests = p.Guests(env.Guests)
	}
	if env.Desks.ZendeskBaseURL != "" {
		auth.Agents = p.Agents(env.ZendeskApp)
	}
	if env.Desks.SalesforceBaseURL != "" {
		auth.DeskKeys = p.DeskKeys(env.DeskKeys)
	}

	p.Serve((&api.UserSig{
		Auth:       auth,
		Signer:     boottencent.Signer(p, env.Tencent, env.Identities),
		Issuer:     env.Login.Issuer,
		Salesforce: env.Desks.SalesforceBaseURL != "",
	}).Routes())
}
