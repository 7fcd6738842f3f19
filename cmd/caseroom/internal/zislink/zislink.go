// Package zislink connects a stack with a Zendesk account by Zendesk Integration
// Services (ZIS): the registered integration, its bundle, the job specs that
// start its flow, and the bearer token that proves the flow's requests.
//
// What may be done depends on the credential. An OAuth token may register and
// install but not upload a bundle or touch connections; an API token may upload;
// an admin's browser session may do it all. What the credential may not do is
// left to the admin page of the Zendesk app, and said so.
package zislink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caseroom/caseroom/clients/zendesk/zis"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/converge"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/zendesklink"
	"github.com/caseroom/caseroom/shared/zendesk"
)

// Link is a stack and an account.
type Link struct {
	Account *zendesk.Client
	Secret  *zendesklink.Secret
	Bundle  *zis.Bundle
	Host    string // the API's, which the connection's token may go to
	// NewBearer makes a token of 32 characters or more.
	NewBearer func() string
	Wait      func(ctx context.Context, d time.Duration, what string) error
	Did       func(step string)
}

// State is what there is.
type State struct {
	Registered  bool
	Bundles     []string
	Specs       []zendesk.JobSpec
	Connections []string // names of those with a bearer token
	// Hidden is true when the credential may not see connections.
	Hidden bool
	Secret zendesklink.Value
}

// Observe reads the registry, the connections if it may, and the secret.
func (l *Link) Observe(ctx context.Context) (*State, error) {
	s := &State{}
	integrations, err := l.Account.Integrations(ctx)
	if err != nil {
		return nil, err
	}
	name := l.Bundle.Integration
	if s.Registered = slices.ContainsFunc(integrations, func(i zendesk.Integration) bool { return i.Name == name }); s.Registered {
		if s.Bundles, err = l.Account.Bundles(ctx, name); err != nil {
			return nil, err
		}
		if s.Specs, err = l.Account.JobSpecs(ctx, name); err != nil {
			return nil, err
		}
		s.Connections, err = l.Account.Connections(ctx, name)
		if s.Hidden = errors.Is(err, zendesk.ErrBoundToken); err != nil && !s.Hidden {
			return nil, err
		}
	}
	s.Secret, err = l.Secret.Read(ctx)
	return s, err
}

// spec returns the job spec of our bundle by its name; ok is false when the
// registry has none, or one of another bundle.
func (l *Link) spec(s *State, name string) (spec zendesk.JobSpec, ok bool) {
	i := slices.IndexFunc(s.Specs, func(x zendesk.JobSpec) bool { return x.Name == name && x.Flow == l.Bundle.Flow })
	if i < 0 {
		return zendesk.JobSpec{}, false
	}
	return s.Specs[i], true
}

// Uploaded reports whether the registry has our bundle as it is now.
func (l *Link) Uploaded(s *State) bool {
	for _, e := range zis.Events {
		if _, ok := l.spec(s, e.JobSpec); !ok {
			return false
		}
	}
	return true
}

// orphans are job specs that run and are not of our bundle as it is now.
func (l *Link) orphans(s *State) (list []zendesk.JobSpec) {
	for _, spec := range s.Specs {
		wanted := slices.ContainsFunc(zis.Events, func(e struct{ JobSpec, Type string }) bool { return e.JobSpec == spec.Name })
		if spec.Installed && (!wanted || spec.Flow != l.Bundle.Flow) {
			list = append(list, spec)
		}
	}
	return list
}

// Fingerprint names a token without telling it.
func Fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:4])
}

// bearer returns the token that was made for the connection, "" if there is none.
func (l *Link) bearer(v zendesklink.Value) string {
	print := v.Connections[l.Bundle.Integration]
	for _, b := range v.Bearers {
		if print != "" && Fingerprint(b) == print {
			return b
		}
	}
	return ""
}

// BearerFingerprint names the connection's token, "" if there is none.
func (l *Link) BearerFingerprint(s *State) string {
	if b := l.bearer(s.Secret); b != "" {
		return Fingerprint(b)
	}
	return ""
}

// Left is a thing that the credential may not do.
type Left string

// What may be left to the admin page.
const (
	LeftUpload     Left = "upload"     // the bundle is to be uploaded, then Up run again
	LeftConnection Left = "connection" // the connection is to be made, or cannot be seen
	LeftDisconnect Left = "disconnect" // the connection is to be deleted
	LeftBundle     Left = "bundle"     // the bundle stays
)

// Up does what the credential may do. With reinstall it installs every job spec
// again, which is needed after an upload that somebody else made.
func (l *Link) Up(ctx context.Context, dry, reinstall bool) (done []string, left []Left, err error) {
	refused, uploaded := false, reinstall
	installed := map[string]bool{}
	plan := func(s *State) (steps converge.Steps, err error) {
		left = nil
		name := l.Bundle.Integration
		if !s.Registered {
			steps.Add("register the integration "+name+", for ever", func(ctx context.Context) error {
				return l.Account.RegisterIntegration(ctx, name, "Tells caseroom which tickets changed")
			})
		}
		if l.bearer(s.Secret) == "" {
			steps.Add("put a bearer token into "+l.Secret.ID, func(ctx context.Context) error {
				token := l.NewBearer()
				_, err := l.Secret.Change(ctx, func(v *zendesklink.Value) {
					v.Bearers = zendesklink.With(v.Bearers, token)
					if v.Connections == nil {
						v.Connections = map[string]string{}
					}
					v.Connections[name] = Fingerprint(token)
				})
				return err
			})
		}
		switch has := l.Uploaded(s); {
		case !has && refused:
			left = append(left, LeftUpload)
		case !has:
			steps.Add("upload the bundle", func(ctx context.Context) error {
				err := l.Account.UploadBundle(ctx, name, l.Bundle.JSON)
				if refused = errors.Is(err, zendesk.ErrOAuthDisabled); refused {
					return converge.ErrSkipped
				}
				uploaded = uploaded || err == nil
				return err
			})
			if !dry {
				return steps, nil // the registry says what there is to install
			}
			fallthrough
		default:
			for _, e := range zis.Events {
				spec, _ := l.spec(s, e.JobSpec)
				// An upload orphans what is installed, whatever the registry says.
				if spec.Installed && (!uploaded || installed[e.JobSpec]) {
					continue
				}
				steps.Add("install the job spec "+e.JobSpec, func(ctx context.Context) error {
					err := l.Account.InstallJobSpec(ctx, name, e.JobSpec)
					installed[e.JobSpec] = err == nil
					return err
				})
			}
			if !has {
				break // what runs goes on until there is something better
			}
			for _, spec := range l.orphans(s) {
				steps.Add("uninstall the job spec "+spec.Name+" of another bundle", func(ctx context.Context) error {
					return l.Account.UninstallJobSpec(ctx, name, spec.Name)
				})
			}
		}
		switch {
		case s.Registered && s.Hidden:
			left = append(left, LeftConnection)
		case s.Registered && !slices.Contains(s.Connections, zis.Connection):
			steps.Add("make the connection "+zis.Connection, func(ctx context.Context) error {
				v, err := l.Secret.Read(ctx)
				if err != nil {
					return err
				}
				return l.Account.CreateBearerConnection(ctx, name, zis.Connection, l.bearer(v), l.Host)
			})
		}
		return steps, nil
	}
	done, err = converge.Run(ctx, converge.Options{Dry: dry, Wait: l.Wait, Did: l.Did}, l.Observe, plan)
	return done, left, err
}

// Down uninstalls every job spec, orphaned ones too, and removes the bundle,
// the connection and its token as far as the credential may. The registered
// name stays for ever.
func (l *Link) Down(ctx context.Context, dry bool) (done []string, left []Left, err error) {
	keepsBundle := false
	plan := func(s *State) (steps converge.Steps, err error) {
		left = nil
		name := l.Bundle.Integration
		for _, spec := range s.Specs {
			if spec.Installed {
				steps.Add("uninstall the job spec "+spec.Name, func(ctx context.Context) error {
					return l.Account.UninstallJobSpec(ctx, name, spec.Name)
				})
			}
		}
		switch {
		case s.Registered && s.Hidden:
			left = append(left, LeftDisconnect)
		case slices.Contains(s.Connections, zis.Connection):
			steps.Add("delete the connection "+zis.Connection, func(ctx context.Context) error {
				return l.Account.DeleteBearerConnection(ctx, name, zis.Connection)
			})
		}
		for _, id := range s.Bundles {
			if keepsBundle {
				left = append(left, LeftBundle)
				break
			}
			steps.Add("delete the bundle", func(ctx context.Context) error {
				err := l.Account.DeleteBundle(ctx, name, id)
				if keepsBundle = zendesk.NotAllowed(err); keepsBundle {
					return converge.ErrSkipped
				}
				return err
			})
		}
		token := l.bearer(s.Secret)
		_, marked := s.Secret.Connections[name]
		if token != "" || marked {
			steps.Add("take its bearer token out of "+l.Secret.ID, func(ctx context.Context) error {
				_, err := l.Secret.Change(ctx, func(v *zendesklink.Value) {
					v.Bearers = zendesklink.Without(v.Bearers, token)
					delete(v.Connections, name)
				})
				return err
			})
		}
		return steps, nil
	}
	done, err = converge.Run(ctx, converge.Options{Dry: dry, Wait: l.Wait, Did: l.Did}, l.Observe, plan)
	return done, left, err
}

// Problems tells what is wrong with a state.
func (l *Link) Problems(s *State) (list []converge.Problem) {
	add := func(do, format string, args ...any) {
		list = append(list, converge.Problem{What: fmt.Sprintf(format, args...), Do: do})
	}
	const runUp = "caseroom zis up installs it"
	if !s.Registered {
		add("caseroom zis up registers it", "the account has no integration %s", l.Bundle.Integration)
		return list
	}
	if !l.Uploaded(s) {
		add("upload the bundle: caseroom zis up says how", "the registry has no bundle, or an older one than this command makes")
	}
	for _, e := range zis.Events {
		if spec, ok := l.spec(s, e.JobSpec); ok && !spec.Installed {
			add(runUp, "the job spec %s is not installed: every upload of a bundle undoes that", e.JobSpec)
		}
	}
	if l.Uploaded(s) {
		for _, spec := range l.orphans(s) {
			add("caseroom zis up uninstalls it", "the job spec %s still runs, of an older bundle", spec.Name)
		}
	}
	if l.bearer(s.Secret) == "" {
		add("caseroom zis up makes one; then put it into the connection", "%s holds no bearer token for the connection", l.Secret.ID)
	}
	if !s.Hidden && !slices.Contains(s.Connections, zis.Connection) {
		add("make it on the app's admin page: caseroom zis up says how", "there is no connection %s: no flow starts without it", zis.Connection)
	}
	return list
}
