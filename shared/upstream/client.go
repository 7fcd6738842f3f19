package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds a vendor's answer that is read into memory, unless the call
// says otherwise.
const maxBody = 4 << 20

// Options configure a [Client]. Vendor and BaseURL are required.
type Options struct {
	Vendor    string        // named in errors
	BaseURL   string        // https, may carry a path prefix; see [ParseBaseURL]
	Local     bool          // also allow http to host.docker.internal (AWS_SAM_LOCAL)
	Timeout   time.Duration // of one call; 5 s if zero. The context may be shorter.
	Transport http.RoundTripper
	UserAgent string
	Now       func() time.Time // for Retry-After dates; time.Now if nil
}

// Client calls one vendor host.
type Client struct {
	vendor    string
	base      *url.URL
	timeout   time.Duration
	userAgent string
	http      *http.Client
	now       func() time.Time
}

// New validates o and returns a client with a keep-alive transport.
func New(o Options) (*Client, error) {
	if o.Vendor == "" {
		return nil, errors.New("upstream: no vendor name")
	}
	base, err := ParseBaseURL(o.BaseURL, o.Local)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Vendor, err)
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("%s: negative timeout", o.Vendor)
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Transport == nil {
		o.Transport = sharedTransport
	}
	if o.UserAgent == "" {
		o.UserAgent = "caseroom/1"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Client{
		vendor: o.Vendor, base: base, timeout: o.Timeout, userAgent: o.UserAgent, now: o.Now,
		http: &http.Client{
			Transport: o.Transport,
			// A redirect would carry our credentials to a host nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// sharedTransport keeps connections alive between invocations of a warm
// function. Proxy variables are ignored: credentials go to the configured host.
var sharedTransport http.RoundTripper = &http.Transport{
	DialContext:           (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
	TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	TLSHandshakeTimeout:   3 * time.Second,
	ForceAttemptHTTP2:     true,
	MaxIdleConns:          64,
	MaxIdleConnsPerHost:   32,
	IdleConnTimeout:       4 * time.Minute,
	ExpectContinueTimeout: time.Second,
	// A connection whose peer is gone without a word would fail every call until
	// TCP gives up, minutes later: see https://go.dev/issue/36026.
	HTTP2: &http.HTTP2Config{SendPingTimeout: 2 * time.Second, PingTimeout: 2 * time.Second},
}

// ParseBaseURL accepts an https URL, or http to a loopback address, or, when
// local is true, http to host.docker.internal. Query, fragment and user info
// are refused; a path prefix is kept.
func ParseBaseURL(raw string, local bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, errors.New("base URL is not an absolute URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("base URL must not carry user info, a query or a fragment")
	}
	switch u.Scheme {
	case "https":
	case "http":
		host := u.Hostname()
		if !isLoopback(host) && !(local && host == "host.docker.internal") {
			return nil, errors.New("base URL must be https")
		}
	default:
		return nil, errors.New("base URL must be https")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// Loopback reports whether a base URL is on this machine, as a sandbox's is.
func Loopback(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Host returns the configured host, port included: what a room's mark names.
func (c *Client) Host() string { return c.base.Host }

// Base returns the configured base URL, without a slash at its end.
func (c *Client) Base() string { return c.base.String() }

// Call describes one request.
type Call struct {
	Op     string // named in errors
	Method string
	// Path is relative to the base URL, each segment already escaped
	// (url.PathEscape), such as "/api/v2/tickets".
	Path   string
	Query  url.Values
	Header http.Header
	// JSON is marshalled as the body when not nil; Body is sent as it is with
	// ContentType otherwise.
	JSON        any
	Body        []byte
	ContentType string
	// Patient lets the call take as long as its context does, where that has a
	// deadline: what is given up may still be done.
	Patient bool
	// Repeatable lets the transport send the request again when a kept-alive
	// connection turns out to be dead, as it often is after a freeze.
	Repeatable bool
	// MaxBody is how many bytes the answer may have; 4 MiB if zero.
	MaxBody int64
	// BaseURL replaces the client's base for this call: Salesforce's
	// instance_url. It must have passed [ParseBaseURL].
	BaseURL *url.URL
}

// Response is a vendor's whole answer.
type Response struct {
	Status     int
	Header     http.Header
	Body       []byte
	RetryAfter time.Duration // parsed from the header, 0 if absent
}

// OK reports whether the vendor says that the call was done.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Do sends the call once. Any HTTP status is a Response with a nil error; the
// vendor package says what it means. A transport failure is an *Error whose
// text carries no URL.
func (c *Client) Do(ctx context.Context, call Call) (*Response, error) {
	if _, bounded := ctx.Deadline(); !bounded || !call.Patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	req, err := c.request(ctx, call)
	if err != nil {
		return nil, c.fail(call.Op, Refused, err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(ctx, call.Op, err)
	}
	defer func() { _ = res.Body.Close() }()
	limit := call.MaxBody
	if limit == 0 {
		limit = maxBody
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, c.transportError(ctx, call.Op, err)
	}
	if int64(len(body)) > limit {
		class := StatusClass(res.StatusCode)
		if class == Refused { // no vendor's error is that long
			class = Unknown
		}
		e := c.fail(call.Op, class, errors.New("answer too large"))
		e.Status = res.StatusCode
		return nil, e
	}
	return &Response{
		Status: res.StatusCode, Header: res.Header, Body: body,
		RetryAfter: retryAfter(res.Header.Get("Retry-After"), c.now()),
	}, nil
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	body, contentType := call.Body, call.ContentType
	if call.JSON != nil {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(call.JSON); err != nil {
			return nil, errors.New("request does not encode")
		}
		body, contentType = buf.Bytes(), "application/json"
	}
	base := c.base
	if call.BaseURL != nil {
		base = call.BaseURL
	}
	target := base.Scheme + "://" + base.Host + base.EscapedPath() + call.Path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("request does not form a URL") // err would print it
	}
	for k, v := range call.Header {
		req.Header[k] = v
	}
	if call.Repeatable {
		// net/http replays a POST that has this header; without a value none is
		// sent. See http.Transport.
		req.Header["X-Idempotency-Key"] = nil
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	return req, nil
}

// transportError drops the *url.Error, whose text holds the whole URL and with
// it, at Tencent, the admin's UserSig.
func (c *Client) transportError(ctx context.Context, op string, err error) *Error {
	if ctx.Err() != nil {
		return c.fail(op, Unknown, ctx.Err())
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return c.fail(op, Unavailable, errors.New("no connection"))
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return c.fail(op, Unavailable, errors.New("host name does not resolve"))
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return c.fail(op, Unavailable, errors.New("certificate not accepted"))
	}
	return c.fail(op, Unknown, errors.New("connection lost"))
}

func (c *Client) fail(op string, class Class, err error) *Error {
	return &Error{Vendor: c.vendor, Op: op, Class: class, Err: err}
}

// Failed builds the Error for an answer that the vendor package found to be a
// failure. An empty class is taken from the status.
func (c *Client) Failed(op string, res *Response, class Class, code string) *Error {
	if class == "" {
		class = StatusClass(res.Status)
	}
	return &Error{
		Vendor: c.vendor, Op: op, Status: res.Status, Code: code, Class: class,
		RetryAfter: res.RetryAfter, Credentials: res.Status == http.StatusUnauthorized,
	}
}

var errIntermediary = errors.New("the answer is not the vendor's own")

// Intermediary builds the Error for an answer that is no success and whose body
// is not the vendor's own error: a proxy or an edge may have made it, whatever
// the vendor did. It refuses nothing but, by 401, our credentials, which to read
// again is harmless.
func (c *Client) Intermediary(op string, res *Response) *Error {
	e := c.Failed(op, res, "", "")
	if e.Class == Refused && !e.Credentials {
		e.Class, e.Err = Unknown, errIntermediary
	}
	return e
}

var errSenseless = errors.New("the answer makes no sense")

// Senseless builds the Error for a success whose body is not what was promised:
// whatever was asked for may have been done.
func (c *Client) Senseless(op string, res *Response) *Error {
	e := c.Failed(op, res, Unknown, "")
	e.Err = errSenseless
	return e
}

// maxRetryAfter bounds what a vendor may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads either form of the header: seconds, or a date.
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
		return time.Duration(max(0, min(s, int(maxRetryAfter/time.Second)))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, min(t.Sub(now), maxRetryAfter))
	}
	return 0
}
