package identity_test

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/shared/identity"
)

const (
	sdkAppID = 1400000000
	// The sample key that every official README prints.
	sampleKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
)

func signer(r identity.Rules) identity.Signer {
	return identity.Signer{Rules: r, SDKAppID: sdkAppID, SecretKey: sampleKey, Now: time.Now}
}

// fields are what is inside a UserSig.
type fields struct {
	Version    string `json:"TLS.ver"`
	Identifier string `json:"TLS.identifier"`
	SDKAppID   uint64 `json:"TLS.sdkappid"`
	Expire     int64  `json:"TLS.expire"`
	Time       int64  `json:"TLS.time"`
	Sig        string `json:"TLS.sig"`
}

var tlsBase64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-").WithPadding('_')

func decode(t *testing.T, sig string) fields {
	t.Helper()
	b, err := tlsBase64.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var f fields
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func encode(t *testing.T, f fields) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if err := json.NewEncoder(w).Encode(f); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return tlsBase64.EncodeToString(b.Bytes())
}

// mac computes TLS.sig from the published algorithm, without the library.
func mac(key string, f fields) string {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = fmt.Fprintf(h, "TLS.identifier:%s\nTLS.sdkappid:%d\nTLS.time:%d\nTLS.expire:%d\n", f.Identifier, f.SDKAppID, f.Time, f.Expire)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// The published vector: our reading of the algorithm and the library that signs
// for us agree with it.
func TestUserSigVector(t *testing.T) {
	t.Parallel()
	f := fields{
		Version: "2.0", Identifier: "administrator", SDKAppID: sdkAppID, Expire: 600, Time: 1700000000,
		Sig: "KQPDXJSnAow4b1ZCCTpBfADUP9GhZWElIY8vihIKT+0=",
	}
	if got := mac(sampleKey, f); got != f.Sig {
		t.Fatalf("TLS.sig = %s, want %s", got, f.Sig)
	}
	sig := encode(t, f)
	verify := func(second int64) error {
		return tencentyun.VerifyUserSig(sdkAppID, sampleKey, "administrator", sig, time.Unix(second, 0))
	}
	if err := verify(f.Time + 600); err != nil {
		t.Errorf("at 600 s: %v", err)
	}
	if err := verify(f.Time + 601); !errors.Is(err, tencentyun.ErrExpired) {
		t.Errorf("at 601 s: %v", err)
	}
	if err := tencentyun.VerifyUserSigWithBuf(sdkAppID, sampleKey, "administrator", sig, time.Unix(f.Time, 0), nil); err != nil {
		t.Errorf("without a buffer: %v", err)
	}
	forged := f
	forged.Identifier = "alice"
	err := tencentyun.VerifyUserSig(sdkAppID, sampleKey, "alice", encode(t, forged), time.Unix(f.Time, 0))
	if !errors.Is(err, tencentyun.ErrSigNotMatch) {
		t.Errorf("forged: %v", err)
	}
}

func must(t *testing.T) func(identity.Identity, error) identity.Identity {
	return func(id identity.Identity, err error) identity.Identity {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	raw := identity.Rules{RawAgents: true}
	tests := map[string]struct {
		rules identity.Rules
		id    identity.Identity
		ttl   time.Duration
	}{
		"end user":              {rules, must(t)(rules.EndUser("iss", "alice")), 24 * time.Hour},
		"hashed end user":       {rules, must(t)(rules.EndUser("iss", "Alice")), 24 * time.Hour},
		"guest":                 {rules, must(t)(identity.Guest([]byte("s"), "wm3Qp0Zx7KdT2vRf9LsYbA")), 24 * time.Hour},
		"Zendesk agent":         {rules, must(t)(rules.ZendeskAgent("7")), 12 * time.Hour},
		"Salesforce agent":      {rules, must(t)(rules.SalesforceAgent("005D0000001a2B3")), 12 * time.Hour},
		"raw Zendesk agent":     {raw, must(t)(raw.ZendeskAgent("7")), 12 * time.Hour},
		"raw Salesforce agent":  {raw, must(t)(raw.SalesforceAgent("005D0000001a2B3")), 12 * time.Hour},
		"prefixed in a raw app": {raw, must(t)(rules.ZendeskAgent("7")), 12 * time.Hour},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sig, err := signer(tt.rules).Sign(tt.id)
			if err != nil {
				t.Fatal(err)
			}
			if sig.UserID != tt.id.ID() || sig.SDKAppID != sdkAppID {
				t.Errorf("for %q of app %d, want %q of %d", sig.UserID, sig.SDKAppID, tt.id.ID(), sdkAppID)
			}
			f := decode(t, sig.Sig)
			if f.Sig != mac(sampleKey, f) {
				t.Error("TLS.sig is not the HMAC of the fields")
			}
			if f.Identifier != tt.id.ID() || f.SDKAppID != sdkAppID || f.Version != "2.0" || time.Duration(f.Expire)*time.Second != tt.ttl {
				t.Errorf("fields = %+v", f)
			}
			if truth := time.Unix(f.Time+f.Expire, 0); sig.Expires.After(truth) {
				t.Errorf("Expires = %s, later than %s", sig.Expires, truth)
			}
			if err := tencentyun.VerifyUserSig(sdkAppID, sampleKey, tt.id.ID(), sig.Sig, sig.Expires); err != nil {
				t.Errorf("at Expires: %v", err)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	raw := identity.Rules{RawAgents: true}
	open := identity.Rules{} // knows no reserved ids
	tests := map[string]struct {
		rules identity.Rules
		id    identity.Identity
	}{
		"nobody": {rules, identity.Identity{}},
		// The signer asks its own rules, whatever made the identity.
		"the REST admin":                 {rules, must(t)(open.EndUser("iss", "caseroom_rest"))},
		"a reserved id":                  {rules, must(t)(open.EndUser("iss", "boss"))},
		"a reserved agent":               {identity.Rules{Reserved: []string{"zd_7"}}, must(t)(open.ZendeskAgent("7"))},
		"a reserved guest":               {identity.Rules{Reserved: []string{must(t)(identity.Guest([]byte("s"), "wm3Qp0Zx7KdT2vRf9LsYbA")).ID()}}, must(t)(identity.Guest([]byte("s"), "wm3Qp0Zx7KdT2vRf9LsYbA"))},
		"an admin with an agent's id":    {identity.Rules{AdminUserID: "7", RawAgents: true}, must(t)(raw.ZendeskAgent("7"))},
		"a raw agent in a prefixed app":  {rules, must(t)(raw.ZendeskAgent("7"))},
		"a raw Salesforce one, likewise": {rules, must(t)(raw.SalesforceAgent("005D0000001a2B3"))},
		"an admin whose id is a hash":    {identity.Rules{AdminUserID: must(t)(open.EndUser("iss", "A")).ID()}, must(t)(open.EndUser("iss", "A"))},
		"a reserved raw Salesforce id":   {identity.Rules{RawAgents: true, Reserved: []string{"005D0000001a2B3IAI"}}, must(t)(raw.SalesforceAgent("005D0000001a2B3"))},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sig, err := signer(tt.rules).Sign(tt.id)
			if !errors.Is(err, identity.ErrReserved) || sig.Sig != "" {
				t.Errorf("Sign(%q) = %v, %v", tt.id.ID(), sig, err)
			}
		})
	}
}

// The library signs with an empty key, which anybody can.
func TestSignNeedsAKey(t *testing.T) {
	t.Parallel()
	alice := must(t)(rules.EndUser("iss", "alice"))
	for name, s := range map[string]identity.Signer{
		"no key":       {SDKAppID: sdkAppID, Now: time.Now},
		"no app":       {SecretKey: sampleKey, Now: time.Now},
		"negative app": {SDKAppID: -1, SecretKey: sampleKey, Now: time.Now},
	} {
		if sig, err := s.Sign(alice); err == nil || sig.Sig != "" {
			t.Errorf("%s: %v, %v", name, sig, err)
		}
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	t.Parallel()
	s := signer(rules)
	sig, err := s.Sign(must(t)(rules.EndUser("iss", "alice")))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, v := range []any{s, &s, sig, &sig} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			_, _ = fmt.Fprintf(&b, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&b, nil)).Info("json", "v", v)
		slog.New(slog.NewTextHandler(&b, nil)).Info("text", "v", v)
	}
	for _, secret := range []string{sampleKey, sig.Sig} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("a secret is in:\n%s", b.String())
		}
	}
	if !strings.Contains(b.String(), "UserSig(alice)") {
		t.Errorf("nothing of the UserSig is in:\n%s", b.String())
	}
}

func FuzzSign(f *testing.F) {
	for _, sub := range []string{"alice", "Alice", "caseroom_rest", "boss", "7", "005abcdefghijkl", "u_boss"} {
		f.Add(sub)
	}
	forbidden := map[string]bool{"caseroom_rest": true, "boss": true, "u_boss": true, "root": true, "administrator": true}
	s := signer(rules)
	open := identity.Rules{RawAgents: true}
	f.Fuzz(func(t *testing.T, sub string) {
		var ids []identity.Identity
		for _, r := range []identity.Rules{rules, open} {
			if id, err := r.EndUser("iss", sub); err == nil {
				ids = append(ids, id)
			}
			if id, err := r.ZendeskAgent(sub); err == nil {
				ids = append(ids, id)
			}
			if id, err := r.SalesforceAgent(sub); err == nil {
				ids = append(ids, id)
			}
		}
		for _, id := range ids {
			sig, err := s.Sign(id)
			if err != nil {
				continue
			}
			if forbidden[sig.UserID] {
				t.Errorf("signed for %q", sig.UserID)
			}
			if err := tencentyun.VerifyUserSig(sdkAppID, sampleKey, id.ID(), sig.Sig, sig.Expires); err != nil {
				t.Errorf("UserSig of %q: %v", id.ID(), err)
			}
		}
	})
}
