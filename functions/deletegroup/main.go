// Command deletegroup serves POST /deletegroup and its forms.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootsalesforce"
	"github.com/caseroom/caseroom/shared/boot/boottencent"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Zendesk
		config.Salesforce
		config.Tencent
		config.Identities
		config.Lifecycle
		config.DeskKeys
	}
	p := boot.New("deletegroup", &env)

	desks := map[relay.DeskName]relay.TicketDesk{}
	if env.Zendesk.BaseURL != "" {
		desks[relay.Zendesk] = &zendesk.SyncDesk{Client: boot.Value(bootzendesk.Client(p, env.Zendesk))}
	}
	if env.Salesforce.BaseURL != "" {
		desks[relay.Salesforce] = &salesforce.SyncDesk{Client: boot.Value(bootsalesforce.Client(p, env.Salesforce))}
	}
	rooms := boot.Value(boottencent.Rooms(p, env.Tencent))
	transcripts := &relay.Transcripts{Rooms: rooms, Meter: p.Meter}
	if env.TranscriptBucket != "" {
		transcripts.Archive = s3archive.New(p.AWS, env.TranscriptBucket)
	}

	p.Serve((&api.Members{
		Auth:  &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Desks: map[relay.DeskName]bool{relay.Zendesk: desks[relay.Zendesk] != nil, relay.Salesforce: desks[relay.Salesforce] != nil},
		Rules: boot.Rules(env.Identities),
		Dissolve: &relay.Dissolve{
			Desks: desks, Rooms: rooms, Transcripts: transcripts,
		},
	}).DeleteRoutes())
}
