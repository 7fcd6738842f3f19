// Package lambdahost runs a SAM template's functions on this machine: the real
// bootstrap binaries behind Lambda's Runtime API, the template's HTTP API in
// front of them, its queues and schedules beside them. What it does not know
// about a template it refuses, with the line, so that a stack which works here
// is the stack that is deployed.
//
// It follows https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
package lambdahost

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Template is a parsed template.yaml. Nothing in it is resolved yet: that needs
// parameters, see [Template.Resolve].
type Template struct {
	path       string
	globals    *yaml.Node
	parameters *yaml.Node
	rules      *yaml.Node
	mappings   *yaml.Node
	conditions *yaml.Node
	resources  *yaml.Node

	patterns sync.Map // *regexp.Regexp by AllowedPattern: a stack has many, and tests many stacks
}

// LoadTemplate reads and parses the SAM template at path. Its nested stacks may
// hold alarms, dashboards and the like, nothing that would have to run.
func LoadTemplate(path string) (*Template, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	t, err := ParseTemplate(filepath.Base(path), text)
	if err != nil {
		return nil, err
	}
	return t, t.checkNested(filepath.Dir(path))
}

// runs are the services whose resources this package runs, or lets functions call.
var runs = regexp.MustCompile(`^AWS::(?:Serverless|Lambda|SQS|S3|Scheduler|Events|ApiGateway|ApiGatewayV2)::`)

// checkNested refuses nested stacks with resources that would be missing here.
func (t *Template) checkNested(dir string) error {
	for key, res := range pairs(t.resources) {
		kind := child(res, "Type")
		if kind == nil || kind.Value != "AWS::CloudFormation::Stack" && kind.Value != "AWS::Serverless::Application" {
			continue
		}
		location := child(res, "Properties", "TemplateURL")
		if location == nil {
			location = child(res, "Properties", "Location")
		}
		if location == nil || location.Kind != yaml.ScalarNode {
			return t.errorf(res, "%s is not a template beside this one: such nested stacks are not supported locally", key.Value)
		}
		text, err := os.ReadFile(filepath.Join(dir, location.Value))
		if err != nil {
			return t.errorf(location, "%s: %v", key.Value, err)
		}
		nested, err := ParseTemplate(filepath.Base(location.Value), text)
		if err != nil {
			return err
		}
		for name, n := range pairs(nested.resources) {
			if kind := child(n, "Type"); kind != nil && (runs.MatchString(kind.Value) || kind.Value == "AWS::CloudFormation::Stack") {
				return nested.errorf(n, "%s: a nested stack's %s does not run locally", name.Value, kind.Value)
			}
		}
	}
	return nil
}

// ParseTemplate parses a SAM template; name stands in error messages. It
// refuses what CloudFormation refuses or silently reads in another way:
// aliases, keys given twice, and bare yes, no, on and off, which SAM reads as
// booleans.
func ParseTemplate(name string, text []byte) (*Template, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: not a mapping", name)
	}
	t := &Template{path: name}
	root := doc.Content[0]
	if err := t.check(root, 0); err != nil {
		return nil, err
	}
	for key, section := range map[string]**yaml.Node{
		"Globals": &t.globals, "Parameters": &t.parameters, "Rules": &t.rules, "Mappings": &t.mappings,
		"Conditions": &t.conditions, "Resources": &t.resources,
	} {
		n := child(root, key)
		if n == nil {
			continue
		}
		if n.Kind != yaml.MappingNode {
			return nil, t.errorf(n, "%s is not a mapping", key)
		}
		*section = n
	}
	if t.resources == nil {
		return nil, fmt.Errorf("%s: no Resources", name)
	}
	for _, section := range []*yaml.Node{t.resources, t.parameters} {
		for key, n := range pairs(section) {
			if n.Kind != yaml.MappingNode {
				return nil, t.errorf(n, "%s is not a mapping", key.Value)
			}
		}
	}
	return t, nil
}

// oldBool are the plain scalars that YAML 1.1, which SAM reads, takes for
// booleans and YAML 1.2 for strings.
var oldBool = regexp.MustCompile(`^(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$`)

// maxDepth is far above what a template nests and far below what hurts.
const maxDepth = 64

func (t *Template) check(n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return t.errorf(n, "nested too deeply")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return t.errorf(n, "CloudFormation does not read YAML aliases")
	case yaml.ScalarNode:
		if n.Style == 0 && oldBool.MatchString(n.Value) {
			return t.errorf(n, "%s is a boolean to CloudFormation: quote it", n.Value)
		}
	case yaml.MappingNode:
		seen := map[string]bool{}
		for key := range pairs(n) {
			if key.Kind != yaml.ScalarNode {
				return t.errorf(key, "a key is not a string")
			}
			if seen[key.Value] {
				return t.errorf(key, "%s is given twice", key.Value)
			}
			seen[key.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := t.check(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// errorf makes an error that names the file and n's line.
func (t *Template) errorf(n *yaml.Node, format string, args ...any) error {
	line := 0
	if n != nil {
		line = n.Line
	}
	return fmt.Errorf("%s:%d: %s", t.path, line, fmt.Sprintf(format, args...))
}

// pairs iterates over a mapping's keys and values; over nothing when n is not
// a mapping.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// child returns the value at a path of keys, nil if there is none.
func child(n *yaml.Node, keys ...string) *yaml.Node {
	for _, want := range keys {
		var next *yaml.Node
		for key, value := range pairs(n) {
			if key.Value == want {
				next = value
				break
			}
		}
		if next == nil {
			return nil
		}
		n = next
	}
	return n
}

// Parameter is what the template says of one of its parameters.
type Parameter struct {
	Name     string
	Default  string
	Required bool // no default
}

// Parameters lists the template's parameters in its order.
func (t *Template) Parameters() []Parameter {
	var list []Parameter
	for key, n := range pairs(t.parameters) {
		p := Parameter{Name: key.Value, Required: true}
		if d := child(n, "Default"); d != nil {
			p.Default, p.Required = d.Value, false
		}
		list = append(list, p)
	}
	return list
}

// parameterValues gives every parameter its value, checked as CloudFormation
// checks it. Lists are []any of strings.
func (t *Template) parameterValues(given map[string]string) (map[string]any, error) {
	values := map[string]any{}
	for key, n := range pairs(t.parameters) {
		value, ok := given[key.Value]
		if !ok {
			d := child(n, "Default")
			if d == nil {
				return nil, t.errorf(n, "parameter %s has no value and no default", key.Value)
			}
			value = d.Value
		}
		if err := t.checkParameter(key.Value, n, value); err != nil {
			return nil, err
		}
		kind := child(n, "Type")
		switch {
		case kind == nil:
			return nil, t.errorf(n, "parameter %s has no Type", key.Value)
		case kind.Value == "CommaDelimitedList" || strings.HasPrefix(kind.Value, "List<"):
			list := []any{}
			for _, item := range strings.Split(value, ",") {
				list = append(list, strings.TrimSpace(item))
			}
			values[key.Value] = list
		default:
			values[key.Value] = value
		}
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			return nil, fmt.Errorf("%s: no parameter %s", t.path, name)
		}
	}
	return values, nil
}

// pattern compiles an AllowedPattern, which must match the whole value.
func (t *Template) pattern(text string) (*regexp.Regexp, error) {
	if re, ok := t.patterns.Load(text); ok {
		return re.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(`^(?:` + text + `)$`)
	if err == nil {
		t.patterns.Store(text, re)
	}
	return re, err
}

func (t *Template) checkParameter(name string, n *yaml.Node, value string) error {
	if allowed := child(n, "AllowedValues"); allowed != nil {
		if !slices.ContainsFunc(allowed.Content, func(v *yaml.Node) bool { return v.Value == value }) {
			return t.errorf(allowed, "parameter %s: not one of the AllowedValues", name)
		}
	}
	if p := child(n, "AllowedPattern"); p != nil {
		re, err := t.pattern(p.Value)
		if err != nil {
			return t.errorf(p, "parameter %s: AllowedPattern is not understood", name)
		}
		if !re.MatchString(value) {
			return t.errorf(p, "parameter %s: does not match AllowedPattern %s", name, p.Value)
		}
	}
	for key, within := range map[string]func(v, bound float64) bool{
		"MinValue": func(v, bound float64) bool { return v >= bound },
		"MaxValue": func(v, bound float64) bool { return v <= bound },
	} {
		b := child(n, key)
		if b == nil {
			continue
		}
		bound, boundErr := strconv.ParseFloat(b.Value, 64)
		v, err := strconv.ParseFloat(value, 64)
		if boundErr != nil || err != nil || !within(v, bound) {
			return t.errorf(b, "parameter %s: %s is %s", name, key, b.Value)
		}
	}
	return nil
}
