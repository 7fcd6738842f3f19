// Command visitor serves GET /visitor.
package main

import (
	"context"
	"errors"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/boot/bootzendesk"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/zendesk"
)

func main() {
	var env struct {
		config.Zopim
		config.Identities
		config.Login
		config.DeskKeys
	}
	p := boot.New("visitor", &env)

	var find func(context.Context, string) (api.VisitorProfile, error)
	if env.Zopim.URL() != "" {
		find = lookup(boot.Value(bootzendesk.Chat(p, env.Zopim)))
	}
	p.Serve((&api.Visitor{
		Auth:   &api.Authenticator{DeskKeys: p.DeskKeys(env.DeskKeys)},
		Lookup: find,
		Rules:  boot.Rules(env.Identities),
		Issuer: env.Login.Issuer,
	}).Routes())
}

func lookup(chat *zendesk.ChatClient) func(context.Context, string) (api.VisitorProfile, error) {
	return func(ctx context.Context, id string) (api.VisitorProfile, error) {
		v, err := chat.Visitor(ctx, id)
		if errors.Is(err, zendesk.ErrNoVisitor) {
			return api.VisitorProfile{}, problem.Wrap(err, problem.NotFound, "Zendesk Chat knows no such visitor.")
		}
		return api.VisitorProfile(v), err
	}
}
