package login

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"

	"github.com/caseroom/caseroom/shared/login/jws"
)

// RSA moduli in bits. Below the minimum RFC 7518 section 3.3 forbids RS256;
// above the maximum a key only costs time.
const (
	minModulus = 2048
	maxModulus = 8192
)

var (
	errKeySet = errors.New("answer is not a key set")
	errNoKey  = errors.New("no usable key in the set")
	errKey    = errors.New("not a key for RS256 or ES256")
)

// parseKeys reads the usable keys of a JWK set (RFC 7517 section 5) or of the
// bare array of keys that Xsolla answers. Keys that are not for verifying
// RS256 or ES256 are passed over, as RFC 7517 asks.
func parseKeys(body []byte) ([]publicKey, error) {
	var raw []json.RawMessage
	if bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		if err := json.Unmarshal(body, &raw); err != nil {
			return nil, errKeySet
		}
	} else {
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
			return nil, errKeySet
		}
		raw = set.Keys
	}
	var keys []publicKey
	for _, r := range raw {
		if k, err := parseKey(r); err == nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errNoKey
	}
	return keys, nil
}

func parseKey(raw json.RawMessage) (publicKey, error) {
	var stated jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &stated); err != nil {
		return publicKey{}, errKey
	}
	if stated.USE != "" && stated.USE != jwkset.UseSig {
		return publicKey{}, errKey
	}
	if len(stated.KEYOPS) > 0 && !slices.Contains(stated.KEYOPS, jwkset.KeyOpsVerify) {
		return publicKey{}, errKey
	}
	alg := jwkset.AlgES256
	if stated.KTY == jwkset.KtyRSA {
		alg = jwkset.AlgRS256
	}
	if stated.ALG != "" && stated.ALG != alg {
		return publicKey{}, errKey
	}
	// Only the public numbers go on: certificates and private parts play no
	// role here, and x5u would name another host to ask.
	bare := jwkset.JWKMarshal{
		KTY: stated.KTY, KID: stated.KID, ALG: stated.ALG,
		N: stated.N, E: stated.E, CRV: stated.CRV, X: stated.X, Y: stated.Y,
	}
	if bare.KTY == jwkset.KtyRSA {
		fromHex(&bare)
	}
	parsed, err := jwkset.NewJWKFromMarshal(bare, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return publicKey{}, errKey
	}
	switch key := parsed.Key().(type) {
	case *rsa.PublicKey:
		if !soundRSA(key.N, big.NewInt(int64(key.E))) {
			return publicKey{}, errKey
		}
		return publicKey{id: bare.KID, alg: jws.RS256, key: key}, nil
	case *ecdsa.PublicKey:
		if bare.CRV != jwkset.CrvP256 {
			return publicKey{}, errKey
		}
		return publicKey{id: bare.KID, alg: jws.ES256, key: key}, nil
	default:
		return publicKey{}, errKey
	}
}

// soundRSA reports whether n and e can be an RSA key that anybody would use.
func soundRSA(n, e *big.Int) bool {
	return n.BitLen() >= minModulus && n.BitLen() <= maxModulus && n.Bit(0) == 1 &&
		e.Cmp(big.NewInt(3)) >= 0 && e.Bit(0) == 1
}

// fromHex rewrites Xsolla's hexadecimal n and e as RFC 7518 section 6.3.1
// wants them, and leaves any other key as it is. Xsolla's e is "10001": five
// digits, so an odd number of them is no objection.
//
// Hexadecimal digits are base64url characters too, and a 2048-bit modulus in
// hex even reads as a 3072-bit one in base64url. Hex wins when both numbers
// read as a sound key in it: that a base64url modulus of that length happens to
// avoid all of g–z, G–Z, "-" and "_" has a chance below 2^-700.
// See https://github.com/xsolla/login-sdk-go.
func fromHex(m *jwkset.JWKMarshal) {
	n, okN := hexNumber(m.N)
	e, okE := hexNumber(m.E)
	if okN && okE && soundRSA(n, e) {
		m.N = base64.RawURLEncoding.EncodeToString(n.Bytes())
		m.E = base64.RawURLEncoding.EncodeToString(e.Bytes())
	}
}

func hexNumber(s string) (*big.Int, bool) {
	notHex := func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }
	// 16 spare digits allow leading zeros; the bound keeps conversion cheap.
	if s == "" || len(s) > maxModulus/4+16 || strings.ContainsFunc(s, notHex) {
		return nil, false
	}
	return new(big.Int).SetString(s, 16)
}
