// Package awsenv configures the AWS SDK from the standard environment
// variables and nothing else. The SDK's own config package also knows shared
// files, SSO and instance metadata; a function needs none of it and would pay
// for it at every start.
package awsenv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Config returns what the service clients need:
//
//   - the region: AWS_REGION, else AWS_DEFAULT_REGION;
//   - credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
//     AWS_SESSION_TOKEN, read again for every request;
//   - the endpoint: AWS_ENDPOINT_URL, or for one service
//     AWS_ENDPOINT_URL_SECRETS_MANAGER, _SQS or _S3. They follow the rules of
//     [upstream.ParseBaseURL], with AWS_SAM_LOCAL; an error names the variable.
//     See https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html.
//
// An attempt lasts 3 s at most and there are three, with waits short enough for
// an invocation; all of it ends with the context.
func Config() (aws.Config, error) {
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = os.Getenv("AWS_DEFAULT_REGION")
	}
	if region == "" {
		return aws.Config{}, errors.New("awsenv: AWS_REGION is not set")
	}
	cfg := aws.Config{
		Region:      region,
		Credentials: aws.CredentialsProviderFunc(credentials),
		HTTPClient:  client,
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 3
				o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
					return backoff(attempt, rand.Float64()), nil // #nosec G404 -- spreads retries
				})
			})
		},
		ConfigSources: []any{endpoints{}},
	}
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_S3"} {
		v := os.Getenv(name)
		if v == "" {
			continue
		}
		if _, err := upstream.ParseBaseURL(v, os.Getenv("AWS_SAM_LOCAL") == "true"); err != nil {
			return aws.Config{}, fmt.Errorf("awsenv: %s: %w", name, err)
		}
		if name == "AWS_ENDPOINT_URL" {
			cfg.BaseEndpoint = aws.String(v)
		}
	}
	return cfg, nil
}

// endpoints is asked by a service client for an endpoint of its own; without
// one the client keeps BaseEndpoint.
type endpoints struct{}

// GetServiceBaseEndpoint implements the SDK's interface for config sources.
func (endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	v := os.Getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(sdkID, " ", "_")))
	return v, v != "", nil
}

// ErrNoCredentials means that the environment holds no access key.
var ErrNoCredentials error = noCredentials{}

type noCredentials struct{}

func (noCredentials) Error() string {
	return "awsenv: AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set"
}

// ErrorCode lets the error be told apart as AWS's own are.
func (noCredentials) ErrorCode() string { return "NoCredentials" }

// ErrorCode returns the AWS error code in err's chain, such as
// "AccessDeniedException", and "" if there is none or if it does not look like
// one: what a broken endpoint answers must not reach a log.
func ErrorCode(err error) string {
	var coded interface{ ErrorCode() string }
	if !errors.As(err, &coded) {
		return ""
	}
	code := coded.ErrorCode()
	for _, c := range []byte(code) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' {
			return ""
		}
	}
	if len(code) > 64 {
		return ""
	}
	return code
}

// Told returns of an AWS call's failure what may be told of it: its code, or
// that there was no answer. The SDK's own errors may quote requests and answers.
// The error of a context that was cancelled stays as it is.
func Told(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	return refusal(ErrorCode(err))
}

type refusal string

// ErrorCode lets the error be told apart as AWS's own are.
func (r refusal) ErrorCode() string { return string(r) }

func (r refusal) Error() string {
	if r == "" {
		return "no answer"
	}
	return string(r)
}

func credentials(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	if !c.HasKeys() {
		return aws.Credentials{}, ErrNoCredentials
	}
	return c, nil
}

// backoff is how long to wait after a failed attempt, counted from 1: half to
// all of 50 ms, 100 ms, …, 400 ms, with r in [0,1) deciding. The SDK's own
// waits begin at a second, which no caller of ours has.
func backoff(attempt int, r float64) time.Duration {
	top := 50 * time.Millisecond << min(max(attempt, 1)-1, 3)
	return top/2 + time.Duration(r*float64(top/2))
}

// client serves all AWS clients of the process. Like the vendors' transport it
// ignores proxy variables and follows no redirect.
var client = &http.Client{
	Timeout:       3 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   2 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          32,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       4 * time.Minute,
		ExpectContinueTimeout: time.Second,
		// As at the vendors' transport: a peer that is gone without a word is noticed.
		HTTP2: &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: time.Second},
	},
}
