package engine

import (
	"net/http/httptest"
	"testing"
)

func TestCallLogIsBounded(t *testing.T) {
	e := New(Options{})
	for range maxCalls + 5 {
		e.begin("tencent", "x", httptest.NewRequest("POST", "/", nil))
	}
	c := e.Calls()
	if len(c) != maxCalls || c[0].Seq != 6 || c[len(c)-1].Seq != maxCalls+5 {
		t.Errorf("%d calls, from %d to %d", len(c), c[0].Seq, c[len(c)-1].Seq)
	}
}
