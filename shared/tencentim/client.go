// Package tencentim calls the REST API of Tencent Cloud Chat (IM): accounts,
// groups and their members. [Client] has one method per endpoint; [Rooms] makes
// a ticket's room out of them.
//
// The API answers HTTP 200 to almost everything and says what happened in
// ErrorCode; errors.go holds the one table of those codes. The admin's UserSig
// travels in the query string, so no error made here holds a URL, and the
// vendor's ErrorInfo, which quotes requests, is never read.
//
// See https://trtc.io/document/34895 and https://trtc.io/document/34348.
package tencentim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/shared/upstream"
)

const vendor = "tencent"

// Hosts are the API's base URLs by region. An app lives in one region, and any
// other host refuses it with 60026, 70016 or 70020.
var Hosts = map[string]string{
	"cn": "https://console.tim.qq.com",
	"sg": "https://adminapisgp.im.qcloud.com",
	"kr": "https://adminapikr.im.qcloud.com",
	"jp": "https://adminapijpn.im.qcloud.com",
	"de": "https://adminapiger.im.qcloud.com",
	"us": "https://adminapiusa.im.qcloud.com",
	"id": "https://adminapiidn.im.qcloud.com",
}

// Credentials are an IM app and the admin in whose name REST calls are signed:
// the value of TENCENT_SECRET.
type Credentials struct {
	SDKAppID    int    `json:"sdkAppId"`
	SecretKey   string `json:"secretKey"`
	AdminUserID string `json:"adminUserId"`
}

// Validate reports a missing or impossible field by name, never by value.
func (c Credentials) Validate() error {
	switch {
	case c.SDKAppID <= 0:
		return errors.New("sdkAppId is not a positive number")
	case c.SecretKey == "":
		return errors.New("secretKey is empty")
	case c.AdminUserID == "" || len(c.AdminUserID) > 32:
		return errors.New("adminUserId is not 1 to 32 bytes long")
	}
	return nil
}

const redacted = "tencentim.Credentials(REDACTED)"

func (Credentials) String() string { return redacted }

// GoString keeps the key out of %#v.
func (Credentials) GoString() string { return redacted }

// LogValue keeps the key out of structured logs.
func (Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }

// Options configure a [Client]. Credentials is required, and so is one of
// Region and BaseURL.
type Options struct {
	Region  string // a key of [Hosts]
	BaseURL string // overrides the region's host; see [upstream.ParseBaseURL]
	Local   bool   // also allow http to host.docker.internal (AWS_SAM_LOCAL)
	// Credentials is asked before every call, so it should cache.
	Credentials func(context.Context) (Credentials, error)
	// Reread fetches the credentials again after the vendor refused them. Nil:
	// Credentials.
	Reread    func(context.Context) (Credentials, error)
	Now       func() time.Time // time.Now if nil
	Random    func() uint32    // of the query's random; math/rand/v2 if nil
	Transport http.RoundTripper
	Timeout   time.Duration // of one attempt, 5 s if zero: the vendor's own is 3 s
}

// Client calls the REST API of one IM app. It may be used by many goroutines.
type Client struct {
	http       *upstream.Client
	secret     upstream.Secret[Credentials]
	random     func() uint32
	signatures *signatures
}

// New validates o. It makes no call.
func New(o Options) (*Client, error) {
	if o.Credentials == nil {
		return nil, errors.New("tencent: no credentials")
	}
	if o.BaseURL == "" {
		host, ok := Hosts[o.Region]
		if !ok {
			regions := strings.Join(slices.Sorted(maps.Keys(Hosts)), ", ")
			return nil, fmt.Errorf("tencent: unknown region %q, must be one of %s", o.Region, regions)
		}
		o.BaseURL = host
	}
	if o.Reread == nil {
		o.Reread = o.Credentials
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Uint32
	}
	client, err := upstream.New(upstream.Options{
		Vendor: vendor, BaseURL: o.BaseURL, Local: o.Local,
		Timeout: o.Timeout, Transport: o.Transport, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Client{
		http: client, secret: upstream.Secret[Credentials]{Load: o.Credentials, Reread: o.Reread},
		random: o.Random, signatures: newSignatures(o.Now),
	}, nil
}

// The services that the commands belong to.
const (
	groupService = "group_open_http_svc"
	loginService = "im_open_login_svc"
)

// nothing is the answer of calls that return only whether they worked.
type nothing struct{}

// repeat is post with upstream.Retry around it. The outcome of a lost call is
// unknown, so only commands whose repetition changes nothing may use it; each
// endpoint says why it is one.
func repeat[T any](ctx context.Context, c *Client, service, command string, in any) (T, error) {
	return upstream.Retry(ctx, func(ctx context.Context) (T, error) {
		return post[T](ctx, c, service, command, in)
	})
}

// post sends a command. It is sent again only after an answer that says it was
// not carried out for our signature's sake: once with a new signature, and once
// with other credentials if reading them again yields others.
func post[T any](ctx context.Context, c *Client, service, command string, in any) (T, error) {
	prove := func(_ context.Context, creds Credentials, refused signature) (signature, error) {
		if refused.value != "" && creds == refused.Credentials {
			return signature{}, upstream.ErrSameProof
		}
		sig, err := c.signatures.get(creds, "")
		if err != nil {
			return signature{}, unsigned(command, err)
		}
		return sig, nil
	}
	sendSigned := func(ctx context.Context, sig signature) (T, error) {
		out, err := send[T](ctx, c, sig, service, command, in)
		if !signatureRefused(err) {
			return out, err
		}
		if sig, err = c.signatures.get(sig.Credentials, sig.value); err != nil {
			return out, unsigned(command, err)
		}
		return send[T](ctx, c, sig, service, command, in)
	}
	return upstream.Authorize(ctx, c.secret, prove, sendSigned, func(_ T, err error) bool {
		return upstream.CredentialsRefused(err)
	})
}

// unsigned is a call that was not sent because its credentials cannot sign.
func unsigned(command string, err error) error {
	return &upstream.Error{Vendor: vendor, Op: command, Class: upstream.Refused, Credentials: true, Err: err}
}

// send makes one attempt. On an ErrorCode it still returns what it decoded,
// for get_group_info, whose answer counts more than its envelope.
func send[T any](ctx context.Context, c *Client, sig signature, service, command string, in any) (T, error) {
	var out T
	res, err := c.http.Do(ctx, upstream.Call{
		Op:     command,
		Method: http.MethodPost,
		Path:   "/v4/" + service + "/" + command,
		Query: url.Values{
			"sdkappid":    {strconv.Itoa(sig.SDKAppID)},
			"identifier":  {sig.AdminUserID},
			"usersig":     {sig.value},
			"random":      {strconv.FormatUint(uint64(c.random()), 10)},
			"contenttype": {"json"},
		},
		JSON: in,
	})
	if err != nil {
		return out, err
	}
	if res.Status != http.StatusOK {
		// The vendor itself answers with 200, whatever happened.
		return out, c.http.Intermediary(command, res)
	}
	var envelope struct {
		ActionStatus string
		ErrorCode    int
	}
	// A gateway's HTML, null, a cut-off object and an object without the
	// envelope all come with status 200: the command may have been carried out.
	if json.Unmarshal(res.Body, &envelope) != nil || json.Unmarshal(res.Body, &out) != nil ||
		(envelope.ErrorCode == 0 && envelope.ActionStatus != "OK") {
		var none T
		return none, c.unreadable(command, res)
	}
	if envelope.ErrorCode != 0 {
		return out, c.failed(command, res, envelope.ErrorCode)
	}
	return out, nil
}
