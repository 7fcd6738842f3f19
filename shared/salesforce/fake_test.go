package salesforce_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caseroom/caseroom/shared/salesforce"
	"github.com/caseroom/caseroom/shared/upstream"
	"github.com/caseroom/caseroom/shared/upstream/upstreamtest"
)

const (
	clientID     = "3MVG9.consumer"
	clientSecret = "client-secret-8c1f"
	username     = `bot<&">@example.com`
	password     = `p&ss<word>"'`
	security     = "AbCd12"
	loginAt      = "/my"   // My Domain's prefix on the test server
	instanceAt   = "/inst" // the instance's
	tokenPath    = loginAt + "/services/oauth2/token"
	soapPath     = loginAt + "/services/Soap/u/64.0"
	casesPath    = instanceAt + "/services/data/v68.0/sobjects/Case"
	key          = "abcdefghijklmnopqrstuvwxyz"
	casePath     = casesPath + "/Caseroom_Key__c/" + key
	caseID       = "500000000000001AAA"
)

// org is a Salesforce org of one test. Login and instance are two prefixes of
// one server, so that a call to the wrong one is noticed.
type org struct {
	*upstreamtest.Account
	t        *testing.T
	host     string // http://127.0.0.1:port
	instance string // what token answers name
	minted   atomic.Int64
}

func newOrg(t *testing.T) *org {
	t.Helper()
	o := newDirectOrg(t)
	o.host = o.Listen()
	o.instance = o.host + instanceAt
	return o
}

// newDirectOrg is an org without a network, for tests in which time is
// simulated: it is its clients' transport.
func newDirectOrg(t *testing.T) *org {
	const host = "https://acme.my.salesforce.com"
	o := &org{Account: upstreamtest.NewAccount(t, ""), t: t, host: host, instance: host + instanceAt}
	o.On("POST "+tokenPath, o.mint)
	return o
}

// mint is the token endpoint for the one client there is.
func (o *org) mint(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "client_credentials" ||
		r.PostForm.Get("client_id") != clientID || r.PostForm.Get("client_secret") != clientSecret {
		reply(400, `{"error":"invalid_client","error_description":"invalid client credentials `+clientSecret+`"}`)(w, r)
		return
	}
	o.grant(w, r)
}

func (o *org) grant(w http.ResponseWriter, r *http.Request) {
	reply(200, fmt.Sprintf(`{"access_token":"00D!tok-%d","signature":"s","scope":"api","instance_url":%q,"id":"https://login.salesforce.com/id/00D/005","token_type":"Bearer","issued_at":"1793000000000"}`, o.minted.Add(1), o.instance))(w, r)
}

// restError is an answer in REST's error shape.
func restError(status int, code string) http.HandlerFunc {
	return reply(status, `[{"message":"about ann@example.com and 00D!tok-1","errorCode":"`+code+`","fields":[]}]`)
}

var created = reply(201, `{"id":"`+caseID+`","success":true,"errors":[]}`)

type source = func(context.Context) (salesforce.Credentials, error)

func fixed(c salesforce.Credentials) source {
	return func(context.Context) (salesforce.Credentials, error) { return c, nil }
}

var (
	byClient = salesforce.Credentials{ClientID: clientID, ClientSecret: clientSecret}
	bySOAP   = salesforce.Credentials{Username: username, Password: password, SecurityToken: security}
)

var privateKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func privatePEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(privateKey())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func (o *org) client(change ...func(*salesforce.Options)) *salesforce.Client {
	o.t.Helper()
	opts := salesforce.Options{
		BaseURL: o.host + loginAt, Credentials: fixed(byClient), Transport: &http.Transport{},
		KeyField: "Caseroom_Key__c", UserField: "Caseroom_User__c",
	}
	for _, c := range change {
		c(&opts)
	}
	c, err := salesforce.New(opts)
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

var noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// secret is what no error or log may hold.
var secret = []string{clientSecret, password, security, username, "tok-", "127.0.0.1", "ann@", "PRIVATE KEY", "eyJ", url.QueryEscape(password)}

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
