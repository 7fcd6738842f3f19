// Command deletegroup serves POST /deletegroup and its forms.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/tencentim"
)

func main() {
	var env struct {
		config.Desks
		config.Tencent
		config.Identities
		config.DeskKeys
	}
	p := boot.New("deletegroup", &env)

	app := secrets.For[tencentim.Credentials](p.Secrets, env.Tencent.Secret)
	rooms := tencentim.Rooms{Client: boot.Value(tencentim.New(tencentim.Options{
		Region: env.Region, BaseURL: env.BaseURL, Local: p.Local, Credentials: app.Load, Reread: app.Reload,
	}))}

	p.Serve((&api.Members{
		Auth:      &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Desks:     map[relay.DeskName]bool{relay.Zendesk: env.ZendeskBaseURL != "", relay.Salesforce: env.SalesforceBaseURL != ""},
		Rules:     boot.Rules(env.Identities),
		Operation: &relay.Members{Rooms: rooms, Meter: p.Meter},
	}).DeleteRoutes())
}
