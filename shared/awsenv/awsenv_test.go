package awsenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

var variables = []string{
	"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_S3", "AWS_SAM_LOCAL",
}

func setenv(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, set[name])
	}
}

// fakeAWS answers GetSecretValue and SendMessage and keeps the last request's headers.
func fakeAWS(t *testing.T) (url string, last *atomic.Pointer[http.Header]) {
	t.Helper()
	last = new(atomic.Pointer[http.Header])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Path", r.URL.Path)
		last.Store(&h)
		switch r.Header.Get("X-Amz-Target") {
		case "secretsmanager.GetSecretValue":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_ = json.NewEncoder(w).Encode(map[string]any{"SecretString": "{}", "CreatedDate": 1523477145.713})
		case "AmazonSQS.SendMessage":
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			_ = json.NewEncoder(w).Encode(map[string]any{"MessageId": "1"})
		default:
			http.Error(w, "", http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, last
}

func TestConfigReachesTheEndpoint(t *testing.T) {
	url, last := fakeAWS(t)
	setenv(t, map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": url + "/aws",
		"AWS_ACCESS_KEY_ID": "AKIDFIRST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
	})
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	sm := secretsmanager.NewFromConfig(cfg)
	if _, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	h := *last.Load()
	if !strings.HasPrefix(h.Get("Path"), "/aws") {
		t.Errorf("the endpoint's path prefix is lost: %q", h.Get("Path"))
	}
	if a := h.Get("Authorization"); !strings.Contains(a, "Credential=AKIDFIRST/") || !strings.Contains(a, "/eu-central-1/secretsmanager/aws4_request") {
		t.Errorf("signed as %q", a)
	}
	if h.Get("X-Amz-Security-Token") != "session" {
		t.Error("the session token is not sent")
	}

	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDSECOND")
	if _, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	if a := (*last.Load()).Get("Authorization"); !strings.Contains(a, "Credential=AKIDSECOND/") {
		t.Errorf("renewed credentials are not read: %q", a)
	}
}

func TestServiceEndpointWins(t *testing.T) {
	general, toGeneral := fakeAWS(t)
	special, toSpecial := fakeAWS(t)
	setenv(t, map[string]string{
		"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_ENDPOINT_URL": general, "AWS_ENDPOINT_URL_SECRETS_MANAGER": special,
	})
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("x")}); err != nil {
		t.Fatal(err)
	}
	if toSpecial.Load() == nil || toGeneral.Load() != nil {
		t.Error("Secrets Manager was not called at its own endpoint")
	}
	_, err = sqs.NewFromConfig(cfg).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(general + "/q"), MessageBody: aws.String("x")})
	if err != nil {
		t.Fatal(err)
	}
	if toGeneral.Load() == nil {
		t.Error("SQS was not called at the general endpoint")
	}
}

func TestConfigRefuses(t *testing.T) {
	tests := []struct {
		name string
		set  map[string]string
		says string
	}{
		{"no region", nil, "AWS_REGION"},
		{"http endpoint", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://canary.example.com"}, "AWS_ENDPOINT_URL:"},
		{"http service endpoint", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL_SQS": "http://canary.example.com"}, "AWS_ENDPOINT_URL_SQS:"},
		{"docker host outside SAM", map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://host.docker.internal:3100"}, "AWS_ENDPOINT_URL:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setenv(t, tt.set)
			_, err := Config()
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
	setenv(t, map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://host.docker.internal:3100", "AWS_SAM_LOCAL": "true"})
	if _, err := Config(); err != nil {
		t.Errorf("docker host under SAM: %v", err)
	}
}

func TestNoCredentials(t *testing.T) {
	url, last := fakeAWS(t)
	setenv(t, map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "AKID"})
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	_, err = secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("x")})
	if !errors.Is(err, ErrNoCredentials) {
		t.Errorf("got %v", err)
	}
	if last.Load() != nil {
		t.Error("an unsigned request was sent")
	}
}

func TestRetriesAreFewAndEndWithTheContext(t *testing.T) {
	var calls atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer s.Close()
	setenv(t, map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"})
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	sm := secretsmanager.NewFromConfig(cfg)
	if _, err := sm.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("x")}); err == nil {
		t.Fatal("no error")
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := calls.Load(); n != 3 {
		t.Error("a call was made for a cancelled context")
	}
}

func TestBackoff(t *testing.T) {
	tests := []struct {
		attempt  int
		low, top time.Duration
	}{
		{0, 25 * time.Millisecond, 50 * time.Millisecond},
		{1, 25 * time.Millisecond, 50 * time.Millisecond},
		{2, 50 * time.Millisecond, 100 * time.Millisecond},
		{4, 200 * time.Millisecond, 400 * time.Millisecond},
		{90, 200 * time.Millisecond, 400 * time.Millisecond},
	}
	for _, tt := range tests {
		if got := backoff(tt.attempt, 0); got != tt.low {
			t.Errorf("backoff(%d, 0) = %s, want %s", tt.attempt, got, tt.low)
		}
		if got := backoff(tt.attempt, 1); got != tt.top {
			t.Errorf("backoff(%d, 1) = %s, want %s", tt.attempt, got, tt.top)
		}
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a signed request reached another host")
	}))
	defer stranger.Close()
	s := httptest.NewServer(http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	setenv(t, map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"})
	cfg, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	_, err = secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("x")})
	if err == nil {
		t.Error("a redirect counted as an answer")
	}
}

func TestErrorCode(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("AccessDenied"), ""},
		{ErrNoCredentials, "NoCredentials"},
		{fmt.Errorf("x: %w", &smithy.GenericAPIError{Code: "AWS.SimpleQueueService.NonExistentQueue"}), "AWS.SimpleQueueService.NonExistentQueue"},
		{&smithy.GenericAPIError{Code: "a page <html>"}, ""},
		{&smithy.GenericAPIError{Code: strings.Repeat("a", 65)}, ""},
	}
	for _, tt := range tests {
		if got := ErrorCode(tt.err); got != tt.want {
			t.Errorf("ErrorCode(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}
