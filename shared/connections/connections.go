// Package connections keeps the records of agents' calendar connections in AWS
// Secrets Manager, one secret for each agent.
package connections

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/caseroom/caseroom/shared/awsenv"
	"github.com/caseroom/caseroom/shared/calendar"
	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/upstream"
)

// API is the calls that are made. A process that only loads needs no right to
// the others.
//
// See https://docs.aws.amazon.com/secretsmanager/latest/apireference/.
type API interface {
	FeedAPI
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
	ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error)
}

// FeedAPI is the calls that Feeds make.
type FeedAPI interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
}

// Secrets are the records, in secrets named <Prefix>/agents/<Zendesk user id>.
type Secrets struct {
	API    API
	Prefix string
}

var _ calendar.Records = Secrets{}

func (s Secrets) id(agent string) string { return s.Prefix + "/agents/" + agent }

const vendor = "secretsmanager"

// Load reads an agent's record as it is now.
func (s Secrets) Load(ctx context.Context, agent string) (calendar.Record, error) {
	var r calendar.Record
	if err := load(ctx, s.API, s.id(agent), &r, func() bool { return r.V == 1 }); err != nil {
		return calendar.Record{}, err
	}
	return r, nil
}

// load reads a secret of ours into v, and leaves v as it is where there is none.
func load(ctx context.Context, api FeedAPI, id string, v any, ours func() bool) error {
	out, err := api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	switch code := awsenv.ErrorCode(err); {
	case code == "ResourceNotFoundException" || code == "InvalidRequestException":
		return nil // the latter is one marked for deletion
	case err != nil:
		return failed(ctx, "GetSecretValue", err)
	}
	if out.ARN == nil {
		return senseless("GetSecretValue")
	}
	if out.SecretString == nil || json.Unmarshal([]byte(*out.SecretString), v) != nil || !ours() {
		return &upstream.Error{Vendor: vendor, Op: "GetSecretValue", Class: upstream.Refused, Err: errors.New("not a secret of ours: " + id)}
	}
	return nil
}

// Save makes r the agent's record. A secret that is just being deleted may not be
// made again at once; the error then says that another try will do.
func (s Secrets) Save(ctx context.Context, agent string, r calendar.Record) error {
	r.V = 1
	return save(ctx, s.API, s.id(agent), "The calendar connection of a Zendesk agent, written by caseroom.", r)
}

func save(ctx context.Context, api FeedAPI, id, description string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	value := aws.String(string(text))
	put := func() error {
		out, err := api.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &id, SecretString: value})
		if err == nil && out.VersionId == nil {
			return senseless("PutSecretValue")
		}
		return err
	}
	err = put()
	if awsenv.ErrorCode(err) != "ResourceNotFoundException" {
		return failed(ctx, "PutSecretValue", err)
	}
	out, err := api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &id, SecretString: value, Description: &description})
	switch {
	case awsenv.ErrorCode(err) == "ResourceExistsException": // somebody was faster
		err = put()
	case err == nil && out.VersionId == nil:
		err = senseless("CreateSecret")
	}
	return failed(ctx, "CreateSecret", err)
}

// senseless is a success whose body says nothing.
func senseless(op string) error {
	return &upstream.Error{Vendor: vendor, Op: op, Class: upstream.Unknown, Err: errors.New("the answer makes no sense")}
}

// Feeds are the generations of agents' feeds, in secrets named
// <Prefix>/feeds/<Zendesk user id>, of those agents who took an address back.
// Who may read them can read no token.
type Feeds struct {
	API    FeedAPI
	Prefix string
}

var _ calendar.Feeds = Feeds{}

func (f Feeds) id(agent string) string { return f.Prefix + "/feeds/" + agent }

type feed struct {
	V          int `json:"v"`
	Generation int `json:"generation"`
}

// Generation reads that of an agent's feed as it is now.
func (f Feeds) Generation(ctx context.Context, agent string) (int, error) {
	var v feed
	if err := load(ctx, f.API, f.id(agent), &v, func() bool { return v.V == 1 && v.Generation > 0 }); err != nil {
		return 0, err
	}
	return v.Generation, nil
}

// SaveGeneration makes generation the agent's.
func (f Feeds) SaveGeneration(ctx context.Context, agent string, generation int) error {
	return save(ctx, f.API, f.id(agent), "The generation of a Zendesk agent's calendar feed, written by caseroom.", feed{1, generation})
}

// Delete deletes the agent's secret for good.
func (s Secrets) Delete(ctx context.Context, agent string) error {
	id := s.id(agent)
	out, err := s.API.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &id, ForceDeleteWithoutRecovery: aws.Bool(true)})
	switch {
	case awsenv.ErrorCode(err) == "ResourceNotFoundException":
		return nil
	case err != nil:
		return failed(ctx, "DeleteSecret", err)
	case out.ARN == nil: // of a secret that is not there nothing is said
		r, err := s.Load(ctx, agent)
		if err == nil && r != (calendar.Record{}) {
			err = senseless("DeleteSecret")
		}
		return err
	}
	return nil
}

// List returns the agents who have a secret.
func (s Secrets) List(ctx context.Context) ([]string, error) {
	prefix := s.id("")
	in := &secretsmanager.ListSecretsInput{
		MaxResults: aws.Int32(100), Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{prefix}}},
	}
	var agents []string
	for {
		out, err := s.API.ListSecrets(ctx, in)
		if err != nil {
			return nil, failed(ctx, "ListSecrets", err)
		}
		if out.SecretList == nil {
			return nil, senseless("ListSecrets")
		}
		for _, sec := range out.SecretList {
			// The filter goes by words of a name, and its case may not matter.
			if agent, ok := strings.CutPrefix(aws.ToString(sec.Name), prefix); ok && identity.IsZendeskID(agent) {
				agents = append(agents, agent)
			}
		}
		if aws.ToString(out.NextToken) == "" {
			return agents, nil
		}
		in.NextToken = out.NextToken
	}
}

// failed classifies an error of Secrets Manager without its prose, which holds
// the secret's ARN and request ids.
func failed(ctx context.Context, op string, err error) error {
	var known *upstream.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &upstream.Error{Vendor: vendor, Op: op, Code: awsenv.ErrorCode(err), Class: upstream.Unknown}
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) && answered.Response != nil {
		e.Status = answered.HTTPStatusCode()
	}
	switch {
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case strings.Contains(e.Code, "Throttl") || e.Code == "LimitExceededException" || e.Status == http.StatusTooManyRequests:
		e.Class = upstream.RateLimited
	case e.Code == "AccessDeniedException" || strings.HasPrefix(e.Code, "UnrecognizedClient") || strings.HasPrefix(e.Code, "ExpiredToken"):
		e.Class, e.Credentials = upstream.Refused, true
	case e.Code == "InvalidRequestException" && (op == "CreateSecret" || op == "PutSecretValue"):
		e.Class = upstream.Unavailable // a secret of this name is just being deleted
	case e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Code != "":
		e.Class = upstream.Refused
	}
	return e
}
