// Command deletegroup serves POST /deletegroup and its forms.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootarchive"
	"github.com/caseroom/caseroom/shared/boot/bootdesks"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/config"
)

func main() {
	var env struct {
		config.Zendesk
		config.Salesforce
		config.Tencent
		config.Hosts
		config.Identities
		config.Lifecycle
		config.DeskKeys
	}
	p := boot.New("deletegroup", &env)

	desks := boot.Value(bootdesks.New(p, bootdesks.Options{Zendesk: env.Zendesk, Salesforce: env.Salesforce})).Tickets()
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent, env.Hosts.Former...))

	p.Serve((&api.Members{
		Auth:     &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Desks:    boot.DesksOf(env.Zendesk.BaseURL, env.Salesforce.BaseURL),
		Rules:    boot.Rules(env.Identities),
		Dissolve: p.Dissolve(desks, rooms, bootarchive.Archive(p, env.Lifecycle)),
	}).DeleteRoutes())
}
