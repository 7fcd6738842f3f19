package connections_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/connections"
	"github.com/caseroom/caseroom/shared/upstream"
)

func newSecrets(t *testing.T) (*sandbox.Sandbox, connections.Secrets) {
	t.Helper()
	box := sandbox.New(sandbox.Options{Seed: 1})
	server := httptest.NewServer(box.Handler())
	t.Cleanup(server.Close)
	f := box.Fixtures().AWS
	t.Setenv("AWS_REGION", f.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", f.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", f.SecretAccessKey)
	t.Setenv("AWS_ENDPOINT_URL", server.URL+"/aws")
	cfg, err := awsenv.Config()
	if err != nil {
		t.Fatal(err)
	}
	return box, connections.Secrets{API: secretsmanager.NewFromConfig(cfg), Prefix: sandbox.SecretCronofy}
}

func TestRecords(t *testing.T) {
	box, s := newSecrets(t)
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	load := func(agent string) calendar.Record {
		t.Helper()
		r, err := s.Load(ctx, agent)
		ok(err)
		return r
	}
	if r := load("1"); r != (calendar.Record{}) {
		t.Error("a record of nobody")
	}
	a := calendar.Record{V: 1, State: calendar.Connected, Refresh: "r", Expires: time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)}
	ok(s.Save(ctx, "1", a))
	b := a
	b.Refresh = "s"
	ok(s.Save(ctx, "1", b))
	ok(s.Save(ctx, "1", a)) // what was there once can be there again
	if load("1") != a {
		t.Error("not what was saved")
	}
	for i := range 120 {
		ok(s.Save(ctx, strconv.Itoa(i+2), a))
	}
	box.SetSecret("caseroom/cronofy/agents/x", json.RawMessage(`{}`))
	box.SetSecret("caseroom/cronofy2/agents/7", json.RawMessage(`{}`))
	list, err := s.List(ctx)
	ok(err)
	if len(list) != 121 || slices.Contains(list, "x") {
		t.Errorf("%d agents: %v", len(list), list)
	}
	ok(s.Delete(ctx, "1"))
	ok(s.Delete(ctx, "1"))
	if load("1") != (calendar.Record{}) {
		t.Error("still there")
	}
	ok(s.Save(ctx, "1", a))
}

// Generations have secrets of their own, which say nothing about connections and
// outlive them.
func TestFeeds(t *testing.T) {
	box, s := newSecrets(t)
	f := connections.Feeds{API: s.API, Prefix: s.Prefix}
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(agent string, want int) {
		t.Helper()
		if got, err := f.Generation(ctx, agent); err != nil || got != want {
			t.Errorf("agent %s: %d, want %d; %v", agent, got, want, err)
		}
	}
	is("1", 0)
	ok(s.Save(ctx, "1", calendar.Record{State: calendar.Connected, Refresh: "r"}))
	is("1", 0)
	ok(f.SaveGeneration(ctx, "1", 1))
	ok(f.SaveGeneration(ctx, "1", 2))
	is("1", 2)
	is("2", 0)
	if list, err := s.List(ctx); err != nil || !slices.Equal(list, []string{"1"}) {
		t.Error(list, err)
	}
	ok(s.Delete(ctx, "1"))
	is("1", 2)
	// What caseroom did not write opens no address that was taken back.
	for _, garbage := range []string{`{}`, `{"v":1}`, `{"v":1,"generation":-1}`, `{"v":2,"generation":1}`, `{"v":1,"generation":"1"}`, `[]`} {
		box.SetSecret(sandbox.SecretCronofy+"/feeds/1", json.RawMessage(garbage))
		if n, err := f.Generation(ctx, "1"); upstream.ClassOf(err) != upstream.Refused {
			t.Errorf("%s: %d, %v", garbage, n, err)
		}
	}
}

func TestFailures(t *testing.T) {
	const canary = "canary-7f3d"
	box, s := newSecrets(t)
	for _, garbage := range []string{`"` + canary + `"`, `{"v":2,"refreshToken":"` + canary + `"}`, `{"v":"` + canary + `"}`} {
		box.SetSecret("caseroom/cronofy/agents/1", json.RawMessage(garbage))
		if _, err := s.Load(t.Context(), "1"); upstream.ClassOf(err) != upstream.Refused || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", garbage, err)
		}
	}
	for code, class := range map[string]upstream.Class{
		"AccessDeniedException": upstream.Refused, "ThrottlingException": upstream.RateLimited, "InternalServiceError": upstream.Unknown,
	} {
		if err := box.AddFault(sandbox.Fault{Vendor: "aws", Kind: sandbox.FaultCode, Code: code}); err != nil {
			t.Fatal(err)
		}
		_, loaded := s.Load(t.Context(), "1")
		_, listed := s.List(t.Context())
		for what, err := range map[string]error{
			"generation": func() error {
				_, err := connections.Feeds{API: s.API, Prefix: s.Prefix}.Generation(t.Context(), "1")
				return err
			}(),
			"load": loaded, "list": listed, "save": s.Save(t.Context(), "1", calendar.Record{}), "delete": s.Delete(t.Context(), "1"),
		} {
			if upstream.ClassOf(err) != class || err == nil || strings.Contains(err.Error(), "forced") {
				t.Errorf("%s, %s: %v", code, what, err)
			}
		}
		box.ClearFaults()
	}
}
