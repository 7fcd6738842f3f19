package chatjwt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/chatjwt"
	"github.com/caseroom/caseroom/shared/problem"
	pyjwt "github.com/caseroom/caseroom/tests/python"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const secret = "the-shared-secret-of-the-account"

// read verifies a token and returns its parts.
func read(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	got := jwt.MapClaims{}
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(func() time.Time { return now })).
		ParseWithClaims(token, got, func(*jwt.Token) (any, error) { return []byte(secret), nil })
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header, got
}

func TestChat(t *testing.T) {
	email := chatjwt.Claims{ExternalID: "u-1", Email: "ada@example.com"}
	named := func(name string) chatjwt.Claims { c := email; c.Name = name; return c }
	tests := []struct {
		name      string
		user      chatjwt.Claims
		wantName  string
		wantEmail string
		err       error
	}{
		{"all", named("Ada Lovelace"), "Ada Lovelace", "ada@example.com", nil},
		{"no name", email, "Customer", "ada@example.com", nil},
		{"blank name", named(" \t"), "Customer", "ada@example.com", nil},
		{"the e-mail as name", named("ada@example.com"), "Customer", "ada@example.com", nil},
		{"the e-mail in capitals as name", named(" ADA@Example.com "), "Customer", "ada@example.com", nil},
		{"another e-mail as name", named("al@example.org"), "Customer", "ada@example.com", nil},
		{"a name with an at sign", named("Ada @ Work"), "Ada @ Work", "ada@example.com", nil},
		{"a handle", named("@ada"), "@ada", "ada@example.com", nil},
		{"line breaks", named("Ada\r\nLovelace"), "Ada Lovelace", "ada@example.com", nil},
		{"a long name", named(strings.Repeat("ä", 300)), strings.Repeat("ä", 255), "ada@example.com", nil},
		{"spaces around the e-mail", chatjwt.Claims{ExternalID: "u-1", Email: " ada@example.com\n"}, "Customer", "ada@example.com", nil},
		{"longest id", chatjwt.Claims{ExternalID: strings.Repeat("ä", 255), Email: "a@b.c"}, "Customer", "a@b.c", nil},
		{"no e-mail", chatjwt.Claims{ExternalID: "u-1", Name: "Ada"}, "", "", chatjwt.ErrNoEmail},
		{"blank e-mail", chatjwt.Claims{ExternalID: "u-1", Name: "Ada", Email: " "}, "", "", chatjwt.ErrNoEmail},
		{"no e-mail in the e-mail", chatjwt.Claims{ExternalID: "u-1", Name: "Ada", Email: "ada"}, "", "", chatjwt.ErrNoEmail},
		{"two lines in the e-mail", chatjwt.Claims{ExternalID: "u-1", Email: "a@b.c\nd@e.f"}, "", "", chatjwt.ErrNoEmail},
		{"no id", chatjwt.Claims{Email: "a@b.c"}, "", "", chatjwt.ErrExternalID},
		{"id no UTF-8", chatjwt.Claims{ExternalID: "\xff", Email: "a@b.c"}, "", "", chatjwt.ErrExternalID},
		{"id too long", chatjwt.Claims{ExternalID: strings.Repeat("x", 256), Email: "a@b.c"}, "", "", chatjwt.ErrExternalID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token, err := chatjwt.Chat(secret, tt.user, now, "jti-1")
			if tt.err != nil {
				if !errors.Is(err, tt.err) || problem.CodeOf(err) != problem.Unprocessable || token != "" {
					t.Fatalf("Chat() = %q, %v; want %v", token, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			header, claims := read(t, token)
			if want := map[string]any{"alg": "HS256", "typ": "JWT"}; !reflect.DeepEqual(header, want) {
				t.Errorf("header %v, want %v", header, want)
			}
			want := map[string]any{
				"name": tt.wantName, "email": tt.wantEmail, "external_id": tt.user.ExternalID,
				"iat": float64(now.Unix()), "exp": float64(now.Unix() + 300), "jti": "jti-1",
			}
			if !reflect.DeepEqual(claims, want) {
				t.Errorf("claims %v, want %v", claims, want)
			}
		})
	}
}

func TestMessaging(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name string
		user chatjwt.Claims
		want map[string]any // beside scope, external_id and exp
		err  error
	}{
		{"least", chatjwt.Claims{ExternalID: "u-1"}, map[string]any{}, nil},
		{"name", chatjwt.Claims{ExternalID: "u-1", Name: "Ada"}, map[string]any{"name": "Ada"}, nil},
		{"an e-mail as name", chatjwt.Claims{ExternalID: "u-1", Name: "ada@example.com"}, map[string]any{}, nil},
		{"e-mail, nothing said", chatjwt.Claims{ExternalID: "u-1", Email: "a@b.c"}, map[string]any{"email": "a@b.c"}, nil},
		{"e-mail, verified", chatjwt.Claims{ExternalID: "u-1", Email: "a@b.c", EmailVerified: &yes}, map[string]any{"email": "a@b.c", "email_verified": true}, nil},
		{"e-mail, unverified", chatjwt.Claims{ExternalID: "u-1", Email: "a@b.c", EmailVerified: &no}, map[string]any{"email": "a@b.c", "email_verified": false}, nil},
		{"verified, but what", chatjwt.Claims{ExternalID: "u-1", EmailVerified: &yes}, map[string]any{}, nil},
		{"no id", chatjwt.Claims{Name: "Ada"}, nil, chatjwt.ErrExternalID},
		{"id too long", chatjwt.Claims{ExternalID: strings.Repeat("x", 256)}, nil, chatjwt.ErrExternalID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token, err := chatjwt.Messaging("act_1", secret, tt.user, now)
			if tt.err != nil {
				if !errors.Is(err, tt.err) || problem.CodeOf(err) != problem.Unprocessable || token != "" {
					t.Fatalf("Messaging() = %q, %v; want %v", token, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			header, claims := read(t, token)
			if want := map[string]any{"alg": "HS256", "typ": "JWT", "kid": "act_1"}; !reflect.DeepEqual(header, want) {
				t.Errorf("header %v, want %v", header, want)
			}
			tt.want["scope"], tt.want["external_id"], tt.want["exp"] = "user", "u-1", float64(now.Unix()+300)
			if !reflect.DeepEqual(claims, tt.want) {
				t.Errorf("claims %v, want %v", claims, tt.want)
			}
		})
	}
}

func TestNotConfigured(t *testing.T) {
	u := chatjwt.Claims{ExternalID: "u-1", Email: "a@b.c"}
	_, chat := chatjwt.Chat("", u, now, "j")
	_, noID := chatjwt.Messaging("", secret, u, now)
	_, noKey := chatjwt.Messaging("act_1", "", u, now)
	for _, err := range []error{chat, noID, noKey} {
		if problem.CodeOf(err) != problem.Unavailable {
			t.Errorf("error = %v, want code %s", err, problem.Unavailable)
		}
	}
}

func TestSecret(t *testing.T) {
	var all chatjwt.Secret
	if err := json.Unmarshal([]byte(`{"sharedSecret":"hunter2","messagingKeyId":"act_1","messagingSecret":"hunter3"}`), &all); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		s    chatjwt.Secret
		ok   bool
	}{
		{"both", all, true},
		{"Chat only", chatjwt.Secret{SharedSecret: "hunter2"}, true},
		{"Messaging only", chatjwt.Secret{MessagingKeyID: "act_1", MessagingSecret: "hunter3"}, true},
		{"neither", chatjwt.Secret{}, false},
		{"key id alone", chatjwt.Secret{SharedSecret: "hunter2", MessagingKeyID: "act_1"}, false},
		{"key alone", chatjwt.Secret{SharedSecret: "hunter2", MessagingSecret: "hunter3"}, false},
	}
	for _, tt := range tests {
		err := tt.s.Validate()
		if (err == nil) != tt.ok || (err != nil && strings.Contains(err.Error(), "hunter")) {
			t.Errorf("%s: Validate() = %v", tt.name, err)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(format, []chatjwt.Secret{all}); strings.Contains(got, "hunter") {
			t.Errorf("%s prints %s", format, got)
		}
	}
	if got := all.LogValue().String(); got != "REDACTED" {
		t.Errorf("logs %s", got)
	}
}

func TestIssuedTokensByPyJWT(t *testing.T) {
	py := pyjwt.Start(t)
	start := time.Now() // PyJWT's clock cannot be set
	yes := true
	u := chatjwt.Claims{ExternalID: "Müller-7", Name: "Jürg Müller", Email: "m@example.com", EmailVerified: &yes}
	chat, err := chatjwt.Chat(secret, u, start, "jti-1")
	if err != nil {
		t.Fatal(err)
	}
	messaging, err := chatjwt.Messaging("act_1", secret, u, start)
	if err != nil {
		t.Fatal(err)
	}
	exp := float64(start.Unix() + 300)
	for _, tt := range []struct {
		name, token    string
		header, claims map[string]any
	}{
		{
			"Chat", chat,
			map[string]any{"alg": "HS256", "typ": "JWT"},
			map[string]any{"name": "Jürg Müller", "email": "m@example.com", "external_id": "Müller-7", "iat": exp - 300, "exp": exp, "jti": "jti-1"},
		},
		{
			"Messaging", messaging,
			map[string]any{"alg": "HS256", "typ": "JWT", "kid": "act_1"},
			map[string]any{"scope": "user", "name": "Jürg Müller", "email": "m@example.com", "email_verified": true, "external_id": "Müller-7", "exp": exp},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request := map[string]any{"op": "verify", "alg": "HS256", "key": secret, "token": tt.token}
			a := py.Must(t, request)
			if !reflect.DeepEqual(a.Header, tt.header) || !reflect.DeepEqual(a.Claims, tt.claims) {
				t.Errorf("PyJWT reads %v under %v", a.Claims, a.Header)
			}
			request["key"] = secret + "x"
			if a := py.Ask(t, request); a.Error != "InvalidSignatureError" {
				t.Errorf("with another secret: %+v", a)
			}
		})
	}
}

// Whatever a login says of its user, the token is one that Zendesk takes.
func FuzzChat(f *testing.F) {
	f.Add("u-1", "Ada", "ada@example.com")
	f.Add("", "ada@example.com", "")
	f.Add("\xff", "\x00", "@")
	f.Fuzz(func(t *testing.T, id, name, email string) {
		token, err := chatjwt.Chat(secret, chatjwt.Claims{ExternalID: id, Name: name, Email: email}, now, "j")
		if err != nil {
			if problem.CodeOf(err) != problem.Unprocessable {
				t.Errorf("error = %v", err)
			}
			return
		}
		_, claims := read(t, token)
		shown := claims["name"].(string)
		if shown == "" || strings.EqualFold(shown, claims["email"].(string)) {
			t.Errorf("name %q beside e-mail %q", shown, claims["email"])
		}
	})
}
