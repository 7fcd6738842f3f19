package aws

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

type object struct {
	body        []byte
	contentType string
	etag        string
	meta        http.Header
	modified    time.Time
}

// ObjectState is an object in a bucket, without its content.
type ObjectState struct {
	Bucket      string    `json:"bucket"`
	Key         string    `json:"key"`
	Size        int       `json:"size"`
	ContentType string    `json:"contentType,omitempty"`
	Modified    time.Time `json:"modified"`
}

// Object returns the content of an object.
func (x Account) Object(bucket, key string) ([]byte, bool) {
	a := x.a
	a.Lock()
	defer a.Unlock()
	o := a.buckets[bucket][key]
	if o == nil {
		return nil, false
	}
	return slices.Clone(o.body), true
}

// s3Status is the HTTP status of an S3 error code.
func s3Status(code string) int {
	switch code {
	case "NoSuchKey", "NoSuchBucket":
		return http.StatusNotFound
	case "AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed":
		return http.StatusForbidden
	case "PreconditionFailed":
		return http.StatusPreconditionFailed
	case "ConditionalRequestConflict":
		return http.StatusConflict
	case "SlowDown", "ServiceUnavailable":
		return http.StatusServiceUnavailable
	case "InternalError":
		return http.StatusInternalServerError
	case "NotImplemented":
		return http.StatusNotImplemented
	}
	return http.StatusBadRequest
}

func s3Refuse(code, message string) *refusal { return &refusal{s3Status(code), code, message} }

// objectHandlers are the S3 operations by method.
func (a *cloud) objectHandlers() map[string]http.Handler {
	op := func(name string, run func(w http.ResponseWriter, r *http.Request, body []byte, bucket, key string) *refusal) http.Handler {
		return a.Operation("aws", name, func(w http.ResponseWriter, r *http.Request) {
			body, bucket, key, e := a.s3Request(r)
			if e == nil {
				a.Lock()
				engine.Note(r, "bucket", bucket)
				engine.Note(r, "key", key)
				if a.buckets[bucket] == nil {
					e = s3Refuse("NoSuchBucket", "The specified bucket does not exist")
				} else {
					e = run(w, r, body, bucket, key)
				}
				a.Unlock()
			}
			if e != nil {
				s3Error(w, e)
			}
		})
	}
	get := func(w http.ResponseWriter, _ *http.Request, _ []byte, bucket, key string) *refusal {
		return a.getObject(w, bucket, key)
	}
	return map[string]http.Handler{
		http.MethodPut:  op("PutObject", a.putObject),
		http.MethodGet:  op("GetObject", get),
		http.MethodHead: op("HeadObject", get),
	}
}

// s3Request checks the signature and the payload and splits the path.
func (a *cloud) s3Request(r *http.Request) (body []byte, bucket, key string, e *refusal) {
	bad := func(code, message string) ([]byte, string, string, *refusal) {
		return nil, "", "", s3Refuse(code, message)
	}
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return bad("IncompleteBody", "the body does not read")
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		return bad("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	if e := a.verify(r, "s3", payload, int64(len(sent))); e != nil {
		return nil, "", "", s3Auth(e)
	}
	body = sent
	switch payload {
	case "UNSIGNED-PAYLOAD":
	case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
		// aws-chunked has the form of HTTP's own chunked coding.
		if body, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(sent))); err != nil {
			return bad("IncompleteBody", "the chunks do not read")
		}
	default:
		if strings.HasPrefix(payload, "STREAMING-") {
			return bad("NotImplemented", "signed chunks are not supported")
		}
		if payload != hashOf(sent) {
			return bad("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
	}
	if sum := r.Header.Get("Content-Md5"); sum != "" {
		got := md5.Sum(body)
		if sum != base64.StdEncoding.EncodeToString(got[:]) {
			return bad("BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
	}
	if sum := r.Header.Get("X-Amz-Checksum-Crc32"); sum != "" {
		got := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
		if sum != base64.StdEncoding.EncodeToString(got) {
			return bad("BadDigest", "The CRC32 you specified did not match the calculated checksum.")
		}
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/aws"), "/")
	bucket, escaped, _ := strings.Cut(rest, "/")
	key, err = url.PathUnescape(escaped)
	switch {
	case err != nil:
		return bad("InvalidURI", "Couldn't parse the specified URI.")
	case bucket == "" || key == "":
		return bad("NotImplemented", "only objects are supported, in path style")
	case len(key) > 1024:
		return bad("KeyTooLongError", "Your key is too long")
	}
	return body, bucket, key, nil
}

// s3Auth names a refusal of verify as S3 does.
func s3Auth(e *refusal) *refusal {
	code := map[string]string{
		"MissingAuthenticationTokenException": "AccessDenied",
		"UnrecognizedClientException":         "InvalidAccessKeyId",
		"InvalidSignatureException":           "SignatureDoesNotMatch",
		"IncompleteSignatureException":        "AuthorizationHeaderMalformed",
	}[e.code]
	if code == "" {
		code = e.code
	}
	return s3Refuse(code, e.message)
}

// putObject follows
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html;
// the engine is locked.
func (a *cloud) putObject(w http.ResponseWriter, r *http.Request, body []byte, bucket, key string) *refusal {
	if r.Header.Get("If-Match") != "" {
		return s3Refuse("NotImplemented", "If-Match is not supported")
	}
	switch none := r.Header.Get("If-None-Match"); {
	case none != "" && none != "*":
		return s3Refuse("NotImplemented", "If-None-Match can only be *")
	case none == "*" && a.buckets[bucket][key] != nil:
		return s3Refuse("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	sum := md5.Sum(body)
	o := &object{
		body: body, contentType: r.Header.Get("Content-Type"), etag: `"` + hex.EncodeToString(sum[:]) + `"`,
		meta: http.Header{}, modified: a.Now(),
	}
	for k, v := range r.Header {
		if strings.HasPrefix(k, "X-Amz-Meta-") {
			o.meta[k] = v
		}
	}
	a.buckets[bucket][key] = o
	w.Header().Set("Etag", o.etag)
	w.WriteHeader(http.StatusOK)
	return nil
}

// getObject follows
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html; the engine is
// locked.
func (a *cloud) getObject(w http.ResponseWriter, bucket, key string) *refusal {
	o := a.buckets[bucket][key]
	if o == nil {
		return s3Refuse("NoSuchKey", "The specified key does not exist.")
	}
	for k, v := range o.meta {
		w.Header()[k] = v
	}
	if o.contentType == "" {
		w.Header().Set("Content-Type", "binary/octet-stream")
	} else {
		w.Header().Set("Content-Type", o.contentType)
	}
	w.Header().Set("Etag", o.etag)
	w.Header().Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	_, _ = w.Write(o.body)
	return nil
}
