// Package aws is the stand-in for the AWS APIs that the functions call: Secrets
// Manager, SQS and S3, under /aws, with Signature Version 4 checked.
package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// cloud is the state of the stand-ins. All of them answer under /aws: a POST
// with an X-Amz-Target goes to Secrets Manager or SQS, anything else is S3 in
// path style, /aws/<bucket>/<key>.
type cloud struct {
	*engine.Engine
	fix      Fixture
	anyKey   bool
	initial  func() map[string]json.RawMessage // the secrets at the start
	secrets  map[string]*secret                // nil until the first use; see loadSecrets
	queues   map[string]*queue
	buckets  map[string]map[string]*object
	arrivals chan struct{} // closed and replaced when a message may have become receivable
	tasks    []*moveTask
}

// refusal is a refusal; the service says how it is rendered.
type refusal struct {
	status  int
	code    string
	message string
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// operation is one operation of a JSON service. It locks the engine itself.
type operation func(a *cloud, r *http.Request, body []byte) (any, *refusal)

// Fixture is the one access key that /aws knows.
type Fixture struct {
	AccessKeyID     string
	SecretAccessKey string
	Region          string
	AccountID       string
}

// Options say what the account has from the start.
type Options struct {
	Queues  []QueueConfig
	Buckets []string
	// Secrets returns what Secrets Manager holds at the start. It is called on
	// first use, under the engine's lock.
	Secrets func() map[string]json.RawMessage
	// AnyKey accepts a well-formed signature by any access key. A signature by
	// the fixture's key is verified in any case.
	AnyKey bool
}

// New mounts the APIs under /aws and returns the account's inside.
func New(e *engine.Engine, fix Fixture, o Options) Account {
	a := &cloud{
		Engine: e, fix: fix, anyKey: o.AnyKey, initial: o.Secrets, queues: map[string]*queue{}, buckets: map[string]map[string]*object{},
		arrivals: make(chan struct{}),
	}
	for _, c := range o.Queues {
		a.ensureQueue(c)
	}
	for _, b := range o.Buckets {
		a.buckets[b] = map[string]*object{}
	}

	targets := map[string]http.Handler{}
	for name, op := range secretsOps {
		targets["secretsmanager."+name] = a.json(name, "secretsmanager", secretsError, op)
	}
	for name, op := range sqsOps {
		targets["AmazonSQS."+name] = a.json(name, "sqs", sqsError, op)
	}
	unknown := e.Operation("aws", "unknown", func(w http.ResponseWriter, _ *http.Request) {
		secretsError(w, refuse("UnknownOperationException", ""))
	})
	objects := a.objectHandlers()
	dispatch := func(w http.ResponseWriter, r *http.Request) {
		target := r.Header.Get("X-Amz-Target")
		switch h := targets[target]; {
		case h != nil && r.Method == http.MethodPost:
			h.ServeHTTP(w, r)
		case target != "" || objects[r.Method] == nil:
			unknown.ServeHTTP(w, r)
		default:
			objects[r.Method].ServeHTTP(w, r)
		}
	}
	e.Mount("/aws", http.HandlerFunc(dispatch))
	e.Mount("/aws/", http.HandlerFunc(dispatch))
	e.CodeErrors("aws", func(w http.ResponseWriter, code string) {
		secretsError(w, &refusal{codeStatus(code), code, "forced by a fault"})
	})
	for name := range sqsOps {
		e.CodeErrors("aws/"+name, func(w http.ResponseWriter, code string) {
			sqsError(w, &refusal{codeStatus(code), code, "forced by a fault"})
		})
	}
	for _, name := range []string{"PutObject", "GetObject", "HeadObject"} {
		e.CodeErrors("aws/"+name, func(w http.ResponseWriter, code string) {
			s3Error(w, &refusal{s3Status(code), code, "forced by a fault"})
		})
	}
	return Account{a}
}

// codeStatus is the HTTP status of an error code of the JSON services.
func codeStatus(code string) int {
	switch {
	case strings.HasPrefix(code, "Internal"):
		return http.StatusInternalServerError
	case strings.HasPrefix(code, "ServiceUnavailable"):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// json makes the handler of one operation of a JSON service.
func (a *cloud) json(name, service string, fail func(http.ResponseWriter, *refusal), op operation) http.Handler {
	return a.Operation("aws", name, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			fail(w, refuse("SerializationException", "the body does not read"))
			return
		}
		if e := a.verify(r, service, hashOf(body), int64(len(body))); e != nil {
			fail(w, e)
			return
		}
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-1.") {
			fail(w, refuse("SerializationException", "the content type must be application/x-amz-json-1.0 or 1.1"))
			return
		}
		out, e := op(a, r, body)
		if e != nil {
			fail(w, e)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if out == nil {
			out = struct{}{}
		}
		engine.WriteJSON(w, http.StatusOK, out)
	})
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// maxSkew is how far a signature's time may be from the clock.
const maxSkew = 15 * time.Minute

var authorization = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]{3,128})/([0-9]{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$`)

// verify checks the request's Signature Version 4. It signs the request again
// with the SDK's signer and compares.
func (a *cloud) verify(r *http.Request, service, payloadHash string, length int64) *refusal {
	header := r.Header.Get("Authorization")
	if header == "" {
		return &refusal{http.StatusForbidden, "MissingAuthenticationTokenException", "the request is not signed"}
	}
	m := authorization.FindStringSubmatch(header)
	if m == nil {
		return refuse("IncompleteSignatureException", "the Authorization header is not a Signature Version 4")
	}
	keyID, date, region, scope, signature := m[1], m[2], m[3], m[4], m[6]
	signed := strings.Split(m[5], ";")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || at.Format("20060102") != date {
		return refuse("IncompleteSignatureException", "X-Amz-Date is missing, malformed or of another day than the credential")
	}
	if scope != service {
		return &refusal{http.StatusForbidden, "SignatureDoesNotMatch", "the credential should be scoped to service " + service}
	}
	if skew := a.Now().Sub(at); skew > maxSkew || skew < -maxSkew {
		return &refusal{http.StatusForbidden, "RequestTimeTooSkewed", "the signature's time is too far from the server's"}
	}
	a.Lock()
	key := a.fix
	a.Unlock()
	if keyID != key.AccessKeyID {
		if a.anyKey {
			return nil
		}
		return &refusal{http.StatusForbidden, "UnrecognizedClientException", "the security token included in the request is invalid"}
	}

	again := &http.Request{
		Method: r.Method, Host: r.Host, Header: http.Header{},
		URL: &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
	}
	for _, name := range signed {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = length
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	creds := awssdk.Credentials{
		AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey,
		SessionToken: again.Header.Get("X-Amz-Security-Token"),
	}
	err = v4.NewSigner().SignHTTP(context.Background(), creds, again, payloadHash, service, region, at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err != nil {
		return refuse("IncompleteSignatureException", "the request cannot be signed")
	}
	want := authorization.FindStringSubmatch(again.Header.Get("Authorization"))
	if want == nil || want[5] != m[5] || subtle.ConstantTimeCompare([]byte(want[6]), []byte(signature)) != 1 {
		return &refusal{http.StatusForbidden, "InvalidSignatureException", "the signature does not match the request"}
	}
	return nil
}

// secretsError renders an error as Secrets Manager does, with a capital M.
func secretsError(w http.ResponseWriter, e *refusal) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	engine.WriteJSON(w, e.status, map[string]string{"__type": e.code, "Message": e.message})
}

// legacyCodes are the error codes of the SQS query protocol, where they differ.
var legacyCodes = map[string]string{
	"QueueDoesNotExist":                 "AWS.SimpleQueueService.NonExistentQueue",
	"EmptyBatchRequest":                 "AWS.SimpleQueueService.EmptyBatchRequest",
	"TooManyEntriesInBatchRequest":      "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
	"BatchEntryIdsNotDistinct":          "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
	"InvalidBatchEntryId":               "AWS.SimpleQueueService.InvalidBatchEntryId",
	"MessageNotInflight":                "AWS.SimpleQueueService.MessageNotInflight",
	"PurgeQueueInProgress":              "AWS.SimpleQueueService.PurgeQueueInProgress",
	"UnsupportedOperation":              "AWS.SimpleQueueService.UnsupportedOperation",
	"InvalidParameterValueException":    "InvalidParameterValue",
	"MissingRequiredParameterException": "MissingParameter",
}

// sqsError renders an error as SQS does: the type in the body, the query
// protocol's code in a header.
func sqsError(w http.ResponseWriter, e *refusal) {
	legacy := legacyCodes[e.code]
	if legacy == "" {
		legacy = e.code
	}
	fault := "Sender"
	if e.status >= 500 {
		fault = "Receiver"
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Query-Error", legacy+";"+fault)
	engine.WriteJSON(w, e.status, map[string]string{"__type": "com.amazonaws.sqs#" + e.code, "message": e.message})
}

// s3Error renders an error as S3 does.
func s3Error(w http.ResponseWriter, e *refusal) {
	var buf bytes.Buffer
	buf.WriteString(xml.Header)
	err := xml.NewEncoder(&buf).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: e.code, Message: e.message})
	if err != nil {
		http.Error(w, "the answer does not encode", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.status)
	_, _ = w.Write(buf.Bytes())
}

// State is what the AWS stand-ins hold. Secrets are named, never shown.
type State struct {
	Secrets []string      `json:"secrets"`
	Queues  []QueueState  `json:"queues"`
	Objects []ObjectState `json:"objects"`
}
