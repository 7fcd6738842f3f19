package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/session"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 500, time.UTC)

const (
	newest  = "the-newest-session-secret-of-all"
	older   = "an-older-session-secret-still-ok"
	retired = "a-session-secret-that-is-retired"
)

func live(list ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return list, nil }
}

func at(d time.Duration) func() time.Time { return func() time.Time { return now.Add(d) } }

func guest(t testing.TB) identity.Identity {
	t.Helper()
	id, err := identity.Guest([]byte(newest), "0192f0c1-7e5a-7b6c-8d9e-0f1a2b3c4d5e")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// forge signs claims as our tokens are, with changes; nil takes a claim away.
func forge(t testing.TB, secret string, header, change map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"iss": session.GuestIssuer, "sub": guest(t).ID(),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, change)
	for k, v := range claims {
		if v == nil {
			delete(claims, k)
		}
	}
	signer := logintest.HS(secret)
	signer.KeyID = identity.HashID("", secret, 8)
	token, err := signer.SignWithHeader(header, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantInvalid(t *testing.T, token string, err error) {
	t.Helper()
	if !errors.Is(err, session.ErrInvalid) || problem.CodeOf(err) != problem.Unauthorized {
		t.Fatalf("error = %v, want %v", err, session.ErrInvalid)
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 3 && strings.Contains(err.Error(), part) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

func TestGuests(t *testing.T) {
	id := guest(t)
	token, err := session.Guests{Secrets: live(newest, older), Now: at(0)}.Issue(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if iss, ok := session.Issuer(token); iss != session.GuestIssuer || !ok {
		t.Errorf("Issuer() = %q, %v", iss, ok)
	}
	tests := []struct {
		name    string
		secrets []string
		after   time.Duration
		ok      bool
	}{
		{"at once", []string{newest, older}, 0, true},
		{"after a rotation", []string{older, newest}, time.Hour, true},
		{"just before the end", []string{newest}, session.GuestTTL - time.Second, true},
		{"at the end", []string{newest}, session.GuestTTL, false},
		{"the secret retired", []string{older}, time.Hour, false},
		{"our clock behind by a minute", []string{newest}, -time.Minute, true},
		{"our clock behind by an hour", []string{newest}, -time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := session.Guests{Secrets: live(tt.secrets...), Now: at(tt.after)}.Verify(t.Context(), token)
			if !tt.ok {
				wantInvalid(t, token, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != id {
				t.Errorf("Verify() = %v, want %v", got, id)
			}
		})
	}
}

func TestGuestsIssueIsForGuests(t *testing.T) {
	user, err := identity.Rules{}.EndUser("iss", "user-1")
	if err != nil {
		t.Fatal(err)
	}
	agent, err := identity.Rules{}.ZendeskAgent("1")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []identity.Identity{{}, user, agent} {
		if token, err := (session.Guests{Secrets: live(newest), Now: at(0)}).Issue(t.Context(), id); err == nil || token != "" {
			t.Errorf("%q got a guest token", id.ID())
		}
	}
}

func TestAgents(t *testing.T) {
	agents := session.Agents{Secrets: live(newest), Now: at(0)}
	token, expires, err := agents.Issue(t.Context(), "360001234567")
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Truncate(time.Second).Add(12 * time.Hour); !expires.Equal(want) {
		t.Errorf("expires = %v, want %v", expires, want)
	}
	if iss, ok := session.Issuer(token); iss != session.AgentIssuer || !ok {
		t.Errorf("Issuer() = %q, %v", iss, ok)
	}
	if id, err := agents.Verify(t.Context(), token); err != nil || id != "360001234567" {
		t.Errorf("Verify() = %q, %v", id, err)
	}
	_, err = session.Agents{Secrets: live(newest), Now: func() time.Time { return expires }}.Verify(t.Context(), token)
	wantInvalid(t, token, err)
	for _, id := range []string{"", "0", "01", "-1", "zd_1", "1 ", "1\n", "٣", "123456789012345678901", "a"} {
		if token, _, err := agents.Issue(t.Context(), id); err == nil || token != "" {
			t.Errorf("Issue(%q) gave a token", id)
		}
	}
}

// One kind of token is never good for the other, even under one secret.
func TestKindsAreApart(t *testing.T) {
	guests := session.Guests{Secrets: live(newest), Now: at(0)}
	agents := session.Agents{Secrets: live(newest), Now: at(0)}
	guestToken, err := guests.Issue(t.Context(), guest(t))
	if err != nil {
		t.Fatal(err)
	}
	agentToken, _, err := agents.Issue(t.Context(), "7")
	if err != nil {
		t.Fatal(err)
	}
	_, err = agents.Verify(t.Context(), guestToken)
	wantInvalid(t, guestToken, err)
	_, err = guests.Verify(t.Context(), agentToken)
	wantInvalid(t, agentToken, err)
}

func TestVerifyRefuses(t *testing.T) {
	good := forge(t, newest, nil, nil)
	rsa := logintest.RSA(identity.HashID("", newest, 8))
	byRSA, err := rsa.Sign(map[string]any{"iss": session.GuestIssuer, "sub": guest(t).ID(), "exp": now.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	guests := session.Guests{Secrets: live(newest, older), Now: at(0)}
	if _, err := guests.Verify(t.Context(), good); err != nil {
		t.Fatalf("the unchanged token: %v", err)
	}
	newestID := identity.HashID("", newest, 8)
	for name, token := range map[string]string{
		"empty":                 "",
		"a desk key":            "kX3v9_-fdk2JdE8",
		"no signature":          good[:strings.LastIndex(good, ".")+1],
		"alg none":              forge(t, newest, map[string]any{"alg": "none"}, nil),
		"alg HS512":             forge(t, newest, map[string]any{"alg": "HS512"}, nil),
		"RS256":                 byRSA,
		"no kid":                forge(t, newest, map[string]any{"kid": nil}, nil),
		"another live kid":      forge(t, newest, map[string]any{"kid": identity.HashID("", older, 8)}, nil),
		"unknown secret":        forge(t, retired, nil, nil),
		"known kid, own secret": forge(t, retired, map[string]any{"kid": newestID}, nil),
		"empty secret":          forge(t, "", map[string]any{"kid": newestID}, nil),
		"crit":                  forge(t, newest, map[string]any{"crit": []string{"exp"}}, nil),
		"no iss":                forge(t, newest, nil, map[string]any{"iss": nil}),
		"another iss":           forge(t, newest, nil, map[string]any{"iss": "https://login.example.com"}),
		"no exp":                forge(t, newest, nil, map[string]any{"exp": nil}),
		"exp as text":           forge(t, newest, nil, map[string]any{"exp": "4000000000"}),
		"expired":               forge(t, newest, nil, map[string]any{"exp": now.Add(-time.Second).Unix()}),
		"issued tomorrow":       forge(t, newest, nil, map[string]any{"iat": now.Add(24 * time.Hour).Unix()}),
		"no sub":                forge(t, newest, nil, map[string]any{"sub": nil}),
		"a user as guest":       forge(t, newest, nil, map[string]any{"sub": "user-1"}),
		"an agent as guest":     forge(t, newest, nil, map[string]any{"sub": "zd_1"}),
		"sub no text":           forge(t, newest, nil, map[string]any{"sub": 5}),
		"oversize":              forge(t, newest, nil, map[string]any{"x": strings.Repeat("x", 8<<10)}),
	} {
		t.Run(name, func(t *testing.T) {
			id, err := guests.Verify(t.Context(), token)
			wantInvalid(t, token, err)
			if id != (identity.Identity{}) {
				t.Errorf("a refused token names %q", id.ID())
			}
		})
	}
	for name, sub := range map[string]any{"a guest as agent": guest(t).ID(), "the IM form": "zd_1", "none": nil, "a number": 7} {
		t.Run(name, func(t *testing.T) {
			token := forge(t, newest, nil, map[string]any{"iss": session.AgentIssuer, "sub": sub})
			_, err := session.Agents{Secrets: live(newest), Now: at(0)}.Verify(t.Context(), token)
			wantInvalid(t, token, err)
		})
	}
}

func TestSecretsUnfit(t *testing.T) {
	classified := problem.New(problem.Upstream, "credentials refused")
	token := forge(t, newest, nil, nil)
	for name, tt := range map[string]struct {
		load func(context.Context) ([]string, error)
		want problem.Code
	}{
		"not configured":   {nil, problem.Unavailable},
		"none":             {live(), problem.Unavailable},
		"an empty one":     {live(""), problem.Unavailable},
		"a short one":      {live(newest[:31]), problem.Unavailable},
		"a short second":   {live(newest, "short"), problem.Unavailable},
		"plain error":      {func(context.Context) ([]string, error) { return nil, errors.New("x") }, problem.Unavailable},
		"classified error": {func(context.Context) ([]string, error) { return nil, classified }, problem.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			guests, agents := session.Guests{Secrets: tt.load, Now: at(0)}, session.Agents{Secrets: tt.load, Now: at(0)}
			_, issueErr := guests.Issue(t.Context(), guest(t))
			_, verifyErr := guests.Verify(t.Context(), token)
			_, _, agentIssueErr := agents.Issue(t.Context(), "1")
			_, agentVerifyErr := agents.Verify(t.Context(), token)
			for _, err := range []error{issueErr, verifyErr, agentIssueErr, agentVerifyErr} {
				if problem.CodeOf(err) != tt.want || errors.Is(err, session.ErrInvalid) {
					t.Errorf("error = %v, want code %s", err, tt.want)
				}
				if strings.Contains(err.Error(), "short\"") || strings.Contains(err.Error(), newest[:31]) {
					t.Errorf("the error quotes a secret: %v", err)
				}
			}
		})
	}
}

func TestSecretTypes(t *testing.T) {
	const text = `{"guestSecrets":["` + newest + `"],"sessionSecrets":["` + older + `"],"appPublicKey":"-----BEGIN PUBLIC KEY-----"}`
	var g session.GuestSecret
	var a session.AppSecret
	for _, v := range []any{&g, &a} {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatal(err)
		}
	}
	if g.Validate() != nil || a.Validate() != nil {
		t.Errorf("Validate() = %v, %v", g.Validate(), a.Validate())
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "g", g, "a", a, "s", g.GuestSecrets)
	printed := logged.String()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed += fmt.Sprintf(format, g) + fmt.Sprintf(format, a) + fmt.Sprintf(format, g.GuestSecrets) + fmt.Sprintf(format, &a)
	}
	for _, s := range []string{newest, older, "BEGIN"} {
		if strings.Contains(printed, s) {
			t.Errorf("%q is printed in %s", s, printed)
		}
	}
	for name, v := range map[string]interface{ Validate() error }{
		"no guest secrets":     session.GuestSecret{},
		"no session secrets":   session.AppSecret{AppPublicKey: "x"},
		"short guest secret":   session.GuestSecret{GuestSecrets: session.Secrets{"hunter2"}},
		"short session secret": session.AppSecret{SessionSecrets: session.Secrets{newest, "hunter2"}},
	} {
		if err := v.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: Validate() = %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	guests := session.Guests{Secrets: live(newest, older), Now: at(0)}
	agents := session.Agents{Secrets: live(newest, older), Now: at(0)}
	issued := map[string]bool{}
	add := func(token string, err error) {
		if err != nil {
			f.Fatal(err)
		}
		issued[token] = true
		f.Add(token)
	}
	add(guests.Issue(f.Context(), guest(f)))
	token, _, err := agents.Issue(f.Context(), "7")
	add(token, err)
	f.Add(forge(f, retired, nil, nil))
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJjYXNlcm9vbS1ndWVzdCJ9.")
	f.Fuzz(func(t *testing.T, token string) {
		_, guestErr := guests.Verify(t.Context(), token)
		_, agentErr := agents.Verify(t.Context(), token)
		for _, err := range []error{guestErr, agentErr} {
			if err == nil && !issued[token] {
				t.Error("a forged token was accepted")
			}
			if err != nil && !errors.Is(err, session.ErrInvalid) {
				t.Errorf("error = %v, want %v", err, session.ErrInvalid)
			}
		}
		if guestErr == nil && agentErr == nil {
			t.Error("one token is good for both kinds")
		}
	})
}
