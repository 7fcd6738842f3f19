package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// operation is one kind of request. The order of operations matters: rooms are
// made, joined, left and dissolved.
type operation struct {
	name     string
	function string
	depth    int  // the target; 0: no upstream calls
	bare     bool // the bare function does it
	node     bool // the Node server does it
	request  func(w *world, room string) httpRequest
	makes    bool // rooms, for the operations that need one
	needs    bool
}

func operations() []operation {
	ticket := func(path string) func(*world, string) httpRequest {
		body := text(map[string]any{"userId": customer, "caseInfo": map[string]string{
			"subject": "The lamp is dark", "desc": "The lamp that I bought does not light.",
			"name": "Dana Customer", "email": "dana@customer.example",
		}})
		return func(w *world, _ string) httpRequest {
			r := post(path, w.token, body)
			r.headers["idempotency-key"] = uuid.NewString()
			return r
		}
	}
	member := func(path string) func(*world, string) httpRequest {
		return func(w *world, room string) httpRequest {
			return post(path, w.Fixtures.DeskKeySalesforce, text(map[string]string{"groupId": room, "userId": "sf_" + w.Fixtures.Salesforce.AgentIDs[0]}))
		}
	}
	return []operation{
		{name: "createticket, Zendesk", function: "createticket", depth: 2, bare: true, node: true, request: ticket("/zendesk/createticket")},
		{name: "createticket, Salesforce", function: "createticket", depth: 2, bare: true, node: true, makes: true, request: ticket("/salesforce/createticket")},
		{name: "joingroup", function: "joingroup", depth: 1, bare: true, node: true, needs: true, request: member("/joingroup")},
		{name: "leavegroup", function: "leavegroup", depth: 1, bare: true, node: true, needs: true, request: member("/leavegroup")},
		// It files a transcript first, which neither of the others does.
		{name: "deletegroup", function: "deletegroup", depth: 5, needs: true, request: func(w *world, room string) httpRequest {
			return post("/deletegroup", w.Fixtures.DeskKeySalesforce, text(map[string]string{"groupId": room}))
		}},
		{name: "usersig", function: "usersig", request: func(w *world, _ string) httpRequest { return post("/usersig", w.token, "{}") }},
		{name: "chatjwt", function: "chatjwt", request: func(w *world, _ string) httpRequest { return post("/generate/token", w.token, "{}") }},
		{name: "visitor", function: "visitor", depth: 1, bare: true, request: func(w *world, _ string) httpRequest {
			r := post("/visitor", w.Fixtures.DeskKeyZendesk, "")
			r.method, r.query = http.MethodGet, "id=9855790-xjj3u5xPWhW1Fv"
			return r
		}},
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings only
	}
	return string(b)
}

func post(path, bearer, body string) httpRequest {
	return httpRequest{method: http.MethodPost, path: path, body: body, headers: map[string]string{
		"accept": "*/*", "authorization": "Bearer " + bearer, "content-type": "application/json",
		"host": "bench.execute-api.eu-central-1.amazonaws.com", "user-agent": "caseroom-bench",
		"x-forwarded-for": "203.0.113.10", "x-forwarded-port": "443", "x-forwarded-proto": "https",
	}}
}

// sender is a process that takes requests.
type sender interface {
	send(context.Context, httpRequest) ([]byte, time.Duration, error)
	pid() int
}

// side is one of those that are compared, with a process for each operation or
// for several.
type side struct {
	processes map[string]sender // by operation
	rooms     []string
	samples   map[string]*sample
}

type sample struct {
	took  []time.Duration
	spent time.Duration // CPU
}

func (s *sample) perRequest() float64 {
	return milliseconds(s.spent) / float64(max(len(s.took), 1))
}

// settle is how long a process may take to finish what it does after an answer.
const settle = 15 * time.Millisecond

// block sends n requests of an operation and adds them to its sample.
func (s *side) block(ctx context.Context, w *world, op operation, n int) error {
	p := s.processes[op.name]
	if p == nil {
		return nil
	}
	if op.makes {
		s.rooms = s.rooms[:0]
	}
	before, err := cpu(p.pid())
	if err != nil {
		return err
	}
	sm := s.samples[op.name]
	if sm == nil {
		sm = &sample{}
		s.samples[op.name] = sm
	}
	for i := range n {
		room := ""
		if op.needs {
			room = s.rooms[i]
		}
		body, took, err := p.send(ctx, op.request(w, room))
		if err != nil {
			return err
		}
		sm.took = append(sm.took, took)
		if op.makes {
			var answer struct {
				GroupID string `json:"GroupId"`
			}
			if err := json.Unmarshal(body, &answer); err != nil || answer.GroupID == "" {
				return fmt.Errorf("%s made no room: %s", op.name, body)
			}
			s.rooms = append(s.rooms, answer.GroupID)
		}
	}
	time.Sleep(settle)
	after, err := cpu(p.pid())
	sm.spent += after - before
	return err
}

// functionsOf starts the functions of the operations.
func (b *bench) functionsOf(ctx context.Context, w *world, ops []operation) (*side, error) {
	s := &side{processes: map[string]sender{}, samples: map[string]*sample{}}
	started := map[string]*lambda{}
	for _, op := range ops {
		if started[op.function] == nil {
			env, err := w.lambdaEnv(op.function)
			if err != nil {
				return nil, err
			}
			l, err := startLambda(ctx, b.binary(op.function), env)
			if err != nil {
				return nil, err
			}
			b.closers = append(b.closers, l.stop)
			started[op.function] = l
		}
		s.processes[op.name] = started[op.function]
	}
	return s, nil
}

// bareSide starts a bare function for each function that it stands beside.
func (b *bench) bareSide(ctx context.Context, w *world, ops []operation) (*side, error) {
	s := &side{processes: map[string]sender{}, samples: map[string]*sample{}}
	env, err := w.bareEnv(ctx)
	if err != nil {
		return nil, err
	}
	started := map[string]*lambda{}
	for _, op := range ops {
		if !op.bare {
			continue
		}
		if started[op.function] == nil {
			l, err := startLambda(ctx, b.binary("bare"), slices.Clone(env))
			if err != nil {
				return nil, err
			}
			b.closers = append(b.closers, l.stop)
			started[op.function] = l
		}
		s.processes[op.name] = started[op.function]
	}
	return s, nil
}

// node is a Node server.
type node struct {
	child *child
	url   string
	world *world
}

func (n *node) pid() int { return n.child.cmd.Process.Pid }

func (n *node) send(ctx context.Context, r httpRequest) ([]byte, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, n.url+r.path, strings.NewReader(r.body))
	if err != nil {
		return nil, 0, err
	}
	for k, v := range r.headers {
		if k != "host" {
			req.Header.Set(k, v)
		}
	}
	began := time.Now()
	body, err := n.world.do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("node: %w\n%s", err, n.child.output.String())
	}
	return body, time.Since(began), nil
}

// nodeSide starts two servers, for there are two tutorials: one opens Zendesk
// tickets, the other does all the rest.
func (b *bench) nodeSide(ctx context.Context, w *world, ops []operation) (*side, error) {
	s := &side{processes: map[string]sender{}, samples: map[string]*sample{}}
	var servers []*node
	for range 2 {
		c, err := startChild(ctx, w.nodeEnv(), "node", filepath.Join(b.path("bench", "node"), "server.js"))
		if err != nil {
			return nil, err
		}
		b.closers = append(b.closers, c.stop)
		port, err := strconv.Atoi(strings.TrimSpace(c.line))
		if err != nil {
			return nil, fmt.Errorf("node: no port: %w", err)
		}
		servers = append(servers, &node{child: c, url: "http://127.0.0.1:" + strconv.Itoa(port), world: w})
	}
	for _, op := range ops {
		switch {
		case !op.node:
		case op.name == "createticket, Zendesk":
			s.processes[op.name] = servers[0]
		default:
			s.processes[op.name] = servers[1]
		}
	}
	return s, nil
}

// warm measures latency, CPU time and memory with upstream calls that take no
// time but the sandbox's own.
func (b *bench) warm(ctx context.Context) error {
	w, err := b.newWorld(ctx, 0)
	if err != nil {
		return err
	}
	ops := operations()
	own, err := b.functionsOf(ctx, w, ops)
	if err != nil {
		return err
	}
	bare, err := b.bareSide(ctx, w, ops)
	if err != nil {
		return err
	}
	sides := []*side{own, bare}
	var nodes *side
	if b.hasNode {
		if nodes, err = b.nodeSide(ctx, w, ops); err != nil {
			return err
		}
		sides = append(sides, nodes)
	}

	turn := func(sides []*side, n int) error {
		for _, op := range ops {
			for _, s := range sides {
				if err := s.block(ctx, w, op, n); err != nil {
					return err
				}
			}
		}
		return nil
	}
	// Ours goes first here: it imports the accounts that the others take for
	// granted.
	if err := turn(sides, b.warmUp); err != nil {
		return err
	}
	for _, s := range sides {
		s.samples = map[string]*sample{}
	}
	for range b.rounds {
		sides = append(sides[1:], sides[0])
		if err := turn(sides, b.perRound); err != nil {
			return err
		}
	}

	for _, op := range ops {
		took := own.samples[op.name].took
		r := row{group: "latency, upstream calls 0 ms: p50 / p90 / p99", what: op.name, measured: spread(took)}
		if op.bare {
			other := bare.samples[op.name].took
			r.reference = "bare Go " + spread(other)
			r.ratio = float64(quantile(took, 0.5)) / float64(quantile(other, 0.5))
		}
		r.target, r.ok = "p99 ≤ 5 ms", quantile(took, 0.99) <= 5*time.Millisecond
		b.table.add(r)
	}
	for _, op := range ops {
		spent := own.samples[op.name].perRequest()
		r := row{group: "CPU per request, to a bare Go function", what: op.name, measured: digits(spent) + " ms"}
		if op.bare {
			other := bare.samples[op.name].perRequest()
			r.reference, r.ratio = digits(other)+" ms", spent/other
			r.target, r.ok = "≤ 1.5", spent <= 1.5*other
		}
		b.table.add(r)
	}
	if nodes == nil {
		b.table.add(row{group: "CPU and memory, to Node", what: "not measured: there is no Node 20 or later here"})
		return nil
	}
	return b.toNode(ops, own, nodes)
}

// toNode compares CPU time and memory with the Node servers'.
func (b *bench) toNode(ops []operation, own, nodes *side) error {
	for _, op := range ops {
		if !op.node {
			continue
		}
		spent, other := own.samples[op.name].perRequest(), nodes.samples[op.name].perRequest()
		b.table.add(row{
			group: "CPU per request, to Node", what: op.name, measured: digits(spent) + " ms",
			reference: digits(other) + " ms", ratio: spent / other, target: "≤ 0.33", ok: spent <= other/3,
		})
	}
	seen := map[string]bool{}
	for _, op := range ops {
		if !op.node || seen[op.function] {
			continue
		}
		seen[op.function] = true
		mine, err := peakMemory(own.processes[op.name].pid())
		if err != nil {
			return err
		}
		theirs, err := peakMemory(nodes.processes[op.name].pid())
		if err != nil {
			return err
		}
		b.table.add(row{
			group: "peak memory, to Node", what: op.function, measured: fmt.Sprintf("%.1f MB", mine/1e6),
			reference: fmt.Sprintf("%.1f MB", theirs/1e6), ratio: mine / theirs, target: "≤ 0.25", ok: mine <= theirs/4,
		})
	}
	return nil
}

// delayed counts the upstream calls of each operation and measures its latency
// with calls that take a while.
func (b *bench) delayed(ctx context.Context) error {
	w, err := b.newWorld(ctx, b.slowness)
	if err != nil {
		return err
	}
	ops := operations()
	own, err := b.functionsOf(ctx, w, ops)
	if err != nil {
		return err
	}
	// The first requests read secrets, fetch tokens and import accounts.
	for _, op := range ops {
		if err := own.block(ctx, w, op, 2); err != nil {
			return err
		}
	}
	var counted, timed []row
	for _, op := range ops {
		n, depth, err := w.calls(ctx, b.slowness, func() error { return own.block(ctx, w, op, 1) })
		if err != nil {
			return err
		}
		r := row{group: "upstream calls", what: op.name, measured: fmt.Sprintf("%d, %d deep", n, depth)}
		if op.depth > 0 {
			r.target, r.ok = fmt.Sprintf("%d deep", op.depth), depth <= op.depth
		}
		counted = append(counted, r)
	}
	for _, op := range ops {
		delete(own.samples, op.name)
		if err := own.block(ctx, w, op, b.slow); err != nil {
			return err
		}
		took := own.samples[op.name].took
		r := row{group: fmt.Sprintf("latency, upstream calls %d ms: p50 / p90 / p99", b.slowness.Milliseconds()), what: op.name, measured: spread(took)}
		if op.depth > 0 {
			least := time.Duration(op.depth) * b.slowness
			r.reference = fmt.Sprintf("%d × %d ms", op.depth, b.slowness.Milliseconds())
			r.ratio = float64(quantile(took, 0.5)) / float64(least)
			r.target, r.ok = "p50 ≤ 1.05", r.ratio <= 1.05
		}
		timed = append(timed, r)
	}
	for _, r := range slices.Concat(counted, timed) {
		b.table.add(r)
	}
	return nil
}

// starting measures from exec to the first next, of every function and of the
// least that a Go function can be, in turns.
func (b *bench) starting(ctx context.Context) error {
	w, err := b.newWorld(ctx, 0)
	if err != nil {
		return err
	}
	const least = "start"
	names := append([]string{least}, b.functions...)
	took := map[string][]time.Duration{}
	for i := range b.starts + 1 {
		for _, name := range names {
			env := w.awsEnv()
			if name != least {
				if env, err = w.lambdaEnv(name); err != nil {
					return err
				}
			}
			l, err := startLambda(ctx, b.binary(name), env)
			if err != nil {
				return err
			}
			l.stop()
			if i > 0 { // the first reads the binary from disk
				took[name] = append(took[name], l.init)
			}
		}
	}
	base := quantile(took[least], 0.5)
	for _, name := range b.functions {
		own := quantile(took[name], 0.5)
		b.table.add(row{
			group: "process start to first next, median", what: name,
			measured: digits(milliseconds(own)) + " ms", reference: "bare lambda.Start " + digits(milliseconds(base)) + " ms",
			ratio: float64(own) / float64(base), target: "≤ 2", ok: own <= 2*base,
		})
	}
	return nil
}

var (
	_ sender = (*lambda)(nil)
	_ sender = (*node)(nil)
)
