// Package sandbox holds stateful stand-ins for the vendors that caseroom talks
// to: Zendesk, Zendesk Chat, Salesforce, Tencent Chat, Cronofy, and the AWS APIs that its
// functions use. They are one [http.Handler], used by the tests and by the local
// run alike. They refuse what the vendor refuses, keep what the vendor keeps,
// and can be told to fail the way vendors fail (see [Fault]).
//
//	/zendesk /zopim /salesforce /tencent /cronofy /aws   the vendors
//	/chat                                                what Tencent's client SDK does
//	/desk                                                what people do at the vendors
//	/state /calls /faults /flush                         control
//
// The control routes change the sandbox without a credential: bind it to
// loopback.
package sandbox

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxRequest bounds a request's body: a file that a chat client uploads is the
// largest.
const maxRequest = maxChatFile + 1<<10

// Options configure a [Sandbox]. The zero value is usable.
type Options struct {
	// Seed makes ids, tokens and fixtures the same from run to run. RSA keys
	// are the exception: one pair per process.
	Seed uint64
	// Now is the clock of every stand-in; [time.Now] if nil. Answers carry it in
	// their Date header, so that the AWS SDK corrects its own clock by it.
	Now func() time.Time
	// Latency is how long every vendor call takes at least. Control routes
	// never wait.
	Latency time.Duration
	// LatencyAWS applies Latency to /aws too.
	LatencyAWS bool
	// URL is where the sandbox is reached, such as "http://127.0.0.1:3100". If
	// empty, each request's own Host is used.
	URL string
	// Queues and Buckets exist from the start.
	Queues  []QueueConfig
	Buckets []string
	// AnyAWSKey accepts a well-formed signature by any access key: SAM's
	// containers bring the developer's own. A signature by the fixture's key is
	// verified in any case.
	AnyAWSKey bool
	// Tencent sets the plan's limits.
	Tencent TencentPlan
	// Notify carries webhooks and callouts; the network if nil.
	Notify http.RoundTripper
	// Senders is how many notifications are sent at a time. With one, which is
	// also what zero means, they arrive in the order of the changes.
	Senders int
}

// Sandbox is all stand-ins together. It is safe for concurrent use.
//
// How a vendor is built: newVendor(s) makes the vendor's state, registers its
// routes with s.mux.Handle(pattern, s.handle(vendor, op, h)), sets
// s.codeErrors[vendor], and returns the state. Handlers lock s.mu themselves
// while they touch state, s.rand or s.id; the body was read before they run.
type Sandbox struct {
	opts Options
	mux  *http.ServeMux

	// mu guards everything below, each vendor's state included.
	mu     sync.Mutex
	rand   *rand.Rand
	faults []*armedFault
	calls  callLog
	fix    Fixtures

	// codeErrors render a "code" fault in the vendor's own shape, by vendor or
	// by "vendor/op".
	codeErrors map[string]func(w http.ResponseWriter, code string)
	// innerCodes are codes, as "vendor/code", that a vendor's handler acts on
	// itself (see forced) because the answer depends on the request.
	innerCodes map[string]bool

	zendesk    *zendesk
	zopim      *zopim
	salesforce *salesforce
	tencent    *tencent
	cronofy    *cronofy
	aws        *aws
	notifier   *notifier
}

// New returns a sandbox with no tickets, rooms or messages in it.
func New(o Options) *Sandbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sandbox{
		opts:       o,
		mux:        http.NewServeMux(),
		rand:       rand.New(rand.NewPCG(o.Seed, 0)),
		codeErrors: map[string]func(http.ResponseWriter, string){},
		innerCodes: map[string]bool{},
		fix:        newFixtures(o.Seed),
	}
	s.notifier = newNotifier(s)
	s.zendesk = newZendesk(s)
	s.zopim = newZopim(s)
	s.salesforce = newSalesforce(s)
	s.tencent = newTencent(s)
	s.cronofy = newCronofy(s)
	s.aws = newAWS(s)
	s.control()
	s.deskRoutes()
	return s
}

// Handler returns the stand-ins and the control routes.
func (s *Sandbox) Handler() http.Handler { return s.mux }

// now is the sandbox's clock.
func (s *Sandbox) now() time.Time { return s.opts.Now() }

// id returns 2n hexadecimal characters of the seeded source; s.mu is held.
func (s *Sandbox) id(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.rand.Uint32())
	}
	return hex.EncodeToString(b)
}

// uuid returns a version 4 UUID of the seeded source; s.mu is held.
func (s *Sandbox) uuid() string {
	h := s.id(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// baseURL is where the caller reaches the sandbox.
func (s *Sandbox) baseURL(r *http.Request) string {
	if s.opts.URL != "" {
		return s.opts.URL
	}
	return "http://" + r.Host
}

// handle wraps a vendor's operation with what all have in common: the body is
// read whole, latency passes, faults strike, and the call is logged. The
// answer is held back until h returns.
func (s *Sandbox) handle(vendor, op string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A body that is read before anything else lets the server notice that
		// the client hung up, and lets a slow vendor act after that.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		c := s.begin(vendor, op, r)
		if err != nil {
			s.setStatus(c, http.StatusRequestEntityTooLarge)
			if vendor == "chat" {
				chatRefuse(w, refuse(80002, "the file is larger than 10 MiB"))
				return
			}
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		hangUp := r.Context()
		r = r.WithContext(context.WithValue(hangUp, callKey{}, c))
		r.Body = io.NopCloser(bytes.NewReader(body))
		if vendor != "aws" || s.opts.LatencyAWS {
			if !pause(hangUp, s.opts.Latency) {
				return
			}
		}
		answer := newRecorder()
		if s.strike(c, answer, w, r, h) {
			return
		}
		s.setStatus(c, answer.status)
		answer.header.Set("Date", s.now().UTC().Format(http.TimeFormat))
		answer.sendTo(w)
	})
}

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// recorder holds an answer back until the engine has decided what becomes of it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	wrote  bool
}

func newRecorder() *recorder {
	return &recorder{header: http.Header{}, status: http.StatusOK}
}

func (a *recorder) Header() http.Header { return a.header }

func (a *recorder) WriteHeader(status int) {
	if !a.wrote {
		a.status, a.wrote = status, true
	}
}

func (a *recorder) Write(b []byte) (int, error) {
	a.wrote = true
	return a.body.Write(b)
}

func (a *recorder) sendTo(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

// writeJSON answers with v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		http.Error(w, "the answer does not encode", http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}

// decodeOne decodes exactly one JSON value of b into v; anything after it is an
// error. Unknown fields are ignored.
func decodeOne(b []byte, v any) error {
	return decode(json.NewDecoder(bytes.NewReader(b)), v)
}

// decodeStrict is decodeOne, but a field that v does not have is an error.
func decodeStrict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return decode(dec, v)
}

func decode(dec *json.Decoder, v any) error {
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
