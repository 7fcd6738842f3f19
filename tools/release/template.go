package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
)

var (
	codeURI    = regexp.MustCompile(`(?m)^      CodeUri: functions/([a-z]+)/$`)
	buildByGo  = []byte("    Metadata:\n      BuildMethod: go1.x\n      BuildProperties:\n        TrimGoPath: true\n")
	defaultArm = []byte("  Architecture:\n    Type: String\n    Default: arm64\n")
)

// packageTemplate makes the template of the repository one that needs no build:
// each function's code is a zip beside it, for the given processor.
func packageTemplate(template []byte, arch string, functions []string) ([]byte, error) {
	var named []string
	for _, m := range codeURI.FindAllSubmatch(template, -1) {
		named = append(named, string(m[1]))
	}
	slices.Sort(named)
	if !slices.Equal(named, functions) {
		return nil, fmt.Errorf("template.yaml has the code of %v, built are %v", named, functions)
	}
	if !bytes.Contains(template, defaultArm) {
		return nil, fmt.Errorf("template.yaml's parameter Architecture does not begin with %q", defaultArm)
	}
	out := codeURI.ReplaceAll(template, []byte("      CodeUri: functions/$1.zip"))
	out = bytes.ReplaceAll(out, buildByGo, nil)
	return bytes.Replace(out, defaultArm, bytes.ReplaceAll(defaultArm, []byte("arm64"), []byte(arch)), 1), nil
}
