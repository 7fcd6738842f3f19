package identity_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/shared/identity"
)

var rules = identity.Rules{AdminUserID: "caseroom_rest", Reserved: []string{"boss", "u_boss"}}

var hashed = regexp.MustCompile(`^u_[a-z2-7]{30}$`)

func TestEndUser(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sub   string
		plain bool
	}{
		"plain":                     {"alice", true},
		"digits inside":             {"a1-b_2", true},
		"digit first":               {"1a", true},
		"32 bytes":                  {strings.Repeat("a", 32), true},
		"33 bytes":                  {strings.Repeat("a", 33), false},
		"upper case":                {"Alice", false},
		"e-mail":                    {"alice@example.com", false},
		"underscore first":          {"_alice", false},
		"trailing newline":          {"alice\n", false},
		"not ASCII":                 {"ålice", false},
		"UUID":                      {"0190a0b1-0000-7000-8000-000000000000", false},
		"all digits":                {"12345", false},
		"Zendesk agent":             {"zd_1", false},
		"Salesforce agent":          {"sf_005000000000001aaa", false},
		"guest":                     {"guest_x", false},
		"hash":                      {"u_x", false},
		"bare Salesforce id, 15":    {"005abcdefghijkl", false},
		"bare Salesforce id, 18":    {"005abcdefghijklaaa", false},
		"005 and 11 more is nobody": {"005abcdefghijk", true},
		"the REST admin":            {"caseroom_rest", false},
		"a reserved id":             {"boss", false},
		"a reserved id, longer":     {"bosse", true},
		"administrator":             {"administrator", false},
		"admin":                     {"admin", false},
		"admin and more":            {"admin-7", false},
		"root":                      {"root", false},
		"root and more":             {"roots", true},
		"system":                    {"system", false},
		"system and more":           {"system_1", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := rules.EndUser("https://login.example", tt.sub)
			if err != nil {
				t.Fatal(err)
			}
			if id.Kind() != identity.KindEndUser {
				t.Errorf("kind = %q", id.Kind())
			}
			if plain := id.ID() == tt.sub; plain != tt.plain {
				t.Errorf("id = %q, want plain: %t", id.ID(), tt.plain)
			}
			if !tt.plain && !hashed.MatchString(id.ID()) {
				t.Errorf("id = %q, want a hash", id.ID())
			}
		})
	}
	if _, err := rules.EndUser("https://login.example", ""); !errors.Is(err, identity.ErrSubject) {
		t.Errorf("empty subject: %v", err)
	}
}

// The hash is part of the contract: a change would give every customer with
// such a subject a new account.
func TestEndUserHash(t *testing.T) {
	t.Parallel()
	id, err := rules.EndUser("https://login.example", "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	// printf 'https://login.example\nalice@example.com' | sha256sum | xxd -r -p | base32
	const want = "u_rcgwv2xy5d4o4jo7p4mvlgzxpt3rat"
	if id.ID() != want {
		t.Errorf("id = %q, want %q", id.ID(), want)
	}
	other, err := rules.EndUser("https://other.example", "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if other.ID() == id.ID() {
		t.Error("two issuers share an id")
	}
}

func TestGuest(t *testing.T) {
	t.Parallel()
	secret := []byte("guest secret")
	tests := map[string]struct {
		key string
		ok  bool
	}{
		"UUIDv4":                 {"8c6d3b0e-3b1f-4c2a-9d58-0f2f3d1f9a11", true},
		"UUIDv7":                 {"0190a0b1-89ab-7cde-8f01-23456789abcd", true},
		"UUIDv4, upper case":     {"8C6D3B0E-3B1F-4C2A-9D58-0F2F3D1F9A11", true},
		"UUIDv1 carries no luck": {"c232ab00-9414-11ec-b3c8-9f6bdeced846", false},
		"nil UUID":               {"00000000-0000-0000-0000-000000000000", false},
		"22 base64url":           {"wm3Qp0Zx7KdT2vRf9LsYb-", true},
		"21 base64url":           {"wm3Qp0Zx7KdT2vRf9LsYb", false},
		"255 base64url":          {strings.Repeat("wm3Qp", 51)[:249] + "Zx7KdT", true},
		"256 base64url":          {strings.Repeat("wm3Qp", 50) + "Zx7KdT", false},
		"one of ours":            {"cr1_1700000000_AAAAAAAAAAAAAAAAAAAAAA", true},
		"padding":                {"wm3Qp0Zx7KdT2vRf9LsYbA==", false},
		"standard base64":        {"wm3Qp0Zx7KdT2vRf9LsY+/", false},
		"space":                  {"wm3Qp0Zx7KdT2vRf9LsYbA ", false},
		"trailing newline":       {"wm3Qp0Zx7KdT2vRf9LsYbA\n", false},
		"UUID in braces":         {"{8c6d3b0e-3b1f-4c2a-9d58-0f2f3d1f9a11}", false},
		"empty":                  {"", false},
		"a typed key":            {"aaaaaaaaaaaaaaaaaaaaaa", false},
		"a typed UUID":           {"00000000-0000-4000-8000-000000000000", false},
		"another":                {"11111111-2222-4333-8444-111111111111", false},
		"few characters":         {"abababcdcdcdabababcdcd12"[:22], false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := identity.Guest(secret, tt.key)
			if ok := err == nil; ok != tt.ok {
				t.Fatalf("err = %v, want ok: %t", err, tt.ok)
			}
			if !tt.ok {
				if !errors.Is(err, identity.ErrGuestKey) {
					t.Errorf("err = %v", err)
				}
				return
			}
			known, err := identity.KnownGuest(id.ID())
			if err != nil || known != id {
				t.Errorf("KnownGuest(%q) = %v, %v", id.ID(), known, err)
			}
			other, err := identity.Guest([]byte("another"), tt.key)
			if err != nil || other == id {
				t.Errorf("another secret: %v, %v", other, err)
			}
		})
	}
	if _, err := identity.Guest(nil, "wm3Qp0Zx7KdT2vRf9LsYbA"); err == nil {
		t.Error("a guest without a secret")
	}
}

func TestKnownGuest(t *testing.T) {
	t.Parallel()
	good := "guest_" + strings.Repeat("a2", 11)
	if id, err := identity.KnownGuest(good); err != nil || id.ID() != good || id.Kind() != identity.KindGuest {
		t.Errorf("KnownGuest(%q) = %v, %v", good, id, err)
	}
	for _, id := range []string{"", "guest_", good + "a", good[:27], "u_" + good[2:], "guest_" + strings.Repeat("A2", 11), "guest_" + strings.Repeat("a1", 11), good + "\n", "alice"} {
		if got, err := identity.KnownGuest(id); !errors.Is(err, identity.ErrSubject) {
			t.Errorf("KnownGuest(%q) = %v, %v", id, got, err)
		}
	}
}

func TestZendeskAgent(t *testing.T) {
	t.Parallel()
	raw := identity.Rules{RawAgents: true}
	for in, want := range map[string]string{
		"1": "1", "zd_1": "1", "zd_360001234567": "360001234567", "18446744073709551615": "18446744073709551615",
		"": "", "0": "", "01": "", "-1": "", "zd_": "", "zd_zd_1": "", "ZD_1": "", "1a": "", "1\n": "", " 1": "",
		"１": "", "184467440737095516150": "", "sf_1": "",
	} {
		id, err := rules.ZendeskAgent(in)
		bare, bareErr := raw.ZendeskAgent(in)
		if want == "" {
			if !errors.Is(err, identity.ErrSubject) || !errors.Is(bareErr, identity.ErrSubject) {
				t.Errorf("ZendeskAgent(%q) = %v, %v", in, id, err)
			}
			continue
		}
		if err != nil || id.ID() != "zd_"+want || id.Kind() != identity.KindZendeskAgent {
			t.Errorf("ZendeskAgent(%q) = %v, %v", in, id, err)
		}
		if bareErr != nil || bare.ID() != want || bare.Kind() != identity.KindZendeskAgent {
			t.Errorf("raw ZendeskAgent(%q) = %v, %v", in, bare, bareErr)
		}
	}
}

func TestSalesforceAgent(t *testing.T) {
	t.Parallel()
	raw := identity.Rules{RawAgents: true}
	const id15, id18 = "005D0000001a2B3", "005D0000001a2B3IAI"
	for in, want := range map[string]string{
		id15: id18, id18: id18, "sf_" + id15: id18, "sf_" + id18: id18,
		"": "", "sf_": "", "zd_" + id15: "", "500D0000001a2B3": "", id18[:16]: "", id18 + "\n": "",
	} {
		id, err := rules.SalesforceAgent(in)
		bare, bareErr := raw.SalesforceAgent(in)
		if want == "" {
			if !errors.Is(err, identity.ErrSubject) || !errors.Is(bareErr, identity.ErrSubject) {
				t.Errorf("SalesforceAgent(%q) = %v, %v", in, id, err)
			}
			continue
		}
		if err != nil || id.ID() != "sf_"+want || id.Kind() != identity.KindSalesforceAgent {
			t.Errorf("SalesforceAgent(%q) = %v, %v", in, id, err)
		}
		if bareErr != nil || bare.ID() != want {
			t.Errorf("raw SalesforceAgent(%q) = %v, %v", in, bare, bareErr)
		}
	}
}

func TestSalesforceID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		id, prefix, want string
	}{
		"15 characters":             {"500D0000001a2B3", "500", "500D0000001a2B3IAI"},
		"18 characters":             {"500D0000001a2B3IAI", "500", "500D0000001a2B3IAI"},
		"checksum in lower case":    {"500D0000001a2B3iai", "500", "500D0000001a2B3IAI"},
		"no upper case":             {"500000000000001", "500", "500000000000001AAA"},
		"all upper case":            {"500ABCDEFGHIJKL", "500", "500ABCDEFGHIJKLY55"},
		"wrong checksum":            {"500D0000001a2B3IAF", "500", ""},
		"folded by a spreadsheet":   {"500D0000001A2B3IAI", "500", ""},
		"all lower case":            {"500d0000001a2b3iae", "500", ""},
		"another object":            {"005D0000001a2B3", "500", ""},
		"16 characters":             {"500D0000001a2B3I", "500", ""},
		"14 characters":             {"500D0000001a2B", "500", ""},
		"not alphanumeric":          {"500D0000001a2B-", "500", ""},
		"a look-alike past ASCII":   {"500D0000001a2B\u212a", "500", ""},
		"trailing newline":          {"500D0000001a2B3\n", "500", ""},
		"empty":                     {"", "500", ""},
		"the vendor's own example":  {"001D000000IRFma", "001", "001D000000IRFmaIAH"},
		"empty prefix takes any id": {"001D0000001a2B3", "", "001D0000001a2B3IAI"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := identity.SalesforceID(tt.id, tt.prefix)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("SalesforceID(%q) = %q, %v, want %q", tt.id, got, err, tt.want)
			}
		})
	}
}

func TestHashID(t *testing.T) {
	t.Parallel()
	// printf abc | sha256sum | xxd -r -p | base32 | tr A-Z a-z
	const abc = "xj4bnp4pahh6uqkbidpf3lrceoyagyndsylxvhfucd7wd4qacwwq"
	if got := identity.HashID("p_", "abc", 26); got != "p_"+abc[:26] {
		t.Errorf("HashID = %q", got)
	}
}

func FuzzEndUser(f *testing.F) {
	for _, sub := range []string{"alice", "Alice", "zd_1", "12", "u_x", "boss", "admin", "005abcdefghijkl", "a\x00b", "caseroom_rest", "ü"} {
		f.Add("https://login.example", sub)
	}
	form := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	taken := regexp.MustCompile(`^(zd_|sf_|guest_|admin|system)|^([0-9]+|root|boss|u_boss|caseroom_rest)$`)
	f.Fuzz(func(t *testing.T, issuer, sub string) {
		id, err := rules.EndUser(issuer, sub)
		if sub == "" {
			if err == nil {
				t.Fatal("nobody has an identity")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !form.MatchString(id.ID()) || taken.MatchString(id.ID()) {
			t.Errorf("EndUser(%q, %q) = %q", issuer, sub, id.ID())
		}
		if id.ID() != sub && !hashed.MatchString(id.ID()) {
			t.Errorf("EndUser(%q, %q) = %q, neither the subject nor a hash", issuer, sub, id.ID())
		}
		if strings.HasPrefix(sub, "u_") && id.ID() == sub {
			t.Errorf("subject %q passes for a hash", sub)
		}
	})
}

func FuzzGuestKey(f *testing.F) {
	f.Add("8c6d3b0e-3b1f-4c2a-9d58-0f2f3d1f9a11")
	f.Add("wm3Qp0Zx7KdT2vRf9LsYbA")
	f.Add("urn:uuid:8c6d3b0e-3b1f-4c2a-9d58-0f2f3d1f9a11")
	f.Fuzz(func(t *testing.T, key string) {
		id, err := identity.Guest([]byte("secret"), key)
		if ok := identity.GuestKey(key); ok != (err == nil) {
			t.Fatalf("GuestKey(%q) = %t, Guest: %v", key, ok, err)
		}
		if err != nil {
			return
		}
		if len(key) < 22 {
			t.Errorf("key %q is too short", key)
		}
		if _, err := identity.KnownGuest(id.ID()); err != nil {
			t.Errorf("Guest(%q) = %q, which is no guest", key, id.ID())
		}
	})
}

func FuzzSalesforceID(f *testing.F) {
	for _, id := range []string{"500D0000001a2B3", "500D0000001a2B3IAI", "500d0000001a2b3iae", "500", ""} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		full, err := identity.SalesforceID(id, "500")
		if err != nil {
			return
		}
		if len(full) != 18 || full[:15] != id[:15] {
			t.Fatalf("SalesforceID(%q) = %q", id, full)
		}
		again, err := identity.SalesforceID(full, "500")
		if err != nil || again != full {
			t.Errorf("SalesforceID(%q) = %q, %v", full, again, err)
		}
		// The form exists to survive systems that fold case: two ids that differ
		// only in case must differ in the checksum.
		if folded := strings.ToLower(full[:15]); folded != full[:15] {
			other, err := identity.SalesforceID(folded, "500")
			if err != nil || strings.EqualFold(other, full) {
				t.Errorf("%q and %q fold to the same id", full, other)
			}
		}
	})
}

func FuzzAgents(f *testing.F) {
	for _, id := range []string{"1", "zd_1", "sf_005D0000001a2B3", "005D0000001a2B3IAI", "0", "zd_zd_1"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		for _, r := range []identity.Rules{{}, {RawAgents: true}} {
			for _, agent := range []func(string) (identity.Identity, error){r.ZendeskAgent, r.SalesforceAgent} {
				got, err := agent(id)
				if err != nil {
					continue
				}
				if len(got.ID()) > 32 {
					t.Errorf("%q is too long for an IM user id", got.ID())
				}
				// What went out comes back: an agent's IM id names the same agent.
				if again, err := agent(got.ID()); err != nil || again != got {
					t.Errorf("%q reads back as %v, %v", got.ID(), again, err)
				}
				if end, err := r.EndUser("https://login.example", got.ID()); err != nil || end.ID() == got.ID() {
					t.Errorf("an end user may be %q", got.ID())
				}
			}
		}
	})
}
