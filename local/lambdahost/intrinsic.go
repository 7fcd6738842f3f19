package lambdahost

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// resolver evaluates a template's values. A value is a string, a []any, a
// map[string]any, or noValue; numbers and booleans are the strings they are
// written as, which is what CloudFormation hands to Lambda.
type resolver struct {
	*Template
	options    ResolveOptions
	parameters map[string]any
	conditions map[string]*condition
	depth      int // of calls being evaluated: a name made of itself would not end
	calls      int // evaluated so far: mappings that double each other would not either
}

const maxCalls = 100_000

type condition struct {
	node  *yaml.Node
	busy  bool // being evaluated: meeting it again is a cycle
	known bool
	value bool
}

// noValue is AWS::NoValue: the property it stands for is not there.
type noValue struct{}

func newResolver(t *Template, o ResolveOptions) (*resolver, error) {
	values, err := t.parameterValues(o.Parameters)
	if err != nil {
		return nil, err
	}
	r := &resolver{Template: t, options: o, parameters: values, conditions: map[string]*condition{}}
	for key, n := range pairs(t.conditions) {
		r.conditions[key.Value] = &condition{node: n}
	}
	return r, nil
}

// intrinsic reports whether n is a function call, in either spelling: !Ref x,
// or a mapping whose only key is Ref or Fn::Something.
func intrinsic(n *yaml.Node) (name string, arg *yaml.Node, ok bool) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		plain := *n
		plain.Tag = ""
		name = n.Tag[1:]
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		return name, &plain, true
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		if key := n.Content[0].Value; key == "Ref" || strings.HasPrefix(key, "Fn::") {
			return key, n.Content[1], true
		}
	}
	return "", nil, false
}

func (r *resolver) eval(n *yaml.Node) (any, error) {
	if name, arg, ok := intrinsic(n); ok {
		return r.call(n, name, arg)
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return noValue{}, nil
		}
		return n.Value, nil
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			v, err := r.eval(c)
			if err != nil {
				return nil, err
			}
			if _, none := v.(noValue); !none {
				list = append(list, v)
			}
		}
		return list, nil
	case yaml.MappingNode:
		m := map[string]any{}
		for key, value := range pairs(n) {
			v, err := r.eval(value)
			if err != nil {
				return nil, err
			}
			if _, none := v.(noValue); !none {
				m[key.Value] = v
			}
		}
		return m, nil
	}
	return nil, r.errorf(n, "not a value")
}

func (r *resolver) call(n *yaml.Node, name string, arg *yaml.Node) (any, error) {
	r.calls++
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > maxDepth || r.calls > maxCalls {
		return nil, r.errorf(n, "%s refers to itself", name)
	}
	switch name {
	case "Ref":
		return r.ref(n, arg.Value)
	case "Fn::Sub":
		return r.sub(n, arg)
	case "Fn::GetAtt":
		return r.getAtt(n, arg)
	case "Fn::If":
		if arg.Kind != yaml.SequenceNode || len(arg.Content) != 3 {
			return nil, r.errorf(n, "Fn::If takes a condition and two values")
		}
		yes, err := r.condition(arg.Content[0], arg.Content[0].Value)
		if err != nil {
			return nil, err
		}
		if yes {
			return r.eval(arg.Content[1])
		}
		return r.eval(arg.Content[2])
	case "Fn::Join":
		return r.join(n, arg)
	case "Fn::Split":
		return r.split(n, arg)
	case "Fn::Select":
		return r.selectItem(n, arg)
	case "Fn::FindInMap":
		return r.findInMap(n, arg)
	case "Fn::Base64":
		s, err := r.text(arg)
		return base64.StdEncoding.EncodeToString([]byte(s)), err
	}
	return nil, r.errorf(n, "%s is not supported locally", name)
}

func (r *resolver) ref(n *yaml.Node, name string) (any, error) {
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if v, ok := r.pseudo(name); ok {
		return v, nil
	}
	if v, ok := r.parameters[name]; ok {
		return v, nil
	}
	return r.attribute(n, name, "")
}

func (r *resolver) pseudo(name string) (string, bool) {
	o := r.options
	v, ok := map[string]string{
		"AWS::Region": o.Region, "AWS::AccountId": o.AccountID, "AWS::StackName": o.StackName,
		"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
		"AWS::StackId": "arn:aws:cloudformation:" + o.Region + ":" + o.AccountID + ":stack/" + o.StackName + "/local",
	}[name]
	return v, ok
}

// attribute returns what Ref (attr "") or GetAtt gives for a resource of this
// template.
func (r *resolver) attribute(n *yaml.Node, name, attr string) (any, error) {
	res := child(r.resources, name)
	if res == nil {
		return nil, r.errorf(n, "no parameter or resource %s", name)
	}
	kind := ""
	if k := child(res, "Type"); k != nil {
		kind = k.Value
	}
	here := r.options.Region + ":" + r.options.AccountID
	physical := func(property, def string) (string, error) {
		p := child(res, "Properties", property)
		if p == nil {
			return def, nil
		}
		return r.text(p)
	}
	switch kind {
	case "AWS::SQS::Queue":
		queue, err := r.queueName(name, res)
		switch {
		case err != nil:
			return nil, err
		case attr == "" || attr == "QueueUrl":
			return r.options.QueueURL(queue), nil
		case attr == "Arn":
			return "arn:aws:sqs:" + here + ":" + queue, nil
		case attr == "QueueName":
			return queue, nil
		}
	case "AWS::Serverless::Function", "AWS::Lambda::Function":
		function, err := physical("FunctionName", name)
		switch {
		case err != nil:
			return nil, err
		case attr == "":
			return function, nil
		case attr == "Arn":
			return "arn:aws:lambda:" + here + ":function:" + function, nil
		}
	case "AWS::S3::Bucket":
		bucket, err := physical("BucketName", strings.ToLower(r.options.StackName+"-"+name))
		switch {
		case err != nil:
			return nil, err
		case attr == "":
			return bucket, nil
		case attr == "Arn":
			return "arn:aws:s3:::" + bucket, nil
		}
	default:
		if attr == "" {
			return r.options.StackName + "-" + name, nil
		}
	}
	return nil, r.errorf(n, "%s of a %s is not known locally", attr, kind)
}

// queueName is the queue's QueueName, or one made of the stack's and the
// resource's.
func (r *resolver) queueName(logicalID string, res *yaml.Node) (string, error) {
	if p := child(res, "Properties", "QueueName"); p != nil {
		return r.text(p)
	}
	name := r.options.StackName + "-" + logicalID
	if fifo := child(res, "Properties", "FifoQueue"); fifo != nil {
		v, err := r.text(fifo)
		if err != nil {
			return "", err
		}
		if v == "true" {
			name += ".fifo"
		}
	}
	return name, nil
}

func (r *resolver) getAtt(n, arg *yaml.Node) (any, error) {
	var name, attr string
	switch {
	case arg.Kind == yaml.ScalarNode:
		name, attr, _ = strings.Cut(arg.Value, ".")
	case arg.Kind == yaml.SequenceNode && len(arg.Content) == 2:
		name, attr = arg.Content[0].Value, arg.Content[1].Value
	}
	if name == "" || attr == "" {
		return nil, r.errorf(n, "Fn::GetAtt takes a resource and an attribute")
	}
	return r.attribute(n, name, attr)
}

var subName = regexp.MustCompile(`\$\{([^}]*)\}`)

func (r *resolver) sub(n, arg *yaml.Node) (any, error) {
	format, own := arg, map[string]string{}
	if arg.Kind == yaml.SequenceNode {
		if len(arg.Content) != 2 {
			return nil, r.errorf(n, "Fn::Sub takes a string, or a string and a mapping")
		}
		format = arg.Content[0]
		for key, value := range pairs(arg.Content[1]) {
			v, err := r.text(value)
			if err != nil {
				return nil, err
			}
			own[key.Value] = v
		}
	}
	if format.Kind != yaml.ScalarNode {
		return nil, r.errorf(n, "Fn::Sub takes a string, or a string and a mapping")
	}
	var failed error
	out := subName.ReplaceAllStringFunc(format.Value, func(m string) string {
		name := strings.TrimSpace(m[2 : len(m)-1])
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		if v, ok := own[name]; ok {
			return v
		}
		var v any
		var err error
		if resource, attr, ok := strings.Cut(name, "."); ok {
			v, err = r.attribute(n, resource, attr)
		} else {
			v, err = r.ref(n, name)
		}
		s, isText := v.(string)
		if err == nil && !isText {
			err = r.errorf(n, "Fn::Sub: %s is not a string", name)
		}
		if err != nil && failed == nil {
			failed = err
		}
		return s
	})
	return out, failed
}

func (r *resolver) join(n, arg *yaml.Node) (any, error) {
	if arg.Kind != yaml.SequenceNode || len(arg.Content) != 2 {
		return nil, r.errorf(n, "Fn::Join takes a delimiter and a list")
	}
	items, err := r.texts(arg.Content[1])
	if err != nil {
		return nil, err
	}
	return strings.Join(items, arg.Content[0].Value), nil
}

func (r *resolver) split(n, arg *yaml.Node) (any, error) {
	if arg.Kind != yaml.SequenceNode || len(arg.Content) != 2 || arg.Content[0].Value == "" {
		return nil, r.errorf(n, "Fn::Split takes a delimiter and a string")
	}
	s, err := r.text(arg.Content[1])
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, item := range strings.Split(s, arg.Content[0].Value) {
		list = append(list, item)
	}
	return list, nil
}

func (r *resolver) selectItem(n, arg *yaml.Node) (any, error) {
	if arg.Kind != yaml.SequenceNode || len(arg.Content) != 2 {
		return nil, r.errorf(n, "Fn::Select takes an index and a list")
	}
	index, err := r.text(arg.Content[0])
	if err != nil {
		return nil, err
	}
	list, err := r.eval(arg.Content[1])
	if err != nil {
		return nil, err
	}
	items, _ := list.([]any)
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(items) {
		return nil, r.errorf(n, "Fn::Select: no item %s in a list of %d", index, len(items))
	}
	return items[i], nil
}

func (r *resolver) findInMap(n, arg *yaml.Node) (any, error) {
	keys, err := r.texts(arg)
	if err != nil {
		return nil, err
	}
	if len(keys) != 3 {
		return nil, r.errorf(n, "Fn::FindInMap takes a map and two keys")
	}
	v := child(r.mappings, keys...)
	if v == nil {
		return nil, r.errorf(n, "Fn::FindInMap: no %s", strings.Join(keys, "."))
	}
	return r.eval(v)
}

// text evaluates n to a string.
func (r *resolver) text(n *yaml.Node) (string, error) {
	v, err := r.eval(n)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", r.errorf(n, "not a string")
	}
	return s, nil
}

// texts evaluates n to a list of strings.
func (r *resolver) texts(n *yaml.Node) ([]string, error) {
	v, err := r.eval(n)
	if err != nil {
		return nil, err
	}
	items, ok := v.([]any)
	if !ok {
		return nil, r.errorf(n, "not a list")
	}
	return r.stringsOf(n, items)
}

func (r *resolver) stringsOf(n *yaml.Node, items []any) ([]string, error) {
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, r.errorf(n, "not a list of strings")
		}
		list = append(list, s)
	}
	return list, nil
}

// condition returns the value of the named condition.
func (r *resolver) condition(n *yaml.Node, name string) (bool, error) {
	c, ok := r.conditions[name]
	if !ok {
		return false, r.errorf(n, "no condition %s", name)
	}
	if c.busy {
		return false, r.errorf(n, "condition %s depends on itself", name)
	}
	if !c.known {
		c.busy = true
		v, err := r.test(c.node)
		c.busy = false
		if err != nil {
			return false, err
		}
		c.value, c.known = v, true
	}
	return c.value, nil
}

// test evaluates a condition's expression.
func (r *resolver) test(n *yaml.Node) (bool, error) {
	name, arg, ok := intrinsic(n)
	if !ok {
		if ref := child(n, "Condition"); ref != nil && len(n.Content) == 2 {
			name, arg, ok = "Condition", ref, true
		}
	}
	if !ok {
		return false, r.errorf(n, "not a condition")
	}
	switch name {
	case "Condition":
		return r.condition(arg, arg.Value)
	case "Fn::Equals":
		if arg.Kind != yaml.SequenceNode || len(arg.Content) != 2 {
			return false, r.errorf(n, "Fn::Equals takes two values")
		}
		var sides [2]string
		for i, c := range arg.Content {
			v, err := r.eval(c)
			if err != nil {
				return false, err
			}
			sides[i] = fmt.Sprint(v)
		}
		return sides[0] == sides[1], nil
	case "Fn::Not":
		if arg.Kind != yaml.SequenceNode || len(arg.Content) != 1 {
			return false, r.errorf(n, "Fn::Not takes one condition")
		}
		v, err := r.test(arg.Content[0])
		return !v, err
	case "Fn::And", "Fn::Or":
		if arg.Kind != yaml.SequenceNode || len(arg.Content) < 2 || len(arg.Content) > 10 {
			return false, r.errorf(n, "%s takes two to ten conditions", name)
		}
		result := name == "Fn::And"
		for _, c := range arg.Content {
			v, err := r.test(c)
			if err != nil {
				return false, err
			}
			if name == "Fn::And" {
				result = result && v
			} else {
				result = result || v
			}
		}
		return result, nil
	}
	return false, r.errorf(n, "%s is not supported in conditions", name)
}
