// Command zendeskapp serves POST /zendesk/app.
package main

import (
	"context"
	"time"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Desks
		config.ZendeskApp
	}
	p := boot.New("zendeskapp", &env)

	handler := &api.ZendeskApp{Agents: p.Agents(env.ZendeskApp)}
	if env.Desks.ZendeskBaseURL != "" {
		base := boot.Value(upstream.ParseBaseURL(env.Desks.ZendeskBaseURL, p.Local))
		handler.Zendesk = base
		handler.Verify = verifier(secrets.For[session.AppSecret](p.Secrets, env.ZendeskApp.Secret), base.Host)
	}
	if env.ZendeskApp.PanelURL != "" {
		handler.Panel = boot.Value(upstream.ParseBaseURL(env.ZendeskApp.PanelURL, p.Local))
	}
	p.Serve(handler.Routes())
}

// verifier checks the app's signed URL with the public key of the secret.
func verifier(secret *secrets.Source[session.AppSecret], host string) func(context.Context, string) (string, error) {
	return func(ctx context.Context, token string) (string, error) {
		app, err := secret.Load(ctx)
		if err != nil {
			return "", err
		}
		key, err := zendesk.ParseAppKey(app.AppPublicKey)
		if err != nil {
			return "", problem.Wrap(err, problem.Unavailable, "The Zendesk app's public key is not set up.")
		}
		userID, err := zendesk.VerifyAppURL(token, key, host, time.Now())
		if err != nil {
			return "", problem.Wrap(err, problem.Unauthorized, "The token is not one that Zendesk signed for this app. Open the panel from Zendesk.")
		}
		return userID, nil
	}
}
