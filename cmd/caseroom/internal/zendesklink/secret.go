package zendesklink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/secrets"
)

// madeBy is the description of a secret that this package made, and may delete.
const madeBy = "Proof of Zendesk's events. Made by the command caseroom."

// SecretsManager are the calls that are made of AWS Secrets Manager.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

// Secret is the stack's secret of what proves an event, ZENDESK_EVENTS_SECRET:
// {"webhookSecrets":[…],"bearers":[…]}. Keys that it does not know stay as they
// are.
type Secret struct {
	API SecretsManager
	ID  string
}

// Value is what the secret holds.
type Value struct {
	Exists  bool
	Changed time.Time // when the current value was written
	// WebhookSecrets and Bearers are the lists; Connections names for each ZIS
	// integration the fingerprint of the bearer that was made for it.
	WebhookSecrets []string
	Bearers        []string
	Connections    map[string]string

	other map[string]json.RawMessage
}

// String keeps the secrets out of anything printed.
func (Value) String() string { return "REDACTED" }

// GoString keeps the secrets out of %#v.
func (Value) GoString() string { return "REDACTED" }

// empty reports whether nothing is left that anybody put there.
func (v Value) empty() bool {
	return len(v.WebhookSecrets)+len(v.Bearers)+len(v.Connections)+len(v.other) == 0
}

// Read returns the secret as it is now; one that does not exist is no error.
func (s *Secret) Read(ctx context.Context) (Value, error) {
	out, err := s.API.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.ID})
	var gone *smtypes.ResourceNotFoundException
	if errors.As(err, &gone) {
		return Value{}, nil
	}
	if err != nil {
		return Value{}, fmt.Errorf("secret %s: %w", s.ID, awsenv.Told(err))
	}
	v := Value{Exists: true, Changed: aws.ToTime(out.CreatedDate)}
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &v.other) != nil {
		return Value{}, fmt.Errorf("secret %s is not a JSON object: correct it first", s.ID)
	}
	for key, into := range map[string]any{"webhookSecrets": &v.WebhookSecrets, "bearers": &v.Bearers, "connections": &v.Connections} {
		raw, ok := v.other[key]
		if ok && secrets.Member(raw, into) != nil {
			return Value{}, fmt.Errorf("secret %s: %s has the wrong type: correct it first", s.ID, key)
		}
		delete(v.other, key)
	}
	return v, nil
}

// Change reads the secret, changes it and writes it, unless it stays the same.
// A secret that does not exist is made; one that this package made and that is
// empty now is deleted at once: there is nothing in it that a recovery could
// bring back.
func (s *Secret) Change(ctx context.Context, change func(*Value)) (Value, error) {
	v, err := s.Read(ctx)
	if err != nil {
		return v, err
	}
	before, err := v.encode()
	if err != nil {
		return v, err
	}
	change(&v)
	text, err := v.encode()
	if err != nil || text == before {
		return v, err
	}
	switch {
	case !v.Exists:
		_, err = s.API.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &s.ID, SecretString: &text, Description: aws.String(madeBy)})
	case v.empty() && s.made(ctx):
		_, err = s.API.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &s.ID, ForceDeleteWithoutRecovery: aws.Bool(true)})
		v.Exists = false
	default:
		_, err = s.API.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &s.ID, SecretString: &text})
	}
	if err != nil {
		return v, fmt.Errorf("writing secret %s: %w", s.ID, awsenv.Told(err))
	}
	return s.Read(ctx)
}

// made reports whether this package made the secret.
func (s *Secret) made(ctx context.Context) bool {
	out, err := s.API.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &s.ID})
	return err == nil && aws.ToString(out.Description) == madeBy
}

func (v Value) encode() (string, error) {
	all := map[string]any{"webhookSecrets": nonNil(v.WebhookSecrets), "bearers": nonNil(v.Bearers)}
	if len(v.Connections) > 0 {
		all["connections"] = v.Connections
	}
	for k, raw := range maps.All(v.other) {
		all[k] = raw
	}
	text, err := json.Marshal(all)
	return string(text), err
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// With returns the list with v in front, once.
func With(list []string, v string) []string {
	if slices.Contains(list, v) {
		return list
	}
	return append([]string{v}, list...)
}

// Without returns the list without v.
func Without(list []string, v string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == v })
}
