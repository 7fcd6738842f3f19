// Command deletegroup serves POST /deletegroup and its forms.
package main

import (
	"time"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/tencentim"
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
		creds := secrets.For[zendesk.Credentials](p.Secrets, env.Zendesk.Secret)
		desks[relay.Zendesk] = &zendesk.SyncDesk{Client: boot.Value(zendesk.New(zendesk.Options{
			BaseURL: env.Zendesk.BaseURL, Local: p.Local, Credentials: creds.Load, Reread: creds.Reload,
		}))}
	}
	if env.Salesforce.BaseURL != "" {
		creds := secrets.For[salesforce.Credentials](p.Secrets, env.Salesforce.Secret)
		desks[relay.Salesforce] = &salesforce.SyncDesk{Client: boot.Value(salesforce.New(salesforce.Options{
			BaseURL: env.Salesforce.BaseURL, Local: p.Local, APIVersion: env.APIVersion,
			KeyField: env.KeyField, UserField: env.UserField, AutoAssign: env.AutoAssign,
			Credentials: creds.Load, Reread: creds.Reload,
		}))}
	}
	app := secrets.For[tencentim.Credentials](p.Secrets, env.Tencent.Secret)
	rooms := tencentim.Rooms{Client: boot.Value(tencentim.New(tencentim.Options{
		Region: env.Region, BaseURL: env.Tencent.BaseURL, Local: p.Local, Credentials: app.Load, Reread: app.Reload,
	}))}
	transcripts := &relay.Transcripts{Rooms: rooms, Meter: p.Meter}
	if env.TranscriptBucket != "" {
		transcripts.Archive = s3archive.New(p.AWS, env.TranscriptBucket)
	}

	p.Serve((&api.Members{
		Auth:  &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Desks: map[relay.DeskName]bool{relay.Zendesk: desks[relay.Zendesk] != nil, relay.Salesforce: desks[relay.Salesforce] != nil},
		Rules: boot.Rules(env.Identities),
		Operation: &relay.Members{Rooms: rooms, Meter: p.Meter, Dissolve: &relay.Dissolve{
			Desks: desks, Rooms: rooms, Transcripts: transcripts, Now: time.Now,
		}},
	}).DeleteRoutes())
}
