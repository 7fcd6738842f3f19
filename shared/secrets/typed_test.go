package secrets_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caseroom/caseroom/shared/secrets"
)

// everything has a member of each type that the functions' secrets have.
type everything struct {
	Number int      `json:"number"`
	Text   string   `json:"text"`
	List   []string `json:"list"`
}

// load stores a secret and reads it as a function does.
func load[T any](t *testing.T, stored string) (T, error) {
	t.Helper()
	f := newFixture(t)
	f.api.set(text(stored))
	return secrets.For[T](f.store, "caseroom/x").Load(t.Context())
}

// TestAsTheConsoleStoresThem: in the key/value tab of Secrets Manager's console
// every value is a text.
func TestAsTheConsoleStoresThem(t *testing.T) {
	for name, tc := range map[string]struct {
		stored string
		want   everything
	}{
		"as JSON":                 {`{"number":1400000000,"text":"a","list":["b","c"]}`, everything{1400000000, "a", []string{"b", "c"}}},
		"a number":                {`{"number":"1400000000"}`, everything{Number: 1400000000}},
		"a number with a blank":   {`{"number":" 1400000000\n"}`, everything{Number: 1400000000}},
		"a list, as JSON":         {`{"list":"[\"b\", \"c\"]"}`, everything{List: []string{"b", "c"}}},
		"a list of one":           {`{"list":"b"}`, everything{List: []string{"b"}}},
		"a list of none":          {`{"list":""}`, everything{List: []string{}}},
		"a value like a list":     {`{"list":"[b"}`, everything{List: []string{"[b"}}},
		"line ends at the end":    {`{"text":"a\r\n","list":["b\n","c\n\n"]}`, everything{Text: "a", List: []string{"b", "c"}}},
		"line ends in a list":     {`{"list":"[\"b\\n\"]\n"}`, everything{List: []string{"b"}}},
		"blanks belong to it":     {`{"text":" a b "}`, everything{Text: " a b "}},
		"a text that is digits":   {`{"text":"0012"}`, everything{Text: "0012"}},
		"null, as if not there":   {`{"number":null,"text":null,"list":null}`, everything{}},
		"signs that JSON escapes": {`{"text":"<&>\u2028","list":"<"}`, everything{Text: "<&>\u2028", List: []string{"<"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load[everything](t, tc.stored)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	for name, stored := range map[string]string{
		"a number that is none": `{"number":"x"}`, "no number": `{"number":""}`, "a fraction": `{"number":"1.5"}`, "a negative one": `{"number":"-1"}`,
		"a list of numbers": `{"list":"[1]"}`, "a number for a text": `{"text":1}`, "an object for a list": `{"list":{}}`,
	} {
		if got, err := load[everything](t, stored); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestMangledPEM: whatever became of a key's line ends, it is the same key.
func TestMangledPEM(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	body := base64.StdEncoding.EncodeToString(der)
	for name, mangled := range map[string]string{
		"as it was":            good,
		"blanks for line ends": strings.ReplaceAll(good, "\n", " "),
		"no line ends":         strings.ReplaceAll(good, "\n", ""),
		"one long line":        "-----BEGIN PRIVATE KEY-----\n" + body + "\n-----END PRIVATE KEY-----",
		"literal escapes":      strings.ReplaceAll(good, "\n", `\n`),
		"CR LF":                strings.ReplaceAll(good, "\n", "\r\n"),
		"literal CR LF":        strings.ReplaceAll(good, "\n", `\r\n`),
		"leading blanks":       "  \n" + strings.ReplaceAll(good, "\n", "\n    "),
		"a byte order mark":    "\ufeff" + good,
		"no last line end":     strings.TrimSuffix(good, "\n"),
	} {
		stored, err := json.Marshal(map[string]string{"text": mangled})
		if err != nil {
			t.Fatal(err)
		}
		got, err := load[everything](t, string(stored))
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode([]byte(got.Text))
		if block == nil || !reflect.DeepEqual(block.Bytes, der) || strings.TrimSpace(string(rest)) != "" {
			t.Errorf("%s: %q", name, got.Text)
		}
	}
}

// FuzzTyped: whatever is stored, a secret that reads as it stands reads the same,
// but for line ends at the ends of values and in PEM blocks.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{`"1"`, `"[\"a\"]"`, `["a\n"]`, `null`, `{}`, `"-----BEGIN A-----x y-----END A-----"`, `[null]`, `[[`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var plain, got []string
		if json.Unmarshal([]byte(raw), &plain) != nil {
			_ = secrets.Member(json.RawMessage(raw), &got)
			return
		}
		if err := secrets.Member(json.RawMessage(raw), &got); err != nil || len(got) != len(plain) {
			t.Fatalf("%q: %v, %q", raw, err, got)
		}
		for i := range plain {
			if !strings.Contains(plain[i], "-----BEGIN ") && got[i] != strings.TrimRight(plain[i], "\r\n") {
				t.Errorf("%q became %q", plain[i], got[i])
			}
		}
	})
}
