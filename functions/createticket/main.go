// Command createticket serves POST /createticket and its forms.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootsalesforce"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/sqsqueue"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Desks
		config.Zendesk
		config.Salesforce
		config.NewCases
		config.Tencent
		config.Rooms
		config.Identities
		config.Login
		config.Guests
		config.Queue
	}
	p := boot.New("createticket", &env)

	desks := map[relay.DeskName]relay.Desk{}
	if env.Zendesk.BaseURL != "" {
		desks[relay.Zendesk] = zendesk.Desk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}
	}
	if env.Salesforce.BaseURL != "" {
		desks[relay.Salesforce] = salesforce.Desk{
			Client: boot.Value(bootsalesforce.Client(p, env.Salesforce)), FallbackEmail: env.NewCases.FallbackEmail,
		}
	}
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent))

	auth := &api.Authenticator{Login: boot.Value(p.Login(env.Login)), Cookie: env.Login.Cookie, Origins: env.Login.AllowedOrigins}
	if env.Guests.On {
		auth.Guests = p.Guests(env.Guests)
	}

	p.Serve((&api.CreateTicket{
		Auth:  auth,
		Desks: desks, Default: relay.DeskName(env.Desks.Default()),
		Operation: &relay.CreateTicket{
			Rooms: rooms, Queue: sqsqueue.New[relay.Hint](sqs.NewFromConfig(p.AWS), env.Queue.URL, boot.NewID),
			Meter: p.Meter, Now: time.Now, Random: boot.Random,
			SubjectNames: env.Rooms.SubjectNames(),
		},
		Signer: boottencent.Signer(p, env.Tencent, env.Identities),
		Issuer: env.Login.Issuer, EmailTrusted: env.Login.EmailTrusted,
		GuestsOn: env.Guests.On, GuestSecret: secrets.For[session.GuestSecret](p.Secrets, env.Guests.Secret).Load,
	}).Routes())
}
