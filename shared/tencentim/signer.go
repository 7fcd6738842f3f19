package tencentim

import (
	"context"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
)

// Signer returns a function that makes the signer of people's UserSigs from the
// app's credentials as they are now.
func Signer(load func(context.Context) (Credentials, error), rules identity.Rules) func(context.Context) (identity.Signer, error) {
	return func(ctx context.Context) (identity.Signer, error) {
		c, err := load(ctx)
		if err != nil {
			return identity.Signer{}, err
		}
		rules := rules
		rules.AdminUserID = c.AdminUserID
		return identity.Signer{Rules: rules, SDKAppID: c.SDKAppID, SecretKey: c.SecretKey, Now: time.Now}, nil
	}
}
