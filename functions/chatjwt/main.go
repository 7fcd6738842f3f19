// Command chatjwt serves GET and POST /generate/token.
package main

import (
	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/chatjwt"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/secrets"
)

func main() {
	var env struct {
		config.Login
		config.ZendeskChat
	}
	p := boot.New("chatjwt", &env)

	p.Serve((&api.ChatJWT{
		Auth: &api.Authenticator{
			Login:   boot.Value(p.Login(env.Login)),
			Cookie:  env.Login.Cookie,
			Origins: env.Login.AllowedOrigins,
		},
		Secret:       secrets.For[chatjwt.Secret](p.Secrets, env.ZendeskChat.Secret).Load,
		EmailTrusted: env.Login.EmailTrusted,
		Now:          p.Now,
		NewID:        p.NewID,
	}).Routes())
}
