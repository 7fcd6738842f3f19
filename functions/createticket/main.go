// Command createticket serves POST /createticket and its forms.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/tencentim"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Desks
		config.Zendesk
		config.Salesforce
		config.Tencent
		config.Identities
		config.Login
		config.Guests
		config.Queue
	}
	p := boot.New("createticket", &env)

	desks := map[relay.DeskName]relay.Desk{}
	if env.Zendesk.BaseURL != "" {
		creds := secrets.For[zendesk.Credentials](p.Secrets, env.Zendesk.Secret)
		desks[relay.Zendesk] = zendesk.Desk{Client: boot.Value(zendesk.New(zendesk.Options{
			BaseURL: env.Zendesk.BaseURL, Local: p.Local, Credentials: creds.Load, Reread: creds.Reload,
		}))}
	}
	if env.Salesforce.BaseURL != "" {
		creds := secrets.For[salesforce.Credentials](p.Secrets, env.Salesforce.Secret)
		desks[relay.Salesforce] = salesforce.Desk{Client: boot.Value(salesforce.New(salesforce.Options{
			BaseURL: env.Salesforce.BaseURL, Local: p.Local, APIVersion: env.APIVersion,
			KeyField: env.KeyField, UserField: env.UserField, AutoAssign: env.AutoAssign,
			Credentials: creds.Load, Reread: creds.Reload,
		}))}
	}
	app := secrets.For[tencentim.Credentials](p.Secrets, env.Tencent.Secret)
	rooms := tencentim.Rooms{Client: boot.Value(tencentim.New(tencentim.Options{
		Region: env.Region, BaseURL: env.Tencent.BaseURL, Local: p.Local, Credentials: app.Load, Reread: app.Reload,
	}))}

	auth := &api.Authenticator{Login: p.Login(env.Login), Cookie: env.Cookie, Origins: env.AllowedOrigins}
	if env.On {
		auth.Guests = p.Guests(env.Guests)
	}

	p.Serve((&api.CreateTicket{
		Auth:  auth,
		Desks: desks, Default: relay.DeskName(env.Desks.Default()),
		Operation: &relay.CreateTicket{
			Rooms: rooms, Queue: sqsqueue.New(sqs.NewFromConfig(p.AWS), env.URL, boot.NewID),
			Meter: p.Meter, Now: time.Now, Random: boot.Random,
		},
		Signer: tencentim.Signer(app.Load, boot.Rules(env.Identities)),
		Issuer: env.Issuer, EmailTrusted: env.EmailTrusted,
		GuestsOn: env.On, GuestSecret: secrets.For[session.GuestSecret](p.Secrets, env.Guests.Secret).Load,
	}).Routes())
}
