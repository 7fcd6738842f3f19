package login

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caseroom/caseroom/shared/login/jws"
	"github.com/caseroom/caseroom/shared/upstream"
)

const (
	keysFor      = 10 * time.Minute // how long fetched keys are used unasked
	refetchAfter = time.Minute      // between fetches while some keys are there
	failedFor    = 5 * time.Second  // between fetches while none are; who waited for a failed one shares it
	fetchTimeout = 5 * time.Second
	maxKeySet    = 1 << 20 // bytes
)

// keySource holds a login's published keys. Keys are fetched by whoever needs
// them, inside that caller's deadline: nothing runs in the background.
type keySource struct {
	url    string
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	current atomic.Pointer[keySet]
	lock    chan struct{} // a mutex that a context can give up on; it guards:
	tried   time.Time
	failure error // of the last fetch
}

type keySet struct {
	keys    []publicKey
	fetched time.Time
}

// publicKey is a key with the one algorithm that its type allows.
type publicKey struct {
	id  string // "" if the set names none
	alg string
	key jwt.VerificationKey
}

func newKeySource(c Config) (*keySource, error) {
	if err := checkURL(c.JWKSURL, c.Local); err != nil {
		return nil, err
	}
	client := http.Client{}
	if c.Client != nil {
		client = *c.Client
	}
	// A redirect would take keys from a host that nobody configured.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &keySource{url: c.JWKSURL, client: &client, now: c.Now, log: c.Log, lock: make(chan struct{}, 1)}, nil
}

// checkURL accepts what [upstream.ParseBaseURL] does and a query, which some
// logins select the key set by.
func checkURL(raw string, local bool) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("login: the JWKS URL is not a URL")
	}
	u.RawQuery = ""
	if _, err := upstream.ParseBaseURL(u.String(), local); err != nil {
		return errors.New("login: the JWKS URL must be https, without user info and fragment")
	}
	return nil
}

// find returns the keys that may have signed a token with this header: usually
// one, none if the login does not publish it.
func (k *keySource) find(ctx context.Context, head jws.Header) ([]jwt.VerificationKey, error) {
	set := k.current.Load()
	if set == nil || k.now().Sub(set.fetched) >= keysFor {
		var err error
		if set, err = k.refresh(ctx, set); err != nil {
			return nil, err
		}
	}
	keys, known := set.find(head)
	if known || head.KeyID == "" {
		return keys, nil
	}
	set, err := k.refresh(ctx, set)
	if err != nil {
		return nil, err
	}
	keys, _ = set.find(head)
	return keys, nil
}

// find also reports whether the key id is known, under any algorithm. A token
// without a key id is accepted only when one key alone has its algorithm.
func (s *keySet) find(head jws.Header) (keys []jwt.VerificationKey, known bool) {
	for _, k := range s.keys {
		if head.KeyID != "" && k.id != head.KeyID {
			continue
		}
		known = true
		if k.alg == head.Alg {
			keys = append(keys, k.key)
		}
	}
	if head.KeyID == "" && len(keys) > 1 {
		return nil, true
	}
	return keys, known
}

// refresh replaces the set that the caller has, once for all callers that ask
// at the same time and not more often than [refetchAfter]. While it cannot, the
// caller's set stays; it returns an error only if there is none.
func (k *keySource) refresh(ctx context.Context, have *keySet) (*keySet, error) {
	select {
	case k.lock <- struct{}{}:
		defer func() { <-k.lock }()
	case <-ctx.Done():
		return keep(have, ctx.Err())
	}
	if set := k.current.Load(); set != have {
		return set, nil
	}
	pause := refetchAfter
	if have == nil {
		pause = failedFor
	}
	if !k.tried.IsZero() && k.now().Sub(k.tried) < pause {
		return keep(have, k.failure)
	}
	keys, err := k.fetch(ctx)
	if err != nil && ctx.Err() != nil {
		return keep(have, err) // this caller's deadline; it says nothing to others
	}
	k.tried, k.failure = k.now(), err
	if err != nil {
		if have != nil {
			k.log.WarnContext(ctx, "login keys cannot be fetched, the last ones stay", "error", err)
		}
		return keep(have, err)
	}
	set := &keySet{keys: keys, fetched: k.tried}
	k.current.Store(set)
	return set, nil
}

func keep(have *keySet, err error) (*keySet, error) {
	if have != nil {
		return have, nil
	}
	return nil, err
}

// fetch reads the key set once. An answer without a usable key is a failure:
// it is likelier an accident than the end of all logins.
func (k *keySource) fetch(ctx context.Context) ([]publicKey, error) {
	fetching, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	failed := func(class upstream.Class, status int, cause error) error {
		return &upstream.Error{Vendor: "login", Op: "keys", Class: class, Status: status, Err: cause}
	}
	req, err := http.NewRequestWithContext(fetching, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, failed(upstream.Refused, 0, errors.New("request does not form a URL"))
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	req.Header.Set("User-Agent", "caseroom/1")
	res, err := k.client.Do(req)
	if err != nil {
		return nil, failed(upstream.Unavailable, 0, transportCause(fetching))
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, failed(upstream.StatusClass(res.StatusCode), res.StatusCode, nil)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	if err != nil {
		return nil, failed(upstream.Unavailable, res.StatusCode, transportCause(fetching))
	}
	if len(body) > maxKeySet {
		return nil, failed(upstream.Unknown, res.StatusCode, errors.New("answer too large"))
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, failed(upstream.Unknown, res.StatusCode, err)
	}
	return keys, nil
}

// transportCause stands for a transport error, whose text holds the URL.
func transportCause(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.New("no answer")
}
