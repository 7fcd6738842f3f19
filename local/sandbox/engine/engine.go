// Package engine is what the vendors' stand-ins have in common: the clock, ids
// of a seed, the log of calls, the faults, the notifications that a vendor
// sends, the control routes, and the clicks of people at the vendors.
//
// It knows no vendor. A stand-in makes its state, mounts its operations with
// [Engine.Mount] and [Engine.Operation], says with [Engine.CodeErrors] how it
// renders a refusal, and locks the engine while it touches its state.
package engine

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

	"github.com/caseroom/caseroom/shared/upstream"
)

// MaxRequest bounds a request's body: a file that a chat client uploads, of
// 10 MiB, is the largest.
const MaxRequest = 10<<20 + 1<<10

// Options configure an [Engine]. The zero value is usable.
type Options struct {
	// Seed makes ids and tokens the same from run to run.
	Seed uint64
	// Now is the clock of every stand-in; [time.Now] if nil.
	Now func() time.Time
	// Latency is how long every operation takes at least. LatencyAWS applies it
	// to those of "aws" too.
	Latency    time.Duration
	LatencyAWS bool
	// URL is where the stand-ins are reached. If empty, each request's own Host
	// is used.
	URL string
	// Notify carries notifications; the network if nil.
	Notify http.RoundTripper
	// Senders is how many notifications are sent at a time; one if zero.
	Senders int
}

// Engine drives the stand-ins. It is safe for concurrent use.
type Engine struct {
	// The lock guards everything below and each vendor's state. Handlers take it
	// themselves while they touch state, Rand or ID; the body was read before
	// they run.
	sync.Mutex

	opts   Options
	mux    *http.ServeMux
	rand   *rand.Rand
	faults []*armedFault
	calls  callLog

	// codeErrors render a "code" fault in the vendor's own shape, by vendor or
	// by "vendor/op".
	codeErrors map[string]func(w http.ResponseWriter, code string)
	ownCodes   map[string]bool // by "vendor/code"
	tooLarge   map[string]http.HandlerFunc
	onFault    []func(Fault)
	notifier   *notifier
}

// New returns an engine with the control routes.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Engine{
		opts:       o,
		mux:        http.NewServeMux(),
		rand:       rand.New(rand.NewPCG(o.Seed, 0)),
		codeErrors: map[string]func(http.ResponseWriter, string){},
		ownCodes:   map[string]bool{},
		tooLarge:   map[string]http.HandlerFunc{},
	}
	e.notifier = newNotifier(e)
	e.control()
	return e
}

// Handler returns everything that was mounted, and the control routes.
func (e *Engine) Handler() http.Handler { return e.mux }

// Serve answers a request that comes from inside, as by somebody's session.
func (e *Engine) Serve(r *http.Request) (status int, body []byte) {
	a := newAnswer()
	e.mux.ServeHTTP(a, r)
	return a.status, a.body.Bytes()
}

// Mount registers a handler, as [http.ServeMux.Handle] does.
func (e *Engine) Mount(pattern string, h http.Handler) { e.mux.Handle(pattern, h) }

// CodeErrors says how a "code" fault is rendered, by vendor or by "vendor/op".
func (e *Engine) CodeErrors(name string, render func(w http.ResponseWriter, code string)) {
	e.codeErrors[name] = render
}

// OwnCode names a code that the vendor's handlers act on themselves, see
// [Forced], because the answer depends on the request.
func (e *Engine) OwnCode(vendor, code string) { e.ownCodes[vendor+"/"+code] = true }

// TooLarge says how a vendor answers a request above [MaxRequest]; by default
// 413 without a body.
func (e *Engine) TooLarge(vendor string, answer http.HandlerFunc) { e.tooLarge[vendor] = answer }

// Now is the clock of every stand-in.
func (e *Engine) Now() time.Time { return e.opts.Now() }

// URL is where the stand-ins were said to be reached; "" if nothing was said.
func (e *Engine) URL() string { return e.opts.URL }

// Rand is the seeded source; the engine is locked.
func (e *Engine) Rand() *rand.Rand { return e.rand }

// ID returns 2n hexadecimal characters of the seeded source; the engine is locked.
func (e *Engine) ID(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(e.rand.Uint32())
	}
	return hex.EncodeToString(b)
}

// UUID returns a version 4 UUID of the seeded source; the engine is locked.
func (e *Engine) UUID() string {
	h := e.ID(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// BaseURL is where the caller reaches the stand-ins, which a container does by
// another name than this machine.
func (e *Engine) BaseURL(r *http.Request) string {
	if r.Host == "" {
		return e.opts.URL
	}
	return "http://" + r.Host
}

// Operation wraps a vendor's operation with what all have in common: the body is
// read whole, latency passes, faults strike, and the call is logged. The
// answer is held back until h returns.
func (e *Engine) Operation(vendor, op string, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A body that is read before anything else lets the server notice that
		// the client hung up, and lets a slow vendor act after that.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
		c := e.begin(vendor, op, r)
		if err != nil {
			e.setStatus(c, http.StatusRequestEntityTooLarge)
			if answer := e.tooLarge[vendor]; answer != nil {
				answer(w, r)
				return
			}
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		hangUp := r.Context()
		r = r.WithContext(context.WithValue(hangUp, callKey{}, c))
		r.Body = io.NopCloser(bytes.NewReader(body))
		if vendor != "aws" || e.opts.LatencyAWS {
			if !pause(hangUp, e.opts.Latency) {
				return
			}
		}
		answer := newAnswer()
		if e.strike(c, answer, w, r, h) {
			return
		}
		e.setStatus(c, answer.status)
		answer.header.Set("Date", e.Now().UTC().Format(http.TimeFormat))
		answer.sendTo(w)
	})
}

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	return upstream.Sleep(ctx, d) == nil
}

// Answer holds an answer back until the engine has decided what becomes of it. It
// is the [http.ResponseWriter] of every operation.
type Answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	wrote  bool
}

func newAnswer() *Answer {
	return &Answer{header: http.Header{}, status: http.StatusOK}
}

// Header returns the headers so far.
func (a *Answer) Header() http.Header { return a.header }

// WriteHeader sets the status, the first time that it is called.
func (a *Answer) WriteHeader(status int) {
	if !a.wrote {
		a.status, a.wrote = status, true
	}
}

// Write appends to the body.
func (a *Answer) Write(b []byte) (int, error) {
	a.wrote = true
	return a.body.Write(b)
}

// Len is the size of the body so far.
func (a *Answer) Len() int { return a.body.Len() }

// Reset empties the body.
func (a *Answer) Reset() { a.body.Reset() }

func (a *Answer) sendTo(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
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

// Decode decodes exactly one JSON value of b into v; anything after it is an
// error. Unknown fields are ignored.
func Decode(b []byte, v any) error {
	return DecodeFrom(json.NewDecoder(bytes.NewReader(b)), v)
}

// DecodeStrict is Decode, but a field that v does not have is an error.
func DecodeStrict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	return DecodeFrom(dec, v)
}

// DecodeFrom decodes exactly one JSON value of dec into v.
func DecodeFrom(dec *json.Decoder, v any) error {
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
