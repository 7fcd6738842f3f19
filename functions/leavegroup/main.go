// Command leavegroup serves POST /leavegroup and its forms.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
)

func main() {
	var env struct {
		config.Desks
		config.Tencent
		config.Identities
		config.DeskKeys
		config.Queue
	}
	p := boot.New("leavegroup", &env)

	rooms := boot.Value(boottencent.Rooms(p, env.Tencent))

	p.Serve((&api.Members{
		Auth:      &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Desks:     boot.DesksOf(env.Desks.ZendeskBaseURL, env.Desks.SalesforceBaseURL),
		Rules:     boot.Rules(env.Identities),
		Operation: p.Members(rooms, bootqueue.Of[relay.Hint](p, env.Queue.URL)),
	}).LeaveRoutes())
}
