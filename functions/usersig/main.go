// Command usersig serves POST /usersig and its forms.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/tencentim"
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

	app := secrets.For[tencentim.Credentials](p.Secrets, env.Tencent.Secret)
	p.Serve((&api.UserSig{
		Auth: &api.Authenticator{
			Login: p.Login(env.Login), Cookie: env.Cookie, Origins: env.AllowedOrigins,
			Guests: p.Guests(env.Guests), Agents: p.Agents(env.ZendeskApp), DeskKeys: p.DeskKeys(env.DeskKeys),
		},
		Signer: tencentim.Signer(app.Load, boot.Rules(env.Identities)),
		Issuer: env.Issuer, GuestsOn: env.On,
		Zendesk: env.ZendeskBaseURL != "", Salesforce: env.SalesforceBaseURL != "",
	}).Routes())
}
