// Package logintest signs login tokens and publishes keys as a company's login
// would, for tests and for the local run.
package logintest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Signer signs tokens with one key.
type Signer struct {
	// KeyID is the token's kid; "" leaves it out.
	KeyID  string
	method jwt.SigningMethod
	key    any
}

// HS returns a signer of HS256 tokens without a kid, like Xsolla's default.
func HS(secret string) *Signer {
	return &Signer{method: jwt.SigningMethodHS256, key: []byte(secret)}
}

// RSA returns a signer of RS256 tokens with the key of RFC 7515 appendix A.2.
// Its private half is published: never trust it anywhere else.
func RSA(kid string) *Signer {
	return &Signer{KeyID: kid, method: jwt.SigningMethodRS256, key: PublishedRSAKey()}
}

// PublishedRSAKey returns the key pair of RFC 7515 appendix A.2, 2048 bits.
func PublishedRSAKey() *rsa.PrivateKey {
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{E: 65537, N: number("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ")},
		D:         number("Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"),
		Primes: []*big.Int{
			number("4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"),
			number("uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"),
		},
	}
	key.Precompute()
	return key
}

// EC returns a signer of ES256 tokens with the key of RFC 7515 appendix A.3.
// Its private half is published: never trust it anywhere else.
func EC(kid string) *Signer {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"))
	if err != nil {
		panic("logintest: " + err.Error())
	}
	return &Signer{KeyID: kid, method: jwt.SigningMethodES256, key: key}
}

// NewRSA returns a signer of RS256 tokens with a new key of that many bits.
func NewRSA(kid string, bits int) (*Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	return &Signer{KeyID: kid, method: jwt.SigningMethodRS256, key: key}, nil
}

// NewEC returns a signer with a new key on curve: ES256 on P-256, ES384 on
// P-384.
func NewEC(kid string, curve elliptic.Curve) (*Signer, error) {
	method := jwt.SigningMethodES256
	if curve == elliptic.P384() {
		method = jwt.SigningMethodES384
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Signer{KeyID: kid, method: method, key: key}, nil
}

// Claims returns the least claims that a login token has: sub, iat and an exp
// one hour after now.
func Claims(sub string, now time.Time) map[string]any {
	return map[string]any{"sub": sub, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
}

// Sign returns a token with these claims.
func (s *Signer) Sign(claims map[string]any) (string, error) {
	return s.SignWithHeader(nil, claims)
}

// SignWithHeader is Sign with more header fields, or others: a nil value takes
// a field away.
func (s *Signer) SignWithHeader(header, claims map[string]any) (string, error) {
	t := jwt.NewWithClaims(s.method, jwt.MapClaims(claims))
	if s.KeyID != "" {
		t.Header["kid"] = s.KeyID
	}
	for k, v := range header {
		if v == nil {
			delete(t.Header, k)
		} else {
			t.Header[k] = v
		}
	}
	return t.SignedString(s.key)
}

// SignRaw signs a header and claims that are given as JSON text, however
// malformed.
func (s *Signer) SignRaw(header, claims string) (string, error) {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sig, err := s.method.Sign(text, s.key)
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

// Public returns *rsa.PublicKey or *ecdsa.PublicKey, nil for a shared secret.
func (s *Signer) Public() any {
	switch k := s.key.(type) {
	case *rsa.PrivateKey:
		return &k.PublicKey
	case *ecdsa.PrivateKey:
		return &k.PublicKey
	default:
		return nil
	}
}

// JWK returns the public key as RFC 7517 writes it, nil for a shared secret.
func (s *Signer) JWK() map[string]any {
	jwk := map[string]any{"use": "sig", "alg": s.method.Alg()}
	if s.KeyID != "" {
		jwk["kid"] = s.KeyID
	}
	switch k := s.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"] = "RSA"
		jwk["n"] = base64.RawURLEncoding.EncodeToString(k.N.Bytes())
		jwk["e"] = base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4, x, y
		if err != nil {
			return nil
		}
		half := (len(point) - 1) / 2
		jwk["kty"] = "EC"
		jwk["crv"] = k.Curve.Params().Name
		jwk["x"] = base64.RawURLEncoding.EncodeToString(point[1 : 1+half])
		jwk["y"] = base64.RawURLEncoding.EncodeToString(point[1+half:])
	default:
		return nil
	}
	return jwk
}

// XsollaJWK returns an RSA key as Xsolla publishes it, n and e in hexadecimal
// without padding; nil for any other key. See
// https://github.com/xsolla/login-sdk-go.
func (s *Signer) XsollaJWK() map[string]any {
	k, ok := s.Public().(*rsa.PublicKey)
	if !ok {
		return nil
	}
	jwk := s.JWK()
	jwk["n"] = k.N.Text(16)
	jwk["e"] = fmt.Sprintf("%x", k.E)
	return jwk
}

// JWKS serves the signers' public keys as a JWK set.
func JWKS(signers ...*Signer) http.Handler {
	keys := []any{}
	for _, s := range signers {
		if jwk := s.JWK(); jwk != nil {
			keys = append(keys, jwk)
		}
	}
	return serve(map[string]any{"keys": keys})
}

// XsollaKeys serves the signers' RSA keys as Xsolla does: a bare array, in
// hexadecimal. Xsolla's path is /api/projects/{project id}/keys.
func XsollaKeys(signers ...*Signer) http.Handler {
	keys := []any{}
	for _, s := range signers {
		if jwk := s.XsollaJWK(); jwk != nil {
			keys = append(keys, jwk)
		}
	}
	return serve(keys)
}

func serve(v any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	})
}

func number(s string) *big.Int { return new(big.Int).SetBytes(decode(s)) }

// decode reads a base64url constant of this file.
func decode(s string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic("logintest: " + err.Error())
	}
	return raw
}
