// Command joingroup serves POST /joingroup and its forms.
package main

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/sqsqueue"
)

func main() {
	var env struct {
		config.Desks
		config.Tencent
		config.Identities
		config.DeskKeys
		config.Queue
	}
	p := boot.New("joingroup", &env)

	rooms := boot.Value(boottencent.Rooms(p, env.Tencent))

	p.Serve((&api.Members{
		Auth:  &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Desks: map[relay.DeskName]bool{relay.Zendesk: env.ZendeskBaseURL != "", relay.Salesforce: env.SalesforceBaseURL != ""},
		Rules: boot.Rules(env.Identities),
		Operation: &relay.Members{
			Rooms: rooms, Queue: sqsqueue.New[relay.Hint](sqs.NewFromConfig(p.AWS), env.Queue.URL, boot.NewID), Meter: p.Meter, Now: time.Now,
		},
	}).JoinRoutes())
}
