package upstreamtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Error returns err as an upstream error. It fails the test when it is none, and
// when its text holds one of the secrets.
func Error(t testing.TB, err error, secrets ...string) *upstream.Error {
	t.Helper()
	var e *upstream.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an upstream error", err)
	}
	NoLeak(t, fmt.Sprintf("%v %+v %#v %v", err, e, *e, e.Err), secrets...)
	return e
}

// NoLeak fails the test when text holds one of the secrets.
func NoLeak(t testing.TB, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%q holds %q", text, secret)
		}
	}
}
