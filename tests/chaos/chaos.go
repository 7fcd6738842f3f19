// Package chaos puts a running stack under load while it kills the stack's
// function processes, and then checks that nothing was lost and nothing was
// done twice.
//
// It is a client like any other: tickets are opened through the gateway, agents
// and customers act through the vendors' APIs of the sandbox, and what came of
// it is read from the sandbox's state. The processes are found by the address
// of their sandbox, so another stack's are safe. It needs Linux's /proc.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/upstream"
)

// Options describe the storm. All fields but Progress are required.
type Options struct {
	Gateway, Sandbox string // URLs
	Fixtures         sandbox.Fixtures
	Issuer, Audience string // of login tokens
	Duration         time.Duration
	// Every is the mean time between two kills.
	Every time.Duration
	// Load is how many customers are served at a time.
	Load int
	// Settle is how long the stack may take to come to rest afterwards: at least
	// the visibility timeout of the queue, for which what a killed process
	// worked on stays hidden.
	Settle   time.Duration
	Seed     uint64
	Progress io.Writer
}

// Report is what happened.
type Report struct {
	Tickets    int // opened
	Changes    int // by agents
	Messages   int // that the chat took
	Repeated   int // requests that were sent again, with the same key
	Kills      int
	KilledBusy int // of them, as far as their state showed, at work
	Settled    time.Duration
	Problems   []string
}

// ticket is one customer's story.
type ticket struct {
	subject  string
	customer string
	desk     relay.DeskName
	id       string // once a 200 has told it
	agent    int    // -1: nobody
	over     bool
	messages []string // tokens
}

// storm is one run.
type storm struct {
	Options
	vendors *vendors
	started time.Time

	mu      sync.Mutex
	tickets []*ticket
	errs    []string

	changes, messages, repeated, kills, busy atomic.Int64
}

// Run makes the storm, waits until the stack has come to rest, and checks. The
// error is for what kept it from doing so; what it found wrong is in the
// report.
func Run(ctx context.Context, o Options) (Report, error) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return Report{}, errors.New("chaos finds the processes in Linux's /proc, which is not here")
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	s := &storm{Options: o, started: time.Now(), vendors: newVendors(o)}
	noise, calm := context.WithTimeout(ctx, o.Duration)
	var all sync.WaitGroup
	all.Go(func() { s.killing(noise) })
	all.Go(func() { s.progress(noise) })
	for i := range o.Load {
		all.Go(func() { s.customers(ctx, noise, i) })
	}
	all.Wait()
	calm()
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	stopped := time.Now()
	problems, err := s.rest(ctx)
	if err != nil {
		return Report{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Report{
		Tickets: len(s.tickets), Changes: int(s.changes.Load()), Messages: int(s.messages.Load()),
		Repeated: int(s.repeated.Load()), Kills: int(s.kills.Load()), KilledBusy: int(s.busy.Load()),
		Settled: time.Since(stopped), Problems: append(s.errs, problems...),
	}
	if r.Kills == 0 {
		r.Problems = append(r.Problems, "no process was killed")
	}
	return r, nil
}

func (s *storm) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, fmt.Sprintf(format, args...))
}

func (s *storm) progress(ctx context.Context) {
	t := time.NewTicker(10 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.mu.Lock()
			n := len(s.tickets)
			s.mu.Unlock()
			fmt.Fprintf(s.Progress, "%4.0f s  %d tickets, %d changes, %d messages, %d kills\n",
				time.Since(s.started).Seconds(), n, s.changes.Load(), s.messages.Load(), s.kills.Load())
		}
	}
}

// killing kills a process now and then.
func (s *storm) killing(ctx context.Context) {
	r := mathrand.New(mathrand.NewPCG(s.Seed, 1))
	for pause(ctx, time.Duration(r.Int64N(int64(2*s.Every)))) {
		list := s.processes()
		if len(list) == 0 {
			continue
		}
		// Those at work are more rewarding; idle ones are hit too.
		p := list[r.IntN(len(list))]
		for i := 0; i < 3 && !p.working; i++ {
			p = list[r.IntN(len(list))]
		}
		if syscall.Kill(p.pid, syscall.SIGKILL) == nil {
			s.kills.Add(1)
			if p.working {
				s.busy.Add(1)
			}
		}
	}
}

// process is one of the stack's.
type process struct {
	pid     int
	working bool // spent CPU time lately
}

var lastTicks = struct {
	sync.Mutex
	of map[int]uint64
}{of: map[int]uint64{}}

// processes finds the stack's function processes.
func (s *storm) processes() (list []process) {
	mark := "AWS_ENDPOINT_URL=" + s.Sandbox + "/aws"
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	lastTicks.Lock()
	defer lastTicks.Unlock()
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !strings.Contains("\x00"+string(env), "\x00"+mark+"\x00") || !strings.Contains(string(env), "AWS_LAMBDA_RUNTIME_API=") {
			continue
		}
		ticks := spent(dir)
		before, known := lastTicks.of[pid]
		lastTicks.of[pid] = ticks
		list = append(list, process{pid, !known || ticks > before})
	}
	return list
}

// spent is a process's CPU time, in ticks.
func spent(dir string) uint64 {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseUint(f[11], 10, 64)
	system, _ := strconv.ParseUint(f[12], 10, 64)
	return user + system
}

// pause waits and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	return upstream.Sleep(ctx, d) == nil
}

// customers serves one customer after the other until the noise ends; a story
// that has begun is told to its end.
func (s *storm) customers(ctx, noise context.Context, n int) {
	r := mathrand.New(mathrand.NewPCG(s.Seed, uint64(n)+2))
	for i := 0; noise.Err() == nil; i++ {
		desk := relay.Zendesk
		if r.IntN(2) == 1 {
			desk = relay.Salesforce
		}
		t := &ticket{
			desk: desk, customer: fmt.Sprintf("storm-%d", r.IntN(50*s.Load)),
			subject: fmt.Sprintf("Storm %d-%d-%d", s.started.UnixNano(), n, i), agent: -1,
		}
		if err := s.story(ctx, t, r); err != nil {
			if ctx.Err() == nil {
				s.problem("%s: %v", t.subject, err)
			}
			return
		}
	}
}

// story is a ticket's life: opened, assigned, talked about, given to another,
// solved, and sometimes opened again.
func (s *storm) story(ctx context.Context, t *ticket, r *mathrand.Rand) error {
	again, err := s.vendors.open(ctx, t, r)
	s.repeated.Add(int64(again))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.tickets = append(s.tickets, t)
	s.mu.Unlock()
	steps := []func() error{
		func() error { return s.assign(ctx, t, r.IntN(2)) },
		func() error { return s.talk(ctx, t, 1+r.IntN(3)) },
		func() error { return s.assign(ctx, t, r.IntN(3)-1) },
		func() error { return s.talk(ctx, t, r.IntN(3)) },
		func() error { return s.solve(ctx, t) },
		func() error {
			if r.IntN(4) > 0 {
				return nil
			}
			if err := s.reopen(ctx, t); err != nil {
				return err
			}
			return s.talk(ctx, t, 1)
		},
	}
	if r.IntN(5) == 0 {
		steps = steps[:1+r.IntN(4)] // this one stays open
	}
	for _, step := range steps {
		if !pause(ctx, time.Duration(r.IntN(700))*time.Millisecond) {
			return ctx.Err()
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *storm) assign(ctx context.Context, t *ticket, agent int) error {
	s.changes.Add(1)
	t.agent = agent
	return s.vendors.assign(ctx, t, agent)
}

func (s *storm) solve(ctx context.Context, t *ticket) error {
	s.changes.Add(1)
	t.over = true
	return s.vendors.status(ctx, t, true)
}

func (s *storm) reopen(ctx context.Context, t *ticket) error {
	s.changes.Add(1)
	t.over = false
	return s.vendors.status(ctx, t, false)
}

// talk lets whoever may say something do so. What the chat refuses, because the
// room is not there yet or locked already, was not said.
func (s *storm) talk(ctx context.Context, t *ticket, n int) error {
	for range n {
		token := fmt.Sprintf("«%s/%d»", t.subject, len(t.messages))
		said, err := s.vendors.say(ctx, t, token)
		if err != nil {
			return err
		}
		if said {
			s.messages.Add(1)
			t.messages = append(t.messages, token)
		}
	}
	return nil
}
