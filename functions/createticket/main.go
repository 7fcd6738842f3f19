// Command createticket serves POST /createticket and its forms.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootchallenge"
	"github.com/caseroom/caseroom/shared/boot/bootdesks"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
)

func main() {
	var env struct {
		config.Desks
		config.Zendesk
		config.Salesforce
		config.NewCases
		config.Tencent
		config.Hosts
		config.Rooms
		config.Identities
		config.Login
		config.Guests
		config.GuestRequests
		config.Requests
		config.Queue
	}
	p := boot.New("createticket", &env)

	rooms := boot.Value(boottencent.Rooms(p, env.Tencent, env.Hosts.Former...))
	auth := &api.Authenticator{
		Login:   boot.Value(p.Login(env.Login)),
		Cookie:  env.Login.Cookie,
		Origins: env.Login.AllowedOrigins,
	}
	guests := secrets.For[session.GuestSecret](p.Secrets, env.Guests.Secret)
	if env.Guests.On {
		auth.Guests = p.Guests(env.Guests)
	}

	p.Serve((&api.CreateTicket{
		Auth:         auth,
		Desks:        boot.Value(bootdesks.Requests(p, env.Zendesk, env.Salesforce, env.NewCases)),
		Default:      relay.DeskName(env.Desks.Default()),
		Operation:    p.CreateTicket(env.Rooms, rooms, bootqueue.Of[relay.Hint](p, env.Queue.URL)),
		Signer:       boottencent.Signer(p, env.Tencent, env.Identities),
		Issuer:       env.Login.Issuer,
		EmailTrusted: env.Login.EmailTrusted,
		PerPerson:    p.Limit(env.Requests.RatePerPerson),

		GuestsOn:              env.Guests.On,
		GuestSecret:           guests.Load,
		GuestEmailIsRequester: env.GuestRequests.EmailIsRequester(),
		AllGuests:             p.Limit(env.GuestRequests.Rate),
		PerAddress:            p.Limit(env.GuestRequests.RatePerAddress),
		AddressHeader:         env.GuestRequests.AddressHeader,
		Challenge:             boot.Value(bootchallenge.Challenge(p, env.GuestRequests.ChallengeURL, env.Guests)),
	}).Routes())
}
