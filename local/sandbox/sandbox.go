// Package sandbox holds stateful stand-ins for the vendors that caseroom talks
// to: Zendesk, Zendesk Chat, Salesforce, Tencent Chat, Cronofy, and the AWS APIs that its
// functions use. They are one [http.Handler], used by the tests and by the local
// run alike. They refuse what the vendor refuses, keep what the vendor keeps,
// and can be told to fail the way vendors fail (see [Fault]).
//
//	/zendesk /salesforce /tencent /cronofy /aws   the vendors
//	/chat                                                what Tencent's client SDK does
//	/desk                                                what people do at the vendors
//	/state /calls /faults /flush                         control
//
// The control routes change the sandbox without a credential: bind it to
// loopback.
//
// A package below holds what all stand-ins have in common, engine, and one each
// vendor. This one puts them together.
package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/aws"
	"github.com/caseroom/caseroom/local/sandbox/cronofy"
	"github.com/caseroom/caseroom/local/sandbox/engine"
	"github.com/caseroom/caseroom/local/sandbox/salesforce"
	"github.com/caseroom/caseroom/local/sandbox/tencent"
	"github.com/caseroom/caseroom/local/sandbox/zendesk"
)

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
	// URL is where the sandbox is reached, such as "http://127.0.0.1:3100", for what
	// they say outside an answer. In an answer it is the request's own Host.
	URL string
	// Queues and Buckets exist from the start.
	Queues  []aws.QueueConfig
	Buckets []string
	// AnyAWSKey accepts a well-formed signature by any access key: SAM's
	// containers bring the developer's own. A signature by the fixture's key is
	// verified in any case.
	AnyAWSKey bool
	// Tencent sets the plan's limits.
	Tencent tencent.Plan
	// Notify carries webhooks and callouts; the network if nil.
	Notify http.RoundTripper
	// Senders is how many notifications are sent at a time. With one, which is
	// also what zero means, they arrive in the order of the changes.
	Senders int
}

// Sandbox is all stand-ins together. It is safe for concurrent use.
type Sandbox struct {
	engine *engine.Engine
	fix    Fixtures // guarded by the engine's lock

	zendesk    zendesk.Desk
	zopim      *zendesk.Chat
	salesforce salesforce.Org
	tencent    tencent.App
	cronofy    cronofy.App
	aws        aws.Account
}

// New returns a sandbox with no tickets, rooms or messages in it.
func New(o Options) *Sandbox {
	e := engine.New(engine.Options{
		Seed: o.Seed, Now: o.Now, Latency: o.Latency, LatencyAWS: o.LatencyAWS, URL: o.URL,
		Notify: o.Notify, Senders: o.Senders,
	})
	s := &Sandbox{engine: e, fix: newFixtures(o.Seed)}
	s.zendesk = zendesk.New(e, s.fix.Zendesk)
	s.zopim = zendesk.NewChat(e, s.fix.Zendesk.ZopimToken)
	s.salesforce = salesforce.New(e, s.fix.Salesforce)
	s.tencent = tencent.New(e, &s.fix.Tencent, o.Tencent)
	s.cronofy = cronofy.New(e, s.fix.Cronofy)
	s.aws = aws.New(e, s.fix.AWS, aws.Options{
		Queues: o.Queues, Buckets: o.Buckets, AnyKey: o.AnyAWSKey,
		Secrets: func() map[string]json.RawMessage { return s.fix.secrets() },
	})
	e.Control("/state", func() any { return s.State() })
	clicks := e.Clicks()
	s.zendesk.Clicks(clicks)
	s.salesforce.Clicks(clicks)
	s.tencent.Clicks(clicks)
	s.cronofy.Clicks(clicks)
	return s
}

// Handler returns the stand-ins and the control routes.
func (s *Sandbox) Handler() http.Handler { return s.engine.Handler() }

// State is what the stand-ins hold, for tests and for /state. Each part is
// defined with its vendor; none holds a credential.
type State struct {
	Zendesk    zendesk.State    `json:"zendesk"`
	Salesforce salesforce.State `json:"salesforce"`
	Tencent    tencent.State    `json:"tencent"`
	Cronofy    cronofy.State    `json:"cronofy"`
	AWS        aws.State        `json:"aws"`
}

// State returns a copy of what the stand-ins hold now.
func (s *Sandbox) State() State {
	s.engine.Lock()
	defer s.engine.Unlock()
	return State{
		Zendesk:    s.zendesk.State(),
		Salesforce: s.salesforce.State(),
		Tencent:    s.tencent.State(),
		Cronofy:    s.cronofy.State(),
		AWS:        s.aws.State(),
	}
}

// Fixtures returns the accounts and credentials. The first call in a process
// makes an RSA key, which takes a moment.
func (s *Sandbox) Fixtures() Fixtures {
	s.engine.Lock()
	f := s.fix
	s.engine.Unlock()
	f.Secrets = f.secrets()
	return f
}

// Calls returns the calls so far, oldest first, at most the last 10,000.
func (s *Sandbox) Calls() []Call { return s.engine.Calls() }

// ResetCalls empties the log. Sequence numbers go on.
func (s *Sandbox) ResetCalls() { s.engine.ResetCalls() }

// AddFault arms f. It returns an error, and arms nothing, when f could never
// strike as written.
func (s *Sandbox) AddFault(f Fault) error { return s.engine.AddFault(f) }

// ClearFaults disarms all faults.
func (s *Sandbox) ClearFaults() { s.engine.ClearFaults() }

// Faults returns the faults that are still armed, Times being what is left.
func (s *Sandbox) Faults() []Fault { return s.engine.Faults() }

// Flush returns when every notification has been delivered or given up. What
// waits to be sent again, or to be overtaken, is sent at once. It returns early
// with the context's error.
func (s *Sandbox) Flush(ctx context.Context) error { return s.engine.Flush(ctx) }

// Close ends all notifications, also those under way, and waits for that. The
// handler works on; nothing is notified any more.
func (s *Sandbox) Close() { s.engine.Close() }
