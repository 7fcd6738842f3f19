package lambdahost

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ResolveOptions are what CloudFormation knows when it makes a stack. Zero
// values get local defaults.
type ResolveOptions struct {
	StackName  string // "caseroom"
	Region     string // "us-east-1"
	AccountID  string // "000000000000"
	Parameters map[string]string
	// QueueURL gives the URL of a queue by its name: what !Ref of it is.
	QueueURL func(name string) string
}

// Stack is a template with every value known: what would be deployed.
type Stack struct {
	Name      string
	Region    string
	AccountID string
	Functions []Function // in the template's order
	API       *API       // nil without routes
	Queues    []Queue
	Buckets   []string // names
	Schedules []Schedule
}

// Function is an AWS::Serverless::Function.
type Function struct {
	LogicalID string
	Name      string // FunctionName, or the logical id
	CodeURI   string
	Handler   string
	Timeout   time.Duration
	MemoryMB  int
	LogFormat string // "Text" or "JSON"
	LogLevel  string // application log level, "" if not set
	Env       map[string]string
	Routes    []Route
	Sources   []EventSource
}

// Label is the function's name in logs: the last part of its CodeUri.
func (f Function) Label() string {
	if b := path.Base(f.CodeURI); b != "." && b != "/" {
		return b
	}
	return f.LogicalID
}

// ARN returns the function's ARN in s.
func (s *Stack) ARN(f Function) string {
	return "arn:aws:lambda:" + s.Region + ":" + s.AccountID + ":function:" + f.Name
}

// Function returns the function of a logical id or name.
func (s *Stack) Function(id string) (Function, bool) {
	for _, f := range s.Functions {
		if f.LogicalID == id || f.Name == id {
			return f, true
		}
	}
	return Function{}, false
}

// Route is one route of the HTTP API.
type Route struct {
	Method string // upper case, "ANY" for every method
	Path   string // as in the template, such as /createticket; "$default" for the rest
	IAM    bool   // callers sign with SigV4
}

// Key is the route's key in the API: "POST /createticket".
func (r Route) Key() string {
	if r.Path == "$default" {
		return r.Path
	}
	return r.Method + " " + r.Path
}

// API is the stack's HTTP API.
type API struct {
	LogicalID string
	CORS      *CORS // nil when the template says nothing of CORS
	// Throttles by route key; DefaultThrottle is for each route without its own.
	DefaultThrottle Throttle
	Throttles       map[string]Throttle
}

// Throttle is a token bucket. A zero rate is no limit.
type Throttle struct {
	Rate  float64 // requests per second
	Burst int
}

// CORS is an API's CorsConfiguration.
type CORS struct {
	Origins, Methods, Headers, Expose []string
	Credentials                       bool
	MaxAge                            string // seconds, "" if not set
}

// Queue is an AWS::SQS::Queue.
type Queue struct {
	LogicalID       string
	Name            string
	URL             string
	ARN             string
	FIFO            bool
	ContentDedup    bool
	GroupDedup      bool // DeduplicationScope messageGroup
	Visibility      time.Duration
	Retention       time.Duration
	DeadLetterARN   string // "" without a redrive policy
	MaxReceiveCount int
}

// EventSource is an SQS event of a function.
type EventSource struct {
	QueueARN       string
	BatchSize      int
	PartialBatch   bool // ReportBatchItemFailures
	MaxConcurrency int  // 0 if not set
}

// Schedule is a schedule that sends to a queue or invokes a function.
type Schedule struct {
	LogicalID  string
	Expression string
	Timezone   string
	Input      string
	Function   string // logical id; "" for a queue
	QueueARN   string
	GroupID    string // FIFO queues' message group
}

// Resolve gives every value of the template that a function, its routes, queues
// and schedules need. Errors name the line.
func (t *Template) Resolve(o ResolveOptions) (*Stack, error) {
	if o.StackName == "" {
		o.StackName = "caseroom"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.AccountID == "" {
		o.AccountID = "000000000000"
	}
	if o.QueueURL == nil {
		o.QueueURL = func(name string) string {
			return "https://sqs." + o.Region + ".amazonaws.com/" + o.AccountID + "/" + name
		}
	}
	r, err := newResolver(t, o)
	if err != nil {
		return nil, err
	}
	if err := r.checkRules(); err != nil {
		return nil, err
	}
	s := &Stack{Name: o.StackName, Region: o.Region, AccountID: o.AccountID}
	apis := map[string]*yaml.Node{} // of events, by the logical id of their API
	for key, res := range pairs(t.resources) {
		here, err := r.exists(res)
		if err != nil {
			return nil, err
		}
		kind := child(res, "Type")
		if !here || kind == nil {
			continue
		}
		switch kind.Value {
		case "AWS::Serverless::Function":
			f, err := r.function(s, key.Value, res, apis)
			if err != nil {
				return nil, err
			}
			s.Functions = append(s.Functions, f)
		case "AWS::SQS::Queue":
			q, err := r.queue(key.Value, res)
			if err != nil {
				return nil, err
			}
			s.Queues = append(s.Queues, q)
		case "AWS::S3::Bucket":
			bucket, err := r.attribute(res, key.Value, "")
			if err != nil {
				return nil, err
			}
			s.Buckets = append(s.Buckets, bucket.(string))
		case "AWS::Scheduler::Schedule":
			schedule, on, err := r.schedule(key.Value, res)
			if err != nil {
				return nil, err
			}
			if on {
				s.Schedules = append(s.Schedules, schedule)
			}
		}
	}
	if err := r.api(s, apis); err != nil {
		return nil, err
	}
	if err := r.checkSources(s); err != nil {
		return nil, err
	}
	return s, nil
}

// exists reports whether a resource or event passes its Condition.
func (r *resolver) exists(n *yaml.Node) (bool, error) {
	c := child(n, "Condition")
	if c == nil {
		return true, nil
	}
	return r.condition(c, c.Value)
}

// checkRules evaluates the template's Rules: what CloudFormation asks of the
// parameters together.
func (r *resolver) checkRules() error {
	for name, rule := range pairs(r.rules) {
		if c := child(rule, "RuleCondition"); c != nil {
			applies, err := r.test(c)
			if err != nil {
				return err
			}
			if !applies {
				continue
			}
		}
		assertions := child(rule, "Assertions")
		if assertions == nil || assertions.Kind != yaml.SequenceNode {
			return r.errorf(rule, "rule %s has no Assertions", name.Value)
		}
		for _, a := range assertions.Content {
			claim := child(a, "Assert")
			if claim == nil {
				return r.errorf(a, "rule %s has no Assert", name.Value)
			}
			holds, err := r.test(claim)
			if err != nil {
				return err
			}
			if !holds {
				why := name.Value
				if d := child(a, "AssertDescription"); d != nil {
					why = d.Value
				}
				return r.errorf(a, "%s", why)
			}
		}
	}
	return nil
}

// Lambda's defaults and bounds, and SAM's.
const (
	defaultTimeout = 3
	defaultMemory  = 128
	maxTimeout     = 900
)

func (r *resolver) function(s *Stack, id string, res *yaml.Node, apis map[string]*yaml.Node) (Function, error) {
	f := Function{LogicalID: id, Name: id, LogFormat: "Text", MemoryMB: defaultMemory, Env: map[string]string{}}
	property := func(keys ...string) *yaml.Node {
		if n := child(res, append([]string{"Properties"}, keys...)...); n != nil {
			return n
		}
		return child(r.globals, append([]string{"Function"}, keys...)...)
	}
	for _, p := range []struct {
		to   *string
		keys []string
	}{
		{&f.Name, []string{"FunctionName"}},
		{&f.CodeURI, []string{"CodeUri"}},
		{&f.Handler, []string{"Handler"}},
		{&f.LogFormat, []string{"LoggingConfig", "LogFormat"}},
		{&f.LogLevel, []string{"LoggingConfig", "ApplicationLogLevel"}},
	} {
		n := property(p.keys...)
		if n == nil {
			continue
		}
		v, err := r.text(n)
		if err != nil {
			return f, err
		}
		*p.to = v
	}
	if f.CodeURI == "" {
		return f, r.errorf(res, "%s has no CodeUri", id)
	}
	timeout, err := r.integer(property("Timeout"), defaultTimeout, 1, maxTimeout)
	if err != nil {
		return f, err
	}
	f.Timeout = time.Duration(timeout) * time.Second
	if f.MemoryMB, err = r.integer(property("MemorySize"), defaultMemory, 128, 10240); err != nil {
		return f, err
	}
	for _, n := range []*yaml.Node{
		child(r.globals, "Function", "Environment"), child(res, "Properties", "Environment"),
	} {
		if err := r.environment(n, f.Env); err != nil {
			return f, err
		}
	}
	for key, event := range pairs(child(res, "Properties", "Events")) {
		here, err := r.exists(event)
		if err != nil {
			return f, err
		}
		if here {
			if err := r.event(s, &f, key.Value, event, apis); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

func (r *resolver) environment(n *yaml.Node, into map[string]string) error {
	if n == nil {
		return nil
	}
	v, err := r.eval(n)
	if err != nil {
		return err
	}
	m, _ := v.(map[string]any)
	variables, ok := m["Variables"].(map[string]any)
	if !ok {
		return r.errorf(n, "Environment has no Variables")
	}
	for name, value := range variables {
		s, ok := value.(string)
		if !ok {
			return r.errorf(n, "%s is not a string", name)
		}
		if strings.Contains(s, "{{resolve:") {
			return r.errorf(n, "%s: dynamic references are not supported locally", name)
		}
		into[name] = s
	}
	return nil
}

// event reads one entry of a function's Events.
func (r *resolver) event(s *Stack, f *Function, id string, n *yaml.Node, apis map[string]*yaml.Node) error {
	kind, properties := child(n, "Type"), child(n, "Properties")
	if kind == nil {
		return r.errorf(n, "event %s has no Type", id)
	}
	switch kind.Value {
	case "HttpApi":
		api, route, err := r.route(n, properties)
		if err != nil {
			return err
		}
		apis[api] = n
		f.Routes = append(f.Routes, route)
	case "SQS":
		source, err := r.source(n, properties)
		if err != nil {
			return err
		}
		if source != nil {
			f.Sources = append(f.Sources, *source)
		}
	case "ScheduleV2":
		expression := child(properties, "ScheduleExpression")
		if expression == nil {
			return r.errorf(n, "event %s has no ScheduleExpression", id)
		}
		schedule, on, err := r.scheduleOf(f.LogicalID+id, properties, child(properties, "Input"))
		if err != nil {
			return err
		}
		schedule.Function = f.LogicalID
		if on {
			s.Schedules = append(s.Schedules, schedule)
		}
	default:
		return r.errorf(kind, "events of type %s are not supported locally", kind.Value)
	}
	return nil
}

// implicitAPI is the API that SAM makes for events without an ApiId.
const implicitAPI = "ServerlessHttpApi"

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"}

func (r *resolver) route(n, properties *yaml.Node) (api string, route Route, err error) {
	api = implicitAPI
	if ref := child(properties, "ApiId"); ref != nil {
		name, arg, ok := intrinsic(ref)
		if !ok || name != "Ref" || child(r.resources, arg.Value, "Type") == nil {
			return "", route, r.errorf(ref, "ApiId is not a reference to an API of this template")
		}
		api = arg.Value
	}
	route = Route{Method: "ANY", Path: "$default"}
	if p := child(properties, "Path"); p != nil {
		if route.Path, err = r.text(p); err != nil {
			return "", route, err
		}
		if route.Path != "$default" && !strings.HasPrefix(route.Path, "/") {
			return "", route, r.errorf(p, "path %s does not begin with /", route.Path)
		}
		m := child(properties, "Method")
		if m == nil {
			return "", route, r.errorf(n, "a route with a Path needs a Method")
		}
		if route.Method, err = r.text(m); err != nil {
			return "", route, err
		}
		route.Method = strings.ToUpper(route.Method)
		if route.Method == "X-AMAZON-APIGATEWAY-ANY-METHOD" {
			route.Method = "ANY"
		}
		if !slices.Contains(methods, route.Method) {
			return "", route, r.errorf(m, "no method %s", route.Method)
		}
	}
	route.IAM, err = r.iam(api, child(properties, "Auth", "Authorizer"))
	return api, route, err
}

// iam reports whether a route's callers sign with SigV4. SAM compares these
// values before CloudFormation resolves anything, so only literals work there.
// See https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-httpapi-httpapiauth.html.
func (r *resolver) iam(api string, authorizer *yaml.Node) (bool, error) {
	setting := func(key string) *yaml.Node {
		if n := child(r.resources, api, "Properties", "Auth", key); n != nil {
			return n
		}
		return child(r.globals, "HttpApi", "Auth", key)
	}
	fallback := setting("DefaultAuthorizer")
	if authorizer == nil {
		authorizer = fallback
	}
	if authorizer == nil {
		return false, nil
	}
	if _, _, computed := intrinsic(authorizer); computed || authorizer.Kind != yaml.ScalarNode {
		return false, r.errorf(authorizer, "an Authorizer must be written out: SAM reads it before it resolves anything")
	}
	switch authorizer.Value {
	case "AWS_IAM":
		enabled := setting("EnableIamAuthorizer")
		if enabled == nil || enabled.ShortTag() != "!!bool" || enabled.Value != "true" {
			return false, r.errorf(authorizer, "AWS_IAM needs EnableIamAuthorizer: true on the API, written out")
		}
		return true, nil
	case "NONE":
		if fallback == nil {
			return false, r.errorf(authorizer, "NONE needs a DefaultAuthorizer on the API")
		}
		return false, nil
	}
	return false, r.errorf(authorizer, "authorizer %s is not supported locally", authorizer.Value)
}

// source reads an SQS event; nil if it is switched off.
func (r *resolver) source(n, properties *yaml.Node) (*EventSource, error) {
	if c := child(properties, "FilterCriteria"); c != nil {
		return nil, r.errorf(c, "FilterCriteria is not supported locally")
	}
	queue := child(properties, "Queue")
	if queue == nil {
		return nil, r.errorf(n, "an SQS event has no Queue")
	}
	if e := child(properties, "Enabled"); e != nil {
		if v, err := r.text(e); err != nil || v == "false" {
			return nil, err
		}
	}
	var source EventSource
	var err error
	if source.QueueARN, err = r.text(queue); err != nil {
		return nil, err
	}
	if source.BatchSize, err = r.integer(child(properties, "BatchSize"), 10, 1, 10000); err != nil {
		return nil, err
	}
	if strings.HasSuffix(source.QueueARN, ".fifo") {
		if w := child(properties, "MaximumBatchingWindowInSeconds"); w != nil {
			return nil, r.errorf(w, "a FIFO queue takes no MaximumBatchingWindowInSeconds")
		}
		if source.BatchSize > 10 {
			return nil, r.errorf(n, "a FIFO queue's BatchSize is at most 10")
		}
	}
	if types := child(properties, "FunctionResponseTypes"); types != nil {
		list, err := r.texts(types)
		if err != nil {
			return nil, err
		}
		source.PartialBatch = slices.Contains(list, "ReportBatchItemFailures")
	}
	if c := child(properties, "ScalingConfig", "MaximumConcurrency"); c != nil {
		if source.MaxConcurrency, err = r.integer(c, 0, 2, 1000); err != nil {
			return nil, err
		}
	}
	return &source, nil
}

func (r *resolver) queue(id string, res *yaml.Node) (Queue, error) {
	q := Queue{LogicalID: id}
	var err error
	if q.Name, err = r.queueName(id, res); err != nil {
		return q, err
	}
	q.URL = r.options.QueueURL(q.Name)
	q.ARN = "arn:aws:sqs:" + r.options.Region + ":" + r.options.AccountID + ":" + q.Name
	for key, to := range map[string]*bool{"FifoQueue": &q.FIFO, "ContentBasedDeduplication": &q.ContentDedup} {
		if n := child(res, "Properties", key); n != nil {
			v, err := r.text(n)
			if err != nil {
				return q, err
			}
			*to = v == "true"
		}
	}
	if q.FIFO != strings.HasSuffix(q.Name, ".fifo") {
		return q, r.errorf(res, "the name of a FIFO queue, and of no other, ends in .fifo")
	}
	seconds, err := r.integer(child(res, "Properties", "VisibilityTimeout"), 30, 0, 43200)
	if err != nil {
		return q, err
	}
	q.Visibility = time.Duration(seconds) * time.Second
	if seconds, err = r.integer(child(res, "Properties", "MessageRetentionPeriod"), 345600, 60, 1209600); err != nil {
		return q, err
	}
	q.Retention = time.Duration(seconds) * time.Second
	if n := child(res, "Properties", "DeduplicationScope"); n != nil {
		scope, err := r.text(n)
		if err != nil {
			return q, err
		}
		q.GroupDedup = scope == "messageGroup"
	}
	if n := child(res, "Properties", "RedrivePolicy"); n != nil {
		v, err := r.eval(n)
		if err != nil {
			return q, err
		}
		policy, ok := v.(map[string]any)
		if !ok {
			return q, r.errorf(n, "RedrivePolicy is not a mapping")
		}
		q.DeadLetterARN, _ = policy["deadLetterTargetArn"].(string)
		count, _ := policy["maxReceiveCount"].(string)
		q.MaxReceiveCount, err = strconv.Atoi(count)
		if q.DeadLetterARN == "" || err != nil || q.MaxReceiveCount < 1 || q.MaxReceiveCount > 1000 {
			return q, r.errorf(n, "RedrivePolicy needs deadLetterTargetArn and a maxReceiveCount of 1 to 1000")
		}
		if q.FIFO != strings.HasSuffix(q.DeadLetterARN, ".fifo") {
			return q, r.errorf(n, "the dead-letter queue of a FIFO queue, and of no other, is a FIFO queue")
		}
	}
	return q, nil
}

func (r *resolver) schedule(id string, res *yaml.Node) (Schedule, bool, error) {
	properties := child(res, "Properties")
	target := child(properties, "Target")
	if target == nil {
		return Schedule{}, false, r.errorf(res, "%s has no Target", id)
	}
	s, on, err := r.scheduleOf(id, properties, child(target, "Input"))
	if err != nil {
		return s, false, err
	}
	arn := child(target, "Arn")
	if arn == nil {
		return s, false, r.errorf(target, "%s has no Target Arn", id)
	}
	v, err := r.text(arn)
	if err != nil {
		return s, false, err
	}
	switch {
	case strings.HasPrefix(v, "arn:aws:sqs:"):
		s.QueueARN = v
		if g := child(target, "SqsParameters", "MessageGroupId"); g != nil {
			if s.GroupID, err = r.text(g); err != nil {
				return s, false, err
			}
		}
		if strings.HasSuffix(v, ".fifo") != (s.GroupID != "") {
			return s, false, r.errorf(target, "a FIFO queue, and no other, needs SqsParameters.MessageGroupId")
		}
	case strings.HasPrefix(v, "arn:aws:lambda:"):
		s.Function = v[strings.LastIndex(v, ":")+1:]
	default:
		return s, false, r.errorf(arn, "schedules to %s are not supported locally", v)
	}
	return s, on, nil
}

// scheduleOf reads what both kinds of schedule have. on is false for one that
// is disabled.
func (r *resolver) scheduleOf(id string, properties, input *yaml.Node) (s Schedule, on bool, err error) {
	s.LogicalID = id
	for key, to := range map[string]*string{"ScheduleExpression": &s.Expression, "ScheduleExpressionTimezone": &s.Timezone} {
		if n := child(properties, key); n != nil {
			if *to, err = r.text(n); err != nil {
				return s, false, err
			}
		}
	}
	if _, err := parseSchedule(s.Expression, s.Timezone); err != nil {
		return s, false, r.errorf(properties, "%s: %v", id, err)
	}
	if input != nil {
		v, err := r.eval(input)
		if err != nil {
			return s, false, err
		}
		if text, ok := v.(string); ok {
			s.Input = text
		} else {
			// A mapping in Input is written as JSON by SAM.
			text, err := json.Marshal(v)
			if err != nil {
				return s, false, r.errorf(input, "Input does not encode")
			}
			s.Input = string(text)
		}
	}
	if n := child(properties, "State"); n != nil {
		v, err := r.text(n)
		if err != nil {
			return s, false, err
		}
		return s, v != "DISABLED", nil
	}
	return s, true, nil
}

// api reads the one API that the stack's routes belong to.
func (r *resolver) api(s *Stack, apis map[string]*yaml.Node) error {
	if len(apis) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(apis))
	if len(names) > 1 {
		return r.errorf(apis[names[1]], "routes of two APIs, %s and %s: the local gateway serves one", names[0], names[1])
	}
	api := &API{LogicalID: names[0], Throttles: map[string]Throttle{}}
	res := child(r.resources, api.LogicalID)
	if res == nil && api.LogicalID != implicitAPI {
		return r.errorf(apis[names[0]], "no API %s", api.LogicalID)
	}
	property := func(key string) *yaml.Node {
		if n := child(res, "Properties", key); n != nil {
			return n
		}
		return child(r.globals, "HttpApi", key)
	}
	var err error
	if n := property("CorsConfiguration"); n != nil {
		if api.CORS, err = r.cors(n); err != nil {
			return err
		}
	}
	if n := property("DefaultRouteSettings"); n != nil {
		if api.DefaultThrottle, err = r.throttle(n); err != nil {
			return err
		}
	}
	keys := map[string]string{}
	for _, f := range s.Functions {
		for _, route := range f.Routes {
			if other, ok := keys[route.Key()]; ok {
				return fmt.Errorf("%s: %s and %s both have the route %s", r.path, other, f.LogicalID, route.Key())
			}
			keys[route.Key()] = f.LogicalID
		}
	}
	for key, n := range pairs(property("RouteSettings")) {
		if _, ok := keys[key.Value]; !ok {
			return r.errorf(key, "RouteSettings: no route %q; the deployment would fail", key.Value)
		}
		if api.Throttles[key.Value], err = r.throttle(n); err != nil {
			return err
		}
	}
	s.API = api
	return nil
}

func (r *resolver) throttle(n *yaml.Node) (Throttle, error) {
	v, err := r.eval(n)
	if err != nil {
		return Throttle{}, err
	}
	m, _ := v.(map[string]any)
	var t Throttle
	if text, ok := m["ThrottlingRateLimit"].(string); ok {
		if t.Rate, err = strconv.ParseFloat(text, 64); err != nil || t.Rate <= 0 || math.IsNaN(t.Rate) || math.IsInf(t.Rate, 0) {
			return t, r.errorf(n, "ThrottlingRateLimit is not a rate above zero")
		}
	}
	if text, ok := m["ThrottlingBurstLimit"].(string); ok {
		if t.Burst, err = strconv.Atoi(text); err != nil || t.Burst < 0 {
			return t, r.errorf(n, "ThrottlingBurstLimit is not a count")
		}
	}
	return t, nil
}

func (r *resolver) cors(n *yaml.Node) (*CORS, error) {
	_, _, computed := intrinsic(n)
	v, err := r.eval(n)
	if err != nil {
		return nil, err
	}
	if _, none := v.(noValue); none {
		return nil, nil
	}
	if s, ok := v.(string); ok {
		switch origin := strings.Trim(s, "'"); {
		case s == "false":
			return nil, nil
		case s == "true":
			return &CORS{Origins: []string{"*"}}, nil
		default:
			return &CORS{Origins: []string{origin}}, nil
		}
	}
	if a := child(n, "AllowOrigins"); a != nil && !computed {
		if _, _, lone := intrinsic(a); lone {
			return nil, r.errorf(a, "SAM takes a computed AllowOrigins for the whole configuration: put one !If around it all")
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, r.errorf(n, "CorsConfiguration is neither a mapping nor an origin")
	}
	c := &CORS{}
	for key, to := range map[string]*[]string{
		"AllowOrigins": &c.Origins, "AllowMethods": &c.Methods, "AllowHeaders": &c.Headers, "ExposeHeaders": &c.Expose,
	} {
		value, ok := m[key]
		if !ok {
			continue
		}
		items, ok := value.([]any)
		if !ok {
			return nil, r.errorf(n, "%s is not a list", key)
		}
		list, err := r.stringsOf(n, items)
		if err != nil {
			return nil, err
		}
		*to = slices.DeleteFunc(list, func(s string) bool { return strings.TrimSpace(s) == "" })
	}
	for _, origin := range c.Origins {
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "") {
			return nil, r.errorf(n, "AllowOrigins: %q is not an origin such as https://www.example.com", origin)
		}
	}
	c.MaxAge, _ = m["MaxAge"].(string)
	if computed {
		// The whole value is CloudFormation's: SAM passes it on as it is.
		c.Credentials = m["AllowCredentials"] == "true"
	} else if a := child(n, "AllowCredentials"); a != nil {
		if a.ShortTag() != "!!bool" {
			return nil, r.errorf(a, "AllowCredentials must be written out as true or false: SAM drops anything else")
		}
		c.Credentials = a.Value == "true"
	}
	if c.Credentials && slices.Contains(c.Origins, "*") {
		return nil, r.errorf(n, "AllowCredentials and the origin * are refused together")
	}
	return c, nil
}

// integer evaluates n, or gives def when n is nil.
func (r *resolver) integer(n *yaml.Node, def, low, high int) (int, error) {
	if n == nil {
		return def, nil
	}
	s, err := r.text(n)
	if err != nil {
		return 0, err
	}
	i, err := strconv.Atoi(s)
	if err != nil || i < low || i > high {
		return 0, r.errorf(n, "%s is not a number from %d to %d", s, low, high)
	}
	return i, nil
}

// checkSources refuses what AWS refuses when it makes an event source mapping.
func (r *resolver) checkSources(s *Stack) error {
	queues := map[string]Queue{}
	for _, q := range s.Queues {
		queues[q.ARN] = q
	}
	for _, f := range s.Functions {
		for _, source := range f.Sources {
			q, ok := queues[source.QueueARN]
			if !ok {
				return fmt.Errorf("%s: %s reads %s, which is no queue of this stack", r.path, f.LogicalID, source.QueueARN)
			}
			if q.Visibility < f.Timeout {
				return fmt.Errorf("%s: %s's VisibilityTimeout of %s is shorter than %s's Timeout of %s",
					r.path, q.LogicalID, q.Visibility, f.LogicalID, f.Timeout)
			}
		}
	}
	for _, schedule := range s.Schedules {
		if schedule.Function != "" {
			if _, ok := s.Function(schedule.Function); !ok {
				return fmt.Errorf("%s: %s invokes %s, which is no function of this stack", r.path, schedule.LogicalID, schedule.Function)
			}
			continue
		}
		q, ok := queues[schedule.QueueARN]
		if !ok {
			return fmt.Errorf("%s: %s sends to %s, which is no queue of this stack", r.path, schedule.LogicalID, schedule.QueueARN)
		}
		if q.FIFO && !q.ContentDedup {
			return fmt.Errorf("%s: %s needs ContentBasedDeduplication on %s: a schedule sends no deduplication id",
				r.path, schedule.LogicalID, q.LogicalID)
		}
	}
	return nil
}
