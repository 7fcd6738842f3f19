package localrun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/local/sandbox"
)

// parseFaults reads the --faults flags.
func parseFaults(flags []string) ([]sandbox.Fault, error) {
	var list []sandbox.Fault
	for _, text := range flags {
		if path, ok := strings.CutPrefix(text, "@"); ok {
			faults, err := faultFile(path)
			if err != nil {
				return nil, cli.Usagef("--faults %s: %w", text, err)
			}
			list = append(list, faults...)
			continue
		}
		f, err := parseFault(text)
		if err != nil {
			return nil, cli.Usagef("--faults %s: %w", text, err)
		}
		list = append(list, f)
	}
	// A sandbox knows best which faults make sense.
	box := sandbox.New(sandbox.Options{})
	for _, f := range list {
		if err := box.AddFault(f); err != nil {
			return nil, cli.Usagef("--faults: %w", err)
		}
	}
	return list, nil
}

func faultFile(path string) ([]sandbox.Fault, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []sandbox.Fault
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf("not a JSON array of faults: %w", err)
	}
	return list, nil
}

// parseFault reads vendor:op:kind[:times]. An empty vendor or op is any. Three
// kinds take a value: status=503, code=80001, slow=2s.
func parseFault(text string) (sandbox.Fault, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 3 || len(parts) > 4 {
		return sandbox.Fault{}, fmt.Errorf("want vendor:op:kind[:times]")
	}
	kind, value, valued := strings.Cut(parts[2], "=")
	f := sandbox.Fault{Vendor: parts[0], Op: parts[1], Kind: kind}
	var err error
	if len(parts) == 4 {
		if f.Times, err = strconv.Atoi(parts[3]); err != nil || f.Times < 1 {
			return f, fmt.Errorf("times is not a number from 1")
		}
	}
	switch {
	case !valued:
	case kind == sandbox.FaultStatus:
		if f.Status, err = strconv.Atoi(value); err != nil {
			return f, fmt.Errorf("status is not a number")
		}
	case kind == sandbox.FaultCode:
		f.Code = value
	case kind == sandbox.FaultSlow:
		if f.Delay, err = time.ParseDuration(value); err != nil {
			return f, fmt.Errorf("slow takes a time such as 2s")
		}
	default:
		return f, fmt.Errorf("kind %s takes no value", kind)
	}
	return f, nil
}
