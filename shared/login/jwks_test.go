package login

import (
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/shared/login/jws"
)

// The keys of RFC 7515 appendix A.2 and A.3 and the tokens that it signs with
// them.
const (
	rfcRSA = `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`
	rfcEC  = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`

	rfcClaims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	rfcRS256  = "eyJhbGciOiJSUzI1NiJ9." + rfcClaims + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	rfcES256  = "eyJhbGciOiJFUzI1NiJ9." + rfcClaims + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)

func TestParseKeysRFC7515(t *testing.T) {
	for _, tt := range []struct{ alg, key, token string }{
		{jws.RS256, rfcRSA, rfcRS256},
		{jws.ES256, rfcEC, rfcES256},
	} {
		t.Run(tt.alg, func(t *testing.T) {
			keys, err := parseKeys([]byte(`{"keys":[` + tt.key + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) != 1 || keys[0].alg != tt.alg {
				t.Fatalf("parseKeys() = %d keys, want one for %s", len(keys), tt.alg)
			}
			cut := strings.LastIndex(tt.token, ".")
			sig, err := jwt.NewParser().DecodeSegment(tt.token[cut+1:])
			if err != nil {
				t.Fatal(err)
			}
			if err := jwt.GetSigningMethod(tt.alg).Verify(tt.token[:cut], sig, keys[0].key); err != nil {
				t.Error(err)
			}
			if err := jwt.GetSigningMethod(tt.alg).Verify(tt.token[:cut]+"x", sig, keys[0].key); err == nil {
				t.Error("another text verifies too")
			}
		})
	}
}

// The key of the test in Xsolla's own SDK, in the shape that its endpoint
// answers. See
// https://github.com/xsolla/login-sdk-go/blob/master/keys/rsa_key_test.go.
func TestParseKeysXsolla(t *testing.T) {
	const n = "b24f209563937f253a57adf222822a89f1ee0a33d25826925ff8214868490fd3b2f6ff5dd9d422f412904fc1539c1e84f6dbce648cb28db6b3f2640a1c7cc3092066db5ba2ab38cab5618b58c6eef0994070bee055c521bdd43eea93c2146a07634276ca9b9ff7a1cdf20fe3e2f65e2719cb367b6c08072cfc0ec8caa6fbcfbfbafed23b70f050b827b0d2b3d1fd0dbd0b9adc7596021796336fae611d599827edca0c9d34f998db6e336fb522438bf7e24223eee09338034f5c9930d8edb27a84bf044d96c3709e601554af16b8d57c74333bd0690a40c5b615d84c348b9c3eb30dd0c94af1b0bc7d8ea6c8910fdaaeea1c7ae85f4b7f2b1b4576a50fb2a545"
	keys, err := parseKeys([]byte(`[{"alg":"RS256","e":"10001","kid":"42","kty":"RSA","n":"` + n + `","use":"sig"}]`))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := new(big.Int).SetString(n, 16)
	got, ok := keys[0].key.(*rsa.PublicKey)
	if !ok || got.N.Cmp(want) != 0 || got.E != 65537 || keys[0].id != "42" || keys[0].alg != jws.RS256 {
		t.Errorf("parseKeys() = %+v", keys[0])
	}
}

// A base64url modulus that begins with many hexadecimal digits is no hex.
func TestParseKeysNotHex(t *testing.T) {
	n := strings.Repeat("8b", 170) + "-Q" // 342 characters, 2048 bits, odd
	keys, err := parseKeys([]byte(`{"keys":[{"kty":"RSA","n":"` + n + `","e":"AQAB"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := keys[0].key.(*rsa.PublicKey); got.N.BitLen() != 2048 || got.E != 65537 {
		t.Errorf("modulus of %d bits, exponent %d", got.N.BitLen(), got.E)
	}
}

// Keys that no token could be signed with by the library's signers.
func TestParseKeysUnfit(t *testing.T) {
	p384, err := logintest.NewEC("", elliptic.P384())
	if err != nil {
		t.Fatal(err)
	}
	jwk := p384.JWK()
	delete(jwk, "alg")
	asText, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	hexKey := func(n, e string) string { return `{"kty":"RSA","n":"` + n + `","e":"` + e + `"}` }
	odd := strings.Repeat("ff", 256)
	for name, key := range map[string]string{
		"P-384":                   string(asText),
		"even modulus":            strings.Replace(rfcRSA, `uXpoQ"`, `uXpoA"`, 1),
		"even exponent":           strings.Replace(rfcRSA, "AQAB", "AQAA", 1),
		"modulus over the limit":  strings.Replace(rfcRSA, `"n":"`, `"n":"`+strings.Repeat("x", 1028), 1),
		"hex, 1024 bits":          hexKey(odd[:256], "10001"),
		"hex, exponent one":       hexKey(odd, "1"),
		"hex, exponent too large": hexKey(odd, "100000001"),
		"hex with a prefix":       hexKey("0x"+odd, "10001"),
	} {
		if keys, err := parseKeys([]byte("[" + key + "]")); err == nil {
			t.Errorf("%s: accepted as %+v", name, keys)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[` + rfcRSA + `,` + rfcEC + `]}`))
	f.Add([]byte(`[{"kty":"RSA","n":"` + strings.Repeat("ff", 256) + `","e":"10001"}]`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AQAB"}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeys(body)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys and error %v", len(keys), err)
		}
		for _, k := range keys {
			switch key := k.key.(type) {
			case *rsa.PublicKey:
				if k.alg != jws.RS256 || key.N.BitLen() < minModulus || key.E < 3 {
					t.Errorf("an unfit RSA key of %d bits for %s", key.N.BitLen(), k.alg)
				}
			default:
				if k.alg != jws.ES256 {
					t.Errorf("a %T for %s", k.key, k.alg)
				}
			}
		}
		if json.Valid(body) {
			return
		}
		if err == nil {
			t.Error("no JSON, but keys")
		}
	})
}
