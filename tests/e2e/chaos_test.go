package e2e

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/tests/chaos"
)

// The functions' processes are killed at random while tickets are opened, given
// to agents and solved. make chaos does so for as long as asked.
func TestChaos(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are found in /proc")
	}
	t.Parallel()
	s := newStack(t, func(set *settings) {
		// What a killed process worked on shows up again after this time, not after
		// the template's minutes.
		set.visibility = 10 * time.Second
	})
	s.killed.Store(true)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		_ = s.host.Run(ctx)
	}()
	defer func() { stop(); <-ran }()
	_, err := s.box.Zendesk().Subscribe(s.url + "/zendesk/events")
	s.must(err)
	s.box.Salesforce().SetTrigger(sandbox.SalesforceTrigger{URL: s.url + "/salesforce/events", Key: s.fix.DeskKeySalesforce})
	report, err := chaos.Run(ctx, chaos.Options{
		Gateway: s.url, Sandbox: s.boxURL, Fixtures: s.fix, Issuer: issuer, Audience: audience,
		Duration: 8 * time.Second, Every: 300 * time.Millisecond, Load: 4, Settle: 3 * time.Minute, Seed: 1,
	})
	s.must(err)
	t.Logf("%d tickets, %d changes, %d messages, %d kills, at rest after %s", report.Tickets, report.Changes, report.Messages, report.Kills, report.Settled)
	for _, p := range report.Problems {
		t.Error(p)
	}
}
