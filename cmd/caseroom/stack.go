package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cftypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"
	"github.com/spf13/cobra"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/localfile"
	"github.com/caseroom/caseroom/cmd/caseroom/internal/rehearsal"
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/secrets"
	"github.com/caseroom/caseroom/shared/upstream"
)

// place says which stack a command works on.
type place struct {
	local   bool
	name    string
	region  string
	profile string
	envFile string
	file    string // of the local run
}

// flags adds --local, --stack and their company.
func (p *place) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&p.local, "local", false, `the stack that "caseroom run" runs here`)
	f.StringVar(&p.file, "local-file", localfile.Path, "what the local run wrote; for a run of another folder")
	p.deployedFlags(cmd)
	f.StringVar(&p.envFile, "env-file", "", "file of NAME=value lines that describe the stack, over the environment")
	cmd.MarkFlagsMutuallyExclusive("local", "stack", "env-file")
}

// deployedFlags adds --stack, --region and --profile alone, for commands that make
// no sense on another stack than a deployed one.
func (p *place) deployedFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.name, "stack", "", "name of the deployed CloudFormation stack")
	f.StringVar(&p.region, "region", "", "AWS region of the stack")
	f.StringVar(&p.profile, "profile", "", "AWS profile of the shared configuration")
}

// stack is the stack that a command works on.
type stack struct {
	// Env holds the variables of the stack's functions, all in one.
	Env map[string]string
	// API is where the HTTP API is, "" if that is not known.
	API string
	// Sandbox is where the stand-ins are, "" for a real stack.
	Sandbox string
	// Functions are the names of a deployed stack's functions; none of others.
	Functions []string
	AWS       aws.Config
}

// open finds the stack and what it is told by.
func (p *place) open(ctx context.Context) (*stack, error) {
	switch {
	case p.local:
		return p.openLocal()
	case p.name != "":
		return p.openDeployed(ctx)
	}
	env := map[string]string{}
	for _, kv := range os.Environ() {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	if p.envFile != "" {
		file, err := readEnv(p.envFile)
		if err != nil {
			return nil, cli.Usagef("--env-file: %w", err)
		}
		maps.Copy(env, file)
	}
	if env["ZENDESK_BASE_URL"] == "" && env["SALESFORCE_BASE_URL"] == "" {
		return nil, cli.Usagef(`which stack? Say --local for the one of "caseroom run", --stack NAME for a deployed one, or set the functions' variables, ZENDESK_BASE_URL or SALESFORCE_BASE_URL first`)
	}
	cfg, err := p.aws(ctx, env["AWS_ENDPOINT_URL"])
	return &stack{Env: env, API: env["CASEROOM_API_URL"], AWS: cfg}, err
}

// parts opens the stack and makes its clients.
func (p *place) parts(ctx context.Context) (*parts, error) {
	s, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	return s.parts()
}

// aws is the AWS configuration as the AWS CLI finds it.
func (p *place) aws(ctx context.Context, endpoint string) (aws.Config, error) {
	// The SDK would warn of where it looks for credentials.
	options := []func(*awsconfig.LoadOptions) error{awsconfig.WithLogger(logging.Nop{}), awsconfig.WithHTTPClient(awsClient())}
	if p.region != "" {
		options = append(options, awsconfig.WithRegion(p.region))
	}
	if p.profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(p.profile))
	}
	if endpoint != "" {
		if _, err := upstream.ParseBaseURL(endpoint, false); err != nil {
			return aws.Config{}, cli.Usagef("AWS_ENDPOINT_URL: %w", err)
		}
		options = append(options, awsconfig.WithBaseEndpoint(endpoint))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return cfg, cli.Usagef("in which AWS region? Say --region, or set AWS_REGION")
	}
	if cfg.Credentials != nil {
		cfg.Credentials = aws.NewCredentialsCache(plainCredentials{cfg.Credentials})
	}
	return cfg, nil
}

// awsCall is how long one try of a call to AWS may take; the SDK's own client
// waits for ever.
const awsCall = 15 * time.Second

func awsClient() *awshttp.BuildableClient { return awshttp.NewBuildableClient().WithTimeout(awsCall) }

// plainCredentials finds credentials as another provider does, and says in a few
// words that there are none.
type plainCredentials struct{ aws.CredentialsProvider }

func (p plainCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		return c, noCredentials{err}
	}
	return c, err
}

type noCredentials struct{ err error }

// ErrorCode lets the error be told apart as AWS's own are.
func (noCredentials) ErrorCode() string { return cli.CodeNoCredentials }

func (e noCredentials) Error() string {
	// The last place that is looked at is a virtual machine's metadata, which
	// says nothing to who is at none.
	if strings.Contains(e.err.Error(), "EC2 IMDS") {
		return "no AWS credentials were found"
	}
	return "the AWS credentials: " + e.err.Error()
}

func (p *place) openLocal() (*stack, error) {
	l, err := localfile.Read(p.file)
	if err != nil {
		return nil, err
	}
	return &stack{Env: l.Env, API: l.Gateway, Sandbox: l.Sandbox, AWS: aws.Config{
		HTTPClient:   awsClient(),
		Region:       l.Env["AWS_REGION"],
		BaseEndpoint: aws.String(l.Env["AWS_ENDPOINT_URL"]),
		Credentials:  credentials.NewStaticCredentialsProvider(l.Env["AWS_ACCESS_KEY_ID"], l.Env["AWS_SECRET_ACCESS_KEY"], ""),
	}}, nil
}

// outputs are what the deployed stack says about itself.
func (p *place) outputs(ctx context.Context, cfg aws.Config) (map[string]string, error) {
	described, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &p.name})
	if err != nil {
		var none noCredentials
		if errors.As(err, &none) {
			err = none // without the call that needed them
		}
		return nil, fmt.Errorf("stack %s in %s: %w", p.name, cfg.Region, err)
	}
	outputs := map[string]string{}
	for _, st := range described.Stacks {
		for _, o := range st.Outputs {
			outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	return outputs, nil
}

// openDeployed reads the stack's functions from CloudFormation and their
// variables from Lambda.
func (p *place) openDeployed(ctx context.Context) (*stack, error) {
	cfg, err := p.aws(ctx, os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		return nil, err
	}
	outputs, err := p.outputs(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &stack{Env: map[string]string{}, API: outputs["ApiUrl"], AWS: cfg}
	cf, functions := cloudformation.NewFromConfig(cfg), lambda.NewFromConfig(cfg)
	pages := cloudformation.NewListStackResourcesPaginator(cf, &cloudformation.ListStackResourcesInput{StackName: &p.name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the resources of stack %s: %w", p.name, err)
		}
		for _, r := range page.StackResourceSummaries {
			if aws.ToString(r.ResourceType) != "AWS::Lambda::Function" || r.ResourceStatus == cftypes.ResourceStatusDeleteComplete {
				continue
			}
			f, err := functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: r.PhysicalResourceId})
			if err != nil {
				return nil, fmt.Errorf("function %s: %w", aws.ToString(r.LogicalResourceId), err)
			}
			s.Functions = append(s.Functions, aws.ToString(r.PhysicalResourceId))
			if f.Environment != nil {
				maps.Copy(s.Env, f.Environment.Variables)
			}
		}
	}
	if s.Env["ZENDESK_BASE_URL"] == "" && s.Env["SALESFORCE_BASE_URL"] == "" {
		return nil, fmt.Errorf("stack %s has no function with a desk's address: is it caseroom's?", p.name)
	}
	return s, nil
}

// readEnv reads lines of NAME=value; empty lines and lines of # are skipped.
func readEnv(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	env := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("%s:%d is not NAME=value", path, n)
		}
		env[k] = v
	}
	return env, lines.Err()
}

// load fills groups of settings from the stack's variables.
func (s *stack) load(groups ...any) error { return config.LoadFrom(s.Env, groups...) }

// process is the stack's functions as the command acts for them, with the
// operator's credentials. What a function counts is nobody's business here, and a
// secret that cannot be read is told by the command that needs it.
func (s *stack) process() *boot.Process {
	store := secrets.New(secretsmanager.NewFromConfig(s.AWS), time.Now, mathrand.Float64, slog.New(slog.DiscardHandler))
	return boot.NewProcess(s.AWS, store, rehearsal.Meter{})
}

// patient is process for commands that set a desk up: an operator waits longer
// than a customer does.
func (s *stack) patient() *boot.Process {
	p := s.process()
	p.Timeout = deskCall
	return p
}
