// Package localfile is what "caseroom run" writes about itself for the commands
// that are told --local.
package localfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Path is where the file is, below the folder of the local run's template.
var Path = filepath.Join(".caseroom", "local.json")

// Stack is what the commands need to know of the local run.
type Stack struct {
	Gateway string `json:"gateway"` // the HTTP API's address
	Sandbox string `json:"sandbox"` // the stand-ins' address
	// Env holds the variables of all functions in one, and how the AWS stand-ins
	// are reached.
	Env map[string]string `json:"env"`
}

// Read reads a file that "caseroom run" wrote.
func Read(path string) (Stack, error) {
	var s Stack
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("%s is not there: start the stack with make run, and work in its folder or say --local-file", path)
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Env["AWS_ENDPOINT_URL"] == "" {
		return s, fmt.Errorf("%s was not written by this version's caseroom run", path)
	}
	if _, err := upstream.ParseBaseURL(s.Env["AWS_ENDPOINT_URL"], false); err != nil {
		return s, fmt.Errorf("%s: AWS_ENDPOINT_URL: %w", path, err)
	}
	return s, nil
}
