package sandbox

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	mathrand "math/rand/v2"
	"sync"

	"github.com/caseroom/caseroom/local/logintest"
	"github.com/caseroom/caseroom/local/sandbox/aws"
	"github.com/caseroom/caseroom/local/sandbox/cronofy"
	"github.com/caseroom/caseroom/local/sandbox/salesforce"
	"github.com/caseroom/caseroom/local/sandbox/tencent"
	"github.com/caseroom/caseroom/local/sandbox/zendesk"
	"github.com/caseroom/caseroom/shared/identity"
)

// Fixtures are the accounts and credentials that the stand-ins know, and the
// secrets that a stack on the sandbox gets. They are made of [Options.Seed];
// only Salesforce's RSA key differs from process to process.
type Fixtures struct {
	AWS        aws.Fixture
	Tencent    tencent.Fixture
	Zendesk    zendesk.Fixture
	Salesforce salesforce.Fixture
	Cronofy    cronofy.Fixture
	// LoginHS256 signs end users' login tokens.
	LoginHS256 string
	// GuestSecret makes guest ids and signs guest tokens.
	GuestSecret string
	// DeskKeyZendesk and DeskKeySalesforce are the desks' bearer keys.
	DeskKeyZendesk    string
	DeskKeySalesforce string
	// AppSessionSecret signs the agent panel's session tokens.
	AppSessionSecret string
	// Secrets are the stack's secrets by id, as Secrets Manager holds them at
	// the start. See [Sandbox.SetSecret].
	Secrets map[string]json.RawMessage
}

// The ids under which a stack finds its secrets, unless it is told otherwise.
const (
	SecretTencent       = "caseroom/tencent"
	SecretZendesk       = "caseroom/zendesk"
	SecretZendeskApp    = "caseroom/zendesk-app"
	SecretZendeskEvents = "caseroom/zendesk-events"
	SecretZendeskChat   = "caseroom/zendesk-chat"
	SecretZopim         = "caseroom/zopim"
	SecretSalesforce    = "caseroom/salesforce"
	SecretLogin         = "caseroom/login"
	SecretGuest         = "caseroom/guest"
	SecretDeskKeys      = "caseroom/desk-keys"
	SecretCronofy       = "caseroom/cronofy"
	SecretChatWebhook   = "caseroom/chat-webhook"
)

var (
	zendeskAppKey = sync.OnceValue(logintest.PublishedRSAKey)
)

// ZendeskAppKey is the key pair by which Zendesk signs the app's URLs. It is
// always the same published one, so that a stored event stays valid.
func (Fixtures) ZendeskAppKey() *rsa.PrivateKey { return zendeskAppKey() }

// SalesforceKey is the key pair of the JWT bearer flow's certificate. It is
// made once per process.
func (Fixtures) SalesforceKey() *rsa.PrivateKey { return salesforce.Key() }

// SalesforceKeyPEM is SalesforceKey as the secret's privateKey holds it.
func (f Fixtures) SalesforceKeyPEM() string {
	der, err := x509.MarshalPKCS8PrivateKey(f.SalesforceKey())
	if err != nil {
		panic(err) // an RSA key always marshals
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// ZendeskAppPublicPEM is the public half of ZendeskAppKey.
func (f Fixtures) ZendeskAppPublicPEM() string {
	der, err := x509.MarshalPKIXPublicKey(&f.ZendeskAppKey().PublicKey)
	if err != nil {
		panic(err) // an RSA key always marshals
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newFixtures(seed uint64) Fixtures {
	// A stream of its own: the fixtures stay the same when a stand-in starts to
	// draw more or fewer numbers.
	src := mathrand.New(mathrand.NewPCG(seed, 1))
	hexOf := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(src.Uint32())
		}
		return hex.EncodeToString(b)
	}
	sfID := func(short string) string {
		id, err := identity.SalesforceID(short, short[:3])
		if err != nil {
			panic(err)
		}
		return id
	}
	f := Fixtures{
		AWS: aws.Fixture{
			AccessKeyID:     "AKIASANDBOX" + "000000001",
			SecretAccessKey: hexOf(20),
			Region:          "eu-central-1",
			AccountID:       "000000000000",
		},
		Tencent: tencent.Fixture{SDKAppID: 1400000000, SecretKey: hexOf(32), AdminUserID: "administrator"},
		Zendesk: zendesk.Fixture{
			ClientID: "caseroom", ClientSecret: hexOf(32),
			Email: "api@caseroom.example", APIToken: hexOf(20),
			WebhookSecret:    hexOf(30),
			EventsBearer:     hexOf(32),
			ChatSharedSecret: hexOf(32),
			MessagingKeyID:   "act_" + hexOf(12),
			MessagingSecret:  hexOf(32),
			ZopimToken:       hexOf(32),
			OwnUserID:        900000001,
			AgentIDs:         [2]int64{900000101, 900000102},
		},
		Salesforce: salesforce.Fixture{
			ClientID:      "3MVG9" + hexOf(40),
			ClientSecret:  hexOf(32),
			Username:      "api@caseroom.example",
			Password:      hexOf(8),
			SecurityToken: hexOf(12),
			Audience:      "https://login.salesforce.com",
			OrgID:         sfID("00DHs0000000001"),
			OwnUserID:     sfID("005Hs0000000001"),
			AgentIDs:      [2]string{sfID("005Hs0000000Ab1"), sfID("005Hs0000000Ab2")},
		},
		LoginHS256:        hexOf(32),
		GuestSecret:       hexOf(32),
		DeskKeyZendesk:    hexOf(32),
		DeskKeySalesforce: hexOf(32),
		AppSessionSecret:  hexOf(32),
		Cronofy:           cronofy.Fixture{ClientID: hexOf(16), ClientSecret: hexOf(40), StateSecret: hexOf(32)},
	}
	f.Zendesk.AdminSession = hexOf(32)
	f.Tencent.WebhookToken = hexOf(20)
	return f
}

// secrets renders the fixtures as the stack's secrets.
func (f Fixtures) secrets() map[string]json.RawMessage {
	values := map[string]any{
		SecretTencent: map[string]any{
			"sdkAppId": f.Tencent.SDKAppID, "secretKey": f.Tencent.SecretKey, "adminUserId": f.Tencent.AdminUserID,
		},
		SecretChatWebhook: map[string]any{
			"tokens": []string{f.Tencent.WebhookToken}, "sdkAppId": f.Tencent.SDKAppID, "adminUserId": f.Tencent.AdminUserID,
		},
		SecretCronofy: map[string]any{
			"clientId": f.Cronofy.ClientID, "clientSecret": f.Cronofy.ClientSecret, "stateSecret": f.Cronofy.StateSecret,
		},
		SecretZendesk: map[string]any{"clientId": f.Zendesk.ClientID, "clientSecret": f.Zendesk.ClientSecret},
		SecretZendeskApp: map[string]any{
			"appPublicKey": f.ZendeskAppPublicPEM(), "sessionSecrets": []string{f.AppSessionSecret},
		},
		SecretZendeskEvents: map[string]any{
			"webhookSecrets": []string{f.Zendesk.WebhookSecret}, "bearers": []string{f.Zendesk.EventsBearer},
		},
		SecretZendeskChat: map[string]any{
			"sharedSecret":   f.Zendesk.ChatSharedSecret,
			"messagingKeyId": f.Zendesk.MessagingKeyID, "messagingSecret": f.Zendesk.MessagingSecret,
		},
		SecretZopim: map[string]any{"apiToken": f.Zendesk.ZopimToken},
		SecretSalesforce: map[string]any{
			"clientId": f.Salesforce.ClientID, "clientSecret": f.Salesforce.ClientSecret,
		},
		SecretLogin: map[string]any{"hs256Secrets": []string{f.LoginHS256}},
		SecretGuest: map[string]any{"guestSecrets": []string{f.GuestSecret}},
		SecretDeskKeys: map[string]any{
			"salesforce": []string{f.DeskKeySalesforce}, "zendesk": []string{f.DeskKeyZendesk},
		},
	}
	out := make(map[string]json.RawMessage, len(values))
	for id, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and numbers only
		}
		out[id] = b
	}
	return out
}
