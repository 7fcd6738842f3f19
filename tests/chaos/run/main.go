// Command run starts the local run, loads it, kills its function processes at
// random while it works, and checks afterwards that nothing was lost and
// nothing was done twice:
//
//	make chaos DURATION=10m
//
// It exits with 1 when something is wrong, and says what.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
	"github.com/caseroom/caseroom/tests/chaos"
)

// seed makes the fixtures of the local run, whose credentials the load uses.
const seed = 1

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root := flag.String("root", ".", "the repository")
	duration := flag.Duration("duration", 30*time.Second, "how long processes are killed under load")
	every := flag.Duration("every", 400*time.Millisecond, "mean time between two kills")
	load := flag.Int("load", 8, "customers at a time")
	settle := flag.Duration("settle", 20*time.Minute, "how long the stack may take to come to rest: what a killed process worked on stays hidden for the queue's visibility timeout, six minutes")
	random := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the kills and the load")
	flag.Parse()

	dir, err := os.MkdirTemp("", "caseroom-chaos-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "caseroom")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/caseroom")
	build.Dir, build.Stderr = *root, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	gateway, box, err := addresses()
	if err != nil {
		return err
	}
	stack := exec.Command(binary, "run", "--gateway-addr", gateway, "--sandbox-addr", box,
		"--ready-file", filepath.Join(dir, "ready.json"), "--seed", fmt.Sprint(seed),
		"--param", "ThrottleRate=10000", "--param", "ThrottleBurst=10000")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	stack.Dir, stack.Stdout, stack.Stderr = *root, log, log
	if err := stack.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- stack.Wait() }()
	defer func() {
		_ = stack.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = stack.Process.Kill()
		}
	}()
	if err := ready(ctx, filepath.Join(dir, "ready.json"), ended); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("caseroom run: %w\n%s", err, text)
	}
	fmt.Printf("caseroom run on %s, killing for %s (seed %d)\n", gateway, *duration, *random)
	report, err := chaos.Run(ctx, chaos.Options{
		Gateway: "http://" + gateway, Sandbox: "http://" + box,
		Fixtures: sandbox.New(sandbox.Options{Seed: seed}).Fixtures(),
		Issuer:   "https://login.example.com", Audience: "caseroom-local",
		Duration: *duration, Every: *every, Load: *load, Settle: *settle, Seed: *random, Progress: os.Stdout,
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d tickets, %d changes, %d messages; %d requests were sent again\n%d processes killed, %d of them at work; at rest after %s\n",
		report.Tickets, report.Changes, report.Messages, report.Repeated, report.Kills, report.KilledBusy, report.Settled.Round(time.Second))
	for _, p := range report.Problems {
		fmt.Println("  ", p)
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("%d things are wrong", n)
	}
	fmt.Println("nothing lost, nothing doubled")
	return nil
}

// addresses finds two ports that are free now.
func addresses() (gateway, box string, err error) {
	var list []string
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer func() { _ = ln.Close() }()
		list = append(list, ln.Addr().String())
	}
	return list[0], list[1], nil
}

// ready waits for the file that the local run writes when it is up.
func ready(ctx context.Context, path string, ended <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return errors.Join(errors.New("it has ended"), err)
		case <-time.After(200 * time.Millisecond):
		}
		text, err := os.ReadFile(path)
		if err == nil && json.Valid(text) {
			return nil
		}
	}
}
