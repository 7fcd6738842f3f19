package login_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/shared/login"
	"github.com/caseroom/caseroom/shared/problem"
)

// publisher is a login's key endpoint whose answer and clock a test moves.
type publisher struct {
	mu     sync.Mutex
	answer http.Handler
	hits   int
	now    time.Time
}

func newPublisher(t *testing.T, c login.Config, answer http.Handler) (*publisher, *login.Verifier) {
	p := &publisher{answer: answer, now: now}
	c.Now = p.clock
	return p, mustServe(t, p, c)
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.hits++
	answer := p.answer
	p.mu.Unlock()
	answer.ServeHTTP(w, r)
}

func (p *publisher) set(answer http.Handler) { p.mu.Lock(); defer p.mu.Unlock(); p.answer = answer }

func (p *publisher) clock() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return p.now }

func (p *publisher) pass(d time.Duration) { p.mu.Lock(); defer p.mu.Unlock(); p.now = p.now.Add(d) }

func (p *publisher) wantHits(t *testing.T, want int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hits != want {
		t.Errorf("the keys were fetched %d times, want %d", p.hits, want)
	}
}

func answer(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func set(keys ...map[string]any) http.Handler {
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return answer(http.StatusOK, string(body))
}

func but(jwk map[string]any, change map[string]any) map[string]any {
	jwk = maps.Clone(jwk)
	maps.Copy(jwk, change)
	for k, v := range jwk {
		if v == nil {
			delete(jwk, k)
		}
	}
	return jwk
}

func TestKeysAccepted(t *testing.T) {
	rsa, ec := logintest.RSA("k"), logintest.EC("k")
	anonymous := logintest.RSA("")
	rsa3072 := newRSA(t, "k", 3072)
	symmetric := map[string]any{"kty": "oct", "kid": "k", "k": "c2VjcmV0"}
	okp := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	tests := []struct {
		name   string
		keys   http.Handler
		signer *logintest.Signer
	}{
		{"RSA", logintest.JWKS(rsa), rsa},
		{"EC", logintest.JWKS(ec), ec},
		{"RSA of 3072 bits", logintest.JWKS(rsa3072), rsa3072},
		{"Xsolla", logintest.XsollaKeys(rsa), rsa},
		{"Xsolla with 3072 bits", logintest.XsollaKeys(rsa3072), rsa3072},
		{"hex in a set", set(rsa.XsollaJWK()), rsa},
		{"hex in capitals", set(but(rsa.XsollaJWK(), map[string]any{"n": strings.ToUpper(rsa.XsollaJWK()["n"].(string))})), rsa},
		{"hex with leading zeros", set(but(rsa.XsollaJWK(), map[string]any{"n": "00" + rsa.XsollaJWK()["n"].(string), "e": "010001"})), rsa},
		{"base64url in a bare array", answer(http.StatusOK, mustJSON([]any{rsa.JWK()})), rsa},
		{"both types under one id: RSA", logintest.JWKS(rsa, ec), rsa},
		{"both types under one id: EC", logintest.JWKS(rsa, ec), ec},
		{"no use, no alg", set(but(rsa.JWK(), map[string]any{"use": nil, "alg": nil})), rsa},
		{"key_ops verify", set(but(rsa.JWK(), map[string]any{"key_ops": []string{"verify"}})), rsa},
		{"padding", set(but(rsa.JWK(), map[string]any{"n": rsa.JWK()["n"].(string) + "=="})), rsa},
		{"a certificate that is none", set(but(rsa.JWK(), map[string]any{"x5c": []string{"x"}, "x5u": "http://evil.example"})), rsa},
		{"unusable keys beside it", set(symmetric, okp, map[string]any{"kty": "RSA", "kid": 5}, rsa.JWK()), rsa},
		{"the one key, unnamed", logintest.JWKS(anonymous), anonymous},
		{"the one key, named, for a token without kid", logintest.JWKS(rsa), anonymous},
		{"the one key of the algorithm for a token without kid", logintest.JWKS(rsa, ec), anonymous},
		{"the one usable key for a token without kid", set(symmetric, rsa.JWK()), anonymous},
		{"the same id twice", logintest.JWKS(newRSA(t, "k", 2048), rsa), rsa},
		{"a byte order of JSON", answer(http.StatusOK, " \n"+mustJSON(map[string]any{"keys": []any{rsa.JWK()}})), rsa},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := mustServe(t, tt.keys, login.Config{})
			if _, err := v.Verify(t.Context(), mustSign(t, tt.signer, claims(nil))); err != nil {
				t.Error(err)
			}
		})
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The signature would verify with each of these keys.
func TestKeysRefused(t *testing.T) {
	rsa, ec := logintest.RSA("k"), logintest.EC("k")
	small := newRSA(t, "k", 1024)
	p384, err := logintest.NewEC("k", elliptic.P384())
	if err != nil {
		t.Fatal(err)
	}
	other := logintest.EC("other").JWK() // so that the set is not empty
	tests := []struct {
		name   string
		jwk    map[string]any
		signer *logintest.Signer
	}{
		{"use enc", but(rsa.JWK(), map[string]any{"use": "enc"}), rsa},
		{"unknown use", but(rsa.JWK(), map[string]any{"use": "SIG"}), rsa},
		{"key_ops without verify", but(rsa.JWK(), map[string]any{"key_ops": []string{"encrypt"}}), rsa},
		{"alg RS512", but(rsa.JWK(), map[string]any{"alg": "RS512"}), rsa},
		{"alg ES256 on an RSA key", but(rsa.JWK(), map[string]any{"alg": "ES256"}), rsa},
		{"alg HS256 on an RSA key", but(rsa.JWK(), map[string]any{"alg": "HS256"}), rsa},
		{"alg RSA-OAEP", but(rsa.JWK(), map[string]any{"alg": "RSA-OAEP"}), rsa},
		{"alg RS256 on an EC key", but(ec.JWK(), map[string]any{"alg": "RS256"}), ec},
		{"use enc on an EC key", but(ec.JWK(), map[string]any{"use": "enc"}), ec},
		{"RSA of 1024 bits", small.JWK(), small},
		{"RSA of 1024 bits in hex", small.XsollaJWK(), small},
		{"P-384", p384.JWK(), p384},
		{"P-384 without alg", but(p384.JWK(), map[string]any{"alg": nil}), p384},
		{"a point off the curve", but(ec.JWK(), map[string]any{"x": ec.JWK()["y"], "y": ec.JWK()["x"]}), ec},
		{"e too large", but(rsa.JWK(), map[string]any{"e": "AQAAAAAAAQAB"}), rsa},
		{"e of one", but(rsa.JWK(), map[string]any{"e": "AQ"}), rsa},
		{"even modulus", but(rsa.JWK(), map[string]any{"n": rsa.JWK()["n"].(string)[:340] + "AA"}), rsa},
		{"hex n with base64url e", but(rsa.XsollaJWK(), map[string]any{"e": "AQAB"}), rsa},
		{"no n", but(rsa.JWK(), map[string]any{"n": nil}), rsa},
		{"another id", but(rsa.JWK(), map[string]any{"kid": "K"}), rsa},
		{"no id", but(rsa.JWK(), map[string]any{"kid": nil}), rsa},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := mustServe(t, set(tt.jwk, other), login.Config{})
			token := mustSign(t, tt.signer, claims(nil))
			u, err := v.Verify(t.Context(), token)
			wantInvalid(t, token, u, err)
		})
	}
	for name, s := range map[string]*logintest.Signer{"ES256": ec, "RS256": rsa} {
		v := mustServe(t, set(s.JWK(), other), login.Config{})
		if _, err := v.Verify(t.Context(), mustSign(t, s, claims(nil))); err != nil {
			t.Errorf("%s unchanged is refused too: %v", name, err)
		}
	}
}

func TestKeysUnavailable(t *testing.T) {
	rsa := logintest.RSA("k")
	good := mustJSON(map[string]any{"keys": []any{rsa.JWK()}})
	for name, handler := range map[string]http.Handler{
		"500":           answer(http.StatusInternalServerError, good),
		"404":           answer(http.StatusNotFound, good),
		"201":           answer(http.StatusCreated, good),
		"redirect":      http.RedirectHandler("/elsewhere", http.StatusFound),
		"HTML":          answer(http.StatusOK, "<html>"),
		"null":          answer(http.StatusOK, "null"),
		"a string":      answer(http.StatusOK, `"keys"`),
		"no keys":       answer(http.StatusOK, `{}`),
		"an empty set":  answer(http.StatusOK, `{"keys":[]}`),
		"an empty list": answer(http.StatusOK, `[]`),
		"cut off":       answer(http.StatusOK, good[:len(good)-5]),
		"too large":     answer(http.StatusOK, good+strings.Repeat(" ", 1<<20)),
		"no usable key": set(but(rsa.JWK(), map[string]any{"use": "enc"})),
		"dropped": http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			p, v := newPublisher(t, login.Config{}, handler)
			token := mustSign(t, rsa, claims(nil))
			_, err := v.Verify(t.Context(), token)
			if problem.CodeOf(err) != problem.Unavailable || errors.Is(err, login.ErrInvalid) {
				t.Fatalf("Verify() = %v, want code %s", err, problem.Unavailable)
			}
			if strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the error holds the URL: %v", err)
			}
			p.wantHits(t, 1)
			if _, err := v.Verify(t.Context(), token); problem.CodeOf(err) != problem.Unavailable {
				t.Errorf("again: %v", err)
			}
			p.wantHits(t, 1)
			p.set(answer(http.StatusOK, good))
			p.pass(6 * time.Second)
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Errorf("after recovery: %v", err)
			}
			p.wantHits(t, 2)
		})
	}
}

func TestKeysCachedTenMinutes(t *testing.T) {
	rsa := logintest.RSA("k")
	p, v := newPublisher(t, login.Config{}, logintest.JWKS(rsa))
	token := mustSign(t, rsa, claims(nil))
	verify := func() {
		t.Helper()
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	verify()
	p.pass(9*time.Minute + 59*time.Second)
	verify()
	p.wantHits(t, 1)
	p.pass(time.Second)
	verify()
	p.wantHits(t, 2)
}

func TestKeysWithdrawn(t *testing.T) {
	old, next := logintest.RSA("old"), logintest.EC("next")
	p, v := newPublisher(t, login.Config{}, logintest.JWKS(old, next))
	token := mustSign(t, old, claims(nil))
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	p.set(logintest.JWKS(next))
	p.pass(10 * time.Minute)
	u, err := v.Verify(t.Context(), token)
	wantInvalid(t, token, u, err)
}

func TestKeysRotated(t *testing.T) {
	old, next := logintest.RSA("old"), logintest.EC("next")
	p, v := newPublisher(t, login.Config{}, logintest.JWKS(old))
	oldToken, nextToken := mustSign(t, old, claims(nil)), mustSign(t, next, claims(nil))
	if _, err := v.Verify(t.Context(), oldToken); err != nil {
		t.Fatal(err)
	}
	p.set(logintest.JWKS(old, next))

	p.pass(59 * time.Second)
	u, err := v.Verify(t.Context(), nextToken)
	wantInvalid(t, nextToken, u, err)
	p.wantHits(t, 1) // a minute between fetches

	p.pass(time.Second)
	if _, err := v.Verify(t.Context(), nextToken); err != nil {
		t.Error(err)
	}
	p.wantHits(t, 2)

	stranger := mustSign(t, logintest.EC("stranger"), claims(nil))
	for range 3 {
		u, err := v.Verify(t.Context(), stranger)
		wantInvalid(t, stranger, u, err)
	}
	p.wantHits(t, 2)
}

// An algorithm that the configuration rules out is refused before any key is
// looked for.
func TestNoKeysForOtherAlgorithms(t *testing.T) {
	rsa := logintest.RSA("k")
	p, published := newPublisher(t, login.Config{}, logintest.JWKS(rsa))
	shared := mustNew(t, login.Config{Secrets: func(context.Context) ([]string, error) {
		t.Error("the secret was read")
		return []string{secret}, nil
	}})
	for v, token := range map[*login.Verifier]string{
		published: mustSign(t, logintest.HS(secret), claims(nil)),
		shared:    mustSign(t, rsa, claims(nil)),
	} {
		u, err := v.Verify(t.Context(), token)
		wantInvalid(t, token, u, err)
	}
	p.wantHits(t, 0)
}

// A known id under another algorithm, and a token that names no key, cause no
// fetch: new keys could not make them good.
func TestKeysNotFetchedInVain(t *testing.T) {
	p, v := newPublisher(t, login.Config{}, logintest.JWKS(logintest.RSA("a"), logintest.EC("b"), newRSA(t, "c", 2048)))
	if _, err := v.Verify(t.Context(), mustSign(t, logintest.RSA("a"), claims(nil))); err != nil {
		t.Fatal(err)
	}
	p.pass(5 * time.Minute)
	for _, s := range []*logintest.Signer{logintest.EC("a"), logintest.RSA(""), logintest.HS(secret)} {
		token := mustSign(t, s, claims(nil))
		u, err := v.Verify(t.Context(), token)
		wantInvalid(t, token, u, err)
	}
	p.wantHits(t, 1)
}

func TestKeysLastGoodStay(t *testing.T) {
	rsa := logintest.RSA("k")
	var logged bytes.Buffer
	p, v := newPublisher(t, login.Config{Log: slog.New(slog.NewTextHandler(&logged, nil))}, logintest.JWKS(rsa))
	token := mustSign(t, rsa, claims(nil))
	for range 2 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		p.set(answer(http.StatusServiceUnavailable, ""))
		p.pass(11 * time.Minute)
	}
	p.wantHits(t, 2)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	p.wantHits(t, 3)
	for range 3 { // no fetch within a minute of a failed one
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	p.wantHits(t, 3)
	if !strings.Contains(logged.String(), "status=503") && !strings.Contains(logged.String(), "status 503") {
		t.Errorf("the log does not say why: %s", logged.String())
	}
	if strings.Contains(logged.String(), "127.0.0.1") {
		t.Errorf("the log holds the URL: %s", logged.String())
	}
}

// transport answers key requests when the test lets it.
type transport struct {
	calls   atomic.Int32
	release chan struct{}
	body    string
}

func (tr *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.calls.Add(1)
	select {
	case <-tr.release:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	_, _ = io.WriteString(w, tr.body)
	return w.Result(), nil
}

func newTransport(v any) *transport {
	return &transport{release: make(chan struct{}), body: mustJSON(v)}
}

func (tr *transport) verifier(t *testing.T) *login.Verifier {
	return mustNew(t, login.Config{
		JWKSURL: "https://login.example.com/keys", Client: &http.Client{Transport: tr}, Now: clock,
	})
}

func TestKeysFetchedOnceForAll(t *testing.T) {
	rsa := logintest.RSA("k")
	token := mustSign(t, rsa, claims(nil))
	for name, tt := range map[string]struct {
		keys []any
		want error
	}{"success": {[]any{rsa.JWK()}, nil}, "failure": {[]any{}, errUnavailable}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTransport(map[string]any{"keys": tt.keys})
				v := tr.verifier(t)
				var errs [8]error
				var wg sync.WaitGroup
				for i := range errs {
					wg.Go(func() { _, errs[i] = v.Verify(t.Context(), token) })
				}
				synctest.Wait()
				close(tr.release)
				wg.Wait()
				for _, err := range errs {
					if (err == nil) != (tt.want == nil) || (err != nil && problem.CodeOf(err) != problem.Unavailable) {
						t.Errorf("Verify() = %v, want %v", err, tt.want)
					}
				}
				if n := tr.calls.Load(); n != 1 {
					t.Errorf("%d fetches, want 1", n)
				}
			})
		})
	}
}

var errUnavailable = problem.New(problem.Unavailable, "")

func TestKeysWaitObeysContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rsa := logintest.RSA("k")
		token := mustSign(t, rsa, claims(nil))
		tr := newTransport(map[string]any{"keys": []any{rsa.JWK()}})
		v := tr.verifier(t)

		first, giveUp := context.WithCancel(t.Context())
		var firstErr, secondErr, thirdErr error
		var wg sync.WaitGroup
		wg.Go(func() { _, firstErr = v.Verify(first, token) })
		synctest.Wait()
		second, giveUpToo := context.WithCancel(t.Context())
		wg.Go(func() { _, secondErr = v.Verify(second, token) })
		wg.Go(func() { _, thirdErr = v.Verify(t.Context(), token) })
		synctest.Wait()

		giveUpToo() // while it waits for the first
		synctest.Wait()
		if !errors.Is(secondErr, context.Canceled) || problem.CodeOf(secondErr) != problem.Unavailable {
			t.Errorf("the second: %v", secondErr)
		}
		giveUp() // while it fetches: that failure is nobody else's
		synctest.Wait()
		if !errors.Is(firstErr, context.Canceled) || problem.CodeOf(firstErr) != problem.Unavailable {
			t.Errorf("the first: %v", firstErr)
		}
		close(tr.release)
		wg.Wait()
		if thirdErr != nil {
			t.Errorf("the third: %v", thirdErr)
		}
		if n := tr.calls.Load(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func TestKeysFetchHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTransport(nil)
		_, err := tr.verifier(t).Verify(t.Context(), mustSign(t, logintest.RSA("k"), claims(nil)))
		if !errors.Is(err, context.DeadlineExceeded) || problem.CodeOf(err) != problem.Unavailable {
			t.Errorf("Verify() = %v", err)
		}
	})
}
