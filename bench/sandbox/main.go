// Command sandbox runs the vendors' stand-ins in a process of their own, so
// that their CPU time is not counted with what calls them. It writes one line
// of JSON, {"url","fixtures"}, when it listens, and ends when its standard
// input does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/sandbox"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

func run() error {
	latency := flag.Duration("latency", 0, "how long every upstream call takes at least, AWS's included")
	queues := flag.String("queues", "", "names of queues, separated by commas")
	flag.Parse()

	o := sandbox.Options{
		Latency: *latency, LatencyAWS: true,
		// One customer opens all the rooms.
		Tencent: sandbox.TencentPlan{GroupsPerUser: 1 << 30},
	}
	for _, name := range strings.FieldsFunc(*queues, func(r rune) bool { return r == ',' }) {
		o.Queues = append(o.Queues, sandbox.QueueConfig{Name: name, FIFO: strings.HasSuffix(name, ".fifo")})
	}
	box := sandbox.New(o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	ready := struct {
		URL      string           `json:"url"`
		Fixtures sandbox.Fixtures `json:"fixtures"`
	}{"http://" + ln.Addr().String(), box.Fixtures()}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	server := &http.Server{Handler: box.Handler(), ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(ln)
}
