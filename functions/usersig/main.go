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

	// A part that is not set up is not accepted; its secret need not exist.
	auth := &api.Authenticator{Login: p.Login(env.Login), Cookie: env.Cookie, Origins: env.AllowedOrigins}
	if env.On {
		auth.Guests = p.Guests(env.Guests)
	}
	if env.ZendeskBaseURL != "" {
		auth.Agents = p.Agents(env.ZendeskApp)
	}
	if env.SalesforceBaseURL != "" {
		auth.DeskKeys = p.DeskKeys(env.DeskKeys)
	}

	app := secrets.For[tencentim.Credentials](p.Secrets, env.Tencent.Secret)
	p.Serve((&api.UserSig{
		Auth:       auth,
		Signer:     tencentim.Signer(app.Load, boot.Rules(env.Identities)),
		Issuer:     env.Issuer,
		Salesforce: env.SalesforceBaseURL != "",
	}).Routes())
}
