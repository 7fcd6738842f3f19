// Package secrets reads JSON secrets from AWS Secrets Manager: when they are
// first needed, once for however many callers, and kept while they are fresh or
// while nothing newer can be had. No value of a secret is in any error or log
// line of this package; a secret's id is.
package secrets

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/problem"
)

const (
	// keep is how long a value is used without asking again. The jitter only
	// shortens it.
	keep = 5 * time.Minute
	// A read that failed is not tried again at once: soon where requests fail
	// for want of the value, later where an older value serves them.
	retryMissing = time.Second
	retryKept    = 10 * time.Second
	// reloadEvery spaces the reads that a vendor's 401 asks for.
	reloadEvery = time.Minute
	// readTimeout bounds one read, the SDK's own retries included.
	readTimeout = 4 * time.Second
)

// API is the one call that is made.
// See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html.
type API interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Store is a process's view of Secrets Manager.
type Store struct {
	api     API
	now     func() time.Time
	rand    func() float64
	log     *slog.Logger
	mu      sync.Mutex
	sources map[sourceKey]any // *Source[T] by id and T
}

type sourceKey struct {
	id  string
	typ reflect.Type
}

// New returns a store without any value. rand returns numbers in [0,1) and
// must be safe for concurrent use.
func New(api API, now func() time.Time, rand func() float64, log *slog.Logger) *Store {
	return &Store{api: api, now: now, rand: rand, log: log, sources: make(map[sourceKey]any)}
}

// wall is the wall clock: a frozen function's monotonic clock may stand still.
func (s *Store) wall() time.Time { return s.now().Round(0) }

// Source is one JSON secret decoded into T. If *T has a method Validate() error,
// a value that it refuses counts as unreadable; its error must hold no value.
type Source[T any] struct {
	store *Store
	id    string
	// flight is a mutex that a context can give up on. Who holds it may read;
	// there is no goroutine that could outlive the invocation.
	flight   chan struct{}
	reloaded time.Time // of the last Reload that read; under flight
	state    atomic.Pointer[state[T]]
}

// state is what the last read left: a good value, or why there is none.
type state[T any] struct {
	value T
	err   error
	until time.Time // not read again before
}

// For returns the store's source of a secret as T; nothing is read yet.
func For[T any](s *Store, id string) *Source[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := sourceKey{id, reflect.TypeFor[T]()}
	if src, ok := s.sources[k].(*Source[T]); ok {
		return src
	}
	src := &Source[T]{store: s, id: id, flight: make(chan struct{}, 1)}
	s.sources[k] = src
	return src
}

// Load returns the value, reading it when there is none or when it is about
// five minutes old. When it cannot be read, the last good value is returned;
// without one the error is a [problem.Error]: Unavailable, or Timeout when ctx
// ended first. A failure is remembered for a second.
func (s *Source[T]) Load(ctx context.Context) (T, error) {
	st := s.state.Load()
	if s.fresh(st) {
		return s.result(st)
	}
	if st != nil && st.err == nil {
		select {
		case s.flight <- struct{}{}:
		default: // somebody reads: the value at hand is good enough
			return st.value, nil
		}
	} else if err := s.lock(ctx); err != nil {
		return st.zero(), err
	}
	defer s.unlock()
	if st = s.state.Load(); s.fresh(st) {
		return s.result(st)
	}
	return s.read(ctx)
}

// Reload reads the value again because a vendor or caller refused it: at most
// once a minute, and once for all who ask at the same time. Otherwise it is
// [Source.Load]; whether the value changed is the caller's to see.
func (s *Source[T]) Reload(ctx context.Context) (T, error) {
	if err := s.lock(ctx); err != nil {
		if st := s.state.Load(); st != nil && st.err == nil {
			return st.value, nil
		}
		var zero T
		return zero, err
	}
	defer s.unlock()
	if now := s.store.wall(); s.reloaded.IsZero() || now.Sub(s.reloaded) >= reloadEvery {
		v, err := s.read(ctx)
		if ctx.Err() == nil {
			s.reloaded = now
		}
		return v, err
	}
	if st := s.state.Load(); s.fresh(st) {
		return s.result(st)
	}
	return s.read(ctx)
}

func (s *Source[T]) lock(ctx context.Context) error {
	select {
	case s.flight <- struct{}{}:
		return nil
	case <-ctx.Done():
		return s.timeout(ctx)
	}
}

func (s *Source[T]) unlock() { <-s.flight }

func (s *Source[T]) fresh(st *state[T]) bool {
	return st != nil && s.store.wall().Before(st.until)
}

func (st *state[T]) zero() (v T) { return v }

// result gives every caller an error of its own: a problem's fields are filled
// in on its way to the caller.
func (s *Source[T]) result(st *state[T]) (T, error) {
	if st.err != nil {
		return st.zero(), problem.Wrap(st.err, problem.Unavailable, "the service's own credentials cannot be read at the moment")
	}
	return st.value, nil
}

func (s *Source[T]) timeout(ctx context.Context) error {
	return problem.Wrap(&unreadable{id: s.id, reason: reasonTimeout, err: ctx.Err()}, problem.Timeout,
		"the service's own credentials could not be read in time")
}

// read asks Secrets Manager. The caller holds the flight.
func (s *Source[T]) read(ctx context.Context) (T, error) {
	old := s.state.Load()
	kept := old != nil && old.err == nil
	limit := readTimeout
	if deadline, ok := ctx.Deadline(); ok && kept {
		// Whoever has a value must be left with time to use it.
		limit = min(limit, time.Until(deadline)/2)
	}
	v, err := s.fetch(ctx, limit)
	now := s.store.wall()
	if err == nil {
		life := keep - time.Duration(s.store.rand()*float64(keep)/5)
		s.state.Store(&state[T]{value: v, until: now.Add(life)})
		return v, nil
	}
	if ctx.Err() != nil { // says nothing about the secret
		if kept {
			return old.value, nil
		}
		return v, s.timeout(ctx)
	}
	next := &state[T]{err: err, until: now.Add(retryMissing)}
	message := "secret cannot be read"
	if kept {
		next = &state[T]{value: old.value, until: now.Add(retryKept)}
		message = "secret cannot be read, the last good value stays in use"
	}
	s.state.Store(next)
	s.store.log.WarnContext(ctx, message, "secret", s.id, "reason", err.reason)
	return s.result(next)
}

func (s *Source[T]) fetch(ctx context.Context, limit time.Duration) (T, *unreadable) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var zero T
	out, err := s.store.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id})
	if err != nil {
		return zero, &unreadable{id: s.id, reason: reasonOf(ctx, err)}
	}
	raw := out.SecretBinary
	if out.SecretString != nil {
		raw = []byte(*out.SecretString)
	}
	v, bad := decode[T](raw)
	if bad != nil {
		bad.id = s.id
		return zero, bad
	}
	return v, nil
}

// Why a secret is unreadable, beside the codes that AWS answers, such as
// AccessDeniedException and ResourceNotFoundException.
const (
	reasonTimeout    = "Timeout"
	reasonConnection = "ConnectionFailed"
	reasonAnswer     = "UnreadableAnswer"
	reasonEmpty      = "EmptySecret"
	reasonDecode     = "DecodeFailed"
	reasonInvalid    = "ValidationFailed"
)

// unreadable is a failed read. It never wraps what the SDK or the JSON decoder
// said: their errors may quote the answer.
type unreadable struct {
	id, reason string
	err        error // ours: of a Validate or a context
}

func (e *unreadable) Error() string {
	s := "secret " + e.id + ": " + e.reason
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	return s
}

func (e *unreadable) Unwrap() error { return e.err }

// ErrorCode returns the reason, as AWS's own errors return their code.
func (e *unreadable) ErrorCode() string { return e.reason }

func reasonOf(ctx context.Context, err error) string {
	// AccessDeniedException is not modelled by the SDK: only its code tells.
	if code := awsenv.ErrorCode(err); code != "" {
		return code
	}
	var send *smithyhttp.RequestSendError
	switch {
	case ctx.Err() != nil:
		return reasonTimeout
	case errors.As(err, &send):
		return reasonConnection
	}
	return reasonAnswer
}
