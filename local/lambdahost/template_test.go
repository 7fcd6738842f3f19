package lambdahost_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
)

// function1 wraps properties into a template with one function.
func function1(properties string) string {
	return "Parameters:\n  Word: {Type: String, Default: hello}\n  Words: {Type: CommaDelimitedList, Default: 'a, b'}\n" +
		"Mappings:\n  Sizes:\n    small: {memory: 256}\n" +
		"Conditions:\n  IsHello: !Equals [!Ref Word, hello]\n  NotHello: !Not [!Condition IsHello]\n" +
		"  Both: !And [!Condition IsHello, !Not [!Condition NotHello]]\n  Either: !Or [{Condition: NotHello}, {Condition: IsHello}]\n" +
		"Resources:\n" +
		"  Work:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: !Sub '${AWS::StackName}-work.fifo', FifoQueue: true, VisibilityTimeout: 60}\n" +
		"  Bucket: {Type: AWS::S3::Bucket}\n" +
		"  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: functions/f\n" + properties
}

func variable(value string) string {
	return function1("      Environment: {Variables: {V: " + value + "}}\n")
}

func TestIntrinsics(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"plain":                                 "plain",
		"12":                                    "12",
		"true":                                  "true",
		"1.50":                                  "1.50",
		"!Ref Word":                             "hello",
		"{Ref: Word}":                           "hello",
		"!Ref AWS::Region":                      "eu-west-1",
		"!Ref AWS::StackName":                   "stack",
		"!Ref Work":                             "https://queues.example/stack-work.fifo",
		"!GetAtt Work.Arn":                      "arn:aws:sqs:eu-west-1:123456789012:stack-work.fifo",
		"{'Fn::GetAtt': [Work, QueueName]}":     "stack-work.fifo",
		"!GetAtt Work.QueueUrl":                 "https://queues.example/stack-work.fifo",
		"!Ref Bucket":                           "stack-bucket",
		"!GetAtt Bucket.Arn":                    "arn:aws:s3:::stack-bucket",
		"!GetAtt F.Arn":                         "arn:aws:lambda:eu-west-1:123456789012:function:F",
		"!Sub 'a-${Word}-${AWS::AccountId}'":    "a-hello-123456789012",
		"!Sub '${!Literal}-${Work.QueueName}'":  "${Literal}-stack-work.fifo",
		"!Sub ['${X}-${Word}', {X: !Ref Word}]": "hello-hello",
		"!Join ['-', [a, !Ref Word]]":           "a-hello",
		"!Join ['-', !Ref Words]":               "a-b",
		"!Select [1, !Split [',', 'x,y']]":      "y",
		"!Select ['0', !Ref Words]":             "a",
		"!FindInMap [Sizes, small, memory]":     "256",
		"!If [IsHello, a, b]":                   "a",
		"!If [NotHello, a, b]":                  "b",
		"!If [Both, a, b]":                      "a",
		"!If [Either, a, b]":                    "a",
		"{'Fn::Base64': !Ref Word}":             "aGVsbG8=",
		"!Join ['', [a, !If [NotHello, b, !Ref AWS::NoValue]]]": "a",
	} {
		stack, err := mustParse(t, variable(expression)).Resolve(lambdahost.ResolveOptions{
			StackName: "stack", Region: "eu-west-1", AccountID: "123456789012",
			QueueURL: func(name string) string { return "https://queues.example/" + name },
		})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got := stack.Functions[0].Env["V"]; got != want {
			t.Errorf("%s: got %q, want %q", expression, got, want)
		}
	}
}

// TestResolveRefuses holds what a template may not say. Every error names the
// file and a line.
func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	event := func(s string) string { return function1("      Events:\n        E: " + s + "\n") }
	for name, c := range map[string]struct{ text, want string }{
		"unsupported intrinsic":   {variable("!ImportValue other"), "Fn::ImportValue is not supported locally"},
		"unsupported long form":   {variable("{'Fn::Cidr': [a, 1, 2]}"), "Fn::Cidr is not supported locally"},
		"unknown ref":             {variable("!Ref Nothing"), "no parameter or resource Nothing"},
		"unknown in sub":          {variable("!Sub 'x${Nothing}'"), "no parameter or resource Nothing"},
		"unknown attribute":       {variable("!GetAtt Work.Colour"), "Colour"},
		"attribute of other kind": {variable("!GetAtt Bucket.WebsiteURL"), "WebsiteURL"},
		"list in sub":             {variable("!Sub '${Words}'"), "Words is not a string"},
		"select out of range":     {variable("!Select [9, !Ref Words]"), "no item 9"},
		"no mapping":              {variable("!FindInMap [Sizes, large, memory]"), "no Sizes.large.memory"},
		"unknown condition":       {variable("!If [Perhaps, a, b]"), "no condition Perhaps"},
		"variable is a list":      {variable("[a]"), "V is not a string"},
		"dynamic reference":       {variable("'{{resolve:ssm:x}}'"), "dynamic references"},
		"event type":              {event("{Type: Kinesis}"), "events of type Kinesis"},
		"path without slash":      {event("{Type: HttpApi, Properties: {Path: x, Method: get}}"), "does not begin with /"},
		"method":                  {event("{Type: HttpApi, Properties: {Path: /x, Method: fetch}}"), "no method FETCH"},
		"no method":               {event("{Type: HttpApi, Properties: {Path: /x}}"), "needs a Method"},
		"IAM not enabled":         {event("{Type: HttpApi, Properties: {Path: /x, Method: get, Auth: {Authorizer: AWS_IAM}}}"), "EnableIamAuthorizer"},
		"computed authorizer":     {event("{Type: HttpApi, Properties: {Path: /x, Method: get, Auth: {Authorizer: !Ref Word}}}"), "must be written out"},
		"other authorizer":        {event("{Type: HttpApi, Properties: {Path: /x, Method: get, Auth: {Authorizer: Mine}}}"), "authorizer Mine"},
		"NONE without default":    {event("{Type: HttpApi, Properties: {Path: /x, Method: get, Auth: {Authorizer: NONE}}}"), "NONE needs"},
		"no such API":             {event("{Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /x, Method: get}}"), "ApiId"},
		"filter":                  {event("{Type: SQS, Properties: {Queue: !GetAtt Work.Arn, FilterCriteria: {}}}"), "FilterCriteria"},
		"FIFO window":             {event("{Type: SQS, Properties: {Queue: !GetAtt Work.Arn, MaximumBatchingWindowInSeconds: 5}}"), "MaximumBatchingWindowInSeconds"},
		"FIFO batch":              {event("{Type: SQS, Properties: {Queue: !GetAtt Work.Arn, BatchSize: 11}}"), "at most 10"},
		"concurrency of 1":        {event("{Type: SQS, Properties: {Queue: !GetAtt Work.Arn, ScalingConfig: {MaximumConcurrency: 1}}}"), "from 2 to 1000"},
		"foreign queue":           {event("{Type: SQS, Properties: {Queue: 'arn:aws:sqs:us-east-1:000000000000:other'}}"), "no queue of this stack"},
		"visibility":              {function1("      Timeout: 61\n      Events: {E: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn}}}\n"), "VisibilityTimeout of 1m0s is shorter"},
		"expression":              {event("{Type: ScheduleV2, Properties: {ScheduleExpression: every day}}"), "not a schedule expression"},
		"timeout":                 {function1("      Timeout: 1000\n"), "from 1 to 900"},
		"two routes":              {function1("      Events:\n        A: {Type: HttpApi, Properties: {Path: /x, Method: get}}\n        B: {Type: HttpApi, Properties: {Path: /x, Method: GET}}\n"), "both have the route GET /x"},
		"stray route setting":     {"Globals:\n  HttpApi: {RouteSettings: {'GET /y': {ThrottlingRateLimit: 1}}}\n" + event("{Type: HttpApi, Properties: {Path: /x, Method: get}}"), `no route "GET /y"`},
		"zero rate":               {"Globals:\n  HttpApi: {DefaultRouteSettings: {ThrottlingRateLimit: 0}}\n" + event("{Type: HttpApi, Properties: {Path: /x, Method: get}}"), "above zero"},
		"star and credentials":    {"Globals:\n  HttpApi: {CorsConfiguration: {AllowOrigins: ['*'], AllowCredentials: true}}\n" + event("{Type: HttpApi, Properties: {Path: /x, Method: get}}"), "refused together"},
		"computed origins":        {"Globals:\n  HttpApi: {CorsConfiguration: {AllowOrigins: !Ref Words}}\n" + event("{Type: HttpApi, Properties: {Path: /x, Method: get}}"), "put one !If around it all"},
		"computed credentials":    {"Globals:\n  HttpApi: {CorsConfiguration: {AllowOrigins: ['https://a'], AllowCredentials: !Ref Word}}\n" + event("{Type: HttpApi, Properties: {Path: /x, Method: get}}"), "AllowCredentials must be written out"},
		"not an origin":           {"Globals:\n  HttpApi: {CorsConfiguration: {AllowOrigins: ['https://a/b']}}\n" + event("{Type: HttpApi, Properties: {Path: /x, Method: get}}"), "not an origin"},
		"self-named queue":        {"Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt Q.QueueName}}\n", "refers to itself"},
		"FIFO name":               {"Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q, FifoQueue: true}}\n", "ends in .fifo"},
		"receive count":           {"Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: 'arn:x', maxReceiveCount: 0}}}\n", "maxReceiveCount"},
		"mixed dead letters":      {"Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: 'arn:x.fifo', maxReceiveCount: 5}}}\n", "dead-letter queue of a FIFO"},
		"schedule to FIFO":        {schedules("{Arn: !GetAtt Fifo.Arn}"), "needs SqsParameters.MessageGroupId"},
		"schedule without dedup":  {strings.Replace(schedules("{Arn: !GetAtt Fifo.Arn, SqsParameters: {MessageGroupId: g}}"), "ContentBasedDeduplication: true, ", "", 1), "needs ContentBasedDeduplication"},
		"schedule elsewhere":      {schedules("{Arn: 'arn:aws:sns:us-east-1:1:x'}"), "are not supported locally"},
		"parameter required":      {"Parameters: {P: {Type: String}}\n" + variable("x")[strings.Index(variable("x"), "Mappings"):], "no value and no default"},
	} {
		template, err := lambdahost.ParseTemplate("template.yaml", []byte(c.text))
		if err != nil {
			t.Errorf("%s: does not parse: %v", name, err)
			continue
		}
		_, err = template.Resolve(lambdahost.ResolveOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "template.yaml:") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func schedules(target string) string {
	return "Resources:\n" +
		"  Fifo: {Type: AWS::SQS::Queue, Properties: {QueueName: s.fifo, ContentBasedDeduplication: true, FifoQueue: true}}\n" +
		"  S:\n    Type: AWS::Scheduler::Schedule\n    Properties:\n      ScheduleExpression: rate(5 minutes)\n      Target: " + target + "\n"
}

func TestErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	_, err := mustParse(t, "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: f\n      Environment:\n        Variables:\n          A: b\n          V: !Cidr [x, 1, 2]\n").
		Resolve(lambdahost.ResolveOptions{})
	if err == nil || !strings.HasPrefix(err.Error(), "template.yaml:9: ") {
		t.Errorf("got %v, want line 9", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":            "",
		"list":             "- a",
		"not YAML":         "a: [",
		"no resources":     "Parameters: {}",
		"resources list":   "Resources: []",
		"resource scalar":  "Resources: {A: b}",
		"alias":            "Resources: {A: &a {Type: x}, B: *a}",
		"key twice":        "Resources: {A: {Type: x}, A: {Type: y}}",
		"bare off":         "Parameters: {P: {Type: String, Default: off}}\nResources: {A: {Type: x}}",
		"bare yes in list": "Parameters: {P: {Type: String, AllowedValues: [yes, maybe]}}\nResources: {A: {Type: x}}",
		"too deep":         "Resources: {A: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}",
	} {
		if _, err := lambdahost.ParseTemplate("template.yaml", []byte(text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestParameterChecks(t *testing.T) {
	t.Parallel()
	template := mustParse(t, `
Parameters:
  Switch: {Type: String, AllowedValues: ["on", "off"], Default: "off"}
  Url: {Type: String, AllowedPattern: 'https://.*', Default: 'https://x'}
  Rate: {Type: Number, MinValue: 1, MaxValue: 5, Default: 2}
Rules:
  Fast:
    RuleCondition: !Equals [!Ref Switch, "on"]
    Assertions:
      - Assert: !Not [!Equals [!Ref Rate, "1"]]
        AssertDescription: Switched on, the rate is above 1.
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {CodeUri: f}}
`)
	for _, c := range []struct{ name, value, other, want string }{
		{"Switch", "on", "2", ""}, {"Switch", "maybe", "2", "AllowedValues"},
		{"Url", "https://y", "2", ""}, {"Url", "http://y", "2", "AllowedPattern"},
		{"Rate", "5", "", ""}, {"Rate", "6", "", "MaxValue"}, {"Rate", "0", "", "MinValue"}, {"Rate", "x", "", "Value"},
		{"Switch", "on", "1", "the rate is above 1"}, {"Switch", "off", "1", ""}, {"Speed", "1", "", "no parameter Speed"},
	} {
		p := map[string]string{c.name: c.value}
		if c.other != "" {
			p["Rate"] = c.other
		}
		_, err := template.Resolve(lambdahost.ResolveOptions{Parameters: p})
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s=%s: got %v, want %q", c.name, c.value, err, c.want)
		}
	}
	var required []string
	for _, p := range template.Parameters() {
		if p.Required {
			required = append(required, p.Name)
		}
	}
	if len(required) != 0 || len(template.Parameters()) != 3 {
		t.Errorf("parameters %+v", template.Parameters())
	}
}

func TestGlobalsAndConditions(t *testing.T) {
	t.Parallel()
	stack, err := mustParse(t, `
Parameters: {Second: {Type: String, Default: "no"}}
Conditions: {HasSecond: !Equals [!Ref Second, "yes"]}
Globals:
  Function:
    Timeout: 7
    MemorySize: 512
    Handler: bootstrap
    LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG}
    Environment: {Variables: {SHARED: g, OWN: g}}
Resources:
  A:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/a/
      Timeout: 9
      Environment: {Variables: {OWN: a}}
      Events:
        Here: {Type: HttpApi, Properties: {Path: /here, Method: get}}
  B:
    Type: AWS::Serverless::Function
    Condition: HasSecond
    Properties: {CodeUri: functions/b/}
  Table: {Type: AWS::DynamoDB::Table, Properties: {Anything: !Cidr [not, evaluated, here]}}
`).Resolve(lambdahost.ResolveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(stack.Functions) != 1 {
		t.Fatalf("%d functions, want 1", len(stack.Functions))
	}
	f := stack.Functions[0]
	if f.Timeout != 9*time.Second || f.MemoryMB != 512 || f.Handler != "bootstrap" || f.LogFormat != "JSON" || f.LogLevel != "DEBUG" || f.Label() != "a" {
		t.Errorf("got %+v", f)
	}
	if want := map[string]string{"SHARED": "g", "OWN": "a"}; !maps.Equal(f.Env, want) {
		t.Errorf("environment %v", f.Env)
	}
}

// TestProjectTemplate resolves the template that is deployed.
func TestProjectTemplate(t *testing.T) {
	t.Parallel()
	template, err := lambdahost.LoadTemplate("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	stack, err := template.Resolve(lambdahost.ResolveOptions{Parameters: map[string]string{
		"ZendeskBaseUrl": "https://example.zendesk.com", "AllowedOrigins": "https://a.example,https://b.example",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(stack.API.CORS.Origins, []string{"https://a.example", "https://b.example"}) || !stack.API.CORS.Credentials {
		t.Errorf("CORS %+v", stack.API.CORS)
	}
	if stack.API.Throttles["POST /guest/createticket"].Rate == 0 {
		t.Error("the guest route has no throttle of its own")
	}
	for _, f := range stack.Functions {
		for _, r := range f.Routes {
			if r.IAM != strings.HasPrefix(r.Path, "/iam/") {
				t.Errorf("%s: IAM is %v", r.Key(), r.IAM)
			}
		}
	}
}

func FuzzParseTemplate(f *testing.F) {
	f.Add(one)
	f.Add(corsTemplate)
	f.Add(variable("!Sub ['${X}', {X: !Ref Word}]"))
	f.Add(schedules("{Arn: !GetAtt Fifo.Arn, SqsParameters: {MessageGroupId: g}}"))
	if text, err := os.ReadFile("../../template.yaml"); err == nil {
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := lambdahost.ParseTemplate("template.yaml", []byte(text))
		if err != nil {
			return
		}
		stack, err := template.Resolve(lambdahost.ResolveOptions{})
		if (stack == nil) != (err != nil) {
			t.Errorf("stack %v, error %v", stack, err)
		}
	})
}

// TestNestedStacks: alarms and dashboards may stand in a template of their own,
// what runs may not.
func TestNestedStacks(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string]string{
		"{Type: AWS::CloudWatch::Alarm}":      "",
		"{Type: AWS::Serverless::Function}":   "nested.yaml:2: R: a nested stack's AWS::Serverless::Function does not run locally",
		"{Type: AWS::SQS::Queue}":             "nested.yaml:2: R: a nested stack's AWS::SQS::Queue does not run locally",
		"{Type: AWS::CloudFormation::Stack}":  "nested.yaml:2: R: a nested stack's AWS::CloudFormation::Stack does not run locally",
		"{Type: AWS::CloudWatch::Alarm, A: 1": "nested.yaml: yaml: ",
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"template.yaml": function1("") + "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nested.yaml}}\n",
			"nested.yaml":   "Resources:\n  R: " + resource + "\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := lambdahost.LoadTemplate(filepath.Join(dir, "template.yaml"))
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, not %q", resource, got, want)
		}
		if want == "" {
			if err := os.Remove(filepath.Join(dir, "nested.yaml")); err != nil {
				t.Fatal(err)
			}
			if _, err := lambdahost.LoadTemplate(filepath.Join(dir, "template.yaml")); err == nil || !strings.Contains(err.Error(), "Nested: open ") {
				t.Errorf("a template that is not there: %v", err)
			}
		}
	}
}
