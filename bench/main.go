// Command bench measures the functions on this machine and prints one table:
// what was measured, what it is compared with, and the target.
//
//	go run ./bench          about three minutes; make bench is the same
//	go run ./bench -write   also puts the table into docs/performance.md
//	go run ./bench -quick   a few requests of everything, to see that it runs
//
// Everything in the table comes from one run. The functions are the real
// bootstraps behind a Runtime API that hands them one event at a time; there is
// no gateway in between. The vendors are the sandbox, in a process of its own.
// Whatever is compared runs in turns, so that a noisy moment hits all sides.
//
// It needs Linux, whose /proc tells a process's CPU time and memory, and Node
// 20 or later with npm for the comparison with Node. Nothing is asserted: the
// exit status says whether everything ran.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// options say how much is measured.
type options struct {
	root   string // the repository
	quick  bool
	write  bool // into docs/performance.md
	noNode bool // leave the comparison with Node out
	out    io.Writer
	status io.Writer // what is going on

	rounds    int           // turns at 0 ms
	perRound  int           // requests of each operation in a turn
	warmUp    int           // requests before anything is measured
	slow      int           // requests of each operation at slowness
	slowness  time.Duration // of an upstream call
	starts    int           // of each function
	benchTime string        // of each signing benchmark
	arch      string        // of the deployed functions
}

func (o *options) defaults() {
	o.rounds, o.perRound, o.warmUp, o.slow, o.starts = 8, 250, 100, 200, 60
	o.slowness, o.benchTime, o.arch = 50*time.Millisecond, "300ms", "arm64"
	if o.quick {
		o.rounds, o.perRound, o.warmUp, o.slow, o.starts = 2, 10, 5, 3, 3
		// Another architecture would be compiled from scratch.
		o.benchTime, o.arch = "10x", runtime.GOARCH
	}
}

func main() {
	o := options{out: os.Stdout, status: os.Stderr}
	flag.StringVar(&o.root, "root", ".", "the repository")
	flag.BoolVar(&o.quick, "quick", false, "a few requests of everything; the numbers mean nothing")
	flag.BoolVar(&o.write, "write", false, "put the table into docs/performance.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if runtime.GOOS != "linux" {
		return errors.New("CPU time and memory are read from Linux's /proc, which is not here")
	}
	if o.quick && o.write {
		return errors.New("-quick measures nothing worth writing down")
	}
	o.defaults()
	began := time.Now()
	b := &bench{options: o}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"building", b.build},
		{"slow upstream calls", b.delayed},
		{"warm requests", b.warm},
		{"process starts", b.starting},
		{"deployment packages", b.packages},
		{"signing", b.signing},
	} {
		fmt.Fprintf(o.status, "%6.1f s  %s\n", time.Since(began).Seconds(), step.what)
		if err := step.do(ctx); err != nil {
			b.close()
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	b.close()
	text := b.table.markdown(machine(ctx, o, began))
	fmt.Fprint(o.out, text)
	if o.write {
		return writeBetweenMarkers(b.path("docs/performance.md"), text)
	}
	return nil
}
