// Package bootchallenge is the challenge that guests pass, apart from [boot] so
// that only the function which asks for it links its client.
package bootchallenge

import (
	"context"
	"errors"

	"github.com/caseroom/caseroom/shared/api"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/challenge"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/session"
	"github.com/caseroom/caseroom/shared/upstream"
)

var errNoSecret = errors.New("challengeSecret is missing, and GUEST_CHALLENGE_URL is set")

// Challenge returns the challenge that is verified at the URL, nil where it is "".
func Challenge(p *boot.Process, url string, c config.Guests) (api.Challenge, error) {
	if url == "" {
		return nil, nil
	}
	client, err := upstream.New(upstream.Options{
		Vendor:    "challenge",
		BaseURL:   url,
		Local:     p.Local,
		Transport: p.Transport,
		Timeout:   p.Timeout,
		Now:       p.Now,
	})
	if err != nil {
		return nil, err
	}
	guests := secrets.For[session.GuestSecret](p.Secrets, c.Secret)
	return &challenge.Verifier{Client: client, Secret: func(ctx context.Context) (string, error) {
		s, err := guests.Load(ctx)
		if err == nil && s.ChallengeSecret == "" {
			err = errNoSecret
		}
		return s.ChallengeSecret, err
	}}, nil
}
