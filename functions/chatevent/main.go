// Command chatevent serves POST /chat/events.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootqueue"
	"github.com/caseroom/caseroom/shared/chatwebhook"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/secrets"
)

func main() {
	var env struct {
		config.Desks
		config.ChatWebhook
		config.Queue
	}
	p := boot.New("chatevent", &env)

	secret := secrets.For[chatwebhook.Secret](p.Secrets, env.ChatWebhook.Secret)
	p.Serve((&api.ChatEvent{
		On:     env.ChatWebhook.On,
		Desks:  boot.DesksOf(env.Desks.ZendeskBaseURL, env.Desks.SalesforceBaseURL),
		Secret: secret.Load,
		Reread: secret.Reload,
		Queue:  bootqueue.Of[relay.Hint](p, env.Queue.URL),
		Meter:  p.Meter,
		Now:    p.Now,
	}).Routes())
}
