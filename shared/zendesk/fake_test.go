package zendesk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
	"github.com/caseroom/caseroom/shared/zendesk"
)

const (
	clientID     = "caseroom_app"
	clientSecret = "client-secret-8c1f"
	apiToken     = "api-token-77ab"
	prefix       = "/zd" // an absolute path by mistake misses the server
)

// account is a Zendesk account of one test.
type account struct {
	*upstreamtest.Account
	t      *testing.T
	url    string
	minted atomic.Int64
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := newDirectAccount(t)
	a.url = a.Listen() + prefix
	return a
}

// newDirectAccount is an account without a network, for tests in which time is
// simulated: it is its clients' transport.
func newDirectAccount(t *testing.T) *account {
	a := &account{Account: upstreamtest.NewAccount(t, prefix), t: t, url: "https://acme.zendesk.com" + prefix}
	a.On("POST /oauth/tokens", a.mint)
	return a
}

// mint is POST /oauth/tokens as Zendesk does it, for the one client there is.
func (a *account) mint(w http.ResponseWriter, r *http.Request) {
	var in map[string]string
	if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&in) != nil {
		reply(400, `{"error":"invalid_request","error_description":"…"}`)(w, r)
		return
	}
	if in["grant_type"] != "client_credentials" || in["client_id"] != clientID || in["client_secret"] != clientSecret {
		reply(401, `{"error":"invalid_client","error_description":"secret `+in["client_secret"]+` is wrong"}`)(w, r)
		return
	}
	reply(200, fmt.Sprintf(`{"access_token":"tok-%d","token_type":"bearer","scope":%q,"expires_in":1800}`, a.minted.Add(1), in["scope"]))(w, r)
}

func oauth(context.Context) (zendesk.Credentials, error) {
	return zendesk.Credentials{ClientID: clientID, ClientSecret: clientSecret}, nil
}

func legacy(context.Context) (zendesk.Credentials, error) {
	return zendesk.Credentials{Email: "bot@example.com", APIToken: apiToken}, nil
}

func (a *account) client(change ...func(*zendesk.Options)) *zendesk.Client {
	a.t.Helper()
	o := zendesk.Options{BaseURL: a.url, Credentials: oauth, Transport: &http.Transport{}}
	for _, c := range change {
		c(&o)
	}
	c, err := zendesk.New(o)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

var noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// secret is what no error or log may hold.
var secret = []string{clientSecret, apiToken, "tok-", "127.0.0.1", "Ym90QGV4YW1wbGUuY29t", chatToken}

func mustError(t *testing.T, err error) *upstream.Error {
	t.Helper()
	return upstreamtest.Error(t, err, secret...)
}

// Short names of what the tests use on every other line.
type roundTrip = upstreamtest.RoundTrip

var (
	reply  = upstreamtest.Reply
	inTurn = upstreamtest.InTurn
	drop   = upstreamtest.Drop
	hang   = upstreamtest.Hang
	answer = upstreamtest.Answer
	noWait = upstreamtest.NoWait
)
